//! Sellers of both frameworks, which answer an order with the length of its body.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use actix_web::web;
use adcp_signing_core::InMemoryProvider;
use adcp_signing_http::{BaseUrl, Verified, Verify};
use axum::{Router, body::Bytes, routing::post};

use super::{OPERATION, Server, required, verifier};

pub(crate) const PATH: &str = "/adcp/create_media_buy";

pub(crate) fn axum_app(verify: &Verify) -> Router {
    let handler = |Verified(_, body): Verified<Bytes>| async move { body.len().to_string() };
    Router::new().route(PATH, post(handler).layer(verify.operation(OPERATION)))
}

pub(crate) async fn axum(key: &InMemoryProvider, set: impl FnOnce(Verify) -> Verify) -> Server {
    Server::start(|base| axum_app(&set(Verify::new(verifier(key, required()), base)))).await
}

pub(crate) fn actix(key: &InMemoryProvider, set: impl FnOnce(Verify) -> Verify) -> Server {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base: BaseUrl = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let layer = set(Verify::new(verifier(key, required()), base)).operation(OPERATION);
    super::actix::serve(listener, move |app| {
        let handler = async |Verified(_, body): Verified<web::Bytes>| body.len().to_string();
        app.service(web::resource(PATH).wrap(layer.clone()).route(web::post().to(handler)));
    })
}
