//! Developer tasks of the workspace: `cargo xtask demo`, `test`, `lint`, `deny`, `docs`, `msrv`,
//! `bench`, `vectors`, `emulators`, `interop` and `release`.

mod bench;
mod beside;
mod checkout;
mod checksums;
mod conformance;
mod demo;
mod dependencies;
mod emulators;
mod features;
mod interop;
mod libtest;
mod lint;
mod metadata;
mod msrv;
mod pages;
mod process;
mod release;
mod report;
mod suites;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Developer tasks of the adcp-signing workspace.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Play a buyer and a seller whose keys are in OpenBao, and an attacker between them.
    Demo(demo::DemoArgs),
    /// Do all set-up, run every suite, and end with one line of totals.
    Test(suites::TestArgs),
    /// Check format, lints, docs, vector hashes and dependency rules.
    Lint,
    /// Check licences, bans and sources with cargo-deny.
    Deny {
        /// Install cargo-deny, if it is missing.
        #[arg(long)]
        install: bool,
    },
    /// Build the docs; a warning fails.
    Docs,
    /// Check each published crate with the oldest compiler that it names.
    Msrv(msrv::MsrvArgs),
    /// Run the benchmarks and print what matters: differences and ratios against the bare
    /// primitives.
    Bench(bench::BenchArgs),
    /// Install, start and stop the servers that the backends are tested against.
    Emulators(emulators::EmulatorsArgs),
    /// Exchange many messages with the SDKs of other projects, over sockets.
    Interop(interop::InteropArgs),
    /// Prepare a release, prove its packages, and print or run the commands that publish it.
    Release(release::ReleaseArgs),
    /// Run the command line's `vectors` over test-vectors/, or over the folders given.
    Vectors {
        /// Passed on to `adcp-signing vectors`: folders and options.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
}

fn main() -> ExitCode {
    match run(Args::parse().task) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(task: Task) -> Result<bool> {
    match task {
        Task::Demo(args) => demo::run(&args),
        Task::Test(args) => suites::run(&args),
        Task::Lint => lint::run(),
        Task::Deny { install } => lint::only(&[lint::deny(install, process::Echo::Stdout)]),
        Task::Docs => lint::only(&[lint::check("doc", &mut lint::doc(), process::Echo::Stdout)]),
        Task::Msrv(args) => msrv::run(&args),
        Task::Bench(args) => bench::run(&args),
        Task::Emulators(args) => emulators::run(&args),
        Task::Interop(args) => interop::run(&args),
        Task::Release(args) => release::run(&args),
        Task::Vectors { args } => vectors(args),
    }
}

fn vectors(args: Vec<String>) -> Result<bool> {
    let mut command =
        process::cargo(["run", "--quiet", "--package", "adcp-signing-cli", "--", "vectors"]);
    if args.iter().all(|arg| arg.starts_with('-')) {
        command.arg("test-vectors");
    }
    command.args(args);
    Ok(process::status(&mut command)?.success())
}
