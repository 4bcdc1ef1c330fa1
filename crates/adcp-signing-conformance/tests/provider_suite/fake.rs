//! A key service in this process that does everything the suite can ask for, and one thing wrong
//! where told to.

use std::{
    borrow::Cow,
    future, io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use adcp_signing_conformance::provider::{
    Case, Fault, Faults, Harness, HarnessError, KeySpec, KeyState,
};
use adcp_signing_core::{
    Algorithm, InMemoryProvider, KeyPurpose, KeyRef, ProviderError, ProviderErrorKind, PublicKey,
    Signature, SigningProvider,
    provider::{
        Capability, Custody, KeyIdentity, KeyVersion, Signed,
        layers::{Pin, SigningProviderExt as _},
    },
};
use async_trait::async_trait;
use aws_lc_rs::digest::{SHA256, digest};
use base64ct::{Base64Unpadded, Encoding as _};

/// One for each service: what a thread records is held against every run under way.
static SERVICES: AtomicU64 = AtomicU64::new(0);
const LIMIT: usize = 4096;
/// How many signatures the cases before `many-signatures` ask for, at most.
const FIRST_SIGNATURES: u64 = 12;

/// The one thing that is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    AnswersDer,
    SaysAnotherAlgorithm,
    SignsWithAnotherKey,
    SignsTheDigest,
    DropsLeadingZeros,
    DropsThePurpose,
    NewKeyIdEachTime,
    EmptyKeyId,
    NewKeyRefEachTime,
    KeyRefOfThePurpose,
    CapabilityWithoutItsAlgorithm,
    IgnoresPins,
    FetchesTheKeyForEachSignature,
    PreparesForEachSignature,
    SignsBeyondItsLimit,
    HasASecretLimit,
    EmptyBaseAsUnavailable,
    EmptyBaseForged,
    SignsWithTheWrongAlgorithm,
    TakesOnTheWrongAlgorithm,
    MissingAsUnavailable,
    MissingVersionAsLatest,
    DisabledSigns,
    DeniedAsMissing,
    HidesTheRotation,
    LosesRetryAfter,
    InventsRetryAfter,
    ThrottledAsUnavailable,
    RetriesItself,
    DownAsMissing,
    HangsAsGarbage,
    RefusedAsMisconfigured,
    CutAsGarbage,
    GarbageAsUnavailable,
    TruncatedAsMisconfigured,
    EndlessAsUnavailable,
    SlowAsGarbage,
    SignsUnderFaults,
    NeverRecovers,
    SticksAfterManyCalls,
    LeaksInDebug,
    LeaksInDisplay,
    LeaksInTheCause,
    LeaksInTheLog,
    LeaksBase64InTheLog,
    LeaksInTheLogOfAThread,
    NamesNoSecret,
    NamesAnEmptySecret,
}

use Flaw as F;

/// The service, and the harness of it.
pub(crate) struct Service {
    flaw: Option<Flaw>,
    pub(crate) secret: String,
    ready: Arc<InMemoryProvider>,
    other: Arc<InMemoryProvider>,
    ed25519: Arc<InMemoryProvider>,
    rotatable: Arc<Mutex<Vec<Arc<InMemoryProvider>>>>,
    built: AtomicU64,
    signatures: Arc<AtomicU64>,
    fetches: Arc<AtomicU64>,
}

impl Service {
    pub(crate) fn new(flaw: Option<Flaw>) -> Self {
        let key = |algorithm| {
            Arc::new(InMemoryProvider::generate(algorithm, KeyPurpose::RequestSigning).unwrap())
        };
        let p256 = || key(Algorithm::EcdsaP256Sha256);
        let nth = SERVICES.fetch_add(1, Ordering::SeqCst);
        Self {
            flaw,
            secret: format!("hvs.not-for-anyone-{nth:08}"),
            ready: p256(),
            other: p256(),
            ed25519: key(Algorithm::Ed25519),
            rotatable: Arc::new(Mutex::new(vec![p256()])),
            built: AtomicU64::new(0),
            signatures: Arc::default(),
            fetches: Arc::default(),
        }
    }

    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    fn build(&self, spec: &KeySpec, line: Option<Arc<Line>>) -> Fake {
        let nth = self.built.fetch_add(1, Ordering::SeqCst);
        let keys = match spec.state {
            KeyState::Rotatable => Arc::clone(&self.rotatable),
            KeyState::WrongAlgorithm => Arc::new(Mutex::new(vec![Arc::clone(&self.ed25519)])),
            _ => Arc::new(Mutex::new(vec![Arc::clone(&self.ready)])),
        };
        let key_id = match self.flaw {
            Some(F::NewKeyIdEachTime) => format!("key-{nth}"),
            _ => "key".to_owned(),
        };
        let resource = match self.flaw {
            Some(F::NewKeyRefEachTime) => nth.to_string(),
            Some(F::KeyRefOfThePurpose) => spec.purpose.to_string(),
            _ => format!("{:?}", spec.state),
        };
        let algorithm = match spec.state {
            KeyState::WrongAlgorithm if self.has(F::TakesOnTheWrongAlgorithm) => Algorithm::Ed25519,
            _ => Algorithm::EcdsaP256Sha256,
        };
        let purpose = match self.flaw {
            Some(F::DropsThePurpose) => KeyPurpose::RequestSigning,
            _ => spec.purpose.clone(),
        };
        let identity = match self.flaw {
            Some(F::EmptyKeyId) => {
                let key = InMemoryProvider::generate(algorithm, purpose).unwrap().with_key_id("");
                key.identity().clone()
            }
            _ => KeyIdentity::new(KeyRef::new("fake", &resource), key_id, algorithm, purpose)
                .unwrap(),
        };
        Fake {
            flaw: self.flaw,
            secret: self.secret.clone(),
            state: spec.state,
            identity,
            keys,
            other: Arc::clone(&self.other),
            line,
            used: AtomicBool::new(false),
            failed_for_good: AtomicBool::new(false),
            hanging: AtomicU64::new(0),
            signatures: Arc::clone(&self.signatures),
            fetches: Arc::clone(&self.fetches),
        }
    }
}

#[async_trait]
impl Harness for Service {
    fn name(&self) -> String {
        "fake, P-256".to_owned()
    }

    fn secrets(&self) -> Vec<String> {
        match self.flaw {
            Some(F::NamesNoSecret) => vec![],
            Some(F::NamesAnEmptySecret) => vec![self.secret.clone(), String::new()],
            _ => vec!["something else".to_owned(), self.secret.clone()],
        }
    }

    async fn provider(&self, spec: &KeySpec) -> Result<Arc<dyn SigningProvider>, HarnessError> {
        if spec.state == KeyState::MissingVersion && !self.has(F::MissingVersionAsLatest) {
            // A backend may find out when it is built.
            return Err(
                ProviderError::new(ProviderErrorKind::KeyNotFound, "no such version").into()
            );
        }
        Ok(Arc::new(self.build(spec, None)))
    }

    async fn pinned(&self, pin: Pin) -> Result<Arc<dyn SigningProvider>, HarnessError> {
        let provider = self.build(&KeySpec::new(KeyState::Ready), None);
        match self.flaw {
            Some(F::IgnoresPins) => Ok(Arc::new(provider)),
            _ => Ok(Arc::new(provider.pinned(pin))),
        }
    }

    async fn rotate(&self) -> Result<(), HarnessError> {
        let next =
            InMemoryProvider::generate(Algorithm::EcdsaP256Sha256, KeyPurpose::RequestSigning)?;
        self.rotatable.lock().unwrap().push(Arc::new(next));
        Ok(())
    }

    async fn through_faults(
        &self,
    ) -> Result<(Arc<dyn SigningProvider>, Box<dyn Faults>), HarnessError> {
        let line = Arc::new(Line::default());
        let provider = self.build(&KeySpec::new(KeyState::Ready), Some(Arc::clone(&line)));
        Ok((Arc::new(provider), Box::new(InProcess(line))))
    }

    fn public_key_fetches(&self) -> Option<u64> {
        Some(self.fetches.load(Ordering::SeqCst))
    }

    fn not_applicable(&self, case: Case) -> Option<Cow<'static, str>> {
        // A harness that waives what it must not is not heard.
        case.is_required().then_some("the harness is lazy".into())
    }
}

/// What stands between a provider and the service.
#[derive(Debug, Default)]
struct Line {
    fault: Mutex<Option<Fault>>,
    requests: AtomicU64,
}

#[derive(Debug)]
struct InProcess(Arc<Line>);

#[async_trait]
impl Faults for InProcess {
    async fn inject(&self, fault: Fault) -> Result<(), HarnessError> {
        *self.0.fault.lock().unwrap() = Some(fault);
        Ok(())
    }

    async fn heal(&self) -> Result<(), HarnessError> {
        *self.0.fault.lock().unwrap() = None;
        Ok(())
    }

    fn requests(&self) -> Option<u64> {
        Some(self.0.requests.load(Ordering::SeqCst))
    }
}

struct Fake {
    flaw: Option<Flaw>,
    secret: String,
    state: KeyState,
    identity: KeyIdentity,
    keys: Arc<Mutex<Vec<Arc<InMemoryProvider>>>>,
    other: Arc<InMemoryProvider>,
    line: Option<Arc<Line>>,
    used: AtomicBool,
    failed_for_good: AtomicBool,
    /// How many calls hang now.
    hanging: AtomicU64,
    signatures: Arc<AtomicU64>,
    fetches: Arc<AtomicU64>,
}

/// One call that hangs, until it is dropped.
struct Hanging<'a> {
    count: &'a AtomicU64,
    others: u64,
}

impl<'a> Hanging<'a> {
    fn begin(count: &'a AtomicU64) -> Self {
        Self { count, others: count.fetch_add(1, Ordering::SeqCst) }
    }
}

impl Drop for Hanging<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::SeqCst);
    }
}

impl std::fmt::Debug for Fake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let token = if self.has(F::LeaksInDebug) { &self.secret } else { "_" };
        f.debug_struct("Fake").field("key_id", &self.key_id()).field("token", &token).finish()
    }
}

impl Fake {
    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    fn error(&self, kind: ProviderErrorKind) -> ProviderError {
        match self.flaw {
            Some(F::LeaksInDisplay) => {
                ProviderError::new(kind, format!("token {} is refused", self.secret))
            }
            Some(F::LeaksInTheCause) => {
                let cause = io::Error::other(io::Error::other(format!("token={}", self.secret)));
                ProviderError::new(kind, "refused").with_source(cause)
            }
            _ => ProviderError::new(kind, "refused"),
        }
    }

    fn log(&self) {
        match self.flaw {
            Some(F::LeaksInTheLog) => {
                tracing::trace!(target: "adcp_signing_fake", token = self.secret, "signing")
            }
            Some(F::LeaksBase64InTheLog) => {
                tracing::info!(target: "a_client", "basic {}", Base64Unpadded::encode_string(self.secret.as_bytes()));
            }
            Some(F::LeaksInTheLogOfAThread) => {
                let secret = self.secret.clone();
                let thread =
                    std::thread::spawn(move || tracing::warn!(target: "a_driver", "{secret}"));
                thread.join().unwrap();
            }
            // Below INFO, other crates may say what they like.
            _ => tracing::debug!(target: "a_client", token = self.secret, "sending"),
        }
    }

    /// The service's state and the line to it, as one request.
    async fn request(&self) -> Result<(), ProviderError> {
        use ProviderErrorKind as K;
        let Some(line) = &self.line else { return Ok(()) };
        let requests = match (line.fault.lock().unwrap().is_some(), self.flaw) {
            (true, Some(F::RetriesItself)) => 3,
            (false, Some(F::PreparesForEachSignature)) => 2,
            _ => 1,
        };
        line.requests.fetch_add(requests, Ordering::SeqCst);
        if self.failed_for_good.load(Ordering::SeqCst) {
            return Err(self.error(K::Unavailable));
        }
        let Some(fault) = *line.fault.lock().unwrap() else { return Ok(()) };
        if self.has(F::NeverRecovers) && fault == Fault::CutMidCall {
            self.failed_for_good.store(true, Ordering::SeqCst);
        }
        let kind = match fault {
            Fault::Throttled { .. } if self.has(F::ThrottledAsUnavailable) => K::Unavailable,
            Fault::Throttled { retry_after } => {
                let error = self.error(K::Throttled);
                return Err(match retry_after {
                    Some(wait) if !self.has(F::LosesRetryAfter) => error.with_retry_after(wait),
                    None if self.has(F::InventsRetryAfter) => {
                        error.with_retry_after(Duration::from_secs(1))
                    }
                    _ => error,
                });
            }
            Fault::Hang if !self.has(F::HangsAsGarbage) => {
                let hanging = Hanging::begin(&self.hanging);
                if self.has(F::SticksAfterManyCalls) && hanging.others > 2 {
                    self.failed_for_good.store(true, Ordering::SeqCst);
                }
                future::pending().await
            }
            Fault::Unavailable if self.has(F::DownAsMissing) => K::KeyNotFound,
            Fault::Refuse if self.has(F::RefusedAsMisconfigured) => K::Configuration,
            Fault::CutMidCall if self.has(F::CutAsGarbage) => K::InvalidResponse,
            Fault::Garbage if self.has(F::GarbageAsUnavailable) => K::Unavailable,
            Fault::Garbage if self.has(F::SignsUnderFaults) => return Ok(()),
            Fault::Truncate if self.has(F::TruncatedAsMisconfigured) => K::Configuration,
            Fault::Endless if self.has(F::EndlessAsUnavailable) => K::Unavailable,
            Fault::Drip if self.has(F::SlowAsGarbage) => K::InvalidResponse,
            Fault::Drip => future::pending().await,
            Fault::Garbage | Fault::Truncate | Fault::Endless | Fault::Hang => K::InvalidResponse,
            _ => K::Unavailable,
        };
        Err(self.error(kind))
    }

    /// The newest version of the key, and its number.
    fn key(&self) -> (usize, Arc<InMemoryProvider>) {
        let keys = self.keys.lock().unwrap();
        (keys.len(), Arc::clone(keys.last().unwrap()))
    }

    fn check(&self, base: &[u8]) -> Result<(), ProviderError> {
        use ProviderErrorKind as K;
        let refused = match self.state {
            KeyState::Missing if self.has(F::MissingAsUnavailable) => Some(K::Unavailable),
            KeyState::Missing => Some(K::KeyNotFound),
            KeyState::Disabled if !self.has(F::DisabledSigns) => Some(K::KeyDisabled),
            KeyState::AccessDenied if self.has(F::DeniedAsMissing) => Some(K::KeyNotFound),
            KeyState::AccessDenied => Some(K::AccessDenied),
            KeyState::WrongAlgorithm if self.has(F::SignsWithTheWrongAlgorithm) => None,
            KeyState::WrongAlgorithm if self.has(F::TakesOnTheWrongAlgorithm) => None,
            KeyState::WrongAlgorithm => Some(K::AlgorithmMismatch),
            _ if base.len() > LIMIT && !self.has(F::SignsBeyondItsLimit) => {
                Some(K::MessageTooLarge)
            }
            _ if base.is_empty() && self.has(F::EmptyBaseAsUnavailable) => Some(K::Unavailable),
            _ => None,
        };
        refused.map_or(Ok(()), |kind| Err(self.error(kind)))
    }

    fn bytes(&self, base: &[u8]) -> Result<Signature, ProviderError> {
        let (_, key) = self.key();
        let nth = self.signatures.fetch_add(1, Ordering::SeqCst);
        let forged = |bytes: &[u8]| Ok(Signature::from_raw(self.algorithm(), bytes).unwrap());
        match self.flaw {
            Some(F::SaysAnotherAlgorithm) => {
                let bytes = key.sign_now(base)?.as_bytes().to_vec();
                Ok(Signature::from_raw(Algorithm::Ed25519, &bytes).unwrap())
            }
            Some(F::SignsWithAnotherKey) => self.other.sign_now(base),
            Some(F::SignsTheDigest) => key.sign_now(digest(&SHA256, base).as_ref()),
            Some(F::EmptyBaseForged) if base.is_empty() => forged(&[7; 64]),
            Some(F::AnswersDer) => {
                let raw =
                    p256::ecdsa::Signature::from_slice(key.sign_now(base)?.as_bytes()).unwrap();
                let mut der = raw.to_der().as_bytes().to_vec();
                der.resize(64, 0);
                forged(&der)
            }
            Some(F::DropsLeadingZeros) if nth == FIRST_SIGNATURES => loop {
                let mut bytes = key.sign_now(base)?.as_bytes().to_vec();
                if bytes[0] == 0 {
                    bytes.rotate_left(1);
                    return forged(&bytes);
                }
            },
            _ => key.sign_now(base),
        }
    }
}

#[async_trait]
impl SigningProvider for Fake {
    fn identity(&self) -> &KeyIdentity {
        &self.identity
    }

    fn capability(&self) -> Capability {
        let algorithms: &[Algorithm] = match self.flaw {
            Some(F::CapabilityWithoutItsAlgorithm) => &[Algorithm::Ed25519],
            _ => &[Algorithm::Ed25519, Algorithm::EcdsaP256Sha256],
        };
        let capability = Capability::new(Custody::External, algorithms);
        if self.has(F::HasASecretLimit) {
            capability
        } else {
            capability.with_max_message_len(LIMIT)
        }
    }

    async fn public_key(&self) -> Result<PublicKey, ProviderError> {
        self.request().await?;
        self.fetches.fetch_add(1, Ordering::SeqCst);
        Ok(self.key().1.verifying_key().clone())
    }

    async fn sign(&self, message: &[u8]) -> Result<Signed, ProviderError> {
        self.log();
        self.check(message)?;
        self.request().await?;
        if self.has(F::FetchesTheKeyForEachSignature) {
            self.fetches.fetch_add(1, Ordering::SeqCst);
        }
        self.used.store(true, Ordering::SeqCst);
        // Others get their turn, as they do while a service thinks.
        tokio::task::yield_now().await;
        let version = if self.has(F::HidesTheRotation) { 1 } else { self.key().0 };
        let signature = self.bytes(message)?;
        Ok(Signed::new(signature).with_key_version(KeyVersion::new(version.to_string())))
    }
}
