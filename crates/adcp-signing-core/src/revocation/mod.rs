//! Revocation of signing keys: step 9 of the verifier checklists.

mod issue;
mod list;
mod memory;
mod policy;
mod timestamp;

use std::{borrow::Cow, error::Error as StdError, fmt, sync::Arc};

pub use self::{
    issue::RevocationIssueError,
    list::{Freshness, RevocationList, RevocationListError},
    memory::{InMemoryRevocation, RevocationLoadError},
    policy::RevocationPolicy,
    timestamp::rfc3339_seconds,
};
use crate::{answer::Answer, clock::UnixSeconds, resolver::VerificationKey};

/// What a revocation source says of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[must_use = "anything but `Good` is a refusal"]
pub enum RevocationStatus {
    /// The key is not revoked, by a list that is fresh enough.
    Good,
    /// The key is revoked: `*_signature_key_revoked`. Said even of a stale list: a revocation is
    /// never taken back by age.
    Revoked,
    /// The list was not refreshed within its grace: `*_signature_revocation_stale`.
    Stale,
}

/// Why a revocation source could not answer. The verifier refuses as if the list were stale.
#[derive(Debug, thiserror::Error)]
#[error("revocation cannot be checked: {message}")]
pub struct RevocationError {
    message: Cow<'static, str>,
    source: Option<Box<dyn StdError + Send + Sync + 'static>>,
}

impl RevocationError {
    /// An error with a message that holds no credential.
    pub fn new(message: impl Into<Cow<'static, str>>) -> Self {
        Self { message: message.into(), source: None }
    }

    /// Chains the cause, whose texts must hold no credential either.
    #[must_use]
    pub fn with_source(
        mut self,
        source: impl Into<Box<dyn StdError + Send + Sync + 'static>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }
}

/// Knows which keys are revoked.
///
/// The question is about the resolved key, not about its `kid`: a list speaks for the keys of one
/// issuer ([`VerificationKey::revocation_issuer`]), and another issuer's key may have the same
/// name.
pub trait RevocationSource: Send + Sync + fmt::Debug {
    /// What is known of the key at `now`: revoked first, then stale.
    ///
    /// # Errors
    /// [`RevocationError`] where the source cannot answer; the verifier then refuses.
    fn check<'a>(
        &'a self,
        key: &'a VerificationKey,
        now: UnixSeconds,
    ) -> Answer<'a, RevocationStatus, RevocationError>;
}

impl<T: RevocationSource + ?Sized> RevocationSource for Arc<T> {
    fn check<'a>(
        &'a self,
        key: &'a VerificationKey,
        now: UnixSeconds,
    ) -> Answer<'a, RevocationStatus, RevocationError> {
        T::check(self, key, now)
    }
}

/// Calls every key good.
///
/// The risk is the caller's: a stolen key that its owner has revoked goes on signing until it
/// leaves the JWKS and every cache of it. The standard requires verifiers that accept mutations to
/// poll the revocation list; choose this only where keys are pinned and withdrawn by hand.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoRevocation;

impl RevocationSource for NoRevocation {
    fn check<'a>(
        &'a self,
        _key: &'a VerificationKey,
        _now: UnixSeconds,
    ) -> Answer<'a, RevocationStatus, RevocationError> {
        Answer::now(Ok(RevocationStatus::Good))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::jwk::Jwk;

    #[tokio::test]
    async fn no_revocation_calls_every_key_good() {
        let jwk = Jwk::parse(br#"{"kty":"OKP","crv":"Ed25519"}"#).unwrap();
        let key = VerificationKey::from_jwk("any", &jwk);
        let status = NoRevocation.check(&key, UnixSeconds::new(0)).await.unwrap();
        assert_eq!(status, RevocationStatus::Good);
    }
}
