//! The suites for stores of webhooks: the stores in memory pass, and each fault is named.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use adcp_signing_core::UnixSeconds;
use adcp_signing_http::webhook::{
    Claim, ClaimError, DedupStore, Delivery, DeliveryName, DeliveryStore, Fence, Fingerprint,
    InMemoryDedup, InMemoryDeliveries, Recipient, Retention, StoreFailure,
    conformance::{ClaimsUnderTest, DeliveriesUnderTest, check_claims, check_deliveries},
};
use async_trait::async_trait;

#[tokio::test(flavor = "multi_thread")]
async fn the_stores_in_memory_pass() {
    check_deliveries(&InMemory).await.unwrap();
    check_claims(&InMemory).await.unwrap();
}

struct InMemory;

#[async_trait]
impl DeliveriesUnderTest for InMemory {
    type Store = Arc<InMemoryDeliveries>;

    async fn empty(&self, handles: usize) -> Vec<Self::Store> {
        vec![Arc::default(); handles]
    }
}

#[async_trait]
impl ClaimsUnderTest for InMemory {
    type Store = Arc<InMemoryDedup>;

    async fn empty(&self, handles: usize) -> Vec<Self::Store> {
        vec![Arc::default(); handles]
    }
}

/// What a store of deliveries does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lapse {
    None,
    KeepsToItself,
    LosesRegistrations,
    OverwritesWhatIsStored,
    IgnoresTheLimit,
    TakesTheLatestFirst,
    HoldsNoClaim,
    ClaimsWithoutEnd,
    CountsAClaimAsAnAttempt,
    CountsNoAttempt,
    ForgetsThePause,
    RemovesNothing,
    PutsBackWhatIsClaimedAnew,
    RemovesWhatIsClaimedAnew,
    ClaimsInTwoSteps,
}

/// A store of deliveries with one fault.
#[derive(Debug, Clone)]
struct Deliveries(Arc<Mutex<Vec<Delivery>>>, Lapse);

impl Deliveries {
    /// Whether a claim is still that of the stored delivery, and whether it matters to this store.
    fn holds(&self, stored: &Delivery, claimed: &Delivery, careless: Lapse) -> bool {
        stored.id() == claimed.id() && (stored.due() == claimed.due() || self.1 == careless)
    }
}

#[async_trait]
impl DeliveryStore for Deliveries {
    async fn add(&self, delivery: &Delivery) -> Result<(), StoreFailure> {
        let is_registration = matches!(delivery.recipient(), Recipient::Registration(_));
        if self.1 == Lapse::LosesRegistrations && is_registration {
            return Ok(());
        }
        let mut stored = self.0.lock().unwrap();
        if self.1 == Lapse::OverwritesWhatIsStored {
            stored.retain(|it| it.id() != delivery.id());
        }
        if !stored.iter().any(|it| it.id() == delivery.id()) {
            stored.push(delivery.clone());
        }
        Ok(())
    }

    async fn claim_due(
        &self,
        now: UnixSeconds,
        until: UnixSeconds,
        limit: usize,
    ) -> Result<Vec<Delivery>, StoreFailure> {
        let mut due: Vec<_> = self.0.lock().unwrap().clone();
        due.retain(|delivery| delivery.due() <= now);
        due.sort_by_key(Delivery::due);
        if self.1 == Lapse::TakesTheLatestFirst {
            due.reverse();
        }
        if self.1 != Lapse::IgnoresTheLimit {
            due.truncate(limit);
        }
        if self.1 == Lapse::ClaimsInTwoSteps {
            tokio::task::yield_now().await;
        }
        let end = match self.1 {
            Lapse::HoldsNoClaim => now,
            Lapse::ClaimsWithoutEnd => UnixSeconds::new(i64::MAX),
            _ => until,
        };
        let mut stored = self.0.lock().unwrap();
        for delivery in stored.iter_mut().filter(|it| due.iter().any(|due| due.id() == it.id())) {
            *delivery = match self.1 {
                Lapse::CountsAClaimAsAnAttempt => delivery.clone().failed(end),
                _ => delivery.clone().claimed_until(end),
            };
        }
        let claimed = due.iter().filter_map(|due| stored.iter().find(|it| it.id() == due.id()));
        Ok(claimed.map(|delivery| delivery.clone().claimed_until(until)).collect())
    }

    async fn put_back(&self, claimed: &Delivery, due: UnixSeconds) -> Result<(), StoreFailure> {
        let mut stored = self.0.lock().unwrap();
        for it in stored.iter_mut() {
            if self.holds(it, claimed, Lapse::PutsBackWhatIsClaimedAnew) {
                *it = match self.1 {
                    Lapse::CountsNoAttempt => claimed.clone().claimed_until(due),
                    Lapse::ForgetsThePause => claimed.clone().failed(UnixSeconds::new(0)),
                    _ => claimed.clone().failed(due),
                };
            }
        }
        Ok(())
    }

    async fn done(&self, claimed: &Delivery) -> Result<(), StoreFailure> {
        let mut stored = self.0.lock().unwrap();
        if self.1 != Lapse::RemovesNothing {
            stored.retain(|it| !self.holds(it, claimed, Lapse::RemovesWhatIsClaimedAnew));
        }
        Ok(())
    }
}

#[async_trait]
impl DeliveriesUnderTest for Lapse {
    type Store = Deliveries;

    async fn empty(&self, handles: usize) -> Vec<Deliveries> {
        let shared = Arc::default();
        let own = |_| match self {
            Self::KeepsToItself => Arc::default(),
            _ => Arc::clone(&shared),
        };
        (0..handles).map(own).map(|store| Deliveries(store, *self)).collect()
    }
}

#[tokio::test]
async fn each_fault_of_a_store_of_deliveries_is_named() {
    for (lapse, rule) in [
        (Lapse::KeepsToItself, "what is stored comes back whole, through every handle"),
        (Lapse::LosesRegistrations, "what is stored comes back whole, through every handle"),
        (Lapse::OverwritesWhatIsStored, "what is stored already stays as it is"),
        (Lapse::IgnoresTheLimit, "a claim takes what is due longest, up to the limit"),
        (Lapse::TakesTheLatestFirst, "what is stored comes back whole, through every handle"),
        (Lapse::HoldsNoClaim, "a claim takes what is due longest, up to the limit"),
        (Lapse::ClaimsWithoutEnd, "a claim holds until its end, against every handle"),
        (Lapse::CountsAClaimAsAnAttempt, "what is stored comes back whole, through every handle"),
        (Lapse::CountsNoAttempt, "what is put back counts an attempt and waits"),
        (Lapse::ForgetsThePause, "what is put back counts an attempt and waits"),
        (Lapse::RemovesNothing, "what is done does not come back"),
        (
            Lapse::PutsBackWhatIsClaimedAnew,
            "a claim that has ended changes nothing of the next one",
        ),
        (Lapse::RemovesWhatIsClaimedAnew, "a claim that has ended changes nothing of the next one"),
        (Lapse::ClaimsInTwoSteps, "of any number of claims at once, one has the delivery"),
    ] {
        let violation = check_deliveries(&lapse).await.unwrap_err();
        assert_eq!(violation.rule(), rule, "{lapse:?}: {violation}");
    }
    check_deliveries(&Lapse::None).await.unwrap();
}

/// What a store of claims does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    KeepsToItself,
    HoldsNoClaim,
    ClaimsWithoutEnd,
    ForgetsCompletions,
    KeepsForEver,
    ReleasesTheBinding,
    ReusesFences,
    ReleasesWhatIsClaimedAnew,
    CompletesWhatIsClaimedAnew,
    MixesSenders,
    ClaimsInTwoSteps,
}

#[derive(Debug, Clone)]
struct Entry {
    payload: Fingerprint,
    fence: u64,
    completed: bool,
    claimed_until: UnixSeconds,
    expires_at: UnixSeconds,
}

/// A store of claims with one fault.
#[derive(Debug, Clone)]
struct Claims(Arc<Mutex<HashMap<String, Entry>>>, Fault);

impl Claims {
    fn key(&self, name: DeliveryName<'_>) -> String {
        match self.1 {
            Fault::MixesSenders => name.key().to_string(),
            _ => format!("{} {}", name.sender(), name.key()),
        }
    }

    fn finish(&self, name: DeliveryName<'_>, fence: Fence, careless: Fault, completed: bool) {
        let key = self.key(name);
        let mut entries = self.0.lock().unwrap();
        let Some(entry) = entries.get_mut(&key) else { return };
        if entry.completed || (entry.fence != fence.0 && self.1 != careless) {
            return;
        }
        entry.completed = completed && self.1 != Fault::ForgetsCompletions;
        entry.claimed_until = UnixSeconds::new(0);
        if !completed && self.1 == Fault::ReleasesTheBinding {
            entries.remove(&key);
        }
    }
}

fn seconds(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap()
}

#[async_trait]
impl DedupStore for Claims {
    async fn claim(
        &self,
        name: DeliveryName<'_>,
        payload: Fingerprint,
        now: UnixSeconds,
        retention: Retention,
    ) -> Result<Claim, ClaimError> {
        let key = self.key(name);
        let known = self.0.lock().unwrap().get(&key).cloned();
        let known = known.filter(|it| it.expires_at > now || self.1 == Fault::KeepsForEver);
        if self.1 == Fault::ClaimsInTwoSteps {
            tokio::task::yield_now().await;
        }
        let fence = match &known {
            Some(entry) if entry.payload != payload => return Ok(Claim::Conflict),
            Some(entry) if entry.completed => return Ok(Claim::Completed),
            Some(entry) if entry.claimed_until > now && self.1 != Fault::HoldsNoClaim => {
                return Ok(Claim::Running);
            }
            Some(entry) if self.1 == Fault::ReusesFences => entry.fence,
            Some(entry) => entry.fence + 1,
            None => 1,
        };
        let claim = match self.1 {
            Fault::ClaimsWithoutEnd => 1_000_000,
            _ => seconds(retention.claim()),
        };
        let expires_at = known.map(|entry| entry.expires_at);
        let entry = Entry {
            payload,
            fence,
            completed: false,
            claimed_until: now.plus(claim),
            expires_at: expires_at.unwrap_or(now.plus(seconds(retention.keep()))),
        };
        self.0.lock().unwrap().insert(key, entry);
        Ok(Claim::Yours(Fence(fence)))
    }

    async fn complete(&self, name: DeliveryName<'_>, fence: Fence) -> Result<(), ClaimError> {
        self.finish(name, fence, Fault::CompletesWhatIsClaimedAnew, true);
        Ok(())
    }

    async fn release(&self, name: DeliveryName<'_>, fence: Fence) -> Result<(), ClaimError> {
        self.finish(name, fence, Fault::ReleasesWhatIsClaimedAnew, false);
        Ok(())
    }
}

#[async_trait]
impl ClaimsUnderTest for Fault {
    type Store = Claims;

    async fn empty(&self, handles: usize) -> Vec<Claims> {
        let shared = Arc::default();
        let own = |_| match self {
            Self::KeepsToItself => Arc::default(),
            _ => Arc::clone(&shared),
        };
        (0..handles).map(own).map(|store| Claims(store, *self)).collect()
    }
}

#[tokio::test]
async fn each_fault_of_a_store_of_claims_is_named() {
    let held = "an unknown delivery is claimed, and held against every handle";
    let completed = "a completed delivery is known for as long as it is kept, and no longer";
    let released = "a released delivery is claimed anew, and stays bound to its payload";
    let late = "a claim that has ended changes nothing of the next one";
    for (fault, rule) in [
        (Fault::KeepsToItself, held),
        (Fault::HoldsNoClaim, held),
        (Fault::ClaimsWithoutEnd, held),
        (Fault::ForgetsCompletions, completed),
        (Fault::KeepsForEver, completed),
        (Fault::ReleasesTheBinding, released),
        (Fault::ReusesFences, released),
        (Fault::ReleasesWhatIsClaimedAnew, late),
        (Fault::CompletesWhatIsClaimedAnew, late),
        (Fault::MixesSenders, "the deliveries of two senders never meet"),
        (Fault::ClaimsInTwoSteps, "of any number of claims at once, one has the delivery"),
    ] {
        let violation = check_claims(&fault).await.unwrap_err();
        assert_eq!(violation.rule(), rule, "{fault:?}: {violation}");
    }
    check_claims(&Fault::None).await.unwrap();
}
