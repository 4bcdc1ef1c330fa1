//! One call to the server: what is sent, how much is read back, and nothing repeated or followed.

use std::{
    fmt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use adcp_signing_core::{
    ProviderError, ProviderErrorKind,
    provider::toolkit::{self, certificates_from_pem, read_trust_file},
};
use reqwest::{
    Certificate, Client, Identity, Method, Proxy,
    header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER},
    redirect, retry,
};
use rustify::{endpoint::Endpoint, enums::RequestMethod};
use zeroize::Zeroizing;

use crate::{
    address::{Address, configuration},
    settings::Settings,
};

/// The longest reply read: the public keys of a thousand versions of an RSA key.
const MAX_REPLY_LEN: usize = 1024 * 1024;
/// The longest file of CA certificates read.
const MAX_CA_LEN: usize = 1024 * 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The server, and how to reach it.
pub(crate) struct Http {
    pub(crate) client: Client,
    pub(crate) address: Address,
    /// A path that stands before every API path. In a header it would be lost on a server without
    /// namespaces, which would answer from its root instead.
    pub(crate) namespace: Option<String>,
    pub(crate) timeout: Duration,
    pub(crate) settings: Settings,
}

/// A request to the API. The body may hold a secret.
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) body: Zeroizing<Vec<u8>>,
}

impl Call {
    /// The call that an endpoint describes. `vaultrs` describes the API; it sends nothing.
    pub(crate) fn of(endpoint: &impl Endpoint) -> Result<Self, ProviderError> {
        let method = match endpoint.method() {
            RequestMethod::GET => Method::GET,
            RequestMethod::POST => Method::POST,
            _ => return Err(configuration("no call of this crate has another method")),
        };
        let body = endpoint
            .body()
            .map_err(|_| configuration("the call could not be written as JSON"))?
            .unwrap_or_default();
        // The path of one endpoint starts with a tab.
        let path = endpoint.path().trim().trim_start_matches('/').to_owned();
        Ok(Self { method, path, body: Zeroizing::new(body) })
    }
}

/// What the server answered. The body may hold a token.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: Zeroizing<Vec<u8>>,
    /// Whether the call was made in a namespace.
    pub(crate) in_namespace: bool,
    pub(crate) settings: Settings,
}

impl Http {
    /// Sends a call once.
    ///
    /// Any status is a reply. An error is a call that brought none.
    pub(crate) async fn send(
        &self,
        call: &Call,
        token: Option<&HeaderValue>,
    ) -> Result<Reply, ProviderError> {
        let mut request = self
            .client
            .request(call.method.clone(), self.url(&call.path))
            .timeout(self.timeout)
            // An agent in front of the server may be set to refuse requests without it.
            .header("X-Vault-Request", "true");
        if let Some(token) = token {
            request = request.header("X-Vault-Token", token);
        }
        if call.method == Method::POST {
            request = request.header(CONTENT_TYPE, "application/json").body(call.body.to_vec());
        }
        let mut response = request.send().await.map_err(|error| self.no_reply(error))?;
        let status = response.status().as_u16();
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|field| field.to_str().ok());
        let retry_after =
            retry_after.and_then(|field| toolkit::retry_after(field, SystemTime::now()));
        let mut body = Zeroizing::new(Vec::new());
        while let Some(chunk) = response.chunk().await.map_err(|error| self.no_reply(error))? {
            if body.len() + chunk.len() > MAX_REPLY_LEN {
                return Err(ProviderError::new(
                    ProviderErrorKind::InvalidResponse,
                    "the server's reply is longer than 1 MiB; is the address that of Vault or OpenBao?",
                ));
            }
            body.extend_from_slice(&chunk);
        }
        let in_namespace = self.namespace.is_some();
        Ok(Reply { status, retry_after, body, in_namespace, settings: self.settings })
    }

    fn url(&self, path: &str) -> String {
        match &self.namespace {
            Some(namespace) => self.address.url(&format!("{namespace}/{path}")),
            None => self.address.url(path),
        }
    }

    fn no_reply(&self, error: reqwest::Error) -> ProviderError {
        // The URL names the key.
        let error = error.without_url();
        let (kind, message) = if error.is_timeout() {
            (
                ProviderErrorKind::Timeout,
                "the server did not answer in time; see the network path to it, and its load",
            )
        } else if error.is_connect() {
            (
                ProviderErrorKind::Unavailable,
                "the server cannot be reached; is the address right, and its certificate trusted?",
            )
        } else if error.is_builder() {
            let setting = self.settings.address();
            return configuration(format!(
                "the request could not be built; check the server address ({setting})"
            ))
            .with_source(error);
        } else {
            (
                ProviderErrorKind::Unavailable,
                "the connection to the server broke before its reply was complete; try again",
            )
        };
        ProviderError::new(kind, message).with_source(error)
    }
}

/// Whom the TLS client trusts, who it is, and through what it goes.
#[derive(Default)]
pub(crate) struct Tls {
    /// The CA certificates in this file, and no others.
    pub(crate) only: Option<PathBuf>,
    /// The CA certificates in these files, besides the system's.
    pub(crate) also: Vec<PathBuf>,
    pub(crate) identity: Option<Identity>,
    pub(crate) proxy: Option<String>,
}

/// The client for a server: no redirects, which would carry the token to another host, and no
/// retries of its own.
pub(crate) fn client(
    address: &Address,
    tls: &Tls,
    settings: Settings,
) -> Result<Client, ProviderError> {
    let setting = settings.ca_file();
    let mut builder = Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .referer(false);
    if address.is_plaintext() {
        // No certificate is looked at, so the system's need not be there; and a proxy would see the
        // token.
        builder = builder.tls_certs_only([]).no_proxy();
    } else if let Some(path) = &tls.only {
        builder = builder.tls_certs_only(certificates(path, &setting)?);
    } else {
        for path in &tls.also {
            builder = builder.tls_certs_merge(certificates(path, &setting)?);
        }
    }
    if let Some(identity) = &tls.identity {
        builder = builder.identity(identity.clone());
    }
    if let Some(proxy) = &tls.proxy {
        let proxy = Proxy::all(proxy).map_err(|error| {
            configuration(
                "the address of the proxy is refused; build the ready client with another `proxy`",
            )
            .with_source(error)
        })?;
        builder = builder.proxy(proxy);
    }
    builder
        .build()
        .map_err(|error| {
            configuration(format!(
                "the TLS client could not be set up; install root certificates on this machine, or name the server's in \
                 {setting}"
            ))
            .with_source(error)
        })
}

fn certificates(
    path: &Path,
    setting: &impl fmt::Display,
) -> Result<Vec<Certificate>, ProviderError> {
    let pem = read_trust_file(path, "file of CA certificates", MAX_CA_LEN)
        .map_err(|error| configuration(format!("{setting}: {error}")).with_source(error))?;
    let refused = |why: &dyn fmt::Display| {
        configuration(format!("{setting}: the file of CA certificates is refused: {why}"))
    };
    let certificates = certificates_from_pem(&pem).map_err(|error| refused(&error))?;
    certificates
        .iter()
        .map(|der| {
            Certificate::from_der(der)
                .map_err(|error| refused(&"one of them is no certificate").with_source(error))
        })
        .collect()
}
