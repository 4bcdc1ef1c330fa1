//! `canonicalization.json`: URLs, no cryptography.

use adcp_signing_core::{
    profile::{ErrorCode, Fault, MessageKind, Profile, WireVersion},
    target_uri::TargetUri,
};
use serde_json::Value;

use super::folder::Place;

pub(super) fn run(json: &Value, place: &Place) -> Vec<(String, Result<(), String>)> {
    let cases = json.get("cases").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    cases.iter().map(|case| (text(case, "name").to_owned(), check(case, place))).collect()
}

fn check(case: &Value, place: &Place) -> Result<(), String> {
    // The legacy wire version goes with every contract; the rules come from the contract.
    let profile = Profile::request(WireVersion::V3_1)
        .with_contract(place.contract)
        .map_err(|error| error.to_string())?;
    let outcome = TargetUri::canonicalize(text(case, "input_url"), profile.signer_uri_rules());
    let rejects = case.get("reject").and_then(Value::as_bool).unwrap_or(false);
    match (outcome, rejects) {
        (Ok(target), false) => {
            expect("target URI", text(case, "expected_target_uri"), target.as_str())?;
            expect("authority", text(case, "expected_authority"), target.authority())
        }
        (Err(_), true) => expect(
            "error code",
            text(case, "expected_error_code"),
            ErrorCode::new(MessageKind::Request, Fault::TargetUriMalformed).as_str(),
        ),
        (Ok(target), true) => Err(format!("accepted as {}", target.as_str())),
        (Err(error), false) => Err(format!("refused: {error}")),
    }
}

pub(super) fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value.get(member).and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn expect(what: &str, expected: &str, actual: &str) -> Result<(), String> {
    if expected == actual {
        Ok(())
    } else {
        Err(format!("{what}: expected {expected:?}, got {actual:?}"))
    }
}
