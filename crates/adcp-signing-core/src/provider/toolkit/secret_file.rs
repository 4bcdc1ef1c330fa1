//! Files that must be what they seem: secrets, and the certificates that decide whom to trust.
//!
//! A file is opened first, and judged by its descriptor. Judged by its path, it could be another
//! one when it is opened.

use std::{
    fs::{File, Metadata, OpenOptions},
    io::{self, Read as _},
    path::Path,
};

use zeroize::Zeroizing;

use crate::provider::{ProviderError, ProviderErrorKind};

/// The `tracing` target of warnings for whoever operates the program. They hold no path and no
/// secret; a program without a log should show them.
pub const OPERATOR: &str = "adcp_signing::operator";

/// What others must not do to a file.
#[derive(Debug, Clone, Copy)]
enum Forbidden {
    /// They may neither read nor write a secret.
    Reach,
    /// They may read what says whom to trust.
    Write,
}

/// Why a file gives nothing. No variant holds its path.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretFileError {
    /// It cannot be opened or read.
    #[error("the {what} cannot be read ({})", .source.kind())]
    Unreadable {
        /// What the file should hold.
        what: &'static str,
        /// The system's error.
        source: io::Error,
    },
    /// A directory, pipe, socket or device.
    #[error("the {what} is not a regular file")]
    NotRegular {
        /// What the file should hold.
        what: &'static str,
    },
    /// Longer than anything of its kind.
    #[error("the {what} is longer than {max_len} bytes")]
    TooLong {
        /// What the file should hold.
        what: &'static str,
        /// The longest content that is read.
        max_len: usize,
    },
}

impl From<SecretFileError> for ProviderError {
    fn from(error: SecretFileError) -> Self {
        let refused = Self::new(ProviderErrorKind::Configuration, error.to_string());
        match error {
            SecretFileError::Unreadable { source, .. } => refused.with_source(source),
            _ => refused,
        }
    }
}

/// Reads a regular file of at most `max_len` bytes that holds a secret, into memory that is wiped.
/// `what` names it in errors, as in "the PIN file".
///
/// A pipe or a device is refused and never waited for. Where other users may reach the file,
/// [`OPERATOR`] is warned.
///
/// # Errors
/// [`SecretFileError`].
pub fn read_secret_file(
    path: &Path,
    what: &'static str,
    max_len: usize,
) -> Result<Zeroizing<Vec<u8>>, SecretFileError> {
    warned(read(path, what, max_len, Forbidden::Reach))
}

/// Reads a regular file of at most `max_len` bytes that says whom to trust, such as CA
/// certificates. As [`read_secret_file`], but others may read it: [`OPERATOR`] is warned where they
/// may write it.
///
/// # Errors
/// [`SecretFileError`].
pub fn read_trust_file(
    path: &Path,
    what: &'static str,
    max_len: usize,
) -> Result<Zeroizing<Vec<u8>>, SecretFileError> {
    warned(read(path, what, max_len, Forbidden::Write))
}

/// A file's content, and the warning that its mode deserves.
struct Content {
    bytes: Zeroizing<Vec<u8>>,
    warning: Option<String>,
}

fn warned(
    outcome: Result<Content, SecretFileError>,
) -> Result<Zeroizing<Vec<u8>>, SecretFileError> {
    let Content { bytes, warning } = outcome?;
    if let Some(warning) = warning {
        tracing::warn!(target: OPERATOR, "{warning}");
    }
    Ok(bytes)
}

fn read(
    path: &Path,
    what: &'static str,
    max_len: usize,
    forbidden: Forbidden,
) -> Result<Content, SecretFileError> {
    let unreadable = |source| SecretFileError::Unreadable { what, source };
    let mut file = open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(SecretFileError::NotRegular { what });
    }
    let warning = mode(&metadata).and_then(|mode| forbidden.warning(what, mode));
    // All the room at once: a buffer that grows leaves copies of the secret behind.
    let mut bytes = Zeroizing::new(vec![0; max_len.saturating_add(1)]);
    let mut len = 0;
    while let Some(room) = bytes.get_mut(len..).filter(|room| !room.is_empty()) {
        match file.read(room) {
            Ok(0) => break,
            Ok(read) => len += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(unreadable(error)),
        }
    }
    if len > max_len {
        return Err(SecretFileError::TooLong { what, max_len });
    }
    bytes.truncate(len);
    Ok(Content { bytes, warning })
}

impl Forbidden {
    fn warning(self, what: &str, mode: u32) -> Option<String> {
        let (bits, may, cure) = match self {
            Self::Reach => (0o077, "reach", "600"),
            Self::Write => (0o022, "write", "644"),
        };
        (mode & bits != 0)
            .then(|| format!("other users may {may} the {what} (mode {mode:03o}); chmod {cure} it"))
    }
}

/// Opens without waiting for a pipe's other end, and without taking over a terminal. The standard
/// library adds `O_CLOEXEC`.
#[cfg(unix)]
fn open(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;

    OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)
}

#[cfg(not(unix))]
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).open(path)
}

#[cfg(unix)]
fn mode(metadata: &Metadata) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt as _;

    Some(metadata.permissions().mode() & 0o777)
}

#[cfg(not(unix))]
fn mode(_: &Metadata) -> Option<u32> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use std::{
        fs, os::unix::fs::PermissionsExt as _, process::Command, sync::mpsc, thread, time::Duration,
    };

    use super::*;

    type Reader = fn(&Path, &'static str, usize) -> Result<Zeroizing<Vec<u8>>, SecretFileError>;
    const READERS: [Reader; 2] = [read_secret_file, read_trust_file];

    /// A pipe without a writer blocks whoever opens it, a directory fails when read.
    #[test]
    fn what_is_no_regular_file_is_refused_without_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        for path in [&pipe, folder.path(), Path::new("/dev/null")] {
            for read in READERS {
                let (answer, answered) = mpsc::channel();
                let path = path.to_owned();
                thread::spawn(move || answer.send(read(&path, "PIN file", 16)));
                let answer = answered.recv_timeout(Duration::from_secs(10));
                let refused = answer.expect("the call waited for the other end").unwrap_err();
                assert!(matches!(refused, SecretFileError::NotRegular { .. }), "{refused}");
            }
        }
    }

    #[test]
    fn a_file_is_read_up_to_its_bound() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for (len, fits) in [(0, true), (16, true), (17, false), (100_000, false)] {
            fs::write(&path, vec![b'x'; len]).unwrap();
            for read in READERS {
                match read(&path, "PIN file", 16) {
                    Ok(content) => assert!(fits && content.len() == len, "{len}"),
                    Err(error) => {
                        assert!(!fits, "{error}");
                        assert_eq!(error.to_string(), "the PIN file is longer than 16 bytes");
                    }
                }
            }
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_told_without_its_path() {
        let error = read_secret_file(Path::new("/nowhere/of-mine"), "PIN file", 16).unwrap_err();
        assert_eq!(error.to_string(), "the PIN file cannot be read (entity not found)");
        let error = ProviderError::from(error);
        assert_eq!(error.kind(), ProviderErrorKind::Configuration);
        assert!(!format!("{error:?}").contains("of-mine"), "{error:?}");
    }

    #[test]
    fn a_file_that_others_can_reach_is_a_warning_for_the_operator() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("of-mine");
        fs::write(&path, "secret").unwrap();
        for (mode, secret, trust) in [
            (0o600, false, false),
            (0o400, false, false),
            (0o700, false, false),
            (0o640, true, false),
            (0o604, true, false),
            (0o620, true, true),
            (0o602, true, true),
            (0o666, true, true),
        ] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            for (forbidden, verb, cure, expected) in
                [(Forbidden::Reach, "reach", 600, secret), (Forbidden::Write, "write", 644, trust)]
            {
                let warning = read(&path, "PIN file", 16, forbidden).unwrap().warning;
                let text =
                    format!("other users may {verb} the PIN file (mode {mode:o}); chmod {cure} it");
                assert_eq!(warning, expected.then_some(text));
            }
        }
    }
}
