//! `explain`: every step of a verification, and the signature base.

use std::{process::ExitCode, sync::Arc};

use adcp_signing::verify::Step;
use serde_json::json;

use super::verify::read;
use crate::{
    args::VerifyArgs,
    failure::{Failure, kind_name, step_json},
    output::{self, BAD, DIM, GOOD, heading, outln, shown},
    shapes::VerifyInput,
    verifying::{Accepted, is_unsigned, now, signature_base, verify},
};

pub(crate) async fn run(args: &VerifyArgs) -> Result<ExitCode, Failure> {
    if args.stream.ndjson {
        return Err(Failure::invalid("explain reads one message; use verify --ndjson for many"));
    }
    let input = read(args).await?;
    let outcome = verify(&input, &Arc::default()).await;
    let is_signed = matches!(&outcome, Ok(accepted) if accepted.is_signed());
    if let Err(failure @ (Failure::Invalid(_) | Failure::Unavailable { .. })) = outcome {
        return Err(failure);
    }
    if args.stream.json {
        print_json(&input, &outcome)
    } else {
        print(&input, &outcome)?
    }
    Ok(match outcome {
        Ok(_) if is_signed || args.allow_unsigned => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(1),
        Err(failure) => failure.exit_code(),
    })
}

/// Each step, and whether it passed, failed or was not reached.
fn steps(outcome: &Result<Accepted, Failure>) -> Vec<(Step, &'static str)> {
    let failed = match outcome {
        Err(Failure::Refused(refused)) => refused.step,
        _ => None,
    };
    let signed = outcome.as_ref().map_or(true, Accepted::is_signed);
    let warned = outcome.as_ref().ok().and_then(|accepted| accepted.failed_step());
    let stop = failed.or(warned);
    Step::ALL
        .into_iter()
        .map(|step| {
            let state = match stop {
                Some(stop) if step == stop => "failed",
                Some(stop) if step > stop => "not reached",
                None if !signed && step > Step::Precheck => "not reached",
                _ => "passed",
            };
            (step, state)
        })
        .collect()
}

fn print(input: &VerifyInput, outcome: &Result<Accepted, Failure>) -> Result<(), Failure> {
    let profile = input.selector.profile()?;
    outln!(
        "{} {} {DIM}as {} at {}{DIM:#}",
        shown(&input.message.method),
        shown(&input.message.url),
        profile,
        now(input).as_i64()
    );
    heading("Checklist");
    for (step, state) in steps(outcome) {
        let (style, mark) = match state {
            "passed" => (GOOD, "✓"),
            "failed" => (BAD, "✗"),
            _ => (DIM, "·"),
        };
        outln!("  {style}{mark} {:>2}  {}{style:#}", step.as_str(), step.title());
    }
    heading("Signature base");
    match signature_base(input) {
        Some(base) => base.lines().for_each(|line| outln!("  {}", shown(line))),
        None if is_unsigned(input) => outln!("  {DIM}the message carries no signature{DIM:#}"),
        None => outln!("  {DIM}cannot be built: see the failed step{DIM:#}"),
    }
    heading("Result");
    match outcome {
        Ok(accepted) => {
            accepted.print();
            if let Some(reason) = accepted.warning() {
                outln!("{BAD}warning{BAD:#} shadow mode let pass: {}", shown(&reason));
            }
        }
        Err(failure) => outln!("{BAD}refused{BAD:#} {}", shown(&failure.to_string())),
    }
    Ok(())
}

fn print_json(input: &VerifyInput, outcome: &Result<Accepted, Failure>) {
    let result = match outcome {
        Ok(accepted) => accepted.to_json(),
        Err(failure) => failure.to_json(),
    };
    let steps: Vec<_> = steps(outcome)
        .into_iter()
        .map(
            |(step, state)| json!({"step": step_json(step), "title": step.title(), "state": state}),
        )
        .collect();
    let kind =
        input.selector.profile().map(|profile| kind_name(profile.kind())).unwrap_or_default();
    let base = signature_base(input);
    outln!(
        "{}",
        output::json(
            &json!({"kind": kind, "steps": steps, "signature_base": base, "result": result})
        )
    );
}
