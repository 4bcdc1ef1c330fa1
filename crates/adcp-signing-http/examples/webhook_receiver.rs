//! A buyer that handles each webhook of a seller once.
//!
//! ```text
//! cargo run --example webhook_receiver --features axum,webhooks -- \
//!     127.0.0.1:8080 seller.jwks.json
//! ```
//!
//! What was seen is in memory here. In production the claims are in a database or in
//! `adcp_signing_sqlite::SqliteClaims`, and the replay store is one that all processes share.

#![allow(clippy::indexing_slicing, reason = "a JSON value answers null for a member that it lacks")]

use adcp_signing_core::{InMemoryReplayStore, InMemoryRevocation, JwkSet, StaticKeys, Verifier};
use adcp_signing_http::{
    BaseUrl, Verify,
    webhook::{InMemoryDedup, Webhook, WebhookReceiver},
};
use axum::{Json, Router, routing::post};
use serde_json::Value;

/// Reached once by each webhook that is authentic.
async fn on_event(Webhook(origin, Json(event)): Webhook<Json<Value>>) {
    println!("{} reports {} of {}", origin.sender(), event["status"], event["task_id"]);
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().ok_or("give an address, such as 127.0.0.1:8080")?;
    let jwks = std::fs::read(arguments.next().ok_or("give the file of the seller's JWKS")?)?;

    let keys = StaticKeys::from_jwks_of("https://seller.example.com/adcp", &JwkSet::parse(&jwks)?)?;
    let verifier = Verifier::for_webhooks()
        .keys(keys)
        .revocation(InMemoryRevocation::default())
        .replay(InMemoryReplayStore::default())
        .build();

    let listener = tokio::net::TcpListener::bind(address).await?;
    let url: BaseUrl = format!("http://{}", listener.local_addr()?).parse()?;
    println!("listening on {url}");
    let receiver = WebhookReceiver::rfc9421(&Verify::new(verifier, url), InMemoryDedup::default());
    let app = Router::new().route("/hooks/7", post(on_event).layer(receiver));
    Ok(axum::serve(listener, app).await?)
}
