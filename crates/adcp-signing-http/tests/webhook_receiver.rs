//! A receiver of webhooks over sockets.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "helpers of tests"
)]

mod support;

use std::sync::Arc;

use adcp_signing_core::{
    FieldLine, InMemoryReplayStore, Request as Message, UnixSeconds,
    replay::{AdmissionClause, AdmissionEvent, AdmissionThresholds, AdmissionTracked},
    webhook::{BearerToken, HmacSecret, LegacyBearer},
};
use adcp_signing_http::{
    Verify,
    webhook::{
        ActivationError, AttemptFailure, Claim, ClaimError, DedupStore, DeliveryAuth, DeliveryName,
        Fence, Fingerprint, InMemoryDedup, Retention, Subscriber, Subscription, Webhook,
        WebhookReceiver, WebhookSource,
    },
};
use async_trait::async_trait;
use axum::{Router, body::Bytes, extract::State, http::StatusCode, routing::post};
use serde_json::json;
use support::{
    PATIENCE, Reached, Server, key, required, verifier,
    webhooks::{
        KEY, OLD_SECRET, SECRET, SELLER, answer, body, buyer, hmac, hmac_buyer, is, post_hmac,
        post_signed, sender, signed_buyer, signer, target, verify, webhook_verifier,
    },
};
use tokio::sync::{Semaphore, mpsc};

#[tokio::test]
async fn a_delivery_is_handled_once_however_it_is_written() {
    let (key, reached) = (key(), Reached::default());
    let server = signed_buyer(&key, &reached).await;
    let url = server.url("/hooks");
    let post = async |body: &str| post_signed(&key, &url, "application/json", body).await;
    let first = post(&body("completed")).await;
    assert_eq!(first, is(200, &format!("{SELLER} reports \"completed\""), false));
    assert_eq!(post(&body("completed")).await, is(200, "", false));
    let reordered = format!(r#"{{ "status" : "completed", "idempotency_key":"{KEY}" }}"#);
    assert_eq!(post(&reordered).await, is(200, "", false));
    assert_eq!(post(&body("failed")).await, is(409, "idempotency_conflict", false));
    assert_eq!(reached.count(), 1);
}

#[tokio::test]
async fn while_the_handler_is_at_it_the_sender_is_told_to_come_back() {
    let (key, reached, gate) = (key(), Reached::default(), Arc::new(Semaphore::new(0)));
    let (entered_in, mut entered) = mpsc::unbounded_channel();
    let server = Server::start(|base| {
        let receiver = WebhookReceiver::rfc9421(&verify(&key, base), InMemoryDedup::default());
        let (gate, reached) = (Arc::clone(&gate), reached.clone());
        let handler = async move || {
            entered_in.send(()).unwrap();
            gate.acquire().await.unwrap().forget();
            reached.add();
        };
        Router::new().route("/hooks", post(handler).layer(receiver))
    })
    .await;
    let url = server.url("/hooks");
    let first = tokio::spawn({
        let (key, url) = (Arc::clone(&key), url.clone());
        async move { post_signed(&key, &url, "application/json", &body("completed")).await }
    });
    entered.recv().await.unwrap();
    let post = async || post_signed(&key, &url, "application/json", &body("completed")).await;
    assert_eq!(post().await, is(503, "delivery_in_progress", true));
    // The sender hangs up. The handler goes on, and its end counts.
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    assert_eq!(post().await, is(503, "delivery_in_progress", true));
    gate.add_permits(1);
    let done = async {
        while post().await != is(200, "", false) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, done).await.expect("the handler ends");
    assert_eq!(reached.count(), 1);
    assert!(entered.try_recv().is_err());
}

#[tokio::test]
async fn a_handler_that_fails_or_panics_gets_the_next_attempt() {
    let (key, reached) = (key(), Reached::default());
    let server = Server::start(|base| {
        let receiver = WebhookReceiver::rfc9421(&verify(&key, base), InMemoryDedup::default());
        let reached = reached.clone();
        let handler = async move || {
            reached.add();
            match reached.count() {
                1 => StatusCode::INTERNAL_SERVER_ERROR,
                2 => panic!("a fault of the handler"),
                _ => StatusCode::ACCEPTED,
            }
        };
        Router::new().route("/hooks", post(handler).layer(receiver))
    })
    .await;
    let url = server.url("/hooks");
    let post = async || post_signed(&key, &url, "application/json", &body("completed")).await;
    assert_eq!(post().await.0, 500);
    let (key_of_task, url_of_task) = (Arc::clone(&key), url.clone());
    let broken = tokio::spawn(async move {
        post_signed(&key_of_task, &url_of_task, "application/json", &body("completed")).await
    });
    assert!(broken.await.is_err(), "a panic ends the connection, as it does without a receiver");
    assert_eq!(post().await.0, 202);
    assert_eq!(post().await.0, 200);
    assert_eq!(reached.count(), 3);
}

#[tokio::test]
async fn the_other_mode_is_a_mismatch_and_never_tried() {
    let (key, reached) = (key(), Reached::default());
    let (signed, shared) =
        (signed_buyer(&key, &reached).await, hmac_buyer(hmac(SECRET), &reached).await);
    let mismatch = is(401, "webhook_mode_mismatch", false);
    let body = body("completed");
    assert_eq!(post_hmac(&hmac(SECRET), &signed.url("/hooks"), &body).await, mismatch);
    let url = shared.url("/hooks");
    assert_eq!(post_signed(&key, &url, "application/json", &body).await, mismatch);
    assert_eq!(reached.count(), 0);
    assert_eq!(post_hmac(&hmac(SECRET), &url, &body).await.0, 200);
    assert_eq!(reached.count(), 1);
}

#[tokio::test]
async fn hmac_takes_two_secrets_during_a_rotation_and_no_third() {
    let reached = Reached::default();
    let old = HmacSecret::new(OLD_SECRET.to_vec()).unwrap();
    let until = UnixSeconds::new(4_000_000_000);
    let server = hmac_buyer(hmac(SECRET).accepting_previous(old, until), &reached).await;
    let url = server.url("/hooks");
    let post = async |secret: &[u8], number: u8| {
        let body = format!(r#"{{"idempotency_key":"whk_20260526_{number:06}"}}"#);
        post_hmac(&hmac(secret), &url, &body).await
    };
    assert_eq!(post(SECRET, 1).await.0, 200);
    assert_eq!(post(OLD_SECRET, 2).await.0, 200);
    let third = b"3rd!J8#qWz0Lr7vBn3Yx5Tm9Pc2Hd6Gs";
    assert_eq!(post(third, 3).await, is(401, "webhook_signature_invalid", false));
    assert_eq!(reached.count(), 2);
}

#[tokio::test]
async fn hmac_is_refused_by_its_head_where_that_decides() {
    let reached = Reached::default();
    let server = hmac_buyer(hmac(SECRET), &reached).await;
    for (fields, code) in [
        ("", "webhook_signature_header_malformed"),
        ("Signature-Input: sig1=()\r\n", "webhook_mode_mismatch"),
        ("Authorization: Bearer x\r\n", "webhook_mode_mismatch"),
        (
            "X-AdCP-Signature: sha256=00\r\nX-AdCP-Timestamp: 1\r\nSignature: sig1=:AA:\r\n",
            "webhook_mode_mismatch",
        ),
    ] {
        // The body is announced and never sent.
        let head = format!(
            "POST /hooks HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n{fields}\
             Content-Length: 1000\r\n\r\n",
            server.address
        );
        let answer = server.raw(head.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
        assert!(answer.contains(&format!(r#"error="{code}""#)), "{answer}");
    }
    let fields = "X-AdCP-Signature: sha256=00\r\nX-AdCP-Timestamp: 1\r\n";
    for (head, status) in [
        (format!("{fields}Content-Type: application/json\r\nContent-Length: 1048577\r\n"), 413),
        (format!("{fields}Content-Length: 10\r\n"), 415),
        (
            format!(
                "{fields}Content-Type: application/json\r\nContent-Type: text/plain\r\n\
                 Content-Length: 10\r\n"
            ),
            415,
        ),
    ] {
        let body = if status == 413 { "x".repeat(1_048_577) } else { String::new() };
        let host = server.address;
        let request = format!("POST /hooks HTTP/1.1\r\nHost: {host}\r\n{head}\r\n{body}");
        let answer = server.raw(request.as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
    assert_eq!(reached.count(), 0);
}

const TOKEN: &str = "Xq3v-x8ZpT0wL5rB2nK7yD4hG9cF6mJ1";
const OLD_TOKEN: &str = "old!-x8ZpT0wL5rB2nK7yD4hG9cF6mJ1";

fn token(text: &str) -> BearerToken {
    BearerToken::new(text.to_owned()).unwrap()
}

/// A buyer that takes bearer tokens, the previous one among them.
async fn bearer_buyer(reached: &Reached) -> Server {
    let until = UnixSeconds::new(4_000_000_000);
    let scheme = LegacyBearer::new(token(TOKEN)).accepting_previous(token(OLD_TOKEN), until);
    let receiver = WebhookReceiver::legacy_bearer(scheme, SELLER, InMemoryDedup::default());
    Server::start(|_| buyer(receiver, reached.clone())).await
}

#[tokio::test]
async fn two_bearer_tokens_are_taken_during_a_rotation_and_no_third() {
    let reached = Reached::default();
    let server = bearer_buyer(&reached).await;
    let post = async |authorization: String, number: u8| {
        let request = reqwest::Client::new()
            .post(server.url("/hooks"))
            .header("authorization", authorization)
            .json(&json!({ "idempotency_key": format!("whk_20260526_{number:06}") }));
        let response = request.send().await.unwrap();
        let challenge = response.headers().get("www-authenticate").cloned();
        let challenge = challenge.map(|value| value.to_str().unwrap().to_owned());
        (response.status().as_u16(), challenge, response.text().await.unwrap())
    };
    let accepted = (200, None, format!("{SELLER} reports null"));
    assert_eq!(post(format!("Bearer {TOKEN}"), 1).await, accepted);
    assert_eq!(post(format!("Bearer {OLD_TOKEN}"), 2).await, accepted);
    assert_eq!(post(format!("Bearer {TOKEN}"), 2).await, (200, None, String::new()));
    assert_eq!(reached.count(), 2);
    for (authorization, challenge) in [
        (format!("Bearer 3{TOKEN}"), r#"Bearer error="invalid_token""#),
        (format!("Basic {TOKEN}"), "Bearer"),
    ] {
        let (status, found, body) = post(authorization, 3).await;
        assert_eq!((status, found.as_deref()), (401, Some(challenge)));
        assert_eq!(body, r#"{"error":"bearer_token_invalid"}"#);
    }
    assert_eq!(reached.count(), 2);
}

#[tokio::test]
async fn a_receiver_in_a_legacy_mode_has_a_budget_of_its_own() {
    let scheme = LegacyBearer::new(token(TOKEN));
    let receiver = WebhookReceiver::legacy_bearer(scheme, SELLER, InMemoryDedup::default());
    let receiver = receiver.body_budget(64);
    let server = Server::start(|_| buyer(receiver, Reached::default())).await;
    for (length, status) in [(64, 400), (65, 413)] {
        let request = reqwest::Client::new()
            .post(server.url("/hooks"))
            .header("authorization", format!("Bearer {TOKEN}"))
            .header("content-type", "application/json")
            .body(" ".repeat(length));
        assert_eq!(request.send().await.unwrap().status(), status, "{length}");
    }
}

#[tokio::test]
async fn a_bearer_token_is_judged_by_the_head_and_is_no_other_mode() {
    let (key, reached) = (key(), Reached::default());
    let server = bearer_buyer(&reached).await;
    let url = server.url("/hooks");
    let mismatch = is(401, "webhook_mode_mismatch", false);
    assert_eq!(post_hmac(&hmac(SECRET), &url, &body("completed")).await, mismatch);
    let signed = post_signed(&key, &url, "application/json", &body("completed")).await;
    assert_eq!(signed, mismatch);
    let right = format!("Authorization: Bearer {TOKEN}\r\n");
    for (fields, status) in [
        (String::new(), 401),
        (format!("{right}Signature: sig1=:AA:\r\n"), 401),
        (format!("{right}{right}"), 401),
        (right.clone(), 415),
        (format!("{right}Content-Type: text/plain\r\n"), 415),
    ] {
        // The body is announced and never sent.
        let head = format!(
            "POST /hooks HTTP/1.1\r\nHost: {}\r\n{fields}Content-Length: 1000\r\n\r\n",
            server.address
        );
        let answer = server.raw(head.as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{fields}: {answer}");
    }
    let large = reqwest::Client::new()
        .post(&url)
        .bearer_auth(TOKEN)
        .header("content-type", "application/json")
        .body("x".repeat(1_048_577));
    assert_eq!(large.send().await.unwrap().status(), 413);
    let twice = format!(r#"{{"idempotency_key":"{KEY}","a":1,"a":2}}"#);
    let duplicate = reqwest::Client::new()
        .post(&url)
        .bearer_auth(TOKEN)
        .header("content-type", "application/json")
        .body(twice);
    assert_eq!(duplicate.send().await.unwrap().status(), 400);
    assert_eq!(reached.count(), 0);
}

#[tokio::test]
async fn what_is_not_a_webhook_is_refused_with_its_reason() {
    let (key, reached) = (key(), Reached::default());
    let server = signed_buyer(&key, &reached).await;
    let url = server.url("/hooks");
    for (content_type, body, status, reason) in [
        ("text/plain", body("completed"), 415, "content_type_unsupported"),
        ("application/json", "[]".to_owned(), 400, "webhook_not_an_object"),
        ("application/json", r#"{"status":"x"}"#.to_owned(), 400, "idempotency_key_missing"),
        (
            "application/json",
            r#"{"idempotency_key":"short"}"#.to_owned(),
            400,
            "idempotency_key_malformed",
        ),
        (
            "application/json",
            format!(r#"{{"idempotency_key":"{KEY}","a":1e999}}"#),
            400,
            "webhook_not_json",
        ),
    ] {
        let answer = post_signed(&key, &url, content_type, &body).await;
        assert_eq!(answer, is(status, reason, false), "{body}");
    }
    let unsigned = reqwest::Client::new().post(&url).json(&json!({ "idempotency_key": KEY }));
    assert_eq!(answer(unsigned.send().await.unwrap()).await.0, 401);
    let stranger = support::key();
    let unknown = post_signed(&stranger, &url, "application/json", &body("completed")).await;
    assert_eq!(unknown, is(401, "webhook_signature_key_unknown", false));
    assert_eq!(reached.count(), 0);
}

#[tokio::test]
async fn json_with_parameters_is_json() {
    let (key, reached) = (key(), Reached::default());
    let server = signed_buyer(&key, &reached).await;
    let content_type = "Application/JSON; charset=utf-8";
    let answer = post_signed(&key, &server.url("/hooks"), content_type, &body("completed")).await;
    assert_eq!((answer.0, reached.count()), (200, 1));
}

#[tokio::test]
async fn endpoints_that_share_claims_handle_a_delivery_once_in_either_mode() {
    let (key, reached, claims) = (key(), Reached::default(), Arc::new(InMemoryDedup::default()));
    let shared = hmac_buyer_with(Arc::clone(&claims), &reached).await;
    let signed = Server::start(|base| {
        let receiver = WebhookReceiver::rfc9421(&verify(&key, base), Arc::clone(&claims));
        buyer(receiver, reached.clone())
    })
    .await;
    let body = body("completed");
    assert_eq!(post_hmac(&hmac(SECRET), &shared.url("/hooks"), &body).await.0, 200);
    let url = signed.url("/hooks");
    let again = post_signed(&key, &url, "application/json", &body).await;
    assert_eq!(again, is(200, "", false), "the seller changed to RFC 9421");
    assert_eq!(reached.count(), 1);
}

async fn hmac_buyer_with(claims: Arc<InMemoryDedup>, reached: &Reached) -> Server {
    let shouted = "https://SELLER.example.com:443/adcp";
    let receiver = WebhookReceiver::legacy_hmac(hmac(SECRET), shouted, claims);
    Server::start(|_| buyer(receiver, reached.clone())).await
}

#[tokio::test]
async fn a_full_store_and_one_that_is_away_are_no_reason_to_handle() {
    #[derive(Debug)]
    struct Away;

    #[async_trait]
    impl DedupStore for Away {
        async fn claim(
            &self,
            _: DeliveryName<'_>,
            _: Fingerprint,
            _: UnixSeconds,
            _: Retention,
        ) -> Result<Claim, ClaimError> {
            Err(ClaimError::new("away"))
        }

        async fn complete(&self, _: DeliveryName<'_>, _: Fence) -> Result<(), ClaimError> {
            Ok(())
        }

        async fn release(&self, _: DeliveryName<'_>, _: Fence) -> Result<(), ClaimError> {
            Ok(())
        }
    }

    let (key, reached) = (key(), Reached::default());
    let full: Arc<dyn DedupStore> = Arc::new(InMemoryDedup::with_capacity(0, 0));
    for (store, expected) in [
        (full, is(429, "too_many_deliveries", true)),
        (Arc::new(Away), is(503, "receiver_unavailable", true)),
    ] {
        let server = Server::start(|base| {
            let receiver = WebhookReceiver::rfc9421(&verify(&key, base), store);
            buyer(receiver, reached.clone())
        })
        .await;
        let url = server.url("/hooks");
        let answer = post_signed(&key, &url, "application/json", &body("completed")).await;
        assert_eq!(answer, expected);
    }
    assert_eq!(reached.count(), 0);
}

#[tokio::test]
async fn a_route_that_is_set_up_wrongly_is_misconfigured() {
    let key = key();
    let server = Server::start(|base| {
        let handler = async |_: Webhook<Bytes>| "handled";
        let receiver =
            |base| WebhookReceiver::rfc9421(&verify(&key, base), InMemoryDedup::default());
        let hmac = WebhookReceiver::legacy_hmac(hmac(SECRET), SELLER, InMemoryDedup::default());
        let twice = post(handler)
            .layer::<_, std::convert::Infallible>(receiver(base.clone()))
            .layer(receiver(base.clone()));
        let bearer = LegacyBearer::new(token(TOKEN));
        let bearer = WebhookReceiver::legacy_bearer(bearer, SELLER, InMemoryDedup::default());
        let bearer_both = post(handler)
            .layer::<_, std::convert::Infallible>(bearer)
            .layer(verify(&key, base.clone()).webhooks());
        let hmac_twice =
            post(handler).layer::<_, std::convert::Infallible>(hmac.clone()).layer(hmac.clone());
        let both = post(handler)
            .layer::<_, std::convert::Infallible>(hmac)
            .layer(verify(&key, base.clone()).webhooks());
        let requests = Verify::new(verifier(&key, required()), base);
        let requests = WebhookReceiver::rfc9421(&requests, InMemoryDedup::default());
        Router::new()
            .route("/bare", post(handler))
            .route("/twice", twice)
            .route("/hmac-twice", hmac_twice)
            .route("/both", both)
            .route("/bearer-both", bearer_both)
            .route("/requests", post(handler).layer(requests))
    })
    .await;
    for path in ["/bare", "/twice", "/both", "/bearer-both", "/requests"] {
        let answer =
            post_signed(&key, &server.url(path), "application/json", &body("completed")).await;
        assert_eq!(answer, is(500, "verifier_misconfigured", false), "{path}");
    }
    let answer = post_hmac(&hmac(SECRET), &server.url("/hmac-twice"), &body("completed")).await;
    assert_eq!(answer, is(500, "verifier_misconfigured", false));
}

#[tokio::test]
async fn the_handler_learns_the_signer_and_nothing_that_a_client_sets() {
    let key = key();
    let server = Server::start(|base| {
        let receiver = WebhookReceiver::rfc9421(&verify(&key, base), InMemoryDedup::default());
        let handler = async |State(kid): State<String>, Webhook(origin, body): Webhook<Bytes>| {
            let WebhookSource::Signed(signer) = origin.source() else { panic!("{origin:?}") };
            assert_eq!(signer.keyid(), kid);
            assert_eq!(origin.idempotency_key().as_str(), KEY);
            body
        };
        let kid = adcp_signing_core::SigningProvider::key_id(&*key).to_owned();
        Router::new().route("/hooks", post(handler).layer(receiver)).with_state(kid)
    })
    .await;
    let url = server.url("/hooks");
    let answer = post_signed(&key, &url, "application/json", &body("completed")).await;
    assert_eq!(answer, is(200, &body("completed"), false));
}

#[tokio::test]
async fn a_signature_is_used_once_and_new_keys_are_counted() {
    let (key, heard) = (key(), Arc::new(std::sync::Mutex::new(Vec::new())));
    let thresholds =
        AdmissionThresholds::default().with_ceiling_floor(0.0).with_ceiling_fraction(0.0);
    let replay = {
        let heard = Arc::clone(&heard);
        let observer = move |event| heard.lock().unwrap().push(event);
        AdmissionTracked::new(InMemoryReplayStore::default(), thresholds, observer)
    };
    let server = Server::start(|base| {
        let verify = Verify::new(webhook_verifier(&key, replay), base);
        buyer(WebhookReceiver::rfc9421(&verify, InMemoryDedup::default()), Reached::default())
    })
    .await;
    let (url, body) = (server.url("/hooks"), body("completed"));
    let fields = [FieldLine::new("Content-Type", "application/json")];
    let message = Message::new("POST", &url, &fields, body.as_bytes());
    let signed = signer(&key).sign(&message).await.unwrap();
    let mut statuses = Vec::new();
    for _ in 0..2 {
        let mut request = reqwest::Client::new()
            .post(&url)
            .header("content-type", "application/json")
            .body(body.clone());
        for (name, value) in signed.iter() {
            request = request.header(name, value);
        }
        statuses.push(answer(request.send().await.unwrap()).await.1);
    }
    assert_eq!(statuses[1], "webhook_signature_replayed");
    let heard = heard.lock().unwrap();
    assert!(
        matches!(
            heard[..],
            [AdmissionEvent::Pressure { clause: AdmissionClause::Ceiling, count: 1, .. }]
        ),
        "{heard:?}"
    );
}

fn subscription(subscriber_id: &str) -> Subscription {
    let account = Subscriber::Account("acct_123".to_owned());
    let events = ["creative.status_changed", "creative.purged"];
    Subscription::new(account, subscriber_id, SELLER, DeliveryAuth::rfc9421(), events).unwrap()
}

#[tokio::test]
async fn a_subscriber_is_activated_by_the_owner_of_the_url_alone() {
    let (key, reached) = (key(), Reached::default());
    let server = Server::start(|base| {
        let plain = WebhookReceiver::rfc9421(&verify(&key, base.clone()), InMemoryDedup::default());
        let activating = plain.clone().activating(subscription("buyer-primary"));
        let handler = {
            let reached = reached.clone();
            async move || reached.add()
        };
        let shared = WebhookReceiver::legacy_hmac(hmac(SECRET), SELLER, InMemoryDedup::default())
            .activating(subscription("buyer-primary"));
        Router::new()
            .route("/hooks", post(handler.clone()).layer(activating))
            .route("/closed", post(handler.clone()).layer(plain))
            .route("/shared", post(handler).layer(shared))
            .route("/mirror", post(async |body: Bytes| body))
    })
    .await;
    let sender = sender(&key);
    let activate = async |path: &str, id: &str| {
        sender.activate(&target(&server, path), &subscription(id)).await
    };
    activate("/hooks", "buyer-primary").await.unwrap();
    for (path, id) in [("/hooks", "other"), ("/closed", "buyer-primary")] {
        let error = activate(path, id).await.unwrap_err();
        assert!(
            matches!(error, ActivationError::Attempt(AttemptFailure::Status { status: 403, .. })),
            "{path} {id}: {error:?}"
        );
    }
    let error = activate("/shared", "buyer-primary").await.unwrap_err();
    let ActivationError::Attempt(AttemptFailure::Refused(refusal)) = error else {
        panic!("{error:?}")
    };
    assert_eq!(refusal.code(), "webhook_mode_mismatch");
    let error = activate("/mirror", "buyer-primary").await.unwrap_err();
    assert!(matches!(error, ActivationError::NotRepeated), "{error:?}");
    // A challenge that HMAC authenticates is none.
    let challenge =
        r#"{"type":"webhook.challenge","challenge":"example-challenge-token-000000000000"}"#;
    let answer = post_hmac(&hmac(SECRET), &server.url("/shared"), challenge).await;
    assert_eq!(answer, is(403, "challenge_refused", false));
    assert_eq!(reached.count(), 0);
}
