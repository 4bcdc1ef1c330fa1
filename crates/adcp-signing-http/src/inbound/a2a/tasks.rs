//! `OwnedTasks`: a request handler of the SDK in which a task is its maker's.

use a2a::*;
use a2a_server::{RequestHandler, ServiceParams};
use adcp_signing_core::operation::TaskLookupError;
use futures_util::{
    StreamExt as _,
    stream::{self, BoxStream},
};

use super::{Called, TaskOwners};
use crate::inbound::refused::NO_LAYER;

type Outcome<T> = Result<T, A2AError>;
type Events = BoxStream<'static, Outcome<StreamResponse>>;

const LOG: &str = "adcp_signing::http";

/// A request handler in which a task belongs to whoever made it. Nobody else reads it, cancels it,
/// follows it, goes on with it, refers to it or sets webhooks on it; to anybody else it does not
/// exist. It learns the owner of a task from the answer of the handler inside.
///
/// The router must be behind the layer of [`Verify::a2a`](crate::Verify::a2a). Without it every
/// call is refused. Executors ask [`principal`](super::principal) who called.
///
/// A list holds the caller's own tasks. They are picked from each page of the handler inside, so a
/// page may be short, and `totalSize` counts the page.
///
/// The `contextId` of a message is not checked: look up nothing by it alone.
///
/// ```
/// use std::sync::Arc;
///
/// use a2a_server::{RequestHandler, jsonrpc::jsonrpc_router};
/// use adcp_signing_http::{Verify, a2a::{OwnedTasks, TaskOwners}};
/// use axum::Router;
///
/// /// The verifier of `verify` has the same owners: `builder.tasks(owners.clone())`.
/// fn app(handler: impl RequestHandler, owners: TaskOwners, verify: &Verify) -> Router {
///     jsonrpc_router(Arc::new(OwnedTasks::new(handler, owners))).layer(verify.a2a())
/// }
/// ```
#[derive(Debug, Clone)]
pub struct OwnedTasks<H> {
    inner: H,
    owners: TaskOwners,
}

impl<H> OwnedTasks<H> {
    /// The handler, with the owners of its tasks.
    pub fn new(handler: H, owners: TaskOwners) -> Self {
        Self { inner: handler, owners }
    }

    /// Refuses what goes on with a task, or refers to one, that is not the caller's.
    async fn check_message(&self, called: &Called, message: &Message) -> Outcome<()> {
        if let Some(task) = &message.task_id {
            let is_own = self.owners.may_continue(task, called.principal(), called.operation());
            found(task, is_own.await)?;
        }
        for task in message.reference_task_ids.iter().flatten() {
            self.check(called, task).await?;
        }
        Ok(())
    }

    /// Refuses a task that is not the caller's, as one that does not exist.
    async fn check(&self, called: &Called, task: &str) -> Outcome<()> {
        found(task, self.owners.is_of(task, called.principal()).await)
    }
}

/// The request that is being served.
fn called() -> Outcome<Called> {
    Called::now().ok_or_else(|| {
        tracing::error!(target: LOG, cure = NO_LAYER, "misconfigured");
        A2AError::internal("the server is misconfigured")
    })
}

fn found(task: &str, is_own: Result<bool, TaskLookupError>) -> Outcome<()> {
    match is_own {
        Ok(true) => Ok(()),
        Ok(false) => Err(A2AError::task_not_found(task)),
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::error!(target: LOG, error, "refused: whose a task is could not be looked up");
            Err(A2AError::internal("the owner of the task could not be looked up; try again later"))
        }
    }
}

/// Remembers who made a task.
async fn record(owners: &TaskOwners, called: &Called, task: &str) {
    // The answer is the caller's all the same. What is not recorded is nobody's.
    if let Err(error) = owners.record(task, called.principal(), called.operation()).await {
        let error = &error as &dyn std::error::Error;
        tracing::error!(target: LOG, error, "whose a task is was not recorded; it is nobody's now");
    }
}

/// The events, each handed on once the task that it is of has an owner.
fn recorded(events: Events, owners: TaskOwners, called: Called) -> Events {
    let state = (events, owners, called, None);
    stream::unfold(state, async |(mut events, owners, called, mut known)| {
        let event = events.next().await?;
        let task = event.as_ref().ok().and_then(task_of);
        if let Some(task) = task
            && known.as_deref() != Some(task)
        {
            record(&owners, &called, task).await;
            known = Some(task.to_owned());
        }
        Some((event, (events, owners, called, known)))
    })
    .boxed()
}

fn task_of(event: &StreamResponse) -> Option<&str> {
    match event {
        StreamResponse::Task(task) => Some(&task.id),
        StreamResponse::StatusUpdate(update) => Some(&update.task_id),
        StreamResponse::ArtifactUpdate(update) => Some(&update.task_id),
        StreamResponse::Message(message) => message.task_id.as_deref(),
    }
}

#[async_trait::async_trait]
impl<H: RequestHandler> RequestHandler for OwnedTasks<H> {
    async fn send_message(
        &self,
        params: &ServiceParams,
        req: SendMessageRequest,
    ) -> Outcome<SendMessageResponse> {
        let called = called()?;
        self.check_message(&called, &req.message).await?;
        let answer = self.inner.send_message(&called.among(params), req).await?;
        let task = match &answer {
            SendMessageResponse::Task(task) => Some(&task.id),
            SendMessageResponse::Message(message) => message.task_id.as_ref(),
        };
        if let Some(task) = task {
            record(&self.owners, &called, task).await;
        }
        Ok(answer)
    }

    async fn send_streaming_message(
        &self,
        params: &ServiceParams,
        req: SendMessageRequest,
    ) -> Outcome<Events> {
        let called = called()?;
        self.check_message(&called, &req.message).await?;
        let events = self.inner.send_streaming_message(&called.among(params), req).await?;
        Ok(recorded(events, self.owners.clone(), called))
    }

    async fn get_task(&self, params: &ServiceParams, req: GetTaskRequest) -> Outcome<Task> {
        let called = called()?;
        self.check(&called, &req.id).await?;
        self.inner.get_task(&called.among(params), req).await
    }

    async fn list_tasks(
        &self,
        params: &ServiceParams,
        req: ListTasksRequest,
    ) -> Outcome<ListTasksResponse> {
        let called = called()?;
        let mut page = self.inner.list_tasks(&called.among(params), req).await?;
        let mut own = Vec::new();
        for task in page.tasks {
            match self.check(&called, &task.id).await {
                Ok(()) => own.push(task),
                Err(error) if error.code == error_code::TASK_NOT_FOUND => {}
                Err(error) => return Err(error),
            }
        }
        page.total_size = i32::try_from(own.len()).unwrap_or(i32::MAX);
        page.tasks = own;
        Ok(page)
    }

    async fn cancel_task(&self, params: &ServiceParams, req: CancelTaskRequest) -> Outcome<Task> {
        let called = called()?;
        self.check(&called, &req.id).await?;
        self.inner.cancel_task(&called.among(params), req).await
    }

    async fn subscribe_to_task(
        &self,
        params: &ServiceParams,
        req: SubscribeToTaskRequest,
    ) -> Outcome<Events> {
        let called = called()?;
        self.check(&called, &req.id).await?;
        self.inner.subscribe_to_task(&called.among(params), req).await
    }

    async fn create_push_config(
        &self,
        params: &ServiceParams,
        req: TaskPushNotificationConfig,
    ) -> Outcome<TaskPushNotificationConfig> {
        let called = called()?;
        self.check(&called, &req.task_id).await?;
        self.inner.create_push_config(&called.among(params), req).await
    }

    async fn get_push_config(
        &self,
        params: &ServiceParams,
        req: GetTaskPushNotificationConfigRequest,
    ) -> Outcome<TaskPushNotificationConfig> {
        let called = called()?;
        self.check(&called, &req.task_id).await?;
        self.inner.get_push_config(&called.among(params), req).await
    }

    async fn list_push_configs(
        &self,
        params: &ServiceParams,
        req: ListTaskPushNotificationConfigsRequest,
    ) -> Outcome<ListTaskPushNotificationConfigsResponse> {
        let called = called()?;
        self.check(&called, &req.task_id).await?;
        self.inner.list_push_configs(&called.among(params), req).await
    }

    async fn delete_push_config(
        &self,
        params: &ServiceParams,
        req: DeleteTaskPushNotificationConfigRequest,
    ) -> Outcome<()> {
        let called = called()?;
        self.check(&called, &req.task_id).await?;
        self.inner.delete_push_config(&called.among(params), req).await
    }

    async fn get_extended_agent_card(
        &self,
        params: &ServiceParams,
        req: GetExtendedAgentCardRequest,
    ) -> Outcome<AgentCard> {
        self.inner.get_extended_agent_card(&called()?.among(params), req).await
    }
}
