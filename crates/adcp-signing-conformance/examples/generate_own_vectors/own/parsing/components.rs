//! Covered components that the profile does not know.

use anyhow::Result;

use super::{malformed, request};
use crate::own::{
    keys::{ED25519, Keys},
    vector::Suite,
};

const COMPONENTS: &str = "RFC 9421 section 2; #adcp-rfc-9421-profile covered components";

pub(super) fn add(suite: &mut Suite, keys: &Keys) -> Result<()> {
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
        (
            "component-req",
            "A derived component is covered with ;req",
            request().cover("\"@method\";req"),
        ),
        ("component-tr", "A field is covered with ;tr", request().cover("\"content-type\";tr")),
        (
            "component-unknown-parameter",
            "A component has a parameter that nobody has defined",
            request().cover("\"content-type\";x=1"),
        ),
        (
            "component-status",
            "The status of a response is covered",
            request().cover_as("\"@status\"", "200"),
        ),
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
        suite.add(malformed(slug, name, COMPONENTS, message.sign(keys, ED25519)?));
    }
    Ok(())
}
