//! Key URIs of this backend: `hashivault://KEY` and `openbao://KEY`.

use std::{fmt, str::FromStr};

use adcp_signing_core::{
    KeyPurpose,
    provider::toolkit::{KeyOptions, KeyUriError, KeyUriParts, percent_decode, write_query},
};

use crate::{
    TransitKey,
    address::{is_key_name, is_path},
    environment::Product,
    transit_key::DEFAULT_MOUNT,
};

const FORMS: &str = "`hashivault://KEY` or `openbao://KEY`, with the name of a Transit key";

/// A key URI: `hashivault://KEY` or `openbao://KEY`, with `mount`, `version`, `namespace`, `alg`,
/// `kid` and `purpose` as query members.
///
/// The two schemes speak the same protocol; they differ in whose environment variables come first.
///
/// ```
/// use adcp_signing_vault_transit::VaultKeyUri;
///
/// let uri: VaultKeyUri = "hashivault://buyer?mount=team/transit&version=2&alg=ed25519".parse()?;
/// assert_eq!(uri.to_string(), "hashivault://buyer?mount=team/transit&version=2&alg=ed25519");
/// # Ok::<(), adcp_signing_core::provider::toolkit::KeyUriError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct VaultKeyUri {
    pub(crate) product: Product,
    key: String,
    mount: Option<String>,
    version: Option<u32>,
    pub(crate) namespace: Option<String>,
    options: KeyOptions,
}

impl VaultKeyUri {
    /// Whether the text has one of the schemes of this type.
    pub fn has_scheme(uri: &str) -> bool {
        uri.starts_with("hashivault:") || uri.starts_with("openbao:")
    }

    /// The key that the URI names.
    pub fn key(&self) -> TransitKey {
        let key = TransitKey::new(&self.key, KeyPurpose::RequestSigning)
            .with_mount(self.mount.as_deref().unwrap_or(DEFAULT_MOUNT))
            .with_options(self.options.clone());
        match self.version {
            Some(version) => key.with_version(version),
            None => key,
        }
    }

    /// The namespace that the URI names.
    pub fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }
}

impl FromStr for VaultKeyUri {
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

impl fmt::Display for VaultKeyUri {
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

impl fmt::Debug for VaultKeyUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VaultKeyUri")
            .field("product", &self.product)
            .field("key", &self.key())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use adcp_signing_core::Algorithm;

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
            let parsed: VaultKeyUri = uri.parse().unwrap();
            assert_eq!(parsed.to_string(), canonical, "{uri}");
            assert_eq!(canonical.parse::<VaultKeyUri>().unwrap(), parsed, "{uri}");
            assert!(VaultKeyUri::has_scheme(uri));
        }
    }

    #[test]
    fn a_uri_says_which_key() {
        let uri: VaultKeyUri = "openbao://b?mount=m&version=3&alg=ed25519&kid=k".parse().unwrap();
        let expected = TransitKey::new("b", KeyPurpose::RequestSigning)
            .with_mount("m")
            .with_version(3)
            .with_algorithm(Algorithm::Ed25519)
            .with_key_id("k");
        assert_eq!(uri.key(), expected);
        let bare: VaultKeyUri = "hashivault://b".parse().unwrap();
        assert_eq!(bare.key(), TransitKey::new("b", KeyPurpose::RequestSigning));
        assert_eq!(bare.key().mount, "transit");
    }

    #[test]
    fn a_uri_that_is_none_is_refused_with_the_reason() {
        use KeyUriError as E;

        for uri in ["vault://b", "awskms:///b", "b"] {
            assert!(matches!(uri.parse::<VaultKeyUri>(), Err(E::Scheme { .. })), "{uri}");
        }
        for uri in [
            "hashivault:b",
            "hashivault://",
            "hashivault://a/b",
            "openbao://..",
            "openbao://u:p@host",
        ] {
            assert_eq!(uri.parse::<VaultKeyUri>(), Err(E::Body { expected: FORMS }), "{uri}");
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
            let error = uri.parse::<VaultKeyUri>();
            assert!(
                matches!(error, Err(E::Value { member, .. }) if member == name),
                "{uri}: {error:?}"
            );
        }
        let error = "hashivault://b?token=hvs.x".parse::<VaultKeyUri>();
        assert_eq!(error, Err(E::Secret { name: "token" }));
        let known = vec!["mount", "namespace", "version", "alg", "kid", "purpose"];
        let error = "hashivault://b?region=eu".parse::<VaultKeyUri>();
        assert_eq!(error, Err(E::UnknownMember { name: "region".to_owned(), known }));
    }
}
