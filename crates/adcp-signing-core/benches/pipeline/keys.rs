//! The keys: one that signs at once, and pairs that each of those compared holds.

use std::sync::Arc;

use adcp_signing_core::{
    Algorithm, InMemoryProvider, KeyPurpose, KeyRef, ProviderError, PublicKey, Signature,
    SigningProvider,
    profile::{Profile, WireVersion},
    provider::{Capability, Custody, KeyIdentity, Signed},
    rfc9421::Request,
    sign::{SignedFields, Signer},
};
use async_trait::async_trait;
use aws_lc_rs::{
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, ParsedPublicKey,
    },
};
use ed25519_dalek::Signer as _;
use futures_util::FutureExt as _;
use httpsig::prelude::AlgorithmName;

use crate::peer::Peer;

pub(crate) const KEYID: &str = "buyer-signing-2026";

const SEED: [u8; 32] = [7; 32];
/// What precedes the seed in a DER `PrivateKeyInfo` (RFC 8410 §7).
const ED25519_PKCS8: [u8; 16] =
    *b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";

pub(crate) fn profile() -> Profile {
    Profile::request(WireVersion::V3_2)
}

/// A key that signs at once, with the same bytes every time.
#[derive(Debug)]
pub(crate) struct NullKey {
    identity: KeyIdentity,
    signature: Signature,
}

impl NullKey {
    pub(crate) fn new() -> Self {
        let key_ref = KeyRef::new("null", "null");
        let purpose = KeyPurpose::RequestSigning;
        Self {
            identity: KeyIdentity::new(key_ref, KEYID, Algorithm::Ed25519, purpose)
                .expect("a key id"),
            signature: Signature::from_raw(Algorithm::Ed25519, &[7; 64]).expect("64 bytes"),
        }
    }
}

#[async_trait]
impl SigningProvider for NullKey {
    fn identity(&self) -> &KeyIdentity {
        &self.identity
    }

    fn capability(&self) -> Capability {
        Capability::new(Custody::InProcess, [Algorithm::Ed25519])
    }

    async fn public_key(&self) -> Result<PublicKey, ProviderError> {
        PublicKey::from_ed25519_bytes(
            ed25519_dalek::SigningKey::from_bytes(&SEED).verifying_key().as_bytes(),
        )
        .map_err(|_| {
            ProviderError::new(adcp_signing_core::ProviderErrorKind::InvalidResponse, "not a key")
        })
    }

    async fn sign(&self, _message: &[u8]) -> Result<Signed, ProviderError> {
        Ok(Signed::new(self.signature.clone()))
    }
}

/// One key pair, as this crate, as the bare primitive and as `httpsig` hold it.
pub(crate) struct Keys {
    pub(crate) provider: Arc<InMemoryProvider>,
    pub(crate) primitive: Primitive,
    pub(crate) peer: Peer,
}

pub(crate) enum Primitive {
    Ed25519 { signing: Box<ed25519_dalek::SigningKey>, verifying: Box<ed25519_dalek::VerifyingKey> },
    P256 { signing: EcdsaKeyPair, verifying: ParsedPublicKey },
}

impl Keys {
    pub(crate) fn ed25519() -> Self {
        let signing = ed25519_dalek::SigningKey::from_bytes(&SEED);
        let verifying = signing.verifying_key();
        let der = [ED25519_PKCS8.as_slice(), &SEED].concat();
        Self::new(
            &der,
            Primitive::Ed25519 { signing: Box::new(signing), verifying: Box::new(verifying) },
            AlgorithmName::Ed25519,
        )
    }

    pub(crate) fn p256() -> Self {
        let secret = p256::SecretKey::from_slice(&SEED).expect("in range");
        let der = p256::pkcs8::EncodePrivateKey::to_pkcs8_der(&secret).expect("a sound key");
        let signing = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.as_bytes())
            .expect("a sound key");
        let public = aws_lc_rs::signature::KeyPair::public_key(&signing);
        let verifying =
            ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public).expect("a sound key");
        Self::new(
            der.as_bytes(),
            Primitive::P256 { signing, verifying },
            AlgorithmName::EcdsaP256Sha256,
        )
    }

    fn new(pkcs8: &[u8], primitive: Primitive, peer: AlgorithmName) -> Self {
        let provider = InMemoryProvider::from_pkcs8_der(pkcs8, KeyPurpose::RequestSigning)
            .expect("a sound key");
        let provider = Arc::new(provider.with_key_id(KEYID));
        Self { provider, primitive, peer: Peer::new(peer, &SEED) }
    }

    pub(crate) fn signer(&self) -> Signer {
        Signer::new(profile(), self.provider.clone()).expect("a request-signing key")
    }
}

impl Primitive {
    pub(crate) fn sign(&self, base: &[u8]) -> [u8; 64] {
        match self {
            Self::Ed25519 { signing, .. } => signing.sign(base).to_bytes(),
            Self::P256 { signing, .. } => {
                let signature = signing.sign(&SystemRandom::new(), base).expect("entropy");
                signature.as_ref().try_into().expect("64 bytes")
            }
        }
    }

    // Small enough to be inlined, which from another module has to be asked for.
    #[inline]
    pub(crate) fn verify(&self, base: &[u8], signature: &[u8; 64]) -> bool {
        match self {
            Self::Ed25519 { verifying, .. } => verifying
                .verify_strict(base, &ed25519_dalek::Signature::from_bytes(signature))
                .is_ok(),
            Self::P256 { verifying, .. } => verifying.verify_sig(base, signature).is_ok(),
        }
    }
}

pub(crate) fn sign_once(signer: &Signer, request: &Request<'_>) -> SignedFields {
    signer.sign(request).now_or_never().expect("no key waits").expect("the request can be signed")
}
