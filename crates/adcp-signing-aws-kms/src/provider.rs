//! The provider: `Sign` and `GetPublicKey`, and the checks of their replies.

use std::{fmt, sync::OnceLock};

use adcp_signing_core::{
    Algorithm, KeyError, KeyPurpose, KeyRef, ProviderError, ProviderErrorKind, PublicKey,
    SigningProvider,
    provider::{Capability, KeyIdentity, KeyVersion, Signed, check_algorithm, toolkit::KeyOptions},
};
use async_trait::async_trait;
use aws_sdk_kms::{
    Client,
    config::{Region, retry::RetryConfig},
    operation::get_public_key::GetPublicKeyOutput,
    types::KeyUsageType,
};

use crate::{
    KeyIdentifier, config::configuration, failure, reply_limit::ReplyLimit,
    signing_spec::SigningSpec,
};

/// Signs with one asymmetric key of AWS KMS.
///
/// Ed25519 (`ECC_NIST_EDWARDS25519`, `ED25519_SHA_512`), P-256 (`ECC_NIST_P256`, `ECDSA_SHA_256`)
/// and RSA-PSS (`RSA_2048` to `RSA_4096`, `RSASSA_PSS_SHA_512`). Ed25519 signs messages of at most
/// 4096 bytes, the others digests that are made here.
///
/// A key in AWS KMS never changes its material, so the key ARN of a reply is the
/// [`key_version`](Signed::key_version): around an alias,
/// [`Pinned`](adcp_signing_core::provider::layers::Pinned) notices with it that the alias has
/// moved.
///
/// ```
/// use adcp_signing_aws_kms::AwsKmsProvider;
/// use adcp_signing_core::{Algorithm, KeyPurpose, ProviderError};
/// use aws_sdk_kms::Client;
///
/// fn on_a_ready_client(client: &Client) -> Result<AwsKmsProvider, Box<dyn std::error::Error>> {
///     let key = "alias/adcp/buyer".parse()?;
///     let purpose = KeyPurpose::RequestSigning;
///     Ok(AwsKmsProvider::new(client, key, "buyer-2026", Algorithm::EcdsaP256Sha256, purpose)?)
/// }
/// ```
#[derive(Clone)]
pub struct AwsKmsProvider {
    client: Client,
    key: KeyIdentifier,
    identity: KeyIdentity,
    spec: SigningSpec,
    learned: Option<Learned>,
}

/// The key that algorithm or `keyid` were taken from. An alias that moves later cannot sign under
/// them.
#[derive(Clone)]
pub(crate) struct Learned {
    pub(crate) public_key: PublicKey,
    arn: String,
}

impl AwsKmsProvider {
    /// A provider on the caller's client: its Region, endpoint, credentials and timeouts are used,
    /// its retries are not. Calls no service.
    ///
    /// # Errors
    /// [`ProviderErrorKind::Configuration`] when the key's ARN is of another Region than the client or `key_id` is empty.
    pub fn new(
        client: &Client,
        key: KeyIdentifier,
        key_id: impl Into<String>,
        algorithm: Algorithm,
        purpose: KeyPurpose,
    ) -> Result<Self, ProviderError> {
        let key_ref = key_ref(client, &key)?;
        Self::of(client, key, KeyIdentity::new(key_ref, key_id, algorithm, purpose)?)
    }

    /// A provider with the algorithm and the thumbprint of the key that AWS KMS has, where they are
    /// not stated.
    pub(crate) async fn connect(
        client: &Client,
        key: KeyIdentifier,
        options: &KeyOptions,
    ) -> Result<Self, ProviderError> {
        let learned = OnceLock::new();
        let ask = || async {
            let found = fetch(&bounded(client), &key, options.algorithm).await?;
            Ok(&learned.get_or_init(|| found).public_key)
        };
        let identity = options.identity_or_ask(key_ref(client, &key)?, ask).await?;
        Ok(Self { learned: learned.into_inner(), ..Self::of(client, key, identity)? })
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn key(&self) -> &KeyIdentifier {
        &self.key
    }

    /// The key's ARN, where it was looked at.
    pub(crate) fn learned_arn(&self) -> Option<&str> {
        self.learned.as_ref().map(|learned| learned.arn.as_str())
    }

    fn of(
        client: &Client,
        key: KeyIdentifier,
        identity: KeyIdentity,
    ) -> Result<Self, ProviderError> {
        Ok(Self {
            client: bounded(client),
            spec: SigningSpec::of(identity.algorithm())?,
            key,
            identity,
            learned: None,
        })
    }
}

#[async_trait]
impl SigningProvider for AwsKmsProvider {
    fn identity(&self) -> &KeyIdentity {
        &self.identity
    }

    fn capability(&self) -> Capability {
        self.spec.capability()
    }

    async fn public_key(&self) -> Result<PublicKey, ProviderError> {
        match &self.learned {
            Some(learned) => Ok(learned.public_key.clone()),
            None => Ok(fetch(&self.client, &self.key, Some(self.algorithm())).await?.public_key),
        }
    }

    async fn sign(&self, message: &[u8]) -> Result<Signed, ProviderError> {
        let (message_type, message) = self.spec.message(message)?;
        let reply = self
            .client
            .sign()
            .key_id(self.key.expose())
            .signing_algorithm(self.spec.signing_algorithm())
            .message_type(message_type)
            .message(message)
            .send()
            .await
            .map_err(|error| failure::of_call(&error))?;
        let arn = checked_arn(&self.key, reply.key_id())?;
        if self.learned.as_ref().is_some_and(|learned| learned.arn != arn) {
            return Err(another_key());
        }
        if reply.signing_algorithm() != Some(&self.spec.signing_algorithm()) {
            return Err(invalid(
                "the reply of AWS KMS is for another signing algorithm than was asked for",
            ));
        }
        let bytes =
            reply.signature().ok_or_else(|| invalid("the reply of AWS KMS holds no signature"))?;
        let signature = self.spec.signature(bytes.as_ref())?;
        Ok(Signed::new(signature).with_key_version(KeyVersion::new(arn)))
    }
}

impl fmt::Debug for AwsKmsProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsKmsProvider").field("identity", &self.identity).finish_non_exhaustive()
    }
}

/// The reference to the key by this client, in whose Region it must be.
fn key_ref(client: &Client, key: &KeyIdentifier) -> Result<KeyRef, ProviderError> {
    let region = client.config().region().map(Region::as_ref);
    if let (Some(of_arn), Some(region)) = (key.region(), region)
        && of_arn != region
    {
        return Err(configuration(format!(
            "the key's ARN is in {of_arn}, and the AWS KMS client is for {region}; give it a client for {of_arn} (AWS_REGION, \
             where the client takes its Region from the environment)"
        )));
    }
    let resource = match (key.region(), region) {
        // An ARN is the same key for everyone; an ID or alias is so within a Region.
        (None, Some(region)) => format!("{region}/{}", key.expose()),
        _ => key.expose().to_owned(),
    };
    Ok(KeyRef::new("aws-kms", &resource))
}

/// The same client, connections and credentials included, that tries each call once, since retries
/// of its own would multiply with those of core's `Retrying`, and reads no more than a reply can be.
///
/// It does not sign with the time of AWS in place of this machine's: what is signed here has the time
/// of this machine, and nobody accepts it where that is wrong.
pub(crate) fn bounded(client: &Client) -> Client {
    let config = client.config().to_builder();
    let config = config.retry_config(RetryConfig::disabled()).disable_clock_skew_correction(true);
    Client::from_conf(config.interceptor(ReplyLimit).build())
}

pub(crate) async fn fetch(
    client: &Client,
    key: &KeyIdentifier,
    declared: Option<Algorithm>,
) -> Result<Learned, ProviderError> {
    let reply = client
        .get_public_key()
        .key_id(key.expose())
        .send()
        .await
        .map_err(|error| failure::of_call(&error))?;
    let arn = checked_arn(key, reply.key_id())?.to_owned();
    let public_key = checked_public_key(&reply, declared)?;
    Ok(Learned { public_key, arn })
}

/// The ARN of a reply, which must be the one of the key that was asked for.
fn checked_arn<'a>(key: &KeyIdentifier, arn: Option<&'a str>) -> Result<&'a str, ProviderError> {
    match arn.map(|arn| (arn, key.admits(arn))) {
        Some((arn, Some(true))) => Ok(arn),
        Some((_, Some(false))) => Err(another_key()),
        Some((_, None)) | None => {
            Err(invalid("the reply of AWS KMS does not say which key it used"))
        }
    }
}

fn checked_public_key(
    reply: &GetPublicKeyOutput,
    declared: Option<Algorithm>,
) -> Result<PublicKey, ProviderError> {
    if reply.key_usage() != Some(&KeyUsageType::SignVerify) {
        return Err(mismatch(
            "the key in AWS KMS is not for signing; create one with --key-usage SIGN_VERIFY",
        ));
    }
    let spki =
        reply.public_key().ok_or_else(|| invalid("the reply of AWS KMS holds no public key"))?;
    let public_key = PublicKey::from_spki_der(spki.as_ref()).map_err(|error| match error {
        KeyError::Unsupported { .. } => mismatch(
            "the key in AWS KMS is of a kind that is not used here; create one with --key-spec ECC_NIST_EDWARDS25519, \
             ECC_NIST_P256 or RSA_2048 to RSA_4096",
        )
        .with_source(error),
        error => invalid("the reply of AWS KMS holds no public key that can be read").with_source(error),
    })?;
    let algorithm = public_key.algorithm();
    check_algorithm(algorithm, declared)?;
    if !reply.signing_algorithms().contains(&SigningSpec::of(algorithm)?.signing_algorithm()) {
        return Err(mismatch(format!("AWS KMS does not sign with {algorithm} under this key")));
    }
    Ok(public_key)
}

fn another_key() -> ProviderError {
    ProviderError::new(
        ProviderErrorKind::PublicKeyMismatch,
        "AWS KMS answered for another key than was asked for; has an alias moved?",
    )
}

fn mismatch(message: impl Into<std::borrow::Cow<'static, str>>) -> ProviderError {
    ProviderError::new(ProviderErrorKind::AlgorithmMismatch, message)
}

pub(crate) fn invalid(message: &'static str) -> ProviderError {
    ProviderError::new(ProviderErrorKind::InvalidResponse, message)
}
