//! The provider: `AsymmetricSign` and `GetPublicKey`, and the checks of their replies.

use std::{fmt, sync::Arc, time::Duration};

use adcp_signing_core::{
    Algorithm, KeyError, KeyPurpose, ProviderError, ProviderErrorKind, PublicKey, SigningProvider,
    provider::{
        Capability, KeyIdentity, KeyVersion, Signed, check_algorithm,
        toolkit::{FetchOnce, KeyOptions},
    },
};
use async_trait::async_trait;
use google_cloud_gax::{options::RequestOptionsBuilder as _, retry_policy::NeverRetry};
use google_cloud_kms_v1::{client::KeyManagementService, model};

use crate::{
    KeyVersionName,
    config::configuration,
    credentials::DefaultCredentials,
    failure,
    signing_scheme::{SigningScheme, checksum},
};

/// Signs with one key version of Google Cloud KMS.
///
/// Ed25519 (`EC_SIGN_ED25519`), P-256 (`EC_SIGN_P256_SHA256`) and RSA-PSS
/// (`RSA_SIGN_PSS_4096_SHA512`), in software or in an HSM. What is sent and what comes back is held
/// together by CRC32C: a reply counts only when the service has checked what it got, the
/// signature's own checksum fits, and the reply names the very key version that was asked for. That
/// name is the [`key_version`](Signed::key_version). The public key is fetched once, before the
/// first signature, which holds the key version to the declared algorithm.
///
/// ```
/// use adcp_signing_core::{Algorithm, KeyPurpose};
/// use adcp_signing_gcp_kms::GcpKmsProvider;
/// use google_cloud_kms_v1::client::KeyManagementService;
///
/// fn on_a_ready_client(client: KeyManagementService) -> Result<GcpKmsProvider, Box<dyn std::error::Error>> {
///     let key = "projects/p/locations/europe-west1/keyRings/adcp/cryptoKeys/buyer/cryptoKeyVersions/1".parse()?;
///     let purpose = KeyPurpose::RequestSigning;
///     Ok(GcpKmsProvider::new(client, key, "buyer-2026", Algorithm::Ed25519, purpose)?)
/// }
/// ```
#[derive(Clone)]
pub struct GcpKmsProvider {
    connection: Connection,
    key: KeyVersionName,
    identity: KeyIdentity,
    scheme: SigningScheme,
    timeout: Duration,
    /// Shared by clones: a key version never changes its material.
    public_key: Arc<FetchOnce<PublicKey>>,
}

/// The client, and its credentials where they are not the caller's.
#[derive(Clone)]
pub(crate) struct Connection {
    pub(crate) client: KeyManagementService,
    pub(crate) credentials: Option<DefaultCredentials>,
}

impl Connection {
    /// The error of a call. Credentials that Cloud KMS refuses are not used again.
    fn failed(&self, error: &google_cloud_kms_v1::Error) -> Failed {
        if let Some(credentials) = &self.credentials
            && failure::refuses_credentials(error)
        {
            credentials.refused();
        }
        match failure::is_damage(error) {
            true => Failed::Damaged(failure::damaged(error)),
            false => Failed::Else(failure::of_call(error)),
        }
    }
}

impl From<KeyManagementService> for Connection {
    fn from(client: KeyManagementService) -> Self {
        Self { client, credentials: None }
    }
}

/// A backstop for callers without core's `Deadline`: the service answers in tens of milliseconds,
/// and the client by itself would wait for ever.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(10);

impl GcpKmsProvider {
    /// A provider on the caller's client: its endpoint, credentials and timeouts are used, its
    /// retries are not. Calls no service.
    ///
    /// # Errors
    /// [`ProviderErrorKind::Configuration`] when `key_id` is empty.
    pub fn new(
        client: KeyManagementService,
        key: KeyVersionName,
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

    /// A provider with the algorithm and the thumbprint of the key that Cloud KMS has, where they
    /// are not stated.
    pub(crate) async fn connect(
        connection: Connection,
        key: KeyVersionName,
        options: &KeyOptions,
        timeout: Duration,
    ) -> Result<Self, ProviderError> {
        let public_key = FetchOnce::new();
        let ask =
            || public_key.get_or_fetch(|| fetch(&connection, &key, options.algorithm, timeout));
        let identity = options.identity_or_ask(key.key_ref(), ask).await?;
        Self::of(connection, key, identity, timeout, public_key)
    }

    fn of(
        connection: Connection,
        key: KeyVersionName,
        identity: KeyIdentity,
        timeout: Duration,
        public_key: FetchOnce<PublicKey>,
    ) -> Result<Self, ProviderError> {
        Ok(Self {
            connection,
            scheme: SigningScheme::of(identity.algorithm())?,
            key,
            identity,
            timeout,
            public_key: Arc::new(public_key),
        })
    }

    pub(crate) fn client(&self) -> &KeyManagementService {
        &self.connection.client
    }

    pub(crate) fn key(&self) -> &KeyVersionName {
        &self.key
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    async fn sign_once(&self, signature_base: &[u8]) -> Result<Signed, Failed> {
        let reply = self
            .client()
            .asymmetric_sign()
            .with_request(self.scheme.request(signature_base).set_name(self.key.expose()))
            .with_retry_policy(NeverRetry)
            .send()
            .await
            .map_err(|error| self.connection.failed(&error))?;
        check_name(&self.key, &reply.name)?;
        if !self.scheme.request_was_verified(&reply) {
            return Err(Failed::Damaged(invalid(
                "Cloud KMS did not check the checksum of what it was given to sign; is the endpoint one of Cloud KMS?",
            )));
        }
        if reply.signature_crc32c != Some(checksum(&reply.signature)) {
            return Err(Failed::Damaged(invalid(
                "the signature in the reply of Cloud KMS does not have the reply's checksum; see what changes traffic on the way",
            )));
        }
        let signature = self.scheme.signature(&reply.signature)?;
        Ok(Signed::new(signature).with_key_version(KeyVersion::new(reply.name)))
    }

    /// The public key, checked to be of the algorithm.
    async fn checked_key(&self) -> Result<&PublicKey, ProviderError> {
        self.public_key
            .get_or_fetch(|| {
                fetch(&self.connection, &self.key, Some(self.algorithm()), self.timeout)
            })
            .await
    }
}

#[async_trait]
impl SigningProvider for GcpKmsProvider {
    fn identity(&self) -> &KeyIdentity {
        &self.identity
    }

    fn capability(&self) -> Capability {
        SigningScheme::capability()
    }

    async fn public_key(&self) -> Result<PublicKey, ProviderError> {
        self.checked_key().await.cloned()
    }

    async fn sign(&self, message: &[u8]) -> Result<Signed, ProviderError> {
        if message.is_empty() {
            // In `data`, empty and absent are the same to the service.
            return Err(configuration("Cloud KMS signs no empty message"));
        }
        // No reply to a signature says the algorithm, and Cloud KMS hashes data for a P-256 key by
        // itself.
        self.checked_key().await?;
        repaired(self.timeout, || self.sign_once(message)).await
    }
}

impl fmt::Debug for GcpKmsProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GcpKmsProvider").field("identity", &self.identity).finish_non_exhaustive()
    }
}

/// Why a call failed.
enum Failed {
    /// Request or reply were changed on the way, as a checksum tells. What Google asks for then is
    /// to throw the reply away and to call again, a limited number of times:
    /// <https://cloud.google.com/kms/docs/data-integrity-guidelines>.
    Damaged(ProviderError),
    Else(ProviderError),
}

impl From<ProviderError> for Failed {
    fn from(error: ProviderError) -> Self {
        Self::Else(error)
    }
}

/// Makes a call within the time limit, and once more where it was damaged on the way.
async fn repaired<T, F>(limit: Duration, call: impl Fn() -> F) -> Result<T, ProviderError>
where
    F: Future<Output = Result<T, Failed>>,
{
    let calls = async {
        match call().await {
            Err(Failed::Damaged(_)) => call().await,
            outcome => outcome,
        }
    };
    match tokio::time::timeout(limit, calls).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(Failed::Damaged(error) | Failed::Else(error))) => Err(error),
        Err(_) => Err(failure::too_late()),
    }
}

pub(crate) async fn fetch(
    connection: &Connection,
    key: &KeyVersionName,
    declared: Option<Algorithm>,
    timeout: Duration,
) -> Result<PublicKey, ProviderError> {
    let call = || async {
        let reply = connection
            .client
            .get_public_key()
            .set_name(key.expose())
            .with_retry_policy(NeverRetry)
            .send()
            .await
            .map_err(|error| connection.failed(&error))?;
        check_name(key, &reply.name)?;
        if reply.pem_crc32c != Some(checksum(reply.pem.as_bytes())) {
            return Err(Failed::Damaged(invalid(
                "the public key in the reply of Cloud KMS does not have the reply's checksum; see what changes traffic on the way",
            )));
        }
        Ok(reply)
    };
    checked_public_key(&repaired(timeout, call).await?, declared)
}

/// The public key of a reply that is whole, and about the key version that was asked for.
fn checked_public_key(
    reply: &model::PublicKey,
    declared: Option<Algorithm>,
) -> Result<PublicKey, ProviderError> {
    let Some(scheme) = SigningScheme::of_service(&reply.algorithm) else {
        return Err(mismatch(
            "the key version is for an algorithm that is not used here; create a key with EC_SIGN_ED25519, \
             EC_SIGN_P256_SHA256 or RSA_SIGN_PSS_4096_SHA512",
        ));
    };
    let algorithm = scheme.algorithm();
    check_algorithm(algorithm, declared)?;
    let unreadable = |error: KeyError| {
        invalid("the reply of Cloud KMS holds no public key that can be read").with_source(error)
    };
    let public_key = PublicKey::from_spki_pem(&reply.pem).map_err(unreadable)?;
    if public_key.algorithm() != algorithm {
        return Err(invalid(
            "the public key in the reply of Cloud KMS is not of the reply's algorithm",
        ));
    }
    Ok(public_key)
}

/// The reply must be about the key version that was asked for.
fn check_name(key: &KeyVersionName, name: &str) -> Result<(), ProviderError> {
    if name == key.expose() {
        return Ok(());
    }
    Err(invalid(
        "Cloud KMS answered for another key version than was asked for; name the project by its ID, as the service does",
    ))
}

fn mismatch(message: &'static str) -> ProviderError {
    ProviderError::new(ProviderErrorKind::AlgorithmMismatch, message)
}

fn invalid(message: &'static str) -> ProviderError {
    ProviderError::new(ProviderErrorKind::InvalidResponse, message)
}
