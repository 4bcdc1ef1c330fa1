//! What is compiled while tests run. Tests wait for servers and for time, and leave a core to the
//! compiler; cargo itself lets go of the target folder once the tests are built.

use std::{
    collections::VecDeque,
    process::Command,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Instant,
};

use crate::{
    process::{self, Echo},
    report::Outcome,
};

/// Work for the compiler.
pub(crate) struct Job {
    /// What it does, as a line of the report names it.
    pub(crate) title: String,
    /// How.
    pub(crate) command: Command,
}

impl Job {
    /// A check.
    pub(crate) fn new(title: impl Into<String>, command: Command) -> Self {
        Self { title: title.into(), command }
    }

    /// Makes the check in front of the reader. The answer is why it failed.
    fn run(mut self, echo: Echo) -> Result<(), String> {
        let status = process::stream(&mut self.command, process::BUILD_LIMIT, echo, |_| ());
        self.judge(status.map(|status| status.success()))
    }

    /// Makes the check in the background, and shows its output if it fails.
    fn run_unseen(mut self) -> Result<(), String> {
        let begun = Instant::now();
        let ended = process::held(&mut self.command, process::BUILD_LIMIT);
        let took = begun.elapsed().as_secs_f64();
        eprintln!("(beside the tests: {}, {took:.1} s)", self.title);
        let success = ended.map(|(status, output)| {
            if !status.success() {
                eprintln!("{output}");
            }
            status.success()
        });
        self.judge(success)
    }

    fn judge(self, success: anyhow::Result<bool>) -> Result<(), String> {
        match success {
            Ok(true) => Ok(()),
            Ok(false) => Err(self.title),
            Err(error) => Err(format!("{}: {error:#}", self.title)),
        }
    }
}

/// The checks of one suite that only compile.
struct Checks {
    suite: String,
    waiting: VecDeque<Job>,
    passed: u64,
    failed: Vec<String>,
}

impl Checks {
    fn note(&mut self, result: Result<(), String>) {
        match result {
            Ok(()) => self.passed += 1,
            Err(why) => self.failed.push(why),
        }
    }

    fn outcome(self) -> Outcome {
        let note = (!self.failed.is_empty()).then(|| format!("failed: {}", self.failed.join(", ")));
        let failed = self.failed.len() as u64;
        Outcome { passed: self.passed, failed, note, ..Outcome::pass(&self.suite) }
    }
}

/// Checks that wait for a time in which tests run.
#[derive(Default)]
pub(crate) struct Beside {
    /// The tests of the next suite.
    next: Option<Job>,
    checks: VecDeque<Checks>,
}

impl Beside {
    /// Puts the checks of a suite in line.
    pub(crate) fn add(&mut self, suite: &str, jobs: Vec<Job>) {
        let (suite, waiting) = (suite.to_owned(), jobs.into());
        self.checks.push_back(Checks { suite, waiting, passed: 0, failed: Vec::new() });
    }

    /// Sets what is built first. Whether that succeeds is asked when the suite runs.
    pub(crate) fn build_next(&mut self, build: Option<Job>) {
        self.next = build;
    }

    /// Makes the checks of this suite that are left, and tells how all of them ended.
    pub(crate) fn finish(&mut self, suite: &str, echo: Echo) -> Outcome {
        let place = self.checks.iter().position(|checks| checks.suite == suite);
        let Some(mut checks) = place.and_then(|place| self.checks.remove(place)) else {
            return Outcome::fail(suite, "its checks were never put in line");
        };
        while let Some(job) = checks.waiting.pop_front() {
            checks.note(job.run(echo));
        }
        checks.outcome()
    }

    /// Runs tests, and compiles beside them from when they say that they have begun to when they
    /// end. What is being compiled then is waited for.
    pub(crate) fn during<R>(&mut self, tests: impl FnOnce(&Phase) -> R) -> R {
        let phase = Phase::default();
        thread::scope(|scope| {
            scope.spawn(|| self.work(&phase));
            // Also where the tests panic, so that the thread ends.
            let _end = End(&phase);
            tests(&phase)
        })
    }

    fn work(&mut self, phase: &Phase) {
        if phase.wait_until_begun()
            && let Some(build) = self.next.take()
        {
            let _ = build.run_unseen();
        }
        while phase.runs() {
            let mut waiting = self.checks.iter_mut();
            let Some(checks) = waiting.find(|checks| !checks.waiting.is_empty()) else { break };
            if let Some(job) = checks.waiting.pop_front() {
                checks.note(job.run_unseen());
            }
        }
    }
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Building,
    Running,
    Ended,
}

/// How far the tests of a suite are.
#[derive(Default)]
pub(crate) struct Phase {
    state: Mutex<State>,
    changed: Condvar,
}

impl Phase {
    /// The tests are built, and run. Once they have ended it changes nothing.
    pub(crate) fn begin(&self) {
        let mut state = self.lock();
        if *state == State::Building {
            *state = State::Running;
            self.changed.notify_all();
        }
    }

    fn end(&self) {
        *self.lock() = State::Ended;
        self.changed.notify_all();
    }

    fn runs(&self) -> bool {
        *self.lock() == State::Running
    }

    /// Whether the tests began, and have not ended before anyone saw it.
    fn wait_until_begun(&self) -> bool {
        let state = self.changed.wait_while(self.lock(), |state| *state == State::Building);
        *state.unwrap_or_else(PoisonError::into_inner) == State::Running
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends a phase when it goes out of scope.
struct End<'a>(&'a Phase);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, panic, path::Path};

    use super::*;

    fn shell(title: &str, script: &str) -> Job {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Job::new(title, command)
    }

    /// Tests that end once a file is there, which only a job beside them makes.
    fn wait_for(file: &Path) {
        let mut wait = Command::new("sh");
        wait.args([
            "-c",
            "for i in $(seq 600); do [ -e \"$0\" ] && exit 0; sleep 0.1; done; exit 1",
        ]);
        assert!(wait.arg(file).status().unwrap().success(), "{} was never made", file.display());
    }

    #[test]
    fn checks_are_made_while_tests_run_and_the_rest_when_their_suite_comes() {
        let folder = tempfile::tempdir().unwrap();
        let made = |name: &str| folder.path().join(name);
        let touch = |name: &str| shell(name, &format!("touch {}", made(name).display()));
        let mut beside = Beside::default();
        beside.build_next(Some(touch("next")));
        beside.add("features", vec![touch("a"), shell("b", "echo why; exit 1"), touch("c")]);
        beside.during(|phase| {
            assert!(!made("next").exists(), "nothing is built while the tests are");
            phase.begin();
            wait_for(&made("next"));
            wait_for(&made("a"));
        });
        assert!(made("a").exists());
        let outcome = beside.finish("features", Echo::Stderr);
        assert!(made("c").exists());
        assert_eq!((outcome.passed, outcome.failed), (2, 1));
        assert_eq!(outcome.note.as_deref(), Some("failed: b"));
    }

    #[test]
    fn nothing_is_made_beside_tests_that_do_not_build() {
        let mut beside = Beside::default();
        let folder = tempfile::tempdir().unwrap();
        let made = folder.path().join("made");
        beside.add("clippy", vec![shell("clippy", &format!("touch {}", made.display()))]);
        beside.during(|_| ());
        assert!(!made.exists());
        assert_eq!(beside.finish("clippy", Echo::Stderr), Outcome::pass("clippy"));
        assert!(fs::exists(made).unwrap());
    }

    #[test]
    fn tests_that_panic_leave_no_thread_behind() {
        let mut beside = Beside::default();
        let ended = panic::catch_unwind(panic::AssertUnwindSafe(|| {
            beside.during(|_| panic::resume_unwind(Box::new("the tests")));
        }));
        assert!(ended.is_err());
    }

    #[test]
    fn a_suite_without_checks_is_a_failure() {
        assert_eq!(Beside::default().finish("clippy", Echo::Stderr).failed, 1);
    }

    #[test]
    fn a_check_that_cannot_be_started_is_a_failure_with_its_cause() {
        let mut beside = Beside::default();
        beside.add("doc", vec![Job::new("doc", Command::new("/nowhere/program"))]);
        beside.during(|phase| {
            phase.begin();
        });
        let outcome = beside.finish("doc", Echo::Stderr);
        assert!(outcome.note.unwrap().contains("cannot start"), "the cause");
    }
}
