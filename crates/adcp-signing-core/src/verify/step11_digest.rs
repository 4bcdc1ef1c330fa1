//! Step 11: the body has the length that is announced, and the covered digest.

use super::{Rejection, Step, step10_signature::SignatureVerified, step12_replay::Committed};
use crate::{
    clock::UnixSeconds,
    profile::{Fault, MAX_SKEW},
    replay::{InsertOutcome, ReplayEntry},
    rfc9421::digest::{CONTENT_DIGEST, DigestMismatch},
};

/// A message whose signature and digest verify (steps 10 and 11). Only such a message has a replay
/// entry.
#[derive(Debug)]
pub struct Authentic<'r>(pub(super) SignatureVerified<'r>);

impl<'r> Authentic<'r> {
    pub(super) fn check(verified: SignatureVerified<'r>) -> Result<Self, Rejection> {
        let signature = &verified.keyed.announced.claims.signature;
        let received = signature.received;
        let refuse =
            |detail: String| verified.keyed.refuse(Step::Digest, Fault::DigestMismatch, detail);
        received.check_length().map_err(|mismatch| refuse(mismatch.to_string()))?;
        let outcome = match &signature.digest {
            Some(digest) => digest.check(received.body.bytes),
            None if signature.covers(CONTENT_DIGEST) => Err(DigestMismatch::NoSha256),
            None => Ok(()),
        };
        match outcome {
            Ok(()) => Ok(Self(verified)),
            Err(DigestMismatch::Differs) => Err(refuse(format!(
                "{}; was the body re-serialized or decompressed on the way?",
                DigestMismatch::Differs
            ))),
            Err(mismatch) => Err(refuse(mismatch.to_string())),
        }
    }

    /// What the replay store has to remember, until 60 s past `expires`.
    ///
    /// # Errors
    /// As [`Unrevoked::replay_key`](super::Unrevoked::replay_key).
    pub fn replay_entry(&self, cap: u64) -> Result<ReplayEntry<'_>, Rejection> {
        let claims = &self.0.keyed.announced.claims;
        let forgotten = UnixSeconds::new(claims.expires).plus(MAX_SKEW);
        let key = self.0.keyed.replay_key()?;
        Ok(ReplayEntry::new(key, &claims.nonce, forgotten, cap))
    }

    /// Steps 12 and 13, with the store's answer to [`replay_entry`](Self::replay_entry).
    ///
    /// # Errors
    /// `*_replayed`, `*_rate_abuse`.
    pub fn commit(self, outcome: InsertOutcome) -> Result<Committed<'r>, Rejection> {
        Committed::check(self, outcome)
    }
}
