//! A fake Azure Key Vault: the REST API of keys that sign, over TLS.
//!
//! Written from the service's published reference, it checks what the service checks: the bearer
//! token, which it asks for with a challenge, and what the token may do; the API version; the type,
//! the operations, the state and the period of validity of a key; the algorithm against the key,
//! and the digest's length. Its certificate is made at every start. A path of its own makes it
//! answer 429 and 503: `POST /_fake/outage` with `{"status": 429, "count": 2, "retryAfterSeconds":
//! 7}`, and `DELETE /_fake/outage`.
//!
//! It differs from the service in that everything is forgotten at the end, a vault has every name
//! that it is called by, permissions are granted by roles, the only curve is P-256, keys neither
//! encrypt nor wrap, a list is one page, deletion is immediate and cannot be undone, and nothing has
//! a quota. The reference does not say how the use of a key outside its
//! period of validity is refused, but for the 403: the codes are named after `KeyDisabled`.

mod access;
mod algorithm;
mod call;
mod der;
mod error;
mod import;
mod key;
mod query;
mod store;

use std::{
    io,
    sync::atomic::{AtomicU64, Ordering},
};

use adcp_signing_testkit::LoopbackIdentity;
use http::{HeaderValue, StatusCode, header, request::Parts};
use hyper::body::Bytes;
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::spawn_blocking};

use self::{
    access::Access,
    call::Call,
    error::{Answer, Refused},
    store::Store,
};
use crate::service::{Outage, Reply, Service, serve_tls};

/// A fake Azure Key Vault.
///
/// ```no_run
/// use adcp_signing_fakes::azure_key_vault::FakeAzureKeyVault;
/// use tokio::net::TcpListener;
///
/// # async fn run() -> std::io::Result<()> {
/// let server = FakeAzureKeyVault::new("the-token")?;
/// std::fs::write("ca.pem", server.ca_pem())?;
/// server.serve(TcpListener::bind("127.0.0.1:8444").await?).await
/// # }
/// ```
#[derive(Clone)]
pub struct FakeAzureKeyVault {
    identity: LoopbackIdentity,
    access: Access,
    store: Store,
    outage: Outage,
}

impl FakeAzureKeyVault {
    /// A vault without keys, which takes this access token, and has a new certificate.
    ///
    /// # Errors
    /// When the certificate cannot be made.
    pub fn new(token: &str) -> io::Result<Self> {
        Ok(Self {
            identity: LoopbackIdentity::generate()?,
            access: Access::new(token),
            store: Store::default(),
            outage: Outage::default(),
        })
    }

    /// Knows this token as well, of somebody who may do nothing.
    #[must_use]
    pub fn with_denied_token(mut self, token: &str) -> Self {
        self.access = self.access.with_denied_token(token);
        self
    }

    /// The authority that its certificate is from.
    pub fn ca_pem(&self) -> &str {
        self.identity.ca_pem()
    }

    /// Answers every connection until dropped.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn serve(self, listener: TcpListener) -> io::Result<()> {
        let identity = self.identity.clone();
        serve_tls(self, &identity, listener).await
    }

    fn perform(&self, head: &Parts, body: Option<&[u8]>) -> Answer {
        let principal = self.access.authenticate(&head.headers)?;
        let body: Value = match body {
            None => return Err(Refused::bad_parameter("The request is too long.")),
            Some([]) => json!({}),
            Some(body) => serde_json::from_slice(body).map_err(|_| Refused::invalid_property())?,
        };
        if head.uri.path() == Outage::PATH {
            let told = self.outage.control(&head.method, &body);
            return told.map(|()| Some(json!({}))).map_err(Refused::bad_parameter);
        }
        if let Some(refusal) = self.outage.next() {
            return Err(refusal.into());
        }
        query::check(head.uri.query().unwrap_or_default())?;
        let call =
            Call::of(&head.method, head.uri.path()).ok_or_else(Refused::no_such_operation)?;
        let vault = vault_of(head)?;
        self.access.authorize(principal, &call)?;
        self.store.perform(&call, &vault, &body)
    }
}

impl Service for FakeAzureKeyVault {
    async fn answer(&self, head: Parts, body: Option<Bytes>) -> Reply {
        let vault = self.clone();
        // Making an RSA key takes seconds.
        let reply = match spawn_blocking(move || vault.perform(&head, body.as_deref())).await {
            Ok(Ok(Some(reply))) => Reply::json(StatusCode::OK, reply),
            Ok(Ok(None)) => Reply::empty(StatusCode::NO_CONTENT),
            Ok(Err(refused)) => refused.into(),
            Err(_) => Refused::internal().into(),
        };
        reply.with_header(REQUEST_ID, request_id())
    }
}

/// By which the service's log and support find a call.
const REQUEST_ID: header::HeaderName = header::HeaderName::from_static("x-ms-request-id");

/// An ID in the form of the service's, another for each call.
fn request_id() -> HeaderValue {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let call = CALLS.fetch_add(1, Ordering::Relaxed);
    HeaderValue::try_from(format!("00000000-0000-4000-8000-{call:012x}"))
        .unwrap_or(HeaderValue::from_static("0"))
}

/// The vault's URL, as the client calls it.
fn vault_of(head: &Parts) -> Result<String, Refused> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
    let host = head.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    match host {
        Some(host) if !host.is_empty() && host.bytes().all(allowed) => {
            Ok(format!("https://{host}"))
        }
        _ => Err(Refused::bad_parameter("The request has no valid host.")),
    }
}
