//! Steps 1 to 6: what the fields of a signature may look like.

use anyhow::Result;

use super::{
    keys::{ED25519, Keys},
    message::{Kind, Message, NONCE, NOW, Sent},
    vector::{Suite, Vector},
};

const FOLDER: &str = "3.2.4/request-signing";
const STEP_1: &str = "#verifier-checklist-requests step 1";
const STEP_4: &str = "#verifier-checklist-requests step 4";
const STEP_5: &str = "#verifier-checklist-requests step 5";
const STEP_6: &str = "#verifier-checklist-requests step 6";
const NONCES: &str = "#adcp-rfc-9421-profile nonce: at least 16 bytes, base64url without padding";
const NUMBERS: &str = "RFC 8941 section 3.3.1; RFC 9421 section 2.3: created and expires are integers";
const COMPONENTS: &str = "RFC 9421 section 2; #adcp-rfc-9421-profile covered components";
const BINARY: &str = "#adcp-rfc-9421-profile binary value encoding; RFC 8941 section 3.3.5";
const BOUNDS: &str = "bound of this project: 8 KiB a field, 32 members, components and parameters";

fn request() -> Message {
    Message::request(Kind::Request32)
}

pub(crate) fn add(suite: &mut Suite, keys: &Keys) -> Result<()> {
    malformed_parameters(suite, keys)?;
    malformed_components(suite, keys)?;
    malformed_fields(suite, keys)?;
    bounds(suite, keys)?;
    later_steps(suite, keys)?;
    legal_spellings(suite, keys)
}

fn malformed_parameters(suite: &mut Suite, keys: &Keys) -> Result<()> {
    for (slug, name, spec, message) in [
        ("nonce-15-bytes", "The nonce decodes to 15 bytes", NONCES, request().nonce("AAECAwQFBgcICQoLDA0O")),
        ("nonce-empty", "The nonce is the empty string", NONCES, request().nonce("")),
        ("nonce-padded", "The nonce is padded", NONCES, request().nonce("KXYnfEfJ0PBRZXQyVXfVQA==")),
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
        ("created-with-plus", "created has a plus sign", NUMBERS, request().param("created", "+1776520800")),
        ("created-decimal", "created is a decimal", NUMBERS, request().param("created", "1776520800.0")),
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
        ("created-string", "created is a string", NUMBERS, request().param("created", "\"1776520800\"")),
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
        ("expires-decimal", "expires is a decimal", NUMBERS, request().param("expires", "1776521100.0")),
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
        suite.add(
            Vector::new(FOLDER, slug, name, spec, message.sign(keys, ED25519)?)
                .refused("header_malformed", 1),
        );
    }
    Ok(())
}

fn malformed_components(suite: &mut Suite, keys: &Keys) -> Result<()> {
    const DIGEST: &str = ":SNIVma8dgUBx/U1CBaYFQnsJep9S0/tXaNXlQQOdoxQ=:";
    for (slug, name, message) in [
        ("component-twice", "A derived component is covered twice", request().cover("\"@method\"")),
        ("field-twice", "A field is covered twice", request().cover("\"content-type\"")),
        (
            "component-bs",
            "A field is covered with ;bs",
            request().cover_as("\"content-type\";bs", ":YXBwbGljYXRpb24vanNvbg==:"),
        ),
        ("component-sf", "A field is covered with ;sf", request().cover("\"content-digest\";sf")),
        (
            "component-key",
            "A field is covered with ;key",
            request().cover_as("\"content-digest\";key=\"sha-256\"", DIGEST),
        ),
        ("component-req", "A derived component is covered with ;req", request().cover("\"@method\";req")),
        ("component-tr", "A field is covered with ;tr", request().cover("\"content-type\";tr")),
        (
            "component-unknown-parameter",
            "A component has a parameter that nobody has defined",
            request().cover("\"content-type\";x=1"),
        ),
        ("component-status", "The status of a response is covered", request().cover_as("\"@status\"", "200")),
        (
            "component-signature-params",
            "@signature-params is covered",
            request().cover_as("\"@signature-params\"", "x"),
        ),
        (
            "component-unknown-derived",
            "A derived component that nobody has defined is covered",
            request().cover_as("\"@body\"", "x"),
        ),
        (
            "component-upper-case",
            "A field name is covered in upper case",
            request().header("X-Trace", "1").cover("\"X-Trace\""),
        ),
        (
            "component-token",
            "A component is a token",
            request().spelled(|text| text.replace("\"content-type\"", "content-type")),
        ),
        (
            "components-with-comma",
            "The components are separated by a comma",
            request().spelled(|text| text.replace("\" \"", "\", \"")),
        ),
    ] {
        suite.add(
            Vector::new(FOLDER, slug, name, COMPONENTS, message.sign(keys, ED25519)?)
                .refused("header_malformed", 1),
        );
    }
    Ok(())
}

fn malformed_fields(suite: &mut Suite, keys: &Keys) -> Result<()> {
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
            signed()?.respell("Signature-Input", |text| text.replace("sig1=(\"@method\" ", "sig1=1, x=(")),
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
        suite.add(Vector::new(FOLDER, slug, name, spec, sent).refused("header_malformed", 1));
    }
    let digest = "sha-256=:SNIVma8dgUBx_U1CBaYFQnsJep9S0_tXaNXlQQOdoxQ:";
    for (slug, name, value) in [
        ("digest-base64url", "Content-Digest is base64url, which 3.2 does not read", digest.to_owned()),
        (
            "digest-twice",
            "Content-Digest has sha-256 twice, the matching one last",
            format!("sha-256=:AAAA:, {}", "sha-256=:SNIVma8dgUBx/U1CBaYFQnsJep9S0/tXaNXlQQOdoxQ=:"),
        ),
        ("digest-string", "Content-Digest is a string", digest.replace(':', "\"")),
    ] {
        let sent = request().header("Content-Digest", value).sign(keys, ED25519)?;
        suite.add(Vector::new(FOLDER, slug, name, BINARY, sent).refused("header_malformed", 1));
    }
    let sent = request().header("Content-Type", "application/json").sign(keys, ED25519)?;
    let name = "Content-Type came twice with one value";
    suite.add(Vector::new(FOLDER, "content-type-twice", name, STEP_1, sent).refused("header_malformed", 1));
    Ok(())
}

/// What nothing signs is not read over.
pub(super) fn add_later(suite: &mut Suite, keys: &Keys) -> Result<()> {
    let name = "sig1 of Signature has a parameter, which nothing signs";
    let sent = request().sign(keys, ED25519)?;
    let sent = sent.respell("Signature", |text| format!("{text};alg=\"ed25519\""));
    suite.add(Vector::new(FOLDER, "signature-parameter", name, BINARY, sent).refused("header_malformed", 1));
    Ok(())
}

/// Each bound from both sides.
fn bounds(suite: &mut Suite, keys: &Keys) -> Result<()> {
    let signed = || request().sign(keys, ED25519);
    let padded = |field: &'static str, length: usize| -> Result<Sent> {
        Ok(signed()?.respell(field, |text| {
            let filler = "a".repeat(length - text.len() - ", pad=\"\"".len());
            format!("{text}, pad=\"{filler}\"")
        }))
    };
    let members = |count: usize| -> Result<Sent> {
        let others: String = (1..count).map(|number| format!(", l{number}=1")).collect();
        Ok(signed()?.respell("Signature-Input", |text| format!("{text}{others}")))
    };
    let components = |count: usize| {
        let fields = (1..=count - 5).map(|number| format!("x-{number}"));
        fields
            .fold(request(), |message, name| message.header(&name, "v").cover(&format!("\"{name}\"")))
            .sign(keys, ED25519)
    };
    let params = |count: usize| {
        let names = (1..=count - 6).map(|number| format!("p{number}"));
        names.fold(request(), |message, name| message.another_param(&name, "1")).sign(keys, ED25519)
    };
    let nonce = |length: usize| request().nonce(&"A".repeat(length)).sign(keys, ED25519);
    for (slug, name, within, beyond) in [
        (
            "input-8192-bytes",
            "Signature-Input at the bound of 8192 bytes",
            padded("Signature-Input", 8192)?,
            padded("Signature-Input", 8193)?,
        ),
        (
            "signature-8192-bytes",
            "Signature at the bound of 8192 bytes",
            padded("Signature", 8192)?,
            padded("Signature", 8193)?,
        ),
        ("members-32", "Signature-Input at the bound of 32 labels", members(32)?, members(33)?),
        ("components-32", "The list at the bound of 32 components", components(32)?, components(33)?),
        ("parameters-32", "The list at the bound of 32 parameters", params(32)?, params(33)?),
        ("nonce-256-characters", "The nonce at the bound of 256 characters", nonce(256)?, nonce(258)?),
    ] {
        suite.add(Vector::new(FOLDER, slug, name, BOUNDS, within).verifier_only());
        let (slug, name) = match slug {
            "input-8192-bytes" => ("input-8193-bytes", "Signature-Input of 8193 bytes"),
            "signature-8192-bytes" => ("signature-8193-bytes", "Signature of 8193 bytes"),
            "members-32" => ("members-33", "Signature-Input with 33 labels"),
            "components-32" => ("components-33", "33 covered components"),
            "parameters-32" => ("parameters-33", "33 parameters"),
            _ => ("nonce-258-characters", "A nonce of 258 characters"),
        };
        suite.add(Vector::new(FOLDER, slug, name, BOUNDS, beyond).refused("header_malformed", 1));
    }
    Ok(())
}

fn later_steps(suite: &mut Suite, keys: &Keys) -> Result<()> {
    let window = |created: i64, expires: i64| {
        request().param("created", created.to_string()).param("expires", expires.to_string())
    };
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
        ("window-301-s", "The window is 301 s long", STEP_5, window(NOW, NOW + 301), "window_invalid", 5),
        ("window-empty", "expires equals created", STEP_5, window(NOW, NOW), "window_invalid", 5),
        ("created-negative", "created lies before 1970", STEP_5, window(-1, NOW + 60), "window_invalid", 5),
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

fn legal_spellings(suite: &mut Suite, keys: &Keys) -> Result<()> {
    const RECEIVED: &str = "RFC 9421 section 2.3: @signature-params is the received text";
    for (slug, name, message) in [
        (
            "parameters-in-another-order",
            "The parameters come in another order",
            request().params_in_order(&["tag", "alg", "keyid", "nonce", "expires", "created"]),
        ),
        (
            "components-in-another-order",
            "The components come in another order",
            request().covering(&["content-digest", "content-type", "@authority", "@target-uri", "@method"]),
        ),
        (
            "spaces-in-the-list",
            "The list has more spaces than it needs",
            request().spelled(|text| {
                text.replace("(\"", "(  \"").replace("\")", "\" )").replace("\" \"", "\"   \"")
            }),
        ),
        (
            "spaces-before-parameters",
            "There are spaces before the parameter names",
            request().spelled(|text| text.replace(';', ";  ")),
        ),
        (
            "unknown-parameter",
            "There is a parameter that nobody has defined",
            request().another_param("x", "?0"),
        ),
        (
            "more-fields-covered",
            "One more field is covered",
            request().header("X-Trace", " 1 ").cover("\"x-trace\""),
        ),
        (
            "covered-field-on-two-lines",
            "A covered field came on two lines",
            request().header("X-Trace", "1").header("X-Trace", "2").cover("\"x-trace\""),
        ),
        ("nonce-17-bytes", "The nonce has 17 bytes", request().nonce("AAECAwQFBgcICQoLDA0ODxA")),
        (
            "digest-two-algorithms",
            "Content-Digest has an algorithm that nobody knows beside sha-256",
            request().header(
                "Content-Digest",
                "x-new=:AA==:, sha-256=:SNIVma8dgUBx/U1CBaYFQnsJep9S0/tXaNXlQQOdoxQ=:",
            ),
        ),
    ] {
        suite.add(Vector::new(FOLDER, slug, name, RECEIVED, message.sign(keys, ED25519)?).verifier_only());
    }
    let signed = || request().sign(keys, ED25519);
    let after = |text: &str| format!("other=(\"@method\");keyid=\"x\" \t, {text}");
    let names = ["Signature-Input", "Signature"];
    for (slug, name, sent) in [
        ("label-after-another", "sig1 comes after another label", {
            let sent = signed()?.respell("Signature-Input", after);
            sent.respell("Signature", |text| format!("other=:AAAA:,{text}"))
        }),
        (
            "labels-on-two-lines",
            "Each label comes on a line of its own",
            signed()?.header_before("Signature-Input", "other=()").header_before("Signature", "other=:AAAA:"),
        ),
        ("space-around-the-field", "There is space around the field values", {
            names.into_iter().fold(signed()?, |sent, name| sent.respell(name, |text| format!(" \t{text} ")))
        }),
    ] {
        suite.add(Vector::new(FOLDER, slug, name, STEP_1, sent).verifier_only());
    }
    let window = |created: i64, expires: i64| {
        request().param("created", created.to_string()).param("expires", expires.to_string())
    };
    for (slug, name, message) in [
        ("created-60-s-ahead", "created lies 60 s ahead", window(NOW + 60, NOW + 300)),
        ("expired-60-s-ago", "expires lies 60 s back", window(NOW - 300, NOW - 60)),
        ("window-1-s", "The window is 1 s long", window(NOW, NOW + 1)),
    ] {
        suite.add(Vector::new(FOLDER, slug, name, STEP_5, message.sign(keys, ED25519)?));
    }
    let no_body = request().method("GET").body("").without_header("content-type");
    let no_body = no_body.covering(&["@method", "@target-uri", "@authority"]).nonce(NONCE);
    let name = "A request without a body covers neither content type nor digest";
    suite.add(Vector::new(FOLDER, "no-body", name, STEP_6, no_body.sign(keys, ED25519)?));
    Ok(())
}

fn relabel(sent: Sent, field: &str) -> Sent {
    sent.respell(field, |text| text.replacen("sig1=", "sig2=", 1))
}

/// Sets the lowest bit of the character before `end`, which no byte needs: 64 bytes leave four such bits.
pub(crate) fn stray_bits(text: &str, end: &str) -> String {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let Some(head) = text.strip_suffix(end) else { return text.to_owned() };
    let mut head = head.to_owned();
    let next =
        head.pop().and_then(|last| ALPHABET.split_once(last)).and_then(|(_, rest)| rest.chars().next());
    head.extend(next);
    head + end
}
