#![doc = include_str!("../README.md")]

#[cfg(feature = "provider")]
pub mod provider;
pub mod vectors;
