//! The suite for a [`DedupStore`].

use std::time::Duration;

use adcp_signing_core::UnixSeconds;
use async_trait::async_trait;
use tokio::task::JoinSet;

use super::{Checked, Violation, failed, same};
use crate::webhook::{
    Claim, DedupStore, DeliveryName, Fence, Fingerprint, IdempotencyKey, Retention,
};

const NOW: UnixSeconds = UnixSeconds::new(1_776_520_800);
const SENDER: &str = "https://seller.example.com/adcp";
const DAY: i64 = 86_400;
/// How long a claim of the suite lasts.
const CLAIM: i64 = 60;
const PAYLOAD: Fingerprint = Fingerprint::restore([1; 32]);
const OTHER_PAYLOAD: Fingerprint = Fingerprint::restore([2; 32]);
/// How many claim one delivery at once.
const MANY: usize = 32;

/// A store of claims that the suite can empty and open.
#[async_trait]
pub trait ClaimsUnderTest: Sync {
    /// The store.
    type Store: DedupStore + Clone + 'static;

    /// Empties the store and opens it as often as asked, as so many processes would: with a
    /// connection of its own for each handle, and all to the same claims.
    async fn empty(&self, handles: usize) -> Vec<Self::Store>;
}

/// Checks a store of claims, rule by rule.
///
/// # Errors
/// [`Violation`] with the first rule that the store breaks.
pub async fn check_claims<T: ClaimsUnderTest>(under_test: &T) -> Result<(), Violation> {
    let rule = |rule| move |found| Violation { rule, found };
    let two = async || Handles::of(under_test.empty(2).await);
    let handles = async |name| two().await.map_err(rule(name));
    let name = "an unknown delivery is claimed, and held against every handle";
    claimed(&handles(name).await?).await.map_err(rule(name))?;
    let name = "a completed delivery is known for as long as it is kept, and no longer";
    completed(&handles(name).await?).await.map_err(rule(name))?;
    let name = "a released delivery is claimed anew, and stays bound to its payload";
    released(&handles(name).await?).await.map_err(rule(name))?;
    let name = "a claim that has ended changes nothing of the next one";
    late(&handles(name).await?).await.map_err(rule(name))?;
    let name = "the deliveries of two senders never meet";
    apart(&handles(name).await?).await.map_err(rule(name))?;
    at_once(under_test.empty(MANY).await)
        .await
        .map_err(rule("of any number of claims at once, one has the delivery"))
}

/// Two handles of one store.
struct Handles<S> {
    one: S,
    other: S,
}

impl<S: DedupStore> Handles<S> {
    fn of(handles: Vec<S>) -> Result<Self, String> {
        let mut handles = handles.into_iter();
        match (handles.next(), handles.next()) {
            (Some(one), Some(other)) => Ok(Self { one, other }),
            _ => Err("`empty` gave fewer handles than asked for".to_owned()),
        }
    }
}

/// A claim without its fence.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Yours,
    Running,
    Completed,
    Conflict,
    Full,
}

async fn claim(
    store: &impl DedupStore,
    sender: &str,
    payload: Fingerprint,
    now: UnixSeconds,
) -> Result<(Answer, Option<Fence>), String> {
    let (key, retention) = (key()?, retention()?);
    let name = DeliveryName::new(sender, &key);
    Ok(match store.claim(name, payload, now, retention).await.map_err(failed)? {
        Claim::Yours(fence) => (Answer::Yours, Some(fence)),
        Claim::Running => (Answer::Running, None),
        Claim::Completed => (Answer::Completed, None),
        Claim::Conflict => (Answer::Conflict, None),
        Claim::Full => (Answer::Full, None),
    })
}

/// What a claim is answered.
async fn answer(
    store: &impl DedupStore,
    payload: Fingerprint,
    now: UnixSeconds,
) -> Result<Answer, String> {
    Ok(claim(store, SENDER, payload, now).await?.0)
}

/// The fence of a claim that has to be answered `Yours`.
async fn fence(store: &impl DedupStore, now: UnixSeconds) -> Result<Fence, String> {
    match claim(store, SENDER, PAYLOAD, now).await? {
        (_, Some(fence)) => Ok(fence),
        (other, None) => Err(format!("expected Yours, found {other:?}")),
    }
}

fn key() -> Result<IdempotencyKey, String> {
    IdempotencyKey::try_from("whk_20260526_000031").map_err(failed)
}

fn retention() -> Result<Retention, String> {
    Retention::new(Duration::from_secs(86_400), Duration::from_secs(60)).map_err(failed)
}

async fn complete(store: &impl DedupStore, fence: Fence) -> Checked {
    store.complete(DeliveryName::new(SENDER, &key()?), fence).await.map_err(failed)
}

async fn release(store: &impl DedupStore, fence: Fence) -> Checked {
    store.release(DeliveryName::new(SENDER, &key()?), fence).await.map_err(failed)
}

async fn claimed<S: DedupStore>(Handles { one, other }: &Handles<S>) -> Checked {
    fence(one, NOW).await?;
    same("while it is claimed", answer(other, PAYLOAD, NOW).await?, Answer::Running)?;
    let before = NOW.plus(CLAIM - 1);
    same("before the end", answer(other, PAYLOAD, before).await?, Answer::Running)?;
    let conflict = answer(other, OTHER_PAYLOAD, before).await?;
    same("with another payload", conflict, Answer::Conflict)?;
    same("at the end", answer(other, PAYLOAD, NOW.plus(CLAIM)).await?, Answer::Yours)
}

async fn completed<S: DedupStore>(Handles { one, other }: &Handles<S>) -> Checked {
    complete(one, fence(one, NOW).await?).await?;
    same("at once", answer(other, PAYLOAD, NOW).await?, Answer::Completed)?;
    let last = NOW.plus(DAY - 1);
    same("until the end", answer(other, PAYLOAD, last).await?, Answer::Completed)?;
    let conflict = answer(other, OTHER_PAYLOAD, last).await?;
    same("with another payload", conflict, Answer::Conflict)?;
    same("at the end", answer(other, OTHER_PAYLOAD, NOW.plus(DAY)).await?, Answer::Yours)
}

async fn released<S: DedupStore>(Handles { one, other }: &Handles<S>) -> Checked {
    let first = fence(one, NOW).await?;
    release(one, first).await?;
    let conflict = answer(other, OTHER_PAYLOAD, NOW).await?;
    same("with another payload", conflict, Answer::Conflict)?;
    let second = fence(other, NOW).await?;
    if first == second {
        return Err("the next claim has the fence of the one before".to_owned());
    }
    same("while it is claimed", answer(one, PAYLOAD, NOW).await?, Answer::Running)
}

async fn late<S: DedupStore>(Handles { one, other }: &Handles<S>) -> Checked {
    let first = fence(one, NOW).await?;
    let next = NOW.plus(CLAIM);
    let second = fence(other, next).await?;
    release(one, first).await?;
    same("after a late release", answer(one, PAYLOAD, next).await?, Answer::Running)?;
    complete(one, first).await?;
    same("after a late completion", answer(one, PAYLOAD, next).await?, Answer::Running)?;
    complete(other, second).await?;
    release(other, second).await?;
    same("after its completion", answer(one, PAYLOAD, next).await?, Answer::Completed)
}

async fn apart<S: DedupStore>(Handles { one, other }: &Handles<S>) -> Checked {
    complete(one, fence(one, NOW).await?).await?;
    let stranger = claim(other, "https://other.example.com/adcp", OTHER_PAYLOAD, NOW).await?;
    same("of another sender", stranger.0, Answer::Yours)
}

async fn at_once<S: DedupStore + Clone + 'static>(handles: Vec<S>) -> Checked {
    let mut claims = JoinSet::new();
    for store in handles {
        claims.spawn(async move { answer(&store, PAYLOAD, NOW).await });
    }
    let mut answers = Vec::new();
    while let Some(answer) = claims.join_next().await {
        answers.push(answer.map_err(|error| error.to_string())??);
    }
    same("how many had it", answers.iter().filter(|it| **it == Answer::Yours).count(), 1)?;
    let running = answers.iter().filter(|it| **it == Answer::Running).count();
    same("how many were told to come back", running, MANY - 1)
}
