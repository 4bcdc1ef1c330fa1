use super::*;

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
    let mut hidden = names(Some("a"), None);
    hidden.add_operation("c");
    assert_eq!(capability.posture(&hidden), Posture::Required);
    let mut hidden = names(None, Some("tasks/get"));
    hidden.add_method("SendMessage", false);
    assert_eq!(capability.posture(&hidden), Posture::Required);
}

#[test]
fn an_undetermined_request_meets_the_strongest_posture_while_anything_is_listed() {
    let new = || RequestSigningCapability::supported_with(DigestPolicy::Required);
    for capability in [
        new().with_operations(List::Required, ["a"]).unwrap(),
        new().with_operations(List::Warn, ["a"]).unwrap(),
        new().with_protocol_methods(List::Required, ["GetTask"]).unwrap(),
        new().with_protocol_methods(List::Warn, ["GetTask"]).unwrap(),
    ] {
        assert_eq!(capability.posture(&undetermined()), Posture::Undetermined);
        let named = doubtful(names(Some("a"), None));
        assert_eq!(capability.posture(&named), Posture::Undetermined);
        assert_eq!(capability.posture(&Resolved::nothing()), Posture::Unlisted);
    }
    let supported = new().with_operations(List::Supported, ["a"]).unwrap();
    assert_eq!(supported.posture(&undetermined()), Posture::Unlisted);
    assert_eq!(RequestSigningCapability::unsupported().posture(&undetermined()), Posture::Unlisted);
    assert!(Posture::Undetermined > Posture::Required);
}

#[test]
fn the_lists_are_asked_for_what_they_hold() {
    let new = || RequestSigningCapability::supported_with(DigestPolicy::Required);
    for (capability, requires, warns) in [
        (new(), false, false),
        (new().with_operations(List::Supported, ["a"]).unwrap(), false, false),
        (new().with_operations(List::Required, ["a"]).unwrap(), true, false),
        (new().with_protocol_methods(List::Required, ["GetTask"]).unwrap(), true, false),
        (new().with_operations(List::Warn, ["a"]).unwrap(), false, true),
        (new().with_protocol_methods(List::Warn, ["GetTask"]).unwrap(), false, true),
    ] {
        assert_eq!(
            (capability.requires_anything(), capability.warns_for_anything()),
            (requires, warns)
        );
    }
}

#[test]
fn protocol_methods_match_exactly_unless_aliases_are_asked_for_or_a_path_stands_for_them() {
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
        let exactly = requiring(&[], &[declared]);
        let wired = Resolved::of_protocol_method(wire);
        let mut bound = Resolved::nothing();
        bound.add_method(wire, true);
        let is_required = |capability: &RequestSigningCapability, resolved: &Resolved| {
            capability.posture(resolved) == Posture::Required
        };
        assert_eq!(is_required(&exactly, &wired), exact, "{declared} {wire}");
        assert_eq!(is_required(&exactly, &bound), aliased, "{declared} {wire}");
        let loosely = exactly.with_method_aliases();
        assert_eq!(is_required(&loosely, &wired), aliased, "{declared} {wire}");
    }
}

#[test]
fn a_method_that_is_listed_in_one_generation_alone_gets_advice() {
    let one = requiring(&[], &["tasks/cancel", "ListTasks"]);
    let advice = one.advice();
    assert_eq!(
        advice,
        [Advice::OneGeneration { listed: "tasks/cancel".into(), missing: "CancelTask" }]
    );
    assert!(advice[0].to_string().contains("CancelTask"));
    assert_eq!(one.with_method_aliases().advice(), []);
    assert_eq!(requiring(&[], &["tasks/cancel", "CancelTask"]).advice(), []);
    let weaker = requiring(&[], &["tasks/cancel"])
        .with_protocol_methods(List::Warn, ["CancelTask"])
        .unwrap();
    assert_eq!(weaker.advice().len(), 1);
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
        assert!(new().with_protocol_methods(List::Required, [method]).is_ok(), "{method}");
        assert_eq!(
            new().with_operations(List::Warn, ["get_products", method]),
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
            new().with_protocol_methods(List::Required, [name]),
            Err(CapabilityError::ProtocolMethod { list: "required_for", index: 0 }),
            "{name}"
        );
    }
    for name in ["", "1a", "_a", "Create", "create-media-buy", "a b"] {
        let refused = Err(CapabilityError::Operation { list: "supported_for", index: 0 });
        assert_eq!(new().with_operations(List::Supported, [name]), refused, "{name}");
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
        (
            r#"{"supported":false,"protocol_methods_warn_for":["GetTask"]}"#,
            CapabilityError::ListedButUnsupported,
        ),
    ] {
        assert_eq!(capability(json), Err(why), "{json}");
    }
    for json in [
        "{}",
        "[true]",
        r#"{"supported":"yes"}"#,
        r#"{"supported":true,"covers_content_digest":"maybe"}"#,
        r#"{"supported":true,"required_for":null}"#,
        r#"{"supported":true,"profiles":null}"#,
        r#"{"supported":true,"profiles":"web-bot-auth"}"#,
        r#"{"supported":true,"operation_sources":null}"#,
    ] {
        assert!(matches!(capability(json), Err(CapabilityError::Schema(_))), "{json}");
    }
}

#[test]
fn a_capability_in_which_a_member_occurs_twice_is_refused() {
    for json in [
        r#"{"supported":true,"required_for":["a"],"required_for":[]}"#,
        r#"{"supported":true,"required_for":["a"],"required\u005ffor":[]}"#,
        r#"{"supported":true,"x":{"a":1,"a":2}}"#,
    ] {
        let refused = capability(json);
        assert!(
            matches!(refused, Err(CapabilityError::Json(StrictJsonError::Duplicate(_)))),
            "{json}"
        );
    }
    assert!(matches!(capability("{\"supported\":true,}"), Err(CapabilityError::Json(_))));
}

#[test]
fn profiles_are_an_enum_with_a_default() {
    use SigningProfile::{AdcpRequestSigningV1, WebBotAuth};
    for (json, profiles) in [
        (r#"{"supported":true}"#, &[AdcpRequestSigningV1][..]),
        (r#"{"supported":true,"profiles":["adcp/request-signing/v1"]}"#, &[AdcpRequestSigningV1]),
        (
            r#"{"supported":true,"profiles":["web-bot-auth","adcp/request-signing/v1"]}"#,
            &[WebBotAuth, AdcpRequestSigningV1],
        ),
    ] {
        assert_eq!(capability(json).unwrap().profiles(), profiles, "{json}");
    }
    for (json, why) in [
        (r#"{"supported":true,"profiles":[]}"#, CapabilityError::NoProfile),
        (
            r#"{"supported":true,"profiles":["web-bot-auth","adcp/request-signing/v2"]}"#,
            CapabilityError::Profile { index: 1 },
        ),
        (
            r#"{"supported":true,"profiles":["web-bot-auth","web-bot-auth"]}"#,
            CapabilityError::Repeated { list: "profiles", index: 1 },
        ),
    ] {
        assert_eq!(capability(json), Err(why), "{json}");
    }
}

#[test]
fn operation_sources_are_absent_or_a_set() {
    use OperationSource::{A2aInvocationSkill, McpToolsCall};
    for (json, sources) in [
        (r#"{"supported":true}"#, None),
        (r#"{"supported":true,"operation_sources":[]}"#, Some(&[][..])),
        (
            r#"{"supported":true,"operation_sources":["mcp_tools_call","a2a_invocation_skill"]}"#,
            Some(&[McpToolsCall, A2aInvocationSkill]),
        ),
    ] {
        assert_eq!(capability(json).unwrap().operation_sources(), sources, "{json}");
    }
    for (json, why) in [
        (
            r#"{"supported":true,"operation_sources":["rest_path"]}"#,
            CapabilityError::OperationSource { index: 0 },
        ),
        (
            r#"{"supported":true,"operation_sources":["mcp_tools_call","mcp_tools_call"]}"#,
            CapabilityError::Repeated { list: "operation_sources", index: 1 },
        ),
    ] {
        assert_eq!(capability(json), Err(why), "{json}");
    }
}

#[test]
fn the_digest_policy_is_the_one_that_is_given() {
    for (policy, text) in [
        (DigestPolicy::Required, "required"),
        (DigestPolicy::Either, "either"),
        (DigestPolicy::Forbidden, "forbidden"),
    ] {
        let built = RequestSigningCapability::supported_with(policy);
        assert_eq!(built.covers_content_digest(), policy);
        let read = format!(r#"{{"supported":true,"covers_content_digest":"{text}"}}"#);
        assert_eq!(capability(&read).unwrap(), built);
    }
}
