//! The signature algorithms and their names in RFC 9421, JOSE and JWK.

use std::fmt;

/// A signature algorithm that this crate can sign and verify with.
///
/// Each has a name in RFC 9421 §3.3 (the `alg` signature parameter), a name in JOSE (the JWK `alg`
/// member) and a JWK key type and curve. The AdCP profiles admit [`Ed25519`](Self::Ed25519) and
/// [`EcdsaP256Sha256`](Self::EcdsaP256Sha256); RSA-PSS is for plain RFC 9421 use.
///
/// ```
/// use adcp_signing_core::Algorithm;
///
/// assert_eq!(Algorithm::from_rfc9421_name("ed25519"), Some(Algorithm::Ed25519));
/// assert_eq!(Algorithm::Ed25519.jose_name(), "EdDSA");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Algorithm {
    /// Pure Ed25519 (RFC 8032 §5.1), RFC 9421 §3.3.6. Never the pre-hashed variant.
    Ed25519,
    /// ECDSA over P-256 with SHA-256, RFC 9421 §3.3.4: 64 bytes r‖s, never DER.
    EcdsaP256Sha256,
    /// RSASSA-PSS with SHA-512 and a 64-byte salt, RFC 9421 §3.3.1. No AdCP profile admits it.
    RsaPssSha512,
}

impl Algorithm {
    /// Every algorithm, in a fixed order.
    pub const ALL: [Self; 3] = [Self::Ed25519, Self::EcdsaP256Sha256, Self::RsaPssSha512];

    /// The value of the `alg` signature parameter (RFC 9421 §6.2.2).
    pub const fn rfc9421_name(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::EcdsaP256Sha256 => "ecdsa-p256-sha256",
            Self::RsaPssSha512 => "rsa-pss-sha512",
        }
    }

    /// The value of the JWK `alg` member (RFC 7518 §3.1, RFC 8037 §3.1).
    pub const fn jose_name(self) -> &'static str {
        match self {
            Self::Ed25519 => "EdDSA",
            Self::EcdsaP256Sha256 => "ES256",
            Self::RsaPssSha512 => "PS512",
        }
    }

    /// The JWK `kty` member.
    pub const fn jwk_kty(self) -> &'static str {
        match self {
            Self::Ed25519 => "OKP",
            Self::EcdsaP256Sha256 => "EC",
            Self::RsaPssSha512 => "RSA",
        }
    }

    /// The JWK `crv` member, if the key type has one.
    pub const fn jwk_crv(self) -> Option<&'static str> {
        match self {
            Self::Ed25519 => Some("Ed25519"),
            Self::EcdsaP256Sha256 => Some("P-256"),
            Self::RsaPssSha512 => None,
        }
    }

    /// The algorithm with this RFC 9421 name; names are compared byte for byte.
    pub fn from_rfc9421_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.rfc9421_name() == name)
    }

    /// The algorithm with this RFC 9421 or JOSE name in any case, as people write it in key URIs,
    /// environment variables and options. Messages are read with
    /// [`from_rfc9421_name`](Self::from_rfc9421_name).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| {
            [algorithm.rfc9421_name(), algorithm.jose_name()]
                .iter()
                .any(|known| known.eq_ignore_ascii_case(name))
        })
    }

    /// The length of a signature in bytes, if the algorithm fixes it. RSA signatures are as long
    /// as the modulus.
    pub const fn signature_len(self) -> Option<usize> {
        match self {
            Self::Ed25519 | Self::EcdsaP256Sha256 => Some(64),
            Self::RsaPssSha512 => None,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.rfc9421_name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_exact() {
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::from_rfc9421_name(algorithm.rfc9421_name()), Some(algorithm));
        }
        for wrong in ["Ed25519", "ED25519", "EdDSA", "ed25519 ", "ecdsa-p384-sha384", ""] {
            assert_eq!(Algorithm::from_rfc9421_name(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn people_may_write_either_name_in_any_case() {
        for algorithm in Algorithm::ALL {
            for name in [algorithm.rfc9421_name(), algorithm.jose_name()] {
                for name in [name.to_owned(), name.to_uppercase(), name.to_lowercase()] {
                    assert_eq!(Algorithm::from_name(&name), Some(algorithm), "{name}");
                }
            }
        }
        for wrong in ["es384", "ed448", " es256", "eddsa\n", ""] {
            assert_eq!(Algorithm::from_name(wrong), None, "{wrong:?}");
        }
    }
}
