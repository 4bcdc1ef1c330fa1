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
pub struct AdmissionThresholds {
    short_ratio: Threshold,
    medium_ratio: Threshold,
    long_ratio: Threshold,
    ceiling_floor: Threshold,
    ceiling_fraction: Threshold,
    ratio_floor: Threshold,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Threshold {
    shipped: f64,
    value: f64,
    tuned: bool,
}

/// What the ratio clauses compare with: new keyids in five minutes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Baselines {
    pub(super) day_mean: f64,
    pub(super) month_p95: f64,
    pub(super) quarter_p99: f64,
}

impl Threshold {
    const fn shipped(value: f64) -> Self {
        Self { shipped: value, value, tuned: false }
    }

    fn set(&mut self, value: f64) {
        self.value = if value >= 0.0 { value } else { 0.0 };
        self.tuned = self.value != self.shipped;
    }
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

    /// The clause as a label of metrics: `a` to `d`.
    #[cfg(feature = "metrics")]
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::ShortRatio => "a",
            Self::MediumRatio => "b",
            Self::LongRatio => "c",
            Self::Ceiling => "d",
        }
    }
}

impl Default for AdmissionThresholds {
    /// 3 times the mean, 2 times the P95, 1.5 times the P99, 20 keyids or 10 %, and no ratio alarm
    /// below 5 keyids.
    fn default() -> Self {
        Self {
            short_ratio: Threshold::shipped(3.0),
            medium_ratio: Threshold::shipped(2.0),
            long_ratio: Threshold::shipped(1.5),
            ceiling_floor: Threshold::shipped(20.0),
            ceiling_fraction: Threshold::shipped(0.1),
            ratio_floor: Threshold::shipped(5.0),
        }
    }
}

impl AdmissionThresholds {
    /// (a): how many times the mean of 24 hours.
    #[must_use]
    pub fn with_short_ratio(mut self, ratio: f64) -> Self {
        self.short_ratio.set(ratio);
        self
    }

    /// (b): how many times the 95th percentile of 30 days.
    #[must_use]
    pub fn with_medium_ratio(mut self, ratio: f64) -> Self {
        self.medium_ratio.set(ratio);
        self
    }

    /// (c): how many times the 99th percentile of 90 days.
    #[must_use]
    pub fn with_long_ratio(mut self, ratio: f64) -> Self {
        self.long_ratio.set(ratio);
        self
    }

    /// (d): the absolute floor, in new keyids per five minutes.
    #[must_use]
    pub fn with_ceiling_floor(mut self, keyids: f64) -> Self {
        self.ceiling_floor.set(keyids);
        self
    }

    /// (d): the fraction of the keyids of 30 days, 0.1 for 10 %.
    #[must_use]
    pub fn with_ceiling_fraction(mut self, fraction: f64) -> Self {
        self.ceiling_fraction.set(fraction);
        self
    }

    /// The ratio clauses are silent up to and with this many new keyids, since near a baseline of
    /// zero each one would alarm. Clause (d) is for such traffic.
    #[must_use]
    pub fn with_ratio_floor(mut self, keyids: f64) -> Self {
        self.ratio_floor.set(keyids);
        self
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
        for threshold in self.each_mut() {
            let unit = (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
            threshold.value *= (2.0 * unit - 1.0).exp2();
        }
        self
    }

    pub(super) fn all_tuned(&self) -> bool {
        self.each().iter().all(|threshold| threshold.tuned)
    }

    fn each(&self) -> [&Threshold; 6] {
        let Self {
            short_ratio,
            medium_ratio,
            long_ratio,
            ceiling_floor,
            ceiling_fraction,
            ratio_floor,
        } = self;
        [short_ratio, medium_ratio, long_ratio, ceiling_floor, ceiling_fraction, ratio_floor]
    }

    /// In the order in which a seed gives them their factors.
    fn each_mut(&mut self) -> [&mut Threshold; 6] {
        let Self {
            short_ratio,
            medium_ratio,
            long_ratio,
            ceiling_floor,
            ceiling_fraction,
            ratio_floor,
        } = self;
        [short_ratio, medium_ratio, long_ratio, ceiling_floor, ceiling_fraction, ratio_floor]
    }

    /// The clauses that `count` new keyids cross, with what they allow.
    pub(super) fn crossed(
        &self,
        count: u64,
        baselines: Option<Baselines>,
        keyids: usize,
    ) -> impl Iterator<Item = (AdmissionClause, f64)> {
        use AdmissionClause::{Ceiling, LongRatio, MediumRatio, ShortRatio};
        let ratio_floor = self.ratio_floor.value;
        let ratio = move |clause, baseline: f64, ratio: &Threshold| {
            (clause, (ratio.value * baseline).max(ratio_floor))
        };
        let ratios = baselines.map(|baselines| {
            [
                ratio(ShortRatio, baselines.day_mean, &self.short_ratio),
                ratio(MediumRatio, baselines.month_p95, &self.medium_ratio),
                ratio(LongRatio, baselines.quarter_p99, &self.long_ratio),
            ]
        });
        let of_keyids = self.ceiling_fraction.value * keyids as f64;
        let ceiling = (Ceiling, self.ceiling_floor.value.max(of_keyids));
        ratios
            .into_iter()
            .flatten()
            .chain([ceiling])
            .filter(move |(_, allowed)| count as f64 > *allowed)
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
                jittered.each().iter().all(|t| (0.5..=2.0).contains(&(t.value / t.shipped))),
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
