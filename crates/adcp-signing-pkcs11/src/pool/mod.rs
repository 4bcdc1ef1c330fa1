//! Threads that wait for a PKCS#11 module, so that no other thread has to.
//!
//! Every call into a module blocks, and a module that lost its device may never return. So the
//! calls run on threads of this pool; callers wait in a bounded queue, as futures that need no
//! particular runtime, until their answer or their deadline, which one more thread watches.

mod deadlines;
mod reply;
mod threads;

use std::{
    collections::VecDeque,
    num::NonZeroUsize,
    process,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use adcp_signing_core::{ProviderError, ProviderErrorKind};
use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use self::{deadlines::Watch, reply::Reply};

/// How long a dropped pool waits for its idle threads to close their sessions.
const CLOSING: Duration = Duration::from_millis(500);

/// What one thread of the pool does; owns whatever belongs to the thread, such as a session.
pub(crate) trait Station: Send + 'static {
    type Request: Send + 'static;
    type Answer: Send + 'static;

    /// Serves one request. May block.
    fn serve(&mut self, request: &Self::Request) -> Served<Self::Answer>;
}

/// How serving a request ended.
pub(crate) enum Served<A> {
    Answered(Result<A, ProviderError>),
    /// The token has no session left for this thread. Other threads may have one: they get the
    /// request, and the error is the answer only where there is no other thread.
    NoSession(ProviderError),
}

/// The bounds of a pool.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) threads: NonZeroUsize,
    pub(crate) queue: usize,
    pub(crate) timeout: Duration,
}

/// Threads that start when there is work for them and end with the pool.
pub(crate) struct Pool<S: Station> {
    shared: Arc<Shared<S>>,
    process: u32,
}

struct Shared<S: Station> {
    limits: Limits,
    station: Box<dyn Fn() -> S + Send + Sync>,
    state: Mutex<State<S>>,
    work: Condvar,
    deadline: Condvar,
    ended: Condvar,
}

struct State<S: Station> {
    queue: VecDeque<Job<S>>,
    /// Oldest first: the timeout is the same for all. A job that is dropped takes its reply along.
    deadlines: VecDeque<(Instant, Weak<Reply<S::Answer>>)>,
    threads: usize,
    /// How many of the threads serve no request, those that are only starting included.
    idle: usize,
    watch: Watch,
    no_growth_until: Option<Instant>,
    closed: bool,
}

struct Job<S: Station> {
    request: S::Request,
    reply: Arc<Reply<S::Answer>>,
}

impl<S: Station> Pool<S> {
    /// A pool that starts no thread until the first call.
    pub(crate) fn new(limits: Limits, station: impl Fn() -> S + Send + Sync + 'static) -> Self {
        let state = State {
            queue: VecDeque::new(),
            deadlines: VecDeque::new(),
            threads: 0,
            idle: 0,
            watch: Watch::NotStarted,
            no_growth_until: None,
            closed: false,
        };
        let shared = Shared {
            limits,
            station: Box::new(station),
            state: Mutex::new(state),
            work: Condvar::new(),
            deadline: Condvar::new(),
            ended: Condvar::new(),
        };
        Self { shared: Arc::new(shared), process: process::id() }
    }

    /// Has a thread serve the request. Dropping the future takes the request out of the queue; one
    /// that a thread has already begun runs to its end there, and its answer is dropped.
    pub(crate) async fn call(&self, request: S::Request) -> Result<S::Answer, ProviderError> {
        let answer = self.submit(request)?;
        answer
            .await
            .unwrap_or_else(|_| Err(unavailable("the thread that served the call ended early")))
    }

    /// Fails in a process other than the one that built the pool.
    pub(crate) fn check_process(&self) -> Result<(), ProviderError> {
        if self.process == process::id() {
            return Ok(());
        }
        Err(ProviderError::new(
            ProviderErrorKind::Configuration,
            "this process was forked after the PKCS#11 provider was built, and a module does not survive a fork; build \
             the provider in the child",
        ))
    }

    fn submit(
        &self,
        request: S::Request,
    ) -> Result<oneshot::Receiver<Result<S::Answer, ProviderError>>, ProviderError> {
        // Before any lock: another thread of the parent may have held it at the fork.
        self.check_process()?;
        let (sender, answer) = oneshot::channel();
        let reply = Arc::new(Reply::to(sender));
        let shared = &self.shared;
        let mut state = shared.state.lock();
        if state.queue.len() >= shared.limits.queue {
            state.queue.retain(|job| !job.reply.is_over());
        }
        if state.queue.len() >= shared.limits.queue {
            return Err(ProviderError::new(
                ProviderErrorKind::Throttled,
                "too many calls wait for the PKCS#11 token; sign fewer at once, or allow more sessions or a longer queue",
            ));
        }
        state.watch_deadline(shared, &reply)?;
        state.queue.push_back(Job { request, reply });
        if let Err(error) = state.staff(shared)
            && state.threads == 0
        {
            state.queue.pop_back();
            return Err(error);
        }
        drop(state);
        shared.work.notify_one();
        Ok(answer)
    }
}

impl<S: Station> Drop for Pool<S> {
    /// Ends the threads, and waits shortly for those that are not inside the module: a process that
    /// exits while they close their sessions would tear the module down under them.
    fn drop(&mut self) {
        if self.check_process().is_err() {
            return;
        }
        let until = Instant::now() + CLOSING;
        let mut state = self.shared.state.lock();
        state.closed = true;
        state.queue.clear();
        let ending = state.idle;
        let stay = state.threads.saturating_sub(ending);
        self.shared.work.notify_all();
        self.shared.deadline.notify_all();
        while state.threads > stay {
            if self.shared.ended.wait_until(&mut state, until).timed_out() {
                break;
            }
        }
    }
}

fn unavailable(message: &'static str) -> ProviderError {
    ProviderError::new(ProviderErrorKind::Unavailable, message)
}

#[cfg(test)]
mod tests;
