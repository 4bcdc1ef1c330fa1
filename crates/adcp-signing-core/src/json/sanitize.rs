//! Step 14b: which part of a sender's key name may reach a log.

/// The longest key name that is shown, in bytes.
const MAX_NAME_BYTES: usize = 32;

/// Makes a key name fit for a log line by the rules of step 14b, applied in order.
///
/// A name with a non-printable character becomes `<sanitized:N>`, where N is the number of bytes
/// before that character: nothing of the name is shown. Any other name is cut to at most 32 bytes
/// at a code-point boundary. Beyond the characters that the rule lists, U+2060-U+2064 (invisible
/// operators), U+061C (Arabic letter mark) and the interlinear and tag characters count as
/// non-printable.
///
/// ```
/// use adcp_signing_core::json::sanitize_key_name;
///
/// assert_eq!(sanitize_key_name("idempotency_key"), "idempotency_key");
/// assert_eq!(sanitize_key_name("admin\u{202e}gpj"), "<sanitized:5>");
/// ```
pub fn sanitize_key_name(name: &str) -> String {
    if let Some(prefix) = name.find(is_non_printable) {
        return format!("<sanitized:{prefix}>");
    }
    let mut shown = String::with_capacity(MAX_NAME_BYTES);
    for character in name.chars() {
        if shown.len() + character.len_utf8() > MAX_NAME_BYTES {
            break;
        }
        shown.push(character);
    }
    shown
}

/// Whether a character is not for a log or a terminal: controls (C0, DEL, C1), marks that reorder or
/// hide text, and separators of lines.
pub fn is_non_printable(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}
