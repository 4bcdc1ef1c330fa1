//! The key identifier: the URL that Key Vault names a key, or a version of one, by.

use std::{fmt, str::FromStr};

use adcp_signing_core::{KeyRef, provider::toolkit::Endpoint};
use azure_core::cloud::CloudConfiguration;

use crate::failure::Service;

/// The longest identifier read. A host name has at most 253 characters, a key's name 127 and a
/// version 32.
const MAX_LEN: usize = 512;
/// The longest key name:
/// <https://learn.microsoft.com/azure/key-vault/general/about-keys-secrets-certificates>.
const MAX_NAME_LEN: usize = 127;
const VERSION_LEN: usize = 32;
/// Where Azure keeps vaults and managed HSMs: the public cloud, China and the US government.
const AZURE: [&str; 6] = [
    ".vault.azure.net",
    ".vault.azure.cn",
    ".vault.usgovcloudapi.net",
    ".managedhsm.azure.net",
    ".managedhsm.azure.cn",
    ".managedhsm.usgovcloudapi.net",
];

/// `https://HOST/keys/NAME[/VERSION]`, as `az keyvault key show --query key.kid` prints it.
///
/// `Debug` shows a hash only, since the identifier holds the vault's name; [`expose`](Self::expose)
/// gives the text.
///
/// ```
/// use adcp_signing_azure_key_vault::KeyIdentifier;
///
/// let key: KeyIdentifier =
///     "https://ads-prod.vault.azure.net/keys/buyer/0123456789abcdef0123456789abcdef".parse()?;
/// assert!(!format!("{key:?}").contains("ads-prod"));
/// # Ok::<(), adcp_signing_azure_key_vault::KeyIdentifierError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct KeyIdentifier {
    /// In lower case, with a port where it is not 443.
    authority: String,
    name: String,
    version: Option<String>,
}

/// Why a text is not a key identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyIdentifierError {
    /// Plain HTTP, which Key Vault does not speak and tokens are not sent over.
    #[error("the key identifier says http://; Key Vault is reached over https:// only")]
    PlainHttp,
    /// Anything else.
    #[error(
        "not a key identifier; write https://VAULT.vault.azure.net/keys/NAME, with /VERSION (32 letters and digits) for \
         one version of the key"
    )]
    Form,
}

impl KeyIdentifier {
    /// The identifier from its parts, as a key URI has them.
    pub(crate) fn from_parts(
        authority: &str,
        name: &str,
        version: Option<&str>,
    ) -> Result<Self, KeyIdentifierError> {
        let endpoint: Endpoint =
            format!("https://{authority}").parse().map_err(|_| KeyIdentifierError::Form)?;
        let authority = endpoint.https_authority().ok_or(KeyIdentifierError::Form)?;
        if !is_name(name) || !version.is_none_or(is_version) {
            return Err(KeyIdentifierError::Form);
        }
        Ok(Self {
            authority: authority.strip_suffix(":443").unwrap_or(authority).to_owned(),
            name: name.to_owned(),
            version: version.map(str::to_owned),
        })
    }

    /// The identifier as Key Vault writes it. Holds the vault's name: not for logs.
    pub fn expose(&self) -> String {
        let version =
            self.version.as_deref().map(|version| format!("/{version}")).unwrap_or_default();
        format!("https://{}/keys/{}{version}", self.authority, self.name)
    }

    /// The host, and the port where it is not 443. Holds the vault's name: not for logs.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The key's name in its vault.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The version, where the identifier names one.
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// Whether the host is one of Azure's own, to which alone a token for Azure may go.
    pub fn is_at_azure(&self) -> bool {
        AZURE.iter().any(|domain| {
            self.authority
                .strip_suffix(domain)
                .is_some_and(|vault| !vault.is_empty() && !vault.contains(['.', ':', '[']))
        })
    }

    /// Which of the two services the host is of; what is none of Azure's stands in for a vault.
    pub(crate) fn service(&self) -> Service {
        match self.is_at_azure() && self.authority.contains(".managedhsm.") {
            true => Service::ManagedHsm,
            false => Service::KeyVault,
        }
    }

    /// The cloud whose Microsoft Entra ID gives out the tokens.
    pub(crate) fn cloud(&self) -> CloudConfiguration {
        let within = |domain| self.is_at_azure() && self.authority.ends_with(domain);
        if within(".azure.cn") {
            CloudConfiguration::AzureChina
        } else if within(".usgovcloudapi.net") {
            CloudConfiguration::AzureGovernment
        } else {
            CloudConfiguration::AzurePublic
        }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("https://{}", self.authority)
    }

    pub(crate) fn key_ref(&self) -> KeyRef {
        // Object identifiers are compared without regard to case.
        KeyRef::new("azure-key-vault", &self.expose().to_ascii_lowercase())
    }

    /// The key version that a reply is about, if it is one of this key. A server that is not
    /// Azure's may know itself by another host.
    pub(crate) fn version_in(&self, kid: &str) -> Option<String> {
        let other: Self = kid.parse().ok()?;
        let version = other.version?;
        let same = other.name.eq_ignore_ascii_case(&self.name)
            && self.version.as_ref().is_none_or(|own| own.eq_ignore_ascii_case(&version))
            && (other.authority == self.authority || !self.is_at_azure());
        same.then_some(version)
    }
}

impl FromStr for KeyIdentifier {
    type Err = KeyIdentifierError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        use KeyIdentifierError::{Form, PlainHttp};

        if text.len() > MAX_LEN {
            return Err(Form);
        }
        let rest = match text.split_once("://") {
            Some(("https", rest)) => rest,
            Some(("http", _)) => return Err(PlainHttp),
            _ => return Err(Form),
        };
        let segments: Vec<&str> = rest.split('/').collect();
        match *segments.as_slice() {
            [authority, "keys", name] => Self::from_parts(authority, name, None),
            [authority, "keys", name, version] => Self::from_parts(authority, name, Some(version)),
            _ => Err(Form),
        }
    }
}

impl fmt::Debug for KeyIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyIdentifier({})", self.key_ref())
    }
}

/// Only characters that stand for themselves in a URL path, so that a name cannot reach another
/// resource.
fn is_name(name: &str) -> bool {
    (1..=MAX_NAME_LEN).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn is_version(version: &str) -> bool {
    version.len() == VERSION_LEN && version.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERSION: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn an_identifier_has_a_host_a_name_and_maybe_a_version() {
        use KeyIdentifierError::{Form, PlainHttp};

        let vault = "https://v.vault.azure.net";
        let cases = [
            (format!("{vault}/keys/buyer"), Ok(format!("{vault}/keys/buyer"))),
            (format!("{vault}/keys/b-1/{VERSION}"), Ok(format!("{vault}/keys/b-1/{VERSION}"))),
            (
                "https://V.Vault.Azure.Net:443/keys/Buyer".to_owned(),
                Ok("https://v.vault.azure.net/keys/Buyer".to_owned()),
            ),
            (
                "https://127.0.0.1:8443/keys/k".to_owned(),
                Ok("https://127.0.0.1:8443/keys/k".to_owned()),
            ),
            ("https://[::1]:8443/keys/k".to_owned(), Ok("https://[::1]:8443/keys/k".to_owned())),
            ("https://[::1]/keys/k".to_owned(), Ok("https://[::1]/keys/k".to_owned())),
            ("http://v.vault.azure.net/keys/k".to_owned(), Err(PlainHttp)),
            ("v.vault.azure.net/keys/k".to_owned(), Err(Form)),
            (format!("{vault}/secrets/k"), Err(Form)),
            (format!("{vault}/keys/"), Err(Form)),
            (format!("{vault}/keys/k/"), Err(Form)),
            (format!("{vault}/keys/k/latest"), Err(Form)),
            (format!("{vault}/keys/k/{VERSION}/sign"), Err(Form)),
            (format!("{vault}/keys/../secrets"), Err(Form)),
            (format!("{vault}/keys/k_1"), Err(Form)),
            (format!("{vault}/keys/k%2F1"), Err(Form)),
            (format!("{vault}/keys/k?api-version=7.5"), Err(Form)),
            (format!("{vault}/keys/{}", "k".repeat(128)), Err(Form)),
            (format!("{vault}:99999/keys/k"), Err(Form)),
            (format!("{vault}:+1/keys/k"), Err(Form)),
            ("https://user@v.vault.azure.net/keys/k".to_owned(), Err(Form)),
            ("https:///keys/k".to_owned(), Err(Form)),
            ("https://v.vault.azure.net%2f/keys/k".to_owned(), Err(Form)),
            ("https://[::g]/keys/k".to_owned(), Err(Form)),
            (format!("{vault}/keys/{}", "k".repeat(600)), Err(Form)),
            (String::new(), Err(Form)),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<KeyIdentifier>().map(|key| key.expose()), expected, "{text}");
        }
    }

    #[test]
    fn tokens_come_from_the_cloud_that_the_vault_is_in() {
        for (authority, expected) in [
            ("v.vault.azure.net", CloudConfiguration::AzurePublic),
            ("h.managedhsm.azure.cn", CloudConfiguration::AzureChina),
            ("v.vault.azure.cn", CloudConfiguration::AzureChina),
            ("v.vault.usgovcloudapi.net", CloudConfiguration::AzureGovernment),
            ("evil.azure.cn", CloudConfiguration::AzurePublic),
            ("127.0.0.1:8443", CloudConfiguration::AzurePublic),
        ] {
            assert_eq!(
                KeyIdentifier::from_parts(authority, "k", None).unwrap().cloud(),
                expected,
                "{authority}"
            );
        }
    }

    #[test]
    fn only_vaults_and_managed_hsms_of_azure_s_clouds_are_at_azure() {
        for (authority, expected) in [
            ("v.vault.azure.net", true),
            ("V.VAULT.AZURE.NET:443", true),
            ("v.vault.azure.cn", true),
            ("v.vault.usgovcloudapi.net", true),
            ("h.managedhsm.azure.net", true),
            ("v.vault.azure.net:8443", false),
            ("vault.azure.net", false),
            ("a.b.vault.azure.net", false),
            ("..vault.azure.net", false),
            ("vvault.azure.net", false),
            ("v.vault.azure.net.evil.example", false),
            ("127.0.0.1:8443", false),
        ] {
            let key = KeyIdentifier::from_parts(authority, "k", None).unwrap();
            assert_eq!(key.is_at_azure(), expected, "{authority}");
        }
    }

    #[test]
    fn a_reply_is_about_the_key_only_with_its_host_name_and_version() {
        let other = VERSION.replace('0', "f");
        let pinned = format!("https://v.vault.azure.net/keys/buyer/{VERSION}");
        for (key, kid, expected) in [
            (&*pinned, pinned.clone(), true),
            (&pinned, pinned.replace("buyer", "Buyer"), true),
            (&pinned, pinned.replace(VERSION, &other), false),
            (&pinned, pinned.replace("buyer", "seller"), false),
            (&pinned, pinned.replace("//v.", "//w."), false),
            (&pinned, pinned.replace(&format!("/{VERSION}"), ""), false),
            ("https://v.vault.azure.net/keys/buyer", pinned.replace(VERSION, &other), true),
            ("https://127.0.0.1:8443/keys/buyer", pinned.clone(), true),
            ("https://127.0.0.1:8443/keys/seller", pinned.clone(), false),
            (&pinned, String::new(), false),
        ] {
            let key: KeyIdentifier = key.parse().unwrap();
            assert_eq!(key.version_in(&kid).is_some(), expected, "{kid}");
        }
    }

    #[test]
    fn debug_does_not_show_the_vault_and_equal_keys_have_one_key_ref() {
        let key: KeyIdentifier = "https://secret-vault.vault.azure.net/keys/Buyer".parse().unwrap();
        assert!(!format!("{key:?}").contains("secret-vault"));
        let same: KeyIdentifier =
            "https://Secret-Vault.vault.azure.net:443/keys/buyer".parse().unwrap();
        assert_eq!(key.key_ref(), same.key_ref());
    }
}
