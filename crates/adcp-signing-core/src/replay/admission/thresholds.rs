//! The thresholds of admission pressure: clauses (a) to (d) and what each allows.

use rand::{
    Rng, SeedableRng as _,
    rngs::{StdRng, SysRng},
};

use crate::replay::StoreError;

/// Which threshold was crossed ("New-keyid admission pressure" in the security guide).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AdmissionClause {
    /// (a): a spike over the mean of 24 hours.
    ShortRatio,
    /// (b): a ramp of weeks, over the 95th percentile of 30 days.
    MediumRatio,
    /// (c): a ramp of months, over the 99th percentile of 90 days.
    LongRatio,
    /// (d): an absolute floor or a fraction of the keyids of 30 days, whichever is more.
    Ceiling,
}

/// The thresholds; the defaults are starting values that each operator is to replace with values of
/// its own.
///
/// A value that is negative or no number counts as zero, which alarms the most.
#[derive(Debug, Clone, PartialEq)]
pub struct AdmissionThresholds([Threshold; 6]);

#[derive(Debug, Clone, Copy, PartialEq)]
struct Threshold {
    shipped: f64,
    value: f64,
    tuned: bool,
}

impl AdmissionClause {
    /// The clause's letter in the standard.
    pub const fn letter(self) -> char {
        match self {
            Self::ShortRatio => 'a',
            Self::MediumRatio => 'b',
            Self::LongRatio => 'c',
            Self::Ceiling => 'd',
        }
    }
}

impl Default for AdmissionThresholds {
    /// 3 times the mean, 2 times the P95, 1.5 times the P99, 20 keyids or 10 %, and no ratio alarm
    /// below 5 keyids.
    fn default() -> Self {
        let shipped = |value| Threshold { shipped: value, value, tuned: false };
        Self([3.0, 2.0, 1.5, 20.0, 0.1, 5.0].map(shipped))
    }
}

impl AdmissionThresholds {
    /// (a): how many times the mean of 24 hours.
    #[must_use]
    pub fn with_short_ratio(self, ratio: f64) -> Self {
        self.with(0, ratio)
    }

    /// (b): how many times the 95th percentile of 30 days.
    #[must_use]
    pub fn with_medium_ratio(self, ratio: f64) -> Self {
        self.with(1, ratio)
    }

    /// (c): how many times the 99th percentile of 90 days.
    #[must_use]
    pub fn with_long_ratio(self, ratio: f64) -> Self {
        self.with(2, ratio)
    }

    /// (d): the absolute floor, in new keyids per five minutes.
    #[must_use]
    pub fn with_ceiling_floor(self, keyids: f64) -> Self {
        self.with(3, keyids)
    }

    /// (d): the fraction of the keyids of 30 days, 0.1 for 10 %.
    #[must_use]
    pub fn with_ceiling_fraction(self, fraction: f64) -> Self {
        self.with(4, fraction)
    }

    /// The ratio clauses are silent up to and with this many new keyids, since near a baseline of
    /// zero each one would alarm. Clause (d) is for such traffic.
    #[must_use]
    pub fn with_ratio_floor(self, keyids: f64) -> Self {
        self.with(5, keyids)
    }

    /// Multiplies every value by its own log-uniform factor between 0.5 and 2, so that the
    /// published values tell an attacker little. Jittered values do not count as tuned.
    ///
    /// # Errors
    /// [`StoreError::NoRandomness`] where the operating system gives none.
    pub fn jittered(self) -> Result<Self, StoreError> {
        Ok(self.jitter(StdRng::try_from_rng(&mut SysRng).map_err(|_| StoreError::NoRandomness)?))
    }

    /// As [`jittered`](Self::jittered), by a seed, which gives the same factors each time. Keep it
    /// as secret as the result.
    #[must_use]
    pub fn jittered_by(self, seed: u64) -> Self {
        self.jitter(StdRng::seed_from_u64(seed))
    }

    fn jitter(mut self, mut rng: impl Rng) -> Self {
        for threshold in &mut self.0 {
            let unit = (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
            threshold.value *= (2.0 * unit - 1.0).exp2();
        }
        self
    }

    fn with(mut self, at: usize, value: f64) -> Self {
        if let Some(threshold) = self.0.get_mut(at) {
            threshold.value = if value >= 0.0 { value } else { 0.0 };
            threshold.tuned = threshold.value != threshold.shipped;
        }
        self
    }

    pub(super) fn all_tuned(&self) -> bool {
        self.0.iter().all(|threshold| threshold.tuned)
    }

    /// The clauses that `count` new keyids cross, with what they allow.
    pub(super) fn crossed(
        &self,
        count: u64,
        baselines: [Option<f64>; 3],
        keyids: usize,
    ) -> impl Iterator<Item = (AdmissionClause, f64)> {
        use AdmissionClause::{Ceiling, LongRatio, MediumRatio, ShortRatio};
        let [short, medium, long, floor, fraction, ratio_floor] =
            self.0.map(|threshold| threshold.value);
        let ratio = |clause, baseline: Option<f64>, ratio: f64| {
            baseline.map(|baseline| (clause, (ratio * baseline).max(ratio_floor)))
        };
        let [day, month, quarter] = baselines;
        let allowed = [
            ratio(ShortRatio, day, short),
            ratio(MediumRatio, month, medium),
            ratio(LongRatio, quarter, long),
            Some((Ceiling, floor.max(fraction * keyids as f64))),
        ];
        allowed.into_iter().flatten().filter(move |(_, allowed)| count as f64 > *allowed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_is_between_half_and_double_and_follows_the_seed() {
        let shipped = AdmissionThresholds::default();
        for seed in 0..200 {
            let jittered = shipped.clone().jittered_by(seed);
            assert_eq!(jittered, shipped.clone().jittered_by(seed));
            assert!(
                jittered.0.iter().all(|t| (0.5..=2.0).contains(&(t.value / t.shipped))),
                "{jittered:?}"
            );
        }
        assert_ne!(shipped.clone().jittered_by(1), shipped.clone().jittered_by(2));
        assert_ne!(
            shipped.clone().jittered().unwrap(),
            shipped.jittered().unwrap(),
            "a seed of its own each time"
        );
    }
}
