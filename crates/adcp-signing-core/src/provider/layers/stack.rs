//! The layers around a backend in their one right order, with settings that are ready for
//! production.

use std::{fmt, num::NonZeroUsize, pin::Pin as Pinned, sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::sync::Semaphore;

use super::{
    Pin, RetryPolicy, SigningProviderExt as _, concurrency_limit::queue_is_full, deadline::within,
};
use crate::{
    keys::KeyPurpose,
    provider::{
        KeyIdentity, KeySource, ProviderError, ProviderErrorKind, SignerKey, SigningProvider,
        toolkit::FetchOnce,
    },
};

/// The layers that make a backend ready for production, and their settings.
///
/// From the service outwards: a [`Deadline`](super::Deadline) for each attempt,
/// [`Retrying`](super::Retrying), the [`Pin`] where one is given,
/// [`SelfChecking`](super::SelfChecking), a [`ConcurrencyLimit`](super::ConcurrencyLimit) and
/// [`Instrumented`](super::Instrumented). The limit is outside the retries: calls that wait out an
/// outage keep their places, and what comes on top of the bounded queue is refused at once.
///
/// The layers that wait need a tokio runtime with its timer, which `#[tokio::main]` has; one built
/// without `enable_time` makes them panic.
///
/// | setting | default |
/// |---|---|
/// | time for one attempt | 2 seconds |
/// | time for one attempt to open the key | 10 seconds, since logging in may take several calls |
/// | retries | [`RetryPolicy::default`]: 30 seconds in all |
/// | calls under way, and calls that wait | 64 and 1,024, each waiting for 20 seconds at most |
/// | pin | none: the first key that the service shows is kept until the process ends |
///
/// ```
/// use std::time::Duration;
///
/// use adcp_signing_core::{SigningProvider, provider::layers::{RetryPolicy, Stack}};
/// use std::sync::Arc;
///
/// fn impatient(kms: impl SigningProvider + 'static) -> Arc<dyn SigningProvider> {
///     let retry = RetryPolicy::default().with_total_deadline(Duration::from_secs(3));
///     Stack::default().with_retry(retry).around(kms)
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Stack {
    attempt_limit: Duration,
    opening_limit: Duration,
    retry: RetryPolicy,
    max_in_flight: NonZeroUsize,
    max_waiting: usize,
    max_wait: Duration,
    pin: Option<Pin>,
}

impl Default for Stack {
    fn default() -> Self {
        Self {
            attempt_limit: Duration::from_secs(2),
            opening_limit: Duration::from_secs(10),
            retry: RetryPolicy::default(),
            max_in_flight: const { NonZeroUsize::MIN.saturating_add(63) },
            max_waiting: 1024,
            max_wait: Duration::from_secs(20),
            pin: None,
        }
    }
}

impl Stack {
    /// The time that one attempt to sign, or to fetch the public key, may take.
    #[must_use]
    pub fn with_attempt_deadline(mut self, limit: Duration) -> Self {
        self.attempt_limit = limit;
        self
    }

    /// The time that one attempt to open the key may take: reading configuration and credentials,
    /// logging in, and where the key's name leaves its algorithm or `kid` open, asking for the key.
    #[must_use]
    pub fn with_opening_deadline(mut self, limit: Duration) -> Self {
        self.opening_limit = limit;
        self
    }

    /// How often and for how long a call is tried.
    #[must_use]
    pub fn with_retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// How many calls may be under way at once, and how many more may wait for their turn.
    #[must_use]
    pub fn with_concurrency_limit(
        mut self,
        max_in_flight: NonZeroUsize,
        max_waiting: usize,
    ) -> Self {
        self.max_in_flight = max_in_flight;
        self.max_waiting = max_waiting;
        self
    }

    /// How long a call may wait for its turn.
    #[must_use]
    pub fn with_max_wait(mut self, limit: Duration) -> Self {
        self.max_wait = limit;
        self
    }

    /// Refuses every key but this one. See [`Pinned`](super::Pinned).
    #[must_use]
    pub fn with_pin(mut self, pin: impl Into<Pin>) -> Self {
        self.pin = Some(pin.into());
        self
    }

    /// The pin, where there is one.
    pub fn pin(&self) -> Option<&Pin> {
        self.pin.as_ref()
    }

    /// Puts the layers around an open key. Calls no service.
    pub fn around(&self, backend: impl SigningProvider + 'static) -> Arc<dyn SigningProvider> {
        let retrying = backend.with_deadline(self.attempt_limit).retrying(self.retry.clone());
        match &self.pin {
            Some(pin) => self.outer(retrying.pinned(pin.clone())),
            None => self.outer(retrying),
        }
    }

    fn outer(&self, inner: impl SigningProvider + 'static) -> Arc<dyn SigningProvider> {
        let limited = inner
            .self_checking()
            .with_concurrency_limit(self.max_in_flight, self.max_waiting)
            .with_max_wait(self.max_wait);
        Arc::new(limited.instrumented())
    }
}

/// A key that is opened at its first use, with the layers of a [`Stack`] around it: what a key URI
/// gives.
///
/// Nothing is called before that. The first look at the key is retried like a signature, so a
/// process starts while its key service is away, and its callers queue. They share one attempt.
/// Success is kept for good; a failure is not, and the next caller tries again.
///
/// ```
/// use adcp_signing_core::{
///     Algorithm, InMemoryProvider, KeyPurpose, Signer, provider::layers::{LazyKey, Stack},
/// };
///
/// let key = LazyKey::new(KeyPurpose::RequestSigning, Stack::default(), || async {
///     InMemoryProvider::generate(Algorithm::Ed25519, KeyPurpose::RequestSigning)
/// });
/// let signer = Signer::for_requests(key)?;
/// # Ok::<(), adcp_signing_core::SignError>(())
/// ```
pub struct LazyKey {
    purpose: KeyPurpose,
    stack: Stack,
    open: Box<dyn Fn() -> Opening + Send + Sync>,
    key: FetchOnce<Arc<dyn SigningProvider>>,
    /// One permit for each caller that opens the key or waits for that.
    places: Semaphore,
}

type Opening = Pinned<Box<dyn Future<Output = Opened> + Send>>;
type Opened = Result<Arc<dyn SigningProvider>, ProviderError>;

impl LazyKey {
    /// A key for `purpose` that `open` opens. A provider for another purpose is refused when it is
    /// open.
    pub fn new<P, F>(
        purpose: KeyPurpose,
        stack: Stack,
        open: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self
    where
        P: SigningProvider + 'static,
        F: Future<Output = Result<P, ProviderError>> + Send + 'static,
    {
        let places = stack.max_in_flight.get().saturating_add(stack.max_waiting);
        let open = move || -> Opening {
            let opening = open();
            Box::pin(async move { Ok(Arc::new(opening.await?) as Arc<dyn SigningProvider>) })
        };
        Self {
            purpose,
            stack,
            open: Box::new(open),
            key: FetchOnce::new(),
            places: Semaphore::new(places.min(Semaphore::MAX_PERMITS)),
        }
    }

    /// The backend alone, opened anew: one attempt, without a time limit and without the layers.
    /// For those who put layers of their own around it.
    ///
    /// # Errors
    /// A [`ProviderError`] when the key cannot be opened.
    pub async fn bare(&self) -> Result<Arc<dyn SigningProvider>, ProviderError> {
        (self.open)().await
    }

    /// The open key with the layers around it.
    ///
    /// # Errors
    /// A [`ProviderError`] when the key cannot be opened within the retries, or when as many
    /// callers as the stack lets wait are waiting for that.
    pub async fn open(&self) -> Result<Arc<dyn SigningProvider>, ProviderError> {
        if let Some(key) = self.key.get() {
            return Ok(key.clone());
        }
        let _place = self.places.try_acquire().map_err(|_| queue_is_full())?;
        let opened = self.key.get_or_fetch(|| async {
            let attempt = || within(self.stack.opening_limit, (self.open)());
            let backend = self.stack.retry.retry(&"not open yet", attempt).await?;
            if backend.purpose() != &self.purpose {
                return Err(ProviderError::new(
                    ProviderErrorKind::Configuration,
                    format!(
                        "the key that was opened is for `{}`, and it was asked for as one for `{}` (`purpose`)",
                        backend.purpose(),
                        self.purpose
                    ),
                ));
            }
            Ok(self.stack.around(backend))
        });
        match opened.await {
            Ok(key) => Ok(key.clone()),
            Err(error) => {
                tracing::warn!(kind = error.kind().as_str(), "the signing key could not be opened");
                Err(error)
            }
        }
    }
}

#[async_trait]
impl KeySource for LazyKey {
    fn purpose(&self) -> &KeyPurpose {
        &self.purpose
    }

    async fn key(&self) -> Result<Arc<dyn SigningProvider>, ProviderError> {
        self.open().await
    }

    fn identity(&self) -> Option<&KeyIdentity> {
        self.key.get().map(|key| key.identity())
    }
}

impl From<LazyKey> for SignerKey {
    fn from(key: LazyKey) -> Self {
        Arc::new(key).into()
    }
}

impl From<Arc<LazyKey>> for SignerKey {
    fn from(key: Arc<LazyKey>) -> Self {
        Self::from(key as Arc<dyn KeySource>)
    }
}

impl fmt::Debug for LazyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LazyKey")
            .field("purpose", &self.purpose)
            .field("stack", &self.stack)
            .field("key", &self.key.get())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::{FutureExt as _, future::join_all, poll};
    use tokio::time::Instant;

    use super::*;
    use crate::provider::scripted::{Scripted, Step};

    const FOR_EVER: Duration = Duration::from_secs(3_600);

    /// A key that `kms` opens, whose first openings take these steps, and a count of openings.
    fn lazy(kms: &Scripted, stack: Stack, steps: Vec<Step>) -> (Arc<LazyKey>, Arc<AtomicUsize>) {
        let opener = Scripted::new("opener").on_public_key(steps);
        let (openings, kms) = (Arc::new(AtomicUsize::new(0)), kms.clone());
        let counted = openings.clone();
        let key = LazyKey::new(KeyPurpose::RequestSigning, stack, move || {
            counted.fetch_add(1, Ordering::SeqCst);
            let (opener, kms) = (opener.clone(), kms.clone());
            async move { opener.public_key().await.map(|_| kms) }
        });
        (Arc::new(key), openings)
    }

    async fn sign(key: &LazyKey) -> Result<(), ProviderError> {
        key.open().await?.sign(b"base").await.map(|_| ())
    }

    fn down() -> Step {
        Step::Fail(ProviderErrorKind::Unavailable)
    }

    #[test]
    fn the_layers_stand_in_their_order() {
        let kms = Scripted::new("k");
        let layers = |stack: Stack| {
            let shown = format!("{:?}", stack.around(kms.clone()));
            let mut found: Vec<_> = [
                "Deadline",
                "Retrying",
                "Pinned",
                "SelfChecking",
                "ConcurrencyLimit",
                "Instrumented",
            ]
            .into_iter()
            .filter_map(|name| Some((shown.find(&format!("{name} {{"))?, name)))
            .collect();
            found.sort_unstable();
            found.into_iter().map(|(_, name)| name).collect::<Vec<_>>()
        };
        let inwards = ["Instrumented", "ConcurrencyLimit", "SelfChecking", "Retrying", "Deadline"];
        assert_eq!(layers(Stack::default()), inwards);
        let pinned = Stack::default().with_pin(kms.true_public_key());
        let inwards =
            ["Instrumented", "ConcurrencyLimit", "SelfChecking", "Pinned", "Retrying", "Deadline"];
        assert_eq!(layers(pinned), inwards);
    }

    #[test]
    fn the_diagram_of_the_docs_has_the_layers_in_their_order_with_their_defaults() {
        const LAYERS: &str =
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/diagrams/layers.svg"));
        let Stack { attempt_limit, retry, max_in_flight, max_waiting, .. } = Stack::default();
        let waiting = format!("{},{:03}", max_waiting / 1_000, max_waiting % 1_000);
        let limit = format!("{max_in_flight} calls, {waiting} wait");
        let in_all = format!("{} seconds in all", retry.total_deadline.as_secs());
        let attempt = format!("{} seconds an attempt", attempt_limit.as_secs());
        let mut rest = LAYERS;
        for text in [
            "Instrumented",
            "ConcurrencyLimit",
            &limit,
            "SelfChecking",
            "Pinned",
            "where a pin is given",
            "Retrying",
            &in_all,
            "Deadline",
            &attempt,
            "Backend",
        ] {
            let found = rest.split_once(&format!(">{text}</text>"));
            rest = found.unwrap_or_else(|| panic!("`{text}` is missing or out of order")).1;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_forged_signature_and_another_key_than_the_pinned_one_do_not_leave() {
        let kms = Scripted::new("k").on_sign([Step::Forge]);
        let refused = Stack::default().around(kms).sign(b"base").await.unwrap_err();
        assert_eq!(refused.kind(), ProviderErrorKind::InvalidResponse);

        let kms = Scripted::new("k");
        let pinned = Stack::default().with_pin(Pin::spki_sha256([7; 32]));
        let refused = pinned.around(kms.clone()).sign(b"base").await.unwrap_err();
        assert_eq!(refused.kind(), ProviderErrorKind::PublicKeyMismatch);
        assert_eq!(kms.sign_calls(), 0);
        assert!(pinned.pin().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_that_hangs_ends_after_two_seconds_and_is_tried_again() {
        let kms = Scripted::new("k").on_sign([Step::Hang]);
        let started = Instant::now();
        Stack::default().around(kms.clone()).sign(b"base").await.unwrap();
        assert_eq!(kms.sign_calls(), 2);
        let took = started.elapsed();
        assert!((2..3).contains(&took.as_secs()), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_is_opened_at_its_first_use_once_for_all_callers_and_kept() {
        let kms = Scripted::new("k");
        let (key, openings) = lazy(&kms, Stack::default(), vec![]);
        assert_eq!(openings.load(Ordering::SeqCst), 0, "nothing is called before it is needed");
        assert!(key.identity().is_none());
        let signed = join_all((0..100).map(|_| sign(&key))).await;
        assert!(signed.iter().all(Result::is_ok));
        assert_eq!(openings.load(Ordering::SeqCst), 1);
        assert_eq!(key.identity().unwrap().key_id(), "k");
        assert_eq!((kms.sign_calls(), kms.public_key_calls()), (100, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_that_is_down_at_the_start_for_ten_seconds_is_outlasted_by_every_caller() {
        let kms = Scripted::new("k");
        let opener = Scripted::new("opener").on_public_key((0..1_000).map(|_| down()));
        let (again, signs) = (opener.clone(), kms.clone());
        let key = LazyKey::new(KeyPurpose::RequestSigning, Stack::default(), move || {
            let (opener, kms) = (again.clone(), signs.clone());
            async move { opener.public_key().await.map(|_| kms) }
        });
        let mut callers = Box::pin(join_all((0..100).map(|_| sign(&key))));
        let in_ten_seconds = tokio::time::timeout(Duration::from_secs(10), &mut callers).await;
        assert!(in_ten_seconds.is_err(), "the callers queue");
        opener.forget_steps();
        let signed = tokio::time::timeout(FOR_EVER, callers).await.unwrap();
        assert!(signed.iter().all(Result::is_ok), "{signed:?}");
        assert_eq!(kms.sign_calls(), 100);
    }

    #[tokio::test(start_paused = true)]
    async fn an_opening_that_cannot_succeed_is_not_repeated_and_not_kept() {
        let kms = Scripted::new("k");
        let denied = Step::Fail(ProviderErrorKind::AccessDenied);
        let (key, openings) = lazy(&kms, Stack::default(), vec![denied]);
        assert_eq!(sign(&key).await.unwrap_err().kind(), ProviderErrorKind::AccessDenied);
        assert_eq!(openings.load(Ordering::SeqCst), 1);
        assert!(sign(&key).await.is_ok(), "the next caller tries again");
    }

    #[tokio::test(start_paused = true)]
    async fn an_opening_that_hangs_ends_and_is_tried_again() {
        let kms = Scripted::new("k");
        let (key, openings) = lazy(&kms, Stack::default(), vec![Step::Hang]);
        let started = Instant::now();
        assert!(sign(&key).await.is_ok());
        assert_eq!(openings.load(Ordering::SeqCst), 2);
        let took = started.elapsed();
        assert!((10..11).contains(&took.as_secs()), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_thousand_callers_on_a_queue_of_64_are_refused_with_a_type_and_leave_nothing() {
        let one = NonZeroUsize::MIN;
        let stack = Stack::default().with_concurrency_limit(one, 64);
        for steps in [vec![Step::Hang], vec![]] {
            let kms = Scripted::new("k").on_sign([Step::Hang]);
            let (key, _) = lazy(&kms, stack.clone(), steps);
            let mut calls: Vec<_> = (0..1_000).map(|_| Box::pin(sign(&key))).collect();
            let mut refused = 0;
            for call in &mut calls {
                if let Some(answer) = call.now_or_never() {
                    assert_eq!(answer.unwrap_err().kind(), ProviderErrorKind::Throttled);
                    refused += 1;
                }
            }
            assert_eq!(refused, 1_000 - 65);
            drop(calls);
            assert_eq!(kms.under_way(), 0);
            assert!(tokio::time::timeout(FOR_EVER, sign(&key)).await.unwrap().is_ok());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn callers_that_give_up_leave_the_opening_to_the_next() {
        let kms = Scripted::new("k");
        let (key, openings) = lazy(&kms, Stack::default(), vec![Step::Hang]);
        let mut first = Box::pin(sign(&key));
        let mut second = Box::pin(sign(&key));
        assert!(poll!(&mut first).is_pending());
        assert!(poll!(&mut second).is_pending());
        drop(first);
        assert!(second.await.is_ok());
        assert_eq!(openings.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_key_for_another_purpose_than_stated_is_refused() {
        let kms = Scripted::new("k").with_purpose(KeyPurpose::WebhookSigning);
        let (key, _) = lazy(&kms, Stack::default(), vec![]);
        assert_eq!(sign(&key).await.unwrap_err().kind(), ProviderErrorKind::Configuration);
        assert_eq!(kms.sign_calls(), 0);
    }

    #[tokio::test]
    async fn bare_is_the_backend_alone() {
        let kms = Scripted::new("k").on_sign([Step::Forge]);
        let (key, _) = lazy(&kms, Stack::default(), vec![down()]);
        assert_eq!(key.bare().await.unwrap_err().kind(), ProviderErrorKind::Unavailable);
        let bare = key.bare().await.unwrap();
        assert!(bare.sign(b"base").await.is_ok(), "nobody checks");
        assert_eq!(kms.public_key_calls(), 0);
    }
}
