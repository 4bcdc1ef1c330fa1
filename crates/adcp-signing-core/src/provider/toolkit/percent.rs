//! Percent-encoding in key URIs.

use std::fmt;

use crate::{
    provider::toolkit::key_uri::KeyUriError,
    text::percent::{decode, decode_text, push_escape},
};

/// Writes the query of a key URI: the members that have a value, percent-encoded, with `?` before
/// the first.
///
/// ```
/// use std::fmt;
///
/// use adcp_signing_core::provider::toolkit::{write_query, KeyOptions, PercentEncoded};
///
/// struct VaultUri {
///     key: String,
///     mount: Option<String>,
///     options: KeyOptions,
/// }
///
/// impl fmt::Display for VaultUri {
///     fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
///         write!(f, "hashivault://{}", PercentEncoded(&self.key))?;
///         write_query(f, [("mount", self.mount.as_deref())].into_iter().chain(self.options.members()))
///     }
/// }
///
/// let uri = VaultUri { key: "a b".to_owned(), mount: Some("x&y".to_owned()), options: KeyOptions::default() };
/// assert_eq!(uri.to_string(), "hashivault://a%20b?mount=x%26y");
/// ```
///
/// # Errors
/// Those of the formatter.
pub fn write_query<'a>(
    f: &mut fmt::Formatter<'_>,
    members: impl IntoIterator<Item = (&'static str, Option<&'a str>)>,
) -> fmt::Result {
    let mut separator = '?';
    for (name, value) in members {
        if let Some(value) = value {
            write!(f, "{separator}{name}={}", PercentEncoded(value))?;
            separator = '&';
        }
    }
    Ok(())
}

/// Displays a text as [`percent_decode`] reads it back: `%`, `?`, `#`, `&`, blanks and control
/// characters are encoded (RFC 3986 §2.1), everything else stays as it is.
#[derive(Debug, Clone, Copy)]
pub struct PercentEncoded<'a>(
    /// The text.
    pub &'a str,
);

impl fmt::Display for PercentEncoded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut encoded = String::with_capacity(self.0.len());
        for char in self.0.chars() {
            match u8::try_from(char) {
                Ok(octet @ (b'%' | b'?' | b'#' | b'&' | b' ')) => push_escape(&mut encoded, octet),
                Ok(octet) if octet.is_ascii_control() => push_escape(&mut encoded, octet),
                _ => encoded.push(char),
            }
        }
        f.write_str(&encoded)
    }
}

/// Decodes percent-encoding (RFC 3986 §2.1) to text. A plus sign is a plus sign.
///
/// # Errors
/// [`KeyUriError::Encoding`] for a percent sign without two hexadecimal digits, for a control character, encoded or
/// not, and for bytes that are not UTF-8.
pub fn percent_decode(text: &str) -> Result<String, KeyUriError> {
    let is_plain = |text: &String| !text.bytes().any(|byte| byte.is_ascii_control());
    decode_text(text).filter(is_plain).ok_or(KeyUriError::Encoding)
}

/// Decodes percent-encoding (RFC 3986 §2.1) to bytes, for values that need not be text.
///
/// # Errors
/// [`KeyUriError::Encoding`] for a percent sign without two hexadecimal digits.
pub fn percent_decode_bytes(text: &str) -> Result<Vec<u8>, KeyUriError> {
    decode(text).ok_or(KeyUriError::Encoding)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded_to_itself() {
        for text in ["", "a b", "%?#&", "clé/x:y@z", "100%"] {
            assert_eq!(percent_decode(&PercentEncoded(text).to_string()).unwrap(), text);
        }
        assert_eq!(percent_decode_bytes("%00%ffa").unwrap(), [0, 255, b'a']);
        for text in ["%zz", "%4", "a\u{7f}", "%0a", "%ff"] {
            assert_eq!(percent_decode(text), Err(KeyUriError::Encoding), "{text}");
        }
    }
}
