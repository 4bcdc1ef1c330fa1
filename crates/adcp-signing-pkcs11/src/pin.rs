//! The PIN of a token, and where it is read from.

use std::{
    borrow::Cow,
    env, fmt,
    path::{Path, PathBuf},
};

use adcp_signing_core::{ProviderError, ProviderErrorKind, provider::toolkit::read_secret_file};
use cryptoki::types::AuthPin;
use zeroize::Zeroizing;

/// The longest PIN read; tokens take far shorter ones.
const MAX_LEN: usize = 256;
const FILE: &str = "PIN file (`pin-source`, ADCP_PKCS11_PIN_SOURCE)";

/// The PIN of a token's normal user (`CKU_USER`), wiped when dropped and never shown.
#[derive(Clone)]
pub struct UserPin(Zeroizing<String>);

impl UserPin {
    /// This PIN.
    ///
    /// # Errors
    /// [`ProviderErrorKind::Configuration`] when it is empty, longer than 256 bytes or holds a NUL.
    pub fn new(pin: impl Into<String>) -> Result<Self, ProviderError> {
        let pin = Zeroizing::new(pin.into());
        if pin.is_empty() || pin.len() > MAX_LEN || pin.contains('\0') {
            return Err(configuration(
                "the PIN (`pin-source`, ADCP_PKCS11_PIN) does not have 1 to 256 bytes, or has a NUL among them",
            ));
        }
        Ok(Self(pin))
    }

    pub(crate) fn to_auth_pin(&self) -> AuthPin {
        AuthPin::from(self.0.as_str())
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        *self.0 == *other.0
    }
}

impl fmt::Debug for UserPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserPin(..)")
    }
}

/// Where the PIN comes from. It is read when a login is due, so a file or variable that changes is
/// seen then.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum PinSource {
    /// No PIN: the token wants none, has a PIN pad of its own, or the caller has logged in.
    #[default]
    None,
    /// The first line of a file, such as a mounted secret.
    File(PathBuf),
    /// An environment variable.
    Env(String),
    /// This PIN.
    Value(UserPin),
}

impl PinSource {
    /// Reads the PIN. Blocks where it is in a file.
    pub(crate) fn read(&self) -> Result<Option<UserPin>, ProviderError> {
        match self {
            Self::None => Ok(None),
            Self::Value(pin) => Ok(Some(pin.clone())),
            Self::Env(name) => read_variable(name).map(Some),
            Self::File(path) => read_file(path).map(Some),
        }
    }
}

/// The variable is named by the operator, so its name may be shown.
fn read_variable(name: &str) -> Result<UserPin, ProviderError> {
    let refused = |why| configuration(format!("the variable {name} holds no PIN: {why}"));
    let value = env::var(name).map_err(|error| match error {
        env::VarError::NotPresent => refused("it is not set"),
        env::VarError::NotUnicode(_) => refused("it is not text"),
    })?;
    UserPin::new(value).map_err(|_| refused("a PIN has 1 to 256 bytes and no NUL among them"))
}

fn read_file(path: &Path) -> Result<UserPin, ProviderError> {
    // A line end after the longest PIN, so that a longer one is told by the PIN's own bound.
    let content = read_secret_file(path, FILE, MAX_LEN + 3)?;
    let text = std::str::from_utf8(&content)
        .map_err(|_| configuration(format!("the {FILE} is not text")))?;
    let pin = text.strip_suffix('\n').unwrap_or(text);
    let pin = pin.strip_suffix('\r').unwrap_or(pin);
    if pin.contains('\n') {
        return Err(configuration(format!("the {FILE} has more than one line")));
    }
    UserPin::new(pin)
}

fn configuration(message: impl Into<Cow<'static, str>>) -> ProviderError {
    ProviderError::new(ProviderErrorKind::Configuration, message)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn in_file(content: &[u8]) -> Result<Option<UserPin>, ProviderError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pin");
        fs::write(&path, content).unwrap();
        PinSource::File(path).read()
    }

    #[test]
    fn a_pin_file_holds_one_line() {
        for content in ["1234", "1234\n", "1234\r\n"] {
            let pin = in_file(content.as_bytes()).unwrap().unwrap();
            assert!(pin.is_same(&UserPin::new("1234").unwrap()), "{content:?}");
        }
        let spaces = in_file(b" 12 34 \n").unwrap().unwrap();
        assert!(spaces.is_same(&UserPin::new(" 12 34 ").unwrap()), "a PIN may hold spaces");
    }

    #[test]
    fn other_files_are_refused() {
        let cases: [(&[u8], &str); 6] = [
            (b"", "1 to 256 bytes"),
            (b"\n", "1 to 256 bytes"),
            (b"1234\n5678\n", "more than one line"),
            (&[b'1'; 257], "1 to 256 bytes"),
            (&[b'1'; 300], "longer than"),
            (&[0xff], "not text"),
        ];
        for (content, reason) in cases {
            let error = in_file(content).unwrap_err();
            assert_eq!(error.kind(), ProviderErrorKind::Configuration);
            assert!(error.to_string().contains(reason), "{error}");
        }
        let error = PinSource::File(PathBuf::from("/nonexistent/pin")).read().unwrap_err();
        let text = "configuration: the PIN file (`pin-source`, ADCP_PKCS11_PIN_SOURCE) cannot be read (entity not found)";
        assert_eq!(error.to_string(), text);
        let folder = tempfile::tempdir().unwrap();
        let error = PinSource::File(folder.path().to_owned()).read().unwrap_err();
        assert!(error.to_string().contains("not a regular file"), "{error}");
    }

    #[test]
    fn debug_shows_no_pin() {
        let source = PinSource::Value(UserPin::new("81729").unwrap());
        assert!(!format!("{source:?}").contains("81729"));
    }
}
