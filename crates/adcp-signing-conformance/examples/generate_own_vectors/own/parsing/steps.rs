//! Well-formed fields that a later step refuses.

use anyhow::Result;

use super::{FOLDER, STEP_5, STEP_6, request, window};
use crate::own::{
    keys::{ED25519, Keys},
    message::NOW,
    vector::{Suite, Vector},
};

const STEP_4: &str = "#verifier-checklist-requests step 4";

pub(super) fn add(suite: &mut Suite, keys: &Keys) -> Result<()> {
    for (slug, name, spec, message, fault, step) in [
        (
            "keyid-absent",
            "keyid is absent",
            "#verifier-checklist-requests step 2",
            request().spelled(|text| text.replace(&format!(";keyid=\"{ED25519}\""), "")),
            "params_incomplete",
            2,
        ),
        (
            "tag-other-case",
            "The tag differs by letter case",
            "#verifier-checklist-requests step 3",
            request().param("tag", "\"AdCP/request-signing/v1\""),
            "tag_invalid",
            3,
        ),
        (
            "tag-of-webhooks",
            "The tag is that of webhooks",
            "#verifier-checklist-requests step 3",
            request().param("tag", "\"adcp/webhook-signing/v1\""),
            "tag_invalid",
            3,
        ),
        (
            "alg-jose-name",
            "alg is the JOSE name",
            STEP_4,
            request().param("alg", "\"EdDSA\""),
            "alg_not_allowed",
            4,
        ),
        (
            "alg-upper-case",
            "alg is in upper case",
            STEP_4,
            request().param("alg", "\"ED25519\""),
            "alg_not_allowed",
            4,
        ),
        (
            "alg-hmac",
            "alg is hmac-sha256",
            STEP_4,
            request().param("alg", "\"hmac-sha256\""),
            "alg_not_allowed",
            4,
        ),
        (
            "created-61-s-ahead",
            "created lies 61 s ahead",
            STEP_5,
            window(NOW + 61, NOW + 300),
            "window_invalid",
            5,
        ),
        (
            "expired-61-s-ago",
            "expires lies 61 s back",
            STEP_5,
            window(NOW - 300, NOW - 61),
            "window_invalid",
            5,
        ),
        (
            "window-301-s",
            "The window is 301 s long",
            STEP_5,
            window(NOW, NOW + 301),
            "window_invalid",
            5,
        ),
        ("window-empty", "expires equals created", STEP_5, window(NOW, NOW), "window_invalid", 5),
        (
            "created-negative",
            "created lies before 1970",
            STEP_5,
            window(-1, NOW + 60),
            "window_invalid",
            5,
        ),
        (
            "content-type-absent",
            "A message with a body has no Content-Type and covers none",
            STEP_6,
            request().without_header("content-type").uncover("content-type"),
            "components_incomplete",
            6,
        ),
        (
            "content-type-not-covered",
            "Content-Type is not covered",
            STEP_6,
            request().uncover("content-type"),
            "components_incomplete",
            6,
        ),
        (
            "method-not-covered",
            "The method is not covered",
            STEP_6,
            request().uncover("@method"),
            "components_incomplete",
            6,
        ),
        (
            "target-uri-not-covered",
            "The target URI is not covered",
            STEP_6,
            request().uncover("@target-uri"),
            "components_incomplete",
            6,
        ),
        (
            "nothing-covered",
            "Nothing is covered",
            STEP_6,
            request().covering(&[]),
            "components_incomplete",
            6,
        ),
        (
            "keyid-other-case",
            "keyid differs from the kid by letter case",
            "#verifier-checklist-requests step 7",
            request().param("keyid", "\"Test-Ed25519-2026\""),
            "key_unknown",
            7,
        ),
        (
            "covered-field-absent",
            "A covered field is not in the message",
            "RFC 9421 section 2.5",
            request().cover_as("\"x-trace\"", "1"),
            "invalid",
            10,
        ),
        (
            "covered-field-empty-for-absent",
            "A covered field is not in the message, and the signer took it for empty",
            "RFC 9421 section 2.5",
            request().cover_as("\"x-trace\"", ""),
            "invalid",
            10,
        ),
        (
            "digest-sha-512-only",
            "Content-Digest has sha-512 alone",
            "#content-digest-and-proxy-compatibility: sha-256",
            request().header("Content-Digest", format!("sha-512=:{}==:", "A".repeat(86))),
            "digest_mismatch",
            11,
        ),
        (
            "digest-truncated",
            "The sha-256 of Content-Digest is cut to 16 bytes",
            "#content-digest-and-proxy-compatibility",
            request().header("Content-Digest", "sha-256=:SNIVma8dgUBx/U1CBaYFQg==:"),
            "digest_mismatch",
            11,
        ),
    ] {
        let sent = message.sign(keys, ED25519)?;
        suite.add(Vector::new(FOLDER, slug, name, spec, sent).refused(fault, step));
    }
    Ok(())
}
