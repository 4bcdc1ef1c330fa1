//! What a provider is built from: typed, from the environment, or from a key URI.

use std::{ffi::OsString, fmt, num::NonZeroUsize, path::PathBuf, time::Duration};

use adcp_signing_core::{
    Algorithm, KeyPurpose, KeyRef, ProviderError, ProviderErrorKind,
    provider::toolkit::{CreatedKey, Environment, KeyOptions, KeyUriError},
};
use cryptoki::{context::Pkcs11, slot::Slot};

use crate::{
    Pkcs11Provider,
    module::TokenPlace,
    pin::PinSource,
    pool::Limits,
    provider,
    selector::{KeySelector, Path, TokenSelector, key_ref},
    uri::{Pkcs11Uri, UriPinSource},
};

const SESSIONS: NonZeroUsize = NonZeroUsize::new(4).unwrap();
const QUEUE: usize = 1024;
const TIMEOUT: Duration = Duration::from_secs(10);

const VARIABLES: &str = "ADCP_PKCS11";
const PIN_VARIABLE: &str = "ADCP_PKCS11_PIN";

/// Everything a [`Pkcs11Provider`](crate::Pkcs11Provider) needs to know. Nothing is loaded or
/// opened by it.
///
/// ```
/// use adcp_signing_core::{Algorithm, KeyPurpose, provider::toolkit::KeyOptions};
/// use adcp_signing_pkcs11::{KeySelector, PinSource, Pkcs11Config, Pkcs11Provider, TokenSelector};
///
/// let options = KeyOptions::new(KeyPurpose::RequestSigning)
///     .with_algorithm(Algorithm::Ed25519)
///     .with_key_id("req-2026");
/// let config = Pkcs11Config::new(KeySelector::label("req-2026"), options)
///     .with_module("/usr/lib/softhsm/libsofthsm2.so")
///     .with_token(TokenSelector::label("adcp"))
///     .with_pin(PinSource::File("/run/secrets/hsm-pin".into()));
/// let provider = Pkcs11Provider::new(config)?;
/// # Ok::<(), adcp_signing_core::ProviderError>(())
/// ```
pub struct Pkcs11Config {
    module: Option<PathBuf>,
    token: TokenSelector,
    pub(crate) key: KeySelector,
    pub(crate) pin: PinSource,
    pub(crate) options: KeyOptions,
    pub(crate) limits: Limits,
}

impl Pkcs11Config {
    /// The key that `key` selects. The options are its purpose, and its algorithm and `keyid` where
    /// they are stated. Name the module with [`with_module`](Self::with_module), or bring one to
    /// [`connect_with_client`](Self::connect_with_client).
    pub fn new(key: KeySelector, options: impl Into<KeyOptions>) -> Self {
        Self {
            module: None,
            token: TokenSelector::only(),
            key,
            pin: PinSource::None,
            options: options.into(),
            limits: Limits { threads: SESSIONS, queue: QUEUE, timeout: TIMEOUT },
        }
    }

    /// The key that a URI names. What it leaves open comes from the environment: the module from
    /// `ADCP_PKCS11_MODULE`, the PIN from `ADCP_PKCS11_PIN` or from where `ADCP_PKCS11_PIN_SOURCE`
    /// says, the most sessions from `ADCP_PKCS11_SESSIONS`.
    ///
    /// # Errors
    /// [`ProviderErrorKind::Configuration`] when a variable cannot be used.
    pub fn from_uri(uri: &Pkcs11Uri) -> Result<Self, ProviderError> {
        Self::from_uri_and(uri.clone(), &Environment::of_process(VARIABLES))
    }

    /// The key that the environment names.
    ///
    /// | variable | what it is |
    /// |---|---|
    /// | `ADCP_PKCS11_MODULE` | the absolute path of the module |
    /// | `ADCP_PKCS11_TOKEN`, `_SERIAL`, `_SLOT_ID` | the token's label, serial number, slot; each may be left out |
    /// | `ADCP_PKCS11_OBJECT`, `_ID` | the key's label; its id in hexadecimal. One of them at least |
    /// | `ADCP_PKCS11_PIN` or `_PIN_SOURCE` | the PIN, or where it is: `file:/PATH` or `env:NAME` |
    /// | `ADCP_PKCS11_SESSIONS` | how many sessions sign at once: see [`with_sessions`](Self::with_sessions) |
    /// | `ADCP_PKCS11_ALG`, `_KID`, `_PURPOSE` | what `alg`, `kid` and `purpose` are in a key URI |
    ///
    /// # Errors
    /// [`ProviderErrorKind::Configuration`], with what is missing or cannot be used.
    pub fn from_env() -> Result<Self, ProviderError> {
        Self::from_environment(&Environment::of_process(VARIABLES))
    }

    /// Sets the path of the module (a shared library), which must be absolute.
    ///
    /// The module is loaded and initialized by the first call, with locks of the operating system,
    /// and stays loaded until the process ends. Where the process has initialized it before, that
    /// is left as it is.
    #[must_use]
    pub fn with_module(mut self, path: impl Into<PathBuf>) -> Self {
        self.module = Some(path.into());
        self
    }

    /// Sets which token of the module the key is on. Unless set, it is the only initialized one.
    #[must_use]
    pub fn with_token(mut self, token: TokenSelector) -> Self {
        self.token = token;
        self
    }

    /// Sets where the PIN comes from.
    #[must_use]
    pub fn with_pin(mut self, pin: PinSource) -> Self {
        self.pin = pin;
        self
    }

    /// What is stated about the key, in place of what was stated before.
    #[must_use]
    pub fn with_options(mut self, options: impl Into<KeyOptions>) -> Self {
        self.options = options.into();
        self
    }

    /// Sets how many sessions, and threads, sign at once: 4 unless set. They open when there is
    /// work for them.
    ///
    /// What an HSM takes for a signature bounds what they sign together: 4 sessions of 3 ms each
    /// make 1300 signatures a second. A session uses no processor while its HSM works, so for more
    /// set as many as the HSM serves at once.
    #[must_use]
    pub fn with_sessions(mut self, sessions: NonZeroUsize) -> Self {
        self.limits.threads = sessions;
        self
    }

    /// Sets how many calls may wait for a session: 1024 unless set. A call beyond that is
    /// [`Throttled`](ProviderErrorKind::Throttled) at once.
    #[must_use]
    pub fn with_queue(mut self, calls: usize) -> Self {
        self.limits.queue = calls;
        self
    }

    /// Sets after how long a call, its wait in the queue included, fails with
    /// [`Timeout`](ProviderErrorKind::Timeout): 10 s unless set.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.limits.timeout = timeout;
        self
    }

    /// Builds the provider. The token is looked at once where the configuration leaves the algorithm
    /// or the key id open; with both given nothing is loaded or opened.
    ///
    /// # Errors
    /// [`ProviderErrorKind::Configuration`] when nothing names the module, or its path is not
    /// absolute; else of the kind that the token's answer stands for.
    pub async fn connect(self) -> Result<Pkcs11Provider, ProviderError> {
        Pkcs11Provider::connect(self.place()?, self).await
    }

    /// Makes the key pair on the token, and answers with the label and the id of this very pair. An id
    /// that the selector leaves open is chosen at random. The algorithm is that of the options, else
    /// this one, else Ed25519. The private key is sensitive and not extractable.
    ///
    /// # Errors
    /// [`ProviderErrorKind::Configuration`] when either half of such a key is on the token already;
    /// [`ProviderErrorKind::AlgorithmMismatch`] when the token makes no keys of the algorithm; else as
    /// [`connect`](Self::connect).
    pub async fn create_key(
        self,
        algorithm: Option<Algorithm>,
    ) -> Result<CreatedKey<KeySelector>, ProviderError> {
        provider::create(self, algorithm).await
    }

    /// Builds the provider over the token in a slot of a module that the caller has loaded and
    /// initialized, with `CKF_OS_LOCKING_OK`. Without a PIN the caller logs in, by a session that
    /// stays open. A module or a token named here is refused.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn connect_with_client(
        self,
        context: Pkcs11,
        slot: Slot,
    ) -> Result<Pkcs11Provider, ProviderError> {
        if self.module.is_some() || self.token != TokenSelector::only() {
            return Err(configuration(
                "module and token are the ready client's; leave out with_module and with_token \
                 (ADCP_PKCS11_MODULE, ADCP_PKCS11_TOKEN, _SERIAL, _SLOT_ID)",
            ));
        }
        Pkcs11Provider::connect(TokenPlace::Slot { context, slot }, self).await
    }

    /// Where the token is, by what the configuration says.
    pub(crate) fn place(&self) -> Result<TokenPlace, ProviderError> {
        let path = self.module.clone().ok_or_else(|| {
            configuration(
                "nothing names the PKCS#11 module; set ADCP_PKCS11_MODULE, `module-path` in the key \
                 URI, or with_module",
            )
        })?;
        if !path.is_absolute() {
            // The loader would look for it in places that other users may write to.
            return Err(configuration(
                "the path of the PKCS#11 module (with_module) is not absolute",
            ));
        }
        Ok(TokenPlace::on_module(path, self.token.clone()))
    }

    /// The reference of the key, on this token.
    pub(crate) fn key_ref(&self, place: &TokenPlace) -> KeyRef {
        match place {
            TokenPlace::Slot { slot, .. } => {
                key_ref(&TokenSelector::only().with_slot_id(slot.id()), &self.key)
            }
            TokenPlace::Module { token, .. } => key_ref(token, &self.key),
        }
    }

    fn from_uri_and(
        uri: Pkcs11Uri,
        environment: &Environment<impl Fn(&str) -> Option<OsString>>,
    ) -> Result<Self, ProviderError> {
        let Pkcs11Uri { token, key, module_path, pin_source, options } = uri;
        let module = match module_path {
            Some(path) => Some(path),
            None => absolute_module(environment)?,
        };
        let pin = match pin_source {
            Some(source) => source.into(),
            None => {
                match (environment.parsed::<UriPinSource>("PIN_SOURCE")?, environment.get("PIN")?) {
                    (None, None) => PinSource::None,
                    (None, Some(_)) => PinSource::Env(PIN_VARIABLE.to_owned()),
                    (Some(source), None) => source.into(),
                    (Some(_), Some(_)) => {
                        return Err(configuration(
                            "set ADCP_PKCS11_PIN or ADCP_PKCS11_PIN_SOURCE, not both",
                        ));
                    }
                }
            }
        };
        let config = Self::new(key, options).with_token(token).with_pin(pin);
        let config = match module {
            Some(path) => config.with_module(path),
            None => config,
        };
        Ok(match environment.parsed("SESSIONS")? {
            Some(sessions) => config.with_sessions(sessions),
            None => config,
        })
    }

    /// Writes what names the key as a key URI, so that both are read and checked in one place.
    fn from_environment(
        environment: &Environment<impl Fn(&str) -> Option<OsString>>,
    ) -> Result<Self, ProviderError> {
        let token = TokenSelector {
            label: environment.get("TOKEN")?,
            serial: environment.get("SERIAL")?,
            slot_id: environment.parsed("SLOT_ID")?,
            ..TokenSelector::only()
        };
        let id = environment.get("ID")?.map(|id| {
            from_hex(&id)
                .ok_or_else(|| environment.refused("ID", "not hexadecimal, two digits a byte"))
        });
        let key = KeySelector { label: environment.get("OBJECT")?, id: id.transpose()? };
        if key.label.is_none() && key.id.is_none() {
            return Err(configuration(
                "nothing names the key; set ADCP_PKCS11_OBJECT or ADCP_PKCS11_ID",
            ));
        }
        let path = Path { token: &token, key: &key };
        let uri: Pkcs11Uri = format!("pkcs11:{path}").parse().map_err(refused)?;
        let options = environment.key_options(Some(KeyPurpose::RequestSigning))?;
        Self::from_uri_and(Pkcs11Uri { options, ..uri }, environment)
    }
}

impl From<UriPinSource> for PinSource {
    fn from(source: UriPinSource) -> Self {
        match source {
            UriPinSource::File(path) => Self::File(path.into()),
            UriPinSource::Env(name) => Self::Env(name),
        }
    }
}

impl fmt::Debug for Pkcs11Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pkcs11Config")
            .field("key", &key_ref(&self.token, &self.key))
            .field("options", &self.options)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// The loader would look for a module of another path in places that other users may write to.
fn absolute_module(
    environment: &Environment<impl Fn(&str) -> Option<OsString>>,
) -> Result<Option<String>, ProviderError> {
    match environment.get("MODULE")? {
        Some(path) if !std::path::Path::new(&path).is_absolute() => {
            Err(environment.refused("MODULE", "not an absolute path"))
        }
        path => Ok(path),
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    base16ct::mixed::decode_vec(text).ok().filter(|bytes| !bytes.is_empty())
}

fn refused(error: KeyUriError) -> ProviderError {
    configuration("a variable of the PKCS#11 configuration (ADCP_PKCS11_…) is refused")
        .with_source(error)
}

fn configuration(message: &'static str) -> ProviderError {
    ProviderError::new(ProviderErrorKind::Configuration, message)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Pkcs11Config, ProviderError> {
        let variables: HashMap<&str, &str> = variables.iter().copied().collect();
        Pkcs11Config::from_environment(&Environment::through(VARIABLES, |name| {
            variables.get(name).map(OsString::from)
        }))
    }

    #[test]
    fn the_environment_names_a_key_as_a_uri_does() {
        let config = read(&[
            ("ADCP_PKCS11_MODULE", "/usr/lib/m.so"),
            ("ADCP_PKCS11_TOKEN", "my token"),
            ("ADCP_PKCS11_SLOT_ID", "7"),
            ("ADCP_PKCS11_OBJECT", "k?1"),
            ("ADCP_PKCS11_ID", "00fF"),
            ("ADCP_PKCS11_PIN_SOURCE", "file:/run/pin"),
            ("ADCP_PKCS11_ALG", "ecdsa-p256-sha256"),
            ("ADCP_PKCS11_KID", "a&b"),
            ("ADCP_PKCS11_PURPOSE", "webhook-signing"),
            ("ADCP_PKCS11_SESSIONS", "16"),
        ])
        .unwrap();
        let uri: Pkcs11Uri =
            "pkcs11:token=my%20token;slot-id=7;object=k%3F1;id=%00%ff".parse().unwrap();
        assert_eq!(key_ref(&config.token, &config.key), key_ref(&uri.token, &uri.key));
        assert_eq!(config.options.algorithm, Some(Algorithm::EcdsaP256Sha256));
        assert_eq!(config.options.key_id.as_deref(), Some("a&b"));
        assert_eq!(config.options.purpose, KeyPurpose::WebhookSigning);
        assert_eq!(config.limits.threads.get(), 16);
        assert!(
            matches!(config.pin, PinSource::File(path) if path.as_path() == std::path::Path::new("/run/pin"))
        );
    }

    #[test]
    fn the_pin_may_be_a_variable_of_its_own() {
        let variables = [
            ("ADCP_PKCS11_MODULE", "/m.so"),
            ("ADCP_PKCS11_OBJECT", "k"),
            ("ADCP_PKCS11_PIN", "81729"),
        ];
        let config = read(&variables).unwrap();
        assert!(matches!(&config.pin, PinSource::Env(name) if name == "ADCP_PKCS11_PIN"));
        assert!(!format!("{config:?}{:?}", config.pin).contains("81729"));
        assert_eq!(config.options.purpose, KeyPurpose::RequestSigning);
        assert_eq!(config.limits.threads, SESSIONS);
    }

    #[test]
    fn a_configuration_that_cannot_be_used_says_why() {
        let module = ("ADCP_PKCS11_MODULE", "/m.so");
        let object = ("ADCP_PKCS11_OBJECT", "k");
        let cases: [(&[(&str, &str)], &str); 8] = [
            (&[module], "set ADCP_PKCS11_OBJECT or ADCP_PKCS11_ID"),
            (&[("ADCP_PKCS11_MODULE", "m.so"), object], "absolute path"),
            (&[module, ("ADCP_PKCS11_ID", "0")], "not hexadecimal"),
            (&[module, ("ADCP_PKCS11_ID", "0x")], "not hexadecimal"),
            (&[module, object, ("ADCP_PKCS11_SLOT_ID", "-1")], "ADCP_PKCS11_SLOT_ID is refused"),
            (
                &[module, object, ("ADCP_PKCS11_PIN", "1234"), ("ADCP_PKCS11_PIN_SOURCE", "env:P")],
                "not both",
            ),
            (&[module, object, ("ADCP_PKCS11_ALG", "RS256")], "is refused"),
            (&[module, object, ("ADCP_PKCS11_SESSIONS", "0")], "ADCP_PKCS11_SESSIONS is refused"),
        ];
        for (variables, reason) in cases {
            let error = read(variables).unwrap_err();
            assert_eq!(error.kind(), ProviderErrorKind::Configuration);
            assert!(error.to_string().contains(reason), "{error}");
        }
    }

    #[test]
    fn the_module_is_named_by_an_absolute_path() {
        let config = || read(&[("ADCP_PKCS11_OBJECT", "k")]).unwrap();
        for (config, reason) in
            [(config(), "set ADCP_PKCS11_MODULE"), (config().with_module("m.so"), "not absolute")]
        {
            let error = config.place().err().unwrap();
            assert_eq!(error.kind(), ProviderErrorKind::Configuration);
            assert!(error.to_string().contains(reason), "{error}");
        }
        assert!(config().with_module("/m.so").place().is_ok());
    }

    #[test]
    fn what_a_uri_says_goes_before_the_environment() {
        let uri: Pkcs11Uri =
            "pkcs11:object=k?module-path=/uri.so&pin-source=env:URI_PIN".parse().unwrap();
        let config = Pkcs11Config::from_uri_and(
            uri,
            &Environment::through(VARIABLES, |name| {
                (name != "ADCP_PKCS11_SESSIONS").then(|| "/environment".into())
            }),
        )
        .unwrap();
        assert_eq!(config.module.as_deref(), Some(std::path::Path::new("/uri.so")));
        assert!(matches!(config.pin, PinSource::Env(name) if name == "URI_PIN"));
    }
}
