//! Downgrade resistance: whether a request registers a webhook with credentials of its own.

use super::Resolved;
use super::body::{BodyView, Form};
use super::fold::{folds_to, squeeze};
use crate::json::{Document, Kind, Value};

/// How the names of members that register a webhook end, without letter case and underscores:
/// `push_notification_config`, `notification_configs`, A2A's `taskPushNotificationConfig` and the
/// two webhooks of a media buy.
const REGISTRATIONS: [&str; 4] =
    ["notificationconfig", "notificationconfigs", "reportingwebhook", "artifactwebhook"];

/// The shortest of [`REGISTRATIONS`], in bytes.
const SHORTEST: usize = 15;

const AUTHENTICATION: &str = "authentication";

/// Whether the request registers a webhook with `authentication`, so that it must be signed
/// whatever the capability lists (AdCP 3.x, "Webhook authentication selector").
///
/// `false` is returned only for an empty body, for strict UTF-8 JSON without such credentials, and
/// for form data in which no `authentication` occurs. Whatever else a lenient decoder could read as
/// credentials counts: JSON in another encoding or compressed, with a comment, a byte order mark or
/// a control character in front, or declared as another type.
///
/// In a document a registration counts at any depth, in any letter case and with or without
/// underscores, also where it was encoded a second time into a string. Where the method itself sets
/// a push configuration, or where it could not be told, `authentication` counts anywhere. An absent
/// or `null` `authentication` does not count.
pub(crate) fn registers_webhook_credentials(body: &BodyView<'_, '_>, resolved: &Resolved) -> bool {
    if body.is_empty() {
        return false;
    }
    if body.form().is_some_and(|form| form_names_credentials(body.bytes, form)) {
        return true;
    }
    match body.json() {
        Some(document) => has_credentials(document, counts_anywhere(resolved)),
        None => !body.is_form(),
    }
}

/// Whether all of the document is a registration.
fn counts_anywhere(resolved: &Resolved) -> bool {
    let methods = resolved.protocol_methods().iter().map(|method| method.name());
    let mut names = resolved.operation().into_iter().chain(resolved.further_operations());
    let registers = |name: &str| squeeze(name).contains("notificationconfig");
    resolved.is_undetermined() || methods.chain(&mut names).any(registers)
}

/// Looks at each value once, without recursion.
fn has_credentials(document: &Document<'_>, anywhere: bool) -> bool {
    let mut open = vec![(document.root(), anywhere)];
    while let Some((value, is_registration)) = open.pop() {
        match value.kind() {
            Kind::Object => {
                for (name, member) in value.members() {
                    let kind = member.kind();
                    if is_registration && kind != Kind::Null && folds_to(&name, AUTHENTICATION) {
                        return true;
                    }
                    if has_parts(kind) {
                        open.push((member, anywhere || names_registration(&name)));
                    }
                }
            }
            Kind::Array => open.extend(
                value
                    .elements()
                    .filter(|element| has_parts(element.kind()))
                    .map(|element| (element, is_registration)),
            ),
            Kind::String if hides_credentials(value, is_registration) => return true,
            _ => {}
        }
    }
    false
}

/// Whether credentials can stand in a value of this kind.
fn has_parts(kind: Kind) -> bool {
    matches!(kind, Kind::Object | Kind::Array | Kind::String)
}

fn names_registration(name: &str) -> bool {
    if name.len() < SHORTEST {
        return false;
    }
    let name = squeeze(name);
    REGISTRATIONS.iter().any(|ending| name.ends_with(ending))
}

/// Whether a string holds a document of its own that registers credentials: some servers decode the
/// arguments of a tool a second time.
fn hides_credentials(string: Value<'_, '_>, is_registration: bool) -> bool {
    let Some(text) = string.as_str().filter(|text| text.contains('{')) else { return false };
    let text = squeeze(&unescape(text.as_bytes()));
    text.contains(AUTHENTICATION)
        && (is_registration || text.contains("notificationconfig") || text.contains("webhook"))
}

/// Whether form data names credentials anywhere, in an escape or an encoding of its own, too.
fn form_names_credentials(body: &[u8], form: Form) -> bool {
    let text = squeeze(&unescape(body));
    let is_encoded = form == Form::Multipart
        && text.contains("contenttransferencoding")
        && (text.contains("base64") || text.contains("quotedprintable"));
    is_encoded || text.contains(AUTHENTICATION)
}

/// `bytes` as text, with the escapes of URLs and JSON strings decoded where they are well-formed.
fn unescape(bytes: &[u8]) -> String {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&first, tail)) = rest.split_first() {
        let escape = match first {
            b'%' => code_point(tail, 2).map(|(octet, tail)| (octet, tail, true)),
            b'\\' => tail
                .strip_prefix(b"u")
                .and_then(|tail| code_point(tail, 4))
                .map(|(unit, tail)| (unit, tail, false)),
            _ => None,
        };
        rest = match escape {
            Some((octet, tail, true)) => {
                out.extend(u8::try_from(octet));
                tail
            }
            Some((unit, tail, false)) => {
                let decoded = char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER);
                out.extend_from_slice(decoded.encode_utf8(&mut [0; 4]).as_bytes());
                tail
            }
            None => {
                out.push(first);
                tail
            }
        };
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The number in the first `digits` hex digits, and what follows them.
fn code_point(text: &[u8], digits: usize) -> Option<(u32, &[u8])> {
    let (hex, rest) = text.split_at_checked(digits)?;
    let number = hex.iter().try_fold(0, |number, &digit| {
        char::from(digit).to_digit(16).map(|value| number << 4 | value)
    })?;
    Some((number, rest))
}
