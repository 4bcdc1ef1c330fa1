//! The conformance reports that the backends' suites left, joined.

mod table;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::process;

/// Names the folder that the conformance suite leaves its reports in.
pub(crate) const VARIABLE: &str = "ADCP_TEST_REPORTS";
/// The page that the table is left in.
const PAGE: &str = "conformance.md";
/// The algorithms by the names that reports give them, and the letters that stand for them in the
/// table.
const ALGORITHMS: [(&str, char, &str); 3] = [
    ("ed25519", 'E', "Ed25519"),
    ("ecdsa-p256-sha256", 'P', "P-256"),
    ("rsa-pss-sha512", 'R', "RSA-PSS"),
];

/// The joined reports of the backends' suites.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Matrix {
    columns: Vec<Column>,
}

/// One server that a backend was tested against.
#[derive(Debug, PartialEq, Eq)]
struct Column {
    backend: String,
    server: String,
    /// The cases of each algorithm, in the order of [`ALGORITHMS`]; the server may not have one.
    reports: [Option<Vec<Row>>; ALGORITHMS.len()],
}

/// A report as the conformance suite writes it.
#[derive(Deserialize)]
struct Report {
    name: String,
    cases: Vec<Row>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Row {
    case: String,
    result: Mark,
    reason: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
enum Mark {
    #[serde(rename = "failed")]
    Failed,
    #[serde(rename = "not applicable")]
    NotApplicable,
    #[serde(rename = "skipped")]
    Skipped,
    #[serde(rename = "passed")]
    Passed,
}

impl Mark {
    const fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::NotApplicable => "not applicable",
            Self::Skipped => "skipped",
        }
    }
}

/// The folder that a suite's tests leave their reports in, empty.
pub(crate) fn folder_for(suite: &str) -> Result<PathBuf> {
    let folder = process::target_dir().join("conformance").join(suite);
    if folder.exists() {
        fs::remove_dir_all(&folder)
            .with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    Ok(folder)
}

impl Matrix {
    /// Takes in what a suite left, which must be a report of each of its servers with a case that
    /// passed.
    pub(crate) fn add_suite(&mut self, folder: &Path, servers: usize) -> Result<()> {
        let mut paths = fs::read_dir(folder)?
            .map(|entry| Ok(entry?.path()))
            .collect::<Result<Vec<_>>>()
            .with_context(|| format!("cannot read {}", folder.display()))?;
        paths.sort();
        ensure!(!paths.is_empty(), "it ran, but left no conformance report");
        let mut suite = Self::default();
        for path in paths {
            let mut read =
                || -> Result<()> { suite.add(serde_json::from_slice(&fs::read(&path)?)?) };
            read().with_context(|| format!("the report {}", path.display()))?;
        }
        let found = suite.columns.len();
        let unmet = suite
            .columns
            .iter()
            .find(|column| column.rows().all(|(_, row)| row.result != Mark::Passed));
        let unmet = unmet.map(|column| format!("no case passed on {}", column.name()));
        // Also of a suite that failed: the table shows where.
        self.columns.append(&mut suite.columns);
        ensure!(unmet.is_none(), unmet.unwrap_or_default());
        ensure!(
            found >= servers,
            "{servers} servers were up, but only {found} left a conformance report"
        );
        Ok(())
    }

    /// Takes one report in.
    fn add(&mut self, report: Report) -> Result<()> {
        let parts: Vec<&str> = report.name.split(", ").collect();
        let [backend, server, algorithm] = parts[..] else {
            bail!("its name is not `BACKEND, SERVER, ALGORITHM`: {}", report.name)
        };
        let at = ALGORITHMS
            .iter()
            .position(|(name, ..)| *name == algorithm)
            .with_context(|| format!("the algorithm `{algorithm}` is not one of the table's"))?;
        ensure!(!report.cases.is_empty(), "it has no case");
        let column = match self.columns.iter().position(|column| column.is(backend, server)) {
            Some(position) => self.columns.get_mut(position),
            None => {
                let reports = [const { None }; ALGORITHMS.len()];
                self.columns.push(Column {
                    backend: backend.to_owned(),
                    server: server.to_owned(),
                    reports,
                });
                self.columns.last_mut()
            }
        };
        let place = column
            .and_then(|column| column.reports.get_mut(at))
            .context("no place in the table")?;
        ensure!(place.is_none(), "there are two of {}", report.name);
        *place = Some(report.cases);
        Ok(())
    }

    /// Leaves the page in the build's folder, where there is something to leave.
    pub(crate) fn leave(&self) -> Result<()> {
        if self.columns.is_empty() {
            return Ok(());
        }
        let path = process::target_dir().join(PAGE);
        fs::write(&path, self.markdown())
            .with_context(|| format!("cannot write {}", path.display()))?;
        eprintln!("the conformance table is in {}", path.display());
        Ok(())
    }

    /// The same for other programs: an object for each backend, server and algorithm.
    pub(crate) fn json(&self) -> Value {
        let reports = self.columns.iter().flat_map(|column| {
            column.reports.iter().zip(ALGORITHMS).filter_map(move |(rows, (algorithm, ..))| {
                let cases = rows.as_ref()?.iter().map(|Row { case, result, reason }| {
                    json!({"case": case, "result": result.word(), "reason": reason})
                });
                Some(json!({
                    "backend": column.backend,
                    "server": column.server,
                    "algorithm": algorithm,
                    "cases": cases.collect::<Vec<_>>(),
                }))
            })
        });
        reports.collect()
    }
}

impl Column {
    fn is(&self, backend: &str, server: &str) -> bool {
        (self.backend.as_str(), self.server.as_str()) == (backend, server)
    }

    fn name(&self) -> String {
        format!("{}/{}", self.backend, self.server)
    }

    /// The rows of every algorithm, with its letter.
    fn rows(&self) -> impl Iterator<Item = (char, &Row)> {
        let algorithms = self.reports.iter().zip(ALGORITHMS);
        algorithms
            .flat_map(|(rows, (_, letter, _))| rows.iter().flatten().map(move |row| (letter, row)))
    }
}

#[cfg(test)]
mod tests;
