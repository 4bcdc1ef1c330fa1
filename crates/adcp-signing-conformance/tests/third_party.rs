//! What somebody writes who has a provider of their own: the provider, a dozen lines of harness,
//! and a test.

#![cfg(feature = "provider")]
#![allow(clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::{fmt, sync::Arc};

use adcp_signing_conformance::provider::{Case, Harness, HarnessError, KeySpec, KeyState, run};
use adcp_signing_core::{
    Algorithm, KeyRef, ProviderError, ProviderErrorKind, PublicKey, Signature, SigningProvider,
    provider::{Capability, Custody, KeyIdentity, Signed},
};
use async_trait::async_trait;
use ed25519_dalek::{Signer as _, SigningKey};

/// The device: it signs with the key of a slot, and knows nothing of this project.
struct Device {
    slots: Vec<SigningKey>,
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Device").finish_non_exhaustive()
    }
}

// The provider, over one slot of the device.
#[derive(Debug)]
struct DeviceProvider {
    device: Arc<Device>,
    slot: usize,
    identity: KeyIdentity,
}

#[async_trait]
impl SigningProvider for DeviceProvider {
    fn identity(&self) -> &KeyIdentity {
        &self.identity
    }

    fn capability(&self) -> Capability {
        Capability::new(Custody::External, [Algorithm::Ed25519])
    }

    async fn public_key(&self) -> Result<PublicKey, ProviderError> {
        let key = self.device.slots.get(self.slot).ok_or_else(no_such_slot)?;
        PublicKey::from_ed25519_bytes(key.verifying_key().as_bytes()).map_err(invalid)
    }

    async fn sign(&self, message: &[u8]) -> Result<Signed, ProviderError> {
        let key = self.device.slots.get(self.slot).ok_or_else(no_such_slot)?;
        let bytes = key.sign(message).to_bytes();
        Signature::from_raw(Algorithm::Ed25519, &bytes).map(Signed::new).map_err(invalid)
    }
}
// The end of the provider.

fn no_such_slot() -> ProviderError {
    ProviderError::new(ProviderErrorKind::KeyNotFound, "the device has no such slot")
}

fn invalid(cause: impl std::error::Error + Send + Sync + 'static) -> ProviderError {
    ProviderError::new(ProviderErrorKind::InvalidResponse, "the device's answer is malformed")
        .with_source(cause)
}

/// What the suite is told of it.
struct DeviceHarness(Arc<Device>);

#[async_trait]
impl Harness for DeviceHarness {
    fn name(&self) -> String {
        "device, slots in memory, ed25519".to_owned()
    }

    fn secrets(&self) -> Vec<String> {
        self.0.slots.iter().map(|key| format!("{:?}", key.to_bytes())).collect()
    }

    async fn provider(&self, spec: &KeySpec) -> Result<Arc<dyn SigningProvider>, HarnessError> {
        let slot = match spec.state {
            KeyState::Ready => 0,
            KeyState::Missing => 1,
            _ => return Err(HarnessError::not_applicable("the device has slots and nothing else")),
        };
        let (key_ref, purpose) = (KeyRef::new("device", &slot.to_string()), spec.purpose.clone());
        let identity = KeyIdentity::new(key_ref, "buyer-1", Algorithm::Ed25519, purpose)?;
        Ok(Arc::new(DeviceProvider { device: Arc::clone(&self.0), slot, identity }))
    }
}

#[tokio::test]
async fn a_provider_from_elsewhere_conforms_by_a_dozen_lines() {
    let device = Arc::new(Device { slots: vec![SigningKey::from_bytes(&[7; 32])] });
    let report = run(&DeviceHarness(device)).await;
    report.assert();
    assert!(report.passed().contains(&Case::MissingKey.name()), "{report}");
}

#[test]
fn the_provider_has_at_most_thirty_lines() {
    let lines = include_str!("third_party.rs").lines();
    let provider = lines
        .skip_while(|line| !line.starts_with("// The provider,"))
        .skip(1)
        .take_while(|line| !line.starts_with("// The end"))
        .filter(|line| !line.trim().is_empty());
    assert!((20..=30).contains(&provider.count()));
}
