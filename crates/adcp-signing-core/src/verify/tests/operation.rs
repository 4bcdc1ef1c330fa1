//! Step 0 through the verifier: whatever cannot be told is refused while anything is required.

use std::sync::Arc;

use futures_executor::block_on;

use super::support::{Edges, NOW, Scene, key, required};
use crate::{
    clock::FixedClock,
    nonce::Nonce,
    operation::{DigestPolicy, List, RequestSigningCapability, Transport},
    profile::WireVersion,
    provider::InMemoryProvider,
    replay::InMemoryReplayStore,
    resolver::StaticKeys,
    revocation::NoRevocation,
    rfc9421::{FieldLine, Request},
    verify::{Context, FallbackCredential, Rejection, Step, Verified, Verifier},
};

/// An endpoint, and what is asked there without a signature.
#[derive(Clone)]
struct Ask<'a> {
    capability: RequestSigningCapability,
    transport: Transport,
    fallback: FallbackCredential,
    method: &'a str,
    url: &'a str,
    fields: &'a [(&'a str, &'a str)],
    body: &'a [u8],
}

impl Default for Ask<'_> {
    fn default() -> Self {
        Self {
            capability: required(),
            transport: Transport::RestPath,
            fallback: FallbackCredential::Absent,
            method: "POST",
            url: "https://seller.example.com/adcp/create_media_buy",
            fields: &[("Content-Type", "application/json")],
            body: b"{}",
        }
    }
}

impl Ask<'_> {
    fn answer(&self) -> Result<Verified, Rejection> {
        let verifier = Verifier::for_requests(WireVersion::V3_2, self.capability.clone())
            .keys(StaticKeys::default())
            .revocation(NoRevocation)
            .replay(InMemoryReplayStore::default())
            .clock(FixedClock::new(NOW))
            .build();
        let lines: Vec<_> =
            self.fields.iter().map(|(name, value)| FieldLine::new(name, value)).collect();
        let request = Request::new(self.method, self.url, &lines, self.body);
        let context = Context::request(&self.transport).with_fallback(self.fallback);
        block_on(verifier.verify(&request, &context))
    }

    fn code(&self) -> String {
        match self.answer() {
            Ok(verified) => format!("accepted: {verified:?}"),
            Err(rejection) => {
                assert_eq!(rejection.step(), Step::Precheck, "{rejection}");
                rejection.reason().as_str().to_owned()
            }
        }
    }
}

fn methods(names: &[&str]) -> RequestSigningCapability {
    RequestSigningCapability::supported_with(DigestPolicy::Required)
        .with_protocol_methods(List::Required, names.iter().copied())
        .unwrap()
}

#[test]
fn an_unsigned_request_whose_url_cannot_be_canonicalized_is_refused() {
    let long = format!("https://seller.example.com/adcp/create_media_buy?x={}", "a".repeat(9_000));
    let long_path = format!("{long}/get_products");
    let long_fragment =
        format!("https://seller.example.com/adcp/create_media_buy#{}", "a".repeat(9_000));
    let urls = [
        "https://seller.example.com:/adcp/create_media_buy?x=/get_products",
        "https://seller.example.com:0443/adcp/create_media_buy?x=1",
        "https://seller.example.com:099/adcp/create_media_buy?x=1",
        "https://xn--a-.example.com/adcp/create_media_buy?x=1",
        "https://seller..example.com/adcp/create_media_buy?x=1",
        "https://seller.example.com/%zz/../create_media_buy?x=1",
        "https://seller.example.com/adcp/create_media_buy?x= 1",
        "/adcp/create_media_buy?x=/y",
        "/adcp/create_media_buy?x=1",
        "",
        &long,
        &long_path,
        &long_fragment,
    ];
    for url in urls {
        for transport in [
            Transport::RestPath,
            Transport::Rest { operation: "create_media_buy".into() },
            Transport::A2a,
            Transport::Mcp,
        ] {
            let ask = Ask { url, transport, ..Ask::default() };
            assert_eq!(ask.code(), "request_target_uri_malformed", "{url}");
            // Another credential does not make a malformed target sound.
            let ask = Ask { fallback: FallbackCredential::Valid, ..ask };
            assert_eq!(ask.code(), "request_target_uri_malformed", "{url}");
        }
    }
    let control = Ask::default();
    assert_eq!(control.code(), "request_signature_required");
    let a2a = Ask {
        capability: methods(&["ListTasks"]),
        transport: Transport::A2a,
        method: "GET",
        url: "https://s.example.com:/v1/tasks?pageSize=9",
        body: b"",
        ..Ask::default()
    };
    assert_eq!(a2a.code(), "request_target_uri_malformed");
}

#[test]
fn a_body_does_not_hide_the_method_of_an_a2a_path() {
    let listed =
        ["CancelTask", "CreateTaskPushNotificationConfig", "DeleteTaskPushNotificationConfig"];
    let cases: [(&str, &str, &[u8]); 5] = [
        ("POST", "/v1/tasks/7:cancel", br#"{"method":"x"}"#),
        ("POST", "/v1/tasks/7:cancel", br#"{"jsonrpc":"2.0","id":1,"method":"GetTask"}"#),
        (
            "POST",
            "/v1/tasks/7/pushNotificationConfigs",
            br#"{"method":"x","url":"https://evil.example"}"#,
        ),
        ("DELETE", "/v1/tasks/7/pushNotificationConfigs/c", br#"{"method":"x"}"#),
        ("POST", "/v1/tasks/7:cancel", br#"{"method":"GetTask"}"#),
    ];
    // The paths of A2A 0.3 are those of 1.0, so a capability with its names covers them.
    let old =
        ["tasks/cancel", "tasks/pushNotificationConfig/set", "tasks/pushNotificationConfig/delete"];
    for names in [listed, old] {
        for (method, path, body) in cases {
            for body in [body, b"{}".as_slice(), b""] {
                let url = format!("https://s.example.com{path}");
                let ask = Ask {
                    capability: methods(&names),
                    transport: Transport::A2a,
                    method,
                    url: &url,
                    body,
                    ..Ask::default()
                };
                assert_eq!(ask.code(), "request_signature_required", "{method} {path} {names:?}");
            }
        }
    }
}

#[test]
fn methods_and_segments_are_folded_as_routers_fold_them() {
    let names = ["DeleteTaskPushNotificationConfig", "ListTasks"];
    for (method, path) in [
        ("DELETE", "/v1/tasks/7/pushNotificationConfigs/c"),
        ("delete", "/v1/tasks/7/pushNotificationConfigs/c"),
        ("Delete", "/v1/tasks/7/pushNotificationConfigs/c"),
        ("get", "/v1/tasks"),
        ("HEAD", "/v1/tasks"),
        ("head", "/v1/tasks/"),
        ("DELETE", "/v1/tasks/7/pushNotificationConfigs//c"),
        ("DELETE", "/v1//tasks/7//pushNotificationConfigs/c/"),
        ("DELETE", "/v1/tasks/7/pushNotificationConfigs/message:send"),
        ("DELETE", "/v1/tasks/7/pushnotificationconfigs/c"),
        ("DELETE", "/v1/tasks/7/push%4eotificationConfigs/c"),
        ("PURGE", "/v1/tasks/7/pushNotificationConfigs/c"),
        ("GET", "/v1/anything/else"),
    ] {
        let url = format!("https://s.example.com{path}");
        let ask = Ask {
            capability: methods(&names),
            transport: Transport::A2a,
            method,
            url: &url,
            fields: &[],
            body: b"",
            ..Ask::default()
        };
        assert_eq!(ask.code(), "request_signature_required", "{method} {path}");
    }
    for operation in
        ["/adcp/create_media_buy/", "/adcp//create_media_buy", "/adcp/Create_Media_Buy;v=1"]
    {
        let url = format!("https://s.example.com{operation}");
        assert_eq!(Ask { url: &url, ..Ask::default() }.code(), "request_signature_required");
    }
}

#[test]
fn a_rest_path_that_names_no_operation_is_refused_while_anything_is_required() {
    let paths = [
        "/adcp/create_media_buy/%2e",
        "/adcp/create_media_buy%2F",
        "/adcp/create_media_buy/x/%2e%2e",
        "/adcp/create_media_buy.json",
        "/adcp/create_media_buy/../get_products",
        "/adcp\\create_media_buy",
        "/v1/media-buys",
        "/",
        "",
    ];
    for path in paths {
        let url = format!("https://seller.example.com{path}");
        for fallback in [FallbackCredential::Absent, FallbackCredential::Valid] {
            let ask = Ask { url: &url, fallback, ..Ask::default() };
            assert_eq!(ask.code(), "request_signature_required", "{path}");
            let warned = RequestSigningCapability::supported_with(DigestPolicy::Required)
                .with_operations(List::Warn, ["create_media_buy"])
                .unwrap();
            let ask = Ask { capability: warned, ..ask };
            assert_eq!(ask.code(), "request_signature_required", "{path}");
        }
        let nothing = RequestSigningCapability::supported_with(DigestPolicy::Required);
        let ask = Ask { url: &url, capability: nothing, ..Ask::default() };
        assert!(matches!(ask.answer(), Ok(Verified::Anonymous(_))), "{path}");
    }
}

#[test]
fn an_envelope_counts_over_rest_however_it_is_written() {
    let call = r#"{"method":"tools/call","params":{"name":"create_media_buy"}}"#;
    let utf16: Vec<u8> = call.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let bodies: [&[u8]; 3] = [call.as_bytes(), &format!("[[{call}]]").into_bytes(), &utf16];
    for body in bodies {
        let ask = Ask { url: "https://seller.example.com/mcp", body, ..Ask::default() };
        assert!(ask.answer().is_err(), "{}", String::from_utf8_lossy(body));
    }
}

/// A body that a lenient decoder could read as webhook credentials counts as one.
#[test]
fn webhook_credentials_must_be_signed_in_every_encoding() {
    let plain = r#"{"push_notification_config":{"url":"https://b.example/w","authentication":{"schemes":["Bearer"],"credentials":"x"}}}"#;
    let utf16 = |bytes: fn(u16) -> [u8; 2], bom: &[u8]| {
        let mut body = bom.to_vec();
        body.extend(plain.encode_utf16().flat_map(bytes));
        body
    };
    let utf32: Vec<u8> =
        plain.chars().flat_map(|character| (character as u32).to_be_bytes()).collect();
    let prefixed = |prefix: &str| format!("{prefix}{plain}").into_bytes();
    let bodies = [
        plain.as_bytes().to_vec(),
        utf16(u16::to_le_bytes, b""),
        utf16(u16::to_be_bytes, b""),
        utf16(u16::to_le_bytes, b"\xff\xfe"),
        utf16(u16::to_be_bytes, b"\xfe\xff"),
        utf32,
        prefixed("/* c */"),
        prefixed("// c\n"),
        prefixed("# c\n"),
        prefixed("\u{b}"),
        prefixed("\u{a0}"),
        prefixed("\0"),
        prefixed("\u{1e}"),
        prefixed("\u{feff}"),
        prefixed("\u{feff}\u{feff}"),
        prefixed("callback("),
        b"+AHs-".to_vec(),
    ];
    for body in bodies {
        for content_type in ["application/json", "text/plain", "application/octet-stream"] {
            let ask = Ask {
                capability: RequestSigningCapability::supported_with(DigestPolicy::Required),
                transport: Transport::Rest { operation: "get_products".into() },
                fallback: FallbackCredential::Valid,
                fields: &[("Content-Type", content_type)],
                body: &body,
                ..Ask::default()
            };
            assert_eq!(ask.code(), "request_signature_required", "{body:?}");
        }
    }
    let compressed = Ask {
        capability: RequestSigningCapability::supported_with(DigestPolicy::Required),
        transport: Transport::Rest { operation: "get_products".into() },
        fallback: FallbackCredential::Valid,
        fields: &[("Content-Type", "application/json"), ("Content-Encoding", "gzip")],
        body: b"\x1f\x8b\x08",
        ..Ask::default()
    };
    assert_eq!(compressed.code(), "request_signature_required");
    let without = Ask {
        fields: &[("Content-Type", "application/json")],
        body: br#"{"push_notification_config":{"url":"https://b.example/w"}}"#,
        ..compressed
    };
    assert!(matches!(without.answer(), Ok(Verified::Fallback(_))));
}

/// Any of the three fields may make a router run another method than the one that was sent.
#[test]
fn a_field_that_replaces_the_method_leaves_the_a2a_method_undetermined() {
    let ask = Ask {
        capability: methods(&["DeleteTaskPushNotificationConfig"]),
        transport: Transport::A2a,
        method: "GET",
        url: "https://s.example.com/v1/tasks/t-1/pushNotificationConfigs/c-1",
        fields: &[],
        body: b"",
        ..Ask::default()
    };
    assert!(matches!(ask.answer(), Ok(Verified::Anonymous(_))));
    for name in ["X-HTTP-Method-Override", "x-http-method", "X-Method-Override"] {
        let ask = Ask { fields: &[(name, "DELETE")], ..ask.clone() };
        assert_eq!(ask.code(), "request_signature_required", "{name}");
    }
    let other = Ask { fields: &[("X-HTTP-Methods", "DELETE")], ..ask };
    assert!(matches!(other.answer(), Ok(Verified::Anonymous(_))));
}

/// A body that is said to be compressed is not the JSON that it looks like.
#[test]
fn a_coded_body_counts_as_credentials_whatever_it_looks_like() {
    let ask = Ask {
        capability: RequestSigningCapability::supported_with(DigestPolicy::Required),
        transport: Transport::Rest { operation: "get_products".into() },
        ..Ask::default()
    };
    assert!(ask.answer().is_ok());
    let json = ("Content-Type", "application/json");
    let coded = Ask { fields: &[json, ("Content-Encoding", "gzip")], ..ask.clone() };
    assert_eq!(coded.code(), "request_signature_required");
    let identity = Ask { fields: &[json, ("Content-Encoding", "identity")], ..ask };
    assert!(identity.answer().is_ok());
}

#[test]
fn webhook_credentials_count_in_all_places_where_they_are_registered() {
    let auth = r#""authentication":{"schemes":["Bearer"]}"#;
    let bodies = [
        format!(r#"{{"push_notification_config":{{{auth}}}}}"#),
        format!(r#"{{"accounts":[{{"notification_configs":[{{{auth}}}]}}]}}"#),
        format!(r#"{{"configuration":{{"notification_configs":[{{}},{{{auth}}}]}}}}"#),
        format!(r#"{{"notification_configs":[{{{auth}}}]}}"#),
        format!(r#"{{"reporting_webhook":{{{auth}}}}}"#),
        format!(r#"{{"artifact_webhook":{{{auth}}}}}"#),
        format!(r#"{{"pushNotificationConfig":{{{auth}}}}}"#),
        r#"{"Push_Notification_Config":{"Authentication":{}}}"#.to_owned(),
        format!(r#"{{"params":{{"configuration":{{"pushNotificationConfig":{{{auth}}}}}}}}}"#),
    ];
    for body in bodies {
        let ask = Ask {
            capability: RequestSigningCapability::supported_with(DigestPolicy::Required),
            transport: Transport::Rest { operation: "sync_principal".into() },
            body: body.as_bytes(),
            ..Ask::default()
        };
        assert_eq!(ask.code(), "request_signature_required", "{body}");
    }
}

/// With `either`, a signature of 3.0 and 3.1 need not cover the body: then somebody on the way may
/// have put the credentials there.
#[test]
fn webhook_credentials_must_be_covered_by_the_signature() {
    let key = Arc::new(key());
    for (body, expected) in [
        (r#"{"push_notification_config":{"authentication":{}}}"#, Err(Step::Components)),
        (r#"{"push_notification_config":{"url":"https://b.example/w"}}"#, Ok(())),
    ] {
        let (fields, body) = legacy_without_digest(key.clone(), body);
        let lines: Vec<_> =
            fields.iter().map(|(name, value)| FieldLine::new(name, value)).collect();
        for policy in [DigestPolicy::Either, DigestPolicy::Forbidden] {
            let capability = RequestSigningCapability::supported_with(policy);
            let mut keys = StaticKeys::default();
            let jwk = key.jwk();
            keys.insert(crate::resolver::VerificationKey::from_jwk(super::support::KEYID, &jwk))
                .unwrap();
            let verifier = Verifier::for_requests(WireVersion::V3_1, capability)
                .keys(keys)
                .revocation(NoRevocation)
                .replay(Edges::default())
                .clock(FixedClock::new(NOW))
                .build();
            let request = Request::new("POST", super::support::URL, &lines, body.as_bytes());
            let route = super::support::route();
            let outcome = block_on(verifier.verify(&request, &Context::request(&route)));
            if let Ok(verified) = &outcome {
                let signer = verified.clone().signer().unwrap();
                assert!(!signer.covers_body());
            }
            let outcome = outcome.map(drop).map_err(|rejection| rejection.step());
            assert_eq!(outcome, expected, "{policy:?} {body}");
            // What the signature does not cover is not read.
            let garbage = FieldLine::new("Content-Digest", "sha-256=garbage");
            let lines = [lines.as_slice(), &[garbage]].concat();
            let request = Request::new("POST", super::support::URL, &lines, body.as_bytes());
            let outcome = block_on(verifier.verify(&request, &Context::request(&route)));
            let outcome = outcome.map(drop).map_err(|rejection| rejection.step());
            assert_eq!(outcome, expected, "{policy:?} {body}");
        }
    }
}

/// A message of profile 3.1 whose signature leaves the body out.
fn legacy_without_digest(
    key: Arc<InMemoryProvider>,
    body: &str,
) -> (Vec<(String, String)>, String) {
    use crate::{
        profile::Profile,
        sign::{DigestCoverage, SignOptions, Signer},
    };
    let signer = Signer::new(Profile::request(WireVersion::V3_1), key)
        .unwrap()
        .with_digest_coverage(DigestCoverage::Leave);
    let content_type = [FieldLine::new("Content-Type", "application/json")];
    let request = Request::new("POST", super::support::URL, &content_type, body.as_bytes());
    let options = SignOptions {
        created: Some(NOW),
        nonce: Some(Nonce::parse(super::support::NONCE).unwrap()),
        ..SignOptions::default()
    };
    let signed = block_on(signer.sign_with(&request, &options)).unwrap();
    let mut fields = vec![("Content-Type".to_owned(), "application/json".to_owned())];
    fields.extend(signed.iter().map(|(name, value)| (name.to_owned(), value.to_owned())));
    (fields, body.to_owned())
}

#[test]
fn an_endpoint_that_supports_no_signatures_verifies_none() {
    let unsupported = RequestSigningCapability::unsupported();
    let ask = Ask { capability: unsupported.clone(), ..Ask::default() };
    assert!(matches!(ask.answer(), Ok(Verified::Anonymous(_))));
    let scene = Scene { capability: unsupported, ..Scene::with([Step::Signature]) };
    let verified = scene.verify().unwrap();
    assert!(matches!(verified, Verified::Anonymous(_)), "a signature nobody checked names nobody");
}
