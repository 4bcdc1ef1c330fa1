//! Step 9: the key is not revoked, and the list that says so is fresh.

use super::{Rejection, Step, step07_key::Keyed, step09a_cap::Authorized};
use crate::{
    profile::Fault, replay::ReplayKey, resolver::VerificationKey, revocation::RevocationStatus,
};

/// A message whose key is not revoked (step 9).
#[derive(Debug)]
pub struct Unrevoked<'r>(Keyed<'r>);

impl<'r> Unrevoked<'r> {
    pub(super) fn check(keyed: Keyed<'r>, status: RevocationStatus) -> Result<Self, Rejection> {
        match status {
            RevocationStatus::Good => Ok(Self(keyed)),
            RevocationStatus::Revoked => Err(keyed.refuse(
                Step::Revocation,
                Fault::KeyRevoked,
                "the key is on its issuer's revocation list",
            )),
            RevocationStatus::Stale => Err(keyed.refuse(
                Step::Revocation,
                Fault::RevocationStale,
                "the revocation list was not refreshed within its grace; nothing new is accepted \
                 until it is",
            )),
        }
    }

    /// The key whose cap is asked for.
    pub fn key(&self) -> &VerificationKey {
        &self.0.key
    }

    /// The key as the replay store knows it.
    ///
    /// # Errors
    /// `*_key_purpose_invalid`; step 8 has refused such a key before.
    pub fn replay_key(&self) -> Result<ReplayKey<'_>, Rejection> {
        self.0.replay_key()
    }

    /// Step 9a: the key has not filled its share of the replay cache. Only an early look; the
    /// insert decides again.
    ///
    /// # Errors
    /// `*_rate_abuse`.
    pub fn check_cap(self, reached: bool) -> Result<Authorized<'r>, Rejection> {
        Authorized::check(self.0, reached)
    }
}
