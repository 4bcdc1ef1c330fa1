//! JSON-RPC 2.0 envelopes, and members that must be read the same way by every decoder.

use std::borrow::Cow;

use super::OperationError;
use super::fold::folds_to;
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
        object(root, "the body")?;
        if has(root, "method") {
            return text(root, "method", "method").map(Self::Call);
        }
        // What has parameters is a request, whatever else it has.
        let is_answer = has(root, "result") || has(root, "error");
        if is_answer && !has(root, "params") && !has(root, "message") {
            return Ok(Self::Response);
        }
        Err(OperationError::Missing { member: "method" })
    }
}

/// Refuses a value that is not an object. `member` is its path.
pub(super) fn object(value: Value<'_, '_>, member: &'static str) -> Result<(), OperationError> {
    match value.kind() {
        Kind::Object => Ok(()),
        _ => Err(OperationError::Type { member, expected: "an object" }),
    }
}

/// Refuses an object in which any name occurs twice. `object` is its path.
pub(super) fn distinct(value: Value<'_, '_>, object: &'static str) -> Result<(), OperationError> {
    let mut names: Vec<_> = value.members().map(|(name, _)| name).collect();
    // Sorted, so that a hostile object does not cost quadratic time.
    names.sort_unstable();
    let is_distinct = names.windows(2).all(|pair| !matches!(pair, [left, right] if left == right));
    if is_distinct { Ok(()) } else { Err(OperationError::DuplicateMember { object }) }
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
    sole_of(object, name, member, |found| folds_to(found, name))
}

/// As [`sole`], where `is_variant` tells the other spellings of `name`.
pub(super) fn sole_of<'d, 'a>(
    object: Value<'d, 'a>,
    name: &str,
    member: &'static str,
    is_variant: impl Fn(&str) -> bool,
) -> Result<Option<Value<'d, 'a>>, OperationError> {
    let mut sole = None;
    for (found, value) in object.members() {
        if found == name {
            if sole.replace(value).is_some() {
                return Err(OperationError::Duplicate { member });
            }
        } else if is_variant(&found) {
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
    non_empty(value, member)
}

/// The text of a value that must be a non-empty string. `member` is its path.
pub(super) fn non_empty<'a>(
    value: Value<'_, 'a>,
    member: &'static str,
) -> Result<Cow<'a, str>, OperationError> {
    let text = value.as_str().filter(|text| !text.is_empty());
    text.ok_or(OperationError::Type { member, expected: "a non-empty string" })
}
