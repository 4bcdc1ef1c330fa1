//! `Authentic`, `Committed`, `Verified`: steps 12 to 14 of the checklist.

use super::{Step, parsed::Parsed, rejection::Rejection};
use crate::{
    clock::UnixSeconds,
    keys::Algorithm,
    profile::{Fault, MAX_SKEW, check_body},
    replay::{InsertOutcome, ReplayEntry},
    resolver::VerificationKey,
};

/// A message whose signature and digest verify (steps 10 and 11). Only such a message has a replay
/// entry.
#[derive(Debug, Clone)]
pub struct Authentic<'a, K> {
    pub(super) parsed: Box<Parsed<'a>>,
    pub(super) key: K,
    pub(super) base: Vec<u8>,
}

impl<'a, K: AsRef<VerificationKey>> Authentic<'a, K> {
    /// What the replay store has to remember, until 60 s past `expires`.
    pub fn replay_entry(&self, cap: u64) -> ReplayEntry<'_> {
        let params = &self.parsed.params;
        let forgotten = UnixSeconds::new(params.expires.saturating_add(MAX_SKEW));
        ReplayEntry::new(&params.keyid, &params.nonce, forgotten, cap)
    }

    /// Steps 12 and 13, with the store's answer to [`replay_entry`](Self::replay_entry).
    ///
    /// # Errors
    /// `*_replayed`, `*_rate_abuse`.
    pub fn commit(self, outcome: InsertOutcome) -> Result<Committed<'a, K>, Rejection> {
        let received = self.parsed.received;
        match outcome {
            InsertOutcome::Inserted => Ok(Committed(self)),
            InsertOutcome::Replayed => Err(received.refuse(
                Step::Replay,
                Fault::Replayed,
                "this key has used the nonce before; each message, and each retry, needs a fresh one",
            )),
            InsertOutcome::KeyCapReached => Err(received.refuse(
                Step::Insert,
                Fault::RateAbuse,
                "the key reached its cap of live nonces while this message was checked",
            )),
            InsertOutcome::AggregateCapReached => Err(received.refuse(
                Step::Insert,
                Fault::RateAbuse,
                "the replay store holds as many live nonces as it may over all keys",
            )),
        }
    }
}

/// A message whose nonce is burned (step 13).
#[derive(Debug, Clone)]
pub struct Committed<'a, K>(Authentic<'a, K>);

impl<'a, K: AsRef<VerificationKey>> Committed<'a, K> {
    /// Step 14: no JSON object of the body has a key twice. The nonce stays burned either way.
    ///
    /// A body declared as JSON must also be JSON, as nobody can tell what a lenient parser makes of
    /// another.
    ///
    /// # Errors
    /// `request_body_malformed`, `webhook_body_malformed`.
    pub fn check_body(self, now: UnixSeconds) -> Result<Verified, Rejection> {
        let Authentic { parsed, key, base } = self.0;
        let received = parsed.received;
        check_body(received.request).map_err(|error| {
            received.refuse(Step::Body, Fault::BodyMalformed, error.to_string())
        })?;
        Ok(Verified {
            keyid: String::from(&*parsed.params.keyid),
            agent_url: key.as_ref().agent_url().map(str::to_owned),
            algorithm: parsed.algorithm,
            created: UnixSeconds::new(parsed.params.created),
            expires: UnixSeconds::new(parsed.params.expires),
            verified_at: now,
            signature_base: base,
        })
    }
}

/// The identity that a verified message establishes, and nothing about what that identity may do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verified {
    /// The key that signed.
    pub keyid: String,
    /// The agent that published the key, where the resolver knows it.
    pub agent_url: Option<String>,
    /// The algorithm.
    pub algorithm: Algorithm,
    /// When the signer says it signed.
    pub created: UnixSeconds,
    /// When the signature expires.
    pub expires: UnixSeconds,
    /// When it was verified.
    pub verified_at: UnixSeconds,
    /// The signature base that was verified (RFC 9421 §2.5).
    pub signature_base: Vec<u8>,
}
