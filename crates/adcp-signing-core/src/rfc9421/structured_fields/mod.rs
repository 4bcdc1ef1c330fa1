//! Structured field values (RFC 8941): a strict parser over borrowed bytes, and the writer.
//!
//! A generic parser keeps the last of two members with one key, pads base64 that lacks its padding
//! and drops stray bits. In a signed message each of these lets two readers see different messages,
//! so here each is an error. The other difference from RFC 8941 is [`ByteSequence`]: the tokenizer
//! admits the characters of both base64 alphabets, because AdCP 3.0 and 3.1 put unpadded base64url
//! between the colons, and the caller names the [`Alphabet`] when decoding.
//!
//! Every input is bounded: see [`MAX_FIELD_LEN`], [`MAX_MEMBERS`], [`MAX_INNER_ITEMS`] and
//! [`MAX_PARAMS`]. The types of RFC 9651 (dates, display strings) are not part of RFC 8941 and are
//! refused.
//!
//! This serves the crates of this workspace and may change in any release.

mod base64;
mod error;
mod lines;
mod parser;
mod value;
mod writer;

pub use self::base64::{Alphabet, Base64Error, ByteSequence};
pub use self::error::{ParseError, ParseErrorKind};
pub use self::lines::join_lines;
pub(crate) use self::lines::trim_ows;
pub use self::value::{BareItem, Dictionary, InnerList, Item, List, Member, MemberValue, Params};
pub(crate) use self::writer::push_value;
pub use self::writer::{
    WriteError, push_bare_item, push_byte_sequence, push_dictionary, push_inner_list, push_integer,
    push_item, push_key, push_list, push_params, push_string, push_token,
};

/// The longest field value that is parsed, in bytes, after its lines are joined.
pub const MAX_FIELD_LEN: usize = 8192;
/// The most members in a dictionary or a list.
pub const MAX_MEMBERS: usize = 32;
/// The most items in an inner list.
pub const MAX_INNER_ITEMS: usize = 32;
/// The most parameters on one item or inner list.
pub const MAX_PARAMS: usize = 32;
