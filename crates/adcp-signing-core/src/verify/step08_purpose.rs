//! Step 8: the key is published for this profile, and fits the announced algorithm.

use super::{
    Rejection, Step, step02_params::Claims, step07_key::Keyed, step09_revocation::Unrevoked,
};
use crate::{
    json::sanitize_key_name,
    profile::{Fault, PurposeVerdict},
    replay::ReplayKey,
    resolver::VerificationKey,
    revocation::RevocationStatus,
};

/// A message whose key is published for it (step 8).
#[derive(Debug)]
pub struct Purposed<'r>(Keyed<'r>);

impl<'r> Purposed<'r> {
    pub(super) fn check(keyed: Keyed<'r>) -> Result<Self, Rejection> {
        let refuse = |detail: String| keyed.refuse(Step::Purpose, Fault::KeyPurposeInvalid, detail);
        let (public, purpose) = keyed.key.usable().map_err(|reason| refuse(reason.to_string()))?;
        let profile = keyed.announced.claims.signature.received.head.profile;
        if let PurposeVerdict::Refused { cure } = profile.judge_purpose(purpose) {
            let shown = sanitize_key_name(purpose.as_str());
            return Err(refuse(format!(
                "the key is published for {shown:?}, which {profile} does not accept; {cure}"
            )));
        }
        let algorithm = keyed.announced.algorithm;
        if public.algorithm() != algorithm {
            return Err(refuse(format!(
                "the signature declares {algorithm} but the key is for {}",
                public.algorithm()
            )));
        }
        Ok(Self(keyed))
    }

    /// The key whose revocation is asked for.
    pub fn key(&self) -> &VerificationKey {
        &self.0.key
    }

    pub(super) fn claims(&self) -> &Claims<'r> {
        &self.0.announced.claims
    }

    /// Step 9: the key is not revoked, and the list that says so is fresh.
    ///
    /// # Errors
    /// `*_key_revoked`, `*_revocation_stale`.
    pub fn check_revocation(self, status: RevocationStatus) -> Result<Unrevoked<'r>, Rejection> {
        Unrevoked::check(self.0, status)
    }
}

impl Keyed<'_> {
    /// The key as the replay store knows it.
    pub(super) fn replay_key(&self) -> Result<ReplayKey<'_>, Rejection> {
        let thumbprint = self.key.thumbprint().ok_or_else(|| {
            self.refuse(Step::Purpose, Fault::KeyPurposeInvalid, "the key is unusable")
        })?;
        Ok(ReplayKey::new(self.key.kid(), thumbprint))
    }
}
