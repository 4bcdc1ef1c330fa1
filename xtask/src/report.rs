//! The table at the end of a run, its closing line, and the same as JSON.

use serde_json::{Value, json};

use crate::conformance::Matrix;

/// How one suite ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// The suite's name.
    pub(crate) suite: String,
    /// Tests or checks that passed.
    pub(crate) passed: u64,
    /// Tests or checks that failed.
    pub(crate) failed: u64,
    /// Tests or checks that did not run.
    pub(crate) skipped: u64,
    /// Why it failed or was skipped, where the counts do not say so.
    pub(crate) note: Option<String>,
}

impl Outcome {
    /// One check that passed.
    pub(crate) fn pass(suite: &str) -> Self {
        Self { suite: suite.to_owned(), passed: 1, failed: 0, skipped: 0, note: None }
    }

    /// One check that failed.
    pub(crate) fn fail(suite: &str, why: impl Into<String>) -> Self {
        Self { passed: 0, failed: 1, note: Some(why.into()), ..Self::pass(suite) }
    }

    /// One check that did not run.
    pub(crate) fn skip(suite: &str, why: impl Into<String>) -> Self {
        Self { passed: 0, skipped: 1, note: Some(why.into()), ..Self::pass(suite) }
    }
}

/// Whether every suite passed, and there was one.
pub(crate) fn all_passed(outcomes: &[Outcome]) -> bool {
    !outcomes.is_empty() && outcomes.iter().all(|outcome| outcome.failed == 0)
}

/// The table and, alone on the last line, `N passed, N failed` with `, N skipped` where something
/// was.
pub(crate) fn table(outcomes: &[Outcome]) -> String {
    let width =
        outcomes.iter().map(|outcome| outcome.suite.len()).max().unwrap_or(0).max("suite".len());
    let mut text = format!("\n{:width$}  passed  failed  skipped\n", "suite");
    for Outcome { suite, passed, failed, skipped, note } in outcomes {
        text += &format!("{suite:width$}  {passed:6}  {failed:6}  {skipped:7}");
        if let Some(note) = note {
            text += &format!("  {note}");
        }
        text.push('\n');
    }
    let (passed, failed, skipped) = totals(outcomes);
    text += &format!("\n{passed} passed, {failed} failed");
    if skipped > 0 {
        text += &format!(", {skipped} skipped");
    }
    text.push('\n');
    text
}

/// The same as one JSON object.
pub(crate) fn json(outcomes: &[Outcome], matrix: &Matrix) -> Value {
    let (passed, failed, skipped) = totals(outcomes);
    let suites: Vec<Value> = outcomes
        .iter()
        .map(|Outcome { suite, passed, failed, skipped, note }| {
            json!({"suite": suite, "passed": passed, "failed": failed, "skipped": skipped, "note": note})
        })
        .collect();
    json!({
        "ok": all_passed(outcomes), "passed": passed, "failed": failed, "skipped": skipped, "suites": suites,
        "conformance": matrix.json(),
    })
}

fn totals(outcomes: &[Outcome]) -> (u64, u64, u64) {
    outcomes.iter().fold((0, 0, 0), |(passed, failed, skipped), outcome| {
        (passed + outcome.passed, failed + outcome.failed, skipped + outcome.skipped)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_line_stands_alone_and_names_skips_only_where_there_are_some() {
        let passed = Outcome { passed: 7, ..Outcome::pass("core") };
        assert!(table(std::slice::from_ref(&passed)).ends_with("\n\n7 passed, 0 failed\n"));
        let mixed = [passed, Outcome::fail("cli", "ran no test"), Outcome::skip("docs", "--fast")];
        assert!(table(&mixed).ends_with("\n\n7 passed, 1 failed, 1 skipped\n"));
        assert!(table(&mixed).contains("cli         0       1        0  ran no test\n"));
    }

    #[test]
    fn no_suite_at_all_is_a_failure() {
        assert!(!all_passed(&[]));
        assert_eq!(json(&[], &Matrix::default()).get("ok"), Some(&Value::Bool(false)));
    }

    #[test]
    fn a_skip_is_no_failure_and_a_failure_is_one() {
        assert!(all_passed(&[Outcome::pass("a"), Outcome::skip("b", "not installed")]));
        assert!(!all_passed(&[Outcome::pass("a"), Outcome::fail("b", "x")]));
    }
}
