//! `cargo xtask bench`: runs the criterion benchmarks and compares each with what it should be
//! measured against.

mod http;
mod kms;
mod plot;

use std::{
    fs,
    io::{self, Write as _},
    path::Path,
};

use anyhow::{Context as _, Result, ensure};
use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};

use crate::process;

/// Options of `cargo xtask bench`.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct BenchArgs {
    #[command(subcommand)]
    of: Option<Of>,
    /// Print the table of the last run again instead of measuring.
    #[arg(long)]
    no_run: bool,
}

/// What else is measured or drawn.
#[derive(Subcommand)]
enum Of {
    /// The key services: each backend beside its client's bare call, against a running server.
    Kms(kms::KmsArgs),
    /// Draw the plots of docs/performance.md again from its tables, and measure nothing.
    Plots,
    /// A server that verifies, over loopback, beside others.
    Http(http::HttpArgs),
}

/// What a line of the table compares.
#[derive(Clone, Copy)]
struct Row {
    label: &'static str,
    /// `group/function` of a criterion benchmark.
    measured: &'static str,
    /// The benchmark that it is divided by; without one it is a time in nanoseconds.
    base: Option<&'static str>,
    /// `None` where it is for information.
    at_most: Option<f64>,
}

const fn time(label: &'static str, measured: &'static str) -> Row {
    Row { label, measured, base: None, at_most: None }
}

const fn ratio(label: &'static str, measured: &'static str, base: &'static str) -> Row {
    Row { base: Some(base), ..time(label, measured) }
}

const fn limit(row: Row, at_most: f64) -> Row {
    Row { at_most: Some(at_most), ..row }
}

/// A line of a table, as it is shown.
#[derive(Debug, Serialize)]
struct Line {
    what: String,
    measured: String,
    against: String,
    result: String,
    target: String,
    /// `None` where there is no target, or no result.
    met: Option<bool>,
}

/// Sign: primitive + 2.5 µs; verify: its own check of the signature + 4.5 µs.
const SIGN: f64 = 2_500.0;
const VERIFY: f64 = 4_500.0;
/// Replay: 300 ns an insert, and "flat" allows this factor for the caches of the machine.
const INSERT: f64 = 300.0;
const FLAT: f64 = 2.0;
/// A key from a JWKS that is held.
const RESOLVE: f64 = 300.0;

/// The comparisons. Each name is `group/function` as the benchmarks in adcp-signing-core
/// and adcp-signing-trust give it.
const ROWS: &[Row] = &[
    limit(time("sign, pipeline alone", "sign/null"), SIGN),
    limit(time("sign Ed25519 beyond primitive", "sign/ed25519_beyond_primitive"), SIGN),
    ratio("sign Ed25519 : primitive", "sign/ed25519", "sign/ed25519_primitive"),
    ratio("sign Ed25519 : httpsig", "sign/ed25519", "sign/ed25519_httpsig"),
    limit(time("sign P-256 beyond primitive", "sign/p256_beyond_primitive"), SIGN),
    ratio("sign P-256 : primitive", "sign/p256", "sign/p256_primitive"),
    ratio("sign P-256 : httpsig", "sign/p256", "sign/p256_httpsig"),
    limit(
        time("verify Ed25519 beyond its check of the signature", "verify/ed25519_beyond_own_check"),
        VERIFY,
    ),
    time(
        "verify Ed25519, operation read from path and body",
        "verify/ed25519_by_path_beyond_own_check",
    ),
    ratio("verify Ed25519 : verify_strict", "verify/ed25519", "verify/ed25519_primitive"),
    ratio("verify Ed25519 : httpsig", "verify/ed25519", "verify/ed25519_httpsig"),
    limit(
        time("verify P-256 beyond its check of the signature", "verify/p256_beyond_own_check"),
        VERIFY,
    ),
    time("verify P-256, operation read from path and body", "verify/p256_by_path_beyond_own_check"),
    ratio("verify P-256 : primitive", "verify/p256", "verify/p256_primitive"),
    ratio("verify P-256 : httpsig", "verify/p256", "verify/p256_httpsig"),
    limit(time("replay insert at 10^3", "replay/insert/1000"), INSERT),
    limit(time("replay insert at 10^6", "replay/insert/1000000"), INSERT),
    time("replay insert at 10^7", "replay/insert/10000000"),
    limit(ratio("replay 10^7 : 10^6", "replay/insert/10000000", "replay/insert/1000000"), FLAT),
    limit(time("resolve a key that is held", "resolve/hit"), RESOLVE),
    limit(time("resolve without a counterparty", "resolve/hit_unnamed"), RESOLVE),
    ratio("resolve : fixed keys", "resolve/hit", "resolve/fixed"),
    limit(ratio("resolve at 10^5 : at 400", "resolve/hit_of_100000", "resolve/hit"), FLAT),
];

/// Measures and prints the table. A missed target is shown, not an error: time depends on the
/// machine. A benchmark that is missing is an error.
pub(crate) fn run(args: &BenchArgs) -> Result<bool> {
    match &args.of {
        Some(Of::Kms(args)) => return kms::run(args),
        Some(Of::Plots) => return plot::draw_page(),
        Some(Of::Http(args)) => return http::run(args),
        None => {}
    }
    if !args.no_run {
        let mut command = process::cargo(["bench", "--package", "adcp-signing-core"]);
        let status = process::status(command.args(["--bench", "pipeline", "--bench", "replay"]))?;
        ensure!(status.success(), "cargo bench failed: {status}");
        let mut command = process::cargo(["bench", "--package", "adcp-signing-trust"]);
        let status = process::status(command.args(["--bench", "resolve"]))?;
        ensure!(status.success(), "cargo bench failed: {status}");
    }
    let folder = process::target_dir().join("criterion");
    let (lines, missing) = compared(|name| estimate(&folder, name));
    let table = table(&lines);
    io::stdout().write_all(table.as_bytes())?;
    plot::draw_run("pipeline", &table)?;
    for name in &missing {
        eprintln!("not measured: {name}");
    }
    Ok(missing.is_empty())
}

/// The time of one benchmark in nanoseconds: the median of its samples.
fn estimate(folder: &Path, name: &str) -> Result<f64> {
    let path = folder.join(name).join("new/sample.json");
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let sample: Sample = serde_json::from_str(&text)?;
    median(&sample).with_context(|| format!("no samples in {}", path.display()))
}

/// What criterion measured: how often it ran the benchmark for each sample, and how long that took.
#[derive(Deserialize)]
struct Sample {
    iters: Vec<f64>,
    times: Vec<f64>,
}

fn median(sample: &Sample) -> Option<f64> {
    let mut each: Vec<f64> =
        sample.times.iter().zip(&sample.iters).map(|(time, iters)| time / iters).collect();
    each.sort_unstable_by(f64::total_cmp);
    each.get(each.len() / 2).copied()
}

/// The lines of the table, and the benchmarks that gave no number.
fn compared(estimate: impl Fn(&str) -> Result<f64>) -> (Vec<Line>, Vec<&'static str>) {
    let mut missing = Vec::new();
    let mut look_up = |name: &'static str| {
        let found = estimate(name).ok().filter(|time| time.is_finite() && *time > 0.0);
        if found.is_none() && !missing.contains(&name) {
            missing.push(name);
        }
        found
    };
    let lines = ROWS.iter().map(|row| {
        let time = look_up(row.measured);
        let base = row.base.map(&mut look_up);
        let value = base.map_or(time, |base| Some(time? / base?));
        let show = |value| if base.is_some() { format!("{value:.2}x") } else { duration(value) };
        Line {
            what: row.label.to_owned(),
            measured: time.map_or_else(dash, duration),
            against: base.flatten().map_or_else(dash, duration),
            result: value.map_or_else(dash, show),
            target: row.at_most.map_or_else(dash, |limit| format!("<= {}", show(limit))),
            met: value.zip(row.at_most).map(|(value, limit)| value <= limit),
        }
    });
    (lines.collect(), missing)
}

/// The lines as a table in Markdown.
fn table(lines: &[Line]) -> String {
    let mut text =
        "| what | measured | against | result | target | met |\n|---|--:|--:|--:|--:|---|\n"
            .to_owned();
    for Line { what, measured, against, result, target, met } in lines {
        let met = met.map_or("-", |met| if met { "yes" } else { "no" });
        text += &format!("| {what} | {measured} | {against} | {result} | {target} | {met} |\n");
    }
    text
}

fn dash() -> String {
    "-".to_owned()
}

fn duration(nanoseconds: f64) -> String {
    if nanoseconds.abs() < 1_000.0 {
        format!("{nanoseconds:.0} ns")
    } else if nanoseconds.abs() < 1_000_000.0 {
        format!("{:.2} µs", nanoseconds / 1_000.0)
    } else {
        format!("{:.2} ms", nanoseconds / 1_000_000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str, label: &str) -> String {
        text.lines().find(|line| line.starts_with(&format!("| {label} |"))).unwrap().to_owned()
    }

    #[test]
    fn times_and_ratios_are_set_against_what_they_may_come_to() {
        let (lines, missing) = compared(|name| {
            Ok(match name {
                "verify/ed25519_beyond_own_check" => 4_000.0,
                "verify/p256_beyond_own_check" => 10_000.0,
                "verify/p256" => 60_000.0,
                "verify/p256_primitive" => 50_000.0,
                "replay/insert/10000000" => 250.0,
                _ => 200.0,
            })
        });
        assert!(missing.is_empty());
        let text = table(&lines);
        assert_eq!(
            line(&text, "verify Ed25519 beyond its check of the signature"),
            "| verify Ed25519 beyond its check of the signature | 4.00 µs | - | 4.00 µs | <= 4.50 µs | yes |"
        );
        assert_eq!(
            line(&text, "verify P-256 beyond its check of the signature"),
            "| verify P-256 beyond its check of the signature | 10.00 µs | - | 10.00 µs | <= 4.50 µs | no |"
        );
        assert_eq!(
            line(&text, "verify P-256 : primitive"),
            "| verify P-256 : primitive | 60.00 µs | 50.00 µs | 1.20x | - | - |"
        );
        assert_eq!(
            line(&text, "replay 10^7 : 10^6"),
            "| replay 10^7 : 10^6 | 250 ns | 200 ns | 1.25x | <= 2.00x | yes |"
        );
    }

    #[test]
    fn a_benchmark_that_did_not_run_is_named_once() {
        let (lines, missing) = compared(|name| {
            ensure!(name != "sign/ed25519", "no such benchmark");
            Ok(100.0)
        });
        assert_eq!(missing, ["sign/ed25519"]);
        assert!(
            line(&table(&lines), "sign Ed25519 : primitive")
                .ends_with("| - | 100 ns | - | - | - |")
        );
    }

    #[test]
    fn the_time_is_the_median_of_one_iteration() {
        let sample = |iters: &[f64], times: &[f64]| {
            median(&Sample { iters: iters.to_vec(), times: times.to_vec() })
        };
        assert_eq!(sample(&[1.0, 2.0, 4.0], &[9.0, 4.0, 4.0]), Some(2.0));
        assert_eq!(sample(&[], &[]), None);
    }

    #[test]
    fn a_time_of_nothing_is_no_measurement() {
        assert!(!compared(|_| Ok(0.0)).1.is_empty());
    }
}
