//! A buyer that signs what it orders.
//!
//! `cargo run --example buyer --features reqwest -- http://127.0.0.1:8080 buyer.jwk.json`
//!
//! The key is a file here, so that the example needs no key service. In production it is
//! `adcp_signing::provider_from_uri("awskms:///…")?`.

use adcp_signing_core::{InMemoryProvider, Signer};
use adcp_signing_http::reqwest;
use serde_json::json;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let seller = arguments.next().ok_or("give the URL of the seller")?;
    let key = std::fs::read(arguments.next().ok_or("give the file of the private JWK")?)?;

    let signer = Signer::for_requests(InMemoryProvider::from_jwk_json(&key)?)?;
    let client = reqwest::client(signer)?;
    let order = client.post(format!("{seller}/adcp/create_media_buy"));
    let answer = order.json(&json!({ "budget": 1000 })).send().await?;
    println!("{} {}", answer.status(), answer.text().await?);
    Ok(())
}
