//! The settings that Vault's and OpenBao's own command lines read from the environment, and the
//! logins they leave out.

use std::{ffi::OsString, path::PathBuf};

use adcp_signing_core::{ProviderError, provider::toolkit::Environment};

use crate::{
    VaultAuth, VaultClientOptions,
    address::configuration,
    auth::{KUBERNETES_JWT_FILE, Method, SecretId},
    settings::Settings,
};

/// Whose variables are looked at first.
///
/// The two products speak the same protocol. All variables are taken from one family, `VAULT_` or
/// `BAO_`: the product's own where its `…_ADDR` is set, otherwise the other's. So a token is never
/// sent to the other family's server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Product {
    /// HashiCorp Vault: `VAULT_ADDR` and its like.
    Vault,
    /// OpenBao: `BAO_ADDR` and its like.
    OpenBao,
}

/// Reads the options of a client through `variable`; an empty value counts as none.
pub(crate) fn options(
    product: Product,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<VaultClientOptions, ProviderError> {
    let families = match product {
        Product::Vault => ["VAULT", "BAO"],
        Product::OpenBao => ["BAO", "VAULT"],
    };
    let [first, second] = families.map(|prefix| Environment::through(prefix, &variable));
    let [of_first, of_second] = families;
    let (environment, family, address) = match (first.get("ADDR")?, second.get("ADDR")?) {
        (Some(address), _) => (first, of_first, address),
        (None, Some(address)) => (second, of_second, address),
        (None, None) => {
            return Err(configuration(
                "no server address; set VAULT_ADDR or BAO_ADDR, such as https://vault.example:8200",
            ));
        }
    };
    if environment
        .get("SKIP_VERIFY")?
        .is_some_and(|value| !matches!(value.to_ascii_lowercase().as_str(), "0" | "f" | "false"))
    {
        return Err(configuration(format!(
            "{family}_SKIP_VERIFY would let anyone between here and the server read the token; unset it, and name the \
             server's CA in {family}_CACERT"
        )));
    }
    let home = variable("HOME").filter(|home| !home.is_empty());
    let auth = auth(&environment, family, || Some(PathBuf::from(home?).join(".vault-token")))?;
    let mut options = VaultClientOptions::new(address, auth);
    options.settings = Settings::Family(family);
    if let Some(namespace) = environment.get("NAMESPACE")? {
        options = options.with_namespace(namespace.trim_matches('/'));
    }
    if let Some(path) = environment.get("CACERT")? {
        options = options.with_ca_file(path);
    }
    Ok(options)
}

/// The family is that of the address: variables of the other one are not looked at, so an error
/// that named them would not help.
fn auth(
    environment: &Environment<impl Fn(&str) -> Option<OsString>>,
    family: &'static str,
    home_token: impl FnOnce() -> Option<PathBuf>,
) -> Result<VaultAuth, ProviderError> {
    let secret_id = match (environment.get("SECRET_ID")?, environment.get("SECRET_ID_FILE")?) {
        (Some(_), Some(_)) => {
            return Err(configuration(format!(
                "{family}_SECRET_ID and {family}_SECRET_ID_FILE are both set; keep one"
            )));
        }
        (Some(secret), None) => Some(SecretId::Given(secret.into())),
        (None, Some(path)) => Some(SecretId::File(path.into())),
        (None, None) => None,
    };
    let method = match (
        environment.get("TOKEN")?,
        environment.get("ROLE_ID")?,
        environment.get("KUBERNETES_ROLE")?,
    ) {
        (Some(token), None, None) => Method::Token(token.into()),
        (None, Some(role_id), None) => match secret_id {
            Some(secret_id) => Method::AppRole { role_id, secret_id },
            None => {
                return Err(configuration(format!(
                    "{family}_ROLE_ID needs {family}_SECRET_ID or {family}_SECRET_ID_FILE"
                )));
            }
        },
        (None, None, Some(role)) => {
            let jwt_file = environment
                .get("KUBERNETES_JWT_FILE")?
                .unwrap_or_else(|| KUBERNETES_JWT_FILE.to_owned());
            Method::Kubernetes { role, jwt_file: jwt_file.into() }
        }
        (None, None, None) => match home_token().filter(|path| path.is_file()) {
            Some(path) => Method::TokenFile(path),
            None => {
                return Err(configuration(format!(
                    "no login; set {family}_TOKEN, or {family}_ROLE_ID and {family}_SECRET_ID, or \
                     {family}_KUBERNETES_ROLE: all variables are of the family of the address, {family}_ADDR"
                )));
            }
        },
        _ => {
            return Err(configuration(format!(
                "more than one login is set; keep one of {family}_TOKEN, {family}_ROLE_ID and {family}_KUBERNETES_ROLE"
            )));
        }
    };
    let auth = VaultAuth::of_family(family, method);
    Ok(match environment.get("AUTH_MOUNT")? {
        Some(mount) => auth.with_mount(mount.trim_matches('/')),
        None => auth,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::VaultClient;

    fn read(product: Product, set: &[(&str, &str)]) -> Result<VaultClientOptions, ProviderError> {
        options(product, |name| {
            set.iter()
                .find(|(variable, _)| *variable == name)
                .map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn every_login_can_be_set_in_the_environment() {
        const ADDR: (&str, &str) = ("VAULT_ADDR", "https://vault.example");
        for (set, method) in [
            (vec![("VAULT_TOKEN", "t")], "token"),
            (
                vec![("VAULT_TOKEN", ""), ("VAULT_ROLE_ID", "r"), ("VAULT_SECRET_ID", "s")],
                "approle",
            ),
            (vec![("VAULT_ROLE_ID", "r"), ("VAULT_SECRET_ID_FILE", "/s")], "approle"),
            (vec![("VAULT_KUBERNETES_ROLE", "r")], "kubernetes"),
        ] {
            let options = read(Product::Vault, &[vec![ADDR], set].concat()).unwrap();
            assert_eq!(options.auth.name(), method);
        }
        let dir = tempfile::tempdir().unwrap();
        let home = ("HOME", dir.path().to_str().unwrap());
        assert!(read(Product::Vault, &[ADDR, home]).is_err());
        std::fs::write(dir.path().join(".vault-token"), "t").unwrap();
        assert_eq!(read(Product::Vault, &[ADDR, home]).unwrap().auth.name(), "token-file");
    }

    #[test]
    fn all_variables_come_from_one_family() {
        let both = [
            ("VAULT_ADDR", "https://vault.example"),
            ("VAULT_TOKEN", "t"),
            ("BAO_ADDR", "https://bao.example"),
            ("BAO_TOKEN", "t"),
            ("BAO_NAMESPACE", "team/"),
            ("BAO_CACERT", "/ca.pem"),
        ];
        let vault = read(Product::Vault, &both).unwrap();
        assert_eq!(
            (vault.address.as_str(), vault.namespace.as_deref()),
            ("https://vault.example", None)
        );
        let bao = read(Product::OpenBao, &both).unwrap();
        assert_eq!(
            (bao.address.as_str(), bao.namespace.as_deref()),
            ("https://bao.example", Some("team"))
        );
        assert_eq!(bao.ca_file.as_deref(), Some(std::path::Path::new("/ca.pem")));
        let other = read(Product::OpenBao, &both[..2]).unwrap();
        assert_eq!(other.address, "https://vault.example");
        let mixed = [("VAULT_ADDR", "https://vault.example"), ("BAO_TOKEN", "t")];
        assert!(read(Product::Vault, &mixed).unwrap_err().to_string().contains("no login"));
    }

    /// What an error says to set is looked at, and nothing of the other family is named.
    #[test]
    fn an_error_names_the_variables_of_the_family_in_use() {
        for (family, other) in [("BAO", "VAULT"), ("VAULT", "BAO")] {
            for product in [Product::Vault, Product::OpenBao] {
                for (set, named) in [
                    (&[][..], "TOKEN"),
                    (&[("ROLE_ID", "r")][..], "SECRET_ID"),
                    (&[("TOKEN", "t"), ("ROLE_ID", "r")][..], "KUBERNETES_ROLE"),
                    (&[("SECRET_ID", "s"), ("SECRET_ID_FILE", "f")][..], "SECRET_ID_FILE"),
                    (&[("SKIP_VERIFY", "1")][..], "CACERT"),
                    (&[("TOKEN", "t"), ("CACERT", "/nowhere/ca.pem")][..], "CACERT"),
                    (&[("TOKEN", "t"), ("NAMESPACE", "a//b")][..], "NAMESPACE"),
                    (&[("TOKEN", "t"), ("AUTH_MOUNT", "a//b")][..], "AUTH_MOUNT"),
                    (&[("TOKEN", "t"), ("ADDR", "vault.example")][..], "ADDR"),
                ] {
                    let address = (format!("{family}_ADDR"), "https://v.example");
                    let set = set.iter().map(|(name, value)| (format!("{family}_{name}"), *value));
                    let set: Vec<_> = set.chain([address]).collect();
                    // The first one counts, as in an environment, which has no second.
                    let set: Vec<_> = set.iter().map(|(name, value)| (&**name, *value)).collect();
                    let client = read(product, &set).and_then(VaultClient::new);
                    let text = client.unwrap_err().to_string();
                    assert!(text.contains(&format!("{family}_{named}")), "{text}");
                    assert!(!text.contains(&format!("{other}_")), "{text}");
                }
            }
        }
    }

    #[test]
    fn settings_that_contradict_or_weaken_are_refused() {
        for (set, says) in [
            (vec![], "no server address"),
            (vec![("VAULT_TOKEN", "t"), ("VAULT_ROLE_ID", "r")], "no server address"),
            (
                vec![("VAULT_ADDR", "https://v"), ("VAULT_TOKEN", "t"), ("VAULT_ROLE_ID", "r")],
                "more than one",
            ),
            (vec![("VAULT_ADDR", "https://v"), ("VAULT_ROLE_ID", "r")], "needs VAULT_SECRET_ID"),
            (
                vec![
                    ("VAULT_ADDR", "https://v"),
                    ("VAULT_SECRET_ID", "s"),
                    ("VAULT_SECRET_ID_FILE", "f"),
                ],
                "keep one",
            ),
            (vec![("VAULT_ADDR", "https://v"), ("VAULT_SKIP_VERIFY", "true")], "VAULT_CACERT"),
        ] {
            let error = read(Product::Vault, &set).unwrap_err();
            assert!(error.to_string().contains(says), "{set:?}: {error}");
        }
        let off =
            [("VAULT_ADDR", "https://v"), ("VAULT_TOKEN", "t"), ("VAULT_SKIP_VERIFY", "false")];
        assert!(read(Product::Vault, &off).is_ok());
    }
}
