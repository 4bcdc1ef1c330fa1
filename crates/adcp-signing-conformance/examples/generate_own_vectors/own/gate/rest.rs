//! Plain HTTP without a route: paths and bodies that a lenient server reads as a required
//! operation.

use serde_json::json;

use super::{by_path, request};
use crate::own::vector::Suite;

const CALL: &str =
    r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"create_media_buy"}}"#;
const BARE_CALL: &str = r#"{"method":"tools/call","params":{"name":"create_media_buy"}}"#;

pub(super) fn add(suite: &mut Suite) {
    for (slug, name, path) in [
        ("path-other-case", "The operation is in other letter case", "Create_Media_Buy"),
        ("path-extension", "The operation has an extension", "create_media_buy.json"),
        ("path-encoded-dot", "An encoded dot segment follows", "create_media_buy/%2e"),
        (
            "path-encoded-dots",
            "Encoded dot segments take a segment back",
            "create_media_buy/x/%2e%2e",
        ),
        ("path-encoded-slash", "An encoded slash follows", "create_media_buy%2F"),
        ("path-double-encoded-slash", "A slash follows, encoded twice", "create_media_buy%252F"),
        ("path-backslash", "A backslash stands for a slash", "x\\create_media_buy"),
        ("path-trailing-dot", "A dot follows", "create_media_buy."),
        ("path-trailing-space", "An encoded space follows", "create_media_buy%20"),
        ("path-nul", "An encoded NUL follows", "create_media_buy%00"),
        ("path-doubled-slash", "Two slashes follow", "create_media_buy//"),
        ("path-dotless-i", "A letter folds to an i by some tables", "create_med%C4%B0a_buy"),
        (
            "path-dot-segments-to-another",
            "Dot segments lead to another operation, and not every router follows them",
            "create_media_buy/../get_products",
        ),
        ("path-of-no-operation", "The path names no operation", "v1/Buy-Media"),
    ] {
        let sent = request().url(&format!("https://seller.example.com/adcp/{path}")).unsigned();
        suite.add(by_path(slug, name, sent).refused("required", 0));
    }

    let root = request().url("https://seller.example.com/").unsigned();
    let name = "The path is the root, and names no operation";
    suite.add(by_path("path-root", name, root).refused("required", 0));

    let to = |body: &[u8]| request().url("https://seller.example.com/mcp").body(body);
    let utf_16: Vec<u8> = CALL.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (slug, name, message) in [
        (
            "envelope-without-version",
            "The body is an envelope without its version",
            to(BARE_CALL.as_bytes()),
        ),
        ("envelope-utf-16", "The body is an envelope in UTF-16", to(&utf_16)),
        (
            "envelope-declared-compressed",
            "The body is declared as compressed",
            to(CALL.as_bytes()).header("Content-Encoding", "gzip"),
        ),
        (
            "envelope-compressed",
            "The body is compressed",
            to(&gzip(CALL.as_bytes())).header("Content-Encoding", "gzip"),
        ),
        (
            "envelope-declared-utf-7",
            "The body is declared as UTF-7",
            to(CALL.as_bytes()).content_type("application/json; charset=utf-7"),
        ),
    ] {
        suite.add(by_path(slug, name, message.unsigned()).refused("required", 0));
    }
    for (slug, name, body) in [
        ("envelope-in-a-batch", "The body is a batch", format!("[{BARE_CALL}]")),
        (
            "envelope-in-a-nested-batch",
            "The body is a batch within a batch",
            format!("[[{BARE_CALL}]]"),
        ),
        (
            "envelope-method-other-case",
            "The member method is in other letter case",
            BARE_CALL.replace("method", "Method"),
        ),
    ] {
        suite.add(by_path(slug, name, to(body.as_bytes()).unsigned()).refused("body_malformed", 0));
    }

    let odd = || request().url("https://seller.example.com/adcp/create_media_buy.json").unsigned();
    let list = |list: &str| json!({"supported": true, "covers_content_digest": "required", list: ["create_media_buy"]});
    let name = "Another credential does not excuse a path that names no operation";
    suite.add(
        by_path("path-undetermined-fallback", name, odd()).fallback(true).refused("required", 0),
    );
    let name = "Nor does shadow mode";
    suite.add(
        by_path("path-undetermined-warn", name, odd())
            .capability(list("warn_for"))
            .fallback(true)
            .refused("required", 0)
            .action("reject"),
    );
    let name = "A path that names no operation, where nothing is required";
    suite.add(
        by_path("path-undetermined-nothing-required", name, odd())
            .capability(list("supported_for"))
            .unsigned()
            .resolves(None),
    );
    let other = request().url("https://seller.example.com/adcp/get_products").unsigned();
    let name = "The path names an operation that is not listed";
    suite.add(
        by_path("path-of-an-unlisted-operation", name, other)
            .unsigned()
            .resolves(Some("get_products")),
    );
}

/// `data` in a gzip member (RFC 1952) of one stored block, so that no compressor is needed.
pub(super) fn gzip(data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).unwrap_or(u16::MAX);
    let mut member = b"\x1f\x8b\x08\0\0\0\0\0\0\xff\x01".to_vec();
    member.extend(length.to_le_bytes());
    member.extend((!length).to_le_bytes());
    member.extend(data);
    let mut crc = u32::MAX;
    for byte in data {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    member.extend((!crc).to_le_bytes());
    member.extend(u32::from(length).to_le_bytes());
    member
}
