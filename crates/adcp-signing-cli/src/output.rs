//! Standard output and standard error: coloured on a terminal, plain elsewhere.

use std::{
    fmt::{self, Write as _},
    io::{self, IsTerminal as _, Write as _},
};

use adcp_signing::json::is_non_printable;
use anstyle::{AnsiColor, Style};
use serde_json::Value;

use crate::failure::Failure;

pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(crate) const WARN: Style = AnsiColor::Yellow.on_default().bold();
pub(crate) const DIM: Style = Style::new().dimmed();
pub(crate) const HEAD: Style = Style::new().bold();

/// Says on standard error why the command failed.
pub(crate) fn error(failure: &Failure) {
    anstream::eprintln!("{BAD}error{BAD:#}: {}", shown(&failure.to_string()));
    for note in failure.notes() {
        anstream::eprintln!("  {}", shown(&note));
    }
}

/// Shows the command that usually comes next, where a person reads along.
pub(crate) fn hint(text: &str) {
    if io::stderr().is_terminal() {
        anstream::eprintln!("{DIM}next: {}{DIM:#}", shown(text));
    }
}

/// A text from outside, fit for a terminal: whatever could move the cursor, change colors or
/// reorder a line is written as an escape. Every text of a message goes through here.
pub(crate) fn shown(text: &str) -> String {
    escaped(text, |out, character| {
        let _ = write!(out, "{}", character.escape_default());
    })
}

/// One JSON value on one line, fit for a terminal as well.
pub(crate) fn json(value: &Value) -> String {
    escaped(&value.to_string(), json_escape)
}

/// One JSON value on indented lines, fit for a terminal as well.
pub(crate) fn json_pretty(value: &Value) -> String {
    // A line end of the layout stays; those in strings are escaped already.
    let lines = format!("{value:#}");
    lines.lines().map(|line| escaped(line, json_escape)).collect::<Vec<_>>().join("\n")
}

fn json_escape(out: &mut String, character: char) {
    for unit in character.encode_utf16(&mut [0; 2]) {
        let _ = write!(out, "\\u{unit:04x}");
    }
}

fn escaped(text: &str, escape: impl Fn(&mut String, char)) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if is_non_printable(character) { escape(&mut out, character) } else { out.push(character) }
    }
    out
}

/// A line on standard output, as `println!` writes one.
macro_rules! outln {
    ($($part:tt)*) => { $crate::output::line(format_args!($($part)*)) };
}
pub(crate) use outln;

/// A heading on standard output.
pub(crate) fn heading(text: &str) {
    outln!("\n{HEAD}{text}{HEAD:#}");
}

/// A line on standard output.
pub(crate) fn line(text: fmt::Arguments<'_>) {
    written(writeln!(anstream::stdout(), "{text}"));
}

/// What became of standard output: a reader that has seen enough is no failure, and anything else
/// ends the program, so that half an answer in a file does not pass for a whole one.
pub(crate) fn written(outcome: io::Result<()>) {
    match outcome {
        Err(failed) if failed.kind() != io::ErrorKind::BrokenPipe => {
            error(&Failure::invalid(format!("standard output: {failed}")));
            std::process::exit(2);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_foreign_text_reaches_the_terminal_as_a_command() {
        for (text, expected) in [
            ("plain \u{e9} \u{65e5}", "plain \u{e9} \u{65e5}"),
            ("x\r\u{1b}[2K\u{1b}[32mverified", "x\\r\\u{1b}[2K\\u{1b}[32mverified"),
            ("\u{1b}]0;title\u{7}", "\\u{1b}]0;title\\u{7}"),
            ("a\u{9b}31m", "a\\u{9b}31m"),
            ("a\u{202e}b\u{2066}c", "a\\u{202e}b\\u{2066}c"),
            ("a\u{2028}b\n", "a\\u{2028}b\\n"),
        ] {
            assert_eq!(shown(text), expected);
            let value = Value::from([text]);
            for (json, lines) in [(json(&value), 1), (json_pretty(&value), 3)] {
                assert_eq!(json.lines().count(), lines, "{json}");
                assert!(!json.lines().any(|line| line.contains(is_non_printable)), "{json}");
                assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), value);
            }
        }
    }
}
