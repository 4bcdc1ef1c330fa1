//! What a provider costs beside the bare HTTP call. Run by `cargo xtask bench kms`.

#![allow(clippy::unwrap_used, reason = "a benchmark")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::{net::SocketAddr, process::ExitCode};

use adcp_signing_core::{Algorithm, SigningProvider};
use adcp_signing_testkit::{
    FaultProxy, Traffic,
    bench::{self, BenchError, CommandLine, Service},
};
use adcp_signing_vault_transit::{
    VaultAuth, VaultClient, VaultClientOptions, VaultTransitProvider,
};
use async_trait::async_trait;
use base64ct::{Base64, Encoding as _};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use support::{Server, Transit};

struct TransitService {
    transit: Transit,
    socket: SocketAddr,
    token: String,
    algorithm: Algorithm,
    key: String,
    client: reqwest::Client,
    sign_url: String,
}

impl TransitService {
    async fn new(server: &Server, algorithm: Algorithm) -> Self {
        let transit = server.transit().await;
        let key = transit
            .new_key(if algorithm == Algorithm::Ed25519 { "ed25519" } else { "ecdsa-p256" })
            .await;
        let policy = server.signing_policy(&transit.mount, &key).await;
        Self {
            socket: server.socket().await,
            token: server.new_token(json!({ "policies": [policy] })).await,
            algorithm,
            client: reqwest::Client::builder().tls_certs_only([]).no_proxy().build().unwrap(),
            sign_url: format!("{}/v1/{}", server.addr, transit.path("sign", &key)),
            key,
            transit,
        }
    }

    fn address(&self, proxy: Option<&FaultProxy>) -> String {
        proxy.map_or_else(
            || self.transit.server.addr.clone(),
            |proxy| format!("http://{}", proxy.address()),
        )
    }
}

#[async_trait]
impl Service for TransitService {
    fn name(&self) -> String {
        format!("Vault Transit ({})", self.transit.server.name)
    }

    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    async fn bare(&self, message: &[u8]) -> Result<(), BenchError> {
        let body = match self.algorithm {
            Algorithm::Ed25519 => {
                json!({ "input": Base64::encode_string(message), "key_version": 1 })
            }
            _ => json!({
                "input": Base64::encode_string(&Sha256::digest(message)),
                "key_version": 1,
                "prehashed": true,
                "hash_algorithm": "sha2-256",
                "marshaling_algorithm": "jws",
            }),
        };
        let call = self
            .client
            .post(&self.sign_url)
            .header("X-Vault-Token", &self.token)
            .body(body.to_string());
        call.send().await?.error_for_status()?.bytes().await?;
        Ok(())
    }

    async fn proxy(&self) -> Result<Option<FaultProxy>, BenchError> {
        Ok(Some(FaultProxy::start(self.socket, Traffic::Http).await?))
    }

    fn asks_for_key(&self, head: &str) -> bool {
        head.contains("/keys/")
    }

    async fn provider(
        &self,
        proxy: Option<&FaultProxy>,
    ) -> Result<Box<dyn SigningProvider>, BenchError> {
        let options = VaultClientOptions::new(self.address(proxy), VaultAuth::token(&*self.token));
        let key = self.transit.key(&self.key, self.algorithm).with_version(1);
        Ok(Box::new(VaultTransitProvider::new(VaultClient::new(options)?, key)?))
    }

    fn command_line(&self, proxy: Option<&FaultProxy>) -> CommandLine {
        let (key, mount, algorithm) =
            (&self.key, &self.transit.mount, self.algorithm.rfc9421_name());
        CommandLine {
            key: format!("openbao://{key}?mount={mount}&version=1&alg={algorithm}&kid=bench"),
            variables: vec![
                ("BAO_ADDR".to_owned(), self.address(proxy)),
                ("BAO_TOKEN".to_owned(), self.token.clone()),
            ],
        }
    }
}

fn main() -> ExitCode {
    bench::main(async {
        let mut services: Vec<Box<dyn Service>> = Vec::new();
        for server in [support::openbao(), support::vault()].into_iter().flatten() {
            for algorithm in [Algorithm::Ed25519, Algorithm::EcdsaP256Sha256] {
                services.push(Box::new(TransitService::new(&server, algorithm).await));
            }
        }
        Ok(services)
    })
}
