//! What a message may decide itself, and what options decide.

use serde_json::{Value, json};

use super::*;

#[test]
fn keys_in_this_process_are_refused_until_allowed_by_name() {
    let uri = json!("memory:?alg=ed25519&purpose=request-signing");
    let line = with(without(to_sign("3.2"), "key"), "key_uri", uri);
    let sign = ["sign", "--ndjson", "--allow-key-uri"];
    let refused = &ndjson(&sign, std::slice::from_ref(&line))[0];
    assert_eq!(refused["error_code"], "configuration", "{refused}");
    let sign = ["sign", "--ndjson", "--allow-key-uri", "--allow-in-process-keys"];
    let allowed = &ndjson(&sign, &[line])[0];
    assert_eq!(allowed["ok"], true, "{allowed}");
}

#[test]
fn options_complete_what_a_json_message_leaves_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let made = run(&["keygen", "--kid", "buyer", "--out", &path("key.jwk")], "");
    std::fs::write(path("jwks.json"), &made.stdout).unwrap();
    let uri = format!("file:{}", path("key.jwk"));
    let line = without(to_sign("3.2"), "key");
    let sign =
        ["sign", "--ndjson", "--allow-in-process-keys", "--key", &uri, "--expires-in", "100"];
    let own_expiry = with(line.clone(), "expires_in", json!(200));
    let signed = ndjson(&sign, &[without(line.clone(), "profile"), line, own_expiry]);
    assert_eq!(signed[0]["error_code"], "invalid_input", "no profile is guessed: {}", signed[0]);
    assert_eq!(signed[1]["params"]["keyid"], "buyer");
    assert_eq!(signed[1]["params"]["expires"], 1_776_520_900);
    assert_eq!(signed[2]["error_code"], "invalid_input", "the option wins: {}", signed[2]);

    let line = without(without(to_verify("3.2", &signed[1]), "jwks"), "now");
    let jwks = path("jwks.json");
    let verify = ["verify", "--ndjson", "--jwks", &jwks, "--now", "1776520801"];
    let answer = &ndjson(&verify, std::slice::from_ref(&line))[0];
    assert_eq!(answer["keyid"], "buyer", "{answer}");
    let answer = &ndjson(&["verify", "--ndjson"], &[line])[0];
    assert_eq!(answer["error_code"], "invalid_input", "{answer}");
}

/// A folder with a trusted key and another one, each with its JWKS.
struct Keys {
    folder: tempfile::TempDir,
}

impl Keys {
    fn new() -> Self {
        let keys = Self { folder: tempfile::tempdir().unwrap() };
        for name in ["trusted", "other"] {
            let private = keys.path(&format!("{name}.jwk"));
            let made = run(&["keygen", "--kid", "k1", "--out", &private], "");
            std::fs::write(keys.path(&format!("{name}.json")), &made.stdout).unwrap();
        }
        keys
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn uri(&self, name: &str) -> String {
        format!("file:{}", self.path(&format!("{name}.jwk")))
    }

    fn json(&self, file: &str) -> Value {
        serde_json::from_slice(&std::fs::read(self.path(file)).unwrap()).unwrap()
    }

    /// A message that a key signed.
    fn signed(&self, name: &str) -> Value {
        let line = with(to_sign("3.2"), "key", self.json(&format!("{name}.jwk")));
        let signed = ndjson(&["sign", "--ndjson"], &[line]).remove(0);
        without(without(to_verify("3.2", &signed), "key"), "jwks")
    }
}

const NOW: &str = "1776520801";

#[test]
fn one_message_does_not_bring_what_decides_over_it() {
    let keys = Keys::new();
    let jwks = keys.path("trusted.json");
    let message = without(keys.signed("trusted"), "now");
    for command in ["verify", "explain"] {
        let args = [command, "--json", "--jwks", &jwks, "--now", NOW];
        let accepted = run(&args, &message.to_string());
        assert_eq!(code(&accepted), 0, "{}", stdout(&accepted));
        for (member, value, option) in [
            ("jwks", keys.json("trusted.json"), "--jwks"),
            ("now", json!(1_776_520_801), "--now"),
            ("capability", json!({"supported": true}), "--capability"),
            ("fallback_valid", json!(true), "--fallback-valid"),
            ("fallback_valid", json!(false), "--fallback-valid"),
        ] {
            let output = run(&args, &with(message.clone(), member, value).to_string());
            let answer: Value = serde_json::from_str(&stdout(&output)).unwrap();
            assert_eq!(code(&output), 2, "{command} {member}: {answer}");
            assert_eq!(answer["error_code"], "invalid_input", "{command} {member}: {answer}");
            let hint = format!("its own {member}: use the option {option}, or --ndjson");
            assert!(answer["message"].as_str().unwrap().contains(&hint), "{answer}");
        }
    }
    let message = without(to_sign("3.2"), "key");
    for (member, value) in [("key", key()), ("key_uri", json!(keys.uri("other")))] {
        let trusted = keys.uri("trusted");
        for options in [&[][..], &["--key", &trusted]] {
            let args = [&["sign", "--allow-in-process-keys"], options].concat();
            let output = run(&args, &with(message.clone(), member, value.clone()).to_string());
            assert_eq!((code(&output), stdout(&output)), (2, String::new()), "{member}");
            let hint = format!("its own {member}: use the option --key, or --ndjson");
            assert!(stderr(&output).contains(&hint), "{}", stderr(&output));
        }
    }
}

#[test]
fn a_message_signed_by_another_key_does_not_verify_against_the_trusted_jwks() {
    let keys = Keys::new();
    let jwks = keys.path("trusted.json");
    let message = keys.signed("other");
    let one = run(
        &["verify", "--jwks", &jwks, "--now", NOW],
        &without(message.clone(), "now").to_string(),
    );
    assert_eq!(code(&one), 1, "{}", stdout(&one));
    assert!(stdout(&one).starts_with("refused request_signature_invalid"), "{}", stdout(&one));
    let own = with(message.clone(), "jwks", keys.json("other.json"));
    let answers = ndjson(&["verify", "--ndjson", "--jwks", &jwks], &[own.clone(), message]);
    assert_eq!(answers[0]["error_code"], "invalid_input", "{}", answers[0]);
    assert_eq!(answers[1]["error_code"], "request_signature_invalid", "{}", answers[1]);
    // Without the option the line is believed: it is the caller's own.
    assert_eq!(ndjson(&["verify", "--ndjson"], &[own])[0]["ok"], true);
}

#[test]
fn a_line_of_verify_may_repeat_an_option_and_not_contradict_it() {
    let keys = Keys::new();
    let capability = json!({"supported": true, "covers_content_digest": "required"});
    std::fs::write(keys.path("capability.json"), capability.to_string()).unwrap();
    let (jwks, capability_file) = (keys.path("trusted.json"), keys.path("capability.json"));
    // The same set, its members in another order.
    let mut jwk = keys.json("trusted.json")["keys"][0].as_object().unwrap().clone();
    let kid = jwk.shift_remove_entry("kid").unwrap();
    jwk.extend([kid]);
    let line = with(keys.signed("trusted"), "jwks", json!({"keys": [jwk]}));
    let line = with(line, "transport", json!("rest"));
    for (member, options, same, other) in [
        ("jwks", &["--jwks", jwks.as_str()][..], None, keys.json("other.json")),
        ("now", &["--now", NOW], None, json!(1_776_520_802)),
        (
            "capability",
            &["--capability", &capability_file],
            Some(capability),
            json!({"supported": false}),
        ),
        ("fallback_valid", &["--fallback-valid"], Some(json!(true)), json!(false)),
        ("profile", &["--profile", "3.2"], None, json!("3.1")),
        ("kind", &["--kind", "request"], None, json!("webhook")),
        ("contract", &["--contract", "3.2.4"], Some(json!("3.2.4")), json!("3.2.0")),
        ("transport", &["--transport", "rest"], None, json!("mcp")),
        (
            "operation",
            &["--operation", "create_media_buy"],
            Some(json!("create_media_buy")),
            json!("get_products"),
        ),
    ] {
        let line = match same {
            Some(same) => with(line.clone(), member, same),
            None => line.clone(),
        };
        let args = [&["verify", "--ndjson"], options].concat();
        let lines = [line.clone(), with(line.clone(), member, other), without(line, member)];
        let answers = ndjson(&args, &lines);
        assert_eq!(answers[0]["status"], "verified", "{member}: {}", answers[0]);
        assert_eq!(answers[1]["error_code"], "invalid_input", "{member}: {}", answers[1]);
        let message = answers[1]["message"].as_str().unwrap();
        assert!(message.contains(&format!("{member} contradicts")), "{message}");
        assert_eq!(answers[2]["status"], "verified", "{member}: {}", answers[2]);
    }
}

#[test]
fn the_time_of_an_option_decides() {
    let keys = Keys::new();
    let message = without(keys.signed("trusted"), "now");
    let late = ["verify", "--json", "--jwks", &keys.path("trusted.json"), "--now", "1776620801"];
    let output = run(&late, &message.to_string());
    let answer: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!((code(&output), &answer["failed_step"]), (1, &json!(5)), "{answer}");
    let own = with(message, "now", json!(1_776_520_801));
    assert_eq!(code(&run(&late, &own.to_string())), 2);
}

#[test]
fn a_message_does_not_pass_the_route_by_another_transport() {
    let keys = Keys::new();
    let jwks = keys.path("trusted.json");
    let message = without(keys.signed("trusted"), "now");
    let args = ["verify", "--jwks", &jwks, "--now", NOW, "--operation", "create_media_buy"];
    assert_eq!(code(&run(&args, &message.to_string())), 0);
    for (member, value) in [("transport", "mcp"), ("transport", "a2a"), ("kind", "webhook")] {
        let output = run(&args, &with(message.clone(), member, json!(value)).to_string());
        assert_eq!(code(&output), 2, "{member} {value}: {}", stdout(&output));
        assert!(stderr(&output).contains("--operation"), "{}", stderr(&output));
    }
}

#[test]
fn a_line_of_sign_names_a_key_uri_only_where_that_is_allowed() {
    let keys = Keys::new();
    let line = without(to_sign("3.2"), "key");
    for uri in [
        keys.uri("other"),
        "pkcs11:object=x?module-path=/tmp/m.so&kid=a".to_owned(),
        "awskms://127.0.0.1:9/alias/x?region=us-east-1&kid=a".to_owned(),
    ] {
        let line = with(line.clone(), "key_uri", json!(uri));
        let args = ["sign", "--ndjson", "--allow-in-process-keys"];
        let answer = &ndjson(&args, &[line])[0];
        assert_eq!(answer["error_code"], "invalid_input", "{uri}: {answer}");
        assert!(answer["message"].as_str().unwrap().contains("--allow-key-uri"), "{answer}");
    }
    let own = with(line, "key_uri", json!(keys.uri("other")));
    let args = ["sign", "--ndjson", "--allow-in-process-keys", "--allow-key-uri"];
    assert_eq!(ndjson(&args, &[own])[0]["ok"], true);
    assert_eq!(code(&run(&["sign", "--allow-key-uri", "examples/webhook.http"], "")), 2);
}

#[test]
fn a_line_of_sign_may_repeat_an_option_and_not_contradict_it() {
    let keys = Keys::new();
    let trusted = keys.uri("trusted");
    let sign =
        ["sign", "--ndjson", "--allow-in-process-keys", "--allow-key-uri", "--key", &trusted];
    let line = with(without(to_sign("3.2"), "key"), "key_uri", json!(trusted));
    for (member, options, same, other) in [
        ("key_uri", &[][..], json!(trusted), json!(keys.uri("other"))),
        ("key", &[], Value::Null, key()),
        ("profile", &["--profile", "3.2"], json!("3.2"), json!("3.1")),
        ("kind", &["--kind", "request"], json!("request"), json!("webhook")),
        ("contract", &["--contract", "3.2.4"], json!("3.2.4"), json!("3.2.0")),
        ("expires_in", &["--expires-in", "100"], json!(100), json!(200)),
        ("allow_ambiguous_url", &["--allow-ambiguous-url"], json!(true), json!(false)),
    ] {
        let same = with(line.clone(), member, same);
        let other = with(line.clone(), member, other);
        let answers = ndjson(&[&sign[..], options].concat(), &[same, other]);
        assert_eq!(answers[0]["params"]["keyid"], "k1", "{member}: {}", answers[0]);
        assert_eq!(answers[1]["error_code"], "invalid_input", "{member}: {}", answers[1]);
        let message = answers[1]["message"].as_str().unwrap();
        assert!(message.contains(&format!("{member} contradicts")), "{message}");
    }
}

#[test]
fn a_line_of_canonicalize_does_not_contradict_an_option() {
    let line = json!({"url": "https://example.com./p", "profile": "3.2"});
    let answers = ndjson(
        &["canonicalize", "--ndjson", "--profile", "3.0"],
        &[line.clone(), without(line, "profile")],
    );
    assert_eq!(answers[0]["error_code"], "invalid_input", "{}", answers[0]);
    assert_eq!(answers[1]["authority"], "example.com.", "{}", answers[1]);
}

#[test]
fn what_is_signed_is_what_is_written() {
    let injected = with(
        with(
            to_sign("3.2"),
            "headers",
            json!({"Content-Type": "application/json", "X": "1\nY: 2"}),
        ),
        "key",
        Value::Null,
    );
    let sign = ["sign", "--allow-in-process-keys", "--key", "memory:"];
    let output = run(&sign, &injected.to_string());
    assert_eq!((code(&output), stdout(&output)), (2, String::new()));
    assert!(stderr(&output).contains("use --json"), "{}", stderr(&output));
}
