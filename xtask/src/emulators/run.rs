//! Brings servers up side by side and takes down what was started.

use std::{
    process::Child,
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};

use super::{
    daemon::Daemon,
    install, named,
    probe::{self, Answer},
    server::Server,
    site::{self, Site},
};

const POLL: Duration = Duration::from_millis(50);
/// Longer than the slowest server takes on a loaded machine.
const READY_WITHIN: Duration = Duration::from_secs(120);

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

/// The variables of these servers, each once. A server that is there instead of another gives way to it.
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

/// Installs and starts the servers side by side and waits until each is ready. Returns those that this call
/// started; if one fails, they are stopped again.
pub(crate) fn up_servers(site: &Site, servers: &[&'static Server]) -> Result<Vec<&'static Server>> {
    let _lock = site.lock()?;
    let started = Mutex::new(Vec::new());
    let failures: Vec<String> = thread::scope(|scope| {
        let threads: Vec<_> = servers
            .iter()
            .map(|server| {
                let started = &started;
                scope.spawn(move || match bring_up(site, server) {
                    Ok(true) => {
                        started.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(*server);
                        None
                    }
                    Ok(false) => None,
                    Err(error) => Some(format!("{}: {error:#}", server.name)),
                })
            })
            .collect();
        threads
            .into_iter()
            .filter_map(|thread| thread.join().unwrap_or_else(|_| Some("a start-up thread died".to_owned())))
            .collect()
    });
    let started = started.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    if failures.is_empty() {
        return Ok(started);
    }
    stop_all(site, &started)?;
    bail!("not every server came up\n{}", failures.join("\n"))
}

/// Stops those of these servers that were started from this work tree.
pub(crate) fn down(site: &Site, servers: &[&'static Server]) -> Result<()> {
    if servers.is_empty() {
        return Ok(());
    }
    let _lock = site.lock()?;
    stop_all(site, servers)
}

fn stop_all(site: &Site, servers: &[&'static Server]) -> Result<()> {
    let failures: Vec<String> = thread::scope(|scope| {
        let threads: Vec<_> = servers.iter().map(|server| scope.spawn(move || stop(site, server))).collect();
        threads
            .into_iter()
            .filter_map(|thread| match thread.join() {
                Ok(result) => result.err().map(|error| format!("{error:#}")),
                Err(_) => Some("a stopping thread died".to_owned()),
            })
            .collect()
    });
    ensure!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(())
}

fn stop(site: &Site, server: &Server) -> Result<()> {
    let folder = site.folder(server);
    let Some(daemon) = Daemon::recorded(&folder) else { return Ok(()) };
    daemon.stop(&folder).with_context(|| server.name.to_owned())?;
    say(server, &format!("stopped (process {})", daemon.pid()));
    Ok(())
}

/// Whether this call started the server.
fn bring_up(site: &Site, server: &Server) -> Result<bool> {
    let begun = Instant::now();
    let folder = site.folder(server);
    if let Some(daemon) = Daemon::recorded(&folder) {
        wait(site, server, &daemon, None)?;
        say(server, &format!("is up already (process {})", daemon.pid()));
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
    install::install(site, server, &|text| say(server, text))?;
    let Some(mut command) = install::command(site, server) else {
        ensure!(probe::ask(site, server) == Answer::Ready, "it was installed but is not there");
        say(server, "ready");
        return Ok(false);
    };
    let (daemon, mut child) = Daemon::start(command.current_dir(&folder), &folder, &site.log(server))?;
    if let Err(error) = wait(site, server, &daemon, Some(&mut child)) {
        daemon.stop(&folder)?;
        return Err(error);
    }
    let address = site.port(server).unwrap_or_default();
    say(server, &format!("ready on 127.0.0.1:{address} after {:.1} s", begun.elapsed().as_secs_f64()));
    Ok(true)
}

fn wait(site: &Site, server: &Server, daemon: &Daemon, mut child: Option<&mut Child>) -> Result<()> {
    let deadline = Instant::now() + READY_WITHIN;
    let log = site.log(server);
    let end = || format!("the end of {}:\n{}", log.display(), site::tail(&log, 20));
    loop {
        if probe::ask(site, server) == Answer::Ready {
            // A server of somebody else that took the port meanwhile must not pass for this one.
            ensure!(daemon.alive(), "it ended, and something else answers on its port; {}", end());
            return Ok(());
        }
        if !daemon.alive() {
            let how = child.as_mut().and_then(|child| child.wait().ok());
            let how = how.map(|status| format!(" ({status})")).unwrap_or_default();
            bail!("it ended before it was ready{how}; {}", end());
        }
        ensure!(Instant::now() < deadline, "it is not ready after {} s; {}", READY_WITHIN.as_secs(), end());
        thread::sleep(POLL);
    }
}

fn say(server: &Server, text: &str) {
    eprintln!("{:20} {text}", server.name);
}
