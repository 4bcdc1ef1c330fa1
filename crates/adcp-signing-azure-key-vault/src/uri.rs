//! Key URIs with the schemes `azurekms` and `azurekeyvault`.

use std::{fmt, str::FromStr};

use adcp_signing_core::{
    Algorithm, ProviderError,
    provider::{
        Inspection,
        toolkit::{CreatedKey, KeyOptions, KeyUriError, KeyUriParts, KeyUriScheme, write_query},
    },
};

use crate::{AzureKeyVaultConfig, AzureKeyVaultProvider, KeyIdentifier};

const FORM: &str =
    "azurekms://VAULT.vault.azure.net/KEY[/VERSION] or azurekeyvault://HOST/keys/KEY[/VERSION]";

/// The key URI of a key in Key Vault or Managed HSM:
/// `azurekms://VAULT.vault.azure.net/KEY[/VERSION]` or `azurekeyvault://HOST/keys/KEY[/VERSION]`.
///
/// Without a version it names the newest one at first use, which then stays. Query members are
/// those of every key URI: `alg`, `kid` and `purpose`. A host is one of Azure's clouds, or any
/// `HOST[:PORT]` whose root certificates `ADCP_AZURE_KEY_VAULT_CA_FILE` names.
///
/// `Display` writes the URI, with the vault in it; `Debug` does not.
///
/// ```
/// use adcp_signing_azure_key_vault::AzureKeyVaultUri;
///
/// let uri: AzureKeyVaultUri = "azurekms://ads-prod.vault.azure.net/buyer?alg=ecdsa-p256-sha256".parse()?;
/// assert_eq!(uri.to_string().parse::<AzureKeyVaultUri>()?, uri);
/// # Ok::<(), adcp_signing_core::provider::toolkit::KeyUriError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AzureKeyVaultUri {
    scheme: Scheme,
    key: KeyIdentifier,
    options: KeyOptions,
}

/// How the URI is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    AzureKms,
    AzureKeyVault,
}

impl AzureKeyVaultUri {
    /// What the URI says, as a configuration, with the credentials of the environment.
    pub fn config(&self) -> AzureKeyVaultConfig {
        AzureKeyVaultConfig::new(self.key.clone(), self.options.clone())
    }
}

/// `connect` takes the access token of `ADCP_AZURE_KEY_VAULT_ACCESS_TOKEN` where that is set, and
/// the root certificates of `ADCP_AZURE_KEY_VAULT_CA_FILE`.
impl KeyUriScheme for AzureKeyVaultUri {
    const SCHEMES: &'static [&'static str] = &["azurekms", "azurekeyvault"];
    const EXAMPLES: &'static [&'static str] = &[
        "azurekms://VAULT.vault.azure.net/buyer/0123456789abcdef0123456789abcdef",
        "azurekeyvault://VAULT.vault.azure.net/keys/buyer/0123456789abcdef0123456789abcdef",
    ];
    type Provider = AzureKeyVaultProvider;

    fn options(&self) -> &KeyOptions {
        &self.options
    }

    fn why_it_can_move(&self) -> Option<&'static str> {
        self.key.version().is_none().then_some("without a version it means the newest one")
    }

    async fn connect(&self) -> Result<AzureKeyVaultProvider, ProviderError> {
        self.config().with_env_access()?.connect().await
    }

    async fn inspect(provider: &AzureKeyVaultProvider) -> Inspection {
        provider.inspect().await
    }

    async fn create(
        &self,
        algorithm: Option<Algorithm>,
    ) -> Result<CreatedKey<Self>, ProviderError> {
        let made = self.config().with_env_access()?.create_key(algorithm).await?;
        Ok(made.map(|key| Self { key, ..self.clone() }))
    }
}

impl FromStr for AzureKeyVaultUri {
    type Err = KeyUriError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = KeyUriParts::parse(text)?;
        let scheme = match parts.scheme() {
            "azurekms" => Scheme::AzureKms,
            "azurekeyvault" => Scheme::AzureKeyVault,
            _ => return Err(KeyUriError::Scheme { expected: "`azurekms:` or `azurekeyvault:`" }),
        };
        let malformed = KeyUriError::Body { expected: FORM };
        // Nothing in a key identifier needs percent-encoding, so none is read.
        let body = parts.body().strip_prefix("//").ok_or(malformed.clone())?;
        let segments: Vec<&str> = body.split('/').collect();
        let (authority, name, version) = match (scheme, segments.as_slice()) {
            (Scheme::AzureKms, [authority, name]) => (authority, name, None),
            (Scheme::AzureKms, [authority, name, version]) => (authority, name, Some(*version)),
            (Scheme::AzureKeyVault, [authority, "keys", name]) => (authority, name, None),
            (Scheme::AzureKeyVault, [authority, "keys", name, version]) => {
                (authority, name, Some(*version))
            }
            _ => return Err(malformed),
        };
        let key = KeyIdentifier::from_parts(authority, name, version).map_err(|_| malformed)?;
        let options = parts.take_common()?;
        parts.finish()?;
        Ok(Self { scheme, key, options })
    }
}

impl fmt::Display for AzureKeyVaultUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (authority, name) = (self.key.authority(), self.key.name());
        match self.scheme {
            Scheme::AzureKms => write!(f, "azurekms://{authority}/{name}")?,
            Scheme::AzureKeyVault => write!(f, "azurekeyvault://{authority}/keys/{name}")?,
        }
        if let Some(version) = self.key.version() {
            write!(f, "/{version}")?;
        }
        write_query(f, self.options.members())
    }
}

#[cfg(test)]
mod tests {
    use adcp_signing_core::KeyPurpose;

    use super::*;

    const VERSION: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn every_form_is_read_and_written_back() {
        for (written, canonical) in [
            ("azurekms://secret-vault.vault.azure.net/buyer", None),
            (
                "azurekms://Secret-Vault.vault.azure.net:443/buyer",
                Some("azurekms://secret-vault.vault.azure.net/buyer"),
            ),
            (&*format!("azurekms://secret-vault.vault.azure.cn/buyer/{VERSION}"), None),
            ("azurekms://127.0.0.1:8443/buyer?kid=a%26b", None),
            ("azurekeyvault://secret-vault.managedhsm.azure.net/keys/buyer", None),
            (&format!("azurekeyvault://[::1]:8443/keys/buyer/{VERSION}"), None),
            ("azurekms://v/k?purpose=request-signing", Some("azurekms://v/k")),
            (
                "azurekms://v/k?purpose=webhook-signing&kid=k&alg=ecdsa-p256-sha256",
                Some("azurekms://v/k?alg=ecdsa-p256-sha256&kid=k&purpose=webhook-signing"),
            ),
        ] {
            let uri: AzureKeyVaultUri = written.parse().unwrap();
            assert_eq!(uri.to_string(), canonical.unwrap_or(written));
            assert_eq!(uri.to_string().parse::<AzureKeyVaultUri>().as_ref(), Ok(&uri));
            assert!(!format!("{uri:?} {:?}", uri.config()).contains("secret-vault"));
        }
        let uri: AzureKeyVaultUri =
            format!("azurekms://v.vault.azure.net/k/{VERSION}?alg=rsa-pss-sha512&kid=k-1")
                .parse()
                .unwrap();
        let config = uri.config();
        assert_eq!(config.key.expose(), format!("https://v.vault.azure.net/keys/k/{VERSION}"));
        assert_eq!(config.options.algorithm, Some(Algorithm::RsaPssSha512));
        assert_eq!(config.options.key_id.as_deref(), Some("k-1"));
        assert_eq!(config.options.purpose, KeyPurpose::RequestSigning);
    }

    #[test]
    fn what_names_no_key_is_refused() {
        let body = KeyUriError::Body { expected: FORM };
        for (uri, expected) in [
            ("azurekms:v.vault.azure.net/k", body.clone()),
            ("azurekms://v.vault.azure.net", body.clone()),
            ("azurekms://v.vault.azure.net/", body.clone()),
            ("azurekms://v.vault.azure.net/k/", body.clone()),
            ("azurekms:///k", body.clone()),
            ("azurekms://v.vault.azure.net/k/latest", body.clone()),
            ("azurekms://user@v.vault.azure.net/k", body.clone()),
            ("azurekms://v.vault.azure.net/k%2D1", body.clone()),
            ("azurekeyvault://v.vault.azure.net/k", body.clone()),
            ("azurekeyvault://v.vault.azure.net/secrets/k", body),
            ("gcpkms://v/k", KeyUriError::Scheme { expected: "`azurekms:` or `azurekeyvault:`" }),
            ("azurekms://v/k?client-secret=s", KeyUriError::Secret { name: "client-secret" }),
            (
                "azurekms://v/k?version=2",
                KeyUriError::UnknownMember {
                    name: "version".to_owned(),
                    known: vec!["alg", "kid", "purpose"],
                },
            ),
        ] {
            assert_eq!(uri.parse::<AzureKeyVaultUri>(), Err(expected), "{uri}");
        }
    }
}
