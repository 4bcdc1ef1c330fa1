use super::*;

const JSON: &str = "application/json";

fn registers(message: Message<'_>) -> bool {
    let transport = Transport::Rest { operation: "create_media_buy".into() };
    message.judge(&transport).unwrap().1
}

fn body_registers(body: impl AsRef<[u8]>) -> bool {
    let message = Message::new("POST", ORIGIN, body.as_ref());
    let outcomes = [registers(message), registers(message.typed(JSON))];
    assert_eq!(outcomes[0], outcomes[1], "the media type of JSON is not what counts");
    outcomes[0]
}

const REGISTRATIONS: [&str; 10] = [
    r#"{"push_notification_config":{"url":"u","authentication":{"schemes":["HMAC-SHA256"]}}}"#,
    r#"{"accounts":[{},{"notification_configs":[{"url":"u"},{"authentication":{}}]}]}"#,
    r#"{"notification_configs":[{"authentication":{"schemes":[]}}]}"#,
    r#"{"configuration":{"notification_configs":[{"authentication":{}}]}}"#,
    r#"{"reporting_webhook":{"url":"u","authentication":{}}}"#,
    r#"{"artifact_webhook":{"url":"u","authentication":{}}}"#,
    r#"{"configuration":{"pushNotificationConfig":{"authentication":{}}}}"#,
    r#"{"configuration":{"taskPushNotificationConfig":{"authentication":{}}}}"#,
    r#"{"push_notification_config":{"auth\u0065ntication":"x","authentication":null}}"#,
    r#"{"push_notification_config":[[{"authentication":false}]]}"#,
];

#[test]
fn credentials_are_found_wherever_they_stand_and_however_they_are_spelled() {
    for registration in REGISTRATIONS {
        for body in [
            registration.to_owned(),
            format!(" {registration} "),
            format!("[{registration}]"),
            format!("[[1],[{registration}]]"),
            format!(
                r#"{{"method":"tools/call","params":{{"name":"x","arguments":{registration}}}}}"#
            ),
            format!(r#"{{"params":{{"arguments":{{}},"arguments":{registration}}}}}"#),
            format!(r#"{{"params":{{"arguments":{{"input":{registration}}}}}}}"#),
            format!(r#"{{"params":{registration}}}"#),
            parts(&format!(r#"{{"data":{{"skill":"x","input":{registration}}}}}"#)),
            format!(r#"{{"message":{{"parts":[{{"data":{{"parameters":{registration}}}}}]}}}}"#),
            format!(r#"{{"creative":{{"deep":[{{"er":{registration}}}]}}}}"#),
            registration.replace("authentication", "Authentication"),
            registration.replace("authentication", "authent\u{131}cation"),
            registration
                .to_uppercase()
                .replace("\\U0065", "\\u0065")
                .replace("NULL", "null")
                .replace("FALSE", "false"),
            registration.replace('_', ""),
            registration.replace("otification_c", "otificationC"),
            registration.replace("otification", "oti\u{fb01}cation"),
        ] {
            assert!(body_registers(&body), "{body}");
        }
    }
}

#[test]
fn a_document_without_credentials_registers_none() {
    for body in [
        "",
        "{}",
        "7",
        "null",
        r#""authentication""#,
        r#"{"push_notification_config":{"url":"u","authentication":null}}"#,
        r#"{"push_notification_config":{"url":"u"}}"#,
        r#"{"push_notification_config":null}"#,
        r#"{"authentication":{}}"#,
        r#"{"account":{"authentication":{"type":"bearer"}}}"#,
        r#"{"push_notification_config":"authentication"}"#,
        r#"{"push_notification_config":{"metadata":{"authentication":{}}}}"#,
        r#"{"brief":"{user} authentication"}"#,
        r#"{"brief":"authentication of the webhook"}"#,
    ] {
        assert!(!body_registers(body), "{body}");
    }
}

#[test]
fn credentials_that_were_encoded_a_second_time_are_found() {
    for registration in REGISTRATIONS {
        let registration = registration.replace("\\u0065", "e");
        let quoted = serde_json::to_string(&registration).unwrap();
        let twice = serde_json::to_string(&quoted).unwrap();
        for body in [
            quoted.clone(),
            format!(r#"{{"params":{{"arguments":{quoted}}}}}"#),
            format!(r#"{{"a":{twice}}}"#),
            quoted.replace("authentication", "\\\\u0061uthentication"),
        ] {
            assert!(body_registers(&body), "{body}");
        }
    }
    let config = serde_json::to_string(r#"{"authentication":{}}"#).unwrap();
    assert!(body_registers(format!(r#"{{"push_notification_config":{config}}}"#)));
}

#[test]
fn a_document_in_any_disguise_counts() {
    for json in [REGISTRATIONS[0], "{}"] {
        for (disguise, body) in disguises(json) {
            assert!(body_registers(&body), "{disguise}");
            for form in ["application/x-www-form-urlencoded", "multipart/form-data; boundary=b"] {
                // As a form, JSONP is a parameter's name.
                if disguise != "JSONP" {
                    assert!(
                        registers(Message::new("POST", ORIGIN, &body).typed(form)),
                        "{disguise}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_body_that_is_declared_compressed_or_in_another_charset_counts() {
    let message = Message::new("POST", ORIGIN, b"{}").typed(JSON);
    for message in [
        message.coded("gzip"),
        message.coded("identity, gzip"),
        message.coded("x-unknown"),
        message.typed("application/json; charset=utf-7"),
        message.typed("application/json; charset=\"utf-16\""),
        message.typed("application/json; charset=utf-8, application/json; charset=utf-7"),
        message.typed("application/json; charset=utf-8x"),
    ] {
        assert!(registers(message));
    }
    for message in [
        message,
        message.coded("identity"),
        message.coded(" Identity "),
        message.typed("application/json; charset=UTF-8"),
        message.typed("text/plain"),
        message.typed("application/json, text/plain"),
    ] {
        assert!(!registers(message));
    }
    assert!(!registers(Message::new("POST", ORIGIN, b"").coded("gzip")));
}

#[test]
fn form_data_registers_nothing_unless_it_names_authentication() {
    const URL_ENCODED: &str = "Application/X-WWW-Form-URLEncoded";
    const MULTIPART: &str = "multipart/form-data; boundary=b";
    let part = |head: &str, text: &str| {
        format!("--b\r\nContent-Disposition: form-data; name=\"a\"{head}\r\n\r\n{text}\r\n--b--")
    };
    for (media_type, body) in [
        (URL_ENCODED, "a=1&b=%7B%7D".to_owned()),
        (URL_ENCODED, "{}".to_owned()),
        (MULTIPART, part("", "x")),
        (MULTIPART, part("\r\nContent-Transfer-Encoding: binary", "x")),
    ] {
        assert!(
            !registers(Message::new("POST", ORIGIN, body.as_bytes()).typed(media_type)),
            "{body}"
        );
    }
    for (media_type, body) in [
        (URL_ENCODED, "push_notification_config[authentication][schemes]=x".to_owned()),
        (URL_ENCODED, "push_notification_config%5BAuthentication%5D=x".to_owned()),
        (URL_ENCODED, "push_notification_config%5b%61uthentication%5d=x".to_owned()),
        (URL_ENCODED, "a=%7B%22%5Cu0061uthentication%22%3A1%7D".replace("%5C", "\\")),
        (URL_ENCODED, r#"{"a":"&push_notification_config[authentication]=x"}"#.to_owned()),
        (URL_ENCODED, " a=1".to_owned()),
        (URL_ENCODED, "[a]=1".to_owned()),
        (URL_ENCODED, "\u{e9}=1".to_owned()),
        (MULTIPART, part("", r#"{"Authentication":1}"#)),
        (MULTIPART, part("\r\nContent-Transfer-Encoding: base64", "eyJh")),
        (MULTIPART, part("\r\nContent-Transfer-Encoding: Quoted-Printable", "=61")),
        (
            MULTIPART,
            part("", &"authentication".chars().flat_map(|c| [c, '\0']).collect::<String>()),
        ),
        (MULTIPART, format!("\r\n{}", part("", "x"))),
        ("multipart/form-data, text/plain", part("", "x")),
        ("multipart/mixed; boundary=b", part("", "x")),
        ("application/x-www-form-urlencoded; charset=utf-7", "a=1".to_owned()),
        ("text/plain", "a=1".to_owned()),
        ("application/xml", "<a/>".to_owned()),
        ("application/octet-stream", "x".to_owned()),
        ("application/json", "plain text".to_owned()),
    ] {
        assert!(
            registers(Message::new("POST", ORIGIN, body.as_bytes()).typed(media_type)),
            "{body}"
        );
    }
    let form = Message::new("POST", ORIGIN, b"a=1").typed(URL_ENCODED);
    assert!(registers(form.coded("gzip")));
    assert!(registers(Message::new("POST", ORIGIN, b"a=1")));
}

#[test]
fn a_method_that_sets_a_push_configuration_registers_by_authentication_anywhere() {
    let body = r#"{"url":"https://w.example","nested":[{"authentication":{}}]}"#;
    let in_params = |method: &str| format!(r#"{{"method":"{method}","params":{body}}}"#);
    let judge = |transport: &Transport, path: &str, body: &str| {
        let url = format!("{ORIGIN}{path}");
        Message::new("POST", &url, body.as_bytes()).judge(transport).unwrap().1
    };
    let a2a = &Transport::A2a;
    assert!(judge(a2a, "/v1/tasks/7/pushNotificationConfigs", body));
    assert!(judge(a2a, "/a2a", &in_params("CreateTaskPushNotificationConfig")));
    assert!(judge(a2a, "/a2a", &in_params("tasks/pushNotificationConfig/set")));
    assert!(!judge(a2a, "/a2a", &in_params("tasks/cancel")));
    assert!(judge(&Transport::RestPath, "/sync_agent_notification_configs", body));
    assert!(!judge(&Transport::RestPath, "/create_media_buy", body));
    // It could not be told, so it may be one of these.
    assert!(judge(&Transport::RestPath, "/x/../y", body));
}

/// Looking at every pair of members would not end within the suite's time limit.
#[test]
fn a_hostile_document_of_the_largest_size_is_read() {
    for unit in [
        "0,",
        "[],",
        r#"{"push_notification_config":[]},"#,
        r#""{authentication","#,
        r#"{"a":1,"a":1},"#,
    ] {
        let members = 1 + unit.matches(':').count() + unit.matches("[]").count();
        let repeated = unit.repeat(90_000 / members);
        assert!(!body_registers(format!("[{repeated}0]")), "{unit}");
    }
}
