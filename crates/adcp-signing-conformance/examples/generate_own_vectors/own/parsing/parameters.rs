//! Parameters that are misspelled.

use anyhow::Result;

use super::{STEP_1, malformed, request};
use crate::own::{
    keys::{ED25519, Keys},
    message::NOW,
    vector::Suite,
};

const NONCES: &str = "#adcp-rfc-9421-profile nonce: at least 16 bytes, base64url without padding";
const NUMBERS: &str =
    "RFC 8941 section 3.3.1; RFC 9421 section 2.3: created and expires are integers";

pub(super) fn add(suite: &mut Suite, keys: &Keys) -> Result<()> {
    for (slug, name, spec, message) in [
        (
            "nonce-15-bytes",
            "The nonce decodes to 15 bytes",
            NONCES,
            request().nonce("AAECAwQFBgcICQoLDA0O"),
        ),
        ("nonce-empty", "The nonce is the empty string", NONCES, request().nonce("")),
        (
            "nonce-padded",
            "The nonce is padded",
            NONCES,
            request().nonce("KXYnfEfJ0PBRZXQyVXfVQA=="),
        ),
        (
            "nonce-standard-alphabet",
            "The nonce has a character of the standard alphabet",
            NONCES,
            request().nonce("KXYnfEfJ0PBRZXQyVXfV+A"),
        ),
        (
            "parameter-twice-same-value",
            "A parameter occurs twice with one value",
            "#adcp-rfc-9421-profile: tag exactly once",
            request().another_param("tag", "\"adcp/request-signing/v1\""),
        ),
        (
            "parameter-twice-other-value",
            "A parameter occurs twice, and a parser that keeps the last reads a valid window",
            STEP_1,
            request().param("expires", "1").another_param("expires", (NOW + 300).to_string()),
        ),
        (
            "created-with-underscores",
            "created has underscores between its digits",
            NUMBERS,
            request().param("created", "1_776_520_800"),
        ),
        (
            "created-with-plus",
            "created has a plus sign",
            NUMBERS,
            request().param("created", "+1776520800"),
        ),
        (
            "created-decimal",
            "created is a decimal",
            NUMBERS,
            request().param("created", "1776520800.0"),
        ),
        (
            "created-arabic-digits",
            "created is spelled with Arabic-Indic digits",
            NUMBERS,
            request().param("created", "١٧٧٦٥٢٠٨٠٠"),
        ),
        (
            "created-16-digits",
            "created has 16 digits, leading zeros among them",
            NUMBERS,
            request().param("created", "0000001776520800"),
        ),
        (
            "created-string",
            "created is a string",
            NUMBERS,
            request().param("created", "\"1776520800\""),
        ),
        (
            "created-exponent",
            "created is spelled with an exponent",
            NUMBERS,
            request().param("created", "17765208e2"),
        ),
        (
            "created-date",
            "created is a date, a type of RFC 9651 that RFC 8941 does not have",
            NUMBERS,
            request().param("created", "@1776520800"),
        ),
        (
            "created-after-space",
            "There is a space between the equals sign and the number",
            NUMBERS,
            request().param("created", " 1776520800"),
        ),
        (
            "expires-decimal",
            "expires is a decimal",
            NUMBERS,
            request().param("expires", "1776521100.0"),
        ),
        (
            "keyid-without-value",
            "keyid has no value, which makes it the boolean true",
            STEP_1,
            request().spelled(|text| text.replace(&format!("keyid=\"{ED25519}\""), "keyid")),
        ),
        ("alg-token", "alg is a token", STEP_1, request().param("alg", "ed25519")),
        (
            "keyid-non-ascii",
            "keyid has a character outside ASCII",
            "RFC 8941 section 3.3.3",
            request().param("keyid", "\"test-ed25519-2026é\""),
        ),
        (
            "parameter-name-upper-case",
            "A parameter name is in upper case",
            "RFC 8941 section 3.1.2",
            request().spelled(|text| text.replace(";nonce", ";Nonce")),
        ),
    ] {
        suite.add(malformed(slug, name, spec, message.sign(keys, ED25519)?));
    }
    Ok(())
}
