use std::{fmt, str::FromStr};

use adcp_signing_core::{
    Algorithm, InMemoryProvider, KeyPurpose, ProviderErrorKind,
    provider::{
        KeySource as _,
        toolkit::{KeyOptions, KeyUriError, KeyUriParts},
    },
};

use super::*;

/// A backend from elsewhere: a key of a drawer by its number.
#[derive(Debug, Clone)]
struct DrawerUri {
    number: String,
    options: KeyOptions,
}

impl FromStr for DrawerUri {
    type Err = KeyUriError;

    fn from_str(uri: &str) -> Result<Self, Self::Err> {
        let mut parts = KeyUriParts::parse(uri)?;
        let options = parts.take_common()?;
        let number = parts.body().to_owned();
        parts.finish()?;
        Ok(Self { number, options })
    }
}

impl fmt::Display for DrawerUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "drawer:{}", self.number)
    }
}

impl KeyUriScheme for DrawerUri {
    const SCHEMES: &'static [&'static str] = &["drawer"];
    const EXAMPLES: &'static [&'static str] = &["drawer:7"];
    type Provider = InMemoryProvider;

    fn options(&self) -> &KeyOptions {
        &self.options
    }

    fn why_it_can_move(&self) -> Option<&'static str> {
        (self.number == "top").then_some("the top drawer is the newest one")
    }

    async fn connect(&self) -> Result<InMemoryProvider, ProviderError> {
        match self.number.as_str() {
            "empty" => Err(ProviderError::new(ProviderErrorKind::KeyNotFound, "an empty drawer")),
            _ => InMemoryProvider::generate(Algorithm::Ed25519, self.options.purpose.clone()),
        }
    }
}

fn schemes() -> KeySchemes {
    KeySchemes::built_in().with::<DrawerUri>()
}

fn open(uri: &str) -> Result<LazyKey, OpenError> {
    schemes().open(uri, &UriOptions::default())
}

#[tokio::test]
async fn a_scheme_from_elsewhere_is_opened_as_any_other() {
    let key = open("drawer:7?purpose=webhook-signing").unwrap();
    assert_eq!(key.purpose(), &KeyPurpose::WebhookSigning);
    let provider = key.open().await.unwrap();
    assert!(format!("{provider:?}").starts_with("Instrumented"), "{provider:?}");
    let bare = key.bare().await.unwrap();
    assert!(format!("{bare:?}").starts_with("InMemoryProvider"), "{bare:?}");
    // A key that is not there is found out at the first use.
    let key = open("drawer:empty").unwrap();
    assert_eq!(key.open().await.unwrap_err().kind(), ProviderErrorKind::KeyNotFound);
    assert!(schemes().examples().contains(&"drawer:7"));
}

#[tokio::test]
async fn the_pin_of_a_uri_holds_and_one_more_is_refused() {
    let pin = "ab".repeat(32);
    let key = open(&format!("drawer:7?spki-sha256={pin}")).unwrap();
    let refused = key.open().await.unwrap().sign(b"base").await.unwrap_err();
    assert_eq!(refused.kind(), ProviderErrorKind::PublicKeyMismatch);
    let options =
        UriOptions::default().with_stack(Stack::default().with_pin(Pin::spki_sha256([1; 32])));
    let twice = schemes().open(&format!("drawer:7?spki-sha256={pin}"), &options);
    assert!(matches!(twice, Err(OpenError::PinnedTwice)), "{twice:?}");
    let key = schemes().open("drawer:7", &options).unwrap();
    let refused = key.open().await.unwrap().sign(b"base").await.unwrap_err();
    assert_eq!(refused.kind(), ProviderErrorKind::PublicKeyMismatch);
    for uri in ["drawer:7?spki-sha256=ab", &format!("drawer:7?spki-sha256={pin}&spki-sha256={pin}")]
    {
        assert!(matches!(open(uri), Err(OpenError::Malformed(_))), "{uri}");
    }
    // Read by a backend itself, nobody would hold the key to it.
    let alone = format!("drawer:7?spki-sha256={pin}").parse::<DrawerUri>();
    assert!(matches!(alone, Err(KeyUriError::Pin)), "{alone:?}");
}

#[test]
fn a_name_that_can_move_is_warned_of_unless_the_key_is_pinned() {
    let warnings = |uri: &str| schemes().warnings(uri, &UriOptions::default()).unwrap();
    let why = "the top drawer is the newest one";
    assert_eq!(warnings("drawer:top"), [KeyWarning::KeyCanMove { why }]);
    assert_eq!(warnings("drawer:top?kid=k"), [KeyWarning::KidCanMove { kid: "k".to_owned(), why }]);
    let pinned = format!("drawer:top?kid=k&spki-sha256={}", "ab".repeat(32));
    for uri in ["drawer:7?kid=k", "memory:", &pinned] {
        assert_eq!(warnings(uri), [], "{uri}");
    }
    let options =
        UriOptions::default().with_stack(Stack::default().with_pin(Pin::spki_sha256([1; 32])));
    assert_eq!(schemes().warnings("drawer:top?kid=k", &options).unwrap(), []);
}

#[tokio::test]
async fn keys_in_this_process_are_opened_at_once_where_they_are_allowed() {
    let refused = provider_from_uri("memory:");
    assert!(matches!(refused, Err(OpenError::Provider(_))), "{refused:?}");
    let allowed = UriOptions::default().allow_in_process_keys();
    let missing = provider_from_uri_with("file:/there/is/no.jwk", &allowed);
    assert!(matches!(missing, Err(OpenError::Provider(_))), "{missing:?}");
    let key = provider_from_uri_with("memory:?kid=dev-1", &allowed).unwrap();
    assert_eq!(key.open().await.unwrap().key_id(), "dev-1");
}

#[test]
fn a_scheme_that_is_not_built_names_its_feature_and_one_that_is_reads_its_uri() {
    let built = KeySchemes::built_in();
    for (scheme, feature) in BUILT_IN {
        let opened = provider_from_uri(&format!("{scheme}://a b"));
        match opened {
            Err(OpenError::FeatureMissing { feature: named, .. }) => {
                assert_eq!(named, feature);
                assert!(!built.0.contains_key(scheme));
            }
            Err(OpenError::Malformed(_)) => assert!(built.0.contains_key(scheme)),
            other => panic!("{scheme}: {other:?}"),
        }
    }
}

#[test]
fn an_unknown_scheme_is_answered_with_what_was_meant_and_what_there_is() {
    let error = open("vault://buyer").unwrap_err().to_string();
    assert_eq!(
        error,
        "`vault` is not the scheme of a key URI; did you mean hashivault://?; the schemes are awskms:, azurekeyvault:, \
         azurekms:, drawer:, file:, gcpkms:, hashivault:, memory:, openbao:, pkcs11:"
    );
    let error = open("hvs.a-token-in-the-wrong-place").unwrap_err().to_string();
    assert!(!error.contains("hvs"), "{error}");
}
