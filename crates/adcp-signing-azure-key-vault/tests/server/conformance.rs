//! The provider conformance suite, once for each algorithm.

use std::sync::Arc;

use adcp_signing_conformance::provider::{
    Faults, Harness, HarnessError, KeySpec, KeyState, SuiteReport, run,
};
use adcp_signing_core::{Algorithm, KeyPurpose, SigningProvider, provider::toolkit::KeyOptions};
use adcp_signing_testkit::{CannedReply, ProxyFaults, Replies};
use async_trait::async_trait;

use crate::keys::{Outcome, Server};

const NO_VERSION: &str = "00000000000000000000000000000000";

struct AzureKeyVault {
    server: Server,
    algorithm: Algorithm,
    /// Identifiers of versions.
    ready: String,
    of_another_algorithm: String,
    disabled: String,
    /// The name of a key.
    rotatable: String,
}

impl AzureKeyVault {
    async fn new(server: Server, algorithm: Algorithm) -> Outcome<Self> {
        let other = match algorithm {
            Algorithm::EcdsaP256Sha256 => Algorithm::RsaPssSha512,
            _ => Algorithm::EcdsaP256Sha256,
        };
        let disabled = server.create_key("disabled", algorithm).await?;
        server.disable(&disabled).await?;
        Ok(Self {
            algorithm,
            ready: server.create_key("ready", algorithm).await?,
            of_another_algorithm: server.create_key("other", other).await?,
            disabled,
            rotatable: name_of(&server.create_key("rotatable", algorithm).await?),
            server,
        })
    }

    /// A provider for a key by path below `keys`, at the server or in front of it.
    async fn connect(
        &self,
        server: &Server,
        path: &str,
        purpose: KeyPurpose,
        token: &str,
    ) -> Result<Arc<dyn SigningProvider>, HarnessError> {
        let key = format!("{}/keys/{path}", server.url).parse().map_err(HarnessError::setup)?;
        let provider = server
            .config(
                key,
                KeyOptions::new(purpose).with_algorithm(self.algorithm).with_key_id("azure-test-1"),
                token,
            )?
            .connect()
            .await?;
        Ok(Arc::new(provider))
    }
}

/// What follows `keys` in an identifier: the name and the version.
fn path_of(kid: &str) -> &str {
    kid.split_once("/keys/").map_or(kid, |(_, path)| path)
}

fn name_of(kid: &str) -> String {
    path_of(kid).split('/').next().unwrap_or_default().to_owned()
}

#[async_trait]
impl Harness for AzureKeyVault {
    fn name(&self) -> String {
        format!("azure-key-vault, {}, {}", self.server.name, self.algorithm)
    }

    fn secrets(&self) -> Vec<String> {
        let denied = self.server.denied_token.clone();
        let rest = [
            self.server.token.clone(),
            self.server.authority().to_owned(),
            path_of(&self.ready).to_owned(),
            name_of(&self.disabled),
        ];
        denied.into_iter().chain(rest).collect()
    }

    async fn provider(&self, spec: &KeySpec) -> Result<Arc<dyn SigningProvider>, HarnessError> {
        let mut token = &self.server.token;
        let path = match spec.state {
            KeyState::Ready => path_of(&self.ready).to_owned(),
            KeyState::WrongAlgorithm => path_of(&self.of_another_algorithm).to_owned(),
            KeyState::Missing => format!("{}-of-nobody", name_of(&self.ready)),
            KeyState::MissingVersion => format!("{}/{NO_VERSION}", name_of(&self.ready)),
            KeyState::Disabled if self.server.lacks("refusals") => {
                return Err(HarnessError::not_applicable(
                    "the server has a code of its own for a disabled key",
                ));
            }
            KeyState::Disabled => path_of(&self.disabled).to_owned(),
            KeyState::AccessDenied => {
                token = self.server.denied_token.as_ref().ok_or_else(|| {
                    HarnessError::not_applicable(
                        "no token that may do nothing: the server looks into none",
                    )
                })?;
                path_of(&self.ready).to_owned()
            }
            // Without a version, so that the vault chooses.
            KeyState::Rotatable => self.rotatable.clone(),
            _ => {
                return Err(HarnessError::not_applicable(
                    "a state that this harness does not know",
                ));
            }
        };
        self.connect(&self.server, &path, spec.purpose.clone(), token).await
    }

    async fn rotate(&self) -> Result<(), HarnessError> {
        let rotated = self.server.create_version(&self.rotatable, self.algorithm).await;
        rotated.map(|_| ()).map_err(HarnessError::setup)
    }

    async fn through_faults(
        &self,
    ) -> Result<(Arc<dyn SigningProvider>, Box<dyn Faults>), HarnessError> {
        let Some(roots) = &self.server.roots else {
            return Err(HarnessError::not_applicable(
                "the proxy of the faults trusts a server by ADCP_TEST_AZURE_KEY_VAULT_CA only",
            ));
        };
        let authority = self.server.authority();
        let faults =
            ProxyFaults::https(authority, roots, replies()).await.map_err(HarnessError::setup)?;
        let in_front = Server {
            url: format!("https://{}", faults.address()),
            roots: faults.proxy().certificate().map(|root| root.as_bytes().to_vec()),
            ..self.server.clone()
        };
        let path = path_of(&self.ready);
        let token = &self.server.token;
        let provider = self.connect(&in_front, path, KeyPurpose::RequestSigning, token).await?;
        Ok((provider, Box::new(faults)))
    }
}

/// The service's own answers.
fn replies() -> Replies {
    let reply = |status: u16, code: &str| {
        let body = format!(
            r#"{{"error":{{"code":"{code}","message":"of https://a-vault.vault.azure.net"}}}}"#
        );
        CannedReply::new(status)
            .header("content-type", "application/json; charset=utf-8")
            .body(body)
    };
    Replies::new(reply(503, "ServiceUnavailable")).throttled(reply(429, "Throttled"))
}

async fn suite(algorithm: Algorithm) {
    let report = match Server::from_env() {
        Ok(server) => {
            let harness = AzureKeyVault::new(server, algorithm).await.expect("keys on the server");
            run(&harness).await
        }
        Err(reason) => SuiteReport::skipped(format!("azure-key-vault, {algorithm}"), reason),
    };
    report.assert();
}

#[tokio::test(flavor = "multi_thread")]
async fn p256() {
    suite(Algorithm::EcdsaP256Sha256).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rsa_pss() {
    suite(Algorithm::RsaPssSha512).await;
}
