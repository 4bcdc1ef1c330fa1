//! Nothing of a message, a key or a file name reaches the terminal as a command.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::*;

/// A forged verdict on a line of its own, a return to the start of the line and one in its place, a
/// color that this program never uses, a window title, a clear screen, the C1 form of CSI, marks
/// that reorder, and a line separator.
const HOSTILE: &str = "x\nverified signed by buyer-2026 with ed25519\r\u{1b}[2K\u{1b}[35m\
    verified\u{1b}[0m signed by buyer-2026\u{1b}]0;title\u{7}\
    \u{1b}[2J\u{9b}31m\u{202e}\u{2066}\u{2028}\u{7f}";

/// The program's own colors.
const COLORS: [&str; 6] =
    ["\u{1b}[0m", "\u{1b}[1m", "\u{1b}[2m", "\u{1b}[31m", "\u{1b}[32m", "\u{1b}[33m"];

/// Runs the program with colors, as on a terminal.
fn run_colored(args: &[&str], stdin: &[u8]) -> (String, i32) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_adcp-signing"))
        .args(args)
        .env("CLICOLOR_FORCE", "1")
        .current_dir(workspace())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let _ = child.stdin.take().unwrap().write_all(stdin);
    let output = child.wait_with_output().unwrap();
    (stdout(&output) + &stderr(&output), code(&output))
}

/// Whether an output holds no command to a terminal but the program's own colors, and no line that
/// reads as a verdict.
fn is_tame(text: &str) -> bool {
    let foreign = COLORS.iter().fold(text.to_owned(), |text, color| text.replace(color, ""));
    let forged = foreign.lines().any(|line| line.starts_with("verified signed by buyer-2026"));
    !forged
        && !foreign.contains(|character: char| {
            (character.is_control() && character != '\n')
                || matches!(character, '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}')
        })
}

/// Runs a command that must show the hostile text, and checks that every part of it is escaped.
fn assert_tame(what: &str, args: &[&str], stdin: &[u8]) -> (String, i32) {
    let (text, exit) = run_colored(args, stdin);
    assert!(is_tame(&text), "{what}: {text:?}");
    let escaped = ["\\u{1b}[35m", "\\u001b[35m"];
    assert!(escaped.iter().any(|part| text.contains(part)), "{what} is not shown: {text:?}");
    (text, exit)
}

struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        let desk = Self { folder: tempfile::tempdir().unwrap() };
        desk.write("jwks.json", json!({"keys": [key()]}).to_string().as_bytes());
        desk
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, content: &[u8]) -> String {
        std::fs::write(self.path(name), content).unwrap();
        self.path(name)
    }
}

/// An unsigned MCP call of a tool with a hostile name.
fn mcp() -> Value {
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": HOSTILE, "arguments": {}}});
    json!({"kind": "request", "profile": "3.2", "method": "POST",
        "url": "https://seller.example.com/mcp",
        "headers": {"Content-Type": "application/json"}, "body": body.to_string()})
}

#[test]
fn a_verdict_cannot_be_forged_by_the_name_of_an_mcp_tool() {
    let jwks = Desk::new();
    let jwks = jwks.write("jwks.json", json!({"keys": [key()]}).to_string().as_bytes());
    let message = mcp().to_string();
    for command in ["verify", "explain"] {
        let args = [command, "--transport", "mcp", "--jwks", &jwks];
        for (options, expected) in
            [(&["--allow-unsigned"][..], 0), (&["--allow-unsigned", "--json"], 0), (&["--json"], 1)]
        {
            let args = [&args[..], options].concat();
            let (text, exit) = assert_tame(&format!("{args:?}"), &args, message.as_bytes());
            assert_eq!(exit, expected, "{text:?}");
        }
        let (text, exit) = run_colored(&args, message.as_bytes());
        assert_eq!(exit, 1, "{text:?}");
        assert!(is_tame(&text), "{text:?}");
    }
    let line = with(mcp(), "transport", json!("mcp")).to_string();
    for options in [&[][..], &["--allow-unsigned"]] {
        let args = [&["verify", "--ndjson", "--jwks", &jwks], options].concat();
        let (text, _) = assert_tame("--ndjson", &args, line.as_bytes());
        assert_eq!(text.lines().count(), 1, "{text:?}");
        let answer: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(answer["resolved_operation"], HOSTILE, "escaped, and not changed");
    }
}

#[test]
fn every_member_of_a_message_is_shown_escaped() {
    let desk = Desk::new();
    let jwks = desk.path("jwks.json");
    let plain = without(to_sign("3.2"), "key");
    let hostile_url = format!("https://seller.example.com/{HOSTILE}");
    for (what, message) in [
        ("url", with(plain.clone(), "url", json!(hostile_url))),
        ("method", with(plain.clone(), "method", json!(HOSTILE))),
    ] {
        let args = ["explain", "--allow-unsigned", "--jwks", &jwks];
        assert_tame(what, &args, message.to_string().as_bytes());
    }
    let operation = with(plain.clone(), "operation", json!(HOSTILE)).to_string();
    let args = ["verify", "--allow-unsigned", "--jwks", &jwks];
    let (text, _) = run_colored(&args, operation.as_bytes());
    assert!(is_tame(&text), "{text:?}");
    for (what, message) in [
        ("kind", with(plain.clone(), "kind", json!(HOSTILE))),
        ("profile", with(plain.clone(), "profile", json!(HOSTILE))),
        ("transport", with(plain.clone(), "transport", json!(HOSTILE))),
        ("contract", with(plain.clone(), "contract", json!(HOSTILE))),
        ("header", with(plain.clone(), "headers", json!({HOSTILE: 1}))),
        ("type", with(plain.clone(), "now", json!(HOSTILE))),
    ] {
        for options in [&[][..], &["--json"]] {
            let args = [&["verify", "--jwks", &jwks][..], options].concat();
            let (text, exit) = run_colored(&args, message.to_string().as_bytes());
            assert_eq!(exit, 2, "{what}: {text:?}");
            assert!(is_tame(&text), "{what}: {text:?}");
        }
    }
}

#[test]
fn the_signature_base_is_shown_escaped() {
    let jwks = Desk::new();
    let jwks = jwks.path("jwks.json");
    // Bytes beyond ASCII are not refused in a field value: C1 and bidi characters are such.
    let signed = ndjson(&["sign", "--ndjson"], &[to_sign("3.2")]).remove(0);
    let mut message = with(without(to_sign("3.2"), "key"), "headers", signed["headers"].clone());
    for value in ["application/json; a=\u{9b}31m\u{202e}", "application/json\u{2028}verified"] {
        message["headers"]["Content-Type"] = json!(value);
        for options in [&[][..], &["--json"]] {
            let args = [&["explain", "--now", "1776520801", "--jwks", &jwks][..], options].concat();
            let (text, exit) = run_colored(&args, message.to_string().as_bytes());
            assert_eq!(exit, 1, "{text:?}");
            assert!(is_tame(&text), "{text:?}");
        }
    }
}

#[test]
fn message_files_are_shown_escaped() {
    let desk = Desk::new();
    let jwks = desk.path("jwks.json");
    let target = HOSTILE.replace([' ', '\n'], "_");
    let file = format!("POST https://seller.example.com/{target} HTTP/1.1\n\n");
    assert_tame("target", &["explain", "--jwks", &jwks, "--allow-unsigned"], file.as_bytes());
    let body = format!(
        "POST https://seller.example.com/adcp/create_media_buy HTTP/1.1\n\
         Content-Type: text/plain\n\n{HOSTILE}"
    );
    for name in ["body.http".to_owned(), format!("{HOSTILE}.http")] {
        let path = desk.write(&name, body.as_bytes());
        let (text, exit) = run_colored(&["demo", &path], b"");
        assert_eq!(exit, 0, "{text:?}");
        assert!(is_tame(&text), "{text:?}");
        assert!(text.contains("\\u{1b}[35m"), "{text:?}");
    }
}

#[test]
fn names_of_files_are_shown_escaped() {
    let path = Desk::new().path(HOSTILE);
    let commands: [&[&str]; 9] = [
        &["verify", &path],
        &["verify", "--json", &path],
        &["verify", "--ndjson", &path],
        &["explain", "--jwks", &path, "-"],
        &["verify", "--capability", &path, "-"],
        &["sign", &path],
        &["demo", &path],
        &["vectors", &path],
        &["probe", "--allow-in-process-keys", "--key", "memory:", "--pin", &path],
    ];
    for args in commands {
        let (text, exit) = assert_tame(&format!("{args:?}"), args, b"");
        assert_eq!(exit, 2, "{args:?}: {text:?}");
    }
    let desk = Desk::new();
    let (text, exit) = assert_tame("keygen", &["keygen", "--out", &desk.path(HOSTILE)], b"");
    assert_eq!(exit, 0, "{text:?}");
    assert_tame("keygen, again", &["keygen", "--out", &desk.path(HOSTILE)], b"");
    assert_tame("keygen --kid", &["keygen", "--kid", HOSTILE, "--out", &desk.path("k")], b"");
}

#[test]
fn vectors_are_shown_escaped() {
    let desk = Desk::new();
    let published = workspace().join("test-vectors/adcp/3.2.4/request-signing");
    let folder = desk.folder.path().join(HOSTILE).join("request-signing");
    std::fs::create_dir_all(folder.join("positive")).unwrap();
    std::fs::copy(published.join("keys.json"), folder.join("keys.json")).unwrap();
    let vector = std::fs::read(published.join("positive/001-basic-post.json")).unwrap();
    let mut vector: Value = serde_json::from_slice(&vector).unwrap();
    vector["name"] = json!(HOSTILE);
    vector["request"]["url"] = json!(format!("https://seller.example.com/{HOSTILE}"));
    let file = folder.join("positive").join(format!("{HOSTILE}.json"));
    std::fs::write(file, vector.to_string()).unwrap();
    for options in [&[][..], &["--json"]] {
        let root = desk.path("");
        let args = [&["vectors", &root], options].concat();
        let (text, exit) = assert_tame("vectors", &args, b"");
        assert_eq!(exit, 1, "{text:?}");
        assert!(text.contains("failed"), "{text:?}");
    }
}

#[test]
fn canonicalize_shows_urls_escaped() {
    let url = format!("https://seller.example.com/{HOSTILE}");
    for options in [&[][..], &["--json"]] {
        let args = [&["canonicalize", &url], options].concat();
        let (text, _) = run_colored(&args, b"");
        assert!(is_tame(&text), "{text:?}");
    }
    let line = json!({"url": "https://x/", "profile": HOSTILE}).to_string();
    let (text, _) = run_colored(&["canonicalize", "--ndjson"], line.as_bytes());
    assert!(is_tame(&text), "{text:?}");
}

#[test]
fn names_of_keys_are_shown_escaped() {
    let desk = Desk::new();
    let private = desk.path("key.jwk");
    let made = run(&["keygen", "--out", &private], "");
    assert_eq!(code(&made), 0);
    let mut jwk: Value = serde_json::from_slice(&std::fs::read(&private).unwrap()).unwrap();
    jwk["kid"] = json!(HOSTILE);
    std::fs::write(&private, jwk.to_string()).unwrap();
    let uri = format!("file:{private}");
    let key = ["--allow-in-process-keys", "--key", &uri];
    let jwks = desk.path("jwks.json");
    for args in [
        &[&["jwks"], &key[..]].concat()[..],
        &[&["jwks"], &key[..], &key[1..]].concat(),
        &[&["probe", "--count", "1", "--jwks", &jwks], &key[..]].concat(),
        &[&["probe", "--json", "--count", "1", "--jwks", &jwks], &key[..]].concat(),
    ] {
        assert_tame(&format!("{args:?}"), args, b"");
    }
}
