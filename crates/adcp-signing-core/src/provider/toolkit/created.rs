//! A key that a backend made in its service.

use crate::{
    keys::PublicKey,
    provider::{ProviderError, ProviderErrorKind},
};

/// A key that was made in its service just now.
///
/// `N` names this very key, its version included where the service has versions.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CreatedKey<N> {
    /// The key's name.
    pub name: N,
    /// Its public half.
    pub public_key: PublicKey,
}

impl<N> CreatedKey<N> {
    /// The key of this name and public half.
    pub fn new(name: N, public_key: PublicKey) -> Self {
        Self { name, public_key }
    }

    /// The same key under another form of its name.
    pub fn map<M>(self, name: impl FnOnce(N) -> M) -> CreatedKey<M> {
        CreatedKey { name: name(self.name), public_key: self.public_key }
    }

    /// The refusal to make a key where there is one.
    pub fn exists() -> ProviderError {
        ProviderError::new(
            ProviderErrorKind::Configuration,
            "there is a key of this name already, and nothing was made; name another in the key URI, \
             or sign with this one",
        )
    }

    /// The refusal to make a key of an algorithm that AdCP requests and webhooks cannot be signed
    /// with.
    pub fn not_of_adcp() -> ProviderError {
        ProviderError::new(
            ProviderErrorKind::Configuration,
            "keys are made for ed25519 and ecdsa-p256-sha256 alone; write one of these after \
             `alg=` in the key URI",
        )
    }
}
