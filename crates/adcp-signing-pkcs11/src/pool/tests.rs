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
            Ask::NeedsSession => {
                Served::NoSession(ProviderError::new(Throttled, "no session left"))
            }
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
    while started.load(Ordering::SeqCst) < 2 {
        std::thread::yield_now();
    }
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
