//! Makes a key in AWS KMS, and the alias that names it.

use adcp_signing_core::{
    Algorithm, ProviderError, ProviderErrorKind as Kind, PublicKey, provider::toolkit::CreatedKey,
};
use aws_sdk_kms::{
    Client,
    types::{KeySpec, KeyUsageType},
};

use crate::{
    KeyIdentifier,
    config::configuration,
    failure::{self, Advice},
    provider::{bounded, fetch, invalid},
};

/// The shortest time that AWS KMS keeps a key that is to be deleted.
const DELETION_DAYS: i32 = 7;

/// Makes the key that an alias names. Its name is its ARN.
pub(crate) async fn create(
    client: &Client,
    key: &KeyIdentifier,
    algorithm: Option<Algorithm>,
) -> Result<CreatedKey<KeyIdentifier>, ProviderError> {
    let alias = key.expose();
    if !alias.starts_with("alias/") {
        return Err(configuration(
            "AWS KMS chooses the ID of a new key; name an alias of this account in the key URI, \
             awskms:///alias/NAME",
        ));
    }
    let algorithm = algorithm.unwrap_or(Algorithm::Ed25519);
    let spec = match algorithm {
        Algorithm::Ed25519 => KeySpec::EccNistEdwards25519,
        Algorithm::EcdsaP256Sha256 => KeySpec::EccNistP256,
        _ => return Err(CreatedKey::<KeyIdentifier>::not_of_adcp()),
    };
    let client = bounded(client);
    match client.describe_key().key_id(alias).send().await {
        Ok(_) => return Err(CreatedKey::<KeyIdentifier>::exists()),
        Err(error) => match failure::of(&error, Advice::Create) {
            error if error.kind() == Kind::KeyNotFound => {}
            error => return Err(error),
        },
    }
    let made = client
        .create_key()
        .key_spec(spec)
        .key_usage(KeyUsageType::SignVerify)
        .description("AdCP signing")
        .send()
        .await
        .map_err(|error| failure::of(&error, Advice::Create))?;
    let made = made.key_metadata().map(|made| (made.key_id().to_owned(), made.arn()));
    let (id, arn) = made.ok_or_else(|| invalid("the reply of AWS KMS names no key"))?;
    // The alias comes last: until then nothing can sign with the key by its name.
    match named(&client, alias, &id, arn, algorithm).await {
        Ok(created) => Ok(created),
        Err(error) => Err(undone(&client, &id, error).await),
    }
}

async fn named(
    client: &Client,
    alias: &str,
    id: &str,
    arn: Option<&str>,
    algorithm: Algorithm,
) -> Result<CreatedKey<KeyIdentifier>, ProviderError> {
    let name: Option<KeyIdentifier> = arn.and_then(|arn| arn.parse().ok());
    let name = name.ok_or_else(|| invalid("the reply of AWS KMS does not say the key's ARN"))?;
    let public_key: PublicKey = fetch(client, &name, Some(algorithm)).await?.public_key;
    let call = client.create_alias().alias_name(alias).target_key_id(id);
    call.send().await.map_err(|error| {
        match error.as_service_error().is_some_and(|error| error.is_already_exists_exception()) {
            true => CreatedKey::<KeyIdentifier>::exists(),
            false => failure::of(&error, Advice::Create),
        }
    })?;
    Ok(CreatedKey::new(name, public_key))
}

/// Has the key deleted that got no name.
async fn undone(client: &Client, id: &str, error: ProviderError) -> ProviderError {
    let delete = client.schedule_key_deletion().key_id(id).pending_window_in_days(DELETION_DAYS);
    match delete.send().await {
        Ok(_) => error,
        Err(_) => ProviderError::new(
            error.kind(),
            "a key was made and got no alias, and could not be deleted; delete the newest key of the Region whose \
             description is `AdCP signing`",
        )
        .with_source(error),
    }
}
