//! What a verifier asks for: keys and revocations.

use std::{collections::HashMap, fmt};

use adcp_signing_core::{
    Answer, ResolveError, UnixSeconds, VerificationKey,
    keys::JwkSet,
    resolver::StaticKeys,
    revocation::{
        InMemoryRevocation, RevocationError, RevocationList, RevocationLoadError, RevocationPolicy,
        RevocationStatus,
    },
};

use crate::guard::PublicUrl;

/// The keys of governance agents, by the JWKS that the buyer's record names.
///
/// A source that fetches has to look again, at once, for a `kid` that it does not hold, and to keep a
/// set no longer than revocation lists are relied on.
pub trait GovernanceKeys: Send + Sync + fmt::Debug {
    /// The key with this `kid` in this JWKS, if it has one.
    ///
    /// # Errors
    /// [`ResolveError`] where the JWKS could not be had.
    fn key<'a>(
        &'a self,
        jwks: &'a PublicUrl,
        kid: &'a str,
    ) -> Answer<'a, Option<VerificationKey>, ResolveError>;
}

/// Whether a token or its key was revoked.
pub trait GovernanceRevocation: Send + Sync + fmt::Debug {
    /// What the list of this origin says at `now`: revoked first, then stale.
    ///
    /// # Errors
    /// [`RevocationError`] where the source cannot answer; the verifier then refuses.
    fn check<'a>(
        &'a self,
        origin: &'a str,
        kid: &'a str,
        jti: &'a str,
        now: UnixSeconds,
    ) -> Answer<'a, RevocationStatus, RevocationError>;
}

/// Keys that the caller has, by the URL of their JWKS.
#[derive(Debug, Default)]
pub struct PinnedGovernanceKeys(HashMap<String, StaticKeys>);

impl PinnedGovernanceKeys {
    /// Adds the keys that this JWKS holds.
    #[must_use]
    pub fn with_jwks(mut self, jwks: &PublicUrl, keys: &JwkSet) -> Self {
        self.0.insert(jwks.as_str().to_owned(), StaticKeys::from_jwks(keys));
        self
    }
}

impl GovernanceKeys for PinnedGovernanceKeys {
    fn key<'a>(
        &'a self,
        jwks: &'a PublicUrl,
        kid: &'a str,
    ) -> Answer<'a, Option<VerificationKey>, ResolveError> {
        let keys = self.0.get(jwks.as_str());
        // Several keys of one name cannot be told apart.
        let mut named = keys.into_iter().flat_map(|keys| keys.named(kid));
        Answer::now(Ok(match (named.next(), named.next()) {
            (Some(key), None) => Some(key.clone()),
            _ => None,
        }))
    }
}

/// Revocation lists that the caller has fetched and verified, by issuer. An issuer without a list is
/// refused.
///
/// What a list ever revoked stays revoked, also where a newer list drops it.
#[derive(Debug)]
pub struct HeldRevocationLists(InMemoryRevocation);

impl HeldRevocationLists {
    /// No lists. Each will be relied on as this policy says.
    pub fn new(policy: RevocationPolicy) -> Self {
        Self(InMemoryRevocation::of_lists(policy))
    }

    /// Holds this list in place of the issuer's older one.
    ///
    /// # Errors
    /// [`RevocationLoadError`]; nothing changes then, so the list that is held goes on ageing.
    pub fn load(
        &self,
        list: RevocationList,
        fetched_at: UnixSeconds,
    ) -> Result<(), RevocationLoadError> {
        self.0.load(list, fetched_at)
    }
}

impl GovernanceRevocation for HeldRevocationLists {
    fn check<'a>(
        &'a self,
        origin: &'a str,
        kid: &'a str,
        jti: &'a str,
        now: UnixSeconds,
    ) -> Answer<'a, RevocationStatus, RevocationError> {
        Answer::now(self.0.check_token(origin, kid, jti, now))
    }
}
