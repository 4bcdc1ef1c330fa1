//! What became of each case.

use std::fmt::{self, Write as _};

/// Every case of a run, in the order in which they ran.
///
/// `Display` is a table in Markdown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuiteReport {
    /// The backend, the server and the algorithm.
    pub name: String,
    /// The cases.
    pub cases: Vec<CaseReport>,
}

/// One case of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseReport {
    /// The name of the case.
    pub case: &'static str,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// As it should be.
    Passed,
    /// Not as it should be, and how.
    Failed(String),
    /// The backend or the server cannot be asked this, and why.
    NotApplicable(String),
    /// Could have been asked and was not, and why.
    Skipped(String),
}

impl Outcome {
    /// The word in the table.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed(_) => "FAILED",
            Self::NotApplicable(_) => "not applicable",
            Self::Skipped(_) => "skipped",
        }
    }

    /// The reason, where there is one.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Passed => None,
            Self::Failed(reason) | Self::NotApplicable(reason) | Self::Skipped(reason) => Some(reason),
        }
    }
}

/// Why a run is not a pass.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unsatisfied {
    /// Cases failed: their names.
    #[error("{} failed: {}", .0.len(), .0.join(", "))]
    Failed(Vec<&'static str>),
    /// No case ran, or none could pass.
    #[error("no case passed, which is never a success")]
    NothingRan,
    /// The run was skipped where everything must run (`CI=true`).
    #[error("skipped under CI, where every suite must run: {0}")]
    SkippedUnderCi(String),
}

impl SuiteReport {
    /// The report of a suite whose server is not there. Passes on a developer's machine, fails under `CI=true`.
    pub fn skipped(name: impl Into<String>, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        let cases = super::Case::ALL
            .map(|case| CaseReport { case: case.name(), outcome: Outcome::Skipped(reason.clone()) })
            .into();
        Self { name: name.into(), cases }
    }

    /// The names of the cases that failed.
    pub fn failed(&self) -> Vec<&'static str> {
        self.names(|outcome| matches!(outcome, Outcome::Failed(_)))
    }

    /// The names of the cases that passed.
    pub fn passed(&self) -> Vec<&'static str> {
        self.names(|outcome| matches!(outcome, Outcome::Passed))
    }

    /// What became of the case of this name.
    pub fn outcome(&self, case: &str) -> Option<&Outcome> {
        self.cases.iter().find(|row| row.case == case).map(|row| &row.outcome)
    }

    /// Whether the run is a pass: some case passed and none failed. `ci` says whether a skipped run is a failure.
    ///
    /// # Errors
    /// [`Unsatisfied`].
    pub fn verdict(&self, ci: bool) -> Result<(), Unsatisfied> {
        let failed = self.failed();
        if !failed.is_empty() {
            return Err(Unsatisfied::Failed(failed));
        }
        let mut rows = self.cases.iter().peekable();
        let all_skipped = rows.peek().is_some() && rows.all(|row| matches!(row.outcome, Outcome::Skipped(_)));
        match self.cases.first().and_then(|row| row.outcome.reason()) {
            Some(reason) if all_skipped && ci => Err(Unsatisfied::SkippedUnderCi(reason.to_owned())),
            Some(_) if all_skipped => Ok(()),
            _ if self.passed().is_empty() => Err(Unsatisfied::NothingRan),
            _ => Ok(()),
        }
    }

    /// Prints the table, and ends the test where the run is no pass. A skipped run is none where the environment says
    /// `CI=true`.
    ///
    /// # Panics
    /// When the [`verdict`](Self::verdict) is an error.
    #[expect(clippy::panic, reason = "this is what a test calls to fail")]
    #[track_caller]
    pub fn assert(&self) {
        println!("{self}");
        let ci = std::env::var_os("CI").is_some_and(|value| value == "true");
        if let Err(unsatisfied) = self.verdict(ci) {
            panic!("{}: {unsatisfied}", self.name);
        }
    }

    fn names(&self, which: impl Fn(&Outcome) -> bool) -> Vec<&'static str> {
        self.cases.iter().filter(|row| which(&row.outcome)).map(|row| row.case).collect()
    }
}

impl fmt::Display for SuiteReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<[String; 3]> = self
            .cases
            .iter()
            .map(|row| {
                let reason = row.outcome.reason().map(cell).unwrap_or_default();
                [row.case.to_owned(), row.outcome.word().to_owned(), reason]
            })
            .collect();
        let header = ["case", "result", "reason"].map(str::to_owned);
        let mut widths = [0; 3];
        for row in std::iter::once(&header).chain(&rows) {
            widths.iter_mut().zip(row).for_each(|(width, cell)| *width = (*width).max(cell.chars().count()));
        }
        let count = |word| rows.iter().filter(|[_, result, _]| result == word).count();
        let [passed, failed] = ["passed", "FAILED"].map(count);
        writeln!(
            f,
            "{}: {passed} passed, {failed} failed, {} not run",
            self.name,
            rows.len() - passed - failed
        )?;
        writeln!(f)?;
        let rule = widths.map(|width| "-".repeat(width));
        for row in [&header, &rule].into_iter().chain(&rows) {
            let mut line = String::from("|");
            for (cell, width) in row.iter().zip(widths) {
                write!(line, " {cell:width$} |")?;
            }
            writeln!(f, "{line}")?;
        }
        Ok(())
    }
}

/// The text as one line that does not end a cell.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}
