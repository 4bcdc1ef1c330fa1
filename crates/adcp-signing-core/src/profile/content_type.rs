//! `Content-Type`, which is not a list field: it has one value (RFC 9110 §8.3).

use crate::rfc9421::FieldLine;

/// More than one content type, which implementations resolve differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Content-Type has more than one value; send one")]
pub struct SeveralContentTypes;

/// The one `Content-Type` of a message: one line, no comma outside a quoted string.
pub(crate) fn content_type<'a>(
    fields: &[FieldLine<'a>],
) -> Result<Option<&'a [u8]>, SeveralContentTypes> {
    let mut lines = fields.iter().filter(|line| line.is("content-type"));
    let value = lines.next().map(|line| line.value);
    if lines.next().is_some() || value.is_some_and(has_top_level_comma) {
        return Err(SeveralContentTypes);
    }
    Ok(value)
}

/// Whether a message says its body is JSON: `application/json`, a `+json` type, or no usable type
/// at all.
pub(crate) fn declares_json(content_type: Result<Option<&[u8]>, SeveralContentTypes>) -> bool {
    let Ok(Some(value)) = content_type else { return true };
    let Some(essence) = value.split(|byte| *byte == b';').next() else { return true };
    let essence = essence.trim_ascii();
    [b"/json".as_slice(), b"+json"].iter().any(|suffix| {
        essence
            .len()
            .checked_sub(suffix.len())
            .and_then(|at| essence.get(at..))
            .is_some_and(|end| end.eq_ignore_ascii_case(suffix))
    })
}

/// Whether a `Content-Type` value is several, of which implementations take one or another.
pub(crate) fn has_top_level_comma(value: &[u8]) -> bool {
    if !value.contains(&b',') {
        return false;
    }
    let (mut quoted, mut escaped) = (false, false);
    for byte in value {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' if !quoted => return true,
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_comma_outside_quotes_makes_two_values() {
        for (value, several) in [
            ("application/json", false),
            ("application/json, text/plain", true),
            (r#"multipart/mixed; boundary="a,b""#, false),
            (r#"multipart/mixed; boundary="a\",b""#, false),
            (r#"multipart/mixed; boundary="a","b""#, true),
        ] {
            assert_eq!(
                content_type(&[FieldLine::new("Content-Type", value)]).is_err(),
                several,
                "{value}"
            );
        }
    }

    #[test]
    fn a_field_sent_twice_has_two_values() {
        let lines = [FieldLine::new("content-type", "a/b"), FieldLine::new("Content-Type", "a/b")];
        assert_eq!(content_type(&lines), Err(SeveralContentTypes));
    }

    #[test]
    fn json_is_told_by_the_type_alone() {
        for (value, json) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("application/problem+json", true),
            ("application/jsonl", false),
            ("text/plain", false),
        ] {
            assert_eq!(declares_json(Ok(Some(value.as_bytes()))), json, "{value}");
        }
        assert!(declares_json(Ok(None)));
        assert!(declares_json(Err(SeveralContentTypes)));
    }
}
