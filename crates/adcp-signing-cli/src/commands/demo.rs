//! `demo`: the whole way of one request, on a key made on the spot.

use std::{path::Path, process::ExitCode, sync::Arc};

use adcp_signing::{Algorithm, InMemoryProvider, KeyPurpose, SigningProvider as _, UriOptions};
use serde_json::value::RawValue;

use super::keygen::jwks_text;
use crate::{
    failure::Failure,
    http_file, input,
    keys::Keys,
    output::{DIM, heading, outln, shown},
    shapes::{Input, Message, Selector, SignFields, VerifyFields, from_json},
    signing::sign,
    verifying::verify,
};

/// The endpoint that the demonstration verifies for.
const CAPABILITY: &str = r#"{"supported":true,"covers_content_digest":"required",
    "supported_for":["create_media_buy"],"required_for":["create_media_buy"]}"#;

pub(crate) async fn run(file: &Path) -> Result<ExitCode, Failure> {
    let message = http_file::parse(&input::read(Some(file))?)?;
    let key = InMemoryProvider::generate(Algorithm::Ed25519, KeyPurpose::RequestSigning).map_err(
        |error| Failure::Unavailable { code: error.kind().as_str(), message: error.to_string() },
    )?;
    outln!(
        "{DIM}A fresh {} key, {}, signs {}.{DIM:#}",
        key.algorithm(),
        key.key_id(),
        file.display()
    );
    let jwks = jwks_text(&[key.jwk()]);

    let selector = Selector::default().or_newest();
    let private = key.to_private_jwk().to_json();
    let options =
        SignFields { key: Some(from_json::<Box<RawValue>>(&private)?), ..SignFields::default() };
    let to_sign = Input { selector: selector.clone(), message: message.clone(), options };
    let signed = sign(&to_sign, &mut Keys::new(UriOptions::default())).await?;

    heading("The signed message");
    let body = message.body_bytes()?;
    let file = http_file::write(&message, &signed.headers, &body);
    String::from_utf8_lossy(&file).trim_end().lines().for_each(|line| outln!("{}", shown(line)));

    heading("The JWKS to publish");
    outln!("{jwks}");

    heading("What the receiver says");
    let received = Message { headers: signed.headers, ..message };
    let options = VerifyFields {
        jwks: Some(from_json(&jwks)?),
        capability: Some(from_json(CAPABILITY)?),
        ..VerifyFields::default()
    };
    let to_verify = Input { selector, message: received, options };
    let store = Arc::default();
    verify(&to_verify, &store).await?.print();
    outln!("{DIM}and when the same message comes a second time:{DIM:#}");
    match verify(&to_verify, &store).await {
        Err(failure @ Failure::Refused(_)) => outln!("refused {}", shown(&failure.to_string())),
        Err(failure) => return Err(failure),
        Ok(_) => return Err(Failure::invalid("a replayed message was accepted")),
    }
    Ok(ExitCode::SUCCESS)
}
