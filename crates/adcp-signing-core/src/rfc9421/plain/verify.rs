//! Plain RFC 9421 verifying (§3.2).

use crate::{
    keys::{Algorithm, PublicKey},
    rfc9421::{
        Component, ComponentError, ComponentSource, FieldLine, Request, ResponseInContext,
        SignatureParams, SignatureParamsError, components, signature_base,
        structured_fields::{
            Alphabet, BareItem, Base64Error, Dictionary, Item, MemberValue, ParseError, join_lines,
        },
    },
};

/// The caller's requirements for a signature (RFC 9421 §3.2.1).
#[derive(Debug, Clone)]
pub struct VerifyOptions<'a> {
    label: &'a str,
    required: &'a [Component<'a>],
    now: i64,
    skew: u32,
    max_age: Option<u32>,
    tag: Option<&'a str>,
}

/// A signature that verified.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifiedSignature {
    /// The identifiers of the components that are covered, in the signer's order. The
    /// signature says nothing about the rest of the message.
    pub components: Vec<String>,
    /// The signature parameters.
    pub params: SignatureParams<'static>,
    /// The algorithm of the key.
    pub algorithm: Algorithm,
}

/// Why a signature is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The message lacks `Signature-Input` or `Signature`, or the field lacks the label.
    #[error("{field} has no member with the label asked for")]
    LabelMissing {
        /// The field.
        field: &'static str,
    },
    /// A field that is not a dictionary without duplicates.
    #[error("{field} is malformed: {source}")]
    Malformed {
        /// The field.
        field: &'static str,
        /// Where it breaks.
        source: ParseError,
    },
    /// A member of the wrong type.
    #[error("the member of {field} must be {expected}")]
    MemberType {
        /// The field.
        field: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// The signature is not spelled in padded standard base64.
    #[error("the signature cannot be decoded: {0}")]
    Base64(#[from] Base64Error),
    /// A covered component is malformed or has no value.
    #[error(transparent)]
    Component(#[from] ComponentError),
    /// A signature parameter of the wrong type.
    #[error(transparent)]
    Params(#[from] SignatureParamsError),
    /// A component that the caller requires is not covered.
    #[error("component {0} is required and not covered")]
    NotCovered(String),
    /// The `tag` parameter is not the one asked for.
    #[error("the tag parameter is not the one asked for")]
    Tag,
    /// No `created` parameter, so the age is unknown.
    #[error("the signature has no created parameter, so its age is unknown")]
    AgeUnknown,
    /// `expires` is not after `created`.
    #[error("the signature expires no later than it was created")]
    EmptyWindow,
    /// Created in the future.
    #[error("the signature was created in the future")]
    NotYetValid,
    /// Past its `expires`.
    #[error("the signature has expired")]
    Expired,
    /// Older than the caller allows.
    #[error("the signature is older than admitted")]
    TooOld,
    /// The caller has no key for these parameters.
    #[error("there is no key for this signature")]
    KeyUnknown,
    /// The `alg` parameter is not the key's algorithm.
    #[error("the alg parameter is not the algorithm of the key, {key}")]
    Algorithm {
        /// The key's algorithm.
        key: Algorithm,
    },
    /// The signature does not verify for this message under this key.
    #[error("the signature does not verify")]
    Invalid,
}

impl<'a> VerifyOptions<'a> {
    /// Checks the signature under `label`, which must cover every component of `required`. `now` is
    /// in seconds since the Unix epoch.
    ///
    /// By default the signer's clock may differ by 60 seconds, and a signature may have any age
    /// before its `expires`.
    pub fn new(label: &'a str, required: &'a [Component<'a>], now: i64) -> Self {
        Self { label, required, now, skew: 60, max_age: None, tag: None }
    }

    /// Sets how far the signer's clock may differ, in seconds.
    #[must_use]
    pub fn with_skew(mut self, seconds: u32) -> Self {
        self.skew = seconds;
        self
    }

    /// Refuses signatures that are older than this, in seconds, or have no `created`.
    #[must_use]
    pub fn with_max_age(mut self, seconds: u32) -> Self {
        self.max_age = Some(seconds);
        self
    }

    /// Refuses signatures with another `tag` parameter or none.
    #[must_use]
    pub fn with_tag(mut self, tag: &'a str) -> Self {
        self.tag = Some(tag);
        self
    }
}

/// Checks a signature over a request. `key` chooses the key by the parameters, which are not
/// authenticated yet.
///
/// # Errors
/// [`VerifyError`].
pub fn verify_request<'k>(
    request: &Request<'_>,
    options: &VerifyOptions<'_>,
    key: impl FnOnce(&SignatureParams<'_>) -> Option<&'k PublicKey>,
) -> Result<VerifiedSignature, VerifyError> {
    verify(request, request.fields, options, key)
}

/// Checks a signature over a response. `key` chooses the key by the parameters, which are not
/// authenticated yet.
///
/// # Errors
/// [`VerifyError`].
pub fn verify_response<'k>(
    response: &ResponseInContext<'_>,
    options: &VerifyOptions<'_>,
    key: impl FnOnce(&SignatureParams<'_>) -> Option<&'k PublicKey>,
) -> Result<VerifiedSignature, VerifyError> {
    verify(response, response.response.fields, options, key)
}

const SIGNATURE_INPUT: &str = "Signature-Input";
const SIGNATURE: &str = "Signature";

fn verify<'k>(
    source: &dyn ComponentSource,
    fields: &[FieldLine<'_>],
    options: &VerifyOptions<'_>,
    key: impl FnOnce(&SignatureParams<'_>) -> Option<&'k PublicKey>,
) -> Result<VerifiedSignature, VerifyError> {
    let missing = |field| VerifyError::LabelMissing { field };
    let malformed = |field| move |source| VerifyError::Malformed { field, source };

    let input = join_lines(fields, SIGNATURE_INPUT).ok_or_else(|| missing(SIGNATURE_INPUT))?;
    let input = Dictionary::parse(&input).map_err(malformed(SIGNATURE_INPUT))?;
    let signatures = join_lines(fields, SIGNATURE).ok_or_else(|| missing(SIGNATURE))?;
    let signatures = Dictionary::parse(&signatures).map_err(malformed(SIGNATURE))?;

    let member = input.get(options.label).ok_or_else(|| missing(SIGNATURE_INPUT))?;
    let MemberValue::InnerList(list) = &member.value else {
        return Err(VerifyError::MemberType { field: SIGNATURE_INPUT, expected: "an inner list" });
    };
    let signature = signatures.get(options.label).ok_or_else(|| missing(SIGNATURE))?;
    let MemberValue::Item(Item { bare: BareItem::ByteSequence(signature), .. }) = &signature.value
    else {
        return Err(VerifyError::MemberType { field: SIGNATURE, expected: "a byte sequence" });
    };

    let covered = components(list)?;
    if let Some(absent) = options.required.iter().find(|required| !covered.contains(required)) {
        return Err(VerifyError::NotCovered(absent.to_string()));
    }
    let params = SignatureParams::from_params(&list.params)?;
    check_window(&params, options)?;
    if options.tag.is_some_and(|tag| params.tag.as_deref() != Some(tag)) {
        return Err(VerifyError::Tag);
    }
    let key = key(&params).ok_or(VerifyError::KeyUnknown)?;
    let algorithm = key.algorithm();
    if params.alg.as_deref().is_some_and(|alg| alg != algorithm.rfc9421_name()) {
        return Err(VerifyError::Algorithm { key: algorithm });
    }
    let signature = signature.decode(Alphabet::Standard)?;
    let base = signature_base(&covered, member.raw, source)?;
    key.verify_bytes(&base, &signature).map_err(|_| VerifyError::Invalid)?;
    Ok(VerifiedSignature {
        components: covered.iter().map(ToString::to_string).collect(),
        params: params.into_owned(),
        algorithm,
    })
}

fn check_window(
    params: &SignatureParams<'_>,
    options: &VerifyOptions<'_>,
) -> Result<(), VerifyError> {
    let skew = i64::from(options.skew);
    let now = options.now;
    if let Some(created) = params.created {
        if created > now.saturating_add(skew) {
            return Err(VerifyError::NotYetValid);
        }
        if params.expires.is_some_and(|expires| expires <= created) {
            return Err(VerifyError::EmptyWindow);
        }
    }
    if params.expires.is_some_and(|expires| expires.saturating_add(skew) < now) {
        return Err(VerifyError::Expired);
    }
    if let Some(max_age) = options.max_age {
        let created = params.created.ok_or(VerifyError::AgeUnknown)?;
        if created.saturating_add(i64::from(max_age)).saturating_add(skew) < now {
            return Err(VerifyError::TooOld);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key that no test signs with; these refusals all come before the signature is checked.
    fn some_key() -> PublicKey {
        let jwk = br#"{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","x":"JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs"}"#;
        PublicKey::from_jwk_json(jwk).unwrap()
    }

    fn as_is(options: VerifyOptions<'_>) -> VerifyOptions<'_> {
        options
    }

    fn refusal(
        input: &str,
        signature: &str,
        change: impl Fn(VerifyOptions<'_>) -> VerifyOptions<'_>,
    ) -> VerifyError {
        let fields = [FieldLine::new(SIGNATURE_INPUT, input), FieldLine::new(SIGNATURE, signature)];
        let request = Request::new("GET", "https://example.com/", &fields, b"");
        let required = [Component::new("@method", &[]).unwrap()];
        let options = change(VerifyOptions::new("s", &required, 1_000));
        let key = some_key();
        verify_request(&request, &options, |params| {
            (params.keyid.as_deref() != Some("unknown")).then_some(&key)
        })
        .unwrap_err()
    }

    #[test]
    fn each_refusal_has_its_reason() {
        use VerifyError as E;

        let bytes = "s=:AA==:";
        let input = |rest: &str| format!("s=(\"@method\"){rest}");
        let cases = [
            ("t=()".to_owned(), bytes, E::LabelMissing { field: SIGNATURE_INPUT }),
            (input(""), "t=:AA==:", E::LabelMissing { field: SIGNATURE }),
            (
                "s=1".to_owned(),
                bytes,
                E::MemberType { field: SIGNATURE_INPUT, expected: "an inner list" },
            ),
            (input(""), "s=AA", E::MemberType { field: SIGNATURE, expected: "a byte sequence" }),
            (input(""), "s=:AA:", E::Base64(Base64Error::Padding { alphabet: Alphabet::Standard })),
            (
                input(""),
                "s=:_w==:",
                E::Base64(Base64Error::Character {
                    offset: 0,
                    found: b'_',
                    alphabet: Alphabet::Standard,
                }),
            ),
            ("s=(\"@path\")".to_owned(), bytes, E::NotCovered("\"@method\"".into())),
            (
                "s=(\"@method\" \"@method\")".to_owned(),
                bytes,
                E::Component(ComponentError::Duplicate("\"@method\"".into())),
            ),
            (
                "s=(\"@method\" \"date\")".to_owned(),
                bytes,
                E::Component(ComponentError::Missing("\"date\"".into())),
            ),
            (
                input(";alg=ed25519"),
                bytes,
                E::Params(SignatureParamsError {
                    name: "alg",
                    found: "token",
                    expected: "a quoted string",
                }),
            ),
            (input(";created=1061"), bytes, E::NotYetValid),
            (input(";expires=939"), bytes, E::Expired),
            (input(";created=950;expires=950"), bytes, E::EmptyWindow),
            (input(";keyid=\"unknown\""), bytes, E::KeyUnknown),
            (input(";alg=\"rsa-pss-sha512\""), bytes, E::Algorithm { key: Algorithm::Ed25519 }),
            (input(";created=1060;expires=1061"), bytes, E::Invalid),
            (input(";expires=940"), bytes, E::Invalid),
        ];
        for (input, signature, expected) in cases {
            assert_eq!(refusal(&input, signature, as_is), expected, "{input} {signature}");
        }
        let twice = refusal("s=(\"@method\"), s=()", bytes, as_is);
        assert!(matches!(twice, E::Malformed { field: SIGNATURE_INPUT, .. }), "{twice:?}");

        assert_eq!(refusal(&input(""), bytes, |options| options.with_max_age(300)), E::AgeUnknown);
        assert_eq!(
            refusal(&input(";created=639"), bytes, |options| options.with_max_age(300)),
            E::TooOld
        );
        assert_eq!(
            refusal(&input(";created=640"), bytes, |options| options.with_max_age(300)),
            E::Invalid
        );
        assert_eq!(
            refusal(&input(";created=1001"), bytes, |options| options.with_skew(0)),
            E::NotYetValid
        );
        assert_eq!(refusal(&input(""), bytes, |options| options.with_tag("t")), E::Tag);
        assert_eq!(refusal(&input(";tag=\"T\""), bytes, |options| options.with_tag("t")), E::Tag);
        assert_eq!(
            refusal(&input(";tag=\"t\""), bytes, |options| options.with_tag("t")),
            E::Invalid
        );
    }

    #[test]
    fn a_message_without_signature_fields_is_refused() {
        let options = VerifyOptions::new("s", &[], 0);
        let request = Request::new("GET", "https://example.com/", &[], b"");
        let refused = verify_request(&request, &options, |_| None);
        assert_eq!(refused, Err(VerifyError::LabelMissing { field: SIGNATURE_INPUT }));
    }
}
