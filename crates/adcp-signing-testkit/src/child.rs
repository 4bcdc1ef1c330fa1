//! A test in a process of its own, because the environment belongs to the process.
#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    env,
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

const MARK: &str = "child: ";
/// Binds each first path over the second one up to `--`, and runs what follows.
const BIND_AND_RUN: &str =
    r#"while [ "$1" != -- ]; do mount --bind "$1" "$2" || exit; shift 2; done; shift; exec "$@""#;

/// Runs the ignored test `name` of this test program in a process of its own, in an environment
/// without variables but for those that `set` gives it. The answer is the line that the test passed
/// to [`say`], or all that it printed.
///
/// # Panics
/// When the process cannot be started.
pub fn in_child(name: &str, set: impl FnOnce(&mut Command)) -> String {
    let mut child = Command::new(this_program());
    child.args(arguments(name));
    said(&run(child, set))
}

/// As [`in_child`], in a mount namespace of its own: each pair is a file, and the path that it
/// covers there. No other process sees that.
///
/// # Errors
/// Why no such namespace can be made: it takes Linux, and root.
///
/// # Panics
/// As [`in_child`].
pub fn in_child_with_files(
    name: &str,
    files: &[(&Path, &Path)],
    set: impl FnOnce(&mut Command),
) -> Result<String, String> {
    let unshare = |program: &OsStr| {
        let mut child = Command::new("unshare");
        child.args(["--mount", "sh", "-c", BIND_AND_RUN, "sh"]);
        child.args(files.iter().flat_map(|(file, covers)| [file, covers])).arg("--").arg(program);
        child
    };
    let tried = unshare(OsStr::new("true")).output();
    let tried = tried.map_err(|error| format!("`unshare` cannot be started: {error}"))?;
    if !tried.status.success() {
        let why = String::from_utf8_lossy(&tried.stderr);
        return Err(format!("no files can be covered in a mount namespace: {}", why.trim()));
    }
    let mut child = unshare(this_program().as_os_str());
    child.args(arguments(name));
    Ok(said(&run(child, set)))
}

fn this_program() -> PathBuf {
    env::current_exe().expect("the path of this test program")
}

fn arguments(name: &str) -> [&str; 4] {
    ["--exact", name, "--ignored", "--nocapture"]
}

fn run(mut child: Command, set: impl FnOnce(&mut Command)) -> Output {
    child.env_clear().stdin(Stdio::null());
    set(&mut child);
    child.output().expect("a process of this test program")
}

fn said(output: &Output) -> String {
    let [text, errors] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    let said = text.lines().find_map(|line| line.strip_prefix(MARK)).map(str::to_owned);
    said.unwrap_or_else(|| format!("{text}{errors}"))
}

/// Says what [`in_child`] answers with.
pub fn say(line: &str) {
    println!("\n{MARK}{line}");
}
