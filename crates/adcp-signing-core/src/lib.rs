#![doc = include_str!("../README.md")]

mod algorithm;
mod fingerprint;
pub mod json;
mod key;
pub mod message;
pub mod operation;
pub mod provider;
mod purpose;
mod signature;
pub mod target_uri;

pub use algorithm::Algorithm;
pub use fingerprint::Fingerprint;
pub use key::PublicKey;
pub use purpose::KeyPurpose;
pub use signature::{Signature, SignatureError};
