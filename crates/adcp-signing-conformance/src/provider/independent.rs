//! The second opinion on a signature, by implementations that core does not verify with.

use adcp_signing_core::{Algorithm, PublicKey};
use p256::{ecdsa::signature::Verifier as _, pkcs8::DecodePublicKey as _};

/// What stands before the 32 bytes of an Ed25519 key in its `SubjectPublicKeyInfo` (RFC 8410 §4).
const ED25519_SPKI_PREFIX: [u8; 12] =
    [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Verifies the wire form of a signature.
///
/// # Errors
/// The name of the implementation that refused it.
pub(super) fn verify(key: &PublicKey, message: &[u8], signature: &[u8]) -> Result<(), &'static str> {
    let spki = key.to_spki_der();
    match key.algorithm() {
        Algorithm::Ed25519 => ed25519(&spki, message, signature).ok_or("aws-lc-rs"),
        Algorithm::EcdsaP256Sha256 => p256(&spki, message, signature).ok_or("p256"),
        _ => Ok(()),
    }
}

fn ed25519(spki: &[u8], message: &[u8], signature: &[u8]) -> Option<()> {
    use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
    let key = spki.strip_prefix(ED25519_SPKI_PREFIX.as_slice())?;
    UnparsedPublicKey::new(&ED25519, key).verify(message, signature).ok()
}

fn p256(spki: &[u8], message: &[u8], signature: &[u8]) -> Option<()> {
    let key = p256::ecdsa::VerifyingKey::from_public_key_der(spki).ok()?;
    let signature = p256::ecdsa::Signature::from_slice(signature).ok()?;
    key.verify(message, &signature).ok()
}
