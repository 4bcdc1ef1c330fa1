#![doc = include_str!("../README.md")]

mod algorithm;
mod crypto;
mod fingerprint;
mod jwk;
mod key;
pub mod message;
pub mod provider;
mod purpose;
mod signature;
pub mod structured_fields;

pub use algorithm::Algorithm;
pub use fingerprint::Fingerprint;
pub use jwk::{AdcpUse, JsonError, Jwk, JwkError, JwkSet, JwkSetError, PrivateJwk};
pub use key::{KeyError, PublicKey, VerifyError};
pub use purpose::KeyPurpose;
pub use signature::{Signature, SignatureError};
