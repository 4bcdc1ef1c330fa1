//! A thousand agents at once, a tenth of them faulty: all good ones are found, nothing is fetched
//! twice, and no more connections are open than there may be.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use adcp_signing_core::{KeyQuery, KeyResolver, Profile, WireVersion, resolver::DiscoveryFailure};
use adcp_signing_testkit::{CannedReply, LoopbackIdentity};
use adcp_signing_trust::{
    agent::{AgentDiscovery, AgentResolver},
    brand::AgentUrl,
};
use futures_util::future::join_all;
use serde_json::json;
use support::{
    Answer, Server,
    operator::{BUYER, capabilities, ok, published},
};

const AGENTS: usize = 1000;
const AT_ONCE: usize = 32;

/// What is wrong with an agent of this number: with one in ten, in turn, something is.
fn fault(number: usize) -> Option<usize> {
    (number % 10 == 3).then_some(number / 10 % 4)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_agents_are_found_at_once_under_faults() {
    let jwks = ok(&json!({ "keys": [published("k")] }));
    let server = Server::start(move |asked| {
        let mut path = asked.path.split('/').skip(1);
        let (kind, number) = (path.next().unwrap(), path.next().unwrap());
        let number: usize = number.parse().unwrap();
        let url = |path: &str| format!("https://{}/{path}/{number}", asked.host);
        match (kind, fault(number)) {
            ("mcp", Some(0)) => Answer::Never,
            ("mcp", _) => capabilities(&json!({ "identity": { "brand_json_url": url("brand") } })),
            ("brand", Some(1)) => Answer::Reply(CannedReply::new(500)),
            ("brand", Some(2)) => Answer::Reply(CannedReply::new(200).body("<html>")),
            ("brand", _) => ok(&json!({ "agents": [
                { "type": "buying", "url": url("mcp"), "jwks_uri": url("jwks") }
            ] })),
            _ => jwks.clone(),
        }
    })
    .await;
    // With a certificate that nobody trusts.
    let identity = LoopbackIdentity::with_names(&[BUYER]).unwrap();
    let untrusted = Server::with_identity(identity, |_| Answer::Never).await;

    // A busy machine takes many times what an idle one does; the agents that hang take all of it.
    let time = Duration::from_secs(20);
    let fetcher = server.fetcher().timeouts(time, time).build().unwrap();
    let discovery = AgentDiscovery::builder(fetcher.clone()).max_concurrent(AT_ONCE).build();
    let keys = AgentResolver::builder(fetcher).discovery(discovery).build();
    let agents: Vec<AgentUrl> = (0..AGENTS)
        .map(|number| {
            let server = if fault(number) == Some(3) { &untrusted } else { &server };
            server.url(BUYER, &format!("/mcp/{number}")).parse().unwrap()
        })
        .collect();
    for agent in &agents {
        keys.add(agent.clone()).unwrap();
    }

    let profile = Arc::new(Profile::request(WireVersion::V3_3));
    let begun = Instant::now();
    // Two messages of each agent at the same time.
    let messages = agents.iter().chain(&agents).cloned().map(|agent| {
        let (keys, profile) = (keys.clone(), Arc::clone(&profile));
        tokio::spawn(async move {
            let query = KeyQuery::new("k", &profile).with_counterparty(agent.as_str());
            let found = keys.resolve(query).await.map_err(|error| error.failure());
            found.map(|key| key.map(|key| key.agent_url().unwrap().to_owned()))
        })
    });
    let found = join_all(messages).await;
    println!("{AGENTS} agents in {:?}", begun.elapsed());

    for (number, found) in found.into_iter().enumerate() {
        let (number, found) = (number % AGENTS, found.unwrap());
        let expected = match fault(number) {
            None => Ok(Some(agents[number].as_str().to_owned())),
            Some(0 | 3) => Err(DiscoveryFailure::CapabilitiesUnreachable),
            Some(1) => Err(DiscoveryFailure::BrandJsonUnreachable),
            Some(_) => Err(DiscoveryFailure::BrandJsonMalformed),
        };
        assert_eq!(found, expected, "agent {number}");
    }
    let mut asked: HashMap<String, usize> = HashMap::new();
    for one in server.asked() {
        *asked.entry(one.path).or_default() += 1;
    }
    let twice: Vec<_> = asked.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "fetched twice: {twice:?}");
    // The fetcher allows 64 at once, whatever the discovery asks for.
    assert!(server.most_open() <= 64, "{} connections were open at once", server.most_open());
}
