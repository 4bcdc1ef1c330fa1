//! The suite passes what conforms, and fails exactly the case that a fault belongs to.

#![cfg(feature = "provider")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "helpers of tests"
)]

mod fake;

use std::{sync::Arc, time::Duration};

use adcp_signing_conformance::provider::{
    Case, Harness, HarnessError, KeySpec, KeyState, Outcome, Suite, SuiteReport, Unsatisfied, run,
};
use adcp_signing_core::{Algorithm, InMemoryProvider, KeyPurpose, PrivateJwk, SigningProvider};
use async_trait::async_trait;
use fake::{Flaw, Service};

/// Enough for faults that are not one in 128.
fn quick() -> Suite {
    Suite::default()
        .with_signatures(20)
        .with_concurrency(20)
        .with_hang_limit(Duration::from_millis(20))
}

fn reasons(report: &SuiteReport) -> Vec<String> {
    report
        .cases
        .iter()
        .filter_map(|row| match &row.outcome {
            Outcome::Failed(reason) => Some(format!("{}: {reason}", row.case)),
            _ => None,
        })
        .collect()
}

#[tokio::test]
async fn a_conforming_provider_passes_every_case() {
    let report = run(&Service::new(None)).await;
    report.assert();
    assert_eq!(report.passed(), Case::ALL.map(Case::name), "{report}");
}

#[tokio::test]
async fn a_provider_with_one_flaw_fails_exactly_the_cases_of_that_flaw() {
    use Case as C;
    let flaws: [(Flaw, &[Case]); 48] = [
        (Flaw::AnswersDer, &[C::WireForm]),
        (Flaw::SaysAnotherAlgorithm, &[C::WireForm]),
        (Flaw::SignsWithAnotherKey, &[C::SignsAndVerifies]),
        (Flaw::SignsTheDigest, &[C::SignsAndVerifies]),
        (Flaw::DropsLeadingZeros, &[C::ManySignatures]),
        (Flaw::DropsThePurpose, &[C::Identity]),
        (Flaw::NewKeyIdEachTime, &[C::Identity]),
        (Flaw::EmptyKeyId, &[C::Identity]),
        (Flaw::NewKeyRefEachTime, &[C::Identity]),
        (Flaw::KeyRefOfThePurpose, &[C::Identity]),
        (Flaw::CapabilityWithoutItsAlgorithm, &[C::Identity]),
        (Flaw::IgnoresPins, &[C::PinMismatch, C::WrongKeyVersion]),
        (Flaw::FetchesTheKeyForEachSignature, &[C::ConcurrentSigns]),
        (Flaw::PreparesForEachSignature, &[C::ConcurrentSigns]),
        (Flaw::SignsBeyondItsLimit, &[C::BaseOf4097, C::LongestBase]),
        (Flaw::HasASecretLimit, &[C::BaseOf4097]),
        (Flaw::EmptyBaseAsUnavailable, &[C::EmptyBase]),
        (Flaw::EmptyBaseForged, &[C::EmptyBase]),
        (Flaw::SignsWithTheWrongAlgorithm, &[C::WrongAlgorithm]),
        (Flaw::TakesOnTheWrongAlgorithm, &[C::WrongAlgorithm, C::WrongAlgorithmPinned]),
        (Flaw::MissingAsUnavailable, &[C::MissingKey]),
        (Flaw::MissingVersionAsLatest, &[C::MissingKeyVersion]),
        (Flaw::DisabledSigns, &[C::DisabledKey]),
        (Flaw::DeniedAsMissing, &[C::AccessDenied]),
        (Flaw::HidesTheRotation, &[C::RotationWhileSigning]),
        (Flaw::LosesRetryAfter, &[C::ThrottledWithRetryAfter]),
        (Flaw::InventsRetryAfter, &[C::ThrottledWithoutRetryAfter]),
        (
            Flaw::ThrottledAsUnavailable,
            &[C::ThrottledWithRetryAfter, C::ThrottledWithoutRetryAfter],
        ),
        (Flaw::RetriesItself, &[C::OneRequestPerCall]),
        (Flaw::DownAsMissing, &[C::OneRequestPerCall, C::ServiceFailure]),
        (Flaw::HangsAsGarbage, &[C::Timeout, C::BoundedQueue]),
        (
            Flaw::RefusedAsMisconfigured,
            &[C::ConnectionRefused, C::RetriedThroughOutage, C::DownAtStart],
        ),
        (Flaw::CutAsGarbage, &[C::KilledMidCall]),
        (Flaw::GarbageAsUnavailable, &[C::GarbageReply]),
        (Flaw::SignsUnderFaults, &[C::GarbageReply]),
        (Flaw::TruncatedAsMisconfigured, &[C::TruncatedReply]),
        (Flaw::EndlessAsUnavailable, &[C::EndlessReply]),
        (Flaw::SlowAsGarbage, &[C::SlowReply]),
        (Flaw::SticksAfterManyCalls, &[C::BoundedQueue]),
        (Flaw::NeverRecovers, &[C::KilledMidCall]),
        (Flaw::LeaksInDebug, &[C::NoSecretShown]),
        (Flaw::LeaksInDisplay, &[C::NoSecretShown]),
        (Flaw::LeaksInTheCause, &[C::NoSecretShown]),
        (Flaw::LeaksInTheLog, &[C::NoSecretShown]),
        (Flaw::LeaksBase64InTheLog, &[C::NoSecretShown]),
        (Flaw::LeaksInTheLogOfAThread, &[C::NoSecretShown]),
        (Flaw::NamesNoSecret, &[C::NoSecretShown]),
        (Flaw::NamesAnEmptySecret, &[C::NoSecretShown]),
    ];
    for (flaw, cases) in flaws {
        let service = Service::new(Some(flaw));
        let report = quick().run(&service).await;
        let expected: Vec<_> = cases.iter().map(|case| case.name()).collect();
        assert_eq!(report.failed(), expected, "{flaw:?}: {:#?}", reasons(&report));
        assert!(
            !report.to_string().contains(&service.secret),
            "{flaw:?}: the report repeats the secret"
        );
    }
}

/// A key in memory is all there is to it.
struct InMemory(Algorithm, String);

impl InMemory {
    fn new(algorithm: Algorithm) -> Self {
        let key = InMemoryProvider::generate(algorithm, KeyPurpose::RequestSigning).unwrap();
        let json: serde_json::Value =
            serde_json::from_str(&key.to_private_jwk().to_json()).unwrap();
        let mut json = json.as_object().unwrap().clone();
        json.remove("adcp_use");
        Self(algorithm, serde_json::to_string(&json).unwrap())
    }
}

#[async_trait]
impl Harness for InMemory {
    fn name(&self) -> String {
        format!("in-memory, {}", self.0)
    }

    fn secrets(&self) -> Vec<String> {
        let json: serde_json::Value = serde_json::from_str(&self.1).unwrap();
        vec![json["d"].as_str().unwrap().to_owned()]
    }

    async fn provider(&self, spec: &KeySpec) -> Result<Arc<dyn SigningProvider>, HarnessError> {
        if spec.state != KeyState::Ready {
            return Err(HarnessError::not_applicable("a key in memory is always ready"));
        }
        let key = PrivateJwk::parse(self.1.as_bytes()).map_err(HarnessError::setup)?;
        Ok(Arc::new(InMemoryProvider::from_jwk_for(key, spec.purpose.clone())?))
    }
}

#[tokio::test]
async fn the_in_memory_provider_conforms_with_every_algorithm() {
    for algorithm in Algorithm::ALL {
        let suite = if algorithm == Algorithm::RsaPssSha512 { quick() } else { Suite::default() };
        let report = suite.run(&InMemory::new(algorithm)).await;
        report.assert();
        for row in &report.cases {
            let required =
                Case::ALL.iter().any(|case| case.name() == row.case && case.is_required());
            match &row.outcome {
                Outcome::Passed => assert!(required, "{}", row.case),
                Outcome::NotApplicable(reason) => {
                    assert!(!required && !reason.is_empty(), "{}", row.case)
                }
                other => panic!("{}: {other:?}", row.case),
            }
        }
    }
}

/// A harness that can do nothing.
struct Nothing;

#[async_trait]
impl Harness for Nothing {
    fn name(&self) -> String {
        "nothing".to_owned()
    }

    fn secrets(&self) -> Vec<String> {
        vec!["a secret".to_owned()]
    }

    async fn provider(&self, _: &KeySpec) -> Result<Arc<dyn SigningProvider>, HarnessError> {
        Err(HarnessError::not_applicable("there is no service"))
    }
}

#[tokio::test]
async fn a_harness_that_waives_everything_fails() {
    let report = run(&Nothing).await;
    assert_eq!(report.verdict(false), Err(Unsatisfied::Failed(vec!["wire-form"])));
}

#[tokio::test]
async fn the_run_can_be_spawned() {
    let report = tokio::spawn(async { run(&Nothing).await }).await.unwrap();
    assert_eq!(report.cases.len(), Case::ALL.len());
}
