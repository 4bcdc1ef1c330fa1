//! Why a JWK or a JWK set is refused.

use super::{MAX_KEYS, MAX_LEN};
use crate::{json::StrictJsonError, keys::KeyError};

/// Why a JWK or a JWK set cannot be read or used. Shows names of members, never their values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwkError {
    /// The text is longer than 64 KiB, the size that AdCP allows a JWKS.
    #[error("the JWK or JWK set is {length} bytes long, more than the {MAX_LEN} bytes allowed")]
    TooLong {
        /// The length in bytes.
        length: usize,
    },
    /// The text is not strict JSON, or has an object with two members of one name.
    #[error("not a JWK or JWK set: {0}")]
    Json(#[from] StrictJsonError),
    /// The JSON text is not an object.
    #[error("not a JWK: it must be a JSON object")]
    NotAnObject,
    /// A public JWK holds a private member. The key is exposed: withdraw it and make a new one.
    #[error(
        "a public JWK must not hold the private member `{member}`; withdraw this key and make a new one"
    )]
    PrivateMember {
        /// The member.
        member: &'static str,
    },
    /// The JSON text is not an object with an array `keys`.
    #[error(
        "not a JWK set: it must be a JSON object with an array `keys` (RFC 7517 §5); put a single \
         JWK into one"
    )]
    NotASet,
    /// The JSON text is a JWK set where one JWK is wanted.
    #[error("this is a JWK set, and one JWK is wanted; take the key out of its array `keys`")]
    IsASet,
    /// The set has more keys than are read.
    #[error("a JWK set may have {MAX_KEYS} keys, not {count}")]
    TooManyKeys {
        /// How many there are.
        count: usize,
    },
    /// A key of a public set holds a private member. The whole set is refused: its publisher has
    /// lost control of it.
    #[error(
        "key {index} of the JWK set holds the private member `{member}`; withdraw it and make a new one"
    )]
    PrivateMemberInSet {
        /// The place of the key in `keys`, from 0.
        index: usize,
        /// The member.
        member: &'static str,
    },
    /// A member has a wrong type.
    #[error("the JWK member `{member}` must be {expected}")]
    MemberType {
        /// The member.
        member: &'static str,
        /// The type it must have.
        expected: &'static str,
    },
    /// A member that the key needs is missing. Without `d` it is a public key where the private one
    /// is needed.
    #[error(
        "the JWK lacks the member `{member}`{}",
        if *.member == "d" { ": it is a public key, and the private one is needed" } else { "" }
    )]
    Missing {
        /// The member.
        member: &'static str,
    },
    /// `kty` and `crv` do not name a supported key type.
    #[error("this `kty` and `crv` are not supported; use OKP with Ed25519, EC with P-256, or RSA")]
    UnsupportedKeyType,
    /// `alg` is not the algorithm of this `kty` and `crv`.
    #[error("the JWK member `alg` must be `{expected}` for this `kty` and `crv`")]
    AlgMismatch {
        /// The value `alg` must have.
        expected: &'static str,
    },
    /// A member is not base64url without padding in its one canonical form.
    #[error(
        "the JWK member `{member}` must be base64url without padding (RFC 7515 §2); {}",
        .found.cure()
    )]
    Encoding {
        /// The member.
        member: &'static str,
        /// What it is instead.
        found: Misencoding,
    },
    /// A member has a wrong length once decoded.
    #[error("the JWK member `{member}` must be {expected} bytes long once decoded, not {actual}")]
    MemberLength {
        /// The member.
        member: &'static str,
        /// The length it must have.
        expected: usize,
        /// The length it has.
        actual: usize,
    },
    /// `use` or `key_ops` says that the key is not for signatures.
    #[error("the JWK members `use` and `key_ops` do not allow signatures")]
    NotForSignatures,
    /// The public members are not those of the private key.
    #[error("the public members of the JWK do not belong to its private key")]
    PublicKeyMismatch,
    /// A private JWK set from which not exactly one key can be chosen.
    #[error("the JWK set must hold one key, or one with the `kid` asked for, not {count}")]
    NotOneKey {
        /// How many there are.
        count: usize,
    },
    /// The key itself is refused.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// What the value of a JWK member is in place of base64url without padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Misencoding {
    /// It ends with `=`.
    Padded,
    /// It has `+` or `/`, which are of the standard alphabet.
    Standard,
    /// It has white space.
    WhiteSpace,
    /// It is hex digits, twice as many as the member has bytes.
    Hex,
    /// Anything else, such as another character, a length that no bytes have, or stray bits.
    Other,
}

impl Misencoding {
    pub(super) fn of(value: &str) -> Self {
        if value.contains(|character: char| character.is_whitespace()) {
            Self::WhiteSpace
        } else if value.contains(['+', '/']) {
            Self::Standard
        } else if value.ends_with('=') {
            Self::Padded
        } else {
            Self::Other
        }
    }

    fn cure(self) -> &'static str {
        match self {
            Self::Padded => "it is padded: remove the `=` at its end",
            Self::Standard => {
                "it is standard Base64: write `-` for `+` and `_` for `/`, and no `=`"
            }
            Self::WhiteSpace => "it has white space: remove it",
            Self::Hex => "it is hex: encode the bytes anew",
            Self::Other => "it has another character, is cut off, or ends with stray bits",
        }
    }
}
