//! A sender of webhooks over sockets, and what stands between it and its receivers.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "helpers of tests"
)]

mod support;

use std::{
    net::SocketAddr,
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use adcp_signing_http::webhook::{
    AttemptFailure, Backoff, InMemoryDeliveries, Outcome, WebhookSender, WebhookTarget,
};
use axum::{
    Router,
    extract::Request,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Redirect, Response},
    routing::{any, post},
};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use support::{
    PATIENCE, Reached, Server, key,
    webhooks::{event, sender, signed_buyer, signer, target},
};
use tokio::sync::mpsc;

#[tokio::test]
async fn a_webhook_reaches_the_handler_of_its_receiver() {
    let (key, reached) = (key(), Reached::default());
    let server = signed_buyer(&key, &reached).await;
    let (events_in, mut events) = mpsc::unbounded_channel();
    let sender = WebhookSender::builder(signer(&key))
        .store(InMemoryDeliveries::default())
        .observer(move |event| events_in.send(event).unwrap())
        .build()
        .unwrap();
    sender.enqueue(&target(&server, "/hooks"), event()).await.unwrap();
    let event = tokio::select! {
        () = sender.run() => panic!("the sender ended"),
        event = tokio::time::timeout(PATIENCE, events.recv()) => event.unwrap().unwrap(),
    };
    assert!(matches!(event.outcome, Outcome::Delivered), "{event:?}");
    assert_eq!(reached.count(), 1);
}

#[tokio::test]
async fn a_receiver_that_is_busy_gets_another_signature_and_no_redirect_is_followed() {
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let elsewhere = {
        let seen = Arc::clone(&seen);
        let note = async move || seen.lock().unwrap().push("elsewhere".to_owned());
        Server::start(|_| Router::new().fallback(any(note))).await
    };
    let stolen = elsewhere.url("/stolen");
    let server = {
        let seen = Arc::clone(&seen);
        let handler = async move |fields: HeaderMap| -> Response {
            let mut seen = seen.lock().unwrap();
            seen.push(fields["signature-input"].to_str().unwrap().to_owned());
            match seen.len() {
                1 => (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "0")]).into_response(),
                2 => Redirect::temporary(&stolen).into_response(),
                _ => StatusCode::NO_CONTENT.into_response(),
            }
        };
        Server::start(|_| Router::new().route("/hooks", post(handler))).await
    };
    let key = key();
    let (events_in, mut events) = mpsc::unbounded_channel();
    let sender = WebhookSender::builder(signer(&key))
        .store(InMemoryDeliveries::default())
        .backoff(Backoff::default().with_pauses(Duration::ZERO, Duration::ZERO))
        .concurrency(NonZeroUsize::MIN)
        .observer(move |event| events_in.send(event).unwrap())
        .build()
        .unwrap();
    sender.enqueue(&target(&server, "/hooks"), event()).await.unwrap();
    let hear = async {
        let mut outcomes = Vec::new();
        while outcomes.len() < 3 {
            outcomes.push(events.recv().await.unwrap().outcome);
        }
        outcomes
    };
    let outcomes = tokio::select! {
        () = sender.run() => panic!("the sender ended"),
        outcomes = tokio::time::timeout(PATIENCE, hear) => outcomes.expect("three outcomes"),
    };
    let statuses: Vec<_> = outcomes
        .iter()
        .map(|outcome| match outcome {
            Outcome::Retrying { failure: AttemptFailure::Status { status, .. }, .. } => *status,
            Outcome::Delivered => 204,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(statuses, [503, 307, 204]);
    let mut seen = seen.lock().unwrap().clone();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 3, "{seen:?}");
    assert!(!seen.contains(&"elsewhere".to_owned()));
}

/// A resolver that leads every name to one address, and counts.
#[derive(Debug, Clone)]
struct LeadsTo(SocketAddr, Arc<AtomicUsize>);

impl Resolve for LeadsTo {
    fn resolve(&self, _: Name) -> Resolving {
        self.1.fetch_add(1, Ordering::SeqCst);
        let address = self.0;
        Box::pin(async move { Ok(Box::new(std::iter::once(address)) as Addrs) })
    }
}

#[tokio::test]
async fn a_name_that_leads_to_this_machine_is_not_connected_to() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let sender = WebhookSender::builder(signer(&key()))
        .store(InMemoryDeliveries::default())
        .resolver(LeadsTo(address, Arc::clone(&asked)))
        .build()
        .unwrap();
    let target: WebhookTarget =
        format!("https://rebound.example.com:{}/secret", address.port()).parse().unwrap();
    let failure = sender.send_once(&target, &event()).await.unwrap_err();
    assert!(
        matches!(failure, AttemptFailure::ReservedAddress { range: "loopback" }),
        "{failure:?}"
    );
    assert!(!failure.is_terminal());
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert!(futures_util::FutureExt::now_or_never(listener.accept()).is_none());
}

#[tokio::test]
async fn a_failure_to_connect_shows_no_secret_of_the_url() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let url = format!("http://{address}/hooks?token=secret");
    let target = WebhookTarget::loopback_for_development(&url).unwrap();
    let failure = sender(&key()).send_once(&target, &event()).await.unwrap_err();
    assert!(matches!(failure, AttemptFailure::Unreachable(_)), "{failure:?}");
    assert!(!format!("{failure:?} {failure}").contains("secret"), "{failure:?}");
}

#[tokio::test]
async fn a_proxy_is_used_where_it_is_named() {
    let proxied = Reached::default();
    let handler = {
        let proxied = proxied.clone();
        async move |request: Request| {
            assert_eq!(request.uri().to_string(), "http://127.0.0.1:9/hooks");
            proxied.add();
        }
    };
    let proxy = Server::start(|_| Router::new().fallback(any(handler))).await;
    let sender = WebhookSender::builder(signer(&key()))
        .store(InMemoryDeliveries::default())
        .proxy(reqwest::Proxy::all(proxy.url("/")).unwrap())
        .build()
        .unwrap();
    let target = WebhookTarget::loopback_for_development("http://127.0.0.1:9/hooks").unwrap();
    sender.send_once(&target, &event()).await.unwrap();
    assert_eq!(proxied.count(), 1);
}

/// The name of the variable by which the next test finds itself in a child process.
const CHILD: &str = "ADCP_SIGNING_TEST_TARGET";

#[tokio::test]
async fn a_proxy_of_the_environment_is_not_used() {
    if let Ok(url) = std::env::var(CHILD) {
        let target = WebhookTarget::loopback_for_development(&url).unwrap();
        return sender(&key()).send_once(&target, &event()).await.unwrap();
    }
    let (reached, proxied) = (Reached::default(), Reached::default());
    let count = |reached: &Reached| {
        let reached = reached.clone();
        async move || reached.add()
    };
    let server = Server::start(|_| Router::new().fallback(any(count(&reached)))).await;
    let proxy = Server::start(|_| Router::new().fallback(any(count(&proxied)))).await;
    let (program, url, proxy) = (std::env::current_exe().unwrap(), server.url("/"), proxy.url("/"));
    let child = tokio::task::spawn_blocking(move || {
        std::process::Command::new(program)
            .args(["--exact", "a_proxy_of_the_environment_is_not_used"])
            .env(CHILD, url)
            .env("HTTP_PROXY", &proxy)
            .env("http_proxy", &proxy)
            .env_remove("NO_PROXY")
            .env_remove("no_proxy")
            .output()
    });
    let output = child.await.unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!((reached.count(), proxied.count()), (1, 0));
}

#[tokio::test]
async fn a_reply_without_end_is_not_read_to_it() {
    let endless = async || {
        let chunks = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![0; 16_384]));
        axum::body::Body::from_stream(chunks)
    };
    let server = Server::start(|_| Router::new().route("/hooks", post(endless))).await;
    let sender = sender(&key());
    let (target, event) = (target(&server, "/hooks"), event());
    let sent = tokio::time::timeout(Duration::from_secs(8), sender.send_once(&target, &event));
    sent.await.expect("read to the time limit").unwrap();
}
