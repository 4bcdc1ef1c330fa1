//! The strict RFC 8259 tokenizer: events over borrowed bytes, no recursion, no allocation.

use std::borrow::Cow;

use super::specials::Specials;
use super::{MAX_DEPTH, StrictJsonError};

/// What a document is made of, in order. One method an event, so that what a reader does not ask
/// for costs nothing.
pub(super) trait Reader<'a> {
    fn open(&mut self, container: Container);
    fn close(&mut self, container: Container);
    fn key(&mut self, name: Text<'a>);
    fn scalar(&mut self, scalar: Scalar<'a>);
}

/// A value without parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scalar<'a> {
    String(Text<'a>),
    Number,
    Bool,
    Null,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Container {
    Object,
    Array,
}

/// The inside of a string literal, its escapes checked but still in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Text<'a> {
    raw: &'a [u8],
    /// How many escapes there are.
    escapes: usize,
}

impl<'a> Text<'a> {
    /// The UTF-8 of a string without escapes.
    #[inline(always)]
    pub(super) fn plain(self) -> Option<&'a [u8]> {
        (self.escapes == 0).then_some(self.raw)
    }

    /// The UTF-8 of the string that the literal stands for.
    pub(super) fn unescaped_bytes(self) -> Cow<'a, [u8]> {
        self.plain()
            .map_or_else(|| Cow::Owned(self.unescape().into_owned().into_bytes()), Cow::Borrowed)
    }

    /// The string that the literal stands for.
    pub(super) fn unescape(self) -> Cow<'a, str> {
        // A quote ends no other character, so a slice of UTF-8 between quotes is UTF-8.
        let raw = std::str::from_utf8(self.raw).unwrap_or_default();
        if self.escapes == 0 {
            return Cow::Borrowed(raw);
        }
        let mut out = String::with_capacity(raw.len());
        let mut rest = raw;
        while let Some((plain, tail)) = rest.split_once('\\') {
            out.push_str(plain);
            let mut chars = tail.chars();
            match chars.next() {
                Some('b') => out.push('\u{8}'),
                Some('f') => out.push('\u{c}'),
                Some('n') => out.push('\n'),
                Some('r') => out.push('\r'),
                Some('t') => out.push('\t'),
                Some('u') => {
                    let (decoded, length) = unicode_escape(chars.as_str().as_bytes())
                        .unwrap_or((char::REPLACEMENT_CHARACTER, 4));
                    out.push(decoded);
                    chars = chars.as_str().get(length..).unwrap_or_default().chars();
                }
                Some(other) => out.push(other),
                None => {}
            }
            rest = chars.as_str();
        }
        out.push_str(rest);
        Cow::Owned(out)
    }
}

/// Reads the one document that `body` is. An error comes after the events of all that precedes it.
pub(super) fn scan<'a>(
    body: &'a [u8],
    reader: &mut impl Reader<'a>,
) -> Result<(), StrictJsonError> {
    let mut cursor = Cursor::new(body)?;
    let mut open = Open::default();
    'value: loop {
        if open.in_object() {
            reader.key(cursor.key()?);
        }
        match cursor.skip_whitespace() {
            Some(b'"') => reader.scalar(Scalar::String(cursor.string()?)),
            Some(b'{') => {
                open.push(Container::Object, &cursor)?;
                cursor.offset += 1;
                reader.open(Container::Object);
                if cursor.skip_whitespace() != Some(b'}') {
                    continue 'value;
                }
            }
            Some(b'[') => {
                open.push(Container::Array, &cursor)?;
                cursor.offset += 1;
                reader.open(Container::Array);
                if cursor.skip_whitespace() != Some(b']') {
                    continue 'value;
                }
            }
            Some(b'-' | b'0'..=b'9') => {
                cursor.number()?;
                reader.scalar(Scalar::Number);
            }
            Some(b't') => reader.scalar(cursor.literal(b"true", Scalar::Bool)?),
            Some(b'f') => reader.scalar(cursor.literal(b"false", Scalar::Bool)?),
            Some(b'n') => reader.scalar(cursor.literal(b"null", Scalar::Null)?),
            Some(_) => return Err(cursor.invalid("expected a value")),
            None => return Err(cursor.ends_early()),
        }
        // A value is complete, or a container was opened that the next byte closes.
        loop {
            let byte = cursor.skip_whitespace();
            let Some(container) = open.innermost() else {
                return if byte.is_none() {
                    Ok(())
                } else {
                    Err(cursor.invalid("content after the document"))
                };
            };
            match (byte, container) {
                (Some(b','), _) => {
                    cursor.offset += 1;
                    continue 'value;
                }
                (Some(b'}'), Container::Object) | (Some(b']'), Container::Array) => {
                    cursor.offset += 1;
                    open.pop();
                    reader.close(container);
                }
                (Some(_), _) => {
                    return Err(cursor.invalid("expected ',' or the end of the object or array"));
                }
                (None, _) => return Err(cursor.ends_early()),
            }
        }
    }
}

/// The containers that are open.
#[derive(Default)]
struct Open {
    depth: usize,
    /// A bit for each, the innermost lowest, set for an object; as wide as `MAX_DEPTH`.
    objects: u128,
}

impl Open {
    fn push(&mut self, container: Container, cursor: &Cursor<'_>) -> Result<(), StrictJsonError> {
        if self.depth == MAX_DEPTH {
            return Err(StrictJsonError::TooDeep { offset: cursor.offset });
        }
        self.depth += 1;
        self.objects = self.objects << 1 | u128::from(container == Container::Object);
        Ok(())
    }

    fn pop(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        self.objects >>= 1;
    }

    fn in_object(&self) -> bool {
        self.objects & 1 == 1
    }

    fn innermost(&self) -> Option<Container> {
        let container = if self.in_object() { Container::Object } else { Container::Array };
        (self.depth > 0).then_some(container)
    }
}

/// A place in the document.
#[derive(Clone, Copy)]
struct Cursor<'a> {
    bytes: &'a [u8],
    offset: usize,
    specials: Specials,
}

// A verifier scans every body, so the methods are inlined into the loop of `scan`, and the others
// get no reference: the cursor then lives in registers.
impl<'a> Cursor<'a> {
    fn new(body: &'a [u8]) -> Result<Self, StrictJsonError> {
        if !body.is_ascii() {
            let text = std::str::from_utf8(body).map_err(|error| StrictJsonError::Invalid {
                offset: error.valid_up_to(),
                what: "not UTF-8",
            })?;
            if text.starts_with('\u{feff}') {
                return Err(StrictJsonError::Invalid { offset: 0, what: "byte order mark" });
            }
        }
        Ok(Self { bytes: body, offset: 0, specials: Specials::of_block(body, 0) })
    }

    /// A member's name and the colon after it.
    #[inline(always)]
    fn key(&mut self) -> Result<Text<'a>, StrictJsonError> {
        match self.skip_whitespace() {
            Some(b'"') => {}
            Some(_) => return Err(self.invalid("expected a member name in double quotes")),
            None => return Err(self.ends_early()),
        }
        let name = self.string()?;
        if self.skip_whitespace() != Some(b':') {
            return Err(self.invalid("expected ':' after a member name"));
        }
        self.offset += 1;
        Ok(name)
    }

    /// A string literal, at its opening quote.
    #[inline(always)]
    fn string(&mut self) -> Result<Text<'a>, StrictJsonError> {
        let start = self.offset + 1;
        let end = self.specials.next(self.bytes, start);
        if self.bytes.get(end) == Some(&b'"') {
            self.offset = end + 1;
            return Ok(Text { raw: self.bytes.get(start..end).unwrap_or_default(), escapes: 0 });
        }
        let (cursor, text) = Self { offset: end, ..*self }.escaped_string(start)?;
        *self = cursor;
        Ok(text)
    }

    /// The rest of a string literal whose first special byte does not end it.
    #[inline(never)]
    fn escaped_string(mut self, start: usize) -> Result<(Self, Text<'a>), StrictJsonError> {
        let mut escapes = 0;
        loop {
            match self.peek() {
                Some(b'"') => {
                    let raw = self.bytes.get(start..self.offset).unwrap_or_default();
                    self.offset += 1;
                    return Ok((self, Text { raw, escapes }));
                }
                Some(b'\\') => {
                    self.escape()?;
                    escapes += 1;
                }
                Some(_) => return Err(self.invalid("control character in a string")),
                None => return Err(self.invalid("the string has no end")),
            }
            self.offset = self.specials.next(self.bytes, self.offset);
        }
    }

    fn escape(&mut self) -> Result<(), StrictJsonError> {
        let length = match self.bytes.get(self.offset + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
            Some(b'u') => {
                let digits = self.bytes.get(self.offset + 2..).unwrap_or_default();
                let (_, length) = unicode_escape(digits)
                    .ok_or(self.invalid("malformed \\u escape or lone surrogate"))?;
                length + 2
            }
            _ => return Err(self.invalid("unknown escape")),
        };
        self.offset += length;
        Ok(())
    }

    #[inline(always)]
    fn number(&mut self) -> Result<(), StrictJsonError> {
        if self.peek() == Some(b'-') {
            self.offset += 1;
        }
        if self.peek() == Some(b'0') {
            self.offset += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.offset += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.offset += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.offset += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    #[inline(always)]
    fn digits(&mut self) -> Result<(), StrictJsonError> {
        let start = self.offset;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.offset += 1;
        }
        if self.offset == start { Err(self.invalid("expected a digit")) } else { Ok(()) }
    }

    #[inline(always)]
    fn literal(
        &mut self,
        literal: &[u8],
        scalar: Scalar<'a>,
    ) -> Result<Scalar<'a>, StrictJsonError> {
        if !self.bytes.get(self.offset..).is_some_and(|rest| rest.starts_with(literal)) {
            return Err(self.invalid("expected a value"));
        }
        self.offset += literal.len();
        Ok(scalar)
    }

    /// Skips whitespace and says which byte follows.
    #[inline(always)]
    fn skip_whitespace(&mut self) -> Option<u8> {
        loop {
            let byte = self.peek()?;
            // All whitespace is below what may follow it.
            if byte > b' ' || !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Some(byte);
            }
            self.offset += 1;
        }
    }

    #[inline(always)]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.offset).copied()
    }

    #[inline(always)]
    fn ends_early(&self) -> StrictJsonError {
        self.invalid("the document ends early")
    }

    #[inline(always)]
    fn invalid(&self, what: &'static str) -> StrictJsonError {
        invalid(self.offset, what)
    }
}

#[cold]
#[inline(never)]
fn invalid(offset: usize, what: &'static str) -> StrictJsonError {
    StrictJsonError::Invalid { offset, what }
}

/// The character of a `\u` escape whose hex digits start `digits`, and how many bytes it takes
/// after the `\u`: four, or ten for a surrogate pair.
fn unicode_escape(digits: &[u8]) -> Option<(char, usize)> {
    let high = hex4(digits)?;
    if !(0xd800..0xdc00).contains(&high) {
        return char::from_u32(high).map(|decoded| (decoded, 4));
    }
    let low = digits.get(4..)?.strip_prefix(b"\\u").and_then(hex4)?;
    let pair = (0xdc00..0xe000)
        .contains(&low)
        .then(|| 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00))?;
    char::from_u32(pair).map(|decoded| (decoded, 10))
}

fn hex4(digits: &[u8]) -> Option<u32> {
    digits.get(..4)?.iter().try_fold(0, |value, &digit| {
        char::from(digit).to_digit(16).map(|nibble| value << 4 | nibble)
    })
}
