//! What a provider costs beside the bare call of Microsoft's client. Run by `cargo xtask bench kms`.

#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../tests/server/keys.rs"]
mod keys;

use std::{fs, path::PathBuf, process::ExitCode};

use adcp_signing_azure_key_vault::KeyIdentifier;
use adcp_signing_core::{Algorithm, KeyPurpose, SigningProvider};
use adcp_signing_emulators::{
    FaultProxy,
    bench::{self, BenchError, CommandLine, Service, Wire},
};
use async_trait::async_trait;
use azure_security_keyvault_keys::{
    KeyClient,
    models::{KeyClientSignOptions, SignParameters, SignatureAlgorithm},
};
use sha2::{Digest as _, Sha256};

use self::keys::Server;

struct AzureKeyVault {
    server: Server,
    roots: Vec<u8>,
    key: KeyIdentifier,
    client: KeyClient,
    /// Where the command line finds the roots of the server, or of a proxy in front of it.
    ca_file: PathBuf,
}

impl AzureKeyVault {
    async fn new(server: Server) -> Result<Self, BenchError> {
        let key = server.create_key("bench", Algorithm::EcdsaP256Sha256).await?.parse()?;
        let roots = server.roots.clone().ok_or("ADCP_TEST_AZURE_KEY_VAULT_CA is not set")?;
        let (client, ca_file) =
            (server.client()?, PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench-ca.pem"));
        Ok(Self { server, roots, key, client, ca_file })
    }

    /// The server, or the proxy in front of it.
    fn server(&self, proxy: Option<&FaultProxy>) -> Server {
        match proxy {
            None => self.server.clone(),
            Some(proxy) => Server {
                url: format!("https://{}", proxy.address()),
                roots: proxy.certificate().map(|root| root.as_bytes().to_vec()),
                ..self.server.clone()
            },
        }
    }

    fn path(&self) -> String {
        format!("keys/{}/{}", self.key.name(), self.key.version().unwrap_or_default())
    }
}

#[async_trait]
impl Service for AzureKeyVault {
    fn name(&self) -> String {
        "Azure Key Vault (fake)".to_owned()
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

    async fn provider(&self, proxy: Option<&FaultProxy>) -> Result<Box<dyn SigningProvider>, BenchError> {
        let server = self.server(proxy);
        let key = format!("{}/{}", server.url, self.path()).parse()?;
        let provider = server
            .config(key, KeyPurpose::RequestSigning, &server.token)?
            .with_algorithm(self.algorithm())
            .with_key_id("bench")
            .connect()
            .await?;
        Ok(Box::new(provider))
    }

    fn command_line(&self, proxy: Option<&FaultProxy>) -> CommandLine {
        let server = self.server(proxy);
        // Without the file the command line fails, and says so.
        let _ = fs::write(&self.ca_file, server.roots.as_deref().unwrap_or_default());
        let (authority, algorithm) = (server.authority(), self.algorithm().rfc9421_name());
        CommandLine {
            key: format!("azurekeyvault://{authority}/{}?alg={algorithm}&kid=bench", self.path()),
            variables: vec![
                ("ADCP_AZURE_KEY_VAULT_ACCESS_TOKEN".to_owned(), server.token.clone()),
                ("ADCP_AZURE_KEY_VAULT_CA_FILE".to_owned(), self.ca_file.display().to_string()),
            ],
        }
    }

    fn wire(&self) -> Option<Wire> {
        // The first request goes without a token, to learn for which service one is wanted.
        let asks_for_key = |head: &str| head.starts_with("get /keys/") && head.contains("\r\nauthorization:");
        Some(Wire::https(self.server.authority(), &self.roots, asks_for_key))
    }
}

fn main() -> ExitCode {
    bench::main(async {
        let server = Server::from_env()?;
        Ok(vec![Box::new(AzureKeyVault::new(server).await?) as Box<dyn Service>])
    })
}
