//! Key URIs for keys in this process: `file:` and `memory:`.

use std::{
    fmt::{self, Write as _},
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
    str::FromStr,
};

use zeroize::Zeroizing;

use super::{InMemoryProvider, ProviderError, ProviderErrorKind, SigningProvider as _};
use crate::{Algorithm, KeyPurpose, PrivateJwk};

/// The longest key file read.
const MAX_FILE_LEN: usize = 64 * 1024;
/// The longest URI read.
const MAX_URI_LEN: usize = 8 * 1024;
const PURPOSES: [&str; 5] =
    ["request-signing", "webhook-signing", "response-signing", "governance-signing", "tmp-signing"];

/// A key URI that stands for a key in this process' memory.
///
/// `file:PATH` is a private JWK, a private JWK set or an unencrypted PKCS#8 PEM; `memory:` is a fresh key each time it is
/// opened. Both take the query members `alg` (an RFC 9421 name), `kid` and `purpose` (an `adcp_use` value), each once
/// and percent-encoded where needed; `memory:` needs `purpose` and defaults to `ed25519`. What the URI and the file both
/// state must agree. In a file with several keys `kid` chooses one.
///
/// ```
/// use adcp_signing_core::provider::{InProcessKeys, LocalKeyUri};
///
/// let uri: LocalKeyUri = "memory:?alg=ed25519&kid=dev-1&purpose=request-signing".parse()?;
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
/// Whatever builds a provider from a URI takes one of these, so that a deployment meant to use a key service cannot be
/// turned to a key on disk by a changed URI alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum InProcessKeys {
    /// Refuse `file:` and `memory:`.
    Refuse,
    /// Take them: development and tests.
    Allow,
}

/// Why a text is not a `file:` or `memory:` key URI.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LocalKeyUriError {
    /// Neither scheme.
    #[error("a local key URI starts with `file:` or `memory:`")]
    Scheme,
    /// Over 8 KiB.
    #[error("a key URI may be 8 KiB long")]
    TooLong,
    /// `file:` without a path, or naming a host; `memory:` with one.
    #[error("write `file:PATH` (or `file:///PATH`) and `memory:` without a path")]
    Path,
    /// A percent sign without two hexadecimal digits, bytes that are not UTF-8, a control character, or a fragment.
    #[error(
        "the key URI is not well percent-encoded; write `%` as %25, `?` as %3F, `#` as %23 and `&` as %26"
    )]
    Encoding,
    /// A query member that is not known.
    #[error("unknown query member in the key URI; there are `alg`, `kid` and `purpose`")]
    UnknownMember,
    /// A query member given twice.
    #[error("the key URI gives `{0}` twice")]
    DuplicateMember(&'static str),
    /// A query member with a value it cannot have.
    #[error("the key URI gives `{member}` a value that is not one of: {allowed}")]
    Value {
        /// The query member.
        member: &'static str,
        /// What is allowed.
        allowed: &'static str,
    },
    /// `memory:` without a purpose.
    #[error("`memory:` needs a purpose, such as `memory:?purpose=request-signing`")]
    PurposeMissing,
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
    /// that agrees with the URI; [`ProviderErrorKind::KeyNotFound`], [`AccessDenied`](ProviderErrorKind::AccessDenied) or
    /// [`Unavailable`](ProviderErrorKind::Unavailable) when it cannot be read.
    pub fn open(&self, allow: InProcessKeys) -> Result<InMemoryProvider, ProviderError> {
        if allow == InProcessKeys::Refuse {
            return Err(configuration(
                "`file:` and `memory:` keys are held in this process; allow in-process keys by name, or use a key service",
            ));
        }
        match &self.place {
            Place::File(path) => self.open_file(&PathBuf::from(path)),
            Place::Memory => {
                let purpose = self.purpose.clone().ok_or_else(purpose_missing)?;
                let provider =
                    InMemoryProvider::generate(self.algorithm.unwrap_or(Algorithm::Ed25519), purpose)?;
                Ok(self.named(provider))
            }
        }
    }

    fn open_file(&self, path: &Path) -> Result<InMemoryProvider, ProviderError> {
        let content = read_bounded(path)?;
        let text = std::str::from_utf8(&content)
            .map_err(|_| configuration("the key file is not text; it must be JSON or PEM"))?
            .trim_ascii();
        let provider = if text.starts_with('{') {
            let jwk = PrivateJwk::parse_sole(text.as_bytes(), self.key_id.as_deref())
                .map_err(|error| configuration("the key file is refused").with_source(error))?;
            self.check_key_id(&jwk)?;
            match &self.purpose {
                Some(purpose) => InMemoryProvider::from_jwk_for(jwk, purpose.clone())?,
                None => InMemoryProvider::from_jwk(jwk)?,
            }
        } else if text.starts_with("-----BEGIN ") {
            let purpose = self.purpose.clone().ok_or_else(purpose_missing)?;
            InMemoryProvider::from_pkcs8_pem(text, purpose)?
        } else {
            return Err(configuration("the key file is neither a JWK, a JWK set nor PEM"));
        };
        match self.algorithm {
            Some(algorithm) if algorithm != provider.algorithm() => Err(ProviderError::new(
                ProviderErrorKind::AlgorithmMismatch,
                format!("the key file holds a key of {}, the key URI says {algorithm}", provider.algorithm()),
            )),
            _ => Ok(self.named(provider)),
        }
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
    type Err = LocalKeyUriError;

    fn from_str(uri: &str) -> Result<Self, Self::Err> {
        if uri.len() > MAX_URI_LEN {
            return Err(LocalKeyUriError::TooLong);
        }
        let (scheme, rest) = uri.split_once(':').ok_or(LocalKeyUriError::Scheme)?;
        if rest.contains('#') {
            return Err(LocalKeyUriError::Encoding);
        }
        let (path, query) = match rest.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (rest, None),
        };
        let place = match scheme {
            "file" => Place::File(file_path(path)?),
            "memory" if path.is_empty() => Place::Memory,
            "memory" => return Err(LocalKeyUriError::Path),
            _ => return Err(LocalKeyUriError::Scheme),
        };
        let mut parsed = Self { place, algorithm: None, key_id: None, purpose: None };
        for member in query.into_iter().flat_map(|query| query.split('&')) {
            parsed.set(member)?;
        }
        match parsed {
            Self { place: Place::Memory, purpose: None, .. } => Err(LocalKeyUriError::PurposeMissing),
            parsed => Ok(parsed),
        }
    }
}

impl LocalKeyUri {
    fn set(&mut self, member: &str) -> Result<(), LocalKeyUriError> {
        let (name, value) = member.split_once('=').ok_or(LocalKeyUriError::UnknownMember)?;
        let value = percent_decode(value)?;
        match name {
            "alg" => {
                let algorithm = Algorithm::from_rfc9421_name(&value).ok_or(LocalKeyUriError::Value {
                    member: "alg",
                    allowed: "ed25519, ecdsa-p256-sha256, rsa-pss-sha512",
                })?;
                once("alg", &mut self.algorithm, algorithm)
            }
            "kid" if value.is_empty() => {
                Err(LocalKeyUriError::Value { member: "kid", allowed: "any text that is not empty" })
            }
            "kid" => once("kid", &mut self.key_id, value),
            // A misspelt purpose would make a key that no verifier accepts.
            "purpose" if PURPOSES.contains(&value.as_str()) => {
                once("purpose", &mut self.purpose, KeyPurpose::from(value.as_str()))
            }
            "purpose" => Err(LocalKeyUriError::Value {
                member: "purpose",
                allowed: "request-signing, webhook-signing, response-signing, governance-signing, tmp-signing",
            }),
            _ => Err(LocalKeyUriError::UnknownMember),
        }
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
                percent_encode(f, path)?;
            }
            Place::Memory => f.write_str("memory:")?,
        }
        let members = [
            ("alg", self.algorithm.map(Algorithm::rfc9421_name)),
            ("kid", self.key_id.as_deref()),
            ("purpose", self.purpose.as_ref().map(KeyPurpose::as_str)),
        ];
        let mut separator = '?';
        for (name, value) in members {
            if let Some(value) = value {
                write!(f, "{separator}{name}=")?;
                percent_encode(f, value)?;
                separator = '&';
            }
        }
        Ok(())
    }
}

fn once<T>(name: &'static str, field: &mut Option<T>, value: T) -> Result<(), LocalKeyUriError> {
    match field.replace(value) {
        None => Ok(()),
        Some(_) => Err(LocalKeyUriError::DuplicateMember(name)),
    }
}

/// The path of `file:PATH` or `file:///PATH` (RFC 8089 §2 and §E.2), without a host.
fn file_path(path: &str) -> Result<String, LocalKeyUriError> {
    let path = match path.strip_prefix("//") {
        Some(absolute) if absolute.starts_with('/') => absolute,
        Some(_) => return Err(LocalKeyUriError::Path),
        None => path,
    };
    match percent_decode(path)? {
        path if path.is_empty() => Err(LocalKeyUriError::Path),
        path => Ok(path),
    }
}

fn percent_decode(text: &str) -> Result<String, LocalKeyUriError> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        let byte = if byte == b'%' {
            let mut digit = || bytes.next().and_then(|byte| char::from(byte).to_digit(16));
            let (Some(high), Some(low)) = (digit(), digit()) else { return Err(LocalKeyUriError::Encoding) };
            u8::try_from(high * 16 + low).map_err(|_| LocalKeyUriError::Encoding)?
        } else {
            byte
        };
        if byte.is_ascii_control() {
            return Err(LocalKeyUriError::Encoding);
        }
        decoded.push(byte);
    }
    String::from_utf8(decoded).map_err(|_| LocalKeyUriError::Encoding)
}

fn percent_encode(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    for char in text.chars() {
        match char {
            '%' | '?' | '#' | '&' | ' ' => write!(f, "%{:02X}", u32::from(char))?,
            _ => f.write_char(char)?,
        }
    }
    Ok(())
}

/// Reads a regular file of at most [`MAX_FILE_LEN`] into memory that is wiped.
fn read_bounded(path: &Path) -> Result<Zeroizing<Vec<u8>>, ProviderError> {
    // A pipe or a device would make the open itself wait.
    let metadata = fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(configuration("the key file is not a regular file"));
    }
    warn_if_open_to_others(&metadata);
    // All the room at once: a buffer that grows leaves copies of the secret behind.
    let mut content = Zeroizing::new(vec![0; MAX_FILE_LEN + 1]);
    let mut file = fs::File::open(path).map_err(unreadable)?;
    let mut len = 0;
    while let Some(room) = content.get_mut(len..).filter(|room| !room.is_empty()) {
        match file.read(room) {
            Ok(0) => break,
            Ok(read) => len += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(unreadable(error)),
        }
    }
    if len > MAX_FILE_LEN {
        return Err(configuration("the key file is longer than 64 KiB"));
    }
    content.truncate(len);
    Ok(content)
}

#[cfg(unix)]
fn warn_if_open_to_others(metadata: &fs::Metadata) {
    use std::os::unix::fs::PermissionsExt as _;

    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        tracing::warn!(
            mode = format_args!("{mode:03o}"),
            "other users can reach the private key file; chmod 600 it"
        );
    }
}

#[cfg(not(unix))]
fn warn_if_open_to_others(_: &fs::Metadata) {}

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

fn purpose_missing() -> ProviderError {
    configuration("nothing says what the key is for; add `?purpose=request-signing` to the key URI")
}

fn configuration(message: &'static str) -> ProviderError {
    ProviderError::new(ProviderErrorKind::Configuration, message)
}
