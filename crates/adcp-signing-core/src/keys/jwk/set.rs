//! JWK sets (RFC 7517 §5).

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use super::{Json, JsonError, Jwk, JwkError};

/// The most keys one set may hold.
const MAX_KEYS: usize = 1000;

/// A public JWK set, its keys in the order of the text. Two keys may have one `kid`: what to make
/// of that is the resolver's to say.
///
/// ```
/// use adcp_signing_core::JwkSet;
///
/// let set = JwkSet::parse(br#"{"keys":[{"kid":"a","kty":"OKP"}]}"#)?;
/// assert_eq!(set.keys().len(), 1);
/// assert!(set.with_kid("a").all(|jwk| jwk.public_key().is_err()));
/// # Ok::<(), adcp_signing_core::JwkSetError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct JwkSet {
    keys: Vec<Jwk>,
}

/// Why bytes are not a public JWK set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwkSetError {
    /// Not JSON that can be read without ambiguity.
    #[error("not a JWK set: {0}")]
    Json(#[from] JsonError),
    /// Not an object with an array `keys`.
    #[error("not a JWK set: it must be a JSON object with an array `keys` (RFC 7517 §5)")]
    NotASet,
    /// More keys than are read.
    #[error("a JWK set may hold 1000 keys, not {count}")]
    TooManyKeys {
        /// How many there are.
        count: usize,
    },
    /// A published key holds a private member. The whole set is refused: its publisher has lost
    /// control of it.
    #[error(
        "key {index} of the JWK set holds the private member `{member}`; withdraw it and make a new one"
    )]
    PrivateMember {
        /// The place of the key in `keys`, from 0.
        index: usize,
        /// The member.
        member: &'static str,
    },
}

impl JwkSet {
    /// Reads a set strictly.
    ///
    /// # Errors
    /// [`JwkSetError`]. A broken key is no error: it is there and cannot be used (see [`Jwk`]).
    pub fn parse(json: &[u8]) -> Result<Self, JwkSetError> {
        Self::from_json(Json::parse(json)?)
    }

    /// The keys, in the order of the text.
    pub fn keys(&self) -> &[Jwk] {
        &self.keys
    }

    /// The keys with this `kid`, compared byte for byte.
    pub fn with_kid<'a>(&'a self, kid: &'a str) -> impl Iterator<Item = &'a Jwk> {
        self.keys.iter().filter(move |jwk| jwk.kid() == Some(kid))
    }

    fn from_json(json: Json<'_>) -> Result<Self, JwkSetError> {
        let Json::Object(mut set) = json else { return Err(JwkSetError::NotASet) };
        let Some(Json::Array(keys)) = set.remove("keys") else { return Err(JwkSetError::NotASet) };
        if keys.len() > MAX_KEYS {
            return Err(JwkSetError::TooManyKeys { count: keys.len() });
        }
        let keys = keys.into_iter().enumerate().map(|(index, key)| match Jwk::from_json(key) {
            Err(JwkError::PrivateMember { member }) => {
                Err(JwkSetError::PrivateMember { index, member })
            }
            key => Ok(key.unwrap_or_else(|_| Jwk::not_an_object())),
        });
        Ok(Self { keys: keys.collect::<Result<_, _>>()? })
    }
}

impl FromIterator<Jwk> for JwkSet {
    fn from_iter<I: IntoIterator<Item = Jwk>>(keys: I) -> Self {
        Self { keys: keys.into_iter().collect() }
    }
}

impl<'de> Deserialize<'de> for JwkSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_json(Json::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
