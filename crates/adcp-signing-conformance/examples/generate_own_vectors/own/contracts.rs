//! Where one message is judged otherwise by another contract, from both sides of the change.

use anyhow::Result;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{
    keys::{ED25519, Keys, WEBHOOK_REUSED, base64url},
    message::{Kind, Message},
    vector::{Suite, Vector},
};

const PURPOSES: &str = "#webhook-callbacks key purpose, changed in 3.1.0-rc.15";
const NON_ASCII: &str =
    "url-canonicalization.mdx: a receiver refuses a raw non-ASCII host; code changed in 3.2.4";
const ROOT_DOT: &str = "url-canonicalization.mdx root dot, since 3.2.0-beta.0";
const LEGACY: &str = "#adcp-rfc-9421-profile binary value encoding, 3.0 and 3.1";

pub(crate) fn add(suite: &mut Suite, keys: &Keys) -> Result<()> {
    webhook_purpose(suite, keys)?;
    non_ascii_host(suite, keys)?;
    root_dot(suite, keys)?;
    legacy_binaries(suite, keys)
}

/// Without a body the digest need not be covered, and may be.
pub(crate) fn add_later(suite: &mut Suite, keys: &Keys) -> Result<()> {
    const DIGEST: &str = "#content-digest-and-proxy-compatibility";
    const COVERED: [&str; 4] = ["@method", "@target-uri", "@authority", "content-digest"];

    let endpoint = |policy| json!({"supported": true, "covers_content_digest": policy, "required_for": ["create_media_buy"]});
    let get = |kind| {
        let bare = Message::request(kind).method("GET").body("").without_header("content-type");
        bare.covering(&COVERED)
    };
    for (folder, kind, policy) in [
        ("3.2.4/request-signing", Kind::Request32, "required"),
        ("3.1.19/request-signing", Kind::Request31, "required"),
        ("3.1.19/request-signing", Kind::Request31, "either"),
    ] {
        let slug = format!("digest-of-no-body-{policy}");
        let name = "A request without a body covers the digest of no bytes";
        let sent = get(kind).sign(keys, ED25519)?;
        suite.add(Vector::new(folder, &slug, name, DIGEST, sent).capability(endpoint(policy)));
    }
    let name = "A request without a body covers the digest of another body";
    let other = "sha-256=:RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=:";
    let sent = get(Kind::Request32).header("Content-Digest", other).sign(keys, ED25519)?;
    suite.add(
        Vector::new("3.2.4/request-signing", "digest-of-another-body", name, DIGEST, sent)
            .refused("digest_mismatch", 11),
    );
    let name = "A request without a body covers the digest where that is forbidden";
    let sent = get(Kind::Request31).sign(keys, ED25519)?;
    suite.add(
        Vector::new("3.1.19/request-signing", "digest-of-no-body-forbidden", name, DIGEST, sent)
            .capability(endpoint("forbidden"))
            .refused("components_unexpected", 6),
    );
    Ok(())
}

fn webhook_purpose(suite: &mut Suite, keys: &Keys) -> Result<()> {
    let name = "A request-signing key on a webhook";
    for folder in
        ["3.0.26/webhook-signing", "3.1.0-rc.2/webhook-signing", "3.1.0-rc.14/webhook-signing"]
    {
        let sent = Message::webhook().sign(keys, WEBHOOK_REUSED)?;
        suite.add(
            Vector::new(folder, "request-signing-key", name, PURPOSES, sent)
                .refused("key_purpose_invalid", 8),
        );
    }
    for folder in ["3.1.0-rc.15/webhook-signing", "3.1.0/webhook-signing"] {
        let sent = Message::webhook().sign(keys, WEBHOOK_REUSED)?;
        suite.add(Vector::new(folder, "request-signing-key", name, PURPOSES, sent));
    }
    Ok(())
}

fn non_ascii_host(suite: &mut Suite, keys: &Keys) -> Result<()> {
    let name = "The host is not ASCII";
    for (folder, kind, fault, step) in [
        ("3.1.19/request-signing", Kind::Request31, "header_malformed", 1),
        ("3.2.3/request-signing", Kind::Request32, "header_malformed", 1),
        ("3.2.4/request-signing", Kind::Request32, "target_uri_malformed", 10),
    ] {
        let message = Message::request(kind).sent_to(
            "https://münchen.example/adcp/create_media_buy",
            "https://xn--mnchen-3ya.example/adcp/create_media_buy",
        );
        let sent = message.sign(keys, ED25519)?;
        suite
            .add(Vector::new(folder, "non-ascii-host", name, NON_ASCII, sent).refused(fault, step));
    }
    for (folder, fault, step) in [
        ("3.2.3/webhook-signing", "header_malformed", 1),
        ("3.2.4/webhook-signing", "target_uri_malformed", 10),
    ] {
        let message = Message::webhook()
            .sent_to("https://münchen.example/hook", "https://xn--mnchen-3ya.example/hook");
        let sent = message.sign(keys, WEBHOOK_REUSED)?;
        suite
            .add(Vector::new(folder, "non-ascii-host", name, NON_ASCII, sent).refused(fault, step));
    }
    Ok(())
}

fn root_dot(suite: &mut Suite, keys: &Keys) -> Result<()> {
    const DOTTED: &str = "https://seller.example.com./adcp/create_media_buy";
    const PLAIN: &str = "https://seller.example.com/adcp/create_media_buy";
    let kept = Message::request(Kind::Request31).url(DOTTED).sign(keys, ED25519)?;
    let stripped = Message::request(Kind::Request32).sent_to(DOTTED, PLAIN).sign(keys, ED25519)?;
    let name = "The root dot of the host is kept";
    suite.add(Vector::new("3.1.19/request-signing", "root-dot", name, ROOT_DOT, kept));
    let name = "The root dot of the host is stripped";
    suite.add(Vector::new("3.2.0-beta.0/request-signing", "root-dot", name, ROOT_DOT, stripped));
    Ok(())
}

/// The legacy text says base64url for the digest, and its vectors say padded standard Base64 up to
/// 3.1.19: a verifier takes either, and never both in one value.
fn legacy_binaries(suite: &mut Suite, keys: &Keys) -> Result<()> {
    const FOLDER: &str = "3.1.19/request-signing";
    const STANDARD: &str = "sha-256=:SNIVma8dgUBx/U1CBaYFQnsJep9S0/tXaNXlQQOdoxQ=:";
    let with_digest = |value: &str| {
        Message::request(Kind::Request31).header("Content-Digest", value).sign(keys, ED25519)
    };
    let url = format!("sha-256=:{}:", base64url(&Sha256::digest(br#"{"plan_id":"plan_001"}"#)));
    let name = "Content-Digest in padded standard Base64";
    suite.add(Vector::new(FOLDER, "digest-standard", name, LEGACY, with_digest(STANDARD)?));
    let name = "Content-Digest in base64url";
    suite.add(
        Vector::new(FOLDER, "digest-base64url", name, LEGACY, with_digest(&url)?).verifier_only(),
    );
    suite.add(Vector::new(
        "3.2.4/request-signing/legacy",
        "digest-base64url",
        name,
        LEGACY,
        with_digest(&url)?,
    ));
    let name =
        "Content-Digest in padded standard Base64, at a contract whose signers write base64url";
    let sent = with_digest(STANDARD)?;
    suite.add(
        Vector::new("3.2.4/request-signing/legacy", "digest-standard", name, LEGACY, sent)
            .verifier_only(),
    );
    for (slug, name, value) in [
        (
            "digest-of-both-alphabets",
            "Content-Digest has characters of both alphabets",
            STANDARD.replacen('/', "_", 1),
        ),
        (
            "digest-base64url-padded",
            "Content-Digest is base64url with padding",
            STANDARD.replace('/', "_"),
        ),
        (
            "digest-standard-padding-absent",
            "Content-Digest is standard Base64 without its padding",
            STANDARD.replace("=:", ":").replacen("sha-256:", "sha-256=:", 1),
        ),
    ] {
        suite.add(
            Vector::new(FOLDER, slug, name, LEGACY, with_digest(&value)?)
                .refused("header_malformed", 1),
        );
    }
    let signed = || Message::request(Kind::Request31).sign(keys, ED25519);
    let name = "The signature is padded standard Base64, the alphabet of 3.2";
    let (_, base, _) = Message::request(Kind::Request31).base(keys, ED25519)?;
    let signature = <base64ct::Base64 as base64ct::Encoding>::encode_string(
        &keys.sign(ED25519, base.as_bytes())?,
    );
    let sent = signed()?.respell("Signature", |_| format!("sig1=:{signature}:"));
    suite.add(
        Vector::new(FOLDER, "signature-standard", name, LEGACY, sent)
            .refused("header_malformed", 1),
    );

    let bare = || Message::request(Kind::Request31).uncover("content-digest");
    for (slug, name, policy) in [
        ("digest-left-out-either", "The digest is left out where either will do", "either"),
        ("digest-left-out-forbidden", "The digest is left out where it is forbidden", "forbidden"),
    ] {
        let capability = json!({"supported": true, "covers_content_digest": policy, "required_for": ["create_media_buy"]});
        let sent = bare().sign(keys, ED25519)?;
        suite.add(
            Vector::new(FOLDER, slug, name, "#content-digest-and-proxy-compatibility", sent)
                .capability(capability),
        );
    }
    let name = "A digest that is not covered is not looked at";
    let capability = json!({"supported": true, "covers_content_digest": "either", "required_for": ["create_media_buy"]});
    let sent = bare().header("Content-Digest", "sha-256=:AAAA:").sign(keys, ED25519)?;
    suite.add(
        Vector::new(
            FOLDER,
            "digest-not-covered",
            name,
            "#content-digest-and-proxy-compatibility",
            sent,
        )
        .capability(capability)
        .verifier_only(),
    );
    Ok(())
}
