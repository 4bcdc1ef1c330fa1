//! Plays the demo against an OpenBao server that it starts. `cargo xtask demo` installs OpenBao
//! first.

use std::{fs, io::Write as _, path::PathBuf, process::ExitCode};

use adcp_signing_demo::{Report, Stage, play, svg};
use anyhow::{Context as _, Result};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

/// A buyer orders from a seller, and each verifies the other. Their private keys stay in OpenBao.
#[derive(Parser)]
#[command(name = "cargo xtask demo", bin_name = "cargo xtask demo")]
struct Args {
    /// The program `bao` of OpenBao, as `cargo xtask demo` installs it.
    #[arg(long, env = "ADCP_TEST_OPENBAO_BIN", value_name = "PROGRAM")]
    openbao: PathBuf,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
    /// Also write the picture of README.md.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

/// The exit code is 0 where every check passed, 1 where one failed, 2 where the demo could not be
/// played, and 130 where a signal ended it.
#[tokio::main]
async fn main() -> ExitCode {
    let outcome = tokio::select! {
        outcome = run(Args::parse()) => outcome,
        // Dropping the play ends OpenBao.
        interrupted = interrupted() => interrupted.map(|()| ExitCode::from(130)),
    };
    outcome.unwrap_or_else(|error| {
        anstream::eprintln!("error: {error:#}");
        ExitCode::from(2)
    })
}

async fn run(args: Args) -> Result<ExitCode> {
    let as_json = args.json;
    let mut report = Report::new(move |line| {
        if !as_json {
            // A reader that has seen enough does not end the play.
            let _ = writeln!(anstream::stdout(), "{line}");
        }
    });
    play(&Stage::new(args.openbao), &mut report).await?;
    report.end();
    if as_json {
        writeln!(anstream::stdout(), "{}", report.json()).context("standard output")?;
    }
    if let Some(file) = args.svg {
        fs::write(&file, svg(&report))
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(report.exit_code().into())
}

/// Returns once somebody wants the program to end.
async fn interrupted() -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hang_up.recv() => {}
    }
    Ok(())
}
