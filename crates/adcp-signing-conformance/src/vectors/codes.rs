//! The vocabulary of request codes: each known, each with its normative recovery.

use adcp_signing_core::profile::{ErrorCode, Fault, MessageKind};
use serde_json::Value;

use super::canonicalization::{expect, text};

pub(super) fn run(json: &Value) -> Vec<(String, Result<(), String>)> {
    let published =
        json.get("enum").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    published
        .iter()
        .filter_map(Value::as_str)
        .map(|code| {
            let recovery =
                json.pointer(&format!("/enumMetadata/{code}")).map(|entry| text(entry, "recovery"));
            (code.to_owned(), check(code, recovery.unwrap_or_default()))
        })
        .collect()
}

fn check(code: &str, recovery: &str) -> Result<(), String> {
    let known = Fault::ALL
        .iter()
        .map(|fault| ErrorCode::new(MessageKind::Request, *fault))
        .find(|known| known.as_str() == code)
        .ok_or("this build never raises the code")?;
    expect("recovery", recovery, known.recovery().as_str())
}
