//! Private JWKs, their secrets in memory that is wiped.

use std::{borrow::Cow, fmt, sync::Arc};

use base64ct::{Base64UrlUnpadded, Encoding as _};
use zeroize::Zeroizing;

use super::{AdcpUse, AlgMember, Jwk, JwkError, MAX_INTEGER_LEN, Misencoding, not_32_bytes, parse};
use crate::{
    json::{Kind, Value},
    keys::{
        Algorithm, KeyPurpose, PublicKey,
        crypto::{RsaPrivateParts, SigningKey},
    },
};

/// The name that published AdCP test keys use instead of `d`.
const TEST_D: &str = "_private_d_for_test_only";

/// A private JWK: OKP Ed25519, EC P-256 or two-prime RSA, with the public members checked against
/// the private ones.
///
/// The secret is wiped when this is dropped. `Debug` shows the public members only.
///
/// ```
/// use adcp_signing_core::PrivateJwk;
///
/// // RFC 8037, appendix A.1: a test key.
/// let jwk = PrivateJwk::parse(
///     br#"{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
///          "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
/// )?;
/// assert!(!format!("{jwk:?}").contains("nWGx"));
/// # Ok::<(), adcp_signing_core::JwkError>(())
/// ```
pub struct PrivateJwk {
    public: Jwk,
    key: Arc<SigningKey>,
    public_key: PublicKey,
}

impl PrivateJwk {
    /// Reads one private JWK. `alg`, `use` and `key_ops` may be absent. If present, `use` and
    /// `key_ops` must allow signatures.
    ///
    /// The caller wipes the text itself. Strings without escapes, as every writer of base64url
    /// makes them, are read in place; others are unescaped into memory that is wiped.
    ///
    /// # Errors
    /// [`JwkError`].
    pub fn parse(json: &[u8]) -> Result<Self, JwkError> {
        Self::from_value(parse(json)?.root())
    }

    /// Reads a private JWK, or the one to use of a private JWK set: its only key, or the only one
    /// with this `kid`.
    pub(crate) fn parse_sole(json: &[u8], kid: Option<&str>) -> Result<Self, JwkError> {
        let document = parse(json)?;
        let root = document.root();
        let keys = match root.member("keys") {
            None => return Self::from_value(root),
            Some(keys) if keys.kind() == Kind::Array => keys,
            Some(_) => return Err(JwkError::MemberType { member: "keys", expected: "an array" }),
        };
        let mut keys: Vec<_> = keys.elements().collect();
        if let (Some(kid), 2..) = (kid, keys.len()) {
            keys.retain(|key| {
                key.member("kid").and_then(Value::as_str).is_some_and(|own| own == kid)
            });
        }
        match keys.as_slice() {
            [key] => Self::from_value(*key),
            keys => Err(JwkError::NotOneKey { count: keys.len() }),
        }
    }

    /// The member `kid`.
    pub fn kid(&self) -> Option<&str> {
        self.public.kid()
    }

    /// The algorithm the key signs with.
    pub fn algorithm(&self) -> Algorithm {
        self.public_key.algorithm()
    }

    /// The member `adcp_use`.
    pub fn adcp_use(&self) -> &AdcpUse {
        self.public.adcp_use()
    }

    /// The purpose, when `adcp_use` is there.
    pub fn purpose(&self) -> Option<&KeyPurpose> {
        self.public.purpose()
    }

    /// The member `key_ops`.
    pub fn key_ops(&self) -> Option<&[String]> {
        self.public.key_ops()
    }

    /// The public half.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// The private JWK as JSON, the public members first. Contains the secret in the clear; wiped
    /// when dropped.
    pub fn to_json(&self) -> Zeroizing<String> {
        let mut public = String::from("{");
        for (name, value) in self.public.members() {
            public.push_str(&format!("\"{name}\":{value},"));
        }
        let members = self.secret_members();
        let len = members.iter().map(|(name, value)| name.len() + value.len() + 6).sum::<usize>();
        // Room for all of it: a string that grows leaves copies of the secret behind.
        let mut json = Zeroizing::new(String::with_capacity(public.len() + len));
        json.push_str(&public);
        for (index, (name, value)) in members.iter().enumerate() {
            let separator = if index == 0 { "\"" } else { ",\"" };
            for part in [separator, name, "\":\"", value, "\""] {
                json.push_str(part);
            }
        }
        json.push('}');
        json
    }

    pub(crate) fn new(public: Jwk, key: Arc<SigningKey>, public_key: PublicKey) -> Self {
        Self { public, key, public_key }
    }

    pub(crate) fn into_parts(self) -> (Jwk, Arc<SigningKey>, PublicKey) {
        (self.public, self.key, self.public_key)
    }

    fn secret_members(&self) -> Vec<(&'static str, Zeroizing<String>)> {
        let b64 = |bytes: &[u8]| Zeroizing::new(Base64UrlUnpadded::encode_string(bytes));
        match &*self.key {
            SigningKey::Ed25519(key) => vec![("d", b64(key.seed()))],
            SigningKey::P256(key) => vec![("d", b64(key.scalar()))],
            SigningKey::Rsa(key) => {
                let RsaPrivateParts { d, p, q, dp, dq, qi } = key.private_parts();
                [("d", d), ("p", p), ("q", q), ("dp", dp), ("dq", dq), ("qi", qi)]
                    .map(|(name, value)| (name, b64(value)))
                    .into()
            }
        }
    }

    fn from_value(object: Value<'_, '_>) -> Result<Self, JwkError> {
        if object.kind() != Kind::Object {
            return Err(JwkError::NotAnObject);
        }
        let public = Jwk::from_public_members(object);
        let algorithm = public.checked_algorithm(AlgMember::Optional)?;
        check_usable_for_signatures(&public)?;
        let d = match (secret(object, "d")?, secret(object, TEST_D)?) {
            (Some(d), None) | (None, Some(d)) => d,
            (None, None) => return Err(JwkError::Missing { member: "d" }),
            (Some(_), Some(_)) => {
                return Err(JwkError::MemberType { member: "d", expected: "given once" });
            }
        };
        let key = match algorithm {
            Algorithm::Ed25519 => SigningKey::ed25519(&*secret_32("d", &d)?),
            Algorithm::EcdsaP256Sha256 => SigningKey::p256(&*secret_32("d", &d)?)?,
            Algorithm::RsaPssSha512 => {
                let part = |member| match secret(object, member)? {
                    Some(value) => secret_integer(member, &value),
                    None => Err(JwkError::Missing { member }),
                };
                let private = RsaPrivateParts {
                    d: secret_integer("d", &d)?,
                    p: part("p")?,
                    q: part("q")?,
                    dp: part("dp")?,
                    dq: part("dq")?,
                    qi: part("qi")?,
                };
                let n = super::integer("n", public.n.as_deref())?;
                let e = super::integer("e", public.e.as_deref())?;
                SigningKey::rsa(&n, &e, private)?
            }
        };
        let public_key = PublicKey::new(key.verify_key()?)?;
        let public = Jwk { alg: Some(algorithm.jose_name().to_owned()), ..public };
        if public.public_key()? != public_key {
            return Err(JwkError::PublicKeyMismatch);
        }
        Ok(Self { public, key: Arc::new(key), public_key })
    }
}

impl fmt::Debug for PrivateJwk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateJwk")
            .field("kid", &self.kid())
            .field("adcp_use", self.adcp_use())
            .field("public_key", &self.public_key)
            .finish_non_exhaustive()
    }
}

/// `use` and `key_ops`, if present, must allow signatures. Published test keys have `verify` next to
/// their secret.
fn check_usable_for_signatures(public: &Jwk) -> Result<(), JwkError> {
    let use_fits = public.key_use().is_none_or(|key_use| key_use == "sig");
    let ops_fit =
        public.key_ops().is_none_or(|ops| ops.iter().any(|op| op == "sign" || op == "verify"));
    if use_fits && ops_fit { Ok(()) } else { Err(JwkError::NotForSignatures) }
}

/// A secret's text: in place, or in memory that is wiped.
enum SecretText<'a> {
    Borrowed(&'a str),
    Owned(Zeroizing<String>),
}

impl std::ops::Deref for SecretText<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Borrowed(text) => text,
            Self::Owned(text) => text,
        }
    }
}

fn secret<'a>(
    object: Value<'_, 'a>,
    member: &'static str,
) -> Result<Option<SecretText<'a>>, JwkError> {
    let Some(value) = object.member(member) else { return Ok(None) };
    match value.as_str() {
        Some(Cow::Borrowed(text)) => Ok(Some(SecretText::Borrowed(text))),
        Some(Cow::Owned(text)) => Ok(Some(SecretText::Owned(Zeroizing::new(text)))),
        None => {
            let member = if member == TEST_D { "d" } else { member };
            Err(JwkError::MemberType { member, expected: "a string" })
        }
    }
}

fn secret_32(member: &'static str, text: &str) -> Result<Zeroizing<[u8; 32]>, JwkError> {
    let mut bytes = Zeroizing::new([0; 32]);
    match Base64UrlUnpadded::decode(text, bytes.as_mut()) {
        Ok(decoded) if decoded.len() == 32 => Ok(bytes),
        _ => Err(not_32_bytes(member, text)),
    }
}

fn secret_integer(member: &'static str, text: &str) -> Result<Zeroizing<Vec<u8>>, JwkError> {
    let mut bytes = Zeroizing::new(vec![0; MAX_INTEGER_LEN]);
    let len = match Base64UrlUnpadded::decode(text, bytes.as_mut_slice()) {
        Ok(decoded) if !decoded.is_empty() => decoded.len(),
        _ => return Err(JwkError::Encoding { member, found: Misencoding::of(text) }),
    };
    bytes.truncate(len);
    Ok(bytes)
}
