//! Our keys, named as each peer names its own.

use std::sync::Arc;

use adcp_signing_core::{Algorithm, InMemoryProvider, KeyPurpose, SigningProvider as _};
use serde_json::{Value, json};

pub(crate) struct Keys(Vec<Arc<InMemoryProvider>>);

impl Keys {
    pub(crate) fn generate() -> Self {
        let make = |kid: &str, algorithm, purpose: &KeyPurpose| {
            let key = InMemoryProvider::generate(algorithm, purpose.clone()).unwrap();
            Arc::new(key.with_key_id(kid))
        };
        let mut keys = vec![make("unpublished", Algorithm::Ed25519, &KeyPurpose::RequestSigning)];
        for purpose in [KeyPurpose::RequestSigning, KeyPurpose::WebhookSigning] {
            for algorithm in [Algorithm::Ed25519, Algorithm::EcdsaP256Sha256] {
                let kid = format!("{}-{}", purpose.as_str(), algorithm.rfc9421_name());
                keys.push(make(&kid, algorithm, &purpose));
            }
        }
        Self(keys)
    }

    pub(crate) fn all(&self) -> &[Arc<InMemoryProvider>] {
        &self.0
    }

    /// What a peer is told of them: all but the one that it is not to know.
    pub(crate) fn jwks(&self) -> Value {
        let published = self.0.iter().filter(|key| key.identity().key_id() != "unpublished");
        let jwks: Vec<_> = published.map(|key| key.jwk()).collect();
        json!({ "keys": jwks })
    }
}
