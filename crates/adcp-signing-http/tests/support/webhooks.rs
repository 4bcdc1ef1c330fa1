//! A seller that sends webhooks, and a buyer that receives them.
#![allow(dead_code, reason = "each test file uses a part")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "helpers of tests"
)]

use std::sync::Arc;

use adcp_signing_core::{
    FieldLine, InMemoryProvider, InMemoryReplayStore, InMemoryRevocation, JwkSet, ReplayStore,
    Request as Message, Signer, StaticKeys, SystemClock, Verifier,
    webhook::{HmacSecret, LegacyHmac},
};
use adcp_signing_http::{
    BaseUrl, Verify,
    webhook::{
        InMemoryDedup, InMemoryDeliveries, Payload, Webhook, WebhookReceiver, WebhookSender,
        WebhookTarget,
    },
};
use axum::{Json, Router, routing::post};
use serde_json::{Value, json};

use super::{Reached, Server};

pub(crate) const SELLER: &str = "https://seller.example.com/adcp";
pub(crate) const KEY: &str = "whk_20260526_000031";
pub(crate) const SECRET: &[u8] = b"k1J8#qWz0Lr7vBn3Yx5Tm9Pc2Hd6Gs4F";
pub(crate) const OLD_SECRET: &[u8] = b"old!J8#qWz0Lr7vBn3Yx5Tm9Pc2Hd6Gs";

pub(crate) fn webhook_verifier(
    key: &InMemoryProvider,
    replay: impl ReplayStore + 'static,
) -> Verifier {
    let jwks = json!({ "keys": [key.jwk()] }).to_string();
    let jwks = JwkSet::parse(jwks.as_bytes()).unwrap();
    Verifier::for_webhooks()
        .keys(StaticKeys::from_jwks_of(SELLER, &jwks).unwrap())
        .revocation(InMemoryRevocation::default())
        .replay(replay)
        .build()
}

pub(crate) fn verify(key: &InMemoryProvider, base: BaseUrl) -> Verify {
    Verify::new(webhook_verifier(key, InMemoryReplayStore::default()), base)
}

pub(crate) fn signer(key: &Arc<InMemoryProvider>) -> Signer {
    Signer::for_webhooks(Arc::clone(key)).unwrap()
}

pub(crate) fn sender(key: &Arc<InMemoryProvider>) -> WebhookSender {
    WebhookSender::builder(signer(key)).store(InMemoryDeliveries::default()).build().unwrap()
}

pub(crate) fn target(server: &Server, path: &str) -> WebhookTarget {
    WebhookTarget::loopback_for_development(&server.url(path)).unwrap()
}

pub(crate) fn body(status: &str) -> String {
    format!(r#"{{"idempotency_key":"{KEY}","status":"{status}"}}"#)
}

pub(crate) fn event() -> Payload {
    Payload::from_bytes(body("completed")).unwrap()
}

/// `POST /hooks`, whose handler answers what the test lets it.
pub(crate) fn buyer(receiver: WebhookReceiver, reached: Reached) -> Router {
    let handler = async move |Webhook(origin, Json(event)): Webhook<Json<Value>>| {
        reached.add();
        format!("{} reports {}", origin.sender(), event["status"])
    };
    Router::new().route("/hooks", post(handler).layer(receiver))
}

/// A buyer that takes RFC 9421, with a store of claims of its own.
pub(crate) async fn signed_buyer(key: &InMemoryProvider, reached: &Reached) -> Server {
    Server::start(|base| {
        let receiver = WebhookReceiver::rfc9421(&verify(key, base), InMemoryDedup::default());
        buyer(receiver, reached.clone())
    })
    .await
}

pub(crate) fn hmac(secret: &[u8]) -> LegacyHmac {
    LegacyHmac::new(HmacSecret::new(secret.to_vec()).unwrap())
}

/// A buyer that takes HMAC.
pub(crate) async fn hmac_buyer(scheme: LegacyHmac, reached: &Reached) -> Server {
    let receiver = WebhookReceiver::legacy_hmac(scheme, SELLER, InMemoryDedup::default());
    Server::start(|_| buyer(receiver, reached.clone())).await
}

/// What an answer says: status, code or reason, `Retry-After`.
pub(crate) async fn answer(response: reqwest::Response) -> (u16, String, bool) {
    let status = response.status().as_u16();
    let fields = response.headers().clone();
    let text = response.text().await.unwrap();
    let reason = serde_json::from_str::<Value>(&text)
        .ok()
        .and_then(|value| value["error"].as_str().map(str::to_owned))
        .unwrap_or(text);
    if let Some(challenge) = fields.get("www-authenticate") {
        assert_eq!(challenge.to_str().unwrap(), format!(r#"Signature error="{reason}""#));
    }
    (status, reason, fields.contains_key("retry-after"))
}

/// Posts a body, signed by RFC 9421.
pub(crate) async fn post_signed(
    key: &Arc<InMemoryProvider>,
    url: &str,
    content_type: &str,
    body: &str,
) -> (u16, String, bool) {
    let fields = [FieldLine::new("Content-Type", content_type)];
    let message = Message::new("POST", url, &fields, body.as_bytes());
    let signed = signer(key).sign(&message).await.unwrap();
    let mut request =
        reqwest::Client::new().post(url).header("content-type", content_type).body(body.to_owned());
    for (name, value) in signed.iter() {
        request = request.header(name, value);
    }
    answer(request.send().await.unwrap()).await
}

/// Posts a body, authenticated by HMAC.
pub(crate) async fn post_hmac(scheme: &LegacyHmac, url: &str, body: &str) -> (u16, String, bool) {
    use adcp_signing_core::Clock as _;
    let headers = scheme.sign(body.as_bytes(), SystemClock.now()).unwrap();
    let request = reqwest::Client::new()
        .post(url)
        .header("content-type", "application/json")
        .header("x-adcp-signature", headers.signature)
        .header("x-adcp-timestamp", headers.timestamp)
        .body(body.to_owned());
    answer(request.send().await.unwrap()).await
}

pub(crate) fn is(status: u16, reason: &str, retry_after: bool) -> (u16, String, bool) {
    (status, reason.to_owned(), retry_after)
}
