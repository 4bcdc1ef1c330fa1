//! Steps 12 and 13: the nonce is new, and is remembered.

use super::{Rejection, Step, VerifiedSigner, step11_digest::Authentic};
use crate::{clock::UnixSeconds, profile::Fault, replay::InsertOutcome};

/// A message whose nonce is burned (step 13).
#[derive(Debug)]
pub struct Committed<'r>(pub(super) Authentic<'r>);

impl<'r> Committed<'r> {
    pub(super) fn check(
        authentic: Authentic<'r>,
        outcome: InsertOutcome,
    ) -> Result<Self, Rejection> {
        let (step, fault, detail) = match outcome {
            InsertOutcome::Inserted => return Ok(Self(authentic)),
            InsertOutcome::Replayed => (
                Step::Replay,
                Fault::Replayed,
                "this key has used the nonce before; each message, and each retry, needs a fresh \
                 one",
            ),
            InsertOutcome::KeyCapReached => (
                Step::Insert,
                Fault::RateAbuse,
                "the key reached its cap of live nonces while this message was checked",
            ),
            InsertOutcome::AggregateCapReached => (
                Step::Insert,
                Fault::RateAbuse,
                "the replay store holds as many live nonces as it may over all keys",
            ),
        };
        Err(authentic.0.keyed.refuse(step, fault, detail))
    }

    /// Step 14: no JSON object of the body has a key twice. The nonce stays burned either way.
    ///
    /// # Errors
    /// `request_body_malformed`, `webhook_body_malformed`.
    pub fn check_body(self, now: UnixSeconds) -> Result<VerifiedSigner, Rejection> {
        VerifiedSigner::check(self, now)
    }
}
