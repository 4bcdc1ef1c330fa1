//! Processes that serve, each on the core that the servers have.

use std::{
    env,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
};

use serde::Deserialize;

use crate::{BenchError, servers::Kind};

/// A server in a process of its own, which ends with this value.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) version: String,
    pub(crate) port: u16,
    child: Child,
    /// It serves until this is closed.
    input: Option<ChildStdin>,
}

#[derive(Deserialize)]
struct Ready {
    port: u16,
    version: String,
}

impl Peer {
    /// One of our own servers.
    pub(crate) fn of(kind: Kind, jwks: &str) -> Result<Self, BenchError> {
        let mut command = Command::new(env::current_exe()?);
        command.args(["serve", kind.name()]);
        Self::start(kind.name(), command, jwks)
    }

    /// The verifier of the SDK for Python, where it is installed.
    pub(crate) fn python(jwks: &str) -> Result<Option<Self>, BenchError> {
        let Some(python) = env::var_os("ADCP_TEST_INTEROP_PYTHON") else { return Ok(None) };
        let mut command = Command::new(python);
        command.arg(folder().join("python.py"));
        Self::start("adcp-python", command, jwks).map(Some)
    }

    /// The verifier of the SDK for Node.js, where it is installed.
    pub(crate) fn node(jwks: &str) -> Result<Option<Self>, BenchError> {
        let Some(modules) = env::var_os("ADCP_TEST_INTEROP_NODE_FOLDER") else { return Ok(None) };
        let mut command = Command::new("node");
        command.arg(folder().join("node.mjs")).arg(modules);
        Self::start("adcp-node", command, jwks).map(Some)
    }

    fn start(name: &'static str, mut command: Command, jwks: &str) -> Result<Self, BenchError> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut input = child.stdin.take().ok_or("no standard input")?;
        writeln!(input, "{jwks}")?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("no standard output")?).read_line(&mut line)?;
        let Ready { port, version } = serde_json::from_str(&line)
            .map_err(|error| format!("{name} said {line:?}: {error}"))?;
        Ok(Self { name, version, port, child, input: Some(input) })
    }

    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.input.take();
        let _ = self.child.wait();
    }
}

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/peers"))
}
