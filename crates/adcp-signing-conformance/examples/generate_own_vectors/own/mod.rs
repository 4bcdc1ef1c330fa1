//! The vectors of `test-vectors/own`: what the published ones leave out.
//!
//! Everything is fixed, keys, nonces and clock, and both algorithms sign deterministically, so a
//! second run changes nothing. Signature bases are put together here from literal component values,
//! not by the crate under test.
//!
//! Files are numbered in the order of the source: add a case at the end of its folder, so that no
//! other is renamed.

mod contracts;
mod gate;
mod keys;
mod keys_and_signatures;
mod message;
mod operations;
mod parsing;
mod sequences;
mod transport;
mod vector;
mod webhooks;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use self::{keys::Keys, vector::Suite};

/// Where the files belong.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../test-vectors/own")
}

/// The text of every file by its path below [`root`].
pub(crate) fn generate() -> Result<BTreeMap<PathBuf, String>> {
    let keys = Keys::load()?;
    let mut suite = Suite::default();
    parsing::add(&mut suite, &keys)?;
    keys_and_signatures::add(&mut suite, &keys)?;
    transport::add(&mut suite, &keys)?;
    operations::add(&mut suite, &keys)?;
    sequences::add(&mut suite, &keys)?;
    webhooks::add(&mut suite, &keys)?;
    contracts::add(&mut suite, &keys)?;
    // After the others, whose numbers stay.
    parsing::add_later(&mut suite, &keys)?;
    gate::add(&mut suite, &keys)?;
    transport::add_later(&mut suite, &keys)?;
    contracts::add_later(&mut suite, &keys)?;
    suite.into_files(&keys)
}

/// The files that are committed.
pub(crate) fn committed() -> Result<BTreeMap<PathBuf, String>> {
    let root = root();
    let mut files = BTreeMap::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        if !folder.exists() {
            continue;
        }
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "json") {
                let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
                files.insert(path.strip_prefix(&root)?.to_owned(), text);
            }
        }
    }
    Ok(files)
}

/// The files that are not as they would be generated: changed, missing or left over.
pub(crate) fn stale() -> Result<Vec<PathBuf>> {
    let (generated, mut committed) = (generate()?, committed()?);
    let mut stale = Vec::new();
    for (name, text) in generated {
        if committed.remove(&name).is_none_or(|found| found != text) {
            stale.push(name);
        }
    }
    stale.extend(committed.into_keys());
    Ok(stale)
}
