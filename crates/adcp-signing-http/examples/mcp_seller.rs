//! An MCP server whose tools see who signed.
//!
//! `cargo run --example mcp_seller --features axum,rmcp -- 127.0.0.1:8080 buyer.jwks.json`

use std::sync::Arc;

use adcp_signing_core::{
    InMemoryReplayStore, InMemoryRevocation, JwkSet, RequestSigningCapability, StaticKeys,
    VerifiedSigner, Verifier, WireVersion,
    operation::{DigestPolicy, List},
};
use adcp_signing_http::{BaseUrl, Verify};
use rmcp::{
    RoleServer,
    handler::server::wrapper::Parameters,
    schemars,
    service::RequestContext,
    tool, tool_router,
    transport::streamable_http_server::{
        StreamableHttpService, session::local::LocalSessionManager,
    },
};
use tower_layer::Layer as _;

struct Seller;

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Order {
    budget: u32,
}

#[tool_router(server_handler)]
impl Seller {
    #[tool(description = "Buys media")]
    fn create_media_buy(
        &self,
        Parameters(order): Parameters<Order>,
        context: RequestContext<RoleServer>,
    ) -> Result<String, String> {
        let head = context.extensions.get::<http::request::Parts>();
        let signer = head.and_then(|head| head.extensions.get::<VerifiedSigner>());
        let buyer = signer.ok_or("the call is not signed")?.agent_url().unwrap_or_default();
        Ok(format!("{buyer} bought for {}", order.budget))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().ok_or("give an address, such as 127.0.0.1:8080")?;
    let jwks = std::fs::read(arguments.next().ok_or("give the file of the buyer's JWKS")?)?;

    let keys = StaticKeys::from_jwks_of("https://buyer.example.com/adcp", &JwkSet::parse(&jwks)?)?;
    let capability = RequestSigningCapability::supported_with(DigestPolicy::Required)
        .with_operations(List::Required, ["create_media_buy"])?;
    let verifier = Verifier::for_requests(WireVersion::V3_2, capability)
        .keys(keys)
        .revocation(InMemoryRevocation::default())
        .replay(InMemoryReplayStore::default())
        .build();

    let listener = tokio::net::TcpListener::bind(address).await?;
    let url: BaseUrl = format!("http://{}", listener.local_addr()?).parse()?;
    println!("listening on {url}");
    // Hosts other than loopback have to be named in the configuration of the service.
    let mcp = StreamableHttpService::new(
        || Ok(Seller),
        Arc::new(LocalSessionManager::default()),
        Default::default(),
    );
    let app =
        axum::Router::new().route_service("/mcp", Verify::new(verifier, url).mcp().layer(mcp));
    Ok(axum::serve(listener, app).await?)
}
