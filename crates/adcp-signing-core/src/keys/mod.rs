//! Keys and signatures: algorithms, public keys, JWKs, purposes, and the only module that touches a primitive.

mod algorithm;
pub(crate) mod crypto;
pub(crate) mod jwk;
mod key_ref;
pub(crate) mod pem;
mod public_key;
mod purpose;
mod signature;

pub use self::{
    algorithm::Algorithm,
    jwk::{AdcpUse, Jwk, JwkError, JwkSet, Misencoding, PrivateJwk},
    key_ref::KeyRef,
    pem::PemError,
    public_key::{InvalidSignature, KeyError, PublicKey},
    purpose::KeyPurpose,
    signature::{Signature, SignatureError},
};
pub(crate) use self::{
    public_key::{KeyParts, algorithm_of},
    signature::SignatureBytes,
};
