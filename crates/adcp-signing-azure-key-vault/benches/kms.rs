//! What a provider costs beside the bare call of Microsoft's client. Run by `cargo xtask bench
//! kms`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark")]

#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../tests/server/keys.rs"]
mod keys;

use std::{path::PathBuf, process::ExitCode};

use adcp_signing_azure_key_vault::KeyIdentifier;
use adcp_signing_core::{Algorithm, KeyPurpose, SigningProvider, provider::toolkit::KeyOptions};
use adcp_signing_testkit::{
    FaultProxy,
    bench::{self, BenchError, CommandLine, Service},
};
use async_trait::async_trait;
use azure_security_keyvault_keys::{
    KeyClient,
    models::{KeyClientSignOptions, SignParameters, SignatureAlgorithm},
};
use sha2::{Digest as _, Sha256};

use self::keys::Server;

struct KeyVault {
    server: Server,
    key: KeyIdentifier,
    client: KeyClient,
    /// Where the root of the server, or of the proxy, is written for the command line.
    folder: tempfile::TempDir,
}

impl KeyVault {
    async fn new(server: Server) -> Result<Self, BenchError> {
        let key = server.create_key("bench", Algorithm::EcdsaP256Sha256).await?.parse()?;
        Ok(Self { key, client: server.client()?, folder: tempfile::tempdir()?, server })
    }

    fn path(&self) -> String {
        format!("keys/{}/{}", self.key.name(), self.key.version().unwrap_or_default())
    }

    /// The server, or the proxy in front of it.
    fn at(&self, proxy: Option<&FaultProxy>) -> Server {
        match proxy {
            None => self.server.clone(),
            Some(proxy) => Server {
                url: format!("https://{}", proxy.address()),
                roots: proxy.certificate().map(|root| root.as_bytes().to_vec()),
                ..self.server.clone()
            },
        }
    }
}

#[async_trait]
impl Service for KeyVault {
    fn name(&self) -> String {
        "Key Vault (fake)".to_owned()
    }

    fn algorithm(&self) -> Algorithm {
        Algorithm::EcdsaP256Sha256
    }

    async fn bare(&self, message: &[u8]) -> Result<(), BenchError> {
        let parameters = SignParameters {
            algorithm: Some(SignatureAlgorithm::Es256),
            value: Some(Sha256::digest(message).to_vec()),
        };
        let options = KeyClientSignOptions {
            key_version: self.key.version().map(str::to_owned),
            ..KeyClientSignOptions::default()
        };
        self.client.sign(self.key.name(), parameters.try_into()?, Some(options)).await?;
        Ok(())
    }

    async fn proxy(&self) -> Result<Option<FaultProxy>, BenchError> {
        let Some(roots) = &self.server.roots else { return Ok(None) };
        Ok(Some(FaultProxy::start_tls(self.server.authority(), roots).await?))
    }

    fn asks_for_key(&self, head: &str) -> bool {
        // The first request goes without a token, to learn for which service one is wanted.
        head.starts_with("get ") && head.contains("\r\nauthorization:")
    }

    async fn provider(
        &self,
        proxy: Option<&FaultProxy>,
    ) -> Result<Box<dyn SigningProvider>, BenchError> {
        let server = self.at(proxy);
        let key = format!("{}/{}", server.url, self.path()).parse()?;
        let options = KeyOptions::new(KeyPurpose::RequestSigning)
            .with_algorithm(self.algorithm())
            .with_key_id("bench");
        let provider = server.config(key, options, &server.token)?.connect().await?;
        Ok(Box::new(provider))
    }

    fn command_line(&self, proxy: Option<&FaultProxy>) -> CommandLine {
        let server = self.at(proxy);
        let roots: PathBuf = self.folder.path().join("roots.pem");
        let mut variables =
            vec![("ADCP_AZURE_KEY_VAULT_ACCESS_TOKEN".to_owned(), server.token.clone())];
        if let Some(pem) = &server.roots {
            std::fs::write(&roots, pem).unwrap();
            variables
                .push(("ADCP_AZURE_KEY_VAULT_CA_FILE".to_owned(), roots.display().to_string()));
        }
        let (authority, path, algorithm) =
            (server.authority(), self.path(), self.algorithm().rfc9421_name());
        CommandLine {
            key: format!("azurekeyvault://{authority}/{path}?alg={algorithm}&kid=bench"),
            variables,
        }
    }
}

fn main() -> ExitCode {
    bench::main(async {
        Ok(vec![Box::new(KeyVault::new(Server::from_env()?).await?) as Box<dyn Service>])
    })
}
