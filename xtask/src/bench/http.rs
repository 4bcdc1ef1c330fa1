//! `cargo xtask bench http`: what the verifying layer costs over loopback, beside servers that do
//! less and beside the verifiers of other projects.

use std::{
    env, fs,
    io::{self, Write as _},
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use serde::Deserialize;

use super::{Line, dash, duration, plot, table};
use crate::{emulators, interop, process};

/// Options of `cargo xtask bench http`.
#[derive(Args)]
pub(crate) struct HttpArgs {
    /// Leave out the SDKs of other projects, which have to be installed.
    #[arg(long)]
    without_peers: bool,
    /// Measure only this part: `in-process`, `loopback` or `memory`; may be repeated.
    #[arg(long, value_name = "PART")]
    only: Vec<String>,
}

const PACKAGE: &str = "adcp-signing-bench";
const PARTS: [&str; 3] = ["in-process", "loopback", "memory"];
/// What the environment names the SDKs by.
const VARIABLES: [&str; 2] = ["ADCP_TEST_INTEROP_PYTHON", "ADCP_TEST_INTEROP_NODE_FOLDER"];

/// The layer, beyond the raw verification.
const BEYOND_NS: f64 = 12_000.0;
/// The rate of a server with the layer, against one with the raw verification.
const RATE: f64 = 0.90;
/// What memory may grow by from the warm-up to the end.
const GROWTH: f64 = 1.05;

/// A line that the benchmark prints.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Number {
    InProcess(InProcess),
    Server { name: String, version: String },
    Loopback(Loopback),
    Memory(Memory),
}

/// The means of one call each.
#[derive(Debug, Deserialize)]
struct InProcess {
    algorithm: String,
    body: usize,
    by_hand_ns: f64,
    json_ns: f64,
    layer_ns: f64,
}

/// What one server came to.
#[derive(Debug, Deserialize)]
struct Loopback {
    algorithm: String,
    body: usize,
    server: String,
    p50_ns: f64,
    p99_ns: f64,
    per_s: f64,
    cpu_ns: f64,
    rate_to_by_hand: f64,
    p50_beyond_by_hand_ns: f64,
    cpu_beyond_by_hand_ns: f64,
}

#[derive(Debug, Deserialize)]
struct Memory {
    requests: u64,
    warm_up: u64,
    warm_bytes: f64,
    end_bytes: f64,
}

/// Builds, measures and prints the tables. A missed target is shown, not an error: time depends on
/// the machine.
pub(crate) fn run(args: &HttpArgs) -> Result<bool> {
    for part in &args.only {
        ensure!(PARTS.contains(&part.as_str()), "there is no part `{part}`: {}", PARTS.join(", "));
    }
    let program = build()?;
    let session =
        match args.without_peers || VARIABLES.iter().all(|name| env::var_os(name).is_some()) {
            true => None,
            false => Some(emulators::up(interop::PEERS)?),
        };
    let mut command = Command::new(program);
    command.arg("run").args(&args.only).stdin(Stdio::null());
    if args.without_peers {
        for name in VARIABLES {
            command.env_remove(name);
        }
    }
    if let Some(session) = &session {
        command.envs(session.variables());
    }
    let before = load();
    let output = process::capture(&mut command);
    let after = load();
    if let Some(session) = session {
        session.stop()?;
    }
    let numbers = numbers(&output?)?;
    let tables = report(&numbers);
    plot::draw_run("http", &tables)?;
    let text = format!(
        "Load average before and after: {before}, {after}. Servers: {}.\n\n{}",
        versions(&numbers).join(", "),
        tables
    );
    io::stdout().write_all(text.as_bytes())?;
    Ok(!numbers.is_empty())
}

fn build() -> Result<PathBuf> {
    // The profile of benchmarks, whose programs are where those of `--release` are.
    let mut command = process::cargo(["build", "--profile", "bench", "--package", PACKAGE]);
    let status = process::status(&mut command)?;
    ensure!(status.success(), "{PACKAGE} does not build: {status}");
    Ok(process::target_dir().join("release").join(PACKAGE))
}

/// What else the machine did in the last minute.
fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().map_or_else(dash, str::to_owned)
}

fn numbers(output: &str) -> Result<Vec<Number>> {
    let read = |line: &str| serde_json::from_str(line).with_context(|| format!("it said: {line}"));
    output.lines().map(read).collect()
}

fn versions(numbers: &[Number]) -> Vec<String> {
    let server = |number: &Number| match number {
        Number::Server { name, version } => Some(format!("{} {version}", shown(name))),
        _ => None,
    };
    numbers.iter().filter_map(server).collect()
}

/// The tables in Markdown.
fn report(numbers: &[Number]) -> String {
    let lines: Vec<Line> = numbers.iter().flat_map(lines).collect();
    let servers: Vec<&Loopback> = numbers
        .iter()
        .filter_map(|number| match number {
            Number::Loopback(loopback) => Some(loopback),
            _ => None,
        })
        .collect();
    let mut text = table(&lines);
    if !servers.is_empty() {
        text += "\n| request | server | median | p99 | requests/s | of raw | CPU |\n\
                 |---|---|--:|--:|--:|--:|--:|\n";
    }
    for loopback in servers {
        let Loopback { p50_ns, p99_ns, per_s, cpu_ns, rate_to_by_hand, .. } = loopback;
        text += &format!(
            "| {} | {} | {} | {} | {per_s:.0} | {rate_to_by_hand:.2}x | {} |\n",
            case(&loopback.algorithm, loopback.body),
            shown(&loopback.server),
            duration(*p50_ns),
            duration(*p99_ns),
            duration(*cpu_ns),
        );
    }
    text
}

/// The rows that have a target.
fn lines(number: &Number) -> Vec<Line> {
    match number {
        Number::InProcess(numbers) => {
            let InProcess { by_hand_ns, json_ns, layer_ns, .. } = *numbers;
            let case = case(&numbers.algorithm, numbers.body);
            let whole = format!("{case}, in process: layer - raw");
            let rest = format!("{case}, in process: layer - raw - duplicate keys");
            vec![
                difference(whole, layer_ns, by_hand_ns, layer_ns - by_hand_ns),
                difference(rest, layer_ns, by_hand_ns + json_ns, layer_ns - by_hand_ns - json_ns),
            ]
        }
        Number::Loopback(numbers) if numbers.server == "layer" => {
            let case = case(&numbers.algorithm, numbers.body);
            let Loopback { p50_ns, per_s, cpu_ns, rate_to_by_hand, .. } = *numbers;
            let (p50, cpu) = (numbers.p50_beyond_by_hand_ns, numbers.cpu_beyond_by_hand_ns);
            vec![
                difference(format!("{case}: median, layer - raw"), p50_ns, p50_ns - p50, p50),
                difference(format!("{case}: CPU, layer - raw"), cpu_ns, cpu_ns - cpu, cpu),
                Line {
                    what: format!("{case}: requests/s, layer : raw"),
                    measured: format!("{per_s:.0}/s"),
                    against: format!("{:.0}/s", per_s / rate_to_by_hand),
                    result: format!("{rate_to_by_hand:.2}x"),
                    target: format!(">= {RATE:.2}x"),
                    met: Some(rate_to_by_hand >= RATE),
                },
            ]
        }
        Number::Memory(Memory { requests, warm_up, warm_bytes, end_bytes }) => {
            let growth = end_bytes / warm_bytes;
            vec![Line {
                what: format!("memory after {requests} requests : after {warm_up}"),
                measured: mebibytes(*end_bytes),
                against: mebibytes(*warm_bytes),
                result: format!("{growth:.2}x"),
                target: format!("<= {GROWTH:.2}x"),
                met: Some(growth <= GROWTH),
            }]
        }
        _ => Vec::new(),
    }
}

fn difference(what: String, measured: f64, against: f64, result: f64) -> Line {
    Line {
        what,
        measured: duration(measured),
        against: duration(against),
        result: duration(result),
        target: format!("<= {}", duration(BEYOND_NS)),
        met: Some(result <= BEYOND_NS),
    }
}

fn case(algorithm: &str, body: usize) -> String {
    let algorithm = if algorithm == "ed25519" { "Ed25519" } else { "P-256" };
    format!("{algorithm}, {} KiB", body / 1024)
}

fn shown(server: &str) -> &str {
    match server {
        "nothing" => "no verification",
        "by-hand" => "raw verification",
        "layer" => "**`VerifyLayer`**",
        "httpsig-hyper" => "`httpsig-hyper`",
        "adcp-python" => "`adcp` on Starlette",
        "adcp-node" => "`@adcp/sdk` on Express",
        other => other,
    }
}

fn mebibytes(bytes: f64) -> String {
    format!("{:.1} MiB", bytes / 1_048_576.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = r#"{"kind":"in_process","algorithm":"ed25519","body":1024,"by_hand_ns":35000,"json_ns":600,"verifier_ns":37000,"layer_ns":39000}
{"kind":"server","name":"adcp-node","version":"6.11.0"}
{"kind":"loopback","algorithm":"ecdsa-p256-sha256","body":65536,"server":"layer","p50_ns":90000,"p99_ns":120000,"per_s":9000,"cpu_ns":100000,"rate_to_by_hand":0.9,"p50_beyond_by_hand_ns":12000,"cpu_beyond_by_hand_ns":12001}
{"kind":"loopback","algorithm":"ecdsa-p256-sha256","body":65536,"server":"nothing","p50_ns":20000,"p99_ns":30000,"per_s":40000,"cpu_ns":15000,"rate_to_by_hand":4.0,"p50_beyond_by_hand_ns":-60000,"cpu_beyond_by_hand_ns":-70000}
{"kind":"memory","requests":1000000,"warm_up":100000,"warm_bytes":10485760,"end_bytes":11534336}"#;

    #[test]
    fn each_target_is_met_or_missed_by_its_own_number() {
        let numbers = numbers(OUTPUT).unwrap();
        let lines: Vec<Line> = numbers.iter().flat_map(lines).collect();
        let met: Vec<_> = lines.iter().map(|line| line.met.unwrap()).collect();
        assert_eq!(met, [true, true, true, false, true, false]);
        assert_eq!(lines[0].result, "4.00 µs");
        assert_eq!(lines[1].result, "3.40 µs");
        assert_eq!(lines[4].against, "10000/s");
    }

    #[test]
    fn the_report_has_a_row_for_each_server() {
        let numbers = numbers(OUTPUT).unwrap();
        let text = report(&numbers);
        assert!(text.contains("| Ed25519, 1 KiB, in process: layer - raw | 39.00 µs | 35.00 µs |"));
        let row =
            "| P-256, 64 KiB | no verification | 20.00 µs | 30.00 µs | 40000 | 4.00x | 15.00 µs |";
        assert!(text.contains(row), "{text}");
        assert_eq!(versions(&numbers), ["`@adcp/sdk` on Express 6.11.0"]);
    }

    #[test]
    fn what_is_no_number_is_an_error() {
        assert!(super::numbers("{}").is_err());
    }
}
