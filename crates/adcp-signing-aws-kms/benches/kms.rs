//! What a provider costs beside the bare call of the AWS SDK. Run by `cargo xtask bench kms`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::process::ExitCode;

use adcp_signing_aws_kms::{AwsKmsConfig, KeyIdentifier};
use adcp_signing_core::{Algorithm, KeyPurpose, SigningProvider, provider::toolkit::KeyOptions};
use adcp_signing_testkit::{
    FaultProxy, Traffic,
    bench::{self, BenchError, CommandLine, Service},
};
use async_trait::async_trait;
use aws_sdk_kms::{
    Client,
    primitives::Blob,
    types::{MessageType, SigningAlgorithmSpec},
};
use sha2::{Digest as _, Sha256};

use self::support::emulator::{Emulator, key_spec};

struct AwsKms {
    emulator: Emulator,
    algorithm: Algorithm,
    key: KeyIdentifier,
    client: Client,
}

impl AwsKms {
    async fn new(emulator: Emulator, algorithm: Algorithm) -> Self {
        let (key, client) = (emulator.new_key(key_spec(algorithm)).await, emulator.admin().await);
        Self { emulator, algorithm, key, client }
    }

    fn endpoint(&self, proxy: Option<&FaultProxy>) -> String {
        proxy.map_or_else(
            || self.emulator.endpoint().as_str().to_owned(),
            |proxy| format!("http://{}", proxy.address()),
        )
    }
}

#[async_trait]
impl Service for AwsKms {
    fn name(&self) -> String {
        format!("AWS KMS ({})", self.emulator.name)
    }

    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    async fn bare(&self, message: &[u8]) -> Result<(), BenchError> {
        let call = self.client.sign().key_id(self.key.expose());
        let call = match self.algorithm {
            Algorithm::Ed25519 => call
                .signing_algorithm(SigningAlgorithmSpec::Ed25519Sha512)
                .message_type(MessageType::Raw)
                .message(Blob::new(message)),
            _ => call
                .signing_algorithm(SigningAlgorithmSpec::EcdsaSha256)
                .message_type(MessageType::Digest)
                .message(Blob::new(Sha256::digest(message).to_vec())),
        };
        call.send().await?;
        Ok(())
    }

    async fn proxy(&self) -> Result<Option<FaultProxy>, BenchError> {
        Ok(Some(FaultProxy::start(self.emulator.socket(), Traffic::Http).await?))
    }

    fn asks_for_key(&self, head: &str) -> bool {
        head.contains("x-amz-target: trentservice.getpublickey")
    }

    async fn provider(
        &self,
        proxy: Option<&FaultProxy>,
    ) -> Result<Box<dyn SigningProvider>, BenchError> {
        let provider = AwsKmsConfig::new(
            self.key.clone(),
            KeyOptions::new(KeyPurpose::RequestSigning)
                .with_algorithm(self.algorithm)
                .with_key_id("bench"),
        )
        .with_endpoint(self.endpoint(proxy).parse()?)
        .connect()
        .await?;
        Ok(Box::new(provider))
    }

    fn command_line(&self, proxy: Option<&FaultProxy>) -> CommandLine {
        let (key, endpoint, algorithm) =
            (self.key.expose(), self.endpoint(proxy), self.algorithm.rfc9421_name());
        CommandLine {
            key: format!("awskms:///{key}?endpoint={endpoint}&alg={algorithm}&kid=bench"),
            variables: Vec::new(),
        }
    }
}

fn main() -> ExitCode {
    bench::main(async {
        let mut services: Vec<Box<dyn Service>> = Vec::new();
        for emulator in Emulator::all() {
            for algorithm in [Algorithm::Ed25519, Algorithm::EcdsaP256Sha256] {
                if emulator.has(algorithm) {
                    services.push(Box::new(AwsKms::new(emulator.clone(), algorithm).await));
                }
            }
        }
        Ok(services)
    })
}
