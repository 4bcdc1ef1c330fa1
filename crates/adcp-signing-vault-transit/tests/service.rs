//! What a real server does to tokens, keys and calls, and what the provider makes of it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

mod support;

use std::{
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use adcp_signing_core::{
    Algorithm, KeyPurpose, ProviderErrorKind as Kind, SigningProvider as _,
    provider::{
        Inspection, KeyVersion, layers::SigningProviderExt as _, toolkit::KeyUriScheme as _,
    },
};
use adcp_signing_testkit::{Action, CannedReply, FaultProxy, Traffic};
use adcp_signing_vault_transit::{
    VaultAuth, VaultClient, VaultClientOptions, VaultTransitConfig, VaultTransitProvider,
    VaultTransitUri,
};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde_json::{Value, json};
use support::{AppRole, Server, Transit, openbao, vault};

const BASE: &[u8] = b"signature base";

/// An engine with one Ed25519 key and an AppRole that may sign with it.
struct Setup {
    server: Server,
    transit: Transit,
    key: String,
    role: AppRole,
}

impl Setup {
    async fn new(server: Server, role: Value) -> Self {
        let transit = server.transit().await;
        let key = transit.new_key("ed25519").await;
        let policy = server.signing_policy(&transit.mount, &key).await;
        let mut role = role;
        role["token_policies"] = json!([policy, "default"]);
        let role = server.app_role(role).await;
        Self { server, transit, key, role }
    }

    fn key(&self) -> VaultTransitConfig {
        self.transit.key(&self.key, Algorithm::Ed25519)
    }

    fn provider(&self, auth: VaultAuth) -> VaultTransitProvider {
        VaultTransitProvider::new(self.server.client(auth), self.key()).unwrap()
    }

    /// A provider whose calls a proxy counts.
    async fn counted(&self) -> (VaultTransitProvider, FaultProxy) {
        let proxy = FaultProxy::start(self.server.socket().await, Traffic::Http).await.unwrap();
        let options =
            VaultClientOptions::new(format!("http://{}", proxy.address()), self.role.auth());
        (VaultTransitProvider::new(VaultClient::new(options).unwrap(), self.key()).unwrap(), proxy)
    }

    /// Ends every token that the AppRole gave out.
    async fn revoke_tokens(&self) {
        let path = format!("sys/leases/revoke-force/auth/{}/login", self.role.mount);
        self.server.call("PUT", &path, Value::Null).await;
    }
}

async fn signs(provider: &VaultTransitProvider) {
    let signed = provider.sign(BASE).await.unwrap();
    provider.public_key().await.unwrap().verify(BASE, &signed.signature).unwrap();
}

async fn refused(provider: &VaultTransitProvider) -> Kind {
    provider.sign(BASE).await.unwrap_err().kind()
}

/// Each test once by each server that the environment names.
macro_rules! by_each_server {
    ($($test:ident by $openbao:ident, $vault:ident;)*) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $openbao() {
            if let Some(server) = openbao() {
                $test(server).await;
            }
        }

        #[tokio::test(flavor = "multi_thread")]
        async fn $vault() {
            if let Some(server) = vault() {
                $test(server).await;
            }
        }
    )*};
}

by_each_server! {
    rotation by a_rotation_changes_no_key_id_by_openbao, a_rotation_changes_no_key_id_by_vault;
    opening by what_is_not_stated_is_the_keys_own_by_openbao, what_is_not_stated_is_the_keys_own_by_vault;
    retired by a_retired_version_signs_no_more_by_openbao, a_retired_version_signs_no_more_by_vault;
    revoked by a_revoked_token_is_replaced_by_openbao, a_revoked_token_is_replaced_by_vault;
    used_up by a_token_that_ends_in_use_is_replaced_by_openbao, a_token_that_ends_in_use_is_replaced_by_vault;
    short_lives by tokens_that_live_a_second_are_never_noticed_by_openbao,
        tokens_that_live_a_second_are_never_noticed_by_vault;
    login_refused by a_denial_stands_when_the_login_is_refused_by_openbao,
        a_denial_stands_when_the_login_is_refused_by_vault;
    policy_denies by a_policy_that_denies_does_not_make_every_call_log_in_by_openbao,
        a_policy_that_denies_does_not_make_every_call_log_in_by_vault;
    one_login by concurrent_first_calls_log_in_once_by_openbao, concurrent_first_calls_log_in_once_by_vault;
    token_file by a_token_file_is_read_again_by_openbao, a_token_file_is_read_again_by_vault;
    static_token by a_given_token_that_ended_is_denied_by_openbao, a_given_token_that_ended_is_denied_by_vault;
    kubernetes by a_pod_logs_in_with_its_service_account_by_openbao,
        a_pod_logs_in_with_its_service_account_by_vault;
    rate_limit by a_rate_limit_quota_throttles_by_openbao, a_rate_limit_quota_throttles_by_vault;
    wrong_places by a_wrong_mount_and_a_wrong_key_are_told_apart_by_openbao,
        a_wrong_mount_and_a_wrong_key_are_told_apart_by_vault;
    no_namespace by a_namespace_that_is_not_there_gives_no_key_by_openbao,
        a_namespace_that_is_not_there_gives_no_key_by_vault;
    inspection by what_an_operator_should_change_is_seen_by_openbao,
        what_an_operator_should_change_is_seen_by_vault;
    creation by a_key_is_made_where_there_is_none_and_never_exportable_by_openbao,
        a_key_is_made_where_there_is_none_and_never_exportable_by_vault;
    unusable_keys by keys_that_cannot_sign_say_so_by_openbao, keys_that_cannot_sign_say_so_by_vault;
}

async fn rotation(server: Server) {
    let setup = Setup::new(server, json!({})).await;
    let before = setup.provider(setup.role.auth());
    let first = before.public_key().await.unwrap();
    setup.transit.rotate(&setup.key).await;

    // The provider that is running goes on with the version it published.
    let signed = before.sign(BASE).await.unwrap();
    assert_eq!(signed.key_version, Some(KeyVersion::new("1")));
    first.verify(BASE, &signed.signature).unwrap();

    // One that starts now uses the new version, or the one that it is told.
    let after = setup.provider(setup.role.auth());
    assert_ne!(after.public_key().await.unwrap(), first);
    assert_eq!(after.sign(BASE).await.unwrap().key_version, Some(KeyVersion::new("2")));
    let told = VaultTransitProvider::new(
        setup.server.client(setup.role.auth()),
        setup.key().with_version(1),
    )
    .unwrap();
    assert_eq!(told.public_key().await.unwrap(), first);
    assert_eq!(told.sign(BASE).await.unwrap().key_version, Some(KeyVersion::new("1")));
}

async fn opening(server: Server) {
    let transit = server.transit().await;
    let client = server.client(VaultAuth::token(&*server.token));
    for (key_type, algorithm) in [
        ("ed25519", Algorithm::Ed25519),
        ("ecdsa-p256", Algorithm::EcdsaP256Sha256),
        ("rsa-2048", Algorithm::RsaPssSha512),
        ("rsa-3072", Algorithm::RsaPssSha512),
        ("rsa-4096", Algorithm::RsaPssSha512),
    ] {
        let name = transit.new_key(key_type).await;
        let key =
            VaultTransitConfig::new(&name, KeyPurpose::WebhookSigning).with_mount(&transit.mount);
        let error = VaultTransitProvider::new(client.clone(), key.clone()).unwrap_err();
        assert_eq!(error.kind(), Kind::Configuration, "nothing says which algorithm");
        let provider = key.connect_with_client(client.clone()).await.unwrap();
        assert_eq!(provider.algorithm(), algorithm, "{key_type}");
        assert_eq!(provider.key_id(), provider.public_key().await.unwrap().thumbprint());
        let jwk = provider.public_jwk().await.unwrap();
        assert_eq!(
            (jwk.kid(), jwk.purpose()),
            (Some(provider.key_id()), Some(&KeyPurpose::WebhookSigning))
        );
        signs(&provider).await;
    }
}

async fn retired(server: Server) {
    let setup = Setup::new(server, json!({})).await;
    let provider = setup.provider(setup.role.auth());
    signs(&provider).await;
    setup.transit.rotate(&setup.key).await;
    setup.transit.configure(&setup.key, json!({ "min_encryption_version": 2 })).await;
    assert_eq!(refused(&provider).await, Kind::KeyDisabled, "while it runs");
    let pinned = VaultTransitProvider::new(
        setup.server.client(setup.role.auth()),
        setup.key().with_version(1),
    )
    .unwrap();
    assert_eq!(refused(&pinned).await, Kind::KeyDisabled, "when it starts");
    setup.transit.configure(&setup.key, json!({ "min_decryption_version": 2 })).await;
    let pinned = VaultTransitProvider::new(
        setup.server.client(setup.role.auth()),
        setup.key().with_version(1),
    )
    .unwrap();
    assert_eq!(refused(&pinned).await, Kind::KeyDisabled, "when it is archived");
    let early = VaultTransitProvider::new(
        setup.server.client(setup.role.auth()),
        setup.key().with_version(3),
    )
    .unwrap();
    assert_eq!(refused(&early).await, Kind::KeyNotFound, "before it is made");
}

async fn revoked(server: Server) {
    let setup = Setup::new(server, json!({})).await;
    let provider = setup.provider(setup.role.auth());
    for _ in 0..3 {
        signs(&provider).await;
        setup.revoke_tokens().await;
    }
    signs(&provider).await;
}

/// A token of three uses: every third call finds it at its end.
async fn used_up(server: Server) {
    let setup = Setup::new(server, json!({ "token_num_uses": 3 })).await;
    let provider = setup.provider(setup.role.auth());
    for _ in 0..10 {
        signs(&provider).await;
    }
}

async fn short_lives(server: Server) {
    let role = json!({ "token_ttl": "1s", "token_max_ttl": "2s" });
    let setup = Setup::new(server, role).await;
    let provider = Arc::new(setup.provider(setup.role.auth()));
    let end = Instant::now() + Duration::from_secs(5);
    let mut signers = Vec::new();
    for _ in 0..4 {
        let provider = Arc::clone(&provider);
        signers.push(tokio::spawn(async move {
            while Instant::now() < end {
                signs(&provider).await;
            }
        }));
    }
    for signer in signers {
        signer.await.unwrap();
    }
}

async fn login_refused(server: Server) {
    let setup = Setup::new(server, json!({})).await;
    let provider = setup.provider(setup.role.auth());
    signs(&provider).await;
    setup
        .server
        .call("DELETE", &format!("auth/{}/role/signer", setup.role.mount), Value::Null)
        .await;
    setup.revoke_tokens().await;
    let error = provider.sign(BASE).await.unwrap_err();
    assert_eq!(error.kind(), Kind::AccessDenied);
    assert!(error.to_string().contains("refused the login"), "{error}");
    let shown = format!("{error:?}");
    assert!(
        !shown.contains(&setup.role.secret_id) && !shown.contains(&setup.role.mount),
        "{shown}"
    );
}

async fn policy_denies(server: Server) {
    let setup = Setup::new(server, json!({})).await;
    let (provider, proxy) = setup.counted().await;
    signs(&provider).await;
    let name = setup.transit.new_key("ed25519").await;
    let options = VaultClientOptions::new(format!("http://{}", proxy.address()), setup.role.auth());
    let other = VaultTransitProvider::new(
        VaultClient::new(options).unwrap(),
        setup.transit.key(&name, Algorithm::Ed25519),
    );
    let other = other.unwrap();
    let before = proxy.requests();
    assert_eq!(refused(&other).await, Kind::AccessDenied);
    assert_eq!(proxy.requests() - before, 4, "log in, be denied, log in, be denied");
    for _ in 0..3 {
        assert_eq!(refused(&other).await, Kind::AccessDenied);
    }
    assert_eq!(proxy.requests() - before, 7, "be denied");
}

async fn one_login(server: Server) {
    let setup = Setup::new(server, json!({})).await;
    let (provider, proxy) = setup.counted().await;
    let provider = Arc::new(provider);
    let mut calls = Vec::new();
    for _ in 0..100 {
        let provider = Arc::clone(&provider);
        calls.push(tokio::spawn(async move { signs(&provider).await }));
    }
    for call in calls {
        call.await.unwrap();
    }
    assert_eq!(proxy.requests(), 102, "one login, one look at the key, and the signatures");
    setup.revoke_tokens().await;
    signs(&provider).await;
    assert_eq!(proxy.requests(), 105, "denied, one login, the signature");
}

async fn token_file(server: Server) {
    let setup = Setup::new(server, json!({})).await;
    let policy = setup.server.signing_policy(&setup.transit.mount, &setup.key).await;
    let new_token = || setup.server.new_token(json!({ "policies": [policy, "default"] }));
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    let first = new_token().await;
    fs::write(&file, format!("{first}\n")).unwrap();
    let provider = setup.provider(VaultAuth::token_file(&file));
    signs(&provider).await;
    setup.server.call("POST", "auth/token/revoke", json!({ "token": first })).await;
    assert_eq!(
        refused(&provider).await,
        Kind::AccessDenied,
        "the file still holds the token that ended"
    );
    fs::write(&file, new_token().await).unwrap();
    signs(&provider).await;
    let second = fs::read_to_string(&file).unwrap();
    fs::write(&file, new_token().await).unwrap();
    setup.server.call("POST", "auth/token/revoke", json!({ "token": second })).await;
    signs(&provider).await;
}

async fn static_token(server: Server) {
    let setup = Setup::new(server, json!({})).await;
    let policy = setup.server.signing_policy(&setup.transit.mount, &setup.key).await;
    let token =
        setup.server.new_token(json!({ "policies": [policy], "no_default_policy": true })).await;
    let provider = setup.provider(VaultAuth::token(&*token));
    signs(&provider).await;
    setup.server.call("POST", "auth/token/revoke", json!({ "token": token })).await;
    let error = provider.sign(BASE).await.unwrap_err();
    assert_eq!(error.kind(), Kind::AccessDenied);
    assert!(error.to_string().contains("has ended or was revoked"), "{error}");
    assert_eq!(
        refused(&setup.provider(VaultAuth::token("hvs.never-was"))).await,
        Kind::AccessDenied
    );
}

/// The server's own Kubernetes method, over a cluster that vouches for any token.
async fn kubernetes(server: Server) {
    const REVIEW: &str = r#"{"apiVersion":"authentication.k8s.io/v1","kind":"TokenReview","status":{
        "authenticated":true,"audiences":["vault"],"user":{"username":"system:serviceaccount:ads:signer","uid":"u-1","groups":[]}}}"#;
    let setup = Setup::new(server, json!({})).await;
    let cluster = FaultProxy::start(setup.server.socket().await, Traffic::Http).await.unwrap();
    cluster.set(Action::Reply(
        CannedReply::new(201).header("content-type", "application/json").body(REVIEW),
    ));
    let mount = support::unique("adcp-kubernetes");
    let config = json!({
        "kubernetes_host": format!("http://{}", cluster.address()),
        "kubernetes_ca_cert": include_str!("support/unused_ca.pem"),
        "token_reviewer_jwt": "reviewer",
        "disable_local_ca_jwt": true,
    });
    let policy = setup.server.signing_policy(&setup.transit.mount, &setup.key).await;
    let role = json!({
        "bound_service_account_names": "signer",
        "bound_service_account_namespaces": "ads",
        "audience": "vault",
        "token_policies": [policy, "default"],
    });
    setup.server.call("POST", &format!("sys/auth/{mount}"), json!({ "type": "kubernetes" })).await;
    setup.server.call("POST", &format!("auth/{mount}/config"), config).await;
    setup.server.call("POST", &format!("auth/{mount}/role/signer"), role).await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    fs::write(&file, service_account_token("signer")).unwrap();
    let auth = |role: &str| VaultAuth::kubernetes_with_jwt_file(role, &file).with_mount(&mount);
    let provider = setup.provider(auth("signer"));
    signs(&provider).await;
    // A projected token is replaced in place; the next login reads the new one.
    fs::write(&file, service_account_token("another")).unwrap();
    signs(&provider).await;
    setup
        .server
        .call("PUT", &format!("sys/leases/revoke-force/auth/{mount}/login"), Value::Null)
        .await;
    assert_eq!(
        refused(&provider).await,
        Kind::AccessDenied,
        "this account is not bound to the role"
    );
    assert_eq!(
        refused(&setup.provider(auth("another"))).await,
        Kind::AccessDenied,
        "there is no such role"
    );
}

/// The claims that the method reads before it asks the cluster.
fn service_account_token(name: &str) -> String {
    let claims = json!({
        "iss": "https://kubernetes.default.svc",
        "sub": format!("system:serviceaccount:ads:{name}"),
        "aud": ["vault"],
        "exp": 4_102_444_800_u64,
        "nbf": 1,
        "iat": 1,
        "kubernetes.io": { "namespace": "ads", "serviceaccount": { "name": name, "uid": "u-1" } },
    });
    let parts = [json!({ "alg": "RS256", "kid": "k" }), claims]
        .map(|part| Base64UrlUnpadded::encode_string(part.to_string().as_bytes()));
    format!("{}.{}", parts.join("."), Base64UrlUnpadded::encode_string(b"signature"))
}

async fn rate_limit(server: Server) {
    let setup = Setup::new(server, json!({})).await;
    let provider = setup.provider(setup.role.auth());
    signs(&provider).await;
    let quota = format!("sys/quotas/rate-limit/{}", support::unique("adcp-quota"));
    let headers = |on: bool| json!({ "enable_rate_limit_response_headers": on });
    setup.server.call("POST", "sys/quotas/config", headers(true)).await;
    let limit =
        json!({ "path": format!("{}/", setup.transit.mount), "rate": 1, "interval": "60s" });
    setup.server.call("POST", &quota, limit).await;
    let mut throttled = None;
    for _ in 0..10 {
        throttled = throttled.or(provider.sign(BASE).await.err());
    }
    let throttled = throttled.unwrap();
    assert_eq!(throttled.kind(), Kind::Throttled);
    let wait = throttled.retry_after().unwrap();
    assert!(wait > Duration::ZERO && wait <= Duration::from_secs(60), "{wait:?}");
    assert!(!format!("{throttled:?}").contains(&setup.key), "{throttled:?}");
    setup.server.call("DELETE", &quota, Value::Null).await;
    signs(&provider).await;
}

async fn wrong_places(server: Server) {
    let setup = Setup::new(server, json!({})).await;
    let client = setup.server.client(VaultAuth::token(&*setup.server.token));
    for (key, kind) in [
        (setup.key().with_mount("adcp-nothing-here"), Kind::Configuration),
        (setup.transit.key("adcp-no-such-key", Algorithm::Ed25519), Kind::KeyNotFound),
        (setup.transit.key(&setup.key, Algorithm::EcdsaP256Sha256), Kind::AlgorithmMismatch),
    ] {
        let provider = VaultTransitProvider::new(client.clone(), key).unwrap();
        assert_eq!(refused(&provider).await, kind, "{provider:?}");
    }
    // The key goes away under a provider that has read it.
    let provider = VaultTransitProvider::new(client, setup.key()).unwrap();
    signs(&provider).await;
    setup.transit.configure(&setup.key, json!({ "deletion_allowed": true })).await;
    setup.server.call("DELETE", &setup.transit.path("keys", &setup.key), Value::Null).await;
    assert_eq!(refused(&provider).await, Kind::KeyNotFound);
}

async fn unusable_keys(server: Server) {
    let setup = Setup::new(server, json!({})).await;
    let client = setup.server.client(VaultAuth::token(&*setup.server.token));
    // Every type that both products have and that does not sign what is signed here.
    let types =
        ["aes128-gcm96", "aes256-gcm96", "chacha20-poly1305", "ecdsa-p384", "ecdsa-p521", "hmac"];
    let of_type = |name| match name {
        "hmac" => json!({ "type": name, "key_size": 32 }),
        _ => json!({ "type": name }),
    };
    let types = types.map(|name| (of_type(name), Kind::AlgorithmMismatch));
    let derived = (json!({ "type": "ed25519", "derived": true }), Kind::Configuration);
    for (options, kind) in types.into_iter().chain([derived]) {
        let name = support::unique("adcp-key");
        setup.server.call("POST", &setup.transit.path("keys", &name), options.clone()).await;
        let key = VaultTransitConfig::new(&name, KeyPurpose::RequestSigning)
            .with_mount(&setup.transit.mount);
        let error = key.connect_with_client(client.clone()).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{options}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_soft_deleted_key_is_disabled_by_openbao() {
    let Some(server) = openbao() else { return };
    let setup = Setup::new(server, json!({})).await;
    let provider = setup.provider(setup.role.auth());
    signs(&provider).await;
    let path = format!("{}/soft-delete", setup.transit.path("keys", &setup.key));
    setup.server.call("DELETE", &path, Value::Null).await;
    assert_eq!(refused(&provider).await, Kind::KeyDisabled, "while it runs");
    assert_eq!(
        refused(&setup.provider(setup.role.auth())).await,
        Kind::KeyDisabled,
        "when it starts"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_holds_login_and_key_by_openbao() {
    let Some(server) = openbao() else { return };
    let namespace = support::unique("adcp-namespace");
    server.call("POST", &format!("sys/namespaces/{namespace}"), json!({})).await;
    // The path of a namespace may stand before the API's.
    let mount = format!("{namespace}/sys/mounts/transit");
    server.call("POST", &mount, json!({ "type": "transit" })).await;
    server
        .call("POST", &format!("{namespace}/transit/keys/buyer"), json!({ "type": "ed25519" }))
        .await;
    let key = VaultTransitConfig::new("buyer", KeyPurpose::RequestSigning);
    let options = || server.options(VaultAuth::token(&*server.token));
    let inside = VaultClient::new(options().with_namespace(&namespace)).unwrap();
    let provider = key.clone().connect_with_client(inside).await.unwrap();
    signs(&provider).await;
    let elsewhere = VaultClient::new(options().with_namespace("adcp-no-such-namespace")).unwrap();
    let error = key.connect_with_client(elsewhere).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Configuration, "{error}");
}

/// The free edition of Vault does not know namespaces: told one in a header, it answers from its
/// root. The key is there, by root and by role, and is not to be had in a namespace that is not.
async fn no_namespace(server: Server) {
    let setup = Setup::new(server, json!({})).await;
    signs(&setup.provider(setup.role.auth())).await;
    let root = VaultAuth::token(&*setup.server.token);
    for (auth, kinds) in [
        (root, &[Kind::Configuration][..]),
        // Who may not know what exists is denied.
        (setup.role.auth(), &[Kind::Configuration, Kind::AccessDenied]),
    ] {
        let options = setup.server.options(auth).with_namespace("adcp-no-such-namespace");
        let client = VaultClient::new(options).unwrap();
        let opened = setup.key().connect_with_client(client).await;
        let error = match opened {
            Ok(provider) => provider.public_key().await.unwrap_err(),
            Err(error) => error,
        };
        assert!(kinds.contains(&error.kind()), "{error}");
        assert!(error.to_string().contains("namespace"), "{error}");
    }
}

/// Runs the test after it in a process of its own, whose environment says where the server is.
#[test]
fn a_key_uri_finds_server_and_login_in_the_environment_by_openbao() {
    let Some(server) = openbao() else { return };
    let status = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "opens_a_key_uri_by_its_environment", "--ignored"])
        .env_clear()
        .envs([("BAO_ADDR", &server.addr), ("BAO_TOKEN", &server.token)])
        .envs([
            ("ADCP_TEST_OPENBAO_ADDR", &server.addr),
            ("ADCP_TEST_OPENBAO_TOKEN", &server.token),
        ])
        .status();
    assert!(status.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by the test above, in an environment of its own"]
async fn opens_a_key_uri_by_its_environment() {
    // `--include-ignored` runs it without that environment.
    if std::env::var_os("BAO_ADDR").is_none() {
        return;
    }
    let Some(server) = openbao() else { return };
    let transit = server.transit().await;
    let name = transit.new_key("ecdsa-p256").await;
    let uri = format!("openbao://{name}?mount={}&version=1&purpose=webhook-signing", transit.mount);
    let provider = uri.parse::<VaultTransitUri>().unwrap().connect().await.unwrap();
    assert_eq!(provider.algorithm(), Algorithm::EcdsaP256Sha256);
    assert_eq!(*provider.purpose(), KeyPurpose::WebhookSigning);
    signs(&provider).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_not_followed_and_the_token_stays_here() {
    let Some(server) = openbao() else { return };
    let setup = Setup::new(server, json!({})).await;
    let target = FaultProxy::start(setup.server.socket().await, Traffic::Http).await.unwrap();
    let (provider, proxy) = setup.counted().await;
    signs(&provider).await;
    let location = format!("http://{}/v1/", target.address());
    proxy.set(Action::Reply(CannedReply::new(307).header("location", location)));
    assert_eq!(refused(&provider).await, Kind::Unavailable);
    assert_eq!(target.requests(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_that_goes_on_is_refused_and_not_kept() {
    let Some(server) = openbao() else { return };
    let setup = Setup::new(server, json!({})).await;
    let (provider, proxy) = setup.counted().await;
    signs(&provider).await;
    let body = vec![b'['; 2 * 1024 * 1024];
    proxy.set(Action::Reply(CannedReply::new(200).body(body)));
    let error = provider.sign(BASE).await.unwrap_err();
    assert_eq!(error.kind(), Kind::InvalidResponse);
    assert!(error.to_string().contains("longer than 1 MiB"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_cannot_be_sent_is_refused_without_a_panic_or_a_call() {
    let Some(server) = openbao() else { return };
    let setup = Setup::new(server, json!({})).await;
    let proxy = FaultProxy::start(setup.server.socket().await, Traffic::Http).await.unwrap();
    for token in ["hvs.one\nhvs.two", "hvs.\u{0}", "hvs.\r\nX-Vault-Namespace: other"] {
        let address = format!("http://{}", proxy.address());
        let options = VaultClientOptions::new(address, VaultAuth::token(token));
        let client = VaultClient::new(options).unwrap();
        let error = VaultTransitProvider::new(client, setup.key()).unwrap().sign(BASE).await;
        let error = error.unwrap_err();
        assert_eq!(error.kind(), Kind::Configuration);
        assert!(!format!("{error:?}").contains("hvs."), "{error:?}");
    }
    assert_eq!(proxy.requests(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ready_client_of_vaultrs_gives_its_address_and_its_token() {
    use adcp_signing_vault_transit::vaultrs::client::{
        VaultClient as Ready, VaultClientSettingsBuilder,
    };

    let Some(server) = openbao() else { return };
    let setup = Setup::new(server, json!({})).await;
    let proxy = FaultProxy::start(setup.server.socket().await, Traffic::Http).await.unwrap();
    let mut settings = VaultClientSettingsBuilder::default();
    settings.address(format!("http://{}", proxy.address())).token(&setup.server.token);
    settings.ca_certs(Vec::new()).identity(None).verify(true);
    let ready = Ready::new(settings.build().unwrap()).unwrap();
    let client = VaultClient::from_vaultrs(&ready).unwrap();
    let provider = setup.key().connect_with_client(client).await.unwrap();
    signs(&provider).await;
    assert!(proxy.requests() > 0);
}

async fn inspection(server: Server) {
    let setup = Setup::new(server, json!({})).await;
    let signer = setup.provider(setup.role.auth()).inspect().await;
    let codes = |seen: &Inspection| seen.observations().map(|(_, seen)| seen.code());
    assert_eq!(codes(&signer), ["ok"; 3], "{signer:?}");

    // An administrator may do everything, and says what.
    let admin = VaultAuth::token(&*setup.server.token);
    let seen = setup.provider(admin).inspect().await;
    assert_eq!(codes(&seen), ["ok", "ok", "permissions_wide"], "{seen:?}");

    // A policy that is a little too wide, and a key that can leave.
    let key = json!({"type": "ed25519", "exportable": true, "auto_rotate_period": "720h"});
    setup.server.call("POST", &setup.transit.path("keys", "loose"), key).await;
    let wide = format!(
        "path \"{0}/keys/*\" {{ capabilities = [\"read\", \"update\"] }}\n\
         path \"{0}/sign/loose\" {{ capabilities = [\"update\"] }}\n",
        setup.transit.mount
    );
    let policy = setup.transit.mount.replace("mount", "wide");
    let path = format!("sys/policies/acl/{policy}");
    setup.server.call("POST", &path, json!({ "policy": wide })).await;
    let token = setup.server.new_token(json!({ "policies": [policy] })).await;
    let loose = setup.transit.key("loose", Algorithm::Ed25519);
    let provider = |token: &str| {
        let client = setup.server.client(VaultAuth::token(token));
        VaultTransitProvider::new(client, loose.clone()).unwrap()
    };
    let seen = provider(&token).inspect().await;
    assert_eq!(codes(&seen), ["key_exportable", "key_rotates", "permissions_wide"], "{seen:?}");
    let said = seen.permissions.message();
    assert!(said.contains("update on the key; read, update on its config"), "{said}");
    assert!(!said.contains("loose") && !said.contains(&setup.transit.mount), "{said}");

    // What the token may not see is no error.
    let deny = "path \"sys/capabilities-self\" { capabilities = [\"deny\"] }";
    setup.server.call("POST", &path, json!({ "policy": deny })).await;
    let token = setup.server.new_token(json!({ "policies": [policy] })).await;
    let seen = provider(&token).inspect().await;
    assert_eq!(codes(&seen), ["not_permitted"; 3], "{seen:?}");
    assert!(seen.permissions.message().contains("sys/capabilities-self"), "{seen:?}");
}

async fn creation(server: Server) {
    let setup = Setup::new(server, json!({})).await;
    let admin = || setup.server.options(VaultAuth::token(&*setup.server.token));
    let purpose = KeyPurpose::RequestSigning;
    let key = |name: &str| {
        VaultTransitConfig::new(name, purpose.clone()).with_mount(&setup.transit.mount)
    };
    for (name, asked, algorithm) in [
        ("a", None, Algorithm::Ed25519),
        ("b", Some(Algorithm::EcdsaP256Sha256), Algorithm::EcdsaP256Sha256),
    ] {
        let config = key(name).with_server(admin());
        let made = config.create_key(asked).await.unwrap();
        assert_eq!((made.name, made.public_key.algorithm()), (1, algorithm));
        let provider = config.with_version(made.name).connect().await.unwrap();
        assert_eq!(provider.public_key().await.unwrap(), made.public_key);
        assert_eq!(provider.inspect().await.export.code(), "ok");
        signs(&provider).await;
    }
    let refused = |config: VaultTransitConfig, algorithm| async move {
        config.create_key(algorithm).await.unwrap_err()
    };
    let again = refused(key("a").with_server(admin()), None).await;
    assert_eq!(again.kind(), Kind::Configuration);
    assert!(again.to_string().contains("already"), "{again}");
    let second = refused(key("c").with_version(2).with_server(admin()), None).await;
    assert!(second.to_string().contains("version of a new key is 1"), "{second}");
    let rsa = refused(key("c").with_server(admin()), Some(Algorithm::RsaPssSha512)).await;
    assert!(rsa.to_string().contains("ed25519 and ecdsa-p256-sha256"), "{rsa}");
    // A signer's policy makes no keys, and reads no other.
    let signer = || setup.server.options(setup.role.auth());
    let denied = refused(key("c").with_server(signer()), None).await;
    assert_eq!(denied.kind(), Kind::AccessDenied);
    let reader = format!("path \"{}/keys/c\" {{ capabilities = [\"read\"] }}", setup.transit.mount);
    let policy = setup.transit.mount.replace("mount", "reader");
    let path = format!("sys/policies/acl/{policy}");
    setup.server.call("POST", &path, json!({ "policy": reader })).await;
    let token = setup.server.new_token(json!({ "policies": [policy] })).await;
    let reader = setup.server.options(VaultAuth::token(token));
    let denied = refused(key("c").with_server(reader), None).await;
    assert!(denied.to_string().contains("`create` and `update`"), "{denied}");
    let path = setup.transit.path("keys", "c");
    assert_eq!(setup.server.try_call("GET", &path, &Value::Null).await.0, 404, "nothing was made");
}
