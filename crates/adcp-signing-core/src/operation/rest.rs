//! Plain HTTP: the operation is the route's.

use super::capability::{is_operation, is_protocol_method};
use super::json_rpc::{Envelope, has};
use super::{OperationError, Resolved, a2a, last_segments, mcp};
use crate::json::{Document, Kind};

/// What a router's match asks for. A name of the protocol-method grammar is one.
pub(super) fn given(name: &str) -> Resolved {
    let name = name.to_owned();
    if name.contains('/') || is_protocol_method(&name) {
        Resolved { protocol_method: Some(name), ..Resolved::default() }
    } else {
        Resolved { operation: Some(name), ..Resolved::default() }
    }
}

/// What path and body ask for where no router said. Both count, so that neither can hide the other.
pub(super) fn guess(path: &str, body: &[u8]) -> Result<Resolved, OperationError> {
    let operation = last_segments(path).next().filter(|segment| is_operation(segment));
    let envelope = envelope(body)?;
    Ok(match operation {
        Some(_) => Resolved {
            envelope_operation: envelope
                .operation
                .filter(|named| Some(named) != operation.as_ref()),
            operation,
            protocol_method: envelope.protocol_method,
        },
        None => envelope,
    })
}

/// What a JSON-RPC envelope in the body asks for, nothing where the body is none.
fn envelope(body: &[u8]) -> Result<Resolved, OperationError> {
    if !looks_like_json(body) {
        return Ok(Resolved::default());
    }
    let document = Document::parse(body)?;
    let root = document.root();
    let is_envelope = |value| has(value, "jsonrpc") && has(value, "method");
    if root.kind() == Kind::Array && root.elements().any(is_envelope) {
        return Err(OperationError::Batch);
    }
    if !is_envelope(root) {
        return Ok(Resolved::default());
    }
    match Envelope::read(root)? {
        Envelope::Response => Ok(Resolved::default()),
        Envelope::Call(method) if a2a::carries_message(&method) => a2a::call(&method, root),
        Envelope::Call(method) => mcp::call(&method, root),
    }
}

/// Whether a lenient decoder could find an object or array in `body`.
pub(super) fn looks_like_json(body: &[u8]) -> bool {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    body.iter()
        .find(|byte| !byte.is_ascii_whitespace())
        .is_some_and(|byte| matches!(byte, b'{' | b'['))
}
