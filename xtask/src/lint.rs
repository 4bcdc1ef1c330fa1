//! The checks that run no test: format, clippy, docs, vector hashes, pages, dependency rules.

use std::{
    io::{self, Write as _},
    process::Command,
};

use anyhow::Result;

use crate::{
    checksums, dependencies, pages,
    process::{self, Echo},
    report::{self, Outcome},
};

/// A warning of rustdoc fails.
pub(crate) const DOC_FLAGS: &str = "-D warnings";

/// Runs every check and prints the table.
pub(crate) fn run() -> Result<bool> {
    let mut outcomes = vec![
        fmt(Echo::Stdout),
        check("clippy", &mut clippy(), Echo::Stdout),
        check("doc", &mut doc(), Echo::Stdout),
        checksums::check(),
    ];
    outcomes.push(pages::check());
    outcomes.extend(dependencies::check());
    outcomes.push(deny(false, Echo::Stdout));
    io::stdout().write_all(report::table(&outcomes).as_bytes())?;
    Ok(report::all_passed(&outcomes))
}

/// Prints the table of checks that were asked for by name, and says whether all were made and
/// passed.
pub(crate) fn only(outcomes: &[Outcome]) -> Result<bool> {
    io::stdout().write_all(report::table(outcomes).as_bytes())?;
    Ok(all_made(outcomes))
}

/// Whether all passed, and none was skipped.
fn all_made(outcomes: &[Outcome]) -> bool {
    report::all_passed(outcomes) && outcomes.iter().all(|outcome| outcome.skipped == 0)
}

/// `cargo fmt --check`.
pub(crate) fn fmt(echo: Echo) -> Outcome {
    check("fmt", &mut process::cargo(["fmt", "--all", "--check"]), echo)
}

/// Clippy over every target and feature; a warning fails.
pub(crate) fn clippy() -> Command {
    let args = ["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"];
    process::cargo(args)
}

/// The library crates' docs; a warning fails. The binaries are left out: `adcp-signing` the program
/// and `adcp_signing` the crate would write to the same folder.
pub(crate) fn doc() -> Command {
    let mut command = process::cargo(["doc", "--workspace", "--no-deps", "--all-features"]);
    command.args(["--exclude", "adcp-signing-cli", "--exclude", "xtask"]);
    command.env("RUSTDOCFLAGS", DOC_FLAGS);
    command
}

/// Licences, bans and sources by cargo-deny, where it is installed or may be. Its advisories need a
/// network and are left out.
pub(crate) fn deny(install: bool, echo: Echo) -> Outcome {
    const INSTALL: &[&str] = &["install", "--locked", "cargo-deny"];
    if process::version(&["cargo", "deny", "--version"]).is_err() {
        if !install {
            return Outcome::skip(
                "deny",
                "cargo-deny is not installed: `cargo xtask deny --install` builds it, which takes some \
                 minutes",
            );
        }
        let installed = check("deny", &mut process::cargo(INSTALL), echo);
        if installed.failed > 0 {
            return Outcome::fail("deny", "cargo-deny cannot be installed");
        }
    }
    let check_all = ["deny", "check", "--hide-inclusion-graph", "bans", "licenses", "sources"];
    check("deny", &mut process::cargo(check_all), echo)
}

/// Whether a command succeeds.
pub(crate) fn check(name: &str, command: &mut Command, echo: Echo) -> Outcome {
    match process::stream(command, process::BUILD_LIMIT, echo, |_| ()) {
        Ok(status) if status.success() => Outcome::pass(name),
        Ok(status) => Outcome::fail(name, status.to_string()),
        Err(error) => Outcome::fail(name, format!("{error:#}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_that_was_asked_for_and_not_made_is_no_success() {
        assert!(all_made(&[Outcome::pass("deny")]));
        assert!(!all_made(&[Outcome::pass("a"), Outcome::skip("deny", "not installed")]));
        assert!(!all_made(&[Outcome::fail("deny", "a licence")]));
    }
}
