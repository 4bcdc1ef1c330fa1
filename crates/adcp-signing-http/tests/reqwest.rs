//! Signing with reqwest, over sockets: what is sent, what is refused before, and what comes back.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "helpers of tests"
)]

mod support;

use std::sync::{Arc, Mutex};

use adcp_signing_core::{
    FixedClock, InMemoryProvider, Origin, Recovery, SignError, Transport, UnixSeconds, WireVersion,
};
use adcp_signing_http::{
    Counterparties, FetchCapabilities, SignedCallError, Verify,
    reqwest::{SignMiddleware, Unsigned, client, client_from, signed_call_error},
};
use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Redirect},
    routing::{any, post},
};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Middleware, Next};
use serde_json::json;
use support::{OPERATION, Server, key, required, signer, verifier_of, verify};

/// What reached a server, a line for each request: its nonce, or `unsigned`.
#[derive(Debug, Clone, Default)]
struct Seen(Arc<Mutex<Vec<String>>>);

impl Seen {
    fn note(&self, fields: &HeaderMap) {
        let input = fields.get("signature-input").map(|value| value.to_str().unwrap().to_owned());
        let nonce = input.map(|input| {
            let (_, rest) = input.split_once("nonce=\"").unwrap();
            rest.split_once('"').unwrap().0.to_owned()
        });
        self.0.lock().unwrap().push(nonce.unwrap_or_else(|| "unsigned".to_owned()));
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

async fn recording(seen: Seen, status: StatusCode) -> Server {
    let note = async move |State(seen): State<Seen>, request: Request| {
        seen.note(request.headers());
        status
    };
    Server::start(|_| Router::new().fallback(any(note)).with_state(seen)).await
}

/// A server that has moved.
async fn moved_to(url: String) -> Server {
    let away = async move || Redirect::temporary(&url);
    Server::start(|_| Router::new().route("/moved", post(away))).await
}

fn signing(key: &Arc<InMemoryProvider>) -> ClientWithMiddleware {
    client(signer(key)).unwrap()
}

fn error_of(error: &reqwest_middleware::Error) -> &SignedCallError {
    signed_call_error(error).unwrap_or_else(|| panic!("not an error of this crate: {error:?}"))
}

#[tokio::test]
async fn a_stream_an_ambiguous_url_a_foreign_host_and_a_body_without_type_are_never_sent() {
    let key = key();
    let seen = Seen::default();
    let server = recording(seen.clone(), StatusCode::OK).await;
    let client = signing(&key);
    let url = server.url("/adcp/create_media_buy");
    let typed = |url: &str| client.post(url).header("content-type", "text/plain");

    let stream = reqwest::Body::wrap(http_body_util::Full::new(bytes::Bytes::from("x")));
    let error = typed(&url).body(stream).send().await.unwrap_err();
    assert!(matches!(error_of(&error), SignedCallError::StreamingBody), "{error}");

    let error = typed(&server.url("/a%2fb?x=%7e")).body("x").send().await.unwrap_err();
    let ambiguous = matches!(error_of(&error), SignedCallError::Sign(SignError::Ambiguous(_)));
    assert!(ambiguous, "{error}");

    let error = typed(&url).header("host", "other.example.com").body("x").send().await.unwrap_err();
    let foreign = matches!(error_of(&error), SignedCallError::Sign(SignError::Authority(_)));
    assert!(foreign, "{error}");

    let error = client.post(&url).body("{}").send().await.unwrap_err();
    let untyped = matches!(error_of(&error), SignedCallError::Sign(SignError::ContentTypeMissing));
    assert!(untyped, "{error}");

    assert_eq!(seen.all(), Vec::<String>::new());
}

/// Sends each request three times, as a retry middleware does.
struct ThreeTimes;

#[async_trait::async_trait]
impl Middleware for ThreeTimes {
    async fn handle(
        &self,
        request: reqwest::Request,
        extensions: &mut http::Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<reqwest::Response> {
        for _ in 0..2 {
            next.clone().run(request.try_clone().unwrap(), extensions).await?;
        }
        next.run(request, extensions).await
    }
}

#[tokio::test]
async fn below_a_retry_each_attempt_has_a_nonce_of_its_own() {
    let key = key();
    let seen = Seen::default();
    let server = recording(seen.clone(), StatusCode::SERVICE_UNAVAILABLE).await;
    let client = ClientBuilder::new(reqwest::Client::new())
        .with(ThreeTimes)
        .with(SignMiddleware::new(signer(&key)))
        .build();
    client.post(server.url("/x")).json(&json!({})).send().await.unwrap();
    let mut nonces = seen.all();
    assert_eq!(nonces.len(), 3);
    nonces.sort();
    nonces.dedup();
    assert_eq!(nonces.len(), 3);
}

#[tokio::test]
async fn our_client_neither_repeats_nor_redirects_what_it_signed() {
    let key = key();
    let seen = Seen::default();
    let elsewhere = recording(seen.clone(), StatusCode::OK).await;
    let server = moved_to(elsewhere.url("/stolen")).await;
    // Both are switched off, whatever the builder had.
    let retries = reqwest::retry::for_host("127.0.0.1")
        .max_retries_per_request(3)
        .classify_fn(|attempt| attempt.retryable());
    let builder =
        reqwest::Client::builder().redirect(reqwest::redirect::Policy::limited(5)).retry(retries);
    let client = client_from(builder, signer(&key)).unwrap();
    let response = client.post(server.url("/moved")).json(&json!({})).send().await.unwrap();
    assert_eq!(response.status(), 307);
    client.post(elsewhere.url("/once")).json(&json!({})).send().await.unwrap();
    assert_eq!(seen.all().len(), 1, "the redirect was not followed, and nothing was repeated");
}

#[tokio::test]
async fn a_client_brought_along_that_follows_redirects_is_found_out() {
    let key = key();
    let seen = Seen::default();
    let elsewhere = recording(seen.clone(), StatusCode::OK).await;
    let server = moved_to(elsewhere.url("/stolen")).await;
    let client =
        ClientBuilder::new(reqwest::Client::new()).with(SignMiddleware::new(signer(&key))).build();
    let error = client.post(server.url("/moved")).json(&json!({})).send().await.unwrap_err();
    assert!(matches!(error_of(&error), SignedCallError::Redirected), "{error}");
}

#[tokio::test]
async fn a_fragment_stays_at_home_and_is_no_redirect() {
    let key = key();
    let seen = Seen::default();
    let server = recording(seen.clone(), StatusCode::OK).await;
    signing(&key).get(server.url("/x#part")).send().await.unwrap();
    assert_ne!(seen.all(), ["unsigned"]);
}

#[tokio::test]
async fn a_refusal_of_the_peer_is_an_error_with_its_recovery() {
    let (key, stranger) = (key(), key());
    let server = Server::start(|base| {
        let layer = verify(&key, base).operation(OPERATION);
        Router::new().route("/adcp/create_media_buy", post(async || "done").layer(layer))
    })
    .await;
    let url = server.url("/adcp/create_media_buy");
    let stranger = signing(&stranger);
    let error = stranger.post(&url).json(&json!({})).send().await.unwrap_err();
    let SignedCallError::Refused(refusal) = error_of(&error) else { panic!("{error}") };
    assert_eq!(refusal.code(), "request_signature_key_unknown");
    assert_eq!(
        (refusal.status(), refusal.recovery()),
        (StatusCode::UNAUTHORIZED, Recovery::Correctable)
    );
    let response = signing(&key).post(&url).json(&json!({})).send().await.unwrap();
    assert_eq!(response.text().await.unwrap(), "done");
}

#[tokio::test]
async fn a_401_about_another_credential_and_a_503_are_ordinary_responses() {
    let key = key();
    let server = Server::start(|_| {
        let bearer = async || (StatusCode::UNAUTHORIZED, [("www-authenticate", "Bearer")]);
        let busy = async || {
            let code = r#"Signature error="request_signature_jwks_unavailable""#;
            (StatusCode::SERVICE_UNAVAILABLE, [("www-authenticate", code)]).into_response()
        };
        Router::new().route("/bearer", post(bearer)).route("/busy", post(busy))
    })
    .await;
    for (path, status) in [("/bearer", 401), ("/busy", 503)] {
        let response = signing(&key).post(server.url(path)).json(&json!({})).send().await.unwrap();
        assert_eq!(response.status(), status);
    }
}

#[tokio::test]
async fn one_request_can_be_sent_unsigned_by_name() {
    let key = key();
    let seen = Seen::default();
    let server = recording(seen.clone(), StatusCode::OK).await;
    let request = signing(&key).get(server.url("/x")).with_extension(Unsigned);
    request.send().await.unwrap();
    assert_eq!(seen.all(), ["unsigned"]);
}

type Answer = Result<&'static str, &'static str>;

/// Answers as told, and counts how often it is asked.
#[derive(Debug, Clone)]
struct Advertised(Arc<Mutex<(Answer, usize)>>);

impl Advertised {
    fn new(answer: Answer) -> Self {
        Self(Arc::new(Mutex::new((answer, 0))))
    }

    fn set(&self, answer: Answer) {
        self.0.lock().unwrap().0 = answer;
    }

    fn asked(&self) -> usize {
        self.0.lock().unwrap().1
    }
}

#[async_trait::async_trait]
impl FetchCapabilities for Advertised {
    async fn capabilities(
        &self,
        _: &Origin,
    ) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
        let mut advertised = self.0.lock().unwrap();
        advertised.1 += 1;
        Ok(advertised.0?.as_bytes().to_vec())
    }
}

const LISTED: &str = r#"{"adcp":{"supported_versions":["3.2"]},"request_signing":
    {"supported":true,"covers_content_digest":"required","warn_for":["create_media_buy"]}}"#;

/// Whether a request to an operation was signed, of a buyer that signs what is asked for.
async fn signed(client: &ClientWithMiddleware, server: &Server, seen: &Seen, path: &str) -> bool {
    client.post(server.url(path)).json(&json!({})).send().await.unwrap();
    seen.all().last().unwrap() != "unsigned"
}

#[tokio::test]
async fn what_a_counterparty_lists_is_signed_and_nothing_else() {
    let seen = Seen::default();
    let server = recording(seen.clone(), StatusCode::OK).await;
    let clock = Arc::new(FixedClock::new(UnixSeconds::new(1_776_520_800)));
    let advertised = Advertised::new(Ok(LISTED));
    let sellers = Counterparties::fetched_by(advertised.clone())
        .only_asked(Transport::RestPath)
        .with_clock(Arc::clone(&clock));
    let middleware = SignMiddleware::new(signer(&key())).counterparties(sellers);
    let client = ClientBuilder::new(reqwest::Client::new()).with(middleware).build();
    let ask = async |path: &str| signed(&client, &server, &seen, path).await;
    assert!(ask("/adcp/create_media_buy").await);
    assert!(!ask("/adcp/get_products").await);
    assert_eq!(advertised.asked(), 1, "an answer counts for a while");

    // A counterparty that verifies nothing any more, once the answer is old.
    advertised.set(Ok("{}"));
    clock.advance(299);
    assert!(ask("/adcp/create_media_buy").await);
    clock.advance(1);
    assert!(!ask("/adcp/create_media_buy").await);
    assert_eq!(advertised.asked(), 2);

    // One that does not answer: everything is signed, and it is asked again after a minute.
    advertised.set(Err("no answer"));
    clock.advance(300);
    assert!(ask("/adcp/get_products").await);
    clock.advance(59);
    assert!(ask("/adcp/get_products").await);
    assert_eq!(advertised.asked(), 3);
    advertised.set(Ok(LISTED));
    clock.advance(1);
    assert!(!ask("/adcp/get_products").await);
    assert_eq!(advertised.asked(), 4);
}

/// Asks over HTTP, as the documentation has it.
#[derive(Debug)]
struct OverHttp(reqwest::Client);

#[async_trait::async_trait]
impl FetchCapabilities for OverHttp {
    async fn capabilities(
        &self,
        counterparty: &Origin,
    ) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
        let url = format!("{counterparty}/adcp/get_adcp_capabilities");
        let response = self.0.get(url).send().await?.error_for_status()?;
        Ok(response.bytes().await?.to_vec())
    }
}

/// A seller that verifies requests of one wire version, and advertises these.
async fn seller_of(wire: WireVersion, releases: &[&str], key: &Arc<InMemoryProvider>) -> Server {
    let advertised = json!({
        "adcp": { "major_versions": [3], "supported_versions": releases },
        "request_signing": required(),
    });
    let advertised = axum::Json(advertised);
    Server::start(|base| {
        let layer = Verify::new(verifier_of(wire, key, required()), base).operation(OPERATION);
        Router::new()
            .route("/adcp/create_media_buy", post(async || "done").layer(layer))
            .route("/adcp/get_adcp_capabilities", axum::routing::get(async || advertised))
    })
    .await
}

#[tokio::test]
async fn one_client_signs_for_sellers_of_every_version() {
    let key = key();
    let old = seller_of(WireVersion::V3_1, &["3.0", "3.1"], &key).await;
    let new = seller_of(WireVersion::V3_2, &["3.0", "3.1", "3.2"], &key).await;
    // It speaks 3.0 and says nothing of it.
    let silent = seller_of(WireVersion::V3_0, &[], &key).await;
    let sellers = Counterparties::fetched_by(OverHttp(reqwest::Client::new()))
        .with(silent.url("").parse().unwrap(), WireVersion::V3_0);
    let client = client(SignMiddleware::new(signer(&key)).counterparties(sellers)).unwrap();
    for server in [&old, &new, &silent, &old] {
        let order = client.post(server.url("/adcp/create_media_buy")).json(&json!({}));
        assert_eq!(order.send().await.unwrap().text().await.unwrap(), "done");
    }
    // Without counterparties, an old seller does not read the signature.
    let error = signing(&key).post(old.url("/adcp/create_media_buy")).json(&json!({}));
    let error = error.send().await.unwrap_err();
    let SignedCallError::Refused(refusal) = error_of(&error) else { panic!("{error}") };
    assert_eq!(refusal.code(), "request_signature_header_malformed");
}

#[tokio::test]
async fn a_block_that_breaks_the_namespaces_is_refused_and_nothing_is_sent() {
    let seen = Seen::default();
    let server = recording(seen.clone(), StatusCode::OK).await;
    let mixed = r#"{"request_signing":{"supported":true,"covers_content_digest":"required",
        "required_for":["tasks/cancel"]}}"#;
    let sellers = Counterparties::fetched_by(Advertised::new(Ok(mixed)));
    let middleware = SignMiddleware::new(signer(&key())).counterparties(sellers);
    let client = ClientBuilder::new(reqwest::Client::new()).with(middleware).build();
    let error = client.post(server.url("/x")).json(&json!({})).send().await.unwrap_err();
    assert!(matches!(error_of(&error), SignedCallError::Capability { .. }), "{error}");
    assert!(error.to_string().contains("http://127.0.0.1"), "{error}");
    assert_eq!(seen.all(), Vec::<String>::new());
}
