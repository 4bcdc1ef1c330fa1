//! Each published crate builds with the oldest compiler that its manifest names.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use clap::Args;

use crate::{
    checkout::Checkout,
    lint,
    metadata::Metadata,
    process::{self, Echo},
    report::Outcome,
};

/// Options of `cargo xtask msrv`.
#[derive(Args)]
pub(crate) struct MsrvArgs {
    /// Install the compilers that are missing, with rustup.
    #[arg(long)]
    install: bool,
}

/// Checks every crate, and prints the table.
pub(crate) fn run(args: &MsrvArgs) -> Result<bool> {
    let here = Checkout::here();
    let metadata = Metadata::of_workspace(&here)?;
    let mut outcomes = Vec::new();
    for package in metadata.published()? {
        let version = package.rust_version.as_deref();
        let version = version.with_context(|| format!("{} has no rust-version", package.name))?;
        let name = format!("{} with {version}", package.name);
        outcomes.push(match compiler(version, args.install) {
            Ok(()) => check(&here, &name, &package.name, version),
            Err(error) if args.install => Outcome::fail(&name, format!("{error:#}")),
            Err(error) => Outcome::skip(&name, format!("{error:#}: `cargo xtask msrv --install`")),
        });
    }
    lint::only(&outcomes)
}

/// Makes sure that this compiler is there.
fn compiler(version: &str, install: bool) -> Result<()> {
    let mut rustc = Command::new("rustup");
    rustc.args(["run", version, "rustc", "--version"]).stdin(Stdio::null());
    rustc.stdout(Stdio::null()).stderr(Stdio::null());
    if rustc.status().is_ok_and(|status| status.success()) {
        return Ok(());
    }
    ensure!(install, "Rust {version} is not installed");
    let mut install = Command::new("rustup");
    install.args(["toolchain", "install", version, "--profile", "minimal"]).stdin(Stdio::null());
    let status = process::status(&mut install)?;
    ensure!(status.success(), "rustup cannot install Rust {version}: {status}");
    Ok(())
}

fn check(here: &Checkout, name: &str, package: &str, version: &str) -> Outcome {
    let mut command = Command::new("rustup");
    command.args(["run", version, "cargo", "check", "--locked", "--all-features", "--package"]);
    command.arg(package).current_dir(here.root()).stdin(Stdio::null());
    // Apart, so that the usual compiler keeps what it has built.
    command.env("CARGO_TARGET_DIR", here.target().join("msrv"));
    match process::stream(&mut command, process::BUILD_LIMIT, Echo::Stdout, |_| ()) {
        Ok(status) if status.success() => Outcome::pass(name),
        Ok(status) => Outcome::fail(name, status.to_string()),
        Err(error) => Outcome::fail(name, format!("{error:#}")),
    }
}
