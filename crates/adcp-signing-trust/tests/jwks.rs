//! The resolver against a real server, on a clock that stands still.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use adcp_signing_core::{
    Algorithm, FixedClock, InMemoryProvider, KeyPurpose, KeyQuery, KeyResolver, Profile,
    UnixSeconds, VerificationKey, WireVersion,
    resolver::{DiscoveryFailure, Unusable},
    revocation::RevocationPolicy,
};
use adcp_signing_testkit::CannedReply;
use adcp_signing_trust::jwks::{AddAgentError, Agent, JwksResolver, JwksResolverBuilder};
use futures_util::FutureExt as _;
use serde_json::{Value, json};
use support::{Answer, Names, Server};

const NOW: UnixSeconds = UnixSeconds::new(1_776_520_800);
const BUYER: &str = "buyer.example.com";
const WELL_KNOWN: &str = "/.well-known/jwks.json";

/// A fresh key, as it is published.
fn published(kid: &str) -> Value {
    let key = InMemoryProvider::generate(Algorithm::Ed25519, KeyPurpose::RequestSigning).unwrap();
    serde_json::to_value(key.with_key_id(kid).jwk()).unwrap()
}

fn jwks(kids: &[&str]) -> String {
    json!({ "keys": kids.iter().map(|kid| published(kid)).collect::<Vec<_>>() }).to_string()
}

/// A server whose documents change, and a resolver of the agent `https://HOST:PORT/adcp` on it.
struct Stage {
    server: Server,
    answers: Arc<Mutex<HashMap<String, Answer>>>,
    clock: Arc<FixedClock>,
    keys: JwksResolver,
    agent: String,
}

impl Stage {
    async fn with(change: impl FnOnce(JwksResolverBuilder) -> JwksResolverBuilder) -> Self {
        let answers = Arc::<Mutex<HashMap<String, Answer>>>::default();
        let served = Arc::clone(&answers);
        let server = Server::start(move |asked| {
            let found = served.lock().unwrap().get(&asked.path).cloned();
            found.unwrap_or(Answer::Reply(CannedReply::new(404)))
        })
        .await;
        let clock = Arc::new(FixedClock::new(NOW));
        let fetcher = server.fetcher().build().unwrap();
        let builder = JwksResolver::builder(fetcher).clock(Arc::clone(&clock));
        let keys = change(builder).build();
        let agent = server.url(BUYER, "/adcp");
        keys.add(Agent::new(&agent).unwrap()).unwrap();
        Self { server, answers, clock, keys, agent }
    }

    async fn new() -> Self {
        Self::with(|builder| builder).await
    }

    fn serve(&self, answer: impl Into<Answer>) {
        self.serve_at(WELL_KNOWN, answer);
    }

    fn serve_at(&self, path: &str, answer: impl Into<Answer>) {
        self.answers.lock().unwrap().insert(path.to_owned(), answer.into());
    }

    /// Adds another agent, with its JWKS at this path.
    fn add(&self, path: &str) -> String {
        let url = self.server.url("seller.example.com", path);
        self.keys.add(Agent::new(&url).unwrap().with_jwks_uri(&url).unwrap()).unwrap();
        url
    }

    async fn ask(&self, keyid: &str) -> Result<Option<Arc<VerificationKey>>, DiscoveryFailure> {
        self.ask_of(keyid, Some(&self.agent)).await
    }

    async fn ask_of(
        &self,
        keyid: &str,
        agent: Option<&str>,
    ) -> Result<Option<Arc<VerificationKey>>, DiscoveryFailure> {
        let profile = Profile::request(WireVersion::V3_2);
        let query = KeyQuery::new(keyid, &profile);
        let query = agent.map_or(query, |agent| query.with_counterparty(agent));
        self.keys.resolve(query).await.map_err(|error| error.failure())
    }

    /// Whether there is a key of this name.
    async fn has(&self, keyid: &str) -> Result<bool, DiscoveryFailure> {
        self.ask(keyid).await.map(|key| key.is_some())
    }

    fn fetches(&self) -> usize {
        self.server.asked().len()
    }
}

impl From<String> for Answer {
    fn from(body: String) -> Self {
        Self::Reply(CannedReply::new(200).body(body))
    }
}

impl From<CannedReply> for Answer {
    fn from(reply: CannedReply) -> Self {
        Self::Reply(reply)
    }
}

const UNAVAILABLE: Result<bool, DiscoveryFailure> = Err(DiscoveryFailure::JwksUnavailable);
const UNTRUSTED: Result<bool, DiscoveryFailure> = Err(DiscoveryFailure::JwksUntrusted);

#[tokio::test]
async fn a_key_is_fetched_once_and_then_known_at_once() {
    let stage = Stage::new().await;
    stage.serve(jwks(&["a"]));
    let key = stage.ask("a").await.unwrap().unwrap();
    assert_eq!((key.kid(), key.agent_url()), ("a", Some(stage.agent.as_str())));
    let origin = stage.server.url(BUYER, "/");
    assert_eq!(key.revocation_issuer(), Some(origin.as_str()));
    let profile = Profile::request(WireVersion::V3_2);
    let query = KeyQuery::new("a", &profile).with_counterparty(&stage.agent);
    let known = stage.keys.resolve(query).now_or_never().unwrap().unwrap().unwrap();
    assert!(Arc::ptr_eq(&key, &known), "parsed once");
    // In whatever form the counterparty is named.
    let other = stage.agent.replace("https://buyer", "HTTPS://Buyer");
    assert!(stage.ask_of("a", Some(&other)).await.unwrap().is_some());
    assert_eq!((stage.fetches(), stage.keys.keys()), (1, 1));
}

#[tokio::test]
async fn the_keys_of_an_agent_are_that_agents_alone() {
    let stage = Stage::new().await;
    stage.serve(jwks(&["a"]));
    assert!(stage.ask_of("a", Some("https://seller.example.com/")).await.unwrap().is_none());
    assert_eq!(
        stage.ask_of("a", Some("no url")).await.err(),
        Some(DiscoveryFailure::AgentNotInBrandJson)
    );
    assert_eq!(stage.fetches(), 0);
}

#[tokio::test]
async fn the_jwks_and_the_revocation_issuer_are_where_the_agent_says() {
    let stage = Stage::new().await;
    let (agent, issuer) = (stage.server.url("seller.example.com", "/a"), "https://op.example.com");
    let elsewhere = Agent::new(&agent).unwrap();
    let elsewhere = elsewhere.with_jwks_uri(&stage.server.url(BUYER, "/keys")).unwrap();
    stage.keys.add(elsewhere.with_revocation_issuer(issuer).unwrap()).unwrap();
    stage.serve_at("/keys", jwks(&["k"]));
    let key = stage.ask_of("k", Some(&agent)).await.unwrap().unwrap();
    assert_eq!(key.agent_url(), Some(agent.as_str()));
    assert_eq!(key.revocation_issuer(), Some("https://op.example.com/"));
}

#[tokio::test]
async fn a_miss_is_looked_for_at_once_and_then_not_for_thirty_seconds() {
    let stage = Stage::new().await;
    stage.serve(jwks(&["a"]));
    assert_eq!(stage.has("b").await, Ok(false));
    assert_eq!(stage.fetches(), 1, "what was just fetched is not fetched again");
    stage.serve(jwks(&["a", "b"]));
    assert_eq!(stage.has("b").await, Ok(true), "at once");
    assert_eq!(stage.fetches(), 2);
    stage.serve(jwks(&["a", "b", "c"]));
    for _ in 0..3 {
        stage.clock.advance(10);
        assert_eq!(stage.has("c").await, Ok(false));
    }
    assert_eq!(stage.fetches(), 2);
    stage.clock.advance(1);
    assert_eq!((stage.has("c").await, stage.fetches()), (Ok(true), 3));
}

#[tokio::test]
async fn keys_are_held_for_as_long_as_the_server_says_within_the_bounds() {
    let production = RevocationPolicy::production();
    for (policy, said, held) in [
        (RevocationPolicy::baseline(), None, 300),
        (RevocationPolicy::baseline(), Some("max-age=600"), 600),
        (RevocationPolicy::baseline(), Some("no-store"), 30),
        (RevocationPolicy::baseline(), Some("max-age=86400"), 1800),
        (production, Some("max-age=86400"), 300),
    ] {
        let stage = Stage::with(|builder| builder.policy(policy)).await;
        let reply = CannedReply::new(200).body(jwks(&["a"]));
        stage.serve(said.map_or(reply.clone(), |said| reply.header("cache-control", said)));
        assert_eq!(stage.has("a").await, Ok(true));
        stage.clock.advance(held);
        assert_eq!((stage.has("a").await, stage.fetches()), (Ok(true), 1), "{said:?}");
        stage.serve(jwks(&["b"]));
        stage.clock.advance(1);
        assert_eq!((stage.has("a").await, stage.fetches()), (Ok(false), 2), "{said:?}");
    }
}

#[tokio::test]
async fn a_refresh_holds_keys_no_longer_than_the_bound_whatever_the_server_says() {
    let stage = Stage::new().await;
    stage.serve(CannedReply::new(200).header("cache-control", "max-age=86400").body(jwks(&["a"])));
    for (after, fetches) in [(0, 1), (1800, 1), (1, 2)] {
        stage.clock.advance(after);
        stage.keys.refresh().await;
        assert_eq!(stage.fetches(), fetches, "{after}");
    }
}

#[tokio::test]
async fn keys_outlast_an_outage_to_their_bound_and_no_further() {
    for (policy, bound) in
        [(RevocationPolicy::baseline(), 1800), (RevocationPolicy::production(), 300)]
    {
        let stage = Stage::with(|builder| builder.policy(policy)).await;
        stage.serve(CannedReply::new(200).header("cache-control", "max-age=60").body(jwks(&["a"])));
        assert_eq!(stage.has("a").await, Ok(true));
        stage.serve(CannedReply::new(503));
        stage.clock.advance(61);
        assert_eq!((stage.has("a").await, stage.fetches()), (Ok(true), 2));
        assert_eq!((stage.has("a").await, stage.fetches()), (Ok(true), 2), "remembered");
        assert_eq!(stage.has("b").await, UNAVAILABLE, "it may have been added since");
        stage.clock.advance(bound - 61);
        assert_eq!(stage.has("a").await, Ok(true));
        stage.clock.advance(1);
        assert_eq!(stage.has("a").await, UNAVAILABLE, "{bound}");
    }
}

#[tokio::test]
async fn a_clock_that_goes_back_holds_nothing_longer() {
    let stage = Stage::new().await;
    stage.serve(jwks(&["a"]));
    assert_eq!(stage.has("a").await, Ok(true));
    stage.serve(jwks(&["b"]));
    stage.clock.set(NOW.minus(1));
    assert_eq!(stage.has("a").await, Ok(false));
}

#[tokio::test]
async fn a_failure_is_remembered_for_thirty_seconds() {
    let stage = Stage::new().await;
    assert_eq!(stage.has("a").await, UNAVAILABLE);
    stage.serve(jwks(&["a"]));
    stage.clock.advance(30);
    assert_eq!((stage.has("a").await, stage.fetches()), (UNAVAILABLE, 1));
    stage.clock.advance(1);
    assert_eq!((stage.has("a").await, stage.fetches()), (Ok(true), 2));
}

#[tokio::test]
async fn what_is_no_jwks_is_unavailable_and_what_is_dangerous_is_untrusted() {
    let with_private = json!({"keys": [{"kid": "a", "kty": "OKP", "d": "x"}]}).to_string();
    let many: Vec<_> = (0..1001).map(|_| json!({})).collect();
    for (answer, expected) in [
        (Answer::from("<html></html>".to_owned()), UNAVAILABLE),
        (Answer::from("{}".to_owned()), UNAVAILABLE),
        (Answer::from(r#"{"keys":[],"keys":[]}"#.to_owned()), UNAVAILABLE),
        (Answer::from(json!({ "keys": many }).to_string()), UNAVAILABLE),
        (Answer::from(CannedReply::new(500)), UNAVAILABLE),
        (Answer::from(CannedReply::new(302).header("location", "/x")), UNTRUSTED),
        (Answer::from(with_private), UNTRUSTED),
    ] {
        let stage = Stage::new().await;
        stage.serve(answer.clone());
        assert_eq!(stage.has("a").await, expected, "{answer:?}");
    }
}

#[tokio::test]
async fn a_reserved_address_is_untrusted() {
    let stage = Stage::new().await;
    let names = Names::default();
    names.set("evil.example.com", &[&["169.254.169.254"]]);
    let fetcher = stage.server.fetcher().resolver(Arc::new(names)).build().unwrap();
    let keys = JwksResolver::builder(fetcher).build();
    keys.add(Agent::new("https://evil.example.com/").unwrap()).unwrap();
    let profile = Profile::webhook();
    let error = keys.resolve(KeyQuery::new("a", &profile)).await.unwrap_err();
    assert_eq!(error.failure(), DiscoveryFailure::JwksUntrusted);
    let text = error.to_string();
    assert!(text.contains("reserved address"), "{text}");
    assert!(text.ends_with("(request_signature_jwks_untrusted)"), "{text}");
    assert!(!text.contains("169.254"), "{text}");
}

#[tokio::test]
async fn a_kid_that_occurs_twice_stands_for_no_usable_key() {
    let stage = Stage::new().await;
    stage.serve(jwks(&["a", "b", "a"]));
    let key = stage.ask("a").await.unwrap().unwrap();
    assert_eq!(key.unusable(), Some(&Unusable::AmbiguousKid));
    assert_eq!(stage.ask("b").await.unwrap().unwrap().unusable(), None);
}

#[tokio::test]
async fn a_published_test_key_is_nobodys() {
    let test_key = json!({
        "kid": "t", "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig",
        "key_ops": ["verify"], "adcp_use": "request-signing",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    });
    let document = json!({ "keys": [test_key, published("a")] }).to_string();
    let stage = Stage::new().await;
    stage.serve(document.clone());
    assert_eq!(stage.has("t").await, UNTRUSTED);
    assert_eq!(stage.has("a").await, Ok(true));
    // Once the set is old, what was a test key is looked at anew.
    stage.clock.advance(301);
    assert_eq!((stage.has("t").await, stage.fetches()), (UNTRUSTED, 2));
    let stage = Stage::with(JwksResolverBuilder::accept_published_test_keys_in_tests).await;
    stage.serve(document);
    assert_eq!(stage.has("t").await, Ok(true));
}

#[tokio::test]
async fn what_did_not_change_is_not_sent_again() {
    let stage = Stage::new().await;
    stage.serve(CannedReply::new(200).header("etag", "\"1\"").body(jwks(&["a"])));
    let key = stage.ask("a").await.unwrap().unwrap();
    stage.serve(CannedReply::new(304).header("cache-control", "max-age=600"));
    stage.clock.advance(301);
    let again = stage.ask("a").await.unwrap().unwrap();
    assert!(Arc::ptr_eq(&key, &again));
    let asked = stage.server.asked();
    let tags: Vec<_> = asked.iter().map(|asked| asked.field("if-none-match")).collect();
    assert_eq!(tags, [None, Some("\"1\"".to_owned())]);
    stage.clock.advance(600);
    assert_eq!((stage.has("a").await, stage.fetches()), (Ok(true), 2));
    stage.clock.advance(1);
    assert_eq!((stage.has("a").await, stage.fetches()), (Ok(true), 3));
}

#[tokio::test]
async fn many_callers_share_one_fetch() {
    let stage = Stage::new().await;
    let late = |body| Answer::Late(Duration::from_millis(50), CannedReply::new(200).body(body));
    stage.serve(late(jwks(&["a"])));
    let all = futures_util::future::join_all((0..100).map(|_| stage.has("a"))).await;
    assert!(all.iter().all(|found| *found == Ok(true)));
    assert_eq!(stage.fetches(), 1);
    // Failures too.
    stage.clock.advance(1801);
    stage.serve(Answer::Late(Duration::from_millis(50), CannedReply::new(500)));
    let all = futures_util::future::join_all((0..100).map(|_| stage.has("a"))).await;
    assert!(all.iter().all(|found| *found == UNAVAILABLE));
    assert_eq!(stage.fetches(), 2);
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_the_fetch_to_the_next() {
    let stage = Stage::new().await;
    stage.serve(Answer::Never);
    let mut first = Box::pin(stage.has("a"));
    while stage.fetches() == 0 {
        let _ = futures_util::poll!(&mut first);
        tokio::task::yield_now().await;
    }
    let second = stage.has("a");
    stage.serve(jwks(&["a"]));
    drop(first);
    assert_eq!((second.await, stage.fetches()), (Ok(true), 2));
}

#[tokio::test]
async fn a_caller_that_goes_away_costs_a_new_key_no_time() {
    let stage = Stage::new().await;
    stage.serve(jwks(&["a"]));
    assert_eq!(stage.has("a").await, Ok(true));
    stage.serve(Answer::Never);
    let mut junk = Box::pin(stage.has("junk"));
    while stage.fetches() < 2 {
        let _ = futures_util::poll!(&mut junk);
        tokio::task::yield_now().await;
    }
    drop(junk);
    stage.serve(jwks(&["a", "b"]));
    assert_eq!(stage.has("b").await, Ok(true));
}

#[tokio::test]
async fn known_keys_do_not_wait_for_a_fetch_that_somebody_else_began() {
    let stage = Stage::new().await;
    stage.serve(jwks(&["a"]));
    assert_eq!(stage.has("a").await, Ok(true));
    stage.serve(Answer::Never);
    stage.clock.advance(301);
    let mut first = Box::pin(stage.has("a"));
    while stage.fetches() < 2 {
        let _ = futures_util::poll!(&mut first);
        tokio::task::yield_now().await;
    }
    assert_eq!(stage.has("a").now_or_never(), Some(Ok(true)));
    assert_eq!(stage.has("b").now_or_never(), None, "this one has to");
}

#[tokio::test]
async fn without_a_counterparty_a_single_agent_may_have_the_key() {
    let stage = Stage::new().await;
    stage.serve(jwks(&["a", "both"]));
    let ask = async |keyid| {
        let found = stage.ask_of(keyid, None).await;
        found.map(|key| key.map(|key| key.agent_url().unwrap().to_owned()))
    };
    assert_eq!(ask("a").await, Ok(Some(stage.agent.clone())));
    let other = stage.add("/other");
    // The other one may have it too.
    assert_eq!(ask("a").await, Err(DiscoveryFailure::JwksUnavailable));
    stage.serve_at("/other", CannedReply::new(302).header("location", "/"));
    stage.clock.advance(31);
    assert_eq!(ask("a").await, Err(DiscoveryFailure::JwksUntrusted), "the cause is named");
    stage.serve_at("/other", jwks(&["b", "both"]));
    stage.clock.advance(31);
    assert_eq!(ask("a").await, Ok(Some(stage.agent.clone())));
    assert_eq!(ask("b").await, Ok(Some(other.clone())));
    assert_eq!(ask("both").await, Err(DiscoveryFailure::BrandJsonAmbiguous));
    assert_eq!(ask("none").await, Ok(None));
    // A key of whomever is found at once.
    stage.clock.advance(31);
    stage.serve_at("/other", jwks(&["c"]));
    assert_eq!(ask("c").await, Ok(Some(other.clone())));
    assert_eq!(ask("b").await, Ok(None), "it is gone");
    assert_eq!(ask("both").await, Ok(Some(stage.agent.clone())), "a single one has it now");
    // What was seen once needs no network: an agent in an outage does not stop the others, and
    // nobody gets the name of its key.
    stage.serve_at("/other", CannedReply::new(503));
    stage.serve(jwks(&["a", "c"]));
    stage.clock.advance(1801);
    assert_eq!(ask("a").await, Ok(Some(stage.agent.clone())));
    assert_eq!(ask("c").await, Err(DiscoveryFailure::BrandJsonAmbiguous));

    let empty = JwksResolver::builder(stage.server.fetcher().build().unwrap()).build();
    let profile = Profile::webhook();
    assert!(empty.resolve(KeyQuery::new("a", &profile)).await.unwrap().is_none());
}

#[tokio::test]
async fn among_many_agents_a_key_is_found_once_its_set_is_due() {
    let stage = Stage::new().await;
    stage.serve(jwks(&["a"]));
    let mut last = String::new();
    for number in 0..20 {
        let path = format!("/{number}");
        stage.serve_at(&path, jwks(&[&format!("k{number}")]));
        last = stage.add(&path);
    }
    stage.keys.refresh().await;
    assert_eq!((stage.fetches(), stage.keys.keys()), (21, 21));
    let ask = async |keyid| {
        let found = stage.ask_of(keyid, None).await;
        found.map(|key| key.map(|key| key.agent_url().unwrap().to_owned()))
    };
    assert_eq!(ask("k19").await, Ok(Some(last.clone())));
    stage.serve_at("/19", jwks(&["new"]));
    assert_eq!((ask("new").await, stage.fetches()), (Ok(None), 21), "no flood of fetches");
    // Those who ask for what nobody has cost no search of all sets each.
    stage.clock.advance(290);
    assert_eq!(ask("new").await, Ok(None));
    stage.clock.advance(11);
    assert_eq!((ask("new").await, stage.fetches()), (Ok(None), 21), "searched 11 s ago");
    stage.clock.advance(20);
    assert_eq!((ask("new").await, stage.fetches()), (Ok(Some(last)), 42));
    assert_eq!(ask("k19").await, Ok(None));
    // All of it at once, without a question.
    stage.clock.advance(301);
    let keys = stage.keys.clone();
    let fresh = tokio::spawn(async move { keys.keep_fresh(Duration::from_millis(5)).await });
    while stage.fetches() < 63 || stage.keys.refresh().now_or_never().is_none() {
        tokio::task::yield_now().await;
    }
    fresh.abort();
    stage.keys.refresh().await;
    assert_eq!(stage.fetches(), 63, "nothing is due");
}

#[tokio::test]
async fn a_failure_is_not_asked_for_again_by_a_refresh() {
    let stage = Stage::new().await;
    for _ in 0..3 {
        stage.keys.refresh().await;
    }
    assert_eq!(stage.fetches(), 1);
    stage.clock.advance(31);
    let (one, two) = (stage.keys.refresh(), stage.keys.refresh());
    futures_util::future::join(one, two).await;
    assert_eq!(stage.fetches(), 2, "one at a time");
}

#[tokio::test]
async fn agents_are_added_once_up_to_a_bound_and_removed() {
    let stage = Stage::with(|builder| builder.max_agents(2)).await;
    stage.serve(jwks(&["a"]));
    let again = stage.keys.add(Agent::new(&stage.agent).unwrap());
    assert_eq!(again, Err(AddAgentError::AlreadyKnown { agent_url: stage.agent.clone() }));
    stage.keys.add(Agent::new("https://seller.example.com/").unwrap()).unwrap();
    let third = stage.keys.add(Agent::new("https://third.example.com/").unwrap());
    assert_eq!(third, Err(AddAgentError::Full { max: 2 }));
    assert_eq!(stage.has("a").await, Ok(true));
    assert!(stage.keys.remove(&stage.agent));
    assert!(!stage.keys.remove(&stage.agent) && !stage.keys.remove("no url"));
    assert_eq!((stage.has("a").await, stage.keys.keys()), (Ok(false), 0));
}

#[tokio::test]
async fn an_agent_that_is_removed_during_its_fetch_holds_no_keys() {
    let stage = Stage::new().await;
    stage.serve(Answer::Late(Duration::from_millis(50), CannedReply::new(200).body(jwks(&["a"]))));
    let mut asked = Box::pin(stage.has("a"));
    while stage.fetches() == 0 {
        let _ = futures_util::poll!(&mut asked);
        tokio::task::yield_now().await;
    }
    assert!(stage.keys.remove(&stage.agent));
    assert_eq!(asked.await, UNAVAILABLE);
    assert_eq!(stage.keys.keys(), 0);
}

#[tokio::test]
async fn held_keys_are_bounded_and_the_oldest_sets_make_room() {
    let stage = Stage::with(|builder| builder.max_keys(0)).await;
    // 1,000 is the least bound.
    let kids: Vec<_> = (0..400).map(|number| number.to_string()).collect();
    let key = published("k");
    let set = |kids: &[String]| {
        let one = |kid: &String| json!({ "kid": kid, "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "x": key["x"] });
        json!({ "keys": kids.iter().map(one).collect::<Vec<_>>() }).to_string()
    };
    let mut agents = Vec::new();
    for number in 0..3 {
        let path = format!("/{number}");
        stage.serve_at(&path, set(&kids));
        let url = stage.add(&path);
        assert!(stage.ask_of("0", Some(&url)).await.unwrap().is_some());
        agents.push(url);
    }
    assert_eq!(stage.keys.keys(), 800);
    let asked = |path: &str| {
        let asked = stage.server.asked();
        asked.iter().filter(|asked| asked.path == path).count()
    };
    for (number, fetches) in [(1, 1), (2, 1), (0, 2)] {
        assert!(stage.ask_of("0", Some(&agents[number])).await.unwrap().is_some());
        assert_eq!(asked(&format!("/{number}")), fetches, "{number}");
    }
    assert_eq!(stage.keys.keys(), 800);
}
