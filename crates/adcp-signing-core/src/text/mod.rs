//! Plain text, for several rooms: character classes, percent-encoding, formats told by their start.

pub(crate) mod class;
pub(crate) mod format;
pub(crate) mod percent;

/// Whether every byte passes the test. No early exit, so the loop vectorizes.
pub(crate) fn all_bytes(text: impl AsRef<[u8]>, test: impl Fn(u8) -> bool) -> bool {
    text.as_ref().iter().fold(true, |all, byte| all & test(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_must_pass() {
        let is_letter = |byte: u8| byte.is_ascii_alphabetic();
        for (text, all) in
            [("", true), ("abc", true), ("1bc", false), ("a1c", false), ("ab1", false)]
        {
            assert_eq!(all_bytes(text, is_letter), all, "{text}");
        }
    }
}
