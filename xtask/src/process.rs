//! Child processes: cargo with the workspace as its folder, and output that is streamed while it is
//! read.

use std::{
    env,
    ffi::OsStr,
    io::{self, BufRead as _, BufReader, IsTerminal as _, PipeReader, Write as _},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Pid, Signal};

/// How long one build may take: many times what it takes on an idle machine.
pub(crate) const BUILD_LIMIT: Duration = Duration::from_secs(40 * 60);

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
///
/// # Errors
/// Where the command cannot be started, and where it still runs after `limit`: then it is killed
/// with all that it started, and the error names the last line that it wrote. On a terminal there
/// is no limit: the command then shares our process group, so that Ctrl-C reaches it.
pub(crate) fn stream(
    command: &mut Command,
    limit: Duration,
    echo: Echo,
    mut each: impl FnMut(&str),
) -> Result<ExitStatus> {
    let (output, writer) = io::pipe()?;
    command.stdout(writer);
    follow(command, output, limit, |line| {
        match echo {
            Echo::Stdout => io::stdout().write_all(line)?,
            Echo::Stderr => io::stderr().write_all(line)?,
        }
        each(String::from_utf8_lossy(line).trim_end());
        Ok(())
    })
}

/// Runs to the end and returns what it wrote to standard output and standard error, without showing
/// it.
///
/// # Errors
/// As [`stream`].
pub(crate) fn held(command: &mut Command, limit: Duration) -> Result<(ExitStatus, String)> {
    let (output, writer) = io::pipe()?;
    command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
    let mut text = Vec::new();
    let status = follow(command, output, limit, |line| {
        text.extend_from_slice(line);
        Ok(())
    })?;
    Ok((status, String::from_utf8_lossy(&text).into_owned()))
}

/// Runs to the end, handing each line of the pipe that it writes to to `each`.
fn follow(
    command: &mut Command,
    output: PipeReader,
    limit: Duration,
    mut each: impl FnMut(&[u8]) -> Result<()>,
) -> Result<ExitStatus> {
    let has_limit = !io::stderr().is_terminal();
    if has_limit {
        command.process_group(0);
    }
    let spawned = command.spawn();
    // The command keeps its ends of the pipe: without this, reading would never end.
    command.stdout(Stdio::null()).stderr(Stdio::inherit());
    let mut child = spawned.with_context(|| format!("cannot start {command:?}"))?;
    let watch = has_limit.then(|| Watch::start(&child, limit)).transpose()?;
    let mut lines = BufReader::new(output);
    let (mut line, mut last) = (Vec::new(), String::new());
    while lines.read_until(b'\n', &mut line)? > 0 {
        each(&line)?;
        let text = String::from_utf8_lossy(&line);
        if !text.trim_end().is_empty() {
            last = text.trim_end().to_owned();
        }
        line.clear();
    }
    let status = child.wait()?;
    ensure!(
        !watch.is_some_and(Watch::has_killed),
        "still running after {} s, and killed; the last line was {last:?}",
        limit.as_secs()
    );
    Ok(status)
}

/// Kills a process group that outlives its time limit.
struct Watch {
    ended: Sender<()>,
    watcher: JoinHandle<bool>,
}

impl Watch {
    /// Watches a child that leads its own process group.
    fn start(child: &Child, limit: Duration) -> Result<Self> {
        let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let group = group.context("the child has no process id")?;
        let (ended, has_ended) = mpsc::channel();
        let watcher = thread::spawn(move || {
            let timed_out = has_ended.recv_timeout(limit) == Err(RecvTimeoutError::Timeout);
            if timed_out {
                let _ = rustix::process::kill_process_group(group, Signal::KILL);
            }
            timed_out
        });
        Ok(Self { ended, watcher })
    }

    /// Ends the watch, and tells whether it had to kill.
    fn has_killed(self) -> bool {
        let _ = self.ended.send(());
        self.watcher.join().unwrap_or(true)
    }
}

/// Runs to the end and returns standard output; a failure is an error.
pub(crate) fn capture(command: &mut Command) -> Result<String> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start {command:?}"))?;
    ensure!(output.status.success(), "{command:?} failed: {}", output.status);
    String::from_utf8(output.stdout).context("the output is not UTF-8")
}

/// The first line of a tool's version, or why it cannot be had.
pub(crate) fn version(tool: &[&str]) -> Result<String> {
    let (name, args) = tool.split_first().context("a tool without a name")?;
    let output = Command::new(name).args(args).stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("`{name}` is not installed"))?;
    ensure!(output.status.success(), "`{}` does not run", tool.join(" "));
    Ok(String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(script: &str, limit: Duration) -> (Result<ExitStatus>, Vec<String>) {
        let mut lines = Vec::new();
        let mut shell = Command::new("sh");
        shell.args(["-c", script]).stdin(Stdio::null());
        let status = stream(&mut shell, limit, Echo::Stderr, |line| lines.push(line.to_owned()));
        (status, lines)
    }

    #[test]
    fn a_command_that_hangs_is_killed_with_all_that_it_started() {
        // The shell's child holds the pipe open as well.
        let hangs = "echo begun; sleep 3600 & sleep 3600";
        let (status, lines) = run(hangs, Duration::from_millis(300));
        let error = status.unwrap_err().to_string();
        assert!(error.contains("still running") && error.contains("begun"), "{error}");
        assert_eq!(lines, ["begun"]);
    }

    #[test]
    fn what_is_held_has_both_outputs_and_the_status() {
        let mut shell = Command::new("sh");
        shell.args(["-c", "echo out; echo err >&2; exit 3"]);
        let (status, text) = held(&mut shell, Duration::from_secs(60)).unwrap();
        assert_eq!((status.code(), text.as_str()), (Some(3), "out\nerr\n"));
    }

    #[test]
    fn a_command_that_ends_in_time_is_not() {
        let (status, lines) = run("echo one; echo two; exit 3", Duration::from_secs(60));
        assert_eq!(status.unwrap().code(), Some(3));
        assert_eq!(lines, ["one", "two"]);
    }
}
