//! From a key URI to the key that it names, by its scheme.

mod operate;

use std::{collections::BTreeMap, fmt, sync::Arc};

use adcp_signing_core::{
    Algorithm, ProviderError, SigningProvider as _,
    provider::{
        Inspection,
        layers::{LazyKey, Pin, Stack},
        toolkit::{self, CreatedKey, InProcessKeys, KeyUriScheme, LocalKeyUri, OPERATOR, take_pin},
    },
};

use self::operate::Call;
pub use self::operate::MadeKey;

use crate::suggest::{self, Suggestion};

/// How [`provider_from_uri_with`] opens a key.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct UriOptions {
    /// Whether `file:` and `memory:` keys are taken. Refused by default.
    pub in_process_keys: InProcessKeys,
    /// The layers around the backend, ready for production by default.
    pub stack: Stack,
}

impl Default for UriOptions {
    fn default() -> Self {
        Self { in_process_keys: InProcessKeys::Refuse, stack: Stack::default() }
    }
}

impl UriOptions {
    /// Also takes keys that are held in this process: development and tests.
    #[must_use]
    pub fn allow_in_process_keys(mut self) -> Self {
        self.in_process_keys = InProcessKeys::Allow;
        self
    }

    /// Other layers, or other settings of them.
    #[must_use]
    pub fn with_stack(mut self, stack: Stack) -> Self {
        self.stack = stack;
        self
    }
}

/// Why a key URI gives no key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The text is no key URI, or its scheme is not known.
    #[error("{what} is not the scheme of a key URI{suggestion}; the schemes are {known}")]
    UnknownScheme {
        /// The scheme as it was given, where it may be shown.
        what: String,
        /// What was probably meant.
        suggestion: Suggestion,
        /// The schemes that are known, the built-in ones whether or not they are compiled in.
        known: String,
    },
    /// The scheme's backend is not compiled in.
    #[error(
        "`{scheme}:` keys need the Cargo feature `{feature}`, which this build was made without; add it: \
         `cargo add adcp-signing --features {feature}`, or for the command line \
         `cargo install --locked --path crates/adcp-signing-cli --features {feature}`"
    )]
    FeatureMissing {
        /// The scheme.
        scheme: &'static str,
        /// The Cargo feature to add.
        feature: &'static str,
    },
    /// The URI is malformed.
    #[error("the key URI is refused: {0}")]
    Malformed(#[from] toolkit::KeyUriError),
    /// A pin was given by the URI and by the options.
    #[error("the key is pinned twice, by `spki-sha256` in its URI and by the options; keep one")]
    PinnedTwice,
    /// The URI names no key that can be made.
    #[error("the key is not made: {why}")]
    NotMade {
        /// Why not.
        why: &'static str,
    },
    /// The key could not be opened, or not be made.
    #[error(transparent)]
    Provider(#[from] ProviderError),
}

/// What is to be said of a key URI before it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyWarning {
    /// The key's name can come to stand for another key, which would then sign under the `kid` that
    /// the URI states.
    KidCanMove {
        /// The `kid` that the URI states.
        kid: String,
        /// Why the name can come to stand for another key.
        why: &'static str,
    },
    /// The key's name can come to stand for another key, which would then sign under a `kid` that
    /// is not published.
    KeyCanMove {
        /// Why the name can come to stand for another key.
        why: &'static str,
    },
}

impl fmt::Display for KeyWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KidCanMove { kid, why } => write!(
                f,
                "the key URI states the kid `{}` for a name that can come to stand for another key ({why}); then the \
                 other key would sign under this kid, and no verifier would accept it. Name the version or the key \
                 itself, or pin the key with `spki-sha256=`",
                kid.escape_debug()
            ),
            Self::KeyCanMove { why } => write!(
                f,
                "the name in the key URI can come to stand for another key ({why}), whose kid is not published yet; \
                 name the version or the key itself, or pin the key with `spki-sha256=`"
            ),
        }
    }
}

/// Opens the keys of one scheme.
trait Scheme: Send + Sync {
    fn read(&self, uri: &str) -> Result<Read, toolkit::KeyUriError>;
    fn examples(&self) -> &'static [&'static str];
}

/// A key URI that was read, and how to open its key.
struct Read {
    kid: Option<String>,
    algorithm: Option<Algorithm>,
    why_it_can_move: Option<&'static str>,
    into_key: Box<dyn FnOnce(Stack) -> LazyKey + Send>,
    inspect: Box<dyn FnOnce() -> Call<Inspection> + Send>,
    create: Box<dyn FnOnce(Option<Algorithm>) -> Call<CreatedKey<String>> + Send>,
}

/// The schemes of key URIs that a program takes: `file:` and `memory:`, those of the backends that
/// are compiled in, and any that [`with`](Self::with) adds.
#[derive(Clone)]
pub struct KeySchemes(BTreeMap<&'static str, Arc<dyn Scheme>>);

impl KeySchemes {
    /// The schemes of the backends that are compiled in.
    pub fn built_in() -> Self {
        let schemes = Self(BTreeMap::new());
        #[cfg(feature = "aws-kms")]
        let schemes = schemes.with::<adcp_signing_aws_kms::AwsKmsUri>();
        #[cfg(feature = "gcp-kms")]
        let schemes = schemes.with::<adcp_signing_gcp_kms::GcpKmsUri>();
        #[cfg(feature = "azure-key-vault")]
        let schemes = schemes.with::<adcp_signing_azure_key_vault::AzureKeyVaultUri>();
        #[cfg(feature = "vault-transit")]
        let schemes = schemes.with::<adcp_signing_vault_transit::VaultTransitUri>();
        #[cfg(feature = "pkcs11")]
        let schemes = schemes.with::<adcp_signing_pkcs11::Pkcs11Uri>();
        schemes
    }

    /// Adds the schemes of a backend, in place of those of the same names.
    #[must_use]
    pub fn with<U: KeyUriScheme>(mut self) -> Self {
        for scheme in U::SCHEMES {
            self.0.insert(scheme, Arc::new(Backend::<U>(std::marker::PhantomData)));
        }
        self
    }

    /// One key URI of each form that there is.
    pub fn examples(&self) -> Vec<&'static str> {
        let mut examples = vec!["file:/run/secrets/buyer.jwk", "memory:"];
        examples.extend(self.0.values().flat_map(|scheme| scheme.examples()));
        examples.dedup();
        examples
    }

    /// The key that a URI names, opened at its first use with the layers of the options around it:
    /// see [`provider_from_uri`].
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(&self, uri: &str, options: &UriOptions) -> Result<LazyKey, OpenError> {
        let (uri, pin) = take_pin(uri)?;
        let stack = options.stack.clone();
        let stack = match (pin, stack.pin()) {
            (Some(_), Some(_)) => return Err(OpenError::PinnedTwice),
            (Some(pin), None) => stack.with_pin(Pin::spki_sha256(pin)),
            (None, _) => stack,
        };
        if LocalKeyUri::has_scheme(&uri) {
            let key = uri.parse::<LocalKeyUri>()?.open(options.in_process_keys)?;
            let key = Arc::new(key);
            return Ok(LazyKey::new(key.purpose().clone(), stack, move || {
                std::future::ready(Ok(key.clone()))
            }));
        }
        let read = self.read(&uri)?;
        for warning in read.warnings(stack.pin().is_some()) {
            tracing::warn!(target: OPERATOR, "{warning}");
        }
        Ok((read.into_key)(stack))
    }

    /// What is to be said of a key URI before it is used; [`open`](Self::open) logs it.
    ///
    /// # Errors
    /// [`OpenError`] when the URI cannot be read.
    pub fn warnings(&self, uri: &str, options: &UriOptions) -> Result<Vec<KeyWarning>, OpenError> {
        let (uri, pin) = take_pin(uri)?;
        if LocalKeyUri::has_scheme(&uri) {
            uri.parse::<LocalKeyUri>()?;
            return Ok(Vec::new());
        }
        Ok(self.read(&uri)?.warnings(pin.is_some() || options.stack.pin().is_some()))
    }

    /// The Cargo feature that brings this scheme of a backend of this project, and whether this build
    /// has it; nothing for `file`, `memory` and schemes from elsewhere.
    ///
    /// ```
    /// use adcp_signing::KeySchemes;
    ///
    /// let (feature, _) = KeySchemes::built_in().feature_of("openbao").unwrap();
    /// assert_eq!(feature, "vault-transit");
    /// assert_eq!(KeySchemes::built_in().feature_of("memory"), None);
    /// ```
    pub fn feature_of(&self, scheme: &str) -> Option<(&'static str, bool)> {
        let (name, feature) = BUILT_IN.iter().find(|(name, _)| *name == scheme)?;
        Some((feature, self.0.contains_key(name)))
    }

    fn read(&self, uri: &str) -> Result<Read, OpenError> {
        let name = uri.split_once(':').map(|(name, _)| name);
        if let Some(scheme) = name.and_then(|name| self.0.get(name)) {
            return Ok(scheme.read(uri)?);
        }
        match BUILT_IN.iter().find(|(scheme, _)| Some(*scheme) == name) {
            Some((scheme, feature)) => Err(OpenError::FeatureMissing { scheme, feature }),
            None => Err(self.unknown(uri)),
        }
    }

    fn unknown(&self, uri: &str) -> OpenError {
        let known: std::collections::BTreeSet<&str> = ["file", "memory"]
            .into_iter()
            .chain(BUILT_IN.iter().map(|(scheme, _)| *scheme))
            .chain(self.0.keys().copied())
            .collect();
        OpenError::UnknownScheme {
            what: suggest::shown(uri),
            suggestion: suggest::suggest(uri, &known),
            known: known.iter().map(|name| format!("{name}:")).collect::<Vec<_>>().join(", "),
        }
    }
}

impl Default for KeySchemes {
    fn default() -> Self {
        Self::built_in()
    }
}

impl fmt::Debug for KeySchemes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Read {
    fn warnings(&self, pinned: bool) -> Vec<KeyWarning> {
        match (self.why_it_can_move, &self.kid) {
            (Some(why), Some(kid)) if !pinned => {
                vec![KeyWarning::KidCanMove { kid: kid.clone(), why }]
            }
            (Some(why), None) if !pinned => vec![KeyWarning::KeyCanMove { why }],
            _ => Vec::new(),
        }
    }
}

/// The schemes of this project's backends, and the Cargo features that bring them.
const BUILT_IN: [(&str, &str); 7] = [
    ("awskms", "aws-kms"),
    ("gcpkms", "gcp-kms"),
    ("azurekms", "azure-key-vault"),
    ("azurekeyvault", "azure-key-vault"),
    ("hashivault", "vault-transit"),
    ("openbao", "vault-transit"),
    ("pkcs11", "pkcs11"),
];

struct Backend<U>(std::marker::PhantomData<fn() -> U>);

impl<U: KeyUriScheme> Scheme for Backend<U> {
    fn read(&self, uri: &str) -> Result<Read, toolkit::KeyUriError> {
        let uri: U = uri.parse()?;
        let options = uri.options();
        let (inspected, created) = (uri.clone(), uri.clone());
        Ok(Read {
            kid: options.key_id.clone(),
            algorithm: options.algorithm,
            why_it_can_move: uri.why_it_can_move(),
            into_key: Box::new(move |stack| {
                LazyKey::new(uri.options().purpose.clone(), stack, move || {
                    let uri = uri.clone();
                    async move { uri.connect().await }
                })
            }),
            inspect: Box::new(move || {
                Box::pin(async move { Ok(U::inspect(&inspected.connect().await?).await) })
            }),
            create: Box::new(move |algorithm| {
                Box::pin(
                    async move { Ok(created.create(algorithm).await?.map(|uri| uri.to_string())) },
                )
            }),
        })
    }

    fn examples(&self) -> &'static [&'static str] {
        U::EXAMPLES
    }
}

/// The key that a URI names, ready for production: opened at its first use, with a time limit for
/// each attempt, retries, a bounded queue, a check of each signature, the pin where the URI has
/// `spki-sha256=`, and metrics around it. [`Stack`] has the settings.
///
/// Nothing is called before the first use, and the first look at the key is retried like a
/// signature, so a process starts while its key service is away. A name that can come to stand for
/// another key is logged as a warning, unless the key is pinned.
///
/// `.bare()` of the answer gives the backend alone. For other settings, and for keys in this
/// process, there is [`provider_from_uri_with`]; for schemes of your own, [`KeySchemes::with`].
///
/// # Errors
/// [`OpenError`] when the URI is malformed, its backend is not compiled in, or the key is in this
/// process.
///
/// ```
/// use adcp_signing::{Signer, UriOptions, provider_from_uri_with};
///
/// // With a backend compiled in: provider_from_uri("awskms:///alias/adcp/buyer?region=eu-west-1")?
/// let options = UriOptions::default().allow_in_process_keys();
/// let key = provider_from_uri_with("memory:?alg=ed25519&kid=dev-1", &options)?;
/// let signer = Signer::for_requests(key)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn provider_from_uri(uri: &str) -> Result<LazyKey, OpenError> {
    provider_from_uri_with(uri, &UriOptions::default())
}

/// As [`provider_from_uri`], with other settings, or for a key in this process.
///
/// # Errors
/// [`OpenError`].
///
/// ```
/// use std::time::Duration;
///
/// use adcp_signing::{UriOptions, provider_from_uri_with, provider::layers::{RetryPolicy, Stack}};
///
/// let retry = RetryPolicy::default().with_total_deadline(Duration::from_secs(3));
/// let options = UriOptions::default().with_stack(Stack::default().with_retry(retry));
/// assert!(provider_from_uri_with("memory:", &options).is_err(), "not allowed");
/// ```
pub fn provider_from_uri_with(uri: &str, options: &UriOptions) -> Result<LazyKey, OpenError> {
    KeySchemes::built_in().open(uri, options)
}

#[cfg(test)]
mod tests;
