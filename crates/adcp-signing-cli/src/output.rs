//! Output for people: coloured on a terminal, plain elsewhere.

use anstyle::{AnsiColor, Style};

use crate::failure::Failure;

pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(crate) const DIM: Style = Style::new().dimmed();
pub(crate) const HEAD: Style = Style::new().bold();

/// Says on standard error why the command failed.
pub(crate) fn error(failure: &Failure) {
    anstream::eprintln!("{BAD}error{BAD:#}: {failure}");
}

/// A heading on standard output.
pub(crate) fn heading(text: &str) {
    anstream::println!("\n{HEAD}{text}{HEAD:#}");
}
