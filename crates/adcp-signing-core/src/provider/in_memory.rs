//! A signing provider whose private key is in this process' memory: for development and tests.

use std::{fmt, sync::Arc};

use async_trait::async_trait;

use super::{
    Capability, Custody, KeyIdentity, ProviderError, ProviderErrorKind, Signed, SigningProvider,
};
use crate::keys::{
    Algorithm, KeyError, KeyPurpose, KeyRef, PublicKey, Signature,
    crypto::{GenerateError, SigningKey},
    jwk::{AdcpUse, Jwk, JwkError, PrivateJwk},
    pem::{self, Wanted},
};

const BACKEND: &str = "in-memory";

/// A [`SigningProvider`] over a key in this process' memory, wiped when dropped.
///
/// Production keys belong in a key service; this says so in its
/// [`capability`](SigningProvider::capability) ([`Custody::InProcess`]). The key id is the RFC 7638
/// thumbprint unless the key or the caller names one.
///
/// ```
/// use adcp_signing_core::{Algorithm, KeyPurpose, provider::InMemoryProvider};
///
/// let provider = InMemoryProvider::generate(Algorithm::Ed25519, KeyPurpose::RequestSigning)?.with_key_id("dev-1");
/// let signature = provider.sign_now(b"signature base")?;
/// provider.jwk().public_key()?.verify(b"signature base", &signature)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct InMemoryProvider {
    identity: KeyIdentity,
    key: Arc<SigningKey>,
    public_key: PublicKey,
}

impl InMemoryProvider {
    /// A fresh key from the operating system's generator. RSA keys have 3072 bits.
    ///
    /// # Errors
    /// [`ProviderErrorKind::Unavailable`] when there is no entropy; [`ProviderErrorKind::Configuration`] for RSA without
    /// the feature `aws-lc-rs`.
    pub fn generate(algorithm: Algorithm, purpose: KeyPurpose) -> Result<Self, ProviderError> {
        let key = SigningKey::generate(algorithm).map_err(|error| match error {
            GenerateError::Unsupported(error) => refused(error),
            GenerateError::Primitive(error) => {
                ProviderError::new(ProviderErrorKind::Unavailable, "no key could be generated")
                    .with_source(error)
            }
        })?;
        Self::from_key(key, purpose)
    }

    /// The key of a private JWK; its purpose is the member `adcp_use`.
    ///
    /// # Errors
    /// [`ProviderErrorKind::Configuration`] when `adcp_use` is absent: name the purpose with
    /// [`from_jwk_for`](Self::from_jwk_for).
    pub fn from_jwk(jwk: PrivateJwk) -> Result<Self, ProviderError> {
        let AdcpUse::Purpose(purpose) = jwk.adcp_use().clone() else {
            return Err(configuration(
                "the private JWK does not say what it is for; add `adcp_use`, or name the purpose",
            ));
        };
        Self::from_checked_jwk(jwk, purpose)
    }

    /// The key of a private JWK, for a purpose that the caller names.
    ///
    /// # Errors
    /// [`ProviderErrorKind::Configuration`] when the JWK names another purpose.
    pub fn from_jwk_for(jwk: PrivateJwk, purpose: KeyPurpose) -> Result<Self, ProviderError> {
        match jwk.adcp_use() {
            AdcpUse::Purpose(own) if *own != purpose => Err(configuration(format!(
                "the private JWK is for `{}`, not for `{purpose}` (`adcp_use`); a key has one purpose",
                own.as_str().escape_debug()
            ))),
            _ => Self::from_checked_jwk(jwk, purpose),
        }
    }

    /// The key of a private JWK in JSON; its purpose is the member `adcp_use`.
    ///
    /// # Errors
    /// [`ProviderErrorKind::Configuration`], with a [`JwkError`] as the source when the JWK is refused.
    pub fn from_jwk_json(json: &[u8]) -> Result<Self, ProviderError> {
        PrivateJwk::parse(json).map_err(refused_jwk).and_then(Self::from_jwk)
    }

    /// The key of an unencrypted DER `PrivateKeyInfo` (RFC 5208, RFC 5958): Ed25519 (RFC 8410), EC
    /// P-256 (RFC 5915) or two-prime RSA, the latter as `rsaEncryption` or as `id-RSASSA-PSS`
    /// without parameters.
    ///
    /// # Errors
    /// [`ProviderErrorKind::Configuration`], with a [`KeyError`] as the source when the key itself is refused.
    pub fn from_pkcs8_der(der: &[u8], purpose: KeyPurpose) -> Result<Self, ProviderError> {
        SigningKey::from_private_key_info(der)
            .map_err(refused)
            .and_then(|key| Self::from_key(key, purpose))
    }

    /// The PEM form of [`from_pkcs8_der`](Self::from_pkcs8_der): the only block with the label
    /// `PRIVATE KEY` (RFC 7468 §10). Other text and blocks with other labels may stand around it.
    ///
    /// # Errors
    /// As [`from_pkcs8_der`](Self::from_pkcs8_der); the source of a refused text is
    /// [`KeyError::Pem`], which says what to do about other labels.
    pub fn from_pkcs8_pem(text: &str, purpose: KeyPurpose) -> Result<Self, ProviderError> {
        let der =
            pem::decode_key(text, Wanted::PrivateKey).map_err(|error| refused(error.into()))?;
        Self::from_pkcs8_der(&der, purpose)
    }

    /// Sets the `keyid` to sign with, which is the `kid` of the published JWK.
    #[must_use]
    pub fn with_key_id(mut self, key_id: impl Into<String>) -> Self {
        self.identity = self.identity.with_key_id(key_id.into());
        self
    }

    /// Signs without waiting: what [`sign`](SigningProvider::sign) does. Ed25519 signatures are
    /// deterministic, ECDSA and PSS ones need not be.
    ///
    /// # Errors
    /// [`ProviderErrorKind::Unavailable`] when the cryptographic library fails, for want of entropy or memory.
    pub fn sign_now(&self, signature_base: &[u8]) -> Result<Signature, ProviderError> {
        let bytes = self.key.sign(signature_base).map_err(|error| {
            ProviderError::new(ProviderErrorKind::Unavailable, "the message could not be signed")
                .with_source(error)
        })?;
        Signature::from_raw(self.public_key.algorithm(), bytes.as_ref()).map_err(|error| {
            ProviderError::new(
                ProviderErrorKind::InvalidResponse,
                "the signature has a wrong length",
            )
            .with_source(error)
        })
    }

    /// The public half.
    pub fn verifying_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// The public JWK as it is to be published: `kid`, `alg`, `use` `sig`, `key_ops` `["verify"]`,
    /// `adcp_use`.
    pub fn jwk(&self) -> Jwk {
        self.public_key.to_jwk().with_kid(self.key_id()).published_for(self.purpose().clone())
    }

    /// The private JWK, `key_ops` `["sign"]`, for writing a new key down. Hands the secret out.
    pub fn to_private_jwk(&self) -> PrivateJwk {
        let public = self.jwk().with_key_ops(["sign"]);
        PrivateJwk::new(public, Arc::clone(&self.key), self.public_key.clone())
    }

    fn from_key(key: SigningKey, purpose: KeyPurpose) -> Result<Self, ProviderError> {
        let public_key = key.verify_key().and_then(PublicKey::new).map_err(refused)?;
        Self::assemble(Arc::new(key), public_key, purpose, None)
    }

    fn from_checked_jwk(jwk: PrivateJwk, purpose: KeyPurpose) -> Result<Self, ProviderError> {
        let (public, key, public_key) = jwk.into_parts();
        Self::assemble(key, public_key, purpose, public.kid().map(str::to_owned))
    }

    fn assemble(
        key: Arc<SigningKey>,
        public_key: PublicKey,
        purpose: KeyPurpose,
        kid: Option<String>,
    ) -> Result<Self, ProviderError> {
        let thumbprint = public_key.thumbprint();
        let key_ref = KeyRef::new(BACKEND, &thumbprint);
        let key_id = kid.unwrap_or(thumbprint);
        let identity = KeyIdentity::new(key_ref, key_id, public_key.algorithm(), purpose)?;
        Ok(Self { identity, key, public_key })
    }
}

#[async_trait]
impl SigningProvider for InMemoryProvider {
    fn identity(&self) -> &KeyIdentity {
        &self.identity
    }

    fn capability(&self) -> Capability {
        let algorithms: &[Algorithm] = if cfg!(feature = "aws-lc-rs") {
            &Algorithm::ALL
        } else {
            &[Algorithm::Ed25519, Algorithm::EcdsaP256Sha256]
        };
        Capability::new(Custody::InProcess, algorithms)
    }

    async fn public_key(&self) -> Result<PublicKey, ProviderError> {
        Ok(self.public_key.clone())
    }

    async fn sign(&self, signature_base: &[u8]) -> Result<Signed, ProviderError> {
        self.sign_now(signature_base).map(Signed::new)
    }
}

impl fmt::Debug for InMemoryProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InMemoryProvider")
            .field("key_id", &self.key_id())
            .field("purpose", &self.purpose())
            .field("public_key", &self.public_key)
            .finish_non_exhaustive()
    }
}

fn configuration(message: impl Into<std::borrow::Cow<'static, str>>) -> ProviderError {
    ProviderError::new(ProviderErrorKind::Configuration, message)
}

fn refused(error: KeyError) -> ProviderError {
    configuration("the key is refused").with_source(error)
}

fn refused_jwk(error: JwkError) -> ProviderError {
    configuration("the private JWK is refused").with_source(error)
}
