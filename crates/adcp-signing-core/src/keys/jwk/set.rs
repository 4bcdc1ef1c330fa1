//! JWK sets (RFC 7517 §5).

use serde::Serialize;

use super::{Jwk, JwkError, MAX_KEYS, parse};
use crate::json::{Kind, Value};

/// A public JWK set, its keys in the order of the text. Two keys may have the same `kid`: the
/// resolver decides what that means.
///
/// ```
/// use adcp_signing_core::JwkSet;
///
/// let set = JwkSet::parse(br#"{"keys":[{"kid":"a","kty":"OKP"}]}"#)?;
/// assert_eq!(set.keys().len(), 1);
/// assert!(set.with_kid("a").all(|jwk| jwk.public_key().is_err()));
/// # Ok::<(), adcp_signing_core::JwkError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct JwkSet {
    keys: Vec<Jwk>,
}

impl JwkSet {
    /// Reads a set strictly.
    ///
    /// # Errors
    /// [`JwkError::TooLong`], [`JwkError::Json`], [`JwkError::NotASet`], [`JwkError::TooManyKeys`] or
    /// [`JwkError::PrivateMemberInSet`]. A broken key is not an error: it is in the set and cannot be
    /// used (see [`Jwk`]).
    pub fn parse(json: &[u8]) -> Result<Self, JwkError> {
        Self::from_value(parse(json)?.root())
    }

    /// The keys, in the order of the text.
    pub fn keys(&self) -> &[Jwk] {
        &self.keys
    }

    /// The keys with this `kid`, compared byte for byte.
    pub fn with_kid<'a>(&'a self, kid: &'a str) -> impl Iterator<Item = &'a Jwk> {
        self.keys.iter().filter(move |jwk| jwk.kid() == Some(kid))
    }

    fn from_value(set: Value<'_, '_>) -> Result<Self, JwkError> {
        let keys = set.member("keys").filter(|keys| keys.kind() == Kind::Array);
        let keys = keys.ok_or(JwkError::NotASet)?;
        let count = keys.elements().count();
        if count > MAX_KEYS {
            return Err(JwkError::TooManyKeys { count });
        }
        let keys = keys.elements().enumerate().map(|(index, key)| match Jwk::from_value(key) {
            Err(JwkError::PrivateMember { member }) => {
                Err(JwkError::PrivateMemberInSet { index, member })
            }
            Err(_) => Ok(Jwk::not_an_object()),
            Ok(key) => Ok(key),
        });
        Ok(Self { keys: keys.collect::<Result<_, _>>()? })
    }
}

impl FromIterator<Jwk> for JwkSet {
    fn from_iter<I: IntoIterator<Item = Jwk>>(keys: I) -> Self {
        Self { keys: keys.into_iter().collect() }
    }
}
