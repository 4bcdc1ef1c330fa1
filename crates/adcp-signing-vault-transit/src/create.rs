//! Makes a key in the Transit engine.

use adcp_signing_core::{
    Algorithm, ProviderError, ProviderErrorKind as Kind, provider::toolkit::CreatedKey,
};
use serde_json::Value;
use vaultrs::api::transit::{KeyType, requests::CreateKeyRequest};

use crate::{
    VaultClient, VaultTransitConfig,
    address::configuration,
    failure::Operation,
    http::Call,
    key_description::{describe, invalid, signing_version},
    provider::read_key,
};

/// The first version of a key.
const FIRST: u32 = 1;

/// Makes the key of a configuration, which has no version but the first.
pub(crate) async fn create(
    client: &VaultClient,
    key: &VaultTransitConfig,
    algorithm: Option<Algorithm>,
) -> Result<CreatedKey<u32>, ProviderError> {
    key.check()?;
    if key.version.is_some_and(|version| version != FIRST) {
        return Err(configuration(
            "the first version of a new key is 1; leave the version out of the key URI",
        ));
    }
    let algorithm = algorithm.unwrap_or(Algorithm::Ed25519);
    let key_type = match algorithm {
        Algorithm::Ed25519 => KeyType::Ed25519,
        Algorithm::EcdsaP256Sha256 => KeyType::EcdsaP256,
        _ => return Err(CreatedKey::<u32>::not_of_adcp()),
    };
    // The engine takes the call for a key that there is, and changes nothing.
    let read = read_key(&key.mount, &key.name);
    match client.call(Operation::ReadKey, &read).await {
        Ok(_) => return Err(CreatedKey::<u32>::exists()),
        Err(error) if error.kind() == Kind::KeyNotFound => {}
        Err(error) => return Err(error),
    }
    let request = CreateKeyRequest {
        mount: key.mount.clone(),
        name: key.name.clone(),
        exportable: Some(false),
        allow_plaintext_backup: Some(false),
        key_type: Some(key_type),
        ..CreateKeyRequest::default()
    };
    let reply = client.send(Operation::CreateKey, &Call::of(&request)?).await?;
    if already_existed(&reply.body) {
        return Err(CreatedKey::<u32>::exists());
    }
    let reply = client.call(Operation::ReadKey, &read).await?;
    let described = describe(&reply.body)?;
    if described.exportable || described.allow_plaintext_backup || described.latest_version != FIRST
    {
        return Err(invalid("the key is not as it was asked for; delete it"));
    }
    let version = signing_version(&reply.body, Some(FIRST), Some(algorithm))?;
    Ok(CreatedKey::new(version.version, version.public_key))
}

/// Whether somebody else made the key in the meantime, which Vault says in a warning, and OpenBao
/// does not.
fn already_existed(body: &[u8]) -> bool {
    let reply: Value = serde_json::from_slice(body).unwrap_or_default();
    let warnings = reply.get("warnings").and_then(Value::as_array);
    warnings.is_some_and(|warnings| {
        warnings.iter().filter_map(Value::as_str).any(|text| text.contains("already existed"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_somebody_else_made_meanwhile_is_told_by_the_warning() {
        for (body, existed) in [
            (r#"{"warnings":["key buyer already existed"],"data":{}}"#, true),
            (r#"{"warnings":["something else"]}"#, false),
            (r#"{"warnings":null}"#, false),
            ("", false),
        ] {
            assert_eq!(already_existed(body.as_bytes()), existed, "{body}");
        }
    }
}
