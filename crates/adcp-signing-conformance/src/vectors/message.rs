//! Message vectors: what is received is verified, and what verifies is signed again.

use adcp_signing_core::{
    Algorithm, FixedClock, InMemoryProvider, JwkSet, Nonce, PrivateJwk, UnixSeconds,
    operation::{RequestSigningCapability, Transport},
    profile::{LABEL, MessageKind, Profile, WireVersion},
    replay::{InMemoryReplayStore, InsertOutcome, ReplayKey},
    resolver::{StaticKeys, VerificationKey},
    revocation::InMemoryRevocation,
    rfc9421::{
        FieldLine, Request, SignatureParams,
        structured_fields::{BareItem, Dictionary, MemberValue, join_lines},
    },
    sign::{AmbiguousUrls, DigestCoverage, SignOptions, Signer},
    verify::{FallbackCredential, Verified, Verifier},
};
use futures_executor::block_on;
use serde_json::{Value, json};

use super::{
    canonicalization::expect,
    delivery::{Answer, Delivery, Refusal},
    folder::Place,
    format::{Expected, Message, Vector},
};

/// The per-key cap that a vector's filled cache stands for.
const SMALL_CAP: u64 = 3;

/// Verifies the vector, and signs it again when it is a positive one.
pub(super) fn run(vector: &Vector, place: &Place) -> Vec<(String, Result<(), String>)> {
    let name = if vector.name.is_empty() { "verify".to_owned() } else { vector.name.clone() };
    let suffix = vector.tier.as_ref().map(|tier| format!(" [{tier}]")).unwrap_or_default();
    let verified = verify(vector, place, &|delivery| Ok(delivery.verify()));
    let verified = verified.unwrap_or_else(Err);
    let mut cases = vec![(format!("{name}{suffix}"), verified)];
    if vector.expected_outcome.success && vector.expected_signature_base.is_some() {
        cases.push((format!("{name} (signer)"), sign(vector, place)));
    }
    cases
}

/// Delivers the message, or the messages, of a vector.
///
/// The outer error says why it cannot be delivered at all.
pub(super) fn deliver(vector: &Vector, place: &Place, receive: &Receive<'_>) -> (String, Outcome) {
    (vector.name.clone(), verify(vector, place, receive))
}

/// The profile that the vector is for.
pub(super) fn profile(vector: &Vector, place: &Place) -> Result<Profile, String> {
    let contract = match &vector.contract {
        Some(contract) => contract.parse().map_err(|error| format!("contract: {error}"))?,
        None => place.contract,
    };
    let wire = match vector.signing_profile_version.as_deref() {
        Some(version) => {
            version.parse().map_err(|error| format!("signing_profile_version: {error}"))?
        }
        None => WireVersion::V3_0,
    };
    let webhook = match vector.kind.as_deref() {
        Some(kind) => kind == "webhook",
        None => place.kind() == MessageKind::Webhook,
    };
    if webhook {
        return Ok(Profile::webhook_at(contract));
    }
    Profile::request(wire).with_contract(contract).map_err(|error| error.to_string())
}

/// What a message comes to. The error says why it cannot be delivered.
pub(super) type Receive<'r> = dyn Fn(Delivery<'_>) -> Result<Answer, String> + 'r;

/// Whether a case passed, or why it could not be run at all.
type Outcome = Result<Result<(), String>, String>;

fn verify(vector: &Vector, place: &Place, receive: &Receive<'_>) -> Outcome {
    let (verifier, transport) = match endpoint(vector, place) {
        Ok(endpoint) => endpoint,
        Err(reason) => return Ok(Err(reason)),
    };
    let deliver = |message: &Message, expected: &Expected, base: Option<&str>| -> Outcome {
        let body = match message.body_bytes() {
            Ok(body) => body,
            Err(reason) => return Ok(Err(reason)),
        };
        let lines = message.headers.lines();
        let request = Request::new(&message.method, &message.url, &lines, &body)
            .with_pseudo_authority(message.pseudo_authority.as_deref());
        let is_request = verifier.profile().kind() == MessageKind::Request;
        let outcome = receive(Delivery {
            verifier: &verifier,
            request: &request,
            transport: is_request.then_some(&transport),
            fallback: fallback(vector, &lines),
        })?;
        Ok(judge(expected, base, &outcome))
    };
    let base = vector.expected_signature_base.as_deref();
    let mut outcome = deliver(&vector.request, &vector.expected_outcome, base)?;
    for (index, next) in vector.then.iter().enumerate() {
        if outcome.is_ok() {
            outcome = deliver(&next.request, &next.expected_outcome, None)?
                .map_err(|reason| format!("message {}: {reason}", index.saturating_add(2)));
        }
    }
    Ok(outcome)
}

/// The verifier in the state that the vector wants, and how messages name their operation.
fn endpoint(vector: &Vector, place: &Place) -> Result<(Verifier, Transport), String> {
    let profile = profile(vector, place)?;
    let now = UnixSeconds::new(vector.reference_now);
    let state = &vector.test_harness_state;
    let capped = state
        .replay_cache_per_keyid_cap_hit
        .as_ref()
        .map(|hit| hit.keyid.as_str())
        .or(state.per_keyid_cap_filled_for.as_deref());
    let cap = state.replay_cap.or(capped.map(|_| SMALL_CAP)).unwrap_or(profile.replay_cap());
    let keys = keys(vector, place)?;
    let verifier = Verifier::builder(profile, capability(vector)?)
        .revocation(revocation(vector, now))
        .replay(replay(vector, &keys, capped, now)?)
        .keys(keys)
        .replay_cap(cap)
        .clock(FixedClock::new(now))
        .build();

    Ok((verifier, transport(vector, place)?))
}

fn judge(
    expected: &Expected,
    signature_base: Option<&str>,
    outcome: &Answer,
) -> Result<(), String> {
    let operation = match outcome {
        Ok(verified) => {
            if !expected.success {
                return Err(format!(
                    "accepted, expected {}",
                    expected.error_code.as_deref().unwrap_or("a refusal")
                ));
            }
            let status = match verified {
                Verified::Signed(signer) => {
                    if let Some(base) = signature_base {
                        let verified = String::from_utf8_lossy(signer.signature_base());
                        expect("signature base", base, &verified)?;
                    }
                    "verified"
                }
                Verified::Fallback(_) | Verified::Anonymous(_) => "unsigned",
            };
            expect("status", expected.status.as_deref().unwrap_or("verified"), status)?;
            verified.operation()
        }
        Err(refusal) => {
            if expected.success {
                return Err(format!("refused: {refusal}"));
            }
            let code = expected.error_code.as_deref().unwrap_or_default();
            if code != refusal.code {
                return Err(format!("expected {code}, got {refusal}"));
            }
            if let Some(status) = expected.http_status {
                expect("HTTP status", &status.to_string(), &refusal.status.to_string())?;
            }
            // The sender is told no more.
            let Some(inward) = &refusal.inward else { return Ok(()) };
            if let Some(step) = expected.step() {
                expect("failed step", &step, &inward.step)?;
            }
            inward.operation.as_deref()
        }
    };
    if let Some(expected_operation) = &expected.resolved_operation
        && expected_operation.as_deref() != operation
    {
        return Err(format!(
            "resolved operation: expected {expected_operation:?}, got {operation:?}"
        ));
    }
    expected.action.as_deref().map_or(Ok(()), |wanted| expect("action", wanted, action(outcome)))
}

/// What an endpoint does with a message, in the words of the published policy matrix.
pub(super) fn action(outcome: &Answer) -> &'static str {
    match outcome {
        Ok(Verified::Fallback(fallback)) if fallback.shadow().is_some() => "accept_with_warning",
        Ok(_) => "accept",
        Err(Refusal { inward: Some(inward), .. }) if inward.is_unauthenticated => {
            "reject_unauthenticated"
        }
        Err(_) => "reject",
    }
}

fn keys(vector: &Vector, place: &Place) -> Result<StaticKeys, String> {
    let jwks = match &vector.jwks_override {
        // The webhook set overrides by kid, the request set as a whole.
        Some(whole) if whole.get("keys").is_some() => whole.clone(),
        Some(by_kid) => {
            json!({ "keys": by_kid.as_object().map(|map| map.values().collect::<Vec<_>>()) })
        }
        None => {
            let named = |key: &&Value| {
                let kid = key.get("kid").and_then(Value::as_str).unwrap_or_default();
                vector.jwks_ref.iter().any(|wanted| wanted == kid)
            };
            json!({ "keys": place.keys.iter().filter(named).collect::<Vec<_>>() })
        }
    };
    let set =
        JwkSet::parse(jwks.to_string().as_bytes()).map_err(|error| format!("keys: {error}"))?;
    Ok(StaticKeys::from_jwks(&set))
}

/// Revocation as the vector has it. The age of a list is since its refresh that succeeded; the list
/// promises a refresh every five minutes, so it is stale four intervals after the one that was
/// missed.
fn revocation(vector: &Vector, now: UnixSeconds) -> InMemoryRevocation {
    const INTERVAL: i64 = 300;
    let state = &vector.test_harness_state;
    let listed = state.revocation_list.iter().flat_map(|list| list.revoked_kids.iter());
    let revocation = InMemoryRevocation::new(listed.chain(&state.revoked_kids).cloned());
    if let Some(age) = state.revocation_list_stale_seconds {
        revocation.stale_after(now.minus(age).plus(INTERVAL * 5));
    }
    revocation
}

/// The replay cache as the vector has it. A nonce of a `keyid` that no key has cannot matter.
fn replay(
    vector: &Vector,
    keys: &StaticKeys,
    capped: Option<&str>,
    now: UnixSeconds,
) -> Result<InMemoryReplayStore, String> {
    let store = InMemoryReplayStore::default();
    let until = |seconds: i64| now.plus(seconds);
    let seen = vector.test_harness_state.replay_cache_entries.iter();
    let seen = seen.map(|entry| {
        (entry.keyid.clone(), entry.nonce.clone(), until(entry.ttl_seconds.unwrap_or(360)))
    });
    let fillers = (0..SMALL_CAP)
        .filter_map(|number| Some((capped?.to_owned(), format!("filler-{number}"), until(360))));
    for (keyid, nonce, until) in seen.chain(fillers) {
        for thumbprint in keys.named(&keyid).filter_map(VerificationKey::thumbprint) {
            let key = ReplayKey::new(&keyid, thumbprint);
            let outcome =
                store.preload(key, &nonce, until, now).map_err(|error| error.to_string())?;
            if outcome != InsertOutcome::Inserted {
                return Err(format!("the replay cache could not be prepared: {outcome:?}"));
            }
        }
    }
    Ok(store)
}

fn capability(vector: &Vector) -> Result<RequestSigningCapability, String> {
    match &vector.verifier_capability {
        Some(json) => RequestSigningCapability::from_json(json.to_string().as_bytes())
            .map_err(|error| format!("capability: {error}")),
        None => Ok(RequestSigningCapability::unsupported()),
    }
}

fn transport(vector: &Vector, place: &Place) -> Result<Transport, String> {
    let rest = || match &vector.operation {
        Some(operation) => Transport::Rest { operation: operation.clone() },
        None => Transport::RestPath,
    };
    match vector.transport.as_deref() {
        Some("mcp") => Ok(Transport::Mcp),
        Some("a2a") => Ok(Transport::A2a),
        Some("rest") => Ok(rest()),
        Some(other) => Err(format!("transport: {other:?} is not rest, mcp or a2a")),
        None if place.a2a => Ok(Transport::A2a),
        None => Ok(rest()),
    }
}

fn fallback(vector: &Vector, lines: &[FieldLine<'_>]) -> FallbackCredential {
    let presented = lines.iter().any(|line| line.is("authorization"));
    if vector.fallback_valid.unwrap_or(presented) {
        FallbackCredential::Valid
    } else {
        FallbackCredential::Absent
    }
}

/// Signs the message of a positive vector with its own parameters: the base comes out to the byte,
/// and for Ed25519 the signature does too.
fn sign(vector: &Vector, place: &Place) -> Result<(), String> {
    let lines = vector.request.headers.lines();
    let input = join_lines(&lines, "signature-input").ok_or("no Signature-Input")?;
    let members = Dictionary::parse(&input).map_err(|error| error.to_string())?;
    let Some(MemberValue::InnerList(list)) = members.get(LABEL).map(|member| &member.value) else {
        return Err("no component list labelled sig1".to_owned());
    };
    let params = SignatureParams::from_params(&list.params).map_err(|error| error.to_string())?;
    let created = params.created.ok_or("no created")?;
    let keyid = params.keyid.as_deref().ok_or("no keyid")?;
    let covers_digest = list
        .items
        .iter()
        .any(|item| matches!(&item.bare, BareItem::String(name) if name == "content-digest"));

    // The digest is left to the signer, unless the message has more than the one it would write.
    let several = join_lines(&lines, "content-digest").is_some_and(|value| value.contains(&b','));
    let signed_by_us = |line: &&FieldLine<'_>| {
        line.is("signature")
            || line.is("signature-input")
            || (line.is("content-digest") && !several)
    };
    let unsigned: Vec<_> = lines.iter().filter(|line| !signed_by_us(line)).copied().collect();
    let body = vector.request.body_bytes()?;
    let request = Request::new(&vector.request.method, &vector.request.url, &unsigned, &body);

    let provider = private_key(place, keyid)?;
    let algorithm = provider.jwk().public_key().map_err(|error| error.to_string())?.algorithm();
    let coverage = if covers_digest { DigestCoverage::Always } else { DigestCoverage::Leave };
    let signer = Signer::new(profile(vector, place)?, provider)
        .map_err(|error| error.to_string())?
        .with_ambiguous_urls(AmbiguousUrls::Allow)
        .with_digest_coverage(coverage);
    let mut options = SignOptions::default();
    options.created = Some(UnixSeconds::new(created));
    options.expires_in = params.expires.map(|expires| expires.saturating_sub(created));
    options.nonce = params
        .nonce
        .map(|nonce| Nonce::parse(&nonce))
        .transpose()
        .map_err(|error| error.to_string())?;
    let prepared =
        block_on(signer.prepare(&request, &options)).map_err(|error| error.to_string())?;
    let expected = vector.expected_signature_base.as_deref().unwrap_or_default();
    expect("signature base", expected, &String::from_utf8_lossy(prepared.signature_base()))?;

    let fields =
        block_on(signer.sign_with(&request, &options)).map_err(|error| error.to_string())?;
    if algorithm == Algorithm::Ed25519 {
        let published = join_lines(&lines, "signature").ok_or("no Signature")?;
        let published = Dictionary::parse(&published).map_err(|error| error.to_string())?;
        let published = published.get(LABEL).map(|member| member.raw).unwrap_or_default();
        expect("signature", &format!("{LABEL}={published}"), &fields.signature)?;
    }
    Ok(())
}

fn private_key(place: &Place, keyid: &str) -> Result<InMemoryProvider, String> {
    let json = place
        .keys
        .iter()
        .find(|key| key.get("kid").and_then(Value::as_str) == Some(keyid))
        .ok_or("keys.json has no such key")?;
    let jwk = PrivateJwk::parse(json.to_string().as_bytes()).map_err(|error| error.to_string())?;
    InMemoryProvider::from_jwk(jwk).map_err(|error| error.to_string())
}
