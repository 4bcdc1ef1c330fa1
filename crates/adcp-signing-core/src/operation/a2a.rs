//! A2A: the operation is the `skill` of the message's sole DataPart, whichever binding carries the
//! message.

use super::body::BodyView;
use super::fold::squeeze;
use super::json_rpc::{Envelope, distinct, has, non_empty, object, required, sole, sole_of, text};
use super::path::{Target, Verb};
use super::{OperationError, Resolved};
use crate::json::{Kind, Value};

/// The methods that carry a message, of A2A 1.0 and 0.3.
const MESSAGE_METHODS: [&str; 4] =
    ["SendMessage", "SendStreamingMessage", "message/send", "message/stream"];

/// Where an agent card is published for everyone. A2A 0.3 renamed it.
const AGENT_CARDS: [&str; 2] = ["/.well-known/agent-card.json", "/.well-known/agent.json"];

/// The members that make a part a TextPart, a DataPart or a FilePart, with the 0.3 `kind` that goes
/// with each.
const CONTENT: [(&str, &str, &str); 5] = [
    ("text", "text", "params.message.parts.text"),
    ("data", "data", "params.message.parts.data"),
    ("file", "file", "params.message.parts.file"),
    ("url", "file", "params.message.parts.url"),
    ("raw", "file", "params.message.parts.raw"),
];

pub(super) fn resolve(
    target: &Target<'_>,
    body: &BodyView<'_, '_>,
) -> Result<Resolved, OperationError> {
    let mut resolved = Resolved::nothing();
    let Some(segments) = target.segments() else {
        resolved.undetermined_if(true);
        if !body.is_empty() {
            by_envelope_alone(body, &mut resolved)?;
        }
        return Ok(resolved);
    };
    let bound = bound_methods(target, &segments);
    if body.is_empty() && !bound.iter().any(|method| carries_message(method)) {
        // A `POST` that no path explains is JSON-RPC without its envelope.
        if bound.is_empty() && target.verb() == Some(Verb::Post) {
            body.document()?;
        }
        resolved.undetermined_if(bound.is_empty() && !is_agent_card(target));
        bound.into_iter().for_each(|method| resolved.add_method(method, true));
        return Ok(resolved);
    }
    let root = body.document()?.root();
    object(root, "the body")?;
    resolved.undetermined_if(!body.is_declared_plain());
    if bound.is_empty() {
        match Envelope::read(root)? {
            Envelope::Response => {}
            Envelope::Call(method) => call(&method, root, false, &mut resolved)?,
        }
        return Ok(resolved);
    }
    for method in bound {
        if carries_message(method) {
            message(root, &mut resolved)?;
        }
        resolved.add_method(method, true);
    }
    // Some servers go by the path and some by the envelope, so neither may hide the other.
    if has(root, "method") {
        call(&text(root, "method", "method")?, root, true, &mut resolved)?;
    }
    Ok(resolved)
}

/// Adds what an envelope in the body asks for, where the path tells nothing.
fn by_envelope_alone(
    body: &BodyView<'_, '_>,
    resolved: &mut Resolved,
) -> Result<(), OperationError> {
    let root = body.document()?.root();
    object(root, "the body")?;
    if has(root, "method") {
        call(&text(root, "method", "method")?, root, true, resolved)?;
    }
    Ok(())
}

/// Whether `method` is one that carries a message, and so an operation.
pub(super) fn carries_message(method: &str) -> bool {
    MESSAGE_METHODS.contains(&method)
}

/// Adds what the call of `method` in the envelope `root` asks for.
pub(super) fn call(
    method: &str,
    root: Value<'_, '_>,
    is_bound: bool,
    resolved: &mut Resolved,
) -> Result<(), OperationError> {
    distinct(root, "the body")?;
    if carries_message(method) {
        message(required(root, "params", "params", Kind::Object)?, resolved)?;
    }
    resolved.add_method(method.to_owned(), is_bound);
    Ok(())
}

/// Whether the request fetches the public agent card.
fn is_agent_card(target: &Target<'_>) -> bool {
    target.verb() == Some(Verb::Get)
        && target.path().is_some_and(|path| AGENT_CARDS.contains(&path))
}

/// The A2A 1.0 methods that a path of the HTTP+JSON binding may stand for.
///
/// The capability's lists name JSON-RPC methods only; counting the binding under the same names
/// lets no request slip past them by changing the binding. Where the HTTP method fits no method of
/// the path, or may be replaced, all of them count.
pub(super) fn bound_methods(target: &Target<'_>, segments: &[String]) -> Vec<&'static str> {
    let possible = possible_methods(segments);
    if possible.is_empty() {
        return Vec::new();
    }
    let asked = target.verb();
    let fits = |verb: &Option<Verb>| verb.is_none() || *verb == asked;
    if asked.is_none() || !possible.iter().any(|(verb, _)| fits(verb)) {
        return possible.into_iter().map(|(_, method)| method).collect();
    }
    possible.into_iter().filter(|(verb, _)| fits(verb)).map(|(_, method)| method).collect()
}

/// The methods that the last segments of a path may stand for, each with its HTTP method, `None`
/// for any. Prefixes, such as a tenant or `v1`, are the deployment's.
fn possible_methods(segments: &[String]) -> Vec<(Option<Verb>, &'static str)> {
    const GET: Option<Verb> = Some(Verb::Get);
    const POST: Option<Verb> = Some(Verb::Post);
    let mut methods = Vec::new();
    let (last, parent) = match segments {
        [.., parent, last] => (last.as_str(), parent.as_str()),
        [last] => (last.as_str(), ""),
        [] => return methods,
    };
    // Some routers take an extension for a wanted format: `/tasks.json`.
    let name = last.split('.').next().unwrap_or(last);
    if parent == "pushnotificationconfigs" {
        methods.push((GET, "GetTaskPushNotificationConfig"));
        methods.push((Some(Verb::Delete), "DeleteTaskPushNotificationConfig"));
    }
    if parent == "tasks" {
        // The identifier of a task may hold colons, too.
        if last.contains(":cancel") {
            methods.push((None, "CancelTask"));
        }
        if last.contains(":subscribe") {
            methods.push((None, "SubscribeToTask"));
        }
        if !last.ends_with(":subscribe") {
            methods.push((GET, "GetTask"));
        }
    }
    // The identifier of a push configuration is the client's to choose, and `DELETE` and `GET` take
    // it for one.
    if last.starts_with("message:stream") {
        methods.push((POST, "SendStreamingMessage"));
    } else if last.starts_with("message:") {
        methods.push((POST, "SendMessage"));
    }
    match name {
        "pushnotificationconfigs" => {
            methods.push((POST, "CreateTaskPushNotificationConfig"));
            methods.push((GET, "ListTaskPushNotificationConfigs"));
        }
        "tasks" => methods.push((GET, "ListTasks")),
        "extendedagentcard" => methods.push((GET, "GetExtendedAgentCard")),
        "card" if parent == "v1" => methods.push((GET, "GetExtendedAgentCard")),
        _ => {}
    }
    methods
}

/// Adds the operation of the message in `params`, and the task that it goes on with.
fn message(params: Value<'_, '_>, resolved: &mut Resolved) -> Result<(), OperationError> {
    distinct(params, "params")?;
    let message = required(params, "message", "params.message", Kind::Object)?;
    distinct(message, "params.message")?;
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
    object(data, "params.message.parts.data")?;
    distinct(data, "params.message.parts.data")?;
    let skill = text(data, "skill", "params.message.parts.data.skill")?;
    resolved.add_operation(&skill);
    if let Some(task) = task_id(message)? {
        resolved.add_task(task);
    }
    Ok(())
}

/// The task that `message` goes on with.
fn task_id(message: Value<'_, '_>) -> Result<Option<String>, OperationError> {
    const MEMBER: &str = "params.message.taskId";
    // Readers of Protocol Buffers take `task_id` for the same member.
    let is_variant = |found: &str| squeeze(found) == "taskid";
    match sole_of(message, "taskId", MEMBER, is_variant)? {
        // Every decoder takes null for an absent member.
        Some(task) if task.kind() != Kind::Null => Ok(Some(non_empty(task, MEMBER)?.into_owned())),
        _ => Ok(None),
    }
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
    distinct(part, "params.message.parts")?;
    Ok((name == "data").then_some(value))
}
