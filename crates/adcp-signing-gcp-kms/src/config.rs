//! What it takes to reach one key version in Cloud KMS.

use std::{ffi::OsString, fmt, time::Duration};

use adcp_signing_core::{
    Algorithm, ProviderError, ProviderErrorKind,
    provider::toolkit::{CreatedKey, Endpoint, Environment, KeyOptions},
};
use google_cloud_auth::credentials::Credentials;
use google_cloud_gax::retry_policy::NeverRetry;
use google_cloud_kms_v1::client::KeyManagementService;

use crate::{
    GcpKmsProvider, KeyVersionName, create,
    credentials::{self, DefaultCredentials},
    failure,
    provider::{CALL_TIMEOUT, Connection},
};

const VARIABLES: &str = "ADCP_GCP_KMS";

/// One key version in Cloud KMS and the way to it.
///
/// Without credentials of its own it takes Application Default Credentials, as every Google client
/// does: the file in `GOOGLE_APPLICATION_CREDENTIALS`, the login of `gcloud`, or the service
/// account of the machine. The client renews them, and they are looked for again once they were
/// refused: a file that was replaced, or a right that was given back, counts without a restart.
///
/// ```
/// use adcp_signing_core::{Algorithm, KeyPurpose, provider::toolkit::KeyOptions};
/// use adcp_signing_gcp_kms::{GcpKmsConfig, GcpKmsProvider};
///
/// # async fn provider() -> Result<GcpKmsProvider, Box<dyn std::error::Error>> {
/// let key = "projects/p/locations/europe-west1/keyRings/adcp/cryptoKeys/buyer/cryptoKeyVersions/1".parse()?;
/// let options = KeyOptions::new(KeyPurpose::RequestSigning).with_algorithm(Algorithm::Ed25519).with_key_id("buyer-2026");
/// let provider = GcpKmsConfig::new(key, options)
///     .connect()
///     .await?;
/// # Ok(provider)
/// # }
/// ```
#[derive(Clone)]
pub struct GcpKmsConfig {
    pub(crate) key: KeyVersionName,
    pub(crate) options: KeyOptions,
    pub(crate) endpoint: Option<Endpoint>,
    credentials: Option<Credentials>,
    timeout: Duration,
}

impl GcpKmsConfig {
    /// The key that `key` names. The options are its purpose, and its algorithm and `keyid` where
    /// they are stated.
    pub fn new(key: KeyVersionName, options: impl Into<KeyOptions>) -> Self {
        let options = options.into();
        Self { key, options, endpoint: None, credentials: None, timeout: CALL_TIMEOUT }
    }

    /// The configuration that the environment holds: `ADCP_GCP_KMS_KEY_VERSION` (a resource name)
    /// and `ADCP_GCP_KMS_PURPOSE` (an `adcp_use` value), and if set `ADCP_GCP_KMS_ALG` (an RFC 9421 or
    /// JOSE name), `ADCP_GCP_KMS_KID`, `ADCP_GCP_KMS_ENDPOINT` (a URL) and `ADCP_GCP_KMS_ACCESS_TOKEN`.
    ///
    /// # Errors
    /// [`ProviderErrorKind::Configuration`] when a variable is missing or has a value that it cannot have.
    pub fn from_env() -> Result<Self, ProviderError> {
        Self::from_environment(&Environment::of_process(VARIABLES))
    }

    fn from_environment(
        environment: &Environment<impl Fn(&str) -> Option<OsString>>,
    ) -> Result<Self, ProviderError> {
        let what = "the resource name of a key version, projects/…/cryptoKeyVersions/N";
        let key = environment.needed_as("KEY_VERSION", what)?;
        Self::new(key, environment.key_options(None)?).with_access_of(environment)
    }

    /// Takes the endpoint that the environment names, unless there is one, and its access token.
    pub(crate) fn with_env_access(self) -> Result<Self, ProviderError> {
        self.with_access_of(&Environment::of_process(VARIABLES))
    }

    fn with_access_of(
        mut self,
        environment: &Environment<impl Fn(&str) -> Option<OsString>>,
    ) -> Result<Self, ProviderError> {
        if self.endpoint.is_none() {
            self.endpoint = environment.parsed("ENDPOINT")?;
        }
        match environment.get("ACCESS_TOKEN")? {
            Some(token) => self.with_access_token(&token),
            None => Ok(self),
        }
    }

    /// What is stated about the key, in place of what was stated before.
    #[must_use]
    pub fn with_options(mut self, options: impl Into<KeyOptions>) -> Self {
        self.options = options.into();
        self
    }

    /// Another address than `https://cloudkms.googleapis.com`. Access tokens are sent there.
    #[must_use]
    pub fn with_endpoint(mut self, endpoint: Endpoint) -> Self {
        self.endpoint = Some(endpoint);
        self
    }

    /// Credentials in place of the default ones.
    #[must_use]
    pub fn with_credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = Some(credentials);
        self
    }

    /// An access token in place of credentials. Nobody renews it, and those of Google expire within
    /// the hour: for jobs that get one handed to them, and for emulators.
    ///
    /// # Errors
    /// [`ProviderErrorKind::Configuration`] when the token is empty or holds characters that a header cannot.
    pub fn with_access_token(self, token: &str) -> Result<Self, ProviderError> {
        Ok(self.with_credentials(credentials::static_token(token)?))
    }

    /// Sets how long one call may take, the fetching of its access token included: 10 seconds
    /// unless set. Core's `Deadline` or the retry policy limits what retries take together.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Builds a client of its own, and the provider on it.
    ///
    /// Calls Cloud KMS once, for the public key, where algorithm or `keyid` are not given, and not
    /// at all where both are. An access token is fetched on the first call.
    ///
    /// # Errors
    /// [`ProviderErrorKind::Configuration`] when there are no usable credentials, else as
    /// [`public_key`](adcp_signing_core::SigningProvider::public_key).
    pub async fn connect(&self) -> Result<GcpKmsProvider, ProviderError> {
        self.connect_with(self.connection().await?).await
    }

    async fn connection(&self) -> Result<Connection, ProviderError> {
        let mut builder = KeyManagementService::builder().with_retry_policy(NeverRetry);
        if let Some(endpoint) = &self.endpoint {
            builder = builder.with_endpoint(endpoint.as_str());
        }
        let (builder, credentials) = match &self.credentials {
            Some(credentials) => (builder.with_credentials(credentials.clone()), None),
            None => {
                let found = DefaultCredentials::find()?;
                (builder.with_credentials(found.clone()), Some(found))
            }
        };
        let client = builder.build().await.map_err(|error| failure::of_client(&error))?;
        Ok(Connection { client, credentials })
    }

    /// Makes the key whose first version this is, in a key ring that is there, and waits until the
    /// version is generated. The algorithm is that of the options, else this one, else Ed25519.
    /// Cloud KMS hands out no private key. The key is kept in software.
    ///
    /// The credentials need `cloudkms.cryptoKeys.create` and `cloudkms.cryptoKeyVersions.get`, which
    /// a signer's do not, and `cloudkms.cryptoKeyVersions.viewPublicKey`.
    ///
    /// # Errors
    /// [`ProviderErrorKind::Configuration`] when there is such a key, or the version is not 1; else as
    /// [`connect`](Self::connect). Cloud KMS deletes no key: an error says so where one was made.
    pub async fn create_key(
        &self,
        algorithm: Option<Algorithm>,
    ) -> Result<CreatedKey<KeyVersionName>, ProviderError> {
        self.create_key_with_client(&self.connection().await?.client, algorithm).await
    }

    /// As [`create_key`](Self::create_key), on the caller's client.
    ///
    /// # Errors
    /// As [`create_key`](Self::create_key).
    pub async fn create_key_with_client(
        &self,
        client: &KeyManagementService,
        algorithm: Option<Algorithm>,
    ) -> Result<CreatedKey<KeyVersionName>, ProviderError> {
        create::create(client, &self.key, self.options.algorithm.or(algorithm), self.timeout).await
    }

    /// Builds the provider on the caller's client, with whose endpoint and credentials it works; an
    /// endpoint or credentials here are refused.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn connect_with_client(
        &self,
        client: KeyManagementService,
    ) -> Result<GcpKmsProvider, ProviderError> {
        if self.endpoint.is_some() || self.credentials.is_some() {
            return Err(configuration(
                "endpoint and credentials are the ready client's; leave out with_endpoint and with_credentials \
                 (ADCP_GCP_KMS_ENDPOINT, ADCP_GCP_KMS_ACCESS_TOKEN, `endpoint=`)",
            ));
        }
        self.connect_with(client.into()).await
    }

    async fn connect_with(&self, connection: Connection) -> Result<GcpKmsProvider, ProviderError> {
        GcpKmsProvider::connect(connection, self.key.clone(), &self.options, self.timeout).await
    }
}

impl fmt::Debug for GcpKmsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GcpKmsConfig")
            .field("key", &self.key)
            .field("options", &self.options)
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

pub(crate) fn configuration(message: &'static str) -> ProviderError {
    ProviderError::new(ProviderErrorKind::Configuration, message)
}

#[cfg(test)]
mod tests {
    use adcp_signing_core::KeyPurpose;

    use super::*;

    const KEY_VERSION: &str = "ADCP_GCP_KMS_KEY_VERSION";
    const PURPOSE: &str = "ADCP_GCP_KMS_PURPOSE";
    const ALGORITHM: &str = "ADCP_GCP_KMS_ALG";
    const KEY_ID: &str = "ADCP_GCP_KMS_KID";
    const ENDPOINT: &str = "ADCP_GCP_KMS_ENDPOINT";
    const ACCESS_TOKEN: &str = "ADCP_GCP_KMS_ACCESS_TOKEN";

    const NAME: &str =
        "projects/secret-project/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1";

    fn read(variables: &[(&str, &str)]) -> Result<GcpKmsConfig, ProviderError> {
        GcpKmsConfig::from_environment(&Environment::through(VARIABLES, |name| {
            variables
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| OsString::from(value))
        }))
    }

    #[test]
    fn the_environment_gives_a_whole_configuration() {
        let config = read(&[
            (KEY_VERSION, NAME),
            (PURPOSE, "webhook-signing"),
            (ALGORITHM, "ed25519"),
            (KEY_ID, "k-1"),
            (ENDPOINT, "http://127.0.0.1:4589"),
            (ACCESS_TOKEN, "ya29.secret"),
        ])
        .unwrap();
        assert_eq!(config.key.expose(), NAME);
        assert_eq!(config.options.purpose, KeyPurpose::WebhookSigning);
        assert_eq!(config.options.algorithm, Some(Algorithm::Ed25519));
        assert_eq!(config.options.key_id.as_deref(), Some("k-1"));
        assert_eq!(config.endpoint.as_ref().map(Endpoint::as_str), Some("http://127.0.0.1:4589"));
        assert!(config.credentials.is_some());
        let debug = format!("{config:?}");
        assert!(!debug.contains("secret"), "{debug}");
    }

    #[test]
    fn the_endpoint_of_a_uri_comes_before_that_of_the_environment() {
        let environment = Environment::through(VARIABLES, |name| {
            (name == ENDPOINT).then(|| OsString::from("https://kms.example"))
        });
        for (uri, expected) in [
            (format!("gcpkms://{NAME}"), "https://kms.example"),
            (format!("gcpkms://{NAME}?endpoint=http://127.0.0.1:4589"), "http://127.0.0.1:4589"),
        ] {
            let config = uri.parse::<crate::GcpKmsUri>().unwrap().config();
            let config = config.with_access_of(&environment).unwrap();
            assert_eq!(config.endpoint.as_ref().map(Endpoint::as_str), Some(expected));
        }
    }

    #[test]
    fn a_wrong_variable_is_named_and_its_value_is_not_repeated() {
        for (variables, named) in [
            (&[(PURPOSE, "request-signing")] as &[_], KEY_VERSION),
            (&[(KEY_VERSION, NAME)], PURPOSE),
            (&[(KEY_VERSION, "secret"), (PURPOSE, "request-signing")], KEY_VERSION),
            (&[(KEY_VERSION, NAME), (PURPOSE, "secret")], PURPOSE),
            (
                &[(KEY_VERSION, NAME), (PURPOSE, "request-signing"), (ALGORITHM, "secret")],
                ALGORITHM,
            ),
            (&[(KEY_VERSION, NAME), (PURPOSE, "request-signing"), (ENDPOINT, "secret")], ENDPOINT),
        ] {
            let error = read(variables).unwrap_err();
            assert_eq!(error.kind(), ProviderErrorKind::Configuration);
            let text = error.to_string();
            assert!(text.contains(named) && !text.contains("secret"), "{text}");
        }
    }
}
