#![doc = include_str!("../README.md")]

mod algorithm;
mod clock;
mod fingerprint;
pub mod json;
mod key;
pub mod message;
mod nonce;
pub mod provider;
mod purpose;
pub mod replay;
pub mod revocation;
mod signature;
pub mod target_uri;
pub mod webhook;

pub use algorithm::Algorithm;
pub use clock::{Clock, FixedClock, SystemClock, UnixSeconds};
pub use fingerprint::Fingerprint;
pub use key::PublicKey;
pub use nonce::{FixedNonces, Nonce, NonceError, Nonces, RandomNonces};
pub use purpose::KeyPurpose;
pub use signature::{Signature, SignatureError};
