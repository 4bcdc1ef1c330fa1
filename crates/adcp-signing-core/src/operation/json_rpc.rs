//! JSON-RPC 2.0 envelopes, and members that must be read the same way by every decoder.

use std::borrow::Cow;

use super::OperationError;
use crate::json::{Kind, Value};

/// What a JSON-RPC body is.
pub(super) enum Envelope<'a> {
    /// The answer to a request of ours: it asks for nothing.
    Response,
    /// A request or notification of this method.
    Call(Cow<'a, str>),
}

impl<'a> Envelope<'a> {
    /// Reads the outermost value of a body. `jsonrpc` is not looked at, because lenient servers do
    /// not either.
    pub(super) fn read(root: Value<'_, 'a>) -> Result<Self, OperationError> {
        match root.kind() {
            Kind::Array => return Err(OperationError::Batch),
            Kind::Object => {}
            _ => return Err(OperationError::Type { member: "the body", expected: "an object" }),
        }
        if has(root, "method") {
            return text(root, "method", "method").map(Self::Call);
        }
        if has(root, "result") || has(root, "error") {
            return Ok(Self::Response);
        }
        Err(OperationError::Missing { member: "method" })
    }
}

/// Whether `object` has a member that some decoder takes for `name`.
pub(super) fn has(object: Value<'_, '_>, name: &str) -> bool {
    object.members().any(|(found, _)| folds_to(&found, name))
}

/// The one member `name` of `object`, refused where another decoder could pick another. `member` is
/// its path.
pub(super) fn sole<'d, 'a>(
    object: Value<'d, 'a>,
    name: &str,
    member: &'static str,
) -> Result<Option<Value<'d, 'a>>, OperationError> {
    let mut sole = None;
    for (found, value) in object.members() {
        if found == name {
            if sole.replace(value).is_some() {
                return Err(OperationError::Duplicate { member });
            }
        } else if folds_to(&found, name) {
            return Err(OperationError::CaseVariant { member });
        }
    }
    Ok(sole)
}

/// As [`sole`], where the member must be there and be of type `kind`.
pub(super) fn required<'d, 'a>(
    object: Value<'d, 'a>,
    name: &str,
    member: &'static str,
    kind: Kind,
) -> Result<Value<'d, 'a>, OperationError> {
    let value = sole(object, name, member)?.ok_or(OperationError::Missing { member })?;
    let expected = if kind == Kind::Array { "an array" } else { "an object" };
    if value.kind() == kind { Ok(value) } else { Err(OperationError::Type { member, expected }) }
}

/// As [`sole`], where the member must be a non-empty string.
pub(super) fn text<'a>(
    object: Value<'_, 'a>,
    name: &str,
    member: &'static str,
) -> Result<Cow<'a, str>, OperationError> {
    let value = sole(object, name, member)?.ok_or(OperationError::Missing { member })?;
    let text = value.as_str().filter(|text| !text.is_empty());
    text.ok_or(OperationError::Type { member, expected: "a non-empty string" })
}

/// Whether a decoder that folds case takes `found` for `name`, which is in lower-case ASCII. Some
/// fold by Unicode, where U+017F is an s and U+212A a k.
pub(super) fn folds_to(found: &str, name: &str) -> bool {
    let fold = |character: char| match character {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        other => other.to_ascii_lowercase(),
    };
    found.len() >= name.len() && found.chars().map(fold).eq(name.chars())
}
