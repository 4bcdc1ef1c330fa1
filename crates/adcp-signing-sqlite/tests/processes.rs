//! Deliveries of several processes: one that is killed while it delivers, and two at once.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

use std::{
    collections::HashMap,
    net::SocketAddr,
    path::Path,
    process::Stdio,
    sync::{Arc, Mutex},
    time::Duration,
};

use adcp_signing_core::{
    Algorithm, Clock, InMemoryProvider, KeyPurpose, Signer, SystemClock, UnixSeconds,
};
use adcp_signing_http::webhook::{Payload, WebhookSender, WebhookTarget};
use adcp_signing_sqlite::SqliteDeliveries;
use axum::{Router, body::Bytes, extract::State, routing::post};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    net::TcpListener,
    process::{Child, Command},
    sync::{Notify, Semaphore},
};

const PATIENCE: Duration = Duration::from_secs(60);
/// How many deliveries there are in a test.
const MANY: usize = 40;

/// The variables by which a test makes itself a sender in a process of its own: the file, and by how
/// many seconds its clock is fast.
const FILE: &str = "ADCP_SIGNING_TEST_FILE";
const FAST: &str = "ADCP_SIGNING_TEST_FAST";

/// A clock that is fast, so that a test need not wait for the end of a claim.
#[derive(Debug)]
struct Fast(i64);

impl Clock for Fast {
    fn now(&self) -> UnixSeconds {
        SystemClock.now().plus(self.0)
    }
}

/// Delivers what is in the file until it is killed. It does nothing where it is not a child.
#[tokio::test]
async fn child() {
    let Ok(file) = std::env::var(FILE) else { return };
    let fast = std::env::var(FAST).unwrap().parse().unwrap();
    let sender = sender(Path::new(&file), fast);
    println!("\nready");
    sender.run().await;
}

fn sender(file: &Path, fast: i64) -> WebhookSender {
    let key = InMemoryProvider::generate(Algorithm::Ed25519, KeyPurpose::RequestSigning).unwrap();
    WebhookSender::builder(Signer::for_webhooks(key).unwrap())
        .store(SqliteDeliveries::open(file).unwrap())
        .concurrency(8.try_into().unwrap())
        .clock(Fast(fast))
        .build()
        .unwrap()
}

/// Starts a process that delivers.
async fn start(file: &Path, fast: i64) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env(FILE, file)
        .env(FAST, fast.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let ready = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.contains("ready") {
                return;
            }
        }
        panic!("the child ended")
    };
    tokio::time::timeout(PATIENCE, ready).await.expect("the child is ready in time");
    child
}

/// What a receiver saw of one delivery.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    /// How often it was accepted.
    accepted: usize,
    under_way: usize,
    /// The most that were under way at a time.
    at_once: usize,
}

#[derive(Debug)]
struct Receiver {
    seen: Mutex<HashMap<String, Seen>>,
    /// One permit for each answer.
    gate: Semaphore,
    changed: Notify,
}

impl Receiver {
    async fn start() -> (Arc<Self>, SocketAddr) {
        let receiver = Arc::new(Self {
            seen: Mutex::default(),
            gate: Semaphore::new(0),
            changed: Notify::new(),
        });
        let app = Router::new().route("/hooks", post(Self::hear)).with_state(Arc::clone(&receiver));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        (receiver, address)
    }

    async fn hear(State(receiver): State<Arc<Self>>, body: Bytes) {
        let event: Value = serde_json::from_slice(&body).unwrap();
        let key = event["idempotency_key"].as_str().unwrap().to_owned();
        // Leaves when the sender hangs up as well.
        let visit = Visit::enter(receiver, key);
        visit.receiver.gate.acquire().await.unwrap().forget();
        visit.change(|seen| seen.accepted += 1);
    }

    /// Waits until what was seen is as wanted.
    async fn wait(&self, wanted: impl Fn(&HashMap<String, Seen>) -> bool) {
        let wait = async {
            loop {
                let changed = self.changed.notified();
                if wanted(&self.seen.lock().unwrap()) {
                    return;
                }
                changed.await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, wait).await;
        assert!(waited.is_ok(), "not as wanted in time: {:?}", self.seen.lock().unwrap());
    }
}

/// One request that is under way.
struct Visit {
    receiver: Arc<Receiver>,
    key: String,
}

impl Visit {
    fn enter(receiver: Arc<Receiver>, key: String) -> Self {
        let visit = Self { receiver, key };
        visit.change(|seen| {
            seen.under_way += 1;
            seen.at_once = seen.at_once.max(seen.under_way);
        });
        visit
    }

    fn change(&self, change: impl FnOnce(&mut Seen)) {
        let mut seen = self.receiver.seen.lock().unwrap();
        change(seen.entry(self.key.clone()).or_default());
        self.receiver.changed.notify_waiters();
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.change(|seen| seen.under_way -= 1);
    }
}

/// Stores deliveries, as a process that only enqueues.
async fn enqueue(file: &Path, receiver: SocketAddr) {
    let url = format!("http://{receiver}/hooks");
    let target = WebhookTarget::loopback_for_development(&url).unwrap();
    let sender = sender(file, 0);
    for number in 0..MANY {
        let event = json!({ "idempotency_key": format!("whk_20260526_{number:06}") });
        sender.enqueue(&target, Payload::from_json(&event).unwrap()).await.unwrap();
    }
}

async fn left(file: &Path) -> u64 {
    SqliteDeliveries::open(file).unwrap().count().await.unwrap()
}

/// Waits until no more than this is left to deliver, and answers how much is.
async fn at_most(most: u64, file: &Path) -> u64 {
    let wait = async {
        loop {
            let left = left(file).await;
            if left <= most {
                return left;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("the rest is delivered in time")
}

#[tokio::test]
async fn a_process_that_is_killed_while_it_delivers_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("webhooks.sqlite");
    let (receiver, address) = Receiver::start().await;
    enqueue(&file, address).await;

    // The first process delivers five, and is killed with as many under way as it may have.
    let mut first = start(&file, 0).await;
    receiver.gate.add_permits(5);
    let accepted =
        |seen: &HashMap<String, Seen>| seen.values().map(|it| it.accepted).sum::<usize>();
    let under_way =
        |seen: &HashMap<String, Seen>| seen.values().map(|it| it.under_way).sum::<usize>();
    receiver.wait(|seen| accepted(seen) == 5 && under_way(seen) == 8).await;
    first.kill().await.unwrap();
    receiver.wait(|seen| under_way(seen) == 0).await;
    let remaining = left(&file).await;
    assert!(remaining >= 35, "only what was accepted is gone: {remaining}");

    // While the claims hold, the next process leaves what the first had.
    receiver.gate.add_permits(1000);
    let second = start(&file, 0).await;
    receiver.wait(|seen| accepted(seen) >= MANY - 8).await;
    let held = at_most(13, &file).await;
    assert!(held >= 8, "the claims of the first process: {held}");
    drop(second);

    // Once they have ended, all is delivered.
    let _third = start(&file, 91).await;
    at_most(0, &file).await;
    let seen = receiver.seen.lock().unwrap();
    assert_eq!(seen.len(), MANY);
    assert!(seen.values().all(|it| it.accepted >= 1), "{seen:?}");
    assert!(seen.values().all(|it| it.at_once == 1), "{seen:?}");
    // Again is only what the killed process could not record.
    assert!(accepted(&seen) <= MANY + 5, "{seen:?}");
}

#[tokio::test]
async fn two_processes_at_once_deliver_each_webhook_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("webhooks.sqlite");
    let (receiver, address) = Receiver::start().await;
    enqueue(&file, address).await;
    let _senders = (start(&file, 0).await, start(&file, 0).await);
    // Both are at it: one alone has no more than eight under way.
    let under_way =
        |seen: &HashMap<String, Seen>| seen.values().map(|it| it.under_way).sum::<usize>();
    receiver.wait(|seen| under_way(seen) == 16).await;
    receiver.gate.add_permits(1000);
    at_most(0, &file).await;
    let seen = receiver.seen.lock().unwrap();
    assert_eq!(seen.len(), MANY);
    assert!(seen.values().all(|it| it.accepted == 1 && it.at_once == 1), "{seen:?}");
}
