//! A server as a detached process: started with its output in a file, recognised later by its
//! process id and start time, and stopped with everything it started.

use std::{
    fs::{self, File},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal};
use serde_json::{Value, json};

const POLL: Duration = Duration::from_millis(50);
/// How long a server may take over each SIGTERM; the second one helps where the first is lost.
const PATIENCE: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(3)];

/// A process that we started, now or in an earlier run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Daemon {
    pid: i32,
    /// When it started, as the system says it: a process id alone may have passed on to another
    /// process.
    started: String,
}

impl Daemon {
    /// Starts `command` in a process group of its own and writes its record to `folder`.
    pub(crate) fn start(command: &mut Command, folder: &Path, log: &Path) -> Result<(Self, Child)> {
        let out = File::create(log).with_context(|| format!("cannot create {}", log.display()))?;
        let mut child = command
            .stdin(Stdio::null())
            .stderr(out.try_clone()?)
            .stdout(out)
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        let recorded = (|| {
            let pid = i32::try_from(child.id()).context("a process id out of range")?;
            let started = start_time(pid)
                .context("the process ended at once, or its start time is hidden")?;
            let record = json!({"pid": pid, "started": started});
            fs::write(record_path(folder), record.to_string())
                .context("cannot write the process record")?;
            Ok(Self { pid, started })
        })();
        match recorded {
            Ok(daemon) => Ok((daemon, child)),
            Err(error) => {
                // Without a record nobody would ever stop it.
                let _ = child.kill();
                let _ = child.wait();
                Err(error)
            }
        }
    }

    /// The process recorded in `folder`, if it still runs.
    pub(crate) fn recorded(folder: &Path) -> Option<Self> {
        let record: Value = serde_json::from_slice(&fs::read(record_path(folder)).ok()?).ok()?;
        let pid = record
            .get("pid")?
            .as_i64()
            .and_then(|pid| i32::try_from(pid).ok())
            .filter(|pid| *pid > 1)?;
        let started = record.get("started")?.as_str()?.to_owned();
        let daemon = Self { pid, started };
        daemon.alive().then_some(daemon)
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> i32 {
        self.pid
    }

    /// Whether the very same process runs.
    pub(crate) fn alive(&self) -> bool {
        start_time(self.pid).is_some_and(|started| started == self.started)
    }

    /// Ends it and its children: asks twice, then forces, then removes the record from `folder`.
    pub(crate) fn stop(&self, folder: &Path) -> Result<()> {
        let pid = Pid::from_raw(self.pid).context("not a process id")?;
        for patience in PATIENCE {
            // It may have ended by itself in between.
            let _ = rustix::process::kill_process_group(pid, Signal::TERM);
            if self.gone_within(patience) {
                break;
            }
        }
        // The leader's end does not end its children, and a leader that is still there needs force.
        let _ = rustix::process::kill_process_group(pid, Signal::KILL);
        if !self.gone_within(Duration::from_secs(5)) {
            bail!("process {} does not end, even by SIGKILL", self.pid);
        }
        fs::remove_file(record_path(folder)).context("cannot remove the process record")
    }

    fn gone_within(&self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        while self.alive() {
            if Instant::now() >= deadline {
                return false;
            }
            thread::sleep(POLL);
        }
        true
    }
}

fn record_path(folder: &Path) -> PathBuf {
    folder.join("process.json")
}

/// When a process started, or nothing if it does not run (or has ended and is only not collected
/// yet).
fn start_time(pid: i32) -> Option<String> {
    if Path::new("/proc/self/stat").exists() {
        return of_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?);
    }
    let pid = pid.to_string();
    let output = Command::new("ps").args(["-o", "state=,lstart=", "-p", &pid]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let (state, started) = text.trim().split_once(char::is_whitespace)?;
    (!state.starts_with('Z')).then(|| started.trim().to_owned())
}

/// Field 22 of `/proc/PID/stat`. The name in field 2 may hold spaces and parentheses, so fields
/// count from its end.
fn of_stat(stat: &str) -> Option<String> {
    let (_, after_name) = stat.rsplit_once(") ")?;
    let mut fields = after_name.split(' ');
    let state = fields.next()?;
    (!matches!(state, "Z" | "X")).then_some(())?;
    fields.nth(18).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    #[test]
    fn the_start_time_is_read_past_a_name_with_parentheses_and_a_zombie_has_none() {
        let rest = "1 1 1 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 987654 100 200";
        assert_eq!(of_stat(&format!("42 (a) b (c) S {rest}")).as_deref(), Some("987654"));
        assert_eq!(of_stat(&format!("42 (x) Z {rest}")), None);
        assert_eq!(of_stat("42"), None);
    }

    #[test]
    fn a_process_that_ignores_sigterm_is_stopped_with_its_children() {
        let folder = folder();
        let log = folder.path().join("log");
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' TERM; sleep 600 & echo $!; wait; wait"]);
        let (daemon, mut child) = Daemon::start(&mut command, folder.path(), &log).unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        let sleeper: i32 = loop {
            if let Ok(pid) = fs::read_to_string(&log).unwrap().trim().parse() {
                break pid;
            }
            assert!(Instant::now() < deadline, "the child's id was not printed");
        };
        assert_eq!(Daemon::recorded(folder.path()).as_ref(), Some(&daemon));
        daemon.stop(folder.path()).unwrap();
        assert!(!daemon.alive());
        // A process that was sent SIGKILL needs a moment to end, and is nobody's child here.
        while start_time(sleeper).is_some() {
            assert!(Instant::now() < deadline, "the child still runs");
            thread::sleep(POLL);
        }
        assert!(!record_path(folder.path()).exists());
        child.wait().unwrap();
    }

    #[test]
    fn a_process_id_that_passed_on_is_not_ours() {
        let folder = folder();
        let record = json!({"pid": std::process::id(), "started": "another time"});
        fs::write(record_path(folder.path()), record.to_string()).unwrap();
        assert_eq!(Daemon::recorded(folder.path()), None);
    }

    #[test]
    fn a_record_that_would_reach_every_process_is_refused() {
        let folder = folder();
        for pid in [-1, 0, 1] {
            fs::write(record_path(folder.path()), json!({"pid": pid, "started": "x"}).to_string())
                .unwrap();
            assert_eq!(Daemon::recorded(folder.path()), None, "{pid}");
        }
    }
}
