//! The forwarded fields, read strictly: RFC 7239 §4, and lists of plain values.
//!
//! A lenient reader could find another last value than the proxy wrote: within a quoted string that
//! the sender left open, or behind a comma that is quoted.

/// What is wrong with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("it has a value or a parameter that is empty")]
    Empty,
    #[error("a parameter is not NAME=VALUE")]
    Pair,
    #[error("a quoted string does not end")]
    Unterminated,
    #[error("it has a byte that is not allowed there")]
    Byte,
    #[error("an element has a parameter twice")]
    Twice,
}

/// What one proxy wrote.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) host: Option<String>,
    pub(super) proto: Option<String>,
}

/// The elements of `Forwarded`, in their order.
pub(super) fn forwarded(value: &[u8]) -> Result<Vec<Element>, Malformed> {
    let mut elements = Vec::new();
    let mut rest = trim_start(value);
    loop {
        let (element, after) = element(rest)?;
        elements.push(element);
        match trim_start(after) {
            [] => return Ok(elements),
            [b',', after @ ..] => rest = trim_start(after),
            _ => return Err(Malformed::Byte),
        }
    }
}

/// The values of a list without quotes, in their order.
pub(super) fn values(value: &[u8]) -> Result<Vec<String>, Malformed> {
    let part = |part: &[u8]| {
        let part = part.trim_ascii();
        if part.is_empty() {
            return Err(Malformed::Empty);
        }
        if !part.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'"') {
            return Err(Malformed::Byte);
        }
        Ok(String::from_utf8_lossy(part).into_owned())
    };
    value.split(|byte| *byte == b',').map(part).collect()
}

fn element(mut rest: &[u8]) -> Result<(Element, &[u8]), Malformed> {
    let mut element = Element::default();
    let mut names: Vec<Vec<u8>> = Vec::new();
    loop {
        let (name, after) = token(rest)?;
        let [b'=', after @ ..] = after else { return Err(Malformed::Pair) };
        let (value, after) = match after {
            [b'"', after @ ..] => quoted(after)?,
            _ => {
                let (value, after) = token(after)?;
                (value.to_vec(), after)
            }
        };
        let name = name.to_ascii_lowercase();
        let value = String::from_utf8_lossy(&value).into_owned();
        match name.as_slice() {
            b"host" => element.host = Some(value),
            b"proto" => element.proto = Some(value),
            _ => {}
        }
        if names.contains(&name) {
            return Err(Malformed::Twice);
        }
        names.push(name);
        match after {
            [b';', after @ ..] => rest = after,
            _ => return Ok((element, after)),
        }
    }
}

/// RFC 9110 §5.6.2.
fn token(text: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    let end = text.iter().position(|byte| !is_token(byte)).unwrap_or(text.len());
    match text.split_at_checked(end) {
        Some(([], [])) | None => Err(Malformed::Empty),
        Some(([], [b',' | b';', ..])) => Err(Malformed::Empty),
        Some(([], _)) => Err(Malformed::Byte),
        Some(parts) => Ok(parts),
    }
}

/// RFC 9110 §5.6.4, behind the first quote. Bytes beyond ASCII are refused.
fn quoted(mut rest: &[u8]) -> Result<(Vec<u8>, &[u8]), Malformed> {
    let is_text = |byte: u8| byte == b'\t' || byte == b' ' || byte.is_ascii_graphic();
    let mut value = Vec::new();
    loop {
        rest = match rest {
            [] | [b'\\'] => return Err(Malformed::Unterminated),
            [b'"', after @ ..] => return Ok((value, after)),
            [b'\\', byte, after @ ..] | [byte, after @ ..] if is_text(*byte) => {
                value.push(*byte);
                after
            }
            _ => return Err(Malformed::Byte),
        };
    }
}

fn trim_start(text: &[u8]) -> &[u8] {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = text.iter().position(|byte| !blank(byte)).unwrap_or(text.len());
    text.get(start..).unwrap_or_default()
}
