//! When which keyids were new: rolling counts of 90 days, and the alarms that follow.

use std::{cell::OnceCell, collections::VecDeque};

use hashbrown::HashTable;

use super::{AdmissionClause, AdmissionEvent, AdmissionThresholds, thresholds::Baselines};
use crate::clock::UnixSeconds;

/// Length of a bucket and of the rolling count, in seconds.
const BUCKET: i64 = 300;
const DAY_BUCKETS: usize = 288;
const MONTH_BUCKETS: usize = 30 * DAY_BUCKETS;
const QUARTER_BUCKETS: usize = 90 * DAY_BUCKETS;
const DAY: i64 = 86_400;
const MONTH: i64 = 30 * DAY;
/// Keyids remembered at most. Beyond it a new keyid counts each time it comes, so that a flood
/// alarms and fills nothing.
const MAX_KEYIDS: usize = 1_000_000;

#[derive(Default)]
pub(super) struct History {
    first_admission: Option<UnixSeconds>,
    keyids: HashTable<Seen>,
    pruned_at: i64,
    /// New keyids by second, of the last five minutes.
    recent: VecDeque<(i64, u64)>,
    /// New keyids of each full bucket, oldest first, and of the running one.
    full: VecDeque<u32>,
    running: (i64, u32),
    /// The baselines in the running bucket, once they were needed; none before a day of history.
    baselines: OnceCell<Option<Baselines>>,
    alarmed: Alarms,
    overdue_said: Option<i64>,
}

/// When each clause alarmed last.
#[derive(Default)]
struct Alarms {
    short_ratio: Option<i64>,
    medium_ratio: Option<i64>,
    long_ratio: Option<i64>,
    ceiling: Option<i64>,
}

/// A keyid by its keyed hash, and when it inserted last.
struct Seen {
    keyid: u64,
    at: i64,
}

impl History {
    pub(super) fn admit(
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
        let baselines = *self.baselines.get_or_init(|| baselines(&self.full));
        for (clause, allowed) in thresholds.crossed(count, baselines, self.keyids.len()) {
            let alarmed = self.alarmed.of(clause);
            if alarmed.is_none_or(|last| now.abs_diff(last) >= BUCKET as u64) {
                *alarmed = Some(now);
                events.push(AdmissionEvent::Pressure { clause, count, allowed, at });
            }
        }
        events
    }

    /// Closes the buckets that have ended. A clock that went back by a little stays in the running
    /// one; after a jump back counting goes on from there, so that one wrong reading does not stop
    /// it.
    fn advance(&mut self, now: i64) {
        let bucket = now.div_euclid(BUCKET);
        let (running, count) = self.running;
        if self.full.is_empty() && count == 0 {
            self.running = (bucket, 0);
        } else if bucket > running || bucket < running - 1 {
            // None where the clock went back; no more than are kept.
            let empty = (bucket.saturating_sub(running) - 1).clamp(0, QUARTER_BUCKETS as i64);
            self.full.push_back(count);
            self.full.extend((0..empty).map(|_| 0));
            self.full.drain(..self.full.len().saturating_sub(QUARTER_BUCKETS));
            self.running = (bucket, 0);
            self.baselines = OnceCell::new();
        }
        if now.abs_diff(self.pruned_at) >= DAY as u64 {
            self.pruned_at = now;
            self.keyids.retain(|seen| now.saturating_sub(seen.at) <= MONTH);
        }
    }

    fn is_new(&mut self, keyid: u64, now: i64) -> bool {
        if let Some(seen) = self.keyids.find_mut(keyid, |seen| seen.keyid == keyid) {
            let before = seen.at;
            seen.at = now.max(before);
            return now.saturating_sub(before) > MONTH;
        }
        if self.keyids.len() < MAX_KEYIDS {
            self.keyids.insert_unique(keyid, Seen { keyid, at: now }, |seen| seen.keyid);
        }
        true
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

impl Alarms {
    fn of(&mut self, clause: AdmissionClause) -> &mut Option<i64> {
        match clause {
            AdmissionClause::ShortRatio => &mut self.short_ratio,
            AdmissionClause::MediumRatio => &mut self.medium_ratio,
            AdmissionClause::LongRatio => &mut self.long_ratio,
            AdmissionClause::Ceiling => &mut self.ceiling,
        }
    }
}

/// The mean of a day, the P95 of 30 days and the P99 of 90 days, over as much of each as there is,
/// from one day on.
fn baselines(full: &VecDeque<u32>) -> Option<Baselines> {
    if full.len() < DAY_BUCKETS {
        return None;
    }
    let day: u64 = full.iter().rev().take(DAY_BUCKETS).map(|count| u64::from(*count)).sum();
    let percentile = |buckets: usize, percent: usize| {
        let mut counts: Vec<u32> = full.iter().rev().take(buckets).copied().collect();
        let rank = (counts.len() * percent).div_ceil(100).saturating_sub(1);
        let (_, count, _) = counts.select_nth_unstable(rank);
        f64::from(*count)
    };
    Some(Baselines {
        day_mean: day as f64 / DAY_BUCKETS as f64,
        month_p95: percentile(MONTH_BUCKETS, 95),
        quarter_p99: percentile(QUARTER_BUCKETS, 99),
    })
}

#[cfg(test)]
mod tests {
    use AdmissionClause::{Ceiling, LongRatio, MediumRatio, ShortRatio};

    use super::*;

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
            assert_eq!(
                flood(&mut history(90, 10), &thresholds, allowed + 1, NOW),
                [clause],
                "{clause:?}"
            );
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
        assert!((1_000_000..1_001_000).all(|keyid| history.is_new(keyid, NOW.as_i64())));
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
        assert_eq!(
            [0, 10, 299, 300, 309, 310].map(|now| history.count_new(now)),
            [1, 2, 3, 3, 4, 4]
        );
    }

    #[test]
    fn an_alarm_is_repeated_after_five_minutes_and_not_before() {
        let thresholds =
            AdmissionThresholds::default().with_ceiling_floor(0.0).with_ceiling_fraction(0.0);
        let mut history = History::default();
        let mut at =
            |keyid, seconds| clauses(&history.admit(keyid, NOW.plus(seconds), &thresholds));
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
            let admitted =
                seconds.iter().flat_map(|at| history.admit(1, NOW.plus(*at), thresholds));
            admitted
                .filter(|event| matches!(event, AdmissionEvent::ThresholdTuningOverdue { .. }))
                .count()
        };
        let shipped = AdmissionThresholds::default();
        assert_eq!(overdue(&shipped, &[MONTH]), 0);
        assert_eq!(overdue(&shipped, &[MONTH + 1, MONTH + 2, MONTH + DAY, MONTH + DAY + 1]), 2);
        assert_eq!(overdue(&shipped.clone().jittered_by(1), &[MONTH + 1]), 1);
        let all_but_one = shipped.with_short_ratio(4.0).with_medium_ratio(3.0).with_long_ratio(2.0);
        let all_but_one = all_but_one.with_ceiling_floor(30.0).with_ceiling_fraction(0.2);
        assert_eq!(overdue(&all_but_one, &[MONTH + 1]), 1);
        assert_eq!(overdue(&all_but_one.with_ratio_floor(7.0), &[MONTH + 1]), 0);
    }

    #[test]
    fn a_threshold_that_is_no_number_alarms_the_most() {
        for value in [f64::NAN, -1.0] {
            let thresholds = AdmissionThresholds::default()
                .with_ceiling_floor(value)
                .with_ceiling_fraction(value);
            assert_eq!(flood(&mut History::default(), &thresholds, 1, NOW), [Ceiling]);
        }
    }
}
