//! `keygen`.

use std::{
    io::{IsTerminal as _, Write as _, stdout},
    path::Path,
    process::ExitCode,
};

use adcp_signing::{Algorithm, InMemoryProvider, KeyPurpose, KeySchemes};

use super::jwks::{self, jwks_text};
use crate::{
    args::KeygenArgs,
    failure::{Failure, MAKING},
    files, keys,
    output::{self, DIM, GOOD, outln, shown},
    provisioning,
};

pub(crate) async fn run(args: &KeygenArgs) -> Result<ExitCode, Failure> {
    match (&args.out, &args.key, &args.print_commands) {
        (Some(out), ..) => in_file(out, args)?,
        (_, Some(uri), _) => in_service(uri, args).await?,
        (_, _, Some(uri)) => outln!("{}", provisioning::commands(uri, args.alg)?),
        // clap asks for one of them.
        (None, None, None) => {
            return Err(Failure::invalid(
                "where the key goes is missing: --out FILE, --key URI or --print-commands URI",
            ));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes a key in its service, and says by which URI to sign with it.
async fn in_service(uri: &str, args: &KeygenArgs) -> Result<(), Failure> {
    if let Some(path) = &args.jwks {
        files::check_jwks_place(path)?;
    }
    let made = KeySchemes::built_in().create(uri, args.alg).await;
    let made = made.map_err(|error| Failure::from(error).while_doing(MAKING, uri))?;
    let key = &made.public_key;
    anstream::eprintln!(
        "{GOOD}made{GOOD:#} an {} key {DIM}(thumbprint {}){DIM:#}",
        key.algorithm(),
        key.thumbprint()
    );
    // First of all: whatever fails from here on, the key is there.
    outln!("{}", shown(&made.uri));
    let key = keys::as_option(&made.uri);
    match &args.jwks {
        Some(path) => {
            jwks::write(std::slice::from_ref(&made.uri), path).await?;
            output::hint(&format!(
                "publish the JWKS, then check both: adcp-signing probe {key} --jwks {}",
                path.display()
            ));
        }
        None => output::hint(&format!("publish the key: adcp-signing jwks {key} --out jwks.json")),
    }
    Ok(())
}

/// Writes a fresh private key, and its public JWKS.
fn in_file(out: &Path, args: &KeygenArgs) -> Result<(), Failure> {
    if let Some(kid) = &args.kid {
        check_kid(kid)?;
    }
    if let Some(path) = &args.jwks {
        files::check_jwks_place(path)?;
    }
    let to_stdout = out == Path::new("-");
    if to_stdout && stdout().is_terminal() {
        return Err(Failure::invalid(
            "a private key is not shown on a terminal; name a file, or send it to a program",
        ));
    }
    let purpose = KeyPurpose::from(args.purpose.as_str());
    let mut provider = InMemoryProvider::generate(args.alg.unwrap_or(Algorithm::Ed25519), purpose)?;
    if let Some(kid) = &args.kid {
        provider = provider.with_key_id(kid);
    }
    let private = provider.to_private_jwk().to_json();
    let jwks = jwks_text(&[provider.jwk()]);
    if to_stdout {
        output::written(stdout().write_all(private.as_bytes()));
        outln!("");
    } else {
        files::write_private(out, &[private.as_bytes(), b"\n"].concat())?;
        let out = shown(&out.display().to_string());
        anstream::eprintln!("{GOOD}wrote{GOOD:#} {out} {DIM}(private, mode 0600){DIM:#}");
    }
    match &args.jwks {
        Some(path) => files::write_jwks(path, &jwks)?,
        None if to_stdout => {}
        None => outln!("{jwks}"),
    }
    if !to_stdout {
        output::hint(&format!(
            "publish the JWKS, then check both: adcp-signing probe --allow-in-process-keys --key \
             file:{} --jwks {}",
            out.display(),
            args.jwks.as_deref().unwrap_or(Path::new("jwks.json")).display()
        ));
    }
    Ok(())
}

/// A `kid` goes into a signature as `keyid`, a structured field string (RFC 8941 §3.3.3).
fn check_kid(kid: &str) -> Result<(), Failure> {
    if kid.is_empty() {
        return Err(Failure::invalid("--kid is empty; leave it out to name the key by thumbprint"));
    }
    if kid.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Ok(());
    }
    Err(Failure::invalid(format!(
        "--kid {kid:?} is not printable ASCII, which is all that a signature can carry as its keyid"
    )))
}
