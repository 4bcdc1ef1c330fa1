//! `file:` and `memory:` key URIs: what they say, and that nothing opens them unasked.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "helpers of tests"
)]

use std::path::Path;

use adcp_signing_core::{
    Algorithm, JwkError, KeyPurpose,
    provider::{
        InMemoryProvider, ProviderError, ProviderErrorKind, SigningProvider as _,
        toolkit::{InProcessKeys, KeyUriError, LocalKeyUri},
    },
};

const ED25519_PEM: &str = include_str!("keys_data/ed25519.pkcs8.pem");

fn parse(uri: &str) -> Result<LocalKeyUri, KeyUriError> {
    uri.parse()
}

/// A file with this content, and the URI of it with this query.
struct KeyFile(tempfile::TempDir);

impl KeyFile {
    fn new(content: impl AsRef<[u8]>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("key"), content).unwrap();
        Self(dir)
    }

    fn open(&self, query: &str) -> Result<InMemoryProvider, ProviderError> {
        parse(&format!("file:{}{query}", self.0.path().join("key").display()))
            .unwrap()
            .open(InProcessKeys::Allow)
    }
}

fn refusal(result: Result<InMemoryProvider, ProviderError>) -> String {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ProviderErrorKind::Configuration, "{error}");
    error.to_string()
}

fn private_jwk(kid: &str, purpose: KeyPurpose) -> String {
    let provider =
        InMemoryProvider::generate(Algorithm::Ed25519, purpose).unwrap().with_key_id(kid);
    provider.to_private_jwk().to_json().to_string()
}

#[test]
fn a_uri_is_written_as_it_is_read() {
    for (uri, canonical) in [
        ("file:key.jwk", "file:key.jwk"),
        ("file:/etc/adcp/key.jwk", "file:/etc/adcp/key.jwk"),
        ("file:///etc/adcp/key.jwk", "file:/etc/adcp/key.jwk"),
        ("file:////odd", "file:////odd"),
        ("file:a%20b%3Fc%25d%23e%26f", "file:a%20b%3Fc%25d%23e%26f"),
        ("file:%6Bey", "file:key"),
        ("file:clé.pem?purpose=tmp-signing", "file:clé.pem?purpose=tmp-signing"),
        (
            "file:k?purpose=request-signing&kid=a%26b=c&alg=ed25519",
            "file:k?alg=ed25519&kid=a%26b=c&purpose=request-signing",
        ),
        ("memory:?purpose=webhook-signing", "memory:?purpose=webhook-signing"),
    ] {
        let parsed = parse(uri).unwrap();
        assert_eq!(parsed.to_string(), canonical, "{uri}");
        assert_eq!(parse(canonical).unwrap(), parsed, "{uri}");
        assert!(LocalKeyUri::has_scheme(uri));
    }
    assert_eq!(parse("file:///etc/a%20b").unwrap().path(), Some(Path::new("/etc/a b")));
    assert_eq!(parse("memory:?purpose=tmp-signing").unwrap().path(), None);
}

#[test]
fn a_uri_that_is_none_is_refused_with_the_reason() {
    use KeyUriError as E;

    for uri in ["", "key.pem", "FILE:key", "awskms:x"] {
        assert!(matches!(parse(uri), Err(E::Scheme { .. })), "{uri}");
    }
    for uri in
        ["file:", "file:?alg=ed25519", "file://host/key", "file://", "memory:key", "memory://"]
    {
        assert!(matches!(parse(uri), Err(E::Body { .. })), "{uri}");
    }
    for uri in ["file:k#f", "file:%", "file:%4", "file:%zz", "file:%00", "file:%ff", "file:a\nb"] {
        assert_eq!(parse(uri), Err(E::Encoding), "{uri}");
    }
    for (uri, name) in [("file:k?Alg=ed25519", "Alg"), ("file:k?region=eu", "region")] {
        let (name, known) = (name.to_owned(), vec!["alg", "kid", "purpose"]);
        assert_eq!(parse(uri), Err(E::UnknownMember { name, known }), "{uri}");
    }
    assert_eq!(parse("file:k?kid=a&kid=a"), Err(E::DuplicateMember { name: "kid".to_owned() }));
    assert_eq!(parse("file:k?password=x"), Err(E::Secret { name: "password" }));
    for (uri, expected) in [
        ("file:k?alg=RS256", "alg"),
        ("file:k?alg=", "alg"),
        ("file:k?kid=", "kid"),
        ("file:k?purpose=request_signing", "purpose"),
        ("file:k?purpose=", "purpose"),
    ] {
        assert!(matches!(parse(uri), Err(E::Value { member, .. }) if member == expected), "{uri}");
    }
}

#[test]
fn nothing_is_opened_until_in_process_keys_are_allowed() {
    for uri in ["memory:", "file:/nonexistent/key.jwk"] {
        let message = refusal(parse(uri).unwrap().open(InProcessKeys::Refuse));
        assert!(message.contains("allow in-process keys by name"), "{message}");
    }
}

#[test]
fn memory_is_a_fresh_key_each_time() {
    let open = |uri: &str| parse(uri).unwrap().open(InProcessKeys::Allow).unwrap();
    let uri = "memory:";
    assert_ne!(open(uri).verifying_key(), open(uri).verifying_key());
    assert_eq!(open(uri).algorithm(), Algorithm::Ed25519);
    assert_eq!(*open(uri).purpose(), KeyPurpose::RequestSigning);
    let named = open("memory:?alg=ecdsa-p256-sha256&kid=k1&purpose=webhook-signing");
    assert_eq!((named.algorithm(), named.key_id()), (Algorithm::EcdsaP256Sha256, "k1"));
    assert_eq!(*named.purpose(), KeyPurpose::WebhookSigning);
}

#[test]
fn a_jwk_file_brings_its_own_kid_and_purpose() {
    let file = KeyFile::new(format!("\n{}\n", private_jwk("k1", KeyPurpose::WebhookSigning)));
    for query in ["", "?kid=k1", "?alg=ed25519&purpose=webhook-signing"] {
        let provider = file.open(query).unwrap();
        assert_eq!(
            (provider.key_id(), provider.purpose()),
            ("k1", &KeyPurpose::WebhookSigning),
            "{query}"
        );
    }
    assert!(refusal(file.open("?kid=k2")).contains("another `kid`"));
    assert!(refusal(file.open("?purpose=request-signing")).contains("a key has one purpose"));
    let error = file.open("?alg=ecdsa-p256-sha256").unwrap_err();
    assert_eq!(error.kind(), ProviderErrorKind::AlgorithmMismatch);
}

#[test]
fn a_jwk_without_a_purpose_is_for_requests_unless_the_uri_says_otherwise() {
    let with_purpose = private_jwk("k1", KeyPurpose::RequestSigning);
    let member = r#""adcp_use":"request-signing""#;
    assert!(with_purpose.contains(member), "{with_purpose}");
    let file = KeyFile::new(with_purpose.replace(member, r#""x-note":"none""#));
    assert_eq!(*file.open("").unwrap().purpose(), KeyPurpose::RequestSigning);
    let webhooks = file.open("?purpose=webhook-signing").unwrap();
    assert_eq!(*webhooks.purpose(), KeyPurpose::WebhookSigning);
    let two = KeyFile::new(with_purpose.replace(member, r#""adcp_use":["request-signing"]"#));
    assert!(refusal(two.open("")).contains("refused"));
}

#[test]
fn a_set_must_leave_one_key() {
    let keys = [("a", KeyPurpose::RequestSigning), ("b", KeyPurpose::WebhookSigning)]
        .map(|(kid, purpose)| private_jwk(kid, purpose));
    let one = KeyFile::new(format!(r#"{{"keys":[{}]}}"#, keys[0]));
    assert_eq!(one.open("").unwrap().key_id(), "a");
    assert!(refusal(one.open("?kid=b")).contains("another `kid`"));

    let two = KeyFile::new(format!(r#"{{"keys":[{}]}}"#, keys.join(",")));
    assert_eq!(two.open("?kid=b").unwrap().key_id(), "b");
    let twice = KeyFile::new(format!(r#"{{"keys":[{},{}]}}"#, keys[0], keys[0]));
    let none = KeyFile::new(r#"{"keys":[]}"#);
    for (file, query, count) in
        [(&two, "", 2), (&two, "?kid=c", 0), (&twice, "?kid=a", 2), (&none, "", 0)]
    {
        let error = file.open(query).unwrap_err();
        let source = std::error::Error::source(&error).unwrap().downcast_ref::<JwkError>();
        assert_eq!(source, Some(&JwkError::NotOneKey { count }), "{query}");
    }
}

#[test]
fn a_pem_file_is_for_requests_unless_the_uri_says_otherwise() {
    let file = KeyFile::new(ED25519_PEM);
    assert_eq!(*file.open("").unwrap().purpose(), KeyPurpose::RequestSigning);
    let provider = file.open("?purpose=webhook-signing&kid=k1").unwrap();
    assert_eq!((provider.key_id(), provider.algorithm()), ("k1", Algorithm::Ed25519));
    assert_eq!(*provider.purpose(), KeyPurpose::WebhookSigning);
}

#[test]
fn text_and_a_byte_order_mark_around_a_key_are_skipped() {
    let jwk = private_jwk("k1", KeyPurpose::RequestSigning);
    for content in [
        format!("\u{feff}{ED25519_PEM}"),
        format!("Bag Attributes\n    friendlyName: a\n{ED25519_PEM}\n\n"),
        format!("\u{feff}\r\n{jwk}\r\n"),
    ] {
        assert!(KeyFile::new(&content).open("?purpose=request-signing").is_ok(), "{content}");
    }
}

#[test]
fn a_file_that_holds_no_key_is_refused() {
    let der = pkcs8::der::pem::decode_vec(ED25519_PEM.as_bytes()).unwrap().1;
    let utf16: Vec<u8> = "\u{feff}{}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (content, says) in [
        (b"".to_vec(), "neither JSON nor PEM"),
        (b"key".to_vec(), "neither JSON nor PEM"),
        (b"\xc3".to_vec(), "neither JSON nor PEM"),
        (utf16, "is UTF-16 text; save it as UTF-8"),
        (der, "is DER; convert it with `openssl pkey -inform DER"),
        (b"\x30\x03\x02\x01\x03".to_vec(), "is PKCS#12; convert it with `openssl pkcs12 -nodes"),
        (b"\x30\x02\x30\x00".to_vec(), "is DER; a key file is a private JWK"),
        ("0f".repeat(32).into_bytes(), "is hex digits"),
        (
            ED25519_PEM.lines().nth(1).unwrap().into(),
            "the Base64 of a key without the lines of PEM; put it between",
        ),
        (b"LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0tCg==".to_vec(), "the Base64 of PEM; decode it"),
        (b"eyJrdHkiOiJPS1AiLCJjcnYiOiJFZDI1NTE5In0=".to_vec(), "the Base64 of JSON; decode it"),
        (b"PuTTY-User-Key-File-3: ssh-ed25519\n".to_vec(), "is a PuTTY key"),
        (b"ssh-ed25519 AAAA a@b\n".to_vec(), "is an SSH public key"),
        (b"{}".to_vec(), "refused"),
        (vec![b' '; 65537], "longer than 65536 bytes"),
    ] {
        let message = refusal(KeyFile::new(content).open("?purpose=request-signing"));
        assert!(message.contains(says), "{message}");
    }
    let dir = tempfile::tempdir().unwrap();
    let uri = |path: &Path| parse(&format!("file:{}", path.display())).unwrap();
    assert!(refusal(uri(dir.path()).open(InProcessKeys::Allow)).contains("not a regular file"));
    let error = uri(&dir.path().join("absent")).open(InProcessKeys::Allow).unwrap_err();
    assert_eq!(error.kind(), ProviderErrorKind::KeyNotFound);
    assert!(!format!("{error}{error:?}").contains("absent"), "the path is not for logs: {error:?}");
}
