//! Refusals whose code alone does not tell what to mend: the detail names the cause.

use futures_executor::block_on;

use super::support::{KEYID, NONCE, NOW, Scene, URL, key, listed, route};
use crate::{
    keys::{Algorithm, KeyPurpose},
    operation::List,
    provider::InMemoryProvider,
    rfc9421::{
        Component, FieldLine, Request,
        digest::content_digest,
        signature_base,
        structured_fields::{Alphabet, push_byte_sequence},
    },
    verify::{Context, FallbackCredential, Rejection, Step, Verified},
};

const BODY: &[u8] = br#"{"budget":1000}"#;

/// A message as its signer saw it.
struct Message<'a> {
    method: &'a str,
    url: &'a str,
    digest: Option<String>,
    created: i64,
    fields: Vec<(&'a str, &'a str)>,
    body: &'a [u8],
}

impl Default for Message<'_> {
    fn default() -> Self {
        Self {
            method: "POST",
            url: URL,
            digest: Some(content_digest(BODY, Alphabet::Standard)),
            created: NOW.as_i64(),
            fields: vec![("Content-Type", "application/json")],
            body: BODY,
        }
    }
}

impl Message<'_> {
    /// Its field lines, signed.
    fn signed(&self, key: &InMemoryProvider) -> Vec<(String, String)> {
        let mut fields: Vec<(String, String)> = self
            .fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let mut covered = vec!["@method", "@target-uri", "@authority"];
        covered.extend((!self.fields.is_empty()).then_some("content-type"));
        if let Some(digest) = &self.digest {
            fields.push(("Content-Digest".to_owned(), digest.clone()));
            covered.push("content-digest");
        }
        let list: Vec<_> = covered.iter().map(|name| format!("\"{name}\"")).collect();
        let created = self.created;
        let input = format!(
            r#"({});created={created};expires={};nonce="{NONCE}";keyid="{KEYID}";alg="ed25519";tag="adcp/request-signing/v1""#,
            list.join(" "),
            created + 300,
        );
        let lines: Vec<_> =
            fields.iter().map(|(name, value)| FieldLine::new(name, value)).collect();
        let request = Request::new(self.method, self.url, &lines, self.body);
        let components: Vec<_> =
            covered.iter().map(|name| Component::new(name, &[]).unwrap()).collect();
        let base = signature_base(&components, &input, &request).unwrap();
        fields.push(("Signature-Input".to_owned(), format!("sig1={input}")));
        fields.push(("Signature".to_owned(), signature(key.sign_now(&base).unwrap().as_bytes())));
        fields
    }

    /// What a verifier answers when it receives this message with these fields.
    fn received(
        &self,
        key: &InMemoryProvider,
        fields: &[(String, String)],
    ) -> Result<Verified, Rejection> {
        let lines: Vec<_> =
            fields.iter().map(|(name, value)| FieldLine::new(name, value)).collect();
        let request = Request::new(self.method, self.url, &lines, self.body);
        let verifier = Scene { capability: listed(None), ..Scene::default() }.verifier(key);
        block_on(verifier.verify(&request, &Context::request(&route())))
    }

    /// The refusal where the message comes as it was signed.
    fn refusal(&self) -> Rejection {
        let key = key();
        self.received(&key, &self.signed(&key)).unwrap_err()
    }
}

fn signature(bytes: &[u8]) -> String {
    let mut value = "sig1=".to_owned();
    push_byte_sequence(&mut value, bytes, Alphabet::Standard);
    value
}

#[track_caller]
fn assert_refused(rejection: &Rejection, step: Step, code: &str, cause: &str) {
    assert_eq!((rejection.step(), rejection.reason().as_str()), (step, code), "{rejection}");
    assert!(rejection.detail().contains(cause), "{rejection}");
}

#[test]
fn without_a_fault_the_message_is_signed() {
    let key = key();
    let message = Message::default();
    assert!(matches!(message.received(&key, &message.signed(&key)), Ok(Verified::Signed(_))));
    let length = BODY.len().to_string();
    let fields = vec![("Content-Type", "application/json"), ("Content-Length", length.as_str())];
    let message = Message { fields, ..Message::default() };
    assert!(matches!(message.received(&key, &message.signed(&key)), Ok(Verified::Signed(_))));
}

/// AdCP signs the method in upper case, and routers tell `post` from `POST`.
#[test]
fn a_method_is_verified_in_upper_case_only() {
    let refused = "request_signature_invalid";
    for method in ["post", "Post", "m-Search"] {
        let rejection = Message { method, ..Message::default() }.refusal();
        assert_refused(&rejection, Step::Signature, refused, "lower-case letters");
    }
    // Signed in upper case, and changed on the way.
    let key = key();
    let fields = Message::default().signed(&key);
    let changed = Message { method: "post", ..Message::default() };
    let rejection = changed.received(&key, &fields).unwrap_err();
    assert_refused(&rejection, Step::Signature, refused, "lower-case letters");
    let broken = Message { method: "POST /", ..Message::default() };
    let rejection = broken.received(&key, &fields).unwrap_err();
    assert_refused(&rejection, Step::Signature, refused, "not a token");

    let custom = Message { method: "M-SEARCH", ..Message::default() };
    assert!(matches!(custom.received(&key, &custom.signed(&key)), Ok(Verified::Signed(_))));
}

#[test]
fn a_url_that_is_not_ascii_is_to_be_percent_encoded() {
    let key = key();
    let fields = Message::default().signed(&key);
    let message = Message { url: "https://seller.example.com/caf\u{e9}", ..Message::default() };
    let rejection = message.received(&key, &fields).unwrap_err();
    let refused = "request_signature_invalid";
    assert_refused(&rejection, Step::Signature, refused, "percent-encode");
    assert!(!rejection.detail().contains("bs"), "{rejection}");
}

#[test]
fn a_time_in_milliseconds_is_named() {
    let created = NOW.as_i64() * 1000;
    let rejection = Message { created, ..Message::default() }.refusal();
    let refused = "request_signature_window_invalid";
    assert_refused(&rejection, Step::Window, refused, "created looks like milliseconds");
    let created = NOW.as_i64() - 1000;
    let rejection = Message { created, ..Message::default() }.refusal();
    assert!(!rejection.detail().contains("looks like"), "{rejection}");
}

/// Structured fields have integers of 15 digits at most.
#[test]
fn what_is_no_integer_of_seconds_or_no_byte_sequence_is_malformed_and_named() {
    let key = key();
    let message = Message::default();
    let refused = "request_signature_header_malformed";
    let now = NOW.as_i64();
    let time = |to: &str| {
        let input = message.signed(&key).into_iter().find(|(name, _)| name == "Signature-Input");
        input.unwrap().1.replace(&format!("created={now}"), &format!("created={to}"))
    };
    for (name, value, cause) in [
        ("Signature-Input", time(&format!("{now}000000")), "Unix seconds"),
        ("Signature-Input", time(&format!("{now}.5")), "Unix seconds"),
        ("Signature-Input", time(&format!("\"{now}\"")), "Unix seconds"),
        ("Signature", "sig1=deadbeef".to_owned(), "write `sig1=:`"),
        ("Content-Digest", "sha-256=47DEQpj8".to_owned(), "such as `sha-256=:BASE64:`"),
        ("Content-Digest", "sha-256=deadbeef".to_owned(), "write `:`, the Base64"),
    ] {
        let mut fields = message.signed(&key);
        fields.iter_mut().find(|(field, _)| field == name).unwrap().1 = value;
        let rejection = message.received(&key, &fields).unwrap_err();
        assert_refused(&rejection, Step::Parse, refused, cause);
    }
}

#[test]
fn a_signature_of_another_form_is_named() {
    let key = key();
    let message = Message::default();
    let fields = message.signed(&key);
    let with = |bytes: &[u8]| {
        let mut fields = fields.clone();
        fields.last_mut().unwrap().1 = signature(bytes);
        message.received(&key, &fields).unwrap_err()
    };
    let p256 = InMemoryProvider::generate(Algorithm::EcdsaP256Sha256, KeyPurpose::RequestSigning);
    let raw = p256.unwrap().sign_now(b"base").unwrap();
    let der = p256::ecdsa::Signature::from_slice(raw.as_bytes()).unwrap().to_der();
    for (bytes, cause) in [
        (der.as_bytes(), "it is DER"),
        (&[0; 96], "128 hex digits"),
        (&[0; 256], "one of RSA"),
        (&[0; 65], "the signature has 65 bytes, not 64"),
    ] {
        assert_refused(&with(bytes), Step::Signature, "request_signature_invalid", cause);
    }
}

#[test]
fn a_message_that_came_by_another_scheme_is_told_from_other_changes() {
    let key = key();
    let refused = "request_signature_invalid";
    let http = URL.replace("https:", "http:");
    for (signed, received, names) in [
        (URL, http.as_str(), "is one for https, and the message was received for http;"),
        (&http, URL, "is one for http, and the message was received for https;"),
    ] {
        let fields = Message { url: signed, ..Message::default() }.signed(&key);
        let message = Message { url: received, ..Message::default() };
        assert_refused(
            &message.received(&key, &fields).unwrap_err(),
            Step::Signature,
            refused,
            names,
        );
        let message = Message { method: "PUT", url: received, ..Message::default() };
        let rejection = message.received(&key, &fields).unwrap_err();
        assert_refused(&rejection, Step::Signature, refused, "compare the signature base");
    }
}

#[test]
fn a_digest_that_cannot_match_is_told_from_a_changed_body() {
    let refused = "request_signature_digest_mismatch";
    let hex: String = "0123456789abcdef".repeat(4);
    for (digest, cause) in [
        ("sha-512=:AAAA:".to_owned(), "has no sha-256"),
        (format!("sha-256=:{hex}:"), "has 48 bytes, not 32; 64 hex digits"),
        ("sha-256=:AAAA:".to_owned(), "has 3 bytes, not 32"),
        (content_digest(b"{}", Alphabet::Standard), "re-serialized or decompressed"),
    ] {
        let rejection = Message { digest: Some(digest), ..Message::default() }.refusal();
        assert_refused(&rejection, Step::Digest, refused, cause);
        let is_of_body = cause.starts_with("re-serialized");
        assert_eq!(rejection.detail().contains("serialized"), is_of_body, "{rejection}");
    }
}

/// A handler that reads the body after the verifier must not get another one than was verified.
#[test]
fn a_body_of_another_length_than_announced_is_not_verified() {
    let refused = "request_signature_digest_mismatch";
    for (length, cause) in [
        ("14", "announces 14 bytes, and the body has 15"),
        ("16", "announces 16 bytes, and the body has 15"),
        ("15, 15", "not one number"),
        ("+15", "not one number"),
        ("", "not one number"),
        ("99999999999999999999", "not one number"),
    ] {
        let fields = vec![("Content-Type", "application/json"), ("Content-Length", length)];
        let rejection = Message { fields, ..Message::default() }.refusal();
        assert_refused(&rejection, Step::Digest, refused, cause);
    }
    // Signed without a body, and given one on the way, which the verifier does not see.
    let key = key();
    let message = Message { fields: Vec::new(), digest: None, body: b"", ..Message::default() };
    let mut fields = message.signed(&key);
    assert!(matches!(message.received(&key, &fields), Ok(Verified::Signed(_))));
    fields.push(("Content-Length".to_owned(), "15".to_owned()));
    let rejection = message.received(&key, &fields).unwrap_err();
    assert_refused(&rejection, Step::Digest, refused, "announces 15 bytes, and the body has 0");

    // Unsigned, it could register webhook credentials.
    let unsigned = [("Content-Length".to_owned(), "15".to_owned())];
    let rejection = message.received(&key, &unsigned).unwrap_err();
    assert_refused(&rejection, Step::Precheck, "request_body_malformed", "announces 15 bytes");
    // So it could in shadow mode, under another credential.
    let scene = Scene {
        capability: listed(Some(List::Warn)),
        fallback: FallbackCredential::Valid,
        ..Scene::default()
    };
    let (mut fields, body) = scene.message(&key);
    assert!(scene.verify_message(&key, &fields, b"").is_ok(), "the digest alone is shadowed");
    fields.push(("Content-Length".to_owned(), body.len().to_string()));
    let rejection = scene.verify_message(&key, &fields, b"").unwrap_err();
    assert_refused(&rejection, Step::Digest, refused, "and the body has 0");

    let unsigned = [("Content-Length".to_owned(), "0".to_owned())];
    assert!(matches!(message.received(&key, &unsigned), Ok(Verified::Anonymous(_))));
}

#[test]
fn a_body_that_is_not_json_is_named_for_what_it_is() {
    let gzip = [0x1f, 0x8b, 0x08, 0, 0, 0, 0, 0, 0, 3];
    let refused = |coding: Option<&'static str>, body: &[u8]| {
        let mut fields = vec![("Content-Type", "application/json")];
        fields.extend(coding.map(|coding| ("Content-Encoding", coding)));
        let digest = Some(content_digest(body, Alphabet::Standard));
        Message { fields, digest, body, ..Message::default() }.refusal()
    };
    for (coding, body, cause) in [
        (None, &gzip[..], "compressed (gzip), not JSON"),
        (Some("identity"), &gzip, "compressed (gzip), not JSON"),
        (Some("gzip"), &gzip, "as its Content-Encoding states"),
        (Some("br"), b"\x0b\x02", "as its Content-Encoding states"),
        (None, b"<html></html>", "HTML, not JSON"),
        (None, b"\xff\xfe{\0}\0", "UTF-16 text, not JSON"),
        (None, b"\xef\xbb\xbf{}", "byte order mark"),
    ] {
        assert_refused(&refused(coding, body), Step::Body, "request_body_malformed", cause);
    }
}
