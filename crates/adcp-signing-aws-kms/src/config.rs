//! What it takes to reach one key in AWS KMS.

use std::{ffi::OsString, time::Duration};

use adcp_signing_core::{
    Algorithm, ProviderError, ProviderErrorKind,
    provider::toolkit::{CreatedKey, Endpoint, Environment, KeyOptions},
};
use aws_config::{
    BehaviorVersion, Region, environment::EnvironmentVariableRegionProvider,
    meta::region::RegionProviderChain, profile::ProfileFileRegionProvider,
};
use aws_sdk_kms::{
    Client,
    config::{retry::RetryConfig, timeout::TimeoutConfig},
};

use crate::{AwsKmsProvider, KeyIdentifier, create, credentials, key_identifier::is_region};

/// A connection that does not come about in this time will not.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// A backstop for callers without core's `Deadline`: KMS answers in tens of milliseconds, and the
/// SDK by itself would wait for ever.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

const VARIABLES: &str = "ADCP_AWS_KMS";

/// One key in AWS KMS and the way to it.
///
/// Credentials are never part of it: they come from where every AWS client finds them (environment,
/// profile, container, instance or web identity role) and are renewed by the SDK.
///
/// ```
/// use adcp_signing_aws_kms::{AwsKmsConfig, AwsKmsProvider};
/// use adcp_signing_core::{Algorithm, KeyPurpose, ProviderError, provider::toolkit::KeyOptions};
///
/// # async fn provider() -> Result<AwsKmsProvider, Box<dyn std::error::Error>> {
/// let key = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab".parse()?;
/// let options = KeyOptions::new(KeyPurpose::RequestSigning).with_algorithm(Algorithm::Ed25519).with_key_id("buyer-2026");
/// let provider = AwsKmsConfig::new(key, options)
///     .connect()
///     .await?;
/// # Ok(provider)
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsKmsConfig {
    pub(crate) key: KeyIdentifier,
    pub(crate) options: KeyOptions,
    pub(crate) region: Option<String>,
    pub(crate) profile: Option<String>,
    pub(crate) endpoint: Option<Endpoint>,
    timeout: Duration,
}

impl AwsKmsConfig {
    /// The key that `key` names. The options are its purpose, and its algorithm and `keyid` where
    /// they are stated.
    pub fn new(key: KeyIdentifier, options: impl Into<KeyOptions>) -> Self {
        let options = options.into();
        Self { key, options, region: None, profile: None, endpoint: None, timeout: CALL_TIMEOUT }
    }

    /// The configuration that the environment holds: `ADCP_AWS_KMS_KEY` (a key ID, an ARN or an
    /// alias) and `ADCP_AWS_KMS_PURPOSE` (an `adcp_use` value), and if set `ADCP_AWS_KMS_ALG` (an
    /// RFC 9421 or JOSE name) and `ADCP_AWS_KMS_KID`. Region, profile, endpoint and credentials are in the
    /// variables of every AWS client.
    ///
    /// # Errors
    /// [`ProviderErrorKind::Configuration`] when a variable is missing or has a value that it cannot have.
    pub fn from_env() -> Result<Self, ProviderError> {
        Self::from_environment(&Environment::of_process(VARIABLES))
    }

    fn from_environment(
        environment: &Environment<impl Fn(&str) -> Option<OsString>>,
    ) -> Result<Self, ProviderError> {
        let key = environment.needed_as("KEY", "a key ID, an ARN or alias/NAME")?;
        Ok(Self::new(key, environment.key_options(None)?))
    }

    /// What is stated about the key, in place of what was stated before.
    #[must_use]
    pub fn with_options(mut self, options: impl Into<KeyOptions>) -> Self {
        self.options = options.into();
        self
    }

    /// The Region. An ARN says it by itself; without either it is `AWS_REGION`, or that of the
    /// profile.
    #[must_use]
    pub fn with_region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// The profile of the AWS configuration files to take credentials and Region from, whatever
    /// credentials the environment holds.
    #[must_use]
    pub fn with_profile(mut self, profile: impl Into<String>) -> Self {
        self.profile = Some(profile.into());
        self
    }

    /// Another address than the Region's public one, for AWS KMS only: credentials are fetched from
    /// where they are. Session token and signed request go there, to whatever host it is.
    #[must_use]
    pub fn with_endpoint(mut self, endpoint: Endpoint) -> Self {
        self.endpoint = Some(endpoint);
        self
    }

    /// Sets how long one call may take, the fetching of its credentials included: 10 seconds unless
    /// set. Core's `Deadline` or the retry policy limits what retries take together.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Builds a client of its own, and the provider on it.
    ///
    /// Calls AWS KMS once, for the public key, where algorithm or `keyid` are not given, and not at
    /// all where both are. Credentials are looked for on the first call. The client does not retry:
    /// that is for core's `Retrying`.
    ///
    /// # Errors
    /// [`ProviderErrorKind::Configuration`] when no Region is to be had or two disagree, else as
    /// [`public_key`](adcp_signing_core::SigningProvider::public_key).
    pub async fn connect(&self) -> Result<AwsKmsProvider, ProviderError> {
        let client = self.client().await?;
        self.connect_with(&client).await
    }

    /// Builds the provider on the caller's client, with whose Region, endpoint and credentials it
    /// works; a profile or an endpoint here is refused.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn connect_with_client(
        &self,
        client: &Client,
    ) -> Result<AwsKmsProvider, ProviderError> {
        if self.profile.is_some() || self.endpoint.is_some() {
            return Err(configuration(
                "profile and endpoint are the ready client's; leave out with_profile and with_endpoint (`profile=` and \
                 `endpoint=` of the key URI)",
            ));
        }
        let of_client = client.config().region().map(Region::as_ref);
        match self.wanted_region()? {
            Some(wanted) if of_client.is_some_and(|region| region != wanted) => {
                Err(configuration(format!(
                    "the ready client is not for the Region {wanted} of the key (its ARN, `region=` or with_region); give it a \
                 client for that Region"
                )))
            }
            _ => self.connect_with(client).await,
        }
    }

    /// Makes the key and its alias, and answers with the key's ARN. The algorithm is that of the
    /// options, else this one, else Ed25519. AWS KMS hands out no private key.
    ///
    /// The caller needs `kms:DescribeKey`, `kms:CreateKey`, `kms:CreateAlias`, `kms:GetPublicKey` and
    /// `kms:ScheduleKeyDeletion`, most of which a signer does not: a key whose alias cannot be made is
    /// deleted again, after the seven days that AWS KMS waits.
    ///
    /// # Errors
    /// [`ProviderErrorKind::Configuration`] when the key is not named by an alias of this account, or there is such an
    /// alias; else as [`connect`](Self::connect).
    pub async fn create_key(
        &self,
        algorithm: Option<Algorithm>,
    ) -> Result<CreatedKey<KeyIdentifier>, ProviderError> {
        self.create_key_with_client(&self.client().await?, algorithm).await
    }

    /// As [`create_key`](Self::create_key), on the caller's client.
    ///
    /// # Errors
    /// As [`create_key`](Self::create_key).
    pub async fn create_key_with_client(
        &self,
        client: &Client,
        algorithm: Option<Algorithm>,
    ) -> Result<CreatedKey<KeyIdentifier>, ProviderError> {
        create::create(client, &self.key, self.options.algorithm.or(algorithm)).await
    }

    async fn connect_with(&self, client: &Client) -> Result<AwsKmsProvider, ProviderError> {
        AwsKmsProvider::connect(client, self.key.clone(), &self.options).await
    }

    async fn client(&self) -> Result<Client, ProviderError> {
        let region = self.region().await?;
        let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .region(region.clone())
            .no_credentials();
        if let Some(profile) = &self.profile {
            loader = loader.profile_name(profile);
        }
        let shared = loader.load().await;
        if self.endpoint.is_some() && shared.use_fips() == Some(true) {
            return Err(configuration(
                "an endpoint is named, and AWS_USE_FIPS_ENDPOINT (or use_fips_endpoint of the profile) asks for the \
                 Region's FIPS endpoint; unset that, or name no endpoint",
            ));
        }
        // What credentials take is part of a call.
        let timeouts = |whole| {
            TimeoutConfig::builder()
                .connect_timeout(CONNECT_TIMEOUT)
                .operation_timeout(whole)
                .build()
        };
        let profile = self.profile.as_deref();
        let credentials =
            credentials::source(profile, region, &shared, timeouts(self.timeout / 2)).await;
        let mut config = aws_sdk_kms::config::Builder::from(&shared)
            .credentials_provider(credentials)
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts(self.timeout));
        if let Some(endpoint) = &self.endpoint {
            config = config.endpoint_url(endpoint.as_str());
        }
        Ok(Client::from_conf(config.build()))
    }

    /// The Region, without the SDK's last resort of asking the instance's metadata service.
    async fn region(&self) -> Result<Region, ProviderError> {
        if let Some(region) = self.wanted_region()? {
            return Ok(Region::new(region.to_owned()));
        }
        let profile = ProfileFileRegionProvider::builder();
        let profile = match &self.profile {
            Some(name) => profile.profile_name(name),
            None => profile,
        };
        RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
            .or_else(profile.build())
            .region()
            .await
            .filter(|region| is_region(region.as_ref()))
            .ok_or_else(|| {
                configuration(
                    "no AWS Region is set; name the key by its ARN, or set region= or AWS_REGION",
                )
            })
    }

    fn wanted_region(&self) -> Result<Option<&str>, ProviderError> {
        match (self.key.region(), self.region.as_deref()) {
            (_, Some(region)) if !is_region(region) => Err(configuration(
                "the Region (`region=`, with_region) is not the name of one, such as eu-west-1",
            )),
            (Some(of_arn), Some(region)) if of_arn != region => Err(configuration(format!(
                "the Region {region} (`region=`, with_region) contradicts the key's ARN, which is in {of_arn}; leave it out"
            ))),
            (of_arn, region) => Ok(of_arn.or(region)),
        }
    }
}

pub(crate) fn configuration(message: impl Into<std::borrow::Cow<'static, str>>) -> ProviderError {
    ProviderError::new(ProviderErrorKind::Configuration, message)
}

#[cfg(test)]
mod tests {
    use adcp_signing_core::KeyPurpose;

    use super::*;

    const ARN: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd";

    const KEY: &str = "ADCP_AWS_KMS_KEY";
    const PURPOSE: &str = "ADCP_AWS_KMS_PURPOSE";
    const ALGORITHM: &str = "ADCP_AWS_KMS_ALG";
    const KEY_ID: &str = "ADCP_AWS_KMS_KID";

    fn read(variables: &[(&str, &str)]) -> Result<AwsKmsConfig, ProviderError> {
        let value = |name: &str| {
            variables.iter().find(|(given, _)| *given == name).map(|(_, value)| *value)
        };
        AwsKmsConfig::from_environment(&Environment::through(VARIABLES, |name| {
            value(name).map(OsString::from)
        }))
    }

    #[test]
    fn the_environment_says_key_and_purpose_and_may_say_more() {
        let config = AwsKmsConfig::new(ARN.parse().unwrap(), KeyPurpose::WebhookSigning);
        let least = [(KEY, ARN), (PURPOSE, "webhook-signing"), (KEY_ID, "")];
        assert_eq!(read(&least).unwrap(), config);
        let most =
            [(KEY, ARN), (PURPOSE, "webhook-signing"), (ALGORITHM, "ed25519"), (KEY_ID, "k")];
        let options = KeyOptions::new(KeyPurpose::WebhookSigning);
        let options = options.with_algorithm(Algorithm::Ed25519).with_key_id("k");
        let config = AwsKmsConfig::new(ARN.parse().unwrap(), options);
        assert_eq!(read(&most).unwrap(), config);
    }

    #[test]
    fn a_variable_that_is_missing_or_wrong_is_named_without_its_value() {
        for (variables, named) in [
            (&[(PURPOSE, "request-signing")][..], KEY),
            (&[(KEY, ""), (PURPOSE, "request-signing")], KEY),
            (&[(KEY, "not a key")], KEY),
            (&[(KEY, ARN)], PURPOSE),
            (&[(KEY, ARN), (PURPOSE, "not a purpose")], PURPOSE),
            (&[(KEY, ARN), (PURPOSE, "request-signing"), (ALGORITHM, "not a name")], ALGORITHM),
        ] {
            let error = read(variables).unwrap_err();
            assert_eq!(error.kind(), ProviderErrorKind::Configuration);
            let text = error.to_string();
            assert!(
                text.contains(named) && !text.contains("not a key") && !text.contains("1111"),
                "{text}"
            );
        }
    }

    #[test]
    fn the_region_of_an_arn_holds() {
        let config =
            |key: &str| AwsKmsConfig::new(key.parse().unwrap(), KeyPurpose::RequestSigning);
        for (config, expected) in [
            (config(ARN), Ok(Some("eu-west-1"))),
            (config(ARN).with_region("eu-west-1"), Ok(Some("eu-west-1"))),
            (config("alias/a"), Ok(None)),
            (config("alias/a").with_region("us-gov-west-1"), Ok(Some("us-gov-west-1"))),
            (config(ARN).with_region("us-east-1"), Err(ProviderErrorKind::Configuration)),
            (config("alias/a").with_region("evil.example/"), Err(ProviderErrorKind::Configuration)),
        ] {
            assert_eq!(
                config.wanted_region().map_err(|error| error.kind()),
                expected,
                "{config:?}"
            );
        }
    }

    #[test]
    fn a_region_that_is_refused_is_named_with_where_it_was_set() {
        let config = |key: &str, region: &str| {
            AwsKmsConfig::new(key.parse().unwrap(), KeyPurpose::RequestSigning).with_region(region)
        };
        for (config, expected) in [
            (
                config(ARN, "us-east-1"),
                "the Region us-east-1 (`region=`, with_region) contradicts the key's ARN, which is in eu-west-1",
            ),
            (
                config("alias/a", "eu.west"),
                "the Region (`region=`, with_region) is not the name of one",
            ),
            // What is not a name may be anything, so it is not repeated.
            (config(ARN, "eu.west"), "the Region (`region=`, with_region) is not the name of one"),
        ] {
            let text = config.wanted_region().unwrap_err().to_string();
            assert!(text.contains(expected), "{text}");
        }
    }

    #[tokio::test]
    async fn a_client_tries_once_and_for_so_long_only() {
        let config = AwsKmsConfig::new(ARN.parse().unwrap(), KeyPurpose::RequestSigning);
        for (config, seconds) in
            [(config.clone(), 10), (config.with_timeout(Duration::from_secs(3)), 3)]
        {
            let client = config.client().await.unwrap();
            let timeouts = client.config().timeout_config().unwrap();
            assert_eq!(timeouts.operation_timeout(), Some(Duration::from_secs(seconds)));
            assert_eq!(client.config().retry_config().unwrap().max_attempts(), 1);
        }
    }

    #[test]
    fn debug_shows_no_account() {
        let config = AwsKmsConfig::new(ARN.parse().unwrap(), KeyPurpose::RequestSigning);
        assert!(!format!("{config:?}").contains("111122223333"));
    }
}
