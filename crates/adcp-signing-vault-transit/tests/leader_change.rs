//! A cluster of three OpenBao nodes whose leader steps down, or is killed, while 32 callers sign
//! with the layers that a key URI brings.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

mod support;

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use adcp_signing_core::{
    KeyPurpose, PublicKey, SigningProvider as _,
    provider::layers::{LazyKey, Stack},
};
use adcp_signing_testkit::{Failures, OwnServer as _, Watched};
use serde_json::{Value, json};
use support::own_node::{OwnNode, POLL, SigningKey, openbao_program};
use tokio::{
    sync::{Mutex, watch},
    task::JoinSet,
    time::{MissedTickBehavior, interval, timeout},
};

const CALLERS: usize = 32;
/// How often each caller signs.
const PACE: Duration = Duration::from_millis(200);
/// What the layers promise: the total time of one call.
const TOTAL: Duration = Duration::from_secs(30);
/// How long after that a call may end before it counts as hung.
const GRACE: Duration = Duration::from_secs(2);
/// How long each part of a test may take.
const PART: Duration = Duration::from_secs(50);

/// The tests take turns: two clusters at once would slow each other's elections.
static TURN: Mutex<()> = Mutex::const_new(());

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_steps_down_costs_callers_of_a_standby_no_request() {
    let Some(program) = openbao_program() else { return };
    let _turn = TURN.lock().await;
    for standbys in [Standbys::Answer, Standbys::Forward] {
        let cluster = Cluster::start(&program, standbys).await;
        let load = Load::start(&cluster.key, &cluster.standbys[0]).await;
        let before = Instant::now();
        cluster.leader.server.call("PUT", "sys/step-down", Value::Null).await;
        cluster.until_a_standby_leads().await;
        println!("{standbys:?}: another node leads after {:.1?}", before.elapsed());
        load.until_all_sign_again().await;
        let outcome = load.end().await;
        println!("{outcome:#?}");
        assert_eq!(outcome.refused, 0, "the retries outlast the election");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_is_killed_is_outlasted_and_signs_again_once_it_is_back() {
    let Some(program) = openbao_program() else { return };
    let _turn = TURN.lock().await;
    let mut cluster = Cluster::start(&program, Standbys::Forward).await;
    let of_standby = Load::start(&cluster.key, &cluster.standbys[0]).await;
    let of_leader = Load::start(&cluster.key, &cluster.leader).await;
    let before = Instant::now();
    cluster.leader.kill().await.unwrap();
    cluster.until_a_standby_leads().await;
    println!("another node leads after {:.1?}", before.elapsed());
    of_standby.until_all_sign_again().await;
    cluster.leader.restart().await.unwrap();
    of_leader.until_all_sign_again().await;
    for (whose, load) in [("a standby", of_standby), ("the old leader", of_leader)] {
        let outcome = load.end().await;
        println!("callers of {whose}: {outcome:#?}");
        assert!(!outcome.failures.is_empty(), "the callers of {whose} did not see the outage");
    }
}

/// What a standby does with a call that changes nothing, such as a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standbys {
    /// It answers by itself, as OpenBao does by default.
    Answer,
    /// It forwards the call to its leader, as the free edition of Vault does.
    Forward,
}

impl Standbys {
    const fn config(self) -> &'static str {
        match self {
            Self::Answer => "",
            Self::Forward => "disable_standby_reads = true",
        }
    }
}

/// Three nodes on loopback, and a key.
struct Cluster {
    leader: OwnNode,
    standbys: [OwnNode; 2],
    key: SigningKey,
}

impl Cluster {
    async fn start(program: &Path, standbys: Standbys) -> Self {
        let config = standbys.config();
        let leader = OwnNode::start_with(program, config).await.in_a_cluster();
        let settings = json!({ "server_stabilization_time": "1s" });
        leader.server.call("POST", "sys/storage/raft/autopilot/configuration", settings).await;
        let (two, three) = tokio::join!(
            OwnNode::join(program, "two", config, &leader),
            OwnNode::join(program, "three", config, &leader)
        );
        let standbys = [two, three];
        let voters = async || {
            let path = "sys/storage/raft/configuration";
            let Some((200, reply)) = leader.server.reach("GET", path, &Value::Null).await else {
                return false;
            };
            let servers = reply["data"]["config"]["servers"].as_array().unwrap();
            servers.iter().filter(|server| server["voter"] == true).count() == 3
        };
        until("every node votes", voters).await;
        let key = leader.signing_key().await;
        // A standby answers from what it has been sent until then: also a login.
        for standby in &standbys {
            let config = key.config.clone().with_server(key.at(standby));
            let signs = async || match config.connect().await {
                Ok(provider) => provider.sign(b"base").await.is_ok(),
                Err(_) => false,
            };
            until("a standby signs", signs).await;
        }
        Self { leader, standbys, key }
    }

    async fn until_a_standby_leads(&self) {
        let leads = async || {
            for standby in &self.standbys {
                let reply = standby.server.reach("GET", "sys/health", &Value::Null).await;
                if matches!(reply, Some((200, _))) {
                    return true;
                }
            }
            false
        };
        until("a standby leads", leads).await;
    }
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !holds().await {
        assert!(start.elapsed() < PART, "not in time: {what}");
        tokio::time::sleep(POLL).await;
    }
}

/// Callers that sign all the while.
struct Load {
    run: Arc<Run>,
    seen: watch::Receiver<Vec<usize>>,
    callers: JoinSet<Outcome>,
    failures: Arc<Failures>,
}

struct Run {
    key: LazyKey,
    public_key: PublicKey,
    /// How often each caller got a signature.
    signed: watch::Sender<Vec<usize>>,
    stop: AtomicBool,
}

/// How the calls of one caller, or of all, ended.
#[derive(Debug, Default)]
struct Outcome {
    signed: usize,
    refused: usize,
    longest: Duration,
    /// Of single attempts, below the retries.
    failures: BTreeMap<String, usize>,
}

impl Load {
    /// Returns once each caller has signed.
    async fn start(key: &SigningKey, node: &OwnNode) -> Self {
        let config = key.config.clone().with_server(key.at(node));
        let failures = Arc::<Failures>::default();
        let watched = Arc::clone(&failures);
        let key = LazyKey::new(KeyPurpose::RequestSigning, Stack::default(), move || {
            let (config, failures) = (config.clone(), Arc::clone(&watched));
            async move { Ok(Watched { inner: config.connect().await?, failures }) }
        });
        let public_key = key.open().await.unwrap().public_key().await.unwrap();
        let (signed, seen) = watch::channel(vec![0; CALLERS]);
        let run = Arc::new(Run { key, public_key, signed, stop: AtomicBool::new(false) });
        let mut callers = JoinSet::new();
        for caller in 0..CALLERS {
            callers.spawn(Arc::clone(&run).sign_on(caller));
        }
        let load = Self { run, seen, callers, failures };
        load.until_all_sign_again().await;
        load
    }

    /// Waits until each caller has got two more signatures: it may have asked for the first one
    /// before.
    async fn until_all_sign_again(&self) {
        let mut seen = self.seen.clone();
        let before = seen.borrow().clone();
        let again = |now: &Vec<usize>| now.iter().zip(&before).all(|(now, then)| *now >= then + 2);
        let reached = timeout(PART, seen.wait_for(again)).await.is_ok();
        assert!(reached, "the callers do not sign again: {:#?}", self.failures);
    }

    /// Ends the callers. A call that hung, or an error that is not retryable, has made its caller
    /// panic.
    async fn end(mut self) -> Outcome {
        self.run.stop.store(true, Ordering::SeqCst);
        let mut all = Outcome::default();
        while let Some(ended) = self.callers.join_next().await {
            let one = ended.unwrap();
            all.signed += one.signed;
            all.refused += one.refused;
            all.longest = all.longest.max(one.longest);
        }
        all.failures.clone_from(&self.failures.borrow());
        all
    }
}

impl Run {
    async fn sign_on(self: Arc<Self>, caller: usize) -> Outcome {
        let mut pace = interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut outcome = Outcome::default();
        for request in 0_usize.. {
            pace.tick().await;
            if self.stop.load(Ordering::SeqCst) {
                break;
            }
            let base = format!("request {request} of caller {caller}");
            let start = Instant::now();
            let key = self.key.open().await.unwrap();
            let answer = timeout(TOTAL + GRACE, key.sign(base.as_bytes())).await;
            match answer.unwrap_or_else(|_| panic!("{base} hung")) {
                Ok(answer) => {
                    self.public_key.verify(base.as_bytes(), &answer.signature).unwrap();
                    outcome.signed += 1;
                    self.signed.send_modify(|signed| signed[caller] += 1);
                }
                Err(error) if error.is_retryable() => outcome.refused += 1,
                Err(error) => panic!("{base} failed: {error}"),
            }
            outcome.longest = outcome.longest.max(start.elapsed());
        }
        outcome
    }
}
