use proptest::prelude::*;

use super::*;
use crate::json::MAX_DEPTH;

fn a2a(body: &str) -> Result<Resolved, OperationError> {
    resolve(&Transport::A2a, "POST", "/a2a/jsonrpc", body.as_bytes())
}

fn mcp(body: &str) -> Result<Resolved, OperationError> {
    resolve(&Transport::Mcp, "POST", "/mcp", body.as_bytes())
}

fn guessed(path: &str, body: &str) -> Result<Resolved, OperationError> {
    resolve(&Transport::Rest { operation: None }, "POST", path, body.as_bytes())
}

fn names(operation: Option<&str>, protocol_method: Option<&str>) -> Resolved {
    Resolved {
        operation: operation.map(str::to_owned),
        protocol_method: protocol_method.map(str::to_owned),
        envelope_operation: None,
    }
}

/// A `SendMessage` whose message has these parts.
fn parts(parts: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":"1","method":"SendMessage","params":{{"message":{{"messageId":"m","role":"ROLE_USER","parts":[{parts}]}}}}}}"#
    )
}

const BUY: &str = r#"{"data":{"skill":"create_media_buy","input":{"budget":5000}}}"#;
const GET: &str = r#"{"data":{"skill":"get_products","input":{"brief":"CTV"}}}"#;

#[test]
fn a_message_carries_the_skill_of_its_sole_data_part() {
    let v03 = |method| {
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{"message":{{"kind":"message","parts":[{{"kind":"data","data":{{"skill":"create_media_buy","parameters":{{}}}}}}]}}}}}}"#
        )
    };
    for (body, operation, method) in [
        (parts(BUY), "create_media_buy", "SendMessage"),
        (parts(GET), "get_products", "SendMessage"),
        (
            parts(BUY).replace("SendMessage", "SendStreamingMessage"),
            "create_media_buy",
            "SendStreamingMessage",
        ),
        (v03("message/send"), "create_media_buy", "message/send"),
        (v03("message/stream"), "create_media_buy", "message/stream"),
        (
            parts(&format!(r#"{{"text":"AdCP task: create_media_buy"}},{GET}"#)),
            "get_products",
            "SendMessage",
        ),
        (
            parts(&BUY.replace("create_media_buy", "Create_Media_Buy")),
            "Create_Media_Buy",
            "SendMessage",
        ),
        (parts(r#"{"data":{"sk\u0069ll":"get\u005fproducts"}}"#), "get_products", "SendMessage"),
        (parts(r#"{"data":{"skill":"x","input":{"a":1,"a":2,"Skill":3}}}"#), "x", "SendMessage"),
        (
            parts(BUY).replace(r#""params""#, r#""metadata":{"skill":"y"},"params""#),
            "create_media_buy",
            "SendMessage",
        ),
    ] {
        assert_eq!(a2a(&body), Ok(names(Some(operation), Some(method))), "{body}");
    }
}

#[test]
fn a_message_that_two_decoders_could_read_differently_is_refused() {
    use OperationError::*;
    const PARTS: &str = "params.message.parts";
    const DATA: &str = "params.message.parts.data";
    const SKILL: &str = "params.message.parts.data.skill";
    let skill = Type { member: SKILL, expected: "a non-empty string" };
    for (body, why) in [
        (parts(&format!("{GET},{BUY}")), DataParts { count: 2 }),
        (parts(&format!(r#"{GET},{{"data":{{"note":"extra"}}}}"#)), DataParts { count: 2 }),
        (parts(r#"{"text":"Please create a media buy"}"#), DataParts { count: 0 }),
        (parts(""), DataParts { count: 0 }),
        (parts(r#"{"data":{"input":{}}}"#), Missing { member: SKILL }),
        (parts(r#"{"data":{"skill":7}}"#), skill.clone()),
        (parts(r#"{"data":{"skill":""}}"#), skill.clone()),
        (parts(r#"{"data":{"skill":null}}"#), skill),
        (
            parts(r#"{"data":["create_media_buy",{}]}"#),
            Type { member: DATA, expected: "an object" },
        ),
        (parts(r#"{"data":"create_media_buy"}"#), Type { member: DATA, expected: "an object" }),
        (parts(&format!(r#"{GET},{{"url":"https://cdn.example.com/a.mp4"}}"#)), FilePart),
        (parts(&format!(r#"{GET},{{"raw":"AAAA"}}"#)), FilePart),
        (parts(&format!(r#"{{"kind":"file","file":{{}}}},{GET}"#)), FilePart),
        (parts(r#"{"text":"x","data":{"skill":"create_media_buy"}}"#), PartContent { count: 2 }),
        (parts(r#"{"url":"x","raw":"y"}"#), PartContent { count: 2 }),
        (parts(&format!(r#"{GET},{{"metadata":{{}}}}"#)), PartContent { count: 0 }),
        (parts(r#"{"kind":"text","data":{"skill":"create_media_buy"}}"#), PartKind),
        (parts(r#"{"kind":7,"data":{"skill":"create_media_buy"}}"#), PartKind),
        (parts(r#"{"kind":"data","text":"x"}"#), PartKind),
        (
            parts(r#"{"data":{"skill":"get_products","skill":"create_media_buy"}}"#),
            Duplicate { member: SKILL },
        ),
        (
            parts(r#"{"data":{"skill":"get_products","sk\u0069ll":"create_media_buy"}}"#),
            Duplicate { member: SKILL },
        ),
        (
            parts(r#"{"data":{"skill":"get_products","Skill":"create_media_buy"}}"#),
            CaseVariant { member: SKILL },
        ),
        (parts(r#"{"data":{"skill":"x","s\u212aill":"y"}}"#), CaseVariant { member: SKILL }),
        (parts(r#"{"data":{"\u017fkill":"y"}}"#), CaseVariant { member: SKILL }),
        (parts(r#"{"data":{"skill":"x"},"data":{"skill":"y"}}"#), Duplicate { member: DATA }),
        (parts(r#"{"data":{"skill":"x"},"DATA":{"skill":"y"}}"#), CaseVariant { member: DATA }),
        (
            parts(r#"{"kind":"data","kind":"text","data":{"skill":"x"}}"#),
            Duplicate { member: "params.message.parts.kind" },
        ),
        (parts("7"), Type { member: PARTS, expected: "an array of objects" }),
        (
            parts(GET).replace(r#""parts":["#, r#""parts":[],"parts":["#),
            Duplicate { member: PARTS },
        ),
        (
            parts(GET).replace(r#""parts":["#, r#""Parts":[],"parts":["#),
            CaseVariant { member: PARTS },
        ),
        (parts(GET).replace(r#""parts""#, r#""content""#), Missing { member: PARTS }),
        (
            parts(GET).replace(r#""message":"#, r#""message":{},"message":"#),
            Duplicate { member: "params.message" },
        ),
        (parts(GET).replace(r#""message""#, r#""request""#), Missing { member: "params.message" }),
        (
            parts(GET).replace(r#""params":"#, r#""params":{},"params":"#),
            Duplicate { member: "params" },
        ),
        (parts(GET).replace(r#""params""#, r#""Params""#), CaseVariant { member: "params" }),
        (
            parts(GET).replace(r#""params":{"#, r#""params":[],"p":{"#),
            Type { member: "params", expected: "an object" },
        ),
        (format!("[{}]", parts(GET)), Batch),
        ("[]".into(), Batch),
        (
            parts(GET).replace(r#""method":"#, r#""method":"tasks/get","method":"#),
            Duplicate { member: "method" },
        ),
        (
            parts(GET).replace(r#""method":"#, r#""Method":"tasks/get","method":"#),
            CaseVariant { member: "method" },
        ),
        (parts(GET).replace(r#""method":"SendMessage","#, ""), Missing { member: "method" }),
        (
            parts(GET).replace(r#""SendMessage""#, "7"),
            Type { member: "method", expected: "a non-empty string" },
        ),
        ("7".into(), Type { member: "the body", expected: "an object" }),
        (
            format!("\u{feff}{}", parts(GET)),
            Json(StrictJsonError::Invalid { offset: 0, what: "byte order mark" }),
        ),
        (
            String::new(),
            Json(StrictJsonError::Invalid { offset: 0, what: "the document ends early" }),
        ),
        ("{".into(), Json(StrictJsonError::Invalid { offset: 1, what: "the document ends early" })),
    ] {
        assert_eq!(a2a(&body), Err(why), "{body}");
    }
}

#[test]
fn a_method_that_carries_no_message_is_a_protocol_method_alone() {
    for method in ["sendmessage", "tasks/cancel", "CancelTask", "Message/Send"] {
        let body = parts(BUY).replace("SendMessage", method);
        assert_eq!(a2a(&body), Ok(names(None, Some(method))), "{method}");
    }
}

#[test]
fn json_rpc_responses_ask_for_nothing() {
    for body in [
        r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"error":{"code":1}}"#,
    ] {
        assert_eq!(a2a(body), Ok(Resolved::default()));
        assert_eq!(mcp(body), Ok(Resolved::default()));
    }
    let disguised =
        r#"{"jsonrpc":"2.0","id":1,"result":{},"method":"tools/call","params":{"name":"x"}}"#;
    assert_eq!(mcp(disguised), Ok(names(Some("x"), None)));
}

#[test]
fn the_http_json_binding_is_read_from_its_path() {
    let message = format!(r#"{{"message":{{"parts":[{BUY}]}}}}"#);
    for (method, path, body, operation, protocol_method) in [
        (
            "POST",
            "/a2a/v1/message:send",
            message.as_str(),
            Some("create_media_buy"),
            Some("SendMessage"),
        ),
        (
            "POST",
            "/message:stream",
            &message,
            Some("create_media_buy"),
            Some("SendStreamingMessage"),
        ),
        ("POST", "/message%3Asend/", &message, Some("create_media_buy"), Some("SendMessage")),
        ("POST", "/v1/tasks/7:cancel", "{}", None, Some("CancelTask")),
        ("POST", "/v1/tasks/7:cancel", "", None, Some("CancelTask")),
        ("GET", "/v1/tasks/7:subscribe", "", None, Some("SubscribeToTask")),
        ("GET", "/v1/tasks/7", "", None, Some("GetTask")),
        ("GET", "/v1/tasks", "", None, Some("ListTasks")),
        (
            "POST",
            "/v1/tasks/7/pushNotificationConfigs",
            "{}",
            None,
            Some("CreateTaskPushNotificationConfig"),
        ),
        (
            "GET",
            "/v1/tasks/7/pushNotificationConfigs",
            "",
            None,
            Some("ListTaskPushNotificationConfigs"),
        ),
        (
            "GET",
            "/v1/tasks/7/pushNotificationConfigs/c",
            "",
            None,
            Some("GetTaskPushNotificationConfig"),
        ),
        (
            "DELETE",
            "/v1/tasks/7/pushNotificationConfigs/c",
            "",
            None,
            Some("DeleteTaskPushNotificationConfig"),
        ),
        ("GET", "/v1/extendedAgentCard", "", None, Some("GetExtendedAgentCard")),
        ("GET", "/a2a", "", None, None),
        ("POST", "/v1/tasks/7:cancel", &parts(BUY), Some("create_media_buy"), Some("SendMessage")),
    ] {
        let resolved = resolve(&Transport::A2a, method, path, body.as_bytes());
        assert_eq!(resolved, Ok(names(operation, protocol_method)), "{method} {path}");
    }
    for (path, body, why) in [
        ("/message:send", parts(BUY), OperationError::Missing { member: "params.message" }),
        (
            "/message:send",
            "[]".into(),
            OperationError::Type { member: "params", expected: "an object" },
        ),
        ("/v1/tasks/7:cancel", "[]".into(), OperationError::Batch),
        ("/v1/messages", message, OperationError::Missing { member: "method" }),
    ] {
        let resolved = resolve(&Transport::A2a, "POST", path, body.as_bytes());
        assert_eq!(resolved, Err(why), "{path}");
    }
}

#[test]
fn a_tool_call_carries_the_name_of_the_tool() {
    for (body, resolved) in [
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"create_media_buy"}}"#,
            names(Some("create_media_buy"), None),
        ),
        (
            r#"{"method":"t\u006fols/call","params":{"n\u0061me":"x","arguments":{"a":1,"a":2}}}"#,
            names(Some("x"), None),
        ),
        (
            r#"{"jsonrpc":"2.0","method":"tasks/cancel","params":{"taskId":"t"},"id":1}"#,
            names(None, Some("tasks/cancel")),
        ),
        (
            r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
            names(None, Some("notifications/initialized")),
        ),
    ] {
        assert_eq!(mcp(body), Ok(resolved), "{body}");
    }
    assert_eq!(resolve(&Transport::Mcp, "GET", "/mcp", b""), Ok(Resolved::default()));
    assert_eq!(resolve(&Transport::Mcp, "DELETE", "/mcp", b""), Ok(Resolved::default()));
}

#[test]
fn a_tool_call_without_one_name_is_refused() {
    use OperationError::*;
    const NAME: &str = "params.name";
    let text = |member| Type { member, expected: "a non-empty string" };
    for (body, why) in [
        (r#"{"method":"tools/call"}"#, Missing { member: "params" }),
        (
            r#"{"method":"tools/call","params":["x"]}"#,
            Type { member: "params", expected: "an object" },
        ),
        (r#"{"method":"tools/call","params":{}}"#, Missing { member: NAME }),
        (r#"{"method":"tools/call","params":{"name":""}}"#, text(NAME)),
        (r#"{"method":"tools/call","params":{"name":["x"]}}"#, text(NAME)),
        (r#"{"method":"tools/call","params":{"name":"x","name":"y"}}"#, Duplicate { member: NAME }),
        (
            r#"{"method":"tools/call","params":{"name":"x","Name":"y"}}"#,
            CaseVariant { member: NAME },
        ),
        (r#"{"method":"tools/call","method":"ping"}"#, Duplicate { member: "method" }),
        (r#"{"method":["tools/call"]}"#, text("method")),
        (r#"{"METHOD":"tools/call"}"#, CaseVariant { member: "method" }),
        (r#"{"id":1}"#, Missing { member: "method" }),
        (r#"[{"method":"ping"}]"#, Batch),
        ("", Json(StrictJsonError::Invalid { offset: 0, what: "the document ends early" })),
        ("\u{feff}{}", Json(StrictJsonError::Invalid { offset: 0, what: "byte order mark" })),
    ] {
        assert_eq!(mcp(body), Err(why), "{body}");
    }
}

#[test]
fn a_routed_rest_request_is_the_routes_operation() {
    for (name, resolved) in [
        ("create_media_buy", names(Some("create_media_buy"), None)),
        ("tasks/cancel", names(None, Some("tasks/cancel"))),
        ("CancelTask", names(None, Some("CancelTask"))),
    ] {
        let transport = Transport::Rest { operation: Some(name.into()) };
        assert_eq!(resolve(&transport, "POST", "/any", b"not json"), Ok(resolved), "{name}");
    }
}

#[test]
fn an_unrouted_rest_request_is_guessed_from_path_and_envelope() {
    let call =
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"create_media_buy"}}"#;
    for (path, body, resolved) in [
        ("/adcp/create_media_buy", "{}", names(Some("create_media_buy"), None)),
        ("/adcp/create_media_buy", "", names(Some("create_media_buy"), None)),
        ("/adcp/create_media_buy", "plain text", names(Some("create_media_buy"), None)),
        ("/adcp/create_media_buy//", "{}", names(Some("create_media_buy"), None)),
        ("/adcp/create%5Fmedia_buy;v=1", "{}", names(Some("create_media_buy"), None)),
        ("/adcp/Products", "{}", names(None, None)),
        ("/", "{}", names(None, None)),
        ("/MCP", call, names(Some("create_media_buy"), None)),
        ("/adcp/create_media_buy", call, names(Some("create_media_buy"), None)),
        (
            "/mcp",
            r#"{"jsonrpc":"2.0","method":"tasks/cancel"}"#,
            names(Some("mcp"), Some("tasks/cancel")),
        ),
        ("/A2A", &parts(BUY), names(Some("create_media_buy"), Some("SendMessage"))),
        ("/mcp", r#"{"jsonrpc":"2.0","result":1}"#, names(Some("mcp"), None)),
    ] {
        assert_eq!(guessed(path, body), Ok(resolved), "{path} {body}");
    }
    let both = guessed("/adcp/get_products", call).unwrap();
    assert_eq!(both.operation.as_deref(), Some("get_products"));
    assert_eq!(both.envelope_operation.as_deref(), Some("create_media_buy"));
    assert_eq!(guessed("/mcp", &format!("[{call}]")), Err(OperationError::Batch));
    assert_eq!(
        guessed("/mcp", &format!("\u{feff}{call}")),
        Err(OperationError::Json(StrictJsonError::Invalid { offset: 0, what: "byte order mark" }))
    );
}

fn capability(json: &str) -> Result<RequestSigningCapability, CapabilityError> {
    RequestSigningCapability::from_json(json.as_bytes())
}

#[test]
fn the_strongest_list_of_either_namespace_decides() {
    let capability = capability(
        r#"{"supported":true,"covers_content_digest":"required","supported_for":["a","b","c"],"warn_for":["b"],
            "required_for":["c"],"protocol_methods_supported_for":["tasks/get"],
            "protocol_methods_warn_for":["GetTask"],"protocol_methods_required_for":["SendMessage"]}"#,
    )
    .unwrap();
    for (operation, method, posture) in [
        (None, None, Posture::Unlisted),
        (Some("a"), None, Posture::Supported),
        (Some("b"), None, Posture::Warn),
        (Some("c"), None, Posture::Required),
        (Some("C"), None, Posture::Unlisted),
        (Some("a"), Some("SendMessage"), Posture::Required),
        (Some("c"), Some("tasks/get"), Posture::Required),
        (Some("a"), Some("GetTask"), Posture::Warn),
        (Some("SendMessage"), None, Posture::Unlisted),
        (None, Some("c"), Posture::Unlisted),
        (None, Some("sendMessage"), Posture::Unlisted),
        (None, Some("message/send"), Posture::Unlisted),
    ] {
        assert_eq!(
            capability.posture(&names(operation, method)),
            posture,
            "{operation:?} {method:?}"
        );
    }
    let hidden = Resolved { envelope_operation: Some("c".into()), ..names(Some("a"), None) };
    assert_eq!(capability.posture(&hidden), Posture::Required);
}

#[test]
fn protocol_methods_match_exactly_unless_aliases_are_asked_for() {
    for (declared, wire, exact, aliased) in [
        ("tasks/cancel", "tasks/cancel", true, true),
        ("CancelTask", "CancelTask", true, true),
        ("tasks/pushNotificationConfig/set", "tasks/pushNotificationConfig/set", true, true),
        ("tasks/cancel", "CancelTask", false, true),
        ("CancelTask", "tasks/cancel", false, true),
        ("SendMessage", "sendMessage", false, false),
        ("SubscribeToTask", "TaskSubscription", false, false),
        ("tasks/pushNotificationConfig/set", "tasks/pushNotificationConfig/get", false, false),
        ("SendMessage", "message/send", false, true),
        ("SendMessage", "SendStreamingMessage", false, false),
    ] {
        let capability = RequestSigningCapability::supported_with(DigestPolicy::Required)
            .with_protocol_methods(Posture::Required, [declared])
            .unwrap();
        let resolved = names(None, Some(wire));
        assert_eq!(capability.posture(&resolved) == Posture::Required, exact, "{declared} {wire}");
        let capability = capability.with_method_aliases();
        assert_eq!(
            capability.posture(&resolved) == Posture::Required,
            aliased,
            "{declared} {wire}"
        );
    }
}

#[test]
fn names_of_the_other_namespace_are_a_configuration_error() {
    let new = || RequestSigningCapability::supported_with(DigestPolicy::Required);
    for method in [
        "message/send",
        "tasks/pushNotificationConfig/delete",
        "agent/getAuthenticatedExtendedCard",
        "SendMessage",
        "GetExtendedAgentCard",
    ] {
        assert!(new().with_protocol_methods(Posture::Required, [method]).is_ok(), "{method}");
        assert_eq!(
            new().with_operations(Posture::Warn, ["get_products", method]),
            Err(CapabilityError::Operation { list: "warn_for", index: 1 }),
            "{method}"
        );
    }
    let long = "A".repeat(257);
    for name in [
        "create_media_buy",
        "tools/call",
        "sendMessage",
        "tasks",
        "/tasks/cancel",
        "tasks//cancel",
        "tasks/pushNotificationConfig/",
        "tasks/1",
        "Tasks/cancel",
        "",
        "tasks/cancel\n",
        &long,
    ] {
        assert_eq!(
            new().with_protocol_methods(Posture::Required, [name]),
            Err(CapabilityError::ProtocolMethod { list: "required_for", index: 0 }),
            "{name}"
        );
    }
    for name in ["", "1a", "_a", "Create", "create-media-buy", "a b"] {
        let refused = Err(CapabilityError::Operation { list: "supported_for", index: 0 });
        assert_eq!(new().with_operations(Posture::Supported, [name]), refused, "{name}");
    }
}

#[test]
fn deployed_capabilities_are_read_and_contradictory_ones_refused() {
    let legacy =
        capability(r#"{"supported":true,"required_for":["create_media_buy"],"unknown":1}"#)
            .unwrap();
    assert_eq!(legacy.covers_content_digest(), DigestPolicy::Either);
    assert_eq!(legacy.posture(&names(Some("create_media_buy"), None)), Posture::Required);
    let off = capability(r#"{"supported":false,"supported_for":["create_media_buy"]}"#).unwrap();
    assert_eq!(off.posture(&names(Some("create_media_buy"), None)), Posture::Unlisted);
    for (json, why) in [
        (
            r#"{"supported":true,"required_for":["a"],"warn_for":["a"]}"#,
            CapabilityError::WarnAndRequired,
        ),
        (
            r#"{"supported":true,"protocol_methods_required_for":["GetTask"],"protocol_methods_warn_for":["GetTask"]}"#,
            CapabilityError::WarnAndRequired,
        ),
        (r#"{"supported":false,"required_for":["a"]}"#, CapabilityError::ListedButUnsupported),
    ] {
        assert_eq!(capability(json), Err(why), "{json}");
    }
    for json in [
        "{}",
        r#"{"supported":"yes"}"#,
        r#"{"supported":true,"covers_content_digest":"maybe"}"#,
        r#"{"supported":true,"required_for":["a"],"required_for":[]}"#,
    ] {
        assert!(matches!(capability(json), Err(CapabilityError::Schema(_))), "{json}");
    }
}

#[test]
fn webhook_credentials_are_found_wherever_arguments_stand() {
    const ARGUMENTS: [&str; 4] = [
        r#"{"push_notification_config":{"url":"u","authentication":{"schemes":["HMAC-SHA256"]}}}"#,
        r#"{"accounts":[{},{"notification_configs":[{"url":"u"},{"authentication":{}}]}]}"#,
        r#"{"notification_configs":[{"authentication":{"schemes":[]}}]}"#,
        r#"{"push_notification_config":{"auth\u0065ntication":"x","authentication":null}}"#,
    ];
    for arguments in ARGUMENTS {
        for body in [
            arguments.to_owned(),
            format!("[{arguments}]"),
            format!(r#"{{"method":"tools/call","params":{{"name":"x","arguments":{arguments}}}}}"#),
            format!(
                r#"{{"method":"tools/call","params":{{"arguments":{{}},"arguments":{arguments}}}}}"#
            ),
            parts(&format!(r#"{{"data":{{"skill":"x","input":{arguments}}}}}"#)),
            parts(&format!(r#"{{"data":{{"skill":"x","parameters":{arguments}}}}}"#)),
            format!(
                r#"{{"message":{{"parts":[{{"data":{{"skill":"x","input":{arguments}}}}}]}}}}"#
            ),
            arguments.replace("authentication", "Authentication"),
            format!("\u{feff}{arguments}"),
            format!("{arguments},"),
        ] {
            assert!(registers_webhook_authentication(body.as_bytes()), "{body}");
        }
    }
    for body in [
        "",
        "plain text",
        "{}",
        r#"{"push_notification_config":{"url":"u","authentication":null}}"#,
        r#"{"push_notification_config":{"url":"u"}}"#,
        r#"{"authentication":{}}"#,
        r#"{"creative":{"push_notification_config":{"authentication":{}}}}"#,
        r#"{"push_notification_config":"authentication"}"#,
    ] {
        assert!(!registers_webhook_authentication(body.as_bytes()), "{body}");
    }
}

#[test]
fn deep_nesting_is_refused_and_not_recursed_into() {
    let start = r#"{"method":"x","params":"#;
    let deep = format!("{start}{}", "[".repeat(100_000));
    let refused =
        OperationError::Json(StrictJsonError::TooDeep { offset: start.len() + MAX_DEPTH - 1 });
    assert_eq!(mcp(&deep), Err(refused.clone()));
    assert_eq!(a2a(&deep), Err(refused));
    assert!(registers_webhook_authentication(deep.as_bytes()));
}

proptest! {
    #[test]
    fn arbitrary_bodies_and_paths_never_panic(path in any::<String>(), body in any::<String>()) {
        for transport in [Transport::Rest { operation: None }, Transport::Mcp, Transport::A2a] {
            let _ = resolve(&transport, "POST", &path, body.as_bytes());
            let _ = resolve(&transport, "GET", &path, format!(r#"{{"method":{body}}}"#).as_bytes());
        }
        let _ = registers_webhook_authentication(body.as_bytes());
    }
}
