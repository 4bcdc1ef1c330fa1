//! The backend with the layers around it that production has.

use std::{
    num::NonZeroUsize,
    sync::{Arc, atomic::AtomicUsize},
    time::Duration,
};

use adcp_signing_core::{
    ProviderErrorKind::Throttled,
    provider::layers::{LazyKey, RetryPolicy, Stack},
};
use futures_util::{StreamExt as _, future::try_join_all, stream::FuturesUnordered};

use super::faults::{BASE, OUTAGE_FAILURES, Outage};
use crate::provider::{
    Fault, KeyState,
    suite::{Dyn, Faulty, Run, Stop, fail},
};

/// How many callers wait for a service that is away.
const CALLERS: usize = 16;
/// How many calls a service that hangs is left with, and how many of them it may have.
const CALLS: usize = 1_000;
const IN_FLIGHT: NonZeroUsize = NonZeroUsize::MIN.saturating_add(3);
const WAITING: usize = 64;

/// A process that starts while the service is away: its callers queue, and each has its signature
/// once the service is there.
pub(super) async fn down_at_start(run: &Run<'_>) -> Result<(), Stop> {
    let key = run.public_key(&run.provider(KeyState::Ready).await?).await?;
    let Faulty { provider, faults } = run.faulty().await?;
    faults.inject(Fault::Refuse).await.map_err(|error| run.stop(error))?;
    let purpose = provider.purpose().clone();
    let outage = Outage { inner: provider, faults, failures: AtomicUsize::new(0) };
    let outage: Dyn = Arc::new(outage);
    let pauses = (Duration::from_millis(1), Duration::from_millis(5));
    let attempts = NonZeroUsize::MIN.saturating_add(OUTAGE_FAILURES);
    let retry = RetryPolicy::default()
        .with_max_attempts(attempts)
        .with_pauses(pauses.0, pauses.1)
        .with_total_deadline(run.suite.call_limit);
    let stack = Stack::default().with_retry(retry).with_attempt_deadline(run.suite.call_limit);
    let lazy = LazyKey::new(purpose, stack, move || {
        let outage = Arc::clone(&outage);
        async move { outage.public_key().await.map(|_| outage) }
    });
    let signed = (0..CALLERS).map(|number| {
        let (lazy, key) = (&lazy, &key);
        async move {
            let opened = lazy.open().await;
            let provider: Dyn =
                opened.map_err(|error| run.unexpected("the key was not opened", error))?;
            run.sign_well(&provider, key, format!("signature base {number}").as_bytes()).await
        }
    });
    try_join_all(signed).await.map(drop)
}

/// Calls to a service that hangs: more than the queue holds are refused at once and by type, and
/// when all are dropped in flight, nothing is left of them.
pub(super) async fn bounded_queue(run: &Run<'_>) -> Result<(), Stop> {
    let key = run.public_key(&run.provider(KeyState::Ready).await?).await?;
    let faulty = run.faulty().await?;
    let stack = Stack::default()
        .with_concurrency_limit(IN_FLIGHT, WAITING)
        .with_attempt_deadline(run.suite.call_limit);
    let stacked: Dyn = stack.around(Arc::clone(&faulty.provider));
    run.sign_well(&stacked, &key, BASE).await?;
    faulty.inject(run, Fault::Hang).await?;

    let mut calls: FuturesUnordered<_> = (0..CALLS).map(|_| stacked.sign(BASE)).collect();
    let mut refused = 0;
    let answers = async {
        while let Some(answer) = calls.next().await {
            run.expect("a call beyond the queue", answer, &[Throttled])?;
            refused += 1;
        }
        Ok::<_, Stop>(())
    };
    if let Ok(ended) = tokio::time::timeout(run.suite.hang_limit, answers).await {
        ended?;
        fail!("no call waited for the service");
    }
    let expected = CALLS.saturating_sub(IN_FLIGHT.get().saturating_add(WAITING));
    if refused != expected {
        fail!("{refused} of {CALLS} calls were refused, expected {expected}");
    }
    drop(calls);
    faulty.faults.heal().await.map_err(|error| run.stop(error))?;
    let again = (0..IN_FLIGHT.get()).map(|_| run.sign_well(&stacked, &key, BASE));
    try_join_all(again).await.map(drop)
}
