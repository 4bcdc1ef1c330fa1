//! Threads that wait for a PKCS#11 module, so that no other thread has to.
//!
//! Every call into a module blocks, and a module that lost its device may never return. So the calls run on threads of
//! this pool; callers wait in a bounded queue, as futures that need no particular runtime, until their answer or their
//! deadline, which one more thread watches.

use std::{
    collections::VecDeque,
    num::NonZeroUsize,
    process,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use adcp_signing_core::{ProviderError, ProviderErrorKind};
use parking_lot::{Condvar, Mutex, MutexGuard};
use tokio::sync::oneshot;

/// How long a dropped pool waits for its idle threads to close their sessions.
const CLOSING: Duration = Duration::from_millis(500);
/// How long a pool whose token ran out of sessions opens no further one.
const NO_GROWTH: Duration = Duration::from_secs(10);

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
    /// The token has no session left for this thread. Other threads may have one: they get the request, and the error
    /// is the answer only where there is no other thread.
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
    /// Oldest first: the timeout is the same for all.
    deadlines: VecDeque<(Instant, Arc<Reply<S::Answer>>)>,
    threads: usize,
    idle: usize,
    watch: Watch,
    no_growth_until: Option<Instant>,
    closed: bool,
}

#[derive(PartialEq, Eq)]
enum Watch {
    NotStarted,
    /// Sleeps until the next deadline, so that a new one, which is later, need not wake it.
    Timed,
    Idle,
}

struct Job<S: Station> {
    request: S::Request,
    reply: Arc<Reply<S::Answer>>,
}

/// Where one answer goes. The first answer counts, be it the thread's or the deadline's.
struct Reply<A>(Mutex<Option<oneshot::Sender<Result<A, ProviderError>>>>);

impl<A> Reply<A> {
    fn answer(&self, answer: Result<A, ProviderError>) {
        let caller = self.0.lock().take();
        if let Some(caller) = caller {
            // A caller that is gone wants no answer.
            let _ = caller.send(answer);
        }
    }

    /// Whether nobody waits for it: answered, timed out, or the caller is gone.
    fn is_over(&self) -> bool {
        self.0.lock().as_ref().is_none_or(oneshot::Sender::is_closed)
    }
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

    /// Has a thread serve the request. Dropping the future takes the request out of the queue; one that a thread has
    /// already begun runs to its end there, and its answer is dropped.
    pub(crate) async fn call(&self, request: S::Request) -> Result<S::Answer, ProviderError> {
        let answer = self.submit(request)?;
        answer.await.unwrap_or_else(|_| Err(unavailable("the thread that served the call ended early")))
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
        let reply = Arc::new(Reply(Mutex::new(Some(sender))));
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
    /// Ends the threads, and waits shortly for those that are not inside the module: a process that exits while they
    /// close their sessions would tear the module down under them.
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

impl<S: Station> State<S> {
    /// Starts a thread where more requests wait than threads are idle.
    fn staff(&mut self, shared: &Arc<Shared<S>>) -> Result<(), ProviderError> {
        let full = self.threads >= shared.limits.threads.get();
        if self.queue.len() <= self.idle || full || (self.threads > 0 && !self.may_grow()) {
            return Ok(());
        }
        let for_thread = shared.clone();
        spawn("pkcs11", move || for_thread.work())?;
        self.threads += 1;
        Ok(())
    }

    fn may_grow(&self) -> bool {
        self.no_growth_until.is_none_or(|until| until <= Instant::now())
    }

    fn watch_deadline(
        &mut self,
        shared: &Arc<Shared<S>>,
        reply: &Arc<Reply<S::Answer>>,
    ) -> Result<(), ProviderError> {
        let Some(deadline) = Instant::now().checked_add(shared.limits.timeout) else { return Ok(()) };
        if self.watch == Watch::NotStarted {
            let for_thread = shared.clone();
            spawn("pkcs11-deadline", move || for_thread.watch())?;
            self.watch = Watch::Idle;
        }
        // Or the list would hold every call of the last timeout's length.
        while self.deadlines.front().is_some_and(|(_, reply)| reply.is_over()) {
            self.deadlines.pop_front();
        }
        self.deadlines.push_back((deadline, reply.clone()));
        if self.watch == Watch::Idle {
            shared.deadline.notify_one();
        }
        Ok(())
    }

    fn take_expired(&mut self, now: Instant) -> Vec<Arc<Reply<S::Answer>>> {
        let mut expired = Vec::new();
        while self.deadlines.front().is_some_and(|(deadline, reply)| *deadline <= now || reply.is_over()) {
            expired.extend(self.deadlines.pop_front().map(|(_, reply)| reply));
        }
        expired
    }
}

impl<S: Station> Shared<S> {
    /// A thread's life.
    fn work(self: Arc<Self>) {
        let seat = Seat(&self);
        let mut station = (self.station)();
        while let Some(job) = self.next_job() {
            match station.serve(&job.request) {
                Served::Answered(answer) => job.reply.answer(answer),
                Served::NoSession(error) => {
                    let mut state = self.state.lock();
                    if state.threads > 1 {
                        state.no_growth_until = Instant::now().checked_add(NO_GROWTH);
                        state.queue.push_front(job);
                        self.work.notify_one();
                        break;
                    }
                    drop(state);
                    job.reply.answer(Err(error));
                }
            }
        }
        // The session closes before the seat is given up, so that a dropping pool can wait for it.
        drop(station);
        drop(seat);
    }

    fn next_job(&self) -> Option<Job<S>> {
        let mut state = self.state.lock();
        loop {
            if state.closed {
                return None;
            }
            match state.queue.pop_front() {
                Some(job) if job.reply.is_over() => {}
                Some(job) => return Some(job),
                None => {
                    state.idle += 1;
                    self.work.wait(&mut state);
                    state.idle -= 1;
                }
            }
        }
    }

    /// The life of the thread that watches the deadlines.
    fn watch(&self) {
        let mut state = self.state.lock();
        while !state.closed {
            let expired = state.take_expired(Instant::now());
            if !expired.is_empty() {
                // Waking a caller runs its executor's code.
                MutexGuard::unlocked(&mut state, || expired.iter().for_each(|reply| reply.answer(Err(timed_out()))));
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

/// A thread's place in the count, given up even where the thread panics.
struct Seat<'a, S: Station>(&'a Arc<Shared<S>>);

impl<S: Station> Drop for Seat<'_, S> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.threads = state.threads.saturating_sub(1);
        if !state.closed {
            // Those who wait for a thread that panicked get another; where none can be had their deadline answers.
            let _ = state.staff(self.0);
        }
        self.0.ended.notify_all();
    }
}

fn spawn(name: &str, life: impl FnOnce() + Send + 'static) -> Result<(), ProviderError> {
    let spawned = thread::Builder::new().name(name.to_owned()).spawn(life);
    spawned
        .map(drop)
        .map_err(|error| unavailable("no thread could be started for the PKCS#11 token").with_source(error))
}

fn timed_out() -> ProviderError {
    ProviderError::new(
        ProviderErrorKind::Timeout,
        "the PKCS#11 module did not answer in time; see whether its device is reachable",
    )
}

fn unavailable(message: &'static str) -> ProviderError {
    ProviderError::new(ProviderErrorKind::Unavailable, message)
}
