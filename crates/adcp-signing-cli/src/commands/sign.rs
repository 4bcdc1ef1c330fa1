//! `sign`.

use std::{
    io::{BufReader, Write as _, stdout},
    process::ExitCode,
};

use super::read_one;
use crate::{
    args::SignArgs,
    failure::Failure,
    http_file, ndjson,
    shapes::{SignFields, SignInput},
    signing::sign,
};

pub(crate) async fn run(args: &SignArgs) -> Result<ExitCode, Failure> {
    let options = args.uri.options();
    if args.stream.ndjson {
        let lines = BufReader::new(super::ndjson_source(&args.stream)?);
        ndjson::run(lines, stdout().lock(), async |line: &str| {
            Ok(sign(&SignInput::from_json(line)?, options).await?.to_json())
        })
        .await?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut input: SignInput = read_one(&args.stream, &args.profile, || {
        Ok(SignFields {
            key_uri: args.key.clone(),
            expires_in: args.expires_in,
            allow_ambiguous_url: args.allow_ambiguous_url,
            ..SignFields::default()
        })
    })?;
    if input.options.key.is_none() && input.options.key_uri.is_none() {
        input.options.key_uri.clone_from(&args.key);
    }
    let signed = sign(&input, options).await?;
    if args.stream.json {
        anstream::println!("{}", signed.to_json());
    } else {
        let body = input.message.body_bytes()?;
        let file = http_file::write(&input.message, &signed.headers, &body);
        stdout()
            .lock()
            .write_all(&file)
            .map_err(|error| Failure::invalid(format!("standard output: {error}")))?;
    }
    Ok(ExitCode::SUCCESS)
}
