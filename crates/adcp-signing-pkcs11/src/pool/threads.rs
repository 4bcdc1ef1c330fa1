//! The threads that serve calls: when they start, what they do, and how they end.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use adcp_signing_core::ProviderError;
use parking_lot::MutexGuard;

use super::{Job, Served, Shared, State, Station, unavailable};

/// How long a pool whose token ran out of sessions opens no further one.
const NO_GROWTH: Duration = Duration::from_secs(10);

impl<S: Station> State<S> {
    /// Starts a thread where more requests wait than threads are idle.
    pub(super) fn staff(&mut self, shared: &Arc<Shared<S>>) -> Result<(), ProviderError> {
        let full = self.threads >= shared.limits.threads.get();
        if self.queue.len() <= self.idle || full || (self.threads > 0 && !self.may_grow()) {
            return Ok(());
        }
        let for_thread = shared.clone();
        spawn("pkcs11", move || for_thread.work())?;
        self.threads += 1;
        self.idle += 1;
        Ok(())
    }

    fn may_grow(&self) -> bool {
        self.no_growth_until.is_none_or(|until| until <= Instant::now())
    }
}

impl<S: Station> Shared<S> {
    /// A thread's life.
    fn work(self: Arc<Self>) {
        let mut seat = Seat { shared: &self, is_idle: true };
        // Dropped before the seat, so that a dropping pool can wait for its session to close.
        let mut station = (self.station)();
        while let Some(job) = seat.next_job() {
            let served = station.serve(&job.request);
            // Before the answer, so that a caller who asks again at once finds this thread idle.
            let mut state = seat.rest();
            match served {
                Served::Answered(answer) => {
                    drop(state);
                    job.reply.answer(answer);
                }
                Served::NoSession(error) if state.threads == 1 => {
                    drop(state);
                    job.reply.answer(Err(error));
                }
                Served::NoSession(_) => {
                    state.no_growth_until = Instant::now().checked_add(NO_GROWTH);
                    state.queue.push_front(job);
                    self.work.notify_one();
                    break;
                }
            }
        }
    }
}

/// A thread's place in the counts, given up even where the thread panics.
struct Seat<'a, S: Station> {
    shared: &'a Arc<Shared<S>>,
    is_idle: bool,
}

impl<'a, S: Station> Seat<'a, S> {
    /// Waits for a request; `None` when the pool closes.
    fn next_job(&mut self) -> Option<Job<S>> {
        let mut state = self.shared.state.lock();
        loop {
            if state.closed {
                return None;
            }
            match state.queue.pop_front() {
                Some(job) if job.reply.is_over() => {}
                Some(job) => {
                    state.idle = state.idle.saturating_sub(1);
                    self.is_idle = false;
                    return Some(job);
                }
                None => self.shared.work.wait(&mut state),
            }
        }
    }

    /// Counts the thread as idle again.
    fn rest(&mut self) -> MutexGuard<'a, State<S>> {
        let mut state = self.shared.state.lock();
        state.idle += 1;
        self.is_idle = true;
        state
    }
}

impl<S: Station> Drop for Seat<'_, S> {
    fn drop(&mut self) {
        let mut state = self.shared.state.lock();
        state.threads = state.threads.saturating_sub(1);
        state.idle = state.idle.saturating_sub(usize::from(self.is_idle));
        if !state.closed {
            // Whoever waited for this thread gets another; where none can be had their deadline
            // answers.
            let _ = state.staff(self.shared);
        }
        self.shared.ended.notify_all();
    }
}

/// Starts a thread of this name.
pub(super) fn spawn(name: &str, life: impl FnOnce() + Send + 'static) -> Result<(), ProviderError> {
    let spawned = thread::Builder::new().name(name.to_owned()).spawn(life);
    spawned.map(drop).map_err(|error| {
        unavailable("no thread could be started for the PKCS#11 token").with_source(error)
    })
}
