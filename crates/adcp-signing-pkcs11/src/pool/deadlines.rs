//! The deadlines of calls, and the thread that watches them.

use std::{
    sync::{Arc, Weak},
    time::Instant,
};

use adcp_signing_core::{ProviderError, ProviderErrorKind};
use parking_lot::MutexGuard;

use super::{Reply, Shared, State, Station, threads::spawn};

/// What the thread that watches does.
#[derive(PartialEq, Eq)]
pub(super) enum Watch {
    NotStarted,
    /// Sleeps until the next deadline, so that a new one, which is later, need not wake it.
    Timed,
    Idle,
}

impl<S: Station> State<S> {
    /// Has the call answered at its deadline, where nothing answers it before.
    pub(super) fn watch_deadline(
        &mut self,
        shared: &Arc<Shared<S>>,
        reply: &Arc<Reply<S::Answer>>,
    ) -> Result<(), ProviderError> {
        let Some(deadline) = Instant::now().checked_add(shared.limits.timeout) else {
            return Ok(());
        };
        if self.watch == Watch::NotStarted {
            let for_thread = shared.clone();
            spawn("pkcs11-deadline", move || for_thread.watch())?;
            self.watch = Watch::Idle;
        }
        // Or the list would hold every call of the last timeout's length.
        while self.deadlines.front().is_some_and(|(_, reply)| is_over(reply)) {
            self.deadlines.pop_front();
        }
        self.deadlines.push_back((deadline, Arc::downgrade(reply)));
        if self.watch == Watch::Idle {
            shared.deadline.notify_one();
        }
        Ok(())
    }

    fn take_expired(&mut self, now: Instant) -> Vec<Arc<Reply<S::Answer>>> {
        let mut expired = Vec::new();
        while self
            .deadlines
            .front()
            .is_some_and(|(deadline, reply)| *deadline <= now || is_over(reply))
        {
            expired.extend(self.deadlines.pop_front().and_then(|(_, reply)| reply.upgrade()));
        }
        expired
    }
}

impl<S: Station> Shared<S> {
    /// The life of the thread that watches the deadlines.
    fn watch(&self) {
        let mut state = self.state.lock();
        while !state.closed {
            let expired = state.take_expired(Instant::now());
            if !expired.is_empty() {
                // Waking a caller runs its executor's code.
                MutexGuard::unlocked(&mut state, || {
                    expired.iter().for_each(|reply| reply.answer(Err(timed_out())))
                });
                state.queue.retain(|job| !job.reply.is_over());
                continue;
            }
            match state.deadlines.front().map(|(deadline, _)| *deadline) {
                Some(deadline) => {
                    state.watch = Watch::Timed;
                    self.deadline.wait_until(&mut state, deadline);
                }
                None => {
                    state.watch = Watch::Idle;
                    self.deadline.wait(&mut state);
                }
            }
        }
    }
}

fn is_over<A>(reply: &Weak<Reply<A>>) -> bool {
    reply.upgrade().is_none_or(|reply| reply.is_over())
}

fn timed_out() -> ProviderError {
    ProviderError::new(
        ProviderErrorKind::Timeout,
        "the PKCS#11 module did not answer in time; see whether its device is reachable",
    )
}
