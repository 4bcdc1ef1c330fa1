//! Step 0: which operation a request carries, and what an unsigned or failing one may still do.

use anyhow::Result;
use serde_json::{Value, json};

use super::{
    keys::{ED25519, Keys},
    message::{Kind, Message, Sent},
    vector::{Suite, Vector},
};

const FOLDER: &str = "3.2.4/request-signing";
const MCP_FOLDER: &str = "3.2.4/request-signing/mcp";
const A2A_FOLDER: &str = "3.2.4/request-signing/a2a";
const POLICY: &str =
    "#verifier-checklist-requests pre-check; #composition-with-fallback-authenticators";
const OPERATION: &str = "#verifier-checklist-requests step 0";
const CREATE: &str = "create_media_buy";

fn request() -> Message {
    Message::request(Kind::Request32)
}

pub(crate) fn add(suite: &mut Suite, keys: &Keys) -> Result<()> {
    postures(suite, keys)?;
    hidden_operations(suite);
    mcp(suite, keys)?;
    a2a(suite, keys, A2A_FOLDER, Kind::Request32)
}

fn listed(list: &str) -> Value {
    json!({"supported": true, "covers_content_digest": "required", list: [CREATE]})
}

/// Every list, with and without another valid credential, for each way in which a message can be
/// signed.
fn postures(suite: &mut Suite, keys: &Keys) -> Result<()> {
    let signed = || request().sign(keys, ED25519);
    let tampered = || Ok::<_, anyhow::Error>(signed()?.body("{}"));
    let half = || Ok::<_, anyhow::Error>(signed()?.without_header("Signature"));
    let ambiguous = || request().body(br#"{"a":1,"a":2}"#).sign(keys, ED25519);
    let registration = || {
        request().body(br#"{"push_notification_config":{"url":"https://b.example","authentication":{"schemes":["Bearer"]}}}"#)
    };
    let unsigned = || request().unsigned();
    let vector = |slug, name, list: &str, fallback: bool, sent: Sent| {
        Vector::new(FOLDER, slug, name, POLICY, sent)
            .capability(listed(list))
            .fallback(fallback)
            .resolves(Some(CREATE))
    };
    for vector in [
        vector("warn-valid", "Shadow mode, valid signature", "warn_for", false, signed()?)
            .action("accept"),
        vector(
            "warn-unsigned-fallback",
            "Shadow mode, unsigned, another credential",
            "warn_for",
            true,
            unsigned(),
        )
        .unsigned()
        .action("accept_with_warning"),
        vector(
            "warn-unsigned",
            "Shadow mode, unsigned, no other credential",
            "warn_for",
            false,
            unsigned(),
        )
        .refused("required", 0)
        .action("reject_unauthenticated"),
        vector(
            "warn-failing-fallback",
            "Shadow mode, failing signature, another credential",
            "warn_for",
            true,
            tampered()?,
        )
        .unsigned()
        .action("accept_with_warning"),
        vector(
            "warn-failing",
            "Shadow mode, failing signature, no other credential",
            "warn_for",
            false,
            tampered()?,
        )
        .refused("digest_mismatch", 11)
        .action("reject_unauthenticated"),
        vector(
            "warn-half-a-pair",
            "Shadow mode excuses no broken header pair",
            "warn_for",
            true,
            half()?,
        )
        .refused("header_malformed", 1)
        .action("reject"),
        vector(
            "warn-ambiguous-body",
            "Shadow mode excuses no ambiguous body",
            "warn_for",
            true,
            ambiguous()?,
        )
        .refused("body_malformed", 14)
        .action("reject"),
        vector(
            "warn-registration-unsigned",
            "Shadow mode excuses no unsigned registration of webhook credentials",
            "warn_for",
            true,
            registration().unsigned(),
        )
        .refused("required", 0)
        .action("reject"),
        vector(
            "warn-registration-failing",
            "Shadow mode excuses no registration of webhook credentials whose signature fails",
            "warn_for",
            true,
            registration().sign(keys, ED25519)?.header("Host", "other.example.com"),
        )
        .refused("target_uri_malformed", 10)
        .action("reject"),
        vector(
            "required-unsigned-fallback",
            "Required, unsigned, another credential",
            "required_for",
            true,
            unsigned(),
        )
        .unsigned()
        .action("accept"),
        vector(
            "required-unsigned",
            "Required, unsigned, no other credential",
            "required_for",
            false,
            unsigned(),
        )
        .refused("required", 0)
        .action("reject"),
        vector(
            "required-failing-fallback",
            "Required: another credential does not rescue a failing signature",
            "required_for",
            true,
            tampered()?,
        )
        .refused("digest_mismatch", 11)
        .action("reject"),
        vector("supported-unsigned", "Supported, unsigned", "supported_for", false, unsigned())
            .unsigned()
            .action("accept"),
        vector(
            "supported-failing-fallback",
            "Supported: another credential does not rescue a failing signature",
            "supported_for",
            true,
            tampered()?,
        )
        .refused("digest_mismatch", 11)
        .action("reject"),
        vector(
            "supported-registration-unsigned",
            "A registration of webhook credentials must be signed, whatever is listed",
            "supported_for",
            true,
            registration().unsigned(),
        )
        .refused("required", 0)
        .action("reject"),
        vector(
            "registration-signed",
            "A signed registration of webhook credentials",
            "supported_for",
            false,
            registration().sign(keys, ED25519)?,
        )
        .action("accept"),
    ] {
        suite.add(vector);
    }
    Ok(())
}

/// A required operation that a path spells otherwise is required all the same.
fn hidden_operations(suite: &mut Suite) {
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"create_media_buy","arguments":{}}}"#;
    for (slug, name, message) in [
        (
            "path-trailing-slash",
            "The path ends in a slash",
            request().url("https://seller.example.com/adcp/create_media_buy/"),
        ),
        (
            "path-escaped",
            "The path spells the operation with an escape",
            request().url("https://seller.example.com/adcp/create%5Fmedia%5Fbuy"),
        ),
        (
            "path-matrix-parameter",
            "The last segment has a matrix parameter",
            request().url("https://seller.example.com/adcp/create_media_buy;v=1"),
        ),
        (
            "path-of-another-operation",
            "The path names another operation than the JSON-RPC envelope",
            request().url("https://seller.example.com/adcp/get_products").body(call),
        ),
    ] {
        suite.add(
            Vector::new(FOLDER, slug, name, OPERATION, message.unsigned()).refused("required", 0),
        );
    }
}

fn mcp(suite: &mut Suite, keys: &Keys) -> Result<()> {
    let to = |body: &str| request().url("https://seller.example.com/mcp").body(body);
    let capability = || {
        json!({
            "supported": true, "covers_content_digest": "required", "required_for": [CREATE],
            "protocol_methods_required_for": ["tasks/cancel"],
        })
    };
    let vector = |slug, name, sent: Sent| {
        Vector::new(MCP_FOLDER, slug, name, OPERATION, sent)
            .transport("mcp")
            .capability(capability())
    };
    let create = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"create_media_buy","arguments":{}}}"#;
    let other = create.replace(CREATE, "get_products");
    suite.add(
        vector("signed-call", "A signed tools/call", to(create).sign(keys, ED25519)?)
            .resolves(Some(CREATE)),
    );
    for (slug, name, body, resolved) in [
        (
            "unsigned-call-of-another",
            "An unsigned call of an operation that is not listed",
            other.as_str(),
            Some("get_products"),
        ),
        (
            "response",
            "A JSON-RPC response carries no operation",
            r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
            None,
        ),
        (
            "error-response",
            "Nor does an error",
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"x"}}"#,
            None,
        ),
        (
            "notification",
            "A notification of a method that is not listed",
            r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
            None,
        ),
    ] {
        suite.add(vector(slug, name, to(body).unsigned()).unsigned().resolves(resolved));
    }
    let get = request()
        .url("https://seller.example.com/mcp")
        .method("GET")
        .body("")
        .without_header("content-type");
    let name = "A GET that opens a stream carries no operation";
    suite.add(vector("get", name, get.unsigned()).unsigned().resolves(None));
    for (slug, name, body) in [
        ("unsigned-call", "An unsigned call of a required operation", create.to_owned()),
        (
            "escaped-name",
            "The name is spelled with escapes",
            create.replace(CREATE, r"cr\u0065ate\u005fmedia_buy"),
        ),
        (
            "escaped-method",
            "The method is spelled with an escape",
            create.replace("tools/call", r"tools\/call"),
        ),
        (
            "protocol-method",
            "An unsigned call of a required protocol method",
            r#"{"jsonrpc":"2.0","id":1,"method":"tasks/cancel","params":{"id":"t"}}"#.to_owned(),
        ),
    ] {
        suite.add(vector(slug, name, to(&body).unsigned()).refused("required", 0));
    }
    for (slug, name, body) in [
        ("batch", "A batch", format!("[{other}]")),
        ("empty-batch", "An empty batch", "[]".to_owned()),
        (
            "name-absent",
            "tools/call without a name",
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}}"#.to_owned(),
        ),
        ("name-number", "The name is a number", other.replace("\"get_products\"", "1")),
        (
            "name-twice",
            "The name occurs twice",
            other.replace("\"name\"", "\"name\":\"create_media_buy\",\"name\""),
        ),
        (
            "name-other-case",
            "A member differs from name by letter case",
            other.replace("\"name\"", "\"Name\":\"create_media_buy\",\"name\""),
        ),
        (
            "method-twice",
            "The method occurs twice, once with an escape",
            other.replace("\"method\"", "\"m\\u0065thod\":\"x\",\"method\""),
        ),
        (
            "params-array",
            "The parameters are an array",
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":[]}"#.to_owned(),
        ),
        ("not-json", "The body is no JSON", "create_media_buy".to_owned()),
    ] {
        suite.add(vector(slug, name, to(&body).unsigned()).refused("body_malformed", 0));
    }
    // Whether the operation can be told is asked before any header is looked at.
    let signed = to(&format!("[{other}]")).sign(keys, ED25519)?;
    suite.add(vector("batch-signed", "A signed batch", signed).refused("body_malformed", 0));
    Ok(())
}

/// A2A messages, at a contract.
pub(crate) fn a2a(suite: &mut Suite, keys: &Keys, folder: &'static str, kind: Kind) -> Result<()> {
    let request = || Message::request(kind);
    let to = |body: String| request().url("https://seller.example.com/a2a").body(body);
    let vector = |slug, name, sent: Sent| {
        Vector::new(
            folder,
            slug,
            name,
            "#verifier-checklist-requests step 0; #operation-resolution-over-a2a",
            sent,
        )
        .transport("a2a")
    };
    let message = |parts: &str| {
        let message = format!(r#"{{"messageId":"m","role":"ROLE_USER","parts":[{parts}]}}"#);
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{{"message":{message}}}}}"#
        )
    };
    let create = r#"{"data":{"skill":"create_media_buy","input":{}}}"#;
    let other = create.replace(CREATE, "get_products");
    let signed = to(message(create)).sign(keys, ED25519)?;
    suite.add(vector("signed-with-host", "A signed SendMessage", signed).resolves(Some(CREATE)));
    let response = r#"{"jsonrpc":"2.0","id":1,"result":{"skill":"create_media_buy"}}"#.to_owned();
    let name = "A JSON-RPC response carries no operation";
    suite.add(vector("response", name, to(response).unsigned()).unsigned().resolves(None));
    let with_text = message(&format!(r#"{{"text":"create_media_buy"}},{other}"#));
    let name = "Text beside the DataPart names no operation";
    suite.add(
        vector("text-beside-data", name, to(with_text).unsigned())
            .unsigned()
            .resolves(Some("get_products")),
    );

    let rest =
        format!(r#"{{"message":{{"messageId":"m","role":"ROLE_USER","parts":[{create}]}}}}"#);
    let rest = |path: &str| {
        request().url(&format!("https://seller.example.com{path}")).body(&rest).unsigned()
    };
    for (slug, name, sent) in [
        (
            "http-json-stream",
            "message:stream of the HTTP+JSON binding",
            rest("/a2a/message:stream"),
        ),
        ("http-json-tenant", "message:send below a tenant", rest("/a2a/tenant-1/message:send")),
        (
            "http-json-escaped",
            "The binding's path is spelled with an escape",
            rest("/a2a/message%3Asend"),
        ),
    ] {
        suite.add(vector(slug, name, sent).refused("required", 0));
    }
    for (slug, name, body) in [
        ("bom", "The body begins with a byte order mark", format!("\u{feff}{}", message(&other))),
        (
            "long-s-member",
            "A member has a long s, which some decoders fold",
            message(&other.replace("\"skill\"", "\"\u{17f}kill\":\"create_media_buy\",\"skill\"")),
        ),
        (
            "kelvin-member",
            "A member has a Kelvin sign, which some decoders fold",
            message(&other.replace("\"skill\"", "\"s\u{212a}ill\":\"create_media_buy\",\"skill\"")),
        ),
        (
            "parts-object",
            "The parts are an object",
            message(&other).replace(":[", ":{\"0\":").replace("}]}", "}}}"),
        ),
        ("parts-empty", "There are no parts", message("")),
        ("part-string", "A part is a string", message("\"create_media_buy\"")),
        (
            "message-absent",
            "There is no message",
            r#"{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{}}"#.to_owned(),
        ),
        (
            "data-twice",
            "A part has data twice",
            message(
                &other.replace("{\"data\"", "{\"data\":{\"skill\":\"create_media_buy\"},\"data\""),
            ),
        ),
        ("skill-null", "The skill is null", message(&other.replace("\"get_products\"", "null"))),
    ] {
        suite.add(vector(slug, name, to(body).unsigned()).refused("body_malformed", 0));
    }
    Ok(())
}
