//! A layer around a key that notes which version of it the service says it signed with.

use std::sync::Arc;

use adcp_signing::{
    ProviderError, PublicKey, SigningProvider,
    provider::{Capability, KeyIdentity, Signed},
};
use async_trait::async_trait;
use parking_lot::Mutex;

/// The key version of the last signature, shared by the keys of one agent.
#[derive(Debug, Clone, Default)]
pub(crate) struct LastSignature(Arc<Mutex<Option<String>>>);

impl LastSignature {
    /// The version, as the service reported it.
    pub(crate) fn key_version(&self) -> String {
        self.0.lock().clone().unwrap_or_else(|| "unknown".to_owned())
    }
}

/// A key, and where its signatures are noted.
#[derive(Debug)]
pub(crate) struct Watched {
    key: Arc<dyn SigningProvider>,
    last: LastSignature,
}

impl Watched {
    pub(crate) fn new(key: Arc<dyn SigningProvider>, last: &LastSignature) -> Self {
        Self { key, last: last.clone() }
    }
}

#[async_trait]
impl SigningProvider for Watched {
    fn identity(&self) -> &KeyIdentity {
        self.key.identity()
    }

    fn capability(&self) -> Capability {
        self.key.capability()
    }

    async fn public_key(&self) -> Result<PublicKey, ProviderError> {
        self.key.public_key().await
    }

    async fn sign(&self, message: &[u8]) -> Result<Signed, ProviderError> {
        let signed = self.key.sign(message).await?;
        *self.last.0.lock() = signed.key_version.as_ref().map(|it| it.expose().to_owned());
        Ok(signed)
    }
}
