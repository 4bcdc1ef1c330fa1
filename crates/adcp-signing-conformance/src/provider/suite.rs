//! The run: every case against one harness, one after another.

use std::{future::Future, sync::Arc, time::Duration};

use adcp_signing_core::{
    ProviderError, ProviderErrorKind, PublicKey, SigningProvider,
    provider::{Signed, layers::Deadline},
};
use tracing::instrument::WithSubscriber as _;

use super::{
    Case, CaseReport, Fault, Faults, Harness, HarnessError, KeySpec, KeyState, Outcome,
    SuiteReport, cases, independent,
    leaks::{Capture, Leaks},
};

/// How much the suite asks. The default is what a conforming provider has passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suite {
    pub(super) signatures: usize,
    pub(super) concurrency: usize,
    pub(super) call_limit: Duration,
    pub(super) hang_limit: Duration,
    case_limit: Duration,
}

impl Default for Suite {
    fn default() -> Self {
        Self {
            signatures: 1000,
            concurrency: 200,
            call_limit: Duration::from_secs(10),
            hang_limit: Duration::from_millis(250),
            case_limit: Duration::from_secs(120),
        }
    }
}

/// Runs the suite as it stands: [`Suite::run`] of the default.
pub async fn run(harness: &dyn Harness) -> SuiteReport {
    Suite::default().run(harness).await
}

impl Suite {
    /// How many signatures [`Case::ManySignatures`] makes; 1,000 unless said otherwise. Fewer than
    /// 1,000 do not reliably show a fault that one signature in 128 has.
    #[must_use]
    pub fn with_signatures(mut self, signatures: usize) -> Self {
        self.signatures = signatures;
        self
    }

    /// How many signatures [`Case::ConcurrentSigns`] has under way at once; 200 unless said
    /// otherwise.
    #[must_use]
    pub fn with_concurrency(mut self, concurrency: usize) -> Self {
        self.concurrency = concurrency;
        self
    }

    /// How long one call may take where nothing is wrong, and one case; ten seconds and two minutes
    /// unless said otherwise.
    #[must_use]
    pub fn with_limits(mut self, call: Duration, case: Duration) -> Self {
        self.call_limit = call;
        self.case_limit = case;
        self
    }

    /// How long a call waits for a service that does not answer; 250 milliseconds unless said
    /// otherwise.
    #[must_use]
    pub fn with_hang_limit(mut self, limit: Duration) -> Self {
        self.hang_limit = limit;
        self
    }

    /// Runs every case. Needs a tokio runtime with its timer (and whatever the provider needs).
    pub async fn run(&self, harness: &dyn Harness) -> SuiteReport {
        let leaks = Arc::new(Leaks::new(&harness.secrets()));
        let capture = Capture::new(Arc::clone(&leaks), harness.log_targets());
        let run = Run { suite: self, harness, leaks };
        run.all().with_subscriber(capture).await
    }
}

/// Why a case ends before its end.
#[derive(Debug)]
pub(super) enum Stop {
    NotApplicable(String),
    Failed(String),
}

/// A failure of the case, said as `format!` says it.
macro_rules! fail {
    ($($arg:tt)*) => {
        return Err($crate::provider::suite::Stop::Failed(format!($($arg)*)))
    };
}
pub(super) use fail;

pub(super) type Dyn = Arc<dyn SigningProvider>;

/// One run of the suite.
pub(super) struct Run<'a> {
    pub(super) suite: &'a Suite,
    pub(super) harness: &'a dyn Harness,
    pub(super) leaks: Arc<Leaks>,
}

/// A provider behind faults.
pub(super) struct Faulty {
    pub(super) provider: Dyn,
    pub(super) faults: Box<dyn Faults>,
}

impl Faulty {
    pub(super) async fn inject(&self, run: &Run<'_>, fault: Fault) -> Result<(), Stop> {
        self.faults.inject(fault).await.map_err(|error| run.stop(error))
    }
}

impl Run<'_> {
    async fn all(&self) -> SuiteReport {
        let mut report = SuiteReport { name: self.harness.name(), cases: Vec::new() };
        let mut unsound = None;
        for case in Case::ALL {
            let outcome = match unsound {
                // What follows signs, and would only repeat the failure.
                Some(first) if case != Case::NoSecretShown => {
                    Outcome::Skipped(format!("{first} failed"))
                }
                _ => self.one(case).await,
            };
            let is_basic =
                matches!(case, Case::WireForm | Case::SignsAndVerifies | Case::ManySignatures);
            if is_basic && outcome != Outcome::Passed {
                unsound = unsound.or(Some(case));
            }
            report.cases.push(CaseReport { case: case.name(), outcome });
        }
        report
    }

    async fn one(&self, case: Case) -> Outcome {
        if !case.is_required()
            && let Some(reason) = self.harness.not_applicable(case)
        {
            return Outcome::NotApplicable(reason.into_owned());
        }
        let limit = self.suite.case_limit;
        match tokio::time::timeout(limit, cases::run(self, case)).await {
            Ok(Ok(())) => Outcome::Passed,
            Ok(Err(Stop::NotApplicable(reason))) if !case.is_required() => {
                Outcome::NotApplicable(reason)
            }
            Ok(Err(Stop::NotApplicable(reason))) => {
                Outcome::Failed(format!("every provider must be able to do this: {reason}"))
            }
            Ok(Err(Stop::Failed(reason))) => Outcome::Failed(reason),
            Err(_) => Outcome::Failed(format!("did not end within {limit:?}")),
        }
    }

    /// A provider, each of whose calls ends within the limit.
    pub(super) fn limited(&self, provider: Dyn) -> Dyn {
        self.leaks.search_debug("the provider", &provider);
        Arc::new(Deadline::new(provider, self.suite.call_limit))
    }

    /// What the harness gives for a key that must work.
    pub(super) async fn provider(&self, state: KeyState) -> Result<Dyn, Stop> {
        self.provider_for(&KeySpec::new(state)).await
    }

    pub(super) async fn provider_for(&self, spec: &KeySpec) -> Result<Dyn, Stop> {
        let provider = self.harness.provider(spec).await.map_err(|error| self.stop(error))?;
        Ok(self.limited(provider))
    }

    /// A provider behind faults that are not there yet.
    pub(super) async fn faulty(&self) -> Result<Faulty, Stop> {
        let (provider, faults) =
            self.harness.through_faults().await.map_err(|error| self.stop(error))?;
        Ok(Faulty { provider: self.limited(provider), faults })
    }

    pub(super) fn stop(&self, error: HarnessError) -> Stop {
        match error {
            HarnessError::NotApplicable(reason) => Stop::NotApplicable(reason.into_owned()),
            HarnessError::Provider(error) => {
                self.unexpected("the provider could not be built", error)
            }
            HarnessError::Setup(cause) => {
                Stop::Failed(format!("the harness failed: {}", self.leaks.search_error(&*cause)))
            }
        }
    }

    /// The failure that an error is which should not have been.
    pub(super) fn unexpected(&self, what: &str, error: ProviderError) -> Stop {
        Stop::Failed(format!("{what}: {}", self.leaks.search_error(&error)))
    }

    pub(super) async fn public_key(&self, provider: &Dyn) -> Result<PublicKey, Stop> {
        provider.public_key().await.map_err(|error| self.unexpected("no public key", error))
    }

    pub(super) async fn sign(&self, provider: &Dyn, base: &[u8]) -> Result<Signed, Stop> {
        let signed = provider.sign(base).await;
        let signed = signed.map_err(|error| {
            self.unexpected(&format!("a base of {} bytes was not signed", base.len()), error)
        })?;
        self.leaks.search_debug("the key version", &signed.key_version);
        Ok(signed)
    }

    /// Signs, and verifies by two implementations.
    pub(super) async fn sign_well(
        &self,
        provider: &Dyn,
        key: &PublicKey,
        base: &[u8],
    ) -> Result<(), Stop> {
        let signed = self.sign(provider, base).await?;
        self.verify(key, base, &signed)
    }

    /// Verifies by two implementations.
    pub(super) fn verify(&self, key: &PublicKey, base: &[u8], signed: &Signed) -> Result<(), Stop> {
        let len = base.len();
        if key.verify(base, &signed.signature).is_err() {
            fail!(
                "the signature of a base of {len} bytes does not verify under the service's public key"
            );
        }
        match independent::verify(key, base, signed.signature.as_bytes()) {
            Ok(()) => Ok(()),
            Err(who) => {
                fail!("the signature of a base of {len} bytes verifies by core but not by {who}")
            }
        }
    }

    /// Expects one of these errors.
    pub(super) fn expect<T>(
        &self,
        what: &str,
        outcome: Result<T, ProviderError>,
        expected: &[ProviderErrorKind],
    ) -> Result<(), Stop> {
        let names = || expected.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(" or ");
        match outcome {
            Ok(_) => fail!("{what} succeeded; expected {}", names()),
            Err(error) => {
                let text = self.leaks.search_error(&error);
                if expected.contains(&error.kind()) {
                    Ok(())
                } else {
                    fail!("{what} failed with {}; expected {}: {text}", error.kind(), names())
                }
            }
        }
    }

    /// As [`expect`](Self::expect), of a provider that may be refused when it is built or when it
    /// first signs.
    pub(super) async fn expect_refused(
        &self,
        spec: &KeySpec,
        expected: &[ProviderErrorKind],
    ) -> Result<(), Stop> {
        let provider = match self.harness.provider(spec).await {
            Ok(provider) => self.limited(provider),
            Err(HarnessError::Provider(error)) => {
                return self.expect("building the provider", Err::<(), _>(error), expected);
            }
            Err(error) => return Err(self.stop(error)),
        };
        self.expect("signing", provider.sign(b"signature base").await, expected)
    }
}

/// Runs the futures with at most `width` under way, and stops at the first failure.
pub(super) async fn concurrently<F: Future<Output = Result<(), Stop>>>(
    width: usize,
    futures: impl IntoIterator<Item = F>,
) -> Result<(), Stop> {
    use futures_util::{StreamExt as _, TryStreamExt as _, stream};
    stream::iter(futures).buffer_unordered(width).try_collect::<()>().await
}
