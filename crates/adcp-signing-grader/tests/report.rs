//! The JSON form of a report, and when a report is a pass.
#![allow(clippy::unwrap_used, reason = "a test")]

use adcp_signing_grader::{
    FORMAT, Report,
    report::{Outcome, Summary, Verdict},
};
use serde_json::{Value, json};

fn case(verdict: &str) -> Value {
    json!({
        "id": "negative/009-key-ops-missing-verify",
        "title": "the key is for governance",
        "group": "keys",
        "step": "8",
        "expected": {"outcome": "refused", "code": "request_signature_key_purpose_invalid"},
        "got": {"outcome": "accepted"},
        "verdict": verdict,
        "why": "accepted",
        "cure": "compare adcp_use",
        "spec": "#verifier-checklist-requests",
        "request": {
            "method": "POST",
            "url": "https://seller.example.com/adcp/create_media_buy",
            "headers": [["Content-Type", "application/json"]],
            "body": "{}",
        },
        "response": {"status": 200, "challenges": []},
        "requests_sent": 1,
        "duration_ms": 12,
    })
}

fn report(cases: &[Value]) -> Value {
    json!({
        "format": FORMAT,
        "subject": "https://seller.example.com/adcp",
        "started": 1_776_520_800,
        "contract": "3.2.4",
        "profile": "3.2",
        "transport": "rest",
        "summary": {"pass": 0, "fail": 1, "skipped": 0, "not_applicable": 0},
        "cases": cases,
    })
}

#[test]
fn the_json_form_is_stable() {
    let json = report(&[case("fail")]);
    let report: Report = serde_json::from_value(json.clone()).unwrap();
    assert_eq!(report.cases.first().unwrap().got, Some(Outcome::Accepted));
    assert_eq!(serde_json::to_value(&report).unwrap(), json);
}

#[test]
fn each_verdict_has_its_word_and_its_count() {
    let words = ["pass", "fail", "fail", "skipped", "not_applicable"];
    let report: Report = serde_json::from_value(report(&words.map(case))).unwrap();
    assert_eq!(report.cases.first().unwrap().verdict, Verdict::Pass);
    let counts = json!({"pass": 1, "fail": 2, "skipped": 1, "not_applicable": 1});
    assert_eq!(serde_json::to_value(Summary::of(&report.cases)).unwrap(), counts);
}

#[test]
fn a_run_passes_if_something_passed_and_nothing_failed() {
    for (words, passes) in [
        (&["pass", "skipped", "not_applicable"][..], true),
        (&["pass", "fail"], false),
        (&["skipped", "not_applicable"], false),
        (&[], false),
    ] {
        let cases: Vec<_> = words.iter().map(|word| case(word)).collect();
        let report: Report = serde_json::from_value(report(&cases)).unwrap();
        assert_eq!(Summary::of(&report.cases).is_pass(), passes, "{words:?}");
    }
}
