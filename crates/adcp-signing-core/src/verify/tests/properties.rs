//! What must hold for every message.

use futures_executor::block_on;
use proptest::prelude::*;

use super::support::{NOW, Scene, key, listed};
use crate::{
    clock::FixedClock,
    operation::{DigestPolicy, List, RequestSigningCapability, Transport},
    profile::WireVersion,
    replay::InMemoryReplayStore,
    resolver::StaticKeys,
    revocation::NoRevocation,
    rfc9421::{FieldLine, Request},
    verify::{Context, FallbackCredential, Verified, Verifier},
};

/// Ways in which a URL that reaches a handler may be written.
fn url(path: &'static str) -> impl Strategy<Value = String> {
    let scheme = prop::sample::select(vec!["https", "HTTPS", "http", ""]);
    let host = prop::sample::select(vec![
        "seller.example.com",
        "SELLER.example.com.",
        "seller.example.com:",
        "seller.example.com:443",
        "seller.example.com:0443",
        "seller.example.com:99999",
        "seller..example.com",
        "u:p@seller.example.com",
        "[::1]",
        "[fe80::1%25eth0]",
        "xn--a-.example.com",
        "b\u{fc}cher.example",
    ]);
    let noise = prop::collection::vec(
        (any::<prop::sample::Index>(), prop::sample::select(vec!["/", "/./", "//", "case", "esc"])),
        0..4,
    );
    let suffix = prop::sample::select(vec!["", "/", "//", ";v=1", "/;"]);
    let tail = prop_oneof![
        Just(String::new()),
        Just("?".to_owned()),
        Just("?x=/get_products".to_owned()),
        Just("?x= 1".to_owned()),
        Just("#/get_products".to_owned()),
        Just(format!("?{}", "a".repeat(9_000))),
        "[?#][ -~]{0,40}",
    ];
    (scheme, host, noise, suffix, tail).prop_map(move |(scheme, host, noise, suffix, tail)| {
        let mut path = path.to_owned();
        for (index, kind) in noise {
            let at = index.index(path.len());
            let (before, after) = path.split_at(at);
            let character = after.chars().next().unwrap_or('/');
            let written = match (kind, character) {
                ("case", _) => character.to_ascii_uppercase().to_string(),
                ("esc", '/') => "/".to_owned(),
                ("esc", _) => format!("%{:02x}", character as u32),
                (separator, '/') => separator.to_owned(),
                _ => continue,
            };
            // Only whole characters outside escapes are rewritten.
            let is_in_escape = before.bytes().rev().take(2).any(|byte| byte == b'%');
            if !is_in_escape {
                path.replace_range(at..=at, &written);
            }
        }
        let origin = if scheme.is_empty() { String::new() } else { format!("{scheme}://{host}") };
        format!("{origin}{path}{suffix}{tail}")
    })
}

fn encoded(text: String) -> impl Strategy<Value = Vec<u8>> {
    let utf16 = |text: &str, bytes: fn(u16) -> [u8; 2]| {
        text.encode_utf16().flat_map(bytes).collect::<Vec<_>>()
    };
    let plain = text.clone().into_bytes();
    let prefixes = ["\u{feff}", " ", "\u{b}", "\0", "/*c*/", "//c\n", "#c\n", "\u{1e}", "["];
    let prefixed = text.clone();
    prop_oneof![
        3 => Just(plain.clone()),
        1 => Just(utf16(&text, u16::to_le_bytes)),
        1 => Just(utf16(&text, u16::to_be_bytes)),
        2 => prop::sample::select(prefixes.to_vec())
            .prop_map(move |prefix| format!("{prefix}{prefixed}").into_bytes()),
        1 => (0..plain.len()).prop_map(move |end| plain[..end].to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..40),
        1 => Just(Vec::new()),
    ]
}

fn fields() -> impl Strategy<Value = Vec<(String, String)>> {
    let known = prop::sample::select(vec![
        ("Content-Type", "application/json"),
        ("Content-Type", "application/json; charset=utf-16"),
        ("Content-Type", "text/plain"),
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Content-Type", "multipart/form-data; boundary=x"),
        ("Content-Encoding", "gzip"),
        ("Host", "other.example.com"),
        ("X-HTTP-Method-Override", "GET"),
        ("Authorization", "Bearer x"),
        ("Signature-Agent", "sig1=\"https://a.example\""),
        ("Content-Digest", "sha-256=:AA==:"),
    ]);
    let known = known.prop_map(|(name, value)| (name.to_owned(), value.to_owned()));
    // Never one of the two fields that make a claim to be signed.
    let other = ("[A-Za-z-]{1,12}", "[ -~]{0,20}");
    let field = prop_oneof![3 => known, 1 => other].prop_filter("unsigned", |(name, _)| {
        !name.eq_ignore_ascii_case("signature") && !name.eq_ignore_ascii_case("signature-input")
    });
    prop::collection::vec(field, 0..5)
}

fn is_accepted(
    capability: RequestSigningCapability,
    transport: &Transport,
    method: &str,
    url: &str,
    fields: &[(String, String)],
    body: &[u8],
) -> bool {
    let verifier = Verifier::for_requests(WireVersion::V3_2, capability)
        .keys(StaticKeys::default())
        .revocation(NoRevocation)
        .replay(InMemoryReplayStore::default())
        .clock(FixedClock::new(NOW))
        .build();
    let lines: Vec<_> = fields.iter().map(|(name, value)| FieldLine::new(name, value)).collect();
    let request = Request::new(method, url, &lines, body);
    block_on(verifier.verify(&request, &Context::request(transport))).is_ok()
}

fn method() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec!["POST", "GET", "post", "HEAD", "DELETE", "PUT"]);
    prop_oneof![4 => known.prop_map(str::to_owned), 1 => "[A-Za-z]{1,8}"]
}

const CALL: &str =
    r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"create_media_buy"}}"#;
const SEND: &str = r#"{"jsonrpc":"2.0","id":1,"method":"message/send","params":{"message":{"parts":[{"kind":"data","data":{"skill":"create_media_buy"}}]}}}"#;
const MESSAGE: &str = r#"{"message":{"parts":[{"data":{"skill":"create_media_buy"}}]}}"#;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn over_rest_no_unsigned_request_to_a_required_operation_is_accepted(
        url in url("/adcp/create_media_buy"),
        method in method(),
        fields in fields(),
        body in encoded(r#"{"budget":1}"#.to_owned()),
        by_path in any::<bool>(),
    ) {
        let transport = if by_path {
            Transport::RestPath
        } else {
            Transport::Rest { operation: "create_media_buy".to_owned() }
        };
        let capability = listed(Some(List::Required));
        prop_assert!(!is_accepted(capability, &transport, &method, &url, &fields, &body));
    }

    /// Without a body, a request over MCP asks for nothing; with one, all of them are refused.
    #[test]
    fn over_mcp_no_unsigned_call_of_a_required_operation_is_accepted(
        url in url("/mcp"),
        method in method(),
        fields in fields(),
        body in encoded(CALL.to_owned()),
    ) {
        prop_assume!(!body.is_empty());
        let capability = listed(Some(List::Required));
        prop_assert!(!is_accepted(capability, &Transport::Mcp, &method, &url, &fields, &body));
    }

    #[test]
    fn over_a2a_json_rpc_no_unsigned_call_of_a_required_operation_is_accepted(
        url in url("/a2a"),
        method in method(),
        fields in fields(),
        body in encoded(SEND.to_owned()),
    ) {
        let capability = listed(Some(List::Required));
        prop_assert!(!is_accepted(capability, &Transport::A2a, &method, &url, &fields, &body));
    }

    #[test]
    fn over_a2a_http_json_no_unsigned_message_for_a_required_operation_is_accepted(
        url in url("/v1/message:send"),
        method in method(),
        fields in fields(),
        body in encoded(MESSAGE.to_owned()),
    ) {
        let capability = listed(Some(List::Required));
        prop_assert!(!is_accepted(capability, &Transport::A2a, &method, &url, &fields, &body));
    }

    #[test]
    fn over_a2a_http_json_no_unsigned_call_of_a_required_method_is_accepted(
        (url, required) in prop_oneof![
            (url("/v1/tasks/7:cancel"), prop::sample::select(vec!["CancelTask", "tasks/cancel"])),
            (
                url("/v1/tasks/7/pushNotificationConfigs/message:send"),
                Just("DeleteTaskPushNotificationConfig"),
            ),
        ],
        body in encoded(r#"{"jsonrpc":"2.0","id":1,"method":"GetTask"}"#.to_owned()),
        fields in fields(),
    ) {
        let capability = RequestSigningCapability::supported_with(DigestPolicy::Required)
            .with_protocol_methods(List::Required, [required])
            .unwrap();
        let method = if required.starts_with("Delete") { "DELETE" } else { "POST" };
        prop_assert!(!is_accepted(capability, &Transport::A2a, method, &url, &fields, &body));
    }

    /// Signed outranks another credential, which outranks none.
    #[test]
    fn stripping_or_renaming_fields_of_a_signed_message_never_raises_what_it_may_do(
        list in prop::sample::select(vec![
            None, Some(List::Supported), Some(List::Warn), Some(List::Required),
        ]),
        has_fallback in any::<bool>(),
        webhook in any::<bool>(),
        index in any::<prop::sample::Index>(),
        rename in prop::option::of("[A-Za-z-]{1,16}"),
        second in any::<prop::sample::Index>(),
    ) {
        let fallback =
            if has_fallback { FallbackCredential::Valid } else { FallbackCredential::Absent };
        let scene = Scene { webhook, capability: listed(list), fallback, ..Scene::default() };
        let key = key();
        let (fields, body) = scene.message(&key);
        let rank = |fields: &[(String, String)]| {
            match scene.verify_message(&key, fields, body.as_bytes()) {
                Ok(Verified::Signed(_)) => 3,
                Ok(Verified::Fallback(_)) => 2,
                Ok(Verified::Anonymous(_)) => 1,
                Err(_) => 0,
            }
        };
        prop_assert_eq!(rank(&fields), 3);
        let mut changed = fields.clone();
        let at = index.index(changed.len());
        match rename {
            Some(name) => changed[at].0 = name,
            None => drop(changed.remove(at)),
        }
        let once = rank(&changed);
        prop_assert!(once <= 3);
        if webhook {
            let is_signature = |name: &str| {
                ["signature", "signature-input", "content-digest", "content-type"]
                    .contains(&name.to_ascii_lowercase().as_str())
            };
            let whole = fields.iter().all(|(name, _)| {
                !is_signature(name) || changed.iter().any(|(other, _)| other == name)
            });
            prop_assert!(whole || once == 0, "a webhook is signed or refused");
        }
        if list == Some(List::Required) && !has_fallback {
            prop_assert!(once == 0 || once == 3);
        }
        changed.remove(second.index(changed.len()));
        let unsigned = if has_fallback { 2 } else { 1 };
        prop_assert!(rank(&changed) <= once.max(unsigned), "more than an unsigned message may do");
    }
}
