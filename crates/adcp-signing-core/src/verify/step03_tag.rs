//! Step 3: the tag is the profile's, byte for byte.

use super::{Rejection, Step, step02_params::Claims, step04_algorithm::Announced};
use crate::profile::Fault;

/// A message with the profile's tag (step 3).
#[derive(Debug)]
pub struct Tagged<'r>(Box<Claims<'r>>);

impl<'r> Tagged<'r> {
    pub(super) fn check(claims: Box<Claims<'r>>) -> Result<Self, Rejection> {
        let tag = claims.signature.received.head.profile.tag();
        if claims.tag != tag {
            return Err(claims.refuse(Step::Tag, Fault::TagInvalid, format!("tag is not {tag}")));
        }
        Ok(Self(claims))
    }

    /// Step 4: the algorithm is on the profile's list.
    ///
    /// # Errors
    /// `*_alg_not_allowed`.
    pub fn check_algorithm(self) -> Result<Announced<'r>, Rejection> {
        Announced::check(self.0)
    }
}
