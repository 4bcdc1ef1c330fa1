//! Downgrade resistance: whether a request registers a webhook with credentials of its own.

use super::json_rpc::folds_to;
use super::rest::looks_like_json;
use crate::json::{Document, Kind, Value};

/// Where the arguments of an operation stand: a REST body, MCP, A2A over JSON-RPC and over
/// HTTP+JSON.
const ARGUMENTS: [&[&str]; 8] = [
    &[],
    &["params", "arguments"],
    &["params", "message", "parts", "*", "data"],
    &["params", "message", "parts", "*", "data", "input"],
    &["params", "message", "parts", "*", "data", "parameters"],
    &["message", "parts", "*", "data"],
    &["message", "parts", "*", "data", "input"],
    &["message", "parts", "*", "data", "parameters"],
];

/// Where arguments carry webhook credentials.
const CREDENTIALS: [&[&str]; 3] = [
    &["push_notification_config", "authentication"],
    &["accounts", "*", "notification_configs", "*", "authentication"],
    &["notification_configs", "*", "authentication"],
];

/// Whether `body` registers a webhook with `authentication`, so that it must be signed whatever the
/// capability lists.
///
/// Looked at are `push_notification_config`, `accounts[].notification_configs[]` and
/// `notification_configs[]`, in a REST body, in MCP `params.arguments` and in the `data` of A2A
/// parts. Whatever a lenient decoder could read as credentials counts: any of several members of
/// one name, other letter case, elements of a batch, and a body that opens like JSON and is not
/// strict JSON. Only an absent or `null` `authentication` does not.
///
/// ```
/// use adcp_signing_core::operation::registers_webhook_authentication;
///
/// let body = br#"{"push_notification_config":{"url":"https://buyer.example.com/w","authentication":{"schemes":[]}}}"#;
/// assert!(registers_webhook_authentication(body));
/// assert!(!registers_webhook_authentication(br#"{"push_notification_config":{"url":"https://buyer.example.com/w"}}"#));
/// ```
pub fn registers_webhook_authentication(body: &[u8]) -> bool {
    if !looks_like_json(body) {
        return false;
    }
    let Ok(document) = Document::parse(body) else { return true };
    let root = document.root();
    carries_credentials(root) || root.elements().any(carries_credentials)
}

fn carries_credentials(request: Value<'_, '_>) -> bool {
    ARGUMENTS.iter().any(|path| {
        any_at(request, path, &|arguments| {
            CREDENTIALS
                .iter()
                .any(|path| any_at(arguments, path, &|found| found.kind() != Kind::Null))
        })
    })
}

/// Whether `test` holds for any value at `path`, where `*` stands for every element.
fn any_at(value: Value<'_, '_>, path: &[&str], test: &dyn Fn(Value<'_, '_>) -> bool) -> bool {
    match path.split_first() {
        None => test(value),
        Some((&"*", rest)) => value.elements().any(|element| any_at(element, rest, test)),
        Some((name, rest)) => value
            .members()
            .any(|(found, member)| folds_to(&found, name) && any_at(member, rest, test)),
    }
}
