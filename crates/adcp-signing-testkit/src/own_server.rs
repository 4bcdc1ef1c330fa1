//! A real server as a process of the test's own, which the test kills and starts again.

use std::{
    env, fs, io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    process::{Group, Process},
    skip,
};

/// Longer than the slowest server takes on a loaded machine.
const READY_WITHIN: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(50);
/// How much of a server's output an error repeats.
const SHOWN_LOG_LEN: usize = 2000;
/// A health check says what it has to say in its first bytes.
const MAX_HEALTH_LEN: u64 = 1024;

/// A server that a test kills and starts again.
///
/// What it holds, its keys above all, is the same afterwards. A server that forgets its keys is
/// restarted only once they are back: the implementation sees to it.
#[async_trait]
pub trait OwnServer: Send {
    /// Ends it at once and without its help, as a crash does.
    ///
    /// # Errors
    /// When it does not run.
    async fn kill(&mut self) -> io::Result<()>;

    /// Starts it again, and returns once it can sign.
    ///
    /// # Errors
    /// When it does not get ready in time; the error holds the end of its output.
    async fn restart(&mut self) -> io::Result<()>;
}

/// The program that a variable of the environment names, to start a server of the test's own from.
///
/// # Panics
/// Under `CI=true` where the variable is not set: everything must run there. Elsewhere the reason
/// is printed.
#[expect(clippy::panic, reason = "this is what a test calls to fail where it may not be skipped")]
#[track_caller]
pub fn named_program(variable: &str) -> Option<PathBuf> {
    let program = env::var_os(variable).filter(|path| !path.is_empty()).map(PathBuf::from);
    if program.is_none()
        && let Err(reason) = skip(&format!("{variable} does not name the server's program"))
    {
        panic!("{reason}");
    }
    program
}

/// A loopback address that nothing listens on.
///
/// # Errors
/// When there is none.
pub fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// A program that runs in a folder of its own, with its output there. Dropping it kills it.
#[derive(Debug)]
pub struct OwnProcess {
    command: Command,
    folder: TempDir,
    process: Option<Process>,
}

impl OwnProcess {
    /// The program, with nothing running yet and an empty folder.
    ///
    /// # Errors
    /// When no folder can be made.
    pub fn new(program: &Path) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut command = Command::new(program);
        command.current_dir(folder.path()).env("HOME", folder.path());
        Ok(Self { command, folder, process: None })
    }

    /// Its arguments and environment, to be set before it starts.
    pub fn command(&mut self) -> &mut Command {
        &mut self.command
    }

    /// Its folder: the working directory, and `HOME`.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts it.
    ///
    /// # Errors
    /// When it runs already, or cannot be started.
    pub fn start(&mut self) -> io::Result<()> {
        if self.process.is_some() {
            return Err(io::Error::other("the server runs already"));
        }
        let log = self.log();
        self.process = Some(Process::start(&mut self.command, &log, Group::Shared)?);
        Ok(())
    }

    /// Kills it, and waits for its end.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill(&mut self) -> io::Result<()> {
        self.take()?.kill()
    }

    /// Asks it to end, and waits until it has.
    ///
    /// # Errors
    /// When it does not run, or does not end in time.
    pub fn stop(&mut self) -> io::Result<()> {
        let mut process = self.take()?;
        let ended = process.ask_to_end(READY_WITHIN);
        process.kill()?;
        if ended { Ok(()) } else { Err(io::Error::other("the server does not end")) }
    }

    fn take(&mut self) -> io::Result<Process> {
        self.process.take().ok_or_else(|| io::Error::other("the server does not run"))
    }

    /// Waits until `is_ready` says so.
    ///
    /// # Errors
    /// When it ends, or is not ready in time; the error holds the end of its output.
    pub async fn until_ready<F>(&mut self, mut is_ready: impl FnMut() -> F) -> io::Result<()>
    where
        F: Future<Output = bool>,
    {
        let start = Instant::now();
        loop {
            let ended = !self.process.as_ref().is_some_and(Process::is_alive);
            if ended || start.elapsed() > READY_WITHIN {
                let what =
                    if ended { "the server ended" } else { "the server is not ready in time" };
                return Err(io::Error::other(format!("{what}: {}", self.end_of_log())));
            }
            if is_ready().await {
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
        }
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("server.log")
    }

    fn end_of_log(&self) -> String {
        let log = fs::read(self.log()).unwrap_or_default();
        let end = log.get(log.len().saturating_sub(SHOWN_LOG_LEN)..).unwrap_or_default();
        String::from_utf8_lossy(end).into_owned()
    }
}

impl Drop for OwnProcess {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

/// How a server shows that it is ready.
#[derive(Debug, Clone, Copy)]
pub enum Ready {
    /// It accepts a connection.
    Port,
    /// It answers `GET` of this path with 200, over plain HTTP.
    Path(&'static str),
}

impl Ready {
    /// Whether the server at this address is ready.
    pub async fn is(self, address: SocketAddr) -> bool {
        let Ok(mut stream) = TcpStream::connect(address).await else { return false };
        let Self::Path(path) = self else { return true };
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
        let mut answer = Vec::new();
        stream.write_all(request.as_bytes()).await.is_ok()
            && stream.take(MAX_HEALTH_LEN).read_to_end(&mut answer).await.is_ok()
            && answer.starts_with(b"HTTP/1.1 200")
    }
}

/// A server that keeps what it holds over its end by itself, in files of its folder.
#[derive(Debug)]
pub struct DurableServer {
    process: OwnProcess,
    address: SocketAddr,
    ready: Ready,
}

impl DurableServer {
    /// Starts the process, which listens on this address.
    ///
    /// # Errors
    /// When it does not get ready; the error holds the end of its output.
    pub async fn start(process: OwnProcess, address: SocketAddr, ready: Ready) -> io::Result<Self> {
        let mut server = Self { process, address, ready };
        server.restart().await?;
        Ok(server)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Asks it to end, and waits until it has.
    ///
    /// # Errors
    /// As [`OwnProcess::stop`].
    pub fn stop(&mut self) -> io::Result<()> {
        self.process.stop()
    }
}

#[async_trait]
impl OwnServer for DurableServer {
    async fn kill(&mut self) -> io::Result<()> {
        self.process.kill()
    }

    async fn restart(&mut self) -> io::Result<()> {
        let (address, ready) = (self.address, self.ready);
        self.process.start()?;
        self.process.until_ready(|| ready.is(address)).await
    }
}
