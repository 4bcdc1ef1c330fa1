//! A fake Google Cloud KMS: the REST API, version 1, of asymmetric signing keys.
//!
//! Written from the service's published reference, it checks what the service checks: the bearer token, the project that
//! it may use, the digest's type and length against the algorithm, CRC32C, and the state of the version. A path of its
//! own makes it answer 429 and 503: `POST /_fake/outage` with `{"status": 429, "count": 2, "retryAfterSeconds": 7}`,
//! and `DELETE /_fake/outage`.
//!
//! It differs from the service in that everything is forgotten at the end, IAM knows one token and one project, and
//! nothing has a quota.

mod algorithm;
mod call;
mod outage;
mod sign;
mod status;
mod store;

use std::{convert::Infallible, io, sync::Arc};

use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};

use self::{
    call::Call,
    outage::Outage,
    status::{Answer, Status},
    store::{Enums, Store},
};

const MAX_BODY_LEN: usize = 1 << 20;

/// A fake Google Cloud KMS.
///
/// ```no_run
/// use adcp_signing_emulators::gcp_kms::FakeGcpKms;
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
    project: Arc<str>,
    store: Store,
    outage: Outage,
}

impl FakeGcpKms {
    /// A server without keys, which takes this access token and lets it use this project.
    pub fn new(token: &str, project: &str) -> Self {
        Self {
            authorization: format!("Bearer {token}").into(),
            project: project.into(),
            store: Store::default(),
            outage: Outage::default(),
        }
    }

    /// Answers every connection until dropped.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn serve(self, listener: TcpListener) -> io::Result<()> {
        loop {
            let (connection, _) = listener.accept().await?;
            tokio::spawn(self.clone().serve_connection(connection));
        }
    }

    async fn serve_connection(self, connection: TcpStream) {
        let service = service_fn(|request| async { Ok::<_, Infallible>(self.respond(request).await) });
        // A client that goes away is no failure of the server.
        let _ = http1::Builder::new().serve_connection(TokioIo::new(connection), service).await;
    }

    async fn respond(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        if head.uri.path() == "/_fake/health" {
            return response(StatusCode::OK, &json!({"status": "ok"}));
        }
        let Some(call) = Call::of(&head.method, head.uri.path()) else {
            return response(StatusCode::NOT_FOUND, &Value::Null);
        };
        let answer = match Limited::new(body, MAX_BODY_LEN).collect().await {
            Ok(body) => self.answer(&head, &call, &body.to_bytes()),
            Err(_) => Err(Status::invalid_argument("The request is too long.")),
        };
        match answer {
            Ok(reply) => response(StatusCode::OK, &reply),
            Err(status) => {
                let code = StatusCode::from_u16(status.http).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                let mut response = response(code, &status.to_json());
                if let Some(pause) = status.retry_after {
                    response.headers_mut().insert(header::RETRY_AFTER, pause.as_secs().into());
                }
                response
            }
        }
    }

    fn answer(&self, head: &http::request::Parts, call: &Call, body: &[u8]) -> Answer {
        self.authenticate(&head.headers)?;
        let body: Value = match body {
            [] => json!({}),
            body => serde_json::from_slice(body)
                .map_err(|_| Status::invalid_argument("Invalid JSON payload received."))?,
        };
        match call {
            Call::PlanOutage => return self.outage.plan(&body),
            Call::EndOutage => {
                self.outage.end();
                return Ok(json!({}));
            }
            _ => {}
        }
        if let Some(refusal) = self.outage.next() {
            return Err(refusal);
        }
        if Call::project(head.uri.path()) != Some(&*self.project) {
            return Err(Status::permission_denied(head.uri.path()));
        }
        self.perform(call, &body, &Query::of(head.uri.query().unwrap_or_default()))
    }

    fn authenticate(&self, headers: &HeaderMap) -> Result<(), Status> {
        match headers.get(header::AUTHORIZATION) {
            Some(given) if given.as_bytes() == self.authorization.as_bytes() => Ok(()),
            _ => Err(Status::unauthenticated()),
        }
    }

    fn perform(&self, call: &Call, body: &Value, query: &Query) -> Answer {
        let (store, enums) = (&self.store, query.enums);
        match call {
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
            Call::PlanOutage | Call::EndOutage => Err(Status::internal()),
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
            query.split('&').filter_map(|member| member.split_once('=')).find(|(key, _)| *key == name)
        };
        let text = |name| value(name).map(|(_, value)| value.to_owned()).unwrap_or_default();
        // `$alt=json;enum-encoding=int`, with `$`, `;` and `=` percent-encoded or not.
        let numbers = ["enum-encoding=int", "enum-encoding%3Dint"].iter().any(|asked| query.contains(asked));
        Self {
            ring_id: text("keyRingId"),
            key_id: text("cryptoKeyId"),
            without_version: text("skipInitialVersionCreation") == "true",
            enums: if numbers { Enums::Numbers } else { Enums::Names },
        }
    }
}

fn response(status: StatusCode, body: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body.to_string()));
    *response.status_mut() = status;
    let json = header::HeaderValue::from_static("application/json; charset=UTF-8");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}
