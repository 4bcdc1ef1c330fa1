//! A seller verifies a buyer whose keys and revocation list it fetches over TLS.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use adcp_signing_core::{
    Algorithm, Clock as _, Context, FieldLine, FixedClock, InMemoryProvider, InMemoryReplayStore,
    KeyPurpose, Profile, Request, RequestSigningCapability, Signer, Transport, UnixSeconds,
    Verifier, WireVersion,
    operation::{DigestPolicy, List},
    revocation::{RevocationList, RevocationPolicy},
};
use adcp_signing_testkit::CannedReply;
use adcp_signing_trust::{
    jwks::{Agent, JwksResolver},
    revocation::{RevocationIssuer, RevocationLists, WELL_KNOWN_LIST, sign_list},
};
use serde_json::json;
use support::{Answer, Server};

const NOW: UnixSeconds = UnixSeconds::new(1_776_520_800);
const URL: &str = "https://seller.example.com/adcp/create_media_buy";

type Served = Arc<Mutex<HashMap<&'static str, String>>>;

struct Market {
    served: Served,
    clock: Arc<FixedClock>,
    verifier: Verifier,
    agent: String,
}

impl Market {
    async fn new() -> Self {
        let served = Served::default();
        let documents = Arc::clone(&served);
        let server = Server::start(move |asked| {
            let documents = documents.lock().unwrap();
            let found = documents.get(asked.path.as_str()).cloned();
            Answer::Reply(
                found.map_or(CannedReply::new(503), |body| CannedReply::new(200).body(body)),
            )
        })
        .await;
        let clock = Arc::new(FixedClock::new(NOW));
        let fetcher = server.fetcher().build().unwrap();
        let policy = RevocationPolicy::production();
        let keys = JwksResolver::builder(fetcher.clone()).policy(policy).clock(Arc::clone(&clock));
        let keys = keys.build();
        let lists = RevocationLists::builder(fetcher).policy(policy).clock(Arc::clone(&clock));
        let lists = lists.build();
        let agent = server.url("buyer.example.com", "/adcp");
        keys.add(Agent::new(&agent).unwrap()).unwrap();
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
        // The server lives as long as the test.
        std::mem::forget(server);
        Self { served, clock, verifier, agent }
    }

    fn serve(&self, path: &'static str, body: String) {
        self.served.lock().unwrap().insert(path, body);
    }

    async fn revoke(&self, key: &InMemoryProvider, kids: &[&str]) {
        let now = self.clock.now();
        let list = RevocationList::issue(&self.agent.replace("/adcp", ""), now, now.plus(900));
        let list = list.unwrap().revoking_kids(kids.iter().copied()).unwrap();
        self.serve(WELL_KNOWN_LIST, sign_list(&list, key).await.unwrap().to_json());
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
    let unavailable = Err("request_signature_jwks_unavailable".to_owned());
    assert_eq!(market.send(&buyer).await, unavailable);
    let jwks = json!({ "keys": [buyer.jwk(), governance.jwk()] }).to_string();
    market.serve("/.well-known/jwks.json", jwks);
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
