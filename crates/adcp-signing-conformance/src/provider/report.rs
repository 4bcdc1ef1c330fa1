//! What became of each case.

use std::{
    env,
    fmt::{self, Write as _},
    fs, io,
    path::{Path, PathBuf},
};

use serde_json::json;

/// Names the folder that [`SuiteReport::assert`] leaves its reports in.
const REPORTS: &str = "ADCP_TEST_REPORTS";

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
            Self::Failed(reason) | Self::NotApplicable(reason) | Self::Skipped(reason) => {
                Some(reason)
            }
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
    /// The report of a suite whose server is not there. Passes on a developer's machine, fails
    /// under `CI=true`.
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

    /// Whether the run is a pass: some case passed and none failed. `ci` says whether a skipped run
    /// is a failure.
    ///
    /// # Errors
    /// [`Unsatisfied`].
    pub fn verdict(&self, ci: bool) -> Result<(), Unsatisfied> {
        let failed = self.failed();
        if !failed.is_empty() {
            return Err(Unsatisfied::Failed(failed));
        }
        let mut rows = self.cases.iter().peekable();
        let all_skipped =
            rows.peek().is_some() && rows.all(|row| matches!(row.outcome, Outcome::Skipped(_)));
        match self.cases.first().and_then(|row| row.outcome.reason()) {
            Some(reason) if all_skipped && ci => {
                Err(Unsatisfied::SkippedUnderCi(reason.to_owned()))
            }
            Some(_) if all_skipped => Ok(()),
            _ if self.passed().is_empty() => Err(Unsatisfied::NothingRan),
            _ => Ok(()),
        }
    }

    /// The report for other programs: `{"name": …, "cases": [{"case": …, "result": …, "reason":
    /// …}]}`, where `result` is `passed`, `failed`, `not applicable` or `skipped`, and `reason` may
    /// be null.
    pub fn to_json(&self) -> String {
        let case = |row: &CaseReport| {
            let result = row.outcome.word().to_ascii_lowercase();
            json!({ "case": row.case, "result": result, "reason": row.outcome.reason() })
        };
        json!({ "name": self.name, "cases": self.cases.iter().map(case).collect::<Vec<_>>() })
            .to_string()
    }

    /// Prints the table, and ends the test where the run is no pass. A skipped run is none where
    /// the environment says `CI=true`. Where it names a folder in `ADCP_TEST_REPORTS`, the report
    /// is left there too, in JSON.
    ///
    /// # Panics
    /// When the [`verdict`](Self::verdict) is an error, or the report cannot be left.
    #[track_caller]
    pub fn assert(&self) {
        let ci = env::var_os("CI").is_some_and(|value| value == "true");
        self.assert_in(ci, env::var_os(REPORTS).as_deref().map(Path::new));
    }

    #[expect(clippy::panic, reason = "this is what a test calls to fail")]
    #[track_caller]
    fn assert_in(&self, ci: bool, reports: Option<&Path>) {
        println!("{self}");
        if let Some(folder) = reports
            && let Err(error) = self.leave_in(folder)
        {
            panic!(
                "{}: the report could not be written to the folder in {REPORTS}: {error}",
                self.name
            );
        }
        if let Err(unsatisfied) = self.verdict(ci) {
            panic!("{}: {unsatisfied}", self.name);
        }
    }

    /// Writes the report to a file named after it.
    fn leave_in(&self, folder: &Path) -> io::Result<PathBuf> {
        fs::create_dir_all(folder)?;
        let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        let file =
            folder.join(self.name.chars().map(plain).collect::<String>()).with_extension("json");
        fs::write(&file, self.to_json())?;
        Ok(file)
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
            widths
                .iter_mut()
                .zip(row)
                .for_each(|(width, cell)| *width = (*width).max(cell.chars().count()));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn report(outcomes: &[(&'static str, Outcome)]) -> SuiteReport {
        let cases = outcomes
            .iter()
            .map(|(case, outcome)| CaseReport { case, outcome: outcome.clone() })
            .collect();
        SuiteReport { name: "a-kms, P-256".to_owned(), cases }
    }

    fn mixed() -> SuiteReport {
        report(&[
            ("wire-form", Outcome::Passed),
            ("timeout", Outcome::Failed("took\n| 9 s |".to_owned())),
            ("disabled-key", Outcome::NotApplicable("no such thing".to_owned())),
        ])
    }

    #[test]
    fn the_table_is_aligned_and_a_reason_cannot_break_it() {
        let expected = "\
a-kms, P-256: 1 passed, 1 failed, 1 not run

| case         | result         | reason         |
| ------------ | -------------- | -------------- |
| wire-form    | passed         |                |
| timeout      | FAILED         | took \\| 9 s \\| |
| disabled-key | not applicable | no such thing  |
";
        assert_eq!(mixed().to_string(), expected);
    }

    #[test]
    fn a_run_is_a_pass_only_when_something_passed_and_nothing_failed() {
        let passed = || ("a", Outcome::Passed);
        let failed = || ("b", Outcome::Failed("so".to_owned()));
        let not_applicable = || ("c", Outcome::NotApplicable("so".to_owned()));
        let skipped = || ("d", Outcome::Skipped("down".to_owned()));
        let under_ci = || Err(Unsatisfied::SkippedUnderCi("down".to_owned()));
        type Verdict = Result<(), Unsatisfied>;
        type Outcomes<'a> = &'a [(&'static str, Outcome)];
        let cases: [(Outcomes<'_>, Verdict, Verdict); 8] = [
            (&[passed()], Ok(()), Ok(())),
            (&[passed(), not_applicable()], Ok(()), Ok(())),
            (
                &[passed(), failed()],
                Err(Unsatisfied::Failed(vec!["b"])),
                Err(Unsatisfied::Failed(vec!["b"])),
            ),
            (
                &[failed(), skipped()],
                Err(Unsatisfied::Failed(vec!["b"])),
                Err(Unsatisfied::Failed(vec!["b"])),
            ),
            (&[], Err(Unsatisfied::NothingRan), Err(Unsatisfied::NothingRan)),
            (&[not_applicable()], Err(Unsatisfied::NothingRan), Err(Unsatisfied::NothingRan)),
            (
                &[not_applicable(), skipped()],
                Err(Unsatisfied::NothingRan),
                Err(Unsatisfied::NothingRan),
            ),
            (&[skipped(), skipped()], Ok(()), under_ci()),
        ];
        for (outcomes, on_a_desk, in_ci) in cases {
            assert_eq!(report(outcomes).verdict(false), on_a_desk, "{outcomes:?}");
            assert_eq!(report(outcomes).verdict(true), in_ci, "{outcomes:?}");
        }
    }

    #[test]
    fn a_skipped_suite_lists_every_case_with_the_reason() {
        let report = SuiteReport::skipped("a-kms", "ADCP_TEST_A_KMS is not set");
        assert_eq!(report.cases.len(), super::super::Case::ALL.len());
        assert_eq!((report.verdict(false), report.passed().len()), (Ok(()), 0));
        assert!(matches!(report.verdict(true), Err(Unsatisfied::SkippedUnderCi(_))));
    }

    #[test]
    #[should_panic(expected = "a-kms, P-256: 1 failed: timeout")]
    fn assert_fails_the_test() {
        mixed().assert_in(false, None);
    }

    #[test]
    fn the_report_is_left_in_json_under_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = mixed().leave_in(&folder.path().join("new")).unwrap();
        assert_eq!(file.file_name().unwrap(), "a-kms--p-256.json");
        let json: serde_json::Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
        assert_eq!(json["name"], "a-kms, P-256");
        assert_eq!(
            json["cases"][1],
            json!({ "case": "timeout", "result": "failed", "reason": "took\n| 9 s |" })
        );
        assert_eq!(json["cases"][0]["reason"], serde_json::Value::Null);
    }
}
