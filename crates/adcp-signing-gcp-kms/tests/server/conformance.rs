//! The provider conformance suite, once for each algorithm.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use adcp_signing_conformance::provider::{
    Faults, Harness, HarnessError, KeySpec, KeyState, SuiteReport, run,
};
use adcp_signing_core::{
    Algorithm, KeyPurpose, ProviderErrorKind, SigningProvider, provider::toolkit::KeyOptions,
};
use adcp_signing_gcp_kms::GcpKmsConfig;
use adcp_signing_testkit::{CannedReply, ProxyFaults, Replies};
use async_trait::async_trait;
use google_cloud_kms_v1::model::crypto_key_version::{
    CryptoKeyVersionAlgorithm, CryptoKeyVersionState,
};

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
        let other = [Algorithm::EcdsaP256Sha256, Algorithm::Ed25519]
            .into_iter()
            .find(|other| *other != algorithm && !server.lacks(other.rfc9421_name()));
        // RSA with PKCS#1 v1.5 is none that is used here.
        let other = other.map_or(CryptoKeyVersionAlgorithm::RsaSignPkcs13072Sha256, service_name);
        let this = service_name(algorithm);
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
}

impl Server {
    async fn connect(
        &self,
        version: &str,
        algorithm: Algorithm,
        purpose: KeyPurpose,
        endpoint: &str,
    ) -> Result<Arc<dyn SigningProvider>, HarnessError> {
        let name = version.parse().map_err(HarnessError::setup)?;
        let provider = GcpKmsConfig::new(
            name,
            KeyOptions::new(purpose).with_algorithm(algorithm).with_key_id("gcp-test-1"),
        )
        .with_endpoint(endpoint.parse().map_err(HarnessError::setup)?)
        .with_access_token(&self.token)?
        .connect()
        .await?;
        Ok(Arc::new(provider))
    }
}

fn service_name(algorithm: Algorithm) -> CryptoKeyVersionAlgorithm {
    match algorithm {
        Algorithm::Ed25519 => CryptoKeyVersionAlgorithm::EcSignEd25519,
        Algorithm::EcdsaP256Sha256 => CryptoKeyVersionAlgorithm::EcSignP256Sha256,
        _ => CryptoKeyVersionAlgorithm::RsaSignPss4096Sha512,
    }
}

fn first(key: &str) -> String {
    format!("{key}/cryptoKeyVersions/1")
}

#[async_trait]
impl Harness for GcpKms {
    fn name(&self) -> String {
        format!("gcp-kms, {}, {}", self.server.name, self.algorithm)
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
            KeyState::AccessDenied if self.server.lacks("denials") => {
                return Err(HarnessError::not_applicable("the server denies nobody anything"));
            }
            KeyState::AccessDenied => {
                let (_, rest) = self.ready.split_once("/locations/").unwrap_or_default();
                first(&format!("projects/{FOREIGN_PROJECT}/locations/{rest}"))
            }
            KeyState::Rotatable => first(&self.rotatable),
            _ => {
                return Err(HarnessError::not_applicable(
                    "a state that this harness does not know",
                ));
            }
        };
        self.server
            .connect(&version, self.algorithm, spec.purpose.clone(), &self.server.endpoint)
            .await
    }

    /// A provider names its version, so a new one changes nothing for it: an asymmetric key has no
    /// primary version.
    async fn rotate(&self) -> Result<(), HarnessError> {
        self.server.create_version(&self.rotatable).await.map(|_| ()).map_err(HarnessError::setup)
    }

    async fn through_faults(
        &self,
    ) -> Result<(Arc<dyn SigningProvider>, Box<dyn Faults>), HarnessError> {
        let address = self.server.endpoint.strip_prefix("http://");
        let Some(address) = address.and_then(|address| address.parse::<SocketAddr>().ok()) else {
            return Err(HarnessError::not_applicable(
                "faults are injected into plain HTTP on loopback only",
            ));
        };
        let faults = ProxyFaults::http(address, replies()).await.map_err(HarnessError::setup)?;
        let endpoint = format!("http://{}", faults.address());
        let ready = first(&self.ready);
        let provider = self
            .server
            .connect(&ready, self.algorithm, KeyPurpose::RequestSigning, &endpoint)
            .await?;
        Ok((provider, Box::new(faults)))
    }
}

/// The service's own answers (AIP-193).
fn replies() -> Replies {
    let unavailable = r#"{"error":{"code":503,"message":"down","status":"UNAVAILABLE"}}"#;
    Replies::new(CannedReply::new(503).body(unavailable)).throttled_by(|pause: Option<Duration>| {
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

/// What is left to test where the server does not say that it got the request whole.
async fn refuses_signatures_without_checksums(
    server: &Server,
    algorithm: Algorithm,
) -> Outcome<()> {
    let key = server.create_key("unchecked", service_name(algorithm)).await?;
    let provider = server
        .connect(&first(&key), algorithm, KeyPurpose::RequestSigning, &server.endpoint)
        .await?;
    assert_eq!(provider.public_key().await?.algorithm(), algorithm);
    let error = provider.sign(b"a signature base").await.expect_err("the signature is refused");
    assert_eq!(error.kind(), ProviderErrorKind::InvalidResponse);
    Ok(())
}

async fn suite(algorithm: Algorithm) {
    let lacking = |what| {
        SuiteReport::skipped(format!("gcp-kms, {algorithm}"), format!("the server lacks {what}"))
    };
    let report = match Server::from_env() {
        Ok(server) if server.lacks(algorithm.rfc9421_name()) => lacking("the algorithm"),
        Ok(server) if server.lacks("checksums") => {
            refuses_signatures_without_checksums(&server, algorithm)
                .await
                .expect("keys on the server");
            lacking("checksums of requests, so that its signatures are refused, which was tested")
        }
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
