//! Standard output and standard error: coloured on a terminal, plain elsewhere.

use std::{
    fmt,
    io::{self, Write as _},
};

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
