//! A key that is held, among few and among many, beside a fixed set in memory.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "a benchmark")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::{hint::black_box, sync::Arc};

use adcp_signing_core::{
    Algorithm, InMemoryProvider, JwkSet, KeyPurpose, KeyQuery, KeyResolver, Profile, StaticKeys,
    WireVersion,
};
use adcp_signing_trust::jwks::{Agent, JwksResolver};
use criterion::{Criterion, criterion_group, criterion_main};
use futures_util::FutureExt as _;
use serde_json::json;
use support::Server;

const KEYS: usize = 400;
const MANY: usize = 250;

/// A set of so many keys, all of them one public key.
fn jwks() -> String {
    let key = InMemoryProvider::generate(Algorithm::Ed25519, KeyPurpose::RequestSigning).unwrap();
    let x = serde_json::to_value(key.jwk()).unwrap()["x"].clone();
    let one = |number: usize| {
        let kid = number.to_string();
        json!({ "kid": kid, "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "x": x })
    };
    json!({ "keys": (0..KEYS).map(one).collect::<Vec<_>>() }).to_string()
}

/// The agents' URLs, and a resolver that holds the keys of all.
async fn resolver(server: &Server, agents: usize) -> (Vec<String>, JwksResolver) {
    let keys = JwksResolver::builder(server.fetcher().build().unwrap()).build();
    let mut urls = Vec::new();
    for number in 0..agents {
        let url = server.url("buyer.example.com", &format!("/{number}"));
        keys.add(Agent::new(&url).unwrap().with_jwks_uri(&url).unwrap()).unwrap();
        urls.push(url);
    }
    keys.refresh().await;
    assert_eq!(keys.keys(), agents * KEYS);
    (urls, keys)
}

fn resolve(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let document = jwks();
    let server = runtime.block_on(Server::of(document.clone()));
    let (few, one) = runtime.block_on(resolver(&server, 1));
    let (urls, many) = runtime.block_on(resolver(&server, MANY));
    let set = JwkSet::parse(document.as_bytes()).unwrap();
    let fixed = StaticKeys::from_jwks_of(&few[0], &set).unwrap();

    let profile = Profile::request(WireVersion::V3_2);
    let ask = |keys: &dyn KeyResolver, agent: Option<&str>| {
        let query = KeyQuery::new("200", &profile);
        let query = agent.map_or(query, |agent| query.with_counterparty(agent));
        let known = keys.resolve(query).now_or_never();
        black_box(known.unwrap().unwrap().map(|key| Arc::strong_count(&key)).unwrap())
    };
    let mut group = criterion.benchmark_group("resolve");
    group.bench_function("fixed", |bencher| bencher.iter(|| ask(&fixed, Some(&few[0]))));
    group.bench_function("hit", |bencher| bencher.iter(|| ask(&one, Some(&few[0]))));
    group.bench_function("hit_unnamed", |bencher| bencher.iter(|| ask(&one, None)));
    let middle = &urls[MANY / 2];
    group.bench_function("hit_of_100000", |bencher| bencher.iter(|| ask(&many, Some(middle))));
    group.finish();
}

criterion_group!(benches, resolve);
criterion_main!(benches);
