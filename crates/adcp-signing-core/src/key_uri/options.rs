//! What every key URI and every configuration can say about its key, and how the key itself completes it.

use crate::{
    Algorithm, KeyPurpose, PublicKey,
    provider::{KeyIdentity, ProviderError, ProviderErrorKind, check_algorithm},
};

pub(crate) const ALGORITHMS: &str = "ed25519, ecdsa-p256-sha256, rsa-pss-sha512";
pub(crate) const PURPOSE_NAMES: &str =
    "request-signing, webhook-signing, response-signing, governance-signing, tmp-signing";
const PURPOSES: [KeyPurpose; 5] = [
    KeyPurpose::RequestSigning,
    KeyPurpose::WebhookSigning,
    KeyPurpose::ResponseSigning,
    KeyPurpose::GovernanceSigning,
    KeyPurpose::TmpSigning,
];

/// What every key URI can say about its key.
///
/// A backend that signs with what these leave open asks its service once, when it connects:
///
/// ```
/// use adcp_signing_core::{
///     PublicKey,
///     key_uri::KeyOptions,
///     provider::{KeyIdentity, ProviderError},
/// };
///
/// struct Backend {
///     identity: KeyIdentity,
///     found: Option<PublicKey>,
/// }
///
/// async fn connect(options: &KeyOptions) -> Result<Backend, ProviderError> {
///     if !options.is_open() {
///         return Ok(Backend { identity: options.identity()?, found: None });
///     }
///     let key = ask_the_service().await?;
///     Ok(Backend { identity: options.identity_of(&key)?, found: Some(key) })
/// }
/// # async fn ask_the_service() -> Result<PublicKey, ProviderError> { unimplemented!() }
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

    /// Whether the algorithm or the `keyid` is left open, so that the service has to be asked for the key.
    pub fn is_open(&self) -> bool {
        self.algorithm.is_none() || self.key_id.is_none()
    }

    /// What the key signs as, where that is stated in full.
    ///
    /// # Errors
    /// [`ProviderErrorKind::Configuration`] when these [leave something open](Self::is_open), or the `keyid` is empty.
    pub fn identity(&self) -> Result<KeyIdentity, ProviderError> {
        match (self.algorithm, &self.key_id) {
            (Some(algorithm), Some(key_id)) => KeyIdentity::new(key_id, algorithm, self.purpose.clone()),
            _ => Err(ProviderError::new(
                ProviderErrorKind::Configuration,
                "the algorithm (`alg`) and the key id (`kid`) are not both stated; state them, or connect, which asks for \
                 the key",
            )),
        }
    }

    /// What the key signs as, with what these leave open taken from the key itself: its algorithm, and as the `keyid` its
    /// RFC 7638 thumbprint.
    ///
    /// # Errors
    /// [`ProviderErrorKind::AlgorithmMismatch`] when the key is for another algorithm than stated,
    /// [`ProviderErrorKind::Configuration`] when the `keyid` is empty.
    pub fn identity_of(&self, key: &PublicKey) -> Result<KeyIdentity, ProviderError> {
        check_algorithm(key.algorithm(), self.algorithm)?;
        let key_id = self.key_id.clone().unwrap_or_else(|| key.thumbprint());
        KeyIdentity::new(key_id, key.algorithm(), self.purpose.clone())
    }

    /// The members to write back, for [`write_query`](super::write_query). The default purpose is left out.
    pub fn members(&self) -> [(&'static str, Option<&str>); 3] {
        let purpose = Some(self.purpose.as_str()).filter(|_| self.purpose != KeyPurpose::RequestSigning);
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

/// The purpose of this name, which must be a known one: a misspelt purpose would make a key that no verifier accepts.
pub(crate) fn known_purpose(name: &str) -> Option<KeyPurpose> {
    PURPOSES.into_iter().find(|purpose| purpose.as_str() == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::InMemoryProvider;

    fn options(algorithm: Option<Algorithm>, key_id: Option<&str>) -> KeyOptions {
        KeyOptions {
            algorithm,
            key_id: key_id.map(str::to_owned),
            ..KeyOptions::new(KeyPurpose::WebhookSigning)
        }
    }

    #[test]
    fn what_is_left_open_is_taken_from_the_key_and_what_is_stated_holds() {
        let provider = InMemoryProvider::generate(Algorithm::Ed25519, KeyPurpose::RequestSigning).unwrap();
        let key = provider.verifying_key();
        let (ed25519, p256) = (Some(Algorithm::Ed25519), Some(Algorithm::EcdsaP256Sha256));
        let thumbprint = key.thumbprint();
        for (algorithm, key_id, open, stated, found) in [
            (None, None, true, Err(ProviderErrorKind::Configuration), Ok(thumbprint.as_str())),
            (ed25519, None, true, Err(ProviderErrorKind::Configuration), Ok(thumbprint.as_str())),
            (None, Some("k"), true, Err(ProviderErrorKind::Configuration), Ok("k")),
            (ed25519, Some("k"), false, Ok("k"), Ok("k")),
            (p256, Some("k"), false, Ok("k"), Err(ProviderErrorKind::AlgorithmMismatch)),
            (
                p256,
                None,
                true,
                Err(ProviderErrorKind::Configuration),
                Err(ProviderErrorKind::AlgorithmMismatch),
            ),
            (
                ed25519,
                Some(""),
                false,
                Err(ProviderErrorKind::Configuration),
                Err(ProviderErrorKind::Configuration),
            ),
        ] {
            let options = options(algorithm, key_id);
            let as_key_id = |identity: Result<KeyIdentity, ProviderError>| match identity {
                Ok(identity) => {
                    assert_eq!(Some(identity.algorithm()), algorithm.or(ed25519));
                    assert_eq!(identity.purpose(), &KeyPurpose::WebhookSigning);
                    Ok(identity.key_id().to_owned())
                }
                Err(error) => Err(error.kind()),
            };
            assert_eq!(options.is_open(), open, "{options:?}");
            assert_eq!(as_key_id(options.identity()), stated.map(str::to_owned), "{options:?}");
            assert_eq!(as_key_id(options.identity_of(key)), found.map(str::to_owned), "{options:?}");
        }
    }

    #[test]
    fn every_purpose_is_in_the_hint() {
        assert_eq!(PURPOSES.map(|purpose| purpose.as_str().to_owned()).join(", "), PURPOSE_NAMES);
        assert_eq!(Algorithm::ALL.map(Algorithm::rfc9421_name).join(", "), ALGORITHMS);
    }
}
