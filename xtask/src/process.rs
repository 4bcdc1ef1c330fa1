//! Child processes: cargo with the workspace as its folder, and output that is streamed while it is
//! read.

use std::{
    env,
    ffi::OsStr,
    io::{self, BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
};

use anyhow::{Context as _, Result};

/// Where a child's standard output is repeated.
#[derive(Clone, Copy)]
pub(crate) enum Echo {
    /// To our standard output.
    Stdout,
    /// To our standard error, because our standard output carries a machine's summary.
    Stderr,
}

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// Whether a crate of the workspace has this program in `src/bin`.
pub(crate) fn has_program(package: &str, program: &str) -> bool {
    root().join("crates").join(package).join("src/bin").join(format!("{program}.rs")).exists()
}

/// Where cargo writes: `CARGO_TARGET_DIR`, or `target` in the workspace.
pub(crate) fn target_dir() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// The cargo that runs us, with these arguments, in the workspace and without an input to wait for.
pub(crate) fn cargo<I, S>(args: I) -> Command
where
    I: IntoIterator<Item = S>,
    S: AsRef<OsStr>,
{
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).current_dir(root()).stdin(Stdio::null());
    command
}

/// Runs to the end with output inherited.
pub(crate) fn status(command: &mut Command) -> Result<ExitStatus> {
    command.status().with_context(|| format!("cannot start {command:?}"))
}

/// Runs to the end, repeating each line of standard output as it comes and handing it to `each`.
pub(crate) fn stream(
    command: &mut Command,
    echo: Echo,
    mut each: impl FnMut(&str),
) -> Result<ExitStatus> {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {command:?}"))?;
    let stdout = child.stdout.take().context("the child has no standard output")?;
    let mut lines = BufReader::new(stdout);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line)? > 0 {
        match echo {
            Echo::Stdout => io::stdout().write_all(&line)?,
            Echo::Stderr => io::stderr().write_all(&line)?,
        }
        each(String::from_utf8_lossy(&line).trim_end());
        line.clear();
    }
    Ok(child.wait()?)
}

/// Runs to the end and returns standard output; a failure is an error.
pub(crate) fn capture(command: &mut Command) -> Result<String> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start {command:?}"))?;
    anyhow::ensure!(output.status.success(), "{command:?} failed: {}", output.status);
    String::from_utf8(output.stdout).context("the output is not UTF-8")
}

/// The first line of a tool's version, or why it cannot be had.
pub(crate) fn version(tool: &[&str]) -> Result<String> {
    let (name, args) = tool.split_first().context("a tool without a name")?;
    let output = Command::new(name).args(args).stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("`{name}` is not installed"))?;
    anyhow::ensure!(output.status.success(), "`{}` does not run", tool.join(" "));
    Ok(String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned())
}
