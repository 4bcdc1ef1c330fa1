//! `Backoff`: how long a delivery waits after an attempt that failed, and for how long in all.

use std::time::Duration;

use rand::{TryRng as _, rngs::SysRng};

/// The pauses between the attempts of a delivery, and the horizon at which it is given up.
///
/// The pause after attempt *n* is drawn from 0 up to `first` × 2ⁿ⁻¹, at most `longest` ("full
/// jitter"), and never ends sooner than the receiver asked in `Retry-After`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    horizon: Duration,
}

/// A horizon that AdCP does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the horizon of deliveries is {seconds} s; AdCP allows 86400 (a day) to 604800 (a week), as \
     `webhook_signing.delivery_retry_horizon_seconds` announces it"
)]
pub struct HorizonError {
    seconds: u64,
}

impl Default for Backoff {
    /// Pauses from 10 seconds to an hour, for a day.
    fn default() -> Self {
        Self {
            first: Duration::from_secs(10),
            longest: Duration::from_secs(3600),
            horizon: Duration::from_secs(86_400),
        }
    }
}

impl Backoff {
    /// The range that pauses are drawn from.
    #[must_use]
    pub fn with_pauses(mut self, first: Duration, longest: Duration) -> Self {
        self.first = first.min(longest);
        self.longest = longest;
        self
    }

    /// For how long after it was enqueued a delivery is tried. Announce the same number in
    /// `webhook_signing.delivery_retry_horizon_seconds`: receivers remember a delivery for so long.
    ///
    /// # Errors
    /// [`HorizonError`] for less than a day or more than a week.
    pub fn with_horizon(mut self, horizon: Duration) -> Result<Self, HorizonError> {
        let seconds = horizon.as_secs();
        if !(86_400..=604_800).contains(&seconds) {
            return Err(HorizonError { seconds });
        }
        self.horizon = horizon;
        Ok(self)
    }

    pub(super) fn horizon(&self) -> Duration {
        self.horizon
    }

    /// The pause after as many failed attempts as this.
    pub(super) fn pause(&self, failed: u32) -> Duration {
        let ceiling = self.ceiling(failed);
        let Ok(draw) = SysRng.try_next_u32() else { return ceiling };
        let part = f64::from(draw) / f64::from(u32::MAX);
        Duration::try_from_secs_f64(ceiling.as_secs_f64() * part).unwrap_or(ceiling)
    }

    fn ceiling(&self, failed: u32) -> Duration {
        let factor = 2_u32.checked_pow(failed.saturating_sub(1)).unwrap_or(u32::MAX);
        self.first.saturating_mul(factor).min(self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_longest_and_are_drawn_below() {
        let backoff = Backoff::default();
        let seconds = [1, 2, 3, 9, 10, 40, u32::MAX].map(|n| backoff.ceiling(n).as_secs());
        assert_eq!(seconds, [10, 20, 40, 2560, 3600, 3600, 3600]);
        let drawn: Vec<_> = (0..64).map(|_| backoff.pause(10)).collect();
        assert!(drawn.iter().all(|pause| *pause <= Duration::from_secs(3600)));
        let distinct: std::collections::HashSet<_> = drawn.iter().collect();
        assert!(distinct.len() > 32, "not jittered: {drawn:?}");
    }

    #[test]
    fn the_horizon_is_a_day_to_a_week() {
        for (seconds, allowed) in
            [(86_399, false), (86_400, true), (604_800, true), (604_801, false)]
        {
            let set = Backoff::default().with_horizon(Duration::from_secs(seconds));
            assert_eq!(set.is_ok(), allowed, "{seconds}");
        }
    }
}
