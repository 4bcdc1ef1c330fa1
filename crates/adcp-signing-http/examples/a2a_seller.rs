//! An A2A agent that knows who signed, and whose each task is.
//!
//! `cargo run --example a2a_seller --features a2a-server -- 127.0.0.1:8080 buyer.jwks.json`

use std::sync::Arc;

use a2a::{A2AError, Message, Part, Role, StreamResponse};
use a2a_server::{
    AgentExecutor, DefaultRequestHandler, ExecutorContext, InMemoryTaskStore,
    jsonrpc::jsonrpc_router,
};
use adcp_signing_core::{
    InMemoryReplayStore, InMemoryRevocation, JwkSet, RequestSigningCapability, StaticKeys,
    Verifier, WireVersion,
    operation::{DigestPolicy, List, Principal},
};
use adcp_signing_http::{
    BaseUrl, Verify,
    a2a::{OwnedTasks, TaskOwners, operation, principal},
};
use futures_util::stream::{self, BoxStream};

type Events = BoxStream<'static, Result<StreamResponse, A2AError>>;

struct Seller;

impl AgentExecutor for Seller {
    fn execute(&self, context: ExecutorContext) -> Events {
        let answer = match (operation(&context.service_params), principal(&context.service_params))
        {
            (Some("create_media_buy"), Some(Principal::Signer { agent_url: Some(buyer), .. })) => {
                let sold = Part::text(format!("{buyer} bought media"));
                Ok(StreamResponse::Message(Message::new(Role::Agent, vec![sold])))
            }
            _ => Err(A2AError::invalid_request("this agent sells media to agents that sign")),
        };
        Box::pin(stream::iter([answer]))
    }

    fn cancel(&self, _: ExecutorContext) -> Events {
        Box::pin(stream::iter([Err(A2AError::unsupported_operation("nothing takes long here"))]))
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
    let owners = TaskOwners::default();
    let verifier = Verifier::for_requests(WireVersion::V3_3, capability)
        .keys(keys)
        .revocation(InMemoryRevocation::default())
        .replay(InMemoryReplayStore::default())
        .tasks(owners.clone())
        .build();

    let listener = tokio::net::TcpListener::bind(address).await?;
    let url: BaseUrl = format!("http://{}", listener.local_addr()?).parse()?;
    println!("listening on {url}");
    let handler = DefaultRequestHandler::new(Seller, InMemoryTaskStore::new());
    let app = jsonrpc_router(Arc::new(OwnedTasks::new(handler, owners)))
        .layer(Verify::new(verifier, url).a2a());
    Ok(axum::serve(listener, app).await?)
}
