//! What A2A binds a task and a dispatch to (contract 3.3, "Operation resolution over A2A"): the
//! operation that was resolved, and the principal that asked.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use super::Resolved;
use crate::answer::Answer;

/// Who sends a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Principal<'a> {
    /// The signer of a message that was verified.
    Signer {
        /// The canonical URL of the agent, where the key's source knows it. Identify by it, never
        /// by the `keyid`, which two agents may share.
        agent_url: Option<&'a str>,
        /// The `keyid` of the signature.
        keyid: &'a str,
    },
    /// The owner of another credential, which the application has checked.
    Fallback {
        /// The application's name for the owner, where it gave one.
        subject: Option<&'a str>,
    },
    /// Nobody: the message is unsigned and has no other credential.
    Anonymous,
}

/// A message that goes on with a task: `message.taskId`, and what must equal the task's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Continuation<'a> {
    task_id: &'a str,
    operation: &'a str,
    principal: Principal<'a>,
}

impl<'a> Continuation<'a> {
    /// The task.
    pub fn task_id(&self) -> &'a str {
        self.task_id
    }

    /// The operation that the message was resolved to.
    pub fn operation(&self) -> &'a str {
        self.operation
    }

    /// Who sends the message.
    pub fn principal(&self) -> Principal<'a> {
        self.principal
    }
}

/// What a task is to the message that goes on with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TaskMatch {
    /// It was made by the same principal, for the same operation.
    Same,
    /// There is no such task, or another principal made it, or it was made for another operation.
    Different,
}

/// Knows for which operation and by whom each A2A task was made.
///
/// From contract 3.3 on, a message with a `taskId` is refused before the handler unless it carries
/// the operation that the task was made for, and comes from the principal that made it. Only the
/// application keeps its tasks, so it answers this question.
///
/// ```
/// use adcp_signing_core::{
///     Answer,
///     operation::{Continuation, Principal, TaskContinuation, TaskLookupError, TaskMatch},
/// };
///
/// #[derive(Debug)]
/// struct OneTask;
///
/// impl TaskContinuation for OneTask {
///     fn check<'a>(
///         &'a self,
///         message: Continuation<'a>,
///     ) -> Answer<'a, TaskMatch, TaskLookupError> {
///         let is_same = message.task_id() == "task-1"
///             && message.operation() == "create_media_buy"
///             && matches!(
///                 message.principal(),
///                 Principal::Signer { agent_url: Some("https://buyer.example.com/mcp"), .. }
///             );
///         Answer::now(Ok(if is_same { TaskMatch::Same } else { TaskMatch::Different }))
///     }
/// }
/// ```
pub trait TaskContinuation: Send + Sync + fmt::Debug {
    /// Compares the task with the message that goes on with it.
    ///
    /// Two messages without a named principal are not from the same one: answer
    /// [`TaskMatch::Different`] for [`Principal::Anonymous`] and for a fallback without a subject.
    ///
    /// # Errors
    ///
    /// [`TaskLookupError`] where the task's record cannot be read. The message is then refused.
    fn check<'a>(&'a self, message: Continuation<'a>) -> Answer<'a, TaskMatch, TaskLookupError>;
}

impl<T: TaskContinuation + ?Sized> TaskContinuation for Arc<T> {
    fn check<'a>(&'a self, message: Continuation<'a>) -> Answer<'a, TaskMatch, TaskLookupError> {
        T::check(self, message)
    }
}

/// The record of a task could not be read.
#[derive(Debug, Error)]
#[error("the record of the task could not be read")]
pub struct TaskLookupError(#[source] Box<dyn std::error::Error + Send + Sync>);

impl TaskLookupError {
    /// Wraps the error of the application's store.
    pub fn new(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}

/// A message that must not reach the handler. It is refused on the level of the task, by a code of
/// AdCP's error envelope and by none of the signature codes.
///
/// The texts do not say whether a task exists, nor whose it is.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TaskRefusal {
    /// The message goes on with a task that is not the caller's, or was made for another operation.
    #[error("taskId names no task that this caller made for this operation")]
    Continuation,
    /// The message goes on with a task, and does not carry exactly one operation to compare.
    #[error("a message with a taskId must carry exactly one operation")]
    Operation,
    /// The dispatcher reads another operation from the message than the one that was checked.
    #[error("the dispatched operation is not the one that the message was checked for")]
    Dispatch,
    /// The record of the task could not be read.
    #[error(transparent)]
    Lookup(#[from] TaskLookupError),
}

impl TaskRefusal {
    /// The code of the AdCP error envelope: `INVALID_REQUEST`, or `SERVICE_UNAVAILABLE` where the
    /// question could not be answered.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Continuation | Self::Operation | Self::Dispatch => "INVALID_REQUEST",
            Self::Lookup(_) => "SERVICE_UNAVAILABLE",
        }
    }
}

/// Asks `tasks` about each task that the message goes on with. A message without a `taskId` passes.
///
/// Call it after the signature was verified, before the handler.
///
/// # Errors
///
/// [`TaskRefusal`]; never [`TaskRefusal::Dispatch`].
pub async fn check_continuation(
    tasks: &dyn TaskContinuation,
    resolved: &Resolved,
    principal: Principal<'_>,
) -> Result<(), TaskRefusal> {
    for task_id in resolved.task_ids() {
        let operation = sole_operation(resolved).ok_or(TaskRefusal::Operation)?;
        match tasks.check(Continuation { task_id, operation, principal }).await? {
            TaskMatch::Same => {}
            TaskMatch::Different => return Err(TaskRefusal::Continuation),
        }
    }
    Ok(())
}

/// Whether the operation that a dispatcher is about to run is the one that was checked.
///
/// A dispatcher that parses the message for itself may read another one. Call it with what the
/// dispatcher read, before the handler.
///
/// # Errors
///
/// [`TaskRefusal::Dispatch`], also where no operation, or more than one, was resolved.
///
/// ```
/// use adcp_signing_core::operation::{Resolved, check_dispatch};
///
/// let resolved = Resolved::of_operation("get_products");
/// assert!(check_dispatch(&resolved, "get_products").is_ok());
/// let refusal = check_dispatch(&resolved, "create_media_buy").unwrap_err();
/// assert_eq!(refusal.code(), "INVALID_REQUEST");
/// ```
pub fn check_dispatch(resolved: &Resolved, dispatched: &str) -> Result<(), TaskRefusal> {
    match sole_operation(resolved) {
        Some(operation) if operation == dispatched => Ok(()),
        _ => Err(TaskRefusal::Dispatch),
    }
}

/// The operation, where there is exactly one and nothing was left undetermined.
fn sole_operation(resolved: &Resolved) -> Option<&str> {
    let is_sole = resolved.further_operations().next().is_none() && !resolved.is_undetermined();
    resolved.operation().filter(|_| is_sole)
}
