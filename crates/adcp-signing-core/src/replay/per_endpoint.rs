//! Replay dedup for one endpoint of several: the destination URL as a part of each nonce.

use super::{InsertOutcome, ReplayEntry, ReplayKey, ReplayStore, StoreError};
use crate::{
    answer::Answer,
    clock::UnixSeconds,
    target_uri::{RawHost, RootDot, Rules, TargetUri, TargetUriError},
};

/// A store that keeps the nonces of one endpoint apart from those of others that use it, for a
/// receiver of webhooks that cannot share nonces among its endpoints ("Cross-endpoint scoping",
/// option 2, in the security guide).
///
/// Sharing the plain store is the stronger choice: it refuses a nonce at every endpoint that was
/// used at one. The caps still count a key over all endpoints.
///
/// ```
/// use std::sync::Arc;
///
/// use adcp_signing_core::replay::{InMemoryReplayStore, PerEndpoint};
///
/// let shared = Arc::new(InMemoryReplayStore::new());
/// let tenant_7 = PerEndpoint::new(Arc::clone(&shared), "https://buyer.example.com/hooks/7")?;
/// let tenant_8 = PerEndpoint::new(shared, "https://buyer.example.com/hooks/8")?;
/// # let _ = (tenant_7, tenant_8);
/// # Ok::<(), adcp_signing_core::target_uri::TargetUriError>(())
/// ```
#[derive(Debug)]
pub struct PerEndpoint<S> {
    store: S,
    url: TargetUri,
}

impl<S> PerEndpoint<S> {
    /// The part of `store` for the endpoint that is registered under this URL. It comes from the
    /// configuration, so that no sender chooses it.
    ///
    /// # Errors
    /// [`TargetUriError`] where the URL has no canonical form.
    pub fn new(store: S, url: &str) -> Result<Self, TargetUriError> {
        let rules = Rules { root_dot: RootDot::Strip, raw_host: RawHost::Convert };
        Ok(Self { store, url: TargetUri::canonicalize(url, rules)? })
    }
}

impl<S: ReplayStore> ReplayStore for PerEndpoint<S> {
    fn insert<'a>(
        &'a self,
        entry: ReplayEntry<'a>,
        now: UnixSeconds,
    ) -> Answer<'a, InsertOutcome, StoreError> {
        Answer::later(async move {
            // No nonce has a space, so no other pair reads alike.
            let nonce = format!("{} {}", entry.nonce(), self.url.as_str());
            let entry = ReplayEntry::restore(entry.key(), &nonce, entry.expires_at(), entry.cap());
            self.store.insert(entry, now).await
        })
    }

    fn cap_reached<'a>(
        &'a self,
        key: ReplayKey<'a>,
        cap: u64,
        now: UnixSeconds,
    ) -> Answer<'a, bool, StoreError> {
        self.store.cap_reached(key, cap, now)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::replay::InMemoryReplayStore;

    const NOW: UnixSeconds = UnixSeconds::new(1_776_520_800);

    #[tokio::test]
    async fn a_nonce_counts_for_its_endpoint_and_the_cap_for_all() {
        let shared = Arc::new(InMemoryReplayStore::new());
        let at = |url: &str| PerEndpoint::new(Arc::clone(&shared), url).unwrap();
        let one = at("https://buyer.example.com/hooks/1");
        let same = at("https://BUYER.example.com:443/hooks/1");
        let other = at("https://buyer.example.com/hooks/2");
        let key = ReplayKey::new("key", &[0; 32]);
        let entry = ReplayEntry::restore(key, "nonce", NOW.plus(360), 2);
        assert_eq!(one.insert(entry, NOW).await.unwrap(), InsertOutcome::Inserted);
        assert_eq!(same.insert(entry, NOW).await.unwrap(), InsertOutcome::Replayed);
        assert!(!other.cap_reached(key, 2, NOW).await.unwrap());
        assert_eq!(other.insert(entry, NOW).await.unwrap(), InsertOutcome::Inserted);
        assert!(other.cap_reached(key, 2, NOW).await.unwrap());
        let another = ReplayEntry::restore(key, "another", NOW.plus(360), 2);
        assert_eq!(one.insert(another, NOW).await.unwrap(), InsertOutcome::KeyCapReached);
    }

    #[test]
    fn an_endpoint_has_a_url() {
        assert!(PerEndpoint::new(InMemoryReplayStore::new(), "/hooks").is_err());
    }
}
