//! The published cases of governance tokens, through the public API.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::{collections::BTreeSet, path::PathBuf, sync::Arc};

use adcp_signing_core::{
    FixedClock, InMemoryReplayStore, JwkSet, RevocationStatus, UnixSeconds,
    revocation::{RevocationList, RevocationLoadError, RevocationPolicy},
};
use adcp_signing_trust::{
    brand::{AgentUrl, BrandJson},
    governance::{
        Commitment, Cost, Enforcement, Gate, GovernanceRevocation as _, GovernanceVerifier,
        HeldRevocationLists, IntentAction, JsonHash, PinnedGovernanceKeys, Refusal,
    },
};
use serde_json::{Value, json};

const JWKS: &str = "https://gov.example.com/.well-known/jwks.json";

fn vectors(path: &str) -> Value {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../test-vectors/adcp/3.2.4");
    serde_json::from_slice(&std::fs::read(folder.join(path)).unwrap()).unwrap()
}

/// A service with all that the published cases take for granted.
struct Service {
    cases: Value,
    issuers: Vec<Value>,
    key: Value,
    revoked_jtis: Vec<String>,
    revoked_kids: Vec<String>,
    list_made: i64,
    replay: Arc<InMemoryReplayStore>,
    accepts_test_keys: bool,
}

impl Service {
    fn new() -> Self {
        let cases = vectors("governance-authorization.json")["signed_jws"].clone();
        let mut key = cases["test_key"].clone();
        key.as_object_mut().unwrap().retain(|name, _| !name.starts_with(['_', '$']));
        let issuer = cases["verification_defaults"]["expected_issuer"].clone();
        Self {
            issuers: vec![json!({"type": "governance", "url": issuer})],
            list_made: cases["verification_defaults"]["now"].as_i64().unwrap(),
            cases,
            key,
            revoked_jtis: Vec::new(),
            revoked_kids: Vec::new(),
            replay: Arc::new(InMemoryReplayStore::new()),
            accepts_test_keys: true,
        }
    }

    fn case(&self, id: &str) -> Value {
        let cases = self.cases["cases"].as_array().unwrap();
        cases.iter().find(|case| case["id"] == id).unwrap().clone()
    }

    async fn verify(&self, token: &str, with: &Value) -> Result<Gate, Refusal> {
        let defaults = &self.cases["verification_defaults"];
        let setting = |name: &str| with.get(name).unwrap_or(&defaults[name]).clone();
        let keys = JwkSet::parse(json!({"keys": [self.key]}).to_string().as_bytes()).unwrap();
        let keys = PinnedGovernanceKeys::default().with_jwks(&JWKS.parse().unwrap(), &keys);
        let lists = HeldRevocationLists::new(RevocationPolicy::baseline());
        let made = UnixSeconds::new(self.list_made);
        let list = RevocationList::issue("https://gov.example.com", made, made.plus(900))
            .unwrap()
            .revoking_jtis(self.revoked_jtis.clone())
            .unwrap()
            .revoking_kids(self.revoked_kids.clone())
            .unwrap();
        lists.load(list, made).unwrap();
        let now = UnixSeconds::new(setting("now").as_i64().unwrap());
        let audience = setting("expected_audience");
        let verifier =
            GovernanceVerifier::new(audience.as_str().unwrap(), keys, lists, self.replay.clone())
                .with_clock(FixedClock::new(now));
        let verifier = if self.accepts_test_keys {
            verifier.accept_published_test_keys_in_tests()
        } else {
            verifier
        };
        let record = json!({"name": "Buyer", "agents": self.issuers}).to_string();
        let record = BrandJson::parse(record.as_bytes()).unwrap();
        let caller: AgentUrl = setting("authenticated_caller").as_str().unwrap().parse().unwrap();
        let commitment = setting("actual_commitment");
        let commitment = Commitment::new(
            &commitment["amount"].to_string(),
            commitment["currency"].as_str().unwrap(),
        );
        let action = IntentAction::new(
            setting("expected_task").as_str().unwrap(),
            setting("payload").to_string().as_bytes(),
            Cost::Monetary(commitment.unwrap()),
            Enforcement::SignedContext,
        );
        let buyer = adcp_signing_trust::governance::Buyer::new(&caller, &record);
        verifier.verify_intent(token, &buyer, action.unwrap()).await
    }

    async fn code(&self, token: &str, with: Value) -> &'static str {
        match self.verify(token, &with).await {
            Ok(_) => "accept",
            Err(refusal) => refusal.code().as_str(),
        }
    }
}

fn token(case: &Value) -> &str {
    case["compact_jws"].as_str().unwrap()
}

#[tokio::test]
async fn each_published_token_gets_its_code() {
    let cases = Service::new().cases["cases"].as_array().unwrap().clone();
    assert_eq!(cases.len(), 27);
    for case in cases {
        let service = Service::new();
        let with = case.get("verification_overrides").cloned().unwrap_or_default();
        if with["preconsumed_jti"] == true {
            assert_eq!(service.code(token(&case), with.clone()).await, "accept");
        }
        let expected = case["expected"]["error"].as_str().unwrap_or("accept");
        assert_eq!(service.code(token(&case), with).await, expected, "{}", case["id"]);
    }
}

#[tokio::test]
async fn a_published_test_key_authorizes_nothing() {
    let service = Service { accepts_test_keys: false, ..Service::new() };
    let case = service.case("valid-exact-authorization");
    assert_eq!(service.code(token(&case), json!({})).await, "governance_jwks_untrusted");
}

#[tokio::test]
async fn the_answer_states_what_was_authorized() {
    let service = Service::new();
    let case = service.case("valid-exact-authorization");
    let Gate::Authorized(authorized) = service.verify(token(&case), &json!({})).await.unwrap()
    else {
        panic!("the service enforces the signed context")
    };
    assert_eq!(authorized.task(), "create_media_buy");
    assert_eq!(authorized.issuer(), "https://gov.example.com/governance");
    assert_eq!(authorized.ceiling(), Some(&Commitment::new("1", "USD").unwrap()));
    assert_eq!(authorized.request().to_claim(), "OrcCZzXfg4C0qPeOQje78UxK_cohzFsL0mdxxvdIUVc");
}

#[test]
fn payloads_have_the_published_hashes() {
    let file = vectors("governance-authorization.json");
    for case in file["payload_hash_cases"].as_array().unwrap() {
        let hash = JsonHash::of_request(case["payload"].to_string().as_bytes()).unwrap();
        assert_eq!(hash.to_claim(), case["expected_hash"], "{}", case["id"]);
    }
}

#[test]
fn plans_have_the_published_hashes() {
    let mut names = BTreeSet::new();
    let folder =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../test-vectors/adcp/3.2.4/plan-hash");
    for file in std::fs::read_dir(folder).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        let case = vectors(&format!("plan-hash/{name}"));
        let hash = JsonHash::of_plan(case["plan_as_supplied"].to_string().as_bytes()).unwrap();
        assert_eq!(hash.to_claim(), case["expected"]["plan_hash"], "{name}");
        names.insert(name);
    }
    assert_eq!(names.len(), 11);
}

#[tokio::test]
async fn any_changed_character_of_a_token_is_refused() {
    let service = Service::new();
    let case = service.case("valid-exact-authorization");
    let good = token(&case);
    for place in 0..good.len() {
        for other in [b'A', b'x', b'.', b'=', b' '] {
            let mut bytes = good.as_bytes().to_vec();
            if bytes[place] == other {
                continue;
            }
            bytes[place] = other;
            let changed = String::from_utf8(bytes).unwrap();
            let code = service.code(&changed, json!({})).await;
            assert!(code.starts_with("governance_"), "{place} {other}");
        }
    }
    assert_eq!(service.code(good, json!({})).await, "accept");
}

#[tokio::test]
async fn any_changed_member_of_the_request_is_refused() {
    let service = Service::new();
    let case = service.case("valid-exact-authorization");
    let payload = service.cases["verification_defaults"]["payload"].clone();
    let mut changed = Vec::new();
    for (name, value) in payload.as_object().unwrap() {
        let mut without = payload.clone();
        without.as_object_mut().unwrap().remove(name);
        let mut other = payload.clone();
        other[name] = json!([value]);
        changed.extend([without, other]);
    }
    let mut more = payload.clone();
    more["x"] = json!(null);
    changed.push(more);
    for payload in changed {
        let code = service.code(token(&case), json!({ "payload": payload })).await;
        assert_eq!(code, "governance_token_not_applicable", "{payload}");
    }
    let mut metadata = payload;
    metadata["governance_context"] = json!("t");
    metadata["context"] = json!({"trace": 1});
    assert_eq!(service.code(token(&case), json!({ "payload": metadata })).await, "accept");
}

#[tokio::test]
async fn an_issuer_is_one_governance_agent_of_the_record() {
    let mut service = Service::new();
    let case = service.case("valid-exact-authorization");
    let agent = |kind: &str, url: &str| json!({"type": kind, "url": url});
    let iss = "https://gov.example.com/governance";
    for issuers in [
        vec![],
        vec![agent("buying", iss)],
        vec![agent("governance", "https://gov.example.com/other")],
        vec![
            agent("governance", iss),
            json!({"type": "governance", "url": iss, "jwks_uri": "https://x.example.com/j"}),
        ],
    ] {
        service.issuers = issuers;
        let code = service.code(token(&case), json!({})).await;
        assert_eq!(code, "governance_issuer_not_authorized", "{:?}", service.issuers);
    }
    service.issuers = vec![json!({"type": "governance", "url": iss, "jwks_uri": "http://x/"})];
    assert_eq!(service.code(token(&case), json!({})).await, "governance_jwks_untrusted");
    service.issuers = vec![agent("governance", "https://GOV.example.com:443/governance")];
    assert_eq!(service.code(token(&case), json!({})).await, "accept");
}

#[tokio::test]
async fn a_key_is_one_for_governance_and_of_this_name() {
    let changed = |member: &str, value: Value| {
        let mut service = Service::new();
        service.key[member] = value;
        service
    };
    for (member, value, expected) in [
        ("adcp_use", json!("request-signing"), "governance_token_invalid"),
        ("use", json!("enc"), "governance_token_invalid"),
        ("key_ops", json!(["sign"]), "governance_token_invalid"),
        ("kid", json!("other"), "governance_key_unknown"),
    ] {
        let service = changed(member, value);
        let case = service.case("valid-exact-authorization");
        assert_eq!(service.code(token(&case), json!({})).await, expected, "{member}");
    }
}

#[tokio::test]
async fn what_is_revoked_or_cannot_be_judged_is_refused() {
    let mut service = Service::new();
    let case = service.case("valid-exact-authorization");
    service.revoked_jtis = vec!["gov-vector-valid-exact-authorization".to_owned()];
    assert_eq!(service.code(token(&case), json!({})).await, "governance_token_revoked");
    service.revoked_jtis.clear();
    service.revoked_kids = vec!["test-gov-2026".to_owned()];
    assert_eq!(service.code(token(&case), json!({})).await, "governance_token_revoked");
    service.revoked_kids.clear();
    service.list_made -= 24 * 60 * 60;
    assert_eq!(service.code(token(&case), json!({})).await, "governance_revocation_stale");
}

#[tokio::test]
async fn a_newer_list_takes_no_revocation_back() {
    let now = UnixSeconds::new(1_785_931_200);
    let issued = |at: UnixSeconds| {
        RevocationList::issue("https://gov.example.com", at, at.plus(900)).unwrap()
    };
    let lists = HeldRevocationLists::new(RevocationPolicy::baseline());
    let first = issued(now).revoking_jtis(["j"]).unwrap().revoking_kids(["k"]).unwrap();
    lists.load(first, now).unwrap();
    lists.load(issued(now.plus(1)), now.plus(1)).unwrap();
    let refused = lists.load(issued(now), now.plus(2));
    assert!(matches!(refused, Err(RevocationLoadError::RolledBack { .. })));
    let refused = lists.load(issued(now.plus(62)), now.plus(1));
    assert!(matches!(refused, Err(RevocationLoadError::FromTheFuture { .. })));
    for (kid, jti, expected) in [
        ("k", "good", RevocationStatus::Revoked),
        ("good", "j", RevocationStatus::Revoked),
        ("good", "good", RevocationStatus::Good),
    ] {
        let found = lists.check("https://gov.example.com/", kid, jti, now.plus(2)).await;
        assert_eq!(found.unwrap(), expected, "{kid} {jti}");
    }
}
