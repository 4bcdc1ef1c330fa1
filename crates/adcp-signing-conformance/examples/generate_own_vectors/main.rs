//! Writes `test-vectors/own`.
//!
//! `cargo run -p adcp-signing-conformance --example generate_own_vectors` writes the files, with
//! `--check` it only compares.

mod own;

use std::{fs, process::ExitCode};

use anyhow::{Context as _, Result, bail};

fn main() -> Result<ExitCode> {
    match std::env::args().nth(1).as_deref() {
        None => write(),
        Some("--check") => {
            let stale = own::stale()?;
            for name in &stale {
                eprintln!("not as generated: {}", name.display());
            }
            Ok(if stale.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Some(other) => bail!("unknown argument {other:?}; there is only --check"),
    }
}

/// Writes every file, and removes those that an earlier run left behind.
fn write() -> Result<ExitCode> {
    let (root, files) = (own::root(), own::generate()?);
    for left_over in own::committed()?.into_keys().filter(|name| !files.contains_key(name)) {
        fs::remove_file(root.join(&left_over)).with_context(|| left_over.display().to_string())?;
    }
    for (name, text) in &files {
        let path = root.join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&path, text).with_context(|| path.display().to_string())?;
    }
    println!("wrote {} files", files.len());
    Ok(ExitCode::SUCCESS)
}
