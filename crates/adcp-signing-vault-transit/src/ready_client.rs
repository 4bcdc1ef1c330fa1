//! A client over the settings of a ready `vaultrs` client.

use std::path::PathBuf;

use adcp_signing_core::ProviderError;
use vaultrs::client::VaultClientSettings;

use crate::{VaultAuth, VaultClient, VaultClientOptions, address::configuration, http::Tls};

impl VaultClient {
    /// A client with the settings of a ready [`vaultrs::client::VaultClient`]: its address, token,
    /// namespace, CA certificates, client certificate, proxy and timeout.
    ///
    /// Its connections are not used: they follow redirects, which would carry the token to another
    /// host, and read replies of any length. The token is the one that the client has now. This
    /// client renews it; a later `set_token` there is not seen here.
    ///
    /// # Errors
    /// [`Configuration`](adcp_signing_core::ProviderErrorKind::Configuration) when the client does
    /// not verify certificates, has no token, wraps responses, or has another version of the API
    /// than 1; else as [`new`](Self::new).
    ///
    /// ```
    /// use adcp_signing_core::{KeyPurpose, ProviderError};
    /// use adcp_signing_vault_transit::{
    ///     VaultClient, VaultTransitConfig, VaultTransitProvider, vaultrs,
    /// };
    ///
    /// async fn buyer(
    ///     ready: &vaultrs::client::VaultClient,
    /// ) -> Result<VaultTransitProvider, ProviderError> {
    ///     let client = VaultClient::from_vaultrs(ready)?;
    ///     let key = VaultTransitConfig::new("buyer", KeyPurpose::RequestSigning).with_version(1);
    ///     key.connect_with_client(client).await
    /// }
    /// ```
    pub fn from_vaultrs(ready: &vaultrs::client::VaultClient) -> Result<Self, ProviderError> {
        Self::from_settings(&ready.settings)
    }

    fn from_settings(settings: &VaultClientSettings) -> Result<Self, ProviderError> {
        if !settings.verify {
            return Err(configuration(
                "the ready client does not verify certificates, so anyone on the way could read the token; build it \
                 with `verify(true)`",
            ));
        }
        if settings.token.is_empty() {
            return Err(configuration(
                "the ready client has no token; log in with it first (VAULT_TOKEN)",
            ));
        }
        if settings.wrapping {
            return Err(configuration(
                "the ready client wraps responses; build it with `wrapping(false)`",
            ));
        }
        if settings.version != 1 {
            return Err(configuration(
                "the ready client is for another version of the API than 1; build it with `version(1)`",
            ));
        }
        let auth = VaultAuth::token(settings.token.as_str());
        let mut options = VaultClientOptions::new(settings.address.as_str(), auth);
        if let Some(namespace) = &settings.namespace {
            options = options.with_namespace(namespace);
        }
        if let Some(timeout) = settings.timeout {
            options = options.with_timeout(timeout);
        }
        let tls = Tls {
            only: None,
            also: settings.ca_certs.iter().map(PathBuf::from).collect(),
            identity: settings.identity.clone(),
            proxy: settings.proxy.as_ref().map(ToString::to_string),
        };
        Self::with_tls(options, &tls)
    }
}

#[cfg(test)]
mod tests {
    use adcp_signing_core::ProviderErrorKind;
    use vaultrs::client::{Client as _, VaultClient as Ready, VaultClientSettingsBuilder};

    use super::*;

    fn ready(change: impl FnOnce(&mut VaultClientSettingsBuilder)) -> Ready {
        let mut settings = VaultClientSettingsBuilder::default();
        settings.address("https://vault.example:8200/behind/a/prefix");
        settings.ca_certs(Vec::new()).identity(None).token("hvs.secret").verify(true);
        change(&mut settings);
        Ready::new(settings.build().unwrap()).unwrap()
    }

    #[test]
    fn the_settings_of_a_ready_client_are_taken_over() {
        let client = VaultClient::from_vaultrs(&ready(|settings| {
            settings.set_namespace("team".to_owned());
        }))
        .unwrap();
        assert_eq!(client.identity(), "https://vault.example:8200/behind/a/prefix team");
        assert!(!format!("{client:?}").contains("hvs"), "{client:?}");
    }

    #[test]
    fn a_ready_client_that_would_weaken_this_one_is_refused() {
        type Change = fn(&mut VaultClientSettingsBuilder) -> &mut VaultClientSettingsBuilder;
        let cases: [(Change, &str); 6] = [
            (|settings| settings.verify(false), "verify certificates"),
            (|settings| settings.token(""), "no token"),
            (|settings| settings.wrapping(true), "wraps responses"),
            (|settings| settings.version(2_u8), "another version"),
            (|settings| settings.address("http://vault.example:8200"), "https"),
            (|settings| settings.set_namespace("../x".to_owned()), "namespace"),
        ];
        for (change, named) in cases {
            let error = VaultClient::from_vaultrs(&ready(|settings| {
                change(settings);
            }))
            .unwrap_err();
            assert_eq!(error.kind(), ProviderErrorKind::Configuration);
            assert!(error.to_string().contains(named), "{named}: {error}");
        }
        // Set without a look at it, and refused when it is read.
        let mut client = ready(|_| {});
        client.set_token("");
        assert!(VaultClient::from_vaultrs(&client).is_err());
    }
}
