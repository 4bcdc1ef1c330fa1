//! The official A2A SDK on both sides, over sockets: it signs, our layer verifies, and tasks are
//! their makers'.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

mod support;

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

#[tokio::test]
async fn every_method_is_signed_and_an_executor_sees_who_signed() {
    let market = Market::strict().await;
    for binding in BINDINGS {
        let buyer = market.buyer(0, binding);
        let task = task_of(&buyer, &message(OPERATION, false)).await;
        assert_eq!(said(&task), format!("{BUYER} {OPERATION}"), "{binding}");
        let id = task.id.as_str();
        assert_eq!(buyer.get_task(&get(id)).await.unwrap().id, id);
        assert_eq!(task_of(&buyer, &going_on(id, OPERATION)).await.id, id);
        assert!(buyer.list_tasks(&list()).await.unwrap().tasks.iter().any(|task| task.id == id));
        assert_eq!(buyer.create_push_config(&config(id)).await.unwrap().task_id, id);
        assert_eq!(buyer.get_push_config(&get_config(id)).await.unwrap().task_id, id);
        let configs = buyer.list_push_configs(&list_configs(id)).await.unwrap().configs;
        assert_eq!(configs.len(), 1);
        buyer.delete_push_config(&delete_config(id)).await.unwrap();
        assert!(buyer.list_push_configs(&list_configs(id)).await.unwrap().configs.is_empty());
        let canceled = buyer.cancel_task(&cancel(id)).await.unwrap();
        assert_eq!(canceled.status.state, TaskState::Canceled);
        let card = GetExtendedAgentCardRequest { tenant: None };
        assert_eq!(buyer.get_extended_agent_card(&card).await.unwrap().name, "seller");
    }
}

#[tokio::test]
async fn a_stream_is_read_to_its_end_and_its_task_has_an_owner_from_its_first_event_on() {
    let market = Market::strict().await;
    for binding in BINDINGS {
        let buyer = market.buyer(0, binding);
        let mut events =
            buyer.send_streaming_message(&message(OPERATION, true)).await.unwrap().boxed();
        let first = events.next().await.unwrap().unwrap();
        let StreamResponse::StatusUpdate(first) = first else { panic!("{first:?}") };
        assert_eq!(first.status.state, TaskState::Working);
        assert_eq!(buyer.get_task(&get(&first.task_id)).await.unwrap().id, first.task_id);
        let rest: Vec<_> = events.collect().await;
        assert_eq!(rest.len(), 1, "{rest:?}");
        assert!(rest[0].is_ok(), "{rest:?}");
        // The task has come to its end, which only its owner is told.
        let ended = |error: A2AError| error.code == error_code::UNSUPPORTED_OPERATION;
        let error = buyer.subscribe_to_task(&subscribe(&first.task_id)).await.err().unwrap();
        assert!(ended(error));
        let other = market.buyer(1, binding);
        let error = other.subscribe_to_task(&subscribe(&first.task_id)).await.err().unwrap();
        assert_eq!(error.code, error_code::TASK_NOT_FOUND);
    }
}

/// Every way in which a task can be reached, with the error that each answers.
async fn errors_of<T: Transport>(client: &A2AClient<T>, id: &str) -> Vec<(&'static str, A2AError)> {
    let mut refers = message(OPERATION, false);
    refers.message.reference_task_ids = Some(vec![id.to_owned()]);
    vec![
        ("get", client.get_task(&get(id)).await.unwrap_err()),
        ("cancel", client.cancel_task(&cancel(id)).await.unwrap_err()),
        ("subscribe", client.subscribe_to_task(&subscribe(id)).await.err().unwrap()),
        ("create push", client.create_push_config(&config(id)).await.unwrap_err()),
        ("get push", client.get_push_config(&get_config(id)).await.unwrap_err()),
        ("list push", client.list_push_configs(&list_configs(id)).await.unwrap_err()),
        ("delete push", client.delete_push_config(&delete_config(id)).await.unwrap_err()),
        ("go on", client.send_message(&going_on(id, OPERATION)).await.unwrap_err()),
        (
            "go on, stream",
            client.send_streaming_message(&going_on(id, OPERATION)).await.err().unwrap(),
        ),
        ("refer", client.send_message(&refers).await.unwrap_err()),
        ("refer, stream", client.send_streaming_message(&refers).await.err().unwrap()),
    ]
}

#[tokio::test]
async fn nobody_but_its_maker_reaches_a_task_and_to_others_it_does_not_exist() {
    let market = Market::of(open(), TaskOwners::default()).await;
    for binding in BINDINGS {
        let (maker, other) = (market.buyer(0, binding), market.buyer(1, binding));
        let task = task_of(&maker, &message(OPERATION, false)).await;
        maker.create_push_config(&config(&task.id)).await.unwrap();
        let reached = market.reached.count();

        let of_another = errors_of(&other, &task.id).await;
        let unknown = errors_of(&other, "0199-unknown").await;
        for ((way, error), (_, unknown)) in of_another.iter().zip(&unknown) {
            assert_eq!(error.code, unknown.code, "{binding} {way}");
            let same = error.message.replace(&task.id, "0199-unknown");
            assert_eq!(same, unknown.message, "{binding} {way}");
        }
        for (way, error) in errors_of(&market.unsigned(), &task.id).await {
            let is_not_found = error.code == error_code::TASK_NOT_FOUND;
            assert!(is_not_found || way.starts_with("go on"), "{binding} {way}: {error:?}");
        }
        assert_eq!(market.reached.count(), reached, "no executor saw any of them");
        assert!(other.list_tasks(&list()).await.unwrap().tasks.is_empty());
        let page = market.unsigned().list_tasks(&list()).await.unwrap();
        assert_eq!((page.tasks.len(), page.total_size), (0, 0));

        assert_eq!(maker.get_task(&get(&task.id)).await.unwrap().id, task.id);
        assert_eq!(
            maker.list_push_configs(&list_configs(&task.id)).await.unwrap().configs.len(),
            1
        );
        maker.cancel_task(&cancel(&task.id)).await.unwrap();
    }
}

#[tokio::test]
async fn where_signatures_are_required_an_unsigned_caller_reaches_nothing() {
    let market = Market::strict().await;
    let task = task_of(&market.buyer(0, "json-rpc"), &message(OPERATION, false)).await;
    let reached = market.reached.count();
    let anybody = reqwest::Client::new();
    for (method, params) in [
        (methods::GET_TASK, json!({ "id": task.id })),
        (methods::CANCEL_TASK, json!({ "id": task.id })),
        (methods::SUBSCRIBE_TO_TASK, json!({ "id": task.id })),
        (methods::LIST_TASKS, json!({})),
        (methods::SEND_MESSAGE, json!(going_on(&task.id, OPERATION))),
    ] {
        let call = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let call = anybody.post(market.server.url("/")).header("a2a-version", "1.0").json(&call);
        let answer = call.send().await.unwrap();
        assert_eq!(answer.status(), 401, "{method}");
        let challenge = answer.headers()["www-authenticate"].to_str().unwrap();
        assert_eq!(challenge, r#"Signature error="request_signature_required""#, "{method}");
    }
    assert_eq!(market.reached.count(), reached);
}

#[tokio::test]
async fn a_task_is_gone_on_with_for_its_own_operation_alone() {
    let market = Market::strict().await;
    for binding in BINDINGS {
        let buyer = market.buyer(0, binding);
        let task = task_of(&buyer, &message(OPERATION, false)).await;
        let reached = market.reached.count();
        let error = buyer.send_message(&going_on(&task.id, "get_products")).await.unwrap_err();
        assert!(error.message.ends_with("400 Bad Request: INVALID_REQUEST"), "{error}");
        assert_eq!(market.reached.count(), reached);
        task_of(&buyer, &going_on(&task.id, OPERATION)).await;
    }
}

#[tokio::test]
async fn the_handler_checks_a_continuation_where_the_verifier_does_not() {
    let (keys, reached, owners) = ([key(), key()], Reached::default(), TaskOwners::default());
    let handler = handler(&reached, &owners);
    let verifier = verifier(&keys, strict()).tasks_are_checked_by_the_dispatcher().build();
    let server =
        Server::start(|base| jsonrpc_router(handler).layer(Verify::new(verifier, base).a2a()))
            .await;
    let market = Market { keys, reached, server };
    let (maker, other) = (market.buyer(0, "json-rpc"), market.buyer(1, "json-rpc"));
    let task = task_of(&maker, &message(OPERATION, false)).await;
    let reached = market.reached.count();
    for (buyer, operation) in [(&other, OPERATION), (&maker, "get_products")] {
        let error = buyer.send_message(&going_on(&task.id, operation)).await.unwrap_err();
        assert_eq!(error.code, error_code::TASK_NOT_FOUND, "{operation}");
    }
    assert_eq!(market.reached.count(), reached);
    task_of(&maker, &going_on(&task.id, OPERATION)).await;
}

#[tokio::test]
async fn the_owner_of_an_accepted_credential_has_tasks_of_its_own() {
    let market = Market::of(open(), TaskOwners::default()).await;
    let account = |name: &'static str| {
        let mut fields = http::HeaderMap::new();
        fields.insert("x-account", name.parse().unwrap());
        let http = reqwest::Client::builder().default_headers(fields).build().unwrap();
        A2AClient::new(a2a_client::jsonrpc::JsonRpcTransport::new(http, market.server.url("/")))
    };
    let task = task_of(&account("a"), &message(OPERATION, false)).await;
    assert_eq!(said(&task), format!("a {OPERATION}"));
    assert_eq!(account("a").get_task(&get(&task.id)).await.unwrap().id, task.id);
    task_of(&account("a"), &going_on(&task.id, OPERATION)).await;
    let error = account("b").get_task(&get(&task.id)).await.unwrap_err();
    assert_eq!(error.code, error_code::TASK_NOT_FOUND);
    let error = market.buyer(0, "json-rpc").get_task(&get(&task.id)).await.unwrap_err();
    assert_eq!(error.code, error_code::TASK_NOT_FOUND);
}

#[tokio::test]
async fn unsigned_callers_share_their_tasks_only_where_the_server_wants_it() {
    for (owners, shared) in [
        (TaskOwners::default(), false),
        (TaskOwners::default().with_anonymous_tasks_shared(), true),
    ] {
        let market = Market::of(open(), owners).await;
        let task = task_of(&market.unsigned(), &message(OPERATION, false)).await;
        assert_eq!(said(&task), format!("Some(Anonymous) {OPERATION}"));
        assert_eq!(market.unsigned().get_task(&get(&task.id)).await.is_ok(), shared);
        assert!(market.buyer(0, "json-rpc").get_task(&get(&task.id)).await.is_err());
        let going_on = going_on(&task.id, OPERATION);
        assert!(market.unsigned().send_message(&going_on).await.is_err());
    }
}

/// Fails when it is asked, or when it is told.
#[derive(Debug)]
struct Failing {
    inner: InMemoryTaskOwners,
    asked: bool,
}

impl TaskOwnerStore for Failing {
    fn record<'a>(
        &'a self,
        task: &'a str,
        owner: &'a TaskOwner,
    ) -> Answer<'a, (), TaskLookupError> {
        if self.asked {
            self.inner.record(task, owner)
        } else {
            Answer::now(Err(TaskLookupError::new("told to fail")))
        }
    }

    fn owner<'a>(&'a self, task: &'a str) -> Answer<'a, Option<TaskOwner>, TaskLookupError> {
        if self.asked {
            Answer::now(Err(TaskLookupError::new("told to fail")))
        } else {
            self.inner.owner(task)
        }
    }
}

#[tokio::test]
async fn a_task_whose_owner_cannot_be_stored_or_looked_up_is_nobodys() {
    for asked in [true, false] {
        let owners = TaskOwners::new(Failing { inner: InMemoryTaskOwners::default(), asked });
        let market = Market::of(strict(), owners).await;
        let buyer = market.buyer(0, "json-rpc");
        // The answer is the buyer's all the same.
        let task = task_of(&buyer, &message(OPERATION, false)).await;
        let error = buyer.get_task(&get(&task.id)).await.unwrap_err();
        let list = buyer.list_tasks(&list()).await;
        let going_on = buyer.send_message(&going_on(&task.id, OPERATION)).await.unwrap_err();
        if asked {
            assert!(error.message.contains("could not be looked up"), "{error}");
            assert!(list.unwrap_err().message.contains("could not be looked up"));
            assert!(going_on.message.contains("503"), "{going_on}");
        } else {
            assert_eq!(error.code, error_code::TASK_NOT_FOUND);
            assert!(list.unwrap().tasks.is_empty());
            assert!(going_on.message.contains("INVALID_REQUEST"), "{going_on}");
        }
    }
}

#[tokio::test]
async fn a_handler_without_the_layer_serves_nobody() {
    let reached = Reached::default();
    let handler = handler(&reached, &TaskOwners::default());
    let params = a2a_server::ServiceParams::new();
    let error = handler.send_message(&params, message(OPERATION, true)).await.err().unwrap();
    assert_eq!(error.message, "the server is misconfigured");
    assert!(handler.get_task(&params, get("t")).await.is_err());
    assert!(handler.list_tasks(&params, list()).await.is_err());
    let card = GetExtendedAgentCardRequest { tenant: None };
    assert!(handler.get_extended_agent_card(&params, card).await.is_err());
    assert_eq!(reached.count(), 0);
}

#[tokio::test]
async fn a_refused_signature_is_a_refusal_with_its_recovery() {
    let market = Market::strict().await;
    for binding in BINDINGS {
        let client = SigningClient::new(signer(&key())).unwrap();
        let stranger = A2AClient::new(market.transport(&client, binding));
        for error in [
            stranger.send_message(&message(OPERATION, true)).await.err().unwrap(),
            stranger.send_streaming_message(&message(OPERATION, true)).await.err().unwrap(),
            stranger.get_task(&get("t")).await.unwrap_err(),
        ] {
            let refusal = refusal(&error).unwrap_or_else(|| panic!("{binding}: {error:?}"));
            assert_eq!(refusal.code(), "request_signature_key_unknown");
            assert_eq!(refusal.status(), 401);
            assert_eq!(refusal.recovery(), Recovery::Correctable);
            assert!(error.message.contains("request_signature_key_unknown"), "{error}");
        }
    }
    assert_eq!(market.reached.count(), 0);
}

#[tokio::test]
async fn what_cannot_be_signed_is_not_sent_and_says_why() {
    let client = SigningClient::new(signer(&key())).unwrap();
    let transport = client.json_rpc("https://seller.example.com./a2a").unwrap();
    let error = A2AClient::new(transport).get_task(&get("t")).await.unwrap_err();
    assert!(error.message.starts_with("the request was not sent"), "{error}");
    assert_eq!(refusal(&error), None);
    for url in ["seller", "mailto:seller@example.com"] {
        let error = client.json_rpc(url).unwrap_err();
        assert!(error.message.contains("the URL of the agent"), "{url}: {error}");
    }
    let nobody = client.json_rpc("http://127.0.0.1:9/").unwrap();
    let error = A2AClient::new(nobody).get_task(&get("t")).await.unwrap_err();
    assert!(error.message.starts_with("the agent did not answer"), "{error}");
}

#[tokio::test]
async fn a_client_from_an_agent_card_signs_over_either_binding() {
    let market = Market::strict().await;
    let client = SigningClient::new(signer(&market.keys[0])).unwrap();
    let mut card = card(&market.server.url(""));
    for _ in 0..card.supported_interfaces.len() {
        let buyer = client.factory().create_from_card(&card).await.unwrap();
        let task = task_of(&buyer, &message(OPERATION, true)).await;
        assert_eq!(said(&task), format!("{BUYER} {OPERATION}"));
        card.supported_interfaces.rotate_left(1);
        card.supported_interfaces.truncate(1);
    }
    card.supported_interfaces[0].protocol_binding = "GRPC".to_owned();
    assert!(client.factory().create_from_card(&card).await.is_err());
}

/// A server that answers each request with this.
async fn answering(fields: &'static [(&'static str, &'static str)], body: &'static str) -> Server {
    Server::start(|_| {
        let answer = async move || {
            let mut response = axum::response::Response::new(axum::body::Body::from(body));
            for (name, value) in fields {
                response.headers_mut().insert(*name, value.parse().unwrap());
            }
            response
        };
        Router::new().fallback(answer)
    })
    .await
}

const EVENTS: &[(&str, &str)] = &[("content-type", "text/event-stream; charset=utf-8")];
const JSON: &[(&str, &str)] = &[("content-type", "application/json")];

#[tokio::test]
async fn an_answer_that_is_too_large_or_of_another_call_is_an_error() {
    let client = SigningClient::new(signer(&key())).unwrap().with_max_answer(100);
    for (fields, body, binding, expected) in [
        (JSON, include_str!("a2a.rs"), "json-rpc", "more than 100 bytes"),
        (JSON, include_str!("a2a.rs"), "http+json", "more than 100 bytes"),
        (JSON, r#"{"jsonrpc":"2.0","id":77,"result":{}}"#, "json-rpc", "another call"),
        (JSON, r#"{"jsonrpc":"2.0","id":1}"#, "json-rpc", "no result"),
        (JSON, "[]", "json-rpc", "invalid"),
        (JSON, "<html>", "http+json", "invalid"),
    ] {
        let server = answering(fields, body).await;
        let url = server.url("/");
        let transport = if binding == "json-rpc" {
            // Its first call has the identifier 1.
            SigningClient::new(signer(&key())).unwrap().with_max_answer(100).json_rpc(&url)
        } else {
            client.http_json(&url)
        };
        let error = A2AClient::new(transport.unwrap()).get_task(&get("t")).await.unwrap_err();
        assert!(error.message.contains(expected), "{body:.40}: {error}");
    }
}

#[tokio::test]
async fn a_stream_ends_at_its_first_error() {
    for (fields, body, expected) in [
        (EVENTS, include_str!("a2a.rs"), "more than 100 bytes"),
        (
            EVENTS,
            "data: {\"jsonrpc\":\"2.0\",\"id\":77,\"result\":{}}\n\ndata: 1\n\n",
            "another call",
        ),
        (
            EVENTS,
            "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":7,\"message\":\"full\"}}\n\n",
            "full",
        ),
        (EVENTS, "data: {\"jsonrpc\":\"2.0\",\"id\":1}\n\n", "no result"),
        (EVENTS, "data: 1\n\ndata: 1\n\n", "invalid"),
        (EVENTS, "data: {\"jsonrpc\"", "within an event"),
    ] {
        let server = answering(fields, body).await;
        let client = SigningClient::new(signer(&key())).unwrap().with_max_answer(100);
        let client = A2AClient::new(client.json_rpc(&server.url("/")).unwrap());
        let events = client.send_streaming_message(&message(OPERATION, true)).await.unwrap();
        let events = tokio::time::timeout(PATIENCE, events.collect::<Vec<_>>()).await.unwrap();
        assert_eq!(events.len(), 1, "{body:.40}: {events:?}");
        let error = events[0].as_ref().unwrap_err();
        assert!(error.message.contains(expected), "{body:.40}: {error}");
    }
    // An error in the envelope of an answer, where a stream was asked for.
    for (body, expected) in [
        (
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32004,"message":"no streams"}}"#,
            "no streams",
        ),
        (r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, "not a stream"),
    ] {
        let server = answering(JSON, body).await;
        let client = SigningClient::new(signer(&key())).unwrap();
        let client = A2AClient::new(client.json_rpc(&server.url("/")).unwrap());
        let error = client.send_streaming_message(&message(OPERATION, true)).await.err().unwrap();
        assert!(error.message.contains(expected), "{error}");
    }
    // Over HTTP+JSON an error comes as it is.
    let server = answering(EVENTS, "data: {\"code\":-32001,\"message\":\"gone\"}\n\n").await;
    let client = SigningClient::new(signer(&key())).unwrap();
    let client = A2AClient::new(client.http_json(&server.url("")).unwrap());
    let events = client.send_streaming_message(&message(OPERATION, true)).await.unwrap();
    let events: Vec<_> = events.collect().await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].as_ref().unwrap_err().code, error_code::TASK_NOT_FOUND);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let server = Server::start(|_| {
        Router::new().fallback(async || axum::response::Redirect::temporary("/elsewhere"))
    })
    .await;
    let client = SigningClient::new(signer(&key())).unwrap();
    let client = A2AClient::new(client.json_rpc(&server.url("/")).unwrap());
    let error = client.get_task(&get("t")).await.unwrap_err();
    assert!(error.message.contains("307"), "{error}");
}
