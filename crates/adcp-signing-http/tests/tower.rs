//! The layers over plain `tower` services, without a socket.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "helpers of tests"
)]

mod support;

use std::{convert::Infallible, sync::Arc};

use adcp_signing_core::{InMemoryProvider, VerifiedSigner, WireVersion};
use adcp_signing_http::{Counterparties, SignLayer, SignedCallError, Verify};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, StreamBody};
use support::{BUYER, OPERATION, key, required, signer, verifier, verifier_of};
use tower::{Layer as _, Service, ServiceExt as _, service_fn};

const URL: &str = "https://seller.example.com/adcp/create_media_buy";

fn request(body: &'static str) -> Request<Full<Bytes>> {
    Request::post(URL)
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from_static(body.as_bytes())))
        .unwrap()
}

type Answer = Response<http_body_util::Either<Full<Bytes>, Full<Bytes>>>;
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A client that signs and hands the request to a seller that verifies, in one process.
fn client(
    key: &Arc<InMemoryProvider>,
    published: &Arc<InMemoryProvider>,
) -> impl Service<Request<Full<Bytes>>, Response = Answer, Error = BoxError> {
    let verify = Verify::new(
        verifier(published, required()),
        URL[..26].parse::<adcp_signing_http::BaseUrl>().unwrap(),
    );
    let handler = service_fn(async |request: Request<Full<Bytes>>| {
        let signer = request.extensions().get::<VerifiedSigner>().unwrap();
        let who = signer.agent_url().unwrap_or("?").to_owned();
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let answer = format!("{who} {}", String::from_utf8_lossy(&body));
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(answer))))
    });
    SignLayer::new(signer(key)).max_body(64).layer(verify.operation(OPERATION).layer(handler))
}

#[tokio::test]
async fn what_one_layer_signs_the_other_verifies() {
    let key = key();
    let response = client(&key, &key).oneshot(request(r#"{"budget":1}"#)).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, format!("{BUYER} {{\"budget\":1}}"));
}

#[tokio::test]
async fn a_seller_that_is_configured_as_an_older_one_gets_the_older_form() {
    let key = key();
    let base: adcp_signing_http::BaseUrl = URL[..26].parse().unwrap();
    let verify = Verify::new(verifier_of(WireVersion::V3_0, &key, required()), base);
    let handler = service_fn(async |_: Request<Full<Bytes>>| {
        Ok::<_, Infallible>(Response::<Full<Bytes>>::default())
    });
    let seller = verify.operation(OPERATION).layer(handler);
    let sellers = Counterparties::configured().with(URL[..26].parse().unwrap(), WireVersion::V3_0);
    let signs = SignLayer::new(signer(&key)).counterparties(sellers);
    assert_eq!(signs.layer(seller.clone()).oneshot(request("{}")).await.unwrap().status(), 200);
    SignLayer::new(signer(&key)).layer(seller).oneshot(request("{}")).await.unwrap_err();
}

#[tokio::test]
async fn a_refusal_is_an_error_of_the_client() {
    let (stranger, published) = (key(), key());
    let error = client(&stranger, &published).oneshot(request("{}")).await.unwrap_err();
    let Some(SignedCallError::Refused(refusal)) = error.downcast_ref() else { panic!("{error}") };
    assert_eq!(refusal.code(), "request_signature_key_unknown");
}

#[tokio::test]
async fn what_cannot_be_signed_is_not_sent() {
    let key = key();
    let unsent = async |request| {
        let error = client(&key, &key).oneshot(request).await.unwrap_err();
        match error.downcast::<SignedCallError>() {
            Ok(error) => *error,
            Err(error) => panic!("{error}"),
        }
    };
    let mut relative = request("{}");
    *relative.uri_mut() = "/adcp/create_media_buy".parse().unwrap();
    assert!(matches!(unsent(relative).await, SignedCallError::NotAbsolute));
    let long = request(concat!(
        r#"{"padding":"0123456789012345678901234567890"#,
        r#"123456789012345678901234567890123456789"}"#
    ));
    assert!(matches!(unsent(long).await, SignedCallError::BodyTooLarge { limit: 64 }));
    let mut dotted = request("{}");
    *dotted.uri_mut() = "https://seller.example.com./x".parse().unwrap();
    assert!(matches!(unsent(dotted).await, SignedCallError::Origin(_)));
    let mut untyped = request("{}");
    untyped.headers_mut().clear();
    assert!(matches!(unsent(untyped).await, SignedCallError::Sign(_)));
}

#[tokio::test]
async fn a_body_that_fails_is_not_sent_and_not_verified() {
    let key = key();
    let broken = || {
        let frames = futures_util::stream::iter([Err::<http_body::Frame<Bytes>, _>(
            std::io::Error::other("reset"),
        )]);
        Request::post(URL)
            .header("content-type", "application/json")
            .body(StreamBody::new(frames))
            .unwrap()
    };
    let inner = service_fn(async |_: Request<Full<Bytes>>| {
        Ok::<Response<Full<Bytes>>, Infallible>(Response::default())
    });
    let error = SignLayer::new(signer(&key)).layer(inner).oneshot(broken()).await.unwrap_err();
    assert!(matches!(error.downcast_ref(), Some(SignedCallError::Body(_))), "{error}");
    let open = adcp_signing_core::RequestSigningCapability::unsupported();
    let base: adcp_signing_http::BaseUrl = URL[..26].parse().unwrap();
    let layer = Verify::new(verifier(&key, open), base).operation(OPERATION);
    let response = layer.layer(inner).oneshot(broken()).await.unwrap();
    assert_eq!(response.status(), 400);
}

#[tokio::test]
async fn a_signer_that_was_set_in_front_of_the_layer_is_nobodys() {
    let key = key();
    let seen = |key: &Arc<InMemoryProvider>, capability| {
        let base: adcp_signing_http::BaseUrl = URL[..26].parse().unwrap();
        let handler = service_fn(async |request: Request<Full<Bytes>>| {
            let signer = request.extensions().get::<VerifiedSigner>().cloned();
            let mut response = Response::new(Full::<Bytes>::default());
            if let Some(signer) = signer {
                response.extensions_mut().insert(signer);
            }
            Ok::<_, Infallible>(response)
        });
        Verify::new(verifier(key, capability), base).operation(OPERATION).layer(handler)
    };
    let signed = SignLayer::new(signer(&key)).layer(seen(&key, required()));
    let response = signed.oneshot(request("{}")).await.unwrap();
    let forged = response.extensions().get::<VerifiedSigner>().unwrap().clone();
    let mut unsigned = request("{}");
    unsigned.extensions_mut().insert(forged);
    let open = adcp_signing_core::RequestSigningCapability::unsupported();
    let response = seen(&key, open).oneshot(unsigned).await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.extensions().get::<VerifiedSigner>().is_none());
}
