//! The container engine: the one that runs on this machine, or one of our own under `.emulators/`
//! for the time of a suite.

use std::{
    env, fs,
    path::PathBuf,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};

use super::{
    daemon,
    site::{self, Site},
};

const POLL: Duration = Duration::from_millis(200);
const READY_WITHIN: Duration = Duration::from_secs(60);
const FOLDER: &str = "engine";

/// Docker's client, for the engine of this work tree.
pub(crate) fn docker(site: &Site) -> Command {
    let mut command = Command::new("docker");
    command.stdin(Stdio::null());
    chosen(site, command)
}

/// Points a client at our own engine while that runs.
pub(crate) fn chosen(site: &Site, mut command: Command) -> Command {
    let folder = site.common(FOLDER);
    if daemon::recorded(&folder).is_some()
        && let Some(run) = run_folder(site)
    {
        command.env("DOCKER_HOST", format!("unix://{}", run.join("socket").display()));
        command.env_remove("DOCKER_CONTEXT");
    }
    command
}

/// Whether our own engine runs.
pub(crate) fn is_own(site: &Site) -> bool {
    daemon::recorded(&site.common(FOLDER)).is_some()
}

/// Whether an engine answers.
pub(crate) fn answers(site: &Site) -> bool {
    let mut command = docker(site);
    command.args(["version", "--format", "{{.Server.Version}}"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Starts an engine of our own, with its images and containers in `.emulators/`. It touches neither
/// the firewall nor the routing of the machine: a process forwards each published port.
pub(crate) fn start(site: &Site) -> Result<()> {
    ensure!(!is_own(site), "one runs already: `cargo xtask emulators down` stops it");
    ensure!(rustix::process::geteuid().is_root(), "only root can start one");
    remove(site)?;
    let folder = site.common(FOLDER);
    fs::create_dir_all(&folder)?;
    // The path of a socket may have a hundred bytes, and that of a work tree more.
    let run = env::temp_dir().join(format!("adcp-signing-engine-{}", std::process::id()));
    fs::create_dir(&run).with_context(|| format!("cannot create {}", run.display()))?;
    fs::write(folder.join("run"), run.to_string_lossy().as_bytes())?;
    let mut command = Command::new("dockerd");
    command.arg("--data-root").arg(folder.join("data"));
    command.arg("--exec-root").arg(run.join("exec"));
    command.arg("--pidfile").arg(run.join("pid"));
    command.arg("--host").arg(format!("unix://{}", run.join("socket").display()));
    command.args(["--bridge=none", "--iptables=false", "--ip6tables=false"]);
    command.args(["--ip-forward=false", "--ip-masq=false", "--log-level=warn"]);
    let log = folder.join("log");
    let mut process = daemon::start(&mut command, &folder, &log)
        .context("dockerd is not installed (on Debian: `apt-get install docker.io`)")?;
    let deadline = Instant::now() + READY_WITHIN;
    while !answers(site) {
        let ended = !process.is_alive();
        if ended || Instant::now() > deadline {
            let end = site::tail(&log, 8);
            if !ended {
                daemon::stop(&mut process, &folder)?;
            }
            remove(site)?;
            bail!("dockerd does not get ready:\n{end}");
        }
        thread::sleep(POLL);
    }
    Ok(())
}

/// Stops our own engine, if it runs, and removes its images.
pub(crate) fn stop(site: &Site) -> Result<()> {
    let folder = site.common(FOLDER);
    if let Some(mut process) = daemon::recorded(&folder) {
        daemon::stop(&mut process, &folder)?;
        eprintln!("{:20} stopped (process {})", "container engine", process.pid());
    }
    remove(site)
}

fn run_folder(site: &Site) -> Option<PathBuf> {
    fs::read_to_string(site.common(FOLDER).join("run")).ok().map(PathBuf::from)
}

/// Whether an engine of our own ended without being stopped, and its containers with it.
pub(crate) fn died(site: &Site) -> bool {
    site.common(FOLDER).exists() && !is_own(site)
}

/// Removes what an engine that ended has left.
fn remove(site: &Site) -> Result<()> {
    ensure!(!is_own(site), "the engine still runs, so its files stay");
    let folder = site.common(FOLDER);
    let deadline = Instant::now() + Duration::from_secs(120);
    for path in run_folder(site).into_iter().chain([folder]) {
        // What the engine started ends after it.
        while path.exists() && fs::remove_dir_all(&path).is_err() {
            ensure!(Instant::now() < deadline, "cannot remove {}", path.display());
            thread::sleep(POLL);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_that_runs_keeps_its_files_and_one_that_died_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let site = Site::at(folder.path(), 0);
        assert!(!is_own(&site) && !died(&site));
        let own = site.common(FOLDER);
        fs::create_dir_all(&own).unwrap();
        let mut process =
            daemon::start(Command::new("sleep").arg("600"), &own, &own.join("log")).unwrap();
        assert!(is_own(&site) && !died(&site));
        let error = start(&site).unwrap_err().to_string();
        assert!(error.starts_with("one runs already"), "{error}");
        assert!(remove(&site).is_err() && own.exists());
        process.kill().unwrap();
        assert!(died(&site));
        remove(&site).unwrap();
        assert!(!own.exists() && !died(&site));
    }
}
