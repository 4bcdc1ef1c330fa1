//! The client's own call, as one who has nothing of ours makes it.

use std::sync::Arc;

use tokio::{runtime::Handle, task::spawn_blocking};

use super::{BenchError, MESSAGE, Service};

/// The client's call, from one place or another.
#[derive(Clone)]
pub(super) enum Bare {
    /// From the task that wants the signature. A call that blocks holds up the runtime's thread,
    /// and as many are in flight as the runtime has threads.
    InTask(Arc<dyn Service>),
    /// From a thread of the runtime that may block: the way of an async program with a client that
    /// blocks.
    OnThread(Arc<dyn Service>),
}

impl Bare {
    pub(super) async fn call(&self) -> Result<(), BenchError> {
        match self {
            Self::InTask(service) => service.bare(&MESSAGE).await,
            Self::OnThread(service) => {
                let (service, runtime) = (Arc::clone(service), Handle::current());
                spawn_blocking(move || runtime.block_on(service.bare(&MESSAGE))).await?
            }
        }
    }
}
