//! The network in front of a server, with an attacker on it who records and changes what passes.

use std::sync::Arc;

use adcp_signing_http::Refusal;
use anyhow::{Context as _, Result};
use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, Uri, header},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse as _, Response},
};
use parking_lot::Mutex;
use tokio::net::TcpListener;

/// More than any message of the demo.
const MAX_BODY_BYTES: usize = 64 * 1024;
/// The one byte that the attacker changes: more is spent.
const ORIGINAL: &[u8] = b"1000";
const CHANGED: &[u8] = b"9000";

/// The network in front of one server.
#[derive(Clone, Default)]
pub(crate) struct Wire(Arc<Mutex<Tapped>>);

#[derive(Default)]
struct Tapped {
    last: Option<Message>,
    change_next: bool,
}

/// A request as it was on the wire.
#[derive(Clone)]
pub(crate) struct Message {
    method: Method,
    target: Uri,
    fields: HeaderMap,
    body: Bytes,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    status: StatusCode,
    code: Option<String>,
}

impl Answer {
    pub(crate) fn new(status: StatusCode, refusal: Option<&Refusal>) -> Self {
        Self { status, code: refusal.map(|refusal| refusal.code().to_owned()) }
    }
}

/// The status and, where the signature was refused, the code.
impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.status.as_u16())?;
        self.code.as_ref().map_or(Ok(()), |code| write!(f, " {code}"))
    }
}

/// A server on 127.0.0.1 with this wire in front of it, until the program ends.
pub(crate) struct Server {
    url: String,
    pub(crate) wire: Wire,
}

impl Server {
    /// Serves what `app` makes of the server's own URL.
    pub(crate) async fn start(app: impl FnOnce(&str) -> Result<Router>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let wire = Wire::default();
        let app = app(&url)?.layer(from_fn_with_state(wire.clone(), pass));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Ok(Self { url, wire })
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// Sends a recorded message, as it was or changed: the attacker's call.
    pub(crate) async fn send(&self, message: Message) -> Result<Answer> {
        let Message { method, target, mut fields, body } = message;
        for of_the_connection in [header::HOST, header::CONTENT_LENGTH] {
            fields.remove(of_the_connection);
        }
        let client = reqwest::Client::builder().no_proxy().build()?;
        let request = client.request(method, self.url(&target.to_string()));
        let response = request.headers(fields).body(body).send().await?;
        let refusal = Refusal::of(response.status(), response.headers());
        Ok(Answer::new(response.status(), refusal.as_ref()))
    }
}

impl Wire {
    /// The last message that passed.
    pub(crate) fn last(&self) -> Result<Message> {
        self.0.lock().last.clone().context("nothing has passed yet")
    }

    /// Changes one byte of the next message on its way.
    pub(crate) fn change_next(&self) {
        self.0.lock().change_next = true;
    }
}

impl Message {
    /// Without what signs it.
    pub(crate) fn unsigned(mut self) -> Self {
        for name in ["signature", "signature-input", "content-digest"] {
            self.fields.remove(name);
        }
        self
    }

    /// The field `Signature-Input`.
    pub(crate) fn signature_input(&self) -> &str {
        self.fields.get("signature-input").and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The components that the signature covers.
    pub(crate) fn covered(&self) -> String {
        let list =
            self.signature_input().split_once('(').and_then(|(_, rest)| rest.split_once(')'));
        list.map(|(list, _)| list.replace('"', "")).unwrap_or_default()
    }

    /// A parameter of the signature that is a string.
    pub(crate) fn parameter(&self, name: &str) -> &str {
        let start = format!(";{name}=\"");
        let rest = self.signature_input().split_once(&start).map(|(_, rest)| rest);
        rest.and_then(|rest| rest.split_once('"')).map(|(value, _)| value).unwrap_or_default()
    }
}

async fn pass(State(wire): State<Wire>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_BODY_BYTES).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let body = {
        let mut tapped = wire.0.lock();
        let (method, target) = (parts.method.clone(), parts.uri.clone());
        let fields = parts.headers.clone();
        tapped.last = Some(Message { method, target, fields, body: body.clone() });
        if std::mem::take(&mut tapped.change_next) { changed(&body) } else { body }
    };
    next.run(Request::from_parts(parts, Body::from(body))).await
}

/// The body with one byte changed.
fn changed(body: &[u8]) -> Bytes {
    let mut body = body.to_vec();
    let at = body.windows(ORIGINAL.len()).position(|window| window == ORIGINAL);
    let place = at.and_then(|at| body.get_mut(at..at + ORIGINAL.len()));
    if let Some(place) = place {
        place.copy_from_slice(CHANGED);
    }
    body.into()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn the_attacker_changes_one_byte() {
        let (before, after) = (br#"{"a":1,"budget":1000}"#, changed(br#"{"a":1,"budget":1000}"#));
        let differing = before.iter().zip(&after).filter(|(one, other)| one != other).count();
        assert_eq!((after.len(), differing), (before.len(), 1));
    }

    #[test]
    fn a_signature_is_read_as_it_is_on_the_wire() {
        let mut fields = HeaderMap::new();
        let input = r#"sig1=("@method" "content-digest");created=1;keyid="buyer-1";alg="ed25519""#;
        fields.insert("signature-input", input.parse().unwrap());
        fields.insert("content-type", "application/json".parse().unwrap());
        let (method, target, body) = (Method::POST, Uri::from_static("/x"), Bytes::new());
        let message = Message { method, target, fields, body };
        assert_eq!(message.covered(), "@method content-digest");
        assert_eq!((message.parameter("keyid"), message.parameter("tag")), ("buyer-1", ""));
        let unsigned = message.unsigned();
        assert_eq!((unsigned.signature_input(), unsigned.fields.len()), ("", 1));
    }
}
