//! The grammar of the names in a capability, and the two names of an A2A method.

use crate::operation::mcp::TOOLS_CALL;

/// The longest operation or method name in a capability, in bytes.
const MAX_NAME_BYTES: usize = 256;

/// A2A 1.0 names and their 0.3 counterparts. `ListTasks` has none.
const METHOD_ALIASES: [(&str, &str); 10] = [
    ("SendMessage", "message/send"),
    ("SendStreamingMessage", "message/stream"),
    ("GetTask", "tasks/get"),
    ("CancelTask", "tasks/cancel"),
    ("SubscribeToTask", "tasks/resubscribe"),
    ("CreateTaskPushNotificationConfig", "tasks/pushNotificationConfig/set"),
    ("GetTaskPushNotificationConfig", "tasks/pushNotificationConfig/get"),
    ("ListTaskPushNotificationConfigs", "tasks/pushNotificationConfig/list"),
    ("DeleteTaskPushNotificationConfig", "tasks/pushNotificationConfig/delete"),
    ("GetExtendedAgentCard", "agent/getAuthenticatedExtendedCard"),
];

/// `^[a-z][a-z0-9_]*$`
pub(in crate::operation) fn is_operation(name: &str) -> bool {
    name.len() <= MAX_NAME_BYTES
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// `^(?:[a-z][A-Za-z0-9_]*(?:/[A-Za-z][A-Za-z0-9_]*)+|[A-Z][A-Za-z0-9_]*)$`, and not `tools/call`.
pub(in crate::operation) fn is_protocol_method(name: &str) -> bool {
    let is_segment = |segment: &str| {
        segment.starts_with(|first: char| first.is_ascii_alphabetic())
            && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    let is_slash_path =
        name.starts_with(|first: char| first.is_ascii_lowercase()) && name.contains('/');
    let is_pascal_case =
        name.starts_with(|first: char| first.is_ascii_uppercase()) && !name.contains('/');
    name.len() <= MAX_NAME_BYTES
        && name != TOOLS_CALL
        && (is_slash_path || is_pascal_case)
        && name.split('/').all(is_segment)
}

/// Whether A2A, of either generation, has a method of this name.
pub(in crate::operation) fn is_standard_method(name: &str) -> bool {
    name == "ListTasks" || alias_of(name).is_some()
}

/// The name of an A2A method in the other generation.
pub(super) fn alias_of(method: &str) -> Option<&'static str> {
    METHOD_ALIASES.iter().find_map(|&(new, old)| match method {
        _ if method == new => Some(old),
        _ if method == old => Some(new),
        _ => None,
    })
}
