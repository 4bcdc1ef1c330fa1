//! A fake Google Cloud KMS: the REST API, version 1, of asymmetric signing keys.
//!
//! Written from the service's published reference, it checks what the service checks: the bearer
//! token, the project that it may use, the digest's type and length against the algorithm, CRC32C,
//! and the state of the version. A path of its own makes it answer 429 and 503: `POST
//! /_fake/outage` with `{"status": 429, "count": 2, "retryAfterSeconds": 7}`, and `DELETE
//! /_fake/outage`.
//!
//! It differs from the service in that everything is forgotten at the end unless it is given a
//! file, IAM knows one project and two tokens, of which one may do everything and one may only sign, and nothing has a quota.

mod algorithm;
mod call;
mod saved;
mod sign;
mod status;
mod store;

use std::{io, path::PathBuf, sync::Arc};

use http::{HeaderMap, StatusCode, header, request::Parts};
use hyper::body::Bytes;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use self::{
    call::Call,
    status::{Answer, Status},
    store::{Enums, Store},
};
use crate::service::{Outage, Reply, Service, serve};

/// A fake Google Cloud KMS.
///
/// ```no_run
/// use adcp_signing_fakes::gcp_kms::FakeGcpKms;
/// use tokio::net::TcpListener;
///
/// # async fn run() -> std::io::Result<()> {
/// let server = FakeGcpKms::new("the-token", "test-project");
/// server.serve(TcpListener::bind("127.0.0.1:4589").await?).await
/// # }
/// ```
#[derive(Clone)]
pub struct FakeGcpKms {
    authorization: Arc<str>,
    /// That of somebody with `roles/cloudkms.signerVerifier` alone.
    signer: Option<Arc<str>>,
    project: Arc<str>,
    store: Store,
    outage: Outage,
}

impl FakeGcpKms {
    /// A server without keys, which takes this access token and lets it use this project.
    pub fn new(token: &str, project: &str) -> Self {
        Self {
            authorization: format!("Bearer {token}").into(),
            signer: None,
            project: project.into(),
            store: Store::default(),
            outage: Outage::default(),
        }
    }

    /// Knows this token as well, of somebody who may look at public keys and sign, and no more.
    #[must_use]
    pub fn with_signer_token(mut self, token: &str) -> Self {
        self.signer = Some(format!("Bearer {token}").into());
        self
    }

    /// Keeps its keys in this file, private keys included, and begins with those that are in it.
    ///
    /// # Errors
    /// When the file cannot be read, or is not one that this wrote.
    pub fn kept_in(mut self, file: PathBuf) -> io::Result<Self> {
        self.store = Store::kept_in(file)?;
        Ok(self)
    }

    /// Answers every connection until dropped.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn serve(self, listener: TcpListener) -> io::Result<()> {
        serve(self, listener).await
    }

    /// Does what was asked; what is no call of the API is about outages.
    fn perform(&self, head: &Parts, call: Option<&Call>, body: Option<&[u8]>) -> Answer {
        let is_signer = self.authenticate(&head.headers)?;
        let body: Value = match body {
            None => return Err(Status::invalid_argument("The request is too long.")),
            Some([]) => json!({}),
            Some(body) => serde_json::from_slice(body)
                .map_err(|_| Status::invalid_argument("Invalid JSON payload received."))?,
        };
        let Some(call) = call else {
            let told = self.outage.control(&head.method, &body);
            return told.map(|()| json!({})).map_err(Status::invalid_argument);
        };
        if let Some(refusal) = self.outage.next() {
            return Err(refusal.into());
        }
        if Call::project(head.uri.path()) != Some(&*self.project) {
            return Err(Status::permission_denied(head.uri.path()));
        }
        if is_signer && !call.is_of_a_signer() {
            return Err(Status::permission_denied(head.uri.path()));
        }
        self.call(call, is_signer, &body, &Query::of(head.uri.query().unwrap_or_default()))
    }

    /// Whether the caller is the one who may only sign.
    fn authenticate(&self, headers: &HeaderMap) -> Result<bool, Status> {
        let given = headers.get(header::AUTHORIZATION).ok_or_else(Status::unauthenticated)?;
        let is = |known: &str| given.as_bytes() == known.as_bytes();
        if is(&self.authorization) {
            Ok(false)
        } else if self.signer.as_deref().is_some_and(is) {
            Ok(true)
        } else {
            Err(Status::unauthenticated())
        }
    }

    fn call(&self, call: &Call, is_signer: bool, body: &Value, query: &Query) -> Answer {
        let (store, enums) = (&self.store, query.enums);
        match call {
            Call::TestPermissions { ring, key } => {
                store.test_permissions(ring, key, is_signer, body)
            }
            Call::CreateRing { location } => {
                store.create_ring(&format!("{location}/keyRings/{}", query.ring_id), &query.ring_id)
            }
            Call::Rings { location } => Ok(store.rings_of(location)),
            Call::Ring { ring } => store.ring(ring),
            Call::CreateKey { ring } => {
                store.create_key(ring, &query.key_id, body, query.without_version, enums)
            }
            Call::Keys { ring } => store.keys_of(ring, enums),
            Call::Key { ring, key } => store.key(ring, key, enums),
            Call::CreateVersion { ring, key } => store.create_version(ring, key, enums),
            Call::Versions { ring, key } => store.versions_of(ring, key, enums),
            Call::Version(name) => store.version(name, enums),
            Call::UpdateVersion(name) => store.update_state(name, body, enums),
            Call::Destroy(name) => store.destroy(name, enums),
            Call::Restore(name) => store.restore(name, enums),
            Call::PublicKey(name) => sign::public_key(store, name, enums),
            Call::Sign(name) => sign::asymmetric_sign(store, name, body, enums),
        }
    }
}

impl Service for FakeGcpKms {
    async fn answer(&self, head: Parts, body: Option<Bytes>) -> Reply {
        let call = Call::of(&head.method, head.uri.path());
        if call.is_none() && head.uri.path() != Outage::PATH {
            return Reply::json(StatusCode::NOT_FOUND, Value::Null);
        }
        match self.perform(&head, call.as_ref(), body.as_deref()) {
            Ok(reply) => Reply::json(StatusCode::OK, reply),
            Err(status) => status.into(),
        }
    }
}

/// What a query can say. IDs need no percent-encoding.
struct Query {
    ring_id: String,
    key_id: String,
    without_version: bool,
    enums: Enums,
}

impl Query {
    fn of(query: &str) -> Self {
        let value = |name: &str| {
            query
                .split('&')
                .filter_map(|member| member.split_once('='))
                .find(|(key, _)| *key == name)
        };
        let text = |name| value(name).map(|(_, value)| value.to_owned()).unwrap_or_default();
        // `$alt=json;enum-encoding=int`, with `$`, `;` and `=` percent-encoded or not.
        let numbers =
            ["enum-encoding=int", "enum-encoding%3Dint"].iter().any(|asked| query.contains(asked));
        Self {
            ring_id: text("keyRingId"),
            key_id: text("cryptoKeyId"),
            without_version: text("skipInitialVersionCreation") == "true",
            enums: if numbers { Enums::Numbers } else { Enums::Names },
        }
    }
}
