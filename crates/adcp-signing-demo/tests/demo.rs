//! The demo, as a user starts it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::Arc,
};

use adcp_signing::{
    Answer, ReplayStore, UnixSeconds,
    replay::{InsertOutcome, ReplayEntry, StoreError},
};
use adcp_signing_demo::{Report, Stage, play};
use adcp_signing_testkit::named_program;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

fn openbao() -> Option<PathBuf> {
    named_program("ADCP_TEST_OPENBAO_BIN")
}

fn demo(openbao: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_adcp-signing-demo"));
    command.arg("--openbao").arg(openbao).stdin(Stdio::null());
    command
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn every_check_passes_and_the_picture_of_the_readme_shows_them() {
    let Some(openbao) = openbao() else { return };
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("demo.svg");
    let output = demo(&openbao).args(["--json", "--svg"]).arg(&picture).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(output.status.success() && report["passed"] == true, "{report:#}");
    let names: Vec<String> = report["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|check| format!("{} {}", check["chapter"], check["name"]).replace('"', ""))
        .collect();
    let expected = "keys buyer-1, keys seller-1, keys export, keys access, order covers, \
        order signed, order verified, order replay, order changed, order unsigned, order handler, \
        rotation published, rotation covers, rotation signed, rotation verified, \
        rotation overlap, rotation retired, webhook covers, webhook signed, webhook verified, \
        webhook replay, webhook changed, webhook repeated, webhook handler";
    assert_eq!(names.join(", "), expected);
    let input = report["checks"][4]["details"]["signature_input"].as_str().unwrap();
    assert!(input.contains(r#"keyid="buyer-1""#), "{input}");

    let committed = fs::read_to_string(root().join("docs/demo.svg")).unwrap();
    let drawn = fs::read_to_string(picture).unwrap();
    assert!(committed == drawn, "draw it again: `cargo xtask demo --svg docs/demo.svg`");
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let (_, image) = readme.split_once("![").expect("README.md shows the picture");
    let (alternative, target) = image.split_once("](").unwrap();
    assert!(target.starts_with("docs/demo.svg)") && alternative.len() > 100, "{alternative}");
}

#[test]
fn a_pipe_gets_plain_text() {
    let Some(openbao) = openbao() else { return };
    let output = demo(&openbao).output().unwrap();
    let text = text(&output);
    assert!(output.status.success() && !text.contains('\u{1b}'), "{text}");
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("Two private keys in OpenBao "), "{text}");
    assert!(lines.contains(&"The buyer rotates its key"), "{text}");
    assert!(lines.iter().all(|line| line.chars().count() <= 100), "{text}");
    let last = "24 checks passed. OpenBao has ended, and its keys with it.";
    assert_eq!(lines.last(), Some(&last));
}

/// A store that takes every nonce for a new one.
#[derive(Debug)]
struct Forgetful;

impl ReplayStore for Forgetful {
    fn insert<'a>(
        &'a self,
        _: ReplayEntry<'a>,
        _: UnixSeconds,
    ) -> Answer<'a, InsertOutcome, StoreError> {
        Answer::now(Ok(InsertOutcome::Inserted))
    }
}

#[tokio::test]
async fn a_seller_that_forgets_nonces_fails_the_demo() {
    let Some(openbao) = openbao() else { return };
    let mut stage = Stage::new(openbao);
    stage.seller_replay = Arc::new(Forgetful);
    let mut report = Report::new(|_| {});
    play(&stage, &mut report).await.unwrap();
    assert!(!report.passed());
    let failed = report.checks().filter(|check| !check.passed());
    let failed: Vec<_> =
        failed.map(|check| (check.chapter, check.name, check.came.as_str())).collect();
    assert_eq!(failed, [("order", "replay", "200"), ("order", "handler", "2 times")]);
}

#[test]
fn a_signal_ends_openbao_too() {
    let Some(openbao) = openbao() else { return };
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let mut child = demo(&openbao).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.next().unwrap().unwrap();
        assert!(first.starts_with("Two private keys"), "{first}");
        let server = child_of(child.id());
        kill_process(Pid::from_child(&child), signal).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(130));
        assert!(processes().iter().all(|(id, _)| *id != server), "OpenBao still runs");
    }
}

/// The one process that this one has started.
fn child_of(parent: u32) -> u32 {
    let all = processes();
    let children: Vec<u32> =
        all.iter().filter(|(_, of)| *of == parent).map(|(child, _)| *child).collect();
    assert_eq!(children.len(), 1, "{all:?}");
    children[0]
}

/// The processes of this machine, each with its parent.
fn processes() -> Vec<(u32, u32)> {
    let output = Command::new("ps").args(["-A", "-o", "pid=,ppid="]).output().unwrap();
    let ids = |line: &str| {
        let mut ids = line.split_whitespace().map(|id| id.parse().unwrap());
        Some((ids.next()?, ids.next()?))
    };
    text(&output).lines().filter_map(ids).collect()
}

#[test]
fn a_program_that_is_not_openbao_is_named_and_is_no_success() {
    for (program, cause) in [("/missing", "No such file"), ("/bin/true", " ended")] {
        let output = demo(Path::new(program)).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{program}");
        let error = String::from_utf8_lossy(&output.stderr);
        let start = format!("error: OpenBao does not start; is {program} the program `bao`?: ");
        assert!(error.starts_with(&start) && error.contains(cause), "{error}");
    }
}

#[test]
fn a_program_of_the_readme_has_at_most_fifteen_lines() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let blocks = readme.split("\n```rust").skip(1);
    let programs: Vec<&str> = blocks
        .map(|block| block.split_once('\n').unwrap().1.split("\n```").next().unwrap())
        .collect();
    assert_eq!(programs.len(), 2);
    for program in programs {
        assert!(program.lines().count() <= 15, "{program}");
    }
}
