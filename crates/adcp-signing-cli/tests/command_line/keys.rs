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

/// F11: the key was used in silence.
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
