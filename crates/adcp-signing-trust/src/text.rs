//! How texts of counterparties are shown.

use adcp_signing_core::json::is_non_printable;

const MAX_SHOWN: usize = 64;

/// The text with what does not print replaced, and cut to 64 characters.
pub(crate) fn shown(text: &str) -> String {
    let replaced = |character| if is_non_printable(character) { '\u{fffd}' } else { character };
    text.chars().take(MAX_SHOWN).map(replaced).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_print_is_not_shown() {
        assert_eq!(shown("a\nb\u{1b}[31m"), "a\u{fffd}b\u{fffd}[31m");
        assert_eq!(shown(&"x".repeat(100)).len(), MAX_SHOWN);
    }
}
