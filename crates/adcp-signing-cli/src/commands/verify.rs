//! `verify`.

use std::{
    io::{BufReader, stdout},
    process::ExitCode,
    sync::Arc,
};

use adcp_signing::replay::InMemoryReplayStore;
use serde_json::value::RawValue;

use super::read_one;
use crate::{
    args::VerifyArgs,
    failure::Failure,
    input, ndjson,
    output::{BAD, DIM, GOOD, outln},
    shapes::{VerifyFields, VerifyInput},
    verifying::{Accepted, verify},
};

pub(crate) async fn run(args: &VerifyArgs) -> Result<ExitCode, Failure> {
    if args.stream.ndjson {
        let defaults = Defaults::read(args).await?;
        let shared = args.shared_replay.then(Arc::<InMemoryReplayStore>::default);
        let lines = BufReader::new(super::ndjson_source(&args.stream)?);
        ndjson::run(lines, stdout().lock(), async |line: &str| {
            let store = shared.clone().unwrap_or_default();
            let input = defaults.complete(VerifyInput::from_json(line)?);
            Ok(verify(&input, &store).await?.to_json())
        })
        .await?;
        return Ok(ExitCode::SUCCESS);
    }
    match verify(&read(args).await?, &Arc::default()).await {
        Ok(accepted) if args.stream.json => outln!("{}", accepted.to_json()),
        Ok(accepted) => accepted.print(),
        Err(failure @ Failure::Refused(_)) if !args.stream.json => {
            outln!("{BAD}refused{BAD:#} {failure}");
            return Ok(failure.exit_code());
        }
        Err(failure) => return Err(failure),
    }
    Ok(ExitCode::SUCCESS)
}

/// One message, completed by the options.
pub(crate) async fn read(args: &VerifyArgs) -> Result<VerifyInput, Failure> {
    let defaults = Defaults::read(args).await?;
    Ok(defaults.complete(read_one(&args.stream, &args.profile)?))
}

/// What the options have for what a message leaves out.
struct Defaults<'a> {
    args: &'a VerifyArgs,
    jwks: Option<Box<RawValue>>,
    capability: Option<Box<RawValue>>,
}

impl<'a> Defaults<'a> {
    async fn read(args: &'a VerifyArgs) -> Result<Self, Failure> {
        let json = |bytes: Vec<u8>, from: &dyn std::fmt::Display| {
            let invalid =
                |error: &dyn std::fmt::Display| Failure::invalid(format!("{from}: {error}"));
            let text = String::from_utf8(bytes).map_err(|_| invalid(&"not UTF-8"))?;
            RawValue::from_string(text.trim().to_owned()).map_err(|error| invalid(&error))
        };
        let jwks = match &args.jwks {
            Some(place) => Some(json(place.read().await?, place)?),
            None => None,
        };
        let capability = match &args.capability {
            Some(path) => Some(json(input::read(Some(path))?, &path.display())?),
            None => None,
        };
        Ok(Self { args, jwks, capability })
    }

    fn complete(&self, mut input: VerifyInput) -> VerifyInput {
        input.selector = input.selector.or(&self.args.profile.selector());
        let VerifyFields { jwks, capability, transport, operation, now, fallback_valid, .. } =
            &mut input.options;
        *jwks = jwks.take().or_else(|| self.jwks.clone());
        *capability = capability.take().or_else(|| self.capability.clone());
        *transport = transport.take().or_else(|| self.args.transport.clone());
        *operation = operation.take().or_else(|| self.args.operation.clone());
        *now = now.or(self.args.now);
        *fallback_valid |= self.args.fallback_valid;
        input
    }
}

impl Accepted {
    /// A line for people.
    pub(crate) fn print(&self) {
        let operation = self.acceptance.operation.as_deref();
        let operation = operation.map(|name| format!(" for {name}")).unwrap_or_default();
        match &self.acceptance.signer {
            Some(signer) => outln!(
                "{GOOD}verified{GOOD:#} signed by {} with {}{operation} {DIM}(valid until {}){DIM:#}",
                signer.keyid,
                signer.algorithm,
                signer.expires.as_i64(),
            ),
            None => outln!(
                "{GOOD}{}{GOOD:#} unsigned{operation}, authenticated by {}",
                self.action(),
                self.source().unwrap_or("nothing"),
            ),
        }
    }
}
