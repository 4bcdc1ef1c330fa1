//! Keys: made, published and probed.

use serde_json::{Value, json};

use super::*;

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

/// The key was used in silence.
#[cfg(unix)]
#[test]
fn a_key_file_that_others_can_reach_is_warned_of_once_and_used() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.jwk");
    run(&["keygen", "--kid", "buyer", "--out", path.to_str().unwrap()], "");
    let uri = format!("file:{}", path.display());
    let line = without(to_sign("3.2"), "key").to_string();
    let lines = [line.as_str(), &line];
    for (mode, warned) in [(0o600, false), (0o666, true)] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let args = ["sign", "--ndjson", "--allow-in-process-keys", "--key", &uri];
        let signed = run(&args, &lines.join("\n"));
        assert_eq!(code(&signed), 0, "{}", stderr(&signed));
        assert_eq!(stdout(&signed).matches("\"ok\":true").count(), 2, "{}", stdout(&signed));
        let warning = "warning: other users may reach the key file (mode 666); chmod 600 it\n";
        assert_eq!(stderr(&signed), if warned { warning } else { "" });
    }
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
    assert!(ready["latency_us"]["p95"].as_u64().unwrap() > 0);
    assert_eq!(ready["latency_us"]["p99"], Value::Null, "of 20 it is the slowest: {ready}");

    let (exit, other) = probe("a.jwk", "b.json");
    assert_eq!((exit, &other["ok"]), (3, &json!(false)), "{other}");
    let wrong: Vec<_> = with_outcome(&other, "failed");
    assert_eq!(wrong.len(), 1);
    assert_eq!(wrong[0]["code"], "published_key_differs", "{}", wrong[0]);
    assert!(wrong[0]["message"].as_str().unwrap().contains("another key"), "{}", wrong[0]);
}

/// The checks of a probe's answer with this outcome.
fn with_outcome<'a>(answer: &'a Value, outcome: &str) -> Vec<&'a Value> {
    answer["checks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|check| check["outcome"] == outcome)
        .collect()
}

/// A key that could not be opened was another answer without any check.
#[test]
fn a_probe_answers_in_one_shape_whatever_fails() {
    let key = |uri: &'static str| ["--allow-in-process-keys", "--count", "1", "--key", uri];
    let members = |answer: &Value| answer.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let run = |args: &[&str]| {
        let output = run(&[&["probe", "--json"], args].concat(), "");
        (code(&output), serde_json::from_str::<Value>(&stdout(&output)).unwrap())
    };
    let (exit, ready) = run(&key("memory:?kid=a"));
    assert_eq!((exit, &ready["ok"], &ready["keyid"]), (0, &json!(true), &json!("a")), "{ready}");
    for (args, exit, name, code) in [
        (key("file:nope").to_vec(), 3, "open", "key_not_found"),
        (vec!["--key", "memory:"], 3, "open", "configuration"),
        (key("nope:x").to_vec(), 2, "open", "invalid_input"),
        ([&key("memory:")[..], &["--pin", "nope"]].concat(), 2, "input", "invalid_input"),
        ([&key("memory:")[..], &["--profile", "9"]].concat(), 2, "input", "invalid_input"),
    ] {
        let (found, answer) = run(&args);
        let failed = with_outcome(&answer, "failed");
        assert_eq!((found, failed.len()), (exit, 1), "{args:?}: {answer}");
        assert_eq!((&failed[0]["name"], &failed[0]["code"]), (&json!(name), &json!(code)));
        assert!(!failed[0]["message"].as_str().unwrap().starts_with(code), "{answer}");
        if code == "key_not_found" {
            let causes = "; caused by: No such file or directory (os error 2)";
            assert!(failed[0]["message"].as_str().unwrap().ends_with(causes), "{answer}");
        }
        assert_eq!(members(&answer), members(&ready));
        assert_eq!((&answer["ok"], &answer["signed"]), (&json!(false), &json!(0)), "{answer}");
        // What needs the key is listed as not checked.
        let skipped = with_outcome(&answer, "not_checked");
        assert_eq!(skipped.iter().any(|check| check["name"] == "signatures"), name == "open");
    }
}

/// A check that was not made had a green tick, and the time was a number.
#[test]
fn a_probe_marks_what_was_not_checked_and_what_to_watch() {
    let args = ["probe", "--allow-in-process-keys", "--count", "1", "--key", "memory:?kid=a"];
    let output = run(&args, "");
    let said = stdout(&output);
    assert_eq!(code(&output), 0, "{said}");
    assert!(said.starts_with("this process, kid a: memory:?kid=a\n"), "{said}");
    for part in [
        "· clock       not checked: give --jwks as a URL",
        "! key uri     the key is held in this process",
        "· pin         not checked: ",
        "· export      not checked: the key is in this process",
        "· rotation    not checked: ",
        "· permissions not checked: ",
        "· published   not checked: ",
        "✓ signatures  1 verified",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let clock = said.lines().find(|line| line.contains("clock")).unwrap();
    let time = fancy_regex::Regex::new(r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC$").unwrap();
    assert!(time.is_match(clock).unwrap(), "{clock}");
    // A refusal by a server's clock is a failure, not one that was not made.
    assert!(!said.contains("(try again)"), "{said}");
}

/// What the guides warn of passed in green.
#[cfg(feature = "vault-transit")]
#[test]
fn a_probe_warns_of_a_name_that_can_come_to_stand_for_another_key() {
    for (uri, outcome, code) in [
        ("openbao://buyer?kid=buyer-1", "warning", "kid_can_move"),
        ("openbao://buyer", "warning", "key_can_move"),
        ("openbao://buyer?version=1&kid=buyer-1", "passed", "ok"),
        ("openbao://buyer?versoin=1", "not_checked", "not_read"),
    ] {
        let args = ["probe", "--json", "--count", "1", "--timeout", "1", "--key", uri];
        let output = Command::new(env!("CARGO_BIN_EXE_adcp-signing"))
            .args(args)
            .env("BAO_ADDR", "http://127.0.0.1:1")
            .env("BAO_TOKEN", "secret-token")
            .output()
            .unwrap();
        let answer: Value = serde_json::from_str(&stdout(&output)).unwrap();
        let check = &answer["checks"][1];
        assert_eq!((&check["name"], &check["code"]), (&json!("key_uri"), &json!(code)), "{answer}");
        assert_eq!(check["outcome"], outcome, "{answer}");
        let said = stdout(&output) + &stderr(&output);
        assert!(!said.contains("secret-token") && !said.contains("warning:"), "{said}");
    }
    let plain = Command::new(env!("CARGO_BIN_EXE_adcp-signing"))
        .args(["jwks", "--key", "openbao://buyer?version=1", "--timeout", "1"])
        .env("BAO_ADDR", "http://127.0.0.1:1")
        .env("BAO_TOKEN", "secret-token")
        .output()
        .unwrap();
    let said = stderr(&plain);
    let place = "while opening openbao://buyer?version=1 (BAO_ADDR=http://127.0.0.1:1)";
    assert!(said.contains(place) && said.contains("caused by: "), "{said}");
    assert!(!said.contains("secret-token"), "{said}");
}

#[test]
fn the_key_may_come_from_the_environment() {
    let run = |args: &[&str], uri: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_adcp-signing"));
        let command = command.args(args).env("ADCP_SIGNING_KEY", uri).current_dir(workspace());
        command.stdin(Stdio::null()).output().unwrap()
    };
    let allowed = "--allow-in-process-keys";
    let signed = run(&["sign", allowed, "examples/create_media_buy.http"], "memory:?kid=env");
    assert!(stdout(&signed).contains("keyid=\"env\""), "{}", stderr(&signed));
    let args = ["sign", allowed, "--key", "memory:?kid=given", "examples/create_media_buy.http"];
    assert!(stdout(&run(&args, "memory:?kid=env")).contains("keyid=\"given\""));
    assert!(stdout(&run(&["jwks", allowed], "memory:?kid=env")).contains("\"kid\": \"env\""));
    let probed = stdout(&run(&["probe", allowed, "--json", "--count", "1"], "memory:?kid=env"));
    assert!(probed.contains("\"keyid\":\"env\""), "{probed}");
}

#[test]
fn the_time_limit_is_bounded() {
    let args = ["jwks", "--allow-in-process-keys", "--key", "memory:", "--timeout"];
    for (limit, exit) in [("1", 0), ("600", 0), ("0", 2), ("601", 2), ("1.5", 2)] {
        assert_eq!(code(&run(&[&args[..], &[limit]].concat(), "")), exit, "{limit}");
    }
}
#[test]
fn algorithms_go_by_their_rfc_9421_and_jose_names() {
    for (name, alg) in [
        ("ed25519", "EdDSA"),
        ("EdDSA", "EdDSA"),
        ("ES256", "ES256"),
        ("es256", "ES256"),
        ("ecdsa-p256-sha256", "ES256"),
    ] {
        let uri = format!("memory:?alg={name}");
        let jwks = stdout(&run(&["jwks", "--allow-in-process-keys", "--key", &uri], ""));
        assert_eq!(serde_json::from_str::<Value>(&jwks).unwrap()["keys"][0]["alg"], alg, "{name}");
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("k");
        let made = run(&["keygen", "--alg", name, "--out", out.to_str().unwrap()], "");
        let jwks: Value = serde_json::from_str(&stdout(&made)).unwrap();
        assert_eq!(jwks["keys"][0]["alg"], alg, "{name}");
    }
    for refused in ["PS512", "rsa-pss-sha512", "ed448", ""] {
        let refused = run(&["keygen", "--alg", refused, "--out", "-"], "");
        assert_eq!(code(&refused), 2);
        assert!(stderr(&refused).contains("ecdsa-p256-sha256 (ES256)"), "{}", stderr(&refused));
    }
}

/// Public output needs no leave, and a key that is gone at once is of no use to anybody.
#[test]
fn the_public_half_of_a_key_file_needs_no_leave() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("key.jwk");
    run(&["keygen", "--out", out.to_str().unwrap()], "");
    let uri = format!("file:{}", out.display());
    assert_eq!(code(&run(&["jwks", "--key", &uri], "")), 0);
    assert_eq!(code(&run(&["jwks", "--key", "memory:"], "")), 3);
    assert_eq!(code(&run(&["sign", "--key", &uri, "examples/create_media_buy.http"], "")), 3);
    assert_eq!(code(&run(&["probe", "--key", &uri], "")), 3);
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
        (found["code"].clone(), found["message"].as_str().unwrap().to_owned())
    };
    let (code, why) = detail(&[], "purpose");
    assert!(code == "purpose_refused" && why.ends_with("sign with a request-signing key"), "{why}");
    let (code, why) = detail(&["--kind", "webhook"], "purpose");
    assert!(code == "purpose_deprecated" && why.contains("deprecated"), "{why}");
    let older = ["--kind", "webhook", "--contract", "3.1.0-rc.14"];
    assert_eq!(detail(&older, "purpose"), (json!("ok"), "webhook-signing".to_owned()));
    let (code, why) = detail(&older, "published");
    assert!(
        code == "published_key_invalid"
            && why.contains("`use` is missing")
            && why.contains("`key_ops` is missing")
    );
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
        let at = |name: &str| answer["latency_us"][name].as_u64().unwrap();
        assert!(0 < at("min") && at("min") <= at("p50") && at("p50") <= at("p95"), "{answer}");
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
fn a_kid_that_no_signature_can_carry_is_refused_before_a_key_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("key.jwk");
    for kid in ["", "a\u{1b}[31m\n", "a\nb", "b\u{fc}yer", "a\u{202e}b", "a\u{7f}"] {
        let refused = run(&["keygen", "--kid", kid, "--out", out.to_str().unwrap()], "");
        assert_eq!((code(&refused), stdout(&refused)), (2, String::new()), "{kid:?}");
        assert!(stderr(&refused).contains("--kid"), "{}", stderr(&refused));
        assert!(!out.exists(), "{kid:?}");
    }
}
#[test]
fn the_commands_of_a_key_service_are_printed_and_no_key_is_made() {
    let uri = "openbao://buyer?version=1";
    let printed = run(&["keygen", "--print-commands", uri], "");
    assert_eq!(code(&printed), 0, "{}", stderr(&printed));
    let said = stdout(&printed);
    assert!(said.contains("bao write transit/keys/buyer type=ed25519"), "{said}");
    let p256 = stdout(&run(&["keygen", "--print-commands", uri, "--alg", "ES256"], ""));
    assert!(p256.contains("type=ecdsa-p256"), "{p256}");
    for conflict in [["--out", "x"], ["--jwks", "x"], ["--kid", "x"]] {
        let args = [&["keygen", "--print-commands", uri], &conflict[..]].concat();
        assert_eq!(code(&run(&args, "")), 2, "{conflict:?}");
    }
    assert_eq!(code(&run(&["keygen"], "")), 2);
}

/// A key in a service is made by its URI; all else that may be meant is refused before a call.
#[test]
fn a_key_is_made_only_where_a_uri_names_a_service() {
    let folder = tempfile::tempdir().unwrap();
    let private = folder.path().join("private.jwk").to_str().unwrap().to_owned();
    assert_eq!(code(&run(&["keygen", "--out", &private], "")), 0);
    let pinned = format!("openbao://k?spki-sha256={}", "ab".repeat(32));
    for (args, reason) in [
        (&["keygen"][..], "--key"),
        (&["keygen", "--key", "file:k.jwk"], "no key of a service"),
        (&["keygen", "--key", "memory:"], "no key of a service"),
        (&["keygen", "--key", &pinned], "cannot be pinned"),
        (&["keygen", "--key", "vault://k"], "did you mean hashivault"),
        (&["keygen", "--key", "openbao://k?token=s.1234"], "holds no secret"),
        (&["keygen", "--key", "openbao://k", "--out", "k.jwk"], "cannot be used with"),
        (&["keygen", "--key", "openbao://k", "--kid", "k"], "cannot be used with"),
        (&["keygen", "--key", "openbao://k", "--print-commands", "openbao://k"], "cannot be used"),
        (&["keygen", "--key", "openbao://k", "--jwks", &private], "is not a public JWKS"),
    ] {
        let output = run(args, "");
        let said = stderr(&output);
        // A build without the backend says which to add.
        let is_missing =
            said.contains("need the Cargo feature") && args.contains(&"openbao://k?token=s.1234");
        assert_eq!((code(&output), stdout(&output).as_str()), (2, ""), "{args:?}: {said}");
        assert!(said.contains(reason) || is_missing, "{args:?}: {said}");
        assert!(!said.contains("1234"), "{said}");
    }
    // A key in the environment is one to sign with, and none to make.
    let output = Command::new(env!("CARGO_BIN_EXE_adcp-signing"))
        .arg("keygen")
        .env("ADCP_SIGNING_KEY", "openbao://k")
        .output()
        .unwrap();
    assert_eq!(code(&output), 2, "{}", stderr(&output));
}
