//! Fields that are misspelled: labels, Base64, `Content-Digest`.

use anyhow::Result;

use super::{STEP_1, malformed, request};
use crate::own::{
    keys::{ED25519, Keys},
    message::Sent,
    vector::Suite,
};

const BINARY: &str = "#adcp-rfc-9421-profile binary value encoding; RFC 8941 section 3.3.5";

pub(super) fn add(suite: &mut Suite, keys: &Keys) -> Result<()> {
    let signed = || request().sign(keys, ED25519);
    let input = |sent: &Sent| sent.value("Signature-Input").to_owned();
    let duplicate_line = input(&signed()?);
    for (slug, name, spec, sent) in [
        (
            "input-without-signature",
            "Signature-Input came without Signature",
            STEP_1,
            signed()?.without_header("Signature"),
        ),
        (
            "other-label-only",
            "Both fields have another label and none has sig1",
            STEP_1,
            relabel(relabel(signed()?, "Signature"), "Signature-Input"),
        ),
        (
            "label-in-one-field-only",
            "Signature-Input has sig1 and Signature has another label",
            STEP_1,
            relabel(signed()?, "Signature"),
        ),
        (
            "label-twice-over-two-lines",
            "Signature-Input came on two lines, each with sig1",
            STEP_1,
            signed()?.header("Signature-Input", duplicate_line),
        ),
        (
            "label-upper-case",
            "The label is in upper case",
            "RFC 8941 section 3.1.2",
            signed()?.respell("Signature-Input", |text| text.replace("sig1=", "SIG1=")),
        ),
        (
            "trailing-comma",
            "Signature-Input ends in a comma",
            "RFC 8941 section 4.2.2",
            signed()?.respell("Signature-Input", |text| format!("{text},")),
        ),
        (
            "input-item",
            "sig1 of Signature-Input is an item and no list",
            STEP_1,
            signed()?.respell("Signature-Input", |text| {
                text.replace("sig1=(\"@method\" ", "sig1=1, x=(")
            }),
        ),
        (
            "signature-empty-field",
            "Signature is empty",
            STEP_1,
            signed()?.respell("Signature", |_| String::new()),
        ),
        (
            "signature-string",
            "sig1 of Signature is a string",
            BINARY,
            signed()?.respell("Signature", |text| text.replace(':', "\"")),
        ),
        (
            "signature-inner-list",
            "sig1 of Signature is a list",
            BINARY,
            signed()?.respell("Signature", |text| text.replacen("=:", "=(:", 1) + ")"),
        ),
        (
            "signature-padding-absent",
            "The signature is standard Base64 without its padding",
            BINARY,
            signed()?.respell("Signature", |text| text.replace("==:", ":")),
        ),
        (
            "signature-stray-bits",
            "The last Base64 character has bits beyond the last byte",
            BINARY,
            signed()?.respell("Signature", |text| stray_bits(text, "==:")),
        ),
        (
            "signature-whitespace",
            "The Base64 text has a space in it",
            BINARY,
            signed()?.respell("Signature", |text| text.replacen("=:", "=: ", 1)),
        ),
    ] {
        suite.add(malformed(slug, name, spec, sent));
    }
    let digest = "sha-256=:SNIVma8dgUBx_U1CBaYFQnsJep9S0_tXaNXlQQOdoxQ:";
    for (slug, name, value) in [
        (
            "digest-base64url",
            "Content-Digest is base64url, which 3.2 does not read",
            digest.to_owned(),
        ),
        (
            "digest-twice",
            "Content-Digest has sha-256 twice, the matching one last",
            format!("sha-256=:AAAA:, {}", "sha-256=:SNIVma8dgUBx/U1CBaYFQnsJep9S0/tXaNXlQQOdoxQ=:"),
        ),
        ("digest-string", "Content-Digest is a string", digest.replace(':', "\"")),
    ] {
        let sent = request().header("Content-Digest", value).sign(keys, ED25519)?;
        suite.add(malformed(slug, name, BINARY, sent));
    }
    let sent = request().header("Content-Type", "application/json").sign(keys, ED25519)?;
    let name = "Content-Type came twice with one value";
    suite.add(malformed("content-type-twice", name, STEP_1, sent));
    Ok(())
}

/// What nothing signs is not read over.
pub(crate) fn add_later(suite: &mut Suite, keys: &Keys) -> Result<()> {
    let name = "sig1 of Signature has a parameter, which nothing signs";
    let sent = request().sign(keys, ED25519)?;
    let sent = sent.respell("Signature", |text| format!("{text};alg=\"ed25519\""));
    suite.add(malformed("signature-parameter", name, BINARY, sent));
    Ok(())
}

fn relabel(sent: Sent, field: &str) -> Sent {
    sent.respell(field, |text| text.replacen("sig1=", "sig2=", 1))
}

/// Sets the lowest bit of the character before `end`, which no byte needs: 64 bytes leave four such
/// bits.
pub(crate) fn stray_bits(text: &str, end: &str) -> String {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let Some(head) = text.strip_suffix(end) else { return text.to_owned() };
    let mut head = head.to_owned();
    let next = head
        .pop()
        .and_then(|last| ALPHABET.split_once(last))
        .and_then(|(_, rest)| rest.chars().next());
    head.extend(next);
    head + end
}
