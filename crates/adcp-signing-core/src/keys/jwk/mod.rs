//! JSON Web Keys (RFC 7517, RFC 7518 §6, RFC 8037) as AdCP publishes them.

mod error;
mod private;
mod set;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde::{Serialize, Serializer};

pub use self::{
    error::{JwkError, Misencoding},
    private::PrivateJwk,
    set::JwkSet,
};
use crate::{
    json::{Document, JsonLimits, Kind, Value},
    keys::{Algorithm, KeyParts, KeyPurpose, PublicKey},
};

/// The longest text read, in bytes: the size that AdCP allows a JWKS.
const MAX_LEN: usize = 64 * 1024;
/// The most keys in a set.
const MAX_KEYS: usize = 1000;
/// Members that hold a secret in some key type (RFC 7518 §6, RFC 9964); none may be in a published
/// key.
const PRIVATE_MEMBERS: [&str; 9] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"];
/// The longest big integer of a JWK: an RSA modulus of 8192 bits.
const MAX_INTEGER_LEN: usize = 1024;

/// A public JWK: the members of one entry of a JWKS, whether or not the key can be used.
///
/// Members with unknown names are ignored. A known member of a wrong type reads as absent and makes
/// the key unusable: [`public_key`](Self::public_key) names it. So one broken entry never hides the
/// others of its set, and is never mistaken for a good one.
///
/// ```
/// use adcp_signing_core::{Jwk, KeyPurpose};
///
/// let jwk = Jwk::parse(
///     br#"{"kid":"a","kty":"OKP","crv":"Ed25519","alg":"EdDSA","use":"sig","key_ops":["verify"],
///          "adcp_use":"request-signing","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
/// )?;
/// assert_eq!(jwk.purpose(), Some(&KeyPurpose::RequestSigning));
/// assert!(jwk.is_for_verifying());
/// let key = jwk.public_key()?;
/// # Ok::<(), adcp_signing_core::JwkError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Jwk {
    kid: Option<String>,
    kty: Option<String>,
    crv: Option<String>,
    alg: Option<String>,
    key_use: Option<String>,
    key_ops: Option<Vec<String>>,
    adcp_use: AdcpUse,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
    /// The first member whose type is wrong.
    malformed: Option<Malformed>,
}

/// The member `adcp_use` of a JWK: one JSON string, or nothing that can be used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum AdcpUse {
    /// The JWK has no such member.
    #[default]
    Absent,
    /// One string.
    Purpose(KeyPurpose),
    /// An array or another type. A key has exactly one purpose, so this gives it none.
    Malformed,
}

impl AdcpUse {
    fn purpose(&self) -> Option<&KeyPurpose> {
        match self {
            Self::Purpose(purpose) => Some(purpose),
            Self::Absent | Self::Malformed => None,
        }
    }
}

/// A member of a wrong type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Malformed {
    member: &'static str,
    expected: &'static str,
}

impl Jwk {
    /// Reads one public JWK.
    ///
    /// The member `_private_d_for_test_only` of published test keys is dropped.
    ///
    /// # Errors
    /// [`JwkError::TooLong`], [`JwkError::Json`], [`JwkError::NotAnObject`] or
    /// [`JwkError::PrivateMember`]. Everything else is reported when the key is used.
    pub fn parse(json: &[u8]) -> Result<Self, JwkError> {
        let document = parse(json)?;
        let jwk = document.root();
        if jwk.member("kty").is_none() && jwk.member("keys").is_some() {
            return Err(JwkError::IsASet);
        }
        Self::from_value(jwk)
    }

    /// The key, checked: `alg` is present and agrees with `kty` and `crv`, and the coordinates are
    /// canonical base64url of the exact length and a valid point. The caller checks `use`,
    /// `key_ops` and `adcp_use`.
    ///
    /// # Errors
    /// [`JwkError`]: the first fault found.
    pub fn public_key(&self) -> Result<PublicKey, JwkError> {
        match self.checked_algorithm(AlgMember::Required)? {
            Algorithm::Ed25519 => {
                Ok(PublicKey::from_ed25519_bytes(&coordinate("x", self.x.as_deref())?)?)
            }
            Algorithm::EcdsaP256Sha256 => {
                let x = coordinate("x", self.x.as_deref())?;
                let y = coordinate("y", self.y.as_deref())?;
                Ok(PublicKey::from_p256_coordinates(&x, &y)?)
            }
            Algorithm::RsaPssSha512 => {
                let n = integer("n", self.n.as_deref())?;
                let e = integer("e", self.e.as_deref())?;
                Ok(PublicKey::from_rsa_components(&n, &e)?)
            }
        }
    }

    /// The member `kid`.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The member `kty`.
    pub fn kty(&self) -> Option<&str> {
        self.kty.as_deref()
    }

    /// The member `crv`.
    pub fn crv(&self) -> Option<&str> {
        self.crv.as_deref()
    }

    /// The member `alg`, a JOSE name.
    pub fn alg(&self) -> Option<&str> {
        self.alg.as_deref()
    }

    /// The member `use`.
    pub fn key_use(&self) -> Option<&str> {
        self.key_use.as_deref()
    }

    /// The member `key_ops`.
    pub fn key_ops(&self) -> Option<&[String]> {
        self.key_ops.as_deref()
    }

    /// The member `adcp_use`: absent, one purpose, or malformed.
    pub fn adcp_use(&self) -> &AdcpUse {
        &self.adcp_use
    }

    /// The purpose, when `adcp_use` is one string.
    pub fn purpose(&self) -> Option<&KeyPurpose> {
        self.adcp_use.purpose()
    }

    /// Whether `use` is `sig` and `key_ops` contains `verify`: the AdCP checklist requires both.
    pub fn is_for_verifying(&self) -> bool {
        self.key_use() == Some("sig")
            && self.key_ops().is_some_and(|ops| ops.iter().any(|op| op == "verify"))
    }

    /// Sets `kid`.
    #[must_use]
    pub fn with_kid(mut self, kid: impl Into<String>) -> Self {
        self.kid = Some(kid.into());
        self
    }

    /// Sets `use` to `sig`, `key_ops` to `["verify"]` and `adcp_use`: the form in which AdCP
    /// requires keys to be published.
    #[must_use]
    pub fn published_for(mut self, purpose: KeyPurpose) -> Self {
        self.key_use = Some("sig".to_owned());
        self.adcp_use = AdcpUse::Purpose(purpose);
        self.with_key_ops(["verify"])
    }

    pub(crate) fn with_key_ops<const N: usize>(mut self, key_ops: [&str; N]) -> Self {
        self.key_ops = Some(key_ops.map(str::to_owned).into());
        self
    }

    pub(crate) fn of_public_key(key: &PublicKey) -> Self {
        let algorithm = key.algorithm();
        let mut jwk = Self {
            kty: Some(algorithm.jwk_kty().to_owned()),
            crv: algorithm.jwk_crv().map(str::to_owned),
            alg: Some(algorithm.jose_name().to_owned()),
            ..Self::default()
        };
        let b64 = |bytes| Some(Base64UrlUnpadded::encode_string(bytes));
        match key.parts() {
            KeyParts::Ed25519(x) => jwk.x = b64(x),
            KeyParts::P256 { x, y } => (jwk.x, jwk.y) = (b64(x), b64(y)),
            KeyParts::Rsa { n, e } => (jwk.n, jwk.e) = (b64(n), b64(e)),
        }
        jwk
    }

    fn from_value(jwk: Value<'_, '_>) -> Result<Self, JwkError> {
        if jwk.kind() != Kind::Object {
            return Err(JwkError::NotAnObject);
        }
        for member in PRIVATE_MEMBERS {
            if jwk.member(member).is_some() {
                return Err(JwkError::PrivateMember { member });
            }
        }
        Ok(Self::from_public_members(jwk))
    }

    /// Reads the members of this type and ignores the rest.
    fn from_public_members(object: Value<'_, '_>) -> Self {
        let mut jwk = Self::default();
        for (name, value) in object.members() {
            match &*name {
                "kid" => jwk.kid = jwk.string("kid", value),
                "kty" => jwk.kty = jwk.string("kty", value),
                "crv" => jwk.crv = jwk.string("crv", value),
                "alg" => jwk.alg = jwk.string("alg", value),
                "use" => jwk.key_use = jwk.string("use", value),
                "x" => jwk.x = jwk.string("x", value),
                "y" => jwk.y = jwk.string("y", value),
                "n" => jwk.n = jwk.string("n", value),
                "e" => jwk.e = jwk.string("e", value),
                "key_ops" => {
                    jwk.key_ops = strings(value);
                    if jwk.key_ops.is_none() {
                        jwk.note_malformed("key_ops", "an array of strings");
                    }
                }
                "adcp_use" => match value.as_str() {
                    Some(purpose) => jwk.adcp_use = AdcpUse::Purpose(KeyPurpose::from(&*purpose)),
                    None => {
                        jwk.adcp_use = AdcpUse::Malformed;
                        jwk.note_malformed("adcp_use", "one string");
                    }
                },
                _ => {}
            }
        }
        jwk
    }

    fn string(&mut self, member: &'static str, value: Value<'_, '_>) -> Option<String> {
        let text = value.as_str();
        if text.is_none() {
            self.note_malformed(member, "a string");
        }
        text.map(Into::into)
    }

    fn note_malformed(&mut self, member: &'static str, expected: &'static str) {
        self.malformed.get_or_insert(Malformed { member, expected });
    }

    /// The members as they are written, in a stable order.
    fn members(&self) -> impl Iterator<Item = (&'static str, serde_json::Value)> {
        let text = |text: &Option<String>| text.as_deref().map(Into::into);
        let purpose = self.purpose().map(|purpose| purpose.as_str().into());
        [
            ("kid", text(&self.kid)),
            ("kty", text(&self.kty)),
            ("crv", text(&self.crv)),
            ("alg", text(&self.alg)),
            ("use", text(&self.key_use)),
            ("key_ops", self.key_ops.clone().map(Into::into)),
            ("adcp_use", purpose),
            ("x", text(&self.x)),
            ("y", text(&self.y)),
            ("n", text(&self.n)),
            ("e", text(&self.e)),
        ]
        .into_iter()
        .filter_map(|(name, value)| value.map(|value| (name, value)))
    }

    /// An entry of a set that is not an object.
    fn not_an_object() -> Self {
        Self {
            malformed: Some(Malformed { member: "keys", expected: "an array of objects" }),
            ..Self::default()
        }
    }

    /// Refuses a JWK with a known member of a wrong type.
    pub(crate) fn check_types(&self) -> Result<(), JwkError> {
        match self.malformed {
            Some(Malformed { member, expected }) => Err(JwkError::MemberType { member, expected }),
            None => Ok(()),
        }
    }

    /// The algorithm that `kty` and `crv` stand for, with which `alg` must agree.
    fn checked_algorithm(&self, alg_member: AlgMember) -> Result<Algorithm, JwkError> {
        self.check_types()?;
        let kty = self.kty().ok_or(JwkError::Missing { member: "kty" })?;
        let algorithm = Algorithm::ALL
            .into_iter()
            .find(|algorithm| {
                algorithm.jwk_kty() == kty
                    && algorithm.jwk_crv().is_none_or(|crv| self.crv() == Some(crv))
            })
            .ok_or(JwkError::UnsupportedKeyType)?;
        match self.alg() {
            Some(alg) if alg == algorithm.jose_name() => Ok(algorithm),
            Some(_) => Err(JwkError::AlgMismatch { expected: algorithm.jose_name() }),
            None => match alg_member {
                AlgMember::Required => Err(JwkError::Missing { member: "alg" }),
                AlgMember::Optional => Ok(algorithm),
            },
        }
    }
}

/// Whether a JWK must have `alg`: a published one must, a private one may lack it.
#[derive(Clone, Copy)]
enum AlgMember {
    Required,
    Optional,
}

impl Serialize for Jwk {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.members())
    }
}

/// Reads a JWK or a JWK set as strict JSON without duplicate members.
fn parse(json: &[u8]) -> Result<Document<'_>, JwkError> {
    if json.len() > MAX_LEN {
        return Err(JwkError::TooLong { length: json.len() });
    }
    Ok(Document::without_duplicates(json, &JsonLimits::default())?)
}

fn strings(array: Value<'_, '_>) -> Option<Vec<String>> {
    (array.kind() == Kind::Array)
        .then(|| array.elements().map(|item| item.as_str().map(Into::into)).collect())?
}

/// A coordinate or seed: 32 bytes, leading zeros written out (RFC 7518 §6.2.1.2, RFC 8037 §2).
fn coordinate(member: &'static str, value: Option<&str>) -> Result<[u8; 32], JwkError> {
    let value = value.ok_or(JwkError::Missing { member })?;
    let mut bytes = [0; 32];
    // 43 characters are 32 bytes. A wrong length has an error of its own.
    match Base64UrlUnpadded::decode(value, &mut bytes) {
        Ok(&[_, ..]) if value.len() == 43 => Ok(bytes),
        _ => Err(not_32_bytes(member, value)),
    }
}

/// Why a value does not stand for 32 bytes. Looks at the shape of the value only: it may be secret.
#[cold]
fn not_32_bytes(member: &'static str, value: &str) -> JwkError {
    if value.len() == 64 && value.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return JwkError::Encoding { member, found: Misencoding::Hex };
    }
    match decoded_len(value) {
        Some(actual) if actual != 32 => JwkError::MemberLength { member, expected: 32, actual },
        _ => JwkError::Encoding { member, found: Misencoding::of(value) },
    }
}

/// A `Base64urlUInt` (RFC 7518 §2). The key itself refuses leading zeros.
fn integer(member: &'static str, value: Option<&str>) -> Result<Vec<u8>, JwkError> {
    let value = value.ok_or(JwkError::Missing { member })?;
    let mut bytes = vec![0; MAX_INTEGER_LEN];
    let len = match Base64UrlUnpadded::decode(value, &mut bytes) {
        Ok(decoded) => decoded.len(),
        Err(_) => {
            return Err(JwkError::Encoding { member, found: Misencoding::of(value) });
        }
    };
    bytes.truncate(len);
    Ok(bytes)
}

/// How many bytes a text of the base64url alphabet stands for.
fn decoded_len(value: &str) -> Option<usize> {
    let alphabet = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (value.len() % 4 != 1 && value.bytes().all(alphabet)).then(|| value.len() * 3 / 4)
}
