//! `cargo xtask bench kms`: what each backend costs beside its client's bare call, against a
//! running server.

use std::{
    collections::HashMap,
    io::{self, Write as _},
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Line, dash, duration, plot, table};
use crate::{emulators, process};

/// Options of `cargo xtask bench kms`.
#[derive(Args)]
pub(crate) struct KmsArgs {
    /// Measure only this backend, by its feature; may be repeated.
    #[arg(long, value_name = "FEATURE")]
    only: Vec<String>,
    /// Print one JSON object in place of the table.
    #[arg(long)]
    json: bool,
}

/// A backend with a bench, and the servers it is measured against.
struct Backend {
    feature: &'static str,
    package: &'static str,
    /// Those that answer fast enough to show what a provider adds. Others that the environment
    /// names are measured too.
    servers: &'static [&'static str],
}

const BACKENDS: &[Backend] = &[
    Backend { feature: "aws-kms", package: "adcp-signing-aws-kms", servers: &["ministack"] },
    Backend {
        feature: "azure-key-vault",
        package: "adcp-signing-azure-key-vault",
        servers: &["fake-azure-key-vault"],
    },
    Backend { feature: "gcp-kms", package: "adcp-signing-gcp-kms", servers: &["fake-gcp-kms"] },
    Backend {
        feature: "vault-transit",
        package: "adcp-signing-vault-transit",
        servers: &["openbao"],
    },
    Backend { feature: "pkcs11", package: "adcp-signing-pkcs11", servers: &["softhsm"] },
];

const PROGRAM: &str = "adcp-signing";
const BENCH: &str = "kms";

/// A signature with the stack for production, `SelfChecking` on, minus the bare call.
const OVERHEAD_NS: f64 = 100_000.0;
/// Throughput without `SelfChecking`, against the bare client's.
const UNCHECKED: f64 = 0.95;
/// How far a rate may be below what the CPU of the verifications explains: as much as two equal
/// rates differ by.
const NOISE: f64 = 0.95;
/// From the start of the command line to the signed message, without the server's time.
const COLD_START_NS: f64 = 50_000_000.0;

/// What a bench prints for one key of one server.
#[derive(Debug, Clone, Deserialize, Serialize)]
struct Numbers {
    service: String,
    algorithm: String,
    latency: Latency,
    throughput: Throughput,
    verification_ns: f64,
    cores: f64,
    public_key_calls: Option<u64>,
    cold_start: Option<ColdStart>,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
struct Latency {
    pairs: u64,
    bare_ns: f64,
    provider_ns: f64,
    overhead_ns: f64,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
struct Throughput {
    in_flight: u64,
    bare_per_s: f64,
    unchecked_per_s: f64,
    checked_per_s: f64,
    unchecked_to_bare: f64,
    checked_to_unchecked: f64,
    bare_cpu_ns: f64,
    unchecked_cpu_ns: f64,
    checked_cpu_ns: f64,
    bare_p50_ns: f64,
    bare_p99_ns: f64,
    unchecked_p50_ns: f64,
    unchecked_p99_ns: f64,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
struct ColdStart {
    whole_ns: f64,
    server_ns: f64,
    own_ns: f64,
}

/// Builds, measures and prints the table. A missed target is shown, not an error: time depends on
/// the machine.
pub(crate) fn run(args: &KmsArgs) -> Result<bool> {
    for name in &args.only {
        let names: Vec<_> = BACKENDS.iter().map(|backend| backend.feature).collect();
        ensure!(
            names.contains(&name.as_str()),
            "there is no bench `{name}`; there are: {}",
            names.join(", ")
        );
    }
    let backends: Vec<_> = BACKENDS
        .iter()
        .filter(|backend| {
            args.only.is_empty() || args.only.iter().any(|only| only == backend.feature)
        })
        .collect();
    let built = build(&backends)?;
    let mut measured = Vec::new();
    for backend in &backends {
        measured.extend(
            measure(backend, &built)
                .with_context(|| format!("the bench of {}", backend.package))?,
        );
    }
    let rows: Vec<Line> = measured.iter().flat_map(rows).collect();
    let text = if args.json {
        format!("{}\n", json!({"services": measured, "rows": rows}))
    } else {
        table(&rows)
    };
    io::stdout().write_all(text.as_bytes())?;
    plot::draw_run("kms", &table(&rows))?;
    Ok(!rows.is_empty())
}

/// The programs: the command line by its name, each bench by its package.
struct Built {
    program: PathBuf,
    benches: HashMap<&'static str, PathBuf>,
}

/// Builds all in one go, so that what they share is built once.
fn build(backends: &[&Backend]) -> Result<Built> {
    let mut command =
        process::cargo(["build", "--release", "--message-format=json-render-diagnostics"]);
    command.args(["--package", "adcp-signing-cli", "--bin", PROGRAM, "--bench", BENCH]);
    for Backend { feature, package, .. } in backends {
        command.args(["--package", package, "--features", &format!("adcp-signing-cli/{feature}")]);
    }
    let text = process::capture(&mut command)?;
    let artifacts: Vec<Artifact> =
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let executable = |name: &str, manifest: &str| {
        let is_it = |artifact: &&Artifact| {
            artifact.target.name == name
                && artifact.manifest_path.ends_with(format!("{manifest}/Cargo.toml"))
        };
        let found = artifacts.iter().filter(is_it).find_map(|artifact| artifact.executable.clone());
        found.with_context(|| format!("cargo built no `{name}` of {manifest}"))
    };
    let benches =
        backends.iter().map(|backend| Ok((backend.package, executable(BENCH, backend.package)?)));
    Ok(Built {
        program: executable(PROGRAM, "adcp-signing-cli")?,
        benches: benches.collect::<Result<_>>()?,
    })
}

/// What cargo says of something it built.
#[derive(Deserialize)]
struct Artifact {
    manifest_path: PathBuf,
    target: Target,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

/// Brings the servers up, runs the bench, and stops what it started.
fn measure(backend: &Backend, built: &Built) -> Result<Vec<Numbers>> {
    let session = emulators::up(backend.servers)?;
    let bench = built.benches.get(backend.package).context("it was not built")?;
    let mut command = Command::new(bench);
    command.stdin(Stdio::null()).envs(session.variables());
    command.env("ADCP_BENCH_PROGRAM", &built.program);
    command.env("ADCP_BENCH_MESSAGE", process::root().join("examples/create_media_buy.http"));
    let outcome = process::capture(&mut command);
    session.stop()?;
    numbers(&outcome?)
}

/// The lines of a bench that are numbers; what else it says, such as which server it leaves out, is
/// repeated.
fn numbers(output: &str) -> Result<Vec<Numbers>> {
    let (numbers, remarks): (Vec<&str>, Vec<&str>) =
        output.lines().partition(|line| line.starts_with('{'));
    remarks.iter().for_each(|remark| eprintln!("{remark}"));
    let read = |line: &&str| serde_json::from_str(line).with_context(|| format!("it said: {line}"));
    numbers.iter().map(read).collect()
}

fn rows(numbers: &Numbers) -> Vec<Line> {
    let Numbers { latency, throughput, .. } = numbers;
    let name = |what: &str| format!("{} {}, {what}", numbers.service, numbers.algorithm);
    let mut rows = vec![
        one_call(name("one call - bare"), latency),
        at_least(
            name(&format!("{} in flight : bare", throughput.in_flight)),
            (throughput.unchecked_per_s, throughput.bare_per_s),
            throughput.unchecked_to_bare,
            UNCHECKED,
        ),
        at_least(
            name("the same, SelfChecking on : off"),
            (throughput.checked_per_s, throughput.unchecked_per_s),
            throughput.checked_to_unchecked,
            explained(numbers) * NOISE,
        ),
        shown(
            name("CPU of a call in flight - bare"),
            throughput.unchecked_cpu_ns,
            throughput.bare_cpu_ns,
            |ours, bare| duration(ours - bare),
        ),
        shown(
            name("99th percentile : median in flight"),
            throughput.unchecked_p99_ns,
            throughput.unchecked_p50_ns,
            |last, half| format!("{:.2}x", last / half),
        ),
    ];
    if let Some(calls) = numbers.public_key_calls {
        rows.push(Line {
            what: name("calls for the public key in a provider's life"),
            measured: calls.to_string(),
            against: dash(),
            result: calls.to_string(),
            target: "1".to_owned(),
            met: Some(calls == 1),
        });
    }
    if let Some(cold) = &numbers.cold_start {
        rows.push(Line {
            what: name("cold start - server"),
            measured: duration(cold.whole_ns),
            against: if cold.server_ns > 0.0 { duration(cold.server_ns) } else { dash() },
            result: duration(cold.own_ns),
            target: format!("< {}", duration(COLD_START_NS)),
            met: Some(cold.own_ns < COLD_START_NS),
        });
    }
    rows
}

fn one_call(what: String, latency: &Latency) -> Line {
    Line {
        what,
        measured: duration(latency.provider_ns),
        against: duration(latency.bare_ns),
        result: duration(latency.overhead_ns),
        target: format!("<= {}", duration(OVERHEAD_NS)),
        met: Some(latency.overhead_ns <= OVERHEAD_NS),
    }
}

/// A row of two rates, and the median of their ratios within a round.
fn at_least(what: String, (measured, against): (f64, f64), ratio: f64, limit: f64) -> Line {
    let rate = |rate: f64| format!("{rate:.0}/s");
    Line {
        what,
        measured: rate(measured),
        against: rate(against),
        result: format!("{ratio:.2}x"),
        target: format!(">= {limit:.2}x"),
        met: Some(ratio >= limit),
    }
}

/// A row for information.
fn shown(what: String, measured: f64, against: f64, result: impl Fn(f64, f64) -> String) -> Line {
    let (target, met) = (dash(), None);
    let result = result(measured, against);
    Line { what, measured: duration(measured), against: duration(against), result, target, met }
}

/// What is left of the throughput where each signature costs one verification more on cores that
/// were busy before.
fn explained(numbers: &Numbers) -> f64 {
    let before = 1e9 / numbers.throughput.unchecked_per_s;
    before / (before + numbers.verification_ns / numbers.cores)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn numbers() -> Value {
        json!({
            "service": "KMS (fake)",
            "algorithm": "ed25519",
            "latency": {"pairs": 9, "bare_ns": 2e6, "provider_ns": 2.09e6, "overhead_ns": 9e4},
            "throughput": {
                "in_flight": 64, "bare_per_s": 10_000.0, "unchecked_per_s": 9_600.0, "checked_per_s": 7_000.0,
                "unchecked_to_bare": 0.96, "checked_to_unchecked": 0.80,
                "bare_cpu_ns": 4e4, "unchecked_cpu_ns": 5e4, "checked_cpu_ns": 1e5, "bare_p50_ns": 6e6, "bare_p99_ns": 8e6, "unchecked_p50_ns": 6e6, "unchecked_p99_ns": 1.2e7,
            },
            "verification_ns": 5e4, "cores": 2.0, "public_key_calls": 1,
            "cold_start": {"whole_ns": 3e7, "server_ns": 1e6, "own_ns": 2.9e7},
        })
    }

    fn met(numbers: Value) -> Vec<Option<bool>> {
        rows(&serde_json::from_value(numbers).unwrap()).iter().map(|row| row.met).collect()
    }

    #[test]
    fn each_target_is_met_or_missed_by_its_own_number() {
        const YES: Option<bool> = Some(true);
        assert_eq!(met(numbers()), [YES, YES, YES, None, None, YES, YES]);
        let worse = [
            ("/latency/overhead_ns", json!(1.01e5), 0),
            ("/throughput/unchecked_to_bare", json!(0.94), 1),
            // 9600/s leave 104 µs for each; a verification on two cores adds 25.
            ("/throughput/checked_to_unchecked", json!(0.77), usize::MAX),
            ("/throughput/checked_to_unchecked", json!(0.76), 2),
            ("/public_key_calls", json!(2), 5),
            ("/cold_start/own_ns", json!(5e7), 6),
        ];
        for (pointer, value, missed) in worse {
            let mut numbers = numbers();
            *numbers.pointer_mut(pointer).unwrap() = value;
            for (index, met) in met(numbers).into_iter().enumerate() {
                let expected = if index == 3 || index == 4 { None } else { Some(index != missed) };
                assert_eq!(met, expected, "{pointer}, row {index}");
            }
        }
    }

    #[test]
    fn remarks_of_a_bench_are_no_numbers() {
        let output = format!("skipped: no server\n{}\n", numbers());
        assert_eq!(super::numbers(&output).unwrap().len(), 1);
        assert!(super::numbers("{\"service\":1}").is_err());
    }

    #[test]
    fn what_could_not_be_seen_has_no_row() {
        let mut numbers = numbers();
        numbers["public_key_calls"] = Value::Null;
        numbers["cold_start"] = Value::Null;
        assert_eq!(met(numbers).len(), 5);
    }

    #[test]
    fn each_backend_has_one_bench_and_its_servers_are_in_the_table() {
        for backend in BACKENDS {
            assert_eq!(BACKENDS.iter().filter(|other| other.package == backend.package).count(), 1);
            assert!(
                backend.servers.iter().all(|server| emulators::known(server)),
                "{}",
                backend.feature
            );
        }
    }
}
