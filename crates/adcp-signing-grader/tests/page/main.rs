//! The HTML page: what it says first, and what a hostile counterparty cannot make of it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod browser;

use adcp_signing_grader::{Report, html};
use serde_json::json;

const HOSTILE: &str = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>&amp;\u{202e}\u{7}";

/// A report with these verdicts, each text of which is `text`.
fn report_with(text: &str, verdicts: &[&str]) -> Report {
    let case = |verdict: &&str| {
        json!({
            "id": text, "title": text, "group": "keys", "step": text, "verdict": verdict,
            "expected": { "outcome": "refused", "code": text }, "got": { "outcome": "accepted" },
            "why": text, "cure": text, "spec": text, "requests_sent": 1, "duration_ms": 2,
            "request": { "method": text, "url": text, "headers": [[text, text]], "body": text },
            "response": { "status": 401, "challenges": [text] },
        })
    };
    let cases: Vec<_> = verdicts.iter().map(case).collect();
    let summary = json!({ "pass": 1, "fail": 0, "skipped": 0, "not_applicable": 0 });
    let report = json!({
        "format": 1, "subject": text, "started": 1_776_520_800, "contract": text, "profile": text,
        "transport": text, "summary": summary, "cases": cases,
    });
    serde_json::from_value(report).unwrap()
}

fn report_of(text: &str) -> Report {
    report_with(text, &["pass", "fail", "skipped", "not_applicable"])
}

#[test]
fn no_text_of_the_report_becomes_markup() {
    let (plain, hostile) = (html::page(&report_of("x")), html::page(&report_of(HOSTILE)));
    let tags = |page: &str| page.matches('<').count();
    assert_eq!(tags(&hostile), tags(&plain));
    // The only `>` that is no end of a tag is in no text either.
    assert_eq!(hostile.matches('>').count(), plain.matches('>').count());
    assert!(!hostile.contains('\u{202e}') && hostile.contains("\\u{202e}\\u{7}"));
    assert!(hostile.contains("&amp;amp;"), "an entity of the text is shown as it was");
}

#[test]
fn the_page_loads_nothing_and_runs_nothing() {
    let page = html::page(&report_of("https://seller.example/"));
    for needle in ["<script", "src=", "href=", "style=", "@import", "url(", "<iframe", "<form"] {
        assert!(!page.contains(needle), "{needle}");
    }
    assert!(page.contains("default-src 'none'; style-src 'sha256-"), "{page}");
    assert!(page.contains("base-uri 'none'; form-action 'none'"));
}

#[test]
fn a_long_text_is_cut_and_the_page_says_so() {
    let page = html::page(&report_of(&"a".repeat(5000)));
    assert!(page.contains("… (904 more characters)"));
    assert!(!page.contains(&"a".repeat(4097)));
}

#[test]
fn the_result_comes_first_and_failures_come_before_the_rest() {
    let page = html::page(&report_of("x"));
    let places =
        ["1 of 4 cases failed", "Cases by verdict", ">Failed<", ">Not tested<", ">Passed<"]
            .map(|text| page.find(text).unwrap_or_else(|| panic!("{text}")));
    assert!(places.is_sorted(), "{places:?}");
}

#[test]
fn a_grading_that_tested_nothing_is_no_pass_whatever_its_summary_says() {
    let said = |verdicts: &[&str], text| html::page(&report_with("x", verdicts)).contains(text);
    assert!(said(&["skipped"], "Nothing was tested."));
    assert!(said(&["pass"], "Every case that was tested passed."));
    assert!(said(&["pass", "fail"], "1 of 2 cases failed"));
    assert!(said(&["pass"], "Sat, 18 Apr 2026 14:00:00 GMT"));
}
