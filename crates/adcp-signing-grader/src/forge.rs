//! Requests of profile 3.2 that are signed now with the published test keys, right or with one
//! fault.

use adcp_signing_core::{
    Algorithm, InMemoryProvider, SigningProvider as _,
    profile::{Profile, WireVersion},
    rfc9421::{
        Component, FieldLine, Request, SignatureParams, digest::content_digest, inner_list_text,
        signature_base, structured_fields::push_byte_sequence,
    },
};

use crate::{fault::Fault, report::SentRequest};

/// The published test keys. They are public, and sign for tests only.
const KEYS: &str = include_str!("keys.json");
const SIGNING_KEY: &str = "test-ed25519-2026";
const GOVERNANCE_KEY: &str = "test-gov-2026";
const CONTENT_TYPE: &str = "application/json";

/// What a request is signed for.
#[derive(Debug, Clone, Copy)]
pub struct Draft<'a> {
    /// The absolute URL.
    pub url: &'a str,
    /// The body.
    pub body: &'a str,
    /// The time of signing, in Unix seconds.
    pub now: i64,
    /// 16 random bytes in base64url without padding. Each request needs its own.
    pub nonce: &'a str,
}

/// Why a request could not be made.
#[derive(Debug, thiserror::Error)]
#[error("the request cannot be signed: {0}")]
pub struct ForgeError(String);

/// A published test key.
///
/// # Errors
/// [`ForgeError`] if no published key has this identifier.
pub fn test_key(kid: &str) -> Result<InMemoryProvider, ForgeError> {
    let set: serde_json::Value = serde_json::from_str(KEYS).map_err(failed)?;
    let keys = set.get("keys").and_then(serde_json::Value::as_array);
    let mut found = keys.into_iter().flatten();
    let jwk = found
        .find(|jwk| jwk.get("kid").is_some_and(|own| own == kid))
        .ok_or_else(|| ForgeError("no published test key has the kid".to_owned()))?;
    InMemoryProvider::from_jwk_json(jwk.to_string().as_bytes()).map_err(failed)
}

/// A POST that is signed as the draft says. With a fault it is signed over that fault wherever a
/// signature can be, so that a verifier finds nothing else to refuse.
///
/// # Errors
/// [`ForgeError`] if the URL cannot be signed.
pub fn request(draft: &Draft<'_>, fault: Option<Fault>) -> Result<SentRequest, ForgeError> {
    let profile = Profile::request(WireVersion::V3_2);
    let content_type = match fault {
        Some(Fault::ContentTypeTwice) => "application/json, text/plain",
        _ => CONTENT_TYPE,
    };
    let mut headers = vec![("Content-Type".to_owned(), content_type.to_owned())];
    if fault != Some(Fault::Unsigned) {
        sign(draft, fault, &profile, &mut headers)?;
    }
    let (url, body) = (draft.url.to_owned(), draft.body.to_owned());
    Ok(SentRequest { method: "POST".to_owned(), url, headers, body })
}

fn sign(
    draft: &Draft<'_>,
    fault: Option<Fault>,
    profile: &Profile,
    headers: &mut Vec<(String, String)>,
) -> Result<(), ForgeError> {
    let key = test_key(match fault {
        Some(Fault::WrongPurpose) => GOVERNANCE_KEY,
        _ => SIGNING_KEY,
    })?;
    headers.push(("Content-Digest".to_owned(), digest(draft, fault, profile)));
    let covered = covered(fault)?;
    let input = inner_list_text(&covered, &params(draft, fault, profile, &key)).map_err(failed)?;
    let lines: Vec<_> = headers.iter().map(|(name, value)| FieldLine::new(name, value)).collect();
    let message = Request::new("POST", draft.url, &lines, draft.body.as_bytes());
    let mut base = signature_base(&covered, &input, &message).map_err(failed)?;
    if fault == Some(Fault::WrongSignature) {
        base.push(b'!');
    }
    let signature = key.sign_now(&base).map_err(failed)?;
    let mut value = "sig1=".to_owned();
    push_byte_sequence(&mut value, signature.as_bytes(), profile.signature_alphabet());
    let mut input = format!("sig1={input}");
    match fault {
        Some(Fault::InputMalformed) => input = "sig1=not a structured field!".to_owned(),
        Some(Fault::InputTwice) => input = format!("{input}, {input}"),
        Some(Fault::KeyidUnquoted) => {
            input =
                input.replace(&format!("keyid=\"{SIGNING_KEY}\""), &format!("keyid={SIGNING_KEY}"));
        }
        Some(Fault::SignatureTwice) => value = format!("{value}, {value}"),
        _ => {}
    }
    if fault != Some(Fault::SignatureAlone) {
        headers.push(("Signature-Input".to_owned(), input));
    }
    headers.push(("Signature".to_owned(), value));
    Ok(())
}

fn digest(draft: &Draft<'_>, fault: Option<Fault>, profile: &Profile) -> String {
    let alphabet = profile.signature_alphabet();
    let own = content_digest(draft.body.as_bytes(), alphabet);
    match fault {
        Some(Fault::WrongDigest) => content_digest(b"another body", alphabet),
        Some(Fault::DigestKeyUpperCase) => {
            format!("{}, {own}", own.replacen("sha-256", "SHA-256", 1))
        }
        _ => own,
    }
}

fn covered(fault: Option<Fault>) -> Result<Vec<Component<'static>>, ForgeError> {
    let left_out = match fault {
        Some(Fault::AuthorityNotCovered) => "@authority",
        Some(Fault::DigestNotCovered) => "content-digest",
        _ => "",
    };
    ["@method", "@target-uri", "@authority", "content-type", "content-digest"]
        .into_iter()
        .filter(|name| *name != left_out)
        .map(|name| Component::new(name, &[]).map_err(failed))
        .collect()
}

fn params<'a>(
    draft: &'a Draft<'a>,
    fault: Option<Fault>,
    profile: &'a Profile,
    key: &'a InMemoryProvider,
) -> SignatureParams<'a> {
    let created = match fault {
        Some(Fault::Expired) => draft.now.saturating_sub(900),
        _ => draft.now,
    };
    let seconds = match fault {
        Some(Fault::WindowTooLong) => 301,
        Some(Fault::WindowEmpty) => 0,
        _ => 300,
    };
    let keyid = match fault {
        Some(Fault::UnknownKey) => "unknown-key-9999",
        _ => key.key_id(),
    };
    let alg = match fault {
        Some(Fault::AlgorithmNotAllowed) => "rsa-pss-sha512",
        _ => Algorithm::Ed25519.rfc9421_name(),
    };
    let tag = match fault {
        Some(Fault::WrongTag) => "example-org/signing/v1",
        _ => profile.tag(),
    };
    let mut params = SignatureParams::default();
    params.created = Some(created);
    params.expires = (fault != Some(Fault::NoExpires)).then(|| created.saturating_add(seconds));
    params.nonce = (fault != Some(Fault::NoNonce)).then(|| draft.nonce.into());
    params.keyid = Some(keyid.into());
    params.alg = Some(alg.into());
    params.tag = Some(tag.into());
    params
}

fn failed(error: impl std::fmt::Display) -> ForgeError {
    ForgeError(error.to_string())
}
