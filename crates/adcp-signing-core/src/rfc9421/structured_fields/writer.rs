//! The serialization algorithms of RFC 8941 §4.1.

use super::{
    Alphabet, BareItem, Base64Error, Dictionary, InnerList, Item, List, MemberValue, Params,
};
use crate::text::class::Class;

/// The largest magnitude of an integer (RFC 8941 §3.3.1).
const MAX_INTEGER: u64 = 999_999_999_999_999;

/// A value that cannot be written in a structured field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// A string that is not printable ASCII.
    #[error(
        "byte {offset} of the string is not printable ASCII, which is all a structured field string can hold"
    )]
    String {
        /// Where.
        offset: usize,
    },
    /// An integer of more than 15 digits.
    #[error("{0} has more than the 15 digits of a structured field integer")]
    Integer(i64),
    /// Not a key.
    #[error("a key begins with a-z or '*' and goes on with those, 0-9, '_', '-' and '.'")]
    Key,
    /// Not a token.
    #[error(
        "a token begins with a letter or '*' and goes on with the characters of RFC 8941 section 3.3.4"
    )]
    Token,
    /// Not a decimal.
    #[error("a decimal has 1 to 12 digits, a point and 1 to 3 digits")]
    Decimal,
    /// A byte sequence whose text is not standard base64, so that its canonical form is unknown.
    #[error("the byte sequence cannot be written: {0}")]
    ByteSequence(#[from] Base64Error),
}

/// Appends a quoted string (RFC 8941 §4.1.6).
///
/// # Errors
/// [`WriteError::String`] unless all of it is printable ASCII. Then nothing is appended.
///
/// ```
/// let mut out = String::new();
/// adcp_signing_core::rfc9421::structured_fields::push_string(&mut out, r#"a "b" \ c"#)?;
/// assert_eq!(out, r#""a \"b\" \\ c""#);
/// # Ok::<(), adcp_signing_core::rfc9421::structured_fields::WriteError>(())
/// ```
pub fn push_string(out: &mut String, value: &str) -> Result<(), WriteError> {
    let is_plain = value.bytes().all(|byte| Class::PLAIN_STRING.has(byte));
    if !is_plain && let Some(offset) = value.bytes().position(|byte| !matches!(byte, b' '..=b'~')) {
        return Err(WriteError::String { offset });
    }
    out.reserve(value.len() + 2);
    out.push('"');
    if is_plain {
        out.push_str(value);
    } else {
        for character in value.chars() {
            if matches!(character, '"' | '\\') {
                out.push('\\');
            }
            out.push(character);
        }
    }
    out.push('"');
    Ok(())
}

/// Appends a byte sequence, colons included (RFC 8941 §4.1.8), spelled in `alphabet`.
pub fn push_byte_sequence(out: &mut String, bytes: &[u8], alphabet: Alphabet) {
    out.push(':');
    alphabet.encode(bytes, out);
    out.push(':');
}

/// Appends an integer (RFC 8941 §4.1.4).
///
/// # Errors
/// [`WriteError::Integer`] beyond ±999,999,999,999,999.
pub fn push_integer(out: &mut String, value: i64) -> Result<(), WriteError> {
    if value.unsigned_abs() > MAX_INTEGER {
        return Err(WriteError::Integer(value));
    }
    out.push_str(itoa::Buffer::new().format(value));
    Ok(())
}

/// Appends a key (RFC 8941 §4.1.1.3).
///
/// # Errors
/// [`WriteError::Key`] for anything else.
pub fn push_key(out: &mut String, key: &str) -> Result<(), WriteError> {
    if !key.starts_with(|first: char| first.is_ascii_lowercase() || first == '*')
        || !key.bytes().all(|byte| Class::KEY.has(byte))
    {
        return Err(WriteError::Key);
    }
    out.push_str(key);
    Ok(())
}

/// Appends a token (RFC 8941 §4.1.7).
///
/// # Errors
/// [`WriteError::Token`] for anything else.
pub fn push_token(out: &mut String, token: &str) -> Result<(), WriteError> {
    let first = |first: char| first.is_ascii_alphabetic() || first == '*';
    if !token.starts_with(first) || !token.bytes().all(|byte| Class::TOKEN.has(byte)) {
        return Err(WriteError::Token);
    }
    out.push_str(token);
    Ok(())
}

/// Appends a value in canonical form (RFC 8941 §4.1.3.1).
///
/// # Errors
/// [`WriteError`] for a value outside its type; a byte sequence must be standard base64, exactly.
pub fn push_bare_item(out: &mut String, value: &BareItem<'_>) -> Result<(), WriteError> {
    match value {
        BareItem::Integer(value) => push_integer(out, *value)?,
        BareItem::Decimal(text) => push_decimal(out, text)?,
        BareItem::String(text) => push_string(out, text)?,
        BareItem::Token(text) => push_token(out, text)?,
        BareItem::ByteSequence(sequence) => {
            push_byte_sequence(out, &sequence.decode(Alphabet::Standard)?, Alphabet::Standard);
        }
        BareItem::Boolean(value) => out.push_str(if *value { "?1" } else { "?0" }),
    }
    Ok(())
}

/// Appends parameters (RFC 8941 §4.1.1.2); one that is true is written as its name alone.
///
/// # Errors
/// As for [`push_bare_item`].
pub fn push_params(out: &mut String, params: &Params<'_>) -> Result<(), WriteError> {
    for (name, value) in params.iter() {
        out.push(';');
        push_key(out, name)?;
        if *value != BareItem::Boolean(true) {
            out.push('=');
            push_bare_item(out, value)?;
        }
    }
    Ok(())
}

/// Appends an item with its parameters (RFC 8941 §4.1.3).
///
/// # Errors
/// As for [`push_bare_item`].
pub fn push_item(out: &mut String, item: &Item<'_>) -> Result<(), WriteError> {
    push_bare_item(out, &item.bare)?;
    push_params(out, &item.params)
}

/// Appends an inner list with its parameters (RFC 8941 §4.1.1.1).
///
/// # Errors
/// As for [`push_bare_item`].
pub fn push_inner_list(out: &mut String, list: &InnerList<'_>) -> Result<(), WriteError> {
    out.push('(');
    for (index, item) in list.items.iter().enumerate() {
        if index > 0 {
            out.push(' ');
        }
        push_item(out, item)?;
    }
    out.push(')');
    push_params(out, &list.params)
}

/// Appends a list (RFC 8941 §4.1.1).
///
/// # Errors
/// As for [`push_bare_item`].
pub fn push_list(out: &mut String, list: &List<'_>) -> Result<(), WriteError> {
    for (index, value) in list.members.iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        push_value(out, value)?;
    }
    Ok(())
}

/// Appends a dictionary (RFC 8941 §4.1.2).
///
/// # Errors
/// As for [`push_bare_item`].
pub fn push_dictionary(out: &mut String, dictionary: &Dictionary<'_>) -> Result<(), WriteError> {
    for (index, member) in dictionary.iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        push_key(out, member.key)?;
        match &member.value {
            MemberValue::Item(Item { bare: BareItem::Boolean(true), params }) => {
                push_params(out, params)?
            }
            value => {
                out.push('=');
                push_value(out, value)?;
            }
        }
    }
    Ok(())
}

pub(crate) fn push_value(out: &mut String, value: &MemberValue<'_>) -> Result<(), WriteError> {
    match value {
        MemberValue::Item(item) => push_item(out, item),
        MemberValue::InnerList(list) => push_inner_list(out, list),
    }
}

/// Appends a decimal (RFC 8941 §4.1.5): no needless zero at either end, no sign on zero.
fn push_decimal(out: &mut String, text: &str) -> Result<(), WriteError> {
    let (sign, magnitude) = text.strip_prefix('-').map_or(("", text), |magnitude| ("-", magnitude));
    let (integer, fraction) = magnitude.split_once('.').ok_or(WriteError::Decimal)?;
    let digits = |text: &str, most: usize| {
        (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    if !digits(integer, 12) || !digits(fraction, 3) {
        return Err(WriteError::Decimal);
    }
    let integer = integer.trim_start_matches('0');
    let fraction = fraction.trim_end_matches('0');
    if !(integer.is_empty() && fraction.is_empty()) {
        out.push_str(sign);
    }
    out.push_str(if integer.is_empty() { "0" } else { integer });
    out.push('.');
    out.push_str(if fraction.is_empty() { "0" } else { fraction });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_out_canonical() {
        let cases = [
            ("a=1,b ,  c;x=?1;y=?0", "a=1, b, c;x;y=?0"),
            ("a=?1", "a"),
            ("a=( x   y;q=00.50 );z=-0.0", "a=(x y;q=0.5);z=0.0"),
            ("a=-00.5, b=012, c=100.00", "a=-0.5, b=12, c=100.0"),
            ("a=:AA==:, b=\"\\\"\"", "a=:AA==:, b=\"\\\"\""),
        ];
        for (text, expected) in cases {
            let mut out = String::new();
            push_dictionary(&mut out, &Dictionary::parse(text.as_bytes()).unwrap()).unwrap();
            assert_eq!(out, expected, "{text:?}");
        }
        let mut out = String::new();
        push_list(&mut out, &List::parse(b"a;x,(b  c) ,?1").unwrap()).unwrap();
        assert_eq!(out, "a;x, (b c), ?1");
    }

    #[test]
    fn values_outside_their_type_are_refused_and_nothing_is_written() {
        let mut out = String::new();
        assert_eq!(push_string(&mut out, "a\nb"), Err(WriteError::String { offset: 1 }));
        assert_eq!(push_string(&mut out, "é"), Err(WriteError::String { offset: 0 }));
        assert_eq!(
            push_integer(&mut out, 1_000_000_000_000_000),
            Err(WriteError::Integer(1_000_000_000_000_000))
        );
        assert_eq!(push_integer(&mut out, i64::MIN), Err(WriteError::Integer(i64::MIN)));
        for key in ["", "A", "1a", "a b", "aB", "é"] {
            assert_eq!(push_key(&mut out, key), Err(WriteError::Key), "{key:?}");
        }
        for token in ["", "1a", "a b", "a\"", "a\n"] {
            assert_eq!(push_token(&mut out, token), Err(WriteError::Token), "{token:?}");
        }
        for decimal in ["1", ".5", "1.", "1.2345", "--1.0", "1.-1"] {
            assert_eq!(
                push_bare_item(&mut out, &BareItem::Decimal(decimal)),
                Err(WriteError::Decimal)
            );
        }
        assert_eq!(out, "");
        push_integer(&mut out, -999_999_999_999_999).unwrap();
        assert_eq!(out, "-999999999999999");
    }

    #[test]
    fn both_alphabets_are_spelled() {
        let mut out = String::new();
        push_byte_sequence(&mut out, b"\xff\xef", Alphabet::Standard);
        push_byte_sequence(&mut out, b"\xff\xef", Alphabet::UrlUnpadded);
        assert_eq!(out, ":/+8=::_-8:");
        let url = Dictionary::parse(b"a=:_-8:").unwrap();
        assert!(matches!(push_dictionary(&mut out, &url), Err(WriteError::ByteSequence(_))));
    }
}
