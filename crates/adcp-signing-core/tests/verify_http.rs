//! Verifying `http::Request` as a server holds it: the request comes back with the answer alone.
#![cfg(feature = "http")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::sync::Arc;

use adcp_signing_core::{
    Algorithm, Context, FallbackCredential, FixedClock, InMemoryProvider, InMemoryReplayStore,
    InMemoryRevocation, JwkSet, KeyPurpose, Origin, OriginError, Profile, Rejection,
    RequestSigningCapability, Signer, StaticKeys, Step, Transport, UnixSeconds, Verified,
    VerifiedHttp, VerifiedSigner, Verifier, WireVersion,
    operation::{DigestPolicy, List},
};
use futures_executor::block_on;
use http::{HeaderValue, Method, Request, Uri, Version, header::HOST};

const NOW: UnixSeconds = UnixSeconds::new(1_776_520_800);
const OPERATION: &str = "create_media_buy";
const AUTHORITY: &str = "seller.example.com";
const AGENT: &str = "https://buyer.example.com/agent";
const BODY: &[u8] = br#"{"budget":1000}"#;

fn origin() -> Origin {
    format!("https://{AUTHORITY}").parse().unwrap()
}

/// A key, and who knows it.
struct Buyer {
    key: Arc<InMemoryProvider>,
    keys: StaticKeys,
}

impl Buyer {
    fn new() -> Self {
        let key = InMemoryProvider::generate(Algorithm::Ed25519, KeyPurpose::RequestSigning)
            .unwrap()
            .with_key_id("buyer-2026");
        let set = format!(r#"{{"keys":[{}]}}"#, serde_json::to_string(&key.jwk()).unwrap());
        let set = JwkSet::parse(set.as_bytes()).unwrap();
        let keys = StaticKeys::from_jwks_of(AGENT, &set).unwrap();
        Self { key: Arc::new(key), keys }
    }

    fn sign(&self, request: Request<Vec<u8>>) -> Request<Vec<u8>> {
        self.sign_with(Signer::for_requests(self.key.clone()).unwrap(), request)
    }

    fn sign_webhook(&self, request: Request<Vec<u8>>) -> Request<Vec<u8>> {
        self.sign_with(Signer::for_webhooks(self.key.clone()).unwrap(), request)
    }

    fn sign_with(&self, signer: Signer, request: Request<Vec<u8>>) -> Request<Vec<u8>> {
        let signer = signer.with_clock(FixedClock::new(NOW));
        let (mut parts, body) = request.into_parts();
        block_on(signer.sign_http(&mut parts, &body, &origin())).unwrap();
        Request::from_parts(parts, body)
    }

    fn verifier(&self, capability: RequestSigningCapability) -> Verifier {
        Verifier::for_requests(WireVersion::V3_2, capability)
            .keys(self.keys.clone())
            .revocation(InMemoryRevocation::default())
            .replay(InMemoryReplayStore::default())
            .clock(FixedClock::new(NOW))
            .build()
    }

    fn webhooks(&self) -> Verifier {
        Verifier::for_webhooks()
            .keys(self.keys.clone())
            .revocation(InMemoryRevocation::default())
            .replay(InMemoryReplayStore::default())
            .clock(FixedClock::new(NOW))
            .build()
    }
}

fn required() -> RequestSigningCapability {
    optional().with_operations(List::Required, [OPERATION]).unwrap()
}

fn optional() -> RequestSigningCapability {
    RequestSigningCapability::supported_with(DigestPolicy::Required)
}

fn post(uri: &str) -> Request<Vec<u8>> {
    let request = Request::post(uri).header("content-type", "application/json");
    request.body(BODY.to_vec()).unwrap()
}

fn route() -> Transport {
    Transport::Rest { operation: OPERATION.into() }
}

fn verify(
    verifier: &Verifier,
    request: Request<Vec<u8>>,
) -> Result<VerifiedHttp<Vec<u8>>, Rejection> {
    let route = route();
    block_on(verifier.verify_http(request, &origin(), &Context::request(&route)))
}

fn assert_refused<T: std::fmt::Debug>(
    outcome: Result<T, Rejection>,
    reason: &str,
    step: Step,
    status: u16,
) {
    let rejection = outcome.unwrap_err();
    assert_eq!(rejection.reason().as_str(), reason, "{rejection}");
    assert_eq!((rejection.step(), rejection.status()), (step, status), "{rejection}");
}

#[test]
fn what_sign_http_signs_verify_http_accepts_in_origin_form_and_in_absolute_form() {
    let buyer = Buyer::new();
    let verifier = buyer.verifier(required());

    // HTTP/1.1: the origin form with `Host`.
    let mut request = buyer.sign(post("/adcp/create_media_buy?dry=1"));
    request.headers_mut().insert(HOST, HeaderValue::from_static(AUTHORITY));
    let (signer, request) = verify(&verifier, request).unwrap().signed().unwrap();
    assert_eq!((signer.agent_url(), signer.operation()), (Some(AGENT), Some(OPERATION)));
    assert!(signer.covers_body());
    assert_eq!(request.body(), BODY);
    assert_eq!(request.extensions().get::<VerifiedSigner>(), Some(&signer));

    // HTTP/2: the absolute form, whose authority is `:authority`.
    let mut request = buyer.sign(post("https://seller.example.com/adcp/create_media_buy"));
    *request.version_mut() = Version::HTTP_2;
    let verified = verify(&verifier, request).unwrap();
    assert!(matches!(verified.verified(), Verified::Signed(_)));
    assert!(verified.signed().is_ok());

    // Signed in one form and received in the other: it is one target URI.
    let mut request = buyer.sign(post("https://seller.example.com:443/adcp/create_media_buy"));
    *request.uri_mut() = Uri::from_static("/adcp/create_media_buy");
    assert!(verify(&verifier, request).unwrap().signed().is_ok());
}

#[test]
fn a_request_with_its_body_apart_is_verified_alike() {
    let buyer = Buyer::new();
    let verifier = buyer.verifier(required());
    let (parts, body) = buyer.sign(post("/adcp/create_media_buy")).into_parts();
    let route = route();
    let context = Context::request(&route);
    let outcome = block_on(verifier.verify_parts(&parts, b"{}", &origin(), &context));
    assert_refused(outcome, "request_signature_digest_mismatch", Step::Digest, 401);
    let outcome = block_on(verifier.verify_parts(&parts, &body, &origin(), &context));
    assert_eq!(outcome.unwrap().signer().unwrap().agent_url(), Some(AGENT));
}

#[test]
fn the_same_request_twice_is_a_replay() {
    let buyer = Buyer::new();
    let verifier = buyer.verifier(required());
    let request = buyer.sign(post("/adcp/create_media_buy"));
    assert!(verify(&verifier, request.clone()).unwrap().signed().is_ok());
    assert_refused(verify(&verifier, request), "request_signature_replayed", Step::Replay, 401);
}

#[test]
fn another_path_query_method_or_body_than_the_signed_one_is_refused() {
    let buyer = Buyer::new();
    let verifier = buyer.verifier(required());
    let signed = || buyer.sign(post("/adcp/create_media_buy?a=1"));
    for uri in ["/adcp/create_media_buy", "/adcp/create_media_buy?a=2", "/create_media_buy?a=1"] {
        let mut request = signed();
        *request.uri_mut() = uri.parse().unwrap();
        assert_refused(
            verify(&verifier, request),
            "request_signature_invalid",
            Step::Signature,
            401,
        );
    }
    let mut request = signed();
    *request.method_mut() = Method::PUT;
    assert_refused(verify(&verifier, request), "request_signature_invalid", Step::Signature, 401);
    let mut request = signed();
    request.body_mut().push(b' ');
    assert_refused(
        verify(&verifier, request),
        "request_signature_digest_mismatch",
        Step::Digest,
        401,
    );
}

/// Signed or not, and whether or not anything is required.
#[test]
fn a_request_that_is_not_one_to_the_origin_is_refused_at_step_0() {
    let buyer = Buyer::new();
    for uri in [
        "https://other.example.com/adcp/create_media_buy",
        "https://seller.example.com.evil.example/adcp/create_media_buy",
        "https://seller.example.com:8443/adcp/create_media_buy",
        "http://seller.example.com/adcp/create_media_buy",
        "https://user@seller.example.com/adcp/create_media_buy",
        "https://seller..example.com/adcp/create_media_buy",
        "https://xn--a-.example.com/adcp/create_media_buy?x=1",
        "https://seller.example.com:0443/adcp/create_media_buy?x=1",
        "https://seller.example.com:/adcp/create_media_buy?x=/get_products",
        "seller.example.com:443",
        "*",
    ] {
        let Ok(uri) = uri.parse::<Uri>() else {
            panic!("http::Uri does not hold {uri}");
        };
        for capability in [required(), optional()] {
            let verifier = buyer.verifier(capability);
            let mut unsigned = post("/adcp/create_media_buy");
            let mut signed = buyer.sign(post("/adcp/create_media_buy"));
            for request in [&mut unsigned, &mut signed] {
                *request.uri_mut() = uri.clone();
                let outcome = verify(&verifier, request.clone());
                let rejection = outcome.unwrap_err();
                assert_eq!(rejection.reason().as_str(), "request_target_uri_malformed", "{uri}");
                assert_eq!((rejection.step(), rejection.status()), (Step::Precheck, 401), "{uri}");
                let source = std::error::Error::source(&rejection).unwrap();
                assert!(source.is::<OriginError>(), "{uri}");
            }
        }
        let mut webhook = buyer.sign_webhook(post("/callback"));
        *webhook.uri_mut() = uri.clone();
        let webhooks = buyer.webhooks();
        let outcome = block_on(webhooks.verify_http(webhook, &origin(), &Context::webhook()));
        assert_refused(outcome, "webhook_target_uri_malformed", Step::Precheck, 401);
    }
}

#[test]
fn a_host_that_disagrees_is_refused_where_the_request_is_signed_and_decides_nothing_where_not() {
    let buyer = Buyer::new();
    let verifier = buyer.verifier(required());
    for host in ["other.example.com", "seller.example.com:", "seller.example.com:099", ""] {
        let host = HeaderValue::from_str(host).unwrap();
        let mut request = buyer.sign(post("/adcp/create_media_buy"));
        request.headers_mut().insert(HOST, host.clone());
        assert_refused(
            verify(&verifier, request),
            "request_target_uri_malformed",
            Step::Signature,
            401,
        );
        let mut request = post("/adcp/create_media_buy?x=1");
        request.headers_mut().insert(HOST, host);
        assert_refused(
            verify(&verifier, request),
            "request_signature_required",
            Step::Precheck,
            401,
        );
    }
}

#[test]
fn no_odd_path_lets_an_unsigned_request_to_a_required_operation_pass() {
    let buyer = Buyer::new();
    let verifier = buyer.verifier(required());
    let long = format!("/adcp/create_media_buy?x={}/get_products", "a".repeat(9_000));
    for path in [
        "/adcp/create_media_buy",
        "/adcp/create_media_buy?x=1",
        "/adcp/create_media_buy?x=/y",
        "/adcp/create_media_buy?",
        "/adcp//create_media_buy/",
        "/adcp/%63reate_media_buy",
        "/adcp/CREATE_MEDIA_BUY;v=1",
        "/x/../adcp/create_media_buy",
        "/%zz/../create_media_buy?x=1",
        "//evil.example/create_media_buy",
        &long,
    ] {
        for uri in [path.to_owned(), format!("https://{AUTHORITY}{path}")] {
            for transport in [route(), Transport::RestPath] {
                let context = Context::request(&transport);
                let outcome = block_on(verifier.verify_http(post(&uri), &origin(), &context));
                let rejection = outcome.unwrap_err();
                let reason = rejection.reason().as_str();
                assert!(
                    ["request_signature_required", "request_target_uri_malformed"]
                        .contains(&reason),
                    "{uri}: {rejection}"
                );
                assert_eq!((rejection.step(), rejection.status()), (Step::Precheck, 401), "{uri}");
            }
        }
    }
}

#[test]
fn the_signer_becomes_an_extension_only_where_there_is_one() {
    let buyer = Buyer::new();
    let verifier = buyer.verifier(optional());

    // A signer that something in front of the verifier claims to know is not believed.
    let (forged, _) =
        verify(&verifier, buyer.sign(post("/adcp/create_media_buy"))).unwrap().signed().unwrap();
    let mut request = post("/adcp/create_media_buy");
    request.extensions_mut().insert(forged.clone());
    let anonymous = verify(&verifier, request).unwrap();
    assert!(matches!(anonymous.verified(), Verified::Anonymous(_)));
    let (answer, request) = anonymous.into_parts();
    assert!(matches!(answer, Verified::Anonymous(_)));
    assert!(request.extensions().get::<VerifiedSigner>().is_none());
    assert_eq!(request.body(), BODY);

    let anonymous = verify(&verifier, request).unwrap();
    assert_refused(anonymous.signed(), "request_signature_required", Step::Precheck, 401);

    let mut request = buyer.sign(post("/adcp/create_media_buy"));
    request.extensions_mut().insert(forged);
    let (answer, request) = verify(&verifier, request).unwrap().into_parts();
    assert!(matches!(answer, Verified::Signed(_)));
    assert!(request.extensions().get::<VerifiedSigner>().is_none());
}

#[test]
fn another_credential_stands_for_the_caller_and_is_no_signer() {
    let buyer = Buyer::new();
    let verifier = buyer.verifier(optional().with_operations(List::Warn, [OPERATION]).unwrap());
    let route = route();
    let context = Context::request(&route).with_fallback(FallbackCredential::Valid);
    let deliver = || block_on(verifier.verify_http(post("/adcp/x"), &origin(), &context)).unwrap();
    let (answer, _) = deliver().into_parts();
    let Verified::Fallback(fallback) = answer else { panic!("{answer:?}") };
    assert!(fallback.shadow().is_some());
    assert_refused(deliver().signed(), "request_signature_required", Step::Precheck, 401);
}

#[test]
fn webhooks_are_signed_or_refused() {
    let buyer = Buyer::new();
    let verifier = buyer.webhooks();
    let deliver = |request| block_on(verifier.verify_http(request, &origin(), &Context::webhook()));
    let (signer, request) =
        deliver(buyer.sign_webhook(post("/callback"))).unwrap().signed().unwrap();
    assert_eq!((signer.agent_url(), signer.operation()), (Some(AGENT), None));
    assert_eq!(request.extensions().get::<VerifiedSigner>(), Some(&signer));
    assert!(deliver(post("/callback")).is_err());
    assert_refused(
        deliver(buyer.sign(post("/callback"))),
        "webhook_signature_header_malformed",
        Step::Parse,
        401,
    );
}

#[test]
fn a_body_over_the_bound_is_answered_413() {
    let buyer = Buyer::new();
    let bounds = Profile::request(WireVersion::V3_2).bounds().with_max_body_bytes(BODY.len());
    let verifier = Verifier::for_requests(WireVersion::V3_2, required())
        .keys(buyer.keys.clone())
        .revocation(InMemoryRevocation::default())
        .replay(InMemoryReplayStore::default())
        .clock(FixedClock::new(NOW))
        .bounds(bounds)
        .build();
    assert!(verify(&verifier, buyer.sign(post("/adcp"))).unwrap().signed().is_ok());
    let mut request = post("/adcp");
    request.body_mut().push(b' ');
    for request in [request.clone(), buyer.sign(request)] {
        assert_refused(verify(&verifier, request), "body_too_large", Step::Precheck, 413);
    }
}

#[test]
fn debug_shows_neither_body_nor_fields() {
    let buyer = Buyer::new();
    let mut request = post("/adcp/secret-path");
    request.headers_mut().insert("authorization", HeaderValue::from_static("Bearer secret"));
    let verified = verify(&buyer.verifier(optional()), request).unwrap();
    let shown = format!("{verified:?}");
    assert!(shown.starts_with("VerifiedHttp"), "{shown}");
    assert!(!shown.contains("secret") && !shown.contains("budget"), "{shown}");
}

/// What a handler of a server needs of the future.
#[test]
fn the_future_can_move_between_threads() {
    fn sent<T: Send>(_: &T) {}
    let buyer = Buyer::new();
    let verifier = buyer.verifier(required());
    let (route, origin) = (route(), origin());
    let context = Context::request(&route);
    sent(&verifier.verify_http(post("/adcp"), &origin, &context));
}
