//! What can go wrong at a key service, in terms that hold for every service.

use std::{borrow::Cow, error::Error as StdError, fmt, sync::Arc, time::Duration};

/// Why a provider could not sign or hand out its public key.
///
/// The message says what to do and holds no secret, token or full resource name; the cause is
/// chained as the source. A clone shares the cause: whoever waited for one call gets it whole.
#[derive(Clone)]
pub struct ProviderError {
    kind: ProviderErrorKind,
    message: Cow<'static, str>,
    retry_after: Option<Duration>,
    source: Option<Arc<dyn StdError + Send + Sync + 'static>>,
}

/// The class of a [`ProviderError`], the same for every backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ProviderErrorKind {
    /// The credentials are not allowed to use the key.
    AccessDenied,
    /// The service has no such key or key version.
    KeyNotFound,
    /// The key exists but is disabled, scheduled for deletion, destroyed or not ready.
    KeyDisabled,
    /// The key cannot sign with the declared algorithm.
    AlgorithmMismatch,
    /// The service's public key, key type or key version is not the pinned one.
    PublicKeyMismatch,
    /// The message is longer than the service can sign.
    MessageTooLarge,
    /// The service, or a limit of ours, turned the call away for its rate.
    Throttled,
    /// No answer within the time allowed.
    Timeout,
    /// The service could not be reached or failed.
    Unavailable,
    /// The answer cannot be right: a failed checksum, a signature that does not verify, a malformed
    /// reply.
    InvalidResponse,
    /// The provider is set up wrong; no call can succeed.
    Configuration,
}

impl ProviderErrorKind {
    /// Every kind, in a fixed order.
    pub const ALL: [Self; 11] = [
        Self::AccessDenied,
        Self::KeyNotFound,
        Self::KeyDisabled,
        Self::AlgorithmMismatch,
        Self::PublicKeyMismatch,
        Self::MessageTooLarge,
        Self::Throttled,
        Self::Timeout,
        Self::Unavailable,
        Self::InvalidResponse,
        Self::Configuration,
    ];

    /// A stable name for logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccessDenied => "access_denied",
            Self::KeyNotFound => "key_not_found",
            Self::KeyDisabled => "key_disabled",
            Self::AlgorithmMismatch => "algorithm_mismatch",
            Self::PublicKeyMismatch => "public_key_mismatch",
            Self::MessageTooLarge => "message_too_large",
            Self::Throttled => "throttled",
            Self::Timeout => "timeout",
            Self::Unavailable => "unavailable",
            Self::InvalidResponse => "invalid_response",
            Self::Configuration => "configuration",
        }
    }

    /// Whether the same call may succeed later with nothing changed.
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::Throttled | Self::Timeout | Self::Unavailable)
    }
}

impl fmt::Display for ProviderErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl ProviderError {
    /// An error of this kind. The message says what was wrong and what to do; it must hold no
    /// secret, token or full resource name.
    pub fn new(kind: ProviderErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, message: message.into(), retry_after: None, source: None }
    }

    /// Chains the cause. The cause's own texts must hold no secret either.
    #[must_use]
    pub fn with_source(
        mut self,
        source: impl Into<Box<dyn StdError + Send + Sync + 'static>>,
    ) -> Self {
        self.source = Some(Arc::from(source.into()));
        self
    }

    /// Records how long the service asked callers to wait.
    #[must_use]
    pub fn with_retry_after(mut self, retry_after: Duration) -> Self {
        self.retry_after = Some(retry_after);
        self
    }

    /// The class of the error.
    pub fn kind(&self) -> ProviderErrorKind {
        self.kind
    }

    /// Whether the same call may succeed later with nothing changed.
    pub fn is_retryable(&self) -> bool {
        self.kind.is_retryable()
    }

    /// How long the service asked callers to wait, where it said so.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

impl fmt::Display for ProviderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.message)
    }
}

impl fmt::Debug for ProviderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderError")
            .field("kind", &self.kind)
            .field("message", &self.message)
            .field("retry_after", &self.retry_after)
            .field("source", &self.source.as_ref().map(ToString::to_string))
            .finish()
    }
}

impl StdError for ProviderError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str =
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operations.md"));

    /// An operator looks up what a kind asks for.
    #[test]
    fn every_kind_is_documented_with_whether_it_is_retried() {
        let documented: Vec<_> = PAGE
            .lines()
            .skip_while(|line| !line.starts_with("| kind | retried |"))
            .skip(2)
            .take_while(|line| line.starts_with("| "))
            .map(|row| {
                let mut cells = row.trim_matches('|').split('|').map(str::trim);
                (cells.next().unwrap().trim_matches('`'), cells.next().unwrap())
            })
            .collect();
        let kinds = ProviderErrorKind::ALL
            .map(|kind| (kind.as_str(), if kind.is_retryable() { "yes" } else { "no" }));
        assert_eq!(documented, kinds);
        // And alarms on signatures ask for outcomes that there are.
        let asked = PAGE.split("adcp_signing_sign_total{outcome").skip(1).filter_map(|rest| {
            let rest = rest.strip_prefix("=~\"").or_else(|| rest.strip_prefix("!~\""))?;
            rest.split('"').next()
        });
        let asked: Vec<_> = asked.flat_map(|outcomes| outcomes.split('|')).collect();
        assert!(asked.len() > 5, "{asked:?}");
        for outcome in asked {
            let is_kind = kinds.iter().any(|(kind, _)| *kind == outcome);
            assert!(is_kind || ["ok", "cancelled"].contains(&outcome), "{outcome}");
        }
    }
}
