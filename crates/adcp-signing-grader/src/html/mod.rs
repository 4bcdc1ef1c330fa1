//! The report as one HTML page: it needs no script, loads nothing, and can be sent as a file.
//!
//! Whatever the graded party could have written (URLs, header values, codes) is text on the page.
//! The template escapes it, and a policy in the page forbids every script and every load.

mod text;

use std::{
    collections::BTreeSet,
    time::{Duration, UNIX_EPOCH},
};

use base64ct::{Base64, Encoding as _};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};

use self::text::shown;
use crate::report::{
    CaseReport, Group, Outcome, ReceivedResponse, Report, SentRequest, Summary, Verdict,
};

const STYLE: &str = include_str!("page.css");

/// The whole page.
///
/// The summary comes first, then each failure with its reason and its cure, then what was not
/// tested, then what passed by group.
pub fn page(report: &Report) -> String {
    let subject = shown(&report.subject);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy());
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="referrer" content="no-referrer";
                title { "AdCP signing report: " (subject) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header { h1 { "AdCP signing report" } (head(report)) }
                main {
                    (failures(report))
                    (listed(report, "Not tested", &[Verdict::Skipped, Verdict::NotApplicable]))
                    (listed(report, "Passed", &[Verdict::Pass]))
                }
                footer.soft { p { "This page is one file. It loads nothing and runs no script." } }
            }
        }
    }
    .into_string()
}

/// Nothing but the style of this page, which is named by its hash.
fn policy() -> String {
    let hash = Base64::encode_string(&Sha256::digest(STYLE));
    format!("default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'")
}

fn head(report: &Report) -> Markup {
    let count = |verdict| of(report, verdict).count();
    let facts = [
        ("Started", date(report.started)),
        ("Contract", report.contract.clone()),
        ("Profile", report.profile.clone()),
        ("Transport", report.transport.clone()),
    ];
    let counts = [Verdict::Pass, Verdict::Fail, Verdict::Skipped, Verdict::NotApplicable];
    html! {
        // Counted again: a summary that was read may be another's.
        @if Summary::of(&report.cases).is_pass() {
            p.result.good { "✓ Every case that was tested passed." }
        } @else if count(Verdict::Fail) == 0 {
            p.result.bad { "✗ Nothing was tested." }
        } @else {
            p.result.bad { "✗ " (count(Verdict::Fail)) " of " (report.cases.len()) " cases failed." }
        }
        dl {
            dt { "Subject" } dd { code { (shown(&report.subject)) } }
            @for (name, value) in facts {
                @if !value.is_empty() { dt { (name) } dd { (shown(&value)) } }
            }
        }
        table {
            caption { "Cases by verdict" }
            thead { tr { th scope="col" { "Verdict" } th scope="col" { "Cases" } } }
            tbody {
                @for verdict in counts {
                    tr { th scope="row" { (word(verdict)) } td { (count(verdict)) } }
                }
            }
        }
    }
}

fn of(report: &Report, verdict: Verdict) -> impl Iterator<Item = &CaseReport> {
    report.cases.iter().filter(move |case| case.verdict == verdict)
}

fn failures(report: &Report) -> Markup {
    html! {
        @if of(report, Verdict::Fail).next().is_some() {
            section aria-labelledby="failed" {
                h2 #failed { "Failed" }
                @for case in of(report, Verdict::Fail) { (failure(case)) }
            }
        }
    }
}

fn failure(case: &CaseReport) -> Markup {
    let facts = [
        ("Why", case.why.clone()),
        ("Cure", case.cure.clone()),
        ("Expected", outcome(Some(&case.expected))),
        ("Got", outcome(case.got.as_ref())),
        ("Step", case.step.clone().unwrap_or_default()),
        ("Specification", case.spec.clone()),
    ];
    html! {
        article {
            h3 { span.bad { "✗ failed: " } (shown(&case.title)) }
            code.soft { (shown(&case.id)) }
            dl {
                @for (name, value) in facts {
                    @if !value.is_empty() { dt { (name) } dd { (shown(&value)) } }
                }
            }
            @if case.request.is_some() || case.response.is_some() {
                details {
                    summary { "The exchange of " (shown(&case.id)) }
                    @if let Some(request) = &case.request { pre { (sent(request)) } }
                    @if let Some(response) = &case.response { pre { (received(response)) } }
                    p.soft { (case.duration_ms) " ms" }
                }
            }
        }
    }
}

fn sent(request: &SentRequest) -> String {
    let mut text = format!("{} {}", shown(&request.method), shown(&request.url));
    for (name, value) in &request.headers {
        text.push_str(&format!("\n{}: {}", shown(name), shown(value)));
    }
    text + "\n\n" + &shown(&request.body)
}

fn received(response: &ReceivedResponse) -> String {
    let lines = response.challenges.iter().map(|value| shown(value));
    let lines = lines.map(|value| format!("\nWWW-Authenticate: {value}"));
    response.status.to_string() + &lines.collect::<String>()
}

/// The time as HTTP writes it; nothing where it is in no year of four digits.
fn date(unix: i64) -> String {
    const YEAR_10000: u64 = 253_402_300_800;
    let seconds = u64::try_from(unix).ok().filter(|seconds| *seconds < YEAR_10000);
    let time = seconds.and_then(|seconds| UNIX_EPOCH.checked_add(Duration::from_secs(seconds)));
    time.map(httpdate::fmt_http_date).unwrap_or_default()
}

fn outcome(outcome: Option<&Outcome>) -> String {
    match outcome {
        None => String::new(),
        Some(Outcome::Accepted) => "accepted".to_owned(),
        Some(Outcome::Refused { code }) => format!("refused with {code}"),
        Some(Outcome::Other) => "neither accepted nor refused with a code".to_owned(),
    }
}

const fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "passed",
        Verdict::Fail => "failed",
        Verdict::Skipped => "skipped",
        Verdict::NotApplicable => "not applicable",
    }
}

const fn heading(group: Group) -> &'static str {
    match group {
        Group::Accepted => "Accepted requests",
        Group::Unsigned => "Unsigned requests",
        Group::Syntax => "Syntax",
        Group::Parameters => "Parameters",
        Group::Keys => "Keys",
        Group::Integrity => "Integrity",
        Group::State => "State",
    }
}

/// The cases of these verdicts, a table for each group.
fn listed(report: &Report, title: &str, verdicts: &[Verdict]) -> Markup {
    let cases: Vec<_> =
        report.cases.iter().filter(|case| verdicts.contains(&case.verdict)).collect();
    let mut known = BTreeSet::new();
    let groups: Vec<_> =
        cases.iter().map(|case| case.group).filter(|name| known.insert(*name)).collect();
    html! {
        @if !cases.is_empty() {
            section {
                h2 { (title) }
                @for group in groups {
                    table {
                        caption { (heading(group)) }
                        thead { tr {
                            th scope="col" { "Case" } th scope="col" { "Verdict" }
                        } }
                        tbody {
                            @for case in cases.iter().filter(|case| case.group == group) {
                                tr {
                                    th scope="row" {
                                        (shown(&case.title)) br; code.soft { (shown(&case.id)) }
                                    }
                                    td {
                                        (word(case.verdict))
                                        @if !case.why.is_empty() { ": " (shown(&case.why)) }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
