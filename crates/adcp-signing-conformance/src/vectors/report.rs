//! What became of each vector.

use std::path::{Path, PathBuf};

/// One vector, or one case of a file that holds many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// The file.
    pub file: PathBuf,
    /// The vector's own name for itself.
    pub name: String,
    /// The contract version it ran at.
    pub contract: String,
    /// What became of it.
    pub result: CaseResult,
}

/// What became of a vector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaseResult {
    /// As expected.
    Passed,
    /// Not as expected, and how.
    Failed(String),
    /// Not run, and why.
    Skipped(String),
}

/// Every case of a run, in the order of the files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The cases.
    pub cases: Vec<Case>,
}

impl Report {
    /// How many passed.
    pub fn passed(&self) -> usize {
        self.count(|result| matches!(result, CaseResult::Passed))
    }

    /// How many failed.
    pub fn failed(&self) -> usize {
        self.count(|result| matches!(result, CaseResult::Failed(_)))
    }

    /// How many were not run.
    pub fn skipped(&self) -> usize {
        self.count(|result| matches!(result, CaseResult::Skipped(_)))
    }

    /// How many were run.
    pub fn ran(&self) -> usize {
        self.passed() + self.failed()
    }

    fn count(&self, which: impl Fn(&CaseResult) -> bool) -> usize {
        self.cases.iter().filter(|case| which(&case.result)).count()
    }

    pub(super) fn add(
        &mut self,
        file: &Path,
        name: &str,
        contract: &str,
        outcome: Result<(), String>,
    ) {
        let result = match outcome {
            Ok(()) => CaseResult::Passed,
            Err(reason) => CaseResult::Failed(reason),
        };
        self.push(file, name, contract, result);
    }

    pub(super) fn skip(&mut self, file: &Path, contract: &str, reason: &str) {
        let name =
            file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        self.push(file, &name, contract, CaseResult::Skipped(reason.to_owned()));
    }

    fn push(&mut self, file: &Path, name: &str, contract: &str, result: CaseResult) {
        let (file, name, contract) = (file.to_owned(), name.to_owned(), contract.to_owned());
        self.cases.push(Case { file, name, contract, result });
    }
}
