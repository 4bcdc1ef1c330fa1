//! Why a JWK is refused.

use super::JsonError;
use crate::keys::KeyError;

/// Why a JWK cannot be read or used. Shows names of members, never what they hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwkError {
    /// Not JSON that can be read without ambiguity.
    #[error("not a JWK: {0}")]
    Json(#[from] JsonError),
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
    /// A member has a wrong type.
    #[error("the JWK member `{member}` must be {expected}")]
    MemberType {
        /// The member.
        member: &'static str,
        /// The type it must have.
        expected: &'static str,
    },
    /// A member that the key needs is not there.
    #[error("the JWK lacks the member `{member}`")]
    Missing {
        /// The member.
        member: &'static str,
    },
    /// `kty` and `crv` name no key type that is used here.
    #[error("this `kty` and `crv` are not used here; use OKP with Ed25519, EC with P-256, or RSA")]
    UnsupportedKeyType,
    /// `alg` is not the algorithm of this `kty` and `crv`.
    #[error("the JWK member `alg` must be `{expected}` for this `kty` and `crv`")]
    AlgMismatch {
        /// The value `alg` must have.
        expected: &'static str,
    },
    /// A member is not base64url without padding in its one canonical form.
    #[error("the JWK member `{member}` is not canonical base64url without padding (RFC 7515 §2)")]
    Encoding {
        /// The member.
        member: &'static str,
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
    /// A private JWK set in which not exactly one key can be meant.
    #[error("the JWK set must hold one key, or one with the `kid` asked for, not {count}")]
    NotOneKey {
        /// How many there are.
        count: usize,
    },
    /// The key itself is refused.
    #[error(transparent)]
    Key(#[from] KeyError),
}
