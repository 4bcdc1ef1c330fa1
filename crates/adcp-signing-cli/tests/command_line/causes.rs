//! Input that is of another form than wanted: the failure names it and says what to do. The cases of
//! `tests/cases` have one input of each kind; here is the rest of the kind.

use std::fs;

use super::*;

/// A folder of files, in which the program runs.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            fs::write(folder.path().join(name), content).unwrap();
        }
        Self(folder)
    }

    /// The exit code, and everything that was printed.
    fn run(&self, args: &[&str]) -> (i32, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_adcp-signing"))
            .args(args)
            .current_dir(self.0.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        (code(&output), stdout(&output) + &stderr(&output))
    }
}

/// The Ed25519 key pair of RFC 8410 §10.3 and §10.1, for tests.
const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
    -----END PRIVATE KEY-----\n";
const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\n\
    MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\
    -----END PUBLIC KEY-----\n";
const PUBLIC_X: &str = "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE";

#[test]
fn a_pin_is_read_as_programs_write_it_or_named_for_what_it_is() {
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "x": PUBLIC_X});
    let probe = |pin: &[u8]| {
        Folder::new([("key.pem", PRIVATE.as_bytes()), ("pin", pin)]).run(&[
            "probe",
            "--allow-in-process-keys",
            "--key",
            "file:key.pem",
            "--pin",
            "pin",
            "--count",
            "1",
        ])
    };
    for pin in [
        PUBLIC.to_owned(),
        format!("\u{feff}{PUBLIC}\n\n"),
        format!("Bag Attributes\n{}", PUBLIC.replace('\n', " \r\n")),
        PUBLIC.replace('\n', " "),
        jwk.to_string(),
        format!("\u{feff}{jwk}\n"),
    ] {
        let (code, said) = probe(pin.as_bytes());
        assert_eq!(code, 0, "{pin}: {said}");
    }
    let mut private = jwk.clone();
    private["d"] = json!(PUBLIC_X);
    let mut padded = jwk.clone();
    padded["x"] = json!(format!("{PUBLIC_X}="));
    let der = [&[0x30, 0x2a][..], &[7; 42]].concat();
    for (pin, cause) in [
        (PRIVATE.as_bytes(), "is `PRIVATE KEY`, not `PUBLIC KEY`; it is private"),
        (PUBLIC.replace("PUBLIC KEY", "CERTIFICATE").as_bytes(), "openssl x509"),
        (private.to_string().as_bytes(), "this is a private JWK"),
        (json!({"keys": [jwk]}).to_string().as_bytes(), "this is a JWK set"),
        (padded.to_string().as_bytes(), "`x` must be base64url without padding"),
        (&der, "this is DER; convert a public key with `openssl pkey -pubin"),
        ("0f".repeat(32).as_bytes(), "this is hex digits"),
        (b"ssh-ed25519 AAAA a@b", "this is an SSH public key"),
        (b"\xff\xfe-\0", "this is UTF-16 text"),
        (b"key", "neither JSON nor PEM"),
    ] {
        let (code, said) = probe(pin);
        assert_eq!(code, 2, "{said}");
        assert!(said.contains(cause), "{said}");
    }
}

#[test]
fn a_pin_in_the_key_uri_is_checked_as_one_in_a_file() {
    let probe = |pin: &str| {
        let uri = format!("file:key.pem?spki-sha256={pin}");
        Folder::new([("key.pem", PRIVATE.as_bytes())]).run(&[
            "probe",
            "--allow-in-process-keys",
            "--key",
            &uri,
            "--count",
            "1",
        ])
    };
    let (code, said) = probe("a1e9156054e04fac899ae9f275132cdc07a5dbc4ea2c2ad3a1ffc6e0d253681f");
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("✓ pin         the service's key is the one of spki-sha256="), "{said}");
    let (code, said) = probe(&"0a".repeat(32));
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("(public_key_mismatch)") && !said.contains("✓ pin"), "{said}");
}

/// A failure shows the whole chain of causes, and no byte of a secret.
#[test]
fn the_cause_of_a_refused_key_is_printed() {
    let secret = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
    let jwk = |d: &str| {
        json!({"kty": "OKP", "crv": "Ed25519", "x": PUBLIC_X, "d": d, "adcp_use": "request-signing"})
            .to_string()
    };
    for (key, cause) in [
        (jwk(&format!("{secret}=")), "`d` must be base64url without padding"),
        (jwk(secret), "the public members of the JWK do not belong to its private key"),
        (jwk(&secret[..20]), "`d` must be 32 bytes long once decoded, not 15"),
        (PRIVATE.replace("PRIVATE", "EC PRIVATE"), "openssl pkcs8 -topk8 -nocrypt"),
        (PRIVATE.replace("MC4C", "MC4D"), "not an unencrypted DER PrivateKeyInfo"),
        (PRIVATE.replace("VhC", "Vh"), "the Base64 of the PEM block is cut off"),
    ] {
        let folder = Folder::new([("key", key.as_bytes())]);
        let args = ["jwks", "--allow-in-process-keys", "--key", "file:key"];
        let (code, said) = folder.run(&args);
        assert_eq!(code, 3, "{said}");
        assert!(said.contains(cause), "{said}");
        assert!(!said.contains(&secret[..12]) && !said.contains("MC4"), "{said}");
    }
}

#[test]
fn a_jwks_or_a_capability_that_is_not_json_is_named() {
    let message = b"POST https://x.example/ HTTP/1.1\n\n";
    let args = ["verify", "--jwks", "jwks", "--capability", "capability", "message.http"];
    let good: &[u8] = br#"{"keys":[]}"#;
    for (jwks, capability, cause) in [
        (&b"<!DOCTYPE html><html></html>"[..], good, "jwks: not JSON: it is HTML"),
        (b"<?xml version=\"1.0\"?>", good, "jwks: not JSON: it is XML"),
        (b"\x1f\x8b\x08\0", good, "jwks: the input is compressed (gzip)"),
        (PUBLIC.as_bytes(), good, "jwks: not JSON: it is PEM"),
        (b"Not found", good, "jwks: not JSON: expected"),
        (b"", good, "jwks: not JSON: EOF"),
        (good, b"<html>", "capability: not JSON: it is HTML"),
    ] {
        let files = [("message.http", &message[..]), ("jwks", jwks), ("capability", capability)];
        let (code, said) = Folder::new(files).run(&args);
        assert_eq!(code, 2, "{said}");
        assert!(said.contains(cause), "{said}");
    }
}

#[test]
fn a_byte_order_mark_is_skipped_in_whatever_is_read() {
    let line = to_sign("3.2");
    let signed = &ndjson(&["sign", "--ndjson"], std::slice::from_ref(&line))[0];
    let verify = to_verify("3.2", signed).to_string();
    let output = run(&["verify", "--ndjson"], &format!("\u{feff}{verify}\n"));
    let answer: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(answer["status"], "verified", "{answer}");

    let message = format!("\u{feff}{}", without(with(line, "headers", json!({})), "key"));
    let files = [("message.json", message.as_bytes()), ("key.pem", PRIVATE.as_bytes())];
    let args = ["sign", "--allow-in-process-keys", "--key", "file:key.pem", "message.json"];
    let (code, said) = Folder::new(files).run(&args);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("no Content-Type"), "{said}");
}

#[test]
fn a_time_in_milliseconds_is_named_wherever_it_is_given() {
    let line = to_sign("3.2");
    let signed = &ndjson(&["sign", "--ndjson"], std::slice::from_ref(&line))[0];
    let milliseconds = json!(1_776_520_800_000_i64);
    for (command, line, code) in [
        ("verify", with(to_verify("3.2", signed), "now", milliseconds.clone()), "invalid_input"),
        ("sign", with(line.clone(), "created", milliseconds), "request_signature_window_invalid"),
        ("sign", with(line, "expires_in", json!(300_000)), "request_signature_window_invalid"),
    ] {
        let answer = &ndjson(&[command, "--ndjson"], &[line])[0];
        assert_eq!(answer["error_code"], code, "{answer}");
        assert!(
            answer["message"].as_str().unwrap().contains("looks like milliseconds"),
            "{answer}"
        );
    }
}

#[test]
fn duplicate_key_input_is_the_code_of_duplicate_keys_alone() {
    let sign = |body: &str| {
        let line = with(to_sign("3.2"), "body", json!(body));
        ndjson(&["sign", "--ndjson"], &[line])[0]["error_code"].clone()
    };
    assert_eq!(sign(r#"{"a":1,"a":2}"#), "duplicate_key_input");
    for body in ["{", "a=1", "\u{feff}{}", "<html></html>"] {
        assert_eq!(sign(body), "invalid_input", "{body}");
    }
    assert_eq!(sign(&"[".repeat(100)), "body_too_complex");
}
