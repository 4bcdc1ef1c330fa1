//! The provider: `sign` and `get key`, and the checks of their replies.

use std::{fmt, sync::Arc, time::Duration};

use adcp_signing_core::{
    Algorithm, KeyPurpose, ProviderError, ProviderErrorKind, PublicKey, SigningProvider,
    provider::{
        Capability, KeyIdentity, KeyVersion, Signed,
        toolkit::{FetchOnce, KeyOptions},
    },
};
use async_trait::async_trait;
use azure_security_keyvault_keys::{
    KeyClient,
    models::{KeyClientGetKeyOptions, KeyClientSignOptions},
};

use crate::{
    KeyIdentifier,
    config::configuration,
    failure::{self, Operation},
    public_key::{self, invalid},
    signing_scheme::SigningScheme,
};

/// Signs with one key version of Azure Key Vault or Managed HSM.
///
/// P-256 (`ES256`) and RSA-PSS (`PS512`), in software or in an HSM. The key is looked up once,
/// before the first signature: a [`KeyIdentifier`] without a version stands for the newest version
/// at that moment, and from then on that version is asked for by name. A rotation in the vault so
/// changes nothing for a provider that is there already. Each reply must name the version that was
/// asked for; its identifier is the [`key_version`](Signed::key_version).
///
/// ```
/// use std::sync::Arc;
///
/// use adcp_signing_azure_key_vault::AzureKeyVaultProvider;
/// use adcp_signing_core::{Algorithm, KeyPurpose};
/// use azure_security_keyvault_keys::KeyClient;
///
/// fn on_a_ready_client(client: Arc<KeyClient>) -> Result<AzureKeyVaultProvider, Box<dyn std::error::Error>> {
///     let key = "https://ads-prod.vault.azure.net/keys/buyer/0123456789abcdef0123456789abcdef".parse()?;
///     let (algorithm, purpose) = (Algorithm::EcdsaP256Sha256, KeyPurpose::RequestSigning);
///     Ok(AzureKeyVaultProvider::new(client, key, "buyer-2026", algorithm, purpose)?)
/// }
/// ```
#[derive(Clone)]
pub struct AzureKeyVaultProvider {
    client: Arc<KeyClient>,
    key: KeyIdentifier,
    identity: KeyIdentity,
    scheme: SigningScheme,
    timeout: Duration,
    /// Shared by clones: a key version never changes its material.
    found: Arc<FetchOnce<Found>>,
}

/// A backstop for callers without core's `Deadline`: the service answers in tens of milliseconds,
/// and the client by itself would wait for ever.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// A key version as the vault describes it.
#[derive(Debug)]
struct Found {
    public_key: PublicKey,
    version: String,
    /// The identifier of the version, with which the vault answers.
    kid: KeyVersion,
}

impl AzureKeyVaultProvider {
    /// A provider on the caller's client, whose credentials, transport and retries are used: build
    /// it with `RetryOptions::none()`, since retries multiply with those of core's `Retrying`.
    /// Calls no service.
    ///
    /// # Errors
    /// [`ProviderErrorKind::AlgorithmMismatch`] for Ed25519, which Key Vault does not have;
    /// [`ProviderErrorKind::Configuration`] when the key is not in the client's vault or `key_id` is empty.
    pub fn new(
        client: impl Into<Arc<KeyClient>>,
        key: KeyIdentifier,
        key_id: impl Into<String>,
        algorithm: Algorithm,
        purpose: KeyPurpose,
    ) -> Result<Self, ProviderError> {
        let identity = KeyIdentity::new(key.key_ref(), key_id, algorithm, purpose)?;
        Self::of(client.into(), key, identity, CALL_TIMEOUT, FetchOnce::new())
    }

    /// Sets how long one call may take, the fetching of its access token included: 10 seconds
    /// unless set.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// A provider with the algorithm and the thumbprint of the key that the vault has, where they
    /// are not stated.
    pub(crate) async fn connect(
        client: Arc<KeyClient>,
        key: KeyIdentifier,
        options: &KeyOptions,
        timeout: Duration,
    ) -> Result<Self, ProviderError> {
        // Before the vault is asked, and what it has could never be what is stated.
        options.algorithm.map(SigningScheme::of).transpose()?;
        check_vault(&client, &key)?;
        let found = FetchOnce::new();
        let ask = || async {
            let found =
                found.get_or_fetch(|| fetch(&client, &key, options.algorithm, timeout)).await?;
            Ok(&found.public_key)
        };
        let identity = options.identity_or_ask(key.key_ref(), ask).await?;
        Self::of(client, key, identity, timeout, found)
    }

    fn of(
        client: Arc<KeyClient>,
        key: KeyIdentifier,
        identity: KeyIdentity,
        timeout: Duration,
        found: FetchOnce<Found>,
    ) -> Result<Self, ProviderError> {
        check_vault(&client, &key)?;
        Ok(Self {
            client,
            scheme: SigningScheme::of(identity.algorithm())?,
            key,
            identity,
            timeout,
            found: Arc::new(found),
        })
    }

    pub(crate) fn client(&self) -> &KeyClient {
        &self.client
    }

    pub(crate) fn key(&self) -> &KeyIdentifier {
        &self.key
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The key version, checked to be of the algorithm.
    async fn found(&self) -> Result<&Found, ProviderError> {
        self.found
            .get_or_fetch(|| fetch(&self.client, &self.key, Some(self.algorithm()), self.timeout))
            .await
    }
}

#[async_trait]
impl SigningProvider for AzureKeyVaultProvider {
    fn identity(&self) -> &KeyIdentity {
        &self.identity
    }

    fn capability(&self) -> Capability {
        SigningScheme::capability()
    }

    async fn public_key(&self) -> Result<PublicKey, ProviderError> {
        self.found().await.map(|found| found.public_key.clone())
    }

    async fn sign(&self, message: &[u8]) -> Result<Signed, ProviderError> {
        let found = self.found().await?;
        let parameters = self
            .scheme
            .parameters(message)
            .try_into()
            .map_err(|_| configuration("the request to Azure Key Vault could not be built"))?;
        let options = KeyClientSignOptions {
            key_version: Some(found.version.clone()),
            ..KeyClientSignOptions::default()
        };
        let call = self.client.sign(self.key.name(), parameters, Some(options));
        let reply = in_time(self.timeout, call).await?;
        let reply = reply
            .and_then(|reply| reply.into_model())
            .map_err(|error| failure::of_call(self.key.service(), Operation::Sign, &error))?;
        let signed_by = reply
            .kid
            .ok_or_else(|| invalid("the reply of Azure Key Vault does not say which key signed"))?;
        // Object identifiers are compared without regard to case.
        if !signed_by.eq_ignore_ascii_case(found.kid.expose()) {
            return Err(ProviderError::new(
                ProviderErrorKind::PublicKeyMismatch,
                "Azure Key Vault signed with another key version than was asked for",
            ));
        }
        let bytes = reply
            .result
            .ok_or_else(|| invalid("the reply of Azure Key Vault holds no signature"))?;
        Ok(Signed::new(self.scheme.signature(&bytes)?).with_key_version(found.kid.clone()))
    }
}

impl fmt::Debug for AzureKeyVaultProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AzureKeyVaultProvider")
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

/// A client speaks to one vault, whatever key it is asked for.
pub(crate) fn check_vault(client: &KeyClient, key: &KeyIdentifier) -> Result<(), ProviderError> {
    let endpoint = client.endpoint();
    if endpoint.scheme() == "https"
        && endpoint.path() == "/"
        && endpoint.authority() == key.authority()
    {
        return Ok(());
    }
    Err(configuration(
        "the key (ADCP_AZURE_KEY_VAULT_KEY, or the key URI) is in another vault than the ready client is for",
    ))
}

pub(crate) async fn in_time<T>(
    limit: Duration,
    call: impl Future<Output = T>,
) -> Result<T, ProviderError> {
    tokio::time::timeout(limit, call).await.map_err(|_| {
        ProviderError::new(
            ProviderErrorKind::Timeout,
            "no answer within the provider's time limit, from the vault or from the source of its access token; check the \
             network path to both",
        )
    })
}

async fn fetch(
    client: &KeyClient,
    key: &KeyIdentifier,
    declared: Option<Algorithm>,
    timeout: Duration,
) -> Result<Found, ProviderError> {
    let options = KeyClientGetKeyOptions {
        key_version: key.version().map(str::to_owned),
        ..KeyClientGetKeyOptions::default()
    };
    let reply = in_time(timeout, client.get_key(key.name(), Some(options))).await?;
    let reply = reply
        .and_then(|reply| reply.into_model())
        .map_err(|error| failure::of_call(key.service(), Operation::GetKey, &error))?;
    let described =
        reply.key.ok_or_else(|| invalid("the reply of Azure Key Vault holds no key"))?;
    let kid = described.kid.as_deref();
    let (kid, version) = kid.and_then(|kid| Some((kid, key.version_in(kid)?))).ok_or_else(|| {
        invalid("the reply of Azure Key Vault is about another key, or another version, than was asked for")
    })?;
    let public_key = public_key::checked(&described, declared)?;
    Ok(Found { public_key, version, kid: KeyVersion::new(kid) })
}
