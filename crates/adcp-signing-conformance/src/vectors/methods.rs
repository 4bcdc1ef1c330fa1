//! `protocol-method-names.json`: which declarations a capability may make, and what they match.

use adcp_signing_core::operation::{Posture, RequestSigningCapability, Resolved};
use serde_json::{Value, json};

use super::canonicalization::text;

pub(super) fn run(vectors: &Value) -> Vec<(String, Result<(), String>)> {
    let list =
        |name: &str| vectors.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let mut cases = Vec::new();
    for family in list("valid_declarations") {
        let methods = family.get("methods").and_then(Value::as_array).cloned().unwrap_or_default();
        for method in methods {
            cases.push((format!("declares {method}"), declare(&[method]).map(drop)));
        }
    }
    for method in list("invalid_declarations") {
        let outcome = match declare(std::slice::from_ref(&method)) {
            Ok(_) => Err("accepted".to_owned()),
            Err(_) => Ok(()),
        };
        cases.push((format!("refuses {method}"), outcome));
    }
    for case in list("exact_match_cases") {
        cases.push((text(&case, "id").to_owned(), matches(&case)));
    }
    cases
}

fn declare(methods: &[Value]) -> Result<RequestSigningCapability, String> {
    let capability = json!({
        "supported": true,
        "protocol_methods_supported_for": methods,
        "protocol_methods_required_for": methods,
    });
    RequestSigningCapability::from_json(capability.to_string().as_bytes())
        .map_err(|error| error.to_string())
}

fn matches(case: &Value) -> Result<(), String> {
    let declared =
        case.get("declared_methods").and_then(Value::as_array).cloned().unwrap_or_default();
    let wire = Resolved::of_protocol_method(text(case, "wire_method"));
    let matched = declare(&declared)?.posture(&wire) == Posture::Required;
    let expected = case
        .get("matches")
        .and_then(Value::as_bool)
        .ok_or("the case does not say what to expect")?;
    if matched == expected {
        Ok(())
    } else {
        Err(format!("expected a match: {expected}, got: {matched}"))
    }
}
