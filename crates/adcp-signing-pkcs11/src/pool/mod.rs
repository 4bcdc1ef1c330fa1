//! Threads that wait for a PKCS#11 module, so that no other thread has to.
//!
//! Every call into a module blocks, and a module that lost its device may never return. So the calls run on threads of
//! this pool; callers wait in a bounded queue, as futures that need no particular runtime, until their answer or their
//! deadline, which one more thread watches.

use std::{
    collections::VecDeque,
    num::NonZeroUsize,
    process,
    sync::{Arc, Weak},
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
    /// Oldest first: the timeout is the same for all. A job that is dropped takes its reply along.
    deadlines: VecDeque<(Instant, Weak<Reply<S::Answer>>)>,
    threads: usize,
    /// How many of the threads serve no request, those that are only starting included.
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
        self.idle += 1;
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
        while self.deadlines.front().is_some_and(|(deadline, reply)| *deadline <= now || is_over(reply)) {
            expired.extend(self.deadlines.pop_front().and_then(|(_, reply)| reply.upgrade()));
        }
        expired
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
            // Whoever waited for this thread gets another; where none can be had their deadline answers.
            let _ = state.staff(self.shared);
        }
        self.shared.ended.notify_all();
    }
}

fn is_over<A>(reply: &Weak<Reply<A>>) -> bool {
    reply.upgrade().is_none_or(|reply| reply.is_over())
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

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        sync::{
            atomic::{AtomicUsize, Ordering},
            mpsc,
        },
    };

    use adcp_signing_core::ProviderErrorKind::{Configuration, Throttled, Timeout, Unavailable};
    use futures_util::{future::join_all, poll};

    use super::*;

    const LONG: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_millis(300);

    /// What a thread is asked to do in these tests.
    enum Ask {
        Double(u32),
        /// Says that it has begun, then blocks until it is let go, as in a module that hangs.
        Hang(mpsc::Sender<()>, mpsc::Receiver<()>),
        Panic,
        /// Succeeds on the first thread only.
        NeedsSession,
    }

    struct Desk {
        number: usize,
    }

    impl Station for Desk {
        type Request = Mutex<Ask>;
        type Answer = u32;

        fn serve(&mut self, request: &Self::Request) -> Served<u32> {
            match &*request.lock() {
                Ask::Double(number) => Served::Answered(Ok(number * 2)),
                Ask::Hang(begun, go) => {
                    begun.send(()).unwrap();
                    let _ = go.recv();
                    Served::Answered(Ok(0))
                }
                Ask::Panic => panic!("on purpose"),
                Ask::NeedsSession if self.number == 0 => Served::Answered(Ok(1)),
                Ask::NeedsSession => Served::NoSession(ProviderError::new(Throttled, "no session left")),
            }
        }
    }

    fn pool(threads: usize, queue: usize, timeout: Duration) -> (Pool<Desk>, Arc<AtomicUsize>) {
        let limits = Limits { threads: NonZeroUsize::new(threads).unwrap(), queue, timeout };
        let started = Arc::new(AtomicUsize::new(0));
        let count = started.clone();
        let pool = Pool::new(limits, move || Desk { number: count.fetch_add(1, Ordering::SeqCst) });
        (pool, started)
    }

    fn double(number: u32) -> Mutex<Ask> {
        Mutex::new(Ask::Double(number))
    }

    /// A request that hangs, what tells that it has begun, and what ends it.
    fn hang() -> (Mutex<Ask>, mpsc::Receiver<()>, mpsc::Sender<()>) {
        let ((begun, has_begun), (go, gone)) = (mpsc::channel(), mpsc::channel());
        (Mutex::new(Ask::Hang(begun, gone)), has_begun, go)
    }

    async fn kind(call: impl Future<Output = Result<u32, ProviderError>>) -> ProviderErrorKind {
        call.await.unwrap_err().kind()
    }

    #[tokio::test]
    async fn threads_start_with_the_work_and_only_as_many_as_it_needs() {
        let (pool, started) = pool(4, 100, LONG);
        assert_eq!(started.load(Ordering::SeqCst), 0);
        for number in 0..50 {
            assert_eq!(pool.call(double(number)).await.unwrap(), number * 2);
        }
        assert_eq!(started.load(Ordering::SeqCst), 1, "one call at a time needs one thread");
    }

    #[tokio::test]
    async fn answers_reach_their_own_callers() {
        let (pool, started) = pool(3, 1000, LONG);
        let answers = join_all((0..500).map(|number| pool.call(double(number)))).await;
        for (number, answer) in (0..).zip(answers) {
            assert_eq!(answer.unwrap(), number * 2);
        }
        assert!(started.load(Ordering::SeqCst) <= 3);
    }

    #[tokio::test]
    async fn a_hung_call_times_out_and_keeps_nothing_but_its_own_thread() {
        let (pool, _) = pool(2, 10, SHORT);
        let (request, begun, go) = hang();
        assert_eq!(kind(pool.call(request)).await, Timeout);
        begun.recv().unwrap();
        for number in 0..20 {
            assert_eq!(pool.call(double(number)).await.unwrap(), number * 2);
        }
        go.send(()).unwrap();
    }

    #[tokio::test]
    async fn behind_hung_threads_the_queue_is_bounded_and_its_calls_time_out() {
        let (pool, _) = pool(1, 2, SHORT);
        let (request, begun, go) = hang();
        let mut hung = pin!(pool.call(request));
        assert!(poll!(&mut hung).is_pending());
        begun.recv().unwrap();
        let mut waiting = [1, 2].map(|number| Box::pin(pool.call(double(number))));
        for call in &mut waiting {
            assert!(poll!(call).is_pending());
        }
        assert_eq!(kind(pool.call(double(3))).await, Throttled);
        for call in waiting {
            assert_eq!(kind(call).await, Timeout);
        }
        assert_eq!(kind(hung).await, Timeout);
        go.send(()).unwrap();
    }

    #[tokio::test]
    async fn a_dropped_call_gives_up_its_place_in_the_queue() {
        let (pool, _) = pool(1, 1, LONG);
        let (request, begun, go) = hang();
        let mut hung = pin!(pool.call(request));
        assert!(poll!(&mut hung).is_pending());
        begun.recv().unwrap();
        let mut dropped = Box::pin(pool.call(double(1)));
        assert!(poll!(&mut dropped).is_pending());
        drop(dropped);
        let mut next = pin!(pool.call(double(2)));
        assert!(poll!(&mut next).is_pending(), "took the place");
        go.send(()).unwrap();
        assert_eq!(next.await.unwrap(), 4);
        assert_eq!(hung.await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_thread_that_panics_fails_its_call_and_is_replaced() {
        let (pool, started) = pool(1, 10, LONG);
        assert_eq!(kind(pool.call(Mutex::new(Ask::Panic))).await, Unavailable);
        assert_eq!(pool.call(double(1)).await.unwrap(), 2);
        assert_eq!(started.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_thread_without_a_session_leaves_its_call_to_the_others() {
        let (pool, started) = pool(2, 100, LONG);
        let (request, begun, go) = hang();
        let mut hung = pin!(pool.call(request));
        assert!(poll!(&mut hung).is_pending());
        begun.recv().unwrap();
        // The second thread has none, and the first is busy.
        let mut waiting = pin!(pool.call(Mutex::new(Ask::NeedsSession)));
        assert!(poll!(&mut waiting).is_pending());
        go.send(()).unwrap();
        assert_eq!(waiting.await.unwrap(), 1);
        assert_eq!(hung.await.unwrap(), 0);
        let answers = join_all((0..20).map(|_| pool.call(Mutex::new(Ask::NeedsSession)))).await;
        assert!(answers.into_iter().all(|answer| answer.is_ok()));
        assert_eq!(started.load(Ordering::SeqCst), 2, "no more are started for a while");
    }

    #[tokio::test]
    async fn the_last_thread_says_that_there_is_no_session() {
        let (pool, _) = pool(1, 10, LONG);
        assert_eq!(kind(pool.call(Mutex::new(Ask::Panic))).await, Unavailable);
        assert_eq!(kind(pool.call(Mutex::new(Ask::NeedsSession))).await, Throttled);
    }

    #[tokio::test]
    async fn after_a_fork_every_call_is_refused() {
        let (mut pool, _) = pool(1, 10, LONG);
        assert_eq!(pool.call(double(1)).await.unwrap(), 2);
        pool.process = pool.process.wrapping_add(1);
        assert_eq!(kind(pool.call(double(1))).await, Configuration);
        pool.process = process::id();
    }

    #[tokio::test]
    async fn dropping_the_pool_ends_its_idle_threads_and_does_not_wait_for_a_hung_one() {
        let (pool, _) = pool(2, 10, SHORT);
        let (request, begun, go) = hang();
        assert_eq!(kind(pool.call(request)).await, Timeout);
        begun.recv().unwrap();
        assert_eq!(pool.call(double(1)).await.unwrap(), 2);
        let shared = pool.shared.clone();
        drop(pool);
        let mut state = shared.state.lock();
        assert_eq!(state.threads, 1, "the hung one");
        go.send(()).unwrap();
        while state.threads > 0 {
            assert!(!shared.ended.wait_for(&mut state, LONG).timed_out());
        }
    }
}
