//! From a key URI to the provider that it names, by scheme.

use std::sync::Arc;

use adcp_signing_core::{
    ProviderError, SigningProvider,
    provider::{InProcessKeys, LocalKeyUri, LocalKeyUriError},
};

/// What a caller of [`provider_from_uri`] allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct UriOptions {
    /// Whether `file:` and `memory:` keys are taken. Refused by default.
    pub in_process_keys: InProcessKeys,
}

impl Default for UriOptions {
    fn default() -> Self {
        Self { in_process_keys: InProcessKeys::Refuse }
    }
}

impl UriOptions {
    /// Also takes keys that are held in this process: development and tests.
    #[must_use]
    pub fn allow_in_process_keys(mut self) -> Self {
        self.in_process_keys = InProcessKeys::Allow;
        self
    }
}

/// Why a key URI gives no provider.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyUriError {
    /// No part of this build knows the scheme.
    #[error("no key backend of this build knows the scheme of the key URI; there are file: and memory:")]
    UnknownScheme,
    /// A `file:` or `memory:` URI is malformed.
    #[error("the key URI is refused: {0}")]
    Local(#[from] LocalKeyUriError),
    /// The key could not be had.
    #[error(transparent)]
    Provider(#[from] ProviderError),
}

/// The provider of the key that a URI names.
///
/// # Errors
/// [`KeyUriError`]; a key in process memory is refused unless `options` allow it.
///
/// ```
/// use adcp_signing::{UriOptions, provider_from_uri};
///
/// let uri = "memory:?alg=ed25519&purpose=request-signing";
/// assert!(provider_from_uri(uri, UriOptions::default()).is_err());
/// let provider = provider_from_uri(uri, UriOptions::default().allow_in_process_keys())?;
/// # Ok::<(), adcp_signing::KeyUriError>(())
/// ```
pub fn provider_from_uri(uri: &str, options: UriOptions) -> Result<Arc<dyn SigningProvider>, KeyUriError> {
    if LocalKeyUri::has_scheme(uri) {
        let provider = uri.parse::<LocalKeyUri>()?.open(options.in_process_keys)?;
        return Ok(Arc::new(provider));
    }
    Err(KeyUriError::UnknownScheme)
}
