use super::*;
use crate::json::JsonLimits;

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

/// Contract 3.3, "Operation resolution over A2A", 1: one JSON-RPC request object with a string
/// `method`.
#[test]
fn hardening_1_a_body_that_is_not_one_request_object_is_refused() {
    use OperationError::*;
    let member = "method";
    for (body, why) in [
        (format!("[{}]", parts(GET)), Batch),
        ("[]".into(), Batch),
        (" \t\r\n[".into(), Batch),
        ("[\u{feff}".into(), Batch),
        (parts(GET).replace(r#""method":"SendMessage","#, ""), Missing { member }),
        (
            parts(GET).replace(r#""SendMessage""#, "7"),
            Type { member, expected: "a non-empty string" },
        ),
        ("7".into(), Type { member: "the body", expected: "an object" }),
        (
            format!("\u{feff}{}", parts(GET)),
            Json(StrictJsonError::Invalid {
                offset: 0,
                what: "a byte order mark (BOM); write the text without it",
            }),
        ),
        (
            String::new(),
            Json(StrictJsonError::Invalid { offset: 0, what: "the document ends early" }),
        ),
        ("{".into(), Json(StrictJsonError::Invalid { offset: 1, what: "the document ends early" })),
    ] {
        assert_eq!(a2a(&body), Err(why), "{body}");
    }
    for (path, body, why) in [
        ("/message:send", "[]", Batch),
        ("/v1/tasks/7:cancel", "[]", Batch),
        ("/v1/tasks/7:cancel", "7", Type { member: "the body", expected: "an object" }),
        ("/a2a/../v1/tasks/7:cancel", "[]", Batch),
        ("/a2a/../v1/tasks/7:cancel", "7", Type { member: "the body", expected: "an object" }),
    ] {
        assert_eq!(at(&Transport::A2a, "POST", path, body), Err(why), "{path} {body}");
    }
}

/// Contract 3.3, 2: no member occurs twice in the objects on the way, after unescaping.
#[test]
fn hardening_2_a_member_that_occurs_twice_is_refused() {
    use OperationError::*;
    const PARTS: &str = "params.message.parts";
    const DATA: &str = "params.message.parts.data";
    let inserted = |before: &str, members: &str| {
        parts(GET).replacen(before, &format!("{members},{before}"), 1)
    };
    for (body, why) in [
        (
            parts(r#"{"data":{"skill":"get_products","skill":"create_media_buy"}}"#),
            DuplicateMember { object: DATA },
        ),
        (
            parts(r#"{"data":{"skill":"get_products","sk\u0069ll":"create_media_buy"}}"#),
            DuplicateMember { object: DATA },
        ),
        (parts(r#"{"data":{"skill":"x","a":1,"\u0061":2}}"#), DuplicateMember { object: DATA }),
        (parts(r#"{"data":{"skill":"x"},"data":{"skill":"y"}}"#), Duplicate { member: DATA }),
        (
            parts(r#"{"kind":"data","kind":"text","data":{"skill":"x"}}"#),
            Duplicate { member: "params.message.parts.kind" },
        ),
        (
            parts(r#"{"metadata":1,"metadata":2,"data":{"skill":"x"}}"#),
            DuplicateMember { object: PARTS },
        ),
        (
            parts(&format!(r#"{{"metadata":1,"metadata":2,"text":"t"}},{GET}"#)),
            DuplicateMember { object: PARTS },
        ),
        (inserted(r#""parts":["#, r#""parts":[]"#), DuplicateMember { object: "params.message" }),
        (
            inserted(r#""parts":["#, r#""contextId":"a","context\u0049d":"b""#),
            DuplicateMember { object: "params.message" },
        ),
        (inserted(r#""message":"#, r#""message":{}"#), DuplicateMember { object: "params" }),
        (inserted(r#""message":"#, r#""a":{},"a":{}"#), DuplicateMember { object: "params" }),
        (inserted(r#""params":"#, r#""params":{}"#), DuplicateMember { object: "the body" }),
        (inserted(r#""params":"#, r#""id":1"#), DuplicateMember { object: "the body" }),
        (inserted(r#""method":"#, r#""method":"tasks/get""#), Duplicate { member: "method" }),
    ] {
        assert_eq!(a2a(&body), Err(why), "{body}");
    }
    let bound = r#"{"message":{"parts":[]},"message":{}}"#;
    assert_eq!(
        at(&Transport::A2a, "POST", "/message:send", bound),
        Err(DuplicateMember { object: "params" })
    );
}

/// Contract 3.3, 3: member names are case-sensitive, and a case variant is refused.
#[test]
fn hardening_3_a_case_variant_of_a_member_on_the_way_is_refused() {
    use OperationError::*;
    const PARTS: &str = "params.message.parts";
    const DATA: &str = "params.message.parts.data";
    const SKILL: &str = "params.message.parts.data.skill";
    const TASK: &str = "params.message.taskId";
    let in_message =
        |members: &str| parts(GET).replace(r#""messageId""#, &format!(r#"{members},"messageId""#));
    for (body, member) in [
        (parts(r#"{"data":{"skill":"get_products","Skill":"create_media_buy"}}"#), SKILL),
        (parts(r#"{"data":{"skill":"x","s\u212aill":"y"}}"#), SKILL),
        (parts(r#"{"data":{"\u017fkill":"y"}}"#), SKILL),
        (parts(r#"{"data":{"sk\u0131ll":"y"}}"#), SKILL),
        (parts(r#"{"data":{"sk\u0130ll":"y"}}"#), SKILL),
        (parts(r#"{"data":{"skill":"x"},"DATA":{"skill":"y"}}"#), DATA),
        (parts(GET).replace(r#""parts":["#, r#""Parts":[],"parts":["#), PARTS),
        (parts(GET).replace(r#""params""#, r#""Params""#), "params"),
        (parts(GET).replace(r#""method":"#, r#""Method":"tasks/get","method":"#), "method"),
        (in_message(r#""taskID":"t""#), TASK),
        (in_message(r#""task_id":"t""#), TASK),
        (in_message(r#""taskId":"t","task_id":"u""#), TASK),
    ] {
        assert_eq!(a2a(&body), Err(CaseVariant { member }), "{body}");
    }
}

/// Contract 3.3, 4: each part has exactly one content member, `kind` agrees, and there is no file.
#[test]
fn hardening_4_a_part_that_is_not_one_text_or_data_is_refused() {
    use OperationError::*;
    const PARTS: &str = "params.message.parts";
    for (body, why) in [
        (parts(&format!(r#"{GET},{{"url":"https://cdn.example.com/a.mp4"}}"#)), FilePart),
        (parts(&format!(r#"{GET},{{"raw":"AAAA"}}"#)), FilePart),
        (parts(&format!(r#"{{"kind":"file","file":{{}}}},{GET}"#)), FilePart),
        (parts(r#"{"text":"x","data":{"skill":"create_media_buy"}}"#), PartContent { count: 2 }),
        (parts(r#"{"url":"x","raw":"y"}"#), PartContent { count: 2 }),
        (parts(&format!(r#"{GET},{{"metadata":{{}}}}"#)), PartContent { count: 0 }),
        (parts(r#"{"kind":"text","data":{"skill":"create_media_buy"}}"#), PartKind),
        (parts(r#"{"kind":7,"data":{"skill":"create_media_buy"}}"#), PartKind),
        (parts(r#"{"kind":"data","text":"x"}"#), PartKind),
        (parts("7"), Type { member: PARTS, expected: "an array of objects" }),
    ] {
        assert_eq!(a2a(&body), Err(why), "{body}");
    }
}

/// Contract 3.3, 5: exactly one DataPart, whose `data` is an object with a non-empty `skill`.
#[test]
fn hardening_5_a_message_without_exactly_one_skill_is_refused() {
    use OperationError::*;
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
        (
            parts(GET).replace(r#""parts""#, r#""content""#),
            Missing { member: "params.message.parts" },
        ),
        (parts(GET).replace(r#""message""#, r#""request""#), Missing { member: "params.message" }),
        (
            parts(GET).replace(r#""params":{"#, r#""params":[],"p":{"#),
            Type { member: "params", expected: "an object" },
        ),
    ] {
        assert_eq!(a2a(&body), Err(why), "{body}");
    }
}

#[test]
fn a_json_rpc_method_is_matched_exactly() {
    for method in ["sendmessage", "tasks/cancel", "CancelTask", "Message/Send"] {
        let body = parts(BUY).replace("SendMessage", method);
        assert_eq!(a2a(&body), Ok(names(None, Some(method))), "{method}");
    }
}

#[test]
fn a_body_with_a_message_is_no_response() {
    let body = format!(r#"{{"result":1,"message":{{"parts":[{BUY}]}}}}"#);
    assert_eq!(a2a(&body), Err(OperationError::Missing { member: "method" }));
}

/// Checks operations and methods of A2A requests; a `*` marks a method for which the path stands.
fn assert_bound(method: &str, path: &str, body: &str, operations: &[&str], methods: &[&str]) {
    let resolved = at(&Transport::A2a, method, path, body).unwrap();
    let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    assert_eq!(shown(&resolved), (owned(operations), owned(methods)), "{method} {path} {body}");
    assert!(!resolved.is_undetermined(), "{method} {path} {body}");
}

#[test]
fn the_http_json_binding_is_read_from_its_path() {
    for (method, path, body, bound) in [
        ("POST", "/v1/tasks/7:cancel", "{}", "CancelTask*"),
        ("POST", "/v1/tasks/7:cancel", "", "CancelTask*"),
        ("POST", "/tenant/tasks/7:cancel", "", "CancelTask*"),
        ("GET", "/v1/tasks/7:subscribe", "", "SubscribeToTask*"),
        ("POST", "/v1/tasks/7:subscribe", "", "SubscribeToTask*"),
        ("GET", "/v1/tasks/7", "", "GetTask*"),
        ("GET", "/v1/tasks/tenant/card", "", ""),
        ("GET", "/v1/tasks/7%2525", "", ""),
        ("GET", "/v1/tasks", "", "ListTasks*"),
        ("GET", "/v1/tasks.json", "", "ListTasks*"),
        ("POST", "/t/tasks/7/pushNotificationConfigs", "{}", "CreateTaskPushNotificationConfig*"),
        ("GET", "/t/tasks/7/pushNotificationConfigs", "", "ListTaskPushNotificationConfigs*"),
        ("GET", "/t/tasks/7/pushNotificationConfigs/c", "", "GetTaskPushNotificationConfig*"),
        ("DELETE", "/t/tasks/7/pushNotificationConfigs/c", "", "DeleteTaskPushNotificationConfig*"),
        ("GET", "/v1/extendedAgentCard", "", "GetExtendedAgentCard*"),
        ("GET", "/v1/card", "", "GetExtendedAgentCard*"),
    ] {
        if bound.is_empty() {
            assert_eq!(at(&Transport::A2a, method, path, body), Ok(undetermined()), "{path}");
        } else {
            assert_bound(method, path, body, &[], &[bound]);
        }
    }
}

#[test]
fn a_path_that_carries_a_message_takes_it_from_the_root() {
    let message = format!(r#"{{"message":{{"parts":[{BUY}]}}}}"#);
    for (path, method) in [
        ("/a2a/v1/message:send", "SendMessage*"),
        ("/message:stream", "SendStreamingMessage*"),
        ("/tenant-1/message:send", "SendMessage*"),
        ("/message%3Asend/", "SendMessage*"),
        ("/Message:Send", "SendMessage*"),
        ("//message:send;v=1//", "SendMessage*"),
    ] {
        assert_bound("POST", path, &message, &["create_media_buy"], &[method]);
    }
    for (path, body, why) in [
        ("/message:send", parts(BUY), OperationError::Missing { member: "params.message" }),
        ("/v1/messages", message, OperationError::Missing { member: "method" }),
    ] {
        assert_eq!(at(&Transport::A2a, "POST", path, body), Err(why), "{path}");
    }
    assert!(at(&Transport::A2a, "POST", "/message:send", "").is_err());
}

#[test]
fn a_bound_path_and_an_envelope_in_its_body_both_count() {
    let capability = requiring(
        &["create_media_buy"],
        &["CancelTask", "CreateTaskPushNotificationConfig", "DeleteTaskPushNotificationConfig"],
    );
    let push = "/v1/tasks/7/pushNotificationConfigs";
    let item = "/v1/tasks/7/pushNotificationConfigs/c";
    for (method, path, body, methods) in [
        ("POST", "/v1/tasks/7:cancel", r#"{"method":"x"}"#, ["CancelTask*", "x*"]),
        ("POST", "/v1/tasks/7:cancel", r#"{"method":"GetTask"}"#, ["CancelTask*", "GetTask*"]),
        (
            "POST",
            push,
            r#"{"method":"x","url":"https://evil.example"}"#,
            ["CreateTaskPushNotificationConfig*", "x*"],
        ),
        ("DELETE", item, r#"{"method":"x"}"#, ["DeleteTaskPushNotificationConfig*", "x*"]),
        ("GET", "/v1/tasks/7", r#"{"method":"tasks/cancel"}"#, ["GetTask*", "tasks/cancel*"]),
    ] {
        assert_bound(method, path, body, &[], &methods);
        let resolved = at(&Transport::A2a, method, path, body);
        assert!(!passes_unsigned(resolved, &capability), "{path}");
    }
    let root = format!(
        r#"{{"method":"SendMessage","params":{{"message":{{"parts":[{BUY}]}}}},"message":{{"parts":[{GET}]}}}}"#
    );
    assert_bound(
        "POST",
        "/v1/message:send",
        &root,
        &["get_products", "create_media_buy"],
        &["SendMessage*"],
    );
    assert_bound(
        "POST",
        "/v1/tasks/7:cancel",
        &parts(BUY),
        &["create_media_buy"],
        &["CancelTask*", "SendMessage*"],
    );
    for (body, why) in [
        (
            r#"{"method":7}"#,
            OperationError::Type { member: "method", expected: "a non-empty string" },
        ),
        (r#"{"Method":"x"}"#, OperationError::CaseVariant { member: "method" }),
        (r#"{"method":"SendMessage"}"#, OperationError::Missing { member: "params" }),
    ] {
        assert_eq!(at(&Transport::A2a, "POST", "/v1/tasks/7:cancel", body), Err(why), "{body}");
    }
}

#[test]
fn other_spellings_of_a_bound_request_are_the_same_request() {
    let capability =
        requiring(&[], &["DeleteTaskPushNotificationConfig", "ListTasks", "CancelTask"]);
    let item = "/v1/tasks/7/pushNotificationConfigs/c";
    for (method, path) in [
        ("delete", item),
        ("Delete", item),
        ("get", "/v1/tasks"),
        ("HEAD", "/v1/tasks"),
        ("head", "/v1/tasks"),
        ("DELETE", "/v1/tasks/7/pushNotificationConfigs//c"),
        ("DELETE", "/v1//tasks/7//pushNotificationConfigs/c/"),
        ("DELETE", "/v1/tasks/7/PushNotificationConfigs/c"),
        ("DELETE", "/v1/tasks/7/pushnotification%43onfigs;v=1/c"),
        ("DELETE", "/v1/tasks/7/pushNotificationConfigs/message:send"),
        ("DELETE", "/v1/tasks/7/pushNotificationConfigs/7:cancel"),
        ("POST", "/v1/tasks/7:Cancel"),
        ("POST", "/v1/tasks/7%3Acancel"),
        ("POST", "/v1/tasks/7:cancel.json"),
        ("GET", "/v1/ta\u{17f}k\u{17f}"),
    ] {
        let resolved = at(&Transport::A2a, method, path, "").unwrap();
        assert_eq!(capability.posture(&resolved), Posture::Required, "{method} {path}");
    }
    assert_bound(
        "DELETE",
        "/v1/tasks/7/pushNotificationConfigs/message:send",
        "",
        &[],
        &["DeleteTaskPushNotificationConfig*"],
    );
}

#[test]
fn where_the_http_method_tells_nothing_every_method_of_the_path_counts() {
    let configs = ["CreateTaskPushNotificationConfig*", "ListTaskPushNotificationConfigs*"];
    let item = ["GetTaskPushNotificationConfig*", "DeleteTaskPushNotificationConfig*"];
    for method in ["PUT", "PATCH", "OPTIONS", "POSTS", "", "G\u{c9}T"] {
        assert_bound(method, "/v1/tasks/7/pushNotificationConfigs", "", &[], &configs);
        assert_bound(method, "/v1/tasks/7/pushNotificationConfigs/c", "", &[], &item);
        assert_bound(method, "/v1/tasks/7", "", &[], &["GetTask*"]);
    }
    // The path has a method for each of these, but not for this HTTP method.
    assert_bound("POST", "/v1/tasks/7/pushNotificationConfigs/c", "", &[], &item);
    assert_bound("DELETE", "/v1/tasks", "", &[], &["ListTasks*"]);

    let url = format!("{ORIGIN}/v1/tasks/7/pushNotificationConfigs");
    let message = Message { overrides_method: true, ..Message::new("POST", &url, b"{}") };
    let resolved = message.resolve(&Transport::A2a).unwrap();
    assert_eq!(shown(&resolved).1, configs);
    for query in ["_method=GET", "a=1&_METHOD=get", "%5Fmethod=GET", "a;_method=GET", "%=1"] {
        let path = format!("/v1/tasks/7/pushNotificationConfigs?{query}");
        assert_bound("POST", &path, "{}", &[], &configs);
    }
    assert_bound(
        "POST",
        "/v1/tasks/7/pushNotificationConfigs?method=GET",
        "{}",
        &[],
        &configs[..1],
    );
}

#[test]
fn a_path_that_two_servers_bind_differently_meets_both_methods() {
    for (method, path, methods) in [
        ("GET", "/v1/tasks/7:cancel", ["CancelTask*", "GetTask*"]),
        ("GET", "/v1/tasks/7:subscribe.json", ["SubscribeToTask*", "GetTask*"]),
        ("GET", "/v1/tasks/tasks", ["GetTask*", "ListTasks*"]),
        (
            "GET",
            "/v1/tasks/pushNotificationConfigs",
            ["GetTask*", "ListTaskPushNotificationConfigs*"],
        ),
    ] {
        assert_bound(method, path, "", &[], &methods);
    }
    let message = format!(r#"{{"message":{{"parts":[{BUY}]}}}}"#);
    for path in ["/message:send.json", "/pushNotificationConfigs/message:send"] {
        assert_bound("POST", path, &message, &["create_media_buy"], &["SendMessage*"]);
    }
}

#[test]
fn a_bound_method_meets_both_its_names() {
    let capability = requiring(&[], &["tasks/cancel", "tasks/pushNotificationConfig/set"]);
    for (path, body) in [
        ("/v1/tasks/7:cancel", "{}"),
        ("/v1/tasks/7:cancel", ""),
        ("/v1/tasks/7/pushNotificationConfigs", r#"{"url":"https://evil.example"}"#),
        ("/v1/tasks/7", r#"{"method":"CancelTask"}"#),
    ] {
        let resolved = at(&Transport::A2a, "POST", path, body).unwrap();
        assert_eq!(capability.posture(&resolved), Posture::Required, "{path} {body}");
    }
    let exact = a2a(r#"{"method":"CancelTask"}"#).unwrap();
    assert_eq!(capability.posture(&exact), Posture::Unlisted);
}

#[test]
fn a_request_that_no_path_explains_is_undetermined_and_not_one_for_nothing() {
    for (method, path) in [
        ("GET", "/a2a"),
        ("DELETE", "/a2a"),
        ("OPTIONS", "/a2a"),
        ("GET", "/.well-known/agent-card.json/x"),
        ("GET", "/a/.well-known/agent-card.json"),
        ("GET", "/.well-known/Agent-Card.json"),
        ("DELETE", "/.well-known/agent-card.json"),
        ("GET", "/v1/x/../tasks"),
        ("GET", "/v1/./tasks"),
        ("GET", "/v1/%2e/tasks"),
        ("GET", "/v1\\tasks"),
        ("GET", "/v1%2Ftasks"),
        ("GET", "/v1/tasks%00"),
        ("GET", "/v1/tasks."),
        ("GET", "/v1/tasks%ff"),
        ("POST", "/v1/x/../tasks/7:cancel"),
    ] {
        let resolved = at(&Transport::A2a, method, path, "");
        assert_eq!(resolved, Ok(undetermined()), "{method} {path}");
    }
    for url in ["https://s.example.com:/v1/tasks?pageSize=9", "/v1/tasks", "*"] {
        let resolved = Message::new("GET", url, b"").resolve(&Transport::A2a);
        assert_eq!(resolved, Ok(undetermined()), "{url}");
    }
    for path in ["/.well-known/agent-card.json", "/.well-known/agent.json"] {
        for method in ["GET", "HEAD"] {
            assert!(at(&Transport::A2a, method, path, "").unwrap().asks_for_nothing(), "{path}");
        }
    }
}

#[test]
fn an_envelope_does_not_hide_a_path_that_some_router_binds() {
    for segment in [
        "tasks%00",
        "tasks%0A",
        "tasks%7F",
        "tasks%3Bx",
        "tasks%3Fx",
        "tasks%23x",
        "tasks%2525",
        "tasks.",
        "tasks%20",
        "tasks%C2%A0",
        "tasks%2F",
        "tasks%5C",
        "tasks\\",
        "x%2Ftasks",
    ] {
        let path = format!("/v1/{segment}/7:cancel");
        let resolved = at(&Transport::A2a, "POST", &path, r#"{"method":"ping"}"#).unwrap();
        assert!(resolved.is_undetermined(), "{path}");
        assert_eq!(shown(&resolved).1, ["ping*"], "{path}");
    }
}

#[test]
fn an_envelope_under_an_ambiguous_path_is_named_and_stays_undetermined() {
    let resolved = at(&Transport::A2a, "POST", "/a2a/../rpc", parts(BUY)).unwrap();
    assert!(resolved.is_undetermined());
    assert_eq!(resolved.operation(), Some("create_media_buy"));
    let message = format!(r#"{{"message":{{"parts":[{BUY}]}}}}"#);
    let resolved = at(&Transport::A2a, "POST", "/a2a/../message:send", message);
    assert_eq!(resolved, Ok(undetermined()));
    let gzip = format!("{ORIGIN}/v1/message:send");
    let body = format!(r#"{{"message":{{"parts":[{GET}]}}}}"#);
    let message = Message::new("POST", &gzip, body.as_bytes()).coded("deflate");
    assert!(message.resolve(&Transport::A2a).unwrap().is_undetermined());
}

#[test]
fn the_task_that_a_message_goes_on_with_is_read_strictly() {
    use OperationError::*;
    let with =
        |members: &str| parts(GET).replace(r#""messageId""#, &format!(r#"{members},"messageId""#));
    let tasks = |body: &str| {
        a2a(body).map(|resolved| resolved.task_ids().map(str::to_owned).collect::<Vec<_>>())
    };
    assert_eq!(tasks(&with(r#""t\u0061skId":"t-1""#)), Ok(vec!["t-1".to_owned()]));
    assert_eq!(tasks(&with(r#""taskId":null"#)), Ok(vec![]));
    assert_eq!(tasks(&parts(GET)), Ok(vec![]));
    const MEMBER: &str = "params.message.taskId";
    for members in [r#""taskId":7"#, r#""taskId":"""#, r#""taskId":["t"]"#] {
        let why = Type { member: MEMBER, expected: "a non-empty string" };
        assert_eq!(tasks(&with(members)), Err(why), "{members}");
    }
    assert_eq!(
        tasks(&with(r#""taskId":"a","taskId":"b""#)),
        Err(DuplicateMember { object: "params.message" })
    );
    let both = format!(
        r#"{{"method":"SendMessage","params":{{"message":{{"taskId":"b","parts":[{GET}]}}}},"message":{{"taskId":"a","parts":[{GET}]}}}}"#
    );
    let resolved = at(&Transport::A2a, "POST", "/message:send", both).unwrap();
    assert_eq!(resolved.task_ids().collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn deep_nesting_is_refused_and_not_recursed_into() {
    let start = r#"{"method":"x","params":"#;
    let deep = format!("{start}{}", "[".repeat(100_000));
    let limit = JsonLimits::default().max_depth();
    let offset = start.len() + limit - 1;
    let refused = OperationError::Json(StrictJsonError::TooDeep { limit, offset });
    assert_eq!(mcp(&deep), Err(refused.clone()));
    assert_eq!(a2a(&deep), Err(refused));
    let (resolved, registers) =
        Message::new("POST", ORIGIN, deep.as_bytes()).judge(&Transport::RestPath).unwrap();
    assert!(resolved.is_undetermined() && registers);
}
