//! Percent-encoding (RFC 3986 §2.1), the one decoder of this crate.
//!
//! The `percent-encoding` crate keeps a malformed escape as it is, so that its result cannot tell
//! `%zz` from `%25zz`. Here it is refused, or the caller decides.

/// The octet that an escape stands for, and the text behind it. `tail` begins after the `%`.
pub(crate) fn escape(tail: &str) -> Option<(u8, &str)> {
    let (digits, rest) = tail.split_at_checked(2)?;
    let octet = digits
        .chars()
        .try_fold(0, |octet, digit| digit.to_digit(16).map(|value| octet << 4 | value))?;
    Some((u8::try_from(octet).ok()?, rest))
}

/// Decodes every escape; `None` if one is malformed. A plus sign stays a plus sign.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((plain, tail)) = rest.split_once('%') {
        let (octet, after) = escape(tail)?;
        decoded.extend_from_slice(plain.as_bytes());
        decoded.push(octet);
        rest = after;
    }
    decoded.extend_from_slice(rest.as_bytes());
    Some(decoded)
}

/// [`decode`], to text: `None` also if the bytes are not UTF-8.
pub(crate) fn decode_text(text: &str) -> Option<String> {
    String::from_utf8(decode(text)?).ok()
}

/// Appends the escape of `octet`, in upper-case hex.
pub(crate) fn push_escape(out: &mut String, octet: u8) {
    out.push('%');
    out.extend(
        [octet >> 4, octet & 15]
            .map(|nibble| char::from(if nibble < 10 { b'0' + nibble } else { b'A' + nibble - 10 })),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_decoded_and_malformed_ones_refused() {
        for (text, expected) in [
            ("", Some(&b""[..])),
            ("a+b", Some(b"a+b")),
            ("%00%ffa%2F%2f", Some(b"\0\xffa//")),
            ("%2541", Some(b"%41")),
            ("\u{e9}%41", Some(b"\xc3\xa9A")),
            ("%", None),
            ("a%4", None),
            ("%zz", None),
            ("%%41B", None),
            ("%+1", None),
            ("%4\u{e9}", None),
            ("%\u{e9}", None),
        ] {
            assert_eq!(decode(text).as_deref(), expected, "{text}");
        }
        assert_eq!(decode_text("%C3%A9").as_deref(), Some("\u{e9}"));
        assert_eq!(decode_text("%C3"), None);
        assert_eq!(decode_text("%zz"), None);
    }

    #[test]
    fn every_octet_is_read_back() {
        for octet in 0..=u8::MAX {
            let mut text = String::new();
            push_escape(&mut text, octet);
            assert_eq!(text, format!("%{octet:02X}"));
            assert_eq!(decode(&text), Some(vec![octet]));
        }
    }
}
