//! What `verify` and `explain` answer to messages that no signature authenticates.

use serde_json::{Value, json};

use super::*;

/// Files to verify against, and messages.
struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        let desk = Self { folder: tempfile::tempdir().unwrap() };
        desk.write("jwks.json", &json!({"keys": [key()]}).to_string());
        desk
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, content: &str) -> String {
        std::fs::write(self.path(name), content).unwrap();
        self.path(name)
    }

    /// The exit code and the answer as text and as JSON of a command.
    fn ask(&self, command: &str, options: &[&str], message: &str) -> (i32, String, Value) {
        let jwks = self.path("jwks.json");
        let args = [&[command, "--jwks", &jwks, "--now", "1776520801"], options].concat();
        let text = run(&args, message);
        let json = run(&[&args[..], &["--json"]].concat(), message);
        assert_eq!(code(&text), code(&json), "{args:?}");
        let answer: Value = serde_json::from_str(&stdout(&json)).unwrap();
        let answer = if command == "explain" { answer["result"].clone() } else { answer };
        (code(&text), stdout(&text), answer)
    }
}

fn unsigned() -> Value {
    without(to_sign("3.2"), "key")
}

fn signed() -> Value {
    let signed = ndjson(&["sign", "--ndjson"], &[to_sign("3.2")]).remove(0);
    with(unsigned(), "headers", signed["headers"].clone())
}

/// The signed message without the headers that say so.
fn stripped() -> Value {
    let mut message = signed();
    let headers = message["headers"].as_object_mut().unwrap();
    for name in ["Signature", "Signature-Input"] {
        assert!(headers.remove(name).is_some());
    }
    message
}

#[test]
fn a_message_that_nobody_signed_is_no_success_unless_that_is_allowed() {
    let desk = Desk::new();
    let off = desk.write("off.json", r#"{"supported": false}"#);
    let file = std::fs::read_to_string(workspace().join("examples/create_media_buy.http")).unwrap();
    let none = "the message carries no signature";
    for (what, message, options, source, why) in [
        ("unsigned", unsigned().to_string(), &[][..], Value::Null, none),
        ("message file", file, &[], Value::Null, none),
        ("stripped", stripped().to_string(), &[], Value::Null, none),
        (
            "another credential",
            unsigned().to_string(),
            &["--fallback-valid"],
            json!("fallback"),
            "another credential authenticates the message, no signature",
        ),
        (
            "not supported",
            signed().to_string(),
            &["--capability", &off],
            Value::Null,
            "the endpoint does not verify the message's signature",
        ),
    ] {
        for command in ["verify", "explain"] {
            let (exit, text, answer) = desk.ask(command, options, &message);
            assert_eq!(exit, 1, "{command} {what}: {text}");
            assert_eq!(answer["ok"], false, "{command} {what}: {answer}");
            assert_eq!(answer["error_code"], "unsigned", "{command} {what}: {answer}");
            assert_eq!(answer["resolved_operation"], "create_media_buy", "{answer}");
            assert!(text.contains(&format!("refused unsigned: {why}")), "{command} {what}: {text}");

            let options = [options, &["--allow-unsigned"]].concat();
            let (exit, text, answer) = desk.ask(command, &options, &message);
            assert_eq!(exit, 0, "{command} {what}: {text}");
            assert_eq!(answer["ok"], true, "{command} {what}: {answer}");
            assert_eq!(answer["status"], "unsigned", "{command} {what}: {answer}");
            assert_eq!(answer["authentication_source"], source, "{command} {what}: {answer}");
            let line = "unsigned for create_media_buy, accept: ";
            assert!(text.contains(line) && !text.contains("verified"), "{command} {what}: {text}");
        }
    }
}

#[test]
fn what_is_signed_needs_no_permission_and_what_is_refused_has_none() {
    let desk = Desk::new();
    let required = desk.write(
        "required.json",
        r#"{"supported":true,"covers_content_digest":"required",
            "supported_for":["create_media_buy"],"required_for":["create_media_buy"]}"#,
    );
    for command in ["verify", "explain"] {
        let (exit, _, answer) = desk.ask(command, &[], &signed().to_string());
        assert_eq!((exit, &answer["status"]), (0, &json!("verified")), "{answer}");
        for message in [unsigned(), stripped()] {
            let options = ["--allow-unsigned", "--capability", &required];
            let (exit, text, answer) = desk.ask(command, &options, &message.to_string());
            assert_eq!(exit, 1, "{text}");
            assert_eq!(answer["error_code"], "request_signature_required", "{answer}");
            assert_eq!((&answer["failed_step"], &answer["action"]), (&json!(0), &json!("reject")));
        }
        // One of the two headers is a claim that fails, not an unsigned message.
        for name in ["Signature", "Signature-Input"] {
            let mut message = signed();
            message["headers"].as_object_mut().unwrap().remove(name).unwrap();
            let (exit, text, answer) =
                desk.ask(command, &["--allow-unsigned"], &message.to_string());
            assert_eq!((exit, &answer["ok"]), (1, &json!(false)), "without {name}: {text}");
            assert_ne!(answer["error_code"], "unsigned", "without {name}: {answer}");
        }
    }
}

#[test]
fn shadow_mode_is_no_signature() {
    let desk = Desk::new();
    let shadow = desk.write(
        "shadow.json",
        r#"{"supported":true,"covers_content_digest":"required",
        "supported_for":["create_media_buy"],"warn_for":["create_media_buy"]}"#,
    );
    let message = with(signed(), "body", json!("{\"a\":2}")).to_string();
    let options = ["--capability", &shadow, "--fallback-valid"];
    for command in ["verify", "explain"] {
        let (exit, text, answer) = desk.ask(command, &options, &message);
        assert_eq!((exit, &answer["error_code"]), (1, &json!("unsigned")), "{text}");
        let allowed = [&options[..], &["--allow-unsigned"]].concat();
        let (exit, text, answer) = desk.ask(command, &allowed, &message);
        assert_eq!((exit, &answer["action"]), (0, &json!("accept_with_warning")), "{text}");
        if command == "explain" {
            assert!(text.contains("✗ 11") && text.contains("warning shadow mode"), "{text}");
        }
    }
}

#[test]
fn lines_are_answered_as_unsigned_and_with_the_flag_as_accepted() {
    let line =
        with(with(unsigned(), "jwks", json!({"keys": [key()]})), "now", json!(1_776_520_801));
    let fallback = with(line.clone(), "fallback_valid", json!(true));
    let lines = [line, fallback];
    for answer in ndjson(&["verify", "--ndjson"], &lines) {
        assert_eq!(answer["ok"], false, "{answer}");
        assert_eq!(answer["error_code"], "unsigned", "{answer}");
        assert_eq!(answer["resolved_operation"], "create_media_buy", "{answer}");
        assert!(answer["message"].as_str().unwrap().contains("--allow-unsigned"), "{answer}");
    }
    let answers = ndjson(&["verify", "--ndjson", "--allow-unsigned"], &lines);
    for (answer, source) in answers.iter().zip([Value::Null, json!("fallback")]) {
        let expected = json!({
            "ok": true, "action": "accept", "status": "unsigned",
            "authentication_source": source, "resolved_operation": "create_media_buy",
        });
        assert_eq!(*answer, expected);
    }
}

#[test]
fn an_explained_unsigned_message_failed_at_no_step() {
    let desk = Desk::new();
    for options in [&[][..], &["--allow-unsigned"]] {
        let (_, text, _) = desk.ask("explain", options, &unsigned().to_string());
        assert!(text.contains("Signature base\n  the message carries no signature\n"), "{text}");
        assert!(!text.contains('✗') && !text.contains("failed step"), "{text}");
        assert_eq!(text.matches('✓').count(), 1, "only the first step is met: {text}");
    }
}
