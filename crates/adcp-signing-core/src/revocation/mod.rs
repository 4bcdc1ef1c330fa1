//! Revocation of signing keys: step 9 of the verifier checklists.

mod list;
mod timestamp;

use std::{borrow::Cow, collections::HashSet, error::Error as StdError, fmt, sync::Arc};

use async_trait::async_trait;
use parking_lot::RwLock;

pub use list::{Freshness, RevocationList, RevocationListError};

use crate::clock::UnixSeconds;

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
#[error("the revocation source is unavailable: {message}; check its connection and health")]
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
#[async_trait]
pub trait RevocationSource: Send + Sync + fmt::Debug {
    /// What is known of `keyid` at `now`: revoked first, then stale.
    ///
    /// # Errors
    /// [`RevocationError`] where the source cannot answer; the verifier then refuses.
    async fn check(
        &self,
        keyid: &str,
        now: UnixSeconds,
    ) -> Result<RevocationStatus, RevocationError>;
}

/// A set of revoked keys held in memory and replaced as a whole.
///
/// ```
/// use adcp_signing_core::revocation::InMemoryRevocation;
///
/// let revocation = InMemoryRevocation::new(["buyer-2024"]);
/// revocation.replace(["buyer-2024", "buyer-2025"]);
/// ```
#[derive(Debug, Default)]
pub struct InMemoryRevocation(RwLock<Arc<State>>);

#[derive(Debug, Default, Clone)]
struct State {
    revoked: Arc<HashSet<String>>,
    stale_after: Option<UnixSeconds>,
}

impl InMemoryRevocation {
    /// These kids are revoked. The set never goes stale unless told to.
    pub fn new<K: Into<String>>(revoked: impl IntoIterator<Item = K>) -> Self {
        let this = Self::default();
        this.replace(revoked);
        this
    }

    /// Puts these kids in place of the former set, which is thereby fresh and never goes stale
    /// unless told to.
    pub fn replace<K: Into<String>>(&self, revoked: impl IntoIterator<Item = K>) {
        let revoked = Arc::new(revoked.into_iter().map(Into::into).collect());
        *self.0.write() = Arc::new(State { revoked, stale_after: None });
    }

    /// Puts a list, fetched at `last_refreshed`, in place of the former set. It goes stale by its
    /// own rules.
    pub fn load(&self, list: &RevocationList, last_refreshed: UnixSeconds) {
        let revoked = Arc::new(list.revoked_kids().map(str::to_owned).collect());
        *self.0.write() =
            Arc::new(State { revoked, stale_after: Some(list.stale_after(last_refreshed)) });
    }

    /// From the second after `last_fresh` on, every key that is not revoked is
    /// [`RevocationStatus::Stale`].
    pub fn stale_after(&self, last_fresh: UnixSeconds) {
        let mut state = self.0.write();
        *state = Arc::new(State { stale_after: Some(last_fresh), ..State::clone(&state) });
    }
}

#[async_trait]
impl RevocationSource for InMemoryRevocation {
    async fn check(
        &self,
        keyid: &str,
        now: UnixSeconds,
    ) -> Result<RevocationStatus, RevocationError> {
        let state = Arc::clone(&self.0.read());
        Ok(if state.revoked.contains(keyid) {
            RevocationStatus::Revoked
        } else if state.stale_after.is_some_and(|last_fresh| now > last_fresh) {
            RevocationStatus::Stale
        } else {
            RevocationStatus::Good
        })
    }
}

/// Calls every key good.
///
/// The risk is the caller's: a stolen key that its owner has revoked goes on signing until it
/// leaves the JWKS and every cache of it. The standard requires verifiers that accept mutations to
/// poll the revocation list; choose this only where keys are pinned and withdrawn by hand.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoRevocation;

#[async_trait]
impl RevocationSource for NoRevocation {
    async fn check(
        &self,
        _keyid: &str,
        _now: UnixSeconds,
    ) -> Result<RevocationStatus, RevocationError> {
        Ok(RevocationStatus::Good)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixSeconds = UnixSeconds::new(1_776_520_800);

    async fn status(
        source: &dyn RevocationSource,
        keyid: &str,
        now: UnixSeconds,
    ) -> RevocationStatus {
        source.check(keyid, now).await.unwrap()
    }

    #[tokio::test]
    async fn a_set_is_replaced_as_a_whole_and_revoked_wins_over_stale() {
        let source = InMemoryRevocation::new(["old"]);
        assert_eq!(status(&source, "old", NOW).await, RevocationStatus::Revoked);
        source.replace(["new"]);
        assert_eq!(status(&source, "old", NOW).await, RevocationStatus::Good);
        source.stale_after(NOW);
        assert_eq!(status(&source, "old", NOW).await, RevocationStatus::Good);
        assert_eq!(status(&source, "old", NOW.plus(1)).await, RevocationStatus::Stale);
        assert_eq!(status(&source, "new", NOW.plus(1)).await, RevocationStatus::Revoked);
        source.replace(["new"]);
        assert_eq!(status(&source, "old", NOW.plus(1)).await, RevocationStatus::Good);
    }

    #[tokio::test]
    async fn a_loaded_list_goes_stale_by_its_own_rules() {
        let list = RevocationList::parse(
            br#"{"version":1,"issuer":"https://gov.example.com","updated":"2026-04-18T14:00:00Z",
                "next_update":"2026-04-18T14:15:00Z","revoked_kids":["revoked"]}"#,
        )
        .unwrap();
        let source = InMemoryRevocation::default();
        source.load(&list, NOW);
        assert_eq!(status(&source, "revoked", NOW).await, RevocationStatus::Revoked);
        assert_eq!(status(&source, "other", NOW.plus(900 + 3600)).await, RevocationStatus::Good);
        assert_eq!(status(&source, "other", NOW.plus(900 + 3601)).await, RevocationStatus::Stale);
    }

    #[tokio::test]
    async fn no_revocation_calls_every_key_good() {
        assert_eq!(status(&NoRevocation, "any", NOW).await, RevocationStatus::Good);
    }
}
