//! `webhook-hmac-sha256.json`: the legacy webhook scheme, both sides, and the secrets that it
//! refuses.

use adcp_signing_core::{
    UnixSeconds,
    json::StrictJsonError,
    rfc9421::FieldLine,
    webhook::{HmacHeaders, HmacRejection, HmacSecret, HmacSignError, LegacyHmac},
};
use serde_json::Value;

use super::canonicalization::{expect, text};

/// When the vectors that name no time of their own arrive.
const NOW: i64 = 1_700_000_000;

pub(super) fn run(vectors: &Value) -> Vec<(String, Result<(), String>)> {
    let secret =
        || HmacSecret::new(text(vectors, "secret").into()).map_err(|error| error.to_string());
    let each = |list: &str, check: &dyn Fn(&Value, &HmacSecret) -> Result<(), String>| {
        let cases =
            vectors.pointer(list).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        cases
            .iter()
            .map(|case| (name(case), secret().and_then(|secret| check(case, &secret))))
            .collect::<Vec<_>>()
    };
    let mut cases = each("/vectors", &signature);
    cases.extend(each("/rejection_vectors", &rejection));
    cases.extend(each("/secret_rejection_vectors", &|case, _| weak_secret(case)));
    cases.extend(each("/signer_side/rejection_vectors", &duplicate_input));
    cases.extend(each("/signer_side/positive_vectors", &clean_input));
    cases
}

fn name(case: &Value) -> String {
    let id = text(case, "id");
    if id.is_empty() { text(case, "description").to_owned() } else { id.to_owned() }
}

/// The signature comes out to the byte, and the delivery that carries it is taken for authentic.
fn signature(case: &Value, secret: &HmacSecret) -> Result<(), String> {
    let expected = text(case, "expected_signature");
    let (timestamp, body) = (timestamp(case), text(case, "raw_body").as_bytes());
    expect("signature", expected, &secret.bare_signature(&timestamp, body))?;
    let now = case.get("timestamp").and_then(Value::as_i64).unwrap_or(NOW);
    match (
        text(case, "expected_verifier_action"),
        deliver(secret, &timestamp, Some(expected), body, now),
    ) {
        // A body that is no JSON has a signature all the same, and the vectors pin no more than
        // that.
        ("", Ok(()) | Err(HmacRejection::BodyMalformed(StrictJsonError::Invalid { .. }))) => Ok(()),
        (
            "reject-malformed",
            Err(refused @ HmacRejection::BodyMalformed(StrictJsonError::Duplicate(_))),
        ) => expect("error code", text(case, "rfc9421_error_code"), refused.code().as_str()),
        (_, Err(refused)) => Err(format!("refused: {refused}")),
        (action, Ok(())) => Err(format!("accepted, expected {action}")),
    }
}

fn rejection(case: &Value, secret: &HmacSecret) -> Result<(), String> {
    let signature = case.get("signature").and_then(Value::as_str);
    let now =
        case.get("current_time").or(case.get("timestamp")).and_then(Value::as_i64).unwrap_or(NOW);
    match deliver(secret, &timestamp(case), signature, text(case, "raw_body").as_bytes(), now) {
        Err(HmacRejection::BodyMalformed(_)) => Err("the signature was accepted".to_owned()),
        Err(_) => Ok(()),
        Ok(()) => Err("accepted".to_owned()),
    }
}

fn weak_secret(case: &Value) -> Result<(), String> {
    match HmacSecret::new(text(case, "secret").into()) {
        Ok(_) => Err("the secret was accepted".to_owned()),
        Err(_) => Ok(()),
    }
}

fn duplicate_input(case: &Value, secret: &HmacSecret) -> Result<(), String> {
    match sign(case, secret) {
        Ok(_) => Err("signed".to_owned()),
        Err(error) => expect("error code", "duplicate_key_input", error.code()),
    }
}

fn clean_input(case: &Value, secret: &HmacSecret) -> Result<(), String> {
    let headers = sign(case, secret).map_err(|error| error.to_string())?;
    let body = text(case, "signer_input_body").as_bytes();
    deliver(secret, &headers.timestamp, Some(&headers.signature), body, NOW)
        .map_err(|refused| format!("signed, then refused: {refused}"))
}

fn sign(case: &Value, secret: &HmacSecret) -> Result<HmacHeaders, HmacSignError> {
    let body = text(case, "signer_input_body").as_bytes();
    LegacyHmac::new(secret.clone()).sign(body, UnixSeconds::new(NOW))
}

fn deliver(
    secret: &HmacSecret,
    timestamp: &str,
    signature: Option<&str>,
    body: &[u8],
    now: i64,
) -> Result<(), HmacRejection> {
    let signature = signature.map(|value| FieldLine::new("X-AdCP-Signature", value));
    let timestamp = FieldLine::new("X-AdCP-Timestamp", timestamp);
    let fields: Vec<_> = signature.into_iter().chain([timestamp]).collect();
    LegacyHmac::new(secret.clone()).verify(&fields, body, UnixSeconds::new(now))
}

/// The timestamp as the header carries it; one vector has text that is no number.
fn timestamp(case: &Value) -> String {
    match case.get("timestamp") {
        Some(Value::String(text)) => text.clone(),
        Some(number) => number.to_string(),
        None => String::new(),
    }
}
