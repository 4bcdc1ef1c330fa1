//! Names compared as lenient decoders and routers compare them.

/// Whether a reader that folds letter case takes `found` for `name`.
///
/// Some fold by Unicode, where U+017F is an `s`, U+212A a `k` and U+FB01 an `fi`.
pub(super) fn folds_to(found: &str, name: &str) -> bool {
    found.eq_ignore_ascii_case(name) || (!found.is_ascii() && fold(found).eq(fold(name)))
}

/// The characters of `text` without their letter case.
pub(super) fn fold(text: &str) -> impl Iterator<Item = char> {
    text.chars()
        // Java takes a dotted capital I for an i, the case tables of Unicode do not.
        .map(|character| if character == '\u{130}' { 'i' } else { character })
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
}

/// `text` without letter case and without what separates words in `snake_case` and `kebab-case`.
pub(super) fn squeeze(text: &str) -> String {
    fold(text).filter(|character| !matches!(character, '_' | '-' | '\0')).collect()
}
