//! Percent-encoding in key URIs.

use std::fmt::{self, Write as _};

use crate::provider::toolkit::key_uri::KeyUriError;

/// Writes the query of a key URI: the members that have a value, percent-encoded, `?` before the
/// first.
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
        for char in self.0.chars() {
            match char {
                '%' | '?' | '#' | '&' | ' ' => write!(f, "%{:02X}", u32::from(char))?,
                _ if char.is_ascii_control() => write!(f, "%{:02X}", u32::from(char))?,
                _ => f.write_char(char)?,
            }
        }
        Ok(())
    }
}

/// Decodes percent-encoding (RFC 3986 §2.1) to text. A plus sign is a plus sign.
///
/// # Errors
/// [`KeyUriError::Encoding`] for a percent sign without two hexadecimal digits, for a control character, encoded or
/// not, and for bytes that are not UTF-8.
pub fn percent_decode(text: &str) -> Result<String, KeyUriError> {
    let decoded = percent_decode_bytes(text)?;
    if decoded.iter().any(u8::is_ascii_control) {
        return Err(KeyUriError::Encoding);
    }
    String::from_utf8(decoded).map_err(|_| KeyUriError::Encoding)
}

/// Decodes percent-encoding (RFC 3986 §2.1) to bytes, for what need not be text.
///
/// # Errors
/// [`KeyUriError::Encoding`] for a percent sign without two hexadecimal digits.
pub fn percent_decode_bytes(text: &str) -> Result<Vec<u8>, KeyUriError> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit = || bytes.next().and_then(|byte| char::from(byte).to_digit(16));
        let (Some(high), Some(low)) = (digit(), digit()) else { return Err(KeyUriError::Encoding) };
        decoded.push(u8::try_from(high * 16 + low).map_err(|_| KeyUriError::Encoding)?);
    }
    Ok(decoded)
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
    }
}
