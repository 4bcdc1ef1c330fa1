//! From a `keyid` to the key that verifies: the query, the trait, and a fixed set of keys.

mod error;
mod key;
mod static_keys;

use std::{fmt, sync::Arc};

pub use self::{
    error::{DiscoveryFailure, ResolveError},
    key::{Unusable, VerificationKey},
    static_keys::{StaticKeys, StaticKeysError},
};
use crate::{
    answer::Answer,
    profile::Profile,
    target_uri::{RawHost, RootDot, Rules, TargetUri, TargetUriError},
};

/// What a verifier asks a [`KeyResolver`] (AdCP verifier checklist, step 7).
///
/// A `keyid` names a key of one agent. Two agents may use the same `keyid`, so a verifier that
/// knows its counterparty, from a route or from another credential, names it.
///
/// ```
/// use adcp_signing_core::{
///     profile::{Profile, WireVersion},
///     resolver::KeyQuery,
/// };
///
/// let profile = Profile::request(WireVersion::V3_2);
/// let query = KeyQuery::new("buyer-2026", &profile)
///     .with_counterparty("https://buyer.example.com/adcp");
/// assert_eq!(query.keyid(), "buyer-2026");
/// assert_eq!(query.counterparty(), Some("https://buyer.example.com/adcp"));
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct KeyQuery<'a> {
    keyid: &'a str,
    profile: &'a Profile,
    counterparty: Option<&'a str>,
}

impl<'a> KeyQuery<'a> {
    /// Asks for the key that signed a message of this profile, without naming an agent.
    pub fn new(keyid: &'a str, profile: &'a Profile) -> Self {
        Self { keyid, profile, counterparty: None }
    }

    /// Asks for a key of this agent only.
    #[must_use]
    pub fn with_counterparty(mut self, agent_url: &'a str) -> Self {
        self.counterparty = Some(agent_url);
        self
    }

    /// The `keyid` of the signature, as received.
    pub fn keyid(&self) -> &'a str {
        self.keyid
    }

    /// The profile under which the key has to verify, and thereby the purposes it may have.
    pub fn profile(&self) -> &'a Profile {
        self.profile
    }

    /// The URL of the agent whose key it must be, as the caller wrote it. Compare it in its
    /// canonical form.
    pub fn counterparty(&self) -> Option<&'a str> {
        self.counterparty
    }
}

/// Finds the published key of a `keyid` (AdCP verifier checklist, step 7).
///
/// - An answer to a query with a counterparty is a key of that agent, or none.
/// - Where a query names no counterparty and several agents have a key of this name, the answer is
///   [`DiscoveryFailure::BrandJsonAmbiguous`] and never one of the keys.
/// - An implementation over the network refetches at once on a miss, and at most once in
///   30 seconds.
pub trait KeyResolver: Send + Sync + fmt::Debug {
    /// The key that the query's `keyid` stands for, or `None` where no published key has that name.
    ///
    /// # Errors
    /// [`ResolveError`] when the question could not be answered.
    fn resolve<'a>(
        &'a self,
        query: KeyQuery<'a>,
    ) -> Answer<'a, Option<Arc<VerificationKey>>, ResolveError>;
}

impl<T: KeyResolver + ?Sized> KeyResolver for Arc<T> {
    fn resolve<'a>(
        &'a self,
        query: KeyQuery<'a>,
    ) -> Answer<'a, Option<Arc<VerificationKey>>, ResolveError> {
        T::resolve(self, query)
    }
}

/// The form in which the URLs of agents and of issuers are compared. A trailing slash on a path
/// that is not empty counts.
///
/// This serves the crates of this workspace and may change in any release.
///
/// # Errors
/// [`TargetUriError`] where the URL has no canonical form.
#[doc(hidden)]
pub fn canonical_url(url: &str) -> Result<TargetUri, TargetUriError> {
    TargetUri::canonicalize(url, Rules { root_dot: RootDot::Strip, raw_host: RawHost::Convert })
}
