use adcp_signing_core::{
    Algorithm, FixedClock, InMemoryProvider, InMemoryRevocation, KeyPurpose, SigningProvider as _,
    StaticKeys, UnixSeconds, VerificationKey, revocation::NoRevocation,
};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use futures_util::FutureExt as _;
use serde_json::{Value, json};

use super::*;
use crate::{
    jcs::canonical,
    jws::{JwsError, signing_input},
};

const NOW: UnixSeconds = UnixSeconds::new(1_776_520_800);
const AGENT: &str = "https://brand.novabrands.example/mcp";
const REQUEST: &str = r#"{"claim_type":"parent","claim":{"house_domain":"house.example"}}"#;
const RESPONSE: &str = r#"{"claim_type":"parent","verification_status":"owned","score":1.0,
    "status":"completed"}"#;

fn call_with(task: DesignatedTask, brand: &str, agent: &str, request: &str) -> Call {
    let caller = CallerIdentity::ApiClientId("client-1".to_owned());
    Call::new(task, brand, agent, caller, request.as_bytes()).unwrap()
}

fn call() -> Call {
    call_with(DesignatedTask::VerifyBrandClaim, "novabrands.example", AGENT, REQUEST)
}

fn provider(algorithm: Algorithm, purpose: KeyPurpose) -> InMemoryProvider {
    InMemoryProvider::generate(algorithm, purpose).unwrap()
}

fn verifier(key: &InMemoryProvider, purpose: KeyPurpose) -> ResponseVerifier {
    let key = VerificationKey::trusted(key.key_id(), key.verifying_key().clone(), purpose);
    let mut keys = StaticKeys::default();
    keys.insert(key.with_agent_url(AGENT).unwrap()).unwrap();
    ResponseVerifier::new(keys, NoRevocation).clock(FixedClock::new(NOW))
}

fn signed(key: &InMemoryProvider) -> Value {
    signed_for(key, &call())
}

fn signed_for(key: &InMemoryProvider, call: &Call) -> Value {
    let signed = sign_response(key, call, RESPONSE.as_bytes(), NOW, 300);
    serde_json::from_str(&signed.now_or_never().unwrap().unwrap().to_json()).unwrap()
}

/// A good response whose payload is changed before it is signed.
fn signed_with(key: &InMemoryProvider, change: impl FnOnce(&mut Value)) -> Value {
    let mut response = signed(key);
    let envelope = &mut response["signed_response"];
    change(&mut envelope["payload"]);
    let payload = Base64UrlUnpadded::encode_string(&canonical(&envelope["payload"]).unwrap());
    let input = signing_input(envelope["protected"].as_str().unwrap(), &payload);
    let signature = key.sign(&input).now_or_never().unwrap().unwrap().signature;
    envelope["signature"] = json!(Base64UrlUnpadded::encode_string(signature.as_bytes()));
    response
}

fn verify(
    verifier: &ResponseVerifier,
    call: &Call,
    response: &Value,
) -> Result<VerifiedResponse, ResponseRefusal> {
    verifier.verify(call, response.to_string().as_bytes()).now_or_never().unwrap()
}

#[test]
fn what_an_agent_signs_its_caller_verifies_with_either_algorithm() {
    for algorithm in [Algorithm::Ed25519, Algorithm::EcdsaP256Sha256] {
        let key = provider(algorithm, KeyPurpose::ResponseSigning);
        let response = signed(&key);
        assert_eq!(response["status"], "completed");
        let verified =
            verify(&verifier(&key, KeyPurpose::ResponseSigning), &call(), &response).unwrap();
        let answer: Value = serde_json::from_str(verified.response()).unwrap();
        let expected =
            json!({"claim_type": "parent", "verification_status": "owned", "score": 1.0});
        assert_eq!(answer, expected);
        assert_eq!(verified.claimed_brand_domain(), "novabrands.example");
        assert_eq!((verified.agent_url(), verified.expires()), (AGENT, NOW.plus(300)));
        assert!(verified.is_bound_to_caller());
        assert_eq!(verified.key().kid(), key.key_id());
    }
}

#[test]
fn each_part_of_the_payload_is_refused_at_its_step() {
    let key = provider(Algorithm::Ed25519, KeyPurpose::ResponseSigning);
    let verifier = verifier(&key, KeyPurpose::ResponseSigning);
    let now = NOW.as_i64();
    let cases: [(&str, Value, ResponseStep, Option<&str>); 13] = [
        ("typ", json!("adcp-gov+jws"), ResponseStep::Type, None),
        ("task", json!("verify_brand_claims"), ResponseStep::Task, None),
        ("exp", json!(now - 60), ResponseStep::Time, Some("SIGNED_RESPONSE_ENVELOPE_EXPIRED")),
        ("iat", json!(now + 61), ResponseStep::Time, None),
        ("exp", json!(now), ResponseStep::Envelope, None),
        ("exp", json!("soon"), ResponseStep::Envelope, None),
        ("iat", json!(null), ResponseStep::Envelope, None),
        (
            "request_hash",
            json!(format!("sha256:{}", "A".repeat(43))),
            ResponseStep::Request,
            Some("SIGNED_RESPONSE_REQUEST_HASH_MISMATCH"),
        ),
        (
            "agent_url",
            json!("https://other.example/mcp"),
            ResponseStep::Request,
            Some("SIGNED_RESPONSE_REQUEST_HASH_MISMATCH"),
        ),
        ("brand_domain", json!(null), ResponseStep::Envelope, None),
        ("response", json!([]), ResponseStep::Envelope, None),
        ("response", json!({"claim_type": "parent", "score": 1}), ResponseStep::Consistency, None),
        (
            "response",
            json!({"claim_type": "parent", "score": 1, "verification_status": "not_ours"}),
            ResponseStep::Consistency,
            None,
        ),
    ];
    for (member, value, step, code) in cases {
        let response = signed_with(&key, |payload| payload[member] = value.clone());
        let refusal = verify(&verifier, &call(), &response).unwrap_err();
        assert_eq!((refusal.step(), refusal.code()), (step, code), "{member}: {value}");
    }
    for (member, value) in [("exp", now - 59), ("iat", now + 60)] {
        let response = signed_with(&key, |payload| {
            payload["iat"] = json!(now - 100);
            payload[member] = json!(value);
        });
        assert!(verify(&verifier, &call(), &response).is_ok(), "{member}");
    }
}

#[test]
fn an_answer_to_another_call_is_refused() {
    let key = provider(Algorithm::Ed25519, KeyPurpose::ResponseSigning);
    let verifier = verifier(&key, KeyPurpose::ResponseSigning);
    let (task, brand) = (DesignatedTask::VerifyBrandClaim, "novabrands.example");
    let response = signed(&key);
    let refused = |call: &Call| verify(&verifier, call, &response).unwrap_err().step();
    let other = call_with(DesignatedTask::VerifyBrandClaims, brand, AGENT, REQUEST);
    assert_eq!(refused(&other), ResponseStep::Task);
    assert_eq!(refused(&call_with(task, brand, AGENT, "{}")), ResponseStep::Request);
    let anonymous =
        Call::new(task, brand, AGENT, CallerIdentity::Unauthenticated, REQUEST.as_bytes());
    assert_eq!(refused(&anonymous.unwrap()), ResponseStep::Request);
    // The agent signed what it resolved: the hash is right, and the brand another one.
    let response = signed_for(&key, &call_with(task, "other.example", AGENT, REQUEST));
    let refusal = verify(&verifier, &call(), &response);
    assert_eq!(refusal.unwrap_err().code(), Some("SIGNED_RESPONSE_TENANT_MISMATCH"));
    // No key of another agent is asked for.
    let other = call_with(task, brand, "https://other.example/mcp", REQUEST);
    let refusal = verify(&verifier, &other, &signed(&key)).unwrap_err();
    assert!(matches!(refusal, ResponseRefusal::UnknownKey { .. }));
}

#[test]
fn the_envelope_its_header_its_key_and_its_signature_are_checked_first() {
    let key = provider(Algorithm::Ed25519, KeyPurpose::ResponseSigning);
    let good = verifier(&key, KeyPurpose::ResponseSigning);
    let refused = |change: fn(&mut Value)| {
        let mut response = signed(&key);
        change(&mut response);
        verify(&good, &call(), &response).unwrap_err()
    };
    for change in [
        (|response| response["signed_response"] = json!(null)) as fn(&mut Value),
        |response| response["signed_response"]["protected"] = json!(1),
        |response| response["signed_response"]["payload"] = json!("text"),
        |response| response["signed_response"]["signature"] = json!(null),
        |response| response["signed_response"]["header"] = json!({}),
        |response| response["score"] = json!(9_007_199_254_740_992_u64),
    ] {
        assert_eq!(refused(change).step(), ResponseStep::Envelope);
    }
    let header = |header: &Value| Base64UrlUnpadded::encode_string(header.to_string().as_bytes());
    let mut response = signed(&key);
    let b64 = json!({"alg": "EdDSA", "kid": key.key_id(), "typ": TYP, "b64": false});
    response["signed_response"]["protected"] = json!(header(&b64));
    let refusal = verify(&good, &call(), &response).unwrap_err();
    assert!(matches!(refusal, ResponseRefusal::Jws(JwsError::Extension { member: "b64" })));
    let es256 = json!({"alg": "ES256", "kid": key.key_id(), "typ": TYP});
    response["signed_response"]["protected"] = json!(header(&es256));
    let refusal = verify(&good, &call(), &response).unwrap_err();
    assert!(refusal.to_string().contains("its algorithm"), "{refusal}");
    let refusal = refused(|response| {
        response["signed_response"]["payload"]["response"]["verification_status"] = json!("x");
    });
    assert!(matches!(refusal, ResponseRefusal::Signature { .. }));

    let wrong = verify(&verifier(&key, KeyPurpose::RequestSigning), &call(), &signed(&key));
    assert!(wrong.unwrap_err().to_string().contains("`adcp_use` is \"request-signing\""));
    // No list was loaded, so nothing says that the key still holds.
    let public = VerificationKey::trusted(
        key.key_id(),
        key.verifying_key().clone(),
        KeyPurpose::ResponseSigning,
    );
    let mut keys = StaticKeys::default();
    keys.insert(public.with_agent_url(AGENT).unwrap()).unwrap();
    let revoked = InMemoryRevocation::default();
    revoked.replace([key.key_id()]);
    let verifier = ResponseVerifier::new(keys, revoked).clock(FixedClock::new(NOW));
    let refusal = verify(&verifier, &call(), &signed(&key)).unwrap_err();
    assert!(matches!(refusal, ResponseRefusal::Revocation { .. }), "{refusal}");
}

#[test]
fn what_a_verifier_would_refuse_is_not_signed() {
    let sign = |key: &InMemoryProvider, response: &str, lifetime| {
        sign_response(key, &call(), response.as_bytes(), NOW, lifetime).now_or_never().unwrap()
    };
    let wrong = provider(Algorithm::Ed25519, KeyPurpose::RequestSigning);
    assert!(matches!(sign(&wrong, "{}", 1), Err(SignResponseError::Purpose(_))));
    let key = provider(Algorithm::Ed25519, KeyPurpose::ResponseSigning);
    assert!(matches!(sign(&key, "{}", 0), Err(SignResponseError::Lifetime)));
    let twice = sign(&key, r#"{"a":1,"a":2}"#, 1);
    assert!(matches!(twice, Err(SignResponseError::Response(_))));
    let again = sign(&key, r#"{"signed_response":{}}"#, 1);
    assert!(matches!(again, Err(SignResponseError::AlreadySigned)));
}

#[test]
fn a_call_is_made_of_canonical_parts() {
    let make = |brand: &str, agent: &str, caller, request: &str| {
        Call::new(DesignatedTask::VerifyBrandClaim, brand, agent, caller, request.as_bytes())
    };
    let anonymous = || CallerIdentity::Unauthenticated;
    for brand in ["", "Nova.example", "-nova.example", "nova-.example", "nova..example", "n_a"] {
        let refused = make(brand, AGENT, anonymous(), "{}");
        assert_eq!(refused.unwrap_err(), CallError::BrandDomain, "{brand}");
    }
    let refused = make("nova.example", "nova", anonymous(), "{}");
    assert!(matches!(refused, Err(CallError::AgentUrl(_))));
    let refused = make("nova.example", AGENT, CallerIdentity::ApiClientId("a b".into()), "{}");
    assert_eq!(refused.unwrap_err(), CallError::Caller);
    let refused = make("nova.example", AGENT, CallerIdentity::MtlsSan(String::new()), "{}");
    assert_eq!(refused.unwrap_err(), CallError::Caller);
    let refused = make("nova.example", AGENT, anonymous(), "[]");
    assert_eq!(refused.unwrap_err(), CallError::Request(CanonicalJsonError::NotAnObject));

    let hash = |caller, agent| {
        make("nova.example", agent, caller, "{}").unwrap().request_hash("nova.example").unwrap()
    };
    let same = "https://BRAND.novabrands.example:443/mcp";
    assert_eq!(hash(anonymous(), AGENT), hash(anonymous(), same));
    let san = |name: &str| hash(CallerIdentity::MtlsSan(name.to_owned()), AGENT);
    assert_eq!(san("Buyer.example"), san("buyer.example"));
    assert_ne!(
        san("buyer.example"),
        hash(CallerIdentity::ApiClientId("buyer.example".into()), AGENT)
    );
}

#[test]
fn a_published_test_key_signs_for_nobody() {
    // RFC 8037 A.1.
    let jwk = br#"{"kty":"OKP","crv":"Ed25519","kid":"rfc","adcp_use":"response-signing",
        "d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
        "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    let key = InMemoryProvider::from_jwk_json(jwk).unwrap();
    let response = signed(&key).to_string();
    let verify = |verifier: ResponseVerifier| {
        verifier.verify(&call(), response.as_bytes()).now_or_never().unwrap()
    };
    let verifier = verifier(&key, KeyPurpose::ResponseSigning);
    let refusal = verify(verifier.clone()).unwrap_err();
    assert!(refusal.to_string().contains("published test key"), "{refusal}");
    assert_eq!(refusal.step(), ResponseStep::Key);
    assert!(verify(verifier.accept_published_test_keys_in_tests()).is_ok());
}
