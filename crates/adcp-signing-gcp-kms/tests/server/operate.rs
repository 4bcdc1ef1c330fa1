//! What an operator does with a key: to look at how it is kept, and to make it.

use std::{
    env,
    time::{SystemTime, UNIX_EPOCH},
};

use adcp_signing_core::{
    Algorithm, KeyPurpose, ProviderErrorKind as Kind, SigningProvider as _, provider::Inspection,
};
use adcp_signing_gcp_kms::GcpKmsConfig;

use crate::keys::{Outcome, Server};

impl Server {
    fn config(&self, version: &str, token: &str) -> Outcome<GcpKmsConfig> {
        let config = GcpKmsConfig::new(version.parse()?, KeyPurpose::RequestSigning);
        Ok(config.with_endpoint(self.endpoint.parse()?).with_access_token(token)?)
    }
}

/// The server, or none where that is said.
fn server() -> Option<Server> {
    match Server::from_env() {
        Ok(server) => Some(server),
        Err(reason) => {
            assert!(env::var("CI").as_deref() != Ok("true"), "under CI this must run: {reason}");
            println!("skipped: {reason}");
            None
        }
    }
}

fn codes(seen: &Inspection) -> [&'static str; 3] {
    seen.observations().map(|(_, seen)| seen.code())
}

#[tokio::test]
async fn a_key_is_made_where_there_is_none_and_an_operator_sees_how_it_is_kept() -> Outcome<()> {
    let Some(server) = server() else { return Ok(()) };
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos();
    let key = format!("{}/cryptoKeys/made-{now}", server.ring().await?);
    let first = format!("{key}/cryptoKeyVersions/1");
    let admin = server.config(&first, &server.token)?;

    let second = server.config(&format!("{key}/cryptoKeyVersions/2"), &server.token)?;
    let refused = second.create_key(None).await.unwrap_err();
    assert!(refused.to_string().contains("cryptoKeyVersions/1"), "{refused}");
    let rsa = admin.create_key(Some(Algorithm::RsaPssSha512)).await.unwrap_err();
    assert!(rsa.to_string().contains("ed25519 and ecdsa-p256-sha256"), "{rsa}");

    let made = admin.create_key(Some(Algorithm::EcdsaP256Sha256)).await?;
    assert_eq!(made.name.expose(), first);
    let provider = admin.connect().await?;
    assert_eq!(provider.public_key().await?, made.public_key);
    let signed = provider.sign(b"base").await?;
    made.public_key.verify(b"base", &signed.signature)?;
    let seen = provider.inspect().await;
    assert_eq!(codes(&seen), ["ok", "ok", "permissions_wide"], "{seen:?}");
    assert!(seen.permissions.message().contains("cryptoKeyVersions.destroy"), "{seen:?}");

    let again = admin.create_key(None).await.unwrap_err();
    assert_eq!(again.kind(), Kind::Configuration);
    assert!(again.to_string().contains("already"), "{again}");
    let nowhere = first.replace("adcp-signing-tests", "adcp-signing-no-such-ring");
    let absent = server.config(&nowhere, &server.token)?.create_key(None).await.unwrap_err();
    assert!(absent.to_string().contains("key ring"), "{absent}");

    let Ok(signer) = env::var("ADCP_TEST_GCP_KMS_SIGNER_TOKEN") else {
        println!("skipped in part: ADCP_TEST_GCP_KMS_SIGNER_TOKEN is not set");
        return Ok(());
    };
    let signer_config = server.config(&first, &signer)?;
    let seen = signer_config.connect().await?.inspect().await;
    assert_eq!(codes(&seen), ["not_permitted", "ok", "ok"], "{seen:?}");
    assert!(seen.export.message().contains("cloudkms.cryptoKeyVersions.get"), "{seen:?}");
    assert!(!format!("{seen:?}").contains("made-"), "{seen:?}");
    let other = first.replace("made-", "denied-");
    let denied = server.config(&other, &signer)?.create_key(None).await.unwrap_err();
    assert_eq!(denied.kind(), Kind::AccessDenied);
    assert!(denied.to_string().contains("roles/cloudkms.admin"), "{denied}");
    Ok(())
}
