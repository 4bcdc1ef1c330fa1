//! What a page shows: its blocks of commands, what they print, and the files to write.

/// Commands that a page shows, from one `sh` block.
#[derive(Debug, PartialEq)]
pub(super) struct Block {
    /// The line of the page that opens the block.
    pub(super) line: usize,
    pub(super) commands: String,
    /// The lines that it must print, from the `text` block that follows.
    pub(super) expected: Option<String>,
}

/// The part of a page under this heading, up to the next heading of its level or above, with empty
/// lines in place of what comes before it.
pub(super) fn section(page: &str, heading: &str) -> Option<String> {
    let level = |line: &str| line.bytes().take_while(|byte| *byte == b'#').count();
    let start = page.lines().position(|line| line == heading)?;
    let (mut part, mut fenced) = ("\n".repeat(start + 1), false);
    for line in page.lines().skip(start + 1) {
        fenced ^= line.trim_start().starts_with("```");
        if !fenced && (1..=level(heading)).contains(&level(line)) {
            break;
        }
        part += line;
        part.push('\n');
    }
    Some(part)
}

/// The `sh` blocks of a page.
pub(super) fn blocks(page: &str) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut lines = page.lines().enumerate();
    let mut follows_commands = false;
    while let Some((number, line)) = lines.next() {
        let Some(kind) = line.trim_start().strip_prefix("```") else { continue };
        let indent = line.len() - line.trim_start().len();
        let text: Vec<&str> = lines
            .by_ref()
            .map(|(_, line)| line)
            .take_while(|line| line.trim() != "```")
            .map(|line| line.get(indent..).unwrap_or_default())
            .collect();
        let text = text.join("\n");
        match kind {
            "sh" => found.push(Block { line: number + 1, commands: text, expected: None }),
            "text" if follows_commands => found.last_mut().unwrap().expected = Some(text),
            _ => assert!(!kind.starts_with("sh "), "line {}: ```{kind}", number + 1),
        }
        follows_commands = kind == "sh";
    }
    found
}

/// Whether the printed lines are the expected ones, where `…` stands for any text.
pub(super) fn prints(printed: &str, expected: &str) -> bool {
    let fits = |line: &str, pattern: &str| {
        let mut parts = pattern.split('…');
        let Some(mut rest) = parts.next().and_then(|start| line.strip_prefix(start)) else {
            return false;
        };
        let parts: Vec<&str> = parts.collect();
        for (index, part) in parts.iter().enumerate() {
            let last = index + 1 == parts.len();
            match rest.find(part) {
                _ if last => return rest.ends_with(part),
                Some(at) => rest = &rest[at + part.len()..],
                None => return false,
            }
        }
        rest.is_empty()
    };
    let mut printed = printed.lines();
    expected.lines().all(|pattern| printed.any(|line| fits(line.trim_end(), pattern)))
}

/// The files that a page shows: a line that is the file's name in backticks and a colon, and the
/// block after it.
pub(super) fn files(page: &str) -> Vec<(String, String)> {
    let lines: Vec<&str> = page.lines().collect();
    let named = lines.iter().enumerate().filter_map(|(at, line)| {
        let name = line.strip_prefix('`')?.strip_suffix("`:")?;
        let start = at + 2;
        lines.get(start)?.strip_prefix("```")?;
        let text: Vec<&str> =
            lines[start + 1..].iter().copied().take_while(|line| *line != "```").collect();
        Some((name.to_owned(), text.join("\n") + "\n"))
    });
    named.collect()
}

#[test]
fn blocks_are_found_with_what_they_print() {
    let page = "x\n```sh\na\nb\n```\n\n```text\nc…\n```\n1.\n   ```sh\n   e\n   ```\n```rust\nf\n```\n```text\nof nothing\n```\n";
    let block = |line, commands: &str, expected: Option<&str>| Block {
        line,
        commands: commands.to_owned(),
        expected: expected.map(str::to_owned),
    };
    assert_eq!(blocks(page), [block(2, "a\nb", Some("c…")), block(11, "e", None)]);
}

#[test]
fn a_section_ends_at_the_next_heading_of_its_level_and_keeps_its_lines() {
    let page = "# A\n## B\n```sh\n# not a heading\n```\n### C\nc\n## D\nd\n";
    let b = section(page, "## B").unwrap();
    assert_eq!(b, "\n\n```sh\n# not a heading\n```\n### C\nc\n");
    assert_eq!(blocks(&b)[0].line, 3);
    assert_eq!(section(page, "### C").unwrap().trim(), "c");
    assert_eq!(section(page, "## E"), None);
}

#[test]
fn an_ellipsis_stands_for_any_text() {
    for (printed, expected, fits) in [
        ("a\nb\nc", "a\nc", true),
        ("a\nb\nc", "c\na", false),
        ("key 123 is ready", "key … is ready", true),
        ("key 123 is ready!", "key … is ready", false),
        ("key is", "key … is ready", false),
        ("verified, and more", "verified…", true),
        ("", "x", false),
    ] {
        assert_eq!(prints(printed, expected), fits, "{printed:?} {expected:?}");
    }
}

#[test]
fn a_file_is_named_before_its_block() {
    let page = "`a.hcl`:\n\n```hcl\nx\ny\n```\n";
    assert_eq!(files(page), [("a.hcl".to_owned(), "x\ny\n".to_owned())]);
}
