//! A receiver of webhooks in actix-web, over sockets: what its adapter has to do. The modes and the
//! answers are those of `webhook_receiver.rs`.

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

use actix_web::{HttpResponse, web};
use adcp_signing_core::{
    InMemoryProvider,
    webhook::{BearerToken, LegacyBearer},
};
use adcp_signing_http::webhook::{
    DeliveryAuth, InMemoryDedup, Subscriber, Subscription, Webhook, WebhookReceiver,
};
use serde_json::Value;
use support::{
    PATIENCE, Reached, Server, key,
    webhooks::{
        KEY, SECRET, SELLER, answer, body, hmac, is, post_hmac, post_signed, sender, target, verify,
    },
};
use tokio::sync::{Semaphore, mpsc};

const TOKEN: &str = "Xq3v-x8ZpT0wL5rB2nK7yD4hG9cF6mJ1";

async fn on_event(
    reached: web::Data<Reached>,
    Webhook(origin, event): Webhook<web::Json<Value>>,
) -> String {
    reached.add();
    format!("{} reports {}", origin.sender(), event["status"])
}

/// A buyer with a route for each mode.
fn buyer(key: &InMemoryProvider, reached: &Reached) -> Server {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let claims = Arc::new(InMemoryDedup::default());
    let signed = WebhookReceiver::rfc9421(&verify(key, base), Arc::clone(&claims));
    let shared = WebhookReceiver::legacy_hmac(hmac(SECRET), SELLER, Arc::clone(&claims));
    let token = LegacyBearer::new(BearerToken::new(TOKEN.to_owned()).unwrap());
    let token = WebhookReceiver::legacy_bearer(token, SELLER, claims);
    let reached = web::Data::new(reached.clone());
    support::actix::serve(listener, move |app| {
        let route = || web::post().to(on_event);
        app.app_data(reached.clone())
            .service(web::resource("/signed").wrap(signed.clone()).route(route()))
            .service(web::resource("/shared").wrap(shared.clone()).route(route()))
            .service(web::resource("/token").wrap(token.clone()).route(route()))
            .service(
                web::resource("/active")
                    .wrap(signed.clone().activating(subscription("buyer-primary")))
                    .route(route()),
            )
            .service(
                web::resource("/twice").wrap(signed.clone()).wrap(signed.clone()).route(route()),
            )
            .route("/bare", route());
    })
}

fn subscription(id: &str) -> Subscription {
    let account = Subscriber::Account("acct_123".to_owned());
    Subscription::new(account, id, SELLER, DeliveryAuth::rfc9421(), ["creative.purged"]).unwrap()
}

#[tokio::test]
async fn each_mode_reaches_the_handler_once_and_is_no_other() {
    let (key, reached) = (key(), Reached::default());
    let server = buyer(&key, &reached);
    let signed = async |path: &str, status: &str| {
        post_signed(&key, &server.url(path), "application/json", &body(status)).await
    };
    let handled = is(200, &format!("{SELLER} reports \"completed\""), false);
    assert_eq!(signed("/signed", "completed").await, handled);
    assert_eq!(signed("/signed", "completed").await, is(200, "", false));
    assert_eq!(signed("/signed", "failed").await, is(409, "idempotency_conflict", false));
    let mismatch = is(401, "webhook_mode_mismatch", false);
    assert_eq!(signed("/shared", "completed").await, mismatch);
    assert_eq!(signed("/token", "completed").await, mismatch);
    assert_eq!(reached.count(), 1);

    let other = body("completed").replace(KEY, "whk_20260526_000032");
    assert_eq!(post_hmac(&hmac(SECRET), &server.url("/shared"), &other).await, handled);
    let mut third = reqwest::Client::new().post(server.url("/token")).bearer_auth(TOKEN);
    third = third.header("content-type", "application/json");
    third = third.body(body("completed").replace(KEY, "whk_20260526_000033"));
    assert_eq!(answer(third.send().await.unwrap()).await, handled);
    assert_eq!(reached.count(), 3);
}

#[tokio::test]
async fn a_challenge_is_answered_and_a_route_that_is_set_up_wrongly_is_misconfigured() {
    let (key, reached) = (key(), Reached::default());
    let server = buyer(&key, &reached);
    let sender = sender(&key);
    let active = target(&server, "/active");
    sender.activate(&active, &subscription("buyer-primary")).await.unwrap();
    assert!(sender.activate(&active, &subscription("other")).await.is_err());
    for path in ["/bare", "/twice"] {
        let url = server.url(path);
        let answer = post_signed(&key, &url, "application/json", &body("completed")).await;
        assert_eq!(answer, is(500, "verifier_misconfigured", false), "{path}");
    }
    assert_eq!(reached.count(), 0);
}

#[tokio::test]
async fn a_handler_whose_client_hangs_up_is_run_to_its_end() {
    let (key, reached, gate) = (key(), Reached::default(), Arc::new(Semaphore::new(0)));
    let (entered_in, mut entered) = mpsc::unbounded_channel();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let receiver = WebhookReceiver::rfc9421(&verify(&key, base), InMemoryDedup::default());
    let state = (entered_in, Arc::clone(&gate), reached.clone());
    let server = support::actix::serve(listener, move |app| {
        let (entered, gate, reached) = state.clone();
        let handler = move || {
            let (entered, gate, reached) = (entered.clone(), Arc::clone(&gate), reached.clone());
            async move {
                entered.send(()).unwrap();
                gate.acquire().await.unwrap().forget();
                reached.add();
                HttpResponse::NoContent().finish()
            }
        };
        app.service(web::resource("/hooks").wrap(receiver.clone()).route(web::post().to(handler)));
    });
    let url = server.url("/hooks");
    let first = tokio::spawn({
        let (key, url) = (Arc::clone(&key), url.clone());
        async move { post_signed(&key, &url, "application/json", &body("completed")).await }
    });
    entered.recv().await.unwrap();
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    let post = async || post_signed(&key, &url, "application/json", &body("completed")).await;
    assert_eq!(post().await, is(503, "delivery_in_progress", true));
    gate.add_permits(1);
    let done = async {
        while post().await != is(200, "", false) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, done).await.expect("the handler ends");
    assert_eq!(reached.count(), 1);
}

#[tokio::test]
async fn a_handler_that_fails_or_panics_gets_the_next_attempt() {
    let (key, reached) = (key(), Reached::default());
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let receiver = WebhookReceiver::rfc9421(&verify(&key, base), InMemoryDedup::default());
    let counted = reached.clone();
    let server = support::actix::serve(listener, move |app| {
        let reached = counted.clone();
        let handler = move || {
            reached.add();
            let response = match reached.count() {
                1 => Err(actix_web::error::ErrorInternalServerError("a fault of the handler")),
                2 => panic!("a fault of the handler"),
                _ => Ok(HttpResponse::Accepted()),
            };
            async move { response }
        };
        app.service(web::resource("/hooks").wrap(receiver.clone()).route(web::post().to(handler)));
    });
    let url = server.url("/hooks");
    let post = async || post_signed(&key, &url, "application/json", &body("completed")).await;
    assert_eq!(post().await.0, 500);
    let broken = tokio::spawn({
        let (key, url) = (Arc::clone(&key), url.clone());
        async move { post_signed(&key, &url, "application/json", &body("completed")).await }
    });
    assert!(broken.await.is_err(), "a panic ends the connection, as it does without a receiver");
    assert_eq!(post().await.0, 202);
    assert_eq!(post().await.0, 200);
    assert_eq!(reached.count(), 3);
}
