//! From a key URI to the provider that it names, by scheme.

use std::sync::Arc;

use adcp_signing_core::{
    ProviderError, SigningProvider,
    provider::toolkit::{self, InProcessKeys, LocalKeyUri},
};

/// What a caller of [`provider_from_uri`] allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct UriOptions {
    /// Whether `file:` and `memory:` keys are taken. Refused by default.
    pub in_process_keys: InProcessKeys,
}

impl Default for UriOptions {
    fn default() -> Self {
        Self { in_process_keys: InProcessKeys::Refuse }
    }
}

impl UriOptions {
    /// Also takes keys that are held in this process: development and tests.
    #[must_use]
    pub fn allow_in_process_keys(mut self) -> Self {
        self.in_process_keys = InProcessKeys::Allow;
        self
    }
}

/// Why a key URI gives no provider.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyUriError {
    /// No backend has the scheme.
    #[error("no key backend has the scheme of the key URI; this build has {}", built_schemes())]
    UnknownScheme,
    /// The scheme's backend is not compiled in.
    #[error(
        "`{scheme}:` keys need the feature `{feature}` of the crate `adcp-signing`, or `adcp-signing-cli`, which this build \
         was made without; it has {}",
        built_schemes()
    )]
    FeatureMissing {
        /// The scheme.
        scheme: &'static str,
        /// The Cargo feature to add.
        feature: &'static str,
    },
    /// The URI is malformed.
    #[error("the key URI is refused: {0}")]
    Malformed(#[from] toolkit::KeyUriError),
    /// The key could not be had.
    #[error(transparent)]
    Provider(#[from] ProviderError),
}

/// A scheme, the Cargo feature that brings it, and whether this build has that.
struct Scheme {
    name: &'static str,
    feature: &'static str,
    built: bool,
}

const SCHEMES: [Scheme; 7] = [
    Scheme { name: "awskms", feature: "aws-kms", built: cfg!(feature = "aws-kms") },
    Scheme { name: "gcpkms", feature: "gcp-kms", built: cfg!(feature = "gcp-kms") },
    Scheme {
        name: "azurekms",
        feature: "azure-key-vault",
        built: cfg!(feature = "azure-key-vault"),
    },
    Scheme {
        name: "azurekeyvault",
        feature: "azure-key-vault",
        built: cfg!(feature = "azure-key-vault"),
    },
    Scheme { name: "hashivault", feature: "vault-transit", built: cfg!(feature = "vault-transit") },
    Scheme { name: "openbao", feature: "vault-transit", built: cfg!(feature = "vault-transit") },
    Scheme { name: "pkcs11", feature: "pkcs11", built: cfg!(feature = "pkcs11") },
];

fn built_schemes() -> String {
    let backends = SCHEMES.iter().filter(|scheme| scheme.built).map(|scheme| scheme.name);
    let names: Vec<String> =
        ["file", "memory"].into_iter().chain(backends).map(|name| format!("{name}:")).collect();
    names.join(", ")
}

/// The provider of the key that a URI names.
///
/// The keys of a service are looked at once where the URI leaves `alg` or `kid` open; with both
/// given nothing is called until the first use.
///
/// # Errors
/// [`KeyUriError`]; a key in process memory is refused unless `options` allow it.
///
/// ```
/// use adcp_signing::{UriOptions, provider_from_uri};
///
/// # async fn open() -> Result<(), adcp_signing::KeyUriError> {
/// let uri = "memory:?alg=ed25519&purpose=webhook-signing";
/// assert!(provider_from_uri(uri, UriOptions::default()).await.is_err());
/// let provider = provider_from_uri(uri, UriOptions::default().allow_in_process_keys()).await?;
/// # Ok(())
/// # }
/// ```
pub async fn provider_from_uri(
    uri: &str,
    options: UriOptions,
) -> Result<Arc<dyn SigningProvider>, KeyUriError> {
    if LocalKeyUri::has_scheme(uri) {
        let provider = uri.parse::<LocalKeyUri>()?.open(options.in_process_keys)?;
        return Ok(Arc::new(provider));
    }
    let name = uri.split_once(':').map_or(uri, |(name, _)| name);
    #[cfg(feature = "aws-kms")]
    if name == adcp_signing_aws_kms::AwsKmsUri::SCHEME {
        let provider = uri.parse::<adcp_signing_aws_kms::AwsKmsUri>()?.connect().await?;
        return Ok(Arc::new(provider));
    }
    #[cfg(feature = "vault-transit")]
    if adcp_signing_vault_transit::VaultKeyUri::has_scheme(uri) {
        let provider = adcp_signing_vault_transit::VaultTransit::from_uri(&uri.parse()?).await?;
        return Ok(Arc::new(provider));
    }
    #[cfg(feature = "gcp-kms")]
    if name == adcp_signing_gcp_kms::GcpKmsUri::SCHEME {
        let provider = uri.parse::<adcp_signing_gcp_kms::GcpKmsUri>()?.connect().await?;
        return Ok(Arc::new(provider));
    }
    #[cfg(feature = "azure-key-vault")]
    if adcp_signing_azure_key_vault::AzureKeyVaultUri::has_scheme(uri) {
        let provider =
            uri.parse::<adcp_signing_azure_key_vault::AzureKeyVaultUri>()?.connect().await?;
        return Ok(Arc::new(provider));
    }
    #[cfg(feature = "pkcs11")]
    if name == adcp_signing_pkcs11::Pkcs11Uri::SCHEME {
        let provider = uri.parse::<adcp_signing_pkcs11::Pkcs11Uri>()?.connect().await?;
        return Ok(Arc::new(provider));
    }
    match SCHEMES.iter().find(|scheme| scheme.name == name) {
        Some(scheme) => {
            Err(KeyUriError::FeatureMissing { scheme: scheme.name, feature: scheme.feature })
        }
        None => Err(KeyUriError::UnknownScheme),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_scheme_that_is_not_built_names_its_feature() {
        for scheme in SCHEMES.iter().filter(|scheme| !scheme.built) {
            let error =
                provider_from_uri(&format!("{}://key", scheme.name), UriOptions::default()).await;
            let Err(KeyUriError::FeatureMissing { feature, .. }) = error else {
                panic!("{error:?}")
            };
            assert_eq!(feature, scheme.feature);
        }
        #[cfg(feature = "vault-transit")]
        for uri in ["hashivault://a/b", "openbao://k?token=t"] {
            let error = provider_from_uri(uri, UriOptions::default()).await;
            assert!(matches!(error, Err(KeyUriError::Malformed(_))), "{error:?}");
        }
        #[cfg(feature = "azure-key-vault")]
        for uri in
            ["azurekms://v.vault.azure.net", "azurekeyvault://v/secrets/k", "azurekms://v/k?pin=1"]
        {
            let error = provider_from_uri(uri, UriOptions::default()).await;
            assert!(matches!(error, Err(KeyUriError::Malformed(_))), "{error:?}");
        }
        let unknown = provider_from_uri("kms://key", UriOptions::default()).await;
        assert!(matches!(unknown, Err(KeyUriError::UnknownScheme)), "{unknown:?}");
    }
}
