//! What the verifying layer costs: `cargo xtask bench http` runs this program.
//!
//! `adcp-signing-bench run` measures and prints one line of JSON for each number;
//! `adcp-signing-bench serve KIND` is one of the servers that it starts.

#![allow(clippy::indexing_slicing, reason = "a benchmark")]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test fails by panicking"))]

mod cpu;
mod depth;
mod in_process;
mod load;
mod memory;
mod message;
mod peers;
mod sample;
mod servers;

use std::{env, error::Error, process::ExitCode};

use adcp_signing_core::Algorithm;

use self::{message::Key, servers::Kind};

/// Whatever keeps the benchmark from its numbers.
type BenchError = Box<dyn Error + Send + Sync>;

/// The lengths of the bodies.
const BODIES: [usize; 2] = [1 << 10, 64 << 10];

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let outcome = match args.as_slice() {
        ["run"] => run(),
        ["run", parts @ ..] => run_parts(parts),
        ["serve", kind] => kind.parse::<Kind>().and_then(servers::serve),
        _ => Err("usage: adcp-signing-bench run [in-process] [loopback] [memory]".into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), BenchError> {
    run_parts(&["in-process", "loopback", "memory"])
}

fn run_parts(parts: &[&str]) -> Result<(), BenchError> {
    let keys = [Key::generate(Algorithm::Ed25519)?, Key::generate(Algorithm::EcdsaP256Sha256)?];
    for part in parts {
        match *part {
            "in-process" => in_process::measure(&keys)?,
            "loopback" => load::measure(&keys)?,
            "memory" => memory::measure(&keys[0])?,
            other => return Err(format!("there is no part `{other}`").into()),
        }
    }
    Ok(())
}
