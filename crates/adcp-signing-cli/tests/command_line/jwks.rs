//! JWKS files: written whole or not at all, changed in place, and never mixed up with keys.

use std::fs;

use serde_json::{Value, json};

use super::*;

struct Desk(tempfile::TempDir);

impl Desk {
    /// A folder with the keys `a` and `b`, of that kid, and the JWKS of `a`.
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        for kid in ["a", "b"] {
            let jwks = desk.path(&format!("{kid}.json"));
            let out = desk.path(&format!("{kid}.jwk"));
            let made = run(&["keygen", "--kid", kid, "--out", &out, "--jwks", &jwks], "");
            assert_eq!((code(&made), stdout(&made).as_str()), (0, ""), "{}", stderr(&made));
        }
        desk
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    fn uri(&self, kid: &str) -> String {
        format!("file:{}", self.path(&format!("{kid}.jwk")))
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&fs::read(self.path(name)).unwrap()).unwrap()
    }

    /// That a command is refused for this reason, with every file as it was.
    fn refused(&self, args: &[&str], exit: i32, reason: &str) {
        let files = || {
            let mut files: Vec<_> = fs::read_dir(self.0.path())
                .unwrap()
                .map(|file| file.unwrap().path())
                .map(|path| (path.clone(), fs::read(path).unwrap()))
                .collect();
            files.sort();
            files
        };
        let before = files();
        let output = run(args, "");
        assert_eq!(code(&output), exit, "{args:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(reason), "{args:?}: {}", stderr(&output));
        assert_eq!(files(), before, "{args:?}");
    }
}

/// The redirect of the guides left a JWKS of zero bytes when the key service was down.
#[test]
fn a_jwks_is_written_whole_or_not_at_all() {
    let desk = Desk::new();
    let out = desk.path("jwks.json");
    let (a, b) = (desk.uri("a"), desk.uri("b"));
    let both = run(&["jwks", "--key", &a, "--key", &b, "--out", &out], "");
    assert_eq!((code(&both), stdout(&both).as_str()), (0, ""), "{}", stderr(&both));
    assert_eq!(desk.json("jwks.json")["keys"].as_array().unwrap().len(), 2);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // A server that publishes the file can read it, and a mode that was set stays.
        fs::set_permissions(&out, fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(code(&run(&["jwks", "--key", &a, "--out", &out], "")), 0);
        assert_eq!(fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o640);
        fs::write(desk.path("plain"), "").unwrap();
        let mode = |name: &str| fs::metadata(desk.path(name)).unwrap().permissions().mode();
        assert_eq!(mode("a.json"), mode("plain"), "the umask decides");
        // A link stays one.
        std::os::unix::fs::symlink(&out, desk.path("link.json")).unwrap();
        assert_eq!(code(&run(&["jwks", "--key", &b, "--out", &desk.path("link.json")], "")), 0);
        assert!(fs::symlink_metadata(desk.path("link.json")).unwrap().is_symlink());
        assert_eq!(desk.json("jwks.json")["keys"][0]["kid"], "b");
    }
    let nope = format!("file:{}", desk.path("nope"));
    desk.refused(&["jwks", "--key", &a, "--key", &nope, "--out", &out], 3, "no such key file");
    let private = desk.path("a.jwk");
    desk.refused(&["jwks", "--key", &b, "--out", &private], 2, "is not a public JWKS");
    let folder = desk.path("nowhere/jwks.json");
    desk.refused(&["jwks", "--key", &b, "--out", &folder], 2, "there is no folder");
    let output = run(&["jwks", "--key", &a, "--out", desk.0.path().to_str().unwrap()], "");
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("is not a regular file"), "{}", stderr(&output));
}

#[test]
fn keys_are_added_to_and_removed_from_a_jwks_that_keeps_the_rest() {
    let desk = Desk::new();
    let file = desk.path("jwks.json");
    let mut jwks = desk.json("a.json");
    jwks["zone"] = json!({"z": 1, "a": [true]});
    jwks["keys"][0]["x-note"] = json!("kept");
    fs::write(&file, jwks.to_string()).unwrap();
    let b = desk.uri("b");
    let added = run(&["jwks", "add", "--in", &file, "--key", &b], "");
    assert_eq!(code(&added), 0, "{}", stderr(&added));
    let mut expected = jwks.clone();
    expected["keys"].as_array_mut().unwrap().push(desk.json("b.json")["keys"][0].clone());
    assert_eq!(desk.json("jwks.json").to_string(), expected.to_string(), "the order is kept");

    let listed = stdout(&run(&["jwks", "list", "--in", &file], ""));
    let rows: Vec<_> = listed.lines().map(|row| row.split_whitespace().collect()).collect();
    let [a, b_row] = <[Vec<&str>; 2]>::try_from(rows).unwrap();
    assert_eq!((a[0], a[1], a[2], a[3].len()), ("a", "request-signing", "ed25519", 43));
    assert_eq!(b_row[0], "b");

    desk.refused(&["jwks", "add", "--in", &file, "--key", &b], 2, "a key named \"b\" already");
    let renamed = ["--allow-in-process-keys", "--key", "memory:?kid=a"];
    let args = [&["jwks", "add", "--in", &file], &renamed[..]].concat();
    desk.refused(&args, 2, "named \"a\" already");
    let twice = ["jwks", "add", "--in", &file, "--key", &b, "--key", &b];
    desk.refused(&twice, 2, "two keys are named");
    let remove = ["jwks", "remove", "--in", &file, "--kid", "b", "--kid", "c"];
    desk.refused(&remove, 2, "no key named \"c\"; nothing was removed");
    let removed = run(&["jwks", "remove", "--in", &file, "--kid", "b"], "");
    assert_eq!(code(&removed), 0, "{}", stderr(&removed));
    assert_eq!(desk.json("jwks.json").to_string(), jwks.to_string());

    let double = json!({"keys": [jwks["keys"][0], jwks["keys"][0]]});
    fs::write(&file, double.to_string()).unwrap();
    desk.refused(&["jwks", "remove", "--in", &file, "--kid", "a"], 2, "more than one key");
    fs::write(&file, r#"{"keys":[],"keys":[]}"#).unwrap();
    desk.refused(&["jwks", "add", "--in", &file, "--key", &b], 2, "duplicate");
    fs::write(&file, "").unwrap();
    desk.refused(&["jwks", "list", "--in", &file], 2, "jwks.json: ");
    let absent = desk.path("absent.json");
    desk.refused(&["jwks", "add", "--in", &absent, "--key", &b], 2, "absent.json");
}

/// A key in the environment is no reason to refuse a change that names none.
#[test]
fn a_jwks_is_changed_whatever_the_environment_has_for_a_key() {
    let desk = Desk::new();
    for args in [&["list", "--in"][..], &["remove", "--kid", "a", "--in"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_adcp-signing"))
            .args([&["jwks"], args, &[&desk.path("a.json")]].concat())
            .env("ADCP_SIGNING_KEY", "memory:")
            .output()
            .unwrap();
        assert_eq!(code(&output), 0, "{args:?}: {}", stderr(&output));
    }
    assert_eq!(desk.json("a.json")["keys"], json!([]));
}

/// The message was that of any file that is not a set.
#[test]
fn a_private_key_in_place_of_a_jwks_is_named_with_what_makes_the_jwks() {
    let desk = Desk::new();
    let set = json!({"keys": [desk.json("a.jwk")]}).to_string();
    fs::write(desk.path("set.jwk"), set).unwrap();
    fs::write(desk.path("key.pem"), "-----BEGIN PRIVATE KEY-----\n").unwrap();
    for private in ["a.jwk", "set.jwk", "key.pem"].map(|name| desk.path(name)) {
        let cure = format!("adcp-signing jwks --key file:{private} --out jwks.json");
        for args in [
            &["verify", "--jwks", &private, "examples/create_media_buy.http"][..],
            &["explain", "--jwks", &private, "examples/create_media_buy.http"],
            &["probe", "--allow-in-process-keys", "--key", "memory:", "--jwks", &private],
            &["jwks", "list", "--in", &private],
            &["jwks", "remove", "--in", &private, "--kid", "a"],
        ] {
            desk.refused(args, 2, &cure);
        }
    }
}
#[test]
fn keygen_names_what_was_asked_for_and_prints_a_key_only_for_a_program() {
    let desk = Desk::new();
    let nowhere = desk.path("nowhere/key.jwk");
    desk.refused(&["keygen", "--out", &nowhere], 2, "there is no folder");
    assert!(!stderr(&run(&["keygen", "--out", &nowhere], "")).contains("nowhere/.tmp"));
    let private = desk.path("a.jwk");
    let args = ["keygen", "--out", &desk.path("c.jwk"), "--jwks", &private];
    desk.refused(&args, 2, "is not a public JWKS");

    let jwks = desk.path("c.json");
    let piped = run(&["keygen", "--kid", "c", "--out", "-", "--jwks", &jwks], "");
    assert_eq!(code(&piped), 0, "{}", stderr(&piped));
    let key: Value = serde_json::from_str(&stdout(&piped)).unwrap();
    assert!(key["d"].is_string() && key["kid"] == "c", "the private key alone");
    assert_eq!(desk.json("c.json")["keys"][0]["x"], key["x"]);
    assert!(!workspace().join("-").exists());
    let help = stdout(&run(&["keygen", "--help"], ""));
    assert!(help.contains("governance-signing"), "{help}");
}

/// Each process read the file, and the last to write undid what the others had changed.
#[test]
fn processes_that_change_one_jwks_at_once_lose_nothing() {
    const PROCESSES: usize = 6;
    const CHANGES: usize = 4;
    let desk = Desk::new();
    let file = desk.path("a.json");
    let change = |args: &[&str]| {
        let changed = run(&[&["jwks"], args, &["--in", &file]].concat(), "");
        assert_eq!(code(&changed), 0, "{args:?}: {}", stderr(&changed));
    };
    std::thread::scope(|scope| {
        for process in 0..PROCESSES {
            scope.spawn(move || {
                for number in 0..CHANGES {
                    let kid = format!("{process}-{number}");
                    let key = format!("memory:?kid={kid}");
                    change(&["add", "--allow-in-process-keys", "--key", &key]);
                    if number == 0 {
                        change(&["remove", "--kid", &kid]);
                    }
                }
            });
        }
    });
    let jwks = desk.json("a.json");
    let mut kids: Vec<_> = jwks["keys"].as_array().unwrap().iter().map(|key| &key["kid"]).collect();
    kids.sort_by_key(|kid| kid.to_string());
    let processes = (0..PROCESSES)
        .flat_map(|process| (1..CHANGES).map(move |number| json!(format!("{process}-{number}"))));
    let expected: Vec<_> = processes.chain([json!("a")]).collect();
    assert_eq!(kids, expected.iter().collect::<Vec<_>>());
    assert!(!fs::exists(desk.path("a.json.lock")).unwrap(), "the lock is gone");
}

#[test]
fn a_lock_that_a_killed_process_left_behind_is_named() {
    let desk = Desk::new();
    fs::write(desk.path("a.json.lock"), "").unwrap();
    let remove = ["jwks", "remove", "--in", &desk.path("a.json"), "--kid", "a"];
    desk.refused(&remove, 2, "remove ");
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(desk.path("a.json"), desk.path("link.json")).unwrap();
        let remove = ["jwks", "remove", "--in", &desk.path("link.json"), "--kid", "a"];
        desk.refused(&remove, 2, "a.json.lock exists");
    }
}
