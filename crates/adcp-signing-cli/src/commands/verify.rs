//! `verify`.

use std::{
    io::{BufReader, stdout},
    process::ExitCode,
    sync::Arc,
};

use adcp_signing::{replay::InMemoryReplayStore, verify::Verified};
use serde_json::value::RawValue;

use super::read_one;
use crate::{
    args::VerifyArgs,
    failure::Failure,
    input, ndjson,
    output::{BAD, DIM, GOOD, json, outln, shown},
    shapes::{Reserved, VerifyFields, VerifyInput, refuse_reserved, settled, settled_json},
    time::{from_now, utc},
    verifying::{Accepted, verify},
};

pub(crate) async fn run(args: &VerifyArgs) -> Result<ExitCode, Failure> {
    if args.stream.ndjson {
        let options = Options::read(args).await?;
        let shared = args.shared_replay.then(Arc::<InMemoryReplayStore>::default);
        let lines = BufReader::new(super::ndjson_source(&args.stream)?);
        ndjson::run(lines, stdout().lock(), async |line: &str| {
            let store = shared.clone().unwrap_or_default();
            let input = options.complete(VerifyInput::from_json(line)?)?;
            let accepted = verify(&input, &store).await?;
            accepted.require_signer(args.allow_unsigned)?;
            Ok(accepted.to_json())
        })
        .await?;
        return Ok(ExitCode::SUCCESS);
    }
    let input = read(args).await?;
    let outcome = verify(&input, &Arc::default()).await.and_then(|accepted| {
        accepted.require_signer(args.allow_unsigned)?;
        Ok(accepted)
    });
    match outcome {
        Ok(accepted) if args.stream.json => outln!("{}", json(&accepted.to_json())),
        Ok(accepted) => accepted.print(),
        Err(failure @ (Failure::Refused(_) | Failure::Unsigned { .. })) if !args.stream.json => {
            print_refusal(&failure);
            return Ok(failure.exit_code());
        }
        Err(failure) => return Err(failure),
    }
    Ok(ExitCode::SUCCESS)
}

/// A line for people, and what the options may have to be.
pub(crate) fn print_refusal(failure: &Failure) {
    outln!("{BAD}refused{BAD:#} {}", shown(&failure.to_string()));
    if let Failure::Refused(refused) = failure
        && let Some(hint) = refused.hint
    {
        outln!("{DIM}hint: {hint}{DIM:#}");
    }
}

/// One message, with what the options say. What decides over it comes from the options alone.
pub(crate) async fn read(args: &VerifyArgs) -> Result<VerifyInput, Failure> {
    let options = Options::read(args).await?;
    let input: VerifyInput = read_one(&args.stream, &args.profile)?;
    let VerifyFields { jwks, capability, now, fallback_valid, .. } = &input.options;
    let reserved = |member, option, is_given| Reserved { member, option, is_given };
    refuse_reserved(&[
        reserved("jwks", "--jwks", jwks.is_some()),
        reserved("capability", "--capability", capability.is_some()),
        reserved("now", "--now", now.is_some()),
        reserved("fallback_valid", "--fallback-valid", fallback_valid.is_some()),
    ])?;
    options.complete(input)
}

/// What the options say. They win, and a message that contradicts one is refused.
struct Options<'a> {
    args: &'a VerifyArgs,
    jwks: Option<Box<RawValue>>,
    capability: Option<Box<RawValue>>,
}

impl<'a> Options<'a> {
    async fn read(args: &'a VerifyArgs) -> Result<Self, Failure> {
        let read_json = |bytes: Vec<u8>, from: &dyn std::fmt::Display| {
            let invalid = |error: String| Failure::invalid(format!("{from}: {error}"));
            let text = input::text(&bytes).map_err(|failure| match failure {
                Failure::Invalid(message) => invalid(message),
                other => other,
            })?;
            RawValue::from_string(text.trim().to_owned())
                .map_err(|error| invalid(input::not_json(&bytes, &error)))
        };
        let jwks = match &args.jwks {
            Some(place) => Some(read_json(place.read().await?, place)?),
            None => None,
        };
        let capability = match &args.capability {
            Some(path) => Some(read_json(input::read(Some(path))?, &path.display())?),
            None => None,
        };
        Ok(Self { args, jwks, capability })
    }

    fn complete(&self, mut input: VerifyInput) -> Result<VerifyInput, Failure> {
        let args = self.args;
        input.selector = input.selector.settled(&args.profile.selector())?;
        let fields = &mut input.options;
        fields.jwks = settled_json("jwks", fields.jwks.take(), self.jwks.as_deref())?;
        fields.capability =
            settled_json("capability", fields.capability.take(), self.capability.as_deref())?;
        fields.transport = settled("transport", fields.transport.take(), args.transport.as_ref())?;
        fields.operation = settled("operation", fields.operation.take(), args.operation.as_ref())?;
        // Else the message could choose a way to its operation that passes the option by.
        let routed = matches!(fields.transport.as_deref(), None | Some("rest"))
            && input.selector.kind.as_deref() != Some("webhook");
        if args.operation.is_some() && !routed {
            return Err(Failure::invalid(
                "--operation is that of a REST route: of mcp and a2a it is in the body, and a \
                 webhook has none",
            ));
        }
        fields.now = settled("now", fields.now, args.now.as_ref())?;
        let fallback_valid = args.fallback_valid.then_some(true);
        fields.fallback_valid =
            settled("fallback_valid", fields.fallback_valid, fallback_valid.as_ref())?;
        Ok(input)
    }
}

impl Accepted {
    /// A line for people.
    pub(crate) fn print(&self) {
        let operation = self.verified.operation();
        let operation = operation.map(|name| format!(" for {}", shown(name))).unwrap_or_default();
        match &self.verified {
            Verified::Signed(signer) => outln!(
                "{GOOD}verified{GOOD:#} signed by {} with {}{operation} {DIM}(valid until \
                 {}, {}){DIM:#}",
                shown(signer.keyid()),
                signer.algorithm(),
                utc(signer.expires()),
                from_now(signer.expires(), self.now),
            ),
            Verified::Fallback(_) => outln!(
                "{BAD}unsigned{BAD:#}{operation}, {}: another credential authenticates it",
                self.action(),
            ),
            Verified::Anonymous(_) => outln!(
                "{BAD}unsigned{BAD:#}{operation}, {}: nothing authenticates it",
                self.action(),
            ),
        }
    }
}
