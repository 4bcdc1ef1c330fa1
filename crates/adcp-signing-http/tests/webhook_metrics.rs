//! What senders and receivers of webhooks count, and that the page for operators lists it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "helpers of tests"
)]

#[path = "../../adcp-signing-core/src/provider/metered.rs"]
mod metered;
mod support;

use std::time::Duration;

use adcp_signing_http::webhook::{
    Backoff, DeliveryAuth, InMemoryDedup, InMemoryDeliveries, Subscriber, Subscription,
    WebhookReceiver, WebhookSender,
};
use axum::{
    Router,
    http::{StatusCode, header::RETRY_AFTER},
    routing::post,
};
use metered::{Meter, documented};
use support::{
    Reached, Server, key,
    webhooks::{
        SECRET, SELLER, body, event, hmac, post_hmac, post_signed, sender, signed_buyer, signer,
        target, verify,
    },
};
use tokio::sync::mpsc;

/// Delivers one webhook to each path, as far as the first outcome.
async fn deliver(server: &Server, paths: &[String]) -> Meter {
    let meter = Meter::default();
    let guard = metrics::set_default_local_recorder(&meter);
    for path in paths {
        let (events_in, mut events) = mpsc::unbounded_channel();
        let sender = WebhookSender::builder(signer(&key()))
            .store(InMemoryDeliveries::default())
            .backoff(Backoff::default().with_pauses(Duration::from_secs(60), Duration::MAX))
            .observer(move |event| events_in.send(event).unwrap())
            .build()
            .unwrap();
        sender.enqueue(&target(server, path), event()).await.unwrap();
        tokio::select! {
            () = sender.run() => panic!("the sender ended"),
            event = events.recv() => drop(event.unwrap()),
        }
    }
    drop(guard);
    meter
}

/// A receiver with a path for each outcome.
async fn receiver() -> Server {
    Server::start(|_| {
        let busy = |wait: &'static str| {
            post(async move || (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, wait)]))
        };
        Router::new()
            .route("/delivered", post(async || StatusCode::NO_CONTENT))
            .route("/retrying", busy("5"))
            .route("/refused", post(async || StatusCode::CONFLICT))
            .route("/gave_up", busy("90000"))
    })
    .await
}

const OUTCOMES: [&str; 4] = ["delivered", "gave_up", "refused", "retrying"];

#[tokio::test]
async fn each_attempt_is_counted_and_timed_by_what_became_of_it() {
    let server = receiver().await;
    let meter = deliver(&server, &OUTCOMES.map(|outcome| format!("/{outcome}"))).await;
    let of = |name: &str| OUTCOMES.map(|outcome| (format!("{name} outcome={outcome}"), 1));
    let expected =
        [of("adcp_webhook_attempt_duration_seconds"), of("adcp_webhook_deliveries_total")].concat();
    assert_eq!(meter.counts(), expected);
}

/// Receives webhooks of every kind.
async fn receive() -> Meter {
    let meter = Meter::default();
    let guard = metrics::set_default_local_recorder(&meter);
    let key = key();
    let server = signed_buyer(&key, &Reached::default()).await;
    let deliver = async |body: &str| {
        post_signed(&key, &server.url("/hooks"), "application/json", body).await;
    };
    deliver(&body("completed")).await;
    deliver(&body("completed")).await;
    deliver(&body("failed")).await;
    post_hmac(&hmac(SECRET), &server.url("/hooks"), &body("completed")).await;
    let broken = Server::start(|base| {
        let receiver = WebhookReceiver::rfc9421(&verify(&key, base), InMemoryDedup::default());
        let active = receiver.clone().activating(subscription());
        let handler = post(async || StatusCode::INTERNAL_SERVER_ERROR);
        Router::new()
            .route("/hooks", handler.clone().layer(receiver))
            .route("/active", handler.layer(active))
    })
    .await;
    post_signed(&key, &broken.url("/hooks"), "application/json", &body("completed")).await;
    sender(&key).activate(&target(&broken, "/active"), &subscription()).await.unwrap();
    drop(guard);
    meter
}

#[tokio::test]
async fn each_webhook_that_is_received_is_counted_by_what_became_of_it() {
    let counts = receive().await.counts();
    let received = counts.iter().filter_map(|(name, count)| {
        Some((name.strip_prefix("adcp_webhook_received_total outcome=")?, *count))
    });
    let expected = [
        ("challenge", 1),
        ("handled", 1),
        ("handler_failed", 1),
        ("idempotency_conflict", 1),
        ("repeated", 1),
        ("webhook_mode_mismatch", 1),
    ];
    assert_eq!(received.collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn the_metrics_are_those_of_the_operations_page() {
    let mut measured =
        deliver(&receiver().await, &["/delivered".to_owned()]).await.names_and_labels();
    measured.extend(receive().await.names_and_labels());
    measured.retain(|(name, _)| name.starts_with("adcp_webhook_"));
    measured.sort();
    measured.dedup();
    assert_eq!(documented("adcp_webhook_"), measured);
}

fn subscription() -> Subscription {
    let account = Subscriber::Account("acct_123".to_owned());
    let events = ["creative.purged"];
    Subscription::new(account, "buyer-primary", SELLER, DeliveryAuth::rfc9421(), events).unwrap()
}
