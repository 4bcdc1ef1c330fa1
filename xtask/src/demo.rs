//! `cargo xtask demo`: installs OpenBao, builds the demo, and becomes it.

use std::{io, os::unix::process::CommandExt as _, path::PathBuf, process::Command};

use anyhow::{Context as _, Result, ensure};
use clap::Args;

use crate::{emulators, process};

/// The crate of the demo, and its program.
pub(crate) const PACKAGE: &str = "adcp-signing-demo";
/// The server that it starts.
pub(crate) const SERVER: &str = "openbao";
/// Names the program `bao`.
const VARIABLE: &str = "ADCP_TEST_OPENBAO_BIN";

/// Options of `cargo xtask demo`.
#[derive(Args)]
pub(crate) struct DemoArgs {
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
    /// Also write the picture of README.md.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

/// Plays the demo. Returns only where it cannot be started: this process becomes the demo, so that
/// a signal to it reaches the demo, which then ends the server.
pub(crate) fn run(args: &DemoArgs) -> Result<bool> {
    let variables = emulators::installed(SERVER)?;
    let program = variables.into_iter().find(|(name, _)| name == VARIABLE);
    let (_, program) = program.context("OpenBao was installed without its program")?;
    let mut build = process::cargo(["build", "--package", PACKAGE]);
    // The output of the demo may be for a machine.
    let built = process::status(build.stdout(io::stderr()))?;
    ensure!(built.success(), "the demo does not build: {built}");
    let mut demo = command(args, &program);
    Err(demo.exec()).with_context(|| format!("cannot start {demo:?}"))
}

fn command(args: &DemoArgs, openbao: &str) -> Command {
    let mut demo = Command::new(process::target_dir().join("debug").join(PACKAGE));
    demo.args(["--openbao", openbao]);
    if args.json {
        demo.arg("--json");
    }
    if let Some(file) = &args.svg {
        demo.arg("--svg").arg(file);
    }
    demo
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_is_given_openbao_and_the_options() {
        let words = |args| {
            let command = command(&args, "/venv/bin/bao");
            let words = command.get_args().map(|word| word.to_string_lossy().into_owned());
            words.collect::<Vec<_>>().join(" ")
        };
        let none = DemoArgs { json: false, svg: None };
        assert_eq!(words(none), "--openbao /venv/bin/bao");
        let all = DemoArgs { json: true, svg: Some("a.svg".into()) };
        assert_eq!(words(all), "--openbao /venv/bin/bao --json --svg a.svg");
    }
}
