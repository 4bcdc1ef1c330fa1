//! Every way to name a key, and every state that a key can be in, against each server that the
//! environment names.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use adcp_signing_aws_kms::{AwsKmsConfig, AwsKmsProvider, AwsKmsUri, KeyIdentifier};
use adcp_signing_core::{
    Algorithm, KeyPurpose, ProviderErrorKind as Kind, SigningProvider,
    provider::{
        layers::{Pin, SigningProviderExt as _},
        toolkit::KeyUriScheme as _,
    },
};
use aws_sdk_kms::types::KeySpec;

use self::support::emulator::{Emulator, Lie, key_spec, unique_alias};

const BASE: &[u8] = b"\"@method\": POST\n\"@signature-params\": (\"@method\")";

async fn by_uri(emulator: &Emulator, key: &str, members: &str) -> AwsKmsProvider {
    let uri = format!("awskms:///{key}?endpoint={}{members}", emulator.endpoint());
    uri.parse::<AwsKmsUri>().unwrap().connect().await.unwrap()
}

async fn signs(provider: &impl SigningProvider) {
    let signed = provider.sign(BASE).await.unwrap();
    provider.public_key().await.unwrap().verify(BASE, &signed.signature).unwrap();
}

#[tokio::test]
async fn a_key_signs_under_every_name_that_it_has() {
    for emulator in Emulator::all() {
        let arn = emulator.new_key(KeySpec::EccNistP256).await;
        let alias = unique_alias();
        emulator.point(&alias, &arn).await;
        let (place, id) = arn.expose().split_once("key/").unwrap();
        for name in
            [id.to_owned(), arn.expose().to_owned(), alias.clone(), format!("{place}{alias}")]
        {
            let learned = by_uri(&emulator, &name, "").await;
            assert_eq!(learned.algorithm(), Algorithm::EcdsaP256Sha256);
            assert_eq!(learned.key_id(), learned.public_key().await.unwrap().thumbprint());
            signs(&learned).await;
            let declared = by_uri(&emulator, &name, "&alg=ecdsa-p256-sha256&kid=k").await;
            assert_eq!(declared.key_id(), "k");
            signs(&declared).await;
        }
    }
}

#[tokio::test]
async fn every_algorithm_and_key_size_of_the_server_signs() {
    for emulator in Emulator::all() {
        let specs = [
            (KeySpec::EccNistEdwards25519, Algorithm::Ed25519),
            (KeySpec::EccNistP256, Algorithm::EcdsaP256Sha256),
            (KeySpec::Rsa2048, Algorithm::RsaPssSha512),
            (KeySpec::Rsa3072, Algorithm::RsaPssSha512),
            (KeySpec::Rsa4096, Algorithm::RsaPssSha512),
        ];
        for (spec, algorithm) in specs.into_iter().filter(|(_, algorithm)| emulator.has(*algorithm))
        {
            let key = emulator.new_key(spec).await;
            let provider = by_uri(&emulator, key.expose(), "").await;
            assert_eq!(provider.algorithm(), algorithm);
            signs(&provider).await;
        }
    }
}

#[tokio::test]
async fn a_ready_client_serves() {
    for emulator in Emulator::all() {
        let key = emulator.new_key(KeySpec::EccNistP256).await;
        let client = emulator.admin().await;
        let config = AwsKmsConfig::new(key, KeyPurpose::WebhookSigning);
        let provider = config.connect_with_client(&client).await.unwrap();
        assert_eq!(provider.purpose(), &KeyPurpose::WebhookSigning);
        signs(&provider).await;
    }
}

#[tokio::test]
async fn an_alias_that_moves_signs_nothing_under_the_old_key_id() {
    for emulator in Emulator::all() {
        let alias = unique_alias();
        emulator.point(&alias, &emulator.new_key(KeySpec::EccNistP256).await).await;
        let declared = by_uri(&emulator, &alias, "&alg=ecdsa-p256-sha256&kid=k").await;
        let pin = Pin::public_key(declared.public_key().await.unwrap());
        let pinned = declared.pinned(pin);
        let learned = by_uri(&emulator, &alias, "").await;
        signs(&pinned).await;
        signs(&learned).await;
        emulator.point(&alias, &emulator.new_key(KeySpec::EccNistP256).await).await;
        assert_eq!(pinned.sign(BASE).await.unwrap_err().kind(), Kind::PublicKeyMismatch);
        assert_eq!(learned.sign(BASE).await.unwrap_err().kind(), Kind::PublicKeyMismatch);
    }
}

#[tokio::test]
async fn a_key_signs_only_while_it_is_enabled() {
    for emulator in Emulator::all() {
        let key = emulator.new_key(KeySpec::EccNistP256).await;
        let provider = by_uri(&emulator, key.expose(), "&alg=ecdsa-p256-sha256&kid=k").await;
        let admin = emulator.admin().await;
        admin.disable_key().key_id(key.expose()).send().await.unwrap();
        assert_eq!(provider.sign(BASE).await.unwrap_err().kind(), Kind::KeyDisabled);
        admin.enable_key().key_id(key.expose()).send().await.unwrap();
        signs(&provider).await;
        admin
            .schedule_key_deletion()
            .key_id(key.expose())
            .pending_window_in_days(7)
            .send()
            .await
            .unwrap();
        assert_eq!(provider.sign(BASE).await.unwrap_err().kind(), Kind::KeyDisabled);
        admin.cancel_key_deletion().key_id(key.expose()).send().await.unwrap();
        admin.enable_key().key_id(key.expose()).send().await.unwrap();
        signs(&provider).await;
    }
}

#[tokio::test]
async fn a_key_for_something_else_is_an_algorithm_mismatch() {
    for emulator in Emulator::all() {
        for (spec, algorithm) in [
            (KeySpec::EccNistP384, Algorithm::EcdsaP256Sha256),
            (KeySpec::Rsa2048, Algorithm::EcdsaP256Sha256),
            (KeySpec::EccNistP256, Algorithm::Ed25519),
        ] {
            let key = emulator.new_key(spec.clone()).await;
            let name = algorithm.rfc9421_name();
            let provider = by_uri(&emulator, key.expose(), &format!("&alg={name}&kid=k")).await;
            let error = provider.public_key().await.unwrap_err();
            assert_eq!(error.kind(), Kind::AlgorithmMismatch, "{spec:?}");
        }
    }
}

/// A server that was mended has to come out of the table.
#[tokio::test]
async fn the_servers_still_lie_as_the_table_says() {
    for emulator in Emulator::all() {
        let key = emulator.new_key(KeySpec::EccNistP256).await;
        let with = |algorithm: Algorithm| {
            let (emulator, key) = (emulator.clone(), key.clone());
            async move {
                let members = format!("&alg={}&kid=k", algorithm.rfc9421_name());
                by_uri(&emulator, key.expose(), &members).await
            }
        };
        let mut told = vec![(
            Lie::NoEd25519,
            emulator.try_new_key(key_spec(Algorithm::Ed25519)).await.is_err(),
        )];
        let kind = with(Algorithm::RsaPssSha512).await.sign(BASE).await.unwrap_err().kind();
        told.push((Lie::WrongAlgorithmIsInternal, kind != Kind::AlgorithmMismatch));
        let admin = emulator.admin().await;
        let deletion = admin.schedule_key_deletion().key_id(key.expose()).pending_window_in_days(7);
        deletion.send().await.unwrap();
        let public_key = with(Algorithm::EcdsaP256Sha256).await.public_key().await;
        told.push((Lie::PublicKeyWhilePendingDeletion, public_key.is_ok()));
        for (lie, told) in told {
            assert_eq!(emulator.lie(lie).is_some(), told, "{} {lie:?}", emulator.name);
        }
    }
}

#[tokio::test]
async fn a_missing_key_is_not_found() {
    for emulator in Emulator::all() {
        let key: KeyIdentifier = "alias/adcp-there-is-no-such-alias".parse().unwrap();
        let config =
            AwsKmsConfig::new(key, KeyPurpose::RequestSigning).with_endpoint(emulator.endpoint());
        let error = config.connect().await.unwrap_err();
        assert_eq!(error.kind(), Kind::KeyNotFound, "{error}");
    }
}

/// Emulators enforce no policies, and show the ones that they keep.
#[tokio::test]
async fn an_operator_sees_where_a_key_is_from_and_what_its_policy_says() {
    for emulator in Emulator::all() {
        let key = emulator.new_key(KeySpec::EccNistP256).await;
        let alias = unique_alias();
        emulator.point(&alias, &key).await;
        for name in [key.expose(), &alias] {
            let seen = by_uri(&emulator, name, "").await.inspect().await;
            assert_eq!((seen.export.code(), seen.rotation.code()), ("ok", "ok"), "{seen:?}");
            // The default policy.
            assert_eq!(seen.permissions.code(), "not_shown", "{}: {seen:?}", emulator.name);
        }
        let open = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*"}]}"#;
        let admin = emulator.admin().await;
        admin
            .put_key_policy()
            .key_id(key.expose())
            .policy_name("default")
            .policy(open)
            .send()
            .await
            .unwrap();
        let seen = by_uri(&emulator, key.expose(), "").await.inspect().await;
        assert_eq!(seen.permissions.code(), "permissions_open", "{}: {seen:?}", emulator.name);
    }
}

#[tokio::test]
async fn a_key_is_made_with_its_alias_where_there_is_none() {
    for emulator in Emulator::all() {
        let alias = unique_alias();
        let uri = format!("awskms:///{alias}?endpoint={}&kid=k", emulator.endpoint());
        let uri: AwsKmsUri = uri.parse().unwrap();
        let made = uri.create(Some(Algorithm::EcdsaP256Sha256)).await.unwrap();
        // Whoever uses it does not depend on the alias.
        assert!(made.name.to_string().contains(":key/"), "{}", made.name);
        assert_eq!(made.name.why_it_can_move(), None);
        let by_name = made.name.connect().await.unwrap();
        assert_eq!((by_name.key_id(), by_name.algorithm()), ("k", Algorithm::EcdsaP256Sha256));
        assert_eq!(by_name.public_key().await.unwrap(), made.public_key);
        signs(&by_name).await;
        let by_alias = uri.connect().await.unwrap();
        assert_eq!(by_alias.public_key().await.unwrap(), made.public_key);

        let again = uri.create(None).await.unwrap_err();
        assert_eq!(again.kind(), Kind::Configuration);
        assert!(again.to_string().contains("already"), "{again}");
        let by_id: AwsKmsUri = made.name.to_string().parse().unwrap();
        let refused = by_id.create(None).await.unwrap_err();
        assert!(refused.to_string().contains("alias/NAME"), "{refused}");
        let rsa = uri.create(Some(Algorithm::RsaPssSha512)).await.unwrap_err();
        assert!(rsa.to_string().contains("ed25519 and ecdsa-p256-sha256"), "{rsa}");
    }
}
