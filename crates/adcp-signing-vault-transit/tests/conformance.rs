//! The conformance suite for signing providers, for each algorithm, against each server that the
//! environment names.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::{net::SocketAddr, sync::Arc};

use adcp_signing_conformance::provider::{
    Faults, Harness, HarnessError, KeySpec, KeyState, SuiteReport, run,
};
use adcp_signing_core::{Algorithm, SigningProvider, provider::toolkit::KeyOptions};
use adcp_signing_testkit::{CannedReply, ProxyFaults, Replies};
use adcp_signing_vault_transit::{
    VaultAuth, VaultClient, VaultClientOptions, VaultTransitConfig, VaultTransitProvider,
};
use async_trait::async_trait;
use serde_json::json;
use support::{Server, Transit};

struct TransitHarness {
    server: Server,
    transit: Transit,
    algorithm: Algorithm,
    socket: SocketAddr,
    token: String,
    token_without_policy: String,
    ready: String,
    wrong_algorithm: String,
    retired: String,
    rotatable: String,
}

impl TransitHarness {
    async fn new(server: Server, algorithm: Algorithm) -> Self {
        let (key_type, other_type) = match algorithm {
            Algorithm::Ed25519 => ("ed25519", "ecdsa-p256"),
            Algorithm::EcdsaP256Sha256 => ("ecdsa-p256", "ecdsa-p384"),
            _ => ("rsa-2048", "ed25519"),
        };
        let transit = server.transit().await;
        let [ready, retired, rotatable] = [
            transit.new_key(key_type).await,
            transit.new_key(key_type).await,
            transit.new_key(key_type).await,
        ];
        let wrong_algorithm = transit.new_key(other_type).await;
        transit.rotate(&retired).await;
        transit.configure(&retired, json!({ "min_encryption_version": 2 })).await;
        let policy = server.signing_policy(&transit.mount, "*").await;
        let token = server.new_token(json!({ "policies": [policy] })).await;
        let token_without_policy = server.new_token(json!({ "policies": ["default"] })).await;
        let socket = server.socket().await;
        Self {
            server,
            transit,
            algorithm,
            socket,
            token,
            token_without_policy,
            ready,
            wrong_algorithm,
            retired,
            rotatable,
        }
    }

    fn key(&self, state: KeyState) -> Result<VaultTransitConfig, HarnessError> {
        let key = |name: &str| self.transit.key(name, self.algorithm);
        Ok(match state {
            KeyState::Ready | KeyState::AccessDenied => key(&self.ready),
            KeyState::WrongAlgorithm => key(&self.wrong_algorithm),
            KeyState::Missing => key("adcp-key-that-is-not-there"),
            KeyState::MissingVersion => key(&self.ready).with_version(99),
            KeyState::Disabled => key(&self.retired).with_version(1),
            KeyState::Rotatable => key(&self.rotatable),
            _ => return Err(HarnessError::not_applicable("the harness does not know this state")),
        })
    }
}

#[async_trait]
impl Harness for TransitHarness {
    fn name(&self) -> String {
        format!("vault-transit, {}, {}", self.server.name, self.algorithm)
    }

    fn secrets(&self) -> Vec<String> {
        let mut secrets =
            vec![self.token.clone(), self.token_without_policy.clone(), self.transit.mount.clone()];
        secrets.extend(
            [&self.ready, &self.wrong_algorithm, &self.retired, &self.rotatable].map(Clone::clone),
        );
        secrets
    }

    async fn provider(&self, spec: &KeySpec) -> Result<Arc<dyn SigningProvider>, HarnessError> {
        let token = match spec.state {
            KeyState::AccessDenied => &self.token_without_policy,
            _ => &self.token,
        };
        let options = KeyOptions::new(spec.purpose.clone());
        let options = options.with_algorithm(self.algorithm).with_key_id("k");
        let key = self.key(spec.state)?.with_options(options);
        Ok(Arc::new(VaultTransitProvider::new(
            self.server.client(VaultAuth::token(&**token)),
            key,
        )?))
    }

    async fn rotate(&self) -> Result<(), HarnessError> {
        self.transit.rotate(&self.rotatable).await;
        Ok(())
    }

    async fn through_faults(
        &self,
    ) -> Result<(Arc<dyn SigningProvider>, Box<dyn Faults>), HarnessError> {
        let replies = Replies::new(CannedReply::new(503).body(r#"{"errors":["Vault is sealed"]}"#))
            .throttled(CannedReply::new(429).body(r#"{"errors":["rate limit quota exceeded"]}"#));
        let faults = ProxyFaults::http(self.socket, replies).await.map_err(HarnessError::setup)?;
        let address = format!("http://{}", faults.address());
        let client =
            VaultClient::new(VaultClientOptions::new(address, VaultAuth::token(&*self.token)))?;
        let provider = VaultTransitProvider::new(client, self.key(KeyState::Ready)?)?;
        Ok((Arc::new(provider), Box::new(faults)))
    }
}

async fn conforms(server: Option<Server>, algorithm: Algorithm) {
    if let Some(server) = server {
        let report: SuiteReport = run(&TransitHarness::new(server, algorithm).await).await;
        report.assert();
    }
}

macro_rules! conformance {
    ($($test:ident: $server:ident, $algorithm:ident;)*) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $test() {
            conforms(support::$server(), Algorithm::$algorithm).await;
        }
    )*};
}

conformance! {
    ed25519_by_openbao: openbao, Ed25519;
    p256_by_openbao: openbao, EcdsaP256Sha256;
    rsa_pss_by_openbao: openbao, RsaPssSha512;
    ed25519_by_vault: vault, Ed25519;
    p256_by_vault: vault, EcdsaP256Sha256;
    rsa_pss_by_vault: vault, RsaPssSha512;
}
