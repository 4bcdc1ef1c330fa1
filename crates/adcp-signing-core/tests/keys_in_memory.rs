//! The in-memory provider: where its keys come from, what it publishes and what it never shows.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "helpers of tests"
)]

use adcp_signing_core::{
    Algorithm, JwkError, KeyError, KeyPurpose, PrivateJwk,
    provider::{Custody, InMemoryProvider, ProviderError, ProviderErrorKind, SigningProvider},
};

const GENERATED: [Algorithm; 2] = [Algorithm::Ed25519, Algorithm::EcdsaP256Sha256];
const ED25519_PEM: &str = include_str!("keys_data/ed25519.pkcs8.pem");
const P256_PEM: &str = include_str!("keys_data/p256.pkcs8.pem");

/// RFC 8037 §A.1.
const JWK: &str = r#"{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

fn configuration(error: &ProviderError) -> String {
    assert_eq!(error.kind(), ProviderErrorKind::Configuration, "{error}");
    error.to_string()
}

fn key_error(error: &ProviderError) -> Option<&KeyError> {
    std::error::Error::source(error).and_then(|source| source.downcast_ref())
}

fn der(pem: &str) -> Vec<u8> {
    pkcs8::der::pem::decode_vec(pem.as_bytes()).unwrap().1
}

#[tokio::test]
async fn what_a_generated_key_signs_its_published_jwk_verifies() {
    for algorithm in GENERATED {
        let provider = InMemoryProvider::generate(algorithm, KeyPurpose::RequestSigning).unwrap();
        let signed = provider.sign(b"signature base").await.unwrap();
        assert_eq!(signed.key_version, None);
        let key = provider.jwk().public_key().unwrap();
        assert_eq!(key, provider.public_key().await.unwrap());
        key.verify(b"signature base", &signed.signature).unwrap();
        assert!(key.verify(b"signature bass", &signed.signature).is_err());
        assert_eq!(provider.algorithm(), algorithm);
        assert_eq!(provider.capability().custody, Custody::InProcess);
        assert!(provider.capability().algorithms.contains(&algorithm));
        let other = InMemoryProvider::generate(algorithm, KeyPurpose::RequestSigning).unwrap();
        assert_ne!(other.key_ref(), provider.key_ref());
    }
}

#[test]
fn ed25519_signatures_are_deterministic() {
    let provider =
        InMemoryProvider::from_pkcs8_pem(ED25519_PEM, KeyPurpose::RequestSigning).unwrap();
    assert_eq!(provider.sign_now(b"message").unwrap(), provider.sign_now(b"message").unwrap());
}

#[test]
fn rfc_8032_is_signed_to_the_byte() {
    // The key of RFC 8037 §A.1 is that of RFC 8032 §7.1, test 1.
    let provider = InMemoryProvider::from_jwk_for(
        PrivateJwk::parse(JWK.as_bytes()).unwrap(),
        KeyPurpose::RequestSigning,
    )
    .unwrap();
    let signature: String = provider
        .sign_now(b"")
        .unwrap()
        .as_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(
        signature,
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b\
         d25bf5f0595bbe24655141438e7a100b"
    );
}

#[test]
fn the_published_jwk_says_what_adcp_asks_for() {
    let provider = InMemoryProvider::from_pkcs8_pem(P256_PEM, KeyPurpose::WebhookSigning)
        .unwrap()
        .with_key_id("k1");
    let jwk = provider.jwk();
    assert_eq!(jwk.kid(), Some("k1"));
    assert_eq!(provider.key_id(), "k1");
    assert_eq!(jwk.alg(), Some("ES256"));
    assert_eq!(jwk.purpose(), Some(&KeyPurpose::WebhookSigning));
    assert!(jwk.is_for_verifying());
    assert!(!serde_json::to_string(&jwk).unwrap().contains("\"d\""));
}

#[test]
fn the_key_id_is_the_thumbprint_unless_named() {
    let provider = InMemoryProvider::from_pkcs8_pem(P256_PEM, KeyPurpose::RequestSigning).unwrap();
    assert_eq!(provider.key_id(), provider.verifying_key().thumbprint());
    let named = JWK.replace('{', r#"{"kid":"mine","adcp_use":"request-signing","#);
    assert_eq!(InMemoryProvider::from_jwk_json(named.as_bytes()).unwrap().key_id(), "mine");
}

#[test]
fn a_written_private_jwk_is_the_same_key_for_the_same_purpose() {
    for algorithm in GENERATED {
        let provider = InMemoryProvider::generate(algorithm, KeyPurpose::GovernanceSigning)
            .unwrap()
            .with_key_id("k");
        let json = provider.to_private_jwk().to_json();
        let again = InMemoryProvider::from_jwk_json(json.as_bytes()).unwrap();
        assert_eq!(again.jwk(), provider.jwk());
        assert_eq!(again.to_private_jwk().key_ops().unwrap(), ["sign"]);
        let signature = again.sign_now(b"message").unwrap();
        provider.verifying_key().verify(b"message", &signature).unwrap();
    }
}

#[test]
fn a_key_without_a_purpose_is_no_provider() {
    let jwk = || PrivateJwk::parse(JWK.as_bytes()).unwrap();
    assert!(configuration(&InMemoryProvider::from_jwk(jwk()).unwrap_err()).contains("adcp_use"));
    assert_eq!(
        *InMemoryProvider::from_jwk_for(jwk(), KeyPurpose::TmpSigning).unwrap().purpose(),
        KeyPurpose::TmpSigning
    );
    let webhook = JWK.replace('{', r#"{"adcp_use":"webhook-signing","#);
    let jwk = PrivateJwk::parse(webhook.as_bytes()).unwrap();
    let error = InMemoryProvider::from_jwk_for(jwk, KeyPurpose::RequestSigning).unwrap_err();
    assert!(configuration(&error).contains("`webhook-signing`, not for `request-signing`"));
}

#[test]
fn a_purpose_that_is_an_array_is_refused() {
    let array = JWK.replace('{', r#"{"adcp_use":["request-signing"],"#);
    let error = InMemoryProvider::from_jwk_json(array.as_bytes()).unwrap_err();
    let source = std::error::Error::source(&error).unwrap().downcast_ref::<JwkError>();
    assert_eq!(source, Some(&JwkError::MemberType { member: "adcp_use", expected: "one string" }));
}

#[test]
fn pkcs8_of_other_tools_is_read() {
    for (private, public) in [
        (ED25519_PEM, include_str!("keys_data/ed25519.spki.pem")),
        (P256_PEM, include_str!("keys_data/p256.spki.pem")),
    ] {
        let provider =
            InMemoryProvider::from_pkcs8_pem(private, KeyPurpose::RequestSigning).unwrap();
        assert_eq!(provider.verifying_key().to_spki_pem(), public);
        let from_der =
            InMemoryProvider::from_pkcs8_der(&der(private), KeyPurpose::RequestSigning).unwrap();
        assert_eq!(from_der.verifying_key(), provider.verifying_key());
    }
}

#[test]
fn pkcs8_keys_that_are_not_used_here_are_refused_with_the_reason() {
    let read =
        |pem: &str| InMemoryProvider::from_pkcs8_pem(pem, KeyPurpose::RequestSigning).unwrap_err();
    for (pem, oid) in [
        (include_str!("keys_data/ed448.pkcs8.pem"), "1.3.101.113"),
        (include_str!("keys_data/p384.pkcs8.pem"), "1.3.132.0.34"),
        (include_str!("keys_data/p256-explicit.pkcs8.pem"), "1.2.840.10045.2.1"),
    ] {
        assert_eq!(key_error(&read(pem)), Some(&KeyError::Unsupported { oid: oid.to_owned() }));
    }
    for (pem, says) in [
        (include_str!("keys_data/ed25519.spki.pem").to_owned(), "name the file of the private key"),
        (P256_PEM.replace("PRIVATE", "EC PRIVATE"), "openssl pkcs8 -topk8 -nocrypt"),
        (P256_PEM.repeat(2), "there are 2 PEM blocks `PRIVATE KEY`"),
        (String::new(), "there is no line `-----BEGIN PRIVATE KEY-----`"),
    ] {
        let error = read(&pem);
        assert_eq!(configuration(&error), "configuration: the key is refused");
        let Some(KeyError::Pem(cause)) = key_error(&error) else { panic!("{error:?}") };
        assert!(cause.to_string().contains(says), "{cause}");
    }
}

#[test]
fn a_private_key_is_read_from_files_as_programs_write_them() {
    let certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let key = |pem: &str| {
        let provider = InMemoryProvider::from_pkcs8_pem(pem, KeyPurpose::RequestSigning);
        provider.unwrap().verifying_key().clone()
    };
    for pem in [
        format!("\u{feff}{ED25519_PEM}"),
        format!("Bag Attributes\n    localKeyID: 01\n{certificate}Key Attributes\n{ED25519_PEM}\n"),
        ED25519_PEM.replace('\n', " \r\n"),
        ED25519_PEM.replace('\n', " "),
    ] {
        assert_eq!(key(&pem), key(ED25519_PEM), "{pem}");
    }
}

#[test]
fn broken_pkcs8_is_refused() {
    let read =
        |der: &[u8]| InMemoryProvider::from_pkcs8_der(der, KeyPurpose::RequestSigning).unwrap_err();
    for pem in [ED25519_PEM, P256_PEM] {
        let der = der(pem);
        for wrong in
            [&der[1..], &der[..der.len() - 1], &[&der[..], &[0]].concat(), &[], &[0x30; 9000]]
        {
            assert_eq!(key_error(&read(wrong)), Some(&KeyError::PrivateKeyInfo));
        }
    }
    // The public key inside the EC private key is not its own.
    let mut mismatched = der(P256_PEM);
    *mismatched.last_mut().unwrap() ^= 1;
    assert_eq!(
        key_error(&read(&mismatched)),
        Some(&KeyError::PrivateKey(Algorithm::EcdsaP256Sha256))
    );
}

#[test]
fn the_public_key_of_a_version_2_key_must_be_its_own() {
    let ed25519 = der(ED25519_PEM);
    let provider = InMemoryProvider::from_pkcs8_der(&ed25519, KeyPurpose::RequestSigning).unwrap();
    let spki = provider.verifying_key().to_spki_der();
    let version_2 = |public: &[u8]| {
        let mut content = ed25519[2..].to_vec();
        content[2] = 1;
        [&[0x30, 0x51][..], &content, &[0x81, 0x21, 0x00], public].concat()
    };
    let own = version_2(&spki[spki.len() - 32..]);
    assert!(InMemoryProvider::from_pkcs8_der(&own, KeyPurpose::RequestSigning).is_ok());
    let other = InMemoryProvider::generate(Algorithm::Ed25519, KeyPurpose::RequestSigning).unwrap();
    let spki = other.verifying_key().to_spki_der();
    let error = InMemoryProvider::from_pkcs8_der(
        &version_2(&spki[spki.len() - 32..]),
        KeyPurpose::RequestSigning,
    )
    .unwrap_err();
    assert_eq!(key_error(&error), Some(&KeyError::PrivateKey(Algorithm::Ed25519)));
}

#[test]
fn debug_shows_no_secret() {
    let named = JWK.replace('{', r#"{"adcp_use":"request-signing","#);
    let provider = InMemoryProvider::from_jwk_json(named.as_bytes()).unwrap();
    let shown =
        format!("{provider:?}{provider:#?}{:?}{}", provider.to_private_jwk(), provider.key_ref());
    assert!(!shown.contains("nWGxne"), "{shown}");
    // The seed as hexadecimal or as a list of numbers.
    assert!(!shown.to_lowercase().contains("9d61b1") && !shown.contains("157, 97"), "{shown}");
}

#[test]
fn a_provider_can_be_shared_between_threads_and_boxed() {
    fn shareable<T: Send + Sync + 'static>(_: &T) {}
    let provider =
        InMemoryProvider::generate(Algorithm::Ed25519, KeyPurpose::RequestSigning).unwrap();
    shareable(&provider);
    let boxed: Box<dyn SigningProvider> = Box::new(provider);
    assert_eq!(boxed.algorithm(), Algorithm::Ed25519);
}
