//! What single attempts fail with, below the layers that retry them.

use std::{collections::BTreeMap, error::Error, sync::Arc};

use adcp_signing_core::{
    ProviderError, PublicKey, SigningProvider,
    provider::{Capability, KeyIdentity, Signed},
};
use async_trait::async_trait;
use tokio::sync::watch;

/// The errors of attempts, with their causes, and how often each came.
pub type Failures = watch::Sender<BTreeMap<String, usize>>;

/// A backend whose failed attempts are counted.
#[derive(Debug)]
pub struct Watched<P> {
    /// The backend.
    pub inner: P,
    /// Where its failures are counted.
    pub failures: Arc<Failures>,
}

#[async_trait]
impl<P: SigningProvider> SigningProvider for Watched<P> {
    fn identity(&self) -> &KeyIdentity {
        self.inner.identity()
    }

    fn capability(&self) -> Capability {
        self.inner.capability()
    }

    async fn public_key(&self) -> Result<PublicKey, ProviderError> {
        self.counted(self.inner.public_key().await)
    }

    async fn sign(&self, message: &[u8]) -> Result<Signed, ProviderError> {
        self.counted(self.inner.sign(message).await)
    }
}

impl<P> Watched<P> {
    fn counted<T>(&self, outcome: Result<T, ProviderError>) -> Result<T, ProviderError> {
        outcome.inspect_err(|error| {
            let failure = with_causes(error);
            self.failures.send_modify(|failures| *failures.entry(failure).or_default() += 1);
        })
    }
}

/// An error, and all its causes.
pub fn with_causes(error: &dyn Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", with_causes(cause)),
        None => error.to_string(),
    }
}
