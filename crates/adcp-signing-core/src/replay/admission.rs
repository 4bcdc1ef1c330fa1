//! New-keyid admission pressure: the alarm for many compromised keys that each stay below their cap.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    hash::{BuildHasher as _, RandomState},
};

use async_trait::async_trait;
use parking_lot::Mutex;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

use super::{InsertOutcome, ReplayEntry, ReplayStore, StoreError};
use crate::clock::UnixSeconds;

/// Length of a bucket and of the rolling count, in seconds.
const BUCKET: i64 = 300;
const DAY_BUCKETS: usize = 288;
const MONTH_BUCKETS: usize = 30 * DAY_BUCKETS;
const QUARTER_BUCKETS: usize = 90 * DAY_BUCKETS;
const DAY: i64 = 86_400;
const MONTH: i64 = 30 * DAY;
/// Keyids remembered at most. Beyond it a new keyid counts each time it comes, so that a flood alarms and fills nothing.
const MAX_KEYIDS: usize = 1_000_000;

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

/// The thresholds; the defaults are starting values that each operator is to replace with values of its own.
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

/// What the tracker reports. Route it to incident response and never to automatic revocation: onboarding many sellers at
/// once looks the same.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum AdmissionEvent {
    /// More new keyids in five minutes than a threshold allows. Said once per clause and five minutes.
    Pressure {
        /// The threshold that was crossed.
        clause: AdmissionClause,
        /// New keyids in the last five minutes.
        count: u64,
        /// How many the clause allows.
        allowed: f64,
        /// When.
        at: UnixSeconds,
    },
    /// `threshold_tuning_overdue`: a threshold still has its shipped value 30 days after the first admission. Said daily.
    ThresholdTuningOverdue {
        /// When the first keyid was admitted.
        first_admission: UnixSeconds,
        /// When.
        at: UnixSeconds,
    },
}

/// A replay store that also tracks how many keyids it sees for the first time.
///
/// A keyid is new when it has not inserted within 30 days. The ratio clauses start after a day of history. The history
/// lives in this process: 5-minute counts of 90 days and a hash per keyid of 30 days.
///
/// ```
/// use adcp_signing_core::replay::{AdmissionThresholds, AdmissionTracked, InMemoryReplayStore};
///
/// let thresholds = AdmissionThresholds::default().with_short_ratio(4.0).jittered(None);
/// let store = AdmissionTracked::new(InMemoryReplayStore::new(), thresholds, |event| eprintln!("{event:?}"));
/// # let _ = store;
/// ```
pub struct AdmissionTracked<S> {
    store: S,
    thresholds: AdmissionThresholds,
    observer: Box<dyn Fn(AdmissionEvent) + Send + Sync>,
    hasher: RandomState,
    history: Mutex<History>,
}

#[derive(Default)]
struct History {
    first_admission: Option<UnixSeconds>,
    /// When each keyid inserted last, by hash.
    keyids: HashMap<u64, i64>,
    pruned_at: i64,
    /// New keyids by second, of the last five minutes.
    recent: VecDeque<(i64, u64)>,
    /// New keyids of each full bucket, oldest first, and of the running one.
    full: VecDeque<u32>,
    running: (i64, u32),
    /// The baselines of (a), (b) and (c) in the running bucket.
    baselines: Option<[Option<f64>; 3]>,
    alarmed: [Option<i64>; 4],
    overdue_said: Option<i64>,
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
    /// 3 times the mean, 2 times the P95, 1.5 times the P99, 20 keyids or 10 %, and no ratio alarm below 5 keyids.
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

    /// The ratio clauses are silent up to and with this many new keyids, since near a baseline of zero each one would
    /// alarm. Clause (d) is for such traffic.
    #[must_use]
    pub fn with_ratio_floor(self, keyids: f64) -> Self {
        self.with(5, keyids)
    }

    /// Multiplies every value by its own log-uniform factor between 0.5 and 2, so that the published values tell an
    /// attacker little. Without a seed the operating system gives one. Jittered values do not count as tuned.
    #[must_use]
    pub fn jittered(mut self, seed: Option<u64>) -> Self {
        let mut rng = seed.map_or_else(|| StdRng::from_rng(&mut rand::rng()), StdRng::seed_from_u64);
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

    fn all_tuned(&self) -> bool {
        self.0.iter().all(|threshold| threshold.tuned)
    }

    /// The clauses that `count` new keyids cross, with what they allow.
    fn crossed(
        &self,
        count: u64,
        baselines: [Option<f64>; 3],
        keyids: usize,
    ) -> impl Iterator<Item = (AdmissionClause, f64)> {
        use AdmissionClause::{Ceiling, LongRatio, MediumRatio, ShortRatio};
        let [short, medium, long, floor, fraction, ratio_floor] = self.0.map(|threshold| threshold.value);
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

impl<S> AdmissionTracked<S> {
    /// Tracks what `store` admits. The observer is called on the verifying task: it must not block.
    pub fn new(
        store: S,
        thresholds: AdmissionThresholds,
        observer: impl Fn(AdmissionEvent) + Send + Sync + 'static,
    ) -> Self {
        Self {
            store,
            thresholds,
            observer: Box::new(observer),
            hasher: RandomState::new(),
            history: Mutex::default(),
        }
    }

    /// The store underneath.
    pub fn store(&self) -> &S {
        &self.store
    }

    /// Counts an insert of `keyid` and reports what that crosses.
    fn admit(&self, keyid: &str, now: UnixSeconds) {
        let events = self.history.lock().admit(self.hasher.hash_one(keyid), now, &self.thresholds);
        for event in events {
            match event {
                AdmissionEvent::Pressure { clause, count, allowed, .. } => {
                    tracing::warn!(clause = %clause.letter(), count, allowed, "new-keyid admission pressure");
                }
                AdmissionEvent::ThresholdTuningOverdue { first_admission, .. } => {
                    tracing::warn!(%first_admission, "threshold_tuning_overdue");
                }
            }
            (self.observer)(event);
        }
    }
}

impl History {
    fn admit(
        &mut self,
        keyid: u64,
        at: UnixSeconds,
        thresholds: &AdmissionThresholds,
    ) -> Vec<AdmissionEvent> {
        let now = at.as_i64();
        let mut events = Vec::new();
        let first_admission = *self.first_admission.get_or_insert(at);
        self.advance(now);
        if at.since(first_admission) > MONTH
            && !thresholds.all_tuned()
            && self.overdue_said.is_none_or(|said| now.abs_diff(said) >= DAY as u64)
        {
            self.overdue_said = Some(now);
            events.push(AdmissionEvent::ThresholdTuningOverdue { first_admission, at });
        }
        if !self.is_new(keyid, now) {
            return events;
        }
        let count = self.count_new(now);
        let baselines = *self.baselines.get_or_insert_with(|| baselines(&self.full));
        for (clause, allowed) in thresholds.crossed(count, baselines, self.keyids.len()) {
            let Some(alarmed) = self.alarmed.get_mut(clause as usize) else { continue };
            if alarmed.is_none_or(|last| now.abs_diff(last) >= BUCKET as u64) {
                *alarmed = Some(now);
                events.push(AdmissionEvent::Pressure { clause, count, allowed, at });
            }
        }
        events
    }

    /// Closes the buckets that have ended. A clock that went back by a little stays in the running one; after a jump back
    /// counting goes on from there, so that one wrong reading does not stop it.
    fn advance(&mut self, now: i64) {
        let bucket = now.div_euclid(BUCKET);
        let (running, count) = self.running;
        if self.full.is_empty() && count == 0 {
            self.running = (bucket, 0);
        } else if bucket > running || bucket < running - 1 {
            let empty = usize::try_from(bucket.saturating_sub(running) - 1).unwrap_or(0);
            self.full.push_back(count);
            self.full.extend(std::iter::repeat_n(0, empty.min(QUARTER_BUCKETS)));
            self.full.drain(..self.full.len().saturating_sub(QUARTER_BUCKETS));
            self.running = (bucket, 0);
            self.baselines = None;
        }
        if now.abs_diff(self.pruned_at) >= DAY as u64 {
            self.pruned_at = now;
            self.keyids.retain(|_, seen| now.saturating_sub(*seen) <= MONTH);
        }
    }

    fn is_new(&mut self, keyid: u64, now: i64) -> bool {
        let full = self.keyids.len() >= MAX_KEYIDS;
        match self.keyids.get_mut(&keyid) {
            Some(seen) => now.saturating_sub(std::mem::replace(seen, now.max(*seen))) > MONTH,
            None => {
                if !full {
                    self.keyids.insert(keyid, now);
                }
                true
            }
        }
    }

    /// Counts a new keyid; answers how many there were in the last five minutes.
    fn count_new(&mut self, now: i64) -> u64 {
        let (_, running) = &mut self.running;
        *running = running.saturating_add(1);
        self.recent.retain(|(second, _)| now.abs_diff(*second) < BUCKET as u64);
        match self.recent.back_mut() {
            Some((second, count)) if *second >= now => *count += 1,
            _ => self.recent.push_back((now, 1)),
        }
        self.recent.iter().map(|(_, count)| count).sum()
    }
}

/// The mean of a day, the P95 of 30 days and the P99 of 90 days, over as much of each as there is, from one day on.
fn baselines(full: &VecDeque<u32>) -> [Option<f64>; 3] {
    if full.len() < DAY_BUCKETS {
        return [None; 3];
    }
    let day: u64 = full.iter().rev().take(DAY_BUCKETS).map(|count| u64::from(*count)).sum();
    let percentile = |buckets: usize, percent: usize| {
        let mut counts: Vec<u32> = full.iter().rev().take(buckets).copied().collect();
        let rank = (counts.len() * percent).div_ceil(100).saturating_sub(1);
        let (_, count, _) = counts.select_nth_unstable(rank);
        f64::from(*count)
    };
    [
        Some(day as f64 / DAY_BUCKETS as f64),
        Some(percentile(MONTH_BUCKETS, 95)),
        Some(percentile(QUARTER_BUCKETS, 99)),
    ]
}

impl<S: fmt::Debug> fmt::Debug for AdmissionTracked<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdmissionTracked").field("store", &self.store).finish_non_exhaustive()
    }
}

#[async_trait]
impl<S: ReplayStore> ReplayStore for AdmissionTracked<S> {
    async fn cap_reached(&self, keyid: &str, cap: u64, now: UnixSeconds) -> Result<bool, StoreError> {
        self.store.cap_reached(keyid, cap, now).await
    }

    async fn insert(&self, entry: ReplayEntry<'_>, now: UnixSeconds) -> Result<InsertOutcome, StoreError> {
        let outcome = self.store.insert(entry, now).await?;
        if outcome == InsertOutcome::Inserted {
            self.admit(entry.keyid(), now);
        }
        Ok(outcome)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use AdmissionClause::{Ceiling, LongRatio, MediumRatio, ShortRatio};

    use super::*;
    use crate::replay::InMemoryReplayStore;

    const NOW: UnixSeconds = UnixSeconds::new(1_776_520_800);

    /// A history of `days` with `per_bucket` new keyids in each bucket.
    fn history(days: usize, per_bucket: u32) -> History {
        let full = std::iter::repeat_n(per_bucket, days * DAY_BUCKETS).collect();
        let first_admission = Some(NOW.minus(days as i64 * DAY));
        History { first_admission, full, running: (NOW.as_i64() / BUCKET, 0), ..History::default() }
    }

    fn clauses(events: &[AdmissionEvent]) -> Vec<AdmissionClause> {
        let clause = |event: &AdmissionEvent| match event {
            AdmissionEvent::Pressure { clause, .. } => Some(*clause),
            AdmissionEvent::ThresholdTuningOverdue { .. } => None,
        };
        events.iter().filter_map(clause).collect()
    }

    /// Admits `count` new keyids at once; the clauses that alarm, in order.
    fn flood(
        history: &mut History,
        thresholds: &AdmissionThresholds,
        count: u64,
        at: UnixSeconds,
    ) -> Vec<AdmissionClause> {
        (0..count).flat_map(|keyid| clauses(&history.admit(keyid, at, thresholds))).collect()
    }

    #[test]
    fn each_clause_alarms_just_above_its_threshold_and_names_itself() {
        let off = || {
            let t = AdmissionThresholds::default().with_short_ratio(1e9).with_medium_ratio(1e9);
            t.with_long_ratio(1e9).with_ceiling_floor(1e9)
        };
        let cases = [
            (off().with_short_ratio(3.0), ShortRatio, 30),
            (off().with_medium_ratio(2.0), MediumRatio, 20),
            (off().with_long_ratio(1.5), LongRatio, 15),
            (off().with_ceiling_floor(20.0), Ceiling, 20),
        ];
        for (thresholds, clause, allowed) in cases {
            assert_eq!(flood(&mut history(90, 10), &thresholds, allowed, NOW), [], "{clause:?}");
            assert_eq!(flood(&mut history(90, 10), &thresholds, allowed + 1, NOW), [clause], "{clause:?}");
        }
        assert_eq!(
            [ShortRatio, MediumRatio, LongRatio, Ceiling].map(AdmissionClause::letter),
            ['a', 'b', 'c', 'd']
        );
    }

    #[test]
    fn without_a_day_of_history_only_the_ceiling_speaks() {
        let thresholds = AdmissionThresholds::default();
        assert_eq!(flood(&mut History::default(), &thresholds, 20, NOW), []);
        assert_eq!(flood(&mut History::default(), &thresholds, 21, NOW), [Ceiling]);
    }

    #[test]
    fn the_ceiling_grows_with_the_keyids_of_thirty_days() {
        let mut history = History { pruned_at: NOW.as_i64(), ..History::default() };
        history.keyids = (1_000_000..1_001_000).map(|keyid| (keyid, NOW.as_i64())).collect();
        let thresholds = AdmissionThresholds::default();
        assert_eq!(flood(&mut history, &thresholds, 111, NOW), []);
        assert_eq!(flood(&mut history, &thresholds, 113, NOW), [Ceiling]);
    }

    #[test]
    fn a_keyid_is_new_once_in_thirty_days() {
        let mut history = History::default();
        assert!(history.is_new(1, 0));
        assert!(!history.is_new(1, MONTH));
        assert!(!history.is_new(1, 2 * MONTH));
        assert!(history.is_new(1, 3 * MONTH + 1));
    }

    #[test]
    fn the_count_rolls_over_five_minutes() {
        let mut history = History::default();
        assert_eq!([0, 10, 299, 300, 309, 310].map(|now| history.count_new(now)), [1, 2, 3, 3, 4, 4]);
    }

    #[test]
    fn an_alarm_is_repeated_after_five_minutes_and_not_before() {
        let thresholds = AdmissionThresholds::default().with_ceiling_floor(0.0).with_ceiling_fraction(0.0);
        let mut history = History::default();
        let mut at = |keyid, seconds| clauses(&history.admit(keyid, NOW.plus(seconds), &thresholds));
        assert_eq!((at(1, 0), at(2, 299), at(3, 300)), (vec![Ceiling], vec![], vec![Ceiling]));
    }

    #[test]
    fn history_is_bounded_and_survives_clock_jumps() {
        let mut history = history(90, 3);
        let thresholds = AdmissionThresholds::default();
        for at in [NOW.plus(1 << 40), NOW, UnixSeconds::new(i64::MAX), UnixSeconds::new(i64::MIN)] {
            history.admit(1, at, &thresholds);
            assert!(history.full.len() <= QUARTER_BUCKETS);
        }
        history.keyids.clear();
        let alarms = flood(&mut history, &thresholds, 21, NOW);
        assert!(alarms.contains(&Ceiling), "a wrong reading silences nothing: {alarms:?}");
    }

    #[test]
    fn tuning_is_overdue_thirty_days_after_the_first_admission_until_all_is_tuned() {
        let overdue = |thresholds: &AdmissionThresholds, seconds: &[i64]| -> usize {
            let mut history = History::default();
            history.admit(1, NOW, thresholds);
            let admitted = seconds.iter().flat_map(|at| history.admit(1, NOW.plus(*at), thresholds));
            admitted.filter(|event| matches!(event, AdmissionEvent::ThresholdTuningOverdue { .. })).count()
        };
        let shipped = AdmissionThresholds::default();
        assert_eq!(overdue(&shipped, &[MONTH]), 0);
        assert_eq!(overdue(&shipped, &[MONTH + 1, MONTH + 2, MONTH + DAY, MONTH + DAY + 1]), 2);
        assert_eq!(overdue(&shipped.clone().jittered(Some(1)), &[MONTH + 1]), 1);
        let all_but_one = shipped.with_short_ratio(4.0).with_medium_ratio(3.0).with_long_ratio(2.0);
        let all_but_one = all_but_one.with_ceiling_floor(30.0).with_ceiling_fraction(0.2);
        assert_eq!(overdue(&all_but_one, &[MONTH + 1]), 1);
        assert_eq!(overdue(&all_but_one.with_ratio_floor(7.0), &[MONTH + 1]), 0);
    }

    #[test]
    fn jitter_is_between_half_and_double_and_follows_the_seed() {
        let shipped = AdmissionThresholds::default();
        for seed in 0..200 {
            let jittered = shipped.clone().jittered(Some(seed));
            assert_eq!(jittered, shipped.clone().jittered(Some(seed)));
            assert!(jittered.0.iter().all(|t| (0.5..=2.0).contains(&(t.value / t.shipped))), "{jittered:?}");
        }
        assert_ne!(shipped.clone().jittered(Some(1)), shipped.jittered(Some(2)));
    }

    #[test]
    fn a_threshold_that_is_no_number_alarms_the_most() {
        for value in [f64::NAN, -1.0] {
            let thresholds =
                AdmissionThresholds::default().with_ceiling_floor(value).with_ceiling_fraction(value);
            assert_eq!(flood(&mut History::default(), &thresholds, 1, NOW), [Ceiling]);
        }
    }

    #[tokio::test]
    async fn only_inserts_are_counted_and_the_observer_hears_of_them() {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let observer = {
            let heard = Arc::clone(&heard);
            move |event| heard.lock().push(event)
        };
        let thresholds = AdmissionThresholds::default().with_ceiling_floor(1.0).with_ceiling_fraction(0.0);
        let store = AdmissionTracked::new(InMemoryReplayStore::new(), thresholds, observer);
        let entry = |keyid, cap| ReplayEntry::new(keyid, "nonce", NOW.plus(360), cap);
        assert_eq!(store.insert(entry("a", 1), NOW).await.unwrap(), InsertOutcome::Inserted);
        assert_eq!(store.insert(entry("b", 0), NOW).await.unwrap(), InsertOutcome::KeyCapReached);
        assert_eq!(store.insert(entry("a", 1), NOW).await.unwrap(), InsertOutcome::Replayed);
        assert!(heard.lock().is_empty());
        assert_eq!(store.insert(entry("c", 1), NOW).await.unwrap(), InsertOutcome::Inserted);
        let pressure = AdmissionEvent::Pressure { clause: Ceiling, count: 2, allowed: 1.0, at: NOW };
        assert_eq!(*heard.lock(), [pressure]);
        assert!(store.cap_reached("a", 1, NOW).await.unwrap());
        assert_eq!(store.store().len(NOW), 2);
    }
}
