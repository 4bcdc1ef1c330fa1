//! The rule that text is wrapped, so that a change of a word is a change of a line.

/// Columns of text. Code and tables are as wide as they are.
const COLUMNS: usize = 100;

/// A line for each line of text that is too long and can be broken.
pub(super) fn faults(path: &str, text: &str) -> Vec<String> {
    let mut is_code = false;
    let is_fault = |line: &str| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        let is_text = !is_code && !is_fence && !line.trim_start().starts_with('|');
        is_text && line.chars().count() > COLUMNS && can_be_broken(line)
    };
    let lines: Vec<usize> = text
        .lines()
        .map(is_fault)
        .zip(1..)
        .filter_map(|(fault, line)| fault.then_some(line))
        .collect();
    let fault = |line| format!("{path}:{line}: wrap the text at {COLUMNS} columns");
    lines.into_iter().map(fault).collect()
}

/// Whether there is a space between words within the columns.
fn can_be_broken(line: &str) -> bool {
    let words = line.trim_start_matches([' ', '-', '#']);
    let lead = line.chars().count() - words.chars().count();
    words.chars().take(COLUMNS.saturating_sub(lead)).any(|character| character == ' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_wrapped_and_code_tables_and_long_addresses_are_left_alone() {
        let (fits, long) = ("word ".repeat(20), "word ".repeat(21));
        let address = format!("https://example.com/{}", "a".repeat(100));
        let page = format!(
            "{fits}\n{long}\n```sh\n{long}\n```\n| {long} |\n- {address}\n- {long}\n{address} {long}\n"
        );
        assert_eq!(
            faults("a.md", &page),
            ["a.md:2: wrap the text at 100 columns", "a.md:8: wrap the text at 100 columns",]
        );
    }
}
