//! Key URIs for keys in this process: `file:` and `memory:`.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    str::FromStr,
};

use crate::{
    keys::{
        Algorithm, KeyPurpose,
        jwk::{AdcpUse, PrivateJwk},
    },
    provider::{
        InMemoryProvider, ProviderError, ProviderErrorKind, SigningProvider as _,
        toolkit::{
            PercentEncoded,
            key_uri::{KeyUriError, KeyUriParts},
            percent_decode,
            secret_file::{SecretFileError, read_secret_file},
            write_query,
        },
    },
    text::format::{Format, without_bom},
};

/// The longest key file read.
const MAX_FILE_LEN: usize = 64 * 1024;
const FORMS: &str = "`file:PATH` (or `file:///PATH`), or as `memory:` without a path";

/// A key URI that stands for a key in this process' memory.
///
/// `file:PATH` is a private JWK, a private JWK set or an unencrypted PKCS#8 PEM, which may have
/// other text around it and start with a byte order mark; `memory:` is a fresh key each time it is
/// opened, `ed25519` unless the URI says otherwise. Both take the query members `alg` (an RFC 9421
/// or JOSE name), `kid` and `purpose` (an `adcp_use` value). What the URI and the file both state must
/// agree; where neither states a purpose it is `request-signing`. In a
/// file with several keys `kid` chooses one.
///
/// ```
/// use adcp_signing_core::provider::toolkit::{InProcessKeys, LocalKeyUri};
///
/// let uri: LocalKeyUri = "memory:?alg=ed25519&kid=dev-1".parse()?;
/// assert!(uri.open(InProcessKeys::Refuse).is_err());
/// let provider = uri.open(InProcessKeys::Allow)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalKeyUri {
    place: Place,
    algorithm: Option<Algorithm>,
    key_id: Option<String>,
    purpose: Option<KeyPurpose>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    File(String),
    Memory,
}

/// Whether a private key may be held in this process' memory.
///
/// Whatever builds a provider from a URI takes one of these, so that a deployment meant to use a
/// key service cannot be turned to a key on disk by a changed URI alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum InProcessKeys {
    /// Refuse `file:` and `memory:`.
    Refuse,
    /// Take them: development and tests.
    Allow,
}

impl LocalKeyUri {
    /// Whether the text has one of the schemes of this type.
    pub fn has_scheme(uri: &str) -> bool {
        uri.starts_with("file:") || uri.starts_with("memory:")
    }

    /// The path of a `file:` URI.
    pub fn path(&self) -> Option<&Path> {
        match &self.place {
            Place::File(path) => Some(Path::new(path)),
            Place::Memory => None,
        }
    }

    /// Makes the provider: reads the file, or generates the key. Blocks while the file is read.
    ///
    /// # Errors
    /// [`ProviderErrorKind::Configuration`] unless in-process keys are allowed, and when the file does not hold one key
    /// that agrees with the URI; [`ProviderErrorKind::KeyNotFound`],
    /// [`AccessDenied`](ProviderErrorKind::AccessDenied) or
    /// [`Unavailable`](ProviderErrorKind::Unavailable) when it cannot be read.
    pub fn open(&self, allow: InProcessKeys) -> Result<InMemoryProvider, ProviderError> {
        if allow == InProcessKeys::Refuse {
            return Err(configuration(
                "`file:` and `memory:` keys are held in this process; allow in-process keys by name \
                 (`--allow-in-process-keys` on the command line), or use a key service",
            ));
        }
        match &self.place {
            Place::File(path) => self.open_file(&PathBuf::from(path)),
            Place::Memory => {
                let algorithm = self.algorithm.unwrap_or(Algorithm::Ed25519);
                Ok(self.named(InMemoryProvider::generate(algorithm, self.purpose_or_default())?))
            }
        }
    }

    fn open_file(&self, path: &Path) -> Result<InMemoryProvider, ProviderError> {
        let content = read_secret_file(path, "key file", MAX_FILE_LEN).map_err(refused)?;
        let text = key_text(&content)?;
        let provider = if text.starts_with('{') {
            let jwk = PrivateJwk::parse_sole(text.as_bytes(), self.key_id.as_deref())
                .map_err(|error| configuration("the key file is refused").with_source(error))?;
            self.check_key_id(&jwk)?;
            match (&self.purpose, jwk.adcp_use()) {
                (None, AdcpUse::Purpose(_) | AdcpUse::Malformed) => {
                    InMemoryProvider::from_jwk(jwk)?
                }
                (_, _) => InMemoryProvider::from_jwk_for(jwk, self.purpose_or_default())?,
            }
        } else if text.contains("-----BEGIN ") {
            InMemoryProvider::from_pkcs8_pem(text, self.purpose_or_default())?
        } else {
            return Err(not_a_key(text.as_bytes()));
        };
        match self.algorithm {
            Some(algorithm) if algorithm != provider.algorithm() => Err(ProviderError::new(
                ProviderErrorKind::AlgorithmMismatch,
                format!(
                    "the key file holds a key of {}, the key URI says {algorithm}",
                    provider.algorithm()
                ),
            )),
            _ => Ok(self.named(provider)),
        }
    }

    fn purpose_or_default(&self) -> KeyPurpose {
        self.purpose.clone().unwrap_or(KeyPurpose::RequestSigning)
    }

    fn check_key_id(&self, jwk: &PrivateJwk) -> Result<(), ProviderError> {
        match (&self.key_id, jwk.kid()) {
            (Some(wanted), Some(kid)) if wanted != kid => {
                Err(configuration("the key in the file has another `kid` than the key URI says"))
            }
            _ => Ok(()),
        }
    }

    fn named(&self, provider: InMemoryProvider) -> InMemoryProvider {
        match &self.key_id {
            Some(key_id) => provider.with_key_id(key_id),
            None => provider,
        }
    }
}

impl FromStr for LocalKeyUri {
    type Err = KeyUriError;

    fn from_str(uri: &str) -> Result<Self, Self::Err> {
        let mut parts = KeyUriParts::parse(uri)?;
        let place = match (parts.scheme(), parts.body()) {
            ("file", path) => Place::File(file_path(path)?),
            ("memory", "") => Place::Memory,
            ("memory", _) => return Err(KeyUriError::Body { expected: FORMS }),
            _ => return Err(KeyUriError::Scheme { expected: "`file:` or `memory:`" }),
        };
        // The purpose stays open until the file is read: a JWK may state its own.
        let parsed = Self {
            place,
            algorithm: parts.take_algorithm()?,
            key_id: parts.take_text("kid")?,
            purpose: parts.take_purpose()?,
        };
        parts.finish()?;
        Ok(parsed)
    }
}

impl fmt::Display for LocalKeyUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::File(path) => {
                f.write_str("file:")?;
                // `file://` would start a host.
                if path.starts_with("//") {
                    f.write_str("//")?;
                }
                write!(f, "{}", PercentEncoded(path))?;
            }
            Place::Memory => f.write_str("memory:")?,
        }
        let members = [
            ("alg", self.algorithm.map(Algorithm::rfc9421_name)),
            ("kid", self.key_id.as_deref()),
            ("purpose", self.purpose.as_ref().map(KeyPurpose::as_str)),
        ];
        write_query(f, members)
    }
}

/// The path of `file:PATH` or `file:///PATH` (RFC 8089 §2 and §E.2), without a host.
fn file_path(path: &str) -> Result<String, KeyUriError> {
    let path = match path.strip_prefix("//") {
        Some(absolute) if absolute.starts_with('/') => absolute,
        Some(_) => return Err(KeyUriError::Body { expected: FORMS }),
        None => path,
    };
    match percent_decode(path)? {
        path if path.is_empty() => Err(KeyUriError::Body { expected: FORMS }),
        path => Ok(path),
    }
}

/// The text of a key file, without a byte order mark and without white space around it.
fn key_text(content: &[u8]) -> Result<&str, ProviderError> {
    match std::str::from_utf8(without_bom(content)) {
        Ok(text) => Ok(text.trim_ascii()),
        Err(_) => Err(not_a_key(content)),
    }
}

/// Names what a file has in place of a key.
#[cold]
fn not_a_key(content: &[u8]) -> ProviderError {
    const EXPECTED: &str = "a key file is a private JWK, a JWK set, or PKCS#8 in PEM";

    let found = match Format::of(content) {
        Some(Format::PrivateKeyDer) => {
            "the key file is DER; convert it with `openssl pkey -inform DER -in KEY.der -out \
             KEY.pem`"
                .into()
        }
        Some(Format::Pkcs12) => {
            "the key file is PKCS#12; convert it with `openssl pkcs12 -nodes -in KEY.p12 -out \
             KEY.pem`"
                .into()
        }
        Some(Format::Base64OfDer) => {
            "the key file is the Base64 of a key without the lines of PEM; put it between \
             `-----BEGIN PRIVATE KEY-----` and `-----END PRIVATE KEY-----`"
                .into()
        }
        Some(format @ (Format::Base64OfPem | Format::Base64OfJson)) => {
            format!("the key file is {}; decode it first (`base64 -d`)", format.name())
        }
        Some(Format::Utf16) => "the key file is UTF-16 text; save it as UTF-8".into(),
        Some(format) => format!("the key file is {}; {EXPECTED}", format.name()),
        None => format!("the key file is neither JSON nor PEM; {EXPECTED}"),
    };
    ProviderError::new(ProviderErrorKind::Configuration, found)
}

fn refused(error: SecretFileError) -> ProviderError {
    match error {
        SecretFileError::Unreadable { source, .. } => unreadable(source),
        error => error.into(),
    }
}

fn unreadable(error: io::Error) -> ProviderError {
    let (kind, message) = match error.kind() {
        io::ErrorKind::NotFound => (ProviderErrorKind::KeyNotFound, "there is no such key file"),
        io::ErrorKind::PermissionDenied => {
            (ProviderErrorKind::AccessDenied, "this user may not read the key file")
        }
        _ => (ProviderErrorKind::Unavailable, "the key file cannot be read"),
    };
    ProviderError::new(kind, message).with_source(error)
}

fn configuration(message: &'static str) -> ProviderError {
    ProviderError::new(ProviderErrorKind::Configuration, message)
}
