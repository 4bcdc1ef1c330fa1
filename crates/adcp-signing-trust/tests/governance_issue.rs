//! Governance tokens of our own: from the intent of a buyer to the execution of a service.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use adcp_signing_core::{
    Algorithm, Answer, FixedClock, InMemoryProvider, InMemoryReplayStore, JwkSet, KeyPurpose,
    ReplayStore, SigningProvider as _, UnixSeconds,
    replay::{InsertOutcome, ReplayEntry, StoreError},
    revocation::{RevocationList, RevocationPolicy},
};
use adcp_signing_trust::{
    brand::{AgentUrl, BrandJson},
    governance::{
        Authorized, Buyer, Commitment, Cost, Decision, Enforcement, ExecutionAction, Gate,
        GovernanceToken, GovernanceVerifier, HeldRevocationLists, IntentAction, JsonHash, Phase,
        PinnedGovernanceKeys, Prepared, Refusal, SignTokenError, TokenParties,
    },
};
use serde_json::json;

const NOW: UnixSeconds = UnixSeconds::new(1_785_931_200);
const ISSUER: &str = "https://gov.example.com/governance";
const OTHER_ISSUER: &str = "https://gov.example.com/other";
const SERVICE: &str = "https://seller.example.com/sales";
const BUYER: &str = "https://buyer.example.com/";
const REQUEST: &[u8] = br#"{"idempotency_key":"1","amount":10}"#;

fn usd(amount: &str) -> Commitment {
    Commitment::new(amount, "USD").unwrap()
}

fn costs(commitment: Commitment) -> Cost {
    Cost::Monetary(commitment)
}

fn parties(caller: &str) -> TokenParties<'_> {
    TokenParties { issuer: ISSUER, audience: SERVICE, caller }
}

fn decision<'a>(subject: &'a str, jti: &'a str) -> Decision<'a> {
    let plan_hash = JsonHash::of_plan(b"{}").unwrap();
    Decision { subject, jti, check_id: "check", plan_hash }
}

fn intent(jti: &str) -> GovernanceToken {
    let request = JsonHash::of_request(REQUEST).unwrap();
    let action = ("create_media_buy", request);
    GovernanceToken::intent(parties(BUYER), decision("sub", jti), NOW, NOW.plus(900), action)
        .with_ceiling(&usd("10.5"))
}

fn execution(phase: Phase, subject: &str, caller: &str, jti: &str) -> GovernanceToken {
    let life = NOW.plus(30 * 24 * 60 * 60);
    GovernanceToken::execution(phase, parties(caller), decision(subject, jti), NOW, life)
        .with_ceiling(&usd("20"))
}

/// The issuer's list, which revokes nothing.
fn lists() -> HeldRevocationLists {
    let lists = HeldRevocationLists::new(RevocationPolicy::baseline());
    let list = RevocationList::issue("https://gov.example.com", NOW, NOW.plus(900)).unwrap();
    lists.load(list, NOW).unwrap();
    lists
}

struct Trial {
    key: InMemoryProvider,
    verifier: GovernanceVerifier,
    record: BrandJson,
    caller: AgentUrl,
}

impl Trial {
    async fn new() -> Self {
        Self::with(lists(), InMemoryReplayStore::new()).await
    }

    async fn with(lists: HeldRevocationLists, replay: impl ReplayStore + 'static) -> Self {
        let key = InMemoryProvider::generate(Algorithm::Ed25519, KeyPurpose::GovernanceSigning);
        let key = key.unwrap();
        let jwk = key.public_key().await.unwrap().to_jwk();
        let jwk = jwk.with_kid(key.key_id()).published_for(KeyPurpose::GovernanceSigning);
        let set = JwkSet::parse(json!({ "keys": [jwk] }).to_string().as_bytes()).unwrap();
        let jwks = "https://gov.example.com/.well-known/jwks.json".parse().unwrap();
        let keys = PinnedGovernanceKeys::default().with_jwks(&jwks, &set);
        let verifier =
            GovernanceVerifier::new(SERVICE, keys, lists, replay).with_clock(FixedClock::new(NOW));
        let agents = [ISSUER, OTHER_ISSUER].map(|url| json!({"type": "governance", "url": url}));
        let record = json!({"name": "B", "agents": agents});
        let record = BrandJson::parse(record.to_string().as_bytes()).unwrap();
        Self { key, verifier, record, caller: BUYER.parse().unwrap() }
    }

    async fn intend(&self) -> Result<Gate, Refusal> {
        let token = intent("jti-1").sign(&self.key).await.unwrap();
        let action = IntentAction::new(
            "create_media_buy",
            REQUEST,
            costs(usd("10")),
            Enforcement::OnlineExecutionCheck,
        );
        let buyer = Buyer::new(&self.caller, &self.record);
        self.verifier.verify_intent(&token, &buyer, action.unwrap()).await
    }

    async fn prepare(&self) -> Prepared {
        let gate = self.intend().await.unwrap();
        let Gate::ExecutionCheckNeeded(prepared) = gate else { panic!("{gate:?}") };
        prepared
    }

    async fn execute(
        &self,
        token: GovernanceToken,
        action: ExecutionAction,
    ) -> Result<Authorized, Refusal> {
        let prepared = self.prepare().await;
        let token = token.sign(&self.key).await.unwrap();
        let buyer = Buyer::new(&self.caller, &self.record);
        self.verifier.verify_execution(&token, &buyer, &prepared, action).await
    }
}

#[tokio::test]
async fn an_execution_token_authorizes_what_the_intent_prepared() {
    let trial = Trial::new().await;
    let action = ExecutionAction::purchase(None, costs(usd("10.5")));
    let token = execution(Phase::Purchase, "sub", SERVICE, "jti-2");
    let authorized = trial.execute(token, action).await.unwrap();
    assert_eq!((authorized.phase(), authorized.task()), (Phase::Purchase, "create_media_buy"));
    let token = execution(Phase::Modification, "sub", SERVICE, "j").with_media_buy_id("mb");
    let action = ExecutionAction::modification("mb", costs(usd("1")));
    let authorized = Trial::new().await.execute(token, action).await.unwrap();
    assert_eq!(authorized.media_buy_id(), Some("mb"));
}

#[tokio::test]
async fn an_execution_token_for_anything_else_is_not_applicable() {
    let purchase = |amount| ExecutionAction::purchase(None, costs(usd(amount)));
    let change = |id| ExecutionAction::modification(id, costs(usd("1")));
    let token = |phase| execution(phase, "sub", SERVICE, "jti-2");
    let other = TokenParties { issuer: OTHER_ISSUER, audience: SERVICE, caller: SERVICE };
    let other = GovernanceToken::execution(
        Phase::Purchase,
        other,
        decision("sub", "j"),
        NOW,
        NOW.plus(900),
    );
    for (name, token, action, step) in [
        ("sub", execution(Phase::Purchase, "other", SERVICE, "j"), purchase("1"), 10),
        ("caller", execution(Phase::Purchase, "sub", BUYER, "j"), purchase("1"), 12),
        ("issuer", other.with_ceiling(&usd("20")), purchase("1"), 12),
        ("phase", token(Phase::Purchase), change("mb"), 11),
        ("an intent", intent("jti-3"), purchase("1"), 11),
        ("media buy", token(Phase::Modification).with_media_buy_id("x"), change("mb"), 12),
        ("named buy", token(Phase::Purchase).with_media_buy_id("x"), purchase("1"), 12),
        ("intent's ceiling", token(Phase::Purchase), purchase("10.6"), 12),
        ("ceiling", token(Phase::Purchase), purchase("20.1"), 12),
    ] {
        let refusal = Trial::new().await.execute(token, action).await.unwrap_err();
        let found = (refusal.code().as_str(), refusal.step());
        assert_eq!(found, ("governance_token_not_applicable", step), "{name}");
    }
}

#[tokio::test]
async fn an_execution_token_is_no_intent_token() {
    let trial = Trial::new().await;
    let token = execution(Phase::Purchase, "sub", BUYER, "j").sign(&trial.key).await.unwrap();
    let enforcement = Enforcement::SignedContext;
    let action =
        IntentAction::new("create_media_buy", REQUEST, costs(usd("1")), enforcement).unwrap();
    let buyer = Buyer::new(&trial.caller, &trial.record);
    let refusal = trial.verifier.verify_intent(&token, &buyer, action).await.unwrap_err();
    assert_eq!((refusal.code().as_str(), refusal.step()), ("governance_token_not_applicable", 11));
}

#[tokio::test]
async fn an_intent_that_goes_on_keeps_its_subject() {
    let trial = Trial::new().await;
    let buyer = Buyer::new(&trial.caller, &trial.record);
    for (jti, subject, expected) in [("a", "other", false), ("b", "sub", true)] {
        let token = intent(jti).sign(&trial.key).await.unwrap();
        let action = IntentAction::new(
            "create_media_buy",
            REQUEST,
            costs(usd("1")),
            Enforcement::SignedContext,
        );
        let action = action.unwrap().continuing(subject);
        let verified = trial.verifier.verify_intent(&token, &buyer, action).await;
        assert_eq!(verified.is_ok(), expected, "{subject}");
    }
}

#[tokio::test]
async fn what_a_verifier_refuses_is_not_signed() {
    let key = InMemoryProvider::generate(Algorithm::Ed25519, KeyPurpose::RequestSigning).unwrap();
    assert!(matches!(intent("j").sign(&key).await, Err(SignTokenError::Purpose(_))));
    let key = Trial::new().await.key;
    let request = ("t", JsonHash::of_request(b"{}").unwrap());
    let lasting = |seconds| {
        let end = NOW.plus(seconds);
        GovernanceToken::intent(parties(BUYER), decision("s", "j"), NOW, end, request)
    };
    for (name, token) in [
        ("no life", lasting(0)),
        ("31 days", lasting(31 * 24 * 60 * 60)),
        ("no jti", intent("")),
        ("an intent with a media buy", intent("j").with_media_buy_id("mb")),
        ("a change of no media buy", execution(Phase::Modification, "s", SERVICE, "j")),
        ("an intent without a task", execution(Phase::Intent, "s", SERVICE, "j")),
    ] {
        assert!(matches!(token.sign(&key).await, Err(SignTokenError::Claims(_))), "{name}");
    }
    let long = intent("j").with_policy_decision_hash(&"a".repeat(4096));
    assert!(matches!(long.sign(&key).await, Err(SignTokenError::TooLong { .. })));
}

/// A store that cannot be reached.
#[derive(Debug)]
struct Down;

impl ReplayStore for Down {
    fn insert<'a>(
        &'a self,
        _: ReplayEntry<'a>,
        _: UnixSeconds,
    ) -> Answer<'a, InsertOutcome, StoreError> {
        Answer::now(Err(StoreError::unavailable("the store is down", "refused")))
    }
}

#[tokio::test]
async fn what_cannot_be_asked_refuses_and_says_that_it_may_be_tried_again() {
    let no_lists = HeldRevocationLists::new(RevocationPolicy::baseline());
    for (trial, expected) in [
        (Trial::with(lists(), Down).await, ("governance_token_replayed", 15)),
        (
            Trial::with(lists(), InMemoryReplayStore::with_aggregate_cap(0)).await,
            ("governance_token_replayed", 15),
        ),
        (
            Trial::with(no_lists, InMemoryReplayStore::new()).await,
            ("governance_revocation_stale", 14),
        ),
    ] {
        let refusal = trial.intend().await.unwrap_err();
        assert_eq!((refusal.code().as_str(), refusal.step()), expected);
        assert!(refusal.is_transient(), "{refusal}");
    }
    let trial = Trial::new().await;
    let _ = trial.intend().await.unwrap();
    let refusal = trial.intend().await.unwrap_err();
    assert_eq!(refusal.code().as_str(), "governance_token_replayed");
    assert!(!refusal.is_transient(), "{refusal}");
}
