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
    Algorithm, KeyPurpose, KeyRef, ProviderError, ProviderErrorKind, PublicKey, SigningProvider,
    provider::{
        Capability, Signed,
        layers::{RateLimitPolicy, RetryPolicy, SigningProviderExt as _},
    },
};
use async_trait::async_trait;

type Dyn = Arc<dyn SigningProvider>;

#[tokio::test]
async fn the_wrappers_of_core_conform() {
    let many = NonZeroUsize::new(8).unwrap();
    let rate = RateLimitPolicy::per_second(NonZeroU32::new(1000).unwrap());
    let quick = RetryPolicy::default().with_pauses(Duration::ZERO, Duration::ZERO);
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
    DropsSnapshot,
    UnwrapsSnapshot,
    InventsSnapshot,
    MixesKinds,
    LosesRetryAfter,
    SignsOtherwise,
}

#[derive(Debug)]
struct Wrapper(Dyn, Flaw);

impl Wrapper {
    fn has(&self, flaw: Flaw) -> bool {
        self.1 == flaw
    }
}

#[async_trait]
impl SigningProvider for Wrapper {
    fn key_id(&self) -> &str {
        self.0.key_id()
    }

    fn algorithm(&self) -> Algorithm {
        self.0.algorithm()
    }

    fn purpose(&self) -> &KeyPurpose {
        if self.has(Flaw::DropsPurpose) { &KeyPurpose::RequestSigning } else { self.0.purpose() }
    }

    fn key_ref(&self) -> &KeyRef {
        self.0.key_ref()
    }

    fn capability(&self) -> Capability {
        self.0.capability()
    }

    async fn public_key(&self) -> Result<PublicKey, ProviderError> {
        self.0.public_key().await
    }

    async fn sign(&self, base: &[u8]) -> Result<Signed, ProviderError> {
        if self.has(Flaw::SignsOtherwise) {
            return self.0.sign(&base[1..]).await;
        }
        self.0.sign(base).await.map_err(|error| match self.1 {
            Flaw::MixesKinds => {
                ProviderError::new(ProviderErrorKind::Unavailable, "something went wrong")
            }
            Flaw::LosesRetryAfter => ProviderError::new(error.kind(), "something went wrong"),
            _ => error,
        })
    }

    fn snapshot(&self) -> Option<Dyn> {
        match self.1 {
            Flaw::DropsSnapshot => None,
            Flaw::UnwrapsSnapshot => self.0.snapshot(),
            Flaw::InventsSnapshot => {
                let inner = self.0.snapshot().unwrap_or_else(|| self.0.clone());
                Some(Arc::new(Wrapper(inner, Flaw::None)))
            }
            flaw => Some(Arc::new(Wrapper(self.0.snapshot()?, flaw))),
        }
    }
}

#[tokio::test]
async fn a_wrapper_with_one_flaw_fails_exactly_the_cases_of_that_flaw() {
    let flaws: [(Flaw, &[&str]); 8] = [
        (Flaw::None, &[]),
        (Flaw::DropsPurpose, &["forwards-identity"]),
        (Flaw::DropsSnapshot, &["forwards-snapshot"]),
        (Flaw::UnwrapsSnapshot, &["forwards-snapshot"]),
        (Flaw::InventsSnapshot, &["no-snapshot-of-a-fixed-key"]),
        (Flaw::MixesKinds, &["forwards-errors"]),
        (Flaw::LosesRetryAfter, &["forwards-errors"]),
        (Flaw::SignsOtherwise, &["forwards-keys-and-signatures", "forwards-snapshot"]),
    ];
    for (flaw, expected) in flaws {
        let report = run_wrapper("a wrapper", |inner| Wrapper(inner, flaw)).await;
        assert_eq!(report.failed(), expected, "{flaw:?}\n{report}");
    }
}
