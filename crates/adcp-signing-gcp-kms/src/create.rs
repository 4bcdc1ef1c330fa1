//! Makes a key in Cloud KMS.

use std::time::{Duration, Instant};

use adcp_signing_core::{
    Algorithm, ProviderError, ProviderErrorKind as Kind, provider::toolkit::CreatedKey,
};
use google_cloud_gax::{options::RequestOptionsBuilder as _, retry_policy::NeverRetry};
use google_cloud_kms_v1::{
    client::KeyManagementService,
    model::{
        CryptoKey, CryptoKeyVersionTemplate, ProtectionLevel, crypto_key::CryptoKeyPurpose,
        crypto_key_version::CryptoKeyVersionAlgorithm,
        crypto_key_version::CryptoKeyVersionState as State,
    },
};

use crate::{
    KeyVersionName,
    config::configuration,
    failure::{self, Asked},
    provider::fetch,
};

/// How long a version may take to be generated.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(200);
const NOT_READY: &str =
    "the key was made, and its first version cannot be used yet; wait some seconds, and probe it";

/// Makes the key of a version, which is the first.
pub(crate) async fn create(
    client: &KeyManagementService,
    name: &KeyVersionName,
    algorithm: Option<Algorithm>,
    timeout: Duration,
) -> Result<CreatedKey<KeyVersionName>, ProviderError> {
    let Some((ring, key)) = name.first_of_key() else {
        return Err(configuration(
            "the first version of a new key is 1; write cryptoKeyVersions/1 in the key URI",
        ));
    };
    let algorithm = algorithm.unwrap_or(Algorithm::Ed25519);
    let of_service = match algorithm {
        Algorithm::Ed25519 => CryptoKeyVersionAlgorithm::EcSignEd25519,
        Algorithm::EcdsaP256Sha256 => CryptoKeyVersionAlgorithm::EcSignP256Sha256,
        _ => return Err(CreatedKey::<KeyVersionName>::not_of_adcp()),
    };
    let template = CryptoKeyVersionTemplate::new()
        .set_algorithm(of_service)
        .set_protection_level(ProtectionLevel::Software);
    let made = client
        .create_crypto_key()
        .set_parent(ring)
        .set_crypto_key_id(key)
        .set_crypto_key(
            CryptoKey::new()
                .set_purpose(CryptoKeyPurpose::AsymmetricSign)
                .set_version_template(template),
        )
        .with_retry_policy(NeverRetry)
        .send();
    failure::in_time(timeout, Asked::Create, made).await?;
    // From here on there is a key, which Cloud KMS deletes for nobody.
    let not_ready =
        |error: ProviderError| ProviderError::new(error.kind(), NOT_READY).with_source(error);
    generated(client, name, timeout).await.map_err(not_ready)?;
    let public_key =
        fetch(&client.clone().into(), name, Some(algorithm), timeout).await.map_err(not_ready)?;
    Ok(CreatedKey::new(name.clone(), public_key))
}

/// Waits until the version is generated.
async fn generated(
    client: &KeyManagementService,
    name: &KeyVersionName,
    timeout: Duration,
) -> Result<(), ProviderError> {
    let started = Instant::now();
    loop {
        let call = client
            .get_crypto_key_version()
            .set_name(name.expose())
            .with_retry_policy(NeverRetry)
            .send();
        match failure::in_time(timeout, Asked::Create, call).await?.state {
            State::Enabled => return Ok(()),
            State::PendingGeneration if started.elapsed() < PATIENCE => {
                tokio::time::sleep(PAUSE).await;
            }
            _ => {
                return Err(ProviderError::new(
                    Kind::KeyDisabled,
                    "the key version is not generated yet, or could not be",
                ));
            }
        }
    }
}
