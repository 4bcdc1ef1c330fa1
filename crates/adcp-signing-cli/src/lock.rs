//! A lock on a file that is read, changed and written back, so that two processes that change it at
//! once lose nothing.

use std::{
    fs::{self, OpenOptions},
    io::ErrorKind,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use crate::{failure::Failure, files};

/// How long another process is waited for. It holds the lock for as long as it takes to write a
/// file.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(10);

/// A file `NAME.lock` next to the locked one, as git uses it. It is removed when this is dropped.
pub(crate) struct Lock(PathBuf);

impl Lock {
    /// Waits until no other process has the file locked.
    pub(crate) async fn on(path: &Path) -> Result<Self, Failure> {
        // A link and the file that it leads to have one lock.
        let file = fs::canonicalize(path).map_err(|error| files::failed(path, &error))?;
        let mut name = file.file_name().unwrap_or_default().to_owned();
        name.push(".lock");
        let lock = files::folder(&file).join(name);
        let started = Instant::now();
        loop {
            match OpenOptions::new().write(true).create_new(true).open(&lock) {
                Ok(_) => return Ok(Self(lock)),
                Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                    return Err(files::failed(&lock, &error));
                }
                Err(_) if started.elapsed() > PATIENCE => {
                    return Err(Failure::invalid(format!(
                        "{0} exists, so another process is changing {1}, and nothing was changed; \
                         if none is, a killed one left it behind: remove {0}",
                        lock.display(),
                        path.display()
                    )));
                }
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // The next process names a lock that could not be removed.
        let _ = fs::remove_file(&self.0);
    }
}
