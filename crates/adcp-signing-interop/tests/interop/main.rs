//! Messages between us and the SDKs of other projects, over sockets, both ways.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "helpers of tests"
)]

mod hmac;
mod keys;
mod mcp;
mod our_client;
mod our_server;
mod peer;
mod transit;

use std::{collections::BTreeMap, env};

use adcp_signing_interop::{
    Answer, Change, Direction, Drawn, Fault, Lane, Message, Peer, faults, lanes,
};
use adcp_signing_testkit::skip;
use keys::Keys;
use our_client::OurClient;
use our_server::OurServer;
use peer::PeerProcess;

const MESSAGES: usize = 200;
const SEED: u64 = 1;

/// One peer and our two halves for it.
struct Pair {
    peer: PeerProcess,
    client: OurClient,
    server: OurServer,
}

impl Pair {
    async fn start(peer: Peer, command: tokio::process::Command) -> Self {
        let keys = Keys::generate();
        let peer = PeerProcess::start(peer, command, &keys.jwks()).await;
        let client = OurClient::new(&keys, peer.base());
        let server = OurServer::start(&peer.jwks()).await;
        Self { peer, client, server }
    }

    /// Sends a message, and gives the verifier's answer.
    async fn send(&mut self, message: &Message) -> Answer {
        match message.lane.direction {
            Direction::WeSign => self.client.send(message).await,
            Direction::TheySign => {
                self.server.expect(message.change);
                self.peer.send(message, &self.server.url(message)).await
            }
        }
    }
}

/// What the answers of one peer came to.
#[derive(Default)]
struct Outcome {
    /// By lane: as sent, and changed on the way.
    right: BTreeMap<Lane, [usize; 2]>,
    /// What went wrong.
    wrong: Vec<String>,
}

async fn exchange(pair: &mut Pair, messages: Vec<(usize, Message)>) -> Outcome {
    let mut outcome = Outcome::default();
    for (nth, message) in messages {
        let (right, answer) = (message.right(), pair.send(&message).await);
        if answer == right {
            let counts = outcome.right.entry(message.lane).or_default();
            counts[usize::from(message.change != Change::None)] += 1;
        } else {
            let lane = message.lane;
            outcome.wrong.push(format!(
                "message {nth} ({lane}): {answer} in place of {right}\n  {message:?}"
            ));
        }
    }
    outcome
}

/// Shows each known fault of the peer; an answer that is not the known one is wrong.
async fn show_faults(pair: &mut Pair, peer: Peer) -> Vec<String> {
    let mut wrong = Vec::new();
    for fault in faults().iter().filter(|fault| fault.shown_by.lane.peer == peer) {
        let Fault { does, shown_by, right, comes, .. } = fault;
        let answer = pair.send(shown_by).await;
        println!("known fault of {peer}: {does}: {answer} in place of {right}");
        // A message that must not be sent is not sent for a reason of the peer's.
        let not_sent = |answer: &Answer| matches!(answer, Answer::Fails(_));
        if answer == *right || (not_sent(&answer) && not_sent(right)) {
            wrong.push(format!("{peer} no longer has a fault; take it out of the table: {does}"));
        } else if answer != *comes {
            wrong.push(format!("{peer}, {does}: {answer}, and the table has {comes}"));
        }
    }
    wrong
}

fn number<T: std::str::FromStr>(variable: &str, otherwise: T) -> T {
    match env::var(variable) {
        Ok(text) => text.parse().ok().unwrap_or_else(|| panic!("{variable}={text}: no number")),
        Err(_) => otherwise,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn peers_verify_what_we_sign_and_we_verify_what_they_sign() -> Result<(), String> {
    let (Some(python), Some(node)) = (peer::command(Peer::Python), peer::command(Peer::Node))
    else {
        return skip("ADCP_TEST_INTEROP_PYTHON or ADCP_TEST_INTEROP_NODE_FOLDER is not set");
    };
    let messages = number("ADCP_TEST_INTEROP_MESSAGES", MESSAGES);
    let seed = number("ADCP_TEST_INTEROP_SEED", SEED);
    let least = lanes().len();
    assert!(messages >= least, "{messages} messages: it takes {least}, one for each lane");
    let run = async |peer, command| {
        let mut pair = Pair::start(peer, command).await;
        let drawn = Drawn::from_seed(seed).take(messages).enumerate();
        let drawn = drawn.filter(|(_, message)| message.lane.peer == peer).collect();
        let outcome = exchange(&mut pair, drawn).await;
        let mut faults = show_faults(&mut pair, peer).await;
        faults.extend(hmac::exchange(&mut pair.peer, peer, &pair.server.base()).await);
        faults.extend(mcp::exchange(&mut pair, peer).await);
        pair.peer.stop().await;
        (outcome, faults)
    };
    let (python, node) = tokio::join!(run(Peer::Python, python), run(Peer::Node, node));

    // What is wrong about a known fault comes first: of the rest only a part is shown.
    let (mut wrong, mut wrong_messages) = (Vec::new(), Vec::new());
    let mut total = 0;
    for (outcome, faults) in [python, node] {
        for (lane, [as_sent, changed]) in &outcome.right {
            println!("{as_sent:5} accepted, {changed:5} refused: {lane}");
            total += as_sent + changed;
        }
        wrong.extend(faults);
        wrong_messages.extend(outcome.wrong);
    }
    wrong.append(&mut wrong_messages);
    println!("{total} of {messages} messages answered as they should be, seed {seed}");
    let shown = wrong.iter().take(20).map(String::as_str).collect::<Vec<_>>().join("\n");
    assert!(
        wrong.is_empty(),
        "{} wrong answers; repeat them with `cargo xtask interop --messages {messages} --seed \
         {seed}`:\n{shown}",
        wrong.len()
    );
    assert_eq!(total, messages, "messages were lost");
    Ok(())
}
