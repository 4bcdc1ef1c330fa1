//! `adcp-signing`: make keys, sign, verify and explain Ad Context Protocol messages.

mod args;
mod commands;
mod curl;
mod failure;
mod files;
mod http_file;
#[cfg(feature = "https")]
mod https;
mod input;
mod keys;
mod lock;
mod mix_up;
mod ndjson;
mod output;
mod provisioning;
mod published;
mod shapes;
mod signing;
mod time;
mod verifying;
mod version;
mod warnings;

use std::process::ExitCode;

use clap::FromArgMatches as _;

use self::{args::Args, failure::Failure};

fn main() -> ExitCode {
    let args = match Args::from_arg_matches(&args::command().get_matches()) {
        Ok(args) => args,
        Err(error) => error.exit(),
    };
    let left_out = match args.command {
        args::Command::Probe(_) => Some(warnings::KEY_URI),
        args::Command::Vectors(_) => Some(warnings::VERIFY),
        _ => None,
    };
    warnings::show(warnings::Shown { verbose: args.verbose, left_out });
    let json = args.command.answers_json();
    let outcome = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            let outcome = runtime.block_on(commands::run(args.command, args.verbose));
            // A look-up that hangs in the system's resolver is not waited for.
            runtime.shutdown_background();
            outcome
        }
        Err(error) => Err(Failure::invalid(format!("the runtime could not start: {error}"))),
    };
    outcome.unwrap_or_else(|failure| {
        if json {
            output::outln!("{}", output::json(&failure.to_json()))
        } else {
            output::error(&failure)
        }
        failure.exit_code()
    })
}
