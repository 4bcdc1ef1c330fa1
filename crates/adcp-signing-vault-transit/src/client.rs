//! The client of one server: what to connect to and as whom, shared by all keys there.

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use adcp_signing_core::ProviderError;

use rustify::endpoint::Endpoint;

use crate::{
    Product, VaultAuth,
    address::{Address, configuration, is_path},
    environment,
    failure::{Operation, refusal},
    http::{self, Call, Http, Reply, Tls},
    session::Session,
    settings::Settings,
};

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// What a [`VaultClient`] connects to, and as whom.
#[derive(Clone)]
pub struct VaultClientOptions {
    pub(crate) address: String,
    pub(crate) auth: VaultAuth,
    pub(crate) namespace: Option<String>,
    pub(crate) ca_file: Option<PathBuf>,
    timeout: Duration,
    plaintext: bool,
    /// Where the options come from, for errors.
    pub(crate) settings: Settings,
}

impl VaultClientOptions {
    /// The server at this address, `https://HOST[:PORT]`, and how to log in there.
    pub fn new(address: impl Into<String>, auth: VaultAuth) -> Self {
        Self {
            address: address.into(),
            auth,
            namespace: None,
            ca_file: None,
            timeout: DEFAULT_TIMEOUT,
            plaintext: false,
            settings: Settings::Options,
        }
    }

    /// The options that the environment sets.
    ///
    /// `VAULT_ADDR`, `VAULT_NAMESPACE` and `VAULT_CACERT` mean what they mean to Vault's command
    /// line. The login is one of `VAULT_TOKEN`; `VAULT_ROLE_ID` with `VAULT_SECRET_ID` or
    /// `VAULT_SECRET_ID_FILE`; `VAULT_KUBERNETES_ROLE`, with `VAULT_KUBERNETES_JWT_FILE` where the
    /// token is not in its usual place; or the file `~/.vault-token`. `VAULT_AUTH_MOUNT` says where
    /// the auth method is mounted. OpenBao's are the same with `BAO_`: see [`Product`].
    ///
    /// # Errors
    /// [`Configuration`](adcp_signing_core::ProviderErrorKind::Configuration) when there is no address or no login, more
    /// than one login, or `VAULT_SKIP_VERIFY`.
    pub fn from_environment(product: Product) -> Result<Self, ProviderError> {
        environment::options(product, |name| std::env::var_os(name))
    }

    /// Makes all calls, logins included, in this namespace, by paths that begin with it. OpenBao,
    /// Vault Enterprise and HCP Vault have namespaces; the free edition of Vault has none, and
    /// refuses these paths.
    #[must_use]
    pub fn with_namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }

    /// Trusts the CA certificates in this PEM file, and no others, to vouch for the server.
    #[must_use]
    pub fn with_ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.ca_file = Some(path.into());
        self
    }

    /// Sets how long one call may take, 10 seconds by default. Give a deadline over retries with
    /// core's `Deadline` or the retry policy.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Takes `http://` to other machines too. The token is then readable on the way.
    #[must_use]
    pub fn allow_plaintext(mut self) -> Self {
        self.plaintext = true;
        self
    }
}

impl fmt::Debug for VaultClientOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VaultClientOptions").field("auth", &self.auth).finish_non_exhaustive()
    }
}

/// A client of one Vault or OpenBao server, with the token that it keeps alive. Cheap to clone: the
/// clones share connections and token, so give one client to all providers with keys on the server.
///
/// Building one calls nothing; the first use logs in.
///
/// ```
/// use adcp_signing_vault_transit::{VaultAuth, VaultClient, VaultClientOptions};
///
/// let auth = VaultAuth::kubernetes("adcp-signer");
/// let client = VaultClient::new(VaultClientOptions::new("https://vault.example:8200", auth).with_namespace("ads"))?;
/// # Ok::<(), adcp_signing_core::ProviderError>(())
/// ```
#[derive(Clone)]
pub struct VaultClient(Arc<Session>);

impl VaultClient {
    /// A client with connections of its own.
    ///
    /// # Errors
    /// [`Configuration`](adcp_signing_core::ProviderErrorKind::Configuration) when the address, namespace, auth mount or
    /// CA file cannot be used.
    pub fn new(options: VaultClientOptions) -> Result<Self, ProviderError> {
        let tls = Tls { only: options.ca_file.clone(), ..Tls::default() };
        Self::with_tls(options, &tls)
    }

    /// A client over the caller's connections: its TLS roots, client certificate and proxy. The CA
    /// file of the options is not read.
    ///
    /// The `reqwest` client should follow no redirects, which would carry the token to another
    /// host, and retry nothing.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_http_client(
        options: VaultClientOptions,
        client: reqwest::Client,
    ) -> Result<Self, ProviderError> {
        let address = Address::parse(&options.address, options.plaintext, options.settings)?;
        Self::build(options, address, client)
    }

    pub(crate) fn with_tls(options: VaultClientOptions, tls: &Tls) -> Result<Self, ProviderError> {
        let address = Address::parse(&options.address, options.plaintext, options.settings)?;
        let client = http::client(&address, tls, options.settings)?;
        Self::build(options, address, client)
    }

    /// A client as the environment sets it: [`VaultClientOptions::from_environment`].
    ///
    /// # Errors
    /// As [`new`](Self::new), and where the environment is incomplete or contradicts itself.
    pub fn from_environment(product: Product) -> Result<Self, ProviderError> {
        VaultClientOptions::from_environment(product).and_then(Self::new)
    }

    fn build(
        options: VaultClientOptions,
        address: Address,
        client: reqwest::Client,
    ) -> Result<Self, ProviderError> {
        options.auth.check()?;
        let namespace = match options.namespace {
            Some(namespace) if !is_path(&namespace) => {
                return Err(configuration(format!(
                    "the namespace (`namespace=`, {}) is not a path such as `team` or `team/eu`",
                    options.settings.namespace()
                )));
            }
            namespace => namespace,
        };
        let VaultClientOptions { timeout, settings, .. } = options;
        let http = Http { client, address, namespace, timeout, settings };
        Ok(Self(Arc::new(Session::new(http, options.auth))))
    }

    /// What makes a key of this name on this server another than one of the same name elsewhere.
    pub(crate) fn identity(&self) -> String {
        let http = &self.0.http;
        format!("{} {}", http.address.as_str(), http.namespace.as_deref().unwrap_or_default())
    }

    /// What the server answers to a call that succeeded.
    pub(crate) async fn call(
        &self,
        operation: Operation,
        endpoint: &impl Endpoint,
    ) -> Result<Reply, ProviderError> {
        self.send(operation, &Call::of(endpoint)?).await
    }

    /// What the server answers to a call that succeeded.
    pub(crate) async fn send(
        &self,
        operation: Operation,
        call: &Call,
    ) -> Result<Reply, ProviderError> {
        match self.0.call(call).await? {
            reply if reply.status == 200 => Ok(reply),
            // Of a call that changes something, older servers answer with nothing.
            reply if reply.status == 204 && operation == Operation::CreateKey => Ok(reply),
            reply => Err(refusal(operation, &reply)),
        }
    }
}

impl fmt::Debug for VaultClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VaultClient").field("auth", &self.0.auth).finish_non_exhaustive()
    }
}
