//! The conformance suite for signing providers, for each algorithm, against each server that the
//! environment names.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::{borrow::Cow, sync::Arc};

use adcp_signing_aws_kms::{AwsKmsConfig, Endpoint, KeyIdentifier};
use adcp_signing_conformance::provider::{
    Case, Faults, Harness, HarnessError, KeySpec, KeyState, Suite,
};
use adcp_signing_core::{Algorithm, KeyPurpose, SigningProvider, provider::toolkit::KeyOptions};
use adcp_signing_testkit::{CannedReply, ProxyFaults, Replies};
use async_trait::async_trait;

use self::support::emulator::{Emulator, Lie, key_spec, unique_alias};

/// A key ID that no server gives.
const MISSING: &str = "00000000-0000-4000-8000-000000000000";

struct AwsKmsHarness {
    emulator: Emulator,
    algorithm: Algorithm,
    ready: KeyIdentifier,
    wrong_algorithm: KeyIdentifier,
    disabled: KeyIdentifier,
    alias: KeyIdentifier,
}

impl AwsKmsHarness {
    async fn new(emulator: Emulator, algorithm: Algorithm) -> Self {
        let other = match algorithm {
            Algorithm::EcdsaP256Sha256 => Algorithm::RsaPssSha512,
            _ => Algorithm::EcdsaP256Sha256,
        };
        let ready = emulator.new_key(key_spec(algorithm)).await;
        let wrong_algorithm = emulator.new_key(key_spec(other)).await;
        let disabled = emulator.new_key(key_spec(algorithm)).await;
        emulator.admin().await.disable_key().key_id(disabled.expose()).send().await.unwrap();
        let alias = unique_alias();
        emulator.point(&alias, &emulator.new_key(key_spec(algorithm)).await).await;
        let alias = alias.parse().unwrap();
        Self { emulator, algorithm, ready, wrong_algorithm, disabled, alias }
    }

    async fn connect(
        &self,
        key: KeyIdentifier,
        purpose: KeyPurpose,
        endpoint: Endpoint,
    ) -> Result<Arc<dyn SigningProvider>, HarnessError> {
        let provider = AwsKmsConfig::new(
            key,
            KeyOptions::new(purpose).with_algorithm(self.algorithm).with_key_id("suite-1"),
        )
        .with_endpoint(endpoint)
        .connect()
        .await?;
        Ok(Arc::new(provider))
    }
}

#[async_trait]
impl Harness for AwsKmsHarness {
    fn name(&self) -> String {
        format!("aws-kms, {}, {}", self.emulator.name, self.algorithm)
    }

    fn secrets(&self) -> Vec<String> {
        let arns =
            [&self.ready, &self.wrong_algorithm, &self.disabled].map(|key| key.expose().to_owned());
        let ids = arns.iter().filter_map(|arn| arn.split_once("key/")).map(|(_, id)| id.to_owned());
        ids.chain(arns.iter().cloned())
            .chain([self.alias.expose().to_owned(), MISSING.to_owned()])
            .collect()
    }

    async fn provider(&self, spec: &KeySpec) -> Result<Arc<dyn SigningProvider>, HarnessError> {
        let key = match spec.state {
            KeyState::Ready => self.ready.clone(),
            KeyState::WrongAlgorithm => self.wrong_algorithm.clone(),
            KeyState::Missing => MISSING.parse().unwrap(),
            KeyState::Disabled => self.disabled.clone(),
            KeyState::Rotatable => self.alias.clone(),
            KeyState::MissingVersion => {
                return Err(HarnessError::not_applicable(
                    "an asymmetric key in AWS KMS has one version",
                ));
            }
            _ => return Err(HarnessError::not_applicable("the harness does not know this state")),
        };
        self.connect(key, spec.purpose.clone(), self.emulator.endpoint()).await
    }

    async fn rotate(&self) -> Result<(), HarnessError> {
        let next = self.emulator.new_key(key_spec(self.algorithm)).await;
        self.emulator.point(self.alias.expose(), &next).await;
        Ok(())
    }

    async fn through_faults(
        &self,
    ) -> Result<(Arc<dyn SigningProvider>, Box<dyn Faults>), HarnessError> {
        let answer =
            |status, code| CannedReply::new(status).body(format!(r#"{{"__type":"{code}"}}"#));
        // HTTP 400, as AWS throttles.
        let throttled = answer(400, "ThrottlingException");
        let replies = Replies::new(answer(500, "KMSInternalException")).throttled(throttled);
        let faults = ProxyFaults::http(self.emulator.socket(), replies)
            .await
            .map_err(HarnessError::setup)?;
        let endpoint =
            format!("http://{}", faults.address()).parse().map_err(HarnessError::setup)?;
        let provider =
            self.connect(self.ready.clone(), KeyPurpose::RequestSigning, endpoint).await?;
        Ok((provider, Box::new(faults)))
    }

    fn not_applicable(&self, case: Case) -> Option<Cow<'static, str>> {
        let lie = match case {
            Case::WrongAlgorithm => Lie::WrongAlgorithmIsInternal,
            Case::AccessDenied => Lie::NoPolicies,
            _ => return None,
        };
        self.emulator.lie(lie).map(Cow::Borrowed)
    }
}

async fn conforms(emulator: Option<Emulator>, algorithm: Algorithm) {
    if let Some(emulator) = emulator {
        let suite = match algorithm {
            // A tenth of a second of one processor for each signature: 200 at once would outlast
            // any sane deadline.
            Algorithm::RsaPssSha512 if emulator.name.starts_with("LocalStack") => {
                Suite::default().with_signatures(200).with_concurrency(20)
            }
            _ => Suite::default(),
        };
        suite.run(&AwsKmsHarness::new(emulator, algorithm).await).await.assert();
    }
}

macro_rules! conformance {
    ($($test:ident: $emulator:ident, $algorithm:ident;)*) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $test() {
            conforms(Emulator::$emulator(), Algorithm::$algorithm).await;
        }
    )*};
}

conformance! {
    ed25519_by_ministack: ministack, Ed25519;
    p256_by_ministack: ministack, EcdsaP256Sha256;
    rsa_pss_by_ministack: ministack, RsaPssSha512;
    p256_by_localstack: localstack, EcdsaP256Sha256;
    rsa_pss_by_localstack: localstack, RsaPssSha512;
}
