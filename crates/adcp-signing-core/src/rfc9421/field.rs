//! The values of fields (RFC 9421 §2.1): as received, structured, by member, or as bytes.

use std::borrow::Cow;

use super::{Component, ComponentError, ComponentParam, FieldLine};
use crate::rfc9421::structured_fields::{
    Alphabet, Dictionary, Item, List, ParseError, WriteError, push_byte_sequence, push_dictionary,
    push_item, push_list, push_value, trim_ows,
};

/// The top-level type of a structured field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StructuredType {
    Dictionary,
    List,
    Item,
}

impl StructuredType {
    /// The type in the field's definition (IANA HTTP Field Name Registry, "Structured
    /// Type").
    fn of(field: &str) -> Option<Self> {
        match field {
            "accept-signature"
            | "cdn-cache-control"
            | "content-digest"
            | "priority"
            | "repr-digest"
            | "signature"
            | "signature-input"
            | "want-content-digest"
            | "want-repr-digest" => Some(Self::Dictionary),
            "accept-ch" | "cache-status" | "client-cert-chain" | "proxy-status" => Some(Self::List),
            "capsule-protocol"
            | "client-cert"
            | "cross-origin-embedder-policy"
            | "cross-origin-embedder-policy-report-only"
            | "cross-origin-opener-policy"
            | "cross-origin-opener-policy-report-only"
            | "origin-agent-cluster" => Some(Self::Item),
            _ => None,
        }
    }

    /// Parses and serializes `value` (RFC 9421 §2.1.1).
    fn reserialize(self, value: &[u8], out: &mut String) -> Result<(), StructuredError> {
        match self {
            Self::Dictionary => push_dictionary(out, &Dictionary::parse(value)?)?,
            Self::List => push_list(out, &List::parse(value)?)?,
            Self::Item => push_item(out, &Item::parse(value)?)?,
        }
        Ok(())
    }
}

enum StructuredError {
    Component(ComponentError),
    Parse(ParseError),
    Write(WriteError),
}

impl From<ParseError> for StructuredError {
    fn from(error: ParseError) -> Self {
        Self::Parse(error)
    }
}

impl From<WriteError> for StructuredError {
    fn from(error: WriteError) -> Self {
        Self::Write(error)
    }
}

/// Appends the value of a field component, taken from these field lines.
pub(super) fn append_field(
    name: &str,
    component: &Component<'_>,
    lines: &[FieldLine<'_>],
    out: &mut Vec<u8>,
) -> Result<(), ComponentError> {
    let mut values =
        lines.iter().filter(|line| line.is(name)).map(|line| unfold(line.value)).peekable();
    if values.peek().is_none() {
        return Err(ComponentError::Missing(component.to_string()));
    }
    if component.params().contains(&ComponentParam::Bs) {
        append_wrapped(values, out);
        return Ok(());
    }
    let key = component.param(|param| match param {
        ComponentParam::Key(key) => Some(*key),
        _ => None,
    });
    let structured = key.is_some() || component.params().contains(&ComponentParam::Sf);
    if !structured {
        append_joined(values, out);
        return Ok(());
    }
    let mut joined = Vec::new();
    append_joined(values, &mut joined);
    let mut text = String::new();
    let written = match key {
        Some(key) => append_member(key, &joined, component, &mut text),
        None => {
            let known = StructuredType::of(name)
                .ok_or_else(|| ComponentError::UnknownFieldType(name.to_owned()))?;
            known.reserialize(&joined, &mut text)
        }
    };
    written.map_err(|error| match error {
        StructuredError::Component(error) => error,
        StructuredError::Parse(source) => {
            ComponentError::MalformedField { field: name.to_owned(), source }
        }
        StructuredError::Write(source) => {
            ComponentError::Unwritable { component: component.to_string(), source }
        }
    })?;
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

/// The member of a dictionary (RFC 9421 §2.1.2).
fn append_member(
    key: &str,
    value: &[u8],
    component: &Component<'_>,
    out: &mut String,
) -> Result<(), StructuredError> {
    let dictionary = Dictionary::parse(value)?;
    let member = dictionary.get(key).ok_or_else(|| {
        StructuredError::Component(ComponentError::Missing(component.to_string()))
    })?;
    Ok(push_value(out, &member.value)?)
}

fn append_joined<'a>(values: impl Iterator<Item = Cow<'a, [u8]>>, out: &mut Vec<u8>) {
    for (index, value) in values.enumerate() {
        if index > 0 {
            out.extend_from_slice(b", ");
        }
        out.extend_from_slice(&value);
    }
}

/// Each line as a byte sequence (RFC 9421 §2.1.3).
fn append_wrapped<'a>(values: impl Iterator<Item = Cow<'a, [u8]>>, out: &mut Vec<u8>) {
    let mut text = String::new();
    for (index, value) in values.enumerate() {
        if index > 0 {
            text.push_str(", ");
        }
        push_byte_sequence(&mut text, &value, Alphabet::Standard);
    }
    out.extend_from_slice(text.as_bytes());
}

/// A line without the whitespace around it, each obsolete line folding replaced with one space (RFC
/// 9112 §5.2). Any other line break stays, and is refused when the signature base is built.
fn unfold(value: &[u8]) -> Cow<'_, [u8]> {
    let mut unfolded: Option<Vec<u8>> = None;
    let mut rest = value;
    while let Some((before, after)) = split_fold(rest) {
        let text = unfolded.get_or_insert_default();
        text.extend_from_slice(before);
        text.push(b' ');
        rest = after;
    }
    match unfolded {
        None => Cow::Borrowed(trim_ows(rest)),
        Some(mut text) => {
            text.extend_from_slice(rest);
            Cow::Owned(trim_ows(&text).to_vec())
        }
    }
}

/// The value before and after the first `OWS CRLF RWS`.
fn split_fold(value: &[u8]) -> Option<(&[u8], &[u8])> {
    if !value.contains(&b'\r') {
        return None;
    }
    let at = value.windows(3).position(|window| matches!(window, [b'\r', b'\n', b' ' | b'\t']))?;
    let (mut before, fold) = value.split_at_checked(at)?;
    let mut after = fold.get(2..)?;
    while let [rest @ .., b' ' | b'\t'] = before {
        before = rest;
    }
    while let [b' ' | b'\t', rest @ ..] = after {
        after = rest;
    }
    Some((before, after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rfc9421::ComponentName;

    fn value(component: &Component<'_>, lines: &[FieldLine<'_>]) -> Result<String, ComponentError> {
        let ComponentName::Field(name) = component.name() else { panic!() };
        let mut out = Vec::new();
        append_field(name, component, lines, &mut out).map(|()| String::from_utf8(out).unwrap())
    }

    /// RFC 9421 §2.1, first example.
    const LINES: [(&str, &str); 7] = [
        ("Host", "www.example.com"),
        ("Date", "Tue, 20 Apr 2021 02:07:56 GMT"),
        ("X-OWS-Header", "   Leading and trailing whitespace.   "),
        ("X-Obs-Fold-Header", "Obsolete\r\n    line folding."),
        ("Cache-Control", "max-age=60"),
        ("Cache-Control", "    must-revalidate"),
        ("Example-Dict", "  a=1,    b=2;x=1;y=2,   c=(a   b   c)"),
    ];

    #[test]
    fn plain_values_are_those_of_section_2_1() {
        let lines = LINES.map(|(name, value)| FieldLine::new(name, value));
        for (name, expected) in [
            ("host", "www.example.com"),
            ("date", "Tue, 20 Apr 2021 02:07:56 GMT"),
            ("x-ows-header", "Leading and trailing whitespace."),
            ("x-obs-fold-header", "Obsolete line folding."),
            ("cache-control", "max-age=60, must-revalidate"),
            ("example-dict", "a=1,    b=2;x=1;y=2,   c=(a   b   c)"),
        ] {
            assert_eq!(value(&Component::new(name, &[]).unwrap(), &lines).unwrap(), expected);
        }
        let absent = Component::new("x-absent", &[]).unwrap();
        assert_eq!(value(&absent, &lines), Err(ComponentError::Missing("\"x-absent\"".into())));
    }

    #[test]
    fn an_empty_field_has_an_empty_value() {
        let lines = [FieldLine::new("X-Empty-Header", "")];
        assert_eq!(value(&Component::new("x-empty-header", &[]).unwrap(), &lines).unwrap(), "");
    }

    #[test]
    fn strict_serialization_is_that_of_section_2_1_1() {
        let mut out = String::new();
        let text = b"a=1,    b=2;x=1;y=2,   c=(a   b   c)";
        assert!(StructuredType::Dictionary.reserialize(text, &mut out).is_ok());
        assert_eq!(out, "a=1, b=2;x=1;y=2, c=(a b c)");
    }

    #[test]
    fn sf_needs_a_known_field_and_a_sound_value() {
        let digest = Component::new("content-digest", &[ComponentParam::Sf]).unwrap();
        let lines = [
            FieldLine::new("Content-Digest", "a=:AA==:"),
            FieldLine::new("content-digest", " b;x=?1"),
        ];
        assert_eq!(value(&digest, &lines).unwrap(), "a=:AA==:, b;x");

        let list = Component::new("cache-status", &[ComponentParam::Sf]).unwrap();
        assert_eq!(
            value(&list, &[FieldLine::new("cache-status", "A; hit,  B")]).unwrap(),
            "A;hit, B"
        );
        let item = Component::new("origin-agent-cluster", &[ComponentParam::Sf]).unwrap();
        assert_eq!(value(&item, &[FieldLine::new("origin-agent-cluster", " ?1 ")]).unwrap(), "?1");

        let date = Component::new("date", &[ComponentParam::Sf]).unwrap();
        let unknown = Err(ComponentError::UnknownFieldType("date".into()));
        assert_eq!(value(&date, &[FieldLine::new("date", "x")]), unknown);
        for broken in ["a=1,", "a=1, a=2", "A=1"] {
            let refused = value(&digest, &[FieldLine::new("content-digest", broken)]);
            assert!(
                matches!(refused, Err(ComponentError::MalformedField { .. })),
                "{broken}: {refused:?}"
            );
        }
        let refused = value(&digest, &[FieldLine::new("content-digest", "a=:A:")]);
        assert!(matches!(refused, Err(ComponentError::Unwritable { .. })), "{refused:?}");
    }

    #[test]
    fn members_are_those_of_section_2_1_2() {
        let lines = [FieldLine::new("Example-Dict", "  a=1, b=2;x=1;y=2, c=(a   b    c), d")];
        for (key, expected) in [("a", "1"), ("d", "?1"), ("b", "2;x=1;y=2"), ("c", "(a b c)")] {
            let component = Component::new("example-dict", &[ComponentParam::Key(key)]).unwrap();
            assert_eq!(value(&component, &lines).unwrap(), expected);
        }
        let absent = Component::new("example-dict", &[ComponentParam::Key("e")]).unwrap();
        assert_eq!(value(&absent, &lines), Err(ComponentError::Missing(absent.to_string())));
    }

    #[test]
    fn wrapped_bytes_are_those_of_section_2_1_3() {
        let component = Component::new("example-header", &[ComponentParam::Bs]).unwrap();
        let two = [
            FieldLine::new("Example-Header", "value, with, lots"),
            FieldLine::new("Example-Header", "of, commas"),
        ];
        assert_eq!(
            value(&component, &two).unwrap(),
            ":dmFsdWUsIHdpdGgsIGxvdHM=:, :b2YsIGNvbW1hcw==:"
        );
        let one = [FieldLine::new("Example-Header", "value, with, lots, of, commas")];
        assert_eq!(value(&component, &one).unwrap(), ":dmFsdWUsIHdpdGgsIGxvdHMsIG9mLCBjb21tYXM=:");
        let binary = [FieldLine { name: "Example-Header", value: b" \xff\n " }];
        assert_eq!(value(&component, &binary).unwrap(), ":/wo=:");
    }

    #[test]
    fn only_a_true_folding_is_unfolded() {
        for (text, expected) in [
            (&b"a \t\r\n \t b\r\n\tc"[..], &b"a b c"[..]),
            (b"\r\n a", b"a"),
            (b"a\r\n ", b"a"),
            (b"a\r\n \r\n ", b"a"),
            (b"a\r\n \r\n b", b"a  b"),
            (b"a\r\nb", b"a\r\nb"),
            (b"a\n b", b"a\n b"),
        ] {
            assert_eq!(unfold(text).as_ref(), expected, "{text:?}");
        }
    }
}
