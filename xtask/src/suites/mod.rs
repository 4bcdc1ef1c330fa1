//! `cargo xtask test`: every suite of the workspace, each of which must have run something.

mod table;

use std::{
    env,
    io::{self, IsTerminal as _, Write as _},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use clap::Args;

use self::table::{SUITES, Work};
use crate::{
    beside::{Beside, Job},
    checksums,
    conformance::{self, Matrix},
    dependencies, emulators, features, interop,
    libtest::Tally,
    lint,
    process::{self, Echo},
    release,
    report::{self, Outcome},
};

/// Options of `cargo xtask test`.
#[derive(Args, Default)]
pub(crate) struct TestArgs {
    /// Run only this suite; may be repeated.
    #[arg(long, value_name = "SUITE")]
    only: Vec<String>,
    /// Leave out clippy, the docs, each feature alone, the dry run of a release, and the containers
    /// of docker-compose.yml, and count them as skipped.
    #[arg(long)]
    fast: bool,
    /// Print one JSON object on standard output, and all else on standard error.
    #[arg(long)]
    json: bool,
    /// Which Vault to test against; `hashicorp` is tested beside OpenBao, and built first: ten
    /// minutes.
    #[arg(long, value_enum, default_value_t = emulators::Vault::Openbao)]
    vault: emulators::Vault,
}

/// How long the tests of a suite may run. On an idle machine the longest takes a tenth of it; a test
/// that hangs ends here, and not with the whole run.
const SUITE_LIMIT: Duration = Duration::from_secs(20 * 60);

/// What suites with servers use where it can be had. The tests that need it say so where it is not
/// there, and fail under `CI=true`.
const LIBRARIES: &[&str] = &["faketime"];

/// Whether a suite runs against this server.
pub(crate) fn needs(server: &str) -> bool {
    LIBRARIES.contains(&server)
        || SUITES.iter().any(|(_, work)| match work {
            Work::Backend { servers, .. } | Work::Served { servers, .. } => {
                servers.contains(&server)
            }
            Work::Interop => interop::PEERS.contains(&server),
            _ => false,
        })
}

/// Runs all of it, as a release needs it.
pub(crate) fn run_all() -> Result<bool> {
    run(&TestArgs::default())
}

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
    let mut matrix = Matrix::default();
    // Beside the suites before it.
    let mut compose = (!args.fast && chosen.iter().any(|(_, work)| matches!(work, Work::Compose)))
        .then(emulators::Preparation::begin)
        .transpose()?;
    let mut beside = if args.fast { Beside::default() } else { checks(&chosen)? };
    for (index, (name, work)) in chosen.iter().enumerate() {
        announce(&format!("[{}/{}] {name}", index + 1, chosen.len()));
        let begun = Instant::now();
        beside.build_next(chosen.get(index + 1).and_then(|(name, work)| build(name, work)));
        outcomes.push(match (work, compose.take()) {
            (Work::Compose, Some(preparation)) => beside.during(|phase| {
                phase.begin();
                preparation.run(echo)
            }),
            (_, kept) => {
                compose = kept;
                perform(name, *work, args, echo, &mut matrix, &mut beside)
            }
        });
        eprintln!("{name} took {:.1} s", begun.elapsed().as_secs_f64());
    }
    matrix.leave()?;
    let summary = if args.json {
        format!("{}\n", report::json(&outcomes, &matrix))
    } else {
        matrix.text() + &report::table(&outcomes)
    };
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
        eprintln!(
            "{}",
            process::version(tool).with_context(|| format!("a tool is missing: {cure}"))?
        );
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

/// Puts the checks in line that only compile.
fn checks(chosen: &[&(&'static str, Work)]) -> Result<Beside> {
    let mut beside = Beside::default();
    for (name, work) in chosen {
        match work {
            Work::Clippy => beside.add(name, vec![Job::new(*name, lint::clippy())]),
            Work::Doc => beside.add(name, vec![Job::new(*name, lint::doc())]),
            Work::Features => beside.add(name, features::jobs()?),
            _ => (),
        }
    }
    Ok(beside)
}

/// What builds the tests of a suite ahead of it.
fn build(name: &str, work: &Work) -> Option<Job> {
    let served;
    let arguments = match work {
        // Those of the docs are built when they run.
        Work::Cargo(arguments) if !arguments.contains(&"--doc") => *arguments,
        Work::Backend { package, .. } | Work::Served { package, .. } => {
            served = tests_of(package);
            &served
        }
        _ => return None,
    };
    let mut command = process::cargo(["test", "--no-run"]);
    command.args(arguments);
    Some(Job::new(format!("the tests of {name}"), command))
}

/// The tests of a crate that need servers.
fn tests_of(package: &str) -> [&str; 4] {
    ["--package", package, "--all-features", "--tests"]
}

fn perform(
    name: &str,
    work: Work,
    args: &TestArgs,
    echo: Echo,
    matrix: &mut Matrix,
    beside: &mut Beside,
) -> Outcome {
    match work {
        Work::Cargo(cargo_args) => cargo_test(name, cargo_args, &[], echo, beside),
        Work::Backend { package, servers } => {
            let mut servers = servers.to_vec();
            if args.vault == emulators::Vault::Hashicorp && servers.contains(&"openbao") {
                servers.push("vault");
            }
            backend(name, package, &servers, echo, matrix, beside)
        }
        Work::Served { package, servers } => {
            served(name, package, servers, Vec::new(), echo, beside)
                .unwrap_or_else(|without| without)
        }
        Work::Interop => interop::suite(echo, beside),
        Work::Hashes => checksums::check(),
        Work::Dependencies => merged(name, &dependencies::check()),
        Work::ReadmeCommand => readme_command(name, echo),
        Work::Fmt => lint::fmt(echo),
        Work::Clippy | Work::Doc | Work::Features | Work::Release if args.fast => {
            Outcome::skip(name, "left out by --fast")
        }
        // It is prepared from the start, except with --fast.
        Work::Compose => Outcome::skip(name, "left out by --fast"),
        Work::Clippy | Work::Doc | Work::Features => beside.finish(name, echo),
        Work::Release => release::rehearse(name, echo),
    }
}

/// Runs `cargo test` with these arguments and counts its tests.
pub(crate) fn cargo_test(
    name: &str,
    args: &[&str],
    variables: &[(String, String)],
    echo: Echo,
    beside: &mut Beside,
) -> Outcome {
    // Built first, so that the time limit is the tests' alone.
    if !args.contains(&"--doc") {
        let built = process::status(process::cargo(["test", "--no-run"]).args(args));
        if !built.is_ok_and(|status| status.success()) {
            return Outcome::fail(name, "the tests do not build");
        }
    }
    let mut command = process::cargo(["test", "--no-fail-fast"]);
    command.args(args).envs(variables.iter().map(|(name, value)| (name, value)));
    let mut tally = Tally::default();
    let status = beside.during(|phase| {
        process::stream(&mut command, SUITE_LIMIT, echo, |line| {
            if tally.read(line) {
                phase.begin();
            }
        })
    });
    let status = match status {
        Ok(status) => status,
        Err(error) => return Outcome::fail(name, format!("{error:#}")),
    };
    judge(name, &tally, status.success(), &status.to_string())
}

/// Runs a backend's tests, and takes the conformance report that they leave for each of its
/// servers.
fn backend(
    name: &str,
    package: &str,
    servers: &[&str],
    echo: Echo,
    matrix: &mut Matrix,
    beside: &mut Beside,
) -> Outcome {
    let reports = match conformance::folder_for(name) {
        Ok(reports) => reports,
        Err(error) => return Outcome::fail(name, format!("{error:#}")),
    };
    let variable = (conformance::VARIABLE.to_owned(), reports.to_string_lossy().into_owned());
    let outcome = match served(name, package, servers, vec![variable], echo, beside) {
        Ok(outcome) => outcome,
        Err(without) => return without,
    };
    match matrix.add_suite(&reports, servers.len()) {
        Err(error) if outcome.failed == 0 => Outcome::fail(name, format!("{error:#}")),
        _ => outcome,
    }
}

/// Brings the servers up, runs the crate's tests with their variables, and stops what it started,
/// pass or fail. The error is the outcome of a suite whose tests could not run.
pub(crate) fn served(
    name: &str,
    package: &str,
    servers: &[&str],
    more_variables: Vec<(String, String)>,
    echo: Echo,
    beside: &mut Beside,
) -> Result<Outcome, Outcome> {
    // Built first, so that no server waits for the compiler.
    let arguments = tests_of(package);
    let built = process::status(process::cargo(["test", "--no-run"]).args(arguments));
    if !built.is_ok_and(|status| status.success()) {
        return Err(Outcome::fail(name, "the tests do not build"));
    }
    let session = emulators::up(servers).map_err(|error| {
        // A machine that lacks a server, and the rights to install it, still passes what it can
        // run. CI has no excuse.
        if env::var_os("CI").is_none_or(|ci| ci != "true") {
            Outcome::skip(name, format!("{error:#}"))
        } else {
            Outcome::fail(name, format!("{error:#}"))
        }
    })?;
    let mut variables = session.variables();
    variables.extend(more_variables);
    match emulators::up(LIBRARIES) {
        Ok(libraries) => variables.extend(libraries.variables()),
        Err(error) => eprintln!("some tests are skipped, or fail with CI=true: {error:#}"),
    }
    if servers.contains(&"softhsm") {
        // The module is loaded more than once into the test's process, and its copies share the
        // token's files.
        variables.push(("RUST_TEST_THREADS".to_owned(), "1".to_owned()));
    }
    let outcome = cargo_test(name, &arguments, &variables, echo, beside);
    match session.stop() {
        Err(error) if outcome.failed == 0 => Err(Outcome::fail(name, format!("{error:#}"))),
        _ => Ok(outcome),
    }
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
fn readme_command(name: &str, echo: Echo) -> Outcome {
    let run = || -> Result<()> {
        let readme = std::fs::read_to_string(process::root().join("README.md"))?;
        let args =
            main_job(&readme).context("README.md has no `cargo run` command in a fenced block")?;
        let mut said_something = false;
        let status = process::stream(&mut process::cargo(args), SUITE_LIMIT, echo, |line| {
            said_something |= !line.is_empty()
        })?;
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
        output.lines().for_each(|line| _ = tally.read(line));
        judge("core", &tally, succeeded, "exit status: 101")
    }

    #[test]
    fn a_suite_that_ran_nothing_fails() {
        let outcome =
            judged("running 0 tests\ntest result: ok. 0 passed; 0 failed; 0 ignored", true);
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
        let outcome =
            judged("running 3 tests\ntest result: FAILED. 1 passed; 2 failed; 0 ignored", false);
        assert_eq!((outcome.passed, outcome.failed, outcome.note), (1, 2, None));
    }

    #[test]
    fn the_servers_of_a_backend_are_in_the_table() {
        for (name, work) in SUITES {
            if let Work::Backend { servers, .. } | Work::Served { servers, .. } = work {
                assert!(servers.iter().all(|server| emulators::known(server)), "{name}");
            }
        }
        assert!(interop::PEERS.iter().all(|peer| emulators::known(peer)));
    }

    #[test]
    fn the_main_job_is_read_from_a_fenced_block_only() {
        let readme = "run cargo run now\ncargo run -- no\n```sh\ncargo run -- demo a.http\n```\n";
        assert_eq!(main_job(readme).unwrap().collect::<Vec<_>>(), ["run", "--", "demo", "a.http"]);
        assert!(main_job("cargo run -- no\n").is_none());
    }
}
