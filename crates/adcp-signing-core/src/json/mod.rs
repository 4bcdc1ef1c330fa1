//! Strict JSON (RFC 8259): one scanner, the duplicate-key check of step 14, and a lossless view for
//! step 0.
//!
//! `serde_json` keeps the last of several members of one name without a word, so it can serve
//! neither.

mod document;
mod duplicates;
mod sanitize;
mod scanner;
mod specials;

pub(crate) use document::{Document, Kind, Value};
pub use duplicates::{DuplicateKeys, check_no_duplicate_keys};
pub use sanitize::sanitize_key_name;

use thiserror::Error;

/// The deepest nesting of objects and arrays that is read.
pub const MAX_DEPTH: usize = 128;

/// A body is not strict JSON. Offsets are in bytes; messages hold no bytes of the body but
/// sanitized key names.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StrictJsonError {
    /// An object has several members of the same name.
    #[error("duplicate object keys: {0}; send every name once per object")]
    Duplicate(DuplicateKeys),
    /// The body is not RFC 8259 JSON.
    #[error("invalid JSON at byte {offset}: {what}")]
    Invalid {
        /// Byte offset into the body.
        offset: usize,
        /// What is wrong there.
        what: &'static str,
    },
    /// Objects and arrays nest deeper than [`MAX_DEPTH`].
    #[error("objects and arrays nest deeper than {MAX_DEPTH} at byte {offset}")]
    TooDeep {
        /// Byte offset into the body.
        offset: usize,
    },
}

#[cfg(test)]
mod tests;
