//! Core's wrappers pass the wrapper suite, and a wrapper with one flaw fails its case.

#![cfg(feature = "provider")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "helpers of tests"
)]

use std::{
    num::{NonZeroU32, NonZeroUsize},
    sync::Arc,
    time::Duration,
};

use adcp_signing_conformance::provider::run_wrapper;
use adcp_signing_core::{
    KeyPurpose, ProviderError, ProviderErrorKind, PublicKey, SigningProvider,
    provider::{
        Capability, KeyIdentity, Signed,
        layers::{RateLimitPolicy, RetryPolicy, SigningProviderExt as _},
    },
};
use async_trait::async_trait;

type Dyn = Arc<dyn SigningProvider>;

#[tokio::test]
async fn the_wrappers_of_core_conform() {
    let many = NonZeroUsize::new(8).unwrap();
    let rate = RateLimitPolicy::per_second(NonZeroU32::new(1000).unwrap());
    let quick = RetryPolicy::default().with_max_attempts(many);
    let quick = quick.with_pauses(Duration::ZERO, Duration::ZERO);
    run_wrapper("Arc", Arc::new).await.assert();
    run_wrapper("SelfChecking", |inner| inner.self_checking()).await.assert();
    run_wrapper("Instrumented", |inner| inner.instrumented()).await.assert();
    run_wrapper("Retrying", |inner| inner.retrying(quick.clone())).await.assert();
    run_wrapper("Deadline", |inner| inner.with_deadline(Duration::from_secs(10))).await.assert();
    run_wrapper("ConcurrencyLimit", |inner| inner.with_concurrency_limit(many, 8)).await.assert();
    run_wrapper("RateLimit", |inner| inner.with_rate_limit(&rate)).await.assert();
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    None,
    DropsPurpose,
    MixesKinds,
    LosesRetryAfter,
    SignsOtherwise,
}

#[derive(Debug)]
struct Wrapper {
    inner: Dyn,
    flaw: Flaw,
    /// The identity of a wrapper that makes up its own.
    another: Option<KeyIdentity>,
}

impl Wrapper {
    fn new(inner: Dyn, flaw: Flaw) -> Self {
        let id = inner.identity();
        let another = (flaw == Flaw::DropsPurpose).then(|| {
            let purpose = KeyPurpose::RequestSigning;
            KeyIdentity::new(id.key_ref().clone(), id.key_id(), id.algorithm(), purpose).unwrap()
        });
        Self { inner, flaw, another }
    }

    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == flaw
    }
}

#[async_trait]
impl SigningProvider for Wrapper {
    fn identity(&self) -> &KeyIdentity {
        self.another.as_ref().unwrap_or_else(|| self.inner.identity())
    }

    fn capability(&self) -> Capability {
        self.inner.capability()
    }

    async fn public_key(&self) -> Result<PublicKey, ProviderError> {
        self.inner.public_key().await
    }

    async fn sign(&self, base: &[u8]) -> Result<Signed, ProviderError> {
        if self.has(Flaw::SignsOtherwise) {
            return self.inner.sign(&base[1..]).await;
        }
        self.inner.sign(base).await.map_err(|error| match self.flaw {
            Flaw::MixesKinds => {
                ProviderError::new(ProviderErrorKind::Unavailable, "something went wrong")
            }
            Flaw::LosesRetryAfter => ProviderError::new(error.kind(), "something went wrong"),
            _ => error,
        })
    }
}

#[tokio::test]
async fn a_wrapper_with_one_flaw_fails_exactly_the_cases_of_that_flaw() {
    let flaws: [(Flaw, &[&str]); 5] = [
        (Flaw::None, &[]),
        (Flaw::DropsPurpose, &["forwards-identity"]),
        (Flaw::MixesKinds, &["forwards-errors"]),
        (Flaw::LosesRetryAfter, &["forwards-errors"]),
        (Flaw::SignsOtherwise, &["forwards-keys-and-signatures"]),
    ];
    for (flaw, expected) in flaws {
        let report = run_wrapper("a wrapper", |inner| Wrapper::new(inner, flaw)).await;
        assert_eq!(report.failed(), expected, "{flaw:?}\n{report}");
    }
}
