//! What it takes to reach one key in Key Vault.

use std::{borrow::Cow, env, ffi::OsString, fmt, path::Path, sync::Arc, time::Duration};

use adcp_signing_core::{
    Algorithm, ProviderError, ProviderErrorKind,
    provider::toolkit::{CreatedKey, Environment, KeyOptions, read_trust_file},
};
use azure_core::{credentials::TokenCredential, http::ClientOptions};
use azure_security_keyvault_keys::{KeyClient, KeyClientOptions};

use crate::{
    AzureKeyVaultProvider, KeyIdentifier, create, credentials,
    failure::{self, Operation},
    provider::{CALL_TIMEOUT, check_vault},
    transport::{self, Roots},
};

const VARIABLES: &str = "ADCP_AZURE_KEY_VAULT";
/// The longest file of root certificates read.
const MAX_CA_LEN: usize = 1024 * 1024;

/// One key in Key Vault and the way to it.
///
/// Without credentials of its own it takes those of the environment, as the clients of Azure do:
/// `AZURE_TOKEN_CREDENTIALS` chooses; else a client secret (`AZURE_TENANT_ID`, `AZURE_CLIENT_ID`,
/// `AZURE_CLIENT_SECRET`), a workload identity (`AZURE_FEDERATED_TOKEN_FILE`), the managed identity
/// of App Service and its like, the login of `az` or `azd`, or the managed identity of the machine.
/// The client renews the tokens.
///
/// ```
/// use adcp_signing_azure_key_vault::{AzureKeyVaultConfig, AzureKeyVaultProvider};
/// use adcp_signing_core::{Algorithm, KeyPurpose, provider::toolkit::KeyOptions};
///
/// # async fn provider() -> Result<AzureKeyVaultProvider, Box<dyn std::error::Error>> {
/// let key = "https://ads-prod.vault.azure.net/keys/buyer/0123456789abcdef0123456789abcdef".parse()?;
/// let options = KeyOptions::new(KeyPurpose::RequestSigning).with_algorithm(Algorithm::EcdsaP256Sha256).with_key_id("buyer-2026");
/// let provider = AzureKeyVaultConfig::new(key, options)
///     .connect()
///     .await?;
/// # Ok(provider)
/// # }
/// ```
#[derive(Clone)]
pub struct AzureKeyVaultConfig {
    pub(crate) key: KeyIdentifier,
    pub(crate) options: KeyOptions,
    credential: Option<Arc<dyn TokenCredential>>,
    roots: Option<Roots>,
    timeout: Duration,
}

impl AzureKeyVaultConfig {
    /// The key that `key` names. The options are its purpose, and its algorithm and `keyid` where
    /// they are stated.
    pub fn new(key: KeyIdentifier, options: impl Into<KeyOptions>) -> Self {
        let options = options.into();
        Self { key, options, credential: None, roots: None, timeout: CALL_TIMEOUT }
    }

    /// The configuration that the environment holds: `ADCP_AZURE_KEY_VAULT_KEY` (a key identifier)
    /// and `ADCP_AZURE_KEY_VAULT_PURPOSE` (an `adcp_use` value), and if set
    /// `ADCP_AZURE_KEY_VAULT_ALG` (an RFC 9421 or JOSE name), `ADCP_AZURE_KEY_VAULT_KID`,
    /// `ADCP_AZURE_KEY_VAULT_ACCESS_TOKEN` and `ADCP_AZURE_KEY_VAULT_CA_FILE` (the path of a PEM
    /// file).
    ///
    /// # Errors
    /// [`ProviderErrorKind::Configuration`] when a variable is missing or has a value that it cannot have.
    pub fn from_env() -> Result<Self, ProviderError> {
        Self::from_environment(&Environment::of_process(VARIABLES))
    }

    fn from_environment(
        environment: &Environment<impl Fn(&str) -> Option<OsString>>,
    ) -> Result<Self, ProviderError> {
        let what = "a key identifier, https://VAULT.vault.azure.net/keys/NAME/VERSION";
        let key = environment.needed_as("KEY", what)?;
        Self::new(key, environment.key_options(None)?).with_access_of(environment)
    }

    /// Takes the access token and the root certificates that the environment holds, if any.
    pub(crate) fn with_env_access(self) -> Result<Self, ProviderError> {
        self.with_access_of(&Environment::of_process(VARIABLES))
    }

    fn with_access_of(
        self,
        environment: &Environment<impl Fn(&str) -> Option<OsString>>,
    ) -> Result<Self, ProviderError> {
        let config = match environment.get("ACCESS_TOKEN")? {
            Some(token) => self.with_access_token(&token)?,
            None => self,
        };
        match environment.get("CA_FILE")? {
            Some(path) => {
                let pem = read_trust_file(Path::new(&path), "file of CA certificates", MAX_CA_LEN)
                    .map_err(|why| environment.refused("CA_FILE", why))?;
                config.with_root_certificates(&pem)
            }
            None => Ok(config),
        }
    }

    /// What is stated about the key, in place of what was stated before.
    #[must_use]
    pub fn with_options(mut self, options: impl Into<KeyOptions>) -> Self {
        self.options = options.into();
        self
    }

    /// Credentials in place of those of the environment, of `azure_identity` or of the caller's
    /// own.
    #[must_use]
    pub fn with_credential(mut self, credential: Arc<dyn TokenCredential>) -> Self {
        self.credential = Some(credential);
        self
    }

    /// An access token in place of credentials. Nobody renews it, and those of Azure expire within
    /// hours: for jobs that get one handed to them, and for emulators.
    ///
    /// # Errors
    /// [`ProviderErrorKind::Configuration`] when the token is empty or holds characters that a header cannot.
    pub fn with_access_token(self, token: &str) -> Result<Self, ProviderError> {
        Ok(self.with_credential(credentials::static_token(token)?))
    }

    /// Root certificates, PEM, that alone are trusted for the vault, in place of the system's.
    /// Credentials are fetched with these and the system's. A host that is not one of Azure's needs
    /// them.
    ///
    /// # Errors
    /// [`ProviderErrorKind::Configuration`] when `pem` holds no certificate.
    pub fn with_root_certificates(mut self, pem: &[u8]) -> Result<Self, ProviderError> {
        self.roots = Some(Roots::from_pem(pem)?);
        Ok(self)
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
    /// Calls the vault once, for the public key, where algorithm or `keyid` are not given, and not
    /// at all where both are. An access token is fetched on the first call.
    ///
    /// # Errors
    /// [`ProviderErrorKind::AlgorithmMismatch`] for Ed25519, which Key Vault does not have;
    /// [`ProviderErrorKind::Configuration`] when there are no usable credentials, or the host is not one of Azure's and no
    /// root certificates are given; else as
    /// [`public_key`](adcp_signing_core::SigningProvider::public_key).
    pub async fn connect(&self) -> Result<AzureKeyVaultProvider, ProviderError> {
        self.connect_with(Arc::new(self.own_client()?)).await
    }

    fn own_client(&self) -> Result<KeyClient, ProviderError> {
        if !self.key.is_at_azure() && self.roots.is_none() {
            // Whoever answers there says for which service it wants a token.
            return Err(configuration(
                "the host of the key is none of Azure's, so its own root certificates must be given, by \
                 ADCP_AZURE_KEY_VAULT_CA_FILE or in the configuration: the access token goes there",
            ));
        }
        let credential = match &self.credential {
            Some(credential) => Arc::clone(credential),
            None => credentials::from_env(
                &|name| env::var_os(name),
                self.key.cloud(),
                transport::to_credentials(self.roots.as_ref())?,
            )?,
        };
        self.client(credential, transport::to_key_vault(self.roots.as_ref())?)
    }

    /// Makes the key, of ECDSA on P-256, and answers with the identifier of its version. It is not
    /// exportable; in a Managed HSM it is of type `EC-HSM`, else of type `EC`.
    ///
    /// The credentials need `get` and `create` on keys, the second of which a signer's do not. Key
    /// Vault has no call that makes a key only where there is none: of two who make one at the same
    /// moment the later may make a second version.
    ///
    /// # Errors
    /// [`ProviderErrorKind::Configuration`] when there is such a key, a deleted one is still kept, the identifier has a
    /// version, or another algorithm is asked for; else as [`connect`](Self::connect).
    pub async fn create_key(
        &self,
        algorithm: Option<Algorithm>,
    ) -> Result<CreatedKey<KeyIdentifier>, ProviderError> {
        self.create_key_with_client(&self.own_client()?, algorithm).await
    }

    /// As [`create_key`](Self::create_key), on the caller's client.
    ///
    /// # Errors
    /// As [`create_key`](Self::create_key).
    pub async fn create_key_with_client(
        &self,
        client: &KeyClient,
        algorithm: Option<Algorithm>,
    ) -> Result<CreatedKey<KeyIdentifier>, ProviderError> {
        check_vault(client, &self.key)?;
        create::create(client, &self.key, self.options.algorithm.or(algorithm), self.timeout).await
    }

    fn client(
        &self,
        credential: Arc<dyn TokenCredential>,
        client_options: ClientOptions,
    ) -> Result<KeyClient, ProviderError> {
        let options = KeyClientOptions {
            client_options,
            // A server that is not Azure's may call itself by another name, and has roots of its own.
            verify_challenge_resource: Some(self.key.is_at_azure()),
            ..KeyClientOptions::default()
        };
        KeyClient::new(&self.key.endpoint(), credential, Some(options))
            .map_err(|error| failure::of_call(self.key.service(), Operation::GetKey, &error))
    }

    /// Builds the provider on the caller's client, as [`AzureKeyVaultProvider::new`]; credentials
    /// or root certificates here are refused.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn connect_with_client(
        &self,
        client: impl Into<Arc<KeyClient>>,
    ) -> Result<AzureKeyVaultProvider, ProviderError> {
        if self.credential.is_some() || self.roots.is_some() {
            return Err(configuration(
                "credentials and root certificates are the ready client's; leave out with_credential, with_access_token and \
                 with_root_certificates (ADCP_AZURE_KEY_VAULT_ACCESS_TOKEN, ADCP_AZURE_KEY_VAULT_CA_FILE)",
            ));
        }
        self.connect_with(client.into()).await
    }

    async fn connect_with(
        &self,
        client: Arc<KeyClient>,
    ) -> Result<AzureKeyVaultProvider, ProviderError> {
        AzureKeyVaultProvider::connect(client, self.key.clone(), &self.options, self.timeout).await
    }
}

impl fmt::Debug for AzureKeyVaultConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AzureKeyVaultConfig")
            .field("key", &self.key)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

pub(crate) fn configuration(message: impl Into<Cow<'static, str>>) -> ProviderError {
    ProviderError::new(ProviderErrorKind::Configuration, message)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use adcp_signing_core::KeyPurpose;
    use async_trait::async_trait;
    use azure_core::{
        credentials::{AccessToken, TokenRequestOptions},
        http::{
            AsyncRawResponse, Context, Request, StatusCode,
            headers::{Headers, WWW_AUTHENTICATE},
            policies::{Policy, PolicyResult},
        },
        time::OffsetDateTime,
    };

    use super::*;

    const KEY: &str = "ADCP_AZURE_KEY_VAULT_KEY";
    const PURPOSE: &str = "ADCP_AZURE_KEY_VAULT_PURPOSE";
    const ALGORITHM: &str = "ADCP_AZURE_KEY_VAULT_ALG";
    const KEY_ID: &str = "ADCP_AZURE_KEY_VAULT_KID";
    const ACCESS_TOKEN: &str = "ADCP_AZURE_KEY_VAULT_ACCESS_TOKEN";
    const CA_FILE: &str = "ADCP_AZURE_KEY_VAULT_CA_FILE";
    const IDENTIFIER: &str = "https://secret-vault.vault.azure.net/keys/buyer";

    fn read(variables: &[(&str, &str)]) -> Result<AzureKeyVaultConfig, ProviderError> {
        AzureKeyVaultConfig::from_environment(&Environment::through(VARIABLES, |name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into())
        }))
    }

    #[test]
    fn the_environment_gives_a_whole_configuration() {
        let config = read(&[
            (KEY, IDENTIFIER),
            (PURPOSE, "webhook-signing"),
            (ALGORITHM, "ecdsa-p256-sha256"),
            (KEY_ID, "k-1"),
            (ACCESS_TOKEN, "eyJ.secret"),
        ])
        .unwrap();
        assert_eq!(config.key.expose(), IDENTIFIER);
        assert_eq!(config.options.purpose, KeyPurpose::WebhookSigning);
        assert_eq!(config.options.algorithm, Some(Algorithm::EcdsaP256Sha256));
        assert_eq!(config.options.key_id.as_deref(), Some("k-1"));
        assert!(config.credential.is_some());
        let debug = format!("{config:?}");
        assert!(!debug.contains("secret"), "{debug}");
    }

    #[test]
    fn a_wrong_variable_is_named_and_its_value_is_not_repeated() {
        let (key, purpose) = ((KEY, IDENTIFIER), (PURPOSE, "request-signing"));
        for (variables, named) in [
            (&[purpose] as &[_], KEY),
            (&[key], PURPOSE),
            (&[(KEY, "secret"), purpose], KEY),
            (&[(KEY, "http://secret-vault.vault.azure.net/keys/k"), purpose], KEY),
            (&[key, (PURPOSE, "secret")], PURPOSE),
            (&[key, purpose, (ALGORITHM, "secret")], ALGORITHM),
            (&[key, purpose, (CA_FILE, "/nowhere/secret")], CA_FILE),
            (&[key, purpose, (CA_FILE, "/")], CA_FILE),
        ] {
            let error = read(variables).unwrap_err();
            assert_eq!(error.kind(), ProviderErrorKind::Configuration);
            let text = error.to_string();
            assert!(text.contains(named) && !text.contains("secret"), "{text}");
        }
    }

    /// Answers every request with a challenge.
    #[derive(Debug)]
    struct Challenging(&'static str);

    #[async_trait]
    #[allow(
        elided_lifetimes_in_paths,
        reason = "with a lifetime written it is another method than the trait's"
    )]
    impl Policy for Challenging {
        async fn send(&self, _: &Context, _: &mut Request, _: &[Arc<dyn Policy>]) -> PolicyResult {
            let mut headers = Headers::new();
            let challenge =
                format!(r#"Bearer authorization="https://login.example/t", resource="{}""#, self.0);
            headers.insert(WWW_AUTHENTICATE, challenge);
            Ok(AsyncRawResponse::from_bytes(StatusCode::Unauthorized, headers, ""))
        }
    }

    /// Keeps what tokens were asked for.
    #[derive(Debug, Default)]
    struct Asked(Mutex<Vec<String>>);

    #[async_trait]
    impl TokenCredential for Asked {
        async fn get_token(
            &self,
            scopes: &[&str],
            _: Option<TokenRequestOptions<'_>>,
        ) -> azure_core::Result<AccessToken> {
            self.0.lock().unwrap().extend(scopes.iter().map(|scope| (*scope).to_owned()));
            let end = OffsetDateTime::now_utc() + azure_core::time::Duration::hours(1);
            Ok(AccessToken::new("eyJ.secret", end))
        }
    }

    /// Else the one who answers would choose for which service the token is that it gets.
    #[tokio::test]
    async fn no_token_of_another_service_is_fetched_for_a_vault_or_managed_hsm() {
        let vault = "https://v.vault.azure.net/keys/k";
        let hsm = "https://h.managedhsm.azure.net/keys/k";
        for (key, resource, given) in [
            (vault, "https://vault.azure.net", true),
            (vault, "https://management.azure.com", false),
            (vault, "https://managedhsm.azure.net", false),
            (vault, "https://evil-vault.azure.net", false),
            (vault, "https://vault.azure.net.evil.example", false),
            (hsm, "https://managedhsm.azure.net", true),
            (hsm, "https://vault.azure.net", false),
            ("https://v.vault.azure.cn/keys/k", "https://vault.azure.cn", true),
            ("https://v.vault.usgovcloudapi.net/keys/k", "https://vault.azure.net", false),
        ] {
            let config = AzureKeyVaultConfig::new(key.parse().unwrap(), KeyPurpose::RequestSigning);
            let asked = Arc::new(Asked::default());
            let options = transport::options(Arc::new(Challenging(resource)));
            let credential = Arc::clone(&asked) as Arc<dyn TokenCredential>;
            let client = config.client(credential, options).unwrap();
            let error = config.connect_with(Arc::new(client)).await.unwrap_err();
            let scopes = std::mem::take(&mut *asked.0.lock().unwrap());
            let (kind, expected) = match given {
                true => (ProviderErrorKind::AccessDenied, vec![format!("{resource}/.default")]),
                false => (ProviderErrorKind::Configuration, vec![]),
            };
            assert_eq!((error.kind(), scopes), (kind, expected), "{key} {resource}: {error}");
        }
    }

    #[tokio::test]
    async fn what_cannot_be_is_refused_before_any_call() {
        let stated = |key: &str, options: KeyOptions| {
            let config = AzureKeyVaultConfig::new(key.parse().unwrap(), options);
            config.with_access_token("eyJ.secret").unwrap()
        };
        let config = |key: &str| stated(key, KeyOptions::default());
        let ed25519 = KeyOptions::default().with_algorithm(Algorithm::Ed25519);
        for (config, expected) in [
            (stated(IDENTIFIER, ed25519.clone()), ProviderErrorKind::AlgorithmMismatch),
            (stated(IDENTIFIER, ed25519.with_key_id("k-1")), ProviderErrorKind::AlgorithmMismatch),
            // A token of Azure does not go to whoever a URI names.
            (config("https://vault.example/keys/k"), ProviderErrorKind::Configuration),
            (config("https://127.0.0.1:8443/keys/k"), ProviderErrorKind::Configuration),
        ] {
            assert_eq!(config.connect().await.unwrap_err().kind(), expected, "{config:?}");
        }
    }
}
