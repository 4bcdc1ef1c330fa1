//! `TaskOwners`: whose each A2A task is, and for which operation it was made.

use std::{fmt, sync::Arc};

use adcp_signing_core::{
    Answer,
    operation::{Continuation, Principal, TaskContinuation, TaskLookupError, TaskMatch},
};

use super::InMemoryTaskOwners;

/// Whose a task is, and for which operation it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskOwner {
    /// The principal, as a text to compare: `agent:` with the URL of the agent that signed, or
    /// `subject:` with your name for the owner of an accepted credential.
    pub principal: String,
    /// The operation, where the message named one.
    pub operation: Option<String>,
}

impl TaskOwner {
    /// An owner, as a store restores it.
    pub fn new(principal: impl Into<String>, operation: Option<String>) -> Self {
        Self { principal: principal.into(), operation }
    }

    /// Whether this principal made the task, for this operation.
    fn made(&self, principal: &str, operation: &str) -> bool {
        self.principal == principal && self.operation.as_deref() == Some(operation)
    }
}

/// Remembers whose each task is. Implement it over your database where several processes serve the
/// same tasks, or where tasks outlive the process; [`InMemoryTaskOwners`] does neither.
pub trait TaskOwnerStore: Send + Sync + fmt::Debug {
    /// Remembers the owner of a task. The first owner stays: a second one for the same task changes
    /// nothing.
    ///
    /// # Errors
    /// [`TaskLookupError`] where the owner was not remembered. Nobody can go on with the task then.
    fn record<'a>(
        &'a self,
        task_id: &'a str,
        owner: &'a TaskOwner,
    ) -> Answer<'a, (), TaskLookupError>;

    /// The owner of a task, `None` where it is not known.
    ///
    /// # Errors
    /// [`TaskLookupError`] where the question could not be answered. The request is refused then.
    fn owner<'a>(&'a self, task_id: &'a str) -> Answer<'a, Option<TaskOwner>, TaskLookupError>;
}

/// Whose each task is. Give the same one to the verifier
/// ([`VerifierBuilder::tasks`](adcp_signing_core::verify::VerifierBuilder::tasks)) and to
/// [`OwnedTasks`](super::OwnedTasks).
///
/// A task that it does not know is nobody's: nobody can read it, cancel it or go on with it.
#[derive(Debug, Clone)]
pub struct TaskOwners {
    store: Arc<dyn TaskOwnerStore>,
    anonymous_share: bool,
}

/// What callers without a name are called, where they share their tasks.
const ANONYMOUS: &str = "anonymous";

impl Default for TaskOwners {
    /// In memory, within the bounds of [`InMemoryTaskOwners`].
    fn default() -> Self {
        Self::new(InMemoryTaskOwners::default())
    }
}

impl TaskOwners {
    /// Owners that a store remembers.
    pub fn new(store: impl TaskOwnerStore + 'static) -> Self {
        Self { store: Arc::new(store), anonymous_share: false }
    }

    /// Lets callers without a name read and cancel the tasks of callers without a name, whoever
    /// knows the identifier: for an endpoint that still serves unsigned requests, so that their
    /// senders can ask for the outcome. Nobody goes on with such a task.
    #[must_use]
    pub fn with_anonymous_tasks_shared(mut self) -> Self {
        self.anonymous_share = true;
        self
    }

    /// Remembers who made a task.
    pub(super) async fn record(
        &self,
        task_id: &str,
        principal: Principal<'_>,
        operation: Option<&str>,
    ) -> Result<(), TaskLookupError> {
        match self.name_of(principal) {
            Some(principal) => {
                let owner = TaskOwner::new(principal, operation.map(str::to_owned));
                self.store.record(task_id, &owner).await
            }
            None => {
                if let Principal::Signer { keyid, .. } = principal {
                    tracing::warn!(
                        target: "adcp_signing::http", kid = keyid,
                        "the task is nobody's, as the agent of its signer is not known: give the \
                         verifier keys with their agent, such as `StaticKeys::from_jwks_of`"
                    );
                }
                Ok(())
            }
        }
    }

    /// Whether the task is this principal's.
    pub(super) async fn is_of(
        &self,
        task_id: &str,
        principal: Principal<'_>,
    ) -> Result<bool, TaskLookupError> {
        let Some(principal) = self.name_of(principal) else { return Ok(false) };
        let owner = self.store.owner(task_id).await?;
        Ok(owner.is_some_and(|owner| owner.principal == principal))
    }

    /// Whether a message of this principal, for this operation, may go on with the task.
    pub(super) async fn may_continue(
        &self,
        task_id: &str,
        principal: Principal<'_>,
        operation: Option<&str>,
    ) -> Result<bool, TaskLookupError> {
        let (Some(principal), Some(operation)) = (named(principal), operation) else {
            return Ok(false);
        };
        let owner = self.store.owner(task_id).await?;
        Ok(owner.is_some_and(|owner| owner.made(&principal, operation)))
    }

    /// The principal as a text. None where nothing tells it from another one.
    fn name_of(&self, principal: Principal<'_>) -> Option<String> {
        named(principal).or_else(|| match principal {
            Principal::Anonymous | Principal::Fallback { subject: None } => {
                self.anonymous_share.then(|| ANONYMOUS.to_owned())
            }
            // Two agents may call their keys alike.
            _ => None,
        })
    }
}

fn named(principal: Principal<'_>) -> Option<String> {
    match principal {
        Principal::Signer { agent_url: Some(url), .. } => Some(format!("agent:{url}")),
        Principal::Fallback { subject: Some(subject) } => Some(format!("subject:{subject}")),
        _ => None,
    }
}

impl TaskContinuation for TaskOwners {
    fn check<'a>(&'a self, message: Continuation<'a>) -> Answer<'a, TaskMatch, TaskLookupError> {
        let Some(principal) = named(message.principal()) else {
            return Answer::now(Ok(TaskMatch::Different));
        };
        self.store.owner(message.task_id()).map(move |owner| {
            let is_same = owner?.is_some_and(|owner| owner.made(&principal, message.operation()));
            Ok(if is_same { TaskMatch::Same } else { TaskMatch::Different })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Principal<'_> =
        Principal::Signer { agent_url: Some("https://a.example.com"), keyid: "k" };

    fn all() -> [Principal<'static>; 7] {
        [
            A,
            Principal::Signer { agent_url: Some("https://b.example.com"), keyid: "k" },
            // The key has the name of A's, and nothing says that it is A's.
            Principal::Signer { agent_url: None, keyid: "k" },
            Principal::Fallback { subject: Some("https://a.example.com") },
            Principal::Fallback { subject: Some("anonymous") },
            Principal::Fallback { subject: None },
            Principal::Anonymous,
        ]
    }

    #[tokio::test]
    async fn a_task_is_of_the_principal_that_made_it_alone() {
        for (made_by, maker) in all().into_iter().enumerate() {
            let owners = TaskOwners::default();
            owners.record("t", maker, Some("get_products")).await.unwrap();
            for (asked_by, principal) in all().into_iter().enumerate() {
                let is_named = matches!(made_by, 0 | 1 | 3 | 4);
                let is_same = owners.is_of("t", principal).await.unwrap();
                assert_eq!(is_same, is_named && made_by == asked_by, "{maker:?} {principal:?}");
                assert!(!owners.is_of("other", principal).await.unwrap());
            }
        }
    }

    #[tokio::test]
    async fn callers_without_a_name_share_their_tasks_only_where_that_is_asked_for() {
        for maker in [Principal::Anonymous, Principal::Fallback { subject: None }] {
            let owners = TaskOwners::default().with_anonymous_tasks_shared();
            owners.record("t", maker, None).await.unwrap();
            for (asked_by, principal) in all().into_iter().enumerate() {
                assert_eq!(owners.is_of("t", principal).await.unwrap(), asked_by >= 5);
            }
        }
        let owners = TaskOwners::default().with_anonymous_tasks_shared();
        owners.record("t", A, None).await.unwrap();
        assert!(!owners.is_of("t", Principal::Anonymous).await.unwrap());
    }

    #[tokio::test]
    async fn the_first_owner_stays() {
        let owners = TaskOwners::default();
        owners.record("t", A, None).await.unwrap();
        owners.record("t", all()[1], None).await.unwrap();
        assert!(owners.is_of("t", A).await.unwrap());
        assert!(!owners.is_of("t", all()[1]).await.unwrap());
    }
}
