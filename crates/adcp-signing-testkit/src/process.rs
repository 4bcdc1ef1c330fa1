//! The one keeper of processes, for tests and `cargo xtask`: a program that is started with its
//! output in a file, is recognized later by its process id and start time, and ends for certain.

use std::{
    fs::{self, File},
    io,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    io::Errno,
    process::{Pid, Signal, kill_process, kill_process_group},
};

const POLL: Duration = Duration::from_millis(50);
/// How long the system may take to end what it was told to kill.
const KILLED_WITHIN: Duration = Duration::from_secs(5);

/// With whom a process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// It leads a process group of its own: it outlives the program that started it, and everything
    /// that it started ends with it.
    Own,
    /// It stays in the group of the program that started it, and ends with that group.
    Shared,
}

/// A process that was started here, now or in an earlier run.
#[derive(Debug)]
pub struct Process {
    pid: Pid,
    started: String,
    group: Group,
    child: Option<Child>,
}

impl Process {
    /// Starts `command` without input, with its output in the file `log`.
    ///
    /// # Errors
    /// When it cannot be started, or ends at once.
    pub fn start(command: &mut Command, log: &Path, group: Group) -> io::Result<Self> {
        let out = File::create(log)?;
        command.stdin(Stdio::null()).stderr(out.try_clone()?).stdout(out);
        if group == Group::Own {
            command.process_group(0);
        }
        let mut child = command.spawn()?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        match pid.and_then(|pid| Some((pid, start_time(pid)?))) {
            Some((pid, started)) => Ok(Self { pid, started, group, child: Some(child) }),
            None => {
                let _ = child.kill();
                let _ = child.wait();
                Err(io::Error::other("the process ended at once, or its start time is hidden"))
            }
        }
    }

    /// A process that an earlier run started in a group of its own, if it still runs.
    pub fn find(pid: i32, started: &str) -> Option<Self> {
        // 0 and -1 would reach other processes, and 1 is not ours.
        let pid = if pid > 1 { Pid::from_raw(pid)? } else { return None };
        let process = Self { pid, started: started.to_owned(), group: Group::Own, child: None };
        process.is_alive().then_some(process)
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// When it started, as the system reports it: a process id alone may have passed on to another
    /// process.
    pub fn started(&self) -> &str {
        &self.started
    }

    /// Whether the very same process runs.
    pub fn is_alive(&self) -> bool {
        start_time(self.pid).is_some_and(|started| started == self.started)
    }

    /// How it ended, if it was started in this run and has ended.
    pub fn status(&mut self) -> Option<ExitStatus> {
        self.child.as_mut()?.try_wait().ok().flatten()
    }

    /// Asks it to end, and returns whether it did in this time.
    pub fn ask_to_end(&mut self, patience: Duration) -> bool {
        // It may have ended by itself in between.
        let _ = self.signal(Signal::TERM);
        self.is_gone_within(patience)
    }

    /// Ends it at once, and in a group of its own everything that it started.
    ///
    /// # Errors
    /// When it cannot be ended.
    pub fn kill(&mut self) -> io::Result<()> {
        // The end of the leader does not end its group, so the group is killed in any case.
        match self.signal(Signal::KILL) {
            Ok(()) | Err(Errno::SRCH) => {}
            Err(error) => return Err(error.into()),
        }
        if !self.is_gone_within(KILLED_WITHIN) {
            return Err(io::Error::other("the process does not end, even by SIGKILL"));
        }
        self.child.as_mut().map_or(Ok(()), |child| child.wait().map(drop))
    }

    fn signal(&mut self, signal: Signal) -> rustix::io::Result<()> {
        if self.group == Group::Own {
            return kill_process_group(self.pid, signal);
        }
        // Once it was waited for, another process may have its id.
        match self.status() {
            Some(_) => Err(Errno::SRCH),
            None => kill_process(self.pid, signal),
        }
    }

    fn is_gone_within(&self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        while self.is_alive() {
            if Instant::now() >= deadline {
                return false;
            }
            thread::sleep(POLL);
        }
        true
    }
}

/// When a process started, or nothing if it does not run (or has ended and is only not collected
/// yet).
fn start_time(pid: Pid) -> Option<String> {
    let pid = pid.as_raw_nonzero().to_string();
    if Path::new("/proc/self/stat").exists() {
        return of_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?);
    }
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

    fn shell(script: &str, log: &Path, group: Group) -> Process {
        Process::start(Command::new("sh").args(["-c", script]), log, group).unwrap()
    }

    #[test]
    fn the_start_time_is_read_past_a_name_with_parentheses_and_a_zombie_has_none() {
        let rest = "1 1 1 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 987654 100 200";
        assert_eq!(of_stat(&format!("42 (a) b (c) S {rest}")).as_deref(), Some("987654"));
        assert_eq!(of_stat(&format!("42 (x) Z {rest}")), None);
        assert_eq!(of_stat("42"), None);
    }

    #[test]
    fn a_process_that_ignores_sigterm_is_killed_with_its_children() {
        let log = std::env::temp_dir().join(format!("adcp-signing-keeper-{}", std::process::id()));
        let script = "trap '' TERM; sleep 600 & echo $!; wait; wait";
        let mut process = shell(script, &log, Group::Own);
        let deadline = Instant::now() + Duration::from_secs(10);
        let sleeper: i32 = loop {
            if let Ok(pid) = fs::read_to_string(&log).unwrap().trim().parse() {
                break pid;
            }
            assert!(Instant::now() < deadline, "the child's id was not printed");
        };
        assert!(!process.ask_to_end(POLL));
        assert!(Process::find(process.pid(), process.started()).is_some());
        process.kill().unwrap();
        assert!(!process.is_alive());
        // A process that was sent SIGKILL needs a moment to end, and is nobody's child here.
        while start_time(Pid::from_raw(sleeper).unwrap()).is_some() {
            assert!(Instant::now() < deadline, "the child still runs");
            thread::sleep(POLL);
        }
        fs::remove_file(log).unwrap();
    }

    #[test]
    fn a_process_that_ended_has_a_status_and_ending_it_again_is_no_error() {
        for group in [Group::Own, Group::Shared] {
            let mut process = shell("exec sleep 600", Path::new("/dev/null"), group);
            assert_eq!(process.status(), None);
            assert!(process.ask_to_end(KILLED_WITHIN));
            process.kill().unwrap();
            assert!(process.status().is_some_and(|status| !status.success()));
            process.kill().unwrap();
        }
    }

    #[test]
    fn a_process_id_that_passed_on_or_would_reach_every_process_is_not_ours() {
        let own = i32::try_from(std::process::id()).unwrap();
        let started = start_time(Pid::from_raw(own).unwrap()).unwrap();
        assert!(Process::find(own, &started).is_some());
        assert!(Process::find(own, "another time").is_none());
        let first = start_time(Pid::from_raw(1).unwrap()).unwrap();
        for pid in [-1, 0, 1] {
            assert!(Process::find(pid, &first).is_none(), "{pid}");
        }
    }
}
