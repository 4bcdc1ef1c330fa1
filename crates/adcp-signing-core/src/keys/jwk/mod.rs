//! JSON Web Keys (RFC 7517, RFC 7518 §6, RFC 8037) as AdCP publishes them.

mod error;
mod json;
mod private;
mod set;

use std::borrow::Cow;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use self::json::{Json, Object};
pub use self::{
    error::JwkError,
    json::JsonError,
    private::PrivateJwk,
    set::{JwkSet, JwkSetError},
};
use crate::keys::{Algorithm, KeyParts, KeyPurpose, PublicKey};

/// Members that hold a secret in some key type (RFC 7518 §6, RFC 9964); none may be in a published
/// key.
const PRIVATE_MEMBERS: [&str; 9] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"];
/// The longest big integer of a JWK: an RSA modulus of 8192 bits.
const MAX_INTEGER_LEN: usize = 1024;

/// A public JWK: what one entry of a JWKS says, whether or not the key can be used.
///
/// Members of unknown names are ignored. A known member of a wrong type reads as absent and makes
/// the key unusable: [`public_key`](Self::public_key) says which it was. So one broken entry never
/// hides the others of its set, and is never mistaken for a good one.
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
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Jwk {
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kty: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    crv: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alg: Option<String>,
    #[serde(rename = "use", skip_serializing_if = "Option::is_none")]
    key_use: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_ops: Option<Vec<String>>,
    #[serde(skip_serializing_if = "AdcpUse::is_not_written")]
    adcp_use: AdcpUse,
    #[serde(skip_serializing_if = "Option::is_none")]
    x: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    e: Option<String>,
    /// The first member whose type is wrong.
    #[serde(skip)]
    malformed: Option<Malformed>,
}

/// The member `adcp_use` as it stands in a JWK: one JSON string, or nothing that can be used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum AdcpUse {
    /// There is no such member.
    #[default]
    Absent,
    /// One string.
    Purpose(KeyPurpose),
    /// An array or another type. A key has exactly one purpose, so this is none.
    Malformed,
}

impl AdcpUse {
    fn purpose(&self) -> Option<&KeyPurpose> {
        match self {
            Self::Purpose(purpose) => Some(purpose),
            Self::Absent | Self::Malformed => None,
        }
    }

    fn is_not_written(&self) -> bool {
        self.purpose().is_none()
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
    /// [`JwkError::Json`] (not JSON, over 64 KiB, or a member name twice), [`JwkError::NotAnObject`] or
    /// [`JwkError::PrivateMember`]. Everything else is reported when the key is used.
    pub fn parse(json: &[u8]) -> Result<Self, JwkError> {
        Self::from_json(Json::parse(json)?)
    }

    /// The key, checked: `alg` is there and agrees with `kty` and `crv`, and the coordinates are
    /// canonical base64url of the exact length and a valid point. `use`, `key_ops` and `adcp_use`
    /// are the caller's to judge.
    ///
    /// # Errors
    /// [`JwkError`]: the first thing that is wrong.
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

    /// The member `adcp_use`, told apart from an absent and a malformed one.
    pub fn adcp_use(&self) -> &AdcpUse {
        &self.adcp_use
    }

    /// The purpose, when `adcp_use` is one string.
    pub fn purpose(&self) -> Option<&KeyPurpose> {
        self.adcp_use.purpose()
    }

    /// Whether `use` is `sig` and `key_ops` holds `verify`: the AdCP checklist wants both said.
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

    /// Sets `use` to `sig`, `key_ops` to `["verify"]` and `adcp_use`: the form in which AdCP wants
    /// keys published.
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

    fn from_json(json: Json<'_>) -> Result<Self, JwkError> {
        let Json::Object(mut object) = json else { return Err(JwkError::NotAnObject) };
        if let Some(member) =
            PRIVATE_MEMBERS.into_iter().find(|member| object.contains_key(*member))
        {
            return Err(JwkError::PrivateMember { member });
        }
        Ok(Self::from_public_members(&mut object))
    }

    /// Takes the members of this type out of the object and leaves the rest.
    fn from_public_members(object: &mut Object<'_>) -> Self {
        let mut malformed = None;
        let mut jwk = Self::default();
        for (member, field) in [
            ("kid", &mut jwk.kid),
            ("kty", &mut jwk.kty),
            ("crv", &mut jwk.crv),
            ("alg", &mut jwk.alg),
            ("use", &mut jwk.key_use),
            ("x", &mut jwk.x),
            ("y", &mut jwk.y),
            ("n", &mut jwk.n),
            ("e", &mut jwk.e),
        ] {
            match object.remove(member) {
                None => {}
                Some(Json::String(value)) => *field = Some(value.into_owned()),
                Some(_) => {
                    malformed = malformed.or(Some(Malformed { member, expected: "a string" }))
                }
            }
        }
        match object.remove("key_ops").map(strings) {
            None => {}
            Some(Some(ops)) => jwk.key_ops = Some(ops),
            Some(None) => {
                let member = Malformed { member: "key_ops", expected: "an array of strings" };
                malformed = malformed.or(Some(member));
            }
        }
        jwk.adcp_use = match object.remove("adcp_use") {
            None => AdcpUse::Absent,
            Some(Json::String(value)) => AdcpUse::Purpose(KeyPurpose::from(&*value)),
            Some(_) => {
                malformed =
                    malformed.or(Some(Malformed { member: "adcp_use", expected: "one string" }));
                AdcpUse::Malformed
            }
        };
        jwk.malformed = malformed;
        jwk
    }

    /// An entry of a set that is not even an object.
    fn not_an_object() -> Self {
        Self {
            malformed: Some(Malformed { member: "keys", expected: "an array of objects" }),
            ..Self::default()
        }
    }

    /// The algorithm that `kty` and `crv` stand for, with which `alg` must agree.
    fn checked_algorithm(&self, alg_member: AlgMember) -> Result<Algorithm, JwkError> {
        if let Some(Malformed { member, expected }) = self.malformed {
            return Err(JwkError::MemberType { member, expected });
        }
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

/// Whether a JWK must say `alg`: a published one must, one's own private one need not.
#[derive(Clone, Copy)]
enum AlgMember {
    Required,
    Optional,
}

impl Serialize for AdcpUse {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.purpose().map(KeyPurpose::as_str).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Jwk {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_json(Json::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

fn strings(json: Json<'_>) -> Option<Vec<String>> {
    let Json::Array(items) = json else { return None };
    items
        .into_iter()
        .map(|item| match item {
            Json::String(text) => Some(Cow::into_owned(text)),
            _ => None,
        })
        .collect()
}

/// A coordinate or seed: 32 bytes, leading zeros written out (RFC 7518 §6.2.1.2, RFC 8037 §2).
fn coordinate(member: &'static str, value: Option<&str>) -> Result<[u8; 32], JwkError> {
    let value = value.ok_or(JwkError::Missing { member })?;
    let mut bytes = [0; 32];
    // 43 characters are 32 bytes; the length is told apart from the encoding for the sake of the
    // message.
    match Base64UrlUnpadded::decode(value, &mut bytes) {
        Ok(&[_, ..]) if value.len() == 43 => Ok(bytes),
        _ => match decoded_len(value) {
            Some(actual) if actual != 32 => {
                Err(JwkError::MemberLength { member, expected: 32, actual })
            }
            _ => Err(JwkError::Encoding { member }),
        },
    }
}

/// A `Base64urlUInt` (RFC 7518 §2). Leading zeros are left for the key's own check.
fn integer(member: &'static str, value: Option<&str>) -> Result<Vec<u8>, JwkError> {
    let value = value.ok_or(JwkError::Missing { member })?;
    let mut bytes = vec![0; MAX_INTEGER_LEN];
    let len = match Base64UrlUnpadded::decode(value, &mut bytes) {
        Ok(decoded) => decoded.len(),
        Err(_) => return Err(JwkError::Encoding { member }),
    };
    bytes.truncate(len);
    Ok(bytes)
}

/// How many bytes a text of the base64url alphabet stands for.
fn decoded_len(value: &str) -> Option<usize> {
    let alphabet = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (value.len() % 4 != 1 && value.bytes().all(alphabet)).then(|| value.len() * 3 / 4)
}
