//! `vectors`.

use std::{collections::BTreeMap, path::Path, process::ExitCode};

use adcp_signing_conformance::vectors::{Case, CaseResult, run_folder};
use serde_json::json;

use crate::{
    args::VectorsArgs,
    failure::Failure,
    output::{self, BAD, DIM, GOOD, outln, shown},
};

pub(crate) fn run(args: &VectorsArgs, verbose: bool) -> Result<ExitCode, Failure> {
    let contract = match &args.contract {
        Some(text) => {
            Some(text.parse().map_err(|error| Failure::invalid(format!("--contract: {error}")))?)
        }
        None => None,
    };
    let mut cases = Vec::new();
    for folder in &args.folders {
        let report = run_folder(folder, contract.as_ref())
            .map_err(|error| Failure::invalid(error.to_string()))?;
        cases.extend(report.cases);
    }
    let count =
        |which: fn(&CaseResult) -> bool| cases.iter().filter(|case| which(&case.result)).count();
    let passed = count(|result| matches!(result, CaseResult::Passed));
    let failed = count(|result| matches!(result, CaseResult::Failed(_)));
    let skipped = count(|result| matches!(result, CaseResult::Skipped(_)));
    if args.json {
        let list: Vec<_> = cases.iter().map(case_json).collect();
        let ok = failed == 0;
        outln!(
            "{}",
            output::json(&json!({
                "ok": ok, "passed": passed, "failed": failed, "skipped": skipped, "cases": list,
            }))
        );
    } else {
        print_table(&cases, verbose);
        outln!("{passed} passed, {failed} failed, {skipped} skipped");
    }
    Ok(ExitCode::from(u8::from(failed > 0)))
}

fn case_json(case: &Case) -> serde_json::Value {
    let (state, reason) = match &case.result {
        CaseResult::Passed => ("passed", None),
        CaseResult::Failed(reason) => ("failed", Some(reason)),
        CaseResult::Skipped(reason) => ("skipped", Some(reason)),
    };
    json!({
        "file": case.file.display().to_string(),
        "name": case.name,
        "contract": case.contract,
        "result": state,
        "reason": reason,
    })
}

/// A line a file, and below it the reason of each failure and of what was skipped. Files of which
/// everything passed are left out unless all are asked for.
fn print_table(cases: &[Case], all: bool) {
    let mut files: BTreeMap<&Path, Vec<&Case>> = BTreeMap::new();
    for case in cases {
        files.entry(&case.file).or_default().push(case);
    }
    let passed = |cases: &[&Case]| cases.iter().all(|case| case.result == CaseResult::Passed);
    files.retain(|_, cases| all || !passed(cases));
    let files: Vec<_> = files
        .into_iter()
        .map(|(file, cases)| (shown(&file.display().to_string()), cases))
        .collect();
    let width = files.iter().map(|(file, _)| file.chars().count()).max().unwrap_or(0);
    for (file, cases) in files {
        let passed = cases.iter().filter(|case| case.result == CaseResult::Passed).count();
        let failed = cases.iter().any(|case| matches!(case.result, CaseResult::Failed(_)));
        let skipped = cases.iter().all(|case| matches!(case.result, CaseResult::Skipped(_)));
        let (style, word) = match (failed, skipped) {
            (true, _) => (BAD, "failed"),
            (false, true) => (DIM, "skipped"),
            (false, false) => (GOOD, "passed"),
        };
        let contract = cases.first().map_or_else(String::new, |case| shown(&case.contract));
        outln!(
            "{file:width$}  {contract:>12}  {passed:>3}/{:<3} {style}{word}{style:#}",
            cases.len()
        );
        for case in cases {
            match &case.result {
                CaseResult::Passed => {}
                CaseResult::Failed(reason) => {
                    outln!("    {BAD}{}{BAD:#}: {}", shown(&case.name), shown(reason));
                }
                CaseResult::Skipped(reason) => {
                    outln!("    {DIM}{}: {}{DIM:#}", shown(&case.name), shown(reason));
                }
            }
        }
    }
}
