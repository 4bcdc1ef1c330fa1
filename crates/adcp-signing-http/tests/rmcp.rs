//! The official MCP SDK on both sides, over sockets: it signs, and our layer verifies.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

mod support;

use std::sync::Arc;

use adcp_signing_core::{InMemoryProvider, Recovery, Transport, VerifiedSigner, WireVersion};
use adcp_signing_http::{
    Counterparties, Verify,
    rmcp::{SigningClient, challenge},
};
use axum::Router;
use rmcp::{
    RoleClient, RoleServer, ServiceExt as _,
    handler::server::wrapper::Parameters,
    model::CallToolRequestParams,
    schemars,
    service::{RequestContext, RunningService},
    tool, tool_router,
    transport::{
        StreamableHttpClientTransport,
        streamable_http_client::StreamableHttpClientTransportConfig,
        streamable_http_server::{StreamableHttpService, session::local::LocalSessionManager},
    },
};
use support::{BUYER, OPERATION, Reached, Server, key, required, signer, verifier_of};

#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
struct Order {
    budget: u32,
}

#[derive(Debug, Clone)]
struct Seller {
    reached: Reached,
}

#[tool_router(server_handler)]
impl Seller {
    #[tool(description = "Buys media")]
    fn create_media_buy(
        &self,
        Parameters(Order { budget }): Parameters<Order>,
        context: RequestContext<RoleServer>,
    ) -> String {
        self.reached.add();
        format!("{} ordered {budget}", signer_of(&context))
    }
}

/// Who signed the message that a tool answers.
fn signer_of(context: &RequestContext<RoleServer>) -> String {
    let head = context.extensions.get::<http::request::Parts>().unwrap();
    let signer = head.extensions.get::<VerifiedSigner>();
    signer.and_then(VerifiedSigner::agent_url).unwrap_or("nobody").to_owned()
}

async fn seller(key: &Arc<InMemoryProvider>, reached: &Reached) -> Server {
    seller_of(WireVersion::V3_2, key, reached).await
}

async fn seller_of(wire: WireVersion, key: &Arc<InMemoryProvider>, reached: &Reached) -> Server {
    Server::start(|base| {
        let reached = reached.clone();
        let mcp = StreamableHttpService::new(
            move || Ok(Seller { reached: reached.clone() }),
            Arc::new(LocalSessionManager::default()),
            Default::default(),
        );
        let verify = Verify::new(verifier_of(wire, key, required()), base);
        Router::new().route_service("/mcp", tower::Layer::layer(&verify.mcp(), mcp))
    })
    .await
}

async fn buyer(
    server: &Server,
    key: &Arc<InMemoryProvider>,
) -> Result<RunningService<RoleClient, ()>, Box<dyn std::error::Error>> {
    serve(server, SigningClient::new(signer(key))?).await
}

async fn serve(
    server: &Server,
    client: SigningClient,
) -> Result<RunningService<RoleClient, ()>, Box<dyn std::error::Error>> {
    let url = StreamableHttpClientTransportConfig::with_uri(server.url("/mcp"));
    Ok(().serve(StreamableHttpClientTransport::with_client(client, url)).await?)
}

fn order() -> CallToolRequestParams {
    let arguments = serde_json::json!({ "budget": 1000 });
    CallToolRequestParams::new(OPERATION).with_arguments(arguments.as_object().unwrap().clone())
}

#[tokio::test]
async fn a_session_is_signed_from_initialize_to_delete_and_a_tool_sees_the_signer() {
    let (key, reached) = (key(), Reached::default());
    let server = seller(&key, &reached).await;
    let client = buyer(&server, &key).await.unwrap();
    assert_eq!(client.list_all_tools().await.unwrap().len(), 1);
    let answer = client.call_tool(order()).await.unwrap();
    let text = serde_json::to_value(&answer).unwrap()["content"][0]["text"].clone();
    assert_eq!(text, format!("{BUYER} ordered 1000"));
    assert_eq!(reached.count(), 1);
    client.cancel().await.unwrap();
}

#[tokio::test]
async fn an_older_seller_gets_the_older_form_and_only_what_it_asks_for() {
    let (key, reached) = (key(), Reached::default());
    let server = seller_of(WireVersion::V3_1, &key, &reached).await;
    let origin = server.url("").parse().unwrap();
    let sellers = Counterparties::configured()
        .with_capability(origin, WireVersion::V3_1, required())
        .only_asked(Transport::Mcp);
    let client = SigningClient::new(signer(&key)).unwrap().counterparties(sellers);
    let client = serve(&server, client).await.unwrap();
    client.call_tool(order()).await.unwrap();
    assert_eq!(reached.count(), 1);
    assert!(buyer(&server, &key).await.is_err());
}

#[tokio::test]
async fn an_unsigned_call_of_a_required_operation_never_reaches_its_tool() {
    let (key, reached) = (key(), Reached::default());
    let server = seller(&key, &reached).await;
    let url = StreamableHttpClientTransportConfig::with_uri(server.url("/mcp"));
    let transport = StreamableHttpClientTransport::with_client(reqwest::Client::new(), url);
    let client = ().serve(transport).await.unwrap();
    // Nothing requires a signature for the list.
    assert_eq!(client.list_all_tools().await.unwrap().len(), 1);
    let error = client.call_tool(order()).await.unwrap_err();
    let challenge = challenge(&error).unwrap_or_else(|| panic!("{error:?}"));
    assert_eq!(challenge.code(), "request_signature_required");
    assert_eq!(challenge.recovery(), Some(Recovery::Correctable));
    assert_eq!(reached.count(), 0);
}

#[tokio::test]
async fn a_key_that_is_not_published_is_refused_at_initialize() {
    let (key, stranger) = (key(), key());
    let server = seller(&key, &Reached::default()).await;
    let error = buyer(&server, &stranger).await.unwrap_err();
    let challenge = challenge(&*error).unwrap_or_else(|| panic!("{error:?}"));
    assert_eq!(challenge.code(), "request_signature_key_unknown");
}

#[tokio::test]
async fn what_cannot_be_signed_is_not_sent_and_says_why() {
    let key = key();
    let client = SigningClient::new(signer(&key)).unwrap();
    let url = StreamableHttpClientTransportConfig::with_uri("https://seller.example.com./mcp");
    let error =
        ().serve(StreamableHttpClientTransport::with_client(client, url)).await.unwrap_err();
    assert!(format!("{error:?}").contains("Ambiguous"), "{error:?}");
}
