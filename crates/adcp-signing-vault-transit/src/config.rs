//! One key of the Transit engine and the way to it.

use std::{ffi::OsString, fmt};

use adcp_signing_core::{
    Algorithm, KeyRef, ProviderError,
    provider::toolkit::{CreatedKey, Environment, KeyOptions},
};

use crate::{
    Product, VaultClient, VaultClientOptions, VaultTransitProvider,
    address::{configuration, is_key_name, is_path},
    create,
};

const VARIABLES: &str = "ADCP_VAULT_TRANSIT";

/// Where the Transit engine is mounted unless said otherwise.
pub(crate) const DEFAULT_MOUNT: &str = "transit";

/// One key of the Transit engine and the way to it.
///
/// The name and the purpose are always given. Without a version the provider uses the one that is
/// the latest when it first looks, and stays with it: a rotation on the server never changes which
/// key signs under a `keyid`.
///
/// ```
/// use adcp_signing_core::{Algorithm, KeyPurpose, provider::toolkit::KeyOptions};
/// use adcp_signing_vault_transit::VaultTransitConfig;
///
/// let key = VaultTransitConfig::new("buyer-2026", KeyOptions::new(KeyPurpose::RequestSigning).with_algorithm(Algorithm::Ed25519).with_key_id("buyer-2026-1"))
///     .with_version(1);
/// ```
#[derive(Clone)]
pub struct VaultTransitConfig {
    pub(crate) name: String,
    pub(crate) mount: String,
    pub(crate) version: Option<u32>,
    pub(crate) options: KeyOptions,
    server: Option<VaultClientOptions>,
}

impl VaultTransitConfig {
    /// The key of this name in the engine mounted at `transit`. The options are its purpose, and its
    /// algorithm and `keyid` where they are stated.
    pub fn new(name: impl Into<String>, options: impl Into<KeyOptions>) -> Self {
        Self {
            name: name.into(),
            mount: DEFAULT_MOUNT.to_owned(),
            version: None,
            options: options.into(),
            server: None,
        }
    }

    /// The configuration that the environment holds: `ADCP_VAULT_TRANSIT_KEY` (the name of a key)
    /// and `ADCP_VAULT_TRANSIT_PURPOSE` (an `adcp_use` value), and if set `ADCP_VAULT_TRANSIT_MOUNT`,
    /// `ADCP_VAULT_TRANSIT_VERSION`, `ADCP_VAULT_TRANSIT_ALG` and `ADCP_VAULT_TRANSIT_KID`. The
    /// server and the login are in the variables of Vault's own command line:
    /// [`VaultClientOptions::from_environment`].
    ///
    /// # Errors
    /// [`Configuration`](adcp_signing_core::ProviderErrorKind::Configuration) when a variable is
    /// missing or has a value that it cannot have.
    pub fn from_env() -> Result<Self, ProviderError> {
        Self::from_environment(&Environment::of_process(VARIABLES))
    }

    fn from_environment(
        environment: &Environment<impl Fn(&str) -> Option<OsString>>,
    ) -> Result<Self, ProviderError> {
        let name = environment.needed("KEY", "the name of a Transit key")?;
        let mut config = Self::new(name, environment.key_options(None)?);
        if let Some(mount) = environment.get("MOUNT")? {
            config = config.with_mount(mount);
        }
        if let Some(version) = environment.parsed("VERSION")? {
            config = config.with_version(version);
        }
        config.check()?;
        Ok(config)
    }

    /// What is stated about the key, in place of what was stated before.
    #[must_use]
    pub fn with_options(mut self, options: impl Into<KeyOptions>) -> Self {
        self.options = options.into();
        self
    }

    /// Sets where the engine is mounted.
    #[must_use]
    pub fn with_mount(mut self, mount: impl Into<String>) -> Self {
        self.mount = mount.into();
        self
    }

    /// Signs with this version and no other; versions count from 1.
    #[must_use]
    pub fn with_version(mut self, version: u32) -> Self {
        self.version = Some(version);
        self
    }

    /// The server and the login, in place of those that the environment names.
    #[must_use]
    pub fn with_server(mut self, server: VaultClientOptions) -> Self {
        self.server = Some(server);
        self
    }

    /// Builds a client of its own, and the provider on it. Without
    /// [`with_server`](Self::with_server) the server and the login are those of the environment,
    /// `VAULT_…` before `BAO_…`.
    ///
    /// Calls the server once, for the public key, where algorithm or `keyid` are not given, and not
    /// at all where both are.
    ///
    /// # Errors
    /// [`Configuration`](adcp_signing_core::ProviderErrorKind::Configuration) when a name is not one
    /// that the server takes, or the server or the login is not given; else as
    /// [`public_key`](adcp_signing_core::SigningProvider::public_key).
    pub async fn connect(&self) -> Result<VaultTransitProvider, ProviderError> {
        VaultTransitProvider::connect(self.client()?, self.clone()).await
    }

    /// Makes the key, which the server then never hands out, and answers with its version. The
    /// algorithm is that of the options, else this one, else Ed25519.
    ///
    /// The login needs `read`, `create` and `update` on the key, which a signer's does not. The
    /// engine has no call that makes a key only where there is none: of two who make one at the same
    /// moment both may get the same key.
    ///
    /// # Errors
    /// [`Configuration`](adcp_signing_core::ProviderErrorKind::Configuration) when there is such a key, or a version
    /// other than 1 is set; else as [`connect`](Self::connect).
    pub async fn create_key(
        &self,
        algorithm: Option<Algorithm>,
    ) -> Result<CreatedKey<u32>, ProviderError> {
        self.create_key_with_client(&self.client()?, algorithm).await
    }

    /// As [`create_key`](Self::create_key), on a ready client. A server here is not looked at.
    ///
    /// # Errors
    /// As [`create_key`](Self::create_key).
    pub async fn create_key_with_client(
        &self,
        client: &VaultClient,
        algorithm: Option<Algorithm>,
    ) -> Result<CreatedKey<u32>, ProviderError> {
        create::create(client, self, self.options.algorithm.or(algorithm)).await
    }

    /// Builds the provider on a ready client. A server here is refused.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn connect_with_client(
        &self,
        client: VaultClient,
    ) -> Result<VaultTransitProvider, ProviderError> {
        if self.server.is_some() {
            return Err(configuration(
                "the server and the login are the ready client's; leave out with_server",
            ));
        }
        VaultTransitProvider::connect(client, self.clone()).await
    }

    fn client(&self) -> Result<VaultClient, ProviderError> {
        VaultClient::new(match &self.server {
            Some(server) => server.clone(),
            None => VaultClientOptions::from_environment(Product::Vault)?,
        })
    }

    pub(crate) fn check(&self) -> Result<(), ProviderError> {
        if !is_key_name(&self.name) {
            return Err(configuration(
                "the key name (ADCP_VAULT_TRANSIT_KEY, or the key URI) is not one that the Transit engine takes: letters, digits and `_`, with `-` and `.` inside",
            ));
        }
        if !is_path(&self.mount) {
            return Err(configuration(
                "the mount of the Transit engine (`mount=`, ADCP_VAULT_TRANSIT_MOUNT) is not a path such as `transit` or `team/transit`",
            ));
        }
        match self.version {
            Some(0) => Err(configuration(
                "the version of a Transit key (`version=`, ADCP_VAULT_TRANSIT_VERSION) counts from 1",
            )),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for VaultTransitConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VaultTransitConfig")
            .field("key", &KeyRef::new("transit-key", &format!("{}/{}", self.mount, self.name)))
            .field("version", &self.version)
            .field("options", &self.options)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use adcp_signing_core::{KeyPurpose, ProviderErrorKind};

    use super::*;
    use crate::VaultAuth;

    const KEY: (&str, &str) = ("ADCP_VAULT_TRANSIT_KEY", "buyer");
    const PURPOSE: (&str, &str) = ("ADCP_VAULT_TRANSIT_PURPOSE", "webhook-signing");

    fn read(variables: &[(&str, &str)]) -> Result<VaultTransitConfig, ProviderError> {
        VaultTransitConfig::from_environment(&Environment::through(VARIABLES, |name| {
            variables.iter().find(|(given, _)| *given == name).map(|(_, value)| (*value).into())
        }))
    }

    #[test]
    fn the_environment_says_key_and_purpose_and_may_say_more() {
        let least = read(&[KEY, PURPOSE]).unwrap();
        assert_eq!((&*least.name, &*least.mount, least.version), ("buyer", "transit", None));
        assert_eq!(least.options, KeyOptions::new(KeyPurpose::WebhookSigning));
        let most = read(&[
            KEY,
            PURPOSE,
            ("ADCP_VAULT_TRANSIT_MOUNT", "team/transit"),
            ("ADCP_VAULT_TRANSIT_VERSION", "3"),
            ("ADCP_VAULT_TRANSIT_ALG", "ed25519"),
            ("ADCP_VAULT_TRANSIT_KID", "k"),
        ])
        .unwrap();
        assert_eq!((&*most.mount, most.version), ("team/transit", Some(3)));
        let stated = KeyOptions::new(KeyPurpose::WebhookSigning);
        assert_eq!(most.options, stated.with_algorithm(Algorithm::Ed25519).with_key_id("k"));
    }

    #[test]
    fn a_variable_that_is_missing_or_wrong_is_refused() {
        for variables in [
            &[PURPOSE][..],
            &[KEY],
            &[("ADCP_VAULT_TRANSIT_KEY", "a/b"), PURPOSE],
            &[KEY, PURPOSE, ("ADCP_VAULT_TRANSIT_MOUNT", "../x")],
            &[KEY, PURPOSE, ("ADCP_VAULT_TRANSIT_VERSION", "0")],
            &[KEY, PURPOSE, ("ADCP_VAULT_TRANSIT_VERSION", "one")],
        ] {
            let error = read(variables).unwrap_err();
            assert_eq!(error.kind(), ProviderErrorKind::Configuration, "{variables:?}");
        }
    }

    #[tokio::test]
    async fn a_server_next_to_a_ready_client_is_refused() {
        let server = || VaultClientOptions::new("https://vault.example", VaultAuth::token("t"));
        let options = KeyOptions::default().with_algorithm(Algorithm::Ed25519).with_key_id("k");
        let key = VaultTransitConfig::new("buyer", options);
        let client = VaultClient::new(server()).unwrap();
        assert!(key.connect_with_client(client.clone()).await.is_ok());
        let refused = key.with_server(server()).connect_with_client(client).await.unwrap_err();
        assert_eq!(refused.kind(), ProviderErrorKind::Configuration);
    }
}
