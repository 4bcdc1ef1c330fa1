//! The suite `interop` and `cargo xtask interop`: messages between us and the SDKs of other
//! projects.

use std::{
    io::{self, Write as _},
    time::SystemTime,
};

use anyhow::Result;
use clap::Args;

use crate::{
    beside::Beside,
    process::Echo,
    report::{self, Outcome},
    suites,
};

/// The suite's name.
pub(crate) const SUITE: &str = "interop";
/// The SDKs, as the table of servers has them.
pub(crate) const PEERS: &[&str] = &["adcp-python", "adcp-node"];
const PACKAGE: &str = "adcp-signing-interop";

/// Options of `cargo xtask interop`.
#[derive(Args)]
pub(crate) struct InteropArgs {
    /// How many messages are exchanged.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    messages: u32,
    /// Draws the messages of an earlier run again, which printed it. Without it they are new.
    #[arg(long)]
    seed: Option<u64>,
}

/// Exchanges many messages.
pub(crate) fn run(args: &InteropArgs) -> Result<bool> {
    let seed = match args.seed {
        Some(seed) => seed,
        None => SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs(),
    };
    let outcome = exchange(
        &[
            ("ADCP_TEST_INTEROP_MESSAGES", args.messages.to_string()),
            ("ADCP_TEST_INTEROP_SEED", seed.to_string()),
        ],
        Echo::Stdout,
        &mut Beside::default(),
    );
    // A run that was asked for by name and did not take place is not a success.
    let passed = outcome.failed == 0 && outcome.passed > 0;
    io::stdout().write_all(report::table(&[outcome]).as_bytes())?;
    Ok(passed)
}

/// Exchanges a few messages, always the same.
pub(crate) fn suite(echo: Echo, beside: &mut Beside) -> Outcome {
    exchange(&[], echo, beside)
}

fn exchange(variables: &[(&str, String)], echo: Echo, beside: &mut Beside) -> Outcome {
    // The lanes and the known faults are shown in any case.
    let nocapture = ("RUST_TEST_NOCAPTURE".to_owned(), "1".to_owned());
    let given = variables.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    let variables: Vec<_> = given.chain([nocapture]).collect();
    suites::served(SUITE, PACKAGE, PEERS, variables, echo, beside).unwrap_or_else(|without| without)
}
