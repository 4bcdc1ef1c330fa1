//! Why a message was not signed.

#[cfg(feature = "http")]
use crate::http_message::OriginError;
use crate::{
    clock::UnixSeconds,
    json::StrictJsonError,
    keys::{Algorithm, KeyPurpose},
    nonce::NonceError,
    profile::{Fault, LengthMismatch, MAX_VALIDITY, SeveralContentTypes},
    provider::ProviderError,
    rfc9421::{
        AuthorityError, ComponentError,
        digest::{DigestError, DigestMismatch},
        structured_fields::WriteError,
    },
    target_uri::{AmbiguousUrl, TargetUriError},
};

/// Why a message was not signed. Nothing of the message has changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// The URL cannot be canonicalized.
    #[error("the URL cannot be signed: {0}")]
    TargetUri(#[from] TargetUriError),
    /// The URL has a shape on which implementations disagree.
    #[error(
        "the URL has a shape that implementations canonicalize differently, so some peers would refuse it: {0}"
    )]
    Ambiguous(#[from] AmbiguousUrl),
    /// `Host` or `:authority` is not the URL's authority.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The message needs a `Content-Type`, which is covered, and has none.
    #[error("the message has no Content-Type; set it before signing")]
    ContentTypeMissing,
    /// The message has more than one `Content-Type`.
    #[error(transparent)]
    SeveralContentTypes(#[from] SeveralContentTypes),
    /// The message already has a `Content-Digest` that cannot be read.
    #[error(transparent)]
    Digest(#[from] DigestError),
    /// The message already has a `Content-Digest`, of another body.
    #[error(
        "the Content-Digest already set is not the body's: {0}; remove it, or set it over the bytes \
         that are sent"
    )]
    DigestMismatch(DigestMismatch),
    /// `Content-Length` announces another body.
    #[error(transparent)]
    Length(#[from] LengthMismatch),
    /// The body has duplicate keys, which AdCP calls `duplicate_key_input`, or is declared to be JSON
    /// and is not.
    #[error("the body is not signed: {0}")]
    Body(#[from] StrictJsonError),
    /// The profile requires the digest to be covered.
    #[error("{0} requires content-digest to be covered; do not ask for a signature without it")]
    DigestRequired(String),
    /// The window is not one a verifier accepts.
    #[error("a signature is valid for 1 to 300 seconds, not {0}{hint}", hint = milliseconds_hint(*.0))]
    Validity(i64),
    /// The time of the signature is in another unit than seconds.
    #[error("created {created} looks like {unit}; give Unix seconds")]
    Unit {
        /// The time that was given.
        created: UnixSeconds,
        /// The unit that it looks like it is in.
        unit: &'static str,
    },
    /// No nonce could be made, or the caller's is not one a verifier accepts.
    #[error(transparent)]
    Nonce(#[from] NonceError),
    /// The label or another parameter cannot be written as a structured field.
    #[error("{what} cannot be written: {source}")]
    Parameter {
        /// What could not be written.
        what: &'static str,
        /// Why.
        source: WriteError,
    },
    /// The provider's key has no id to be found by, or one that no signature can carry.
    #[error("the key id (`kid`) {0}; give the provider the `kid` of the published JWK")]
    KeyId(KeyIdFault),
    /// A covered component has no value that can be signed.
    #[error(transparent)]
    Component(#[from] ComponentError),
    /// The profile does not admit the provider's algorithm.
    #[error("{0} is not an algorithm of the AdCP profiles; use ed25519 or ecdsa-p256-sha256")]
    Algorithm(Algorithm),
    /// The provider's key is for something else.
    #[error("the key is for {purpose}, which {profile} does not accept; {cure}")]
    Purpose {
        /// What the key is for.
        purpose: KeyPurpose,
        /// The profile asked for.
        profile: String,
        /// What to do, from [`Profile::judge_purpose`](crate::profile::Profile::judge_purpose).
        cure: &'static str,
    },
    /// The key could not sign.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// The signature is not of the algorithm that was announced.
    #[error("the provider announced {announced} and signed with {signed}")]
    AlgorithmChanged {
        /// What the signature parameters say.
        announced: Algorithm,
        /// What the signature is.
        signed: Algorithm,
    },
    /// The request is not one to the configured origin.
    #[cfg(feature = "http")]
    #[error(transparent)]
    Origin(#[from] OriginError),
    /// A field of the signature is not one that the `http` crate takes.
    #[cfg(feature = "http")]
    #[error("a field of the signature cannot be set: {0}")]
    FieldValue(#[from] ::http::header::InvalidHeaderValue),
    /// The request has so many header fields that no more can be set.
    #[cfg(feature = "http")]
    #[error("the request has no room for the signature's header fields; send fewer fields")]
    TooManyFields,
}

/// Why a key id cannot be the `keyid` of a signature (RFC 9421 §2.3, RFC 8941 §3.3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyIdFault {
    /// There is none.
    #[error("is empty")]
    Empty,
    /// A byte that a structured field string cannot hold.
    #[error("has a byte at {offset} that is not printable ASCII")]
    Byte {
        /// Where.
        offset: usize,
    },
}

/// Refuses a key id that no signature can carry.
pub(super) fn check_key_id(key_id: &str) -> Result<(), SignError> {
    let printable = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
    let fault = match key_id.bytes().position(|byte| !printable(byte)) {
        Some(offset) => KeyIdFault::Byte { offset },
        None if key_id.is_empty() => KeyIdFault::Empty,
        None => return Ok(()),
    };
    Err(SignError::KeyId(fault))
}

/// Names milliseconds, where the length of a window looks like them.
fn milliseconds_hint(validity: i64) -> &'static str {
    if validity % 1000 == 0 && (1..=MAX_VALIDITY).contains(&(validity / 1000)) {
        "; this looks like milliseconds"
    } else {
        ""
    }
}

impl SignError {
    /// A stable name of the error, for logs and traces: the kind of the key's error, or what went
    /// wrong with the message.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TargetUri(_) => "target_uri_malformed",
            Self::Ambiguous(_) => "target_uri_ambiguous",
            Self::Authority(_) => "authority_mismatch",
            Self::ContentTypeMissing => "content_type_missing",
            Self::SeveralContentTypes(_) => "several_content_types",
            Self::Digest(_) => "content_digest_malformed",
            Self::DigestMismatch(_) => "content_digest_mismatch",
            Self::Length(_) => "content_length_mismatch",
            // The name that AdCP gives to it.
            Self::Body(StrictJsonError::Duplicate(_)) => "duplicate_key_input",
            Self::Body(_) => "body_malformed",
            Self::DigestRequired(_) => "content_digest_required",
            Self::Validity(_) => "validity_invalid",
            Self::Unit { .. } => "created_invalid",
            Self::Nonce(_) => "nonce_invalid",
            Self::Parameter { .. } => "parameter_invalid",
            Self::KeyId(_) => "key_id_invalid",
            Self::Component(_) => "component_invalid",
            Self::Algorithm(_) => "algorithm_not_allowed",
            Self::Purpose { .. } => "key_purpose_invalid",
            Self::Provider(error) => error.kind().as_str(),
            Self::AlgorithmChanged { .. } => "algorithm_changed",
            #[cfg(feature = "http")]
            Self::Origin(_) => "origin_mismatch",
            #[cfg(feature = "http")]
            Self::FieldValue(_) | Self::TooManyFields => "fields_not_set",
        }
    }

    /// What a verifier would have refused the message for, where it would have.
    pub fn fault(&self) -> Option<Fault> {
        match self {
            Self::TargetUri(_) | Self::Authority(_) => Some(Fault::TargetUriMalformed),
            #[cfg(feature = "http")]
            Self::Origin(_) => Some(Fault::TargetUriMalformed),
            Self::ContentTypeMissing => Some(Fault::ComponentsIncomplete),
            Self::Nonce(NonceError::NoRandomness | NonceError::Exhausted) => None,
            Self::Nonce(_) => Some(Fault::HeaderMalformed),
            Self::SeveralContentTypes(_)
            | Self::Digest(_)
            | Self::KeyId(_)
            | Self::Parameter { .. } => Some(Fault::HeaderMalformed),
            Self::DigestMismatch(_) | Self::Length(_) => Some(Fault::DigestMismatch),
            Self::DigestRequired(_) => Some(Fault::ComponentsIncomplete),
            Self::Validity(_) | Self::Unit { .. } => Some(Fault::WindowInvalid),
            Self::Algorithm(_) => Some(Fault::AlgNotAllowed),
            Self::Purpose { .. } => Some(Fault::KeyPurposeInvalid),
            #[cfg(feature = "http")]
            Self::FieldValue(_) | Self::TooManyFields => None,
            Self::Body(_)
            | Self::Ambiguous(_)
            | Self::Component(_)
            | Self::Provider(_)
            | Self::AlgorithmChanged { .. } => None,
        }
    }
}
