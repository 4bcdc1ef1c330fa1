//! `sign`.

use std::{
    io::{BufReader, Write as _, stdout},
    process::ExitCode,
};

use super::read_one;
use crate::{
    args::SignArgs,
    failure::Failure,
    http_file,
    keys::Keys,
    ndjson,
    output::{self, outln},
    shapes::SignInput,
    signing::sign,
};

pub(crate) async fn run(args: &SignArgs) -> Result<ExitCode, Failure> {
    let mut keys = Keys::new(args.uri.options());
    if args.stream.ndjson {
        let lines = BufReader::new(super::ndjson_source(&args.stream)?);
        ndjson::run(lines, stdout().lock(), async |line: &str| {
            let input = completed(SignInput::from_json(line)?, args);
            Ok(sign(&input, &mut keys).await?.to_json())
        })
        .await?;
        return Ok(ExitCode::SUCCESS);
    }
    let input = completed(read_one(&args.stream, &args.profile)?, args);
    let signed = sign(&input, &mut keys).await?;
    if args.stream.json {
        outln!("{}", signed.to_json());
    } else {
        let body = input.message.body_bytes()?;
        let file = http_file::write(&input.message, &signed.headers, &body);
        output::written(stdout().lock().write_all(&file));
    }
    Ok(ExitCode::SUCCESS)
}

/// What the message leaves out, as the options have it.
fn completed(mut input: SignInput, args: &SignArgs) -> SignInput {
    input.selector = input.selector.or(&args.profile.selector());
    let options = &mut input.options;
    if options.key.is_none() && options.key_uri.is_none() {
        options.key_uri.clone_from(&args.key);
    }
    options.expires_in = options.expires_in.or(args.expires_in);
    options.allow_ambiguous_url |= args.allow_ambiguous_url;
    input
}
