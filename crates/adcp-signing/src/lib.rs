#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(feature = "http", doc = include_str!("../README.md"))]
#![cfg_attr(
    not(feature = "http"),
    doc = "Signs and verifies Ad Context Protocol traffic. The guide is shown with the feature `http`."
)]

mod from_uri;
#[cfg(all(doctest, feature = "http"))]
mod guides;

#[cfg(feature = "aws-kms")]
pub use adcp_signing_aws_kms as aws_kms;
#[cfg(feature = "azure-key-vault")]
pub use adcp_signing_azure_key_vault as azure_key_vault;
pub use adcp_signing_core::*;
#[cfg(feature = "gcp-kms")]
pub use adcp_signing_gcp_kms as gcp_kms;
#[cfg(feature = "pkcs11")]
pub use adcp_signing_pkcs11 as pkcs11;
#[cfg(feature = "vault-transit")]
pub use adcp_signing_vault_transit as vault_transit;

pub use self::from_uri::{KeyUriError, UriOptions, provider_from_uri};

/// The example of the guide is a test.
#[cfg(all(doctest, feature = "tokio"))]
#[doc = include_str!("../../../docs/rotation.md")]
struct RotationGuide;
