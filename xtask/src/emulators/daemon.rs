//! A server as a process that outlives this one, with a record by which later runs find it.

use std::{fs, path::Path, process::Command, time::Duration};

use adcp_signing_testkit::process::{Group, Process};
use anyhow::{Context as _, Result};
use serde_json::{Value, json};

const RECORD: &str = "process.json";
/// How long a server may take over each SIGTERM; the second one helps where the first is lost.
const PATIENCE: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(3)];

/// Starts `command` in a process group of its own and writes its record to `folder`.
pub(crate) fn start(command: &mut Command, folder: &Path, log: &Path) -> Result<Process> {
    let mut process = Process::start(command, log, Group::Own)
        .with_context(|| format!("cannot start {command:?}"))?;
    let record = json!({"pid": process.pid(), "started": process.started()});
    if let Err(error) = fs::write(folder.join(RECORD), record.to_string()) {
        // Without a record nobody would ever stop it.
        process.kill()?;
        return Err(error).context("cannot write the process record");
    }
    Ok(process)
}

/// The process recorded in `folder`, if it still runs.
pub(crate) fn recorded(folder: &Path) -> Option<Process> {
    let record: Value = serde_json::from_slice(&fs::read(folder.join(RECORD)).ok()?).ok()?;
    let pid = i32::try_from(record.get("pid")?.as_i64()?).ok()?;
    Process::find(pid, record.get("started")?.as_str()?)
}

/// Ends it and its children: asks twice, then forces, then removes the record from `folder`.
pub(crate) fn stop(process: &mut Process, folder: &Path) -> Result<()> {
    let _ended = PATIENCE.into_iter().any(|patience| process.ask_to_end(patience));
    process.kill().with_context(|| format!("cannot end process {}", process.pid()))?;
    fs::remove_file(folder.join(RECORD)).context("cannot remove the process record")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_found_by_its_record_until_it_is_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let (folder, log) = (folder.path(), folder.path().join("log"));
        let mut process = start(Command::new("sleep").arg("600"), folder, &log).unwrap();
        assert_eq!(recorded(folder).unwrap().pid(), process.pid());
        stop(&mut process, folder).unwrap();
        assert!(recorded(folder).is_none() && !folder.join(RECORD).exists());
    }

    #[test]
    fn a_process_without_a_record_does_not_run() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing");
        let log = folder.path().join("log");
        let script = "echo $$; exec sleep 600";
        let error = start(Command::new("sh").args(["-c", script]), &missing, &log).unwrap_err();
        assert_eq!(error.to_string(), "cannot write the process record");
        if let Ok(pid) = fs::read_to_string(&log).unwrap().trim().parse::<i32>() {
            assert!(!Path::new(&format!("/proc/{pid}")).exists());
        }
    }
}
