//! Text of the graded party, fit to be shown.

use adcp_signing_core::json::is_non_printable;

/// The most characters of one text that the page shows.
const LONGEST: usize = 4096;

/// The text with whatever is invisible or could reorder the line written as an escape, and cut
/// where it is too long. The template escapes what HTML would read.
pub(super) fn shown(text: &str) -> String {
    let mut characters = text.chars();
    let mut out = String::new();
    for character in characters.by_ref().take(LONGEST) {
        if is_non_printable(character) {
            out.extend(character.escape_default());
        } else {
            out.push(character);
        }
    }
    let left = characters.count();
    if left > 0 {
        out.push_str(&format!("… ({left} more characters)"));
    }
    out
}
