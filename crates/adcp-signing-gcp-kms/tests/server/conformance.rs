//! The provider conformance suite, once for each algorithm.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use adcp_signing_conformance::provider::{
    Faults, Harness, HarnessError, KeySpec, KeyState, SuiteReport, run,
};
use adcp_signing_core::{Algorithm, KeyPurpose, SigningProvider};
use adcp_signing_emulators::{CannedReply, ProxyFaults, Replies};
use adcp_signing_gcp_kms::GcpKmsConfig;
use async_trait::async_trait;
use google_cloud_kms_v1::model::crypto_key_version::{CryptoKeyVersionAlgorithm, CryptoKeyVersionState};

use crate::keys::{Outcome, Server};

/// A project that the token may not use, on the fake and at Google alike.
const FOREIGN_PROJECT: &str = "adcp-signing-not-allowed";

struct GcpKms {
    server: Server,
    algorithm: Algorithm,
    ready: String,
    of_another_algorithm: String,
    disabled: String,
    rotatable: String,
}

impl GcpKms {
    async fn new(server: Server, algorithm: Algorithm) -> Outcome<Self> {
        let (this, other) = match algorithm {
            Algorithm::Ed25519 => {
                (CryptoKeyVersionAlgorithm::EcSignEd25519, CryptoKeyVersionAlgorithm::EcSignP256Sha256)
            }
            Algorithm::EcdsaP256Sha256 => {
                (CryptoKeyVersionAlgorithm::EcSignP256Sha256, CryptoKeyVersionAlgorithm::EcSignEd25519)
            }
            _ => {
                (CryptoKeyVersionAlgorithm::RsaSignPss4096Sha512, CryptoKeyVersionAlgorithm::EcSignP256Sha256)
            }
        };
        let disabled = first(&server.create_key("disabled", this.clone()).await?);
        server.set_state(&disabled, CryptoKeyVersionState::Disabled).await?;
        Ok(Self {
            algorithm,
            ready: server.create_key("ready", this.clone()).await?,
            of_another_algorithm: first(&server.create_key("other", other).await?),
            disabled,
            rotatable: server.create_key("rotatable", this).await?,
            server,
        })
    }

    async fn connect(
        &self,
        version: &str,
        purpose: KeyPurpose,
        endpoint: &str,
    ) -> Result<Arc<dyn SigningProvider>, HarnessError> {
        let name = version.parse().map_err(HarnessError::setup)?;
        let provider = GcpKmsConfig::new(name, purpose)
            .with_algorithm(self.algorithm)
            .with_key_id("gcp-test-1")
            .with_endpoint(endpoint.parse().map_err(HarnessError::setup)?)
            .with_access_token(&self.server.token)?
            .connect()
            .await?;
        Ok(Arc::new(provider))
    }
}

fn first(key: &str) -> String {
    format!("{key}/cryptoKeyVersions/1")
}

#[async_trait]
impl Harness for GcpKms {
    fn name(&self) -> String {
        format!("gcp-kms, {}, {}", self.server.endpoint, self.algorithm)
    }

    fn secrets(&self) -> Vec<String> {
        vec![self.server.token.clone(), self.server.parent.clone(), self.ready.clone()]
    }

    async fn provider(&self, spec: &KeySpec) -> Result<Arc<dyn SigningProvider>, HarnessError> {
        let version = match spec.state {
            KeyState::Ready => first(&self.ready),
            KeyState::WrongAlgorithm => self.of_another_algorithm.clone(),
            KeyState::Missing => first(&format!("{}-of-nobody", self.ready)),
            KeyState::MissingVersion => format!("{}/cryptoKeyVersions/99", self.ready),
            KeyState::Disabled => self.disabled.clone(),
            KeyState::AccessDenied => {
                let (_, rest) = self.ready.split_once("/locations/").unwrap_or_default();
                first(&format!("projects/{FOREIGN_PROJECT}/locations/{rest}"))
            }
            KeyState::Rotatable => first(&self.rotatable),
            _ => return Err(HarnessError::not_applicable("a state that this harness does not know")),
        };
        self.connect(&version, spec.purpose.clone(), &self.server.endpoint).await
    }

    /// A provider names its version, so a new one changes nothing for it: an asymmetric key has no primary version.
    async fn rotate(&self) -> Result<(), HarnessError> {
        self.server.create_version(&self.rotatable).await.map(|_| ()).map_err(HarnessError::setup)
    }

    async fn through_faults(&self) -> Result<(Arc<dyn SigningProvider>, Box<dyn Faults>), HarnessError> {
        let address = self.server.endpoint.strip_prefix("http://");
        let Some(address) = address.and_then(|address| address.parse::<SocketAddr>().ok()) else {
            return Err(HarnessError::not_applicable("faults are injected into plain HTTP on loopback only"));
        };
        let faults = ProxyFaults::http(address, replies()).await.map_err(HarnessError::setup)?;
        let endpoint = format!("http://{}", faults.address());
        let provider = self.connect(&first(&self.ready), KeyPurpose::RequestSigning, &endpoint).await?;
        Ok((provider, Box::new(faults)))
    }
}

/// The service's own answers (AIP-193).
fn replies() -> Replies {
    let unavailable = r#"{"error":{"code":503,"message":"down","status":"UNAVAILABLE"}}"#;
    Replies::new(CannedReply::new(503).body(unavailable)).throttled(|pause: Option<Duration>| {
        let details = pause.map_or_else(String::new, |pause| {
            let name = "type.googleapis.com/google.rpc.RetryInfo";
            format!(r#"{{"@type":"{name}","retryDelay":"{}s"}}"#, pause.as_secs())
        });
        let body = format!(
            r#"{{"error":{{"code":429,"message":"quota","status":"RESOURCE_EXHAUSTED","details":[{details}]}}}}"#
        );
        Some(CannedReply::new(429).body(body))
    })
}

async fn suite(algorithm: Algorithm) {
    let report = match Server::from_env() {
        Ok(server) => {
            let harness = GcpKms::new(server, algorithm).await.expect("keys on the server");
            run(&harness).await
        }
        Err(reason) => SuiteReport::skipped(format!("gcp-kms, {algorithm}"), reason),
    };
    report.assert();
}

#[tokio::test(flavor = "multi_thread")]
async fn ed25519() {
    suite(Algorithm::Ed25519).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p256() {
    suite(Algorithm::EcdsaP256Sha256).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rsa_pss() {
    suite(Algorithm::RsaPssSha512).await;
}
