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
    output::{BAD, DIM, GOOD},
    shapes::{VerifyFields, VerifyInput},
    verifying::{Accepted, verify},
};

pub(crate) async fn run(args: &VerifyArgs) -> Result<ExitCode, Failure> {
    if args.stream.ndjson {
        let shared = args.shared_replay.then(Arc::<InMemoryReplayStore>::default);
        let lines = BufReader::new(super::ndjson_source(&args.stream)?);
        ndjson::run(lines, stdout().lock(), async |line: &str| {
            let store = shared.clone().unwrap_or_default();
            Ok(verify(&VerifyInput::from_json(line)?, &store).await?.to_json())
        })
        .await?;
        return Ok(ExitCode::SUCCESS);
    }
    let outcome = verify(&read(args)?, &Arc::default()).await;
    match (outcome, args.stream.json) {
        (Ok(accepted), true) => anstream::println!("{}", accepted.to_json()),
        (Ok(accepted), false) => accepted.print(),
        (Err(failure @ Failure::Refused(_)), true) => {
            anstream::println!("{}", failure.to_json());
            return Ok(failure.exit_code());
        }
        (Err(failure @ Failure::Refused(_)), false) => {
            anstream::println!("{BAD}refused{BAD:#} {failure}");
            return Ok(failure.exit_code());
        }
        (Err(failure), _) => return Err(failure),
    }
    Ok(ExitCode::SUCCESS)
}

/// One message, from a JSON object or from a message file and the options.
pub(crate) fn read(args: &VerifyArgs) -> Result<VerifyInput, Failure> {
    read_one(&args.stream, &args.profile, || {
        let jwks = args
            .jwks
            .as_deref()
            .ok_or_else(|| Failure::invalid("no keys: name the signer's published JWKS with --jwks FILE"))?;
        let json = |path: &std::path::Path| {
            let text = input::read_text(Some(path))?;
            RawValue::from_string(text.trim().to_owned())
                .map_err(|error| Failure::invalid(format!("{}: {error}", path.display())))
        };
        Ok(VerifyFields {
            transport: args.transport.clone(),
            jwks: json(jwks)?,
            now: args.now,
            capability: args.capability.as_deref().map(json).transpose()?,
            operation: args.operation.clone(),
            fallback_valid: args.fallback_valid,
            revoked_kids: Vec::new(),
            revocation_stale: false,
            replay_seed: Vec::new(),
            replay_cap: None,
            cap_hit_for: None,
        })
    })
}

impl Accepted {
    /// A line for people.
    pub(crate) fn print(&self) {
        let operation = self.acceptance.operation.as_deref();
        let operation = operation.map(|name| format!(" for {name}")).unwrap_or_default();
        match &self.acceptance.signer {
            Some(signer) => anstream::println!(
                "{GOOD}verified{GOOD:#} signed by {} with {}{operation} {DIM}(valid until {}){DIM:#}",
                signer.keyid,
                signer.algorithm,
                signer.expires.as_i64(),
            ),
            None => anstream::println!(
                "{GOOD}{}{GOOD:#} unsigned{operation}, authenticated by {}",
                self.action(),
                self.source().unwrap_or("nothing"),
            ),
        }
    }
}
