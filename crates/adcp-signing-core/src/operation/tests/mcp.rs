use super::*;

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
}

#[test]
fn a_request_other_than_post_without_a_body_asks_for_nothing() {
    for method in ["GET", "DELETE", "OPTIONS"] {
        let resolved = at(&Transport::Mcp, method, "/mcp", "").unwrap();
        assert!(resolved.asks_for_nothing(), "{method}");
    }
    for method in ["POST", "post"] {
        assert!(at(&Transport::Mcp, method, "/mcp", "").is_err(), "{method}");
    }
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
        (r#"{"result":1,"params":{"name":"x"}}"#, Missing { member: "method" }),
        (r#"[{"method":"ping"}]"#, Batch),
        (" [", Batch),
        ("7", Type { member: "the body", expected: "an object" }),
        ("", Json(StrictJsonError::Invalid { offset: 0, what: "the document ends early" })),
        (
            "\u{feff}{}",
            Json(StrictJsonError::Invalid {
                offset: 0,
                what: "a byte order mark (BOM); write the text without it",
            }),
        ),
    ] {
        assert_eq!(mcp(body), Err(why), "{body}");
    }
}

#[test]
fn a_call_that_is_declared_in_another_encoding_is_undetermined() {
    let url = format!("{ORIGIN}/mcp");
    let body = br#"{"method":"tools/call","params":{"name":"get_products"}}"#;
    let message = Message::new("POST", &url, body);
    for message in [
        message.coded("gzip"),
        message.coded("identity, br"),
        message.typed("application/json; charset=utf-7"),
        message.typed("application/json; charset*=utf-8''utf-16"),
        message.typed("application/json;charset"),
        Message { content_type: Some(b"application/json; x=\xff"), ..message },
    ] {
        let resolved = message.resolve(&Transport::Mcp).unwrap();
        assert!(resolved.is_undetermined());
        assert_eq!(resolved.operation(), Some("get_products"));
    }
    for message in [
        message,
        message.coded("identity"),
        message.coded(""),
        message.typed("application/json"),
        message.typed("application/json; charset=UTF-8"),
        message.typed("application/json; charset=\"utf-8\""),
        message.typed("application/json; charset=us-ascii; q=1"),
    ] {
        assert_eq!(message.resolve(&Transport::Mcp), Ok(names(Some("get_products"), None)));
    }
}

#[test]
fn json_rpc_responses_ask_for_nothing() {
    for body in [
        r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"error":{"code":1}}"#,
    ] {
        assert!(a2a(body).unwrap().asks_for_nothing());
        assert!(mcp(body).unwrap().asks_for_nothing());
    }
    let disguised =
        r#"{"jsonrpc":"2.0","id":1,"result":{},"method":"tools/call","params":{"name":"x"}}"#;
    assert_eq!(mcp(disguised), Ok(names(Some("x"), None)));
}
