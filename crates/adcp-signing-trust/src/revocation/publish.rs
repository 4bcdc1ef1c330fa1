//! The publisher's side: a list, signed with any provider.

use adcp_signing_core::{
    Algorithm, InvalidSignature, KeyPurpose, ProviderError, SigningProvider,
    revocation::RevocationList,
};
use base64ct::{Base64UrlUnpadded, Encoding as _};

use super::{TYP, may_sign_lists};
use crate::jws::signing_input;

/// A revocation list, ready to be published.
///
/// Serve it at [`WELL_KNOWN_LIST`](super::WELL_KNOWN_LIST) of the issuer, with an `ETag`, and put the
/// next one in its place before `next_update`: a list that is not renewed stops every verifier that
/// relies on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedRevocationList {
    protected: String,
    payload: String,
    signature: String,
}

/// Why a list was not signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignListError {
    /// The key is for something else.
    #[error(
        "a revocation list is signed with a key for governance-signing or request-signing, not \
         for {}", .0.as_str()
    )]
    Purpose(KeyPurpose),
    /// The key's algorithm is not allowed.
    #[error("a revocation list is signed with Ed25519 or ECDSA P-256, not with {0}")]
    Algorithm(Algorithm),
    /// The list revokes the key that would sign it, so nobody would believe it.
    #[error("the list revokes {kid:?}, which would sign it; sign with another key")]
    RevokesItsKey {
        /// The key's name.
        kid: String,
    },
    /// The key did not sign.
    #[error("the key did not sign the revocation list: {0}")]
    Provider(#[from] ProviderError),
    /// What the key service returned is not a signature of its own key.
    #[error("the signature that the key service returned does not verify: {0}")]
    Invalid(#[from] InvalidSignature),
}

/// Signs a list, and verifies the signature before it returns.
///
/// The key has to be in the JWKS of the issuer under its `kid`. Services limit what they sign at
/// once: AWS KMS takes 4,096 bytes with Ed25519, which is a list of some 60 names, and any length
/// with ECDSA P-256 where the backend hashes.
///
/// ```
/// use adcp_signing_core::{
///     Algorithm, Clock as _, InMemoryProvider, KeyPurpose, SystemClock, revocation::RevocationList,
/// };
/// use adcp_signing_trust::revocation::sign_list;
///
/// # async fn publish() -> Result<(), Box<dyn std::error::Error>> {
/// let key = InMemoryProvider::generate(Algorithm::Ed25519, KeyPurpose::GovernanceSigning)?;
/// let now = SystemClock.now();
/// let list = RevocationList::issue("https://buyer.example.com", now, now.plus(900))?
///     .revoking_kids(["buyer-2025"])?;
/// let document = sign_list(&list, &key).await?.to_json();
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`SignListError`].
pub async fn sign_list(
    list: &RevocationList,
    provider: &(impl SigningProvider + ?Sized),
) -> Result<SignedRevocationList, SignListError> {
    let (kid, algorithm) = (provider.key_id(), provider.algorithm());
    if !may_sign_lists(provider.purpose()) {
        return Err(SignListError::Purpose(provider.purpose().clone()));
    }
    if !matches!(algorithm, Algorithm::Ed25519 | Algorithm::EcdsaP256Sha256) {
        return Err(SignListError::Algorithm(algorithm));
    }
    if list.revokes_kid(kid) {
        return Err(SignListError::RevokesItsKey { kid: kid.to_owned() });
    }
    let header = serde_json::json!({ "alg": algorithm.jose_name(), "kid": kid, "typ": TYP });
    let protected = encode(header.to_string().as_bytes());
    let payload = encode(&list.to_payload());
    let input = signing_input(&protected, &payload);
    let signed = provider.sign(&input).await?;
    provider.public_key().await?.verify(&input, &signed.signature)?;
    Ok(SignedRevocationList { protected, payload, signature: encode(signed.signature.as_bytes()) })
}

impl SignedRevocationList {
    /// The media type of [`to_json`](Self::to_json).
    pub const JSON_TYPE: &'static str = "application/jose+json";
    /// The media type of [`to_compact`](Self::to_compact).
    pub const COMPACT_TYPE: &'static str = "application/jose";

    /// The general JSON serialization (RFC 7515 §7.2.1), as the security guide shows it.
    pub fn to_json(&self) -> String {
        let signature =
            serde_json::json!({ "protected": self.protected, "signature": self.signature });
        serde_json::json!({ "payload": self.payload, "signatures": [signature] }).to_string()
    }

    /// The compact serialization (RFC 7515 §7.1).
    pub fn to_compact(&self) -> String {
        [&*self.protected, &*self.payload, &*self.signature].join(".")
    }
}

fn encode(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}
