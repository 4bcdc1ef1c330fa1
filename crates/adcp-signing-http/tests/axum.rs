//! An axum server that verifies, over sockets.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "helpers of tests"
)]

mod support;

use std::{convert::Infallible, sync::Arc, time::Duration};

use adcp_signing_core::{
    InMemoryProvider, RequestSigningCapability, Verified as Answer,
    operation::{DigestPolicy, List},
};
use adcp_signing_http::{AcceptedCredential, Caller, Verified, Verify};
use axum::{
    Json, Router,
    body::Bytes,
    extract::Request,
    middleware::{self, Next},
    routing::{get, post},
};
use reqwest_middleware::ClientWithMiddleware;
use serde_json::{Value, json};
use support::{BUYER, OPERATION, Reached, Server, key, required, signer, verifier, verify};

fn client(key: &Arc<InMemoryProvider>) -> ClientWithMiddleware {
    adcp_signing_http::reqwest::client(signer(key)).unwrap()
}

async fn create_media_buy(Verified(signer, Json(order)): Verified<Json<Value>>) -> String {
    format!("{} ordered {}", signer.agent_url().unwrap_or("?"), order["budget"])
}

/// `POST /adcp/create_media_buy`, and nothing else.
fn seller(verify: &Verify, reached: Reached) -> Router {
    let handler = move |verified| {
        reached.add();
        create_media_buy(verified)
    };
    Router::new().route("/adcp/create_media_buy", post(handler).layer(verify.operation(OPERATION)))
}

#[tokio::test]
async fn a_signed_request_reaches_its_handler_with_signer_and_body() {
    let key = key();
    let server = Server::start(|base| seller(&verify(&key, base), Reached::default())).await;
    let response = client(&key)
        .post(server.url("/adcp/create_media_buy"))
        .json(&json!({ "budget": 1000 }))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.text().await.unwrap(), format!("{BUYER} ordered 1000"));
}

#[tokio::test]
async fn an_unsigned_request_is_refused_by_its_head_alone() {
    let key = key();
    let reached = Reached::default();
    let server = Server::start(|base| seller(&verify(&key, base), reached.clone())).await;
    // The body is announced and never sent.
    let head = format!(
        "POST /adcp/create_media_buy HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
         Content-Length: 3000000\r\n\r\n",
        server.address
    );
    let answer = server.raw(head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    assert!(
        answer.contains("www-authenticate: Signature error=\"request_signature_required\"\r\n"),
        "{answer}"
    );
    assert_eq!(reached.count(), 0);
}

#[tokio::test]
async fn a_refusal_is_the_code_and_nothing_else() {
    let key = key();
    let server = Server::start(|base| seller(&verify(&key, base), Reached::default())).await;
    let response = reqwest::Client::new()
        .post(server.url("/adcp/create_media_buy"))
        .json(&json!({ "budget": 1000 }))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 401);
    let field = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(field("www-authenticate"), r#"Signature error="request_signature_required""#);
    assert_eq!(field("cache-control"), "no-store");
    assert_eq!(response.text().await.unwrap(), r#"{"error":"request_signature_required"}"#);
}

#[tokio::test]
async fn a_body_beyond_its_limit_is_answered_413_unread() {
    let key = key();
    let open = RequestSigningCapability::supported_with(DigestPolicy::Required);
    let reached = Reached::default();
    let server = Server::start(|base| {
        let verify = Verify::new(verifier(&key, open), base).max_unsigned_body(1024);
        seller(&verify, reached.clone())
    })
    .await;
    for announced in [true, false] {
        let framing = if announced {
            "Content-Length: 1025\r\n\r\n".to_owned()
        } else {
            format!("Transfer-Encoding: chunked\r\n\r\n401\r\n{}\r\n", "x".repeat(1025))
        };
        let mut message = format!(
            "POST /adcp/create_media_buy HTTP/1.1\r\nHost: {}\r\nContent-Type: text/plain\r\n{framing}",
            server.address
        );
        if announced {
            message.push_str(&"x".repeat(1025));
        }
        let answer = server.raw(message.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{announced}: {answer}");
        assert!(!answer.to_lowercase().contains("www-authenticate"), "{answer}");
    }
    assert_eq!(reached.count(), 0);
}

#[tokio::test]
async fn a_body_that_does_not_arrive_in_time_is_answered_408() {
    let key = key();
    let open = RequestSigningCapability::supported_with(DigestPolicy::Required);
    let server = Server::start(|base| {
        let verify =
            Verify::new(verifier(&key, open), base).read_timeout(Duration::from_millis(50));
        seller(&verify, Reached::default())
    })
    .await;
    let half = format!(
        "POST /adcp/create_media_buy HTTP/1.1\r\nHost: {}\r\nContent-Length: 100\r\n\r\nhalf",
        server.address
    );
    let answer = server.raw(half.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

#[tokio::test]
async fn a_nested_router_verifies_the_path_that_was_signed() {
    let key = key();
    let server = Server::start(|base| {
        let verify = verify(&key, base);
        let inner = Router::new()
            .route("/create_media_buy", post(create_media_buy).layer(verify.operation(OPERATION)));
        Router::new().nest("/adcp", inner)
    })
    .await;
    let response = client(&key)
        .post(server.url("/adcp/create_media_buy?page=2"))
        .json(&json!({ "budget": 7 }))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn the_same_request_twice_is_a_replay() {
    let key = key();
    let reached = Reached::default();
    let server = Server::start(|base| seller(&verify(&key, base), reached.clone())).await;
    let url = server.url("/adcp/create_media_buy");
    let request = reqwest::Client::new().post(&url).json(&json!({ "budget": 1 })).build().unwrap();
    let body = request.body().unwrap().as_bytes().unwrap().to_vec();
    let fields: Vec<_> = request
        .headers()
        .iter()
        .map(|(name, value)| {
            adcp_signing_core::FieldLine::new(name.as_str(), value.to_str().unwrap())
        })
        .collect();
    let message = adcp_signing_core::Request::new("POST", &url, &fields, &body);
    let signed = signer(&key).sign(&message).await.unwrap();
    let mut statuses = Vec::new();
    for _ in 0..2 {
        let mut again = request.try_clone().unwrap();
        for (name, value) in signed.iter() {
            let name: reqwest::header::HeaderName = name.parse().unwrap();
            again.headers_mut().insert(name, value.parse().unwrap());
        }
        let response = reqwest::Client::new().execute(again).await.unwrap();
        let challenge = response.headers().get("www-authenticate").cloned();
        statuses.push((response.status().as_u16(), challenge));
    }
    assert_eq!(statuses[0], (200, None));
    assert_eq!(statuses[1].0, 401);
    let challenge = statuses[1].1.as_ref().unwrap().to_str().unwrap();
    assert_eq!(challenge, r#"Signature error="request_signature_replayed""#);
    assert_eq!(reached.count(), 1);
}

#[tokio::test]
async fn another_credential_stands_in_only_where_a_layer_in_front_accepted_it() {
    async fn bearer(mut request: Request, next: Next) -> axum::response::Response {
        let token = request.headers().get("authorization").map(|value| value.as_bytes().to_vec());
        if token.as_deref() == Some(b"Bearer right") {
            request.extensions_mut().insert(AcceptedCredential::of("agency-1"));
        }
        next.run(request).await
    }
    async fn handler(Caller(caller): Caller, body: Bytes) -> String {
        let who = match caller {
            Answer::Signed(_) => "signed",
            Answer::Fallback(_) => "fallback",
            Answer::Anonymous(_) => "anonymous",
        };
        format!("{who} {}", body.len())
    }
    let key = key();
    let server = Server::start(|base| {
        let verify = verify(&key, base);
        Router::new()
            .route("/adcp/create_media_buy", post(handler).layer(verify.operation(OPERATION)))
            .layer(middleware::from_fn(bearer))
    })
    .await;
    let send = async |token: &str| {
        let response = reqwest::Client::new()
            .post(server.url("/adcp/create_media_buy"))
            .header("authorization", format!("Bearer {token}"))
            .json(&json!({}))
            .send()
            .await
            .unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    assert_eq!(send("right").await, (200, "fallback 2".to_owned()));
    assert_eq!(send("wrong").await.0, 401);
    let signed = client(&key).post(server.url("/adcp/create_media_buy")).json(&json!({}));
    assert_eq!(signed.send().await.unwrap().text().await.unwrap(), "signed 2");
}

#[tokio::test]
async fn a_handler_that_asks_for_a_signer_refuses_who_did_not_sign() {
    let key = key();
    let open = RequestSigningCapability::supported_with(DigestPolicy::Required)
        .with_operations(List::Supported, [OPERATION])
        .unwrap();
    let server =
        Server::start(|base| seller(&Verify::new(verifier(&key, open), base), Reached::default()))
            .await;
    let response = reqwest::Client::new()
        .post(server.url("/adcp/create_media_buy"))
        .json(&json!({ "budget": 1 }))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 401);
    assert_eq!(
        response.headers()["www-authenticate"],
        r#"Signature error="request_signature_required""#
    );
}

#[tokio::test]
async fn a_route_without_a_layer_and_a_route_with_two_are_misconfigured() {
    let key = key();
    let server = Server::start(|base| {
        let verify = verify(&key, base);
        let twice = post(create_media_buy)
            .layer::<_, Infallible>(verify.operation(OPERATION))
            .layer(verify.operation(OPERATION));
        Router::new().route("/bare", post(create_media_buy)).route("/twice", twice)
    })
    .await;
    for path in ["/bare", "/twice"] {
        let response =
            client(&key).post(server.url(path)).json(&json!({ "budget": 1 })).send().await.unwrap();
        assert_eq!(response.status(), 500, "{path}");
        let body = response.text().await.unwrap();
        assert_eq!(body, r#"{"error":"verifier_misconfigured"}"#, "{path}");
    }
}

#[tokio::test]
async fn a_prefix_that_a_proxy_takes_off_is_a_part_of_what_was_signed() {
    let key = key();
    let server = Server::start(|base| {
        let base = format!("{base}/agents/7").parse::<adcp_signing_http::BaseUrl>().unwrap();
        seller(&Verify::new(verifier(&key, required()), base), Reached::default())
    })
    .await;
    // The proxy: it forwards `/agents/7/…` as `/…`, and keeps Host.
    let outside = server.url("/agents/7/adcp/create_media_buy");
    let body = br#"{"budget":3}"#;
    let authority = server.address.to_string();
    let fields = [
        adcp_signing_core::FieldLine::new("Host", &authority),
        adcp_signing_core::FieldLine::new("Content-Type", "application/json"),
    ];
    let message = adcp_signing_core::Request::new("POST", &outside, &fields, body);
    let signed = signer(&key).sign(&message).await.unwrap();
    let mut request = reqwest::Client::new()
        .post(server.url("/adcp/create_media_buy"))
        .header("content-type", "application/json")
        .body(body.to_vec());
    for (name, value) in signed.iter() {
        request = request.header(name, value);
    }
    assert_eq!(request.send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_route_that_is_not_verified_is_left_alone() {
    let key = key();
    let server = Server::start(|base| {
        seller(&verify(&key, base), Reached::default()).route("/health", get(async || "ok"))
    })
    .await;
    assert_eq!(reqwest::get(server.url("/health")).await.unwrap().status(), 200);
}
