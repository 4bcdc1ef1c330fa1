//! Webhooks by the legacy HMAC scheme, both ways: our `LegacyHmac` signs and their verifier
//! answers, their signer signs and our `WebhookReceiver` answers.

use std::time::Duration;

use adcp_signing_core::{
    Clock as _, SystemClock,
    webhook::{HmacSecret, LegacyHmac},
};
use adcp_signing_http::webhook::{InMemoryDedup, Webhook, WebhookReceiver};
use adcp_signing_interop::{Change, Peer};
use axum::{
    Router,
    body::Bytes,
    extract::{Path, Request},
    middleware::{Next, from_fn},
    response::Response,
    routing::post,
};
use serde_json::json;

use crate::{peer::PeerProcess, transit::alter};

/// Shared by both sides.
pub(crate) const SECRET: &str = "0a1b2c3d4e5f60718293a4b5c6d7e8f9-interop";
const OTHER_SECRET: &str = "f9e8d7c6b5a493827160f5e4d3c2b1a0-interop";

/// What happens to a delivery, by name; the first one arrives as it was signed.
const CHANGES: [&str; 6] = ["none", "body", "signature", "unsigned", "age", "secret"];

/// Texts on which two writers of JSON differ.
const NOTES: [&str; 3] = ["plain", "Zoë ☃ \u{1F600}", "</script> \\ \" \u{7f}"];

fn scheme(secret: &str) -> LegacyHmac {
    LegacyHmac::new(HmacSecret::new(secret.into()).unwrap())
}

/// Our receiver, below `/hmac`. The last segment says what happens to a delivery on its way.
pub(crate) fn receiver() -> Router {
    let receiver = |secret| {
        let claims = InMemoryDedup::default();
        let receiver =
            WebhookReceiver::legacy_hmac(scheme(secret), "https://seller.example.com", claims);
        post(async |Webhook(_, body): Webhook<Bytes>| body).layer(receiver)
    };
    Router::new()
        .route("/hmac/secret", receiver(OTHER_SECRET))
        .route("/hmac/{change}", receiver(SECRET).layer(from_fn(on_the_way)))
}

async fn on_the_way(Path(change): Path<String>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let mut body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    match change.as_str() {
        "body" => alter(Change::Body, &mut parts.headers, &mut body),
        "signature" => {
            let signature = parts.headers["x-adcp-signature"].to_str().unwrap();
            let signature = flipped(signature).parse().unwrap();
            parts.headers.insert("x-adcp-signature", signature);
        }
        "unsigned" => {
            parts.headers.remove("x-adcp-signature");
        }
        _ => {}
    }
    next.run(Request::from_parts(parts, body.into())).await
}

/// The signature with another last digit.
fn flipped(signature: &str) -> String {
    let (head, last) = signature.split_at(signature.len() - 1);
    format!("{head}{}", if last == "0" { "1" } else { "0" })
}

/// Sends deliveries both ways, and gives what was answered wrongly.
pub(crate) async fn exchange(peer: &mut PeerProcess, of: Peer, our_server: &str) -> Vec<String> {
    let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(60));
    let http = http.build().unwrap();
    let mut wrong = Vec::new();
    let mut total = 0;
    for change in CHANGES {
        for (nth, note) in NOTES.iter().enumerate() {
            let payload = json!({
                "idempotency_key": format!("interop-{change}-{nth}-0123456789"),
                "note": note,
                "budget": 12.5,
            });
            total += 1;
            let (status, text) = we_sign(&http, &peer.base(), change, &payload).await;
            check(&mut wrong, &format!("{of} verifies, {change}, {note:?}"), change, status, &text);
            // The emitter of Node.js has no clock to set.
            if of == Peer::Node && change == "age" {
                continue;
            }
            total += 1;
            let age = if change == "age" { 1_000 } else { 0 };
            let url = format!("{our_server}/hmac/{change}");
            let (status, text) = peer.send_hmac(&url, &payload, age).await;
            check(&mut wrong, &format!("{of} signs, {change}, {note:?}"), change, status, &text);
        }
    }
    println!("{} of {total} HMAC webhooks answered as they should be: {of}", total - wrong.len());
    wrong
}

fn check(wrong: &mut Vec<String>, case: &str, change: &str, status: u16, text: &str) {
    let expected = if change == "none" { 200 } else { 401 };
    if status != expected {
        wrong.push(format!("HMAC, {case}: {status} in place of {expected}: {text}"));
    }
}

async fn we_sign(
    http: &reqwest::Client,
    base: &str,
    change: &str,
    payload: &serde_json::Value,
) -> (u16, String) {
    let body = payload.to_string();
    let age = if change == "age" { 1_000 } else { 0 };
    let secret = if change == "secret" { OTHER_SECRET } else { SECRET };
    let signed = scheme(secret).sign(body.as_bytes(), SystemClock.now().minus(age)).unwrap();
    let signature = match change {
        "signature" => flipped(&signed.signature),
        _ => signed.signature,
    };
    let body = if change == "body" { body.replace("12.5", "13.5") } else { body };
    let mut request = http
        .post(format!("{base}/hmac/x"))
        .header("content-type", "application/json")
        .header("x-adcp-timestamp", signed.timestamp)
        .body(body);
    if change != "unsigned" {
        request = request.header("x-adcp-signature", signature);
    }
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}
