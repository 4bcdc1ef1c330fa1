//! Private keys in DER `PrivateKeyInfo` (PKCS#8: RFC 5208, RFC 5958 §2).

use pkcs8::{PrivateKeyInfoRef, der::Decode as _};
use zeroize::Zeroizing;

use super::SigningKey;
use crate::keys::{Algorithm, KeyError, PublicKey, algorithm_of};

/// The longest key read: two-prime RSA of 8192 bits takes about 4.7 KiB.
const MAX_LEN: usize = 8 * 1024;

impl SigningKey {
    /// Ed25519 (RFC 8410 §7), EC P-256 (RFC 5915) or two-prime RSA (RFC 8017 §A.1.2). If the
    /// structure also has a public key, it must be that of the private key.
    pub(crate) fn from_private_key_info(der: &[u8]) -> Result<Self, KeyError> {
        if der.len() > MAX_LEN {
            return Err(KeyError::PrivateKeyInfo);
        }
        let info = PrivateKeyInfoRef::from_der(der).map_err(|_| KeyError::PrivateKeyInfo)?;
        let algorithm = algorithm_of(&info.algorithm)?;
        let public_key = info.public_key;
        let key = match algorithm {
            Algorithm::Ed25519 => Self::ed25519(ed25519_seed(info.private_key.as_bytes())?),
            Algorithm::EcdsaP256Sha256 => {
                let secret =
                    p256::SecretKey::try_from(info).map_err(|_| KeyError::PrivateKey(algorithm))?;
                Self::p256(&Zeroizing::new(secret.to_bytes().into()))?
            }
            Algorithm::RsaPssSha512 => Self::rsa_from_pkcs1(info.private_key.as_bytes())?,
        };
        if let Some(bits) = public_key {
            let stated = bits.as_bytes().ok_or(KeyError::PrivateKeyInfo)?;
            if PublicKey::from_subject_public_key(algorithm, stated)?
                != PublicKey::new(key.verify_key()?)?
            {
                return Err(KeyError::PrivateKey(algorithm));
            }
        }
        Ok(key)
    }
}

/// `CurvePrivateKey` of RFC 8410 §7: an octet string within the octet string. Read in place, since
/// the decoder of the `ed25519` crate copies the seed and does not wipe the copy.
fn ed25519_seed(private_key: &[u8]) -> Result<&[u8; 32], KeyError> {
    match private_key {
        [0x04, 0x20, seed @ ..] => seed.try_into().ok(),
        _ => None,
    }
    .ok_or(KeyError::PrivateKey(Algorithm::Ed25519))
}
