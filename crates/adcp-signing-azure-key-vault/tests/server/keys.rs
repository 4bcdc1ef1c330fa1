//! The server under test, as the environment names it, and keys on it.

use std::{
    env,
    error::Error,
    fs,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use adcp_signing_azure_key_vault::{AzureKeyVaultConfig, KeyIdentifier};
use adcp_signing_core::{Algorithm, ProviderError, provider::toolkit::KeyOptions};
use async_trait::async_trait;
use azure_core::{
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    http::{ClientOptions, RetryOptions, Transport},
    time::{Duration, OffsetDateTime},
};
use azure_security_keyvault_keys::{
    KeyClient, KeyClientOptions,
    models::{
        CreateKeyParameters, CurveName, KeyAttributes, KeyClientUpdateKeyPropertiesOptions,
        KeyOperation, KeyType, UpdateKeyPropertiesParameters,
    },
};

pub(crate) type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// The server that the environment names.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    /// What reports call it.
    pub(crate) name: String,
    pub(crate) url: String,
    pub(crate) token: String,
    pub(crate) denied_token: Option<String>,
    /// PEM.
    pub(crate) roots: Option<Vec<u8>>,
    pub(crate) lacks: String,
}

impl Server {
    /// The server, or why there is none.
    pub(crate) fn from_env() -> Result<Self, String> {
        let variable = |name| env::var(name).map_err(|_| format!("{name} is not set"));
        let roots = match variable("ADCP_TEST_AZURE_KEY_VAULT_CA") {
            Ok(path) => Some(fs::read(&path).map_err(|error| format!("{path}: {error}"))?),
            Err(_) => None,
        };
        let url = variable("ADCP_TEST_AZURE_KEY_VAULT_URL")?.trim_end_matches('/').to_owned();
        let host = || url.rsplit_once("://").map_or(&*url, |(_, host)| host).to_owned();
        Ok(Self {
            name: variable("ADCP_TEST_AZURE_KEY_VAULT_SERVER").unwrap_or_else(|_| host()),
            url,
            token: variable("ADCP_TEST_AZURE_KEY_VAULT_TOKEN")?,
            denied_token: variable("ADCP_TEST_AZURE_KEY_VAULT_DENIED_TOKEN").ok(),
            roots,
            lacks: variable("ADCP_TEST_AZURE_KEY_VAULT_LACKS").unwrap_or_default(),
        })
    }

    /// Whether the server is known not to have this: `refusals` in the service's form, `validity`
    /// periods, checks of `tokens`.
    pub(crate) fn lacks(&self, what: &str) -> bool {
        self.lacks.split_whitespace().any(|lacked| lacked == what)
    }

    /// `HOST[:PORT]`.
    pub(crate) fn authority(&self) -> &str {
        self.url.strip_prefix("https://").unwrap_or(&self.url)
    }

    /// A client as a caller would make it.
    pub(crate) fn client(&self) -> Outcome<KeyClient> {
        let mut http = reqwest::Client::builder();
        for root in self.roots.iter() {
            http = http.tls_certs_only(reqwest::Certificate::from_pem_bundle(root)?);
        }
        let client_options = ClientOptions {
            retry: RetryOptions::none(),
            transport: Some(Transport::new(Arc::new(http.build()?))),
            ..ClientOptions::default()
        };
        let options = KeyClientOptions {
            client_options,
            verify_challenge_resource: Some(self.roots.is_none()),
            ..KeyClientOptions::default()
        };
        Ok(KeyClient::new(&self.url, Arc::new(Bearer(self.token.clone())), Some(options))?)
    }

    /// A configuration with the server's roots and this token.
    pub(crate) fn config(
        &self,
        key: KeyIdentifier,
        options: impl Into<KeyOptions>,
        token: &str,
    ) -> Result<AzureKeyVaultConfig, ProviderError> {
        let config = AzureKeyVaultConfig::new(key, options).with_access_token(token)?;
        match &self.roots {
            Some(roots) => config.with_root_certificates(roots),
            None => Ok(config),
        }
    }

    /// A new key for the algorithm; the identifier of its version.
    pub(crate) async fn create_key(&self, name: &str, algorithm: Algorithm) -> Outcome<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos();
        self.create_version(&format!("{name}-{now}"), algorithm).await
    }

    /// A new version of the key, which is then the newest; its identifier.
    pub(crate) async fn create_version(&self, name: &str, algorithm: Algorithm) -> Outcome<String> {
        let (kty, curve, key_size) = match algorithm {
            Algorithm::EcdsaP256Sha256 => (KeyType::Ec, Some(CurveName::P256), None),
            _ => (KeyType::Rsa, None, Some(2048)),
        };
        let parameters = CreateKeyParameters {
            kty: Some(kty),
            curve,
            key_size,
            key_ops: Some(vec![KeyOperation::Sign, KeyOperation::Verify]),
            ..CreateKeyParameters::default()
        };
        let created =
            self.client()?.create_key(name, parameters.try_into()?, None).await?.into_model()?;
        Ok(created
            .key
            .and_then(|key| key.kid)
            .ok_or("the server does not say which key it made")?)
    }

    pub(crate) async fn disable(&self, kid: &str) -> Outcome<()> {
        let key: KeyIdentifier = kid.parse()?;
        let parameters = UpdateKeyPropertiesParameters {
            key_attributes: Some(KeyAttributes {
                enabled: Some(false),
                ..KeyAttributes::default()
            }),
            ..UpdateKeyPropertiesParameters::default()
        };
        let options = KeyClientUpdateKeyPropertiesOptions {
            key_version: key.version().map(str::to_owned),
            ..KeyClientUpdateKeyPropertiesOptions::default()
        };
        self.client()?
            .update_key_properties(key.name(), parameters.try_into()?, Some(options))
            .await?;
        Ok(())
    }
}

#[derive(Debug)]
struct Bearer(String);

#[async_trait]
impl TokenCredential for Bearer {
    async fn get_token(
        &self,
        _: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        Ok(AccessToken::new(self.0.clone(), OffsetDateTime::now_utc() + Duration::hours(1)))
    }
}
