//! What a provider does with a token's keys, sessions and failures, beyond the conformance suite.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::{io, num::NonZeroUsize, sync::Arc, time::Duration};

use adcp_signing_core::{
    Algorithm, KeyPurpose, ProviderError,
    ProviderErrorKind::{
        self, AccessDenied, AlgorithmMismatch, Configuration, KeyDisabled, KeyNotFound,
        PublicKeyMismatch, Timeout, Unavailable,
    },
    SigningProvider,
    provider::toolkit::{CreatedKey, KeyOptions, KeyUriScheme as _},
};
use adcp_signing_pkcs11::{
    KeySelector, PinSource, Pkcs11Config, Pkcs11Provider, Pkcs11Uri, TokenSelector, UserPin,
    cryptoki::{
        mechanism::Mechanism,
        object::{Attribute, ObjectClass},
    },
};
use adcp_signing_testkit::{OwnServer, survives_a_kill};
use async_trait::async_trait;
use futures_util::future::join_all;
use support::{FaultyModule, TestToken};

const ED25519: Algorithm = Algorithm::Ed25519;
const BASE: &[u8] = b"signature base";

fn built(config: Pkcs11Config) -> Pkcs11Provider {
    let options = KeyOptions::new(KeyPurpose::RequestSigning);
    let options = options.with_algorithm(ED25519).with_key_id("k");
    Pkcs11Provider::new(config.with_options(options)).unwrap()
}

async fn signs(provider: &Pkcs11Provider) {
    let signed = provider.sign(BASE).await.unwrap();
    provider.public_key().await.unwrap().verify(BASE, &signed.signature).unwrap();
    assert_eq!(signed.key_version, None);
}

async fn refused(provider: &Pkcs11Provider) -> ProviderError {
    provider.sign(BASE).await.unwrap_err()
}

async fn kind(provider: &Pkcs11Provider) -> ProviderErrorKind {
    refused(provider).await.kind()
}

macro_rules! token {
    () => {
        match TestToken::from_env() {
            Ok(token) => token,
            Err(_) => return,
        }
    };
}

#[tokio::test]
async fn what_the_configuration_leaves_open_the_key_tells() {
    let token = token!();
    for algorithm in Algorithm::ALL {
        let key = token.key(algorithm);
        let config = token.config(&key.label);
        let refused = Pkcs11Provider::new(token.config(&key.label)).unwrap_err();
        assert_eq!(refused.kind(), Configuration, "only the token can tell");
        let provider = config.connect().await.unwrap();
        assert_eq!(provider.algorithm(), algorithm);
        assert_eq!(provider.key_id(), provider.public_key().await.unwrap().thumbprint());
        signs(&provider).await;
    }
}

#[tokio::test]
async fn the_public_key_is_the_tokens() {
    let token = token!();
    let key = token.key(ED25519);
    let provider = built(token.config(&key.label));
    let jwk = provider.public_key().await.unwrap().to_spki_der();
    assert_eq!(jwk[12..], key.ec_point()[2..]);
}

#[tokio::test]
async fn a_key_is_found_by_uri() {
    let token = token!();
    let key = token.key(ED25519);
    let folder = tempfile::tempdir().unwrap();
    let pin = folder.path().join("pin");
    std::fs::write(&pin, &token.pin).unwrap();
    let serial = token.context().get_token_info(token.slot()).unwrap().serial_number().to_owned();
    let id: String = key.label.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let query = format!("module-path={}&pin-source=file:{}", token.module.display(), pin.display());
    for path in [
        format!("token={};object={}", token.label, key.label),
        format!("serial={serial};object={};type=private", key.label),
        format!("slot-id={};id={id}", token.slot().id()),
        format!(
            "token={};manufacturer=SoftHSM%20project;model=SoftHSM%20v2;id={id};object={}",
            token.label, key.label
        ),
    ] {
        let uri: Pkcs11Uri =
            format!("pkcs11:{path}?{query}&kid=k-1&purpose=webhook-signing").parse().unwrap();
        let provider = uri.connect().await.unwrap();
        assert_eq!((provider.key_id(), provider.purpose()), ("k-1", &KeyPurpose::WebhookSigning));
        signs(&provider).await;
    }
}

#[tokio::test]
async fn a_callers_own_context_and_login_serve() {
    let token = token!();
    let key = token.key(ED25519);
    let session = token.session();
    let config = || Pkcs11Config::new(KeySelector::label(&key.label), KeyPurpose::RequestSigning);
    let connect =
        |config: Pkcs11Config| config.connect_with_client(token.context().clone(), token.slot());
    signs(&connect(config()).await.unwrap()).await;
    for config in [
        config().with_module(&token.module),
        config().with_token(TokenSelector::label(&token.label)),
    ] {
        let error = connect(config).await.unwrap_err();
        assert_eq!(error.kind(), Configuration);
        assert!(error.to_string().contains("are the ready client's"), "{error}");
    }
    drop(session);
}

#[tokio::test]
async fn only_one_key_may_match() {
    let token = token!();
    let key = token.key(ED25519);
    key.add(ED25519, b"second");
    let error = refused(&built(token.config(&key.label))).await;
    assert_eq!(
        error.to_string(),
        "configuration: more than one private key on the token matches; add `id=` to the key URI, or remove the other"
    );
    let key = KeySelector::label(&key.label).with_id(b"second");
    let config = Pkcs11Config::new(key, KeyPurpose::RequestSigning)
        .with_module(&token.module)
        .with_token(TokenSelector::label(&token.label));
    signs(&built(config.with_pin(PinSource::Value(UserPin::new(token.pin.as_str()).unwrap()))))
        .await;
}

#[tokio::test]
async fn what_is_not_there_is_told_apart() {
    let token = token!();
    let key = token.key(ED25519);
    assert_eq!(kind(&built(token.config("adcp-test-no-such-key"))).await, KeyNotFound);
    let on = |module: &str, label: &str| {
        let key = KeySelector::label(&key.label);
        let config = Pkcs11Config::new(key, KeyPurpose::RequestSigning);
        built(config.with_module(module).with_token(TokenSelector::label(label)))
    };
    assert_eq!(
        kind(&on(token.module.to_str().unwrap(), "adcp-test-no-such-token")).await,
        Unavailable
    );
    assert_eq!(kind(&on("/nonexistent/module.so", &token.label)).await, Configuration);
    assert_eq!(kind(&on(env!("CARGO_MANIFEST_PATH"), &token.label)).await, Configuration);
    key.destroy_public_half();
    let error = refused(&built(token.config(&key.label))).await;
    assert_eq!(error.kind(), KeyNotFound);
    assert!(error.to_string().contains("no public key object"), "{error}");
}

#[tokio::test]
async fn a_key_of_another_algorithm_is_refused_at_first_use() {
    let token = token!();
    for algorithm in [Algorithm::EcdsaP256Sha256, Algorithm::RsaPssSha512] {
        let key = token.key(algorithm);
        let provider = built(token.config(&key.label));
        assert_eq!(kind(&provider).await, AlgorithmMismatch);
        assert_eq!(provider.public_key().await.unwrap_err().kind(), AlgorithmMismatch);
    }
}

#[tokio::test]
async fn cka_sign_disables_a_key_at_once_and_enables_it_again() {
    let token = token!();
    let key = token.key(ED25519);
    let provider = built(token.config(&key.label));
    signs(&provider).await;
    key.set_sign(false);
    assert_eq!(kind(&provider).await, KeyDisabled);
    assert_eq!(kind(&provider).await, KeyDisabled);
    key.set_sign(true);
    signs(&provider).await;
}

#[tokio::test]
async fn a_key_that_was_replaced_under_its_label_never_signs() {
    let token = token!();
    let key = token.key(ED25519);
    let provider = built(token.config(&key.label));
    signs(&provider).await;
    key.destroy();
    assert_eq!(kind(&provider).await, KeyNotFound);
    key.add(ED25519, b"new");
    assert_eq!(kind(&provider).await, PublicKeyMismatch);
    signs(&built(token.config(&key.label))).await;
}

#[tokio::test]
async fn a_lost_session_is_replaced_within_the_call() {
    let token = token!();
    let key = token.key(ED25519);
    let Some(module) = token.faulty_module() else { return println!("skipped: no C compiler") };
    let provider = built(token.config_through(&module.path, &key.label));
    signs(&provider).await;
    // CKR_SESSION_HANDLE_INVALID, CKR_SESSION_CLOSED, CKR_DEVICE_REMOVED, CKR_TOKEN_NOT_PRESENT,
    // CKR_USER_NOT_LOGGED_IN, CKR_KEY_HANDLE_INVALID
    for code in [179, 176, 50, 224, 257, 96] {
        module.fail(&format!("once {code}"));
        signs(&provider).await;
    }
    assert_eq!(module.met(), 6, "each session was lost once");
}

#[tokio::test]
async fn a_failure_that_lasts_is_told_and_leaves_the_provider_usable() {
    let token = token!();
    let key = token.key(ED25519);
    let Some(module) = token.faulty_module() else { return println!("skipped: no C compiler") };
    let provider = built(token.config_through(&module.path, &key.label));
    // CKR_SESSION_HANDLE_INVALID, CKR_DEVICE_ERROR, CKR_FUNCTION_FAILED, CKR_VENDOR_DEFINED + 1
    for code in [179_u64, 48, 6, 0x8000_0001] {
        signs(&provider).await;
        module.fail(&format!("return {code}"));
        assert_eq!(kind(&provider).await, Unavailable, "{code}");
        module.heal();
    }
    signs(&provider).await;
}

#[tokio::test]
async fn a_module_that_hangs_costs_its_callers_their_deadline_and_no_more() {
    let token = token!();
    let key = token.key(ED25519);
    let Some(module) = token.faulty_module() else { return println!("skipped: no C compiler") };
    let config =
        token.config_through(&module.path, &key.label).with_timeout(Duration::from_millis(500));
    let provider = built(config.with_sessions(NonZeroUsize::new(2).unwrap()));
    signs(&provider).await;
    module.fail("hang");
    let kinds = join_all((0..8).map(|_| kind(&provider))).await;
    assert_eq!(kinds, [Timeout; 8]);
    module.heal();
    signs(&provider).await;
}

/// A token that is pulled out and put back.
struct Pulled(FaultyModule);

#[async_trait]
impl OwnServer for Pulled {
    async fn kill(&mut self) -> io::Result<()> {
        // CKR_TOKEN_NOT_PRESENT
        self.0.fail("return 224");
        Ok(())
    }

    async fn restart(&mut self) -> io::Result<()> {
        self.0.heal();
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_pulled_out_under_load_costs_patient_callers_no_request() {
    let token = token!();
    let key = token.key(ED25519);
    let Some(module) = token.faulty_module() else { return println!("skipped: no C compiler") };
    let provider = built(token.config_through(&module.path, &key.label));
    println!("{:?}", survives_a_kill(Arc::new(provider), &mut Pulled(module)).await.unwrap());
}

#[tokio::test]
async fn a_pin_that_was_refused_is_not_tried_again() {
    let token = token!();
    let Some(config) = token.locked_config(ED25519) else {
        return println!("skipped: ADCP_TEST_PKCS11_SO_PIN is not set");
    };
    let provider = built(config);
    let errors = join_all((0..6).map(|_| refused(&provider))).await;
    assert!(errors.iter().all(|error| error.kind() == AccessDenied), "{errors:?}");
    let tried =
        errors.iter().filter(|error| error.to_string().contains("CKR_PIN_INCORRECT")).count();
    assert_eq!(tried, 1, "the others were spared: {errors:?}");
}

#[test]
fn no_runtime_is_needed() {
    let token = token!();
    let key = token.key(ED25519);
    futures_executor::block_on(signs(&built(token.config(&key.label))));
}

/// Makes a key. SoftHSM answers `CKR_GENERAL_ERROR` where another copy of it changes the token's
/// files at the same moment.
async fn made(
    config: impl Fn() -> Pkcs11Config,
    algorithm: Option<Algorithm>,
) -> CreatedKey<KeySelector> {
    for _ in 0..20 {
        match config().create_key(algorithm).await {
            Err(error) if error.to_string().contains("CKR_GENERAL_ERROR") => {}
            made => return made.unwrap(),
        }
    }
    panic!("SoftHSM made no key");
}

#[tokio::test]
async fn a_key_is_made_where_there_is_none_and_cannot_leave_the_token() {
    let token = token!();
    for (asked, algorithm) in
        [(None, ED25519), (Some(Algorithm::EcdsaP256Sha256), Algorithm::EcdsaP256Sha256)]
    {
        // A key of the label that the test removes at its end.
        let key = token.key(ED25519);
        let config = || token.config(&key.label);
        for half in ["both", "private"] {
            let error = config().create_key(asked).await.unwrap_err();
            assert_eq!(error.kind(), Configuration, "{half}");
            assert!(error.to_string().contains("already"), "{half}: {error}");
            key.destroy_public_half();
        }
        key.destroy();
        let created = made(config, asked).await;
        assert_eq!(created.public_key.algorithm(), algorithm);
        let provider = config().connect().await.unwrap();
        assert_eq!(provider.public_key().await.unwrap(), created.public_key);
        signs(&provider).await;
        let seen = provider.inspect().await;
        let codes = seen.observations().map(|(_, seen)| seen.code());
        assert_eq!(codes, ["ok", "ok", "not_shown"], "{seen:?}");

        // A public half alone has the name as well.
        let session = token.session();
        let private = [
            Attribute::Class(ObjectClass::PRIVATE_KEY),
            Attribute::Label(key.label.clone().into()),
        ];
        for object in session.find_objects(&private).unwrap() {
            session.destroy_object(object).unwrap();
        }
        let error = config().create_key(asked).await.unwrap_err();
        assert!(error.to_string().contains("already"), "{error}");
    }
    let rsa = token.config("rsa").create_key(Some(Algorithm::RsaPssSha512)).await.unwrap_err();
    assert!(rsa.to_string().contains("ed25519 and ecdsa-p256-sha256"), "{rsa}");
}

#[tokio::test]
async fn the_uri_of_a_made_key_names_its_id_and_a_wrong_pin_makes_none() {
    let token = token!();
    let key = token.key(ED25519);
    key.destroy();
    let folder = tempfile::tempdir().unwrap();
    let pin = folder.path().join("pin");
    std::fs::write(&pin, &token.pin).unwrap();
    let uri = format!(
        "pkcs11:token={};object={}?module-path={}&pin-source=file:{}",
        token.label,
        key.label,
        token.module.display(),
        pin.display()
    );
    let uri: Pkcs11Uri = uri.parse().unwrap();
    let created = loop {
        match uri.create(None).await {
            Err(error) if error.to_string().contains("CKR_GENERAL_ERROR") => {}
            made => break made.unwrap(),
        }
    };
    let named = created.name.to_string();
    assert!(named.contains(";id=%"), "{named}");
    let provider = created.name.connect().await.unwrap();
    assert_eq!(provider.public_key().await.unwrap(), created.public_key);
    let id: KeySelector = KeySelector::id(b"replacement".to_vec());
    assert!(!format!("{id:?}").contains("replacement"));
}

#[tokio::test]
async fn a_key_that_can_leave_the_token_is_seen() {
    let token = token!();
    let session = token.session();
    for (label, sensitive, extractable) in
        [("adcp-loose-a", false, true), ("adcp-loose-b", true, true)]
    {
        let key = token.key(ED25519);
        key.destroy();
        let named = [
            Attribute::Token(true),
            Attribute::Label(key.label.clone().into()),
            Attribute::Id(label.into()),
        ];
        let curve = Attribute::EcParams(b"\x13\x0cedwards25519".to_vec());
        let public =
            [&named[..], &[curve, Attribute::Verify(true), Attribute::Private(false)]].concat();
        let private = [
            Attribute::Private(true),
            Attribute::Sensitive(sensitive),
            Attribute::Extractable(extractable),
            Attribute::Sign(true),
        ];
        let private = [&named[..], &private].concat();
        let made = (0..20)
            .map(|_| session.generate_key_pair(&Mechanism::EccEdwardsKeyPairGen, &public, &private))
            .find(Result::is_ok);
        made.unwrap().unwrap();
        let seen = built(token.config(&key.label)).inspect().await;
        assert_eq!(seen.export.code(), "key_exportable", "{label}: {seen:?}");
    }
    let missing = built(token.config("adcp-no-such-key")).inspect().await;
    assert_eq!(missing.export.code(), "not_answered", "{missing:?}");
}

/// Another process made the same key meanwhile, or the token does not do what it was asked for.
#[tokio::test]
async fn a_key_that_is_not_as_it_was_asked_for_is_removed_again() {
    let token = token!();
    let Some(module) = token.faulty_module() else { return println!("skipped: no C compiler") };
    for (fault, reason, left) in [("twice", "already", 1), ("loose", "can leave it", 0)] {
        let key = token.key(ED25519);
        key.destroy();
        module.fail(fault);
        let error = loop {
            match token.config_through(&module.path, &key.label).create_key(None).await {
                Err(error) if error.to_string().contains("CKR_GENERAL_ERROR") => {}
                made => break made.unwrap_err(),
            }
        };
        module.heal();
        assert!(error.to_string().contains(reason), "{fault}: {error}");
        let private = [
            Attribute::Class(ObjectClass::PRIVATE_KEY),
            Attribute::Label(key.label.clone().into()),
        ];
        let found = token.session().find_objects(&private).unwrap();
        assert_eq!(found.len(), left, "{fault}: the other's key stays, ours does not");
    }
}
