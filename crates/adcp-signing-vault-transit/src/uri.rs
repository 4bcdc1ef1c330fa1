//! Key URIs of this backend: `hashivault://KEY` and `openbao://KEY`.

use std::{fmt, str::FromStr};

use adcp_signing_core::{
    Algorithm, ProviderError,
    provider::{
        Inspection,
        toolkit::{
            CreatedKey, KeyOptions, KeyUriError, KeyUriParts, KeyUriScheme, percent_decode,
            write_query,
        },
    },
};

use crate::{
    VaultClientOptions, VaultTransitConfig, VaultTransitProvider,
    address::{is_key_name, is_path},
    config::DEFAULT_MOUNT,
    environment::Product,
};

const FORMS: &str = "`hashivault://KEY` or `openbao://KEY`, with the name of a Transit key";

/// A key URI: `hashivault://KEY` or `openbao://KEY`, with `mount`, `version`, `namespace`, `alg`,
/// `kid` and `purpose` as query members.
///
/// The two schemes speak the same protocol; they differ in whose environment variables come first.
///
/// ```
/// use adcp_signing_vault_transit::VaultTransitUri;
///
/// let uri: VaultTransitUri = "hashivault://buyer?mount=team/transit&version=2&alg=ed25519".parse()?;
/// assert_eq!(uri.to_string(), "hashivault://buyer?mount=team/transit&version=2&alg=ed25519");
/// # Ok::<(), adcp_signing_core::provider::toolkit::KeyUriError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct VaultTransitUri {
    pub(crate) product: Product,
    key: String,
    mount: Option<String>,
    version: Option<u32>,
    pub(crate) namespace: Option<String>,
    options: KeyOptions,
}

impl VaultTransitUri {
    /// What the URI says, as a configuration. The server and the login are not in it.
    pub fn config(&self) -> VaultTransitConfig {
        let key = VaultTransitConfig::new(&self.key, self.options.clone())
            .with_mount(self.mount.as_deref().unwrap_or(DEFAULT_MOUNT));
        match self.version {
            Some(version) => key.with_version(version),
            None => key,
        }
    }

    /// The namespace that the URI names.
    pub fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// The server and the login that the environment names, in the namespace of the URI where it
    /// has one.
    ///
    /// # Errors
    /// As [`VaultClientOptions::from_environment`].
    pub fn server(&self) -> Result<VaultClientOptions, ProviderError> {
        let server = VaultClientOptions::from_environment(self.product)?;
        Ok(match &self.namespace {
            Some(namespace) => server.with_namespace(namespace),
            None => server,
        })
    }
}

impl KeyUriScheme for VaultTransitUri {
    const SCHEMES: &'static [&'static str] = &["hashivault", "openbao"];
    const EXAMPLES: &'static [&'static str] = &[
        "hashivault://buyer?version=1",
        "openbao://buyer?version=1&mount=team/transit&namespace=team",
    ];
    type Provider = VaultTransitProvider;

    fn options(&self) -> &KeyOptions {
        &self.options
    }

    fn why_it_can_move(&self) -> Option<&'static str> {
        self.version.is_none().then_some("without a version it means the newest one")
    }

    async fn connect(&self) -> Result<VaultTransitProvider, ProviderError> {
        self.config().with_server(self.server()?).connect().await
    }

    async fn inspect(provider: &VaultTransitProvider) -> Inspection {
        provider.inspect().await
    }

    async fn create(
        &self,
        algorithm: Option<Algorithm>,
    ) -> Result<CreatedKey<Self>, ProviderError> {
        let made = self.config().with_server(self.server()?).create_key(algorithm).await?;
        Ok(made.map(|version| Self { version: Some(version), ..self.clone() }))
    }
}

impl FromStr for VaultTransitUri {
    type Err = KeyUriError;

    fn from_str(uri: &str) -> Result<Self, Self::Err> {
        let mut parts = KeyUriParts::parse(uri)?;
        let product = match parts.scheme() {
            "hashivault" => Product::Vault,
            "openbao" => Product::OpenBao,
            _ => return Err(KeyUriError::Scheme { expected: "`hashivault://` or `openbao://`" }),
        };
        let form = KeyUriError::Body { expected: FORMS };
        let key = percent_decode(parts.body().strip_prefix("//").ok_or_else(|| form.clone())?)?;
        if !is_key_name(&key) {
            return Err(form);
        }
        let mut path = |name, allowed| match parts.take(name) {
            Some(path) if !is_path(&path) => Err(KeyUriError::Value { member: name, allowed }),
            path => Ok(path),
        };
        let mount = path("mount", "a mount path such as transit or team/transit")?;
        let namespace = path("namespace", "a namespace such as team or team/eu")?;
        let version = parts.take("version").map(|text| read_version(&text)).transpose()?;
        let options = parts.take_common()?;
        parts.finish()?;
        Ok(Self { product, key, mount, version, namespace, options })
    }
}

fn read_version(text: &str) -> Result<u32, KeyUriError> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    let version = Some(text).filter(|_| plain).and_then(|text| text.parse().ok());
    version.ok_or(KeyUriError::Value { member: "version", allowed: "a number from 1" })
}

impl fmt::Display for VaultTransitUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.product {
            Product::Vault => "hashivault",
            Product::OpenBao => "openbao",
        };
        write!(f, "{scheme}://{}", self.key)?;
        let version = self.version.map(|version| version.to_string());
        let own = [
            ("mount", self.mount.as_deref()),
            ("version", version.as_deref()),
            ("namespace", self.namespace.as_deref()),
        ];
        write_query(f, own.into_iter().chain(self.options.members()))
    }
}

impl fmt::Debug for VaultTransitUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VaultTransitUri")
            .field("product", &self.product)
            .field("key", &self.config())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use adcp_signing_core::KeyPurpose;

    use super::*;

    #[test]
    fn a_uri_is_written_as_it_is_read() {
        for (uri, canonical) in [
            ("hashivault://buyer", "hashivault://buyer"),
            ("openbao://buyer.2026-a_b", "openbao://buyer.2026-a_b"),
            ("hashivault://b?purpose=request-signing", "hashivault://b"),
            ("hashivault://b?kid=a%26b&version=12", "hashivault://b?version=12&kid=a%26b"),
            (
                "openbao://b?namespace=team/eu&purpose=webhook-signing&alg=rsa-pss-sha512&mount=a/b",
                "openbao://b?mount=a/b&namespace=team/eu&alg=rsa-pss-sha512&purpose=webhook-signing",
            ),
        ] {
            let parsed: VaultTransitUri = uri.parse().unwrap();
            assert_eq!(parsed.to_string(), canonical, "{uri}");
            assert_eq!(canonical.parse::<VaultTransitUri>().unwrap(), parsed, "{uri}");
            assert!(VaultTransitUri::SCHEMES.iter().any(|scheme| uri.starts_with(scheme)));
        }
    }

    #[test]
    fn a_uri_says_which_key() {
        let shown = |config: &VaultTransitConfig| {
            let VaultTransitConfig { name, mount, version, options, .. } = config;
            format!("{name} {mount} {version:?} {options:?}")
        };
        let uri: VaultTransitUri =
            "openbao://b?mount=m&version=3&alg=ed25519&kid=k".parse().unwrap();
        let expected = VaultTransitConfig::new(
            "b",
            KeyOptions::new(KeyPurpose::RequestSigning)
                .with_algorithm(Algorithm::Ed25519)
                .with_key_id("k"),
        )
        .with_mount("m")
        .with_version(3);
        assert_eq!(shown(&uri.config()), shown(&expected));
        let bare: VaultTransitUri = "hashivault://b".parse().unwrap();
        let expected = VaultTransitConfig::new("b", KeyPurpose::RequestSigning);
        assert_eq!(shown(&bare.config()), shown(&expected));
        assert_eq!(bare.config().mount, "transit");
    }

    #[test]
    fn a_uri_that_is_none_is_refused_with_the_reason() {
        use KeyUriError as E;

        for uri in ["vault://b", "awskms:///b", "b"] {
            assert!(matches!(uri.parse::<VaultTransitUri>(), Err(E::Scheme { .. })), "{uri}");
        }
        for uri in [
            "hashivault:b",
            "hashivault://",
            "hashivault://a/b",
            "openbao://..",
            "openbao://u:p@host",
        ] {
            assert_eq!(uri.parse::<VaultTransitUri>(), Err(E::Body { expected: FORMS }), "{uri}");
        }
        for (uri, name) in [
            ("hashivault://b?version=0", "version"),
            ("hashivault://b?version=latest", "version"),
            ("hashivault://b?version=+1", "version"),
            ("hashivault://b?version=4294967296", "version"),
            ("hashivault://b?mount=/transit", "mount"),
            ("hashivault://b?mount=a/../b", "mount"),
            ("hashivault://b?namespace=", "namespace"),
        ] {
            let error = uri.parse::<VaultTransitUri>();
            assert!(
                matches!(error, Err(E::Value { member, .. }) if member == name),
                "{uri}: {error:?}"
            );
        }
        let error = "hashivault://b?token=hvs.x".parse::<VaultTransitUri>();
        assert_eq!(error, Err(E::Secret { name: "token" }));
        let known = vec!["mount", "namespace", "version", "alg", "kid", "purpose"];
        let error = "hashivault://b?region=eu".parse::<VaultTransitUri>();
        assert_eq!(error, Err(E::UnknownMember { name: "region".to_owned(), known }));
    }
}
