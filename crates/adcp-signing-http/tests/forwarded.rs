//! Servers behind a proxy that rewrites `Host`, over sockets.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

mod support;

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use adcp_signing_core::{InMemoryProvider, Origin};
use adcp_signing_http::{BaseUrl, PeerAddress, TrustedProxies, Verify};
use axum::{Extension, Router, routing::post};
use http::header::HOST;
use support::{OPERATION, Server, key, required, signer, verifier};

const URL: &str = "https://seller.example.com";
const ATTESTED: &str = "Forwarded: host=seller.example.com;proto=https";

fn verify(key: &InMemoryProvider, proxies: TrustedProxies) -> Verify {
    // A proxy in front has always terminated TLS; what it says of the scheme is held to all the same.
    let base: BaseUrl = URL.parse().unwrap();
    let base = base.with_tls_terminated_in_front();
    Verify::new(verifier(key, required()), base).behind(proxies)
}

fn loopback() -> TrustedProxies {
    TrustedProxies::forwarded(["127.0.0.0/8"]).unwrap()
}

/// An order to the seller, signed, as a proxy that rewrites `Host` sends it on.
async fn order(key: &Arc<InMemoryProvider>, forwarded: &[&str]) -> Vec<u8> {
    let origin: Origin = URL.parse().unwrap();
    let request = http::Request::post(format!("{URL}/adcp/create_media_buy"))
        .header("content-type", "application/json")
        .body(())
        .unwrap();
    let (mut parts, ()) = request.into_parts();
    signer(key).sign_http(&mut parts, b"{}", &origin).await.unwrap();
    parts.headers.insert(HOST, "upstream:8080".parse().unwrap());
    let mut text = "POST /adcp/create_media_buy HTTP/1.1\r\ncontent-length: 2\r\n".to_owned();
    for (name, value) in &parts.headers {
        text.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
    }
    for line in forwarded {
        text.push_str(&format!("{line}\r\n"));
    }
    format!("{text}connection: close\r\n\r\n{{}}").into_bytes()
}

/// Status and code of the answer.
async fn answer(
    server: &Server,
    key: &Arc<InMemoryProvider>,
    forwarded: &[&str],
) -> (String, String) {
    let answer = server.raw(&order(key, forwarded).await).await;
    let status = answer.split(' ').nth(1).unwrap().to_owned();
    let code = answer
        .split_once("Signature error=\"")
        .map_or("", |(_, rest)| rest.split_once('"').unwrap().0);
    (status, code.to_owned())
}

async fn axum_server(verify: Verify, connected: bool) -> Server {
    let layer = verify.operation(OPERATION);
    let app = Router::new().route("/adcp/create_media_buy", post(async || "done").layer(layer));
    serve(app, connected).await
}

async fn serve(app: Router, connected: bool) -> Server {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        if connected {
            let app = app.into_make_service_with_connect_info::<SocketAddr>();
            axum::serve(listener, app).await.unwrap();
        } else {
            axum::serve(listener, app).await.unwrap();
        }
    });
    Server::of(address, task)
}

fn actix_server(verify: Verify) -> Server {
    use actix_web::{App, HttpServer, web};

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let app = move || {
        let order = web::resource("/adcp/create_media_buy").wrap(verify.operation(OPERATION));
        App::new().service(order.route(web::post().to(async || "done")))
    };
    let server = HttpServer::new(app).workers(1).disable_signals().listen(listener).unwrap().run();
    let handle = server.handle();
    std::thread::spawn(move || actix_web::rt::System::new().block_on(server));
    Server::of(
        address,
        tokio::spawn(async move {
            let _stop = Stop(handle);
            std::future::pending::<()>().await;
        }),
    )
}

struct Stop(actix_web::dev::ServerHandle);

impl Drop for Stop {
    fn drop(&mut self) {
        drop(self.0.stop(false));
    }
}

#[tokio::test]
async fn what_a_named_proxy_writes_takes_the_place_of_host_in_axum_and_actix_web() {
    let key = key();
    for server in
        [axum_server(verify(&key, loopback()), true).await, actix_server(verify(&key, loopback()))]
    {
        for (forwarded, status, code) in [
            (&[ATTESTED][..], "200", ""),
            (
                &[
                    "Forwarded: host=evil.example.com;proto=https, host=seller.example.com;proto=https",
                ],
                "200",
                "",
            ),
            (
                &["Forwarded: host=evil.example.com;proto=https"],
                "401",
                "request_target_uri_malformed",
            ),
            // TLS did not end at the proxy: there was none.
            (
                &["Forwarded: host=seller.example.com;proto=http"],
                "401",
                "request_target_uri_malformed",
            ),
            (&[ATTESTED, ATTESTED], "401", "request_target_uri_malformed"),
            (
                &[ATTESTED, "X-Forwarded-Host: seller.example.com"],
                "401",
                "request_target_uri_malformed",
            ),
            (&["Forwarded: host=\"seller.example.com"], "401", "request_target_uri_malformed"),
            (&[], "500", ""),
        ] {
            let expected = (status.to_owned(), code.to_owned());
            assert_eq!(answer(&server, &key, forwarded).await, expected, "{forwarded:?}");
        }
    }
}

#[tokio::test]
async fn what_anybody_else_writes_is_ignored_and_host_counts() {
    let key = key();
    let elsewhere = TrustedProxies::forwarded(["192.0.2.0/24"]).unwrap();
    for server in [
        axum_server(verify(&key, elsewhere.clone()), true).await,
        actix_server(verify(&key, elsewhere.clone())),
    ] {
        let refused = ("401".to_owned(), "request_target_uri_malformed".to_owned());
        assert_eq!(answer(&server, &key, &[ATTESTED]).await, refused);
    }
    // An order that was not rewritten passes, with whatever its sender wrote.
    let server = axum_server(verify(&key, elsewhere), true).await;
    let order = String::from_utf8(order(&key, &["Forwarded: host=\"x"]).await).unwrap();
    let order = order.replace("upstream:8080", "seller.example.com");
    let answer = server.raw(order.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn without_the_address_of_the_peer_nobody_is_served() {
    let key = key();
    let server = axum_server(verify(&key, loopback()), false).await;
    assert_eq!(answer(&server, &key, &[ATTESTED]).await.0, "500");
    // A layer of one's own says it, and wins over the connection.
    for (address, connected, status) in
        [("127.0.0.1", false, "200"), ("127.0.0.1", true, "200"), ("192.0.2.1", true, "401")]
    {
        let layer = verify(&key, loopback()).operation(OPERATION);
        let peer = PeerAddress(address.parse::<IpAddr>().unwrap());
        let app = Router::new()
            .route("/adcp/create_media_buy", post(async || "done").layer(layer))
            .layer(Extension(peer));
        let server = serve(app, connected).await;
        assert_eq!(answer(&server, &key, &[ATTESTED]).await.0, status, "{address}");
    }
}
