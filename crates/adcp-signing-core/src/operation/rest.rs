//! Plain HTTP: the operation is the route's.

use super::a2a::{self, bound_methods};
use super::body::BodyView;
use super::capability::{is_operation, is_protocol_method, is_standard_method};
use super::fold::folds_to;
use super::json_rpc::Envelope;
use super::path::Target;
use super::{OperationError, Resolved, mcp};
use crate::json::{Kind, Value};

/// What a router's match asks for. A name that no list of a capability can hold tells nothing.
pub(super) fn routed(name: &str) -> Resolved {
    let mut resolved = Resolved::nothing();
    if is_operation(name) {
        resolved.add_operation(name);
        return resolved;
    }
    let is_method = is_protocol_method(name);
    // Over HTTP nobody wrote the method's name, so it meets both of its generations.
    if is_method {
        resolved.add_method(name.to_owned(), true);
    }
    // `CreateMediaBuy` has the grammar of a method and is more likely a misspelled operation.
    resolved.undetermined_if(!is_method || !(name.contains('/') || is_standard_method(name)));
    resolved
}

/// What path and body ask for where no router said. Both count, so that neither can hide the other.
pub(super) fn from_path(
    target: &Target<'_>,
    body: &BodyView<'_, '_>,
) -> Result<Resolved, OperationError> {
    let mut resolved = Resolved::nothing();
    let segments = target.segments();
    match segments.as_deref().and_then(<[String]>::last).filter(|last| is_operation(last)) {
        Some(operation) => resolved.add_operation(operation),
        None => resolved.undetermined_if(true),
    }
    for method in segments.map(|segments| bound_methods(target, &segments)).unwrap_or_default() {
        resolved.add_method(method, true);
    }
    match body.json() {
        Some(document) => envelope(document.root(), &mut resolved)?,
        // Another decoder may find an envelope in it.
        None if !body.is_empty() && !body.is_form() => resolved.undetermined_if(true),
        None => {}
    }
    Ok(resolved)
}

/// Adds what a JSON-RPC envelope in the body asks for, nothing where the body is none.
fn envelope(root: Value<'_, '_>, resolved: &mut Resolved) -> Result<(), OperationError> {
    if root.kind() == Kind::Array {
        return no_envelope_within(root);
    }
    if !is_envelope(root) {
        return Ok(());
    }
    match Envelope::read(root)? {
        Envelope::Response => Ok(()),
        Envelope::Call(method) if a2a::carries_message(&method) => {
            a2a::call(&method, root, false, resolved)
        }
        Envelope::Call(method) => mcp::call(&method, root, resolved),
    }
}

/// Refuses a batch, also one within a batch.
fn no_envelope_within(array: Value<'_, '_>) -> Result<(), OperationError> {
    let mut open = vec![array];
    while let Some(array) = open.pop() {
        for element in array.elements() {
            match element.kind() {
                Kind::Array => open.push(element),
                _ if is_envelope(element) => return Err(OperationError::Batch),
                _ => {}
            }
        }
    }
    Ok(())
}

/// Whether a lenient server could take `value` for a JSON-RPC request. The payload of a REST
/// operation may have a `method` of its own, which is then no string or names no listed method.
fn is_envelope(value: Value<'_, '_>) -> bool {
    let (mut has_version, mut has_method) = (false, false);
    for (name, member) in value.members() {
        if folds_to(&name, "method") {
            if member.kind() == Kind::String {
                return true;
            }
            has_method = true;
        }
        has_version |= folds_to(&name, "jsonrpc");
    }
    has_version && has_method
}
