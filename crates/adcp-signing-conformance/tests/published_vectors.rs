//! Every published vector set passes at its own contract version, all in one build.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use adcp_signing_conformance::vectors::{CaseResult, VectorError, run_folder};

fn vectors(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../test-vectors").join(path)
}

fn passes(path: &str, at_least: usize) {
    passes_at(path, None, at_least);
}

fn passes_at(path: &str, contract: Option<&str>, at_least: usize) {
    let contract = contract.map(|text| text.parse().unwrap());
    let report = run_folder(&vectors(path), contract.as_ref()).unwrap();
    let failures: Vec<_> = report
        .cases
        .iter()
        .filter_map(|case| match &case.result {
            CaseResult::Failed(reason) => {
                Some(format!("{}: {}: {reason}", case.file.display(), case.name))
            }
            _ => None,
        })
        .collect();
    assert!(
        failures.is_empty(),
        "{} of {} failed:\n{}",
        failures.len(),
        report.ran(),
        failures.join("\n")
    );
    assert!(report.passed() >= at_least, "only {} cases ran, expected {at_least}", report.passed());
}

#[test]
fn adcp_3_0_26() {
    passes("adcp/3.0.26", 115);
}

#[test]
fn adcp_3_1_19() {
    passes("adcp/3.1.19", 118);
}

#[test]
fn adcp_3_2_0_beta_5() {
    passes("adcp/3.2.0-beta.5", 140);
}

#[test]
fn adcp_3_2_4() {
    passes("adcp/3.2.4", 290);
}

#[test]
fn adcp_3_3_0_beta_0() {
    passes("adcp/3.3.0-beta.0", 1);
}

/// No byte of the AdCP profiles changes between 3.2 and 3.3.
#[test]
fn the_set_of_3_2_4_passes_at_contract_3_3() {
    passes_at("adcp/3.2.4", Some("3.3.0-rc.0"), 290);
}

#[test]
fn legacy_webhook_hmac() {
    passes("adcp/webhook-hmac-sha256.json", 34);
}

#[test]
fn a_folder_without_vectors_is_an_error_and_not_a_pass() {
    let empty = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    assert!(matches!(run_folder(&empty, None), Err(VectorError::Nothing(_))));
}
