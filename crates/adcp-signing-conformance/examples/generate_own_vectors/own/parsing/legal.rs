//! What is accepted: unusual spellings, a window up to its edges, a request without a body.

use anyhow::Result;

use super::{FOLDER, STEP_1, STEP_5, STEP_6, request, window};
use crate::own::{
    keys::{ED25519, Keys},
    message::{NONCE, NOW},
    vector::{Suite, Vector},
};

pub(super) fn add(suite: &mut Suite, keys: &Keys) -> Result<()> {
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
            request().covering(&[
                "content-digest",
                "content-type",
                "@authority",
                "@target-uri",
                "@method",
            ]),
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
        suite.add(
            Vector::new(FOLDER, slug, name, RECEIVED, message.sign(keys, ED25519)?).verifier_only(),
        );
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
            signed()?
                .header_before("Signature-Input", "other=()")
                .header_before("Signature", "other=:AAAA:"),
        ),
        ("space-around-the-field", "There is space around the field values", {
            names
                .into_iter()
                .fold(signed()?, |sent, name| sent.respell(name, |text| format!(" \t{text} ")))
        }),
    ] {
        suite.add(Vector::new(FOLDER, slug, name, STEP_1, sent).verifier_only());
    }
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
