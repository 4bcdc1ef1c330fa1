//! RSASSA-PSS with SHA-512, MGF1-SHA-512 and a 64-byte salt (RFC 8017 §8.1, RFC 9421 §3.3.1),
//! through `aws-lc-rs` only.
//!
//! RustCrypto's `rsa` has an open timing advisory (RUSTSEC-2023-0071), so without the feature every
//! RSA key is refused.

use zeroize::Zeroizing;

pub(crate) use self::backend::{SigningKey, VerifyKey};

/// The private integers of a two-prime key (RFC 8017 §3.2), big-endian.
#[derive(Clone)]
pub(crate) struct RsaPrivateParts {
    pub(crate) d: Zeroizing<Vec<u8>>,
    pub(crate) p: Zeroizing<Vec<u8>>,
    pub(crate) q: Zeroizing<Vec<u8>>,
    pub(crate) dp: Zeroizing<Vec<u8>>,
    pub(crate) dq: Zeroizing<Vec<u8>>,
    pub(crate) qi: Zeroizing<Vec<u8>>,
}

#[cfg(feature = "aws-lc-rs")]
mod backend {
    use aws_lc_rs::{
        encoding::{AsDer as _, Pkcs8V1Der},
        rand::SystemRandom,
        rsa::{KeyPair, KeyPairComponents, KeySize, PublicKeyComponents},
        signature::{ParsedPublicKey, RSA_PSS_2048_8192_SHA512, RSA_PSS_SHA512},
    };
    use pkcs8::{
        PrivateKeyInfoRef,
        der::{Decode as _, Error, Reader as _, SliceReader, Tag, asn1::UintRef},
    };

    use super::RsaPrivateParts;
    use crate::keys::{
        Algorithm, KeyError,
        crypto::{GenerateError, Invalid, PrimitiveFailed},
    };

    const MODULUS_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

    pub(crate) struct VerifyKey {
        n: Vec<u8>,
        e: Vec<u8>,
        key: ParsedPublicKey,
    }

    impl VerifyKey {
        pub(in crate::keys::crypto) fn from_components(
            n: &[u8],
            e: &[u8],
        ) -> Result<Self, KeyError> {
            check_public(n, e)?;
            let key = PublicKeyComponents { n, e }
                .to_parsed_public_key(&RSA_PSS_2048_8192_SHA512)
                .map_err(|_| KeyError::RsaExponent)?;
            Ok(Self { n: n.to_vec(), e: e.to_vec(), key })
        }

        pub(crate) fn modulus(&self) -> &[u8] {
            &self.n
        }

        pub(crate) fn exponent(&self) -> &[u8] {
            &self.e
        }

        pub(in crate::keys::crypto) fn verify(
            &self,
            message: &[u8],
            signature: &[u8],
        ) -> Result<(), Invalid> {
            self.key.verify_sig(message, signature).map_err(|_| Invalid)
        }
    }

    /// Checks the modulus and the exponent before the library does, so that errors name the cause.
    fn check_public(n: &[u8], e: &[u8]) -> Result<(), KeyError> {
        let significant = n.iter().skip_while(|byte| **byte == 0);
        let leading = significant.clone().next().map_or(0, |byte| byte.leading_zeros() as usize);
        let bits = significant.count() * 8 - leading;
        let odd = |bytes: &[u8]| bytes.last().is_some_and(|byte| byte & 1 == 1);
        if n.first() == Some(&0) || !odd(n) || !MODULUS_BITS.contains(&bits) {
            return Err(KeyError::RsaModulus { bits });
        }
        if !(1..=4).contains(&e.len()) || e.first() == Some(&0) || e == [1] || !odd(e) {
            return Err(KeyError::RsaExponent);
        }
        Ok(())
    }

    /// Keeps the parts next to the key pair, so that the key can be written out again.
    pub(crate) struct SigningKey {
        pair: KeyPair,
        n: Vec<u8>,
        e: Vec<u8>,
        private: RsaPrivateParts,
    }

    impl SigningKey {
        pub(in crate::keys::crypto) fn from_components(
            n: &[u8],
            e: &[u8],
            private: RsaPrivateParts,
        ) -> Result<Self, KeyError> {
            check_public(n, e)?;
            let pair = KeyPair::from_components(&KeyPairComponents {
                public_key: PublicKeyComponents { n, e },
                d: private.d.as_slice(),
                p: private.p.as_slice(),
                q: private.q.as_slice(),
                dP: private.dp.as_slice(),
                dQ: private.dq.as_slice(),
                qInv: private.qi.as_slice(),
            })
            .map_err(|_| KeyError::PrivateKey(Algorithm::RsaPssSha512))?;
            Ok(Self { pair, n: n.to_vec(), e: e.to_vec(), private })
        }

        pub(in crate::keys::crypto) fn from_pkcs1(der: &[u8]) -> Result<Self, KeyError> {
            let (n, e, private) =
                pkcs1_parts(der).map_err(|_| KeyError::PrivateKey(Algorithm::RsaPssSha512))?;
            Self::from_components(&n, &e, private)
        }

        pub(in crate::keys::crypto) fn generate() -> Result<Self, GenerateError> {
            let pair = KeyPair::generate(KeySize::Rsa3072).map_err(|_| PrimitiveFailed)?;
            let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| PrimitiveFailed)?;
            let info = PrivateKeyInfoRef::from_der(der.as_ref()).map_err(|_| PrimitiveFailed)?;
            Ok(Self::from_pkcs1(info.private_key.as_bytes())?)
        }

        pub(crate) fn modulus(&self) -> &[u8] {
            &self.n
        }

        pub(crate) fn exponent(&self) -> &[u8] {
            &self.e
        }

        pub(crate) fn private_parts(&self) -> &RsaPrivateParts {
            &self.private
        }

        pub(in crate::keys::crypto) fn sign(
            &self,
            message: &[u8],
        ) -> Result<Vec<u8>, PrimitiveFailed> {
            let mut signature = vec![0; self.pair.public_modulus_len()];
            self.pair
                .sign(&RSA_PSS_SHA512, &SystemRandom::new(), message, &mut signature)
                .map_err(|_| PrimitiveFailed)?;
            Ok(signature)
        }
    }

    type Parts = (Vec<u8>, Vec<u8>, RsaPrivateParts);

    /// `RSAPrivateKey` of RFC 8017 §A.1.2, version 0 (two primes).
    fn pkcs1_parts(der: &[u8]) -> Result<Parts, Error> {
        let mut reader = SliceReader::new(der)?;
        let parts = reader.sequence(|reader| {
            let mut integer = || UintRef::decode(reader).map(|value| value.as_bytes().to_vec());
            let version = integer()?;
            let (n, e) = (integer()?, integer()?);
            let private = RsaPrivateParts {
                d: integer()?.into(),
                p: integer()?.into(),
                q: integer()?.into(),
                dp: integer()?.into(),
                dq: integer()?.into(),
                qi: integer()?.into(),
            };
            if version == [0] {
                Ok((n, e, private))
            } else {
                Err(Error::from(Tag::Integer.value_error()))
            }
        })?;
        reader.finish()?;
        Ok(parts)
    }
}

/// Without the feature no RSA key can exist: the types have no value.
#[cfg(not(feature = "aws-lc-rs"))]
mod backend {
    use super::RsaPrivateParts;
    use crate::keys::{
        KeyError,
        crypto::{GenerateError, Invalid, PrimitiveFailed},
    };

    pub(crate) enum VerifyKey {}

    impl VerifyKey {
        pub(in crate::keys::crypto) fn from_components(
            _: &[u8],
            _: &[u8],
        ) -> Result<Self, KeyError> {
            Err(KeyError::NeedsAwsLcRs)
        }

        pub(crate) fn modulus(&self) -> &[u8] {
            match *self {}
        }

        pub(crate) fn exponent(&self) -> &[u8] {
            match *self {}
        }

        pub(in crate::keys::crypto) fn verify(&self, _: &[u8], _: &[u8]) -> Result<(), Invalid> {
            match *self {}
        }
    }

    pub(crate) enum SigningKey {}

    impl SigningKey {
        pub(in crate::keys::crypto) fn from_components(
            _: &[u8],
            _: &[u8],
            _: RsaPrivateParts,
        ) -> Result<Self, KeyError> {
            Err(KeyError::NeedsAwsLcRs)
        }

        pub(in crate::keys::crypto) fn from_pkcs1(_: &[u8]) -> Result<Self, KeyError> {
            Err(KeyError::NeedsAwsLcRs)
        }

        pub(in crate::keys::crypto) fn generate() -> Result<Self, GenerateError> {
            Err(KeyError::NeedsAwsLcRs.into())
        }

        pub(crate) fn modulus(&self) -> &[u8] {
            match *self {}
        }

        pub(crate) fn exponent(&self) -> &[u8] {
            match *self {}
        }

        pub(crate) fn private_parts(&self) -> &RsaPrivateParts {
            match *self {}
        }

        pub(in crate::keys::crypto) fn sign(&self, _: &[u8]) -> Result<Vec<u8>, PrimitiveFailed> {
            match *self {}
        }
    }
}
