#![doc = include_str!("../README.md")]

pub mod azure_key_vault;
pub mod gcp_kms;
mod service;
