//! The server under test, as the environment names it, and keys on it.

use std::{
    env,
    error::Error,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use google_cloud_auth::{
    credentials::{CacheableResource, CredentialsProvider, EntityTag},
    errors::CredentialsError,
};
use google_cloud_kms_v1::{
    client::KeyManagementService,
    model::{
        CryptoKey, CryptoKeyVersion, CryptoKeyVersionTemplate,
        crypto_key::CryptoKeyPurpose,
        crypto_key_version::{CryptoKeyVersionAlgorithm, CryptoKeyVersionState},
    },
};
use google_cloud_wkt::FieldMask;
use http::{Extensions, HeaderMap, HeaderValue, header::AUTHORIZATION};
use tokio::time::sleep;

pub(crate) type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Key rings cannot be deleted, so every run uses the same one.
const RING: &str = "adcp-signing-tests";
/// How long the service may take to generate a key.
const GENERATION_POLLS: u32 = 600;
const POLL_PAUSE: Duration = Duration::from_millis(50);

/// The server that the environment names.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    /// What reports call it.
    pub(crate) name: String,
    pub(crate) endpoint: String,
    pub(crate) token: String,
    /// `projects/P/locations/L`.
    pub(crate) parent: String,
    pub(crate) lacks: String,
}

impl Server {
    /// The server, or why there is none.
    pub(crate) fn from_env() -> Result<Self, String> {
        let variable = |name| env::var(name).map_err(|_| format!("{name} is not set"));
        let endpoint = variable("ADCP_TEST_GCP_KMS_ENDPOINT")?;
        let host = || endpoint.rsplit_once("://").map_or(&*endpoint, |(_, host)| host).to_owned();
        Ok(Self {
            name: variable("ADCP_TEST_GCP_KMS_SERVER").unwrap_or_else(|_| host()),
            endpoint,
            token: variable("ADCP_TEST_GCP_KMS_TOKEN")?,
            parent: variable("ADCP_TEST_GCP_KMS_PARENT")?,
            lacks: variable("ADCP_TEST_GCP_KMS_LACKS").unwrap_or_default(),
        })
    }

    /// Whether the server is known not to have this: an algorithm, by its RFC 9421 name,
    /// `denials` or `checksums`.
    pub(crate) fn lacks(&self, what: &str) -> bool {
        self.lacks.split_whitespace().any(|lacked| lacked == what)
    }

    /// All that it lacks.
    pub(crate) fn lacking(&self) -> &str {
        self.lacks.trim()
    }

    pub(crate) async fn client(&self) -> Outcome<KeyManagementService> {
        let client = KeyManagementService::builder()
            .with_endpoint(&self.endpoint)
            .with_credentials(Bearer(HeaderValue::try_from(format!("Bearer {}", self.token))?))
            .build()
            .await?;
        Ok(client)
    }

    /// The key ring of these tests, made where it is not there.
    pub(crate) async fn ring(&self) -> Outcome<String> {
        let ring = format!("{}/keyRings/{RING}", self.parent);
        let client = self.client().await?;
        if client.get_key_ring().set_name(&ring).send().await.is_err() {
            // Another test may be first.
            let _ = client
                .create_key_ring()
                .set_parent(&self.parent)
                .set_key_ring_id(RING)
                .send()
                .await;
            client.get_key_ring().set_name(&ring).send().await?;
        }
        Ok(ring)
    }

    /// A new key with one enabled version; its name.
    pub(crate) async fn create_key(
        &self,
        name: &str,
        algorithm: CryptoKeyVersionAlgorithm,
    ) -> Outcome<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos();
        let ring = self.ring().await?;
        let key = CryptoKey::new()
            .set_purpose(CryptoKeyPurpose::AsymmetricSign)
            .set_version_template(CryptoKeyVersionTemplate::new().set_algorithm(algorithm));
        let client = self.client().await?;
        let created = client
            .create_crypto_key()
            .set_parent(ring)
            .set_crypto_key_id(format!("{name}-{now}"))
            .set_crypto_key(key)
            .send()
            .await?;
        self.enabled(&format!("{}/cryptoKeyVersions/1", created.name)).await?;
        Ok(created.name)
    }

    /// A new version of a key; its name.
    pub(crate) async fn create_version(&self, key: &str) -> Outcome<String> {
        let client = self.client().await?;
        let version = client
            .create_crypto_key_version()
            .set_parent(key)
            .set_crypto_key_version(CryptoKeyVersion::new())
            .send()
            .await?;
        self.enabled(&version.name).await?;
        Ok(version.name)
    }

    pub(crate) async fn set_state(
        &self,
        version: &str,
        state: CryptoKeyVersionState,
    ) -> Outcome<()> {
        let client = self.client().await?;
        let version = CryptoKeyVersion::new().set_name(version).set_state(state);
        client
            .update_crypto_key_version()
            .set_crypto_key_version(version)
            .set_update_mask(FieldMask::default().set_paths(["state"]))
            .send()
            .await?;
        Ok(())
    }

    async fn enabled(&self, version: &str) -> Outcome<()> {
        let client = self.client().await?;
        for _ in 0..GENERATION_POLLS {
            let state = client.get_crypto_key_version().set_name(version).send().await?.state;
            if state == CryptoKeyVersionState::Enabled {
                return Ok(());
            }
            sleep(POLL_PAUSE).await;
        }
        Err("the key version was not generated in time".into())
    }
}

#[derive(Debug)]
struct Bearer(HeaderValue);

impl CredentialsProvider for Bearer {
    async fn headers(
        &self,
        _: Extensions,
    ) -> Result<CacheableResource<HeaderMap>, CredentialsError> {
        let data = HeaderMap::from_iter([(AUTHORIZATION, self.0.clone())]);
        Ok(CacheableResource::New { entity_tag: EntityTag::new(), data })
    }

    async fn universe_domain(&self) -> Option<String> {
        None
    }
}
