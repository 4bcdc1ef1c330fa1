//! `adcp-signing`: make keys, sign, verify and explain Ad Context Protocol messages.

mod args;
mod commands;
mod failure;
mod http_file;
mod input;
mod ndjson;
mod output;
mod shapes;
mod signing;
mod verifying;

use std::process::ExitCode;

use clap::Parser as _;

use self::{args::Args, failure::Failure};

fn main() -> ExitCode {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(commands::run(args.command)),
        Err(error) => Err(Failure::invalid(format!("the runtime could not start: {error}"))),
    };
    match outcome {
        Ok(code) => code,
        Err(failure) => {
            output::error(&failure);
            failure.exit_code()
        }
    }
}
