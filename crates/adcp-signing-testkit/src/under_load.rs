//! What callers see who sign all the while that their server is killed and started again.

use std::{
    fmt,
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use adcp_signing_core::{
    ProviderError, ProviderErrorKind, PublicKey, SigningProvider,
    provider::{
        Capability, KeyIdentity, Signed,
        layers::{Deadline, RetryPolicy, SigningProviderExt as _},
    },
};
use async_trait::async_trait;
use tokio::{sync::watch, task::JoinSet, time::timeout};

use crate::OwnServer;

const CALLERS: usize = 64;
/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(10);
/// How long a patient caller goes on trying: longer than any outage here.
const PATIENCE: Duration = Duration::from_secs(150);
/// How long an impatient one does.
const IMPATIENCE: Duration = Duration::from_millis(300);
/// How long after its own deadline a call may end before it counts as hung.
const GRACE: Duration = Duration::from_secs(5);
/// How long each part of the run may take.
const PHASE: Duration = Duration::from_secs(150);

/// What a run under load came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survived {
    /// Requests that ended with a signature that verifies.
    pub signed: usize,
    /// Requests that ended with a typed error, which only callers in a hurry may see.
    pub refused: usize,
    /// The kinds of the errors that single attempts ended with, each once.
    pub kinds: Vec<ProviderErrorKind>,
}

/// Signs with 64 callers through the wrappers of production, kills the server under them, and
/// starts it again.
///
/// Half of the callers retry for longer than the outage lasts: each of their requests must end with
/// a signature. The others give up within a third of a second, and may get a retryable error
/// instead. No attempt may fail with anything that is not retryable, no request may outlast its
/// deadline, and after the restart the provider must sign again as it is.
///
/// # Errors
/// What did not hold.
pub async fn survives_a_kill(
    provider: Arc<dyn SigningProvider>,
    server: &mut dyn OwnServer,
) -> Result<Survived, String> {
    let key = provider
        .public_key()
        .await
        .map_err(|error| format!("no public key to begin with: {error}"))?;
    let (counts, seen) = watch::channel(Counts::new());
    let run = Arc::new(Run { counts, stop: AtomicBool::new(false), key });
    let watched =
        Arc::new(Watched { inner: provider.with_deadline(ATTEMPT), run: Arc::clone(&run) });
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        callers.spawn(Arc::clone(&run).sign_on(caller, Arc::clone(&watched)));
    }
    let story = async {
        let mut phases = Phases { seen };
        phases.until("before the kill", |counts| counts.patient_since(&[0; CALLERS], 2)).await?;
        let Counts { failed_attempts, refused, .. } = *phases.seen.borrow();
        server.kill().await.map_err(|error| format!("the server could not be killed: {error}"))?;
        let outage = |counts: &Counts| {
            counts.failed_attempts >= failed_attempts + CALLERS && counts.refused > refused
        };
        phases.until("while the server is away", outage).await?;
        server.restart().await.map_err(|error| format!("the server did not come back: {error}"))?;
        let before = phases.seen.borrow().signed.clone();
        // The first of them may have been asked for before the server was back.
        phases.until("after the restart", |counts| counts.patient_since(&before, 2)).await
    };
    // A caller ends by itself only where something is wrong.
    let outcome = tokio::select! {
        outcome = story => outcome,
        Some(ended) = callers.join_next() => ended.unwrap_or_else(|error| Err(error.to_string())),
    };
    run.stop.store(true, Ordering::SeqCst);
    outcome?;
    while let Some(ended) = callers.join_next().await {
        ended.unwrap_or_else(|error| Err(error.to_string()))?;
    }
    let counts = run.counts.borrow();
    Ok(Survived {
        signed: counts.signed.iter().sum(),
        refused: counts.refused,
        kinds: counts.kinds.clone(),
    })
}

/// What all callers share.
struct Run {
    counts: watch::Sender<Counts>,
    stop: AtomicBool,
    key: PublicKey,
}

#[derive(Debug)]
struct Counts {
    /// Of each caller.
    signed: Vec<usize>,
    refused: usize,
    failed_attempts: usize,
    kinds: Vec<ProviderErrorKind>,
}

impl Counts {
    fn new() -> Self {
        Self { signed: vec![0; CALLERS], refused: 0, failed_attempts: 0, kinds: Vec::new() }
    }

    /// Whether every patient caller got so many signatures more than `before`.
    fn patient_since(&self, before: &[usize], more: usize) -> bool {
        let mut callers = self.signed.iter().zip(before).enumerate();
        callers.all(|(caller, (now, before))| !is_patient(caller) || *now >= before + more)
    }
}

const fn is_patient(caller: usize) -> bool {
    caller.is_multiple_of(2)
}

/// Waits for what the callers bring about.
struct Phases {
    seen: watch::Receiver<Counts>,
}

impl Phases {
    async fn until(
        &mut self,
        when: &str,
        holds: impl FnMut(&Counts) -> bool,
    ) -> Result<(), String> {
        let reached =
            timeout(PHASE, self.seen.wait_for(holds)).await.map(|reached| reached.is_ok());
        match reached {
            Ok(true) => Ok(()),
            Ok(false) => Err(format!("the callers ended {when}")),
            Err(_) => {
                let counts = self.seen.borrow();
                Err(format!("nothing more happened {when}: {counts:?}"))
            }
        }
    }
}

impl Run {
    /// One caller: signs again and again until the run ends.
    async fn sign_on(self: Arc<Self>, caller: usize, provider: Arc<Watched>) -> Result<(), String> {
        let patient = is_patient(caller);
        let total = if patient { PATIENCE } else { IMPATIENCE };
        let policy = RetryPolicy::default()
            .with_max_attempts(NonZeroUsize::MAX)
            .with_pauses(Duration::from_millis(20), Duration::from_millis(200))
            .with_total_deadline(total);
        let stack = provider.retrying(policy).self_checking();
        for request in 0_usize.. {
            if self.stop.load(Ordering::SeqCst) {
                break;
            }
            let base = format!("request {request} of caller {caller}");
            let answer = timeout(total + GRACE, stack.sign(base.as_bytes())).await;
            let answer = answer.map_err(|_| format!("{base} hung"))?;
            match answer {
                Ok(signed) => {
                    let verified = self.key.verify(base.as_bytes(), &signed.signature);
                    verified
                        .map_err(|error| format!("{base} got the signature of another: {error}"))?;
                    self.counts.send_modify(|counts| {
                        if let Some(signed) = counts.signed.get_mut(caller) {
                            *signed += 1;
                        }
                    });
                }
                Err(error) if !patient && error.is_retryable() => {
                    self.counts.send_modify(|counts| counts.refused += 1);
                }
                Err(error) => return Err(format!("{base} failed: {error}")),
            }
        }
        Ok(())
    }
}

/// Sees how each single attempt ends.
struct Watched {
    inner: Deadline<Arc<dyn SigningProvider>>,
    run: Arc<Run>,
}

#[async_trait]
impl SigningProvider for Watched {
    fn identity(&self) -> &KeyIdentity {
        self.inner.identity()
    }

    fn capability(&self) -> Capability {
        self.inner.capability()
    }

    async fn public_key(&self) -> Result<PublicKey, ProviderError> {
        self.inner.public_key().await
    }

    async fn sign(&self, message: &[u8]) -> Result<Signed, ProviderError> {
        let outcome = self.inner.sign(message).await;
        if let Err(error) = &outcome {
            self.run.counts.send_modify(|counts| {
                counts.failed_attempts += 1;
                if !counts.kinds.contains(&error.kind()) {
                    counts.kinds.push(error.kind());
                }
            });
        }
        outcome
    }
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
