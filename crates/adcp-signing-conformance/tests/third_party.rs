//! What somebody writes who has a provider of their own: the provider, a dozen lines of harness,
//! and a test.

#![cfg(feature = "provider")]
#![allow(clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::sync::Arc;

use adcp_signing_conformance::provider::{Case, Harness, HarnessError, KeySpec, KeyState, run};
use adcp_signing_core::{
    Algorithm, KeyPurpose, KeyRef, ProviderError, ProviderErrorKind, PublicKey, Signature,
    SigningProvider,
    provider::{Capability, Custody, Signed},
};
use async_trait::async_trait;
use ed25519_dalek::{Signer as _, SigningKey};

/// The device: it signs with the key of a slot, and knows nothing of this project.
struct Device {
    slots: Vec<(String, SigningKey)>,
}

/// The provider, over one slot of the device.
struct DeviceProvider {
    device: Arc<Device>,
    slot: String,
    purpose: KeyPurpose,
    key_ref: KeyRef,
}

impl DeviceProvider {
    fn key(&self) -> Result<&SigningKey, ProviderError> {
        let slot = self.device.slots.iter().find(|(name, _)| *name == self.slot);
        slot.map(|(_, key)| key).ok_or_else(|| {
            ProviderError::new(ProviderErrorKind::KeyNotFound, "the device has no such slot")
        })
    }
}

impl std::fmt::Debug for DeviceProvider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeviceProvider").field("key_ref", &self.key_ref).finish_non_exhaustive()
    }
}

#[async_trait]
impl SigningProvider for DeviceProvider {
    fn key_id(&self) -> &str {
        "buyer-1"
    }

    fn algorithm(&self) -> Algorithm {
        Algorithm::Ed25519
    }

    fn purpose(&self) -> &KeyPurpose {
        &self.purpose
    }

    fn key_ref(&self) -> &KeyRef {
        &self.key_ref
    }

    fn capability(&self) -> Capability {
        Capability::new(Custody::External, [Algorithm::Ed25519])
    }

    async fn public_key(&self) -> Result<PublicKey, ProviderError> {
        let bytes = self.key()?.verifying_key().to_bytes();
        PublicKey::from_ed25519_bytes(&bytes)
            .map_err(|error| invalid("the device's public key").with_source(error))
    }

    async fn sign(&self, signature_base: &[u8]) -> Result<Signed, ProviderError> {
        let bytes = self.key()?.sign(signature_base).to_bytes();
        let signature = Signature::from_raw(Algorithm::Ed25519, &bytes)
            .map_err(|error| invalid("the device's signature").with_source(error))?;
        Ok(Signed::new(signature))
    }
}

fn invalid(what: &'static str) -> ProviderError {
    ProviderError::new(ProviderErrorKind::InvalidResponse, format!("{what} is malformed"))
}

/// What the suite is told of it.
struct DeviceHarness(Arc<Device>);

#[async_trait]
impl Harness for DeviceHarness {
    fn name(&self) -> String {
        "device, slots in memory, ed25519".to_owned()
    }

    fn secrets(&self) -> Vec<String> {
        self.0.slots.iter().map(|(name, _)| name.clone()).collect()
    }

    async fn provider(&self, spec: &KeySpec) -> Result<Arc<dyn SigningProvider>, HarnessError> {
        let slot = match spec.state {
            KeyState::Ready => self.0.slots[0].0.clone(),
            KeyState::Missing => "slot-that-is-not-there".to_owned(),
            _ => return Err(HarnessError::not_applicable("the device has slots and nothing else")),
        };
        let key_ref = KeyRef::new("device", &slot);
        let purpose = spec.purpose.clone();
        Ok(Arc::new(DeviceProvider { device: Arc::clone(&self.0), slot, purpose, key_ref }))
    }
}

#[tokio::test]
async fn a_provider_from_elsewhere_conforms_by_a_dozen_lines() {
    let device = Arc::new(Device {
        slots: vec![("slot-of-the-tests".to_owned(), SigningKey::from_bytes(&[7; 32]))],
    });
    let report = run(&DeviceHarness(device)).await;
    report.assert();
    assert!(report.passed().contains(&Case::MissingKey.name()), "{report}");
}
