//! Why a call was not signed, or did not come back as it was sent.

#[cfg(feature = "tower")]
use adcp_signing_core::OriginError;
use adcp_signing_core::{CapabilityError, SignError};

use super::Refusal;

/// Why a call was not signed and not sent, or what its answer says about the signature.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignedCallError {
    /// The request could not be signed. Nothing was sent.
    #[error("the request was not sent: {0}")]
    Sign(#[from] SignError),
    /// The body is a stream, so no digest of it is known. Nothing was sent.
    #[error(
        "the request was not sent: its body is a stream, and a signature covers the digest of the \
         whole body; give the body as bytes"
    )]
    StreamingBody,
    /// The body is larger than the limit. Nothing was sent.
    #[error("the request was not sent: its body has more than {limit} bytes; raise the limit")]
    BodyTooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The body failed while it was read. Nothing was sent.
    #[error("the request was not sent: its body could not be read: {0}")]
    Body(String),
    /// The request names no scheme and authority. Nothing was sent.
    #[cfg(feature = "tower")]
    #[error("the request was not sent: its URI is not absolute, so nothing says whom it is for")]
    NotAbsolute,
    /// Scheme and authority of the request are malformed. Nothing was sent.
    #[cfg(feature = "tower")]
    #[error("the request was not sent: {0}")]
    Origin(OriginError),
    /// The URL is not one. Nothing was sent.
    #[cfg(feature = "rmcp")]
    #[error("the request was not sent: its URL is malformed")]
    MalformedUrl,
    /// The counterparty advertises capabilities that break their schema, such as a protocol method
    /// among the operations, or a version that is not one. Nothing was sent.
    #[error(
        "the request was not sent: the capabilities of {counterparty} are invalid: {error}; ask the \
         counterparty to mend them, or configure it by Counterparties::with"
    )]
    Capability {
        /// Who advertises it.
        counterparty: String,
        /// What is wrong with it.
        error: CapabilityError,
    },
    /// The client followed a redirect, and sent the signature to a URL that it is not for.
    #[error(
        "the client followed a redirect with a signed request, which only its first receiver can \
         verify; build the client without redirects, or by this crate"
    )]
    Redirected,
    /// The counterparty refused the signature.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl SignedCallError {
    /// A stable name of the error, for logs and traces. A code of the counterparty is shown only
    /// where it is one of AdCP.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Sign(error) => error.code(),
            Self::StreamingBody => "streaming_body",
            Self::BodyTooLarge { .. } => "body_too_large",
            Self::Body(_) => "body_unreadable",
            #[cfg(feature = "tower")]
            Self::NotAbsolute => "url_not_absolute",
            #[cfg(feature = "tower")]
            Self::Origin(_) => "origin_mismatch",
            #[cfg(feature = "rmcp")]
            Self::MalformedUrl => "url_malformed",
            Self::Capability { .. } => "capability_invalid",
            Self::Redirected => "redirected",
            Self::Refused(refusal) => {
                refusal.challenge().known().map_or("refused", |code| code.as_str())
            }
        }
    }
}
