#![doc = include_str!("../README.md")]

mod algorithm;
mod class;
mod clock;
mod crypto;
pub mod digest;
mod fingerprint;
pub mod json;
mod jwk;
mod key;
pub mod key_uri;
pub mod message;
mod nonce;
pub mod operation;
pub mod profile;
pub mod provider;
mod purpose;
pub mod replay;
pub mod resolver;
pub mod revocation;
pub mod sign;
mod signature;
pub mod structured_fields;
pub mod target_uri;
pub mod verify;
pub mod webhook;

pub use self::{
    algorithm::Algorithm,
    clock::{Clock, FixedClock, SystemClock, UnixSeconds},
    fingerprint::Fingerprint,
    jwk::{AdcpUse, JsonError, Jwk, JwkError, JwkSet, JwkSetError, PrivateJwk},
    key::{KeyError, PublicKey, VerifyError},
    nonce::{FixedNonces, Nonce, NonceError, Nonces, RandomNonces},
    provider::{InMemoryProvider, ProviderError, ProviderErrorKind, SigningProvider},
    purpose::KeyPurpose,
    signature::{Signature, SignatureError},
};
