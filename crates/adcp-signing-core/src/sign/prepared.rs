//! `prepare` and `finalize`: everything about signing but the key.

use std::borrow::Cow;

use super::SignError;
use crate::{
    clock::UnixSeconds,
    keys::{Algorithm, Signature},
    nonce::Nonce,
    operation::DigestPolicy,
    profile::{
        AdcpComponents, DigestRule, MAX_VALIDITY, MessageKind, Profile, check_authority,
        check_body, content_type,
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameters<'a> {
    /// The member name in both fields; `sig1` unless there is a reason.
    pub label: &'a str,
    /// When the signature is made.
    pub created: UnixSeconds,
    /// When it ends, 1 to 300 seconds later.
    pub expires: UnixSeconds,
    /// At least 16 random bytes, unpadded Base64URL.
    pub nonce: &'a str,
    /// The `kid` of the published key.
    pub keyid: &'a str,
    /// The key's algorithm.
    pub algorithm: Algorithm,
    /// Whether `content-digest` is covered.
    pub cover_digest: bool,
}

/// A message that is ready to be signed: its signature base, and what becomes of the signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    base: Vec<u8>,
    /// The value of `Signature-Input`, and how much of it is the label.
    input: String,
    label_len: usize,
    digest: Option<String>,
    algorithm: Algorithm,
    alphabet: Alphabet,
}

/// The fields to set on the message, in place of any of the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    let validity = parameters.expires.as_i64().saturating_sub(parameters.created.as_i64());
    if !(1..=MAX_VALIDITY).contains(&validity) {
        return Err(SignError::Validity(validity));
    }
    Nonce::check(parameters.nonce)?;
    let needs_digest = match profile.digest_rule(DigestPolicy::Forbidden) {
        DigestRule::Always => true,
        DigestRule::WithBody => !request.body.is_empty(),
        DigestRule::Either | DigestRule::Forbidden => false,
    };
    if needs_digest && !parameters.cover_digest {
        return Err(SignError::DigestRequired(profile.to_string()));
    }
    check_body(request)?;
    let rules = profile.signer_uri_rules();
    let target = match target {
        Some(target) => target,
        None => TargetUri::canonicalize(request.url, rules)?,
    };
    check_authority(request, &target, rules)
        .map_err(|error| SignError::Authority(error.to_string()))?;
    let digest = if parameters.cover_digest { Some(digest_of(profile, request)?) } else { None };
    let covered = covered(has_content_type(profile, request)?, digest.is_some());
    let digest = digest.flatten();
    let params = SignatureParams {
        created: Some(parameters.created.as_i64()),
        expires: Some(parameters.expires.as_i64()),
        nonce: Some(Cow::Borrowed(parameters.nonce)),
        keyid: Some(Cow::Borrowed(parameters.keyid)),
        alg: Some(Cow::Borrowed(parameters.algorithm.rfc9421_name())),
        tag: Some(Cow::Borrowed(profile.tag())),
    };
    let mut input = String::with_capacity(288);
    push_key(&mut input, parameters.label)
        .map_err(|source| SignError::Parameter { what: "the label", source })?;
    let label_len = input.len();
    input.push('=');
    push_inner_list(&mut input, covered, &params)
        .map_err(|source| SignError::Parameter { what: "the signature parameters", source })?;
    let list = input.get(label_len + 1..).unwrap_or_default();
    let base =
        signature_base(covered, list, &AdcpComponents::new(request, &target, digest.as_deref()))?;
    Ok(Prepared {
        base,
        input,
        label_len,
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
            if present.matches(request.body) { Ok(None) } else { Err(SignError::DigestMismatch) }
        }
    }
}

/// Whether there is a `Content-Type` to cover. A body without one cannot be signed, nor can a
/// webhook.
fn has_content_type(profile: &Profile, request: &Request<'_>) -> Result<bool, SignError> {
    let value =
        content_type(request.fields).map_err(|error| SignError::ContentType(error.to_string()))?;
    let needed = !request.body.is_empty() || profile.kind() == MessageKind::Webhook;
    if needed && value.is_none() {
        return Err(SignError::ContentType(
            "the message has no Content-Type; set it before signing".to_owned(),
        ));
    }
    Ok(value.is_some())
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
        let label = self.input.get(..self.label_len).unwrap_or_default();
        let mut value = String::with_capacity(label.len().saturating_add(92));
        value.push_str(label);
        value.push('=');
        push_byte_sequence(&mut value, signature.as_bytes(), self.alphabet);
        Ok(SignedFields {
            signature_input: self.input,
            signature: value,
            content_digest: self.digest,
        })
    }
}
