//! Strict JSON (RFC 8259): one scanner with bounds, the duplicate-key check of step 14, and a
//! lossless view of a document.
//!
//! `serde_json` silently keeps the last of several members with one name, and it has no bound on
//! the number of members, so it serves neither purpose.
//!
//! This serves the crates of this workspace and may change in any release.

mod document;
mod duplicates;
mod limits;
mod sanitize;
mod scanner;
mod specials;

pub use document::{Document, Kind, Value};
pub(crate) use duplicates::scan_body;
pub use duplicates::{DuplicateKeys, check_no_duplicate_keys, check_no_duplicate_keys_within};
pub use limits::JsonLimits;
pub use sanitize::{is_non_printable, sanitize_key_name};

use thiserror::Error;

use crate::text::format::{self, Format};

/// A body is not strict JSON, or exceeds the [`JsonLimits`]. Offsets are in bytes. Messages show no
/// bytes of the body except sanitized key names.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StrictJsonError {
    /// An object has several members with the same name.
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
    /// Objects and arrays nest deeper than the limit.
    #[error("objects and arrays nest deeper than {limit} at byte {offset}")]
    TooDeep {
        /// The limit.
        limit: usize,
        /// Where the first object or array beyond the limit opens.
        offset: usize,
    },
    /// The document has more object members and array elements than the limit.
    #[error("more than {limit} object members and array elements, at byte {offset}")]
    TooManyMembers {
        /// The limit.
        limit: usize,
        /// Where the first member or element beyond the limit begins.
        offset: usize,
    },
}

/// The name of the format of some data, where it is one that often comes in place of JSON or of a
/// key, to follow "is".
pub fn format_name(data: &[u8]) -> Option<&'static str> {
    Format::of(data).map(Format::name)
}

/// The data without a UTF-8 byte order mark at its start, which files may have and bodies may not.
pub fn without_bom(data: &[u8]) -> &[u8] {
    format::without_bom(data)
}

impl StrictJsonError {
    /// Names the format of a document that is not JSON at all, where it is known.
    #[cold]
    pub(crate) fn of_document(self, document: &[u8]) -> Self {
        match (self, Format::of(document)) {
            (Self::Invalid { offset, .. }, Some(format)) => {
                Self::Invalid { offset, what: format.not_json() }
            }
            (error, _) => error,
        }
    }

    /// Names the cause where the document is a body with a `Content-Encoding`.
    #[cold]
    pub(crate) fn of_encoded_body(self) -> Self {
        const ENCODED: &str = "the body is compressed, or encoded in another way, as its \
            Content-Encoding states; send it without one";

        match self {
            Self::Invalid { offset, .. } => Self::Invalid { offset, what: ENCODED },
            error => error,
        }
    }

    /// Whether a limit was exceeded, which is answered 413, and not the syntax violated.
    pub fn exceeds_limit(&self) -> bool {
        matches!(self, Self::TooDeep { .. } | Self::TooManyMembers { .. })
    }
}

#[cfg(test)]
mod tests;
