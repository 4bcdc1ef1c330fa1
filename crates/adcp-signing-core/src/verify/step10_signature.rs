//! Step 10, the only place where a signature is verified: target URI and authority agree, and the
//! signature verifies over the base.

use super::{Rejection, Step, step07_key::Keyed, step11_digest::Authentic};
use crate::profile::Fault;

/// A message whose signature verifies (step 10).
#[derive(Debug)]
pub struct SignatureVerified<'r> {
    pub(super) keyed: Keyed<'r>,
    pub(super) base: Vec<u8>,
}

impl<'r> SignatureVerified<'r> {
    pub(super) fn check(keyed: Keyed<'r>) -> Result<Self, Rejection> {
        let signature = &keyed.announced.claims.signature;
        let base = signature.base()?;
        let invalid =
            |detail: String| keyed.refuse(Step::Signature, Fault::SignatureInvalid, detail);
        let (public, _) = keyed.key.usable().map_err(|reason| invalid(reason.to_string()))?;
        let Some(bytes) = &signature.signature else {
            return Err(invalid("the signature does not have 64 bytes".to_owned()));
        };
        public.verify_bytes(&base, bytes).map_err(|error| {
            invalid(format!("{error}; compare the signature base on both sides"))
        })?;
        Ok(Self { keyed, base })
    }

    /// Step 11: the body is the one that was signed.
    ///
    /// # Errors
    /// `*_digest_mismatch`.
    pub fn check_digest(self) -> Result<Authentic<'r>, Rejection> {
        Authentic::check(self)
    }
}
