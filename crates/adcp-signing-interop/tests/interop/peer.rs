//! A peer's process: its server, and its client, which is told what to send line by line.

use std::{env, path::Path, process::Stdio, time::Duration};

use adcp_signing_core::profile::Challenge;
use adcp_signing_interop::{Answer, Message, Peer};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

use crate::our_server::Accepted;

/// The Python package is slow to import where nothing of it is compiled yet.
const STARTS_WITHIN: Duration = Duration::from_secs(240);
const ANSWERS_WITHIN: Duration = Duration::from_secs(120);

pub(crate) struct PeerProcess {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    ready: Ready,
}

#[derive(Deserialize)]
struct Ready {
    version: String,
    runtime: String,
    port: u16,
    keys: Vec<Value>,
}

/// What a peer's client says of a message.
#[derive(Deserialize)]
#[serde(untagged)]
enum Said {
    Answer { status: u16, challenge: Option<String>, body: String },
    Failure { failure: String },
}

/// The command that starts a peer, where it is installed.
pub(crate) fn command(peer: Peer) -> Option<Command> {
    let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
    Some(match peer {
        Peer::Python => {
            let mut python = Command::new(env::var_os("ADCP_TEST_INTEROP_PYTHON")?);
            python.arg(peers.join("python.py"));
            python
        }
        Peer::Node => {
            let mut node = Command::new("node");
            node.arg(peers.join("node.mjs")).arg(env::var_os("ADCP_TEST_INTEROP_NODE_FOLDER")?);
            node
        }
    })
}

impl PeerProcess {
    pub(crate) async fn start(peer: Peer, mut command: Command, our_keys: &Value) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{peer} cannot be started: {error}"));
        let mut input = child.stdin.take().unwrap();
        let known = json!({ "jwks": our_keys, "hmac_secret": crate::hmac::SECRET });
        input.write_all(format!("{known}\n").as_bytes()).await.unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = timeout(STARTS_WITHIN, output.next_line()).await;
        let line = line.unwrap_or_else(|_| panic!("{peer} is not ready in time"));
        let line = line.unwrap().unwrap_or_else(|| panic!("{peer} ended before it was ready"));
        let ready: Ready = serde_json::from_str(&line).unwrap();
        println!("{peer} {} on {}", ready.version, ready.runtime);
        assert_eq!(ready.version, peer.version(), "another version of {peer} is installed");
        Self { child, input, output, ready }
    }

    pub(crate) fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.ready.port)
    }

    pub(crate) fn jwks(&self) -> Value {
        json!({ "keys": self.ready.keys })
    }

    /// Has a webhook signed by the legacy HMAC and sent, and gives the status of our server's
    /// answer.
    pub(crate) async fn send_hmac(
        &mut self,
        url: &str,
        payload: &Value,
        age: i64,
    ) -> (u16, String) {
        let order = json!({ "profile": "hmac", "url": url, "payload": payload, "age": age });
        match self.order(&order).await {
            Said::Answer { status, body, .. } => (status, body),
            Said::Failure { failure } => panic!("not sent: {failure}"),
        }
    }

    /// Has our tool called by MCP, and gives its text, or the refusal.
    pub(crate) async fn call_mcp(&mut self, order: &Value) -> Result<String, Answer> {
        match self.order(order).await {
            Said::Answer { challenge: Some(challenge), .. } => Err(refused(&challenge)),
            Said::Answer { body, .. } => Ok(body),
            Said::Failure { failure } => Err(Answer::Fails(failure.into())),
        }
    }

    async fn order(&mut self, order: &Value) -> Said {
        self.input.write_all(format!("{order}\n").as_bytes()).await.unwrap();
        let line = timeout(ANSWERS_WITHIN, self.output.next_line()).await;
        let line = line.expect("the peer answers in time").unwrap().expect("the peer runs");
        let said = serde_json::from_str(&line);
        said.unwrap_or_else(|error| panic!("the peer said {line:?}: {error}"))
    }

    /// Has a message signed and sent, and gives our server's answer.
    pub(crate) async fn send(&mut self, message: &Message, url: &str) -> Answer {
        let order = json!({
            "url": url,
            "method": message.method,
            "content_type": message.content_type,
            "body": message.body,
            "profile": message.lane.wire.name_at_peers(),
            "keyid": message.keyid(),
            "digest": message.digest,
            "age": message.change.age(),
        });
        match self.order(&order).await {
            Said::Answer { challenge: Some(challenge), .. } => refused(&challenge),
            Said::Answer { status, body, .. } => {
                Accepted::judge(status.try_into().unwrap(), &body, message)
            }
            Said::Failure { failure } => Answer::Fails(format!("not sent: {failure}").into()),
        }
    }

    /// Waits until it has ended.
    pub(crate) async fn stop(mut self) {
        drop(self.input);
        let ended = timeout(ANSWERS_WITHIN, self.child.wait()).await;
        assert!(ended.expect("the peer ends when its input ends").unwrap().success());
    }
}

fn refused(challenge: &str) -> Answer {
    let challenge = Challenge::parse(challenge).expect("a challenge with a code");
    Answer::Refuses(challenge.code().to_owned().into())
}
