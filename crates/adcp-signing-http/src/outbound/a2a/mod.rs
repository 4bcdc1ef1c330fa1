//! Signing with the official Rust SDK of A2A (`a2a-client-lf`).

mod answer;
mod call;
mod events;
mod refused;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use a2a::*;
use a2a_client::{A2AClientFactory, BoxStream, ServiceParams, Transport, TransportFactory};
use a2a_pb::protojson_conv::{self, ProtoJsonPayload};
use futures_util::StreamExt as _;
use reqwest_middleware::ClientWithMiddleware;

use self::{
    answer::Answer,
    call::{Route, fields_of},
    refused::{failed, not_sent},
};
use super::reqwest::SignMiddleware;

pub use self::refused::refusal;

type Outcome<T> = Result<T, A2AError>;
type Events = BoxStream<'static, Outcome<StreamResponse>>;

/// How many bytes of an answer, or of one event of a stream, are read.
const MAX_ANSWER_BYTES: usize = 10 * 1024 * 1024;

/// A client that signs, for any number of A2A agents: it makes the transports of the SDK's client.
///
/// It follows no redirects and repeats nothing by itself. The bytes that are sent are those that
/// were signed. Service parameters are sent as header fields, and the signature does not cover
/// them, as the AdCP profile has it.
///
/// ```
/// use a2a::{Message, Part, Role, SendMessageRequest};
/// use a2a_client::A2AClient;
/// use adcp_signing_core::Signer;
/// use adcp_signing_http::a2a::SigningClient;
/// use serde_json::json;
///
/// async fn buy(signer: Signer) -> Result<(), Box<dyn std::error::Error>> {
///     let http = SigningClient::new(signer)?; // made once
///     let seller = A2AClient::new(http.json_rpc("https://seller.example.com/a2a")?);
///     let order = json!({ "skill": "create_media_buy", "input": { "budget": 1000 } });
///     let message = Message::new(Role::User, vec![Part::data(order)]);
///     let request =
///         SendMessageRequest { message, configuration: None, metadata: None, tenant: None };
///     println!("{:?}", seller.send_message(&request).await?);
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct SigningClient {
    http: ClientWithMiddleware,
    max_answer: usize,
    /// The identifier of the next call over JSON-RPC.
    next: Arc<AtomicI64>,
}

/// The transport of one A2A agent that signs each request; made by [`SigningClient`].
#[derive(Debug, Clone)]
pub struct SigningTransport {
    client: SigningClient,
    binding: Binding,
    url: reqwest::Url,
}

/// How calls are put into requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Binding {
    JsonRpc,
    HttpJson,
}

impl SigningClient {
    /// A client of its own. It takes a [`Signer`](adcp_signing_core::Signer), or a
    /// [`SignMiddleware`] that tells counterparties apart.
    ///
    /// # Errors
    /// [`reqwest::Error`] where the client cannot be built: the TLS library does not start.
    pub fn new(signer: impl Into<SignMiddleware>) -> Result<Self, reqwest::Error> {
        Self::from_builder(reqwest::Client::builder(), signer)
    }

    /// [`new`](Self::new), with timeouts, proxies and certificates of your own. Redirects and
    /// retries that were set on the builder are switched off.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn from_builder(
        builder: reqwest::ClientBuilder,
        signer: impl Into<SignMiddleware>,
    ) -> Result<Self, reqwest::Error> {
        let http = super::reqwest::client_from(builder, signer)?;
        Ok(Self { http, max_answer: MAX_ANSWER_BYTES, next: Arc::new(AtomicI64::new(1)) })
    }

    /// How many bytes of an answer, or of one event of a stream, are read, in place of 10 MiB. The
    /// call fails on a larger one. The number of events has no limit.
    #[must_use]
    pub fn with_max_answer(mut self, bytes: usize) -> Self {
        self.max_answer = bytes;
        self
    }

    /// A transport for the JSON-RPC endpoint of an agent.
    ///
    /// # Errors
    /// [`A2AError`] where the URL is not one.
    pub fn json_rpc(&self, url: &str) -> Result<SigningTransport, A2AError> {
        self.transport(Binding::JsonRpc, url)
    }

    /// A transport for the HTTP+JSON endpoint of an agent: the URL under which the paths of the
    /// binding are, such as `/message:send`.
    ///
    /// # Errors
    /// As [`json_rpc`](Self::json_rpc).
    pub fn http_json(&self, url: &str) -> Result<SigningTransport, A2AError> {
        self.transport(Binding::HttpJson, url)
    }

    /// Makes clients from agent cards, over JSON-RPC or HTTP+JSON. Each of them signs: transports
    /// that do not are left out.
    pub fn factory(&self) -> A2AClientFactory {
        let of = |binding| Arc::new(Transports { client: self.clone(), binding });
        A2AClientFactory::builder()
            .no_defaults()
            .register(of(Binding::JsonRpc))
            .register(of(Binding::HttpJson))
            .build()
    }

    fn transport(&self, binding: Binding, url: &str) -> Result<SigningTransport, A2AError> {
        let url = url.parse::<reqwest::Url>();
        let url = url.map_err(|error| not_sent(format!("the URL of the agent: {error}")))?;
        if url.cannot_be_a_base() {
            return Err(not_sent("the URL of the agent: it has no path"));
        }
        Ok(SigningTransport { client: self.clone(), binding, url })
    }
}

impl fmt::Debug for SigningClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningClient").field("max_answer", &self.max_answer).finish()
    }
}

/// Makes the transports of one binding.
#[derive(Debug)]
struct Transports {
    client: SigningClient,
    binding: Binding,
}

#[async_trait::async_trait]
impl TransportFactory for Transports {
    fn protocol(&self) -> &str {
        match self.binding {
            Binding::JsonRpc => TRANSPORT_PROTOCOL_JSONRPC,
            Binding::HttpJson => TRANSPORT_PROTOCOL_HTTP_JSON,
        }
    }

    async fn create(&self, _: &AgentCard, of: &AgentInterface) -> Outcome<Box<dyn Transport>> {
        Ok(Box::new(self.client.transport(self.binding, &of.url)?))
    }
}

impl SigningTransport {
    /// Sends a call, and gives its answer.
    async fn send<Q: ProtoJsonPayload>(
        &self,
        params: &ServiceParams,
        route: Route,
        message: &Q,
        accept: &'static str,
    ) -> Outcome<Answer> {
        let payload = protojson_conv::to_value(message)
            .map_err(|error| not_sent(format!("the message is not one of A2A: {error}")))?;
        let mut fields = fields_of(params)?;
        fields.insert(http::header::ACCEPT, http::HeaderValue::from_static(accept));
        let id = match self.binding {
            Binding::JsonRpc => Some(self.client.next.fetch_add(1, Ordering::Relaxed)),
            Binding::HttpJson => None,
        };
        let request = match id {
            Some(id) => route.over_json_rpc(&self.url, id, payload),
            None => route.over_http(&self.url, payload),
        }?;
        let mut sending = self.client.http.request(request.method, request.url);
        if let Some(body) = request.body {
            let json = http::HeaderValue::from_static("application/json");
            fields.insert(http::header::CONTENT_TYPE, json);
            sending = sending.body(body);
        }
        let response = sending.headers(fields).send().await.map_err(failed)?;
        Answer::of(response, id.map(JsonRpcId::Number), self.client.max_answer).await
    }

    async fn call<Q: ProtoJsonPayload, A: ProtoJsonPayload>(
        &self,
        params: &ServiceParams,
        route: Route,
        message: &Q,
    ) -> Outcome<A> {
        let answer = self.send(params, route, message, "application/json").await?;
        answer.message().await
    }

    async fn stream<Q: ProtoJsonPayload>(
        &self,
        params: &ServiceParams,
        route: Route,
        message: &Q,
    ) -> Outcome<Events> {
        let answer = self.send(params, route, message, "text/event-stream").await?;
        Ok(answer.events().await?.boxed())
    }
}

#[async_trait::async_trait]
impl Transport for SigningTransport {
    async fn send_message(
        &self,
        params: &ServiceParams,
        req: &SendMessageRequest,
    ) -> Outcome<SendMessageResponse> {
        self.call(params, Route::SEND_MESSAGE, req).await
    }

    async fn send_streaming_message(
        &self,
        params: &ServiceParams,
        req: &SendMessageRequest,
    ) -> Outcome<Events> {
        self.stream(params, Route::SEND_STREAMING_MESSAGE, req).await
    }

    async fn get_task(&self, params: &ServiceParams, req: &GetTaskRequest) -> Outcome<Task> {
        self.call(params, Route::GET_TASK, req).await
    }

    async fn list_tasks(
        &self,
        params: &ServiceParams,
        req: &ListTasksRequest,
    ) -> Outcome<ListTasksResponse> {
        self.call(params, Route::LIST_TASKS, req).await
    }

    async fn cancel_task(&self, params: &ServiceParams, req: &CancelTaskRequest) -> Outcome<Task> {
        self.call(params, Route::CANCEL_TASK, req).await
    }

    async fn subscribe_to_task(
        &self,
        params: &ServiceParams,
        req: &SubscribeToTaskRequest,
    ) -> Outcome<Events> {
        self.stream(params, Route::SUBSCRIBE_TO_TASK, req).await
    }

    async fn create_push_config(
        &self,
        params: &ServiceParams,
        req: &TaskPushNotificationConfig,
    ) -> Outcome<TaskPushNotificationConfig> {
        self.call(params, Route::CREATE_PUSH_CONFIG, req).await
    }

    async fn get_push_config(
        &self,
        params: &ServiceParams,
        req: &GetTaskPushNotificationConfigRequest,
    ) -> Outcome<TaskPushNotificationConfig> {
        self.call(params, Route::GET_PUSH_CONFIG, req).await
    }

    async fn list_push_configs(
        &self,
        params: &ServiceParams,
        req: &ListTaskPushNotificationConfigsRequest,
    ) -> Outcome<ListTaskPushNotificationConfigsResponse> {
        self.call(params, Route::LIST_PUSH_CONFIGS, req).await
    }

    async fn delete_push_config(
        &self,
        params: &ServiceParams,
        req: &DeleteTaskPushNotificationConfigRequest,
    ) -> Outcome<()> {
        let accept = "application/json";
        self.send(params, Route::DELETE_PUSH_CONFIG, req, accept).await?.done().await
    }

    async fn get_extended_agent_card(
        &self,
        params: &ServiceParams,
        req: &GetExtendedAgentCardRequest,
    ) -> Outcome<AgentCard> {
        self.call(params, Route::GET_EXTENDED_AGENT_CARD, req).await
    }

    async fn destroy(&self) -> Outcome<()> {
        Ok(())
    }
}
