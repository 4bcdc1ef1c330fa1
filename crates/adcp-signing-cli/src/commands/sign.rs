//! `sign`.

use std::{
    io::{BufReader, Write as _, stdout},
    process::ExitCode,
};

use super::read_one;
use crate::{
    args::{Format, SignArgs},
    curl,
    failure::Failure,
    files, http_file,
    keys::{Access, Keys},
    ndjson, output,
    shapes::{Reserved, SignFields, SignInput, refuse_reserved, refuse_unmarked_webhook, settled},
    signing::sign,
};

pub(crate) async fn run(args: &SignArgs) -> Result<ExitCode, Failure> {
    let mut keys = Keys::new(Access::new(&args.uri));
    if args.stream.ndjson {
        let lines = BufReader::new(super::ndjson_source(&args.stream)?);
        ndjson::run(lines, stdout().lock(), async |line: &str| {
            let input = SignInput::from_json(line)?;
            if input.options.key_uri.is_some() && !args.allow_key_uri {
                return Err(Failure::invalid(
                    "a key_uri in a line needs --allow-key-uri, since a key URI can load code and \
                     send credentials; or name the key with --key",
                ));
            }
            Ok(sign(&completed(input, args)?, &mut keys).await?.to_json())
        })
        .await?;
        return Ok(ExitCode::SUCCESS);
    }
    let input: SignInput = read_one(&args.stream, &args.profile)?;
    let SignFields { key, key_uri, .. } = &input.options;
    refuse_reserved(&[
        Reserved { member: "key", option: "--key", is_given: key.is_some() },
        Reserved { member: "key_uri", option: "--key", is_given: key_uri.is_some() },
    ])?;
    let input = completed(input, args)?;
    refuse_unmarked_webhook(&input.selector, &input.message)?;
    let signed = sign(&input, &mut keys).await?;
    let body = input.message.body_bytes()?;
    let written = match args.format {
        _ if args.stream.json => format!("{}\n", output::json(&signed.to_json())).into_bytes(),
        Format::Json => format!("{}\n", output::json(&signed.to_json())).into_bytes(),
        Format::Http => http_file::write(&input.message, &signed.headers, &body)?,
        Format::Curl => curl::command(&input.message, &signed.headers, &body)?.into_bytes(),
    };
    match &args.out {
        Some(path) => files::write_public(path, &written)?,
        None => output::written(stdout().lock().write_all(&written)),
    }
    Ok(ExitCode::SUCCESS)
}

/// The message with what the options say. They win, and a message that contradicts one is refused.
fn completed(mut input: SignInput, args: &SignArgs) -> Result<SignInput, Failure> {
    input.selector = input.selector.settled(&args.profile.selector())?;
    let options = &mut input.options;
    if args.key.is_some() && options.key.is_some() {
        return Err(Failure::invalid(
            "key contradicts the option --key (or ADCP_SIGNING_KEY): remove one",
        ));
    }
    options.key_uri = settled("key_uri", options.key_uri.take(), args.key.as_ref())?;
    options.expires_in = settled("expires_in", options.expires_in, args.expires_in.as_ref())?;
    let ambiguous = args.allow_ambiguous_url.then_some(true);
    options.allow_ambiguous_url =
        settled("allow_ambiguous_url", options.allow_ambiguous_url, ambiguous.as_ref())?;
    Ok(input)
}
