//! Keys that URIs name: opened and called within a time limit, and named where one fails.

use std::{collections::HashMap, env, num::NonZeroUsize, sync::Arc, time::Duration};

use adcp_signing::{
    KeySchemes, KeyWarning, SigningProvider, UriOptions,
    provider::{Inspection, Unseen, layers::RetryPolicy, toolkit::LocalKeyUri},
    provider_from_uri_with,
};

use crate::{args::KeyUriArgs, curl, failure::Failure};

/// How many opened keys are kept.
const MAX_KEPT: usize = 64;

/// How often a call is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attempts {
    /// Once: whoever probes a key wants to see what fails.
    One,
    /// A few times, within the limit.
    Few,
}

/// How keys may be opened.
#[derive(Debug, Clone)]
pub(crate) struct Access {
    options: UriOptions,
    /// How long opening a key, and each call to it, may take.
    limit: Duration,
}

impl Access {
    pub(crate) fn new(args: &KeyUriArgs) -> Self {
        let options = UriOptions::default();
        let options =
            if args.allow_in_process_keys { options.allow_in_process_keys() } else { options };
        Self { options, limit: Duration::from_secs(args.timeout.into()) }
    }

    /// The same, for what only reads the public half of a key: a `file:` key needs no permission for
    /// that. A `memory:` key would be gone before anybody could use what was read.
    pub(crate) fn to_public_half_of(&self, uri: &str) -> Self {
        let access = self.clone();
        if uri.starts_with("file:") {
            Self { options: access.options.allow_in_process_keys(), ..access }
        } else {
            access
        }
    }

    /// Opens the key of a URI.
    pub(crate) async fn open(
        &self,
        uri: &str,
        attempts: Attempts,
    ) -> Result<Arc<dyn SigningProvider>, Failure> {
        let attempts = match attempts {
            Attempts::One => NonZeroUsize::MIN,
            Attempts::Few => NonZeroUsize::MIN.saturating_add(2),
        };
        let retry =
            RetryPolicy::default().with_max_attempts(attempts).with_total_deadline(self.limit);
        let options = self.options.clone();
        let stack = options.stack.clone().with_retry(retry);
        let stack = stack.with_attempt_deadline(self.limit).with_opening_deadline(self.limit);
        let key = match provider_from_uri_with(uri, &options.with_stack(stack)) {
            Ok(key) => key.open().await.map_err(Failure::from),
            Err(error) => Err(Failure::from(error)),
        };
        key.map_err(|failure| failure.while_doing("opening", uri))
    }

    /// What the key's service shows about how it keeps the key.
    pub(crate) async fn inspect(&self, uri: &str) -> Inspection {
        let schemes = KeySchemes::built_in();
        match tokio::time::timeout(self.limit, schemes.inspect(uri)).await {
            Ok(Ok(inspection)) => inspection,
            Ok(Err(error)) => {
                let message = format!("the key could not be opened for it: {error}");
                Inspection::unseen(Unseen::NotAnswered, message)
            }
            Err(_) => {
                let message = "the service did not answer in the time of --timeout";
                Inspection::unseen(Unseen::NotAnswered, message)
            }
        }
    }

    /// What the library warns of before the key is opened, if it can read the URI.
    pub(crate) fn warnings(&self, uri: &str) -> Option<Vec<KeyWarning>> {
        KeySchemes::built_in().warnings(uri, &self.options).ok()
    }
}

/// The keys of a run, each service's opened once: a connection and a login for every line would be
/// far slower than its signature.
pub(crate) struct Keys {
    access: Access,
    kept: HashMap<String, Arc<dyn SigningProvider>>,
}

impl Keys {
    pub(crate) fn new(access: Access) -> Self {
        Self { access, kept: HashMap::new() }
    }

    /// The key of a URI. Those in this process are opened each time, as `memory:` says that each is
    /// a fresh one.
    pub(crate) async fn open(&mut self, uri: &str) -> Result<Arc<dyn SigningProvider>, Failure> {
        if let Some(provider) = self.kept.get(uri) {
            return Ok(Arc::clone(provider));
        }
        let provider = self.access.open(uri, Attempts::Few).await?;
        if !LocalKeyUri::has_scheme(uri) {
            if self.kept.len() >= MAX_KEPT {
                self.kept.clear();
            }
            self.kept.insert(uri.to_owned(), Arc::clone(&provider));
        }
        Ok(provider)
    }
}

/// A key service: the schemes of its key URIs, and what in the environment leads to it.
pub(crate) struct Service {
    pub(crate) name: &'static str,
    pub(crate) schemes: &'static [&'static str],
    /// Variables whose values are shown where a key fails: addresses, Regions and names of files,
    /// and nothing secret.
    variables: &'static [&'static str],
}

impl Service {
    /// The Cargo feature that builds it in, and whether it is; `None` is always built in.
    pub(crate) fn feature(&self) -> Option<(&'static str, bool)> {
        let schemes = KeySchemes::built_in();
        self.schemes.iter().find_map(|scheme| schemes.feature_of(scheme))
    }
}

/// Every key service.
pub(crate) const SERVICES: [Service; 7] = [
    Service { name: "this process", schemes: &["file", "memory"], variables: &[] },
    Service {
        name: "AWS KMS",
        schemes: &["awskms"],
        variables: &[
            "AWS_REGION",
            "AWS_DEFAULT_REGION",
            "AWS_PROFILE",
            "AWS_CONFIG_FILE",
            "AWS_SHARED_CREDENTIALS_FILE",
            "AWS_WEB_IDENTITY_TOKEN_FILE",
            "AWS_ENDPOINT_URL_KMS",
            "AWS_ENDPOINT_URL",
        ],
    },
    Service {
        name: "Google Cloud KMS",
        schemes: &["gcpkms"],
        variables: &["GOOGLE_APPLICATION_CREDENTIALS"],
    },
    Service {
        name: "Azure Key Vault",
        schemes: &["azurekms", "azurekeyvault"],
        variables: &[
            "AZURE_TOKEN_CREDENTIALS",
            "AZURE_TENANT_ID",
            "AZURE_CLIENT_ID",
            "AZURE_FEDERATED_TOKEN_FILE",
            "AZURE_AUTHORITY_HOST",
        ],
    },
    Service {
        name: "HashiCorp Vault",
        schemes: &["hashivault"],
        variables: &[
            "VAULT_ADDR",
            "VAULT_NAMESPACE",
            "VAULT_CACERT",
            "VAULT_TOKEN_FILE",
            "VAULT_SECRET_ID_FILE",
            "VAULT_KUBERNETES_ROLE",
            "VAULT_KUBERNETES_JWT_FILE",
        ],
    },
    Service {
        name: "OpenBao",
        schemes: &["openbao"],
        variables: &[
            "BAO_ADDR",
            "BAO_NAMESPACE",
            "BAO_CACERT",
            "BAO_TOKEN_FILE",
            "BAO_SECRET_ID_FILE",
            "BAO_KUBERNETES_ROLE",
            "BAO_KUBERNETES_JWT_FILE",
        ],
    },
    Service { name: "PKCS#11 token", schemes: &["pkcs11"], variables: &["SOFTHSM2_CONF"] },
];

/// The service of a key URI.
pub(crate) fn service(uri: &str) -> Option<&'static Service> {
    let (scheme, _) = uri.split_once(':')?;
    SERVICES.iter().find(|service| service.schemes.contains(&scheme))
}

/// A key URI as its operator gave it, in so far as it cannot hold a secret: none that the library
/// reads does. Of another one only the part before the query is shown, and only the scheme where
/// even that may hold a secret.
pub(crate) fn shown_uri(uri: &str) -> String {
    if KeySchemes::built_in().warnings(uri, &UriOptions::default()).is_ok() {
        return uri.to_owned();
    }
    let (place, rest) = uri.split_once('?').map_or((uri, ""), |(place, _)| (place, "?…"));
    match (service(uri), uri.split_once(':')) {
        (Some(_), Some((scheme, _))) if scheme == "pkcs11" || place.contains(['@', '#', '%']) => {
            format!("{scheme}:…")
        }
        (Some(_), _) => format!("{place}{rest}"),
        (None, _) => "the key URI".to_owned(),
    }
}

/// The options that name a key in a command to paste.
pub(crate) fn as_option(uri: &str) -> String {
    let allow = if LocalKeyUri::has_scheme(uri) { "--allow-in-process-keys " } else { "" };
    format!("{allow}--key {}", curl::quoted(&shown_uri(uri)))
}

/// The variables of the environment that lead to the service of a key URI, as `NAME=VALUE`.
pub(crate) fn settings(uri: &str) -> Vec<String> {
    let set = |name: &&str| {
        let value = env::var(name).ok().filter(|value| !value.is_empty())?;
        // An address may have a password in it.
        let value = if value.contains('@') { "…" } else { &value };
        Some(format!("{name}={value}"))
    };
    service(uri)
        .map(|service| service.variables.iter().filter_map(set).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_uri_is_shown_without_what_may_be_a_secret() {
        for (uri, shown) in [
            ("file:a/b.jwk?kid=x", "file:a/b.jwk?kid=x"),
            ("file:a?token=s.1234", "file:a?…"),
            ("openbao://buyer?token=s.1234", "openbao://buyer?…"),
            ("openbao://root:s.1234@host/buyer?x=1", "openbao:…"),
            ("pkcs11:object=k;pin-value=1234", "pkcs11:…"),
            ("s.1234", "the key URI"),
            ("hvs:1234", "the key URI"),
        ] {
            assert_eq!(shown_uri(uri), shown);
        }
    }
}
