//! The suite for a [`DeliveryStore`].

use std::collections::BTreeSet;

use adcp_signing_core::UnixSeconds;
use async_trait::async_trait;
use serde_json::json;
use tokio::task::JoinSet;

use super::{Checked, Violation, failed, same};
use crate::webhook::{
    Delivery, DeliveryId, DeliveryStore, Payload, Recipient, RegistrationId, WebhookTarget,
};

const NOW: UnixSeconds = UnixSeconds::new(1_776_520_800);
/// How long a claim of the suite lasts.
const CLAIM: i64 = 90;
/// How many deliveries are claimed by several handles at once.
const MANY: usize = 100;
const HANDLES: usize = 4;

/// A store of deliveries that the suite can empty and open.
#[async_trait]
pub trait DeliveriesUnderTest: Sync {
    /// The store.
    type Store: DeliveryStore + Clone + 'static;

    /// Empties the store and opens it as often as asked, as so many processes would: with a
    /// connection of its own for each handle, and all to the same deliveries.
    async fn empty(&self, handles: usize) -> Vec<Self::Store>;
}

/// Checks a store of deliveries, rule by rule.
///
/// # Errors
/// [`Violation`] with the first rule that the store breaks.
pub async fn check_deliveries<T: DeliveriesUnderTest>(under_test: &T) -> Result<(), Violation> {
    let rule = |rule| move |found| Violation { rule, found };
    let one = async || Handles(under_test.empty(1).await);
    let two = async || Handles(under_test.empty(2).await);
    whole(&two().await)
        .await
        .map_err(rule("what is stored comes back whole, through every handle"))?;
    added_twice(&one().await).await.map_err(rule("what is stored already stays as it is"))?;
    in_order(&one().await)
        .await
        .map_err(rule("a claim takes what is due longest, up to the limit"))?;
    claimed_once(&two().await)
        .await
        .map_err(rule("a claim holds until its end, against every handle"))?;
    put_back(&two().await).await.map_err(rule("what is put back counts an attempt and waits"))?;
    done(&two().await).await.map_err(rule("what is done does not come back"))?;
    late(&two().await)
        .await
        .map_err(rule("a claim that has ended changes nothing of the next one"))?;
    at_once(Handles(under_test.empty(HANDLES).await))
        .await
        .map_err(rule("of any number of claims at once, one has the delivery"))
}

/// The handles of one store.
struct Handles<S>(Vec<S>);

impl<S: DeliveryStore> Handles<S> {
    fn first(&self) -> Result<&S, String> {
        self.0.first().ok_or_else(|| "`empty` gave no handle".to_owned())
    }

    fn last(&self) -> Result<&S, String> {
        self.0.last().ok_or_else(|| "`empty` gave no handle".to_owned())
    }
}

fn delivery(number: usize, due: i64) -> Result<Delivery, String> {
    let target: WebhookTarget =
        "https://buyer.example.com/hooks?token=1".parse().map_err(failed)?;
    Ok(Delivery::restore(target.into(), payload(number)?, NOW.plus(-7), 3, NOW.plus(due)))
}

fn payload(number: usize) -> Result<Payload, String> {
    let key = format!("whk_20260526_{number:06}");
    Payload::from_json(&json!({ "idempotency_key": key, "name": "Übersicht\u{0}" })).map_err(failed)
}

async fn add(store: &impl DeliveryStore, delivery: &Delivery) -> Checked {
    store.add(delivery).await.map_err(failed)
}

async fn claim(
    store: &impl DeliveryStore,
    now: UnixSeconds,
    limit: usize,
) -> Result<Vec<Delivery>, String> {
    store.claim_due(now, now.plus(CLAIM), limit).await.map_err(failed)
}

fn ids(deliveries: &[Delivery]) -> Vec<&DeliveryId> {
    deliveries.iter().map(Delivery::id).collect()
}

async fn whole(handles: &Handles<impl DeliveryStore>) -> Checked {
    let registration = Recipient::Registration(RegistrationId::new("Käufer 7 ' \" ;"));
    let stored =
        [delivery(1, -1)?, Delivery::restore(registration, payload(1)?, NOW.plus(-8), 0, NOW)];
    for delivery in &stored {
        add(handles.first()?, delivery).await?;
    }
    let claimed = claim(handles.last()?, NOW, 9).await?;
    same("claimed", claimed, stored.map(|it| it.claimed_until(NOW.plus(CLAIM))).to_vec())
}

async fn added_twice(handles: &Handles<impl DeliveryStore>) -> Checked {
    let store = handles.first()?;
    add(store, &delivery(1, 5)?).await?;
    add(store, &delivery(1, 0)?).await?;
    same("claimed before it is due", ids(&claim(store, NOW, 9).await?), vec![])?;
    same("claimed when it is due", claim(store, NOW.plus(5), 9).await?.len(), 1)
}

async fn in_order(handles: &Handles<impl DeliveryStore>) -> Checked {
    let store = handles.first()?;
    let [one, two, three, four] =
        [delivery(1, 0)?, delivery(2, -5)?, delivery(3, 1)?, delivery(4, -9)?];
    for delivery in [&one, &two, &three, &four] {
        add(store, delivery).await?;
    }
    same("with limit 0", ids(&claim(store, NOW, 0).await?), vec![])?;
    same("first two", ids(&claim(store, NOW, 2).await?), vec![four.id(), two.id()])?;
    same("due at this moment", ids(&claim(store, NOW, 9).await?), vec![one.id()])?;
    same("not yet due", ids(&claim(store, NOW, 9).await?), vec![])
}

async fn claimed_once(handles: &Handles<impl DeliveryStore>) -> Checked {
    add(handles.first()?, &delivery(1, 0)?).await?;
    same("claimed", claim(handles.first()?, NOW, 9).await?.len(), 1)?;
    let before = NOW.plus(CLAIM - 1);
    same("claimed before the end", ids(&claim(handles.last()?, before, 9).await?), vec![])?;
    let at_the_end = claim(handles.last()?, NOW.plus(CLAIM), 9).await?;
    same("claimed at the end", at_the_end.len(), 1)?;
    let attempts = at_the_end.first().map(Delivery::attempts);
    same("a claim is no attempt", attempts, Some(delivery(1, 0)?.attempts()))
}

async fn put_back(handles: &Handles<impl DeliveryStore>) -> Checked {
    add(handles.first()?, &delivery(1, 0)?).await?;
    let claimed = claim(handles.first()?, NOW, 9).await?;
    for delivery in &claimed {
        handles.first()?.put_back(delivery, NOW.plus(20)).await.map_err(failed)?;
    }
    same("claimed too soon", ids(&claim(handles.last()?, NOW.plus(19), 9).await?), vec![])?;
    let again = claim(handles.last()?, NOW.plus(20), 9).await?;
    let expected = delivery(1, 0)?.failed(NOW.plus(20 + CLAIM));
    same("claimed in time", again, vec![expected])
}

async fn done(handles: &Handles<impl DeliveryStore>) -> Checked {
    let stored = delivery(1, 0)?;
    add(handles.first()?, &stored).await?;
    for delivery in claim(handles.first()?, NOW, 9).await? {
        handles.first()?.done(&delivery).await.map_err(failed)?;
        // A second end of the same claim changes nothing either.
        handles.last()?.put_back(&delivery, NOW).await.map_err(failed)?;
    }
    let later = NOW.plus(1_000_000);
    same("claimed after its end", ids(&claim(handles.last()?, later, 9).await?), vec![])?;
    add(handles.last()?, &stored).await?;
    same("stored anew", claim(handles.first()?, NOW, 9).await?.len(), 1)
}

async fn late(handles: &Handles<impl DeliveryStore>) -> Checked {
    add(handles.first()?, &delivery(1, 0)?).await?;
    let first = claim(handles.first()?, NOW, 9).await?;
    let (next, end) = (NOW.plus(CLAIM), NOW.plus(2 * CLAIM));
    same("claimed anew", claim(handles.last()?, next, 9).await?.len(), 1)?;
    for delivery in &first {
        handles.first()?.put_back(delivery, next).await.map_err(failed)?;
        let early = claim(handles.last()?, next, 9).await?;
        same("claimed after a late put_back", ids(&early), vec![])?;
        handles.first()?.done(delivery).await.map_err(failed)?;
    }
    let second = claim(handles.last()?, end, 9).await?;
    let expected = delivery(1, 0)?.claimed_until(end.plus(CLAIM));
    same("claimed after a late done", second, vec![expected])
}

async fn at_once<S: DeliveryStore + Clone + 'static>(handles: Handles<S>) -> Checked {
    let mut stored = BTreeSet::new();
    for number in 0..MANY {
        let delivery = delivery(number, 0)?;
        add(handles.first()?, &delivery).await?;
        stored.insert(delivery.id().clone());
    }
    let mut claims = JoinSet::new();
    for store in handles.0 {
        claims.spawn(async move {
            let mut mine = Vec::new();
            loop {
                let claimed = claim(&store, NOW, 3).await?;
                if claimed.is_empty() {
                    return Ok::<_, String>(mine);
                }
                mine.extend(claimed.iter().map(|delivery| delivery.id().clone()));
            }
        });
    }
    let mut claimed = Vec::new();
    while let Some(mine) = claims.join_next().await {
        claimed.extend(mine.map_err(|error| error.to_string())??);
    }
    same("how many were claimed", claimed.len(), MANY)?;
    same("which were claimed", claimed.into_iter().collect(), stored)
}
