//! `keygen` and `jwks`.

use std::{fs, io::Write as _, path::Path, process::ExitCode};

use adcp_signing::{
    InMemoryProvider, Jwk, KeyPurpose, SigningProvider, provider::layers::SigningProviderExt as _,
};
use serde_json::json;

use crate::{
    args::{JwksArgs, KeygenArgs},
    failure::Failure,
    keys::{Access, Attempts},
    output::{self, DIM, GOOD, outln, shown},
    shapes::shorten,
};

/// Writes a fresh private key and prints its public JWKS.
pub(crate) fn keygen(args: &KeygenArgs) -> Result<ExitCode, Failure> {
    if let Some(kid) = &args.kid {
        check_kid(kid)?;
    }
    let purpose = KeyPurpose::from(args.purpose.as_str());
    let mut provider = InMemoryProvider::generate(args.alg, purpose)?;
    if let Some(kid) = &args.kid {
        provider = provider.with_key_id(kid);
    }
    write_private(&args.out, provider.to_private_jwk().to_json().as_bytes())?;
    anstream::eprintln!(
        "{GOOD}wrote{GOOD:#} {} {DIM}(private, mode 0600){DIM:#}",
        shown(&args.out.display().to_string())
    );
    outln!("{}", jwks_text(&[provider.jwk()]));
    Ok(ExitCode::SUCCESS)
}

/// Prints the public JWKS of the keys that URIs name.
pub(crate) async fn jwks(args: &JwksArgs) -> Result<ExitCode, Failure> {
    let access = Access::new(&args.uri);
    let mut jwks = Vec::with_capacity(args.keys.len());
    for uri in &args.keys {
        let provider = access.to_public_half_of(uri).open(uri, Attempts::Few).await?;
        let jwk = provider.public_jwk().await;
        let jwk = jwk.map_err(|error| Failure::from(error).while_doing("reading", uri))?;
        if jwks.iter().any(|known: &Jwk| known.kid() == jwk.kid()) {
            return Err(Failure::invalid(format!(
                "two keys are named {:?}; a kid is unique in a JWKS, so write ?kid= in one key URI",
                shorten(provider.key_id())
            )));
        }
        jwks.push(jwk);
    }
    outln!("{}", jwks_text(&jwks));
    Ok(ExitCode::SUCCESS)
}

/// The JWKS document of public keys.
pub(crate) fn jwks_text(keys: &[Jwk]) -> String {
    output::json_pretty(&json!({ "keys": keys }))
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

/// Writes a file that only its owner can read, whole or not at all, and never over another.
fn write_private(path: &Path, content: &[u8]) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::invalid(format!("{}: {error}", path.display()));
    if fs::symlink_metadata(path).is_ok() {
        return Err(Failure::invalid(format!(
            "{} exists and is not overwritten; name another file or remove it",
            path.display()
        )));
    }
    let folder =
        path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // On Unix a named temporary file is created with mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    file.write_all(content).map_err(failed)?;
    file.write_all(b"\n").map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist_noclobber(path).map(drop).map_err(|error| failed(error.error))
}
