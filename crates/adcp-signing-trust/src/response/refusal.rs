//! Why a signed response was refused, and at which step of the checklist.

use adcp_signing_core::ResolveError;

use crate::{jcs::CanonicalJsonError, jws::JwsError};

/// A step of the verifier checklist for designated responses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum ResponseStep {
    /// 1: the envelope.
    Envelope = 1,
    /// 2: the protected header.
    Header,
    /// 3: the key.
    Key,
    /// 4: the signature.
    Signature,
    /// 5: the type of the payload.
    Type,
    /// 6: the task.
    Task,
    /// 7: the time.
    Time,
    /// 8: the request.
    Request,
    /// 9: the brand.
    Tenant,
    /// 10: the unsigned fields.
    Consistency,
}

/// Why a signed response was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResponseRefusal {
    /// The response has no canonical form.
    #[error("the response cannot be verified: {0}")]
    Response(#[from] CanonicalJsonError),
    /// The envelope, or a member of it, is missing, unknown or malformed.
    #[error("`{member}` of the signed response is missing, unknown or malformed")]
    Envelope {
        /// The member.
        member: &'static str,
    },
    /// The protected header or the signature is not read.
    #[error("the signed response is not signed as it has to be: {0}")]
    Jws(#[from] JwsError),
    /// The key could not be had.
    #[error("the key that signed the response could not be had: {0}")]
    Keys(#[from] ResolveError),
    /// The agent publishes no such key.
    #[error("the agent publishes no key with the kid {kid:?} that signed the response")]
    UnknownKey {
        /// The key's name.
        kid: String,
    },
    /// The key may not sign responses.
    #[error("the key {kid:?} signed the response, and may not: {reason}")]
    WrongKey {
        /// The key's name.
        kid: String,
        /// Why it may not.
        reason: String,
    },
    /// The key is revoked, or nothing fresh says that it is not.
    #[error("the key {kid:?} signed the response, and {reason}")]
    Revocation {
        /// The key's name.
        kid: String,
        /// What its revocation list says.
        reason: String,
    },
    /// The signature does not verify.
    #[error("the signature of the key {kid:?} on the response does not verify")]
    Signature {
        /// The key's name.
        kid: String,
    },
    /// The payload is of another type.
    #[error("the payload of the signed response has to have the `typ` adcp-response-payload+jws")]
    Type,
    /// The envelope answers another task.
    #[error("the signed response is one of another task")]
    Task,
    /// The envelope has expired.
    #[error("the signed response has expired; ask again")]
    Expired,
    /// The envelope is dated ahead of the clock.
    #[error("the signed response is dated in the future; compare the clocks of both sides")]
    NotYetIssued,
    /// The envelope answers another request, or another caller.
    #[error(
        "the signed response answers another request, or one to another agent or of another caller"
    )]
    RequestHash,
    /// The envelope speaks for another brand.
    #[error("the signed response speaks for another brand than the one that was asked about")]
    Tenant,
    /// A field outside the envelope is not the one that is signed.
    #[error("a field of the response is not the one in its signed payload; use the payload alone")]
    Inconsistent,
}

impl ResponseRefusal {
    /// The code of the standard, where it has one.
    pub fn code(&self) -> Option<&'static str> {
        match self {
            Self::Expired => Some("SIGNED_RESPONSE_ENVELOPE_EXPIRED"),
            Self::RequestHash => Some("SIGNED_RESPONSE_REQUEST_HASH_MISMATCH"),
            Self::Tenant => Some("SIGNED_RESPONSE_TENANT_MISMATCH"),
            _ => None,
        }
    }

    /// The step of the checklist that refused.
    pub fn step(&self) -> ResponseStep {
        match self {
            Self::Response(_) | Self::Envelope { .. } => ResponseStep::Envelope,
            Self::Jws(_) => ResponseStep::Header,
            Self::Keys(_)
            | Self::UnknownKey { .. }
            | Self::WrongKey { .. }
            | Self::Revocation { .. } => ResponseStep::Key,
            Self::Signature { .. } => ResponseStep::Signature,
            Self::Type => ResponseStep::Type,
            Self::Task => ResponseStep::Task,
            Self::Expired | Self::NotYetIssued => ResponseStep::Time,
            Self::RequestHash => ResponseStep::Request,
            Self::Tenant => ResponseStep::Tenant,
            Self::Inconsistent => ResponseStep::Consistency,
        }
    }
}
