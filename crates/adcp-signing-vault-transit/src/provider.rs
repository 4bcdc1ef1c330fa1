//! The signing provider over a key of the Transit engine.

use std::fmt;

use adcp_signing_core::{
    Algorithm, KeyRef, ProviderError, PublicKey, SigningProvider,
    provider::{Capability, Custody, KeyIdentity, Signed, toolkit::FetchOnce},
};
use async_trait::async_trait;
use vaultrs::api::transit::requests::ReadKeyRequest;

use crate::{
    VaultClient, VaultTransitConfig,
    failure::Operation,
    key_description::{SigningVersion, signing_version},
    sign_request,
};

/// A [`SigningProvider`] over a key that stays in the Transit engine of Vault or OpenBao.
///
/// The first use reads the key's description, once: it must be of the declared algorithm, and the
/// version found there is the one that every signature is asked of and checked for. A rotation on
/// the server therefore changes nothing here until a provider for the new version takes over.
///
/// ```
/// use adcp_signing_core::{Algorithm, KeyPurpose, provider::toolkit::KeyOptions};
/// use adcp_signing_vault_transit::{VaultTransitConfig, VaultAuth, VaultClient, VaultClientOptions, VaultTransitProvider};
///
/// let auth = VaultAuth::app_role("role-id", "secret-id");
/// let client = VaultClient::new(VaultClientOptions::new("https://vault.example:8200", auth))?;
/// let key = VaultTransitConfig::new("buyer", KeyOptions::new(KeyPurpose::RequestSigning).with_algorithm(Algorithm::Ed25519).with_key_id("buyer-1"))
///     .with_version(1);
/// let provider = VaultTransitProvider::new(client, key)?;
/// # Ok::<(), adcp_signing_core::ProviderError>(())
/// ```
pub struct VaultTransitProvider {
    client: VaultClient,
    mount: String,
    name: String,
    version: Option<u32>,
    identity: KeyIdentity,
    signing: FetchOnce<SigningVersion>,
}

impl VaultTransitProvider {
    /// A provider that calls nothing until its first use.
    ///
    /// # Errors
    /// [`Configuration`](adcp_signing_core::ProviderErrorKind::Configuration) when the key states no algorithm or no key
    /// id, which [`connect_with_client`](VaultTransitConfig::connect_with_client) asks the server for, or when a name is not one that the
    /// server takes.
    pub fn new(client: VaultClient, key: VaultTransitConfig) -> Result<Self, ProviderError> {
        key.check()?;
        let identity = key.options.identity(key_ref(&client, &key))?;
        Ok(Self::assemble(client, key, identity, FetchOnce::new()))
    }

    /// A provider whose algorithm is the key's, and whose key id is its RFC 7638 thumbprint, where
    /// they are not stated. Reads the key unless both are.
    ///
    /// # Errors
    /// As [`new`](Self::new) for names, and as [`public_key`](SigningProvider::public_key).
    pub(crate) async fn connect(
        client: VaultClient,
        key: VaultTransitConfig,
    ) -> Result<Self, ProviderError> {
        key.check()?;
        let signing = FetchOnce::new();
        let (read, declared) = (read_key(&key.mount, &key.name), key.options.algorithm);
        let ask = || async {
            let found =
                signing.get_or_fetch(|| fetch(&client, &read, key.version, declared)).await?;
            Ok(&found.public_key)
        };
        let identity = key.options.identity_or_ask(key_ref(&client, &key), ask).await?;
        Ok(Self::assemble(client, key, identity, signing))
    }

    fn assemble(
        client: VaultClient,
        key: VaultTransitConfig,
        identity: KeyIdentity,
        signing: FetchOnce<SigningVersion>,
    ) -> Self {
        Self { version: key.version, mount: key.mount, name: key.name, identity, client, signing }
    }

    pub(crate) fn client(&self) -> &VaultClient {
        &self.client
    }

    /// The mount of the engine, and the key's name.
    pub(crate) fn place(&self) -> (&str, &str) {
        (&self.mount, &self.name)
    }

    async fn signing_version(&self) -> Result<&SigningVersion, ProviderError> {
        self.signing
            .get_or_fetch(|| {
                let (read, declared) = (read_key(&self.mount, &self.name), self.algorithm());
                async move { fetch(&self.client, &read, self.version, Some(declared)).await }
            })
            .await
    }
}

pub(crate) fn read_key(mount: &str, name: &str) -> ReadKeyRequest {
    ReadKeyRequest { mount: mount.to_owned(), name: name.to_owned() }
}

fn key_ref(client: &VaultClient, key: &VaultTransitConfig) -> KeyRef {
    let version = key.version.map_or_else(|| "latest".to_owned(), |version| version.to_string());
    KeyRef::new(
        "vault-transit",
        &format!("{} {}/keys/{} {version}", client.identity(), key.mount, key.name),
    )
}

async fn fetch(
    client: &VaultClient,
    read: &ReadKeyRequest,
    version: Option<u32>,
    declared: Option<Algorithm>,
) -> Result<SigningVersion, ProviderError> {
    let reply = client.call(Operation::ReadKey, read).await?;
    signing_version(&reply.body, version, declared)
}

#[async_trait]
impl SigningProvider for VaultTransitProvider {
    fn identity(&self) -> &KeyIdentity {
        &self.identity
    }

    fn capability(&self) -> Capability {
        Capability::new(Custody::External, Algorithm::ALL)
    }

    async fn public_key(&self) -> Result<PublicKey, ProviderError> {
        Ok(self.signing_version().await?.public_key.clone())
    }

    async fn sign(&self, message: &[u8]) -> Result<Signed, ProviderError> {
        let version = self.signing_version().await?.version;
        let key = (&*self.mount, &*self.name);
        let request = sign_request::request(key, self.algorithm(), version, message)?;
        let reply = self.client.call(Operation::Sign, &request).await?;
        sign_request::signed(self.algorithm(), version, &reply.body)
    }
}

impl fmt::Debug for VaultTransitProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VaultTransitProvider")
            .field("identity", &self.identity)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}
