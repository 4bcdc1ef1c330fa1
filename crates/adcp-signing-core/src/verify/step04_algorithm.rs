//! Step 4: the algorithm is on the profile's list.

use super::{Rejection, Step, step02_params::Claims, step05_window::InWindow};
use crate::{clock::UnixSeconds, keys::Algorithm, profile::Fault};

/// A message that announces an allowed algorithm (step 4).
#[derive(Debug)]
pub struct Announced<'r> {
    pub(super) claims: Box<Claims<'r>>,
    pub(super) algorithm: Algorithm,
}

impl<'r> Announced<'r> {
    pub(super) fn check(claims: Box<Claims<'r>>) -> Result<Self, Rejection> {
        let profile = claims.signature.received.head.profile;
        let algorithm = Algorithm::from_rfc9421_name(&claims.alg);
        match algorithm.filter(|algorithm| profile.admits(*algorithm)) {
            Some(algorithm) => Ok(Self { claims, algorithm }),
            None => Err(claims.refuse(
                Step::Algorithm,
                Fault::AlgNotAllowed,
                "alg is neither ed25519 nor ecdsa-p256-sha256",
            )),
        }
    }

    /// Step 5: the window is valid, and open now.
    ///
    /// # Errors
    /// `*_window_invalid`.
    pub fn check_window(self, now: UnixSeconds) -> Result<InWindow<'r>, Rejection> {
        InWindow::check(self, now)
    }
}
