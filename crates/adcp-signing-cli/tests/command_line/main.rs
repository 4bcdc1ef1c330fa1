//! The program as a user runs it: input, output and exit codes.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    reason = "a test fails by panicking"
)]

mod cases;
mod causes;
#[cfg(unix)]
mod jwks;
mod keys;
mod messages;
mod output;
mod terminal;
mod trust;
mod unsigned;

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};

fn run(args: &[&str], stdin: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_adcp-signing"))
        .args(args)
        .current_dir(workspace())
        .env_remove("ADCP_SIGNING_KEY")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that refuses its options does not read its input.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    child.wait_with_output().unwrap()
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

/// Answers of `--ndjson` to some lines.
fn ndjson(args: &[&str], lines: &[Value]) -> Vec<Value> {
    let input: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let output = run(args, &input);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A test key of the published vectors, private half included.
fn key() -> Value {
    let file = workspace().join("test-vectors/adcp/3.2.4/request-signing/keys.json");
    let keys: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    keys["keys"][0].clone()
}

fn to_sign(profile: &str) -> Value {
    json!({
        "kind": "request", "profile": profile, "method": "POST",
        "url": "https://seller.example.com/adcp/create_media_buy",
        "headers": {"Content-Type": "application/json"},
        "body": "{\"a\":1}", "key": key(),
        "created": 1_776_520_800, "nonce": "KXYnfEfJ0PBRZXQyVXfVQA",
    })
}

fn to_verify(profile: &str, signed: &Value) -> Value {
    let mut line = to_sign(profile);
    line["headers"] = signed["headers"].clone();
    line["jwks"] = json!({"keys": [key()]});
    line["now"] = json!(1_776_520_801);
    line
}

/// The line with one member changed.
fn with(mut line: Value, member: &str, value: Value) -> Value {
    line[member] = value;
    line
}

/// The line without a member.
fn without(mut line: Value, member: &str) -> Value {
    line.as_object_mut().unwrap().remove(member);
    line
}
