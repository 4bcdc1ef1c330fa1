//! Step 5: `created` and `expires` make a valid window, which is open now.

use super::{
    Rejection, Step, step02_params::Claims, step04_algorithm::Announced, step06_components::Covered,
};
use crate::{
    clock::UnixSeconds,
    profile::{Fault, MAX_SKEW, MAX_VALIDITY},
};

/// A message within its window (step 5).
#[derive(Debug)]
pub struct InWindow<'r>(Announced<'r>);

impl<'r> InWindow<'r> {
    pub(super) fn check(announced: Announced<'r>, now: UnixSeconds) -> Result<Self, Rejection> {
        announced.claims.check_window(now)?;
        Ok(Self(announced))
    }

    /// Step 6: everything that must be covered is, and nothing that must not be.
    ///
    /// # Errors
    /// `*_components_incomplete`, or `request_signature_components_unexpected` at a legacy endpoint
    /// that forbids digests.
    pub fn check_components(self) -> Result<Covered<'r>, Rejection> {
        Covered::check(self.0)
    }
}

impl Claims<'_> {
    pub(super) fn check_window(&self, now: UnixSeconds) -> Result<(), Rejection> {
        let (created, expires, now) = (self.created, self.expires, now.as_i64());
        let validity = expires.saturating_sub(created);
        let refused = if expires <= created {
            Some(format!("expires {expires} is not after created {created}"))
        } else if validity > MAX_VALIDITY {
            Some(format!("the window of {validity} s is longer than {MAX_VALIDITY} s"))
        } else if created > now.saturating_add(MAX_SKEW) {
            Some(format!(
                "created {created} lies more than {MAX_SKEW} s after now, {now}: check both clocks"
            ))
        } else if expires < now.saturating_sub(MAX_SKEW) {
            Some(format!("expires {expires} lies more than {MAX_SKEW} s before now, {now}"))
        } else {
            None
        };
        match refused.map(|detail| detail + &unit_hint(created, expires, now)) {
            Some(detail) => Err(self.refuse(Step::Window, Fault::WindowInvalid, detail)),
            None => Ok(()),
        }
    }
}

/// Names a unit that is not seconds, where one of the times looks like it.
#[cold]
fn unit_hint(created: i64, expires: i64, now: i64) -> String {
    [("created", created), ("expires", expires), ("the verifier's clock", now)]
        .into_iter()
        .find_map(|(name, time)| {
            let unit = UnixSeconds::new(time).finer_unit()?;
            Some(format!("; {name} looks like {unit}, and Unix seconds are wanted"))
        })
        .unwrap_or_default()
}
