//! A seller verifies a buyer of whom it knows the URL alone: capabilities, brand.json, JWKS and the
//! signed revocation list come over TLS.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::sync::Arc;

use adcp_signing_core::{
    Algorithm, Clock as _, Context, FieldLine, FixedClock, InMemoryProvider, InMemoryReplayStore,
    KeyPurpose, Profile, Request, RequestSigningCapability, Signer, Transport, UnixSeconds,
    Verifier, WireVersion,
    operation::{DigestPolicy, List},
    revocation::{RevocationList, RevocationPolicy},
};
use adcp_signing_testkit::CannedReply;
use adcp_signing_trust::{
    agent::AgentResolver,
    revocation::{RevocationIssuer, RevocationLists, WELL_KNOWN_LIST, sign_list},
};
use serde_json::json;
use support::{
    Answer,
    operator::{BRAND, JWKS, MCP, Operator, capabilities, ok, status},
};

const NOW: UnixSeconds = UnixSeconds::new(1_776_520_800);
const URL: &str = "https://seller.example.com/adcp/create_media_buy";

struct Market {
    operator: Operator,
    clock: Arc<FixedClock>,
    verifier: Verifier,
    agent: String,
}

impl Market {
    async fn new() -> Self {
        let operator = Operator::empty().await;
        operator.serve(MCP, status(503));
        let clock = Arc::new(FixedClock::new(NOW));
        let fetcher = operator.server.fetcher().build().unwrap();
        let policy = RevocationPolicy::production();
        let keys = AgentResolver::builder(fetcher.clone()).policy(policy).clock(Arc::clone(&clock));
        let keys = keys.build();
        let lists = RevocationLists::builder(fetcher).policy(policy).clock(Arc::clone(&clock));
        let lists = lists.build();
        let agent = operator.agent_url();
        keys.add(agent.parse().unwrap()).unwrap();
        lists.add(RevocationIssuer::new(&agent).unwrap()).unwrap();
        let capability = RequestSigningCapability::supported_with(DigestPolicy::Required)
            .with_operations(List::Required, ["create_media_buy"])
            .unwrap();
        let verifier = Verifier::for_requests(WireVersion::V3_2, capability)
            .keys(keys)
            .revocation(lists)
            .replay(InMemoryReplayStore::default())
            .clock(Arc::clone(&clock))
            .build();
        Self { operator, clock, verifier, agent }
    }

    /// All that a buyer publishes but its revocation list.
    fn publish(&self, keys: &[&InMemoryProvider]) {
        let operator = &self.operator;
        operator.serve(MCP, capabilities(&operator.names(support::operator::BUYER)));
        operator.serve(BRAND, ok(&operator.lists(json!({}))));
        let keys: Vec<_> = keys.iter().map(|key| key.jwk()).collect();
        operator.serve(JWKS, ok(&json!({ "keys": keys })));
    }

    async fn revoke(&self, key: &InMemoryProvider, kids: &[&str]) {
        let now = self.clock.now();
        let list = RevocationList::issue(&self.agent.replace(MCP, ""), now, now.plus(900));
        let list = list.unwrap().revoking_kids(kids.iter().copied()).unwrap();
        let list = sign_list(&list, key).await.unwrap().to_json();
        let reply = CannedReply::new(200).body(list);
        self.operator.serve(WELL_KNOWN_LIST, Answer::Reply(reply));
    }

    /// Who sent a request that this key signs, or the code of the refusal.
    async fn send(&self, key: &Arc<InMemoryProvider>) -> Result<String, String> {
        let content_type = [FieldLine::new("Content-Type", "application/json")];
        let body = br#"{"budget":1000}"#;
        let request = Request::new("POST", URL, &content_type, body);
        let profile = Profile::request(WireVersion::V3_2);
        let signer = Signer::new(profile, Arc::clone(key)).unwrap();
        let signed = signer.with_clock(Arc::clone(&self.clock)).sign(&request).await.unwrap();
        let mut fields = content_type.to_vec();
        fields.extend(signed.iter().map(|(name, value)| FieldLine::new(name, value)));
        let request = Request::new("POST", URL, &fields, body);
        let route = Transport::Rest { operation: "create_media_buy".to_owned() };
        let context = Context::request(&route).with_counterparty(&self.agent);
        let verified = self.verifier.verify(&request, &context).await;
        let signer = verified.and_then(|verified| verified.signer());
        signer
            .map(|signer| signer.agent_url().unwrap().to_owned())
            .map_err(|rejection| rejection.code().unwrap().to_string())
    }
}

#[tokio::test]
async fn a_buyer_is_verified_and_after_its_key_is_revoked_refused_within_the_interval() {
    let market = Market::new().await;
    let generate = |kid: &str, purpose| {
        let key = InMemoryProvider::generate(Algorithm::Ed25519, purpose).unwrap();
        Arc::new(key.with_key_id(kid))
    };
    let buyer = generate("buyer-2026", KeyPurpose::RequestSigning);
    let governance = generate("gov-2026", KeyPurpose::GovernanceSigning);

    // Nothing is published yet.
    let unavailable = Err("request_signature_capabilities_unreachable".to_owned());
    assert_eq!(market.send(&buyer).await, unavailable);
    market.publish(&[&buyer, &governance]);
    market.clock.advance(31);
    let stale = Err("request_signature_revocation_stale".to_owned());
    assert_eq!(market.send(&buyer).await, stale, "no list, no verdict");
    market.revoke(&governance, &[]).await;
    market.clock.advance(60);
    assert_eq!(market.send(&buyer).await, Ok(market.agent.clone()));
    // A key of another purpose, and one that is not published.
    let purpose = market.send(&generate("stranger", KeyPurpose::RequestSigning)).await;
    assert_eq!(purpose, Err("request_signature_key_unknown".to_owned()));

    market.revoke(&governance, &["buyer-2026"]).await;
    assert_eq!(market.send(&buyer).await, Ok(market.agent.clone()), "not polled yet");
    market.clock.advance(300);
    assert_eq!(market.send(&buyer).await, Err("request_signature_key_revoked".to_owned()));
}
