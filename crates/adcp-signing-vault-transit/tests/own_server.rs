//! A server that the test itself stops, seals and puts behind TLS: the `bao` or `vault` program that
//! `ADCP_TEST_OPENBAO_BIN` names.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use adcp_signing_core::{
    Algorithm, ProviderErrorKind as Kind, SigningProvider as _,
    provider::{RetryPolicy, SigningProviderExt as _},
};
use adcp_signing_vault_transit::{VaultAuth, VaultClient, VaultClientOptions, VaultTransit};
use serde_json::{Value, json};
use support::{Server, Transit};

const BASE: &[u8] = b"signature base";
const READY_WITHIN: Duration = Duration::from_secs(30);

/// A server with its data in a folder, so that it can be killed and started again.
struct OwnServer {
    program: PathBuf,
    dir: tempfile::TempDir,
    child: Option<Child>,
    server: Server,
    unseal_key: String,
}

fn program() -> Option<PathBuf> {
    let program = std::env::var_os("ADCP_TEST_OPENBAO_BIN").filter(|path| !path.is_empty());
    if program.is_none() {
        support::skipped("ADCP_TEST_OPENBAO_BIN does not name the server's program");
    }
    program.map(PathBuf::from)
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

fn spawn(program: &Path, args: &[&str], dir: &Path) -> Child {
    let log = fs::File::create(dir.join("server.log")).unwrap();
    let mut command = Command::new(program);
    command.arg("server").args(args).current_dir(dir).env("HOME", dir);
    command.stdin(Stdio::null()).stderr(log.try_clone().unwrap()).stdout(log).spawn().unwrap()
}

impl OwnServer {
    async fn start() -> Option<Self> {
        let program = program()?;
        let dir = tempfile::tempdir().unwrap();
        let [port, cluster_port] = [free_port(), free_port()];
        let config = format!(
            "storage \"raft\" {{\n  path = \"data\"\n  node_id = \"one\"\n}}\n\
             listener \"tcp\" {{\n  address = \"127.0.0.1:{port}\"\n  \
             cluster_address = \"127.0.0.1:{cluster_port}\"\n  tls_disable = true\n}}\n\
             api_addr = \"http://127.0.0.1:{port}\"\n\
             cluster_addr = \"http://127.0.0.1:{cluster_port}\"\n\
             disable_mlock = true\n"
        );
        fs::create_dir(dir.path().join("data")).unwrap();
        fs::write(dir.path().join("server.hcl"), config).unwrap();
        let server = Server {
            name: "a server of the test's own",
            addr: format!("http://127.0.0.1:{port}"),
            token: String::new(),
        };
        let mut own = Self { program, dir, child: None, server, unseal_key: String::new() };
        own.run();
        let shares = json!({ "secret_shares": 1, "secret_threshold": 1 });
        let reply = own.answer("PUT", "sys/init", &shares).await;
        own.server.token = reply["root_token"].as_str().unwrap().to_owned();
        own.unseal_key = reply["keys"][0].as_str().unwrap().to_owned();
        own.unseal().await;
        Some(own)
    }

    fn run(&mut self) {
        self.child = Some(spawn(&self.program, &["-config=server.hcl"], self.dir.path()));
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// The reply to a call, asked again until the server is there.
    async fn answer(&self, method: &str, path: &str, body: &Value) -> Value {
        let client = reqwest::Client::builder().tls_certs_only([]).no_proxy().build().unwrap();
        let start = Instant::now();
        loop {
            let request = client.request(method.parse().unwrap(), format!("{}/v1/{path}", self.server.addr));
            if let Ok(response) = request.body(body.to_string()).send().await
                && response.status().is_success()
            {
                return serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
            }
            let log = || fs::read_to_string(self.dir.path().join("server.log")).unwrap_or_default();
            assert!(start.elapsed() < READY_WITHIN, "the server does not answer {path}: {}", log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Unseals, and waits until it leads.
    async fn unseal(&self) {
        let reply = self.answer("PUT", "sys/unseal", &json!({ "key": self.unseal_key })).await;
        assert_eq!(reply["sealed"], json!(false));
        self.answer("GET", "sys/health", &Value::Null).await;
    }

    /// A key, and a provider that logs in by AppRole.
    async fn provider(&self) -> (Transit, VaultTransit) {
        let transit = self.server.transit().await;
        let key = transit.new_key("ed25519").await;
        let policy = self.server.signing_policy(&transit.mount, &key).await;
        let role = self.server.app_role(json!({ "token_policies": [policy, "default"] })).await;
        let client = self.server.client(role.auth());
        let provider = VaultTransit::new(client, transit.key(&key, Algorithm::Ed25519)).unwrap();
        (transit, provider)
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        self.kill();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_server_is_unavailable_until_it_is_unsealed() {
    let Some(own) = OwnServer::start().await else { return };
    let (_, provider) = own.provider().await;
    let (_, unused) = own.provider().await;
    let key = provider.public_key().await.unwrap();
    own.server.call("PUT", "sys/seal", Value::Null).await;
    for provider in [&provider, &unused] {
        let error = provider.sign(BASE).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable);
        assert!(error.to_string().contains("sealed"), "{error}");
    }
    own.unseal().await;
    key.verify(BASE, &provider.sign(BASE).await.unwrap().signature).unwrap();
    unused.sign(BASE).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_that_comes_back_loses_no_signature() {
    let Some(mut own) = OwnServer::start().await else { return };
    let (_, provider) = own.provider().await;
    let key = provider.public_key().await.unwrap();
    provider.sign(BASE).await.unwrap();
    own.kill();
    let error = provider.sign(BASE).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);

    // What is asked while it is away is signed once it is back.
    let policy = RetryPolicy::default()
        .with_max_attempts(std::num::NonZeroUsize::MAX)
        .with_pauses(Duration::from_millis(10), Duration::from_millis(50))
        .with_total_deadline(READY_WITHIN);
    let retrying = provider.retrying(policy);
    let waiting = tokio::spawn(async move { retrying.sign(BASE).await });
    own.run();
    own.unseal().await;
    let signed = waiting.await.unwrap().unwrap();
    key.verify(BASE, &signed.signature).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_behind_tls_is_trusted_by_its_ca_and_not_without() {
    let Some(program) = program() else { return };
    let dir = tempfile::tempdir().unwrap();
    let certificates = dir.path().join("tls");
    fs::create_dir(&certificates).unwrap();
    let listen = format!("-dev-listen-address=127.0.0.1:{}", free_port());
    let certificate_dir = format!("-dev-tls-cert-dir={}", certificates.display());
    let args =
        ["-dev", "-dev-tls", &certificate_dir, &listen, "-dev-root-token-id=root", "-dev-no-store-token"];
    let mut child = spawn(&program, &args, dir.path());
    let address = format!("https://{}", listen.rsplit_once('=').unwrap().1);
    let ca = certificate_file(&certificates).await;
    let options = || VaultClientOptions::new(&address, VaultAuth::token("root"));
    let open = async |options: VaultClientOptions| {
        let key =
            adcp_signing_vault_transit::TransitKey::new("k", adcp_signing_core::KeyPurpose::RequestSigning);
        VaultTransit::open(VaultClient::new(options).unwrap(), key).await.unwrap_err().kind()
    };
    let start = Instant::now();
    loop {
        // No Transit engine is mounted, which only the server itself can say.
        match open(options().with_ca_file(&ca)).await {
            Kind::Configuration => break,
            kind => assert!(start.elapsed() < READY_WITHIN, "{kind}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(open(options()).await, Kind::Unavailable, "the system does not trust this CA");
    child.kill().unwrap();
    child.wait().unwrap();
}

/// The CA that the server made, once it has.
async fn certificate_file(dir: &Path) -> PathBuf {
    let start = Instant::now();
    loop {
        let files = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
        let complete = |path: &PathBuf| {
            path.to_string_lossy().ends_with("ca.pem")
                && fs::read_to_string(path).is_ok_and(|pem| pem.contains("-----END CERTIFICATE-----"))
        };
        if let Some(path) = files.into_iter().find(complete) {
            return path;
        }
        assert!(start.elapsed() < READY_WITHIN, "the server made no CA");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
