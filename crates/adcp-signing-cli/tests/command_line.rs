//! The program as a user runs it: input, output and exit codes.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};

fn run(args: &[&str], stdin: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_adcp-signing"))
        .args(args)
        .current_dir(workspace())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that refuses its options does not read its input.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    child.wait_with_output().unwrap()
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

/// Answers of `--ndjson` to some lines.
fn ndjson(args: &[&str], lines: &[Value]) -> Vec<Value> {
    let input: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let output = run(args, &input);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A test key of the published vectors, private half included.
fn key() -> Value {
    let file = workspace().join("test-vectors/adcp/3.2.4/request-signing/keys.json");
    let keys: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    keys["keys"][0].clone()
}

fn to_sign(profile: &str) -> Value {
    json!({
        "kind": "request", "profile": profile, "method": "POST",
        "url": "https://seller.example.com/adcp/create_media_buy",
        "headers": {"Content-Type": "application/json"},
        "body": "{\"a\":1}", "key": key(),
        "created": 1_776_520_800, "nonce": "KXYnfEfJ0PBRZXQyVXfVQA",
    })
}

fn to_verify(profile: &str, signed: &Value) -> Value {
    let mut line = to_sign(profile);
    line["headers"] = signed["headers"].clone();
    line["jwks"] = json!({"keys": [key()]});
    line["now"] = json!(1_776_520_801);
    line
}

/// The line with one member changed.
fn with(mut line: Value, member: &str, value: Value) -> Value {
    line[member] = value;
    line
}

/// The line without a member.
fn without(mut line: Value, member: &str) -> Value {
    line.as_object_mut().unwrap().remove(member);
    line
}

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
fn keys_in_this_process_are_refused_until_allowed_by_name() {
    let uri = json!("memory:?alg=ed25519&purpose=request-signing");
    let line = with(without(to_sign("3.2"), "key"), "key_uri", uri);
    let refused = &ndjson(&["sign", "--ndjson"], std::slice::from_ref(&line))[0];
    assert_eq!(refused["error_code"], "configuration", "{refused}");
    let allowed = &ndjson(&["sign", "--ndjson", "--allow-in-process-keys"], &[line])[0];
    assert_eq!(allowed["ok"], true, "{allowed}");
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
fn a_key_file_is_private_and_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.jwk");
    let out = path.to_str().unwrap();
    let made = run(&["keygen", "--kid", "buyer-2026", "--out", out], "");
    assert_eq!(code(&made), 0, "{}", stderr(&made));
    let jwks: Value = serde_json::from_str(&stdout(&made)).unwrap();
    assert_eq!(jwks["keys"][0]["kid"], "buyer-2026");
    assert!(jwks["keys"][0].get("d").is_none());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let before = std::fs::read(&path).unwrap();
    let again = run(&["keygen", "--out", out], "");
    assert_eq!(code(&again), 2);
    assert!(stderr(&again).contains("not overwritten"), "{}", stderr(&again));
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        1,
        "a temporary file was left behind"
    );

    let uri = format!("file:{out}");
    let exported = run(&["jwks", "--allow-in-process-keys", "--key", &uri], "");
    assert_eq!(serde_json::from_str::<Value>(&stdout(&exported)).unwrap(), jwks);
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
fn a_probe_tells_a_ready_key_from_one_that_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    for name in ["a", "b"] {
        let made = run(&["keygen", "--kid", "buyer", "--out", &path(&format!("{name}.jwk"))], "");
        std::fs::write(path(&format!("{name}.json")), &made.stdout).unwrap();
    }
    let probe = |key: &str, jwks: &str| {
        let key = format!("file:{}", path(key));
        let jwks = path(jwks);
        let args = [
            "probe",
            "--json",
            "--allow-in-process-keys",
            "--count",
            "20",
            "--key",
            &key,
            "--jwks",
            &jwks,
        ];
        let output = run(&args, "");
        (code(&output), serde_json::from_str::<Value>(&stdout(&output)).unwrap())
    };
    let (exit, ready) = probe("a.jwk", "a.json");
    assert_eq!((exit, &ready["ok"]), (0, &json!(true)), "{ready}");
    assert!(ready["latency_us"]["p99"].as_f64().unwrap() > 0.0);

    let (exit, other) = probe("a.jwk", "b.json");
    assert_eq!((exit, &other["ok"]), (3, &json!(false)), "{other}");
    let wrong: Vec<_> =
        other["checks"].as_array().unwrap().iter().filter(|check| check["ok"] == false).collect();
    assert_eq!(wrong.len(), 1);
    assert!(wrong[0]["detail"].as_str().unwrap().contains("another key"), "{}", wrong[0]);
}

#[test]
fn a_probe_judges_the_purpose_by_profile_and_names_what_the_jwk_lacks() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let purpose = ["--purpose", "webhook-signing"];
    let out = path("a.jwk");
    let made = run(&[&["keygen", "--kid", "buyer", "--out", &out], &purpose[..]].concat(), "");
    let mut jwks: Value = serde_json::from_str(&stdout(&made)).unwrap();
    let jwk = jwks["keys"][0].as_object_mut().unwrap();
    jwk.remove("use");
    jwk.remove("key_ops");
    std::fs::write(path("a.json"), jwks.to_string()).unwrap();

    let (key, jwks) = (format!("file:{}", path("a.jwk")), path("a.json"));
    let detail = |options: &[&str], check: &str| {
        let args = ["probe", "--json", "--allow-in-process-keys", "--count", "1", "--key", &key];
        let output = run(&[&args, &["--jwks", &jwks][..], options].concat(), "");
        let answer: Value = serde_json::from_str(&stdout(&output)).unwrap();
        let checks = answer["checks"].as_array().unwrap().clone();
        let found = checks.into_iter().find(|made| made["name"] == check).unwrap();
        (found["ok"] == true, found["detail"].as_str().unwrap().to_owned())
    };
    let (ok, why) = detail(&[], "purpose");
    assert!(!ok && why.ends_with("sign with a request-signing key"), "{why}");
    let (ok, why) = detail(&["--kind", "webhook"], "purpose");
    assert!(ok && why.contains("deprecated"), "{why}");
    let older = ["--kind", "webhook", "--contract", "3.1.0-rc.14"];
    assert_eq!(detail(&older, "purpose"), (true, "webhook-signing".to_owned()));
    let (ok, why) = detail(&older, "published");
    assert!(!ok && why.contains("`use` is missing") && why.contains("`key_ops` is missing"));
    assert!(!why.contains("adcp_use"), "{why}");
}

#[test]
fn keygen_lists_the_purposes_there_are() {
    let refused = run(&["keygen", "--purpose", "request", "--out", "x"], "");
    assert_eq!(code(&refused), 2);
    for purpose in ["request-signing", "attestation-signing"] {
        assert!(stderr(&refused).contains(purpose), "{}", stderr(&refused));
    }
}

#[test]
fn vectors_fail_loudly_when_one_fails_or_none_is_found() {
    let folder = "test-vectors/adcp/3.2.4/request-signing/positive";
    assert_eq!(code(&run(&["vectors", folder], "")), 0);
    // Contract 3.1.0-rc.14 does not accept request-signing keys on webhooks.
    let folder = "test-vectors/adcp/3.1.19/webhook-signing/positive";
    let older = run(&["vectors", "--json", "--contract", "3.1.0-rc.14", folder], "");
    assert_eq!(code(&older), 1);
    let report: Value = serde_json::from_str(&stdout(&older)).unwrap();
    assert_eq!(report["ok"], false);
    let cases = report["cases"].as_array().unwrap();
    let failure = cases.iter().find(|case| case["result"] == "failed").unwrap();
    assert!(failure["reason"].as_str().unwrap().contains("key_purpose_invalid"), "{failure}");
    assert_eq!(code(&run(&["vectors", "docs"], "")), 2);
    assert_eq!(code(&run(&["vectors", "no-such-folder"], "")), 2);
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
    assert_eq!(signed[2]["params"]["expires"], 1_776_521_000, "the line comes first");

    let line = without(without(to_verify("3.2", &signed[1]), "jwks"), "now");
    let jwks = path("jwks.json");
    let verify = ["verify", "--ndjson", "--jwks", &jwks, "--now", "1776520801"];
    let answer = &ndjson(&verify, std::slice::from_ref(&line))[0];
    assert_eq!(answer["keyid"], "buyer", "{answer}");
    let answer = &ndjson(&["verify", "--ndjson"], &[line])[0];
    assert_eq!(answer["error_code"], "invalid_input", "{answer}");
}

#[test]
fn with_json_a_failure_is_an_object_too() {
    let key = ["--allow-in-process-keys", "--key", "file:no-such-key"];
    let cases: [(&[&str], i32, &str); 5] = [
        (&[&["probe", "--json"], &key[..]].concat(), 3, "key_not_found"),
        (&[&["sign", "--json", "examples/webhook.http"], &key[..]].concat(), 3, "key_not_found"),
        (&["sign", "--json", "no-such-file"], 2, "invalid_input"),
        (&["verify", "--json", "no-such-file"], 2, "invalid_input"),
        (&["explain", "--json", "--jwks", "no-such-file"], 2, "invalid_input"),
    ];
    for (args, exit, error) in cases {
        let output = run(args, "");
        let answer: Value = serde_json::from_str(&stdout(&output)).unwrap();
        assert_eq!(
            (code(&output), answer["error_code"].as_str()),
            (exit, Some(error)),
            "{args:?}: {answer}"
        );
        assert_eq!(answer["ok"], false, "{args:?}");
    }
}

#[test]
fn a_jwks_by_url_needs_an_https_client_and_a_safe_url() {
    let output = run(
        &[
            "probe",
            "--allow-in-process-keys",
            "--key",
            "memory:",
            "--jwks",
            "http://buyer.example/jwks.json",
        ],
        "",
    );
    let said = stderr(&output);
    assert_eq!(code(&output), 2, "{said}");
    let reason = if cfg!(feature = "https") { "not https://" } else { "feature `https`" };
    assert!(said.contains(reason), "{said}");
}

#[test]
fn many_signatures_may_be_under_way_and_all_are_checked() {
    let key = ["probe", "--json", "--allow-in-process-keys", "--key", "memory:"];
    for concurrency in ["1", "64"] {
        let output =
            run(&[&key[..], &["--count", "300", "--concurrency", concurrency]].concat(), "");
        let answer: Value = serde_json::from_str(&stdout(&output)).unwrap();
        assert_eq!((code(&output), &answer["signed"]), (0, &json!(300)), "{answer}");
        let at = |name: &str| answer["latency_us"][name].as_f64().unwrap();
        assert!(0.0 < at("min") && at("min") <= at("p50") && at("p50") <= at("p95"), "{answer}");
        assert!(at("p95") <= at("p99") && at("p99") <= at("max"), "{answer}");
        assert!(stderr(&output).is_empty(), "a bar without a terminal: {}", stderr(&output));
    }
    for refused in
        [["--count", "0"], ["--count", "1000001"], ["--concurrency", "0"], ["--concurrency", "257"]]
    {
        assert_eq!(code(&run(&[&key[..], &refused].concat(), "")), 2, "{refused:?}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn an_answer_that_cannot_be_written_whole_is_a_failure_and_a_reader_that_left_is_none() {
    let commands: [&[&str]; 4] = [
        &["canonicalize", "https://seller.example/"],
        &["jwks", "--allow-in-process-keys", "--key", "memory:"],
        &["sign", "--allow-in-process-keys", "--key", "memory:", "examples/create_media_buy.http"],
        &["completions", "bash"],
    ];
    for args in commands {
        let into = |stdout: Stdio| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_adcp-signing"));
            command
                .args(args)
                .current_dir(workspace())
                .stdin(Stdio::null())
                .stdout(stdout)
                .output()
                .unwrap()
        };
        let full = into(std::fs::File::options().write(true).open("/dev/full").unwrap().into());
        assert_eq!(code(&full), 2, "{args:?}");
        assert!(stderr(&full).contains("standard output"), "{args:?}: {}", stderr(&full));
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let left = into(writer.into());
        assert_eq!((code(&left), stderr(&left)), (0, String::new()), "{args:?}");
    }
}

#[test]
fn completions_are_generated_for_each_shell() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let output = run(&["completions", shell], "");
        assert!(stdout(&output).contains("adcp-signing"), "{shell}");
    }
}
