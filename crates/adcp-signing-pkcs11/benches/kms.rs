//! What a provider costs beside the module's bare call. Run by `cargo xtask bench kms`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a benchmark, and helpers of tests"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::process::ExitCode;

use adcp_signing_core::{Algorithm, KeyPurpose, SigningProvider, provider::toolkit::KeyOptions};
use adcp_signing_pkcs11::{
    Pkcs11Provider,
    cryptoki::{
        mechanism::{
            Mechanism,
            eddsa::{EddsaParams, EddsaSignatureScheme},
        },
        object::{Attribute, ObjectClass, ObjectHandle},
        session::Session,
    },
};
use adcp_signing_testkit::{
    FaultProxy,
    bench::{self, BenchError, CommandLine, Service},
};
use async_trait::async_trait;
use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};
use support::{TestKey, TestToken};

struct Token {
    algorithm: Algorithm,
    key: TestKey<'static>,
    token: &'static TestToken,
    handle: ObjectHandle,
    /// One for each thread that calls at once; the calls block, as the module's calls do.
    sessions: Mutex<Vec<Session>>,
}

impl Token {
    fn new(token: &'static TestToken, algorithm: Algorithm) -> Self {
        let key = token.key(algorithm);
        let session = token.session();
        let private = [
            Attribute::Class(ObjectClass::PRIVATE_KEY),
            Attribute::Label(key.label.clone().into()),
        ];
        let handle = session.find_objects(&private).unwrap().remove(0);
        Self { algorithm, key, token, handle, sessions: Mutex::new(vec![session]) }
    }
}

#[async_trait]
impl Service for Token {
    fn name(&self) -> String {
        "PKCS#11 (SoftHSM)".to_owned()
    }

    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    async fn bare(&self, message: &[u8]) -> Result<(), BenchError> {
        let free = self.sessions.lock().pop();
        let session = free.unwrap_or_else(|| self.token.session());
        match self.algorithm {
            Algorithm::Ed25519 => {
                let mechanism = Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Pure));
                session.sign(&mechanism, self.handle, message)?;
            }
            _ => {
                session.sign(&Mechanism::Ecdsa, self.handle, &Sha256::digest(message))?;
            }
        }
        self.sessions.lock().push(session);
        Ok(())
    }

    fn blocks(&self) -> bool {
        true
    }

    async fn proxy(&self) -> Result<Option<FaultProxy>, BenchError> {
        Ok(None)
    }

    fn asks_for_key(&self, _: &str) -> bool {
        false
    }

    async fn provider(
        &self,
        _: Option<&FaultProxy>,
    ) -> Result<Box<dyn SigningProvider>, BenchError> {
        let options = KeyOptions::new(KeyPurpose::RequestSigning)
            .with_algorithm(self.algorithm)
            .with_key_id("bench");
        let config = self.token.config(&self.key.label).with_options(options);
        Ok(Box::new(Pkcs11Provider::new(config)?))
    }

    fn command_line(&self, _: Option<&FaultProxy>) -> CommandLine {
        let (token, label, module) =
            (&self.token.label, &self.key.label, self.token.module.display());
        let algorithm = self.algorithm.rfc9421_name();
        CommandLine {
            key: format!(
                "pkcs11:token={token};object={label}?module-path={module}&pin-source=env:ADCP_BENCH_PIN&alg={algorithm}\
                 &kid=bench"
            ),
            variables: vec![("ADCP_BENCH_PIN".to_owned(), self.token.pin.clone())],
        }
    }
}

fn main() -> ExitCode {
    bench::main(async {
        let token: &'static TestToken = Box::leak(Box::new(TestToken::from_env()?));
        let algorithms = [Algorithm::Ed25519, Algorithm::EcdsaP256Sha256];
        Ok(algorithms
            .map(|algorithm| Box::new(Token::new(token, algorithm)) as Box<dyn Service>)
            .into())
    })
}
