//! An MCP client that signs each of its messages.
//!
//! `cargo run --example mcp_buyer --features rmcp -- http://127.0.0.1:8080/mcp buyer.jwk.json`

use adcp_signing_core::{InMemoryProvider, Signer};
use adcp_signing_http::rmcp::SigningClient;
use rmcp::{
    ServiceExt as _,
    model::CallToolRequestParams,
    transport::{
        StreamableHttpClientTransport, streamable_http_client::StreamableHttpClientTransportConfig,
    },
};
use serde_json::json;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let seller = arguments.next().ok_or("give the URL of the seller")?;
    let key = std::fs::read(arguments.next().ok_or("give the file of the private JWK")?)?;

    let signer = Signer::for_requests(InMemoryProvider::from_jwk_json(&key)?)?;
    let transport = StreamableHttpClientTransport::with_client(
        SigningClient::new(signer)?,
        StreamableHttpClientTransportConfig::with_uri(seller),
    );
    let client = ().serve(transport).await?;
    let order = json!({ "budget": 1000 }).as_object().cloned().unwrap_or_default();
    let call = CallToolRequestParams::new("create_media_buy").with_arguments(order);
    let answer = client.call_tool(call).await?;
    println!("{}", serde_json::to_string(&answer)?);
    client.cancel().await?;
    Ok(())
}
