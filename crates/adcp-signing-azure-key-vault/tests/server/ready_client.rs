//! Providers on a caller's ready client, and by a key URI.

use std::sync::Arc;

use adcp_signing_azure_key_vault::{AzureKeyVaultConfig, AzureKeyVaultProvider};
use adcp_signing_core::{Algorithm, KeyPurpose, ProviderErrorKind, SigningProvider as _};
use adcp_signing_testkit::skip;

use crate::keys::Server;

const BASE: &[u8] = b"signature base";

#[tokio::test]
async fn one_ready_client_serves_several_providers_of_its_vault() -> Result<(), String> {
    let server = match Server::from_env() {
        Ok(server) => server,
        Err(reason) => return skip(&reason),
    };
    let client = Arc::new(server.client().unwrap());
    for algorithm in [Algorithm::EcdsaP256Sha256, Algorithm::RsaPssSha512] {
        let kid = server.create_key("client", algorithm).await.unwrap();
        let key = || kid.parse().unwrap();
        let purpose = KeyPurpose::WebhookSigning;
        let provider = AzureKeyVaultProvider::new(
            Arc::clone(&client),
            key(),
            "k-1",
            algorithm,
            purpose.clone(),
        )
        .unwrap();
        let signed = provider.sign(BASE).await.unwrap();
        let public_key = provider.public_key().await.unwrap();
        public_key.verify(BASE, &signed.signature).unwrap();
        assert_eq!(signed.key_version.unwrap().expose(), kid);

        // What is not given is learnt.
        let learned = AzureKeyVaultConfig::new(key(), purpose)
            .connect_with_client(Arc::clone(&client))
            .await
            .unwrap();
        assert_eq!((learned.algorithm(), learned.key_id()), (algorithm, &*public_key.thumbprint()));
    }
    Ok(())
}

#[tokio::test]
async fn a_ready_client_is_for_one_vault_and_brings_its_own_credentials() -> Result<(), String> {
    let server = match Server::from_env() {
        Ok(server) => server,
        Err(reason) => return skip(&reason),
    };
    let client = Arc::new(server.client().unwrap());
    let config =
        |key: &str| AzureKeyVaultConfig::new(key.parse().unwrap(), KeyPurpose::RequestSigning);
    let elsewhere = config("https://another.vault.azure.net/keys/k");
    let here = config(&format!("{}/keys/k", server.url)).with_access_token("token").unwrap();
    for config in [elsewhere, here] {
        let error = config.connect_with_client(Arc::clone(&client)).await.unwrap_err();
        assert_eq!(error.kind(), ProviderErrorKind::Configuration, "{error}");
    }
    Ok(())
}
