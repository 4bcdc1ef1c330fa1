//! What a key is verified for, as `identity.key_origins` names it.

use std::{fmt, str::FromStr};

use adcp_signing_core::profile::{MessageKind, Profile};

/// A purpose of `identity.key_origins` that a signature is verified for. Only the origin of the
/// purpose in hand is compared (step 7): an operator whose governance keys are at an origin of
/// their own, as the specification wants, has one JWKS for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyOriginPurpose {
    /// `request_signing`.
    RequestSigning,
    /// `webhook_signing`: where webhooks are delivered from.
    WebhookSigning,
}

/// A text names no purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a purpose; write request_signing or webhook_signing")]
pub struct UnknownPurpose;

impl KeyOriginPurpose {
    /// The purpose of messages of this profile.
    pub fn of_profile(profile: &Profile) -> Self {
        match profile.kind() {
            MessageKind::Request => Self::RequestSigning,
            MessageKind::Webhook => Self::WebhookSigning,
        }
    }

    pub(super) fn of_name(name: &str) -> Option<Self> {
        match name {
            "request_signing" => Some(Self::RequestSigning),
            "webhook_signing" => Some(Self::WebhookSigning),
            _ => None,
        }
    }

    /// The name of the member.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RequestSigning => "request_signing",
            Self::WebhookSigning => "webhook_signing",
        }
    }
}

impl FromStr for KeyOriginPurpose {
    type Err = UnknownPurpose;

    fn from_str(name: &str) -> Result<Self, UnknownPurpose> {
        Self::of_name(name).ok_or(UnknownPurpose)
    }
}

impl fmt::Display for KeyOriginPurpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
