//! What an operator does with a key: to look at how it is kept, and to make it.

use std::{
    env,
    time::{SystemTime, UNIX_EPOCH},
};

use adcp_signing_azure_key_vault::AzureKeyVaultConfig;
use adcp_signing_core::{
    Algorithm, KeyPurpose, ProviderErrorKind as Kind, SigningProvider as _,
    provider::{Inspection, toolkit::KeyOptions},
};
use azure_security_keyvault_keys::models::{
    KeyRotationPolicy, KeyRotationPolicyAction, LifetimeAction, LifetimeActionTrigger,
    LifetimeActionType,
};

use crate::keys::{Outcome, Server};

impl Server {
    fn named(&self, name: &str, token: &str) -> Outcome<AzureKeyVaultConfig> {
        let key = format!("https://{}/keys/{name}", self.authority()).parse()?;
        let options = KeyOptions::new(KeyPurpose::RequestSigning)
            .with_algorithm(Algorithm::EcdsaP256Sha256)
            .with_key_id("k");
        Ok(self.config(key, options, token)?)
    }

    /// Has the vault make a new version of the key each quarter.
    async fn rotate_each_quarter(&self, name: &str) -> Outcome<()> {
        let rotate = LifetimeAction {
            action: Some(LifetimeActionType { type_prop: Some(KeyRotationPolicyAction::Rotate) }),
            trigger: Some(LifetimeActionTrigger {
                time_after_create: Some("P90D".to_owned()),
                ..LifetimeActionTrigger::default()
            }),
        };
        let policy = KeyRotationPolicy {
            lifetime_actions: Some(vec![rotate]),
            ..KeyRotationPolicy::default()
        };
        self.client()?.update_key_rotation_policy(name, policy.try_into()?, None).await?;
        Ok(())
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
    let name = format!("made-{}", SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos());
    let admin = server.named(&name, &server.token)?;
    let made = admin.create_key(None).await?;
    let pinned =
        server.named(&format!("{name}/{}", made.name.version().unwrap()), &server.token)?;
    let provider = pinned.connect().await?;
    assert_eq!(provider.public_key().await?, made.public_key);
    let signed = provider.sign(b"base").await?;
    made.public_key.verify(b"base", &signed.signature)?;
    assert_eq!(codes(&provider.inspect().await), ["ok", "ok", "not_shown"]);
    server.rotate_each_quarter(&name).await?;
    let seen = provider.inspect().await;
    assert_eq!(codes(&seen), ["ok", "key_rotates", "not_shown"], "{seen:?}");

    let refused = |config: AzureKeyVaultConfig, algorithm| async move {
        config.with_options(KeyPurpose::RequestSigning).create_key(algorithm).await.unwrap_err()
    };
    let again = refused(admin, None).await;
    assert_eq!(again.kind(), Kind::Configuration);
    assert!(again.to_string().contains("already"), "{again}");
    let versioned = refused(pinned, None).await;
    assert!(versioned.to_string().contains("chooses the version"), "{versioned}");
    let other = format!("{name}-other");
    let ed25519 = refused(server.named(&other, &server.token)?, Some(Algorithm::Ed25519)).await;
    assert!(ed25519.to_string().contains("no Ed25519"), "{ed25519}");
    if server.lacks("refusals") {
        return Ok(());
    }
    server.disable(&made.name.expose()).await?;
    let disabled = refused(server.named(&name, &server.token)?, None).await;
    assert!(disabled.to_string().contains("already"), "{disabled}");
    server.client()?.delete_key(&name, None).await?;
    let deleted = refused(server.named(&name, &server.token)?, None).await;
    assert_eq!(deleted.kind(), Kind::Configuration);
    assert!(deleted.to_string().contains("recover it, purge it"), "{deleted}");

    let Some(denied) = server.denied_token.as_deref() else { return Ok(()) };
    let seen = server.named(&other, denied)?.connect().await?.inspect().await;
    assert_eq!(codes(&seen), ["not_permitted", "not_permitted", "not_shown"], "{seen:?}");
    assert!(seen.rotation.message().contains("getrotationpolicy"), "{seen:?}");
    let error = refused(server.named(&other, denied)?, None).await;
    assert_eq!(error.kind(), Kind::AccessDenied);
    Ok(())
}
