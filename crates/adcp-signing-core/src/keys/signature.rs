//! Signature bytes in their wire form, checked for length when made.

use crate::keys::Algorithm;

/// The longest signature of a supported key: RSA with an 8192-bit modulus.
const MAX_RSA_LEN: usize = 1024;
/// The shortest acceptable RSA signature: a 2048-bit modulus.
const MIN_RSA_LEN: usize = 256;

/// The bytes of one signature in the wire form of RFC 9421 §3.3.
///
/// Made only through [`from_raw`](Self::from_raw) or [`from_ecdsa_der`](Self::from_ecdsa_der), so a
/// DER-encoded ECDSA signature, which is what most key services return, cannot reach the wire.
///
/// ```
/// use adcp_signing_core::{Algorithm, Signature};
///
/// let raw = [7_u8; 64];
/// let signature = Signature::from_raw(Algorithm::Ed25519, &raw)?;
/// assert_eq!(signature.as_bytes(), raw);
/// assert!(Signature::from_raw(Algorithm::Ed25519, &raw[..63]).is_err());
/// # Ok::<(), adcp_signing_core::SignatureError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    algorithm: Algorithm,
    bytes: SignatureBytes,
}

/// The bytes of a signature: 64 of them without an allocation, which is the length of all but RSA
/// signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SignatureBytes {
    Short([u8; 64]),
    Long(Vec<u8>),
}

impl From<&[u8]> for SignatureBytes {
    fn from(bytes: &[u8]) -> Self {
        bytes.try_into().map_or_else(|_| Self::Long(bytes.to_vec()), Self::Short)
    }
}

impl AsRef<[u8]> for SignatureBytes {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Short(bytes) => bytes,
            Self::Long(bytes) => bytes,
        }
    }
}

/// Why bytes are not a signature of the algorithm.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// The algorithm cannot produce this number of bytes.
    #[error("a signature of {algorithm} cannot be {actual} bytes long{}", der_hint(*.algorithm, *.actual))]
    Length {
        /// The declared algorithm.
        algorithm: Algorithm,
        /// The length that was given.
        actual: usize,
    },
    /// The bytes are not a DER `ECDSA-Sig-Value` with both integers in range.
    #[error("not a DER-encoded ECDSA signature (RFC 3279 §2.2.3) over P-256")]
    Der,
    /// The algorithm's signatures have no DER form.
    #[error("signatures of {0} have no DER form")]
    NotEcdsa(Algorithm),
}

fn der_hint(algorithm: Algorithm, actual: usize) -> &'static str {
    match algorithm {
        Algorithm::EcdsaP256Sha256 if (68..=72).contains(&actual) => {
            "; DER? Use Signature::from_ecdsa_der"
        }
        _ => "",
    }
}

impl Signature {
    /// Takes wire bytes: 64 for Ed25519 and P-256 (r‖s), the modulus length for RSA-PSS.
    ///
    /// # Errors
    /// [`SignatureError::Length`] if the algorithm cannot produce so many bytes.
    pub fn from_raw(algorithm: Algorithm, bytes: &[u8]) -> Result<Self, SignatureError> {
        let fits = match algorithm.signature_len() {
            Some(len) => bytes.len() == len,
            None => (MIN_RSA_LEN..=MAX_RSA_LEN).contains(&bytes.len()),
        };
        if fits {
            Ok(Self { algorithm, bytes: bytes.into() })
        } else {
            Err(SignatureError::Length { algorithm, actual: bytes.len() })
        }
    }

    /// Decodes the DER form that key services return for ECDSA into r‖s, each left-padded to 32
    /// bytes.
    ///
    /// # Errors
    /// [`SignatureError::Der`] unless the bytes are exactly one strict DER `ECDSA-Sig-Value` whose integers lie in the
    /// curve's range; [`SignatureError::NotEcdsa`] for another algorithm.
    pub fn from_ecdsa_der(algorithm: Algorithm, der: &[u8]) -> Result<Self, SignatureError> {
        match algorithm {
            Algorithm::EcdsaP256Sha256 => {
                let decoded =
                    p256::ecdsa::Signature::from_der(der).map_err(|_| SignatureError::Der)?;
                Ok(Self { algorithm, bytes: SignatureBytes::Short(decoded.to_bytes().into()) })
            }
            other => Err(SignatureError::NotEcdsa(other)),
        }
    }

    /// The algorithm the signature was made with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The wire bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn der_with_short_integers_is_padded_to_64_bytes() {
        // r = 1, s = 2: the leading-zero case that a naive slice copy gets wrong.
        let der = [0x30, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x02];
        let signature = Signature::from_ecdsa_der(Algorithm::EcdsaP256Sha256, &der).unwrap();
        let mut expected = [0_u8; 64];
        expected[31] = 1;
        expected[63] = 2;
        assert_eq!(signature.as_bytes(), expected);
    }

    #[test]
    fn broken_der_is_refused() {
        let cases: [&[u8]; 6] = [
            b"",
            &[0x30, 0x06, 0x02, 0x01, 0x00, 0x02, 0x01, 0x02], // r = 0
            &[0x30, 0x06, 0x02, 0x01, 0x81, 0x02, 0x01, 0x02], // r negative
            &[0x30, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x02, 0x00], // trailing byte
            &[0x30, 0x07, 0x02, 0x02, 0x00, 0x01, 0x02, 0x01, 0x02], // r not minimal
            &[0x30, 0x81, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x02], // length not minimal
        ];
        for der in cases {
            assert_eq!(
                Signature::from_ecdsa_der(Algorithm::EcdsaP256Sha256, der),
                Err(SignatureError::Der),
                "{der:02x?}"
            );
        }
    }

    #[test]
    fn der_given_as_raw_is_refused_and_the_error_says_what_to_do() {
        let error = Signature::from_raw(Algorithm::EcdsaP256Sha256, &[0x30; 71]).unwrap_err();
        assert!(error.to_string().contains("from_ecdsa_der"), "{error}");
    }
}
