//! An OpenBao server of the demo's own: two keys in its Transit engine, and a login for each agent.

use std::{io, path::Path};

use adcp_signing::{
    Algorithm, KeyPurpose, Nonces as _, RandomNonces,
    provider::{layers::Stack, toolkit::KeyOptions},
    vault_transit::{VaultAuth, VaultClientOptions, VaultTransitConfig},
};
use adcp_signing_testkit::{DurableServer, OwnProcess, Ready, free_address};
use anyhow::{Context as _, Result, ensure};
use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::key::{LastSignature, Watched};

/// A server with its keys in memory. Dropping it ends it, and its keys with it.
pub(crate) struct OpenBao {
    server: DurableServer,
    http: Client,
    url: String,
    root_token: String,
}

/// The name of a key, and a token whose policy allows to read its public half and to sign with it.
pub(crate) struct Login {
    key: &'static str,
    version: u32,
    token: String,
}

impl Login {
    /// The version of the key that was made first.
    pub(crate) fn version(&self) -> u32 {
        self.version
    }
}

impl OpenBao {
    /// Starts the program, on a free port of this machine.
    pub(crate) async fn start(program: &Path) -> Result<Self> {
        let address = free_address().context("no port is free on 127.0.0.1")?;
        let root_token = RandomNonces.next()?.as_str().to_owned();
        let server = run(program, address, &root_token);
        let server = server.await.with_context(|| {
            format!("OpenBao does not start; is {} the program `bao`?", program.display())
        })?;
        let http = Client::builder().no_proxy().build()?;
        let bao = Self { server, http, url: format!("http://{address}"), root_token };
        bao.must(Method::POST, "sys/mounts/transit", &json!({ "type": "transit" })).await?;
        Ok(bao)
    }

    /// Its version, as it reports it.
    pub(crate) async fn version(&self) -> Result<String> {
        let health = self.must(Method::GET, "sys/health", &Value::Null).await?;
        let version = health.get("version").and_then(Value::as_str);
        Ok(version.context("OpenBao reports no version")?.to_owned())
    }

    /// Makes a key that never leaves the server, and a login that may use it and nothing else.
    pub(crate) async fn make_key(&self, key: &'static str, algorithm: Algorithm) -> Result<Login> {
        let options = KeyOptions::new(KeyPurpose::RequestSigning).with_algorithm(algorithm);
        let config = VaultTransitConfig::new(key, options)
            .with_server(VaultClientOptions::new(&self.url, VaultAuth::token(&*self.root_token)));
        let made = config.create_key(None).await?;
        let policy = format!(
            "path \"transit/keys/{key}\" {{ capabilities = [\"read\"] }}\n\
             path \"transit/sign/{key}\" {{ capabilities = [\"update\"] }}\n"
        );
        let path = format!("sys/policies/acl/{key}");
        self.must(Method::POST, &path, &json!({ "policy": policy })).await?;
        let wanted = json!({ "policies": [key], "ttl": "1h" });
        let login = self.must(Method::POST, "auth/token/create", &wanted).await?;
        let token = login.pointer("/auth/client_token").and_then(Value::as_str);
        let token = token.context("OpenBao gave no token")?.to_owned();
        Ok(Login { key, version: made.name, token })
    }

    /// One version of a key, with the layers around it that production needs.
    pub(crate) async fn key(
        &self,
        login: &Login,
        version: u32,
        used: &LastSignature,
    ) -> Result<Watched> {
        let kid = format!("{}-{version}", login.key);
        let options = KeyOptions::new(KeyPurpose::RequestSigning).with_key_id(kid);
        let auth = VaultAuth::token(&*login.token);
        let provider = VaultTransitConfig::new(login.key, options)
            .with_version(version)
            .with_server(VaultClientOptions::new(&self.url, auth))
            .connect()
            .await?;
        Ok(Watched::new(Stack::default().around(provider), used))
    }

    /// Makes the next version of a key.
    pub(crate) async fn rotate(&self, login: &Login) -> Result<()> {
        let path = format!("transit/keys/{}/rotate", login.key);
        self.must(Method::POST, &path, &Value::Null).await.map(drop)
    }

    /// Lets nothing be signed by a version before this one.
    pub(crate) async fn retire_before(&self, login: &Login, version: u32) -> Result<()> {
        let path = format!("transit/keys/{}/config", login.key);
        let config = json!({ "min_encryption_version": version });
        self.must(Method::POST, &path, &config).await.map(drop)
    }

    /// The status of asking for a private key with the root token.
    pub(crate) async fn export(&self, login: &Login) -> Result<u16> {
        let path = format!("transit/export/signing-key/{}", login.key);
        Ok(self.call(Method::GET, &path, &Value::Null, &self.root_token).await?.0)
    }

    /// The status of signing with another's key.
    pub(crate) async fn sign_as(&self, login: &Login, other: &Login) -> Result<u16> {
        let path = format!("transit/sign/{}", other.key);
        let input = json!({ "input": "" });
        Ok(self.call(Method::POST, &path, &input, &login.token).await?.0)
    }

    /// Ends the server.
    pub(crate) fn stop(mut self) -> io::Result<()> {
        self.server.stop()
    }

    async fn must(&self, method: Method, path: &str, body: &Value) -> Result<Value> {
        let (status, answer) = self.call(method, path, body, &self.root_token).await?;
        ensure!((200..300).contains(&status), "OpenBao answered {status} to {path}: {answer}");
        Ok(answer)
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: &Value,
        token: &str,
    ) -> Result<(u16, Value)> {
        let request = self.http.request(method, format!("{}/v1/{path}", self.url));
        let request = request.header("X-Vault-Token", token);
        let request = if body.is_null() { request } else { request.body(body.to_string()) };
        let response = request.send().await?;
        let status = response.status().as_u16();
        let text = response.text().await?;
        Ok((status, serde_json::from_str(&text).unwrap_or_default()))
    }
}

async fn run(
    program: &Path,
    address: std::net::SocketAddr,
    root_token: &str,
) -> io::Result<DurableServer> {
    let mut process = OwnProcess::new(program)?;
    let listen = format!("-dev-listen-address={address}");
    process.command().args(["server", "-dev", "-dev-no-store-token", &listen]);
    // Not an argument: every user of the machine can read those.
    process.command().env("BAO_DEV_ROOT_TOKEN_ID", root_token);
    DurableServer::start(process, address, Ready::Path("/v1/sys/health")).await
}
