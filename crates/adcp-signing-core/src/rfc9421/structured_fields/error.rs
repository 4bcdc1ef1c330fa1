//! Why a field value is refused, and where.

use std::fmt;

/// A field value does not have the expected form.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParseError {
    /// The byte of the field value at which parsing stopped, counted from zero.
    pub offset: usize,
    /// What was wrong there.
    pub kind: ParseErrorKind,
}

/// What was wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParseErrorKind {
    /// The value is longer than [`MAX_FIELD_LEN`](super::MAX_FIELD_LEN).
    TooLong {
        /// Its length in bytes.
        actual: usize,
    },
    /// A byte outside ASCII.
    NotAscii(u8),
    /// The grammar does not admit this byte here.
    Unexpected {
        /// The byte found, or `None` at the end of the value.
        found: Option<u8>,
        /// What RFC 8941 admits here.
        expected: &'static str,
    },
    /// A comma with no member after it.
    TrailingComma,
    /// More than 15 digits in an integer.
    IntegerTooLong,
    /// More than 12 digits before, or 3 after, the decimal point.
    DecimalTooLong,
    /// Two dictionary members with one key.
    DuplicateKey(String),
    /// Two parameters with one name.
    DuplicateParameter(String),
    /// More than [`MAX_MEMBERS`](super::MAX_MEMBERS) members.
    TooManyMembers,
    /// More than [`MAX_INNER_ITEMS`](super::MAX_INNER_ITEMS) items in an inner list.
    TooManyItems,
    /// More than [`MAX_PARAMS`](super::MAX_PARAMS) parameters.
    TooManyParameters,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use super::{MAX_FIELD_LEN, MAX_INNER_ITEMS, MAX_MEMBERS, MAX_PARAMS};

        match &self.kind {
            ParseErrorKind::TooLong { actual } => {
                return write!(f, "field value of {actual} bytes, the limit is {MAX_FIELD_LEN}");
            }
            ParseErrorKind::NotAscii(byte) => write!(f, "byte 0x{byte:02x}, expected ASCII only")?,
            ParseErrorKind::Unexpected { found: Some(byte), expected } => {
                write!(f, "found '{}', expected {expected}", byte.escape_ascii())?;
            }
            ParseErrorKind::Unexpected { found: None, expected } => {
                write!(f, "the value ends, expected {expected}")?;
            }
            ParseErrorKind::TrailingComma => f.write_str("a comma with no member after it")?,
            ParseErrorKind::IntegerTooLong => f.write_str("an integer of more than 15 digits")?,
            ParseErrorKind::DecimalTooLong => {
                f.write_str("a decimal of more than 12 digits before or 3 digits after the point")?;
            }
            ParseErrorKind::DuplicateKey(key) => {
                write!(f, "the key '{key}' occurs twice, expected once")?
            }
            ParseErrorKind::DuplicateParameter(name) => {
                write!(f, "the parameter '{name}' occurs twice, expected once")?;
            }
            ParseErrorKind::TooManyMembers => write!(f, "more than {MAX_MEMBERS} members")?,
            ParseErrorKind::TooManyItems => {
                write!(f, "more than {MAX_INNER_ITEMS} items in an inner list")?
            }
            ParseErrorKind::TooManyParameters => write!(f, "more than {MAX_PARAMS} parameters")?,
        }
        write!(f, " (at byte {})", self.offset)
    }
}

impl std::error::Error for ParseError {}
