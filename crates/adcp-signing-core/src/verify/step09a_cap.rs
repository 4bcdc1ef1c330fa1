//! Step 9a: the key has not filled its share of the replay cache.

use super::{Rejection, Step, step07_key::Keyed, step10_signature::SignatureVerified};
use crate::profile::Fault;

/// A message whose key may sign it (steps 8 to 9a). Cryptography starts here.
#[derive(Debug)]
pub struct Authorized<'r>(Keyed<'r>);

impl<'r> Authorized<'r> {
    pub(super) fn check(keyed: Keyed<'r>, reached: bool) -> Result<Self, Rejection> {
        if reached {
            return Err(keyed.refuse(
                Step::ReplayCap,
                Fault::RateAbuse,
                "the key has reached its cap of live nonces: a compromised key or a runaway signer",
            ));
        }
        Ok(Self(keyed))
    }

    /// Step 10: target URI and authority agree, and the signature verifies over the base.
    ///
    /// # Errors
    /// `*_target_uri_malformed`, `*_signature_invalid`.
    pub fn verify_signature(self) -> Result<SignatureVerified<'r>, Rejection> {
        SignatureVerified::check(self.0)
    }
}
