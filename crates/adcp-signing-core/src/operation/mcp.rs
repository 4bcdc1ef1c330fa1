//! MCP: the operation of `tools/call` is `params.name`, any other method is a protocol method.

use super::body::BodyView;
use super::json_rpc::{Envelope, required, text};
use super::path::{Target, Verb};
use super::{OperationError, Resolved};
use crate::json::{Kind, Value};

/// The reserved method, whose operation is `params.name`.
pub(super) const TOOLS_CALL: &str = "tools/call";

pub(super) fn resolve(
    target: &Target<'_>,
    body: &BodyView<'_, '_>,
) -> Result<Resolved, OperationError> {
    let mut resolved = Resolved::nothing();
    // A stream is opened by `GET` and a session ended by `DELETE`.
    if body.is_empty() && target.verb() != Some(Verb::Post) {
        return Ok(resolved);
    }
    let root = body.document()?.root();
    resolved.undetermined_if(!body.is_declared_plain());
    match Envelope::read(root)? {
        Envelope::Response => {}
        Envelope::Call(method) => call(&method, root, &mut resolved)?,
    }
    Ok(resolved)
}

/// Adds what the call of `method` in the envelope `root` asks for.
pub(super) fn call(
    method: &str,
    root: Value<'_, '_>,
    resolved: &mut Resolved,
) -> Result<(), OperationError> {
    if method != TOOLS_CALL {
        resolved.add_method(method.to_owned(), false);
        return Ok(());
    }
    let params = required(root, "params", "params", Kind::Object)?;
    let name = text(params, "name", "params.name")?;
    resolved.add_operation(&name);
    Ok(())
}
