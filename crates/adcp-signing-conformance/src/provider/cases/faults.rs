//! Faults between the provider and its service: typed, and over when the fault is over.

use std::{
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use adcp_signing_core::{
    ProviderError,
    ProviderErrorKind::{self, InvalidResponse, Throttled, Timeout, Unavailable},
    PublicKey, SigningProvider,
    provider::{
        Capability, KeyIdentity, Signed,
        layers::{Deadline, RetryPolicy, Retrying},
    },
};
use async_trait::async_trait;

use crate::provider::{
    Fault, Faults, KeyState,
    suite::{Dyn, Faulty, Run, Stop, fail},
};

/// No call waits for it.
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(7);
pub(super) const BASE: &[u8] = b"signature base";
/// How many attempts an outage lasts.
pub(super) const OUTAGE_FAILURES: usize = 2;

pub(super) async fn throttled(run: &Run<'_>, retry_after: Option<Duration>) -> Result<(), Stop> {
    let fault = Fault::Throttled { retry_after };
    outlasts(run, fault, &[Throttled]).await?;
    let faulty = run.faulty().await?;
    faulty.inject(run, fault).await?;
    match faulty.provider.sign(BASE).await {
        // Its texts were searched above.
        Err(error) if error.retry_after() == retry_after => Ok(()),
        Err(error) => {
            fail!("retry_after is {:?}; the service said {retry_after:?}", error.retry_after())
        }
        Ok(_) => fail!("signing succeeded under {fault:?}"),
    }
}

pub(super) async fn service_failure(run: &Run<'_>) -> Result<(), Stop> {
    outlasts(run, Fault::Unavailable, &[Unavailable]).await
}

pub(super) async fn connection_refused(run: &Run<'_>) -> Result<(), Stop> {
    outlasts(run, Fault::Refuse, &[Unavailable]).await
}

pub(super) async fn killed_mid_call(run: &Run<'_>) -> Result<(), Stop> {
    outlasts(run, Fault::CutMidCall, &[Unavailable]).await
}

pub(super) async fn garbage_reply(run: &Run<'_>) -> Result<(), Stop> {
    outlasts(run, Fault::Garbage, &[InvalidResponse]).await
}

pub(super) async fn truncated_reply(run: &Run<'_>) -> Result<(), Stop> {
    outlasts(run, Fault::Truncate, &[InvalidResponse, Unavailable]).await
}

/// A client that reads a reply whole is ended by the time limit.
pub(super) async fn endless_reply(run: &Run<'_>) -> Result<(), Stop> {
    outlasts(run, Fault::Endless, &[InvalidResponse, Timeout]).await
}

pub(super) async fn slow_reply(run: &Run<'_>) -> Result<(), Stop> {
    outlasts(run, Fault::Drip, &[Timeout]).await
}

pub(super) async fn timeout(run: &Run<'_>) -> Result<(), Stop> {
    outlasts(run, Fault::Hang, &[Timeout]).await
}

/// Neither the client nor the backend repeats a call: that is the caller's policy, made once for
/// all backends.
pub(super) async fn one_request_per_call(run: &Run<'_>) -> Result<(), Stop> {
    let faulty = run.faulty().await?;
    run.sign(&faulty.provider, BASE).await?;
    let mut seen = Err(Stop::NotApplicable("no fault is answered here".to_owned()));
    for fault in [Fault::Throttled { retry_after: None }, Fault::Unavailable] {
        let Some(before) = faulty.faults.requests() else {
            return Err(Stop::NotApplicable("the harness cannot count requests".to_owned()));
        };
        match faulty.inject(run, fault).await {
            Err(Stop::NotApplicable(_)) => continue,
            injected => injected?,
        }
        run.expect("signing", faulty.provider.sign(BASE).await, &[Throttled, Unavailable])?;
        let made = faulty.faults.requests().unwrap_or_default().saturating_sub(before);
        if made != 1 {
            fail!(
                "one call under {fault:?} made {made} requests; are the client's own retries on?"
            );
        }
        seen = Ok(());
    }
    seen
}

pub(super) async fn retried_through_outage(run: &Run<'_>) -> Result<(), Stop> {
    let Faulty { provider, faults } = run.faulty().await?;
    let key = run.public_key(&provider).await?;
    faults.inject(Fault::Refuse).await.map_err(|error| run.stop(error))?;
    let outage = Outage { inner: provider, faults, failures: AtomicUsize::new(0) };
    let attempts = NonZeroUsize::MIN.saturating_add(OUTAGE_FAILURES);
    let policy = RetryPolicy::default()
        .with_max_attempts(attempts)
        .with_pauses(Duration::from_millis(1), Duration::from_millis(5))
        .with_total_deadline(run.suite.call_limit);
    let retrying: Dyn = Arc::new(Retrying::new(outage, policy));
    run.sign_well(&retrying, &key, BASE).await
}

/// Before the first use and after it: the fault is told as one of `expected`, and once it is over
/// the same provider signs.
async fn outlasts(run: &Run<'_>, fault: Fault, expected: &[ProviderErrorKind]) -> Result<(), Stop> {
    let key = run.public_key(&run.provider(KeyState::Ready).await?).await?;
    let faulty = run.faulty().await?;
    let limit = match fault {
        Fault::Hang | Fault::Endless | Fault::Drip => run.suite.hang_limit,
        _ => run.suite.call_limit,
    };
    let provider: Dyn = Arc::new(Deadline::new(Arc::clone(&faulty.provider), limit));
    for when in ["before the first use", "after it"] {
        faulty.inject(run, fault).await?;
        match provider.public_key().await {
            // Known from before, or from the configuration.
            Ok(known) if known == key => {}
            Ok(_) => fail!("{when}, another public key was handed out under {fault:?}"),
            refused => run.expect(&format!("{when}, the public key"), refused, expected)?,
        }
        run.expect(&format!("{when}, signing"), provider.sign(BASE).await, expected)?;
        faulty.faults.heal().await.map_err(|error| run.stop(error))?;
        // Within the time that a call may take: the limit of a hang is shorter than a slow
        // service's answers.
        run.sign_well(&faulty.provider, &key, BASE).await?;
        if run.public_key(&faulty.provider).await? != key {
            fail!("{when}, the public key was another one when the fault was over");
        }
    }
    Ok(())
}

/// Ends the outage after some failures, from within the failing call: no clock decides.
#[derive(Debug)]
pub(super) struct Outage {
    pub(super) inner: Dyn,
    pub(super) faults: Box<dyn Faults>,
    pub(super) failures: AtomicUsize,
}

impl Outage {
    async fn seen<T>(&self, outcome: Result<T, ProviderError>) -> Result<T, ProviderError> {
        if outcome.is_err() && self.failures.fetch_add(1, Ordering::SeqCst) + 1 == OUTAGE_FAILURES {
            let healed = self.faults.heal().await;
            healed.map_err(|error| {
                ProviderError::new(ProviderErrorKind::Configuration, "the fault did not end")
                    .with_source(error)
            })?;
        }
        outcome
    }
}

#[async_trait]
impl SigningProvider for Outage {
    fn identity(&self) -> &KeyIdentity {
        self.inner.identity()
    }

    fn capability(&self) -> Capability {
        self.inner.capability()
    }

    async fn public_key(&self) -> Result<PublicKey, ProviderError> {
        self.seen(self.inner.public_key().await).await
    }

    async fn sign(&self, message: &[u8]) -> Result<Signed, ProviderError> {
        self.seen(self.inner.sign(message).await).await
    }
}
