use std::{fmt, str::FromStr};

use adcp_signing_core::{
    Algorithm, InMemoryProvider, KeyPurpose, ProviderErrorKind,
    provider::{
        Concern, KeySource as _, Observation,
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

    async fn inspect(_: &InMemoryProvider) -> Inspection {
        let open = Observation::concern(Concern::Exportable, "the drawer is open");
        Inspection::new(open, Observation::good("a"), Observation::good("b"))
    }

    async fn create(
        &self,
        algorithm: Option<Algorithm>,
    ) -> Result<CreatedKey<Self>, ProviderError> {
        let algorithm = algorithm.unwrap_or(Algorithm::EcdsaP256Sha256);
        let key = InMemoryProvider::generate(algorithm, self.options.purpose.clone())?;
        let name = Self { number: format!("{}.1", self.number), ..self.clone() };
        Ok(CreatedKey::new(name, key.verifying_key().clone()))
    }
}

/// A backend that only signs.
#[derive(Debug, Clone)]
struct BareUri(DrawerUri);

impl FromStr for BareUri {
    type Err = KeyUriError;

    fn from_str(uri: &str) -> Result<Self, Self::Err> {
        uri.parse().map(Self)
    }
}

impl fmt::Display for BareUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl KeyUriScheme for BareUri {
    const SCHEMES: &'static [&'static str] = &["bare"];
    const EXAMPLES: &'static [&'static str] = &["bare:7"];
    type Provider = InMemoryProvider;

    fn options(&self) -> &KeyOptions {
        self.0.options()
    }

    fn why_it_can_move(&self) -> Option<&'static str> {
        None
    }

    async fn connect(&self) -> Result<InMemoryProvider, ProviderError> {
        self.0.connect().await
    }
}

fn schemes() -> KeySchemes {
    KeySchemes::built_in().with::<DrawerUri>()
}

#[tokio::test]
async fn an_operator_sees_how_a_key_is_kept_where_the_backend_tells() {
    let schemes = schemes().with::<BareUri>();
    let pinned = format!("drawer:7?spki-sha256={}", "ab".repeat(32));
    for (uri, code) in [
        ("drawer:7", "key_exportable"),
        (&pinned, "key_exportable"),
        ("bare:7", "not_shown"),
        ("memory:", "not_shown"),
    ] {
        assert_eq!(schemes.inspect(uri).await.unwrap().export.code(), code, "{uri}");
    }
    assert!(matches!(schemes.inspect("drawer:empty").await, Err(OpenError::Provider(_))));
    assert!(matches!(schemes.inspect("memory:?x=1").await, Err(OpenError::Malformed(_))));
    assert!(matches!(schemes.inspect("nope:7").await, Err(OpenError::UnknownScheme { .. })));
}

#[tokio::test]
async fn a_made_key_is_answered_with_a_uri_that_names_and_pins_it() {
    let schemes = schemes().with::<BareUri>();
    for (uri, asked, algorithm) in [
        ("drawer:7", None, Algorithm::EcdsaP256Sha256),
        ("drawer:7", Some(Algorithm::Ed25519), Algorithm::Ed25519),
        ("drawer:7?alg=EdDSA", None, Algorithm::Ed25519),
        ("drawer:7?alg=EdDSA", Some(Algorithm::Ed25519), Algorithm::Ed25519),
    ] {
        let made = schemes.create(uri, asked).await.unwrap();
        assert_eq!(made.public_key.algorithm(), algorithm, "{uri}");
        let (name, pin) = take_pin(&made.uri).unwrap();
        assert_eq!(name, "drawer:7.1");
        let again = toolkit::add_pin("x:", &made.public_key);
        assert_eq!(take_pin(&again).unwrap().1, pin, "of this very key");
    }
    let pinned = format!("drawer:7?spki-sha256={}", "ab".repeat(32));
    for (uri, asked, why) in [
        ("memory:", None, "no key of a service"),
        ("file:k.jwk", None, "no key of a service"),
        (&pinned, None, "cannot be pinned"),
        ("drawer:7?alg=EdDSA", Some(Algorithm::EcdsaP256Sha256), "another algorithm"),
        ("bare:7", None, "makes no keys"),
    ] {
        let refused = schemes.create(uri, asked).await.unwrap_err();
        assert!(refused.to_string().contains(why), "{uri}: {refused}");
    }
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
