use super::*;

const CALL: &str =
    r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"create_media_buy"}}"#;

#[test]
fn a_routed_request_is_the_routes_operation_whatever_the_message_is() {
    let routed = |name: &str| Transport::Rest { operation: name.into() };
    for (name, operations, methods) in [
        ("create_media_buy", vec!["create_media_buy"], vec![]),
        ("tasks/cancel", vec![], vec!["tasks/cancel*"]),
        ("CancelTask", vec![], vec!["CancelTask*"]),
        ("ListTasks", vec![], vec!["ListTasks*"]),
    ] {
        let url = "/get_products?x=/create_media_buy";
        let resolved = Message::new("POST", url, b"not json").resolve(&routed(name)).unwrap();
        assert!(!resolved.is_undetermined());
        assert_eq!(
            shown(&resolved),
            (
                operations.into_iter().map(str::to_owned).collect(),
                methods.into_iter().map(str::to_owned).collect()
            ),
            "{name}"
        );
    }
}

#[test]
fn a_route_whose_name_no_list_can_hold_is_undetermined() {
    for name in ["", "create-media-buy", "Create_Media_Buy", "CreateMediaBuy", "tools/call", "é"] {
        let transport = Transport::Rest { operation: name.into() };
        assert!(at(&transport, "POST", "/", "").unwrap().is_undetermined(), "{name}");
    }
}

#[test]
fn the_last_segment_of_the_path_is_folded_as_routers_fold_it() {
    for path in [
        "/adcp/create_media_buy",
        "/create_media_buy",
        "/adcp/create_media_buy/",
        "//create_media_buy//",
        "/adcp/create_media_buy;v=1",
        "/adcp/create_media_buy/;v=1/",
        "/adcp/Create_Media_Buy",
        "/adcp/CREATE_MEDIA_BUY",
        "/adcp/create%5Fmedia_buy",
        "/adcp/%63reate_media_buy",
        "/adcp;a/create_media_buy?x=/get_products",
        "/adcp/create_media_buy#/get_products",
        "/adcp/create_media_buy?",
    ] {
        assert_eq!(by_path(path, "{}"), Ok(names(Some("create_media_buy"), None)), "{path}");
    }
}

#[test]
fn a_path_that_names_no_operation_or_two_is_undetermined() {
    for path in [
        "",
        "/",
        "/;create_media_buy",
        "/adcp/create_media_buy/%2e",
        "/adcp/create_media_buy/.",
        "/adcp/create_media_buy/x/..",
        "/adcp/create_media_buy/x/%2e%2e",
        "/adcp/create_media_buy/..;/get_products",
        "/adcp/create_media_buy/%2e%2E;x/get_products",
        "/adcp/create_media_buy/../get_products",
        "/adcp/create_media_buy%2F",
        "/adcp/create_media_buy%2Fx",
        "/adcp/create_media_buy%5Cget_products",
        "/adcp/create_media_buy\\get_products",
        "/adcp\\create_media_buy",
        "/adcp/create_media_buy.json",
        "/adcp/create_media_buy.",
        "/adcp/create_media_buy%20",
        "/adcp/create-media-buy",
        "/adcp/create_media_buy%00",
        "/adcp/create_media_buy%0A",
        "/adcp/create_media_buy%C2%85",
        "/adcp/create_media_buy%ff",
        "/adcp/create_media_buy%3Bx",
        "/adcp/create_media_buy%3Fx",
        "/adcp/create_media_buy%23x",
        "/adcp/create%255Fmedia_buy",
        "/%2e%2e/get_products",
        "/%2F/get_products",
    ] {
        assert_eq!(by_path(path, "{}"), Ok(undetermined()), "{path}");
    }
}

#[test]
fn a_url_without_a_canonical_form_names_no_operation() {
    let long = format!("{ORIGIN}/adcp/create_media_buy?x={}/get_products", "a".repeat(9_000));
    let fragment = format!("{ORIGIN}/adcp/create_media_buy#{}", "a".repeat(9_000));
    for url in [
        "https://seller.example.com:/adcp/create_media_buy?x=/get_products",
        "https://seller.example.com:0443/adcp/create_media_buy?x=1",
        "https://xn--a-.example.com/adcp/create_media_buy?x=1",
        "/adcp/create_media_buy?x=/y",
        "/adcp/get_products",
        "*",
        "",
        "https://seller.example.com/adcp/create_media_buy%",
        &long,
        &fragment,
    ] {
        let resolved = Message::new("POST", url, b"{}").resolve(&Transport::RestPath);
        assert_eq!(resolved, Ok(undetermined()), "{url}");
        assert!(!passes_unsigned(resolved, &requiring(&["create_media_buy"], &[])), "{url}");
    }
}

#[test]
fn an_envelope_in_the_body_counts_as_well() {
    let bare = CALL.replace(r#""jsonrpc":"2.0","#, "");
    for body in [CALL, &bare] {
        let both = by_path("/adcp/get_products", body).unwrap();
        assert_eq!(both.operation(), Some("get_products"));
        assert_eq!(both.further_operations().collect::<Vec<_>>(), ["create_media_buy"]);
    }
    for (path, body, operation, methods) in [
        ("/adcp/create_media_buy", CALL, "create_media_buy", vec![]),
        ("/mcp", r#"{"method":"tasks/cancel"}"#, "mcp", vec!["tasks/cancel".to_owned()]),
        ("/mcp", r#"{"jsonrpc":"2.0","result":1}"#, "mcp", vec![]),
        ("/adcp/pay", r#"{"method":["card"]}"#, "pay", vec![]),
        ("/adcp/pay", r#"{"method":null}"#, "pay", vec![]),
        ("/adcp/pay", "[1,[{}]]", "pay", vec![]),
        ("/adcp/tasks", "{}", "tasks", vec!["ListTasks*".to_owned()]),
    ] {
        let resolved = by_path(path, body).unwrap();
        assert!(!resolved.is_undetermined(), "{path} {body}");
        assert_eq!(shown(&resolved), (vec![operation.to_owned()], methods), "{path} {body}");
    }
    let message = by_path("/a2a", parts(BUY)).unwrap();
    assert_eq!(message.further_operations().collect::<Vec<_>>(), ["create_media_buy"]);
    assert_eq!(message.protocol_methods().len(), 1);
}

#[test]
fn an_envelope_that_cannot_be_read_is_refused() {
    let bare = CALL.replace(r#""jsonrpc":"2.0","#, "");
    for body in [
        format!("[{CALL}]"),
        format!("[{bare}]"),
        format!("[[{bare}]]"),
        format!("[{{}},[[],[{CALL}]]]"),
    ] {
        assert_eq!(by_path("/mcp", &body), Err(OperationError::Batch), "{body}");
    }
    for (body, why) in [
        (
            r#"{"method":"tools/call","Method":"ping"}"#,
            OperationError::CaseVariant { member: "method" },
        ),
        (r#"{"Method":"tools/call"}"#, OperationError::CaseVariant { member: "method" }),
        (r#"{"method":1,"method":"x"}"#, OperationError::Duplicate { member: "method" }),
        (
            r#"{"jsonrpc":"2.0","method":1}"#,
            OperationError::Type { member: "method", expected: "a non-empty string" },
        ),
    ] {
        assert_eq!(by_path("/mcp", body), Err(why), "{body}");
    }
}

#[test]
fn a_body_in_which_another_decoder_may_find_an_envelope_is_undetermined() {
    for (disguise, body) in disguises(CALL) {
        assert!(by_path("/mcp", &body).unwrap().is_undetermined(), "{disguise}");
    }
    let url = format!("{ORIGIN}/mcp");
    let message = Message::new("POST", &url, b"{}");
    for message in [message.coded("gzip"), message.typed("text/json; charset=utf-16")] {
        assert!(message.resolve(&Transport::RestPath).unwrap().is_undetermined());
    }
    let form = Message::new("POST", &url, b"a=1&b=2").typed("application/x-www-form-urlencoded");
    assert_eq!(form.resolve(&Transport::RestPath), Ok(names(Some("mcp"), None)));
    assert!(form.coded("gzip").resolve(&Transport::RestPath).unwrap().is_undetermined());
}
