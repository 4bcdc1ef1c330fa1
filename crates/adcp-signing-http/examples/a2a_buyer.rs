//! An A2A client that signs each of its requests.
//!
//! `cargo run --example a2a_buyer --features a2a -- http://127.0.0.1:8080 buyer.jwk.json`

use a2a::{Message, Part, Role, SendMessageRequest};
use a2a_client::A2AClient;
use adcp_signing_core::{InMemoryProvider, Signer};
use adcp_signing_http::a2a::{SigningClient, refusal};
use serde_json::json;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let seller = arguments.next().ok_or("give the URL of the seller")?;
    let key = std::fs::read(arguments.next().ok_or("give the file of the private JWK")?)?;

    let http = SigningClient::new(Signer::for_requests(InMemoryProvider::from_jwk_json(&key)?)?)?;
    let seller = A2AClient::new(http.json_rpc(&seller)?);
    let order = json!({ "skill": "create_media_buy", "input": { "budget": 1000 } });
    let message = Message::new(Role::User, vec![Part::data(order)]);
    let request = SendMessageRequest { message, configuration: None, metadata: None, tenant: None };
    match seller.send_message(&request).await {
        Ok(answer) => println!("{}", serde_json::to_string(&answer)?),
        Err(error) => match refusal(&error) {
            Some(refusal) => return Err(format!("{:?}: {refusal}", refusal.recovery()).into()),
            None => return Err(error.into()),
        },
    }
    Ok(())
}
