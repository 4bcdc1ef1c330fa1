//! Webhook credentials in a body: whatever a lenient decoder could read as such has to be signed,
//! by a signature that commits to the body.

use anyhow::Result;
use serde_json::{Value, json};

use super::{A2A_FOLDER, FOLDER, MCP_FOLDER, request, rest::gzip};
use crate::own::{
    keys::{ED25519, Keys},
    message::{Kind, Message, Sent},
    vector::{Suite, Vector},
};

const SELECTOR: &str = "#webhook-callbacks authentication selector: an unsigned registration of \
    credentials is refused";
const LEGACY_FOLDER: &str = "3.1.19/request-signing";
const REGISTRATION: &str = r#"{"push_notification_config":{"url":"https://b.example","authentication":{"schemes":["Bearer"]}}}"#;

pub(super) fn add(suite: &mut Suite, keys: &Keys) -> Result<()> {
    places(suite);
    disguises(suite);
    forms(suite);
    other_bindings(suite);
    legacy_coverage(suite, keys)
}

/// What only lists the operation as supported.
fn supported() -> Value {
    json!({"supported": true, "covers_content_digest": "required", "supported_for": ["create_media_buy"]})
}

/// Routed, and with another valid credential, which does not excuse it.
fn routed(slug: &str, name: &str, message: Message) -> Vector {
    Vector::new(FOLDER, slug, name, SELECTOR, message.unsigned())
        .transport("rest")
        .operation("create_media_buy")
        .capability(supported())
        .fallback(true)
}

fn places(suite: &mut Suite) {
    const CREDENTIALS: &str =
        r#"{"url":"https://b.example","authentication":{"schemes":["Bearer"]}}"#;
    for (slug, name, body) in [
        (
            "credentials-push-notification-config",
            "In push_notification_config",
            format!(r#"{{"push_notification_config":{CREDENTIALS}}}"#),
        ),
        (
            "credentials-accounts",
            "In notification_configs of an account",
            format!(
                r#"{{"accounts":[{{}},{{"notification_configs":[{{"url":"https://b.example"}},{CREDENTIALS}]}}]}}"#
            ),
        ),
        (
            "credentials-sync-principal",
            "In notification_configs of a principal's configuration",
            format!(r#"{{"configuration":{{"notification_configs":[{CREDENTIALS}]}}}}"#),
        ),
        (
            "credentials-agent",
            "In notification_configs of an agent",
            format!(r#"{{"notification_configs":[{CREDENTIALS}]}}"#),
        ),
        (
            "credentials-reporting-webhook",
            "In reporting_webhook",
            format!(r#"{{"reporting_webhook":{CREDENTIALS}}}"#),
        ),
        (
            "credentials-artifact-webhook",
            "In artifact_webhook",
            format!(r#"{{"artifact_webhook":{CREDENTIALS}}}"#),
        ),
        (
            "credentials-camel-case",
            "The member is in camelCase",
            format!(r#"{{"pushNotificationConfig":{CREDENTIALS}}}"#),
        ),
        (
            "credentials-other-case",
            "The members are in other letter case",
            r#"{"PUSH_NOTIFICATION_CONFIG":{"Authentication":{}}}"#.to_owned(),
        ),
        (
            "credentials-long-s",
            "A letter of the member folds to another by some tables",
            REGISTRATION.replace("push_", "pu\u{17f}h_"),
        ),
        (
            "credentials-escaped",
            "The members are spelled with escapes",
            REGISTRATION.replace("authentication", r"auth\u0065ntication"),
        ),
        (
            "credentials-twice-null-last",
            "authentication occurs twice, and is null the last time",
            r#"{"push_notification_config":{"authentication":{},"authentication":null}}"#
                .to_owned(),
        ),
        (
            "credentials-in-a-string",
            "The registration is encoded a second time",
            format!(r#"{{"input":{}}}"#, Value::String(REGISTRATION.to_owned())),
        ),
        (
            "credentials-deeper",
            "The registration stands deeper than any schema has it",
            format!(r#"{{"params":{{"arguments":{{"input":{REGISTRATION}}}}}}}"#),
        ),
        (
            "credentials-in-an-array",
            "The registration stands in an array",
            format!("[[{REGISTRATION}]]"),
        ),
    ] {
        suite.add(routed(slug, name, request().body(body)).refused("required", 0));
    }
    for (slug, name, body) in [
        (
            "no-credentials-null",
            "authentication is null",
            r#"{"push_notification_config":{"url":"https://b.example","authentication":null}}"#,
        ),
        (
            "no-credentials-absent",
            "A webhook is registered without authentication",
            r#"{"push_notification_config":{"url":"https://b.example"}}"#,
        ),
        (
            "no-credentials-elsewhere",
            "authentication of something else",
            r#"{"account":{"authentication":{"type":"bearer"}}}"#,
        ),
        (
            "no-credentials-in-prose",
            "authentication of the webhook is spoken of",
            r#"{"brief":"authentication of the webhook"}"#,
        ),
    ] {
        suite.add(routed(slug, name, request().body(body)).unsigned().action("accept"));
    }
}

/// Encodings and prefixes from which a lenient decoder reads the registration.
fn disguises(suite: &mut Suite) {
    fn utf_16(to_bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        REGISTRATION.encode_utf16().flat_map(to_bytes).collect()
    }
    fn utf_32(to_bytes: fn(u32) -> [u8; 4]) -> Vec<u8> {
        REGISTRATION.chars().flat_map(|character| to_bytes(character.into())).collect()
    }
    let after = |prefix: &[u8], body: &[u8]| [prefix, body].concat();
    let plain = REGISTRATION.as_bytes();
    for (slug, name, body) in [
        ("utf-16le", "UTF-16LE", utf_16(u16::to_le_bytes)),
        ("utf-16be", "UTF-16BE", utf_16(u16::to_be_bytes)),
        ("utf-16le-bom", "UTF-16LE with BOM", after(b"\xff\xfe", &utf_16(u16::to_le_bytes))),
        ("utf-16be-bom", "UTF-16BE with BOM", after(b"\xfe\xff", &utf_16(u16::to_be_bytes))),
        ("utf-32le", "UTF-32LE", utf_32(u32::to_le_bytes)),
        ("utf-32be", "UTF-32BE", utf_32(u32::to_be_bytes)),
        ("utf-32le-bom", "UTF-32LE with BOM", after(b"\xff\xfe\0\0", &utf_32(u32::to_le_bytes))),
        ("utf-32be-bom", "UTF-32BE with BOM", after(b"\0\0\xfe\xff", &utf_32(u32::to_be_bytes))),
        ("bom", "UTF-8 with BOM", after(b"\xef\xbb\xbf", plain)),
        ("two-boms", "UTF-8 with two BOMs", after(b"\xef\xbb\xbf\xef\xbb\xbf", plain)),
        ("utf-7", "UTF-7", after(b"+AHs-", REGISTRATION.trim_start_matches("{").as_bytes())),
        ("gzip-undeclared", "gzip, not declared", gzip(plain)),
        ("block-comment", "After a block comment", after(b"/* c */", plain)),
        ("line-comment", "After a line comment", after(b"//c\n", plain)),
        ("hash-comment", "After a comment of YAML", after(b"#c\n", plain)),
        ("nul", "After NUL", after(b"\0", plain)),
        ("vertical-tab", "After a vertical tab", after(b"\x0b", plain)),
        ("form-feed", "After a form feed", after(b"\x0c", plain)),
        ("record-separator", "After a record separator", after(b"\x1e", plain)),
        ("no-break-space", "After a no-break space", after("\u{a0}".as_bytes(), plain)),
        ("next-line", "After the C1 control NEL", after("\u{85}".as_bytes(), plain)),
        ("c1-octet", "After a C1 control as one octet", after(b"\x85", plain)),
        ("jsonp", "As JSONP", [b"cb(", plain, b")"].concat()),
        ("anti-hijacking", "After the prefix against hijacking", after(b")]}',\n", plain)),
        ("trailing-comma", "With a trailing comma", after(plain, b",")),
        (
            "trailing-comma-inside",
            "With a trailing comma inside",
            REGISTRATION.replace("]}}}", "],},},}").into_bytes(),
        ),
        ("single-quotes", "In single quotes", REGISTRATION.replace('"', "'").into_bytes()),
        (
            "truncated",
            "Cut off",
            plain.split_last().map(|(_, rest)| rest.to_vec()).unwrap_or_default(),
        ),
    ] {
        let slug = format!("credentials-{slug}");
        suite.add(routed(&slug, name, request().body(body)).refused("required", 0));
    }
    let declared = |name: &str, value: &str| request().body(REGISTRATION).header(name, value);
    for (slug, name, message) in [
        (
            "credentials-gzip",
            "gzip, declared",
            request().body(gzip(plain)).header("Content-Encoding", "gzip"),
        ),
        (
            "declared-compressed",
            "A body without credentials is declared as compressed",
            request().body("{}").header("Content-Encoding", "identity, br"),
        ),
        (
            "declared-utf-16",
            "A body without credentials is declared as UTF-16",
            request().body("{}").content_type("application/json; charset=\"utf-16\""),
        ),
        (
            "credentials-text",
            "Declared as text",
            request().body(REGISTRATION).content_type("text/plain"),
        ),
        (
            "credentials-content-type-absent",
            "Without a content type",
            declared("X-Trace", "1").without_header("content-type"),
        ),
        (
            "not-json",
            "A body that is not JSON",
            request().body("<a/>").content_type("application/xml"),
        ),
    ] {
        suite.add(routed(slug, name, message).refused("required", 0));
    }
}

fn forms(suite: &mut Suite) {
    const URL_ENCODED: &str = "application/x-www-form-urlencoded";
    const MULTIPART: &str = "multipart/form-data; boundary=b";
    let part = |text: &str| {
        format!("--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n{text}\r\n--b--")
    };
    for (slug, name, content_type, body) in [
        (
            "credentials-form",
            "In form data",
            URL_ENCODED,
            "push_notification_config[authentication][schemes]=x".to_owned(),
        ),
        (
            "credentials-form-escaped",
            "In form data, with escapes",
            URL_ENCODED,
            "push_notification_config%5b%61uthentication%5d=x".to_owned(),
        ),
        (
            "credentials-form-json",
            "JSON, declared as form data",
            URL_ENCODED,
            REGISTRATION.to_owned(),
        ),
        ("credentials-multipart", "In a part of a form", MULTIPART, part(REGISTRATION)),
        (
            "credentials-multipart-base64",
            "In a part of a form, as Base64",
            MULTIPART,
            part("eyJh").replace("\r\n\r\n", "\r\nContent-Transfer-Encoding: base64\r\n\r\n"),
        ),
    ] {
        let message = request().content_type(content_type).body(body);
        suite.add(routed(slug, name, message).refused("required", 0));
    }
    for (slug, name, content_type, body) in [
        ("form", "Form data without credentials", URL_ENCODED, "a=1&b=%7B%7D".to_owned()),
        ("multipart", "A form of parts without credentials", MULTIPART, part("x")),
    ] {
        let message = request().content_type(content_type).body(body);
        suite.add(routed(slug, name, message).unsigned().action("accept"));
    }
}

fn other_bindings(suite: &mut Suite) {
    let send = |params: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{{"message":{{"messageId":"m","parts":[{{"data":{{"skill":"get_products"}}}}]}},{params}}}}}"#
        )
    };
    let a2a = |slug, name, sent: Sent| {
        Vector::new(A2A_FOLDER, slug, name, SELECTOR, sent)
            .transport("a2a")
            .fallback(true)
            .refused("required", 0)
    };
    let to = |body: String| request().url("https://seller.example.com/a2a").body(body).unsigned();
    for (slug, name, params) in [
        (
            "credentials-configuration",
            "In the configuration of SendMessage, by A2A's name",
            r#""configuration":{"pushNotificationConfig":{"authentication":{"schemes":["Bearer"]}}}"#,
        ),
        (
            "credentials-configuration-1-0",
            "In the configuration of SendMessage, by the name of 1.0",
            r#""configuration":{"taskPushNotificationConfig":{"authentication":{"scheme":"Bearer"}}}"#,
        ),
    ] {
        suite.add(a2a(slug, name, to(send(params))));
    }
    for (slug, name, method) in [
        (
            "credentials-set",
            "By tasks/pushNotificationConfig/set",
            "tasks/pushNotificationConfig/set",
        ),
        (
            "credentials-create",
            "By CreateTaskPushNotificationConfig",
            "CreateTaskPushNotificationConfig",
        ),
    ] {
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{"url":"https://b.example","authentication":{{"schemes":["Bearer"]}}}}}}"#
        );
        suite.add(a2a(slug, name, to(body)));
    }
    let name = "By the path of a push configuration";
    let bound = request()
        .url("https://seller.example.com/v1/tasks/7/pushNotificationConfigs")
        .body(r#"{"url":"https://b.example","authentication":{"scheme":"Bearer"}}"#);
    suite.add(a2a("credentials-http-json", name, bound.unsigned()));

    for (slug, name, arguments) in [
        ("credentials-arguments", "In the arguments of a tool", REGISTRATION.to_owned()),
        (
            "credentials-arguments-input",
            "In the input among the arguments of a tool",
            format!(r#"{{"input":{REGISTRATION}}}"#),
        ),
    ] {
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"get_products","arguments":{arguments}}}}}"#
        );
        let sent = request().url("https://seller.example.com/mcp").body(body).unsigned();
        suite.add(
            Vector::new(MCP_FOLDER, slug, name, SELECTOR, sent)
                .transport("mcp")
                .fallback(true)
                .refused("required", 0),
        );
    }
}

/// 3.0 and 3.1 let a signature leave the body out, and such a signature commits to no credentials.
fn legacy_coverage(suite: &mut Suite, keys: &Keys) -> Result<()> {
    let message = |body: &str| Message::request(Kind::Request31).body(body);
    let vector = |slug: &str, name: &str, policy: &str, sent: Sent| {
        Vector::new(LEGACY_FOLDER, slug, name, SELECTOR, sent)
            .transport("rest")
            .operation("create_media_buy")
            .capability(json!({
                "supported": true, "covers_content_digest": policy, "required_for": ["create_media_buy"],
            }))
    };
    for policy in ["either", "forbidden"] {
        let name = format!("Credentials under a signature that leaves the body out: {policy}");
        let sent = message(REGISTRATION).uncover("content-digest").sign(keys, ED25519)?;
        suite.add(
            vector(&format!("credentials-not-covered-{policy}"), &name, policy, sent)
                .refused("components_incomplete", 6),
        );
    }
    let name = "A disguised body under a signature that leaves it out";
    let bom = format!("\u{feff}{REGISTRATION}");
    let sent = message(&bom).uncover("content-digest").sign(keys, ED25519)?;
    suite.add(
        vector("credentials-disguised-not-covered", name, "either", sent)
            .refused("components_incomplete", 6),
    );
    let name = "Credentials under a signature that covers the body";
    let sent = message(REGISTRATION).sign(keys, ED25519)?;
    suite.add(vector("credentials-covered", name, "either", sent));
    Ok(())
}
