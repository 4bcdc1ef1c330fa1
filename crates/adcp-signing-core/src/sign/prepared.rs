//! `prepare` and `finalize`: everything about signing but the key.

use std::borrow::Cow;

use super::{DigestCoverage, SignError, error::check_key_id};
use crate::{
    clock::UnixSeconds,
    keys::{Algorithm, Signature},
    nonce::Nonce,
    profile::{
        AdcpComponents, KnownFields, LABEL, MAX_VALIDITY, Profile, check_authority, check_body,
        check_length, content_type,
    },
    rfc9421::{
        Component, ComponentName, Request, SignatureParams,
        digest::{CONTENT_DIGEST, ContentDigest, content_digest},
        push_inner_list, signature_base,
        structured_fields::{Alphabet, join_lines, push_byte_sequence, push_key},
    },
    target_uri::TargetUri,
};

/// The signature parameters, all six of which the AdCP profiles require.
///
/// ```
/// use adcp_signing_core::{Algorithm, Nonce, UnixSeconds, sign::Parameters};
///
/// let nonce = Nonce::parse("KXYnfEfJ0PBRZXQyVXfVQA")?;
/// let created = UnixSeconds::new(1_776_520_800);
/// let mut parameters = Parameters::new(created, &nonce, "buyer-2026", Algorithm::Ed25519);
/// assert_eq!(parameters.expires, created.plus(300));
/// parameters.expires = created.plus(60);
/// # Ok::<(), adcp_signing_core::NonceError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Parameters<'a> {
    /// The member name in both fields; `sig1` unless there is a reason.
    pub label: &'a str,
    /// When the signature is made.
    pub created: UnixSeconds,
    /// When it ends, 1 to 300 seconds later.
    pub expires: UnixSeconds,
    /// Never used before.
    pub nonce: &'a Nonce,
    /// The `kid` of the published key.
    pub keyid: &'a str,
    /// The key's algorithm.
    pub algorithm: Algorithm,
    /// Whether `content-digest` is covered.
    pub coverage: DigestCoverage,
}

impl<'a> Parameters<'a> {
    /// A signature labelled `sig1` that covers the digest and is valid for 300 seconds.
    pub fn new(
        created: UnixSeconds,
        nonce: &'a Nonce,
        keyid: &'a str,
        algorithm: Algorithm,
    ) -> Self {
        Self {
            label: LABEL,
            created,
            expires: created.plus(MAX_VALIDITY),
            nonce,
            keyid,
            algorithm,
            coverage: DigestCoverage::Cover,
        }
    }
}

/// A message that is ready to be signed: its signature base, and what becomes of the signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    base: Vec<u8>,
    signature_input: String,
    /// The label and `=`, with which both fields start, and room for the signature.
    signature: String,
    digest: Option<String>,
    algorithm: Algorithm,
    alphabet: Alphabet,
}

/// The fields to set on the message, in place of any of the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SignedFields {
    /// The value of `Signature-Input`.
    pub signature_input: String,
    /// The value of `Signature`.
    pub signature: String,
    /// The value of `Content-Digest`, unless the message has it already or does not need it.
    pub content_digest: Option<String>,
}

impl SignedFields {
    /// Names and values, `Content-Digest` first.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let digest = self.content_digest.as_deref().map(|value| ("Content-Digest", value));
        digest.into_iter().chain([
            ("Signature-Input", self.signature_input.as_str()),
            ("Signature", self.signature.as_str()),
        ])
    }
}

/// Builds the signature base of a message under a profile (RFC 9421 §3.1).
///
/// # Errors
/// [`SignError`] when a verifier of the same profile would refuse the result.
pub fn prepare(
    profile: &Profile,
    request: &Request<'_>,
    parameters: &Parameters<'_>,
) -> Result<Prepared, SignError> {
    prepare_target(profile, request, None, parameters)
}

/// [`prepare`], where the canonical target URI may be known already.
pub(super) fn prepare_target(
    profile: &Profile,
    request: &Request<'_>,
    target: Option<TargetUri>,
    parameters: &Parameters<'_>,
) -> Result<Prepared, SignError> {
    if !profile.admits(parameters.algorithm) {
        return Err(SignError::Algorithm(parameters.algorithm));
    }
    check_key_id(parameters.keyid)?;
    let validity = parameters.expires.as_i64().saturating_sub(parameters.created.as_i64());
    if !(1..=MAX_VALIDITY).contains(&validity) {
        return Err(SignError::Validity(validity));
    }
    if let Some(unit) = parameters.created.finer_unit() {
        return Err(SignError::Unit { created: parameters.created, unit });
    }
    let cover_digest = parameters
        .coverage
        .resolve(profile, !request.body.is_empty())
        .ok_or_else(|| SignError::DigestRequired(profile.to_string()))?;
    check_length(request)?;
    check_body(request)?;
    let rules = profile.signer_uri_rules();
    let target = match target {
        Some(target) => target,
        None => TargetUri::canonicalize(request.url, rules)?,
    };
    check_authority(request, &target, rules)?;
    let digest = if cover_digest { Some(digest_of(profile, request)?) } else { None };
    let covered = covered(has_content_type(profile, request)?, digest.is_some());
    let digest = digest.flatten();
    let params = SignatureParams {
        created: Some(parameters.created.as_i64()),
        expires: Some(parameters.expires.as_i64()),
        nonce: Some(Cow::Borrowed(parameters.nonce.as_str())),
        keyid: Some(Cow::Borrowed(parameters.keyid)),
        alg: Some(Cow::Borrowed(parameters.algorithm.rfc9421_name())),
        tag: Some(Cow::Borrowed(profile.tag())),
    };
    let mut signature = String::with_capacity(parameters.label.len().saturating_add(96));
    push_key(&mut signature, parameters.label)
        .map_err(|source| SignError::Parameter { what: "the label", source })?;
    signature.push('=');
    let mut signature_input = String::with_capacity(signature.len().saturating_add(288));
    signature_input.push_str(&signature);
    push_inner_list(&mut signature_input, covered, &params)
        .map_err(|source| SignError::Parameter { what: "the signature parameters", source })?;
    let list = signature_input.strip_prefix(signature.as_str()).unwrap_or_default();
    let known = KnownFields {
        content_digest: digest.as_deref().map(str::as_bytes),
        ..KnownFields::default()
    };
    let base = signature_base(covered, list, &AdcpComponents::new(request, &target, known))?;
    Ok(Prepared {
        base,
        signature_input,
        signature,
        digest,
        algorithm: parameters.algorithm,
        alphabet: profile.signature_alphabet(),
    })
}

/// The components that a signer covers, in the order in which it lists them.
fn covered(content_type: bool, content_digest: bool) -> &'static [Component<'static>] {
    const METHOD: Component<'static> = Component::bare(ComponentName::Method);
    const TARGET_URI: Component<'static> = Component::bare(ComponentName::TargetUri);
    const AUTHORITY: Component<'static> = Component::bare(ComponentName::Authority);
    const TYPE: Component<'static> = Component::bare(ComponentName::Field("content-type"));
    const DIGEST: Component<'static> = Component::bare(ComponentName::Field(CONTENT_DIGEST));
    static TYPED: [Component<'static>; 5] = [METHOD, TARGET_URI, AUTHORITY, TYPE, DIGEST];
    static UNTYPED: [Component<'static>; 4] = [METHOD, TARGET_URI, AUTHORITY, DIGEST];

    let all: &'static [Component<'static>] = if content_type { &TYPED } else { &UNTYPED };
    match all {
        [undigested @ .., _] if !content_digest => undigested,
        _ => all,
    }
}

/// The digest to set, or `None` where the message has the right one already.
fn digest_of(profile: &Profile, request: &Request<'_>) -> Result<Option<String>, SignError> {
    match join_lines(request.fields, CONTENT_DIGEST) {
        None => Ok(Some(content_digest(request.body, profile.emitted_digest_alphabet()))),
        Some(value) => {
            let present = ContentDigest::parse(&value, profile.digest_alphabets())?;
            present.check(request.body).map_err(SignError::DigestMismatch)?;
            Ok(None)
        }
    }
}

/// Whether there is a `Content-Type` to cover.
fn has_content_type(profile: &Profile, request: &Request<'_>) -> Result<bool, SignError> {
    let present = content_type(request.fields)?.is_some();
    if !present && profile.requires_content_type(!request.body.is_empty()) {
        return Err(SignError::ContentTypeMissing);
    }
    Ok(present)
}

impl Prepared {
    /// The signature base (RFC 9421 §2.5), which is what the key signs.
    pub fn signature_base(&self) -> &[u8] {
        &self.base
    }

    /// The fields that carry a signature over [`signature_base`](Self::signature_base).
    ///
    /// # Errors
    /// [`SignError::AlgorithmChanged`] when the signature is not of the announced algorithm.
    pub fn finalize(self, signature: &Signature) -> Result<SignedFields, SignError> {
        if signature.algorithm() != self.algorithm {
            return Err(SignError::AlgorithmChanged {
                announced: self.algorithm,
                signed: signature.algorithm(),
            });
        }
        let Self { signature_input, signature: mut value, digest, .. } = self;
        push_byte_sequence(&mut value, signature.as_bytes(), self.alphabet);
        Ok(SignedFields { signature_input, signature: value, content_digest: digest })
    }
}
