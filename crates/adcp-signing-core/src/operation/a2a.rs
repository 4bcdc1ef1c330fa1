//! A2A: the operation is the `skill` of the message's sole DataPart, whichever binding carries the
//! message.

use super::json_rpc::{Envelope, has, required, sole, text};
use super::{OperationError, Resolved, last_segments};
use crate::json::{Document, Kind, Value};

/// The methods that carry a message, of A2A 1.0 and 0.3.
const MESSAGE_METHODS: [&str; 4] =
    ["SendMessage", "SendStreamingMessage", "message/send", "message/stream"];

/// The members that make a part a TextPart, a DataPart or a FilePart, with the 0.3 `kind` that goes
/// with each.
const CONTENT: [(&str, &str, &str); 5] = [
    ("text", "text", "params.message.parts.text"),
    ("data", "data", "params.message.parts.data"),
    ("file", "file", "params.message.parts.file"),
    ("url", "file", "params.message.parts.url"),
    ("raw", "file", "params.message.parts.raw"),
];

pub(super) fn resolve(method: &str, path: &str, body: &[u8]) -> Result<Resolved, OperationError> {
    let bound = bound_method(method, path);
    if body.is_empty() && (bound.is_some_and(|bound| !carries_message(bound)) || method != "POST") {
        return Ok(Resolved { protocol_method: bound.map(str::to_owned), ..Resolved::default() });
    }
    let document = Document::parse(body)?;
    let root = document.root();
    match bound {
        Some(bound) if carries_message(bound) => message(bound, root),
        // A body with a method is JSON-RPC wherever it was sent: the path must not hide it.
        Some(bound) if root.kind() == Kind::Object && !has(root, "method") => {
            Ok(Resolved { protocol_method: Some(bound.to_owned()), ..Resolved::default() })
        }
        _ => match Envelope::read(root)? {
            Envelope::Response => Ok(Resolved::default()),
            Envelope::Call(method) => call(&method, root),
        },
    }
}

/// Whether `method` is one that carries a message, and so an operation.
pub(super) fn carries_message(method: &str) -> bool {
    MESSAGE_METHODS.contains(&method)
}

/// What the call of `method` in the envelope `root` asks for.
pub(super) fn call(method: &str, root: Value<'_, '_>) -> Result<Resolved, OperationError> {
    if carries_message(method) {
        return message(method, required(root, "params", "params", Kind::Object)?);
    }
    Ok(Resolved { protocol_method: Some(method.to_owned()), ..Resolved::default() })
}

/// The A2A 1.0 method that a path of the HTTP+JSON binding stands for. The capability's lists name
/// JSON-RPC methods only; counting the binding under the same names lets no request slip past them
/// by changing the binding.
fn bound_method(method: &str, path: &str) -> Option<&'static str> {
    let mut segments = last_segments(path);
    let (last, parent, grandparent) = (segments.next()?, segments.next(), segments.next());
    match (method, last.as_str(), parent.as_deref(), grandparent.as_deref()) {
        (_, "message:send", ..) => Some("SendMessage"),
        (_, "message:stream", ..) => Some("SendStreamingMessage"),
        (_, task, Some("tasks"), _) if task.ends_with(":cancel") => Some("CancelTask"),
        (_, task, Some("tasks"), _) if task.ends_with(":subscribe") => Some("SubscribeToTask"),
        ("POST", "pushNotificationConfigs", ..) => Some("CreateTaskPushNotificationConfig"),
        ("GET", "pushNotificationConfigs", ..) => Some("ListTaskPushNotificationConfigs"),
        ("GET", _, Some("pushNotificationConfigs"), _) => Some("GetTaskPushNotificationConfig"),
        ("DELETE", _, Some("pushNotificationConfigs"), _) => {
            Some("DeleteTaskPushNotificationConfig")
        }
        ("GET", "tasks", ..) => Some("ListTasks"),
        ("GET", _, Some("tasks"), _) => Some("GetTask"),
        ("GET", "extendedAgentCard", ..) => Some("GetExtendedAgentCard"),
        _ => None,
    }
}

/// The operation of the message in `params`, the parameters of `method`.
fn message(method: &str, params: Value<'_, '_>) -> Result<Resolved, OperationError> {
    if params.kind() != Kind::Object {
        return Err(OperationError::Type { member: "params", expected: "an object" });
    }
    let message = required(params, "message", "params.message", Kind::Object)?;
    let parts = required(message, "parts", "params.message.parts", Kind::Array)?;
    let mut data = None;
    let mut count = 0;
    for part in parts.elements() {
        if let Some(found) = data_of(part)? {
            data = Some(found);
            count += 1;
        }
    }
    let Some(data) = data.filter(|_| count == 1) else {
        return Err(OperationError::DataParts { count });
    };
    if data.kind() != Kind::Object {
        return Err(OperationError::Type {
            member: "params.message.parts.data",
            expected: "an object",
        });
    }
    let skill = text(data, "skill", "params.message.parts.data.skill")?.into_owned();
    Ok(Resolved {
        operation: Some(skill),
        protocol_method: Some(method.to_owned()),
        ..Resolved::default()
    })
}

/// The data of a DataPart, `None` for a TextPart.
fn data_of<'d, 'a>(part: Value<'d, 'a>) -> Result<Option<Value<'d, 'a>>, OperationError> {
    if part.kind() != Kind::Object {
        return Err(OperationError::Type {
            member: "params.message.parts",
            expected: "an array of objects",
        });
    }
    let mut content = None;
    let mut count = 0;
    for (name, kind, member) in CONTENT {
        if let Some(value) = sole(part, name, member)? {
            content = Some((name, kind, value));
            count += 1;
        }
    }
    let Some((name, kind, value)) = content.filter(|_| count == 1) else {
        return Err(OperationError::PartContent { count });
    };
    if kind == "file" {
        return Err(OperationError::FilePart);
    }
    if let Some(declared) = sole(part, "kind", "params.message.parts.kind")?
        && declared.as_str().as_deref() != Some(kind)
    {
        return Err(OperationError::PartKind);
    }
    Ok((name == "data").then_some(value))
}
