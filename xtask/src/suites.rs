//! `cargo xtask test`: every suite of the workspace, each of which must have run something.

use std::io::{self, IsTerminal as _, Write as _};

use anyhow::{Context as _, Result, ensure};
use clap::Args;

use crate::{
    checksums, dependencies,
    libtest::Tally,
    lint,
    process::{self, Echo},
    report::{self, Outcome},
};

/// Options of `cargo xtask test`.
#[derive(Args)]
pub(crate) struct TestArgs {
    /// Run only this suite; may be repeated.
    #[arg(long, value_name = "SUITE")]
    only: Vec<String>,
    /// Skip clippy and the docs, and count them as skipped.
    #[arg(long)]
    fast: bool,
    /// Print one JSON object on standard output, and all else on standard error.
    #[arg(long)]
    json: bool,
}

/// What a suite runs.
#[derive(Clone, Copy)]
enum Work {
    /// `cargo test` with these arguments; its tests are counted.
    Cargo(&'static [&'static str]),
    /// The published vectors against their hashes.
    Hashes,
    /// What may be linked.
    Dependencies,
    /// The first command of README.md.
    Demo,
    /// The format.
    Fmt,
    /// Clippy; left out by `--fast`.
    Clippy,
    /// The docs; left out by `--fast`.
    Doc,
}

/// Every suite, in the order of running.
const SUITES: &[(&str, Work)] = &[
    ("fmt", Work::Fmt),
    (checksums::SUITE, Work::Hashes),
    ("dependencies", Work::Dependencies),
    ("xtask", Work::Cargo(&["--package", "xtask"])),
    ("core", Work::Cargo(&["--package", "adcp-signing-core", "--lib", "--tests"])),
    (
        "core-pure-rust",
        Work::Cargo(&["--package", "adcp-signing-core", "--no-default-features", "--lib", "--tests"]),
    ),
    (
        "core-all-features",
        Work::Cargo(&["--package", "adcp-signing-core", "--all-features", "--lib", "--tests"]),
    ),
    ("conformance", Work::Cargo(&["--package", "adcp-signing-conformance", "--lib", "--tests"])),
    ("cli", Work::Cargo(&["--package", "adcp-signing-cli", "--bins", "--tests"])),
    ("doc-tests", Work::Cargo(&["--workspace", "--all-features", "--doc"])),
    ("readme-command", Work::Demo),
    ("clippy", Work::Clippy),
    ("doc", Work::Doc),
];

/// Runs the suites, prints the table and says whether all passed.
pub(crate) fn run(args: &TestArgs) -> Result<bool> {
    for name in &args.only {
        ensure!(
            SUITES.iter().any(|(suite, _)| suite == name),
            "there is no suite `{name}`; the suites are: {}",
            SUITES.iter().map(|(suite, _)| *suite).collect::<Vec<_>>().join(", ")
        );
    }
    tools()?;
    let chosen: Vec<_> = SUITES
        .iter()
        .filter(|(name, _)| args.only.is_empty() || args.only.iter().any(|only| only == name))
        .collect();
    let echo = if args.json { Echo::Stderr } else { Echo::Stdout };
    let mut outcomes = Vec::new();
    for (index, (name, work)) in chosen.iter().enumerate() {
        announce(&format!("[{}/{}] {name}", index + 1, chosen.len()));
        outcomes.push(perform(name, *work, args.fast, echo));
    }
    let summary = if args.json { format!("{}\n", report::json(&outcomes)) } else { report::table(&outcomes) };
    io::stdout().write_all(summary.as_bytes())?;
    Ok(report::all_passed(&outcomes))
}

/// The tools the suites need, with their versions; what is missing is named with its cure.
fn tools() -> Result<()> {
    for (tool, cure) in [
        (&["cargo", "--version"][..], "install Rust with rustup"),
        (&["rustc", "--version"][..], "install Rust with rustup"),
        (&["cargo", "fmt", "--version"][..], "`rustup component add rustfmt`"),
        (&["cargo", "clippy", "--version"][..], "`rustup component add clippy`"),
    ] {
        eprintln!("{}", process::version(tool).with_context(|| format!("a tool is missing: {cure}"))?);
    }
    Ok(())
}

fn announce(text: &str) {
    if io::stderr().is_terminal() {
        eprintln!("\n\x1b[1m{text}\x1b[0m");
    } else {
        eprintln!("\n{text}");
    }
}

fn perform(name: &str, work: Work, fast: bool, echo: Echo) -> Outcome {
    match work {
        Work::Cargo(args) => cargo_test(name, args, echo),
        Work::Hashes => checksums::check(),
        Work::Dependencies => merged(name, &dependencies::check()),
        Work::Demo => demo(name, echo),
        Work::Fmt => lint::fmt(echo),
        Work::Clippy | Work::Doc if fast => Outcome::skip(name, "left out by --fast"),
        Work::Clippy => lint::clippy(echo),
        Work::Doc => lint::doc(echo),
    }
}

fn cargo_test(name: &str, args: &[&str], echo: Echo) -> Outcome {
    let mut command = process::cargo(["test", "--no-fail-fast"]);
    let mut tally = Tally::default();
    let status = match process::stream(command.args(args), echo, |line| tally.read(line)) {
        Ok(status) => status,
        Err(error) => return Outcome::fail(name, format!("{error:#}")),
    };
    judge(name, &tally, status.success(), &status.to_string())
}

/// A suite passes only if cargo succeeded, at least one test ran, and none went missing.
fn judge(name: &str, tally: &Tally, succeeded: bool, status: &str) -> Outcome {
    let note = if tally.lost() > 0 {
        Some(format!("{} tests gave no result", tally.lost()))
    } else if succeeded && tally.ran() == 0 {
        Some("ran no test".to_owned())
    } else if !succeeded && tally.failed == 0 {
        Some(format!("cargo test failed: {status}"))
    } else {
        None
    };
    let failed = tally.failed.max(u64::from(note.is_some()));
    Outcome { suite: name.to_owned(), passed: tally.passed, failed, skipped: tally.ignored, note }
}

fn merged(name: &str, parts: &[Outcome]) -> Outcome {
    let note = parts.iter().find(|part| part.failed > 0).and_then(|part| part.note.clone());
    Outcome {
        suite: name.to_owned(),
        passed: parts.iter().map(|part| part.passed).sum(),
        failed: parts.iter().map(|part| part.failed).sum(),
        skipped: parts.iter().map(|part| part.skipped).sum(),
        note,
    }
}

/// Runs the main job exactly as README.md gives it, so that the page cannot go stale.
fn demo(name: &str, echo: Echo) -> Outcome {
    let run = || -> Result<()> {
        let readme = std::fs::read_to_string(process::root().join("README.md"))?;
        let args = main_job(&readme).context("README.md has no `cargo run` command in a fenced block")?;
        let mut said_something = false;
        let status =
            process::stream(&mut process::cargo(args), echo, |line| said_something |= !line.is_empty())?;
        ensure!(status.success(), "the command of README.md failed: {status}");
        ensure!(said_something, "the command of README.md printed nothing");
        Ok(())
    };
    match run() {
        Ok(()) => Outcome::pass(name),
        Err(error) => Outcome::fail(name, format!("{error:#}")),
    }
}

/// The arguments after `cargo` of the first fenced line that starts with `cargo run`.
fn main_job(readme: &str) -> Option<impl Iterator<Item = &str>> {
    let mut fenced = false;
    for line in readme.lines() {
        if line.starts_with("```") {
            fenced = !fenced;
        } else if fenced && line.starts_with("cargo run ") {
            return Some(line.split_whitespace().skip(1));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(output: &str, succeeded: bool) -> Outcome {
        let mut tally = Tally::default();
        output.lines().for_each(|line| tally.read(line));
        judge("core", &tally, succeeded, "exit status: 101")
    }

    #[test]
    fn a_suite_that_ran_nothing_fails() {
        let outcome = judged("running 0 tests\ntest result: ok. 0 passed; 0 failed; 0 ignored", true);
        assert_eq!((outcome.failed, outcome.note.as_deref()), (1, Some("ran no test")));
    }

    #[test]
    fn a_build_that_fails_is_a_failure_though_no_test_did() {
        let outcome = judged("", false);
        assert_eq!(
            (outcome.failed, outcome.note.as_deref()),
            (1, Some("cargo test failed: exit status: 101"))
        );
    }

    #[test]
    fn a_binary_that_died_is_a_failure() {
        let outcome = judged("running 3 tests\n", false);
        assert_eq!((outcome.failed, outcome.note.as_deref()), (1, Some("3 tests gave no result")));
    }

    #[test]
    fn failed_tests_are_counted_once() {
        let outcome = judged("running 3 tests\ntest result: FAILED. 1 passed; 2 failed; 0 ignored", false);
        assert_eq!((outcome.passed, outcome.failed, outcome.note), (1, 2, None));
    }

    #[test]
    fn the_main_job_is_read_from_a_fenced_block_only() {
        let readme = "run cargo run now\ncargo run -- no\n```sh\ncargo run -- demo a.http\n```\n";
        assert_eq!(main_job(readme).unwrap().collect::<Vec<_>>(), ["run", "--", "demo", "a.http"]);
        assert!(main_job("cargo run -- no\n").is_none());
    }
}
