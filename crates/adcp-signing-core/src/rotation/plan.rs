//! The dated steps of one rotation.

use std::time::Duration;

use super::RotationTimes;
use crate::{clock::UnixSeconds, provider::layers::Rotation};

/// When one key follows another: published, switched to, and the old one removed.
///
/// A plan that was made cannot be too tight: every constructor keeps the [`RotationTimes`]. So a
/// verifier that obeys the standard's bounds accepts each signature before, during and after it.
///
/// ```
/// use adcp_signing_core::{
///     UnixSeconds,
///     rotation::{RotationPlan, RotationStage, RotationTimes},
/// };
///
/// let times = RotationTimes::of_http_signatures();
/// let plan = RotationPlan::publishing_at(UnixSeconds::new(1_776_520_800), times)?;
/// for step in plan.steps() {
///     println!("{} {}: {}", step.at, step.action, step.reason);
/// }
/// assert_eq!(plan.stage(plan.switch_at()), RotationStage::Overlap);
/// # Ok::<(), adcp_signing_core::rotation::RotationPlanError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RotationPlan {
    publish_at: UnixSeconds,
    switch_at: UnixSeconds,
    remove_at: UnixSeconds,
}

/// Why there is no plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RotationPlanError {
    /// The switch comes before every verifier has the key.
    #[error(
        "the switch at {switch_at} comes before {earliest}, when the last copy of the JWKS without \
         the next key has expired; switch then, or publish the key sooner"
    )]
    SwitchTooEarly {
        /// What was asked.
        switch_at: UnixSeconds,
        /// The first moment that is early enough.
        earliest: UnixSeconds,
    },
    /// The old key is removed while something that it signed is still valid.
    #[error(
        "the old key would be removed at {remove_at}, while what it signed is valid until \
         {earliest}; remove it then"
    )]
    RemovalTooEarly {
        /// What was asked.
        remove_at: UnixSeconds,
        /// The first moment that is late enough.
        earliest: UnixSeconds,
    },
    /// A time that has to be in seconds and is not.
    #[error("{time} looks like {unit}; give Unix seconds")]
    Unit {
        /// What was given.
        time: UnixSeconds,
        /// Its unit.
        unit: &'static str,
    },
}

/// How far a rotation is to be at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RotationStage {
    /// The old key signs and is published. The next one need not be.
    Prepared,
    /// The old key signs, and both are published.
    Announced,
    /// The next key signs, and both are published.
    Overlap,
    /// The next key signs, and is the only one published.
    Complete,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RotationAction {
    /// Publish the next key next to the current one.
    Publish,
    /// Sign with the next key.
    Switch,
    /// Take the old key out of the JWKS, and disable it.
    Remove,
}

/// One step of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RotationStep {
    /// When.
    pub at: UnixSeconds,
    /// What to do.
    pub action: RotationAction,
    /// Why not sooner.
    pub reason: &'static str,
}

impl RotationPlan {
    /// The next key is published at this time, and the other steps follow as soon as they may.
    ///
    /// # Errors
    /// [`RotationPlanError::Unit`].
    pub fn publishing_at(
        publish_at: UnixSeconds,
        times: RotationTimes,
    ) -> Result<Self, RotationPlanError> {
        let switch_at = publish_at.plus(times.wait());
        Self::new(publish_at, switch_at, switch_at.plus(times.overlap()), times)
    }

    /// All three times as they are to be, such as those of a plan that was stored.
    ///
    /// # Errors
    /// [`RotationPlanError`] where a verifier could refuse a good signature.
    pub fn new(
        publish_at: UnixSeconds,
        switch_at: UnixSeconds,
        remove_at: UnixSeconds,
        times: RotationTimes,
    ) -> Result<Self, RotationPlanError> {
        for time in [publish_at, switch_at, remove_at] {
            if let Some(unit) = time.finer_unit() {
                return Err(RotationPlanError::Unit { time, unit });
            }
        }
        let earliest = publish_at.plus(times.wait());
        if switch_at < earliest {
            return Err(RotationPlanError::SwitchTooEarly { switch_at, earliest });
        }
        let earliest = switch_at.plus(times.overlap());
        if remove_at < earliest {
            return Err(RotationPlanError::RemovalTooEarly { remove_at, earliest });
        }
        Ok(Self { publish_at, switch_at, remove_at })
    }

    /// The same plan with a later switch, at an hour of your choice. The overlap stays.
    ///
    /// # Errors
    /// [`RotationPlanError::SwitchTooEarly`] or [`RotationPlanError::Unit`].
    pub fn with_switch_at(
        self,
        switch_at: UnixSeconds,
        times: RotationTimes,
    ) -> Result<Self, RotationPlanError> {
        let overlap = self.remove_at.since(self.switch_at);
        Self::new(self.publish_at, switch_at, switch_at.plus(overlap), times)
    }

    /// When the JWKS has to have the next key.
    pub const fn publish_at(self) -> UnixSeconds {
        self.publish_at
    }

    /// When the next key signs.
    pub const fn switch_at(self) -> UnixSeconds {
        self.switch_at
    }

    /// When the old key may leave the JWKS.
    pub const fn remove_at(self) -> UnixSeconds {
        self.remove_at
    }

    /// The steps in their order, each with the reason for its time.
    pub const fn steps(self) -> [RotationStep; 3] {
        [
            RotationStep {
                at: self.publish_at,
                action: RotationAction::Publish,
                reason: "verifiers must know the next key before it signs",
            },
            RotationStep {
                at: self.switch_at,
                action: RotationAction::Switch,
                reason: "until then a verifier may hold a copy of the JWKS without the next key",
            },
            RotationStep {
                at: self.remove_at,
                action: RotationAction::Remove,
                reason: "until then something that the old key signed may still be verified",
            },
        ]
    }

    /// How far the rotation is to be at this time.
    pub fn stage(self, now: UnixSeconds) -> RotationStage {
        if now < self.publish_at {
            RotationStage::Prepared
        } else if now < self.switch_at {
            RotationStage::Announced
        } else if now < self.remove_at {
            RotationStage::Overlap
        } else {
            RotationStage::Complete
        }
    }

    /// The step that is next after this time.
    pub fn next_step(self, now: UnixSeconds) -> Option<RotationStep> {
        self.steps().into_iter().find(|step| step.at > now)
    }

    /// The times for a [`Rotating`](crate::provider::layers::Rotating). It publishes both keys from
    /// its start, which has to be no later than [`publish_at`](Self::publish_at).
    pub fn rotation(self) -> Rotation {
        let overlap = u64::try_from(self.remove_at.since(self.switch_at)).unwrap_or(u64::MAX);
        Rotation::at(self.switch_at).with_overlap(Duration::from_secs(overlap))
    }
}

impl RotationAction {
    /// Its name in answers for programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Switch => "switch",
            Self::Remove => "remove",
        }
    }
}

impl std::fmt::Display for RotationAction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl RotationStage {
    /// Its name in answers for programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Prepared => "prepared",
            Self::Announced => "announced",
            Self::Overlap => "overlap",
            Self::Complete => "complete",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::profile::MAX_SKEW;

    const NOW: UnixSeconds = UnixSeconds::new(1_776_520_800);

    #[test]
    fn a_plan_that_is_too_tight_is_refused() {
        let times = RotationTimes::of_http_signatures();
        let (wait, overlap) = (times.wait(), times.overlap());
        let new =
            |switch, remove| RotationPlan::new(NOW, NOW.plus(switch), NOW.plus(remove), times);
        assert!(new(wait, wait + overlap).is_ok());
        assert!(matches!(
            new(wait - 1, wait + overlap),
            Err(RotationPlanError::SwitchTooEarly { earliest, .. }) if earliest == NOW.plus(wait)
        ));
        assert!(matches!(
            new(wait, wait + overlap - 1),
            Err(RotationPlanError::RemovalTooEarly { .. })
        ));
        let millis = UnixSeconds::new(NOW.as_i64() * 1000);
        assert!(matches!(
            RotationPlan::publishing_at(millis, times),
            Err(RotationPlanError::Unit { unit: "milliseconds", .. })
        ));
        let plan = RotationPlan::publishing_at(NOW, times).unwrap();
        assert!(plan.with_switch_at(NOW, times).is_err());
        let later = plan.with_switch_at(NOW.plus(86_400), times).unwrap();
        assert_eq!(later.remove_at(), NOW.plus(86_400 + overlap));
    }

    #[test]
    fn stages_begin_at_their_steps() {
        let plan = RotationPlan::publishing_at(NOW, RotationTimes::of_http_signatures()).unwrap();
        let stages = [RotationStage::Announced, RotationStage::Overlap, RotationStage::Complete];
        let mut before = RotationStage::Prepared;
        for (step, stage) in plan.steps().into_iter().zip(stages) {
            assert_eq!(plan.stage(step.at.minus(1)), before);
            assert_eq!(plan.stage(step.at), stage);
            assert_eq!(plan.next_step(step.at.minus(1)), Some(step));
            before = stage;
        }
        assert_eq!(plan.next_step(plan.remove_at()), None);
    }

    proptest! {
        /// A verifier that obeys the bounds refuses no good signature: at the moment of the
        /// verification, the copy of the JWKS that it holds has the key that signed.
        #[test]
        fn no_verifier_that_obeys_the_bounds_refuses(
            (max_age, cdn, lifetime) in (0..7200_i64, 0..7200_i64, 1..100_000_i64),
            // Where in its range each time of the verifier and the signer lies.
            (held, kept, used, skews) in (0.0..=1.0_f64, 0.0..=1.0_f64, 0.0..=1.0_f64,
                (-MAX_SKEW..=MAX_SKEW, -MAX_SKEW..=MAX_SKEW)),
            late in 0..60_i64,
            around in -200_000..200_000_i64,
        ) {
            let times = RotationTimes::of_tokens(lifetime).unwrap();
            let times = times.with_jwks_max_age(max_age).unwrap().with_shared_cache(cdn).unwrap();
            let plan = RotationPlan::publishing_at(NOW, times).unwrap();
            #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss,
                reason = "seconds of a test")]
            let part = |of: i64, share: f64| (of as f64 * share) as i64;

            // Signed at some time, by a signer whose clock is off and whose last call took a while.
            let signed = plan.switch_at().plus(around);
            let by_its_clock = signed.plus(skews.0).minus(late);
            let is_next = by_its_clock >= plan.switch_at();
            // Verified while it is valid, from a copy that was made before.
            let verified = signed.plus(part(lifetime + MAX_SKEW, used));
            let copy = verified
                .minus(part(max_age.max(1800), held))
                .minus(part(cdn, kept));
            let has_next = copy >= plan.publish_at();
            let has_old = copy < plan.remove_at();
            // A verifier that misses the key may have to wait for its negative cache.
            let is_known = if is_next { has_next } else { has_old };
            prop_assert!(is_known, "{plan:?} signed {signed} verified {verified} copy {copy}");
        }
    }
}
