//! An actix-web server that verifies, over sockets.

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

use actix_web::web;
use adcp_signing_core::{
    Context, FieldLine, InMemoryProvider, Request, Transport, Verified as Verdict, VerifiedSigner,
};
use adcp_signing_http::{AcceptedCredential, BaseUrl, Caller, Verified, Verify};
use serde_json::{Value, json};
use support::{BUYER, OPERATION, Server, key, required, signer, verifier};

async fn create_media_buy(
    Verified(signer, order): Verified<web::Json<Value>>,
) -> Result<String, Infallible> {
    Ok(format!("{} ordered {}", signer.agent_url().unwrap_or("?"), order["budget"]))
}

async fn who(Caller(caller): Caller, body: web::Bytes) -> String {
    let who = match caller {
        Verdict::Signed(_) => "signed",
        Verdict::Fallback(_) => "fallback",
        Verdict::Anonymous(_) => "anonymous",
    };
    format!("{who} {}", body.len())
}

/// A server of actix-web on a thread of its own.
async fn seller(key: &Arc<InMemoryProvider>, time: Duration) -> Server {
    let verifier = verifier(key, required());
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let base: BaseUrl = format!("http://{address}").parse().unwrap();
    let verify = Verify::new(verifier, base).read_timeout(time).max_unsigned_body(1024);
    support::actix::serve(listener, move |app| {
        let layer = verify.operation(OPERATION);
        let bearer = |request: actix_web::dev::ServiceRequest,
                      next: actix_web::middleware::Next<_>| {
            use actix_web::HttpMessage as _;
            if request.headers().get("authorization").is_some_and(|value| value == "Bearer right") {
                request.extensions_mut().insert(AcceptedCredential::of("agency-1"));
            }
            next.call(request)
        };
        app.service(
            web::resource("/adcp/create_media_buy")
                .wrap(layer.clone())
                .route(web::post().to(create_media_buy)),
        )
        .service(
            web::resource("/who")
                .wrap(layer.clone())
                .wrap(actix_web::middleware::from_fn(bearer))
                .route(web::post().to(who)),
        )
        .service(
            web::resource("/open")
                .wrap(verify.operation("get_products"))
                .route(web::post().to(who)),
        )
        .service(web::resource("/twice").wrap(layer.clone()).wrap(layer).route(web::post().to(who)))
        .service(
            web::resource("/forged")
                .wrap(verify.operation("get_products"))
                .wrap(actix_web::middleware::from_fn(
                    |request: actix_web::dev::ServiceRequest,
                     next: actix_web::middleware::Next<_>| {
                        use actix_web::HttpMessage as _;
                        request.extensions_mut().insert(forged());
                        next.call(request)
                    },
                ))
                .route(web::post().to(async |request: actix_web::HttpRequest| {
                    use actix_web::HttpMessage as _;
                    let named = request.extensions().get::<VerifiedSigner>().is_some();
                    format!("a signer is named: {named}")
                })),
        )
        .route("/bare", web::post().to(create_media_buy));
    })
}

/// The signer of another message.
fn forged() -> VerifiedSigner {
    let key = key();
    let fields = [FieldLine::new("Content-Type", "application/json")];
    let url = "https://seller.example.com/adcp/create_media_buy";
    let signed = Request::new("POST", url, &fields, b"{}");
    let signed = futures_executor::block_on(signer(&key).sign(&signed)).unwrap();
    let mut fields = fields.to_vec();
    fields.extend(signed.iter().map(|(name, value)| FieldLine::new(name, value)));
    let route = Transport::Rest { operation: OPERATION.to_owned() };
    let request = Request::new("POST", url, &fields, b"{}");
    let verifier = verifier(&key, required());
    let verdict = futures_executor::block_on(verifier.verify(&request, &Context::request(&route)));
    verdict.unwrap().signer().unwrap()
}

#[tokio::test]
async fn a_signer_that_was_set_in_front_of_the_middleware_is_nobodys() {
    let server = seller(&key(), TIME).await;
    let unsigned = reqwest::Client::new().post(server.url("/forged")).json(&json!({}));
    let response = unsigned.send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.text().await.unwrap(), "a signer is named: false");
}

const TIME: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_signed_request_reaches_its_handler_with_signer_and_body() {
    let key = key();
    let server = seller(&key, TIME).await;
    let client = adcp_signing_http::reqwest::client(signer(&key)).unwrap();
    let url = server.url("/adcp/create_media_buy?page=2");
    let response = client.post(url).json(&json!({ "budget": 1000 })).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.text().await.unwrap(), format!("{BUYER} ordered 1000"));
}

#[tokio::test]
async fn an_unsigned_request_is_refused_by_its_head_alone() {
    let server = seller(&key(), TIME).await;
    let head = format!(
        "POST /adcp/create_media_buy HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
         Content-Length: 3000000\r\n\r\n",
        server.address
    );
    let answer = server.raw(head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    let challenge = "www-authenticate: signature error=\"request_signature_required\"\r\n";
    assert!(answer.to_lowercase().contains(challenge), "{answer}");
}

#[tokio::test]
async fn bodies_too_large_and_too_slow_are_refused() {
    let server = seller(&key(), Duration::from_millis(50)).await;
    let head = format!("POST /open HTTP/1.1\r\nHost: {}\r\n", server.address);
    let chunked =
        format!("{head}Transfer-Encoding: chunked\r\n\r\n401\r\n{}\r\n", "x".repeat(1025));
    let slow = format!("{head}Content-Length: 100\r\n\r\nhalf");
    for (message, status) in [(chunked, "413"), (slow, "408")] {
        let answer = server.raw(message.as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
}

#[tokio::test]
async fn another_credential_stands_in_only_where_a_middleware_in_front_accepted_it() {
    let key = key();
    let server = seller(&key, TIME).await;
    let send = async |path: &str, token: &str| {
        let response = reqwest::Client::new()
            .post(server.url(path))
            .header("authorization", format!("Bearer {token}"))
            .json(&json!({}))
            .send()
            .await
            .unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    assert_eq!(send("/who", "right").await, (200, "fallback 2".to_owned()));
    assert_eq!(send("/who", "wrong").await.0, 401);
    assert_eq!(send("/open", "wrong").await, (200, "anonymous 2".to_owned()));
}

#[tokio::test]
async fn a_resource_without_a_layer_and_one_with_two_are_misconfigured() {
    let key = key();
    let server = seller(&key, TIME).await;
    let client = adcp_signing_http::reqwest::client(signer(&key)).unwrap();
    for path in ["/bare", "/twice"] {
        let response =
            client.post(server.url(path)).json(&json!({ "budget": 1 })).send().await.unwrap();
        assert_eq!(response.status(), 500, "{path}");
        assert_eq!(response.text().await.unwrap(), r#"{"error":"verifier_misconfigured"}"#);
    }
}
