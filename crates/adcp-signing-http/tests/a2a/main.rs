//! The official A2A SDK on both sides, over sockets: it signs, our layer verifies, and tasks are
//! their makers'.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

mod client;
#[path = "../support/mod.rs"]
mod support;
mod tasks;

use std::sync::Arc;

use a2a::*;
use a2a_client::{A2AClient, Transport};
use a2a_server::{
    AgentExecutor, DefaultRequestHandler, ExecutorContext, InMemoryPushConfigStore,
    InMemoryTaskStore, RequestHandler, jsonrpc::jsonrpc_router, rest::rest_router,
};
use adcp_signing_core::{
    Answer, InMemoryProvider, InMemoryReplayStore, InMemoryRevocation, JwkSet, Recovery,
    RequestSigningCapability, StaticKeys, Verifier, WireVersion,
    operation::{DigestPolicy, List, Principal, TaskLookupError},
};
use adcp_signing_http::{
    AcceptedCredential, Verify,
    a2a::{
        InMemoryTaskOwners, OwnedTasks, SigningClient, SigningTransport, TaskOwner, TaskOwnerStore,
        TaskOwners, operation, principal, refusal,
    },
};
use axum::{Router, extract::Request};
use futures_util::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use serde_json::json;
use support::{BUYER, OPERATION, PATIENCE, Reached, Server, key, signer};

const OTHER: &str = "https://other.example.com/adcp";

/// Both bindings of the server.
const BINDINGS: [&str; 2] = ["json-rpc", "http+json"];

/// Says who ordered what, and keeps the task open until it is told `finish`.
struct Seller {
    reached: Reached,
}

impl AgentExecutor for Seller {
    fn execute(
        &self,
        context: ExecutorContext,
    ) -> BoxStream<'static, Result<StreamResponse, A2AError>> {
        self.reached.add();
        let buyer = match principal(&context.service_params) {
            Some(Principal::Signer { agent_url, .. }) => agent_url.unwrap_or("an agent").to_owned(),
            Some(Principal::Fallback { subject }) => subject.unwrap_or("an account").to_owned(),
            other => format!("{other:?}"),
        };
        let operation = operation(&context.service_params).unwrap_or("nothing");
        let said = Message::new(Role::Agent, vec![Part::text(format!("{buyer} {operation}"))]);
        let content = context.message.as_ref().map(|message| &message.parts[0].content);
        let is_last =
            matches!(content, Some(PartContent::Data(data)) if data["input"]["finish"] == true);
        let update = |state, message| {
            Ok(StreamResponse::StatusUpdate(TaskStatusUpdateEvent {
                task_id: context.task_id.clone(),
                context_id: context.context_id.clone(),
                status: TaskStatus { state, message, timestamp: None },
                metadata: None,
            }))
        };
        let end = if is_last { TaskState::Completed } else { TaskState::InputRequired };
        stream::iter([update(TaskState::Working, None), update(end, Some(said))]).boxed()
    }

    fn cancel(
        &self,
        context: ExecutorContext,
    ) -> BoxStream<'static, Result<StreamResponse, A2AError>> {
        let mut task = context.stored_task.unwrap();
        task.status.state = TaskState::Canceled;
        stream::iter([Ok(StreamResponse::Task(task))]).boxed()
    }
}

/// Two buyers, and a server that knows both.
struct Market {
    keys: [Arc<InMemoryProvider>; 2],
    reached: Reached,
    server: Server,
}

impl Market {
    /// A server that requires signatures for everything.
    async fn strict() -> Self {
        Self::of(strict(), TaskOwners::default()).await
    }

    async fn of(capability: RequestSigningCapability, owners: TaskOwners) -> Self {
        let keys = [key(), key()];
        let reached = Reached::default();
        let handler = handler(&reached, &owners);
        let verifier = verifier(&keys, capability).tasks(owners).build();
        let server = Server::start(|base| {
            let verify = Verify::new(verifier, base);
            Router::new()
                .merge(jsonrpc_router(Arc::clone(&handler)))
                .nest("/rest", rest_router(handler))
                .layer(verify.a2a())
                .layer(axum::middleware::map_request(async |mut request: Request| {
                    if let Some(account) = request.headers().get("x-account") {
                        let account = account.to_str().unwrap().to_owned();
                        request.extensions_mut().insert(AcceptedCredential::of(account));
                    }
                    request
                }))
        })
        .await;
        Self { keys, reached, server }
    }

    fn transport(&self, client: &SigningClient, binding: &str) -> SigningTransport {
        match binding {
            "json-rpc" => client.json_rpc(&self.server.url("/")),
            _ => client.http_json(&self.server.url("/rest")),
        }
        .unwrap()
    }

    fn buyer(&self, index: usize, binding: &str) -> A2AClient<SigningTransport> {
        let client = SigningClient::new(signer(&self.keys[index])).unwrap();
        A2AClient::new(self.transport(&client, binding))
    }

    /// The SDK's own client, which does not sign.
    fn unsigned(&self) -> A2AClient<a2a_client::jsonrpc::JsonRpcTransport> {
        let transport = a2a_client::jsonrpc::JsonRpcTransport::new(
            reqwest::Client::new(),
            self.server.url("/"),
        );
        A2AClient::new(transport)
    }
}

type Handler = OwnedTasks<DefaultRequestHandler>;

fn handler(reached: &Reached, owners: &TaskOwners) -> Arc<Handler> {
    let inner =
        DefaultRequestHandler::new(Seller { reached: reached.clone() }, InMemoryTaskStore::new())
            .with_push_config_store(InMemoryPushConfigStore::new())
            .with_extended_agent_card(card("https://seller.example.com"));
    Arc::new(OwnedTasks::new(inner, owners.clone()))
}

fn card(url: &str) -> AgentCard {
    let interface = |binding: &str, path: &str| {
        json!({
            "url": format!("{url}{path}"),
            "protocolBinding": binding,
            "protocolVersion": "1.0",
        })
    };
    serde_json::from_value(json!({
        "name": "seller", "description": "sells media", "version": "1",
        "supportedInterfaces": [interface("HTTP+JSON", "/rest"), interface("JSONRPC", "/")],
        "capabilities": {}, "defaultInputModes": [], "defaultOutputModes": [], "skills": [],
    }))
    .unwrap()
}

/// Everything has to be signed.
fn strict() -> RequestSigningCapability {
    open()
        .with_operations(List::Required, [OPERATION, "get_products"])
        .unwrap()
        .with_protocol_methods(
            List::Required,
            [
                methods::SEND_MESSAGE,
                methods::SEND_STREAMING_MESSAGE,
                methods::GET_TASK,
                methods::LIST_TASKS,
                methods::CANCEL_TASK,
                methods::SUBSCRIBE_TO_TASK,
                methods::CREATE_PUSH_CONFIG,
                methods::GET_PUSH_CONFIG,
                methods::LIST_PUSH_CONFIGS,
                methods::DELETE_PUSH_CONFIG,
                methods::GET_EXTENDED_AGENT_CARD,
            ],
        )
        .unwrap()
}

/// Nothing has to be signed.
fn open() -> RequestSigningCapability {
    RequestSigningCapability::supported_with(DigestPolicy::Required)
}

type Builder = adcp_signing_core::verify::VerifierBuilder<
    Arc<dyn adcp_signing_core::KeyResolver>,
    Arc<dyn adcp_signing_core::RevocationSource>,
    Arc<dyn adcp_signing_core::ReplayStore>,
>;

fn verifier(keys: &[Arc<InMemoryProvider>; 2], capability: RequestSigningCapability) -> Builder {
    let set = |key: &InMemoryProvider| {
        JwkSet::parse(json!({ "keys": [key.jwk()] }).to_string().as_bytes()).unwrap()
    };
    let mut known = StaticKeys::from_jwks_of(BUYER, &set(&keys[0])).unwrap();
    known.add_agent(OTHER, &set(&keys[1])).unwrap();
    Verifier::for_requests(WireVersion::NEWEST, capability)
        .keys(known)
        .revocation(InMemoryRevocation::default())
        .replay(InMemoryReplayStore::default())
}

fn message(skill: &str, finish: bool) -> SendMessageRequest {
    let data = json!({ "skill": skill, "input": { "finish": finish } });
    let message = Message::new(Role::User, vec![Part::data(data)]);
    SendMessageRequest { message, configuration: None, metadata: None, tenant: None }
}

/// A message that goes on with a task.
fn going_on(task: &str, skill: &str) -> SendMessageRequest {
    let mut request = message(skill, false);
    request.message.task_id = Some(task.to_owned());
    request
}

fn get(id: &str) -> GetTaskRequest {
    GetTaskRequest { id: id.to_owned(), history_length: Some(1), tenant: None }
}

fn cancel(id: &str) -> CancelTaskRequest {
    CancelTaskRequest { id: id.to_owned(), metadata: None, tenant: None }
}

fn subscribe(id: &str) -> SubscribeToTaskRequest {
    SubscribeToTaskRequest { id: id.to_owned(), tenant: None }
}

fn list() -> ListTasksRequest {
    ListTasksRequest {
        context_id: None,
        status: None,
        page_size: None,
        page_token: None,
        history_length: None,
        status_timestamp_after: None,
        include_artifacts: None,
        tenant: None,
    }
}

fn config(task: &str) -> TaskPushNotificationConfig {
    TaskPushNotificationConfig {
        url: "https://buyer.example.com/hook".to_owned(),
        id: Some("c-1".to_owned()),
        task_id: task.to_owned(),
        token: None,
        authentication: None,
        tenant: None,
    }
}

fn get_config(task: &str) -> GetTaskPushNotificationConfigRequest {
    let (task_id, id) = (task.to_owned(), "c-1".to_owned());
    GetTaskPushNotificationConfigRequest { task_id, id, tenant: None }
}

fn list_configs(task: &str) -> ListTaskPushNotificationConfigsRequest {
    ListTaskPushNotificationConfigsRequest {
        task_id: task.to_owned(),
        page_size: Some(5),
        page_token: None,
        tenant: None,
    }
}

fn delete_config(task: &str) -> DeleteTaskPushNotificationConfigRequest {
    let (task_id, id) = (task.to_owned(), "c-1".to_owned());
    DeleteTaskPushNotificationConfigRequest { task_id, id, tenant: None }
}

async fn task_of<T: Transport>(client: &A2AClient<T>, request: &SendMessageRequest) -> Task {
    match client.send_message(request).await.unwrap() {
        SendMessageResponse::Task(task) => task,
        SendMessageResponse::Message(message) => panic!("{message:?}"),
    }
}

/// What the seller said last.
fn said(task: &Task) -> &str {
    task.status.message.as_ref().unwrap().text().unwrap()
}
