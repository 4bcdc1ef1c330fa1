//! Keys and signatures: algorithms, public keys, JWKs, purposes, and the only module that touches a primitive.

mod algorithm;
pub(crate) mod crypto;
mod fingerprint;
pub(crate) mod jwk;
mod public_key;
mod purpose;
mod signature;

pub use self::{
    algorithm::Algorithm,
    fingerprint::Fingerprint,
    jwk::{AdcpUse, Jwk, JwkError, JwkSet, PrivateJwk},
    public_key::{InvalidSignature, KeyError, PublicKey},
    purpose::KeyPurpose,
    signature::{Signature, SignatureError},
};
pub(crate) use self::{
    public_key::{KeyParts, algorithm_of},
    signature::SignatureBytes,
};
