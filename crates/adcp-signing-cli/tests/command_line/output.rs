//! How answers are written, and exit codes.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::*;

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
fn with_json_a_failure_is_an_object_too() {
    let key = ["--allow-in-process-keys", "--key", "file:no-such-key"];
    let cases: [(&[&str], i32, &str); 4] = [
        (
            &[&["sign", "--json", "examples/create_media_buy.http"], &key[..]].concat(),
            3,
            "key_not_found",
        ),
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

/// The message repeated the code, and nothing said which key it was.
#[test]
fn a_failure_of_a_key_names_the_key_and_each_cause() {
    let args = ["sign", "--allow-in-process-keys", "--key", "file:no-such-key"];
    let plain = run(&[&args[..], &["examples/create_media_buy.http"]].concat(), "");
    let lines = "error: key_not_found: there is no such key file\n  \
        while opening file:no-such-key\n  caused by: No such file or directory (os error 2)\n";
    assert_eq!((code(&plain), stderr(&plain).as_str()), (3, lines));
    let json = run(&[&args[..], &["--json", "examples/create_media_buy.http"]].concat(), "");
    let answer: Value = serde_json::from_str(&stdout(&json)).unwrap();
    let expected = json!({
        "ok": false,
        "error_code": "key_not_found",
        "message": "there is no such key file",
        "causes": ["No such file or directory (os error 2)"],
        "key": "file:no-such-key",
    });
    assert_eq!((code(&json), answer), (3, expected));
    // The URI of a key is shown, and never what may be a secret in it.
    let args = ["sign", "--key", "openbao://buyer?token=s.1234", "examples/create_media_buy.http"];
    let refused = run(&args, "");
    let said = stderr(&refused);
    assert_eq!(code(&refused), 2, "{said}");
    assert!(said.contains("while opening openbao://buyer?…") && !said.contains("1234"), "{said}");
}

#[test]
fn a_failure_of_a_key_names_the_settings_that_lead_to_it_without_a_password() {
    let failed = |name: &str, value: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_adcp-signing"));
        command.args(["jwks", "--timeout", "1", "--key", "openbao://buyer?version=1"]);
        command.env("BAO_TOKEN", "s.1234").env(name, value);
        stderr(&command.stdin(Stdio::null()).output().unwrap())
    };
    let said = failed("BAO_ADDR", "http://127.0.0.1:1");
    let place = "while opening openbao://buyer?version=1 (BAO_ADDR=http://127.0.0.1:1)";
    // Without the backend the URI is not read, and may hold anything.
    let unread = "while opening openbao://buyer?… (BAO_ADDR=http://127.0.0.1:1)";
    let expected = if cfg!(feature = "vault-transit") { place } else { unread };
    assert!(said.contains(expected) && !said.contains("1234"), "{said}");
    let said = failed("BAO_ADDR", "http://user:hunter2@127.0.0.1:1");
    assert!(said.contains("BAO_ADDR=…") && !said.contains("hunter2"), "{said}");
}
#[test]
fn the_version_names_what_is_built_in_and_the_contracts() {
    let said = stdout(&run(&["--version"], ""));
    assert!(said.starts_with(concat!("adcp-signing ", env!("CARGO_PKG_VERSION"))), "{said}");
    assert_eq!(said.contains("vault-transit"), cfg!(feature = "vault-transit"), "{said}");
    for contract in ["3.0.26", "3.2.4", "3.3.0-rc.0"] {
        assert!(said.contains(contract), "{said}");
    }
    assert_eq!(said.contains("commit"), option_env!("ADCP_SIGNING_COMMIT").is_some(), "{said}");
}

#[test]
fn the_help_has_every_form_of_key_uri() {
    let page = stdout(&run(&["help", "keys"], ""));
    for scheme in ["file:", "memory:", "awskms:", "gcpkms:", "azurekms:", "openbao:", "pkcs11:"] {
        assert!(page.contains(scheme), "{scheme}: {page}");
    }
    for part in ["spki-sha256=", "ADCP_SIGNING_KEY", "ES256"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(page.ends_with(&stdout(&run(&["keys"], ""))), "{page}");
}

#[test]
fn a_verbose_run_shows_what_the_library_reports() {
    let args =
        ["sign", "--allow-in-process-keys", "--key", "memory:", "examples/create_media_buy.http"];
    assert_eq!(stderr(&run(&args, "")), "");
    for option in ["-v", "--verbose"] {
        let output = run(&[&args[..], &[option]].concat(), "");
        let said = stderr(&output);
        assert_eq!(code(&output), 0, "{said}");
        assert!(said.contains("debug adcp_signing_core::provider::layers"), "{said}");
        assert!(said.contains("key service call ended: call=\"sign\""), "{said}");
    }
}

/// A warning that comes with no error is always shown.
#[test]
fn warnings_of_the_library_are_shown_without_being_asked_for() {
    let message = workspace().join("examples/webhook.http");
    let key = "memory:?purpose=webhook-signing";
    let args = ["sign", "--kind", "webhook", "--allow-in-process-keys", "--key", key];
    let output = run(&[&args[..], &[message.to_str().unwrap()]].concat(), "");
    let said = stderr(&output);
    assert_eq!(code(&output), 0, "{said}");
    assert!(said.starts_with("warning: deprecated key:"), "{said}");
    // The error reports what failed, and no warning repeats it unless it is asked for.
    let key = format!("memory:?spki-sha256={}", "0a".repeat(32));
    let args = ["sign", "--allow-in-process-keys", "--key", &key, "examples/create_media_buy.http"];
    for (options, is_shown) in [(&[][..], false), (&["-v"], true)] {
        let output = run(&[&args[..], options].concat(), "");
        let said = stderr(&output);
        assert_eq!(code(&output), 3, "{said}");
        assert!(said.contains("error: public_key_mismatch"), "{said}");
        assert_eq!(said.contains("warning"), is_shown, "{said}");
    }
}
#[test]
fn vectors_show_what_did_not_pass_and_the_others_when_asked() {
    let folder = "test-vectors/adcp/3.2.4/request-signing/positive";
    let short = stdout(&run(&["vectors", folder], ""));
    assert_eq!(short.lines().count(), 1, "{short}");
    let long = stdout(&run(&["vectors", "-v", folder], ""));
    assert!(long.lines().count() > 5 && long.contains("001-basic-post.json"), "{long}");
    assert!(long.ends_with(&short), "{long}");
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

#[test]
fn the_help_has_every_command_in_a_group_and_options_by_heading() {
    let help = stdout(&run(&["--help"], ""));
    let completions = stdout(&run(&["completions", "fish"], ""));
    let commands: Vec<_> = completions
        .lines()
        .filter(|line| line.contains("__fish_adcp_signing_needs_command"))
        .filter_map(|line| line.split(" -a \"").nth(1)?.split('"').next())
        .filter(|command| *command != "help")
        .collect();
    assert!(commands.len() > 10, "{completions}");
    for command in commands {
        let is_listed = help.lines().any(|line| {
            line.strip_prefix("  ").is_some_and(|line| line.starts_with(&format!("{command} ")))
        });
        assert!(is_listed, "{command}: {help}");
    }
    for (command, headings) in [
        ("sign", &["Input and output:", "Profile:", "Key:", "Signature:"][..]),
        ("verify", &["Input and output:", "Profile:", "Verification:"]),
    ] {
        let help = stdout(&run(&[command, "--help"], ""));
        for heading in headings {
            assert!(help.lines().any(|line| line == *heading), "{heading}: {help}");
        }
    }
}

#[test]
fn man_pages_are_written_for_each_command() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("man1");
    let written = run(&["man", "--out", out.to_str().unwrap()], "");
    assert_eq!(code(&written), 0, "{}", stderr(&written));
    for page in ["adcp-signing", "adcp-signing-probe", "adcp-signing-jwks-add"] {
        let text = std::fs::read_to_string(out.join(format!("{page}.1"))).unwrap();
        assert!(text.contains(".SH NAME"), "{text}");
    }
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    assert_eq!(code(&run(&["man", "--out", file.to_str().unwrap()], "")), 2);
}

#[test]
#[cfg(target_os = "linux")]
fn a_private_key_is_not_shown_on_a_terminal() {
    let typed = format!("{} keygen --out -", env!("CARGO_BIN_EXE_adcp-signing"));
    let mut script = Command::new("script");
    script.args(["-qec", &typed, "/dev/null"]).stdin(Stdio::null());
    let Ok(shown) = script.output() else { return println!("skipped: there is no `script`") };
    let said = stdout(&shown);
    assert!(said.contains("not shown on a terminal") && !said.contains("\"d\""), "{said}");
}

/// Hints are for a person who reads along, and nothing else of what is printed is changed by them.
#[test]
#[cfg(target_os = "linux")]
fn the_next_command_is_shown_on_a_terminal_alone() {
    let folder = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_adcp-signing");
    for (command, hint) in [
        ("keygen --out k.jwk --jwks j.json", "next: publish the JWKS, then check both"),
        ("jwks --key file:k.jwk", "next: publish it at your jwks_uri, then: adcp-signing probe"),
        (
            "probe --allow-in-process-keys --key file:k.jwk --jwks j.json --count 1",
            "next: sign a message: adcp-signing sign --allow-in-process-keys --key 'file:k.jwk' M",
        ),
        (
            "probe --allow-in-process-keys --key memory: --count 1",
            "next: publish the key: adcp-signing jwks",
        ),
    ] {
        let typed = format!("{program} {command}");
        // `script` runs a command on a terminal of its own.
        let script = Command::new("script")
            .args(["-qec", &typed, "/dev/null"])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .output();
        let Ok(shown) = script else { return println!("skipped: there is no `script`") };
        assert!(stdout(&shown).contains(hint), "{command}: {}", stdout(&shown));
        let piped = Command::new("sh")
            .args(["-c", &typed.replace("--out k.jwk --jwks j.json", "--out other.jwk")])
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(!stderr(&piped).contains("next:"), "{command}: {}", stderr(&piped));
    }
}
