//! Signed revocation lists, published by a provider and polled from a real server, on a clock that
//! stands still.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use adcp_signing_core::{
    Algorithm, FixedClock, InMemoryProvider, KeyPurpose, ProviderError, PublicKey,
    RevocationSource, RevocationStatus, SigningProvider, UnixSeconds, VerificationKey,
    provider::{Capability, KeyIdentity, Signed},
    revocation::{RevocationList, RevocationLoadError, RevocationPolicy},
};
use adcp_signing_testkit::CannedReply;
use adcp_signing_trust::revocation::{
    AddIssuerError, JwsError, ListError, RevocationIssuer, RevocationLists, RevocationListsBuilder,
    SignListError, WELL_KNOWN_LIST, sign_list,
};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use futures_util::FutureExt as _;
use serde_json::{Value, json};
use support::{Answer, Server};

const NOW: UnixSeconds = UnixSeconds::new(1_776_520_800);
const HOST: &str = "buyer.example.com";
const JWKS: &str = "/.well-known/jwks.json";

fn key(kid: &str, purpose: KeyPurpose) -> InMemoryProvider {
    InMemoryProvider::generate(Algorithm::Ed25519, purpose).unwrap().with_key_id(kid)
}

/// An operator with a key that signs its lists, and a verifier that polls them.
struct Stage {
    server: Server,
    answers: Arc<Mutex<HashMap<String, Answer>>>,
    clock: Arc<FixedClock>,
    lists: RevocationLists,
    issuer: String,
    signer: InMemoryProvider,
}

impl Stage {
    async fn with(policy: RevocationPolicy) -> Self {
        Self::of(policy, |builder| builder).await
    }

    async fn of(
        policy: RevocationPolicy,
        change: impl FnOnce(RevocationListsBuilder) -> RevocationListsBuilder,
    ) -> Self {
        let answers = Arc::<Mutex<HashMap<String, Answer>>>::default();
        let served = Arc::clone(&answers);
        let server = Server::start(move |asked| {
            let found = served.lock().unwrap().get(&asked.path).cloned();
            found.unwrap_or(Answer::Reply(CannedReply::new(404)))
        })
        .await;
        let clock = Arc::new(FixedClock::new(NOW));
        let builder = RevocationLists::builder(server.fetcher().build().unwrap());
        let lists = change(builder.clock(Arc::clone(&clock)).policy(policy)).build();
        let issuer = server.url(HOST, "");
        lists.add(RevocationIssuer::new(&issuer).unwrap()).unwrap();
        let signer = key("gov", KeyPurpose::GovernanceSigning);
        let stage = Self { server, answers, clock, lists, issuer, signer };
        stage.publish(&[&stage.signer]);
        stage
    }

    async fn new() -> Self {
        Self::with(RevocationPolicy::baseline()).await
    }

    fn serve(&self, path: &str, answer: Answer) {
        self.answers.lock().unwrap().insert(path.to_owned(), answer);
    }

    fn reply(&self, reply: CannedReply) {
        self.serve(WELL_KNOWN_LIST, Answer::Reply(reply));
    }

    fn publish(&self, keys: &[&InMemoryProvider]) {
        let keys: Vec<_> = keys.iter().map(|key| key.jwk()).collect();
        let body = json!({ "keys": keys }).to_string();
        self.serve(JWKS, Answer::Reply(CannedReply::new(200).body(body)));
    }

    fn list(&self, after: i64, kids: &[&str]) -> RevocationList {
        let updated = NOW.plus(after);
        let list = RevocationList::issue(&self.issuer, updated, updated.plus(900)).unwrap();
        list.revoking_kids(kids.iter().copied()).unwrap()
    }

    /// Serves the list that was made so long after `NOW`.
    async fn serve_list(&self, after: i64, kids: &[&str]) {
        let signed = sign_list(&self.list(after, kids), &self.signer).await.unwrap();
        self.reply(CannedReply::new(200).body(signed.to_json()));
    }

    fn key(&self, kid: &str) -> VerificationKey {
        key_of(kid, Some(&self.issuer))
    }

    async fn check(&self, kid: &str) -> Option<RevocationStatus> {
        self.lists.check(&self.key(kid), self.now()).await.ok()
    }

    fn now(&self) -> UnixSeconds {
        adcp_signing_core::Clock::now(&self.clock)
    }

    /// Why the list is not taken.
    async fn refusal(&self) -> ListError {
        let mut failed = self.lists.poll().await;
        assert_eq!(failed.len(), 1, "{failed:?}");
        failed.remove(0).1
    }

    /// The conditions with which the list was asked for.
    fn conditions(&self) -> Vec<Option<String>> {
        let asked = self.server.asked();
        let lists = asked.iter().filter(|asked| asked.path == WELL_KNOWN_LIST);
        lists.map(|asked| asked.field("if-none-match")).collect()
    }
}

fn key_of(kid: &str, issuer: Option<&str>) -> VerificationKey {
    let public = key(kid, KeyPurpose::RequestSigning).verifying_key().clone();
    let key = VerificationKey::trusted(kid, public, KeyPurpose::RequestSigning);
    issuer.map_or(key.clone(), |issuer| key.with_revocation_issuer(issuer).unwrap())
}

const GOOD: Option<RevocationStatus> = Some(RevocationStatus::Good);
const REVOKED: Option<RevocationStatus> = Some(RevocationStatus::Revoked);
const STALE: Option<RevocationStatus> = Some(RevocationStatus::Stale);

#[tokio::test]
async fn a_list_is_fetched_at_the_first_question_and_answers_the_others() {
    let stage = Stage::new().await;
    stage.serve_list(0, &["old"]).await;
    assert_eq!((stage.check("old").await, stage.check("new").await), (REVOKED, GOOD));
    let (new, now) = (stage.key("new"), stage.now());
    let status = stage.lists.check(&new, now).now_or_never();
    assert!(matches!(status, Some(Ok(RevocationStatus::Good))), "at once");
    assert_eq!(stage.conditions().len(), 1);
}

#[tokio::test]
async fn each_serialization_is_taken_from_each_algorithm() {
    for algorithm in [Algorithm::Ed25519, Algorithm::EcdsaP256Sha256] {
        for purpose in [KeyPurpose::GovernanceSigning, KeyPurpose::RequestSigning] {
            let signer = InMemoryProvider::generate(algorithm, purpose).unwrap();
            let signer = signer.with_key_id("signer");
            let stage = Stage::new().await;
            stage.publish(&[&signer]);
            let signed = sign_list(&stage.list(0, &["k"]), &signer).await.unwrap();
            let general: Value = serde_json::from_str(&signed.to_json()).unwrap();
            let flattened = json!({
                "payload": general["payload"],
                "protected": general["signatures"][0]["protected"],
                "signature": general["signatures"][0]["signature"],
            });
            for document in [signed.to_json(), signed.to_compact(), flattened.to_string()] {
                stage.reply(CannedReply::new(200).body(document));
                assert!(stage.lists.poll().await.is_empty());
                stage.clock.advance(900);
            }
            assert_eq!((stage.check("k").await, stage.conditions().len()), (REVOKED, 3));
        }
    }
}

#[tokio::test]
async fn a_list_that_is_not_signed_as_it_has_to_be_is_refused() {
    let stage = Stage::new().await;
    let stranger = key("stranger", KeyPurpose::GovernanceSigning);
    let same_name = key("gov", KeyPurpose::GovernanceSigning);
    let other_purpose = key("resp", KeyPurpose::ResponseSigning);
    stage.publish(&[&stage.signer, &other_purpose]);
    let list = stage.list(0, &["k"]);
    let payload = Base64UrlUnpadded::encode_string(&list.to_payload());
    let sign = |key: &InMemoryProvider, header: Value| {
        let protected = Base64UrlUnpadded::encode_string(header.to_string().as_bytes());
        let input = format!("{protected}.{payload}");
        let signature = key.sign_now(input.as_bytes()).unwrap();
        format!("{input}.{}", Base64UrlUnpadded::encode_string(signature.as_bytes()))
    };
    let typ = "adcp-gov-revocation+jws";
    let header = |kid: &str| json!({"alg": "EdDSA", "kid": kid, "typ": typ});
    type Expected = fn(&ListError) -> bool;
    let cases: [(String, Expected); 8] = [
        (sign(&stranger, header("stranger")), |error| matches!(error, ListError::UnknownKey)),
        (
            sign(&same_name, header("gov")),
            |error| matches!(error, ListError::Signature { kid } if kid == "gov"),
        ),
        (
            sign(&other_purpose, header("resp")),
            |error| matches!(error, ListError::WrongKey { reason, .. } if reason.contains("response-signing")),
        ),
        (
            sign(&stage.signer, json!({"alg": "ES256", "kid": "gov", "typ": typ})),
            |error| matches!(error, ListError::WrongKey { reason, .. } if reason.contains("algorithm")),
        ),
        (sign(&stage.signer, json!({"alg": "EdDSA", "kid": "gov", "typ": "jwt"})), |error| {
            matches!(error, ListError::Jws(JwsError::Type { .. }))
        }),
        (sign(&stage.signer, header("gov")) + "AA", |error| {
            matches!(error, ListError::Signature { .. })
        }),
        ("<html></html>".to_owned(), |error| matches!(error, ListError::Jws(JwsError::Form))),
        (String::new(), |error| matches!(error, ListError::Jws(JwsError::Form))),
    ];
    for (document, is_expected) in cases {
        stage.reply(CannedReply::new(200).body(document.clone()));
        let error = stage.refusal().await;
        assert!(is_expected(&error), "{document}: {error:?}");
        assert_eq!(stage.check("k").await, None, "nothing was taken");
        stage.clock.advance(61);
    }
}

#[tokio::test]
async fn each_signature_of_a_published_key_has_to_be_good() {
    let stage = Stage::new().await;
    let (next, stranger) =
        (key("next", KeyPurpose::GovernanceSigning), key("x", KeyPurpose::GovernanceSigning));
    stage.publish(&[&stage.signer, &next]);
    let list = stage.list(0, &["k"]);
    let parts = async |key: &InMemoryProvider| -> Value {
        serde_json::from_str(&sign_list(&list, key).await.unwrap().to_json()).unwrap()
    };
    let of = |parts: &Value| parts["signatures"][0].clone();
    let (by_gov, by_next, by_stranger) =
        (parts(&stage.signer).await, parts(&next).await, parts(&stranger).await);
    let document = |signatures: &[Value]| {
        json!({ "payload": by_gov["payload"], "signatures": signatures }).to_string()
    };
    let mut broken = of(&by_next);
    broken["signature"] = of(&by_gov)["signature"].clone();
    stage.reply(CannedReply::new(200).body(document(&[of(&by_gov), broken])));
    let error = stage.refusal().await;
    assert!(matches!(&error, ListError::Signature { kid } if kid == "next"), "{error:?}");
    stage.clock.advance(61);
    let all = [of(&by_stranger), of(&by_gov), of(&by_next)];
    stage.reply(CannedReply::new(200).body(document(&all)));
    assert_eq!(stage.check("k").await, REVOKED);
}

#[tokio::test]
async fn the_list_of_another_issuer_is_refused() {
    let stage = Stage::new().await;
    let other = RevocationList::issue("https://other.example.com", NOW, NOW.plus(900)).unwrap();
    let signed = sign_list(&other, &stage.signer).await.unwrap();
    stage.reply(CannedReply::new(200).body(signed.to_json()));
    assert!(matches!(stage.refusal().await, ListError::List(_)));
}

#[tokio::test]
async fn a_revoked_key_signs_no_list() {
    let stage = Stage::new().await;
    let next = key("next", KeyPurpose::GovernanceSigning);
    stage.publish(&[&stage.signer, &next]);
    // By the list itself.
    let list = stage.list(0, &["gov"]);
    let payload = Base64UrlUnpadded::encode_string(&list.to_payload());
    let header = json!({"alg": "EdDSA", "kid": "gov", "typ": "adcp-gov-revocation+jws"});
    let protected = Base64UrlUnpadded::encode_string(header.to_string().as_bytes());
    let input = format!("{protected}.{payload}");
    let signature = stage.signer.sign_now(input.as_bytes()).unwrap();
    let signature = Base64UrlUnpadded::encode_string(signature.as_bytes());
    stage.reply(CannedReply::new(200).body(format!("{input}.{signature}")));
    let error = stage.refusal().await;
    assert!(matches!(&error, ListError::RevokedKey { kid } if kid == "gov"), "{error:?}");
    // By a list before it.
    stage.clock.advance(61);
    let signed = sign_list(&stage.list(61, &["gov"]), &next).await.unwrap();
    stage.reply(CannedReply::new(200).body(signed.to_json()));
    assert_eq!(stage.check("gov").await, REVOKED);
    stage.clock.advance(901);
    stage.serve_list(962, &[]).await;
    let error = stage.refusal().await;
    assert!(matches!(&error, ListError::RevokedKey { kid } if kid == "gov"), "{error:?}");
}

#[tokio::test]
async fn a_list_goes_neither_back_nor_ahead_and_what_was_revoked_stays_revoked() {
    let stage = Stage::new().await;
    stage.serve_list(61, &[]).await;
    let error = stage.refusal().await;
    let is_ahead = |error: &ListError| {
        matches!(error, ListError::Load(RevocationLoadError::FromTheFuture { .. }))
    };
    assert!(is_ahead(&error), "{error:?}");
    stage.clock.advance(61);
    stage.serve_list(100, &["k"]).await;
    assert_eq!(stage.check("k").await, REVOKED);
    stage.clock.advance(940);
    stage.serve_list(99, &[]).await;
    let error = stage.refusal().await;
    let is_back = matches!(error, ListError::Load(RevocationLoadError::RolledBack { .. }));
    assert!(is_back, "{error:?}");
    stage.clock.advance(61);
    stage.serve_list(1000, &[]).await;
    assert_eq!((stage.check("other").await, stage.check("k").await), (GOOD, REVOKED));
    assert_eq!(stage.conditions().len(), 4);
}

#[tokio::test]
async fn a_list_that_is_not_renewed_goes_stale_by_the_policy() {
    for (policy, last) in
        [(RevocationPolicy::baseline(), 900 + 3600), (RevocationPolicy::production(), 900)]
    {
        let stage = Stage::with(policy).await;
        stage.serve_list(0, &["old"]).await;
        assert_eq!(stage.check("k").await, GOOD);
        stage.reply(CannedReply::new(503));
        stage.clock.advance(last);
        assert_eq!(stage.check("k").await, GOOD);
        stage.clock.advance(1);
        assert_eq!((stage.check("k").await, stage.check("old").await), (STALE, REVOKED));
        // Renewed, it is good again.
        stage.clock.advance(60);
        stage.serve_list(last + 61, &[]).await;
        assert_eq!(stage.check("k").await, GOOD);
    }
}

#[tokio::test]
async fn a_list_is_fetched_when_the_next_one_is_promised_and_by_the_policy() {
    for (policy, wait) in
        [(RevocationPolicy::baseline(), 900), (RevocationPolicy::production(), 300)]
    {
        let stage = Stage::with(policy).await;
        stage.serve_list(0, &[]).await;
        assert_eq!(stage.check("k").await, GOOD);
        stage.clock.advance(wait - 1);
        assert_eq!((stage.check("k").await, stage.conditions().len()), (GOOD, 1));
        stage.clock.advance(1);
        assert_eq!((stage.check("k").await, stage.conditions().len()), (GOOD, 2));
    }
    // A clock that goes back puts nothing off.
    let stage = Stage::new().await;
    stage.serve_list(0, &[]).await;
    assert_eq!(stage.check("k").await, GOOD);
    stage.clock.set(NOW.minus(1));
    assert_eq!((stage.check("k").await, stage.conditions().len()), (GOOD, 2));
}

#[tokio::test]
async fn an_answer_that_nothing_changed_makes_no_list_fresh() {
    let stage = Stage::with(RevocationPolicy::production()).await;
    let signed = sign_list(&stage.list(0, &[]), &stage.signer).await.unwrap().to_json();
    stage.reply(CannedReply::new(200).header("etag", "\"1\"").body(signed));
    assert_eq!(stage.check("k").await, GOOD);
    stage.reply(CannedReply::new(304));
    let tag = Some("\"1\"".to_owned());
    stage.clock.advance(300);
    assert_eq!((stage.check("k").await, stage.conditions()), (GOOD, vec![None, tag.clone()]));
    assert_eq!(stage.check("k").await, GOOD, "not asked again at once");
    // Before the list is stale, the whole of it is asked for, and a 304 is no answer to that.
    stage.clock.advance(300);
    assert_eq!((stage.check("k").await, stage.conditions()), (GOOD, vec![None, tag, None]));
    stage.clock.advance(300);
    assert_eq!(stage.check("k").await, GOOD);
    stage.clock.advance(1);
    assert_eq!(stage.check("k").await, STALE, "900 s after the last signature");
}

#[tokio::test]
async fn without_a_list_a_key_is_refused_and_the_failure_is_remembered_for_a_minute() {
    let stage = Stage::new().await;
    let (k, now) = (stage.key("k"), stage.now());
    let error = stage.lists.check(&k, now).await.unwrap_err().to_string();
    assert!(error.contains("HTTP 404") && error.contains(HOST), "{error}");
    stage.serve_list(0, &[]).await;
    stage.clock.advance(59);
    assert_eq!((stage.check("k").await, stage.conditions().len()), (None, 1));
    stage.clock.advance(1);
    assert_eq!((stage.check("k").await, stage.conditions().len()), (GOOD, 2));
}

#[tokio::test]
async fn a_key_of_an_issuer_that_is_not_polled_is_refused() {
    let stage = Stage::new().await;
    stage.serve_list(0, &[]).await;
    for (issuer, text) in [
        (Some("https://other.example.com"), "https://other.example.com/ is not polled"),
        (None, "no revocation issuer"),
    ] {
        let error = stage.lists.check(&key_of("k", issuer), NOW).await.unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    }
    assert!(stage.conditions().is_empty());
}

#[tokio::test]
async fn the_keys_of_the_issuer_are_looked_for_like_those_of_an_agent() {
    let stage = Stage::new().await;
    stage.serve(JWKS, Answer::Reply(CannedReply::new(503)));
    stage.serve_list(0, &[]).await;
    assert!(matches!(stage.refusal().await, ListError::Keys(_)));
    stage.clock.advance(61);
    stage.publish(&[&stage.signer]);
    assert_eq!(stage.check("k").await, GOOD);
    // A new key is found at once.
    let next = key("next", KeyPurpose::GovernanceSigning);
    stage.publish(&[&next]);
    stage.clock.advance(60);
    let signed = sign_list(&stage.list(121, &["k"]), &next).await.unwrap();
    stage.reply(CannedReply::new(200).body(signed.to_json()));
    stage.clock.advance(840);
    assert_eq!(stage.check("k").await, REVOKED);
}

#[tokio::test]
async fn a_published_test_key_signs_no_list() {
    let jwk = json!({
        "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": "t", "use": "sig",
        "key_ops": ["sign"], "adcp_use": "governance-signing",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
    });
    let signer = InMemoryProvider::from_jwk_json(jwk.to_string().as_bytes()).unwrap();
    let accept = RevocationListsBuilder::accept_published_test_keys_in_tests;
    for is_accepted in [false, true] {
        let stage = Stage::of(RevocationPolicy::baseline(), |builder| {
            if is_accepted { accept(builder) } else { builder }
        })
        .await;
        stage.publish(&[&signer]);
        let signed = sign_list(&stage.list(0, &[]), &signer).await.unwrap();
        stage.reply(CannedReply::new(200).body(signed.to_json()));
        assert_eq!(stage.check("k").await, is_accepted.then_some(RevocationStatus::Good));
    }
}

#[tokio::test]
async fn many_questions_share_one_fetch_and_a_held_list_answers_meanwhile() {
    let stage = Stage::new().await;
    let late = async |after| {
        let signed = sign_list(&stage.list(after, &["old"]), &stage.signer).await.unwrap();
        let reply = CannedReply::new(200).body(signed.to_json());
        stage.serve(WELL_KNOWN_LIST, Answer::Late(Duration::from_millis(50), reply));
    };
    late(0).await;
    let all = futures_util::future::join_all((0..50).map(|_| stage.check("k"))).await;
    assert!(all.iter().all(|status| *status == GOOD));
    assert_eq!(stage.conditions().len(), 1);

    stage.clock.advance(900);
    stage.serve(WELL_KNOWN_LIST, Answer::Never);
    let mut first = Box::pin(stage.check("k"));
    while stage.conditions().len() < 2 {
        let _ = futures_util::poll!(&mut first);
        tokio::task::yield_now().await;
    }
    assert_eq!(stage.check("k").now_or_never(), Some(GOOD));
    assert_eq!(stage.check("old").now_or_never(), Some(REVOKED));
    // Whoever goes away leaves the fetch to the next.
    drop(first);
    late(900).await;
    assert_eq!((stage.check("k").await, stage.conditions().len()), (GOOD, 3));
}

#[tokio::test]
async fn lists_are_polled_without_a_question() {
    let stage = Stage::new().await;
    stage.serve_list(0, &["old"]).await;
    let polled = stage.lists.clone();
    let polling = tokio::spawn(async move { polled.keep_polling(Duration::from_millis(5)).await });
    while stage.conditions().is_empty() || stage.check("k").now_or_never() != Some(GOOD) {
        tokio::task::yield_now().await;
    }
    stage.serve_list(900, &["k"]).await;
    stage.clock.advance(900);
    let is_revoked = async || {
        let (key, now) = (stage.key("k"), stage.now());
        matches!(stage.lists.check(&key, now).now_or_never(), Some(Ok(RevocationStatus::Revoked)))
    };
    while !is_revoked().await {
        tokio::task::yield_now().await;
    }
    assert_eq!(stage.conditions().len(), 2, "no more often than it is due");
    polling.abort();
    assert!(stage.lists.poll().await.is_empty(), "nothing is due");
}

#[tokio::test]
async fn keys_are_revoked_by_hand_at_once() {
    let stage = Stage::new().await;
    stage.lists.revoke_by_hand(["stolen"]);
    assert_eq!(stage.check("stolen").await, REVOKED);
    assert!(stage.conditions().is_empty());
}

#[tokio::test]
async fn issuers_are_added_once_and_up_to_a_bound() {
    let stage = Stage::of(RevocationPolicy::baseline(), |builder| builder.max_issuers(2)).await;
    let issuer = |url: &str| RevocationIssuer::new(url).unwrap();
    let again = stage.lists.add(issuer(&stage.issuer));
    assert_eq!(again, Err(AddIssuerError::AlreadyKnown { issuer: format!("{}/", stage.issuer) }));
    stage.lists.add(issuer("https://second.example.com")).unwrap();
    let third = stage.lists.add(issuer("https://third.example.com"));
    assert_eq!(third, Err(AddIssuerError::Full { max: 2 }));
}

#[tokio::test]
async fn an_unfit_key_signs_no_list() {
    let list = RevocationList::issue("https://buyer.example.com", NOW, NOW.plus(900)).unwrap();
    for purpose in [KeyPurpose::WebhookSigning, KeyPurpose::ResponseSigning] {
        let refused = sign_list(&list, &key("k", purpose.clone())).await;
        assert!(matches!(refused, Err(SignListError::Purpose(found)) if found == purpose));
    }
    let governance = key("k", KeyPurpose::GovernanceSigning);
    let itself = list.clone().revoking_kids(["k"]).unwrap();
    let refused = sign_list(&itself, &governance).await;
    assert!(matches!(refused, Err(SignListError::RevokesItsKey { kid }) if kid == "k"));
    let rsa = InMemoryProvider::generate(Algorithm::RsaPssSha512, KeyPurpose::GovernanceSigning);
    if let Ok(rsa) = rsa {
        let refused = sign_list(&list, &rsa).await;
        assert!(matches!(refused, Err(SignListError::Algorithm(Algorithm::RsaPssSha512))));
    }
    let other = Arc::new(key("k", KeyPurpose::GovernanceSigning));
    let confused = Confused { named: governance, signing: other };
    assert!(matches!(sign_list(&list, &confused).await, Err(SignListError::Invalid(_))));
}

/// A service that signs with another key than it names.
#[derive(Debug)]
struct Confused {
    named: InMemoryProvider,
    signing: Arc<InMemoryProvider>,
}

#[async_trait::async_trait]
impl SigningProvider for Confused {
    fn identity(&self) -> &KeyIdentity {
        self.named.identity()
    }

    fn capability(&self) -> Capability {
        self.named.capability()
    }

    async fn public_key(&self) -> Result<PublicKey, ProviderError> {
        self.named.public_key().await
    }

    async fn sign(&self, message: &[u8]) -> Result<Signed, ProviderError> {
        self.signing.sign(message).await
    }
}
