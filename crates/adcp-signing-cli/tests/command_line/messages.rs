//! Messages that are signed, verified, explained and canonicalized.

use serde_json::{Value, json};

use super::*;

#[test]
fn what_is_signed_verifies_under_every_profile() {
    for profile in ["3.0", "3.1", "3.2"] {
        let signed = &ndjson(&["sign", "--ndjson"], &[to_sign(profile)])[0];
        assert_eq!(signed["ok"], true, "{signed}");
        assert_eq!(signed["params"]["keyid"], "test-ed25519-2026");
        assert_eq!(signed["params"]["expires"], 1_776_521_100);
        let answer = &ndjson(&["verify", "--ndjson"], &[to_verify(profile, signed)])[0];
        assert_eq!(answer["status"], "verified", "{answer}");
        assert_eq!(answer["authentication_source"], "signature");
        assert_eq!(answer["resolved_operation"], "create_media_buy");
        assert_eq!(answer["signature_base"], signed["signature_base"]);
    }
}

#[test]
fn each_line_stands_alone_unless_the_replay_store_is_shared() {
    let signed = ndjson(&["sign", "--ndjson"], &[to_sign("3.2")]).remove(0);
    let lines = [to_verify("3.2", &signed), to_verify("3.2", &signed)];
    let alone = ndjson(&["verify", "--ndjson"], &lines);
    assert_eq!((&alone[0]["ok"], &alone[1]["ok"]), (&json!(true), &json!(true)));
    let shared = ndjson(&["verify", "--ndjson", "--shared-replay"], &lines);
    assert_eq!(shared[0]["ok"], true);
    assert_eq!(shared[1]["error_code"], "request_signature_replayed");
    assert_eq!(shared[1]["failed_step"], 12);
}

#[test]
fn verifier_state_of_a_line_is_honoured() {
    let signed = ndjson(&["sign", "--ndjson"], &[to_sign("3.2")]).remove(0);
    let line = || to_verify("3.2", &signed);
    let seen = json!([{"keyid": "test-ed25519-2026", "nonce": "KXYnfEfJ0PBRZXQyVXfVQA"}]);
    let cases = [
        ("revoked_kids", json!(["test-ed25519-2026"]), "request_signature_key_revoked", json!(9)),
        ("revocation_stale", json!(true), "request_signature_revocation_stale", json!(9)),
        ("cap_hit_for", json!("test-ed25519-2026"), "request_signature_rate_abuse", json!("9a")),
        ("replay_seed", seen, "request_signature_replayed", json!(12)),
        ("now", json!(1_776_521_161), "request_signature_window_invalid", json!(5)),
        ("jwks", json!({"keys": []}), "request_signature_key_unknown", json!(7)),
        ("body", json!("{\"a\":2}"), "request_signature_digest_mismatch", json!(11)),
    ];
    let lines: Vec<_> =
        cases.iter().map(|(member, value, ..)| with(line(), member, value.clone())).collect();
    for ((member, _, code, step), answer) in
        cases.iter().zip(ndjson(&["verify", "--ndjson"], &lines))
    {
        assert_eq!(
            (answer["error_code"].as_str(), &answer["failed_step"]),
            (Some(*code), step),
            "{member}"
        );
        assert_eq!(answer["action"], "reject");
    }
}

#[test]
fn lines_that_cannot_be_used_are_answered_as_invalid_input() {
    let line = || to_sign("3.2");
    let lines = [
        without(line(), "url"),
        without(line(), "key"),
        with(line(), "profile", json!("3.4")),
        with(line(), "kind", json!("response")),
        with(line(), "headers", json!(7)),
        with(line(), "body_b64", json!("e30=")),
        with(line(), "key", json!({"kty": "OKP"})),
        with(line(), "key_uri", json!("memory:")),
    ];
    for (index, answer) in ndjson(&["sign", "--ndjson"], &lines).into_iter().enumerate() {
        assert_eq!(answer["ok"], false, "line {index}");
        assert_eq!(answer["error_code"], "invalid_input", "line {index}: {answer}");
        assert!(answer["message"].as_str().is_some_and(|message| message.len() > 10), "{answer}");
    }
}

#[test]
fn duplicate_members_of_a_jwks_are_not_hidden_by_the_line_around_them() {
    let signed = ndjson(&["sign", "--ndjson"], &[to_sign("3.2")]).remove(0);
    let line = to_verify("3.2", &signed).to_string();
    let line = line.replace("\"adcp_use\":", "\"adcp_use\":\"governance-signing\",\"adcp_use\":");
    let output = run(&["verify", "--ndjson"], &line);
    let answer: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(answer["error_code"], "invalid_input", "{answer}");
}

#[test]
fn a_signer_refuses_with_the_code_a_verifier_would_have_answered() {
    let cases = [
        ("url", json!("https://user@/p"), "request_target_uri_malformed"),
        ("url", json!("https://seller.example.com/p?"), "ambiguous_target_uri"),
        ("expires_in", json!(301), "request_signature_window_invalid"),
        ("cover_content_digest", json!(false), "request_signature_components_incomplete"),
        ("body", json!("{\"a\":1,\"a\":2}"), "duplicate_key_input"),
        ("nonce", json!("short"), "request_signature_header_malformed"),
    ];
    let lines: Vec<_> = cases
        .iter()
        .map(|(member, value, _)| with(to_sign("3.2"), member, value.clone()))
        .collect();
    for ((member, _, code), answer) in cases.iter().zip(ndjson(&["sign", "--ndjson"], &lines)) {
        assert_eq!(answer["error_code"], *code, "{member}: {answer}");
    }
}

#[test]
fn canonicalize_answers_with_target_uri_and_authority() {
    let lines = [
        json!({"url": "HTTPS://B\u{fc}cher.example.:443/a/../b"}),
        json!({"url": "https://example.com./p", "profile": "3.0"}),
        json!({"url": "https://fe80::1/p"}),
    ];
    let answers = ndjson(&["canonicalize", "--ndjson"], &lines);
    assert_eq!(answers[0]["target_uri"], "https://xn--bcher-kva.example/b");
    assert_eq!(answers[0]["authority"], "xn--bcher-kva.example");
    assert_eq!(answers[1]["authority"], "example.com.");
    assert_eq!(answers[2]["error_code"], "request_target_uri_malformed");
}

#[test]
fn a_message_file_is_signed_verified_and_explained() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let made = run(&["keygen", "--out", &path("key.jwk")], "");
    std::fs::write(path("jwks.json"), &made.stdout).unwrap();
    let uri = format!("file:{}", path("key.jwk"));
    let file = "examples/create_media_buy.http";
    let signed = run(&["sign", "--allow-in-process-keys", "--key", &uri, file], "");
    assert_eq!(code(&signed), 0, "{}", stderr(&signed));
    std::fs::write(path("signed.http"), &signed.stdout).unwrap();

    let verified = run(&["verify", "--jwks", &path("jwks.json"), &path("signed.http")], "");
    assert_eq!(code(&verified), 0, "{}", stderr(&verified));
    assert!(stdout(&verified).starts_with("verified signed by "), "{}", stdout(&verified));
    assert!(!stdout(&verified).contains('\u{1b}'), "colours without a terminal");

    let tampered = stdout(&signed).replace("25000", "95000");
    let explained = run(&["explain", "--jwks", &path("jwks.json")], &tampered);
    assert_eq!(code(&explained), 1);
    let text = stdout(&explained);
    assert!(text.contains("✗ 11"), "{text}");
    assert!(
        text.contains("\"@target-uri\": https://seller.example.com/adcp/create_media_buy"),
        "{text}"
    );
    assert!(text.contains("request_signature_digest_mismatch"), "{text}");
    let json = run(&["explain", "--json", "--jwks", &path("jwks.json")], &tampered);
    let json: Value = serde_json::from_str(&stdout(&json)).unwrap();
    assert_eq!(json["steps"][12]["step"], 11);
    assert_eq!(json["steps"][12]["state"], "failed");
    assert_eq!(json["steps"][13]["state"], "not reached");

    let no_keys = run(&["verify", &path("signed.http")], "");
    assert_eq!(code(&no_keys), 2);
    assert!(stderr(&no_keys).contains("--jwks"), "{}", stderr(&no_keys));
}

#[test]
fn the_demonstration_signs_publishes_verifies_and_refuses_the_replay() {
    let output = run(&["demo", "examples/create_media_buy.http"], "");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let text = stdout(&output);
    let parts = [
        "Signature-Input: sig1=",
        "\"adcp_use\": \"request-signing\"",
        "verified signed by",
        "request_signature_replayed",
    ];
    for part in parts {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn the_demonstration_of_a_webhook_signs_it_as_one() {
    let output = run(&["demo", "--kind", "webhook", "examples/webhook.http"], "");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let text = stdout(&output);
    let parts =
        ["tag=\"adcp/webhook-signing/v1\"", "verified signed by", "webhook_signature_replayed"];
    for part in parts {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("adcp/request-signing"), "{text}");
    assert_eq!(code(&run(&["demo", "--kind", "letter", "examples/webhook.http"], "")), 2);
}

/// The demonstration signed the example of a webhook as a request.
#[test]
fn a_webhook_is_signed_as_a_request_only_when_that_is_said() {
    let key = ["--allow-in-process-keys", "--key", "memory:"];
    for args in [&["demo", "examples/webhook.http"][..], &["sign", "examples/webhook.http"]] {
        let key = if args[0] == "sign" { &key[..] } else { &[] };
        let refused = run(&[args, key].concat(), "");
        assert_eq!(code(&refused), 2, "{args:?}");
        assert!(stderr(&refused).contains("--kind webhook"), "{}", stderr(&refused));
        for kind in ["request", "webhook"] {
            let signed = run(&[args, key, &["--kind", kind]].concat(), "");
            assert_eq!(code(&signed), 0, "{args:?} {kind}: {}", stderr(&signed));
            let tag = format!("tag=\"adcp/{kind}-signing/v1\"");
            assert!(stdout(&signed).contains(&tag), "{}", stdout(&signed));
        }
    }
}

/// A byte of the wrong alphabet was named, and not what it means.
#[test]
fn a_message_of_another_kind_or_profile_is_recognized() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (key, jwks) = (path("key.jwk"), path("jwks.json"));
    run(&["keygen", "--out", &key, "--jwks", &jwks], "");
    let uri = format!("file:{key}");
    let sign = |options: &[&str]| {
        let args = ["sign", "--allow-in-process-keys", "--key", &uri, "examples/webhook.http"];
        stdout(&run(&[&args[..], options].concat(), ""))
    };
    let (webhook, request) = (sign(&["--kind", "webhook"]), sign(&["--kind", "request"]));
    let legacy = sign(&["--kind", "request", "--profile", "3.1"]);
    for command in ["verify", "explain"] {
        for (message, options, hint) in [
            (&webhook, &[][..], Some("hint: the tag is that of a webhook: --kind webhook?")),
            (&request, &["--kind", "webhook"], Some("--kind request?")),
            (&legacy, &["--kind", "request"], Some("--profile 3.1?")),
            (&request, &["--kind", "request", "--profile", "3.0"], Some("--profile 3.2?")),
            (&request, &["--now", "1"], None),
        ] {
            let output = run(&[&[command, "--jwks", &jwks], options].concat(), message);
            let said = stdout(&output);
            assert_eq!(code(&output), 1, "{options:?}: {said}");
            match hint {
                Some(hint) => assert!(said.contains(hint), "{options:?}: {said}"),
                None => assert!(!said.contains("hint"), "{options:?}: {said}"),
            }
            let output = run(&[&[command, "--json", "--jwks", &jwks], options].concat(), message);
            let answer: Value = serde_json::from_str(&stdout(&output)).unwrap();
            let result = if command == "explain" { &answer["result"] } else { &answer };
            let members = result.as_object().unwrap();
            let named = members["hint"].as_str().map(|text| format!("hint: {text}"));
            assert_eq!(named.is_some(), hint.is_some(), "{options:?}: {answer}");
            assert!(named.is_none_or(|named| said.contains(&named)), "{options:?}: {answer}");
        }
    }
}

/// A signed message file cannot be sent with any tool there is.
#[test]
fn a_signed_message_is_written_as_a_file_an_object_or_a_command() {
    let key = ["--allow-in-process-keys", "--key", "memory:?kid=a"];
    let sign = |format: &[&str], message: &str| {
        let output = run(&[&["sign"], &key[..], format].concat(), message);
        assert_eq!(code(&output), 0, "{format:?}: {}", stderr(&output));
        stdout(&output)
    };
    let body = "{\"a\": \"it's\",\n \"b\": \"@$(x)`y`\"}\n";
    let message = format!(
        "POST https://seller.example/a/create_media_buy HTTP/1.1\nContent-Type: application/json\n\
         X-Empty:\nContent-Length: {}\n\n{body}",
        body.len()
    );
    assert!(sign(&[], &message).starts_with("POST https://seller.example/"));
    assert!(sign(&["--format", "http"], &message).starts_with("POST https://seller.example/"));
    for format in [&["--json"][..], &["--format", "json"]] {
        let answer: Value = serde_json::from_str(&sign(format, &message)).unwrap();
        assert_eq!(answer["ok"], true);
    }
    let command = sign(&["--format", "curl"], &message);
    // A shell reads the words as they were written, so that nothing of a message is run.
    #[cfg(unix)]
    {
        let script = format!("curl() {{ printf '%s\\0' \"$@\"; }}\n{command}");
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        let words = stdout(&output);
        let words: Vec<_> = words.split_terminator('\0').collect();
        assert_eq!(words[..4], ["--globoff", "--path-as-is", "--request", "POST"]);
        for field in ["Content-Type: application/json", "X-Empty;"] {
            assert!(words.windows(2).any(|pair| pair == ["--header", field]), "{words:?}");
        }
        assert!(words.iter().any(|word| word.starts_with("Signature-Input: sig1=")), "{words:?}");
        assert!(!words.iter().any(|word| word.starts_with("Content-Length")), "{words:?}");
        assert_eq!(
            words[words.len() - 3..],
            ["--data-raw", body, "https://seller.example/a/create_media_buy"]
        );
    }
    let get = sign(&["--format", "curl"], "HEAD https://seller.example/a HTTP/1.1\n\n");
    assert!(get.contains("--head") && !get.contains("--data-raw"), "{get}");

    let binary = json!({"profile": "3.2", "method": "POST", "url": "https://seller.example/a",
        "headers": {"Content-Type": "application/octet-stream"}, "body_b64": "/w=="});
    for (body, exit) in [("/w==", 2), ("AA==", 2), ("YQ==", 0)] {
        let message = with(binary.clone(), "body_b64", json!(body)).to_string();
        let output = run(&[&["sign", "--format", "curl"], &key[..]].concat(), &message);
        assert_eq!(code(&output), exit, "{body}: {}", stderr(&output));
        assert_eq!(stderr(&output).contains("--format http or json"), exit == 2);
    }
    for conflict in [["--format", "curl", "--json"], ["--format", "curl", "--ndjson"]] {
        assert_eq!(code(&run(&[&["sign"], &conflict[..]].concat(), "")), 2);
    }
    let failed = run(&["sign", "--format", "json", "no-such-file"], "");
    assert!(stdout(&failed).contains("invalid_input"), "{}", stdout(&failed));
}

#[test]
fn a_signed_message_is_written_to_a_file_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("signed.http");
    let sign = |message: &str| {
        let args = ["sign", "--allow-in-process-keys", "--key", "memory:", "--out"];
        run(&[&args[..], &[out.to_str().unwrap(), message]].concat(), "")
    };
    let signed = sign("examples/create_media_buy.http");
    assert_eq!((code(&signed), stdout(&signed).as_str()), (0, ""), "{}", stderr(&signed));
    let before = std::fs::read_to_string(&out).unwrap();
    assert!(before.contains("Signature-Input: "), "{before}");
    assert_eq!(code(&sign("no-such-file")), 2);
    assert_eq!(std::fs::read_to_string(&out).unwrap(), before);
}
#[test]
fn an_unsigned_message_is_explained_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let jwks = folder.path().join("jwks.json");
    std::fs::write(&jwks, "{\"keys\":[]}").unwrap();
    let args = ["explain", "--jwks", jwks.to_str().unwrap(), "examples/create_media_buy.http"];
    for (options, exit) in [(&[][..], 1), (&["--allow-unsigned"], 0)] {
        let output = run(&[&args[..], options].concat(), "");
        assert_eq!(code(&output), exit);
        let said = stdout(&output);
        assert!(said.contains("the message carries no signature"), "{said}");
        assert!(!said.contains("see the failed step"), "{said}");
    }
}

#[test]
fn a_body_beyond_the_bounds_is_refused_with_a_code_of_its_own() {
    let deep = format!("{}{}", "[".repeat(65), "]".repeat(65));
    let wide = format!("[0{}]", ",0".repeat(100_000));
    let large = " ".repeat(4 << 20) + "{}";
    let jwks = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(jwks.path(), json!({"keys": [key()]}).to_string()).unwrap();
    let jwks = jwks.path().to_str().unwrap();
    let message = without(to_sign("3.2"), "key");
    for (body, expected) in
        [(&deep, "body_too_complex"), (&wide, "body_too_complex"), (&large, "body_too_large")]
    {
        let message = with(message.clone(), "body", json!(body)).to_string();
        for args in [&["verify"][..], &["verify", "--allow-unsigned"]] {
            let output = run(&[args, &["--json", "--jwks", jwks]].concat(), &message);
            let answer: Value = serde_json::from_str(&stdout(&output)).unwrap();
            assert_eq!(answer["error_code"], expected, "{answer}");
            assert_eq!((code(&output), &answer["ok"]), (1, &json!(false)), "{answer}");
            let args = [&["explain"], &args[1..], &["--json", "--jwks", jwks]].concat();
            let output = run(&args, &message);
            let answer: Value = serde_json::from_str(&stdout(&output)).unwrap();
            assert_eq!((code(&output), &answer["result"]["error_code"]), (1, &json!(expected)));
        }
    }
    for body in [deep, wide] {
        let signed =
            &ndjson(&["sign", "--ndjson"], &[with(to_sign("3.2"), "body", json!(body))])[0];
        assert_eq!(signed["error_code"], "body_too_complex", "{signed}");
    }
}
