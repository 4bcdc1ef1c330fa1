//! `body-integrity-policy.json`: the policy matrix, as real messages with the faults that each case
//! names.

use adcp_signing_core::{
    Algorithm, FixedClock, InMemoryProvider, KeyPurpose, SigningProvider as _, UnixSeconds,
    operation::{RequestSigningCapability, Transport},
    profile::{Profile, WireVersion},
    replay::InMemoryReplayStore,
    resolver::{StaticKeys, VerificationKey},
    revocation::InMemoryRevocation,
    rfc9421::{
        Component, FieldLine, Request, SignatureParams, inner_list_text, signature_base,
        structured_fields::{Alphabet, push_byte_sequence},
    },
    verify::{Context, FallbackCredential, Rejection, Verified, Verifier},
};
use futures_executor::block_on;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Refusal, canonicalization::expect, folder::Place, message::action};

const NOW: i64 = 1_776_520_800;
const URL: &str = "https://seller.example.com/mcp";

#[derive(Deserialize)]
struct Facts {
    id: String,
    endpoint_profile: String,
    mode: String,
    legacy_digest_policy: Option<String>,
    has_body: bool,
    signature_present: bool,
    #[serde(default)]
    covers_content_digest: bool,
    digest_matches_body: Option<bool>,
    cryptographic_signature_valid: Option<bool>,
    signature_header_state: Option<String>,
    request_body_adcp_version: Option<String>,
    fallback_auth_valid: bool,
    expected: Verdict,
}

#[derive(Deserialize)]
struct Verdict {
    action: String,
    error_code: Option<String>,
    authentication_source: Option<String>,
    verified_signer_identity: bool,
}

pub(super) fn run(vectors: &Value, place: &Place) -> Vec<(String, Result<(), String>)> {
    let cases = vectors.get("cases").and_then(Value::as_array).cloned().unwrap_or_default();
    cases
        .into_iter()
        .map(|case| match serde_json::from_value::<Facts>(case) {
            Ok(facts) => {
                let outcome = check(&facts, place);
                (facts.id, outcome)
            }
            Err(error) => ("unreadable".to_owned(), Err(error.to_string())),
        })
        .collect()
}

fn check(facts: &Facts, place: &Place) -> Result<(), String> {
    let wire: WireVersion =
        facts.endpoint_profile.parse().map_err(|_| "unknown endpoint_profile")?;
    let profile =
        Profile::request(wire).with_contract(place.contract).map_err(|error| error.to_string())?;
    let key = InMemoryProvider::generate(Algorithm::Ed25519, KeyPurpose::RequestSigning)
        .map_err(|error| error.to_string())?;
    let mut keys = StaticKeys::default();
    keys.insert(VerificationKey::from_jwk(key.key_id(), &key.jwk()))
        .map_err(|error| error.to_string())?;

    let (operation, body) = message(facts);
    let fields = fields(facts, &profile, &key, &body)?;
    let lines: Vec<_> = fields.iter().map(|(name, value)| FieldLine::new(name, value)).collect();
    let method = if facts.has_body { "POST" } else { "GET" };
    let request = Request::new(method, URL, &lines, &body);

    let verifier = Verifier::builder(profile, capability(facts, operation)?)
        .keys(keys)
        .revocation(InMemoryRevocation::default())
        .replay(InMemoryReplayStore::default())
        .clock(FixedClock::new(UnixSeconds::new(NOW)))
        .build();
    let fallback = if facts.fallback_auth_valid {
        FallbackCredential::Valid
    } else {
        FallbackCredential::Absent
    };
    let context = Context::request(&Transport::Mcp).with_fallback(fallback);
    judge(&facts.expected, &block_on(verifier.verify(&request, &context)))
}

/// A JSON-RPC message of the namespace that the case's list belongs to.
fn message(facts: &Facts) -> (&'static str, Vec<u8>) {
    let version = facts.request_body_adcp_version.as_deref().unwrap_or("3.2");
    let (operation, body) = if facts.mode.starts_with("protocol_methods") {
        (
            "tasks/cancel",
            json!({"jsonrpc": "2.0", "id": 1, "method": "tasks/cancel", "params": {"id": "task_1"}}),
        )
    } else {
        let arguments = json!({"idempotency_key": facts.id, "adcp_version": version});
        let params = json!({"name": "create_media_buy", "arguments": arguments});
        (
            "create_media_buy",
            json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}),
        )
    };
    (operation, if facts.has_body { body.to_string().into_bytes() } else { Vec::new() })
}

fn capability(facts: &Facts, operation: &str) -> Result<RequestSigningCapability, String> {
    let mut lists = json!({
        "supported": true,
        "covers_content_digest": facts.legacy_digest_policy.as_deref().unwrap_or("required"),
    });
    if let Some(members) = lists.as_object_mut() {
        let supported = if operation.contains('/') {
            "protocol_methods_supported_for"
        } else {
            "supported_for"
        };
        members.insert(supported.to_owned(), json!([operation]));
        members.insert(facts.mode.clone(), json!([operation]));
    }
    RequestSigningCapability::from_json(lists.to_string().as_bytes())
        .map_err(|error| error.to_string())
}

/// The fields of a message with exactly the faults of the case.
fn fields(
    facts: &Facts,
    profile: &Profile,
    key: &InMemoryProvider,
    body: &[u8],
) -> Result<Vec<(&'static str, String)>, String> {
    let mut fields = vec![];
    if facts.has_body {
        fields.push(("Content-Type", "application/json".to_owned()));
    }
    if !facts.signature_present {
        return Ok(fields);
    }
    let names = ["@method", "@target-uri", "@authority"]
        .into_iter()
        .chain(facts.has_body.then_some("content-type"))
        .chain(facts.covers_content_digest.then_some("content-digest"));
    let covered = names.map(|name| Component::new(name, &[])).collect::<Result<Vec<_>, _>>();
    let covered = covered.map_err(|error| error.to_string())?;
    if facts.covers_content_digest {
        let digested = if facts.digest_matches_body == Some(false) {
            b"another body".as_slice()
        } else {
            body
        };
        fields.push((
            "Content-Digest",
            adcp_signing_core::rfc9421::digest::content_digest(digested, Alphabet::Standard),
        ));
    }
    let mut params = SignatureParams::default();
    params.created = Some(NOW);
    params.expires = Some(NOW + 300);
    params.nonce = Some("KXYnfEfJ0PBRZXQyVXfVQA".into());
    params.keyid = Some(key.key_id().into());
    params.alg = Some(Algorithm::Ed25519.rfc9421_name().into());
    params.tag = Some(profile.tag().into());
    let input = inner_list_text(&covered, &params).map_err(|error| error.to_string())?;
    let lines: Vec<_> = fields.iter().map(|(name, value)| FieldLine::new(name, value)).collect();
    let method = if facts.has_body { "POST" } else { "GET" };
    let mut base = signature_base(&covered, &input, &Request::new(method, URL, &lines, body))
        .map_err(|error| error.to_string())?;
    if facts.cryptographic_signature_valid == Some(false) {
        base.push(b'!');
    }
    let signature = key.sign_now(&base).map_err(|error| error.to_string())?;
    let mut value = "sig1=".to_owned();
    push_byte_sequence(&mut value, signature.as_bytes(), profile.signature_alphabet());
    if facts.signature_header_state.as_deref() != Some("malformed_pair") {
        fields.push(("Signature", value));
    }
    fields.push(("Signature-Input", format!("sig1={input}")));
    Ok(fields)
}

fn judge(expected: &Verdict, outcome: &Result<Verified, Rejection>) -> Result<(), String> {
    let (source, code, identity) = match outcome {
        Ok(Verified::Signed(_)) => (Some("signature"), None, true),
        Ok(Verified::Fallback(_)) => (Some("fallback"), None, false),
        Ok(Verified::Anonymous(_)) => (None, None, false),
        Err(rejection) if rejection.is_unauthenticated() => (None, None, false),
        Err(rejection) => (None, Some(rejection.reason().as_str()), false),
    };
    let answered = outcome.clone().map_err(|rejection| Refusal::from(&rejection));
    expect("action", &expected.action, action(&answered))?;
    expect("error code", expected.error_code.as_deref().unwrap_or("none"), code.unwrap_or("none"))?;
    expect(
        "source",
        expected.authentication_source.as_deref().unwrap_or("none"),
        source.unwrap_or("none"),
    )?;
    expect("identity", &expected.verified_signer_identity.to_string(), &identity.to_string())
}
