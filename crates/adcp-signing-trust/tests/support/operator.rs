//! An operator on this machine: an agent over MCP, its brand.json and its JWKS, each of which a test
//! can change.
#![allow(dead_code, clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use adcp_signing_core::{Algorithm, InMemoryProvider, KeyPurpose};
use adcp_signing_testkit::CannedReply;
use serde_json::{Value, json};

use super::{Answer, Server};

pub(crate) const BUYER: &str = "buyer.example.com";
pub(crate) const SELLER: &str = "seller.example.com";
pub(crate) const MCP: &str = "/mcp";
pub(crate) const BRAND: &str = "/.well-known/brand.json";
pub(crate) const JWKS: &str = "/.well-known/jwks.json";

/// A fresh key, as it is published.
pub(crate) fn published(kid: &str) -> Value {
    let key = InMemoryProvider::generate(Algorithm::Ed25519, KeyPurpose::RequestSigning).unwrap();
    serde_json::to_value(key.with_key_id(kid).jwk()).unwrap()
}

pub(crate) fn ok(document: &Value) -> Answer {
    Answer::Reply(CannedReply::new(200).body(document.to_string()))
}

pub(crate) fn status(status: u16) -> Answer {
    Answer::Reply(CannedReply::new(status))
}

/// The reply to the first `tools/call`.
pub(crate) fn capabilities(payload: &Value) -> Answer {
    let reply = json!({
        "jsonrpc": "2.0", "id": 1, "result": { "content": [], "structuredContent": payload }
    });
    let head = CannedReply::new(200).header("content-type", "application/json; charset=utf-8");
    Answer::Reply(head.body(reply.to_string()))
}

pub(crate) struct Operator {
    pub(crate) server: Server,
    answers: Arc<Mutex<HashMap<String, Answer>>>,
}

impl Operator {
    /// A server that knows nothing.
    pub(crate) async fn empty() -> Self {
        let answers = Arc::<Mutex<HashMap<String, Answer>>>::default();
        let served = Arc::clone(&answers);
        let server = Server::start(move |asked| {
            let found = served.lock().unwrap().get(&asked.path).cloned();
            found.unwrap_or_else(|| status(404))
        })
        .await;
        Self { server, answers }
    }

    /// A server of the agent `/mcp` whose documents are right.
    pub(crate) async fn new() -> Self {
        let operator = Self::empty().await;
        operator.serve(MCP, capabilities(&operator.names(BUYER)));
        operator.serve(BRAND, ok(&operator.lists(json!({}))));
        operator.serve(JWKS, ok(&json!({ "keys": [published("k")] })));
        operator
    }

    pub(crate) fn serve(&self, path: &str, answer: Answer) {
        self.answers.lock().unwrap().insert(path.to_owned(), answer);
    }

    /// The capabilities that name brand.json of this host.
    pub(crate) fn names(&self, host: &str) -> Value {
        json!({ "identity": { "brand_json_url": self.server.url(host, BRAND) } })
    }

    /// A brand.json that lists the agent, with further members of its entry.
    pub(crate) fn lists(&self, more: Value) -> Value {
        let mut entry =
            json!({ "type": "buying", "id": "buyer", "url": self.server.url(BUYER, MCP) });
        for (name, value) in more.as_object().unwrap() {
            entry[name] = value.clone();
        }
        json!({ "agents": [entry] })
    }

    pub(crate) fn agent_url(&self) -> String {
        self.server.url(BUYER, MCP)
    }

    /// How often a path was asked for.
    pub(crate) fn asked(&self, path: &str) -> usize {
        self.server.asked().iter().filter(|asked| asked.path == path).count()
    }
}
