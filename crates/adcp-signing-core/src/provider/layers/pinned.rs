//! A wrapper that refuses to sign with any key but the pinned one.

use std::sync::OnceLock;

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};

use crate::{
    keys::{
        KeyError, PublicKey,
        jwk::{Jwk, JwkError},
    },
    provider::{
        Capability, KeyIdentity, KeyVersion, ProviderError, ProviderErrorKind, Signed,
        SigningProvider, check_algorithm, toolkit::FetchOnce,
    },
};

/// Holds a provider to one public key: the tripwire against an alias that moved, a key that was
/// replaced, or a configuration that names the wrong one.
///
/// Nothing is fetched until the first use. The first `sign` or `public_key` fetches the service's
/// public key (once for all callers that arrive meanwhile), compares its type with the declared
/// algorithm ([`AlgorithmMismatch`](ProviderErrorKind::AlgorithmMismatch)) and the key with the
/// [`Pin`] ([`PublicKeyMismatch`](ProviderErrorKind::PublicKeyMismatch)). A success is kept for the
/// provider's life, and `public_key` is answered from it; a failure is not, so a service that was
/// down is asked again.
///
/// Every signature is then held to one key version. That is the pin's own, where it has one: then a
/// signature whose version the service does not report is refused as well. Otherwise it is the
/// first version reported with a signature that verifies under the pinned key. So an alias that
/// moved never signs under a stale `keyid`. A service that never reports versions leaves this check
/// nothing to compare: add [`SelfChecking`](super::SelfChecking) around it.
///
/// ```
/// use adcp_signing_core::provider::{layers::{Pin, Pinned, SigningProviderExt as _}, SigningProvider};
///
/// fn tripwire<P: SigningProvider>(kms: P, spki_sha256: [u8; 32]) -> Pinned<P> {
///     kms.pinned(Pin::spki_sha256(spki_sha256))
/// }
/// ```
#[derive(Debug)]
pub struct Pinned<P> {
    inner: P,
    pin: PinnedKey,
    key: FetchOnce<PublicKey>,
    version: OnceLock<KeyVersion>,
    version_is_given: bool,
}

/// The key, and where known the key version, that [`Pinned`] holds a provider to.
#[derive(Debug, Clone)]
pub struct Pin {
    key: PinnedKey,
    version: Option<KeyVersion>,
}

#[derive(Debug, Clone)]
enum PinnedKey {
    Key(PublicKey),
    SpkiSha256([u8; 32]),
}

impl Pin {
    /// Pins this key.
    pub fn public_key(key: PublicKey) -> Self {
        Self { key: PinnedKey::Key(key), version: None }
    }

    /// Pins the key with this DER `SubjectPublicKeyInfo` (RFC 5280 §4.1).
    ///
    /// # Errors
    /// A [`KeyError`] when the bytes are not a public key that this crate can verify with.
    pub fn spki_der(der: &[u8]) -> Result<Self, KeyError> {
        PublicKey::from_spki_der(der).map(Self::public_key)
    }

    /// Pins the key of a JWK (RFC 7517).
    ///
    /// # Errors
    /// A [`JwkError`] when the JWK holds no public key that this crate can verify with.
    pub fn jwk(jwk: &Jwk) -> Result<Self, JwkError> {
        jwk.public_key().map(Self::public_key)
    }

    /// Pins the key whose DER `SubjectPublicKeyInfo`, as [`PublicKey::to_spki_der`] writes it, has
    /// this SHA-256.
    pub const fn spki_sha256(hash: [u8; 32]) -> Self {
        Self { key: PinnedKey::SpkiSha256(hash), version: None }
    }

    /// Pins the key version too. Without this, the first that a good signature is reported to be
    /// made with is pinned.
    #[must_use]
    pub fn with_key_version(mut self, version: KeyVersion) -> Self {
        self.version = Some(version);
        self
    }
}

impl From<PublicKey> for Pin {
    fn from(key: PublicKey) -> Self {
        Self::public_key(key)
    }
}

impl PinnedKey {
    fn matches(&self, key: &PublicKey) -> bool {
        match self {
            Self::Key(pinned) => pinned == key,
            Self::SpkiSha256(hash) => Sha256::digest(key.to_spki_der()).as_slice() == hash,
        }
    }
}

impl<P: SigningProvider> Pinned<P> {
    /// Holds `inner` to `pin`. Calls no service.
    pub fn new(inner: P, pin: impl Into<Pin>) -> Self {
        let Pin { key: pin, version } = pin.into();
        let version_is_given = version.is_some();
        let version = version.map_or_else(OnceLock::new, OnceLock::from);
        Self { inner, pin, key: FetchOnce::new(), version, version_is_given }
    }

    async fn confirmed_key(&self) -> Result<&PublicKey, ProviderError> {
        let fetch = || async {
            let key = self.inner.public_key().await?;
            check_algorithm(key.algorithm(), Some(self.inner.algorithm()))?;
            if !self.pin.matches(&key) {
                return Err(mismatch(
                    "the service's public key is not the pinned one; find out which of the two is right before \
                     changing the pin",
                ));
            }
            Ok(key)
        };
        self.key.get_or_fetch(fetch).await
    }

    fn check_version(
        &self,
        key: &PublicKey,
        message: &[u8],
        signed: &Signed,
    ) -> Result<(), ProviderError> {
        let Some(reported) = &signed.key_version else {
            return match self.version.get() {
                Some(_) if self.version_is_given => Err(mismatch(
                    "the service did not say which key version it used, and one is pinned",
                )),
                Some(_) => Err(mismatch("the service stopped saying which key version it uses")),
                None => Ok(()),
            };
        };
        let pinned = match self.version.get() {
            Some(pinned) => pinned,
            None => {
                key.verify(message, &signed.signature).map_err(|_| {
                    mismatch("the first signature is not by the pinned key; has the key moved?")
                })?;
                self.version.get_or_init(|| reported.clone())
            }
        };
        if pinned == reported {
            Ok(())
        } else {
            Err(mismatch(
                "the service signed with another version of the key than the pinned one; has an alias moved?",
            ))
        }
    }
}

fn mismatch(message: &'static str) -> ProviderError {
    ProviderError::new(ProviderErrorKind::PublicKeyMismatch, message)
}

#[async_trait]
impl<P: SigningProvider> SigningProvider for Pinned<P> {
    fn identity(&self) -> &KeyIdentity {
        self.inner.identity()
    }

    fn capability(&self) -> Capability {
        self.inner.capability()
    }

    async fn public_key(&self) -> Result<PublicKey, ProviderError> {
        self.confirmed_key().await.cloned()
    }

    async fn sign(&self, message: &[u8]) -> Result<Signed, ProviderError> {
        let key = self.confirmed_key().await?;
        let signed = self.inner.sign(message).await?;
        self.check_version(key, message, &signed)?;
        Ok(signed)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt as _, poll};

    use super::*;
    use crate::{
        keys::Algorithm,
        provider::{
            layers::SigningProviderExt as _,
            scripted::{Scripted, Step},
        },
    };

    fn pinned(kms: &Scripted) -> Pinned<Scripted> {
        kms.clone().pinned(kms.true_public_key())
    }

    async fn kind_of(
        call: impl Future<Output = Result<Signed, ProviderError>>,
    ) -> ProviderErrorKind {
        call.await.unwrap_err().kind()
    }

    #[tokio::test]
    async fn every_form_of_pin_admits_its_key_and_no_other() {
        let kms = Scripted::new("k");
        let other = Scripted::new("k");
        let pins = |key: &PublicKey| {
            let spki = key.to_spki_der();
            let hash: [u8; 32] = Sha256::digest(&spki).into();
            [Pin::public_key(key.clone()), Pin::spki_der(&spki).unwrap(), Pin::spki_sha256(hash)]
        };
        for pin in pins(&kms.true_public_key()) {
            let pinned = kms.clone().pinned(pin.clone());
            assert!(pinned.sign(b"base").await.is_ok(), "{pin:?}");
            assert_eq!(pinned.public_key().await.unwrap(), kms.true_public_key());
        }
        for pin in pins(&other.true_public_key()) {
            let pinned = kms.clone().pinned(pin.clone());
            assert_eq!(
                kind_of(pinned.sign(b"base")).await,
                ProviderErrorKind::PublicKeyMismatch,
                "{pin:?}"
            );
            assert_eq!(
                pinned.public_key().await.unwrap_err().kind(),
                ProviderErrorKind::PublicKeyMismatch
            );
        }
    }

    #[tokio::test]
    async fn nothing_is_signed_before_the_key_is_confirmed() {
        let kms = Scripted::new("k").on_public_key([Step::Forge]);
        let pinned = pinned(&kms);
        assert_eq!(kms.public_key_calls(), 0, "lazy");
        assert_eq!(kind_of(pinned.sign(b"base")).await, ProviderErrorKind::PublicKeyMismatch);
        assert_eq!(kms.sign_calls(), 0);
    }

    #[tokio::test]
    async fn a_key_of_another_type_than_declared_is_an_algorithm_mismatch() {
        let kms = Scripted::new("k").with_algorithm(Algorithm::EcdsaP256Sha256);
        let pinned = pinned(&kms);
        assert_eq!(kind_of(pinned.sign(b"base")).await, ProviderErrorKind::AlgorithmMismatch);
    }

    #[tokio::test]
    async fn success_is_kept_and_failure_is_not() {
        let kms = Scripted::new("k").on_public_key([Step::Fail(ProviderErrorKind::Unavailable)]);
        let pinned = pinned(&kms);
        assert_eq!(kind_of(pinned.sign(b"base")).await, ProviderErrorKind::Unavailable);
        for _ in 0..3 {
            assert!(pinned.sign(b"base").await.is_ok());
            assert!(pinned.public_key().await.is_ok());
        }
        assert_eq!(kms.public_key_calls(), 2);
    }

    #[tokio::test]
    async fn concurrent_first_calls_share_one_fetch_even_when_the_first_is_dropped() {
        let (_never, gate) = Step::gated(Step::Answer);
        let kms = Scripted::new("k").on_public_key([gate]);
        let pinned = pinned(&kms);
        let [mut first, mut second, mut third] = [(); 3].map(|()| pinned.sign(b"base"));
        assert!(poll!(&mut first).is_pending());
        assert!(poll!(&mut second).is_pending());
        assert!(poll!(&mut third).is_pending());
        assert_eq!(kms.public_key_calls(), 1);
        drop(first);
        assert!(second.now_or_never().unwrap().is_ok());
        assert!(third.now_or_never().unwrap().is_ok());
        assert_eq!(kms.public_key_calls(), 2);
        assert_eq!(kms.under_way(), 0);
    }

    #[tokio::test]
    async fn the_key_version_is_held_to() {
        use Step::{Answer, ForgeVersion, Version};
        const OK: Option<ProviderErrorKind> = None;
        const MISMATCH: Option<ProviderErrorKind> = Some(ProviderErrorKind::PublicKeyMismatch);
        /// The pinned version; what the service reports signature by signature; what comes of it.
        type Case<'a> = (Option<&'a str>, Vec<Step>, &'a [Option<ProviderErrorKind>]);
        let cases: [Case<'_>; 6] = [
            (Some("1"), vec![Version("1"), Version("2"), Version("1")], &[OK, MISMATCH, OK]),
            (Some("1"), vec![Answer], &[MISMATCH]),
            (
                None,
                vec![Version("7"), Version("8"), Version("7"), Answer],
                &[OK, MISMATCH, OK, MISMATCH],
            ),
            (None, vec![Answer, Answer, Version("7"), Version("8")], &[OK, OK, OK, MISMATCH]),
            (None, vec![ForgeVersion("8"), Version("7"), Version("8")], &[MISMATCH, OK, MISMATCH]),
            (None, vec![Answer, Answer], &[OK, OK]),
        ];
        for (version, steps, expected) in cases {
            let label = format!("{version:?} {steps:?}");
            let kms = Scripted::new("k").on_sign(steps);
            let mut pin = Pin::public_key(kms.true_public_key());
            if let Some(version) = version {
                pin = pin.with_key_version(KeyVersion::new(version));
            }
            let pinned = kms.pinned(pin);
            for expected in expected {
                let kind = pinned.sign(b"base").await.err().map(|error| error.kind());
                assert_eq!(kind, *expected, "{label}");
            }
        }
    }
}
