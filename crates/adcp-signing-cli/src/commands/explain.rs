//! `explain`: every step of a verification, and the signature base.

use std::{process::ExitCode, sync::Arc};

use adcp_signing::{UnixSeconds, profile::Profile, verify::Step};
use serde_json::json;

use super::verify::{print_refusal, read};
use crate::{
    args::VerifyArgs,
    failure::{Failure, kind_name, step_json},
    output::{self, BAD, DIM, GOOD, heading, outln, shown},
    shapes::VerifyInput,
    time::utc,
    verifying::{Accepted, now, signature_base, verify},
};

pub(crate) async fn run(args: &VerifyArgs) -> Result<ExitCode, Failure> {
    if args.stream.ndjson {
        return Err(Failure::invalid("explain reads one message; use verify --ndjson for many"));
    }
    let mut input = read(args).await?;
    // The time that is shown is the one that decides.
    let now = now(&input)?;
    input.options.now = Some(now.as_i64());
    let profile = input.selector.profile()?;
    let checklist = verify(&input, &Arc::default()).await;
    if let Err(failure @ (Failure::Invalid(_) | Failure::Key(_) | Failure::Unavailable { .. })) =
        checklist
    {
        return Err(failure);
    }
    let unsigned = checklist
        .as_ref()
        .ok()
        .and_then(|accepted| accepted.require_signer(args.allow_unsigned).err());
    let explained = Explained { input, now, profile, checklist, unsigned };
    if args.stream.json {
        explained.print_json()
    } else {
        explained.print()
    }
    Ok(explained.outcome().map_or_else(Failure::exit_code, |_| ExitCode::SUCCESS))
}

struct Explained {
    input: VerifyInput,
    now: UnixSeconds,
    profile: Profile,
    /// What the verifier answers.
    checklist: Result<Accepted, Failure>,
    /// That a signer is asked for, where the verifier lets an unsigned message pass.
    unsigned: Option<Failure>,
}

impl Explained {
    /// What the command answers.
    fn outcome(&self) -> Result<&Accepted, &Failure> {
        match (&self.checklist, &self.unsigned) {
            (Ok(accepted), None) => Ok(accepted),
            (Err(failure), _) | (Ok(_), Some(failure)) => Err(failure),
        }
    }

    /// Each step, and whether it passed, failed or was not reached.
    fn steps(&self) -> impl Iterator<Item = (Step, &'static str)> {
        let failed = match &self.checklist {
            Ok(accepted) => accepted.failed_step(),
            Err(Failure::Refused(refused)) => refused.step,
            Err(_) => None,
        };
        let is_signed = self.checklist.as_ref().is_ok_and(Accepted::is_signed);
        Step::ALL.into_iter().map(move |step| {
            let state = match failed {
                Some(failed) if step == failed => "failed",
                Some(failed) if step > failed => "not reached",
                // An unsigned message that may pass meets no step after the first.
                None if !is_signed && step > Step::Precheck => "not reached",
                _ => "passed",
            };
            (step, state)
        })
    }

    fn print(&self) {
        let Self { input, profile, .. } = self;
        outln!(
            "{} {} {DIM}as {profile} at {}{DIM:#}",
            shown(&input.message.method),
            shown(&input.message.url),
            utc(self.now)
        );
        heading("Checklist");
        for (step, state) in self.steps() {
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
            None if !input.message.claims_a_signature() => {
                outln!("  {DIM}the message carries no signature{DIM:#}");
            }
            None => outln!("  {DIM}cannot be built: see the failed step{DIM:#}"),
        }
        heading("Result");
        match self.outcome() {
            Ok(accepted) => accepted.print(),
            Err(failure) => print_refusal(failure),
        }
        if let Some(reason) = self.checklist.as_ref().ok().and_then(Accepted::warning) {
            outln!("{BAD}warning{BAD:#} shadow mode let pass: {}", shown(&reason));
        }
    }

    fn print_json(&self) {
        let result = self.outcome().map_or_else(Failure::to_json, Accepted::to_json);
        let steps: Vec<_> = self
            .steps()
            .map(|(step, state)| {
                json!({"step": step_json(step), "title": step.title(), "state": state})
            })
            .collect();
        let answer = json!({
            "kind": kind_name(self.profile.kind()),
            "steps": steps,
            "signature_base": signature_base(&self.input),
            "result": result,
        });
        outln!("{}", output::json(&answer));
    }
}
