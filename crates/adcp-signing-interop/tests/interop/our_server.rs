//! Our server, which verifies, and the stretch of way before it.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use adcp_signing_core::{
    InMemoryReplayStore, InMemoryRevocation, JwkSet, RequestSigningCapability, StaticKeys,
    Verifier, WireVersion,
    operation::{DigestPolicy, List},
};
use adcp_signing_http::{BaseUrl, Verified, Verify};
use adcp_signing_interop::{Answer, Change, Message, Wire};
use axum::{
    Json, Router,
    body::{Body, Bytes, to_bytes},
    extract::{OriginalUri, Request, State},
    http::StatusCode,
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse as _, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinHandle};
use tower::Layer as _;

use crate::transit::{alter, other_target};

pub(crate) const OPERATION: &str = "create_media_buy";

/// What a server says of a message that it accepted: a peer's, and ours.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Accepted {
    keyid: Option<String>,
    body: String,
}

impl Accepted {
    /// An answer that refuses nothing: it names the key and the body, or it is a failure.
    pub(crate) fn judge(status: StatusCode, text: &str, message: &Message) -> Answer {
        match serde_json::from_str::<Self>(text) {
            Ok(said) if status == StatusCode::OK => {
                let right = said.keyid.as_deref() == Some(&*message.keyid());
                match right && said.body == message.body {
                    true => Answer::Accepts,
                    false => Answer::Fails(format!("accepted another message: {said:?}").into()),
                }
            }
            _ => Answer::Fails(format!("{status}: {text}").into()),
        }
    }
}

pub(crate) struct OurServer {
    address: SocketAddr,
    change: Arc<Mutex<Change>>,
    task: JoinHandle<()>,
}

impl OurServer {
    /// Knows these keys.
    pub(crate) async fn start(jwks: &Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let base: BaseUrl = format!("http://{address}").parse().unwrap();
        let keys = JwkSet::parse(jwks.to_string().as_bytes()).unwrap();
        let keys = Arc::new(StaticKeys::from_jwks(&keys));
        let replay = Arc::new(InMemoryReplayStore::default());
        let verify = |wire: Wire| {
            let capability = RequestSigningCapability::supported_with(match wire {
                Wire::Request(WireVersion::V3_0 | WireVersion::V3_1) => DigestPolicy::Either,
                _ => DigestPolicy::Required,
            });
            let capability = capability.with_operations(List::Required, [OPERATION]).unwrap();
            let verifier = Verifier::builder(wire.profile(), capability)
                .keys(Arc::clone(&keys))
                .revocation(InMemoryRevocation::default())
                .replay(Arc::clone(&replay))
                .build();
            Verify::new(verifier, base.clone())
        };
        let mut app = Router::new();
        for wire in Wire::ALL {
            let layer = match wire {
                Wire::Request(_) => verify(wire).operation(OPERATION),
                Wire::Webhook => verify(wire).webhooks(),
            };
            let inner = Router::new().fallback(answer).layer(layer);
            app = app.nest(&format!("/{}", wire.name()), inner);
        }
        let change = Arc::new(Mutex::new(Change::None));
        let app = Router::new()
            .fallback_service(from_fn_with_state(Arc::clone(&change), on_the_way).layer(app))
            .merge(crate::hmac::receiver())
            .merge(crate::mcp::server(verify));
        let task = tokio::spawn(async move {
            axum::serve(listener, app.into_make_service()).await.unwrap();
        });
        Self { address, change, task }
    }

    /// What happens to the next message.
    pub(crate) fn expect(&self, change: Change) {
        *self.change.lock().unwrap() = change;
    }

    pub(crate) fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn url(&self, message: &Message) -> String {
        format!("http://{}{}", self.address, message.path())
    }
}

impl Drop for OurServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(Verified(signer, body): Verified<Bytes>) -> Json<Accepted> {
    let body = String::from_utf8(body.to_vec()).unwrap();
    Json(Accepted { keyid: Some(signer.keyid().to_owned()), body })
}

/// Does to a message what is to happen to it before it arrives.
async fn on_the_way(
    State(change): State<Arc<Mutex<Change>>>,
    request: Request,
    next: Next,
) -> Response {
    let change = *change.lock().unwrap();
    let (mut parts, body) = request.into_parts();
    let mut body = to_bytes(body, 1 << 20).await.unwrap();
    alter(change, &mut parts.headers, &mut body);
    if change == Change::Target {
        let target = parts.uri.path_and_query().unwrap().as_str();
        parts.uri = other_target(target).parse().unwrap();
        // The router in front has noted the old one.
        parts.extensions.remove::<OriginalUri>();
    }
    let request = || Request::from_parts(parts.clone(), Body::from(body.clone()));
    if change == Change::Replay {
        let first = next.clone().run(request()).await;
        if !first.status().is_success() {
            let text = format!("the first of two was answered {}", first.status());
            return (StatusCode::INTERNAL_SERVER_ERROR, text).into_response();
        }
    }
    next.run(request()).await
}
