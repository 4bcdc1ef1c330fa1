//! The classes of characters that the grammar of RFC 8941 is made of.

/// A class of bytes.
#[derive(Clone, Copy)]
pub(super) struct Class(u8);

impl Class {
    /// What a key goes on with (RFC 8941 §3.1.2).
    pub(super) const KEY: Self = Self(1);
    /// What a token goes on with (RFC 8941 §3.3.4).
    pub(super) const TOKEN: Self = Self(1 << 1);
    /// What stands for itself in a string (RFC 8941 §3.3.3).
    pub(super) const PLAIN_STRING: Self = Self(1 << 2);
    /// The characters of both base64 alphabets, and their padding.
    pub(super) const BASE64: Self = Self(1 << 3);
    /// `0` to `9`.
    pub(super) const DIGIT: Self = Self(1 << 4);

    /// Whether `byte` is of this class.
    pub(super) fn has(self, byte: u8) -> bool {
        const OF: [u8; 256] = of_each_byte();
        OF.get(usize::from(byte)).is_some_and(|classes| classes & self.0 != 0)
    }
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
        byte = byte.wrapping_add(1);
        rest = more;
    }
    all
}
