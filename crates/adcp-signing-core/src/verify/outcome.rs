//! What a verifier answers: whether a message is signed, and by whom.

use std::sync::Arc;

use super::{Rejection, Step, driver::record};
use crate::{
    clock::UnixSeconds,
    keys::{Algorithm, KeyPurpose},
    profile::{Fault, MessageKind, Profile},
    resolver::VerificationKey,
};

/// A message that may be processed, and on whose authority. The three cases mean very different
/// things, so there is no way to the content of the answer but by telling them apart, or by
/// [`signer`](Self::signer), which fails for the other two.
///
/// ```
/// use adcp_signing_core::verify::{Rejection, Verified};
///
/// fn charge(verified: Verified) -> Result<String, Rejection> {
///     let signer = verified.signer()?; // a rejection unless the message is signed
///     Ok(format!("{} signed this", signer.agent_url().unwrap_or("an agent without a URL")))
/// }
/// ```
///
/// Nothing else of the answer names a caller:
///
/// ```compile_fail
/// use adcp_signing_core::verify::Verified;
///
/// fn charge(verified: Verified) -> String {
///     verified.keyid().to_owned() // no such method: the message may be anonymous
/// }
/// ```
#[derive(Debug, Clone)]
#[must_use = "a message that may be processed need not be signed: ask for the signer"]
pub enum Verified {
    /// Signed, and the whole checklist passed.
    Signed(VerifiedSigner),
    /// Not authenticated by a signature; another credential, accepted by another authenticator,
    /// stands for the caller.
    Fallback(Fallback),
    /// Not authenticated at all. Nothing required it.
    Anonymous(Anonymous),
}

/// The identity that a verified message establishes, and nothing about what that identity may do.
///
/// Identify a caller by [`agent_url`](Self::agent_url), never by [`keyid`](Self::keyid): two agents
/// may call their keys alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedSigner {
    pub(super) key: Arc<VerificationKey>,
    pub(super) purpose: KeyPurpose,
    pub(super) algorithm: Algorithm,
    pub(super) created: UnixSeconds,
    pub(super) expires: UnixSeconds,
    pub(super) verified_at: UnixSeconds,
    pub(super) operation: Option<Arc<str>>,
    pub(super) covers_body: bool,
    /// Shared: an answer is copied into extensions and to handlers.
    pub(super) signature_base: Arc<Vec<u8>>,
}

/// A message that another credential authenticates.
#[derive(Debug, Clone)]
pub struct Fallback {
    pub(super) operation: Option<String>,
    pub(super) shadow: Option<ShadowFinding>,
    pub(super) profile: Profile,
}

/// A message that nothing authenticates.
#[derive(Debug, Clone)]
pub struct Anonymous {
    pub(super) operation: Option<String>,
    pub(super) profile: Profile,
}

/// What shadow mode (`warn_for`) let pass on the strength of another credential. Record it.
#[derive(Debug, Clone)]
pub enum ShadowFinding {
    /// The message was unsigned.
    Unsigned,
    /// The signature was well-formed and failed.
    Failed(Rejection),
}

impl Verified {
    /// Who signed the message.
    ///
    /// # Errors
    /// A rejection with `request_signature_required` where nobody did, whatever the endpoint's
    /// capability requires: answer with it as with any other. It has been logged.
    pub fn signer(self) -> Result<VerifiedSigner, Rejection> {
        let (profile, operation) = match self {
            Self::Signed(signer) => return Ok(signer),
            Self::Fallback(Fallback { profile, operation, .. })
            | Self::Anonymous(Anonymous { profile, operation }) => (profile, operation),
        };
        let rejection = not_signed(&profile).with_operation(operation.as_deref());
        record(&rejection, false);
        Err(rejection)
    }

    /// The AdCP operation, where the message names one. Dispatch on this name, not on one that is
    /// read from the message again.
    pub fn operation(&self) -> Option<&str> {
        match self {
            Self::Signed(signer) => signer.operation(),
            Self::Fallback(fallback) => fallback.operation(),
            Self::Anonymous(anonymous) => anonymous.operation(),
        }
    }
}

#[cold]
fn not_signed(profile: &Profile) -> Rejection {
    let detail = match profile.kind() {
        MessageKind::Request => "the request is not signed, and this handler serves signers alone",
        MessageKind::Webhook => "the webhook is not signed",
    };
    Rejection::new(profile, Step::Precheck, Fault::SignatureRequired, detail)
}

impl VerifiedSigner {
    /// The key that signed.
    pub fn keyid(&self) -> &str {
        self.key.kid()
    }

    /// The agent that published the key, where the resolver knows it.
    pub fn agent_url(&self) -> Option<&str> {
        self.key.agent_url()
    }

    /// What the key is published for.
    pub fn purpose(&self) -> &KeyPurpose {
        &self.purpose
    }

    /// The algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// When the signer says it signed.
    pub fn created(&self) -> UnixSeconds {
        self.created
    }

    /// When the signature expires.
    pub fn expires(&self) -> UnixSeconds {
        self.expires
    }

    /// When it was verified.
    pub fn verified_at(&self) -> UnixSeconds {
        self.verified_at
    }

    /// The AdCP operation, where the message names one.
    pub fn operation(&self) -> Option<&str> {
        self.operation.as_deref()
    }

    /// Whether the signature commits to the body. Always so from profile 3.2 on where there is a
    /// body, and for webhooks; an endpoint of 3.0 or 3.1 may allow a signature that does not.
    pub fn covers_body(&self) -> bool {
        self.covers_body
    }

    /// The signature base that was verified (RFC 9421 §2.5).
    pub fn signature_base(&self) -> &[u8] {
        &self.signature_base
    }
}

impl Fallback {
    /// The AdCP operation, where the message names one.
    pub fn operation(&self) -> Option<&str> {
        self.operation.as_deref()
    }

    /// What shadow mode let pass, where it did.
    pub fn shadow(&self) -> Option<&ShadowFinding> {
        self.shadow.as_ref()
    }
}

impl Anonymous {
    /// The AdCP operation, where the message names one.
    pub fn operation(&self) -> Option<&str> {
        self.operation.as_deref()
    }
}
