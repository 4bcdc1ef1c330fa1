//! What every key URI and every configuration can say about its key, and how the key itself
//! completes it.

use std::borrow::Borrow;

use crate::{
    keys::{Algorithm, KeyPurpose, KeyRef, PublicKey},
    provider::{KeyIdentity, ProviderError, ProviderErrorKind, check_algorithm},
};

pub(crate) const ALGORITHMS: &str =
    "ed25519 (EdDSA), ecdsa-p256-sha256 (ES256), rsa-pss-sha512 (PS512)";

/// What every key URI and every configuration can state about its key.
///
/// ```
/// use adcp_signing_core::{Algorithm, KeyPurpose, provider::toolkit::KeyOptions};
///
/// let options = KeyOptions::new(KeyPurpose::WebhookSigning)
///     .with_algorithm(Algorithm::Ed25519)
///     .with_key_id("buyer-2026");
/// assert_eq!(options.key_id.as_deref(), Some("buyer-2026"));
/// ```
///
/// A backend that signs with what these leave open asks its service once, when it connects:
///
/// ```
/// use adcp_signing_core::{provider::{toolkit::{FetchOnce, KeyOptions}, KeyIdentity, ProviderError}, KeyRef, PublicKey};
///
/// struct Backend {
///     identity: KeyIdentity,
///     key: FetchOnce<PublicKey>,
/// }
///
/// async fn connect(slot: &str, options: &KeyOptions) -> Result<Backend, ProviderError> {
///     let key = FetchOnce::new();
///     let ask = || key.get_or_fetch(|| ask_the_service(slot));
///     let identity = options.identity_or_ask(KeyRef::new("my-hsm", slot), ask).await?;
///     Ok(Backend { identity, key })
/// }
/// # async fn ask_the_service(_: &str) -> Result<PublicKey, ProviderError> { unimplemented!() }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyOptions {
    /// `alg`: the algorithm that the key is for.
    pub algorithm: Option<Algorithm>,
    /// `kid`: the `keyid` to sign with. Without it that is the RFC 7638 thumbprint.
    pub key_id: Option<String>,
    /// `purpose`: what the key is published for; `request-signing` unless the URI says otherwise.
    pub purpose: KeyPurpose,
}

impl KeyOptions {
    /// A key published for `purpose`, its algorithm and `keyid` left open.
    pub fn new(purpose: KeyPurpose) -> Self {
        Self { algorithm: None, key_id: None, purpose }
    }

    /// Sets the algorithm that the key is for: a key of another one is refused. Without it the
    /// service is asked when the provider connects.
    #[must_use]
    pub fn with_algorithm(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = Some(algorithm);
        self
    }

    /// Sets the `keyid` to sign with, the `kid` of the published JWK. Without it, it is the RFC
    /// 7638 thumbprint of the key that the service has when the provider connects.
    ///
    /// Where the key is named without its version, or by an alias, a provider that is built after a
    /// rotation signs with the next key under the same `keyid`: name the version, or pin the
    /// published key.
    #[must_use]
    pub fn with_key_id(mut self, key_id: impl Into<String>) -> Self {
        self.key_id = Some(key_id.into());
        self
    }

    /// Who the key of this reference is, where that is stated in full.
    ///
    /// # Errors
    /// [`ProviderErrorKind::Configuration`] when the algorithm or the `keyid` is left open, or the `keyid` is empty.
    pub fn identity(&self, key_ref: KeyRef) -> Result<KeyIdentity, ProviderError> {
        match (self.algorithm, &self.key_id) {
            (Some(algorithm), Some(key_id)) => {
                KeyIdentity::new(key_ref, key_id, algorithm, self.purpose.clone())
            }
            _ => Err(ProviderError::new(
                ProviderErrorKind::Configuration,
                "the algorithm (`alg`) and the key id (`kid`) are not both stated; state them, or connect, which asks for \
                 the key",
            )),
        }
    }

    /// Who the key of this reference is, with what these leave open taken from the key itself:
    /// its algorithm, and as the `keyid` its RFC 7638 thumbprint. The service is asked for the key
    /// by `ask`, and only where something is open.
    ///
    /// # Errors
    /// What `ask` fails with; [`ProviderErrorKind::AlgorithmMismatch`] when the key is for another
    /// algorithm than stated; [`ProviderErrorKind::Configuration`] when the `keyid` is empty.
    pub async fn identity_or_ask<K, F>(
        &self,
        key_ref: KeyRef,
        ask: impl FnOnce() -> F,
    ) -> Result<KeyIdentity, ProviderError>
    where
        K: Borrow<PublicKey>,
        F: Future<Output = Result<K, ProviderError>>,
    {
        if self.algorithm.is_some() && self.key_id.is_some() {
            return self.identity(key_ref);
        }
        // Boxed: rustc bounds how deep futures nest, and the callers of a service's client should
        // not come near it.
        let answer = Box::pin(ask()).await?;
        let key = answer.borrow();
        check_algorithm(key.algorithm(), self.algorithm)?;
        let key_id = self.key_id.clone().unwrap_or_else(|| key.thumbprint());
        KeyIdentity::new(key_ref, key_id, key.algorithm(), self.purpose.clone())
    }

    /// The members to write back, for [`write_query`](super::write_query). The default purpose is
    /// left out.
    pub fn members(&self) -> [(&'static str, Option<&str>); 3] {
        let purpose =
            Some(self.purpose.as_str()).filter(|_| self.purpose != KeyPurpose::RequestSigning);
        [
            ("alg", self.algorithm.map(Algorithm::rfc9421_name)),
            ("kid", self.key_id.as_deref()),
            ("purpose", purpose),
        ]
    }
}

impl Default for KeyOptions {
    fn default() -> Self {
        Self::new(KeyPurpose::RequestSigning)
    }
}

impl From<KeyPurpose> for KeyOptions {
    fn from(purpose: KeyPurpose) -> Self {
        Self::new(purpose)
    }
}

#[cfg(test)]
mod tests {
    use std::future;

    use super::*;
    use crate::provider::InMemoryProvider;

    fn options(algorithm: Option<Algorithm>, key_id: Option<&str>) -> KeyOptions {
        KeyOptions {
            algorithm,
            key_id: key_id.map(str::to_owned),
            ..KeyOptions::new(KeyPurpose::WebhookSigning)
        }
    }

    #[tokio::test]
    async fn what_is_left_open_is_taken_from_the_key_and_what_is_stated_holds() {
        use ProviderErrorKind::{AlgorithmMismatch, Configuration};
        let provider =
            InMemoryProvider::generate(Algorithm::Ed25519, KeyPurpose::RequestSigning).unwrap();
        let key = provider.verifying_key();
        let (ed25519, p256) = (Some(Algorithm::Ed25519), Some(Algorithm::EcdsaP256Sha256));
        let (thumbprint, key_ref) = (key.thumbprint(), KeyRef::new("test", "a key"));
        for (algorithm, key_id, stated, is_asked, found) in [
            (None, None, Err(Configuration), true, Ok(thumbprint.as_str())),
            (ed25519, None, Err(Configuration), true, Ok(thumbprint.as_str())),
            (None, Some("k"), Err(Configuration), true, Ok("k")),
            (ed25519, Some("k"), Ok("k"), false, Ok("k")),
            (p256, Some("k"), Ok("k"), false, Ok("k")),
            (p256, None, Err(Configuration), true, Err(AlgorithmMismatch)),
            (ed25519, Some(""), Err(Configuration), false, Err(Configuration)),
            (None, Some(""), Err(Configuration), true, Err(Configuration)),
        ] {
            let options = options(algorithm, key_id);
            let as_key_id = |identity: Result<KeyIdentity, ProviderError>| match identity {
                Ok(identity) => {
                    assert_eq!(Some(identity.algorithm()), algorithm.or(ed25519));
                    assert_eq!(identity.purpose(), &KeyPurpose::WebhookSigning);
                    assert_eq!(identity.key_ref(), &key_ref);
                    Ok(identity.key_id().to_owned())
                }
                Err(error) => Err(error.kind()),
            };
            let identity = options.identity(key_ref.clone());
            assert_eq!(as_key_id(identity), stated.map(str::to_owned), "{options:?}");
            let mut asked = false;
            let ask = || {
                asked = true;
                future::ready(Ok(key))
            };
            let identity = options.identity_or_ask(key_ref.clone(), ask).await;
            assert_eq!(as_key_id(identity), found.map(str::to_owned), "{options:?}");
            assert_eq!(asked, is_asked, "{options:?}");
        }
    }

    #[tokio::test]
    async fn a_service_that_does_not_answer_is_the_error() {
        let down = || {
            future::ready(Err::<PublicKey, _>(ProviderError::new(
                ProviderErrorKind::Unavailable,
                "down",
            )))
        };
        let identity =
            KeyOptions::default().identity_or_ask(KeyRef::new("test", "a key"), down).await;
        assert_eq!(identity.unwrap_err().kind(), ProviderErrorKind::Unavailable);
    }

    #[test]
    fn every_algorithm_is_in_the_hint() {
        let names = Algorithm::ALL
            .map(|algorithm| format!("{} ({})", algorithm.rfc9421_name(), algorithm.jose_name()));
        assert_eq!(names.join(", "), ALGORITHMS);
    }
}
