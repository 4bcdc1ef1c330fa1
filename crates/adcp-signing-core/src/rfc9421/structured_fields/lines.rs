//! From field lines to one field value.

use std::borrow::Cow;

use crate::rfc9421::FieldLine;

/// The value of the field `name`: its lines in wire order, each without the whitespace around it,
/// joined with `", "` (RFC 8941 §4.2, RFC 9421 §2.1). `None` where the message has no such line.
///
/// Nothing is copied when there is one line.
///
/// ```
/// use adcp_signing_core::rfc9421::FieldLine;
/// use adcp_signing_core::rfc9421::structured_fields::join_lines;
///
/// let lines = [FieldLine::new("Signature", " a=:AA==: "), FieldLine::new("signature", "b=:AQ==:")];
/// assert_eq!(join_lines(&lines, "signature").as_deref(), Some(&b"a=:AA==:, b=:AQ==:"[..]));
/// assert_eq!(join_lines(&lines, "signature-input"), None);
/// ```
pub fn join_lines<'a>(lines: &'a [FieldLine<'a>], name: &str) -> Option<Cow<'a, [u8]>> {
    let mut values = lines.iter().filter(|line| line.is(name)).map(|line| trim_ows(line.value));
    let first = values.next()?;
    let Some(second) = values.next() else { return Some(Cow::Borrowed(first)) };
    let mut joined = first.to_vec();
    for value in std::iter::once(second).chain(values) {
        joined.extend_from_slice(b", ");
        joined.extend_from_slice(value);
    }
    Some(Cow::Owned(joined))
}

/// Without the optional whitespace (RFC 9110 §5.6.3: spaces and tabs) at both ends.
pub(crate) fn trim_ows(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_is_borrowed_and_trimmed() {
        let lines = [FieldLine::new("Other", "x"), FieldLine::new("Signature", "\t a=1 \t")];
        assert!(matches!(join_lines(&lines, "signature"), Some(Cow::Borrowed(b"a=1"))));
    }

    #[test]
    fn an_empty_line_keeps_its_place() {
        let lines = [FieldLine::new("a", "1"), FieldLine::new("A", " "), FieldLine::new("a", "3")];
        assert_eq!(join_lines(&lines, "a").as_deref(), Some(&b"1, , 3"[..]));
    }
}
