//! How answers are written, and exit codes.

use std::process::{Command, Stdio};

use serde_json::Value;

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
