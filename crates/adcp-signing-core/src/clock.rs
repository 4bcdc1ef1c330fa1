//! Time as the verifier's and the signer's clock: unix seconds, given by the caller.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

/// A moment as whole seconds since 1970-01-01T00:00:00Z, the unit of `created` and `expires`.
///
/// Arithmetic saturates: a hostile `expires` cannot overflow a comparison.
///
/// ```
/// use adcp_signing_core::UnixSeconds;
///
/// let created = UnixSeconds::new(1_776_520_800);
/// let expires = created.plus(300);
/// assert_eq!(expires.since(created), 300);
/// assert!(expires > created);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixSeconds(i64);

impl UnixSeconds {
    /// The moment `seconds` after the epoch; negative before it.
    pub const fn new(seconds: i64) -> Self {
        Self(seconds)
    }

    /// The seconds since the epoch.
    pub const fn as_i64(self) -> i64 {
        self.0
    }

    /// The moment `seconds` later.
    #[must_use]
    pub const fn plus(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// The moment `seconds` earlier.
    #[must_use]
    pub const fn minus(self, seconds: i64) -> Self {
        Self(self.0.saturating_sub(seconds))
    }

    /// The finer unit that the number looks like it is in: as seconds it lies thousands of years
    /// ahead. Whatever reads such a time refuses it and names the unit.
    ///
    /// ```
    /// use adcp_signing_core::UnixSeconds;
    ///
    /// assert_eq!(UnixSeconds::new(1_776_520_800).finer_unit(), None);
    /// assert_eq!(UnixSeconds::new(1_776_520_800_000).finer_unit(), Some("milliseconds"));
    /// ```
    pub const fn finer_unit(self) -> Option<&'static str> {
        match self.0 {
            // The year 5138 in seconds, and 1973 in milliseconds.
            100_000_000_000..=99_999_999_999_999 => Some("milliseconds"),
            100_000_000_000_000..=99_999_999_999_999_999 => Some("microseconds"),
            100_000_000_000_000_000.. => Some("nanoseconds"),
            _ => None,
        }
    }

    /// How many seconds this lies after `earlier`; negative where it lies before.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl From<i64> for UnixSeconds {
    fn from(seconds: i64) -> Self {
        Self(seconds)
    }
}

impl fmt::Display for UnixSeconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where "now" comes from.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The current time.
    fn now(&self) -> UnixSeconds;
}

impl<T: Clock + ?Sized> Clock for Arc<T> {
    fn now(&self) -> UnixSeconds {
        T::now(self)
    }
}

/// The clock of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> UnixSeconds {
        let seconds =
            |elapsed: std::time::Duration| i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX);
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(after) => UnixSeconds(seconds(after)),
            Err(before) => UnixSeconds(seconds(before.duration()).saturating_neg()),
        }
    }
}

/// A clock that stands still until it is set: for tests and for replaying captured traffic.
///
/// ```
/// use adcp_signing_core::{Clock, FixedClock, UnixSeconds};
///
/// let clock = FixedClock::new(UnixSeconds::new(1_776_520_800));
/// clock.advance(60);
/// assert_eq!(clock.now(), UnixSeconds::new(1_776_520_860));
/// ```
#[derive(Debug)]
pub struct FixedClock(AtomicI64);

impl FixedClock {
    /// A clock that stands at `now`.
    pub const fn new(now: UnixSeconds) -> Self {
        Self(AtomicI64::new(now.0))
    }

    /// Moves the clock to `now`, backwards if need be.
    pub fn set(&self, now: UnixSeconds) {
        self.0.store(now.0, Ordering::SeqCst);
    }

    /// Moves the clock on by `seconds`.
    pub fn advance(&self, seconds: i64) {
        self.set(self.now().plus(seconds));
    }
}

impl Clock for FixedClock {
    fn now(&self) -> UnixSeconds {
        UnixSeconds(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        assert_eq!(UnixSeconds::new(i64::MAX).plus(1), UnixSeconds::new(i64::MAX));
        assert_eq!(UnixSeconds::new(i64::MIN).minus(1), UnixSeconds::new(i64::MIN));
        assert_eq!(UnixSeconds::new(i64::MAX).since(UnixSeconds::new(i64::MIN)), i64::MAX);
    }

    #[test]
    fn a_time_in_a_finer_unit_is_told_by_its_size() {
        for (number, unit) in [
            (i64::MIN, None),
            (0, None),
            (1_776_520_800, None),
            (99_999_999_999, None),
            (100_000_000_000, Some("milliseconds")),
            (1_776_520_800_000, Some("milliseconds")),
            (1_776_520_800_000_000, Some("microseconds")),
            (1_776_520_800_000_000_000, Some("nanoseconds")),
            (i64::MAX, Some("nanoseconds")),
        ] {
            assert_eq!(UnixSeconds::new(number).finer_unit(), unit, "{number}");
        }
    }

    #[test]
    fn the_system_clock_reads_unix_time() {
        let read = SystemClock.now().as_i64();
        let known = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        assert!((0..=1).contains(&(known as i64 - read)));
    }

    #[test]
    fn a_fixed_clock_moves_only_when_told() {
        let clock = FixedClock::new(UnixSeconds::new(10));
        clock.advance(5);
        assert_eq!(clock.now(), UnixSeconds::new(15));
        clock.set(UnixSeconds::new(3));
        assert_eq!(clock.now(), UnixSeconds::new(3));
    }

    #[test]
    fn a_shared_clock_is_a_clock() {
        fn read(clock: impl Clock) -> UnixSeconds {
            clock.now()
        }
        let clock = Arc::new(FixedClock::new(UnixSeconds::new(10)));
        let shared: Arc<dyn Clock> = clock.clone();
        clock.advance(1);
        assert_eq!((read(clock), read(shared)), (UnixSeconds::new(11), UnixSeconds::new(11)));
    }
}
