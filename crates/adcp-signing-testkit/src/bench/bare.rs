//! The client's own call, as an async program without this project's code has to make it.

use std::sync::Arc;

use tokio::{runtime::Handle, task::spawn_blocking};

use super::{BenchError, MESSAGE, Service};

/// One call: in the task that wants the signature, or, where the client's call blocks, by
/// `spawn_blocking`, because a call that blocks must not hold up the runtime.
pub(super) async fn call(service: &Arc<dyn Service>) -> Result<(), BenchError> {
    if !service.blocks() {
        return service.bare(&MESSAGE).await;
    }
    let (service, runtime) = (Arc::clone(service), Handle::current());
    spawn_blocking(move || runtime.block_on(service.bare(&MESSAGE))).await?
}
