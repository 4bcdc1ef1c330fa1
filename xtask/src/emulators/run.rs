//! Brings servers up side by side and takes down what was started.

use std::{
    thread,
    time::{Duration, Instant},
};

use adcp_signing_testkit::process::Process;
use anyhow::{Result, anyhow, bail, ensure};

use super::{
    daemon, install, named,
    probe::{self, Answer},
    server::Server,
    site::{self, Site},
};

const POLL: Duration = Duration::from_millis(50);
/// Longer than the slowest server takes on a loaded machine.
const READY_WITHIN: Duration = Duration::from_secs(120);

/// Makes sure that a server is installed.
type Install<'a> = &'a (dyn Fn(&Server) -> Result<()> + Sync);

/// Servers that are up for as long as this lives: those that it started stop with it.
pub(crate) struct Session {
    site: Site,
    servers: Vec<&'static Server>,
    started: Vec<&'static Server>,
}

/// Brings the servers of these names up.
pub(crate) fn up(names: &[&str]) -> Result<Session> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let site = Site::here()?;
    let servers = if names.is_empty() { Vec::new() } else { named(&names, |_| false)? };
    let started = up_servers(&site, &servers)?;
    Ok(Session { site, servers, started })
}

/// Makes sure that the server of this name is installed, without starting it, and gives what a
/// program is to find in its environment.
pub(crate) fn installed(name: &str) -> Result<Vec<(String, String)>> {
    let site = Site::here()?;
    let servers = named(&[name.to_owned()], |_| false)?;
    for server in &servers {
        let _lock = site.install_lock(server, &|text| say(server, text))?;
        install::install(&site, server, &|text| say(server, text))?;
    }
    Ok(variables(&site, &servers))
}

impl Session {
    /// What the tests are to find in their environment.
    pub(crate) fn variables(&self) -> Vec<(String, String)> {
        variables(&self.site, &self.servers)
    }

    /// Stops what it started.
    pub(crate) fn stop(mut self) -> Result<()> {
        let started = std::mem::take(&mut self.started);
        down(&self.site, &started)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Err(error) = down(&self.site, &self.started) {
            eprintln!("error: {error:#}");
        }
    }
}

/// The variables of these servers, each once. A server that is there instead of another gives way
/// to it.
pub(crate) fn variables(site: &Site, servers: &[&Server]) -> Vec<(String, String)> {
    let there = |name: &str| servers.iter().any(|server| server.name == name);
    let mut variables: Vec<(String, String)> = servers
        .iter()
        .filter(|server| !server.instead_of.is_some_and(there))
        .flat_map(|server| site.variables(server))
        .collect();
    variables.sort_unstable();
    variables.dedup();
    variables
}

/// Installs and starts the servers side by side and waits until each is ready. Returns those that
/// this call started; if one fails, they are stopped again.
pub(crate) fn up_servers(site: &Site, servers: &[&'static Server]) -> Result<Vec<&'static Server>> {
    up_with(site, servers, &|server| install::install(site, server, &|text| say(server, text)))
}

fn up_with(
    site: &Site,
    servers: &[&'static Server],
    install: Install<'_>,
) -> Result<Vec<&'static Server>> {
    if servers.is_empty() {
        return Ok(Vec::new());
    }
    let complete = |failures: &[String]| {
        ensure!(failures.is_empty(), "not every server came up\n{}", failures.join("\n"));
        Ok(())
    };
    // Before the tree's lock is taken: an installation may take ten minutes.
    let (installed, failures) = side_by_side(servers, |server| prepare(site, server, install));
    complete(&failures)?;
    let installed: Vec<&str> = installed.into_iter().flatten().collect();
    let _lock = site.lock(&|text| eprintln!("{text}"))?;
    let (started, failures) = side_by_side(servers, |server| {
        // What ran when it was looked at may have been stopped since.
        let install = (!installed.contains(&server.name)).then_some(install);
        Ok(bring_up(site, server, install)?.then_some(server))
    });
    let started: Vec<&'static Server> = started.into_iter().flatten().collect();
    if !failures.is_empty() {
        stop_all(site, &started)?;
    }
    complete(&failures)?;
    Ok(started)
}

/// Stops those of these servers that were started from this work tree.
pub(crate) fn down(site: &Site, servers: &[&'static Server]) -> Result<()> {
    if servers.is_empty() {
        return Ok(());
    }
    let _lock = site.lock(&|text| eprintln!("{text}"))?;
    stop_all(site, servers)
}

fn stop_all(site: &Site, servers: &[&'static Server]) -> Result<()> {
    let (_, failures) = side_by_side(servers, |server| stop(site, server));
    ensure!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(())
}

/// Calls `each` with all servers at once. Returns what came of them, and by their names what did
/// not.
fn side_by_side<T: Send>(
    servers: &[&'static Server],
    each: impl Fn(&'static Server) -> Result<T> + Sync,
) -> (Vec<T>, Vec<String>) {
    let (mut done, mut failures) = (Vec::new(), Vec::new());
    thread::scope(|scope| {
        let each = &each;
        let threads: Vec<_> =
            servers.iter().map(|&server| (server, scope.spawn(move || each(server)))).collect();
        for (server, thread) in threads {
            match thread.join().unwrap_or_else(|_| Err(anyhow!("its thread died"))) {
                Ok(result) => done.push(result),
                Err(error) => failures.push(format!("{}: {error:#}", server.name)),
            }
        }
    });
    (done, failures)
}

fn stop(site: &Site, server: &Server) -> Result<()> {
    let folder = site.folder(server);
    let Some(mut process) = daemon::recorded(&folder) else { return Ok(()) };
    daemon::stop(&mut process, &folder)?;
    say(server, &format!("stopped (process {})", process.pid()));
    Ok(())
}

/// Makes sure that a server that does not run is installed, and gives its name. Only who wants the
/// same server waits for it.
fn prepare(
    site: &Site,
    server: &'static Server,
    install: Install<'_>,
) -> Result<Option<&'static str>> {
    // What answers on its port may be about to start or to stop: `bring_up` looks at it under the
    // tree's lock.
    let there = daemon::recorded(&site.folder(server)).is_some()
        || (server.port.is_some() && probe::ask(site, server) != Answer::Nothing);
    if there {
        return Ok(None);
    }
    let _lock = site.install_lock(server, &|text| say(server, text))?;
    install(server)?;
    Ok(Some(server.name))
}

/// Whether this call started the server.
fn bring_up(site: &Site, server: &Server, install: Option<Install<'_>>) -> Result<bool> {
    let begun = Instant::now();
    let folder = site.folder(server);
    if let Some(mut process) = daemon::recorded(&folder) {
        wait(site, server, &mut process)?;
        say(server, &format!("is up already (process {})", process.pid()));
        return Ok(false);
    }
    if server.port.is_some() {
        match probe::ask(site, server) {
            Answer::Ready => {
                say(server, "is up, started elsewhere: used as it is, and `down` leaves it alone");
                return Ok(false);
            }
            Answer::Other => {
                bail!("port {} is taken by something else", site.port(server).unwrap_or_default())
            }
            Answer::Nothing => (),
        }
    }
    if let Some(install) = install {
        let _lock = site.install_lock(server, &|text| say(server, text))?;
        install(server)?;
    }
    let Some(mut command) = install::command(site, server) else {
        ensure!(probe::ask(site, server) == Answer::Ready, "it was installed but is not there");
        say(server, "ready");
        return Ok(false);
    };
    site.forget_ready_file(server)?;
    let mut process = daemon::start(command.current_dir(&folder), &folder, &site.log(server))?;
    if let Err(error) = wait(site, server, &mut process) {
        daemon::stop(&mut process, &folder)?;
        return Err(error);
    }
    let address = site.port(server).unwrap_or_default();
    say(
        server,
        &format!("ready on 127.0.0.1:{address} after {:.1} s", begun.elapsed().as_secs_f64()),
    );
    Ok(true)
}

fn wait(site: &Site, server: &Server, process: &mut Process) -> Result<()> {
    let deadline = Instant::now() + READY_WITHIN;
    let log = site.log(server);
    let end = || format!("the end of {}:\n{}", log.display(), site::tail(&log, 20));
    loop {
        if probe::ask(site, server) == Answer::Ready {
            // A server of somebody else that took the port meanwhile must not pass for this one.
            ensure!(
                process.is_alive(),
                "it ended, and something else answers on its port; {}",
                end()
            );
            return Ok(());
        }
        if !process.is_alive() {
            let how = process.status().map(|status| format!(" ({status})")).unwrap_or_default();
            bail!("it ended before it was ready{how}; {}", end());
        }
        ensure!(
            Instant::now() < deadline,
            "it is not ready after {} s; {}",
            READY_WITHIN.as_secs(),
            end()
        );
        thread::sleep(POLL);
    }
}

fn say(server: &Server, text: &str) {
    eprintln!("{:20} {text}", server.name);
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn an_installation_holds_up_only_who_wants_the_same_server() {
        let folder = tempfile::tempdir().unwrap();
        let site = &Site::at(folder.path(), 0);
        let servers = named(&["softhsm".to_owned()], |_| false).unwrap();
        thread::scope(|scope| {
            let installed = up_with(site, &servers, &|_| {
                site.lock(&|text| panic!("{text}"))?;
                let (say, said) = mpsc::channel();
                let server = servers[0];
                scope.spawn(move || {
                    site.install_lock(server, &|text| say.send(text.to_owned()).unwrap())
                });
                let said = said.recv_timeout(Duration::from_secs(10)).unwrap();
                assert_eq!(said, "waiting for another `cargo xtask`, which is installing it");
                bail!("not today")
            });
            let error = installed.err().unwrap().to_string();
            assert_eq!(error, "not every server came up\nsofthsm: not today");
        });
    }
}
