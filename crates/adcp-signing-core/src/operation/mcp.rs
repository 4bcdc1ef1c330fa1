//! MCP: the operation of `tools/call` is `params.name`, any other method is a protocol method.

use super::json_rpc::{Envelope, required, text};
use super::{OperationError, Resolved};
use crate::json::{Document, Kind, Value};

pub(super) fn resolve(method: &str, body: &[u8]) -> Result<Resolved, OperationError> {
    if body.is_empty() && method != "POST" {
        return Ok(Resolved::default());
    }
    let document = Document::parse(body)?;
    match Envelope::read(document.root())? {
        Envelope::Response => Ok(Resolved::default()),
        Envelope::Call(method) => call(&method, document.root()),
    }
}

/// What the call of `method` in the envelope `root` asks for.
pub(super) fn call(method: &str, root: Value<'_, '_>) -> Result<Resolved, OperationError> {
    if method != "tools/call" {
        return Ok(Resolved { protocol_method: Some(method.to_owned()), ..Resolved::default() });
    }
    let params = required(root, "params", "params", Kind::Object)?;
    let name = text(params, "name", "params.name")?;
    Ok(Resolved { operation: Some(name.into_owned()), ..Resolved::default() })
}
