#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(all(feature = "http", feature = "tokio"), doc = include_str!("../README.md"))]
#![cfg_attr(
    not(all(feature = "http", feature = "tokio")),
    doc = "Signs and verifies Ad Context Protocol traffic. The guide is shown with the features `http` and `tokio`."
)]

#[cfg(all(doctest, feature = "http", feature = "tokio"))]
mod guides;
#[cfg(feature = "tokio")]
mod schemes;
#[cfg(feature = "tokio")]
mod suggest;

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

#[cfg(feature = "tokio")]
pub use self::{
    schemes::{
        KeySchemes, KeyWarning, MadeKey, OpenError, UriOptions, provider_from_uri,
        provider_from_uri_with,
    },
    suggest::Suggestion,
};

/// The programs of the guides that need keys by URI are tests.
#[cfg(all(doctest, feature = "tokio"))]
mod key_guides {
    #[doc = include_str!("../../../docs/rotation.md")]
    struct Rotation;

    #[cfg(feature = "aws-kms")]
    #[doc = include_str!("../../../docs/backends/aws-kms.md")]
    struct AwsKms;

    #[cfg(feature = "azure-key-vault")]
    #[doc = include_str!("../../../docs/backends/azure-key-vault.md")]
    struct AzureKeyVault;

    #[cfg(feature = "gcp-kms")]
    #[doc = include_str!("../../../docs/backends/gcp-kms.md")]
    struct GcpKms;

    #[cfg(feature = "pkcs11")]
    #[doc = include_str!("../../../docs/backends/pkcs11.md")]
    struct Pkcs11;

    #[cfg(feature = "vault-transit")]
    #[doc = include_str!("../../../docs/backends/vault-transit.md")]
    struct VaultTransit;
}
