//! New-keyid admission pressure: the alarm for many compromised keys that each stay below their
//! cap.

mod history;
mod thresholds;

use std::fmt;

use parking_lot::Mutex;

use self::history::History;
pub use self::thresholds::{AdmissionClause, AdmissionThresholds};
use super::{
    InsertOutcome, ReplayEntry, ReplayKey, ReplayStore, StoreError,
    identity::{Id, Identities},
};
use crate::{answer::Answer, clock::UnixSeconds};

/// What the tracker reports. Route it to incident response and never to automatic revocation:
/// onboarding many sellers at once looks the same.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum AdmissionEvent {
    /// More new keyids in five minutes than a threshold allows. Said once per clause and five
    /// minutes.
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
    /// `threshold_tuning_overdue`: a threshold still has its shipped value 30 days after the first
    /// admission. Said daily.
    ThresholdTuningOverdue {
        /// When the first keyid was admitted.
        first_admission: UnixSeconds,
        /// When.
        at: UnixSeconds,
    },
}

/// A replay store that also tracks how many keyids it sees for the first time.
///
/// A keyid counts for each public key that it resolves to, as in [`ReplayKey`]. It is new when it has not inserted within 30 days. The ratio clauses start after a day of
/// history. The history lives in this process: 5-minute counts of 90 days and a hash per keyid of
/// 30 days.
///
/// ```
/// use adcp_signing_core::replay::{AdmissionThresholds, AdmissionTracked, InMemoryReplayStore};
///
/// # fn main() -> Result<(), adcp_signing_core::replay::StoreError> {
/// let thresholds = AdmissionThresholds::default().with_short_ratio(4.0).jittered()?;
/// let store = AdmissionTracked::new(InMemoryReplayStore::new(), thresholds, |event| eprintln!("{event:?}"));
/// # let _ = store;
/// # Ok(())
/// # }
/// ```
pub struct AdmissionTracked<S> {
    store: S,
    thresholds: AdmissionThresholds,
    observer: Box<dyn Fn(AdmissionEvent) + Send + Sync>,
    identities: Identities,
    history: Mutex<History>,
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
            identities: Identities::default(),
            history: Mutex::default(),
        }
    }

    /// The store underneath.
    pub fn store(&self) -> &S {
        &self.store
    }

    /// Counts an insert of the key and reports what that crosses.
    fn admit(&self, key: Id, now: UnixSeconds) {
        let events = self.history.lock().admit(key.hash(), now, &self.thresholds);
        for event in events {
            match event {
                AdmissionEvent::Pressure { clause, count, allowed, .. } => {
                    tracing::warn!(clause = %clause.letter(), count, allowed, "new-keyid admission pressure");
                    #[cfg(feature = "metrics")]
                    metrics::counter!("adcp_admission_alarms_total", "clause" => clause.as_str())
                        .increment(1);
                }
                AdmissionEvent::ThresholdTuningOverdue { first_admission, .. } => {
                    tracing::warn!(%first_admission, "threshold_tuning_overdue");
                }
            }
            (self.observer)(event);
        }
    }
}

impl<S: fmt::Debug> fmt::Debug for AdmissionTracked<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdmissionTracked").field("store", &self.store).finish_non_exhaustive()
    }
}

impl<S: ReplayStore> ReplayStore for AdmissionTracked<S> {
    fn insert<'a>(
        &'a self,
        entry: ReplayEntry<'a>,
        now: UnixSeconds,
    ) -> Answer<'a, InsertOutcome, StoreError> {
        let key = match self.identities.key(entry.key()) {
            Ok(key) => key,
            Err(error) => return Answer::now(Err(error)),
        };
        self.store.insert(entry, now).map(move |outcome| {
            if let Ok(InsertOutcome::Inserted) = outcome {
                self.admit(key, now);
            }
            outcome
        })
    }

    fn cap_reached<'a>(
        &'a self,
        key: ReplayKey<'a>,
        cap: u64,
        now: UnixSeconds,
    ) -> Answer<'a, bool, StoreError> {
        self.store.cap_reached(key, cap, now)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::replay::InMemoryReplayStore;

    const NOW: UnixSeconds = UnixSeconds::new(1_776_520_800);

    #[tokio::test]
    async fn only_inserts_are_counted_and_the_observer_hears_of_them() {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let observer = {
            let heard = Arc::clone(&heard);
            move |event| heard.lock().push(event)
        };
        let thresholds =
            AdmissionThresholds::default().with_ceiling_floor(1.0).with_ceiling_fraction(0.0);
        let store = AdmissionTracked::new(InMemoryReplayStore::new(), thresholds, observer);
        let key = |keyid| ReplayKey::new(keyid, &[0; 32]);
        let entry = |keyid, cap| ReplayEntry::restore(key(keyid), "nonce", NOW.plus(360), cap);
        assert_eq!(store.insert(entry("a", 1), NOW).await.unwrap(), InsertOutcome::Inserted);
        assert_eq!(store.insert(entry("b", 0), NOW).await.unwrap(), InsertOutcome::KeyCapReached);
        assert_eq!(store.insert(entry("a", 1), NOW).await.unwrap(), InsertOutcome::Replayed);
        assert!(heard.lock().is_empty());
        assert_eq!(store.insert(entry("c", 1), NOW).await.unwrap(), InsertOutcome::Inserted);
        let pressure = AdmissionEvent::Pressure {
            clause: AdmissionClause::Ceiling,
            count: 2,
            allowed: 1.0,
            at: NOW,
        };
        assert_eq!(*heard.lock(), [pressure]);
        assert!(store.cap_reached(key("a"), 1, NOW).await.unwrap());
        assert!(!store.cap_reached(key("a"), 2, NOW).await.unwrap());
        assert_eq!(store.store().len(NOW), 2);
    }

    #[tokio::test]
    async fn a_keyid_counts_for_each_public_key_it_resolves_to() {
        let heard = Arc::new(Mutex::new(0));
        let observer = {
            let heard = Arc::clone(&heard);
            move |_| *heard.lock() += 1
        };
        let thresholds =
            AdmissionThresholds::default().with_ceiling_floor(1.0).with_ceiling_fraction(0.0);
        let store = AdmissionTracked::new(InMemoryReplayStore::new(), thresholds, observer);
        for (thumbprint, nonce, alarms) in [([0; 32], "1", 0), ([0; 32], "2", 0), ([1; 32], "1", 1)]
        {
            let key = ReplayKey::new("same", &thumbprint);
            let entry = ReplayEntry::restore(key, nonce, NOW.plus(360), 9);
            assert_eq!(store.insert(entry, NOW).await.unwrap(), InsertOutcome::Inserted);
            assert_eq!(*heard.lock(), alarms);
        }
    }

    #[cfg(feature = "metrics")]
    #[tokio::test]
    async fn an_alarm_is_counted_by_its_clause() {
        let meter = crate::provider::metered::Meter::default();
        let _guard = metrics::set_default_local_recorder(&meter);
        let thresholds =
            AdmissionThresholds::default().with_ceiling_floor(1.0).with_ceiling_fraction(0.0);
        let store = AdmissionTracked::new(InMemoryReplayStore::new(), thresholds, |_| {});
        for keyid in ["a", "b", "c"] {
            let entry =
                ReplayEntry::restore(ReplayKey::new(keyid, &[0; 32]), "n", NOW.plus(360), 9);
            assert_eq!(store.insert(entry, NOW).await.unwrap(), InsertOutcome::Inserted);
        }
        let counts = meter.counts();
        assert!(counts.contains(&("adcp_admission_alarms_total clause=d".to_owned(), 1)));
        for clause in [
            AdmissionClause::ShortRatio,
            AdmissionClause::MediumRatio,
            AdmissionClause::LongRatio,
            AdmissionClause::Ceiling,
        ] {
            assert_eq!(clause.as_str(), clause.letter().to_string());
        }
    }
}
