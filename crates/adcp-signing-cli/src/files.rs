//! Files that are written whole or not at all.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use adcp_signing::JwkSet;
use serde_json::Value;
use tempfile::NamedTempFile;

use crate::failure::Failure;

/// Writes a file that only its owner can read, and never over another.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> Result<(), Failure> {
    if fs::symlink_metadata(path).is_ok() {
        return Err(Failure::invalid(format!(
            "{} exists and is not overwritten, because a key in it would be lost; name another file \
             or remove it",
            path.display()
        )));
    }
    // On Unix a named temporary file is created with mode 0600.
    let file = NamedTempFile::new_in(folder(path)).map_err(|error| failed(path, &error))?;
    let file = filled(file, content).map_err(|error| failed(path, &error))?;
    file.persist_noclobber(path).map(drop).map_err(|error| failed(path, &error.error))
}

/// Writes a file that others may read, in place of the one that there is. Whoever reads it meanwhile
/// sees the old one or the new one.
pub(crate) fn write_public(path: &Path, content: &[u8]) -> Result<(), Failure> {
    // A link stays, and the file that it leads to is replaced.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let before = fs::metadata(&path).ok();
    if before.as_ref().is_some_and(|before| !before.is_file()) {
        return Err(Failure::invalid(format!(
            "{} is not a regular file; leave the option out to write to standard output",
            path.display()
        )));
    }
    #[cfg_attr(not(unix), allow(unused_mut, reason = "only Unix has modes"))]
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let file = builder.tempfile_in(folder(&path)).map_err(|error| failed(&path, &error))?;
    let file = filled(file, content).map_err(|error| failed(&path, &error))?;
    if let Some(before) = before {
        let set = file.as_file().set_permissions(before.permissions());
        set.map_err(|error| failed(&path, &error))?;
    }
    file.persist(&path).map(drop).map_err(|error| failed(&path, &error.error))
}

/// Writes a public JWKS in place of one, and of nothing else: a private key would be lost.
pub(crate) fn write_jwks(path: &Path, jwks: &str) -> Result<(), Failure> {
    check_jwks_place(path)?;
    write_public(path, format!("{jwks}\n").as_bytes())
}

/// Whether a JWKS may be written to this place.
pub(crate) fn check_jwks_place(path: &Path) -> Result<(), Failure> {
    let Ok(before) = fs::read(path) else { return Ok(()) };
    if before.is_empty() || (JwkSet::parse(&before).is_ok() && !has_private_key(&before)) {
        return Ok(());
    }
    Err(Failure::invalid(format!(
        "{} exists, is not a public JWKS, and is not overwritten; name another file or remove it",
        path.display()
    )))
}

/// Refuses a file with a private key where a public JWKS is wanted, and says how to make one.
pub(crate) fn refuse_private_key(path: &Path, content: &[u8]) -> Result<(), Failure> {
    let is_pem = content.windows(12).any(|part| part == b"PRIVATE KEY-");
    if !is_pem && !has_private_key(content) {
        return Ok(());
    }
    let path = path.display();
    Err(Failure::invalid(format!(
        "{path} has a private key; the public JWKS of it is what is published: adcp-signing jwks \
         --key file:{path} --out jwks.json"
    )))
}

/// Whether some JSON is a private JWK, or a set with one.
fn has_private_key(json: &[u8]) -> bool {
    let Ok(json) = serde_json::from_slice::<Value>(adcp_signing::json::without_bom(json)) else {
        return false;
    };
    let keys = json.get("keys").and_then(Value::as_array);
    let is_private = |jwk: &Value| ["d", "k"].iter().any(|member| jwk.get(member).is_some());
    is_private(&json) || keys.is_some_and(|keys| keys.iter().any(is_private))
}

pub(crate) fn folder(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new(".")).to_owned()
}

fn filled(mut file: NamedTempFile, content: &[u8]) -> io::Result<NamedTempFile> {
    file.write_all(content)?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// The failure, without the name of the temporary file, which is not what was asked for.
pub(crate) fn failed(path: &Path, error: &io::Error) -> Failure {
    let folder = folder(path);
    Failure::invalid(if folder.is_dir() {
        format!("{}: {}", path.display(), error.kind())
    } else {
        format!("{}: there is no folder {}", path.display(), folder.display())
    })
}
