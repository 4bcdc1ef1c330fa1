//! `demo`: the whole way of one message, on a key made on the spot.

use std::{process::ExitCode, sync::Arc};

use adcp_signing::{Algorithm, InMemoryProvider, SigningProvider as _, profile::MessageKind};

use super::jwks::jwks_text;
use crate::{
    args::DemoArgs,
    failure::Failure,
    http_file, input,
    output::{DIM, GOOD, heading, outln, shown},
    shapes::{
        Input, Message, Selector, SignFields, VerifyFields, from_json, refuse_unmarked_webhook,
    },
    signing::sign_with,
    verifying::verify,
};

/// The endpoint that the demonstration verifies requests for.
const CAPABILITY: &str = r#"{"supported":true,"covers_content_digest":"required",
    "supported_for":["create_media_buy"],"required_for":["create_media_buy"]}"#;

pub(crate) async fn run(args: &DemoArgs) -> Result<ExitCode, Failure> {
    let message = http_file::parse(&input::read(Some(&args.file))?)?;
    let selector = Selector { kind: args.kind.clone(), ..Selector::default() }.or_newest();
    refuse_unmarked_webhook(&selector, &message)?;
    let profile = selector.profile()?;
    let purpose = profile.purpose_to_publish();
    let key = InMemoryProvider::generate(Algorithm::Ed25519, purpose)?;
    outln!(
        "{DIM}A fresh {} key, {}, signs {} as {profile}.{DIM:#}",
        key.algorithm(),
        key.key_id(),
        shown(&args.file.display().to_string())
    );
    let jwks = jwks_text(&[key.jwk()]);
    let to_sign = Input {
        selector: selector.clone(),
        message: message.clone(),
        options: SignFields::default(),
    };
    let signed = sign_with(Arc::new(key), &to_sign).await?;

    heading("The signed message");
    let file = http_file::write(&message, &signed.headers, &message.body_bytes()?)?;
    // Indented, so that no line of a body reads as one of this program.
    for line in String::from_utf8_lossy(&file).trim_end().lines() {
        outln!("  {}", shown(line));
    }

    heading("The JWKS to publish");
    outln!("{jwks}");

    heading("What the receiver says");
    let capability = match profile.kind() {
        MessageKind::Request => Some(from_json(CAPABILITY)?),
        MessageKind::Webhook => None,
    };
    let received = Message { headers: signed.headers, ..message };
    let options =
        VerifyFields { jwks: Some(from_json(&jwks)?), capability, ..VerifyFields::default() };
    let to_verify = Input { selector, message: received, options };
    let store = Arc::default();
    let accepted = verify(&to_verify, &store).await?;
    accepted.require_signer(false)?;
    accepted.print();
    outln!("{DIM}and when the same message comes a second time:{DIM:#}");
    match verify(&to_verify, &store).await {
        Err(failure @ Failure::Refused(_)) => {
            outln!("{GOOD}refused{GOOD:#} {}", shown(&failure.to_string()))
        }
        Err(failure) => return Err(failure),
        Ok(_) => return Err(Failure::invalid("a replayed message was accepted")),
    }
    Ok(ExitCode::SUCCESS)
}
