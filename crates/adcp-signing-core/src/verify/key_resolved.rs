//! `KeyResolved`: steps 8, 9 and 9a of the checklist, everything that is refused before any
//! cryptography.

use super::{Step, authorized::Authorized, parsed::Parsed, rejection::Rejection};
use crate::{profile::Fault, resolver::VerificationKey, revocation::RevocationStatus};

/// A message whose key was found (step 7).
#[derive(Debug, Clone)]
pub struct KeyResolved<'a, K> {
    pub(super) parsed: Box<Parsed<'a>>,
    pub(super) key: K,
}

impl<'a, K: AsRef<VerificationKey>> KeyResolved<'a, K> {
    /// Step 8: the key is published for this profile and fits the declared algorithm.
    ///
    /// # Errors
    /// `*_key_purpose_invalid`.
    pub fn check_purpose(self) -> Result<Purposed<'a, K>, Rejection> {
        let received = self.parsed.received;
        let refuse =
            |detail: String| received.refuse(Step::Purpose, Fault::KeyPurposeInvalid, detail);
        let (public, purpose) =
            self.key.as_ref().usable().map_err(|reason| refuse(reason.to_string()))?;
        if !received.profile.accepts_purpose(purpose) {
            let shown: String =
                purpose.as_str().chars().filter(|c| !c.is_control()).take(32).collect();
            return Err(refuse(format!(
                "the key is published for {shown:?}, which {} does not accept",
                received.profile
            )));
        }
        if public.algorithm() != self.parsed.algorithm {
            return Err(refuse(format!(
                "the signature declares {} but the key is for {}",
                self.parsed.algorithm,
                public.algorithm()
            )));
        }
        Ok(Purposed(self))
    }
}

/// A message whose key is published for it (step 8).
#[derive(Debug, Clone)]
pub struct Purposed<'a, K>(KeyResolved<'a, K>);

impl<'a, K: AsRef<VerificationKey>> Purposed<'a, K> {
    /// The `keyid` whose revocation and cap are asked for.
    pub fn keyid(&self) -> &str {
        &self.0.parsed.params.keyid
    }

    /// Step 9: the key is not revoked, and the list that says so is fresh.
    ///
    /// # Errors
    /// `*_key_revoked`, `*_revocation_stale`.
    pub fn check_revocation(self, status: RevocationStatus) -> Result<Unrevoked<'a, K>, Rejection> {
        let received = self.0.parsed.received;
        match status {
            RevocationStatus::Good => Ok(Unrevoked(self.0)),
            RevocationStatus::Revoked => {
                Err(received.refuse(Step::Revocation, Fault::KeyRevoked, "the key is on the revocation list"))
            }
            RevocationStatus::Stale => Err(received.refuse(
                Step::Revocation,
                Fault::RevocationStale,
                "the revocation list was not refreshed within its grace; nothing new is accepted until it is",
            )),
        }
    }
}

/// A message whose key is not revoked (step 9).
#[derive(Debug, Clone)]
pub struct Unrevoked<'a, K>(KeyResolved<'a, K>);

impl<'a, K: AsRef<VerificationKey>> Unrevoked<'a, K> {
    /// The `keyid` whose cap is asked for.
    pub fn keyid(&self) -> &str {
        &self.0.parsed.params.keyid
    }

    /// Step 9a: the key has not filled its share of the replay cache. Only read here; the insert
    /// decides again.
    ///
    /// # Errors
    /// `*_rate_abuse`.
    pub fn check_cap(self, reached: bool) -> Result<Authorized<'a, K>, Rejection> {
        if reached {
            return Err(self.0.parsed.received.refuse(
                Step::ReplayCap,
                Fault::RateAbuse,
                "the key has reached its cap of live nonces: a compromised key or a runaway signer",
            ));
        }
        Ok(Authorized { parsed: self.0.parsed, key: self.0.key })
    }
}
