//! Proves that the published vectors are the bytes that were published: every file hashed, none
//! missing, none added.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use sha2::{Digest as _, Sha256};

use crate::{process, report::Outcome};

/// The name of the check in reports.
pub(crate) const SUITE: &str = "vector-hashes";

/// Checks test-vectors/adcp against its SHA256SUMS; one count a file.
pub(crate) fn check() -> Outcome {
    match compare(&process::root().join("test-vectors/adcp")) {
        Ok((matched, wrong)) => {
            wrong.iter().for_each(|line| eprintln!("{line}"));
            let note = wrong.first().cloned();
            Outcome { passed: matched, failed: wrong.len() as u64, note, ..Outcome::pass(SUITE) }
        }
        Err(error) => Outcome::fail(SUITE, format!("{error:#}")),
    }
}

/// How many files match, and a line for each that does not.
fn compare(folder: &Path) -> Result<(u64, Vec<String>)> {
    let sums = folder.join("SHA256SUMS");
    let text =
        fs::read_to_string(&sums).with_context(|| format!("cannot read {}", sums.display()))?;
    let mut expected = parse(&text)?;
    if expected.is_empty() {
        bail!("{} lists no file", sums.display());
    }
    let mut found = Vec::new();
    json_files(folder, &mut found)?;
    let (mut matched, mut wrong) = (0, Vec::new());
    for path in found {
        let name = path.strip_prefix(folder)?.to_string_lossy().replace('\\', "/");
        match expected.remove(name.as_str()) {
            Some(sum) if sum == hex(&Sha256::digest(fs::read(&path)?)) => matched += 1,
            Some(_) => wrong.push(format!("{name}: not the published bytes")),
            None => wrong.push(format!("{name}: not in SHA256SUMS")),
        }
    }
    wrong.extend(expected.keys().map(|name| format!("{name}: listed but missing")));
    Ok((matched, wrong))
}

/// The lines of `sha256sum`: 64 hex digits, two spaces, a path.
fn parse(text: &str) -> Result<BTreeMap<&str, &str>> {
    let mut sums = BTreeMap::new();
    for (number, line) in text.lines().enumerate() {
        let Some((sum, name)) = line.split_once("  ").filter(|(sum, _)| sum.len() == 64) else {
            bail!("line {} of SHA256SUMS is not `<64 hex digits>  <path>`", number + 1);
        };
        if sums.insert(name, sum).is_some() {
            bail!("SHA256SUMS lists {name} twice");
        }
    }
    Ok(sums)
}

fn json_files(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            json_files(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "json") {
            found.push(path);
        }
    }
    Ok(())
}

/// Bytes as lower-case hex digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_of_this_tree_are_the_published_ones() {
        let outcome = check();
        assert_eq!((outcome.failed, outcome.note), (0, None));
        assert!(outcome.passed > 300);
    }

    #[test]
    fn a_broken_or_repeated_line_is_refused() {
        let sum = "0".repeat(64);
        for (text, error) in [
            ("abc  a.json".to_owned(), "line 1 of SHA256SUMS is not `<64 hex digits>  <path>`"),
            (format!("{sum} a.json"), "line 1 of SHA256SUMS is not `<64 hex digits>  <path>`"),
            (format!("{sum}  a.json\n{sum}  a.json"), "SHA256SUMS lists a.json twice"),
        ] {
            assert_eq!(parse(&text).unwrap_err().to_string(), error);
        }
    }
}
