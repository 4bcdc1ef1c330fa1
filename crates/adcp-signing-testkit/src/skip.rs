//! Tests whose server is not there.

use std::env;

/// What a test returns whose server, or whose tools, are not there: it says why, and passes on a
/// developer's machine.
///
/// # Errors
/// The reason, under `CI=true`, where everything must run.
pub fn skip(reason: &str) -> Result<(), String> {
    if env::var_os("CI").is_some_and(|value| value == "true") {
        return Err(format!("skipped under CI, where everything must run: {reason}"));
    }
    println!("skipped: {reason}");
    Ok(())
}
