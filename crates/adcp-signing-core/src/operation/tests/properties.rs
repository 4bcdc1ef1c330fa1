use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// Bound paths, each with a request that needs a signature under [`listed`].
const BOUND: [(&str, &str); 9] = [
    ("POST", "/v1/tasks/7:cancel"),
    ("GET", "/v1/tasks/7:subscribe"),
    ("GET", "/v1/tasks/7"),
    ("GET", "/v1/tasks"),
    ("POST", "/v1/tasks/7/pushNotificationConfigs"),
    ("GET", "/v1/tasks/7/pushNotificationConfigs"),
    ("GET", "/v1/tasks/7/pushNotificationConfigs/c"),
    ("DELETE", "/v1/tasks/7/pushNotificationConfigs/c"),
    ("GET", "/v1/extendedAgentCard"),
];

fn listed() -> RequestSigningCapability {
    requiring(
        &["create_media_buy"],
        &[
            "tasks/cancel",
            "SubscribeToTask",
            "GetTask",
            "ListTasks",
            "tasks/pushNotificationConfig/set",
            "ListTaskPushNotificationConfigs",
            "tasks/pushNotificationConfig/get",
            "DeleteTaskPushNotificationConfig",
            "GetExtendedAgentCard",
        ],
    )
}

fn with_case(text: &str, upper: u64) -> String {
    let fold = |(index, letter): (usize, char)| match upper >> (index % 64) & 1 {
        1 => letter.to_ascii_uppercase(),
        _ => letter.to_ascii_lowercase(),
    };
    text.chars().enumerate().map(fold).collect()
}

/// `path` with letter case, empty segments, escapes and matrix parameters of another spelling.
fn varied(path: &str, upper: u64, slashes: &[u8], escaped: u64, matrix: &[u8]) -> String {
    let nth = |list: &[u8], index: usize| list.get(index).copied().unwrap_or(0);
    let mut out = String::new();
    for (index, segment) in path.split('/').skip(1).enumerate() {
        out.push_str(&"/".repeat(1 + usize::from(nth(slashes, index) % 3)));
        for (at, letter) in with_case(segment, upper.rotate_left(index as u32)).bytes().enumerate()
        {
            match escaped >> ((at + 7 * index) % 64) & 1 {
                1 => out.push_str(&format!("%{letter:02x}")),
                _ => out.push(char::from(letter)),
            }
        }
        match nth(matrix, index) % 3 {
            1 => out.push_str(";v=1"),
            2 => out.push(';'),
            _ => {}
        }
    }
    out + &"/".repeat(usize::from(nth(slashes, 9) % 3))
}

fn transports() -> impl Strategy<Value = Transport> {
    prop_oneof![
        Just(Transport::RestPath),
        Just(Transport::Mcp),
        Just(Transport::A2a),
        Just(Transport::Rest { operation: "get_products".into() }),
    ]
}

fn paths() -> impl Strategy<Value = String> {
    prop_oneof![
        proptest::sample::select(&BOUND[..]).prop_map(|(_, path)| path.to_owned()),
        Just("/message:send".to_owned()),
        Just("/get_products".to_owned()),
        Just("/a2a".to_owned()),
        "(/(tasks|message:send|%2e|\\.\\.|;a|[a-z]{1,3}|pushNotificationConfigs)){0,4}",
    ]
}

/// The members of an object, `method` apart.
fn members() -> impl Strategy<Value = Vec<String>> {
    vec(
        prop_oneof![
            Just(r#""jsonrpc":"2.0""#.to_owned()),
            Just(r#""id":1"#.to_owned()),
            Just(r#""result":{}"#.to_owned()),
            Just(format!(r#""params":{{"message":{{"parts":[{BUY}]}}}}"#)),
            Just(format!(r#""message":{{"parts":[{GET}]}}"#)),
            Just(r#""params":{"name":"create_media_buy"}"#.to_owned()),
            Just(r#""Method":"x""#.to_owned()),
            Just(r#""url":"u""#.to_owned()),
        ],
        0..4,
    )
}

proptest! {
    #[test]
    fn arbitrary_messages_never_panic(
        transport in transports(),
        method in any::<String>(),
        url in prop_oneof![any::<String>(), paths().prop_map(|path| format!("{ORIGIN}{path}"))],
        types in any::<(Option<String>, Option<String>)>(),
        body in prop_oneof![any::<String>(), "[\\[\\]{}\":,a0\\\\u%=-]{0,60}"],
    ) {
        let wrapped = format!(r#"{{"method":{body}}}"#);
        for body in [&body, &wrapped] {
            let _ = Message {
                content_type: types.0.as_deref().map(str::as_bytes),
                content_encoding: types.1.as_deref().map(str::as_bytes),
                ..Message::new(&method, &url, body.as_bytes())
            }
            .judge(&transport);
        }
    }

    #[test]
    fn no_spelling_of_a_bound_path_has_a_weaker_posture(
        (method, path) in proptest::sample::select(&BOUND[..]),
        upper in any::<u64>(),
        method_upper in any::<u64>(),
        slashes in vec(any::<u8>(), 10),
        escaped in any::<u64>(),
        matrix in vec(any::<u8>(), 10),
        body in prop_oneof![Just(""), Just("{}"), Just(r#"{"method":"x"}"#)],
    ) {
        let capability = listed();
        let plain = at(&Transport::A2a, method, path, body).unwrap();
        prop_assert_eq!(capability.posture(&plain), Posture::Required);
        let other = varied(path, upper, &slashes, escaped, &matrix);
        let resolved = at(&Transport::A2a, &with_case(method, method_upper), &other, body).unwrap();
        prop_assert!(capability.posture(&resolved) >= Posture::Required, "{}", other);
    }

    #[test]
    fn no_spelling_of_an_operations_path_has_a_weaker_posture(
        upper in any::<u64>(),
        slashes in vec(any::<u8>(), 10),
        escaped in any::<u64>(),
        matrix in vec(any::<u8>(), 10),
        query in "(\\?[a-z/=;]{0,9})?(#[a-z/]{0,5})?",
    ) {
        let path = varied("/adcp/create_media_buy", upper, &slashes, escaped, &matrix) + &query;
        let resolved = by_path(&path, "{}").unwrap();
        prop_assert_eq!(listed().posture(&resolved), Posture::Required, "{}", path);
    }

    #[test]
    fn what_follows_a_required_operation_in_the_url_never_frees_it(
        tail in "[a-zA-Z0-9/?#%&=;:.\\\\_~ é-]{0,30}",
        host in prop_oneof![Just("seller.example.com"), Just("seller.example.com:"), Just("s:0443")],
    ) {
        // Another segment is another resource, so the tail stays within the last one.
        prop_assume!(!tail.split(['?', '#']).next().unwrap_or("").contains('/'));
        prop_assume!(!tail.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '_'));
        let url = format!("https://{host}/adcp/create_media_buy{tail}");
        let resolved = Message::new("POST", &url, b"{}").resolve(&Transport::RestPath);
        prop_assert!(!passes_unsigned(resolved, &listed()), "{}", url);
    }

    #[test]
    fn a_method_in_the_body_never_weakens_the_posture(
        transport in transports(),
        http_method in prop_oneof![Just("GET"), Just("POST"), Just("DELETE"), Just("put")],
        path in paths(),
        members in members(),
        method in prop_oneof![
            Just("x"), Just("tools/call"), Just("SendMessage"), Just("GetTask"), Just("ping"),
        ],
        place in any::<prop::sample::Index>(),
    ) {
        let without = format!("{{{}}}", members.join(","));
        let mut with = members.clone();
        with.insert(place.index(members.len() + 1), format!(r#""method":"{method}""#));
        let with = format!("{{{}}}", with.join(","));
        let capability = listed();
        if let Ok(plain) = at(&transport, http_method, &path, &without)
            && let Ok(named) = at(&transport, http_method, &path, &with)
        {
            prop_assert!(
                capability.posture(&named) >= capability.posture(&plain),
                "{} {} {}", http_method, path, with
            );
        }
    }

    #[test]
    fn credentials_are_found_in_any_wrapping(
        space in "[ \t\r\n]{0,4}",
        wraps in vec(0_u8..5, 0..6),
        upper in any::<u64>(),
        content_type in prop_oneof![
            Just(None), Just(Some("application/json")), Just(Some("text/plain")),
            Just(Some("application/x-www-form-urlencoded")), Just(Some("multipart/form-data")),
        ],
    ) {
        let name = with_case("push_notification_config", upper);
        let authentication = with_case("authentication", upper.rotate_left(7));
        let mut json = format!(r#"{{"{name}":{{"{authentication}":{{}}}}}}"#);
        for wrap in wraps {
            json = match wrap {
                0 => format!("[1,{json}]"),
                1 => format!(r#"{{"a":{json}}}"#),
                2 => format!(r#"{{"params":{{}},"params":{json}}}"#),
                3 => format!(r#"{{"push_notification_config":{json}}}"#),
                _ => serde_json::to_string(&json).unwrap(),
            };
        }
        let json = space + &json;
        let transport = Transport::Rest { operation: "create_media_buy".into() };
        let plain = [("plain", json.clone().into_bytes())];
        for (disguise, body) in plain.into_iter().chain(disguises(&json)) {
            let message = Message {
                content_type: content_type.map(str::as_bytes),
                ..Message::new("POST", ORIGIN, &body)
            };
            prop_assert!(message.judge(&transport).unwrap().1, "{} {}", disguise, json);
            prop_assert!(message.coded("gzip").judge(&transport).unwrap().1, "{}", disguise);
        }
    }
}
