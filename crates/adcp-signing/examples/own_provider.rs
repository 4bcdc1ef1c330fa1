//! A provider of your own: for a key in a device that this project does not know.
//!
//! `cargo run --package adcp-signing --example own_provider --features tokio`
//!
//! The provider and its key URIs are what you write. The conformance suite then says whether
//! signers can rely on it. The guide is docs/backends/new.md.

use std::{fmt, str::FromStr, sync::Arc};

use adcp_signing::{
    Algorithm, FieldLine, KeyRef, KeySchemes, ProviderError, ProviderErrorKind, PublicKey, Request,
    Signature, Signer, SigningProvider, UriOptions,
    provider::{
        Capability, Custody, KeyIdentity, Signed, check_algorithm,
        toolkit::{KeyOptions, KeyUriError, KeyUriParts, KeyUriScheme, write_query},
    },
};
use adcp_signing_conformance::provider::{Harness, HarnessError, KeySpec, KeyState, run};
use async_trait::async_trait;
use ed25519_dalek::{Signer as _, SigningKey};

/// The device. It signs with the key of a slot, and knows nothing of this project. Yours is the
/// client of a service, or the library of an HSM.
struct Device {
    slots: Vec<SigningKey>,
}

impl Device {
    fn open() -> Arc<Self> {
        Arc::new(Self { slots: vec![SigningKey::from_bytes(&[7; 32])] })
    }
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Device").finish_non_exhaustive()
    }
}

// The provider: one slot of the device.
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
        public_key(&self.device, self.slot)
    }

    async fn sign(&self, message: &[u8]) -> Result<Signed, ProviderError> {
        let key = self.device.slots.get(self.slot).ok_or_else(no_such_slot)?;
        let bytes = key.sign(message).to_bytes();
        Signature::from_raw(Algorithm::Ed25519, &bytes).map(Signed::new).map_err(invalid)
    }
}
// The end of the provider.

fn public_key(device: &Device, slot: usize) -> Result<PublicKey, ProviderError> {
    let key = device.slots.get(slot).ok_or_else(no_such_slot)?;
    PublicKey::from_ed25519_bytes(key.verifying_key().as_bytes()).map_err(invalid)
}

fn no_such_slot() -> ProviderError {
    let message = "the device has no such slot; correct the number in the key URI";
    ProviderError::new(ProviderErrorKind::KeyNotFound, message)
}

fn invalid(cause: impl std::error::Error + Send + Sync + 'static) -> ProviderError {
    ProviderError::new(ProviderErrorKind::InvalidResponse, "the device's answer is malformed")
        .with_source(cause)
}

/// The key URIs: `device:SLOT`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct DeviceUri {
    slot: usize,
    options: KeyOptions,
}

impl FromStr for DeviceUri {
    type Err = KeyUriError;

    fn from_str(uri: &str) -> Result<Self, Self::Err> {
        let mut parts = KeyUriParts::parse(uri)?;
        if parts.scheme() != "device" {
            return Err(KeyUriError::Scheme { expected: "`device:`" });
        }
        let malformed = || KeyUriError::Body { expected: "device:SLOT, such as device:0" };
        let slot = parts.body().parse().map_err(|_| malformed())?;
        let options = parts.take_common()?;
        parts.finish()?;
        Ok(Self { slot, options })
    }
}

impl fmt::Display for DeviceUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "device:{}", self.slot)?;
        write_query(f, self.options.members())
    }
}

impl KeyUriScheme for DeviceUri {
    const SCHEMES: &'static [&'static str] = &["device"];
    const EXAMPLES: &'static [&'static str] = &["device:0"];
    type Provider = DeviceProvider;

    fn options(&self) -> &KeyOptions {
        &self.options
    }

    fn why_it_can_move(&self) -> Option<&'static str> {
        Some("a slot can be filled with another key")
    }

    async fn connect(&self) -> Result<DeviceProvider, ProviderError> {
        provider(Device::open(), self.slot, &self.options).await
    }
}

/// The provider for a slot. What the options leave open is taken from the key.
async fn provider(
    device: Arc<Device>,
    slot: usize,
    options: &KeyOptions,
) -> Result<DeviceProvider, ProviderError> {
    check_algorithm(Algorithm::Ed25519, options.algorithm)?;
    let key_ref = KeyRef::new("device", &slot.to_string());
    let ask = || async { public_key(&device, slot) };
    let identity = options.identity_or_ask(key_ref, ask).await?;
    Ok(DeviceProvider { device, slot, identity })
}

/// What the suite is told: how to get a provider for a key in each state.
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
        let options = KeyOptions::new(spec.purpose.clone());
        Ok(Arc::new(provider(Arc::clone(&self.0), slot, &options).await?))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let report = run(&DeviceHarness(Device::open())).await;
    println!("{report}");
    report.verdict(false)?;
    println!("{}", signed("device:0?kid=buyer-1").await?);
    Ok(())
}

/// Opens a key by its URI, with the layers that production needs, and signs a request with it.
async fn signed(uri: &str) -> Result<String, Box<dyn std::error::Error>> {
    let schemes = KeySchemes::built_in().with::<DeviceUri>();
    let signer = Signer::for_requests(schemes.open(uri, &UriOptions::default())?)?;
    let fields = [FieldLine::new("Content-Type", "application/json")];
    let url = "https://seller.example.com/adcp/create_media_buy";
    let signed = signer.sign(&Request::new("POST", url, &fields, b"{}")).await?;
    Ok(signed.signature_input)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use adcp_signing_conformance::provider::Case;

    use super::*;

    #[test]
    fn the_program_runs() {
        main().unwrap();
    }

    #[tokio::test]
    async fn the_provider_conforms() {
        let report = run(&DeviceHarness(Device::open())).await;
        report.assert();
        assert!(report.passed().contains(&Case::MissingKey.name()), "{report}");
    }

    #[tokio::test]
    async fn a_key_uri_of_the_scheme_gives_a_signer() {
        assert!(signed("device:0?kid=buyer-1").await.unwrap().contains(r#";keyid="buyer-1";"#));
        let error = signed("device:1?kid=buyer-1").await.unwrap_err().to_string();
        assert!(error.contains("the device has no such slot"), "{error}");
        let error = signed("device:0?alg=es256").await.unwrap_err().to_string();
        assert!(error.contains("ecdsa-p256-sha256"), "{error}");
        let error = signed("device:zero").await.unwrap_err().to_string();
        assert!(error.contains("write the key URI as device:SLOT"), "{error}");
    }

    #[test]
    fn a_key_uri_reads_back() {
        for uri in ["device:0", "device:7?alg=ed25519&kid=buyer-1&purpose=webhook-signing"] {
            assert_eq!(uri.parse::<DeviceUri>().unwrap().to_string(), uri);
        }
        assert!("hsm:0".parse::<DeviceUri>().is_err());
    }

    #[test]
    fn the_provider_has_fewer_than_thirty_lines() {
        let lines = include_str!("own_provider.rs").lines();
        let provider = lines
            .skip_while(|line| !line.starts_with("// The provider:"))
            .skip(1)
            .take_while(|line| !line.starts_with("// The end"))
            .filter(|line| !line.trim().is_empty());
        assert!((20..30).contains(&provider.count()));
    }
}
