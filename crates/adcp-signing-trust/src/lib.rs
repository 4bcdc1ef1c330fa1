#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

pub mod fetch;
pub mod guard;
pub mod jwks;
mod jws;
pub mod revocation;
