//! The servers that the environment names, and what the tests do to them as an administrator.
#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

pub(crate) mod own_node;

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use adcp_signing_core::{Algorithm, KeyPurpose, provider::toolkit::KeyOptions};
use adcp_signing_vault_transit::{VaultAuth, VaultClient, VaultClientOptions, VaultTransitConfig};
use serde_json::{Value, json};

const REPLY_WITHIN: Duration = Duration::from_secs(30);

/// A server, and the token of its administrator.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) name: &'static str,
    pub(crate) addr: String,
    pub(crate) token: String,
}

/// OpenBao, which every run needs: where it is not there the reason is printed, and under `CI=true`
/// the test fails.
pub(crate) fn openbao() -> Option<Server> {
    let server = Server::from_environment("OpenBao", "ADCP_TEST_OPENBAO");
    if server.is_none() {
        skipped("ADCP_TEST_OPENBAO_ADDR and ADCP_TEST_OPENBAO_TOKEN are not set");
    }
    server
}

/// HashiCorp Vault, which is started on request only.
pub(crate) fn vault() -> Option<Server> {
    let server = Server::from_environment("HashiCorp Vault", "ADCP_TEST_VAULT");
    if server.is_none() {
        println!(
            "skipped: ADCP_TEST_VAULT_ADDR and ADCP_TEST_VAULT_TOKEN are not set (started on request only)"
        );
    }
    server
}

/// Says why a test did not run, which under `CI=true` is a failure.
pub(crate) fn skipped(reason: &str) {
    println!("skipped: {reason}");
    assert!(
        std::env::var_os("CI").is_none_or(|value| value != "true"),
        "skipped under CI: {reason}"
    );
}

/// A name that no other test has.
pub(crate) fn unique(prefix: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    format!("{prefix}-{nanos:x}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

impl Server {
    fn from_environment(name: &'static str, prefix: &str) -> Option<Self> {
        let variable = |suffix| {
            std::env::var(format!("{prefix}_{suffix}")).ok().filter(|value| !value.is_empty())
        };
        Some(Self { name, addr: variable("ADDR")?, token: variable("TOKEN")? })
    }

    /// Where it listens, for a proxy in front of it.
    pub(crate) async fn socket(&self) -> SocketAddr {
        let authority =
            self.addr.strip_prefix("http://").expect("the tests talk to it without TLS");
        authority.trim_end_matches('/').parse().expect("an address and a port")
    }

    /// The options of a client of this server.
    pub(crate) fn options(&self, auth: VaultAuth) -> VaultClientOptions {
        VaultClientOptions::new(&self.addr, auth)
    }

    pub(crate) fn client(&self, auth: VaultAuth) -> VaultClient {
        VaultClient::new(self.options(auth)).unwrap()
    }

    /// A call as administrator: the status and the JSON of the reply.
    pub(crate) async fn try_call(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        self.reach(method, path, body).await.expect("a reply")
    }

    /// A call as administrator: the status and the JSON of the reply, where there is one.
    pub(crate) async fn reach(
        &self,
        method: &str,
        path: &str,
        body: &Value,
    ) -> Option<(u16, Value)> {
        let client = reqwest::Client::builder().tls_certs_only([]).no_proxy().build().unwrap();
        let request = client
            .request(method.parse().unwrap(), format!("{}/v1/{path}", self.addr))
            .header("X-Vault-Token", &self.token)
            .timeout(REPLY_WITHIN)
            .body(body.to_string());
        let response = request.send().await.ok()?;
        let status = response.status().as_u16();
        let text = response.text().await.ok()?;
        Some((status, serde_json::from_str(&text).unwrap_or(Value::Null)))
    }

    /// A call as administrator that must succeed.
    pub(crate) async fn call(&self, method: &str, path: &str, body: Value) -> Value {
        let (status, reply) = self.try_call(method, path, &body).await;
        assert!((200..300).contains(&status), "{method} {path}: {status} {reply}");
        reply
    }

    /// A Transit engine of the test's own.
    pub(crate) async fn transit(&self) -> Transit {
        let mount = unique("adcp-mount");
        self.call("POST", &format!("sys/mounts/{mount}"), json!({ "type": "transit" })).await;
        Transit { server: self.clone(), mount }
    }

    /// A policy of the test's own: the one of the documentation.
    pub(crate) async fn signing_policy(&self, mount: &str, key: &str) -> String {
        let name = unique("adcp-policy");
        let hcl = format!(
            "path \"{mount}/keys/{key}\" {{ capabilities = [\"read\"] }}\n\
             path \"{mount}/sign/{key}\" {{ capabilities = [\"update\"] }}\n"
        );
        self.call("POST", &format!("sys/policies/acl/{name}"), json!({ "policy": hcl })).await;
        name
    }

    /// A token with these policies.
    pub(crate) async fn new_token(&self, options: Value) -> String {
        let reply = self.call("POST", "auth/token/create", options).await;
        reply["auth"]["client_token"].as_str().unwrap().to_owned()
    }

    /// An AppRole at a mount of its own: the mount, the role id and a secret id.
    pub(crate) async fn app_role(&self, role: Value) -> AppRole {
        let mount = unique("adcp-approle");
        self.call("POST", &format!("sys/auth/{mount}"), json!({ "type": "approle" })).await;
        self.call("POST", &format!("auth/{mount}/role/signer"), role).await;
        let role_id =
            self.call("GET", &format!("auth/{mount}/role/signer/role-id"), Value::Null).await;
        let role_id = role_id["data"]["role_id"].as_str().unwrap().to_owned();
        let secret_id =
            self.call("POST", &format!("auth/{mount}/role/signer/secret-id"), json!({})).await;
        let secret_id = secret_id["data"]["secret_id"].as_str().unwrap().to_owned();
        AppRole { mount, role_id, secret_id }
    }
}

/// A Transit engine.
#[derive(Debug, Clone)]
pub(crate) struct Transit {
    pub(crate) server: Server,
    pub(crate) mount: String,
}

impl Transit {
    /// A new key: its name.
    pub(crate) async fn new_key(&self, key_type: &str) -> String {
        let name = unique("adcp-key");
        self.server.call("POST", &self.path("keys", &name), json!({ "type": key_type })).await;
        name
    }

    pub(crate) async fn rotate(&self, key: &str) {
        self.server.call("POST", &format!("{}/rotate", self.path("keys", key)), json!({})).await;
    }

    pub(crate) async fn configure(&self, key: &str, config: Value) {
        self.server.call("POST", &format!("{}/config", self.path("keys", key)), config).await;
    }

    /// The key as a provider is told of it, with the name `k` for its `keyid`.
    pub(crate) fn key(&self, name: &str, algorithm: Algorithm) -> VaultTransitConfig {
        let options = KeyOptions::new(KeyPurpose::RequestSigning);
        let options = options.with_algorithm(algorithm).with_key_id("k");
        VaultTransitConfig::new(name, options).with_mount(&self.mount)
    }

    pub(crate) fn path(&self, what: &str, key: &str) -> String {
        format!("{}/{what}/{key}", self.mount)
    }
}

/// An AppRole that can log in.
#[derive(Debug, Clone)]
pub(crate) struct AppRole {
    pub(crate) mount: String,
    pub(crate) role_id: String,
    pub(crate) secret_id: String,
}

impl AppRole {
    pub(crate) fn auth(&self) -> VaultAuth {
        VaultAuth::app_role(&self.role_id, &*self.secret_id).with_mount(&self.mount)
    }
}
