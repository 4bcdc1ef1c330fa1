//! Where the answer to one call goes.

use adcp_signing_core::ProviderError;
use parking_lot::Mutex;
use tokio::sync::oneshot;

/// Where one answer goes. The first answer counts, be it the thread's or the deadline's.
pub(super) struct Reply<A>(Mutex<Option<oneshot::Sender<Result<A, ProviderError>>>>);

impl<A> Reply<A> {
    pub(super) fn to(caller: oneshot::Sender<Result<A, ProviderError>>) -> Self {
        Self(Mutex::new(Some(caller)))
    }

    pub(super) fn answer(&self, answer: Result<A, ProviderError>) {
        let caller = self.0.lock().take();
        if let Some(caller) = caller {
            // A caller that is gone wants no answer.
            let _ = caller.send(answer);
        }
    }

    /// Whether nobody waits for it: answered, timed out, or the caller is gone.
    pub(super) fn is_over(&self) -> bool {
        self.0.lock().as_ref().is_none_or(oneshot::Sender::is_closed)
    }
}
