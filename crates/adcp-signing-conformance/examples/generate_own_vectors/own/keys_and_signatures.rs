//! Steps 8 and 10: keys that must not be trusted, and signatures that only a lenient library takes.

use anyhow::{Context as _, Result, bail};
use base64ct::{Base64, Encoding as _};
use ed25519_dalek::Verifier as _;
use serde_json::{Value, json};

use super::{
    keys::{ED25519, ES256, GOVERNANCE, Keys, SECOND, UNKNOWN_PURPOSE, WEBHOOK, base64url},
    message::{Kind, Message},
    vector::{Suite, Vector},
};

const FOLDER: &str = "3.2.4/request-signing";
const STEP_8: &str = "#verifier-checklist-requests step 8";
const STEP_10: &str = "#verifier-checklist-requests step 10";

fn request() -> Message {
    Message::request(Kind::Request32)
}

pub(crate) fn add(suite: &mut Suite, keys: &Keys) -> Result<()> {
    declarations(suite, keys)?;
    small_order(suite, keys)?;
    signatures(suite, keys)
}

fn declarations(suite: &mut Suite, keys: &Keys) -> Result<()> {
    let ed448 = json!({"crv": "Ed448", "x": base64url(&[7; 57])});
    for (slug, name, kid, members) in [
        ("use-absent", "`use` is absent", ED25519, json!({"use": null})),
        ("use-enc", "`use` is `enc`", ED25519, json!({"use": "enc"})),
        ("use-array", "`use` is an array", ED25519, json!({"use": ["sig"]})),
        ("key-ops-absent", "`key_ops` is absent", ED25519, json!({"key_ops": null})),
        ("key-ops-string", "`key_ops` is a string", ED25519, json!({"key_ops": "verify"})),
        ("key-ops-sign-only", "`key_ops` has `sign` alone", ED25519, json!({"key_ops": ["sign"]})),
        ("adcp-use-absent", "`adcp_use` is absent", ED25519, json!({"adcp_use": null})),
        (
            "adcp-use-array",
            "`adcp_use` is an array",
            ED25519,
            json!({"adcp_use": ["request-signing", "webhook-signing"]}),
        ),
        (
            "adcp-use-other-case",
            "`adcp_use` differs by letter case",
            ED25519,
            json!({"adcp_use": "Request-Signing"}),
        ),
        ("adcp-use-webhook", "The key is published for webhooks", WEBHOOK, json!({})),
        ("adcp-use-governance", "The key is published for governance", GOVERNANCE, json!({})),
        (
            "adcp-use-unknown",
            "The key is published for a purpose that nobody has defined",
            UNKNOWN_PURPOSE,
            json!({}),
        ),
        ("alg-absent", "`alg` of the JWK is absent", ED25519, json!({"alg": null})),
        (
            "alg-wire-name",
            "`alg` of the JWK is the name that RFC 9421 has",
            ED25519,
            json!({"alg": "ed25519"}),
        ),
        (
            "alg-es256-on-okp",
            "`alg` of the JWK is of another key type",
            ED25519,
            json!({"alg": "ES256"}),
        ),
        ("ed448", "An Ed448 key under `EdDSA`, and a signature that says ed25519", ED25519, ed448),
        ("x25519", "An X25519 key", ED25519, json!({"crv": "X25519"})),
        ("x-31-bytes", "`x` has 31 bytes", ED25519, json!({"x": base64url(&[1; 31])})),
        (
            "x-padded",
            "`x` is padded",
            ED25519,
            json!({"x": "gWUqzATUcUco5Q8fZZXn8aWwb7DQbYGBiqUzLiSDDJo="}),
        ),
        (
            "p256-point-off-curve",
            "The P-256 point is not on the curve",
            ES256,
            json!({"y": base64url(&[1; 32])}),
        ),
        ("p256-y-absent", "The P-256 key has no `y`", ES256, json!({"y": null})),
    ] {
        let sent = request().sign(keys, kid)?;
        suite.add(
            Vector::new(FOLDER, slug, name, STEP_8, sent)
                .jwks(vec![keys.public_with(kid, members)?])
                .refused("key_purpose_invalid", 8),
        );
    }
    let other = keys.public_with(SECOND, json!({"kid": ED25519}))?;
    for (slug, name, jwks) in [
        (
            "kid-twice",
            "Two keys have the kid, the one that signed comes last",
            vec![other.clone(), keys.public(ED25519)?],
        ),
        (
            "kid-twice-same-key",
            "The key that signed is published twice under one kid",
            vec![keys.public(ED25519)?, keys.public(ED25519)?],
        ),
    ] {
        let sent = request().sign(keys, ED25519)?;
        suite.add(
            Vector::new(FOLDER, slug, name, STEP_8, sent)
                .jwks(jwks)
                .refused("key_purpose_invalid", 8),
        );
    }
    let sent = request().param("alg", "\"ed25519\"").sign(keys, ES256)?;
    let name = "The signature says ed25519 and the key is P-256";
    suite.add(
        Vector::new(FOLDER, "alg-of-another-key", name, STEP_8, sent)
            .refused("key_purpose_invalid", 8),
    );

    let unusable = keys.public_with(SECOND, json!({"kid": "own-broken", "x": 1}))?;
    let sent = request().sign(keys, ED25519)?;
    let name = "A broken entry of the JWKS does not hide the others";
    suite.add(Vector::new(FOLDER, "broken-neighbour", name, STEP_8, sent).jwks(vec![
        json!("no key"),
        unusable,
        keys.public(ED25519)?,
    ]));
    Ok(())
}

/// A signature of R = identity, S = 0 verifies under a key of small order wherever `[k]A` is the
/// identity, unless the verifier refuses such keys.
fn small_order(suite: &mut Suite, keys: &Keys) -> Result<()> {
    const IDENTITY: [u8; 32] = first_byte(1, 0);
    const NOT_CANONICAL_IDENTITY: [u8; 32] = last_byte(first_byte(0xee, 0xff), 0x7f);
    const ORDER_2: [u8; 32] = last_byte(first_byte(0xec, 0xff), 0x7f);
    const ORDER_4: [u8; 32] = [0; 32];
    const ORDER_8: [u8; 32] = [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ];
    let mut signature = [0; 64];
    if let Some((r, _)) = signature.split_at_mut_checked(32) {
        r.copy_from_slice(&IDENTITY);
    }
    for (slug, name, point) in [
        ("small-order-1", "The Ed25519 key is the identity, under which anyone can sign", IDENTITY),
        (
            "small-order-2",
            "The Ed25519 key has order 2, and the signature satisfies the equation",
            ORDER_2,
        ),
        (
            "small-order-4",
            "The Ed25519 key has order 4, and the signature satisfies the equation",
            ORDER_4,
        ),
        (
            "small-order-8",
            "The Ed25519 key has order 8, and the signature satisfies the equation",
            ORDER_8,
        ),
        (
            "not-canonical-identity",
            "The Ed25519 key is the identity in another spelling",
            NOT_CANONICAL_IDENTITY,
        ),
    ] {
        let key =
            ed25519_dalek::VerifyingKey::from_bytes(&point).context("the point does not decode")?;
        let satisfied = |message: &Message| -> Result<bool> {
            let (_, base, _) = message.clone().base(keys, ED25519)?;
            Ok(key
                .verify(base.as_bytes(), &ed25519_dalek::Signature::from_bytes(&signature))
                .is_ok())
        };
        let mut forged = None;
        for attempt in 0..256_u16 {
            let mut nonce = [0; 16];
            nonce[..2].copy_from_slice(&attempt.to_be_bytes());
            let message = request().nonce(&base64url(&nonce));
            if satisfied(&message)? {
                forged = Some(message);
                break;
            }
        }
        let Some(message) = forged else { bail!("no nonce makes {slug} satisfy the equation") };
        let sent = message.signed_as(keys, ED25519, &signature)?;
        suite.add(
            Vector::new(
                FOLDER,
                slug,
                name,
                "RFC 8032 section 5.1.7; #verifier-checklist-requests step 8",
                sent,
            )
            .jwks(vec![keys.public_with(ED25519, json!({"x": base64url(&point)}))?])
            .refused("key_purpose_invalid", 8),
        );
    }
    Ok(())
}

const fn first_byte(first: u8, rest: u8) -> [u8; 32] {
    let mut bytes = [rest; 32];
    bytes[0] = first;
    bytes
}

const fn last_byte(mut bytes: [u8; 32], last: u8) -> [u8; 32] {
    bytes[31] = last;
    bytes
}

fn signatures(suite: &mut Suite, keys: &Keys) -> Result<()> {
    let (_, base, _) = request().base(keys, ES256)?;
    let p256 = p256::ecdsa::Signature::from_slice(&keys.sign(ES256, base.as_bytes())?)?;
    let der = p256.to_der();
    let mirrored =
        p256::ecdsa::Signature::from_scalars(p256.r().to_bytes(), (-*p256.s()).to_bytes())?;
    let (_, base, _) = request().base(keys, ED25519)?;
    let ed25519 = keys.sign(ED25519, base.as_bytes())?;
    let second = keys.sign(SECOND, base.as_bytes())?;
    for (slug, name, kid, signature) in [
        (
            "es256-der",
            "The P-256 signature is DER, as key services return it",
            ES256,
            der.as_bytes().to_vec(),
        ),
        ("es256-zeros", "The P-256 signature is all zeros", ES256, vec![0; 64]),
        (
            "ed25519-s-not-reduced",
            "S of the Ed25519 signature has the group order added",
            ED25519,
            unreduced(&ed25519)?,
        ),
        (
            "ed25519-63-bytes",
            "The signature is one byte short",
            ED25519,
            ed25519.iter().take(63).copied().collect(),
        ),
        (
            "ed25519-65-bytes",
            "The signature is one byte long",
            ED25519,
            [&ed25519[..], &[0]].concat(),
        ),
        ("signature-empty", "The signature has no bytes", ED25519, Vec::new()),
        ("signature-of-another-key", "Another key signed", ED25519, second),
    ] {
        let sent = request().signed_as(keys, kid, &signature)?;
        suite.add(Vector::new(FOLDER, slug, name, STEP_10, sent).refused("invalid", 10));
    }
    let sent = request().signed_as(keys, ES256, &mirrored.to_bytes())?;
    let name = "The P-256 signature with s mirrored is as valid as the other";
    suite.add(Vector::new(FOLDER, "es256-s-mirrored", name, STEP_10, sent));

    let hashed: Value = json!({"supported": true, "covers_content_digest": "forbidden", "required_for": ["create_media_buy"]});
    let sent = request().sign(keys, ED25519)?;
    let name = "3.2 covers the digest whatever the capability says";
    suite.add(
        Vector::new(
            FOLDER,
            "digest-policy-is-moot",
            name,
            "#content-digest-and-proxy-compatibility",
            sent,
        )
        .capability(hashed),
    );
    Ok(())
}

/// The same signature with the order of the group added to S, which only a verifier without the
/// range check takes.
fn unreduced(signature: &[u8]) -> Result<Vec<u8>> {
    const ORDER: &str = "7dP1XBpjEljWnPei3vneFAAAAAAAAAAAAAAAAAAAABA=";
    let order = Base64::decode_vec(ORDER).context("the order is not base64")?;
    let mut sum = signature.to_vec();
    let mut carry = 0;
    for (byte, more) in sum.iter_mut().skip(32).zip(order) {
        let total = u16::from(*byte) + u16::from(more) + carry;
        [*byte, _] = total.to_le_bytes();
        carry = total >> 8;
    }
    if carry > 0 {
        bail!("S plus the order does not fit");
    }
    Ok(sum)
}
