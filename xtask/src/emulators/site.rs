//! Where the servers of this work tree live: folders under `.emulators/`, ports, and the values of
//! the table's placeholders.

use std::{
    env,
    fs::{self, File},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};

use super::server::{Native, Probe, Server};
use crate::process;

/// Added to every port, so that two work trees can run their servers beside each other.
const OFFSET: &str = "ADCP_EMULATORS_PORT_OFFSET";

/// The module, where Debian and others put it.
const SOFTHSM_MODULES: &[&str] = &[
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
];

/// The `.emulators/` of a work tree.
#[derive(Clone)]
pub(crate) struct Site {
    root: PathBuf,
    offset: u16,
    may_install: bool,
}

impl Site {
    /// This work tree's.
    pub(crate) fn here() -> Result<Self> {
        let offset = match env::var(OFFSET) {
            Ok(text) => {
                text.parse().with_context(|| format!("{OFFSET} is not a number: `{text}`"))?
            }
            Err(_) => 0,
        };
        let may_install = env::var_os("CI").is_some_and(|ci| ci == "true");
        Ok(Self { root: process::root().join(".emulators"), offset, may_install })
    }

    /// A site in another folder, for tests.
    #[cfg(test)]
    pub(crate) fn at(root: &Path, offset: u16) -> Self {
        Self { root: root.to_owned(), offset, may_install: false }
    }

    /// Lets the packages of the system be installed, as in CI.
    pub(crate) fn let_install(&mut self) {
        self.may_install = true;
    }

    /// Whether packages of the system may be installed.
    pub(crate) fn may_install(&self) -> bool {
        self.may_install
    }

    /// The folder of a server: its installation, data, log and process record.
    pub(crate) fn folder(&self, server: &Server) -> PathBuf {
        self.root.join(server.name)
    }

    /// The folder of what belongs to no server.
    pub(crate) fn common(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Whether the ports are moved, and by how much.
    pub(crate) fn offset(&self) -> Option<u16> {
        (self.offset != 0).then_some(self.offset)
    }

    /// A port on 127.0.0.1, moved as all are.
    pub(crate) fn moved(&self, port: u16) -> u16 {
        port.saturating_add(self.offset)
    }

    /// What the server printed, and what its installation printed.
    pub(crate) fn log(&self, server: &Server) -> PathBuf {
        self.folder(server).join("log")
    }

    /// The port on 127.0.0.1.
    pub(crate) fn port(&self, server: &Server) -> Option<u16> {
        server.port.map(|port| self.moved(port))
    }

    /// Fills the placeholders of the table in.
    pub(crate) fn fill(&self, server: &Server, text: &str) -> String {
        let port = self.port(server).map(|port| port.to_string()).unwrap_or_default();
        text.replace("{address}", "127.0.0.1")
            .replace("{port}", &port)
            .replace("{dir}", &self.folder(server).to_string_lossy())
            .replace("{target}", &process::target_dir().to_string_lossy())
            .replace("{module}", &softhsm_module().unwrap_or_default().to_string_lossy())
            .replace("{library}", &library(server).unwrap_or_default().to_string_lossy())
    }

    /// What the tests are to find in their environment.
    pub(crate) fn variables(&self, server: &Server) -> Vec<(String, String)> {
        let files = server
            .native_files
            .iter()
            .filter(|(_, file)| Path::new(&self.fill(server, file)).exists());
        let all = server.variables.iter().chain(files);
        all.map(|(name, value)| ((*name).to_owned(), self.fill(server, value))).collect()
    }

    /// There while `up --docker` has containers running.
    pub(crate) fn docker_mark(&self) -> PathBuf {
        self.common("docker")
    }

    /// Removes the file that a server writes before it opens its port, so that an old one does not
    /// pass for it.
    pub(crate) fn forget_ready_file(&self, server: &Server) -> Result<()> {
        if let Probe::PortAndFile { file } = server.probe {
            remove_file(&self.folder(server).join(file))?;
        }
        Ok(())
    }

    /// Held while servers are started or stopped. `say` hears that another run has it, and is
    /// waited for.
    pub(crate) fn lock(&self, say: &dyn Fn(&str)) -> Result<File> {
        lock(&self.root, say, "starting or stopping servers of this work tree")
    }

    /// Held by the suite `compose` from its preparation to its end.
    pub(crate) fn suite_lock(&self, say: &dyn Fn(&str)) -> Result<File> {
        lock(&self.common("suite"), say, "testing containers in this work tree")
    }

    /// Held while a server is installed, as is [`Self::lock`].
    pub(crate) fn install_lock(&self, server: &Server, say: &dyn Fn(&str)) -> Result<File> {
        lock(&self.folder(server), say, "installing it")
    }
}

fn lock(folder: &Path, say: &dyn Fn(&str), holder: &str) -> Result<File> {
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let path = folder.join("lock");
    let file = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
    let locked = flock(&file, FlockOperation::NonBlockingLockExclusive).or_else(|error| {
        if error != Errno::WOULDBLOCK {
            return Err(error);
        }
        say(&format!("waiting for another `cargo xtask`, which is {holder}"));
        flock(&file, FlockOperation::LockExclusive)
    });
    locked.with_context(|| format!("cannot lock {}", path.display()))?;
    Ok(file)
}

/// Removes a file, if it is there.
pub(crate) fn remove_file(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// SoftHSM's library, where it is installed.
pub(crate) fn softhsm_module() -> Option<PathBuf> {
    first_of(SOFTHSM_MODULES)
}

/// The library that the table names, where it is installed.
pub(crate) fn library(server: &Server) -> Option<PathBuf> {
    match server.native {
        Native::Library { places, .. } => first_of(places),
        _ => None,
    }
}

fn first_of(places: &[&str]) -> Option<PathBuf> {
    places.iter().map(PathBuf::from).find(|path| path.exists())
}

/// The last lines of a file, for an error message.
pub(crate) fn tail(path: &Path, count: usize) -> String {
    let text = fs::read(path)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines
        .iter()
        .skip(lines.len().saturating_sub(count))
        .map(|line| format!("  | {line}\n"))
        .collect()
}
