//! The conformance suite against the token that the environment names, once for each algorithm.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::{borrow::Cow, sync::Arc};

use adcp_signing_conformance::provider::{
    Case, Fault, Faults, Harness, HarnessError, KeySpec, KeyState, SuiteReport, run,
};
use adcp_signing_core::{Algorithm, KeyPurpose, SigningProvider, provider::toolkit::KeyOptions};
use adcp_signing_pkcs11::Pkcs11Provider;
use async_trait::async_trait;
use support::{FaultyModule, TestKey, TestToken, WRONG_PIN};

struct Pkcs11<'a> {
    token: &'a TestToken,
    algorithm: Algorithm,
    ready: TestKey<'a>,
    rotatable: TestKey<'a>,
    disabled: TestKey<'a>,
    other: TestKey<'a>,
}

impl Pkcs11<'_> {
    fn options(&self, purpose: KeyPurpose) -> KeyOptions {
        KeyOptions::new(purpose).with_algorithm(self.algorithm).with_key_id("test-key")
    }
}

#[async_trait]
impl Harness for Pkcs11<'_> {
    fn name(&self) -> String {
        format!("pkcs11, SoftHSM2, {}", self.algorithm)
    }

    fn secrets(&self) -> Vec<String> {
        let labels = [&self.ready, &self.rotatable, &self.disabled, &self.other]
            .map(|key| key.label.clone());
        // A short PIN is part of many a number.
        let pin = Some(self.token.pin.clone()).filter(|pin| pin.len() >= 8);
        labels.into_iter().chain(pin).chain([WRONG_PIN.to_owned()]).collect()
    }

    async fn provider(&self, spec: &KeySpec) -> Result<Arc<dyn SigningProvider>, HarnessError> {
        let config = match spec.state {
            KeyState::Ready => self.token.config(&self.ready.label),
            KeyState::Rotatable => self.token.config(&self.rotatable.label),
            KeyState::Disabled => self.token.config(&self.disabled.label),
            KeyState::WrongAlgorithm => self.token.config(&self.other.label),
            KeyState::Missing => self.token.config("adcp-test-no-such-key"),
            KeyState::AccessDenied => {
                self.token.locked_config(self.algorithm).ok_or_else(|| {
                    HarnessError::not_applicable(
                        "without ADCP_TEST_PKCS11_SO_PIN no second token can be made",
                    )
                })?
            }
            _ => return Err(HarnessError::not_applicable("PKCS#11 has no key versions")),
        };
        let options = self.options(spec.purpose.clone());
        Ok(Arc::new(Pkcs11Provider::new(config.with_options(options))?))
    }

    async fn rotate(&self) -> Result<(), HarnessError> {
        self.rotatable.replace(self.algorithm);
        Ok(())
    }

    async fn through_faults(
        &self,
    ) -> Result<(Arc<dyn SigningProvider>, Box<dyn Faults>), HarnessError> {
        let module = self
            .token
            .faulty_module()
            .ok_or_else(|| HarnessError::not_applicable("no C compiler"))?;
        let config = self.token.config_through(&module.path, &self.ready.label);
        let options = self.options(KeyPurpose::RequestSigning);
        let provider = Pkcs11Provider::new(config.with_options(options))?;
        Ok((Arc::new(provider), Box::new(ModuleFaults(module))))
    }

    fn not_applicable(&self, case: Case) -> Option<Cow<'static, str>> {
        (case == Case::WrongKeyVersion).then_some("PKCS#11 has no key versions".into())
    }
}

#[derive(Debug)]
struct ModuleFaults(FaultyModule);

#[async_trait]
impl Faults for ModuleFaults {
    async fn inject(&self, fault: Fault) -> Result<(), HarnessError> {
        self.0.fail(match fault {
            // CKR_SESSION_COUNT
            Fault::Throttled { retry_after: None } => "return 177",
            Fault::Throttled { .. } => {
                return Err(HarnessError::not_applicable("PKCS#11 does not say how long to wait"));
            }
            // CKR_DEVICE_ERROR
            Fault::Unavailable => "return 48",
            // CKR_TOKEN_NOT_PRESENT
            Fault::Refuse => "return 224",
            // CKR_DEVICE_REMOVED
            Fault::CutMidCall => "sign 50",
            Fault::Hang => "hang",
            Fault::Garbage => "garbage",
            Fault::Truncate => "truncate",
            Fault::Endless | Fault::Drip => {
                return Err(HarnessError::not_applicable(
                    "a module answers at once, or not at all",
                ));
            }
            _ => return Err(HarnessError::not_applicable("not known to the faulty module")),
        });
        Ok(())
    }

    async fn heal(&self) -> Result<(), HarnessError> {
        self.0.heal();
        Ok(())
    }

    fn requests(&self) -> Option<u64> {
        Some(self.0.met())
    }
}

async fn conforms(algorithm: Algorithm, other: Algorithm) {
    let token = match TestToken::from_env() {
        Ok(token) => token,
        Err(reason) => {
            return SuiteReport::skipped(format!("pkcs11, {algorithm}"), reason).assert();
        }
    };
    let harness = Pkcs11 {
        token: &token,
        algorithm,
        ready: token.key(algorithm),
        rotatable: token.key(algorithm),
        disabled: token.key_with(algorithm, false),
        other: token.key(other),
    };
    run(&harness).await.assert();
}

#[tokio::test]
async fn ed25519_keys_conform() {
    conforms(Algorithm::Ed25519, Algorithm::EcdsaP256Sha256).await;
}

#[tokio::test]
async fn p256_keys_conform() {
    conforms(Algorithm::EcdsaP256Sha256, Algorithm::Ed25519).await;
}

#[tokio::test]
async fn rsa_pss_keys_conform() {
    conforms(Algorithm::RsaPssSha512, Algorithm::EcdsaP256Sha256).await;
}
