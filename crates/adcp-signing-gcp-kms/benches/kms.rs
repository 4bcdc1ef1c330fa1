//! What a provider costs beside the bare call of Google's client. Run by `cargo xtask bench kms`.

#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../tests/server/keys.rs"]
mod keys;

use std::{net::SocketAddr, process::ExitCode};

use adcp_signing_core::{Algorithm, KeyPurpose, SigningProvider, provider::toolkit::KeyOptions};
use adcp_signing_gcp_kms::GcpKmsConfig;
use adcp_signing_testkit::{
    FaultProxy, Traffic,
    bench::{self, BenchError, CommandLine, Service},
};
use async_trait::async_trait;
use google_cloud_kms_v1::{
    client::KeyManagementService,
    model::{AsymmetricSignRequest, Digest, crypto_key_version::CryptoKeyVersionAlgorithm},
};
use sha2::{Digest as _, Sha256};

use self::keys::Server;

struct GcpKms {
    server: Server,
    socket: SocketAddr,
    algorithm: Algorithm,
    version: String,
    client: KeyManagementService,
}

impl GcpKms {
    async fn new(server: Server, algorithm: Algorithm) -> Result<Self, BenchError> {
        let of_service = match algorithm {
            Algorithm::Ed25519 => CryptoKeyVersionAlgorithm::EcSignEd25519,
            _ => CryptoKeyVersionAlgorithm::EcSignP256Sha256,
        };
        let key = server.create_key("bench", of_service).await?;
        let socket = server.endpoint.trim_start_matches("http://").parse()?;
        let client = server.client().await?;
        Ok(Self {
            server,
            socket,
            algorithm,
            version: format!("{key}/cryptoKeyVersions/1"),
            client,
        })
    }

    fn endpoint(&self, proxy: Option<&FaultProxy>) -> String {
        proxy.map_or_else(
            || self.server.endpoint.clone(),
            |proxy| format!("http://{}", proxy.address()),
        )
    }
}

#[async_trait]
impl Service for GcpKms {
    fn name(&self) -> String {
        "Cloud KMS (fake)".to_owned()
    }

    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    async fn bare(&self, message: &[u8]) -> Result<(), BenchError> {
        let request = AsymmetricSignRequest::new().set_name(&self.version);
        let request = match self.algorithm {
            Algorithm::Ed25519 => request.set_data(message.to_vec()),
            _ => request.set_digest(Digest::new().set_sha256(Sha256::digest(message).to_vec())),
        };
        self.client.asymmetric_sign().with_request(request).send().await?;
        Ok(())
    }

    async fn proxy(&self) -> Result<Option<FaultProxy>, BenchError> {
        Ok(Some(FaultProxy::start(self.socket, Traffic::Http).await?))
    }

    fn asks_for_key(&self, head: &str) -> bool {
        head.contains("/publickey")
    }

    async fn provider(
        &self,
        proxy: Option<&FaultProxy>,
    ) -> Result<Box<dyn SigningProvider>, BenchError> {
        let provider = GcpKmsConfig::new(
            self.version.parse()?,
            KeyOptions::new(KeyPurpose::RequestSigning)
                .with_algorithm(self.algorithm)
                .with_key_id("bench"),
        )
        .with_endpoint(self.endpoint(proxy).parse()?)
        .with_access_token(&self.server.token)?
        .connect()
        .await?;
        Ok(Box::new(provider))
    }

    fn command_line(&self, proxy: Option<&FaultProxy>) -> CommandLine {
        let (version, endpoint, algorithm) =
            (&self.version, self.endpoint(proxy), self.algorithm.rfc9421_name());
        CommandLine {
            key: format!("gcpkms://{version}?endpoint={endpoint}&alg={algorithm}&kid=bench"),
            variables: vec![("ADCP_GCP_KMS_ACCESS_TOKEN".to_owned(), self.server.token.clone())],
        }
    }
}

fn main() -> ExitCode {
    bench::main(async {
        let server = Server::from_env()?;
        let mut services: Vec<Box<dyn Service>> = Vec::new();
        for algorithm in [Algorithm::Ed25519, Algorithm::EcdsaP256Sha256] {
            services.push(Box::new(GcpKms::new(server.clone(), algorithm).await?));
        }
        Ok(services)
    })
}
