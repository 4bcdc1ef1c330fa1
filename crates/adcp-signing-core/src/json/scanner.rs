//! The strict RFC 8259 tokenizer: events over borrowed bytes, no recursion, no allocation.

use std::borrow::Cow;

use super::{MAX_DEPTH, StrictJsonError};

/// One step through a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event<'a> {
    Open(Container),
    Close(Container),
    Key(Text<'a>),
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
    escaped: bool,
}

impl<'a> Text<'a> {
    /// The UTF-8 of the string that the literal stands for.
    #[inline(always)]
    pub(super) fn unescaped_bytes(self) -> Cow<'a, [u8]> {
        if self.escaped {
            Cow::Owned(self.unescape().into_owned().into_bytes())
        } else {
            Cow::Borrowed(self.raw)
        }
    }

    /// The string that the literal stands for.
    pub(super) fn unescape(self) -> Cow<'a, str> {
        // A quote ends no other character, so a slice of UTF-8 between quotes is UTF-8.
        let raw = std::str::from_utf8(self.raw).unwrap_or_default();
        if !self.escaped {
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
                    let (decoded, length) =
                        unicode_escape(chars.as_str().as_bytes()).unwrap_or((char::REPLACEMENT_CHARACTER, 4));
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

/// What may come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    Value,
    FirstElement,
    FirstKey,
    Key,
    CommaOrEnd,
}

pub(super) struct Scanner<'a> {
    bytes: &'a [u8],
    offset: usize,
    expect: Expect,
    depth: usize,
    /// Whether the innermost open container is an object.
    in_object: bool,
    /// Bit `n` says that level `n` is an object; as wide as `MAX_DEPTH`.
    objects: u128,
}

// A verifier scans every body, so all that events pass through is inlined into the loop over the events: the scanner then
// lives in registers.
impl<'a> Scanner<'a> {
    pub(super) fn new(body: &'a [u8]) -> Result<Self, StrictJsonError> {
        let text = std::str::from_utf8(body)
            .map_err(|error| StrictJsonError::Invalid { offset: error.valid_up_to(), what: "not UTF-8" })?;
        if text.starts_with('\u{feff}') {
            return Err(StrictJsonError::Invalid { offset: 0, what: "byte order mark" });
        }
        let expect = Expect::Value;
        Ok(Self { bytes: body, offset: 0, expect, depth: 0, in_object: false, objects: 0 })
    }

    /// The next event, or `None` at the end of a complete document.
    #[inline(always)]
    pub(super) fn next(&mut self) -> Result<Option<Event<'a>>, StrictJsonError> {
        let mut byte = self.skip_whitespace();
        if self.expect == Expect::CommaOrEnd {
            match byte {
                None if self.depth == 0 => return Ok(None),
                Some(_) if self.depth == 0 => return Err(self.invalid("content after the document")),
                Some(b',') => {
                    self.offset += 1;
                    self.expect = if self.in_object { Expect::Key } else { Expect::Value };
                    byte = self.skip_whitespace();
                }
                Some(b'}') if self.in_object => return Ok(Some(self.close(Container::Object))),
                Some(b']') if !self.in_object => return Ok(Some(self.close(Container::Array))),
                Some(_) => return Err(self.invalid("expected ',' or the end of the object or array")),
                None => {}
            }
        }
        let Some(byte) = byte else { return Err(self.invalid("the document ends early")) };
        match (self.expect, byte) {
            (Expect::FirstKey | Expect::Key, b'"') => self.key().map(Some),
            (Expect::FirstKey, b'}') => Ok(Some(self.close(Container::Object))),
            (Expect::FirstKey | Expect::Key, _) => {
                Err(self.invalid("expected a member name in double quotes"))
            }
            (Expect::FirstElement, b']') => Ok(Some(self.close(Container::Array))),
            _ => self.value(byte).map(Some),
        }
    }

    #[inline(always)]
    fn key(&mut self) -> Result<Event<'a>, StrictJsonError> {
        let name = self.string()?;
        if self.skip_whitespace() != Some(b':') {
            return Err(self.invalid("expected ':' after a member name"));
        }
        self.offset += 1;
        self.expect = Expect::Value;
        Ok(Event::Key(name))
    }

    #[inline(always)]
    fn value(&mut self, byte: u8) -> Result<Event<'a>, StrictJsonError> {
        match byte {
            b'{' => return self.open(Container::Object),
            b'[' => return self.open(Container::Array),
            _ => self.expect = Expect::CommaOrEnd,
        }
        match byte {
            b'"' => self.string().map(Event::String),
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.literal("true", Event::Bool),
            b'f' => self.literal("false", Event::Bool),
            b'n' => self.literal("null", Event::Null),
            _ => Err(self.invalid("expected a value")),
        }
    }

    #[inline(always)]
    fn open(&mut self, container: Container) -> Result<Event<'a>, StrictJsonError> {
        if self.depth == MAX_DEPTH {
            return Err(StrictJsonError::TooDeep { offset: self.offset });
        }
        let level = 1 << self.depth;
        match container {
            Container::Object => {
                self.objects |= level;
                self.expect = Expect::FirstKey;
            }
            Container::Array => {
                self.objects &= !level;
                self.expect = Expect::FirstElement;
            }
        }
        self.in_object = container == Container::Object;
        self.depth += 1;
        self.offset += 1;
        Ok(Event::Open(container))
    }

    #[inline(always)]
    fn close(&mut self, container: Container) -> Event<'a> {
        self.depth = self.depth.saturating_sub(1);
        self.in_object = self.depth.checked_sub(1).is_some_and(|level| self.objects >> level & 1 == 1);
        self.offset += 1;
        self.expect = Expect::CommaOrEnd;
        Event::Close(container)
    }

    #[inline(always)]
    fn string(&mut self) -> Result<Text<'a>, StrictJsonError> {
        self.offset += 1;
        let start = self.offset;
        let mut escaped = false;
        loop {
            self.offset += plain_length(self.bytes.get(self.offset..).unwrap_or_default());
            match self.peek() {
                Some(b'"') => {
                    let raw = self.bytes.get(start..self.offset).unwrap_or_default();
                    self.offset += 1;
                    return Ok(Text { raw, escaped });
                }
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(_) => return Err(self.invalid("control character in a string")),
                None => return Err(self.invalid("the string has no end")),
            }
        }
    }

    #[inline(always)]
    fn escape(&mut self) -> Result<(), StrictJsonError> {
        let length = match self.bytes.get(self.offset + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
            Some(b'u') => {
                let digits = self.bytes.get(self.offset + 2..).unwrap_or_default();
                let (_, length) =
                    unicode_escape(digits).ok_or(self.invalid("malformed \\u escape or lone surrogate"))?;
                length + 2
            }
            _ => return Err(self.invalid("unknown escape")),
        };
        self.offset += length;
        Ok(())
    }

    #[inline(always)]
    fn number(&mut self) -> Result<Event<'a>, StrictJsonError> {
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
        Ok(Event::Number)
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
    fn literal(&mut self, literal: &str, event: Event<'a>) -> Result<Event<'a>, StrictJsonError> {
        if !self.bytes.get(self.offset..).is_some_and(|rest| rest.starts_with(literal.as_bytes())) {
            return Err(self.invalid("expected a value"));
        }
        self.offset += literal.len();
        Ok(event)
    }

    /// Skips whitespace and says which byte follows.
    #[inline(always)]
    fn skip_whitespace(&mut self) -> Option<u8> {
        loop {
            match self.peek() {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.offset += 1,
                byte => return byte,
            }
        }
    }

    #[inline(always)]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.offset).copied()
    }

    #[inline(always)]
    fn invalid(&self, what: &'static str) -> StrictJsonError {
        StrictJsonError::Invalid { offset: self.offset, what }
    }
}

/// How many bytes of a string literal come before a quote, a backslash or a control character.
///
/// Eight bytes are looked at together: a byte of `word` that is zero, or less than a space, borrows into its top bit.
/// The borrow can mark bytes above a real match too, so only the lowest mark counts, which is the first byte.
fn plain_length(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 0xff;
    const TOPS: u64 = ONES << 7;
    let (words, tail) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let quote = word ^ (ONES * u64::from(b'"'));
        let backslash = word ^ (ONES * u64::from(b'\\'));
        let marks = (quote.wrapping_sub(ONES) & !quote
            | backslash.wrapping_sub(ONES) & !backslash
            | word.wrapping_sub(ONES * u64::from(b' ')) & !word)
            & TOPS;
        if marks != 0 {
            return index * 8 + marks.trailing_zeros() as usize / 8;
        }
    }
    let end = tail.iter().position(|&byte| byte == b'"' || byte == b'\\' || byte < b' ');
    bytes.len() - tail.len() + end.unwrap_or(tail.len())
}

/// The character of a `\u` escape whose hex digits start `digits`, and how many bytes it takes after the `\u`: four, or
/// ten for a surrogate pair.
fn unicode_escape(digits: &[u8]) -> Option<(char, usize)> {
    let high = hex4(digits)?;
    if !(0xd800..0xdc00).contains(&high) {
        return char::from_u32(high).map(|decoded| (decoded, 4));
    }
    let low = digits.get(4..)?.strip_prefix(b"\\u").and_then(hex4)?;
    let pair = (0xdc00..0xe000).contains(&low).then(|| 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00))?;
    char::from_u32(pair).map(|decoded| (decoded, 10))
}

fn hex4(digits: &[u8]) -> Option<u32> {
    digits
        .get(..4)?
        .iter()
        .try_fold(0, |value, &digit| char::from(digit).to_digit(16).map(|nibble| value << 4 | nibble))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn the_plain_run_of_a_string_ends_at_the_first_special_byte(
            bytes in prop::collection::vec(prop_oneof![8 => any::<u8>(), 1 => Just(b'"'), 1 => Just(b'\\')], 0..40)
        ) {
            let special = bytes.iter().position(|&byte| byte == b'"' || byte == b'\\' || byte < b' ');
            prop_assert_eq!(plain_length(&bytes), special.unwrap_or(bytes.len()));
        }
    }
}
