//! `canonicalize`.

use std::{
    io::{BufReader, stdout},
    process::ExitCode,
};

use adcp_signing::{
    profile::{Fault, Profile},
    target_uri::TargetUri,
};
use serde_json::{Value, json};

use crate::{
    args::{CanonicalizeArgs, StreamArgs},
    failure::Failure,
    ndjson,
    output::{self, outln, shown},
    shapes::{CanonicalizeInput, Selector, from_json},
};

pub(crate) async fn run(args: &CanonicalizeArgs) -> Result<ExitCode, Failure> {
    let options =
        Selector { kind: None, profile: args.profile.clone(), contract: args.contract.clone() };
    if args.ndjson {
        let stream = StreamArgs { file: None, ndjson: true, json: true };
        let lines = BufReader::new(super::ndjson_source(&stream)?);
        ndjson::run(lines, stdout().lock(), async |line: &str| {
            let input: CanonicalizeInput = from_json(line)?;
            let line = Selector { kind: None, profile: input.profile, contract: input.contract };
            Ok(answer(&canonicalize(&input.url, line.settled(&options)?)?))
        })
        .await?;
        return Ok(ExitCode::SUCCESS);
    }
    if args.urls.is_empty() {
        return Err(Failure::invalid("no URL: name one, or use --ndjson"));
    }
    let mut code = ExitCode::SUCCESS;
    for url in &args.urls {
        match canonicalize(url, options.clone()) {
            Ok(target) if args.json => outln!("{}", output::json(&answer(&target))),
            Ok(target) => outln!("{}\n{}", shown(target.as_str()), shown(target.authority())),
            Err(failure) if args.json => {
                outln!("{}", output::json(&failure.to_json()));
                code = failure.exit_code();
            }
            Err(failure) => {
                output::error(&failure);
                code = failure.exit_code();
            }
        }
    }
    Ok(code)
}

fn canonicalize(url: &str, selector: Selector) -> Result<TargetUri, Failure> {
    let profile: Profile = selector.or_newest().profile()?;
    TargetUri::canonicalize(url, profile.signer_uri_rules()).map_err(|error| {
        Failure::refused(profile.code(Fault::TargetUriMalformed).as_str(), error.to_string())
    })
}

fn answer(target: &TargetUri) -> Value {
    json!({"ok": true, "target_uri": target.as_str(), "authority": target.authority()})
}
