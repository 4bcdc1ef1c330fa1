//! A test in a process of its own, because the environment belongs to the process.
#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    env,
    process::{Command, Stdio},
};

const MARK: &str = "child: ";

/// Runs the ignored test `name` of this test program in a process of its own, in an environment
/// without variables but for those that `set` gives it. The answer is the line that the test passed
/// to [`say`], or all that it printed.
///
/// # Panics
/// When the process cannot be started.
pub fn in_child(name: &str, set: impl FnOnce(&mut Command)) -> String {
    let program = env::current_exe().expect("the path of this test program");
    let mut child = Command::new(program);
    child.args(["--exact", name, "--ignored", "--nocapture"]).env_clear().stdin(Stdio::null());
    set(&mut child);
    let output = child.output().expect("a process of this test program");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = text.lines().find_map(|line| line.strip_prefix(MARK)).map(str::to_owned);
    said.unwrap_or(text)
}

/// Says what [`in_child`] answers with.
pub fn say(line: &str) {
    println!("\n{MARK}{line}");
}
