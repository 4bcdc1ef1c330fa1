//! What a key is for: the JWK member `adcp_use`.

use std::fmt;

/// The purpose a key is published for, the JWK member `adcp_use` (AdCP security, "Agent key
/// publication").
///
/// A key has exactly one. Values this crate does not know are kept as [`Unknown`](Self::Unknown)
/// and accepted by no profile, so a value that a later contract adds fails closed.
///
/// ```
/// use adcp_signing_core::KeyPurpose;
///
/// assert_eq!(KeyPurpose::from("request-signing"), KeyPurpose::RequestSigning);
/// assert_eq!(KeyPurpose::from("Request-Signing").as_str(), "Request-Signing"); // unknown, byte for byte
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum KeyPurpose {
    /// `request-signing`: requests and, since contract 3.1.0-rc.15, webhooks.
    RequestSigning,
    /// `webhook-signing`: deprecated since contract 3.1.0-rc.15, still accepted on webhooks.
    WebhookSigning,
    /// `response-signing`: payload envelopes (JWS) of designated tasks, never HTTP signatures.
    ResponseSigning,
    /// `governance-signing`: governance tokens (JWS), never HTTP signatures.
    GovernanceSigning,
    /// `tmp-signing`: Trusted Match Protocol.
    TmpSigning,
    /// Any other value, as received.
    Unknown(String),
}

impl KeyPurpose {
    /// The value of the `adcp_use` member.
    pub fn as_str(&self) -> &str {
        match self {
            Self::RequestSigning => "request-signing",
            Self::WebhookSigning => "webhook-signing",
            Self::ResponseSigning => "response-signing",
            Self::GovernanceSigning => "governance-signing",
            Self::TmpSigning => "tmp-signing",
            Self::Unknown(value) => value,
        }
    }
}

impl From<&str> for KeyPurpose {
    fn from(value: &str) -> Self {
        match value {
            "request-signing" => Self::RequestSigning,
            "webhook-signing" => Self::WebhookSigning,
            "response-signing" => Self::ResponseSigning,
            "governance-signing" => Self::GovernanceSigning,
            "tmp-signing" => Self::TmpSigning,
            other => Self::Unknown(other.to_owned()),
        }
    }
}

impl fmt::Display for KeyPurpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
