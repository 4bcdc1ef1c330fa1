#![doc = include_str!("../README.md")]

mod algorithm;
mod clock;
mod crypto;
mod fingerprint;
mod jwk;
mod key;
pub mod message;
mod nonce;
pub mod provider;
mod purpose;
pub mod replay;
pub mod revocation;
mod signature;

pub use algorithm::Algorithm;
pub use clock::{Clock, FixedClock, SystemClock, UnixSeconds};
pub use fingerprint::Fingerprint;
pub use jwk::{AdcpUse, JsonError, Jwk, JwkError, JwkSet, JwkSetError, PrivateJwk};
pub use key::{KeyError, PublicKey, VerifyError};
pub use nonce::{FixedNonces, Nonce, NonceError, Nonces, RandomNonces};
pub use purpose::KeyPurpose;
pub use signature::{Signature, SignatureError};
