//! The parsing algorithms of RFC 8941 §4.2, one function for each.

use std::borrow::Cow;

use super::{
    BareItem, ByteSequence, Dictionary, InnerList, Item, List, MAX_FIELD_LEN, MAX_INNER_ITEMS,
    MAX_MEMBERS, MAX_PARAMS, Member, MemberValue, Params, ParseError, ParseErrorKind,
};
use crate::text::class::Class;

/// What is left of a field value. No production of the grammar takes a byte that is not ASCII, so it
/// always begins at a character.
pub(super) struct Cursor<'a> {
    rest: &'a str,
    /// The length of the whole value, which offsets in errors are counted from.
    length: usize,
}

/// Boxed, so that a refusal takes no room in the answers of the happy path, which most productions
/// then return in registers.
type Parsed<T> = Result<T, Box<ParseError>>;

impl<'a> Cursor<'a> {
    /// Parses a whole field value with `parse` (RFC 8941 §4.2).
    pub(super) fn field<T>(
        value: &'a [u8],
        parse: impl FnOnce(&mut Self) -> Parsed<T>,
    ) -> Result<T, ParseError> {
        if value.len() > MAX_FIELD_LEN {
            return Err(ParseError {
                offset: MAX_FIELD_LEN,
                kind: ParseErrorKind::TooLong { actual: value.len() },
            });
        }
        let text = std::str::from_utf8(value).map_err(|_| not_ascii(value))?;
        let mut cursor = Self { rest: text, length: text.len() };
        cursor.skip_spaces();
        let parsed = parse(&mut cursor).map_err(|error| *error)?;
        cursor.skip_spaces();
        match cursor.peek() {
            None => Ok(parsed),
            Some(_) => Err(*cursor.unexpected("the end of the value")),
        }
    }

    /// RFC 8941 §4.2.2.
    pub(super) fn dictionary(&mut self) -> Parsed<Dictionary<'a>> {
        let mut dictionary = Dictionary::empty();
        self.members(|cursor| {
            let start = cursor.offset();
            let key = cursor.key()?;
            if dictionary.get(key).is_some() {
                return Err(error_at(start, ParseErrorKind::DuplicateKey(key.to_owned())));
            }
            let has_value = cursor.eat('=');
            let from = cursor.rest;
            let value = if has_value {
                cursor.item_or_inner_list()?
            } else {
                MemberValue::Item(Item { bare: BareItem::Boolean(true), params: cursor.params()? })
            };
            dictionary.push(Member { key, value, raw: cursor.since(from)? });
            Ok(())
        })?;
        Ok(dictionary)
    }

    /// RFC 8941 §4.2.1.
    pub(super) fn list(&mut self) -> Parsed<List<'a>> {
        let mut members = Vec::new();
        self.members(|cursor| {
            members.push(cursor.item_or_inner_list()?);
            Ok(())
        })?;
        Ok(List { members })
    }

    /// RFC 8941 §4.2.3.
    pub(super) fn item(&mut self) -> Parsed<Item<'a>> {
        Ok(Item { bare: self.bare_item()?, params: self.params()? })
    }

    /// The commas that lists and dictionaries have in common.
    fn members(&mut self, mut member: impl FnMut(&mut Self) -> Parsed<()>) -> Parsed<()> {
        if self.peek().is_none() {
            return Ok(());
        }
        for _ in 0..MAX_MEMBERS {
            member(self)?;
            self.skip_ows();
            if self.peek().is_none() {
                return Ok(());
            }
            let comma = self.offset();
            if !self.eat(',') {
                return Err(self.unexpected("',' or the end of the value"));
            }
            self.skip_ows();
            if self.peek().is_none() {
                return Err(error_at(comma, ParseErrorKind::TrailingComma));
            }
        }
        Err(self.error(ParseErrorKind::TooManyMembers))
    }

    fn item_or_inner_list(&mut self) -> Parsed<MemberValue<'a>> {
        match self.peek() {
            Some(b'(') => self.inner_list().map(MemberValue::InnerList),
            _ => self.item().map(MemberValue::Item),
        }
    }

    /// RFC 8941 §4.2.1.2.
    fn inner_list(&mut self) -> Parsed<InnerList<'a>> {
        self.eat('(');
        let mut items = Vec::with_capacity(8);
        loop {
            self.skip_spaces();
            if self.eat(')') {
                return Ok(InnerList { items, params: self.params()? });
            }
            if items.len() == MAX_INNER_ITEMS {
                return Err(self.error(ParseErrorKind::TooManyItems));
            }
            items.push(self.item()?);
            if !matches!(self.peek(), Some(b' ' | b')')) {
                return Err(self.unexpected("a space or ')' after an item of an inner list"));
            }
        }
    }

    /// RFC 8941 §4.2.3.2.
    #[inline]
    fn params(&mut self) -> Parsed<Params<'a>> {
        if self.peek() == Some(b';') { self.some_params() } else { Ok(Params::default()) }
    }

    fn some_params(&mut self) -> Parsed<Params<'a>> {
        // A signature has six.
        let mut entries: Vec<(&'a str, BareItem<'a>)> = Vec::with_capacity(8);
        while self.eat(';') {
            self.skip_spaces();
            let start = self.offset();
            let name = self.key()?;
            if entries.iter().any(|(entry, _)| *entry == name) {
                return Err(error_at(start, ParseErrorKind::DuplicateParameter(name.to_owned())));
            }
            if entries.len() == MAX_PARAMS {
                return Err(error_at(start, ParseErrorKind::TooManyParameters));
            }
            let value = if self.eat('=') { self.bare_item()? } else { BareItem::Boolean(true) };
            entries.push((name, value));
        }
        Ok(Params { entries })
    }

    /// RFC 8941 §4.2.3.3.
    fn key(&mut self) -> Parsed<&'a str> {
        match self.peek() {
            Some(b'a'..=b'z' | b'*') => self.take_while(Class::KEY),
            _ => Err(self.unexpected("a key: a lower-case letter or '*' first")),
        }
    }

    /// RFC 8941 §4.2.3.1.
    fn bare_item(&mut self) -> Parsed<BareItem<'a>> {
        match self.peek() {
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b'"') => self.string().map(BareItem::String),
            Some(b':') => self.byte_sequence().map(BareItem::ByteSequence),
            Some(b'?') => self.boolean().map(BareItem::Boolean),
            Some(b'A'..=b'Z' | b'a'..=b'z' | b'*') => {
                Ok(BareItem::Token(self.take_while(Class::TOKEN)?))
            }
            _ => {
                Err(self.unexpected("an integer, decimal, string, token, byte sequence or boolean"))
            }
        }
    }

    /// RFC 8941 §4.2.4.
    fn number(&mut self) -> Parsed<BareItem<'a>> {
        let from = self.rest;
        let start = self.offset();
        let negative = self.eat('-');
        let digits = self.take_while(Class::DIGIT)?;
        if digits.is_empty() {
            return Err(self.unexpected("a digit"));
        }
        if self.eat('.') {
            let fraction = self.take_while(Class::DIGIT)?;
            if fraction.is_empty() {
                return Err(self.unexpected("a digit after the decimal point"));
            }
            if digits.len() > 12 || fraction.len() > 3 {
                return Err(error_at(start, ParseErrorKind::DecimalTooLong));
            }
            return Ok(BareItem::Decimal(self.since(from)?));
        }
        if digits.len() > 15 {
            return Err(error_at(start, ParseErrorKind::IntegerTooLong));
        }
        let magnitude = digits.bytes().fold(0_i64, |sum, digit| sum * 10 + i64::from(digit - b'0'));
        Ok(BareItem::Integer(if negative { -magnitude } else { magnitude }))
    }

    /// RFC 8941 §4.2.5.
    fn string(&mut self) -> Parsed<Cow<'a, str>> {
        self.eat('"');
        let mut chunk = self.take_while(Class::PLAIN_STRING)?;
        if self.eat('"') {
            return Ok(Cow::Borrowed(chunk));
        }
        let mut unescaped = String::new();
        loop {
            unescaped.push_str(chunk);
            if self.eat('"') {
                return Ok(Cow::Owned(unescaped));
            }
            if !self.eat('\\') {
                return Err(
                    self.unexpected("a printable ASCII character or the closing '\"' of a string")
                );
            }
            let escaped = ['"', '\\'].into_iter().find(|escaped| self.eat(*escaped));
            unescaped.push(
                escaped
                    .ok_or_else(|| self.unexpected("'\"' or '\\' after the '\\' of a string"))?,
            );
            chunk = self.take_while(Class::PLAIN_STRING)?;
        }
    }

    /// RFC 8941 §4.2.7, with the base64url characters admitted and decoding left to the caller.
    fn byte_sequence(&mut self) -> Parsed<ByteSequence<'a>> {
        self.eat(':');
        let raw = self.take_while(Class::BASE64)?;
        if self.eat(':') {
            Ok(ByteSequence::new(raw))
        } else {
            Err(self.unexpected("a base64 character or the closing ':' of a byte sequence"))
        }
    }

    /// RFC 8941 §4.2.8.
    fn boolean(&mut self) -> Parsed<bool> {
        self.eat('?');
        if self.eat('1') {
            Ok(true)
        } else if self.eat('0') {
            Ok(false)
        } else {
            Err(self.unexpected("'0' or '1' after the '?' of a boolean"))
        }
    }

    fn peek(&self) -> Option<u8> {
        self.rest.as_bytes().first().copied()
    }

    fn eat(&mut self, character: char) -> bool {
        match self.rest.strip_prefix(character) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    #[inline]
    fn take_while(&mut self, class: Class) -> Parsed<&'a str> {
        let taken = self.rest.split_at_checked(class.prefix_of(self.rest.as_bytes()));
        let (taken, rest) = taken.ok_or_else(|| self.unexpected("ASCII"))?;
        self.rest = rest;
        Ok(taken)
    }

    /// What was taken since `from` was left.
    fn since(&self, from: &'a str) -> Parsed<&'a str> {
        let taken = from.len().saturating_sub(self.rest.len());
        from.get(..taken).ok_or_else(|| self.unexpected("ASCII"))
    }

    fn skip_spaces(&mut self) {
        while self.eat(' ') {}
    }

    fn skip_ows(&mut self) {
        while self.eat(' ') || self.eat('\t') {}
    }

    fn offset(&self) -> usize {
        self.length.saturating_sub(self.rest.len())
    }

    #[cold]
    fn error(&self, kind: ParseErrorKind) -> Box<ParseError> {
        error_at(self.offset(), kind)
    }

    #[cold]
    fn unexpected(&self, expected: &'static str) -> Box<ParseError> {
        match self.peek() {
            Some(byte) if !byte.is_ascii() => self.error(ParseErrorKind::NotAscii(byte)),
            found => self.error(ParseErrorKind::Unexpected { found, expected }),
        }
    }
}

#[cold]
fn error_at(offset: usize, kind: ParseErrorKind) -> Box<ParseError> {
    Box::new(ParseError { offset, kind })
}

/// The first byte of `value` that is not ASCII.
#[cold]
fn not_ascii(value: &[u8]) -> ParseError {
    let found = value.iter().copied().enumerate().find(|(_, byte)| !byte.is_ascii());
    let (offset, byte) = found.unwrap_or_default();
    ParseError { offset, kind: ParseErrorKind::NotAscii(byte) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dictionary_error(text: &str) -> (usize, ParseErrorKind) {
        let error = Dictionary::parse(text.as_bytes()).unwrap_err();
        (error.offset, error.kind)
    }

    fn offset_of(text: &str) -> usize {
        let (offset, kind) = dictionary_error(text);
        assert!(matches!(kind, ParseErrorKind::Unexpected { .. }), "{text:?}: {kind:?}");
        offset
    }

    #[test]
    fn a_signature_input_is_read_whole() {
        let text =
            br#"sig1=("@method" "content-digest";sf);created=-1;keyid="a\"b\\c";tag=x/y , b;q=1.50, c=?0"#;
        let dictionary = Dictionary::parse(text).unwrap();
        let keys: Vec<_> = dictionary.iter().map(|member| (member.key, member.raw)).collect();
        let raw = r#"("@method" "content-digest";sf);created=-1;keyid="a\"b\\c";tag=x/y"#;
        assert_eq!(keys, [("sig1", raw), ("b", ";q=1.50"), ("c", "?0")]);
        let MemberValue::InnerList(list) = &dictionary.get("sig1").unwrap().value else { panic!() };
        assert_eq!(list.items[1].params.get("sf"), Some(&BareItem::Boolean(true)));
        assert_eq!(list.params.get("created"), Some(&BareItem::Integer(-1)));
        assert_eq!(list.params.get("keyid"), Some(&BareItem::String("a\"b\\c".into())));
        assert_eq!(list.params.get("tag"), Some(&BareItem::Token("x/y")));
        assert_eq!(
            list.params.iter().map(|(name, _)| name).collect::<Vec<_>>(),
            ["created", "keyid", "tag"]
        );
    }

    #[test]
    fn duplicates_are_errors_wherever_they_stand() {
        let key = |key: &str| ParseErrorKind::DuplicateKey(key.to_owned());
        let parameter = |name: &str| ParseErrorKind::DuplicateParameter(name.to_owned());
        assert_eq!(dictionary_error("a=1, b, a"), (8, key("a")));
        assert_eq!(dictionary_error("a=();x=1;y; x=2"), (12, parameter("x")));
        assert_eq!(dictionary_error("a=(b;x;x)"), (7, parameter("x")));
        assert_eq!(dictionary_error("a;x;x"), (4, parameter("x")));
    }

    #[test]
    fn what_the_grammar_refuses_is_refused_at_its_place() {
        let cases: [(&str, usize); 35] = [
            ("A=1", 0),
            ("aB=1", 1),
            ("=1", 0),
            ("1=1", 0),
            ("a=", 2),
            ("a= 1", 2),
            ("a =1", 2),
            ("a=1 b=2", 4),
            ("a=1;;b", 4),
            ("a=1; ", 5),
            ("a=1;\tb", 4),
            ("a=1 ;b", 4),
            ("a=+1", 2),
            ("a=1_0", 3),
            ("a=-", 3),
            ("a=--1", 3),
            ("a=1.", 4),
            ("a=.5", 2),
            ("a=1.5.5", 5),
            ("a=\"x", 4),
            ("a=\"x\\", 5),
            ("a=\"\\n\"", 4),
            ("a=\"\x7f\"", 3),
            ("a=\"x\ny\"", 4),
            ("a=:AA", 5),
            ("a=:A A:", 4),
            ("a=?2", 3),
            ("a=?", 3),
            ("a=(\"b\"\"c\")", 6),
            ("a=(\tb)", 3),
            ("a=(b\tc)", 4),
            ("a=((b))", 3),
            ("a=(b", 4),
            ("a=@1659578233", 2),
            ("a=%\"x\"", 2),
        ];
        for (text, offset) in cases {
            assert_eq!(offset_of(text), offset, "{text:?}");
        }
    }

    #[test]
    fn spaces_and_tabs_go_where_the_rfc_has_them() {
        for text in ["", "  ", " a ", "a=1\t", "a=1\t ,\t b=2", "a=1,b=2", "a=( b  c ); x;  y=1"] {
            assert!(Dictionary::parse(text.as_bytes()).is_ok(), "{text:?}");
        }
        assert_eq!(offset_of("\ta"), 0);
        assert_eq!(dictionary_error("a=1, "), (3, ParseErrorKind::TrailingComma));
        assert_eq!(dictionary_error("a=1,\t"), (3, ParseErrorKind::TrailingComma));
        assert_eq!(offset_of("a=1,,b=2"), 4);
        assert_eq!(offset_of(",a=1"), 0);
    }

    #[test]
    fn numbers_keep_to_their_digits() {
        let bare = |text: &'static str| Item::parse(text.as_bytes()).map(|item| item.bare);
        let kind = |text: &'static str| bare(text).unwrap_err().kind;
        assert_eq!(bare("-999999999999999"), Ok(BareItem::Integer(-999_999_999_999_999)));
        assert_eq!(bare("007"), Ok(BareItem::Integer(7)));
        assert_eq!(kind("1000000000000000"), ParseErrorKind::IntegerTooLong);
        assert_eq!(bare("123456789012.125"), Ok(BareItem::Decimal("123456789012.125")));
        assert_eq!(kind("1234567890123.1"), ParseErrorKind::DecimalTooLong);
        assert_eq!(kind("1.1234"), ParseErrorKind::DecimalTooLong);
        // Arabic-Indic and fullwidth digits, which a Unicode-aware integer parser takes.
        assert_eq!(kind("١"), ParseErrorKind::NotAscii(0xd9));
        assert_eq!(kind("１"), ParseErrorKind::NotAscii(0xef));
    }

    #[test]
    fn bounds_hold_at_their_edge() {
        let members =
            |count: usize| (0..count).map(|n| format!("k{n}")).collect::<Vec<_>>().join(",");
        assert_eq!(Dictionary::parse(members(MAX_MEMBERS).as_bytes()).unwrap().len(), MAX_MEMBERS);
        assert_eq!(dictionary_error(&members(MAX_MEMBERS + 1)).1, ParseErrorKind::TooManyMembers);

        let items = |count: usize| format!("a=({})", "x ".repeat(count));
        assert!(Dictionary::parse(items(MAX_INNER_ITEMS).as_bytes()).is_ok());
        assert_eq!(dictionary_error(&items(MAX_INNER_ITEMS + 1)).1, ParseErrorKind::TooManyItems);

        let params = |count: usize| (0..count).map(|n| format!(";p{n}")).collect::<String>();
        assert!(Dictionary::parse(format!("a{}", params(MAX_PARAMS)).as_bytes()).is_ok());
        assert_eq!(
            dictionary_error(&format!("a{}", params(MAX_PARAMS + 1))).1,
            ParseErrorKind::TooManyParameters
        );

        let long = |len: usize| format!("a=\"{}\"", "x".repeat(len - 4));
        assert!(Dictionary::parse(long(MAX_FIELD_LEN).as_bytes()).is_ok());
        let actual = MAX_FIELD_LEN + 1;
        assert_eq!(
            dictionary_error(&long(actual)),
            (MAX_FIELD_LEN, ParseErrorKind::TooLong { actual })
        );
    }

    #[test]
    fn non_ascii_is_refused_inside_strings_too() {
        assert_eq!(dictionary_error("a=\"é\""), (3, ParseErrorKind::NotAscii(0xc3)));
        let invalid_utf8 = Dictionary::parse(b"a=\xff").unwrap_err();
        assert_eq!(invalid_utf8, ParseError { offset: 2, kind: ParseErrorKind::NotAscii(0xff) });
    }

    #[test]
    fn byte_sequences_of_both_alphabets_pass_the_tokenizer() {
        for raw in ["", "AA==", "-_-_", "+/", "-+", "="] {
            let text = format!(":{raw}:");
            let item = Item::parse(text.as_bytes()).unwrap();
            assert_eq!(item.bare, BareItem::ByteSequence(ByteSequence::new(raw)));
        }
    }
}
