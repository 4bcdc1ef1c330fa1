//! The strict RFC 8259 tokenizer: events over borrowed bytes, no recursion, no allocation.

use std::borrow::Cow;

use super::specials::Specials;
use super::{JsonLimits, StrictJsonError};

/// Takes the parts of a document in the order of the text. Each part has its own method, so that a
/// reader pays only for the parts it uses.
pub(super) trait Reader<'a> {
    fn open(&mut self, container: Container);
    fn close(&mut self, container: Container);
    fn key(&mut self, name: Text<'a>);
    fn scalar(&mut self, scalar: Scalar<'a>);
}

/// Two readers in one pass.
impl<'a, First: Reader<'a>, Second: Reader<'a>> Reader<'a> for (First, Second) {
    #[inline(always)]
    fn open(&mut self, container: Container) {
        self.0.open(container);
        self.1.open(container);
    }

    #[inline(always)]
    fn close(&mut self, container: Container) {
        self.0.close(container);
        self.1.close(container);
    }

    #[inline(always)]
    fn key(&mut self, name: Text<'a>) {
        self.0.key(name);
        self.1.key(name);
    }

    #[inline(always)]
    fn scalar(&mut self, scalar: Scalar<'a>) {
        self.0.scalar(scalar);
        self.1.scalar(scalar);
    }
}

/// A value without parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scalar<'a> {
    String(Text<'a>),
    /// The number as written.
    Number(&'a str),
    Bool(bool),
    Null,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Container {
    Object,
    Array,
}

/// The inside of a string literal, its escapes checked but not yet decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Text<'a> {
    /// As written.
    pub(super) raw: &'a str,
    pub(super) has_escapes: bool,
}

impl<'a> Text<'a> {
    /// A text without escapes.
    pub(super) const fn plain(raw: &'a str) -> Self {
        Self { raw, has_escapes: false }
    }

    /// The string that the literal stands for.
    pub(super) fn unescape(self) -> Cow<'a, str> {
        if self.has_escapes { Cow::Owned(unescape(self.raw)) } else { Cow::Borrowed(self.raw) }
    }
}

fn unescape(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((plain, tail)) = rest.split_once('\\') {
        out.push_str(plain);
        // The scanner admitted the escape by the same function. A backslash that it would not admit
        // stays: nothing is dropped or replaced.
        match escape(tail) {
            Some((decoded, after)) => {
                out.push(decoded);
                rest = after;
            }
            None => {
                out.push('\\');
                rest = tail;
            }
        }
    }
    out.push_str(rest);
    out
}

/// The character that an escape stands for, and the text behind it. `tail` begins after the
/// backslash.
fn escape(tail: &str) -> Option<(char, &str)> {
    let mut chars = tail.chars();
    let decoded = match chars.next()? {
        plain @ ('"' | '\\' | '/') => plain,
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' => return unicode_escape(chars.as_str()),
        _ => return None,
    };
    Some((decoded, chars.as_str()))
}

/// The character of a `\u` escape, and the text behind it. `digits` begins after the `\u`; a
/// surrogate pair takes two escapes.
fn unicode_escape(digits: &str) -> Option<(char, &str)> {
    let (high, rest) = hex4(digits)?;
    if !(0xd800..0xdc00).contains(&high) {
        return char::from_u32(high).map(|decoded| (decoded, rest));
    }
    let (low, rest) = hex4(rest.strip_prefix("\\u")?)?;
    let pair = (0xdc00..0xe000)
        .contains(&low)
        .then(|| 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00))?;
    char::from_u32(pair).map(|decoded| (decoded, rest))
}

fn hex4(text: &str) -> Option<(u32, &str)> {
    let (digits, rest) = text.split_at_checked(4)?;
    let value = digits
        .chars()
        .try_fold(0, |value, digit| digit.to_digit(16).map(|nibble| value << 4 | nibble))?;
    Some((value, rest))
}

/// Reads `body` as one document within the limits. The reader sees everything before an error.
// Not inlined: the loops of two readers in one function spill more of their state to the stack.
#[inline(never)]
pub(super) fn scan<'a>(
    body: &'a [u8],
    limits: &JsonLimits,
    reader: &mut impl Reader<'a>,
) -> Result<(), StrictJsonError> {
    let mut cursor = Cursor::new(body)?;
    let mut open = Open { depth: 0, max_depth: limits.max_depth(), objects: 0 };
    // Each turn of the loop reads one value: the root, a member or an element.
    let mut left = limits.max_members() + 1;
    'value: loop {
        if left == 0 {
            return Err(cursor.too_many(limits));
        }
        left -= 1;
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
                reader.scalar(Scalar::Number(cursor.number()?));
            }
            Some(b't') => reader.scalar(cursor.literal(b"true", Scalar::Bool(true))?),
            Some(b'f') => reader.scalar(cursor.literal(b"false", Scalar::Bool(false))?),
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
struct Open {
    depth: usize,
    /// At most 128, the width of `objects`.
    max_depth: usize,
    /// A bit for each open container, the innermost lowest, set for an object.
    objects: u128,
}

impl Open {
    fn push(&mut self, container: Container, cursor: &Cursor<'_>) -> Result<(), StrictJsonError> {
        if self.depth >= self.max_depth {
            return Err(StrictJsonError::TooDeep { limit: self.max_depth, offset: cursor.offset });
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
    text: &'a str,
    offset: usize,
    specials: Specials,
}

// A verifier scans every body, so the methods are inlined into the loop of `scan`, and the others
// get no reference: the cursor then lives in registers.
impl<'a> Cursor<'a> {
    fn new(body: &'a [u8]) -> Result<Self, StrictJsonError> {
        let text = std::str::from_utf8(body).map_err(|error| StrictJsonError::Invalid {
            offset: error.valid_up_to(),
            what: "not UTF-8",
        })?;
        if text.starts_with('\u{feff}') {
            return Err(StrictJsonError::Invalid {
                offset: 0,
                what: "a byte order mark (BOM); write the text without it",
            });
        }
        Ok(Self { text, offset: 0, specials: Specials::of_block(body, 0) })
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
        let end = self.specials.next(self.text.as_bytes(), start);
        if self.bytes().get(end) == Some(&b'"') {
            let raw = self.slice(start, end)?;
            self.offset = end + 1;
            return Ok(Text::plain(raw));
        }
        let (cursor, text) = Self { offset: end, ..*self }.escaped_string(start)?;
        *self = cursor;
        Ok(text)
    }

    /// The rest of a string literal whose first special byte does not end it.
    #[inline(never)]
    fn escaped_string(mut self, start: usize) -> Result<(Self, Text<'a>), StrictJsonError> {
        let mut has_escapes = false;
        loop {
            match self.peek() {
                Some(b'"') => {
                    let raw = self.slice(start, self.offset)?;
                    self.offset += 1;
                    return Ok((self, Text { raw, has_escapes }));
                }
                Some(b'\\') => {
                    self.escape()?;
                    has_escapes = true;
                }
                Some(_) => return Err(self.invalid("control character in a string")),
                None => return Err(self.invalid("the string has no end")),
            }
            self.offset = self.specials.next(self.text.as_bytes(), self.offset);
        }
    }

    fn escape(&mut self) -> Result<(), StrictJsonError> {
        let tail = self.text.get(self.offset + 1..).and_then(escape);
        let Some((_, after)) = tail else {
            let is_unicode = self.bytes().get(self.offset + 1) == Some(&b'u');
            return Err(self.invalid(if is_unicode {
                "malformed \\u escape or lone surrogate"
            } else {
                "unknown escape"
            }));
        };
        self.offset = self.text.len() - after.len();
        Ok(())
    }

    /// The text between two places. A quote, comma or the like ends no other character, so each
    /// place is between two characters.
    #[inline(always)]
    fn slice(&self, start: usize, end: usize) -> Result<&'a str, StrictJsonError> {
        self.text.get(start..end).ok_or_else(|| self.invalid("not UTF-8"))
    }

    #[inline(always)]
    fn number(&mut self) -> Result<&'a str, StrictJsonError> {
        let start = self.offset;
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
        self.slice(start, self.offset)
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
        if !self.bytes().get(self.offset..).is_some_and(|rest| rest.starts_with(literal)) {
            return Err(self.invalid("expected a value"));
        }
        self.offset += literal.len();
        Ok(scalar)
    }

    /// Skips whitespace and returns the byte that follows.
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
    fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    #[inline(always)]
    fn peek(&self) -> Option<u8> {
        self.bytes().get(self.offset).copied()
    }

    #[cold]
    #[inline(never)]
    fn too_many(mut self, limits: &JsonLimits) -> StrictJsonError {
        self.skip_whitespace();
        StrictJsonError::TooManyMembers { limit: limits.max_members(), offset: self.offset }
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
