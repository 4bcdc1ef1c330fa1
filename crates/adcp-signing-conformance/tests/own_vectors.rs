//! Our own vectors pass, and are what their generator makes.

use adcp_signing_conformance::vectors::{CaseResult, run_folder};

#[path = "../examples/generate_own_vectors/own/mod.rs"]
mod own;

#[test]
fn own_vectors_pass() {
    let report = run_folder(&own::root(), None).unwrap();
    let failures: Vec<_> = report
        .cases
        .iter()
        .filter_map(|case| match &case.result {
            CaseResult::Passed => None,
            CaseResult::Failed(reason) | CaseResult::Skipped(reason) => {
                Some(format!("{}: {}: {reason}", case.file.display(), case.name))
            }
        })
        .collect();
    assert!(
        failures.is_empty(),
        "{} of {} failed:\n{}",
        failures.len(),
        report.ran(),
        failures.join("\n")
    );
    assert!(report.passed() >= 670, "only {} cases ran", report.passed());
}

#[test]
fn committed_vectors_are_current() {
    let stale = own::stale().unwrap();
    assert!(stale.is_empty(), "run the example `generate_own_vectors`: {stale:?} differ");
}
