//! Step 1: `Signature-Input` and `Signature` parse, come as a pair, and have a member `sig1`.

use std::borrow::Cow;

use super::{
    BodyReading, Received, Rejection, Step,
    received::{Head, Message},
    step00_operation::Asked,
    step02_params::Complete,
};
use crate::{
    nonce::Nonce,
    profile::{AdcpComponents, Fault, KnownFields, LABEL, Profile, check_authority, is_known},
    rfc9421::{
        Component, ComponentName, Request, SignatureParams,
        digest::{CONTENT_DIGEST, ContentDigest},
        signature_base,
        structured_fields::{
            BareItem, Dictionary, InnerList, Item, Member, MemberValue, ParseErrorKind,
        },
    },
    target_uri::TargetUri,
};

/// A message whose signature fields parse (step 1).
#[derive(Debug)]
pub struct Parsed<'r> {
    pub(super) signature: ParsedSignature<'r>,
    pub(super) params: SignatureParams<'r>,
}

/// The member `sig1`, all but its parameters, and what was asked of the message.
#[derive(Debug)]
pub(super) struct ParsedSignature<'r> {
    pub(super) received: Message<'r>,
    pub(super) asked: &'r Asked,
    pub(super) components: Vec<Component<'r>>,
    /// The received text, which is what `@signature-params` is built from.
    pub(super) raw: &'r str,
    /// `None` where the bytes are not as many as a signature of the profiles' algorithms has.
    pub(super) signature: Option<[u8; 64]>,
    /// Read where the signature covers it.
    pub(super) digest: Option<ContentDigest>,
}

impl<'r> Parsed<'r> {
    /// Every other label than `sig1` is ignored. A nonce that is too short or not unpadded
    /// Base64URL is malformed as well.
    pub(super) fn read(received: Message<'r>, asked: &'r Asked) -> Result<Self, Rejection> {
        let head = received.head;
        let malformed = |detail: String| head.malformed(detail);
        let (list, raw, signature) = labelled(head)?;
        let params = SignatureParams::from_params(&list.params)
            .map_err(|error| malformed(error.to_string()))?;
        let components = components(head, list)?;
        if let Some(nonce) = &params.nonce {
            Nonce::check(nonce).map_err(|error| malformed(error.to_string()))?;
        }
        let covers = |name| {
            components.iter().any(|component| component.name() == ComponentName::Field(name))
        };
        if covers("content-type") {
            let single = head.fields.single_content_type();
            single.map_err(|error| malformed(error.to_string()))?;
        }
        let digest = match head.fields.content_digest.value() {
            Some(value) if covers(CONTENT_DIGEST) => {
                let digest = ContentDigest::parse(value, head.profile.digest_alphabets());
                Some(digest.map_err(|error| malformed(error.to_string()))?)
            }
            _ => None,
        };
        // Contracts before 3.2.4 call a raw non-ASCII host a malformed header.
        if let Err(error) = &head.target
            && head.profile.raw_host_is_header_fault()
            && error.is_raw_non_ascii_host()
        {
            return Err(malformed(error.to_string()));
        }
        let signature = ParsedSignature { received, asked, components, raw, signature, digest };
        Ok(Self { signature, params })
    }

    /// The signature base (RFC 9421 §2.5) over the canonical target URI, for people who compare
    /// bases.
    ///
    /// # Errors
    /// As step 10.
    pub fn signature_base(&self) -> Result<Vec<u8>, Rejection> {
        self.signature.base()
    }

    /// Step 2: all six parameters are there.
    ///
    /// # Errors
    /// `*_params_incomplete`.
    pub fn check_params(self) -> Result<Complete<'r>, Rejection> {
        Complete::check(self)
    }
}

impl ParsedSignature<'_> {
    pub(super) fn covers(&self, name: &str) -> bool {
        self.components.iter().any(|component| component.name().as_str() == name)
    }

    /// The first half of step 10: the base, once the received authority agrees with the canonical
    /// target URI.
    pub(super) fn base(&self) -> Result<Vec<u8>, Rejection> {
        let received = self.received.head;
        let malformed =
            |detail: String| received.refuse(Step::Signature, Fault::TargetUriMalformed, detail);
        let target = received.target.as_ref().map_err(|error| malformed(error.to_string()))?;
        let rules = received.profile.verifier_uri_rules();
        check_authority(received.request, target, rules)
            .map_err(|error| malformed(error.to_string()))?;
        self.base_over(target)
    }

    /// The base over a target URI.
    pub(super) fn base_over(&self, target: &TargetUri) -> Result<Vec<u8>, Rejection> {
        let received = self.received.head;
        let known = KnownFields {
            content_type: received.fields.content_type.value(),
            content_digest: received.fields.content_digest.value(),
        };
        let source = AdcpComponents::new(received.request, target, known);
        signature_base(&self.components, self.raw, &source).map_err(|error| {
            received.refuse(Step::Signature, Fault::SignatureInvalid, error.to_string())
        })
    }

    /// The bytes of the signature, however many, for the message of a refusal.
    #[cold]
    pub(super) fn bytes(&self) -> Vec<u8> {
        let value = self.received.head.fields.signature.value().unwrap_or_default();
        let member = Dictionary::parse(value).ok().and_then(|members| members.into_member(LABEL));
        match member.map(|member| member.value) {
            Some(MemberValue::Item(Item { bare: BareItem::ByteSequence(bytes), .. })) => {
                bytes.decode(self.received.head.profile.signature_alphabet()).unwrap_or_default()
            }
            _ => Vec::new(),
        }
    }
}

/// The member `sig1` of both fields: the components with their parameters, the received text of the
/// member, and the signature's bytes.
type Labelled<'r> = (InnerList<'r>, &'r str, Option<[u8; 64]>);

fn labelled<'r>(head: &'r Head<'_>) -> Result<Labelled<'r>, Rejection> {
    let fields = &head.fields;
    let (input, signature) = match (fields.signature_input.value(), fields.signature.value()) {
        (Some(input), Some(signature)) => (input, signature),
        (Some(_), None) => {
            return Err(head.malformed("Signature-Input came without Signature"));
        }
        (None, Some(_)) => {
            return Err(head.malformed("Signature came without Signature-Input"));
        }
        (None, None) => return Err(head.malformed("the message carries no signature")),
    };
    let inputs = Dictionary::parse(input).map_err(|error| {
        let hint = match error.kind {
            // Microseconds are the first unit that has so many.
            ParseErrorKind::IntegerTooLong => "; created and expires are Unix seconds",
            _ => "",
        };
        head.malformed(format!("Signature-Input: {error}{hint}"))
    })?;
    let signatures = Dictionary::parse(signature)
        .map_err(|error| head.malformed(format!("Signature: {error}")))?;
    let Some(Member { value: MemberValue::InnerList(list), raw, .. }) = inputs.into_member(LABEL)
    else {
        return Err(head.malformed("Signature-Input has no component list labelled sig1"));
    };
    let Some(MemberValue::Item(Item { bare: BareItem::ByteSequence(bytes), params })) =
        signatures.into_member(LABEL).map(|member| member.value)
    else {
        return Err(head.malformed(
            "Signature has no byte sequence labelled sig1; write `sig1=:`, the Base64 of the \
             signature's bytes, and `:`",
        ));
    };
    // Nothing signs them, and neither RFC 9421 nor AdCP gives one a meaning.
    if !params.is_empty() {
        return Err(
            head.malformed("sig1 of Signature has parameters: write the byte sequence alone")
        );
    }
    let signature = bytes
        .decode_exactly(head.profile.signature_alphabet())
        .map_err(|error| head.malformed(format!("Signature sig1: {error}")))?;
    Ok((list, raw, signature))
}

/// The covered components, each known to AdCP, without parameters, and listed once.
fn components<'r>(head: &Head<'_>, list: InnerList<'r>) -> Result<Vec<Component<'r>>, Rejection> {
    let known = |item: Item<'r>| {
        let component = match item {
            Item { bare: BareItem::String(Cow::Borrowed(name)), params } if params.is_empty() => {
                Component::new(name, &[])
            }
            // Not to be covered, or not a component at all. A name with an escape is no
            // component's.
            other => return Err(unusual_component(head, &other)),
        };
        match component {
            Ok(component) if is_known(&component) => Ok(component),
            Ok(component) => Err(undefined_component(head, &component)),
            Err(error) => Err(head.malformed(error.to_string())),
        }
    };
    let components = list.items.into_iter().map(known).collect::<Result<Vec<_>, _>>()?;
    let mut rest = components.as_slice();
    while let [component, later @ ..] = rest {
        if later.contains(component) {
            return Err(head.malformed(format!("component {component} is listed twice")));
        }
        rest = later;
    }
    Ok(components)
}

/// Explains why an item is not one of the components that AdCP defines.
#[cold]
fn unusual_component(head: &Head<'_>, item: &Item<'_>) -> Rejection {
    match Component::from_item(item) {
        Ok(component) => undefined_component(head, &component),
        Err(error) => head.malformed(error.to_string()),
    }
}

#[cold]
fn undefined_component(head: &Head<'_>, component: &Component<'_>) -> Rejection {
    head.malformed(format!(
        "component {component} carries parameters or is derived in a way that AdCP does not define"
    ))
}

/// The signature base that a received message has to verify over, for people who compare bases: the
/// received parameters over the canonical target URI. Nothing is verified, and step 0 is left out.
///
/// # Errors
/// As steps 1 and 10.
pub fn signature_base_of(profile: &Profile, request: &Request<'_>) -> Result<Vec<u8>, Rejection> {
    let received = Received::new(profile, request, BodyReading::Scan)?;
    let asked = Asked::anything();
    Parsed::read(received.message(), &asked)?.signature_base()
}
