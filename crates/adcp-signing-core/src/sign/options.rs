//! What a caller may choose about signing.

use crate::{clock::UnixSeconds, nonce::Nonce, operation::DigestPolicy, profile::Profile};

/// What a signer does with URL shapes on which implementations disagree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum AmbiguousUrls {
    /// Refuses them, so that what is sent verifies everywhere.
    #[default]
    Refuse,
    /// Canonicalizes them by the letter of the eight steps.
    Allow,
}

/// Whether a signature covers `content-digest`. On a message with a body it has to from 3.2 on, and
/// on a webhook always.
///
/// Without a body it need not (AdCP security, "Content-digest and proxy compatibility"). Some
/// verifiers want the digest of the empty body all the same where they require digests, and every
/// verifier that does not forbid digests accepts it. So a signer covers it wherever the endpoint
/// cannot forbid it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum DigestCoverage {
    /// Covered on messages with a body; from 3.2 on, where no endpoint may forbid it, on all
    /// messages.
    #[default]
    Cover,
    /// Covered on all messages: for a 3.0 or 3.1 endpoint that advertises `required`.
    Always,
    /// Not covered: for a 3.0 or 3.1 endpoint that advertises `forbidden`, and on messages without
    /// a body.
    Leave,
}

/// What a caller may choose for one message.
///
/// ```
/// use adcp_signing_core::{Nonce, UnixSeconds, sign::SignOptions};
///
/// let mut options = SignOptions::default();
/// options.created = Some(UnixSeconds::new(1_776_520_800));
/// options.nonce = Some(Nonce::parse("KXYnfEfJ0PBRZXQyVXfVQA")?);
/// # Ok::<(), adcp_signing_core::NonceError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SignOptions {
    /// When the signature is made, in place of now.
    pub created: Option<UnixSeconds>,
    /// How long it is valid, in seconds, 1 to 300; 300 by default.
    pub expires_in: Option<i64>,
    /// The nonce, in place of a random one.
    pub nonce: Option<Nonce>,
    /// The label, in place of `sig1`.
    pub label: Option<String>,
}

impl DigestCoverage {
    /// Whether to cover the digest, or `None` where it must be covered and is not to be.
    pub(super) fn resolve(self, profile: &Profile, has_body: bool) -> Option<bool> {
        match self {
            Self::Always => Some(true),
            Self::Cover => {
                let can_be_forbidden = profile.forbids_content_digest(DigestPolicy::Forbidden);
                Some(has_body || !can_be_forbidden)
            }
            Self::Leave if profile.requires_content_digest(has_body, DigestPolicy::Forbidden) => {
                None
            }
            Self::Leave => Some(false),
        }
    }
}
