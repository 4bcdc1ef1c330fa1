//! `Received`: a message with its signature fields found, and step 1 to 4 of the checklist.

use std::borrow::Cow;

use super::{Step, parsed::Parsed, rejection::Rejection};
use crate::{
    keys::Algorithm,
    nonce::Nonce,
    profile::{Fault, LABEL, Profile, content_type, is_known},
    rfc9421::{
        ComponentName, Request, SignatureParams, components,
        digest::{CONTENT_DIGEST, ContentDigest},
        structured_fields::{
            BareItem, Dictionary, InnerList, Item, Member, MemberValue, join_lines,
        },
    },
    target_uri::TargetUri,
};

/// A message and the profile of the endpoint it came to.
#[derive(Debug, Clone)]
pub struct Received<'a> {
    pub(super) profile: &'a Profile,
    pub(super) request: &'a Request<'a>,
    input: Option<Cow<'a, [u8]>>,
    signature: Option<Cow<'a, [u8]>>,
}

impl<'a> Received<'a> {
    /// Finds the signature fields, repeated lines joined (RFC 9421 §4).
    pub fn new(profile: &'a Profile, request: &'a Request<'a>) -> Self {
        Self {
            profile,
            request,
            input: join_lines(request.fields, "signature-input"),
            signature: join_lines(request.fields, "signature"),
        }
    }

    /// Whether the message carries neither field, and so makes no claim to be signed.
    pub fn is_unsigned(&self) -> bool {
        self.input.is_none() && self.signature.is_none()
    }

    /// The first half of step 1: both fields are there and parse, and both have a member `sig1`.
    /// Every other label is ignored.
    ///
    /// # Errors
    /// `*_header_malformed`.
    pub fn labelled(&self) -> Result<Labelled<'_>, Rejection> {
        let (input, signature) = match (&self.input, &self.signature) {
            (Some(input), Some(signature)) => (input, signature),
            (Some(_), None) => return Err(self.malformed("Signature-Input came without Signature")),
            (None, Some(_)) => return Err(self.malformed("Signature came without Signature-Input")),
            (None, None) => return Err(self.malformed("the message carries no signature")),
        };
        let inputs = Dictionary::parse(input)
            .map_err(|error| self.malformed(format!("Signature-Input: {error}")))?;
        let signatures = Dictionary::parse(signature)
            .map_err(|error| self.malformed(format!("Signature: {error}")))?;
        let Some(Member { value: MemberValue::InnerList(list), raw, .. }) =
            inputs.into_member(LABEL)
        else {
            return Err(self.malformed("Signature-Input has no component list labelled sig1"));
        };
        let Some(MemberValue::Item(Item { bare: BareItem::ByteSequence(bytes), params })) =
            signatures.into_member(LABEL).map(|member| member.value)
        else {
            return Err(self.malformed("Signature has no byte sequence labelled sig1"));
        };
        // Nothing signs them, and neither RFC 9421 nor AdCP gives one a meaning.
        if !params.is_empty() {
            return Err(
                self.malformed("sig1 of Signature has parameters: write the byte sequence alone")
            );
        }
        let signature = bytes
            .decode_exactly(self.profile.signature_alphabet())
            .map_err(|error| self.malformed(format!("Signature sig1: {error}")))?;
        Ok(Labelled { received: self, list, raw, signature })
    }

    /// `Content-Type` is not a list field: one line, no top-level comma.
    fn single_content_type(&self) -> Result<(), Rejection> {
        content_type(self.request.fields)
            .map(drop)
            .map_err(|error| self.malformed(error.to_string()))
    }

    fn content_digest(&self) -> Result<Option<ContentDigest>, Rejection> {
        let Some(value) = join_lines(self.request.fields, CONTENT_DIGEST) else { return Ok(None) };
        ContentDigest::parse(&value, self.profile.digest_alphabets())
            .map(Some)
            .map_err(|error| self.malformed(error.to_string()))
    }

    /// Contracts before 3.2.4 call a raw non-ASCII host a malformed header.
    fn raw_host(&self) -> Result<(), Rejection> {
        if self.profile.raw_host_is_header_fault() && !self.request.url.is_ascii() {
            let canonical =
                TargetUri::canonicalize(self.request.url, self.profile.verifier_uri_rules());
            if let Err(error) = canonical
                && error.is_raw_non_ascii_host()
            {
                return Err(self.malformed(error.to_string()));
            }
        }
        Ok(())
    }

    /// Step 2.
    fn complete<'p>(&self, params: SignatureParams<'p>) -> Result<Complete<'p>, Rejection> {
        Ok(Complete {
            created: params.created.ok_or_else(|| self.absent("created"))?,
            expires: params.expires.ok_or_else(|| self.absent("expires"))?,
            nonce: params.nonce.ok_or_else(|| self.absent("nonce"))?,
            keyid: params.keyid.ok_or_else(|| self.absent("keyid"))?,
            alg: params.alg.ok_or_else(|| self.absent("alg"))?,
            tag: params.tag.ok_or_else(|| self.absent("tag"))?,
        })
    }

    #[cold]
    fn absent(&self, name: &str) -> Rejection {
        self.refuse(
            Step::Params,
            Fault::ParamsIncomplete,
            format!("the parameter {name} is absent"),
        )
    }

    #[cold]
    fn malformed(&self, detail: impl Into<Cow<'static, str>>) -> Rejection {
        self.refuse(Step::Parse, Fault::HeaderMalformed, detail)
    }

    #[cold]
    pub(super) fn refuse(
        &self,
        step: Step,
        fault: Fault,
        detail: impl Into<Cow<'static, str>>,
    ) -> Rejection {
        Rejection::new(self.profile, step, fault, detail)
    }
}

/// The member `sig1` of `Signature-Input` and `Signature`.
#[derive(Debug, Clone)]
pub struct Labelled<'a> {
    received: &'a Received<'a>,
    list: InnerList<'a>,
    /// The received text, which is what `@signature-params` is built from.
    pub(super) raw: &'a str,
    /// `None` where the bytes are not as many as a signature of the profiles' algorithms has.
    pub(super) signature: Option<[u8; 64]>,
}

impl Labelled<'_> {
    /// Steps 1 to 4: the parameters are well-formed and all there, tag and algorithm are the
    /// profile's.
    ///
    /// # Errors
    /// The [`Rejection`] of the first step that fails.
    pub fn parse(&self) -> Result<Parsed<'_>, Rejection> {
        let received = self.received;
        let malformed = |detail: String| received.malformed(detail);
        let components = components(&self.list).map_err(|error| malformed(error.to_string()))?;
        if let Some(component) = components.iter().find(|component| !is_known(component)) {
            return Err(malformed(format!(
                "component {component} carries parameters or is derived in a way that AdCP does not define"
            )));
        }
        let params = SignatureParams::from_params(&self.list.params)
            .map_err(|error| malformed(error.to_string()))?;
        if let Some(nonce) = &params.nonce {
            Nonce::check(nonce).map_err(|error| malformed(error.to_string()))?;
        }
        let covers = |name| {
            components.iter().any(|component| component.name() == ComponentName::Field(name))
        };
        if covers("content-type") {
            received.single_content_type()?;
        }
        let digest = if covers(CONTENT_DIGEST) { received.content_digest()? } else { None };
        received.raw_host()?;

        let params = received.complete(params)?;
        if params.tag != received.profile.tag() {
            return Err(received.refuse(
                Step::Tag,
                Fault::TagInvalid,
                format!("tag is not {}", received.profile.tag()),
            ));
        }
        let algorithm = Algorithm::from_rfc9421_name(&params.alg)
            .filter(|algorithm| received.profile.admits(*algorithm))
            .ok_or_else(|| {
                received.refuse(
                    Step::Algorithm,
                    Fault::AlgNotAllowed,
                    "alg is neither ed25519 nor ecdsa-p256-sha256",
                )
            })?;
        Ok(Parsed { labelled: self, received, components, digest, algorithm, params })
    }
}

/// The six parameters, all present.
#[derive(Debug, Clone)]
pub(super) struct Complete<'a> {
    pub(super) created: i64,
    pub(super) expires: i64,
    pub(super) nonce: Cow<'a, str>,
    pub(super) keyid: Cow<'a, str>,
    pub(super) alg: Cow<'a, str>,
    pub(super) tag: Cow<'a, str>,
}
