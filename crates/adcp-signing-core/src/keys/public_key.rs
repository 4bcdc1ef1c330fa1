//! Public keys, parsed once into a ready-to-verify form.

use std::{fmt, sync::Arc};

use base64ct::{Base64, Base64UrlUnpadded, Encoding as _};
use pkcs8::{
    ObjectIdentifier,
    der::{
        self, Decode as _, Encode as _, Reader as _, Tag,
        asn1::{AnyRef, BitStringRef, UintRef},
    },
    spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef},
};

use crate::keys::{
    Algorithm, Signature,
    crypto::{self, VerifyKey},
    jwk::Jwk,
    pem::{self, PemError, Wanted},
};

const ID_ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const ID_EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const ID_PRIME256V1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const ID_RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const ID_RSASSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");

/// The longest SPKI read: an RSA key of 8192 bits takes 1062 bytes.
const MAX_SPKI_LEN: usize = 2048;
/// The length of a line of PEM (RFC 7468 §2).
const PEM_LINE_LEN: usize = 64;

/// A public key in a form that verifies at once: decoded and checked when made, shared when cloned.
///
/// A signature check relies on what was checked then: Ed25519 keys are canonical and not of
/// small order (under a small-order key anyone can forge), P-256 points are on the curve and not
/// the identity, RSA moduli have 2048 to 8192 bits. `Debug` shows the algorithm and the thumbprint.
///
/// ```
/// use adcp_signing_core::{Algorithm, PublicKey};
///
/// // RFC 8037, appendix A.2.
/// let key = PublicKey::from_jwk_json(
///     br#"{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
/// )?;
/// assert_eq!(key.algorithm(), Algorithm::Ed25519);
/// assert_eq!(key.thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
/// assert_eq!(PublicKey::from_spki_der(&key.to_spki_der())?, key);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct PublicKey(Arc<Inner>);

struct Inner {
    key: VerifyKey,
    /// The DER `SubjectPublicKeyInfo`.
    spki: Vec<u8>,
}

/// Why bytes are not a public or private key of a supported type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The number of bytes is wrong for the algorithm.
    #[error("a public key of {algorithm} must have {expected} bytes here, not {actual}")]
    Length {
        /// The algorithm.
        algorithm: Algorithm,
        /// The length it must have.
        expected: usize,
        /// The length that was given.
        actual: usize,
    },
    /// The bytes are not a point of the curve, or are its identity.
    #[error("not a point on the curve of {0}")]
    NotOnCurve(Algorithm),
    /// An Ed25519 point of small order, under which anyone can forge a signature.
    #[error("an Ed25519 public key of small order; anyone can forge signatures under it")]
    SmallOrder,
    /// An Ed25519 point in another encoding than that of RFC 8032 §5.1.2.
    #[error("an Ed25519 public key in a non-canonical encoding (RFC 8032 §5.1.3)")]
    NonCanonical,
    /// A P-256 point in a form other than 04 ‖ x ‖ y.
    #[error(
        "a P-256 public key must be in uncompressed form: the byte 04, then x and y of 32 bytes each"
    )]
    NotUncompressed,
    /// The RSA modulus is too short, too long, even or written with leading zero bytes.
    #[error(
        "an RSA modulus must be odd, of 2048 to 8192 bits and without leading zero bytes; this has {bits} bits"
    )]
    RsaModulus {
        /// The number of significant bits.
        bits: usize,
    },
    /// The RSA exponent is even, 1, longer than 32 bits or written with leading zero bytes.
    #[error("an RSA exponent must be odd, from 3 to 2^32 - 1 and without leading zero bytes")]
    RsaExponent,
    /// An RSA key in a build without the feature that supports RSA.
    #[error(
        "RSA keys need the Cargo feature `aws-lc-rs` of adcp-signing-core, which this build lacks"
    )]
    NeedsAwsLcRs,
    /// Not one DER `SubjectPublicKeyInfo`.
    #[error("not a DER SubjectPublicKeyInfo (RFC 5280 §4.1), or bytes follow it")]
    Spki,
    /// The text does not have the one PEM block that is wanted.
    #[error(transparent)]
    Pem(#[from] PemError),
    /// A key type, curve or parameters that this crate does not support.
    #[error("key type {oid} is not supported; use Ed25519, EC P-256 or RSA without PSS parameters")]
    Unsupported {
        /// The object identifier of the key type, or of the curve.
        oid: String,
    },
    /// Not one DER `PrivateKeyInfo`.
    #[error("not an unencrypted DER PrivateKeyInfo (PKCS#8, RFC 5958 §2), or bytes follow it")]
    PrivateKeyInfo,
    /// The key cannot be written as a DER `SubjectPublicKeyInfo`.
    #[error("the public key of {0} cannot be written as a SubjectPublicKeyInfo")]
    Unwritable(Algorithm),
    /// The private value is out of range, or the parts of the key disagree.
    #[error("the private key of {0} is out of range, or its parts do not belong together")]
    PrivateKey(Algorithm),
}

/// Why a signature is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSignature {
    /// The signature's algorithm is not the key's.
    #[error("the key is for {key}, the signature is one of {signature}")]
    AlgorithmMismatch {
        /// The key's algorithm.
        key: Algorithm,
        /// The signature's algorithm.
        signature: Algorithm,
    },
    /// The signature does not verify for this message under this key.
    #[error("the signature does not verify")]
    Invalid,
}

impl PublicKey {
    /// An Ed25519 key from the 32 bytes of RFC 8032 §5.1.5.
    ///
    /// # Errors
    /// [`KeyError::Length`], [`KeyError::NotOnCurve`], [`KeyError::SmallOrder`] or [`KeyError::NonCanonical`].
    pub fn from_ed25519_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        VerifyKey::ed25519(&exactly(Algorithm::Ed25519, bytes)?).and_then(Self::new)
    }

    /// A P-256 key from the uncompressed point of SEC 1 §2.3.3: the byte 04, then x and y, 65 bytes
    /// in all.
    ///
    /// # Errors
    /// [`KeyError::NotUncompressed`] for the compressed and hybrid forms, [`KeyError::Length`], or
    /// [`KeyError::NotOnCurve`], which includes the identity.
    pub fn from_p256_sec1(sec1: &[u8]) -> Result<Self, KeyError> {
        match sec1 {
            [0x00] => Err(KeyError::NotOnCurve(Algorithm::EcdsaP256Sha256)),
            [0x02 | 0x03 | 0x05..=0x07, ..] => Err(KeyError::NotUncompressed),
            _ => VerifyKey::p256(&exactly(Algorithm::EcdsaP256Sha256, sec1)?).and_then(Self::new),
        }
    }

    /// A P-256 key from its affine coordinates, big-endian and 32 bytes each, as in a JWK.
    ///
    /// # Errors
    /// [`KeyError::Length`] or [`KeyError::NotOnCurve`].
    pub fn from_p256_coordinates(x: &[u8], y: &[u8]) -> Result<Self, KeyError> {
        let [x, y] = [x, y].map(|coordinate| exactly::<32>(Algorithm::EcdsaP256Sha256, coordinate));
        Self::from_p256_sec1(&[&[0x04], x?.as_slice(), y?.as_slice()].concat())
    }

    /// An RSA-PSS key from its modulus and exponent, big-endian without leading zero bytes.
    ///
    /// # Errors
    /// [`KeyError::RsaModulus`], [`KeyError::RsaExponent`], or [`KeyError::NeedsAwsLcRs`] without that feature.
    pub fn from_rsa_components(n: &[u8], e: &[u8]) -> Result<Self, KeyError> {
        VerifyKey::rsa(n, e).and_then(Self::new)
    }

    /// A key from a DER `SubjectPublicKeyInfo` (RFC 5280 §4.1, RFC 8410 §4, RFC 5480 §2, RFC 4055
    /// §1.2), the form in which key services return public keys.
    ///
    /// An RSA key may say `rsaEncryption`, or `id-RSASSA-PSS` without parameters.
    ///
    /// # Errors
    /// [`KeyError::Spki`] or [`KeyError::Unsupported`], else as for the key type.
    pub fn from_spki_der(spki: &[u8]) -> Result<Self, KeyError> {
        if spki.len() > MAX_SPKI_LEN {
            return Err(KeyError::Spki);
        }
        let spki = SubjectPublicKeyInfoRef::from_der(spki).map_err(|_| KeyError::Spki)?;
        let bits = spki.subject_public_key.as_bytes().ok_or(KeyError::Spki)?;
        Self::from_subject_public_key(algorithm_of(&spki.algorithm)?, bits)
    }

    /// A key from the only PEM block with the label `PUBLIC KEY` (RFC 7468 §13). Other text and
    /// blocks with other labels may stand around it.
    ///
    /// # Errors
    /// [`KeyError::Pem`], else as [`from_spki_der`](Self::from_spki_der).
    pub fn from_spki_pem(text: &str) -> Result<Self, KeyError> {
        Self::from_spki_der(&pem::decode_key(text, Wanted::PublicKey)?)
    }

    /// A key from the text of a public JWK. For a key that is already parsed see
    /// [`Jwk::public_key`].
    ///
    /// # Errors
    /// As [`Jwk::parse`] and [`Jwk::public_key`].
    pub fn from_jwk_json(json: &[u8]) -> Result<Self, crate::keys::JwkError> {
        Jwk::parse(json)?.public_key()
    }

    /// The algorithm the key verifies with.
    pub fn algorithm(&self) -> Algorithm {
        self.0.key.algorithm()
    }

    /// The DER `SubjectPublicKeyInfo`. The same key always gives the same bytes, so they can be
    /// compared and pinned.
    pub fn to_spki_der(&self) -> Vec<u8> {
        self.0.spki.clone()
    }

    /// The PEM form of [`to_spki_der`](Self::to_spki_der), with the label `PUBLIC KEY` and LF line
    /// ends.
    pub fn to_spki_pem(&self) -> String {
        let mut pem = String::from("-----BEGIN PUBLIC KEY-----");
        for (index, character) in Base64::encode_string(&self.0.spki).chars().enumerate() {
            if index % PEM_LINE_LEN == 0 {
                pem.push('\n');
            }
            pem.push(character);
        }
        pem.push_str("\n-----END PUBLIC KEY-----\n");
        pem
    }

    /// The JWK with `kty`, `crv`, `alg` and the coordinates. The caller adds `kid` and the purpose.
    pub fn to_jwk(&self) -> Jwk {
        Jwk::of_public_key(self)
    }

    /// The SHA-256 JWK thumbprint (RFC 7638 §3, RFC 8037 §2), base64url without padding, 43
    /// characters.
    pub fn thumbprint(&self) -> String {
        Base64UrlUnpadded::encode_string(&self.thumbprint_bytes())
    }

    /// The 32 bytes of the [`thumbprint`](Self::thumbprint).
    pub fn thumbprint_bytes(&self) -> [u8; 32] {
        let b64 = Base64UrlUnpadded::encode_string;
        let canonical = match self.parts() {
            KeyParts::Ed25519(x) => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, b64(x)),
            KeyParts::P256 { x, y } => {
                format!(r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#, b64(x), b64(y))
            }
            KeyParts::Rsa { n, e } => {
                format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, b64(e), b64(n))
            }
        };
        crypto::sha256(canonical.as_bytes())
    }

    /// Verifies a signature of `message`.
    ///
    /// Ed25519 follows RFC 8032 §5.1.7 without the cofactor and refuses points of small order. P-256
    /// accepts high and low s. RSA-PSS accepts only a salt of 64 bytes.
    ///
    /// # Errors
    /// [`InvalidSignature`].
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), InvalidSignature> {
        if signature.algorithm() != self.algorithm() {
            return Err(InvalidSignature::AlgorithmMismatch {
                key: self.algorithm(),
                signature: signature.algorithm(),
            });
        }
        self.verify_bytes(message, signature.as_bytes())
    }

    /// Verifies signature bytes as received. Bytes of a wrong length do not verify.
    ///
    /// # Errors
    /// [`InvalidSignature::Invalid`].
    pub fn verify_bytes(&self, message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        self.0.key.verify(message, signature).map_err(|_| InvalidSignature::Invalid)
    }

    pub(crate) fn new(key: VerifyKey) -> Result<Self, KeyError> {
        let spki = encode_spki(&key).map_err(|_| KeyError::Unwritable(key.algorithm()))?;
        Ok(Self(Arc::new(Inner { key, spki })))
    }

    /// A key from the content of the bit string in an SPKI or a PKCS#8 key.
    pub(crate) fn from_subject_public_key(
        algorithm: Algorithm,
        bits: &[u8],
    ) -> Result<Self, KeyError> {
        match algorithm {
            Algorithm::Ed25519 => Self::from_ed25519_bytes(bits),
            Algorithm::EcdsaP256Sha256 => Self::from_p256_sec1(bits),
            Algorithm::RsaPssSha512 => {
                let (n, e) = rsa_public_key(bits).map_err(|_| KeyError::Spki)?;
                Self::from_rsa_components(n, e)
            }
        }
    }

    pub(crate) fn parts(&self) -> KeyParts<'_> {
        match &self.0.key {
            VerifyKey::Ed25519(key) => KeyParts::Ed25519(key.as_bytes()),
            VerifyKey::P256(key) => {
                let (x, y) = key.coordinates();
                KeyParts::P256 { x, y }
            }
            VerifyKey::Rsa(key) => KeyParts::Rsa { n: key.modulus(), e: key.exponent() },
        }
    }
}

fn encode_spki(key: &VerifyKey) -> der::Result<Vec<u8>> {
    let null = AnyRef::NULL;
    let curve = AnyRef::from(&ID_PRIME256V1);
    let rsa;
    let (oid, parameters, key) = match key {
        VerifyKey::Ed25519(key) => (ID_ED25519, None, key.as_bytes().as_slice()),
        VerifyKey::P256(key) => (ID_EC_PUBLIC_KEY, Some(curve), key.sec1().as_slice()),
        VerifyKey::Rsa(key) => {
            rsa = encode_rsa_public_key(key.modulus(), key.exponent())?;
            (ID_RSA_ENCRYPTION, Some(null), rsa.as_slice())
        }
    };
    SubjectPublicKeyInfoRef {
        algorithm: AlgorithmIdentifierRef { oid, parameters },
        subject_public_key: BitStringRef::from_bytes(key)?,
    }
    .to_der()
}

/// The integers or coordinates of a key.
#[derive(PartialEq, Eq)]
pub(crate) enum KeyParts<'a> {
    Ed25519(&'a [u8]),
    P256 { x: &'a [u8], y: &'a [u8] },
    Rsa { n: &'a [u8], e: &'a [u8] },
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicKey")
            .field("algorithm", &self.algorithm())
            .field("thumbprint", &self.thumbprint())
            .finish()
    }
}

fn exactly<const N: usize>(algorithm: Algorithm, bytes: &[u8]) -> Result<[u8; N], KeyError> {
    bytes.try_into().map_err(|_| KeyError::Length { algorithm, expected: N, actual: bytes.len() })
}

/// The algorithm for a key with this identifier. The parameters must be exactly those of the key
/// type.
pub(crate) fn algorithm_of(identifier: &AlgorithmIdentifierRef<'_>) -> Result<Algorithm, KeyError> {
    let unsupported = |oid: ObjectIdentifier| KeyError::Unsupported { oid: oid.to_string() };
    match (identifier.oid, identifier.parameters) {
        (ID_ED25519, None) => Ok(Algorithm::Ed25519),
        (ID_EC_PUBLIC_KEY, Some(curve)) => match curve.decode_as::<ObjectIdentifier>() {
            Ok(ID_PRIME256V1) => Ok(Algorithm::EcdsaP256Sha256),
            Ok(other) => Err(unsupported(other)),
            Err(_) => Err(unsupported(identifier.oid)),
        },
        (ID_RSA_ENCRYPTION, Some(parameters)) if parameters == AnyRef::NULL => {
            Ok(Algorithm::RsaPssSha512)
        }
        (ID_RSASSA_PSS, None) => Ok(Algorithm::RsaPssSha512),
        (oid, _) => Err(unsupported(oid)),
    }
}

/// `RSAPublicKey` of RFC 8017 §A.1.1.
fn rsa_public_key(der: &[u8]) -> der::Result<(&[u8], &[u8])> {
    let mut reader = der::SliceReader::new(der)?;
    let parts = reader.sequence(|reader| {
        let n = UintRef::decode(reader)?;
        let e = UintRef::decode(reader)?;
        Ok::<_, der::Error>((n.as_bytes(), e.as_bytes()))
    })?;
    reader.finish()?;
    Ok(parts)
}

fn encode_rsa_public_key(n: &[u8], e: &[u8]) -> der::Result<Vec<u8>> {
    let integers = [UintRef::new(n)?.to_der()?, UintRef::new(e)?.to_der()?].concat();
    AnyRef::new(Tag::Sequence, &integers)?.to_der()
}
