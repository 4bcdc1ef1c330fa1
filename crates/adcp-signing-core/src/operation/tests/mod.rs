//! Tables and properties of pre-check 0, one file for each subject.

mod a2a;
mod capability;
mod continuation;
mod mcp;
mod properties;
mod rest;
mod webhook;

use super::*;
use crate::json::Document;
use crate::target_uri::{RawHost, RootDot, Rules, TargetUri};

const ORIGIN: &str = "https://seller.example.com";

const BUY: &str = r#"{"data":{"skill":"create_media_buy","input":{"budget":5000}}}"#;
const GET: &str = r#"{"data":{"skill":"get_products","input":{"brief":"CTV"}}}"#;

/// A request as a server receives it.
#[derive(Clone, Copy)]
struct Message<'a> {
    method: &'a str,
    url: &'a str,
    content_type: Option<&'a [u8]>,
    content_encoding: Option<&'a [u8]>,
    overrides_method: bool,
    body: &'a [u8],
}

impl<'a> Message<'a> {
    fn new(method: &'a str, url: &'a str, body: &'a [u8]) -> Self {
        let (content_type, content_encoding) = (None, None);
        Self { method, url, content_type, content_encoding, overrides_method: false, body }
    }

    fn typed(self, content_type: &'a str) -> Self {
        Self { content_type: Some(content_type.as_bytes()), ..self }
    }

    fn coded(self, content_encoding: &'a str) -> Self {
        Self { content_encoding: Some(content_encoding.as_bytes()), ..self }
    }

    /// What the request asks for, and whether it registers webhook credentials.
    fn judge(&self, transport: &Transport) -> Result<(Resolved, bool), OperationError> {
        let rules = Rules { root_dot: RootDot::Strip, raw_host: RawHost::Refuse };
        let uri = TargetUri::canonicalize(self.url, rules).ok();
        let target = Target::new(self.method, self.url, uri.as_ref(), self.overrides_method);
        let document = Document::parse(self.body);
        let body = BodyView {
            bytes: self.body,
            document: document.as_ref(),
            content_type: self.content_type,
            content_encoding: self.content_encoding,
        };
        let resolved = resolve(transport, &target, &body)?;
        let registers = registers_webhook_credentials(&body, &resolved);
        Ok((resolved, registers))
    }

    fn resolve(&self, transport: &Transport) -> Result<Resolved, OperationError> {
        self.judge(transport).map(|(resolved, _)| resolved)
    }
}

/// The request of `method` for `path` at the seller.
fn at(
    transport: &Transport,
    method: &str,
    path: &str,
    body: impl AsRef<[u8]>,
) -> Result<Resolved, OperationError> {
    Message::new(method, &format!("{ORIGIN}{path}"), body.as_ref()).resolve(transport)
}

fn a2a(body: &str) -> Result<Resolved, OperationError> {
    at(&Transport::A2a, "POST", "/a2a/jsonrpc", body)
}

fn mcp(body: &str) -> Result<Resolved, OperationError> {
    at(&Transport::Mcp, "POST", "/mcp", body)
}

fn by_path(path: &str, body: impl AsRef<[u8]>) -> Result<Resolved, OperationError> {
    at(&Transport::RestPath, "POST", path, body)
}

/// What a JSON-RPC request of these names resolves to.
fn names(operation: Option<&str>, protocol_method: Option<&str>) -> Resolved {
    let mut resolved = Resolved::nothing();
    operation.into_iter().for_each(|name| resolved.add_operation(name));
    protocol_method.into_iter().for_each(|name| resolved.add_method(name.to_owned(), false));
    resolved
}

fn undetermined() -> Resolved {
    doubtful(Resolved::nothing())
}

fn doubtful(mut resolved: Resolved) -> Resolved {
    resolved.undetermined_if(true);
    resolved
}

/// Operations, and protocol methods with a `*` where a path stands for them.
fn shown(resolved: &Resolved) -> (Vec<String>, Vec<String>) {
    let operations = resolved.operation().into_iter().chain(resolved.further_operations());
    let method = |method: &ProtocolMethod| {
        format!("{}{}", method.name(), if method.is_bound() { "*" } else { "" })
    };
    (
        operations.map(str::to_owned).collect(),
        resolved.protocol_methods().iter().map(method).collect(),
    )
}

/// A `SendMessage` whose message has these parts.
fn parts(parts: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":"1","method":"SendMessage","params":{{"message":{{"messageId":"m","role":"ROLE_USER","parts":[{parts}]}}}}}}"#
    )
}

fn requiring(operations: &[&str], methods: &[&str]) -> RequestSigningCapability {
    RequestSigningCapability::supported_with(DigestPolicy::Required)
        .with_operations(List::Required, operations.iter().copied())
        .and_then(|capability| {
            capability.with_protocol_methods(List::Required, methods.iter().copied())
        })
        .unwrap()
}

/// Whether an unsigned request is let pass without another credential.
fn passes_unsigned(
    outcome: Result<Resolved, OperationError>,
    capability: &RequestSigningCapability,
) -> bool {
    outcome.is_ok_and(|resolved| capability.posture(&resolved) < Posture::Warn)
}

fn utf16(text: &str, to_bytes: impl Fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(to_bytes).collect()
}

fn utf32(text: &str, to_bytes: impl Fn(u32) -> [u8; 4]) -> Vec<u8> {
    text.chars().flat_map(|character| to_bytes(character.into())).collect()
}

fn prefixed(prefix: &[u8], body: &[u8]) -> Vec<u8> {
    [prefix, body].concat()
}

/// Bodies from which a lenient decoder reads `json`, and a strict one nothing.
fn disguises(json: &str) -> Vec<(&'static str, Vec<u8>)> {
    let plain = json.as_bytes();
    vec![
        ("UTF-16LE", utf16(json, u16::to_le_bytes)),
        ("UTF-16BE", utf16(json, u16::to_be_bytes)),
        ("UTF-16LE with BOM", prefixed(b"\xff\xfe", &utf16(json, u16::to_le_bytes))),
        ("UTF-16BE with BOM", prefixed(b"\xfe\xff", &utf16(json, u16::to_be_bytes))),
        ("UTF-32LE", utf32(json, u32::to_le_bytes)),
        ("UTF-32BE", utf32(json, u32::to_be_bytes)),
        ("UTF-32LE with BOM", prefixed(b"\xff\xfe\0\0", &utf32(json, u32::to_le_bytes))),
        ("UTF-8 with BOM", prefixed(b"\xef\xbb\xbf", plain)),
        ("two BOMs", prefixed(b"\xef\xbb\xbf\xef\xbb\xbf", plain)),
        ("block comment", prefixed(b"/* c */", plain)),
        ("line comment", prefixed(b"//c\n", plain)),
        ("hash comment", prefixed(b"#c\n", plain)),
        ("NUL", prefixed(b"\0", plain)),
        ("vertical tab", prefixed(b"\x0b", plain)),
        ("form feed", prefixed(b"\x0c", plain)),
        ("no-break space", prefixed("\u{a0}".as_bytes(), plain)),
        ("record separator", prefixed(b"\x1e", plain)),
        ("JSONP", prefixed(b"cb(", &prefixed(plain, b")"))),
        ("UTF-7", prefixed(b"+AHs-", plain)),
        ("gzip", prefixed(b"\x1f\x8b\x08\0\0\0\0\0\0\x03", plain)),
        ("trailing comma", prefixed(plain, b",")),
    ]
}

#[test]
fn only_a_route_names_the_operation_without_the_body() {
    assert!(!Transport::Rest { operation: "get_products".to_owned() }.reads_body());
    assert!(
        [Transport::RestPath, Transport::Mcp, Transport::A2a].iter().all(Transport::reads_body)
    );
}

#[test]
fn what_is_undetermined_does_not_ask_for_nothing() {
    assert!(Resolved::nothing().asks_for_nothing());
    let undetermined = Resolved::undetermined();
    assert!(undetermined.is_undetermined() && !undetermined.asks_for_nothing());
    let operation = Resolved::of_operation("get_products");
    assert_eq!(operation.operation(), Some("get_products"));
    assert!(!operation.asks_for_nothing());
    let method = Resolved::of_protocol_method("tasks/cancel");
    assert_eq!(method.protocol_methods()[0].name(), "tasks/cancel");
    assert!(!method.asks_for_nothing());
}

#[test]
fn a_method_that_a_path_stands_for_stays_bound() {
    for order in [[true, false], [false, true], [true, true]] {
        let mut resolved = Resolved::nothing();
        order.into_iter().for_each(|is_bound| resolved.add_method("GetTask", is_bound));
        assert_eq!(resolved.protocol_methods().len(), 1);
        assert!(resolved.protocol_methods()[0].is_bound(), "{order:?}");
    }
}
