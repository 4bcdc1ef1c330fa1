//! The checks that run no test: format, clippy, docs, vector hashes, dependency rules.

use std::{
    io::{self, Write as _},
    process::Command,
};

use anyhow::Result;

use crate::{
    checksums, dependencies,
    process::{self, Echo},
    report::{self, Outcome},
};

/// A warning of rustdoc fails.
pub(crate) const DOC_FLAGS: &str = "-D warnings";

/// Runs every check and prints the table.
pub(crate) fn run() -> Result<bool> {
    let mut outcomes =
        vec![fmt(Echo::Stdout), clippy(Echo::Stdout), doc(Echo::Stdout), checksums::check()];
    outcomes.extend(dependencies::check());
    outcomes.push(deny(Echo::Stdout));
    io::stdout().write_all(report::table(&outcomes).as_bytes())?;
    Ok(report::all_passed(&outcomes))
}

/// `cargo fmt --check`.
pub(crate) fn fmt(echo: Echo) -> Outcome {
    check("fmt", &mut process::cargo(["fmt", "--all", "--check"]), echo)
}

/// Clippy over every target and feature; a warning fails.
pub(crate) fn clippy(echo: Echo) -> Outcome {
    let args = ["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"];
    check("clippy", &mut process::cargo(args), echo)
}

/// The library crates' docs; a warning fails. The binaries are left out: `adcp-signing` the program
/// and `adcp_signing` the crate would write to the same folder.
pub(crate) fn doc(echo: Echo) -> Outcome {
    let mut command = process::cargo(["doc", "--workspace", "--no-deps", "--all-features"]);
    command.args(["--exclude", "adcp-signing-cli", "--exclude", "xtask"]);
    check("doc", command.env("RUSTDOCFLAGS", DOC_FLAGS), echo)
}

/// Licences, bans and sources by cargo-deny, where it is installed. Its advisories need a network
/// and are left out.
fn deny(echo: Echo) -> Outcome {
    match process::version(&["cargo", "deny", "--version"]) {
        Ok(_) => check(
            "deny",
            &mut process::cargo(["deny", "check", "bans", "licenses", "sources"]),
            echo,
        ),
        Err(_) => Outcome::skip(
            "deny",
            "cargo-deny is not installed: `cargo install cargo-deny --locked`",
        ),
    }
}

fn check(name: &str, command: &mut Command, echo: Echo) -> Outcome {
    match process::stream(command, process::BUILD_LIMIT, echo, |_| ()) {
        Ok(status) if status.success() => Outcome::pass(name),
        Ok(status) => Outcome::fail(name, status.to_string()),
        Err(error) => Outcome::fail(name, format!("{error:#}")),
    }
}
