//! The data types of RFC 8941 §3, borrowing from the field value they were parsed from.

use std::{borrow::Cow, iter, option, slice, vec};

use super::parser::Cursor;
use super::{ByteSequence, ParseError};

/// A dictionary (RFC 8941 §3.2) with unique keys, in the order received.
///
/// ```
/// use adcp_signing_core::rfc9421::structured_fields::{Alphabet, BareItem, Dictionary, MemberValue};
///
/// let digests = Dictionary::parse(b"sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:")?;
/// let Some(MemberValue::Item(item)) = digests.get("sha-256").map(|member| &member.value) else { panic!() };
/// let BareItem::ByteSequence(bytes) = &item.bare else { panic!() };
/// assert_eq!(bytes.decode(Alphabet::Standard)?.len(), 32);
///
/// let twice = Dictionary::parse(b"sha-256=:AA==:, sha-256=:AQ==:").unwrap_err();
/// assert_eq!(twice.to_string(), "the key 'sha-256' occurs twice, expected once (at byte 16)");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dictionary<'a> {
    // Nearly every dictionary of a signed message has one member, kept here without an allocation.
    first: Option<Member<'a>>,
    rest: Vec<Member<'a>>,
}

/// One member of a dictionary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member<'a> {
    /// The key.
    pub key: &'a str,
    /// The value; a key without one is the boolean true.
    pub value: MemberValue<'a>,
    /// The value as received, its parameters included and no space around it. For a key without a
    /// value this is the text of its parameters, empty where there are none.
    pub raw: &'a str,
}

/// The value of a dictionary member or a list member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberValue<'a> {
    /// One item.
    Item(Item<'a>),
    /// Items in parentheses.
    InnerList(InnerList<'a>),
}

/// A list (RFC 8941 §3.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List<'a> {
    /// The members in the order received.
    pub members: Vec<MemberValue<'a>>,
}

/// An inner list (RFC 8941 §3.1.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InnerList<'a> {
    /// The items in the order received.
    pub items: Vec<Item<'a>>,
    /// The parameters after the closing parenthesis.
    pub params: Params<'a>,
}

/// An item (RFC 8941 §3.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item<'a> {
    /// The value itself.
    pub bare: BareItem<'a>,
    /// Its parameters.
    pub params: Params<'a>,
}

/// Parameters (RFC 8941 §3.1.2) with unique names, in the order received.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Params<'a> {
    pub(super) entries: Vec<(&'a str, BareItem<'a>)>,
}

/// A value without parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BareItem<'a> {
    /// An integer of at most 15 digits (RFC 8941 §3.3.1).
    Integer(i64),
    /// A decimal as received (RFC 8941 §3.3.2): at most 12 digits, a point, at most 3 digits.
    Decimal(&'a str),
    /// A string with its escapes resolved (RFC 8941 §3.3.3).
    String(Cow<'a, str>),
    /// A token (RFC 8941 §3.3.4).
    Token(&'a str),
    /// A byte sequence, not decoded yet (RFC 8941 §3.3.5).
    ByteSequence(ByteSequence<'a>),
    /// A boolean (RFC 8941 §3.3.6).
    Boolean(bool),
}

impl<'a> Dictionary<'a> {
    /// Parses a field value that is a dictionary (RFC 8941 §4.2.2). An empty value is an empty
    /// dictionary.
    ///
    /// # Errors
    /// [`ParseError`] for a value that breaks the grammar or a bound, or holds a key or parameter name twice.
    pub fn parse(field_value: &'a [u8]) -> Result<Self, ParseError> {
        Cursor::field(field_value, Cursor::dictionary)
    }

    /// The member with this key.
    pub fn get(&self, key: &str) -> Option<&Member<'a>> {
        self.iter().find(|member| member.key == key)
    }

    /// The member with this key, moved out.
    pub(crate) fn into_member(self, key: &str) -> Option<Member<'a>> {
        match self.first {
            Some(first) if first.key == key => Some(first),
            _ => self.rest.into_iter().find(|member| member.key == key),
        }
    }

    /// The members in the order received.
    pub fn iter(&self) -> impl Iterator<Item = &Member<'a>> {
        self.into_iter()
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.rest.len()
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(super) const fn empty() -> Self {
        Self { first: None, rest: Vec::new() }
    }

    pub(super) fn push(&mut self, member: Member<'a>) {
        match self.first {
            None => self.first = Some(member),
            Some(_) => self.rest.push(member),
        }
    }
}

impl<'a> IntoIterator for Dictionary<'a> {
    type Item = Member<'a>;
    type IntoIter = iter::Chain<option::IntoIter<Member<'a>>, vec::IntoIter<Member<'a>>>;

    fn into_iter(self) -> Self::IntoIter {
        self.first.into_iter().chain(self.rest)
    }
}

impl<'d, 'a> IntoIterator for &'d Dictionary<'a> {
    type Item = &'d Member<'a>;
    type IntoIter = iter::Chain<option::Iter<'d, Member<'a>>, slice::Iter<'d, Member<'a>>>;

    fn into_iter(self) -> Self::IntoIter {
        self.first.iter().chain(&self.rest)
    }
}

impl<'a> List<'a> {
    /// Parses a field value that is a list (RFC 8941 §4.2.1). An empty value is an empty list.
    ///
    /// # Errors
    /// [`ParseError`] for a value that breaks the grammar or a bound, or holds a parameter name twice.
    pub fn parse(field_value: &'a [u8]) -> Result<Self, ParseError> {
        Cursor::field(field_value, Cursor::list)
    }
}

impl<'a> Item<'a> {
    /// Parses a field value that is one item (RFC 8941 §4.2.3).
    ///
    /// # Errors
    /// [`ParseError`] for a value that breaks the grammar or a bound, or holds a parameter name twice.
    pub fn parse(field_value: &'a [u8]) -> Result<Self, ParseError> {
        Cursor::field(field_value, Cursor::item)
    }
}

impl<'a> Params<'a> {
    /// The value of the parameter with this name.
    pub fn get(&self, name: &str) -> Option<&BareItem<'a>> {
        self.entries.iter().find(|(entry, _)| *entry == name).map(|(_, value)| value)
    }

    /// Names and values in the order received.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&'a str, &BareItem<'a>)> {
        self.entries.iter().map(|(name, value)| (*name, value))
    }

    /// How many parameters there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no parameter.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl BareItem<'_> {
    /// The type's name, for error messages.
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::Integer(_) => "integer",
            Self::Decimal(_) => "decimal",
            Self::String(_) => "string",
            Self::Token(_) => "token",
            Self::ByteSequence(_) => "byte sequence",
            Self::Boolean(_) => "boolean",
        }
    }
}
