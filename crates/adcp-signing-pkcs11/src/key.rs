//! A private key on a token: found, checked, and its public half read.

use adcp_signing_core::{Algorithm, KeyError, ProviderError, ProviderErrorKind, PublicKey};
use cryptoki::{
    object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle},
    session::Session,
};

use crate::{error::Fault, selector::KeySelector};

/// `CKA_EC_PARAMS` of P-256: the object identifier 1.2.840.10045.3.1.7 in DER.
pub(crate) const P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
/// `CKA_EC_PARAMS` of Ed25519, as tokens write it: the curve's name, or one of its object
/// identifiers.
pub(crate) const ED25519: [&[u8]; 3] = [
    b"\x13\x0cedwards25519",
    // 1.3.101.112 (RFC 8410 §3).
    &[0x06, 0x03, 0x2b, 0x65, 0x70],
    // 1.3.6.1.4.1.11591.15.1, from before RFC 8410.
    &[0x06, 0x09, 0x2b, 0x06, 0x01, 0x04, 0x01, 0xda, 0x47, 0x0f, 0x01],
];

/// A private key that may sign, and its public half.
pub(crate) struct FoundKey {
    pub(crate) handle: ObjectHandle,
    pub(crate) public_key: PublicKey,
    pub(crate) signature_len: usize,
}

/// Finds the one private key that the selector names.
pub(crate) fn find(session: &Session, selector: &KeySelector) -> Result<FoundKey, Fault> {
    let handle = sole(session, &template(ObjectClass::PRIVATE_KEY, selector), "private key")?
        .ok_or_else(|| {
            Fault::new(
                ProviderErrorKind::KeyNotFound,
                "the token shows no private key with this label and id; correct `object` and `id`",
            )
        })?;
    let private = Attributes::read(
        session,
        handle,
        &[
            AttributeType::KeyType,
            AttributeType::Id,
            AttributeType::Label,
            AttributeType::Sign,
            AttributeType::AlwaysAuthenticate,
        ],
    )?;
    if private.flag(AttributeType::Sign) == Some(false) {
        return Err(Fault::new(
            ProviderErrorKind::KeyDisabled,
            "the key may not sign: its CKA_SIGN is false; set it, or use another key",
        ));
    }
    if private.flag(AttributeType::AlwaysAuthenticate) == Some(true) {
        return Err(Fault::new(
            ProviderErrorKind::Configuration,
            "the key wants the PIN for each signature (CKA_ALWAYS_AUTHENTICATE), which a server cannot give; make a key \
             without that, and name it (`object=`, ADCP_PKCS11_OBJECT)",
        ));
    }
    let key_type = private.key_type()?;
    let (public_key, signature_len) = read_public_key(session, handle, key_type, &private)?;
    Ok(FoundKey { handle, public_key, signature_len })
}

/// The public half: from its own object, which has the private key's id or label, else from what
/// the private object says.
fn read_public_key(
    session: &Session,
    private: ObjectHandle,
    key_type: KeyType,
    attributes: &Attributes,
) -> Result<(PublicKey, usize), Fault> {
    let handle = public_object(session, attributes)?;
    let source = handle.unwrap_or(private);
    match key_type {
        KeyType::RSA => {
            let key = Attributes::read(
                session,
                source,
                &[AttributeType::Modulus, AttributeType::PublicExponent],
            )?;
            let (Some(n), Some(e)) =
                (key.bytes(AttributeType::Modulus), key.bytes(AttributeType::PublicExponent))
            else {
                return Err(no_public_key());
            };
            let (n, e) = (without_leading_zeros(n), without_leading_zeros(e));
            PublicKey::from_rsa_components(n, e).map(|key| (key, n.len())).map_err(refused)
        }
        KeyType::EC | KeyType::EC_EDWARDS => {
            let curve = curve(session, private, handle)?;
            let algorithm = match key_type {
                KeyType::EC if curve == P256 => Algorithm::EcdsaP256Sha256,
                KeyType::EC_EDWARDS if ED25519.contains(&curve.as_slice()) => Algorithm::Ed25519,
                _ => {
                    return Err(unusable(
                        "the key is on another curve than P-256 and Ed25519; make one on these",
                    ));
                }
            };
            let key = Attributes::read(
                session,
                source,
                &[AttributeType::EcPoint, AttributeType::PublicKeyInfo],
            )?;
            let public_key = match (
                key.bytes(AttributeType::EcPoint),
                key.bytes(AttributeType::PublicKeyInfo),
            ) {
                (Some(point), _) => from_point(algorithm, point),
                (None, Some(spki)) => PublicKey::from_spki_der(spki),
                (None, None) => return Err(no_public_key()),
            };
            public_key.map(|key| (key, 64)).map_err(refused)
        }
        _ => Err(unusable("the key is neither an RSA nor an EC nor an Edwards key")),
    }
}

/// The public key object with the private key's id, or with its label where it has no id.
fn public_object(session: &Session, private: &Attributes) -> Result<Option<ObjectHandle>, Fault> {
    let id = private.bytes(AttributeType::Id).map(|id| Attribute::Id(id.to_vec()));
    let label = private.bytes(AttributeType::Label).map(|label| Attribute::Label(label.to_vec()));
    let Some(first) = id.as_ref().or(label.as_ref()).cloned() else { return Ok(None) };
    let mut template = vec![Attribute::Class(ObjectClass::PUBLIC_KEY), first];
    match (session.find_objects(&template)?.as_slice(), id.and(label)) {
        ([_, _, ..], Some(label)) => {
            template.push(label);
            sole(session, &template, "public key")
        }
        ([_, _, ..], None) => Err(ambiguous("public key")),
        (none_or_one, _) => Ok(none_or_one.first().copied()),
    }
}

fn curve(
    session: &Session,
    private: ObjectHandle,
    public: Option<ObjectHandle>,
) -> Result<Vec<u8>, Fault> {
    for object in [Some(private), public].into_iter().flatten() {
        let attributes = Attributes::read(session, object, &[AttributeType::EcParams])?;
        if let Some(curve) = attributes.bytes(AttributeType::EcParams) {
            return Ok(curve.to_vec());
        }
    }
    Err(unusable("the token does not say which curve the key is on (CKA_EC_PARAMS)"))
}

/// `CKA_EC_POINT` is an OCTET STRING around the point; some tokens give the point itself. The
/// lengths tell them apart.
fn from_point(algorithm: Algorithm, point: &[u8]) -> Result<PublicKey, KeyError> {
    match (algorithm, point) {
        (Algorithm::Ed25519, [0x04, 0x20, point @ ..]) if point.len() == 32 => {
            PublicKey::from_ed25519_bytes(point)
        }
        (Algorithm::Ed25519, point) => PublicKey::from_ed25519_bytes(point),
        (_, [0x04, 0x41, point @ ..]) if point.len() == 65 => PublicKey::from_p256_sec1(point),
        (_, [0x04, 0x21, point @ ..]) if point.len() == 33 => PublicKey::from_p256_sec1(point),
        (_, point) => PublicKey::from_p256_sec1(point),
    }
}

/// PKCS#11 big integers have no leading zeros, but some tokens copy them from DER.
fn without_leading_zeros(integer: &[u8]) -> &[u8] {
    let zeros = integer.iter().take_while(|byte| **byte == 0).count();
    integer.get(zeros..).unwrap_or_default()
}

pub(crate) fn template(class: ObjectClass, selector: &KeySelector) -> Vec<Attribute> {
    std::iter::once(Attribute::Class(class)).chain(names(selector)).collect()
}

/// The label and the id that a selector has.
pub(crate) fn names(selector: &KeySelector) -> impl Iterator<Item = Attribute> {
    let label = selector.label.as_ref().map(|label| Attribute::Label(label.clone().into_bytes()));
    let id = selector.id.clone().map(Attribute::Id);
    [label, id].into_iter().flatten()
}

/// The one object that matches, or none.
fn sole(
    session: &Session,
    template: &[Attribute],
    what: &'static str,
) -> Result<Option<ObjectHandle>, Fault> {
    match session.find_objects(template)?.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(*one)),
        _ => Err(ambiguous(what)),
    }
}

/// The attributes that an object has, of those that were asked for.
struct Attributes(Vec<Attribute>);

impl Attributes {
    fn read(
        session: &Session,
        object: ObjectHandle,
        types: &[AttributeType],
    ) -> Result<Self, Fault> {
        Ok(Self(session.get_attributes(object, types)?))
    }

    fn key_type(&self) -> Result<KeyType, Fault> {
        let found = self.0.iter().find_map(|attribute| match attribute {
            Attribute::KeyType(key_type) => Some(*key_type),
            _ => None,
        });
        found.ok_or_else(|| {
            unusable("the token does not say of which type the key is (CKA_KEY_TYPE)")
        })
    }

    fn flag(&self, wanted: AttributeType) -> Option<bool> {
        self.0.iter().find_map(|attribute| match attribute {
            Attribute::Sign(value) | Attribute::AlwaysAuthenticate(value)
                if attribute.attribute_type() == wanted =>
            {
                Some(*value)
            }
            _ => None,
        })
    }

    /// A value that is not empty.
    fn bytes(&self, wanted: AttributeType) -> Option<&[u8]> {
        self.0.iter().find_map(|attribute| match attribute {
            Attribute::Id(value)
            | Attribute::Label(value)
            | Attribute::EcParams(value)
            | Attribute::EcPoint(value)
            | Attribute::Modulus(value)
            | Attribute::PublicExponent(value)
            | Attribute::PublicKeyInfo(value)
                if attribute.attribute_type() == wanted && !value.is_empty() =>
            {
                Some(value.as_slice())
            }
            _ => None,
        })
    }
}

fn ambiguous(what: &'static str) -> Fault {
    let message = format!(
        "more than one {what} on the token matches; add `id=` to the key URI, or remove the other"
    );
    Fault::Ours(ProviderError::new(ProviderErrorKind::Configuration, message))
}

fn unusable(message: &'static str) -> Fault {
    Fault::new(ProviderErrorKind::AlgorithmMismatch, message)
}

fn no_public_key() -> Fault {
    Fault::new(
        ProviderErrorKind::KeyNotFound,
        "the token has no public key object beside the private key; write one with the same id",
    )
}

fn refused(error: KeyError) -> Fault {
    let kind = match error {
        // A key that may work, and is not one to sign with. One of a good length that is refused is
        // no RSA key.
        KeyError::RsaModulus { bits } if !(2048..=8192).contains(&bits) => {
            ProviderErrorKind::AlgorithmMismatch
        }
        KeyError::RsaExponent => ProviderErrorKind::AlgorithmMismatch,
        KeyError::NeedsAwsLcRs => {
            return Fault::Ours(
                ProviderError::new(
                    ProviderErrorKind::Configuration,
                    "the token's key is for RSA; build with the feature `aws-lc-rs` of adcp-signing-core",
                )
                .with_source(error),
            );
        }
        _ => ProviderErrorKind::InvalidResponse,
    };
    Fault::Ours(
        ProviderError::new(kind, "the token's public key cannot be used").with_source(error),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8037, appendix A.2.
    const ED25519_KEY: [u8; 32] = [
        0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07,
        0x3a, 0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07,
        0x51, 0x1a,
    ];
    /// The generator of P-256 (SEC 2 §2.4.2).
    const P256_KEY: [u8; 65] = [
        0x04, 0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4,
        0x40, 0xf2, 0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8,
        0x98, 0xc2, 0x96, 0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a,
        0x7c, 0x0f, 0x9e, 0x16, 0x2b, 0xce, 0x33, 0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40,
        0x68, 0x37, 0xbf, 0x51, 0xf5,
    ];

    #[test]
    fn points_are_read_bare_and_in_an_octet_string() {
        let wrapped = |len: u8, point: &[u8]| [&[0x04, len], point].concat();
        let ed25519 = PublicKey::from_ed25519_bytes(&ED25519_KEY);
        assert_eq!(from_point(Algorithm::Ed25519, &ED25519_KEY), ed25519);
        assert_eq!(from_point(Algorithm::Ed25519, &wrapped(0x20, &ED25519_KEY)), ed25519);
        let p256 = PublicKey::from_p256_sec1(&P256_KEY);
        assert!(p256.is_ok());
        assert_eq!(from_point(Algorithm::EcdsaP256Sha256, &P256_KEY), p256);
        assert_eq!(from_point(Algorithm::EcdsaP256Sha256, &wrapped(0x41, &P256_KEY)), p256);
    }

    #[test]
    fn other_points_are_refused() {
        let compressed = [&[0x03], &P256_KEY[1..33]].concat();
        let wrapped = [&[0x04, 0x21], compressed.as_slice()].concat();
        for point in [compressed, wrapped] {
            assert_eq!(
                from_point(Algorithm::EcdsaP256Sha256, &point),
                Err(KeyError::NotUncompressed)
            );
        }
        let algorithm = Algorithm::Ed25519;
        let short = from_point(algorithm, &ED25519_KEY[1..]);
        assert_eq!(short, Err(KeyError::Length { algorithm, expected: 32, actual: 31 }));
        let bit_string = [&[0x03, 0x21, 0x00], ED25519_KEY.as_slice()].concat();
        assert_eq!(
            from_point(algorithm, &bit_string),
            Err(KeyError::Length { algorithm, expected: 32, actual: 35 })
        );
    }

    #[test]
    fn zeros_that_der_puts_before_an_integer_are_dropped() {
        assert_eq!(without_leading_zeros(&[0, 0x80, 0]), [0x80, 0]);
        assert_eq!(without_leading_zeros(&[0, 0]), [0_u8; 0]);
    }
}
