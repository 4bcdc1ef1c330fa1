#![doc = include_str!("../README.md")]

pub mod clock;
#[cfg(feature = "http")]
pub mod http_message;
pub mod json;
pub mod keys;
pub mod nonce;
pub mod operation;
pub mod profile;
pub mod provider;
pub mod replay;
pub mod resolver;
pub mod revocation;
pub mod rfc9421;
pub mod sign;
pub mod target_uri;
mod text;
pub mod verify;
pub mod webhook;

pub use self::{
    clock::{Clock, FixedClock, SystemClock, UnixSeconds},
    keys::{
        AdcpUse, Algorithm, Fingerprint, InvalidSignature, Jwk, JwkError, JwkSet, KeyError,
        KeyPurpose, PrivateJwk, PublicKey, Signature, SignatureError,
    },
    nonce::{FixedNonces, Nonce, NonceError, Nonces, RandomNonces},
    provider::{InMemoryProvider, ProviderError, ProviderErrorKind, SigningProvider},
};
