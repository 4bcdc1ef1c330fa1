//! A process whose clock is wrong.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    env, fs,
    path::PathBuf,
    process::Command,
    time::{Duration, SystemTime},
};

use crate::child::in_child;

/// Names the library that moves the clock of a process.
const LIBRARY: &str = "ADCP_TEST_FAKETIME";
/// Names the file that says how far the clock is off.
const OFFSET: &str = "FAKETIME_TIMESTAMP_FILE";
/// How far off a clock that was moved by an hour may be.
const TOLERANCE: Duration = Duration::from_secs(60);

/// By how much clocks are moved in tests, in seconds: forward and back, by an hour and the minute in
/// which a token that lasts an hour ends.
pub const AN_HOUR_OFF: [i64; 2] = [3660, -3660];

/// Runs the ignored test `name` of this test program in a process in which [`move_clock`] works, by
/// libfaketime. Only the time of day is moved: the system's monotonic clock, and with it every
/// pause and time limit, runs on, as when an administrator sets the clock. The answer is that of
/// [`in_child`].
///
/// # Errors
/// Why no such process can be had: `ADCP_TEST_FAKETIME` does not name the library.
///
/// # Panics
/// As [`in_child`].
pub fn in_child_with_own_clock(
    name: &str,
    set: impl FnOnce(&mut Command),
) -> Result<String, String> {
    let library = env::var_os(LIBRARY).filter(|path| !path.is_empty());
    let library = library.ok_or_else(|| {
        format!("{LIBRARY} does not name libfaketime; `cargo xtask emulators up faketime` has it")
    })?;
    let folder = tempfile::tempdir().unwrap();
    let offset = folder.path().join("offset");
    fs::write(&offset, "+0\n").unwrap();
    Ok(in_child(name, |child| {
        set(child);
        child.env("LD_PRELOAD", library).env(OFFSET, offset).env("FAKETIME_NO_CACHE", "1");
        child.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("NO_FAKE_STAT", "1");
    }))
}

/// Sets the clock of this process so many seconds before or after that of the machine.
///
/// # Panics
/// When the clock did not move.
pub fn move_clock(seconds: i64) {
    let file = PathBuf::from(env::var_os(OFFSET).expect("a process with a clock of its own"));
    // Whole, for the threads that look at the clock meanwhile.
    let next = file.with_extension("next");
    let (from, to) = (next.as_path(), file.as_path());
    let set = |text: String| {
        fs::write(from, text).unwrap();
        fs::rename(from, to).unwrap();
        SystemTime::now()
    };
    let right = set("+0\n".to_owned());
    let moved = set(format!("{seconds:+}\n"));
    let off = match moved.duration_since(right) {
        Ok(ahead) => ahead,
        Err(behind) => behind.duration(),
    };
    let expected = Duration::from_secs(seconds.unsigned_abs());
    assert!(off.abs_diff(expected) < TOLERANCE, "the clock is {off:?} off");
}
