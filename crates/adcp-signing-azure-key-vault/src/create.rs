//! Makes a key in Key Vault or Managed HSM.

use std::time::Duration;

use adcp_signing_core::{
    Algorithm, ProviderError, ProviderErrorKind as Kind, provider::toolkit::CreatedKey,
};
use azure_security_keyvault_keys::{
    KeyClient,
    models::{CreateKeyParameters, CurveName, KeyOperation, KeyType},
};

use crate::{
    KeyIdentifier,
    config::configuration,
    failure::{self, Operation, Service},
    provider::in_time,
    public_key::{self, invalid},
};

/// Makes the key of an identifier without a version, and answers with the one that was made.
pub(crate) async fn create(
    client: &KeyClient,
    key: &KeyIdentifier,
    algorithm: Option<Algorithm>,
    timeout: Duration,
) -> Result<CreatedKey<KeyIdentifier>, ProviderError> {
    if key.version().is_some() {
        return Err(configuration(
            "the vault chooses the version of a new key; leave it out of the key URI",
        ));
    }
    match algorithm.unwrap_or(Algorithm::EcdsaP256Sha256) {
        Algorithm::EcdsaP256Sha256 => {}
        _ => {
            return Err(configuration(
                "keys are made for ecdsa-p256-sha256 alone, as Azure has no Ed25519 keys; write \
                 `alg=ecdsa-p256-sha256` in the key URI",
            ));
        }
    }
    // Where there is a key, the call that follows would make a new version of it.
    let there = in_time(timeout, client.get_key(key.name(), None)).await?;
    match there.map_err(|error| failure::of_call(key.service(), Operation::GetKey, &error)) {
        Ok(_) => return Err(CreatedKey::<KeyIdentifier>::exists()),
        Err(error) if error.kind() == Kind::KeyNotFound => {}
        // One that is disabled is there as well.
        Err(error) if error.kind() == Kind::KeyDisabled => {
            return Err(CreatedKey::<KeyIdentifier>::exists());
        }
        Err(error) => return Err(error),
    }
    let parameters = CreateKeyParameters {
        kty: Some(match key.service() {
            Service::ManagedHsm => KeyType::EcHsm,
            Service::KeyVault => KeyType::Ec,
        }),
        curve: Some(CurveName::P256),
        key_ops: Some(vec![KeyOperation::Sign, KeyOperation::Verify]),
        ..CreateKeyParameters::default()
    };
    let parameters = parameters
        .try_into()
        .map_err(|_| configuration("the request to Azure Key Vault could not be built"))?;
    let reply = in_time(timeout, client.create_key(key.name(), parameters, None)).await?;
    let made = reply
        .and_then(|reply| reply.into_model())
        .map_err(|error| failure::of_call(key.service(), Operation::CreateKey, &error))?;
    let made = made.key.ok_or_else(|| invalid("the reply of Azure Key Vault holds no key"))?;
    let version = made.kid.as_deref().and_then(|kid| key.version_in(kid));
    let version = version
        .ok_or_else(|| invalid("the reply of Azure Key Vault does not name the key it made"))?;
    let public_key = public_key::checked(&made, Some(Algorithm::EcdsaP256Sha256))?;
    let name = KeyIdentifier::from_parts(key.authority(), key.name(), Some(&version));
    let name =
        name.map_err(|_| invalid("the reply of Azure Key Vault does not name the key it made"))?;
    Ok(CreatedKey::new(name, public_key))
}
