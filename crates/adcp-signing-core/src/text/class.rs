//! Character classes of the grammars of structured fields (RFC 8941) and URLs (RFC 3986).

/// A class of bytes.
#[derive(Clone, Copy)]
pub(crate) struct Class(u8);

impl Class {
    /// Every character of a key but the first (RFC 8941 §3.1.2).
    pub(crate) const KEY: Self = Self(1);
    /// Every character of a token but the first (RFC 8941 §3.3.4).
    pub(crate) const TOKEN: Self = Self(1 << 1);
    /// The characters of a string that need no escape (RFC 8941 §3.3.3).
    pub(crate) const PLAIN_STRING: Self = Self(1 << 2);
    /// The characters of both base64 alphabets, and their padding.
    pub(crate) const BASE64: Self = Self(1 << 3);
    /// `0` to `9`.
    pub(crate) const DIGIT: Self = Self(1 << 4);
    /// Characters with the same meaning escaped or not (RFC 3986 §2.3).
    pub(crate) const UNRESERVED: Self = Self(1 << 5);
    /// Letters, digits, hyphens and dots of a host name, and the underscore of private names.
    pub(crate) const HOST: Self = Self(1 << 6);
    /// The characters of a path segment (RFC 3986 §3.3), and the `%` of an escape.
    pub(crate) const PCHAR: Self = Self(1 << 7);

    /// How many of the first bytes are in this class.
    pub(crate) fn prefix_of(self, bytes: &[u8]) -> usize {
        let (eights, _) = bytes.as_chunks::<8>();
        let common = |eight: &[u8; 8]| eight.iter().fold(self.0, |all, byte| all & classes(*byte));
        let whole = 8 * eights.iter().take_while(|eight| common(eight) != 0).count();
        let rest = bytes.get(whole..).unwrap_or_default();
        whole + rest.iter().take_while(|byte| self.has(**byte)).count()
    }

    /// Whether `byte` is in this class.
    pub(crate) fn has(self, byte: u8) -> bool {
        classes(byte) & self.0 != 0
    }
}

/// A bit for each class that `byte` is in.
fn classes(byte: u8) -> u8 {
    const OF: [u8; 256] = of_each_byte();
    OF.get(usize::from(byte)).copied().unwrap_or_default()
}

const fn of_each_byte() -> [u8; 256] {
    let mut all = [0; 256];
    let mut rest: &mut [u8] = &mut all;
    let mut byte = 0_u8;
    while let [classes, more @ ..] = rest {
        if matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.' | b'*') {
            *classes |= Class::KEY.0;
        }
        if byte.is_ascii_alphanumeric()
            || matches!(
                byte,
                b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_'
            )
            || matches!(byte, b'`' | b'|' | b'~' | b':' | b'/')
        {
            *classes |= Class::TOKEN.0;
        }
        if matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\') {
            *classes |= Class::PLAIN_STRING.0;
        }
        if byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=') {
            *classes |= Class::BASE64.0;
        }
        if byte.is_ascii_digit() {
            *classes |= Class::DIGIT.0;
        }
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            *classes |= Class::UNRESERVED.0 | Class::PCHAR.0;
        }
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_') {
            *classes |= Class::HOST.0;
        }
        if matches!(
            byte,
            b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'='
        ) || matches!(byte, b':' | b'@' | b'%')
        {
            *classes |= Class::PCHAR.0;
        }
        byte = byte.wrapping_add(1);
        rest = more;
    }
    all
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_prefix_ends_at_the_first_byte_of_another_class(
            bytes in prop::collection::vec(prop_oneof![40 => b'0'..=b'9', 1 => any::<u8>()], 0..64),
        ) {
            for class in [Class::DIGIT, Class::KEY, Class::BASE64, Class::PLAIN_STRING] {
                let end = bytes.iter().position(|byte| !class.has(*byte)).unwrap_or(bytes.len());
                prop_assert_eq!(class.prefix_of(&bytes), end);
            }
        }
    }
}
