//! The webhook profile at the newest contract.

use anyhow::Result;
use serde_json::json;

use super::{
    keys::{GOVERNANCE, Keys, UNKNOWN_PURPOSE, WEBHOOK, base64url},
    message::Message,
    parsing::stray_bits,
    vector::{Suite, Vector},
};

const FOLDER: &str = "3.2.4/webhook-signing";
const CHECKLIST: &str = "#verifier-checklist-for-webhooks";
/// Of the body that [`digested`] sends.
const DIGEST: &str = "SNIVma8dgUBx/U1CBaYFQnsJep9S0/tXaNXlQQOdoxQ=";

pub(crate) fn add(suite: &mut Suite, keys: &Keys) -> Result<()> {
    let signed = || Message::webhook().sign(keys, WEBHOOK);
    let vector = |slug, name, sent| Vector::new(FOLDER, slug, name, CHECKLIST, sent);
    for (slug, name, sent) in [
        ("unsigned", "No signature at all", Message::webhook().unsigned()),
        (
            "signature-without-input",
            "Signature came without Signature-Input",
            signed()?.without_header("Signature-Input"),
        ),
        (
            "input-without-signature",
            "Signature-Input came without Signature",
            signed()?.without_header("Signature"),
        ),
        (
            "signature-padded",
            "The signature is padded",
            signed()?.respell("Signature", |text| text.trim_end_matches(':').to_owned() + "==:"),
        ),
        (
            "signature-stray-bits",
            "The last Base64 character has bits beyond the last byte",
            signed()?.respell("Signature", |text| stray_bits(text, ":")),
        ),
        (
            "nonce-15-bytes",
            "The nonce decodes to 15 bytes",
            Message::webhook().nonce("AAECAwQFBgcICQoLDA0O").sign(keys, WEBHOOK)?,
        ),
        (
            "nonce-padded",
            "The nonce is padded",
            Message::webhook().nonce("KXYnfEfJ0PBRZXQyVXfVQA==").sign(keys, WEBHOOK)?,
        ),
        (
            "digest-of-both-alphabets",
            "Content-Digest has characters of both alphabets",
            digested(format!("sha-256=:{}:", DIGEST.replacen('/', "_", 1))).sign(keys, WEBHOOK)?,
        ),
        (
            "digests-of-different-alphabets",
            "The members of Content-Digest are in different alphabets",
            digested(format!("sha-256=:{DIGEST}:, x-new=:__-_:")).sign(keys, WEBHOOK)?,
        ),
        (
            "digest-padding-absent",
            "Content-Digest is standard Base64 without its padding",
            digested(format!("sha-256=:{}:", DIGEST.trim_end_matches('='))).sign(keys, WEBHOOK)?,
        ),
    ] {
        suite.add(vector(slug, name, sent).refused("header_malformed", 1));
    }
    let bodyless = || Message::webhook().body("");
    for (slug, name, message) in [
        (
            "no-body-and-no-digest",
            "Content-Digest is covered without a body as well",
            bodyless().uncover("content-digest"),
        ),
        (
            "no-body-and-no-content-type",
            "Content-Type is covered without a body as well",
            bodyless().uncover("content-type"),
        ),
    ] {
        suite.add(
            vector(slug, name, message.sign(keys, WEBHOOK)?).refused("components_incomplete", 6),
        );
    }
    for (slug, name, kid) in [
        ("key-for-governance", "The key is published for governance", GOVERNANCE),
        (
            "key-for-the-unknown",
            "The key is published for a purpose that nobody has defined",
            UNKNOWN_PURPOSE,
        ),
    ] {
        suite.add(
            vector(slug, name, Message::webhook().sign(keys, kid)?)
                .refused("key_purpose_invalid", 8),
        );
    }
    for (slug, name, members) in [
        ("use-absent", "`use` is absent", json!({"use": null})),
        ("use-enc", "`use` is `enc`", json!({"use": "enc"})),
        ("ed448", "An Ed448 key under `EdDSA`", json!({"crv": "Ed448", "x": base64url(&[7; 57])})),
    ] {
        let jwks = vec![keys.public_with(WEBHOOK, members)?];
        suite.add(vector(slug, name, signed()?).jwks(jwks).refused("key_purpose_invalid", 8));
    }
    let jwks = vec![keys.public(WEBHOOK)?, keys.public(WEBHOOK)?];
    suite.add(
        vector("kid-twice", "Two keys have the kid", signed()?)
            .jwks(jwks)
            .refused("key_purpose_invalid", 8),
    );
    for (slug, name, sent) in [
        (
            "host-of-another",
            "Validly signed for one host and received by another",
            signed()?.header("Host", "other.example.com"),
        ),
        (
            "host-twice",
            "Host came twice",
            signed()?.header("Host", "buyer.example.com").header("Host", "buyer.example.com"),
        ),
        (
            "url-zone-identifier",
            "The IPv6 host has a zone identifier",
            Message::webhook()
                .sent_to("https://[fe80::1%25eth0]/hook", "https://buyer.example.com/hook")
                .sign(keys, WEBHOOK)?,
        ),
    ] {
        suite.add(vector(slug, name, sent).refused("target_uri_malformed", 10));
    }
    for (slug, name, body) in [
        (
            "key-twice-nested",
            "A nested object has a key twice",
            br#"{"result":{"id":"a","id":"b"}}"#.as_slice(),
        ),
        (
            "key-twice-escaped",
            "A key occurs twice, once with an escape",
            br#"{"status":1,"st\u0061tus":2}"#,
        ),
        ("body-not-utf-8", "The body is declared as JSON and is not UTF-8", b"{\"a\":\"\xff\"}"),
    ] {
        let sent = Message::webhook().body(body).sign(keys, WEBHOOK)?;
        suite.add(vector(slug, name, sent).refused("body_malformed", 14));
    }
    for (slug, name, message) in [
        ("no-body", "A delivery without a body covers content type and digest", bodyless()),
        (
            "host",
            "Host is the signed authority",
            Message::webhook().header("Host", "Buyer.Example.com:443"),
        ),
    ] {
        suite.add(vector(slug, name, message.sign(keys, WEBHOOK)?));
    }
    let digest = base64url(&<sha2::Sha256 as sha2::Digest>::digest(
        br#"{"task_id":"task_456","status":"completed"}"#,
    ));
    let sent = Message::webhook()
        .header("Content-Digest", format!("sha-256=:{digest}:"))
        .sign(keys, WEBHOOK)?;
    suite.add(
        vector("digest-base64url", "Content-Digest in the other alphabet", sent).verifier_only(),
    );
    suite.add(vector("replay", "The same delivery twice", signed()?).verifier_only().then_refused(
        signed()?,
        "replayed",
        12,
        None,
    ));
    let ambiguous = || Message::webhook().body(br#"{"a":1,"a":2}"#).sign(keys, WEBHOOK);
    suite.add(
        vector(
            "ambiguous-body-burns-the-nonce",
            "A delivery refused at step 14 has spent its nonce",
            ambiguous()?,
        )
        .refused("body_malformed", 14)
        .then_refused(ambiguous()?, "replayed", 12, None),
    );
    let hmac = format!("sha256={}", "0".repeat(64));
    for (slug, name, sent) in [
        (
            "hmac-alone",
            "The legacy HMAC on a route that registered no credentials",
            Message::webhook().unsigned().header("X-AdCP-Signature", hmac.as_str()),
        ),
        (
            "hmac-beside-a-valid-signature",
            "The legacy HMAC beside a valid signature",
            signed()?.header("X-AdCP-Signature", hmac.as_str()),
        ),
        (
            "bearer-alone",
            "A bearer token on a route that registered no credentials",
            Message::webhook().unsigned().header("Authorization", "Bearer token"),
        ),
    ] {
        let spec = "#webhook-callbacks: mode selection is a switch, not both";
        suite.add(Vector::new(FOLDER, slug, name, spec, sent).refused("mode_mismatch", 0));
    }
    Ok(())
}

fn digested(value: String) -> Message {
    Message::webhook().body(br#"{"plan_id":"plan_001"}"#).header("Content-Digest", value)
}
