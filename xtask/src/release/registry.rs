//! What the registry has: asked through cargo, by resolving a package that depends on the one
//! version.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use semver::Version;

use super::sbom::registry_checksums;
use crate::checkout::Checkout;

/// The checksum of a crate's version on the registry; nothing if it is not there, or cannot be
/// told.
pub(crate) fn checksum(
    checkout: &Checkout,
    folder: &Path,
    name: &str,
    version: &Version,
) -> Result<Option<String>> {
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder.join("src"))
        .with_context(|| format!("cannot create {}", folder.display()))?;
    let manifest = format!(
        "[package]\nname = \"question\"\nedition = \"2024\"\n\n[dependencies]\n{name} = \"={version}\"\n\n[workspace]\n"
    );
    fs::write(folder.join("Cargo.toml"), manifest)?;
    fs::write(folder.join("src/lib.rs"), "")?;
    let question = checkout.beside(folder.to_owned());
    let output = question.cargo(["generate-lockfile"]).output().context("cannot start cargo")?;
    if !output.status.success() {
        return Ok(None);
    }
    let lock =
        fs::read_to_string(folder.join("Cargo.lock")).context("cargo wrote no Cargo.lock")?;
    Ok(registry_checksums(&lock)?.remove(&format!("{name} {version}")))
}
