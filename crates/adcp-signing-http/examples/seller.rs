//! A seller that verifies who buys.
//!
//! `cargo run --example seller --features axum -- 127.0.0.1:8080 buyer.jwks.json`

#![allow(clippy::indexing_slicing, reason = "a JSON value answers null for a member that it lacks")]

use adcp_signing_core::{
    InMemoryReplayStore, InMemoryRevocation, JwkSet, RequestSigningCapability, StaticKeys,
    Verifier, WireVersion,
    operation::{DigestPolicy, List},
};
use adcp_signing_http::{BaseUrl, Verified, Verify};
use axum::{
    Json, Router,
    routing::{get, post},
};
use serde_json::{Value, json};

/// Reached by verified requests alone.
async fn create_media_buy(Verified(buyer, Json(order)): Verified<Json<Value>>) -> Json<Value> {
    let buyer = buyer.agent_url().unwrap_or_default();
    Json(json!({ "status": "accepted", "buyer": buyer, "budget": order["budget"] }))
}

fn capability() -> Result<RequestSigningCapability, adcp_signing_core::CapabilityError> {
    RequestSigningCapability::supported_with(DigestPolicy::Required)
        .with_operations(List::Required, ["create_media_buy"])
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().ok_or("give an address, such as 127.0.0.1:8080")?;
    let jwks = std::fs::read(arguments.next().ok_or("give the file of the buyer's JWKS")?)?;

    let keys = StaticKeys::from_jwks_of("https://buyer.example.com/adcp", &JwkSet::parse(&jwks)?)?;
    let verifier = Verifier::for_requests(WireVersion::V3_2, capability()?)
        .keys(keys)
        .revocation(InMemoryRevocation::default())
        .replay(InMemoryReplayStore::default())
        .build();

    let listener = tokio::net::TcpListener::bind(address).await?;
    let url: BaseUrl = format!("http://{}", listener.local_addr()?).parse()?;
    println!("listening on {url}");
    let verify = Verify::new(verifier, url);
    let buy = post(create_media_buy).layer(verify.operation("create_media_buy"));
    let advertised = Json(json!({
        "adcp": { "major_versions": [3], "supported_versions": ["3.2"] },
        "request_signing": capability()?,
    }));
    let app = Router::new()
        .route("/adcp/create_media_buy", buy)
        .route("/adcp/get_adcp_capabilities", get(advertised));
    Ok(axum::serve(listener, app).await?)
}
