//! A server that the test itself kills, seals and puts behind TLS: the `bao` or `vault` program
//! that `ADCP_TEST_OPENBAO_BIN` or `ADCP_TEST_VAULT_BIN` names.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

mod support;

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use adcp_signing_core::{Algorithm, ProviderErrorKind as Kind, SigningProvider as _};
use adcp_signing_testkit::{
    OwnProcess, OwnServer, Ready, free_address, named_program, survives_a_kill,
};
use adcp_signing_vault_transit::{
    VaultAuth, VaultClient, VaultClientOptions, VaultTransitProvider,
};
use async_trait::async_trait;
use serde_json::{Value, json};
use support::{Server, Transit};

const BASE: &[u8] = b"signature base";
const READY_WITHIN: Duration = Duration::from_secs(30);

/// A server with its data in a folder, so that it can be killed and started again.
struct Durable {
    process: OwnProcess,
    address: SocketAddr,
    server: Server,
    unseal_key: String,
}

/// The programs there are: OpenBao's always, HashiCorp's where it was asked for.
fn programs() -> Vec<PathBuf> {
    let vault =
        std::env::var_os("ADCP_TEST_VAULT_BIN").filter(|path| !path.is_empty()).map(PathBuf::from);
    named_program("ADCP_TEST_OPENBAO_BIN").into_iter().chain(vault).collect()
}

#[async_trait]
impl OwnServer for Durable {
    async fn kill(&mut self) -> io::Result<()> {
        self.process.kill()
    }

    async fn restart(&mut self) -> io::Result<()> {
        self.run().await?;
        self.unseal().await;
        Ok(())
    }
}

impl Durable {
    async fn start(program: &Path) -> Self {
        let [address, cluster] = [free_address().unwrap(), free_address().unwrap()];
        let config = format!(
            "storage \"raft\" {{\n  path = \"data\"\n  node_id = \"one\"\n}}\n\
             listener \"tcp\" {{\n  address = \"{address}\"\n  cluster_address = \"{cluster}\"\n  \
             tls_disable = true\n}}\n\
             api_addr = \"http://{address}\"\ncluster_addr = \"http://{cluster}\"\ndisable_mlock = true\n"
        );
        let mut process = OwnProcess::new(program).unwrap();
        process.command().args(["server", "-config=server.hcl"]);
        fs::create_dir(process.folder().join("data")).unwrap();
        fs::write(process.folder().join("server.hcl"), config).unwrap();
        let server = Server {
            name: "a server of the test's own",
            addr: format!("http://{address}"),
            token: String::new(),
        };
        let mut own = Self { process, address, server, unseal_key: String::new() };
        own.run().await.unwrap();
        let shares = json!({ "secret_shares": 1, "secret_threshold": 1 });
        let reply = own.answer("PUT", "sys/init", &shares).await;
        own.server.token = reply["root_token"].as_str().unwrap().to_owned();
        own.unseal_key = reply["keys"][0].as_str().unwrap().to_owned();
        own.unseal().await;
        own
    }

    async fn run(&mut self) -> io::Result<()> {
        let address = self.address;
        self.process.start()?;
        self.process.until_ready(|| Ready::Port.is(address)).await
    }

    /// The reply to a call, asked again until the server is there.
    async fn answer(&self, method: &str, path: &str, body: &Value) -> Value {
        let client = reqwest::Client::builder().tls_certs_only([]).no_proxy().build().unwrap();
        let start = Instant::now();
        loop {
            let request =
                client.request(method.parse().unwrap(), format!("{}/v1/{path}", self.server.addr));
            if let Ok(response) = request.body(body.to_string()).send().await
                && response.status().is_success()
            {
                return serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
            }
            assert!(start.elapsed() < READY_WITHIN, "the server does not answer {path}");
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
    async fn provider(&self) -> (Transit, VaultTransitProvider) {
        let transit = self.server.transit().await;
        let key = transit.new_key("ed25519").await;
        let policy = self.server.signing_policy(&transit.mount, &key).await;
        let role = self.server.app_role(json!({ "token_policies": [policy, "default"] })).await;
        let client = self.server.client(role.auth());
        let provider =
            VaultTransitProvider::new(client, transit.key(&key, Algorithm::Ed25519)).unwrap();
        (transit, provider)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_server_is_unavailable_until_it_is_unsealed() {
    for program in programs() {
        let own = Durable::start(&program).await;
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
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_under_load_costs_patient_callers_no_request() {
    for program in programs() {
        let mut own = Durable::start(&program).await;
        let (_, provider) = own.provider().await;
        println!("{:?}", survives_a_kill(Arc::new(provider), &mut own).await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_behind_tls_is_trusted_by_its_ca_and_not_without() {
    for program in programs() {
        let mut process = OwnProcess::new(&program).unwrap();
        let certificates = process.folder().join("tls");
        fs::create_dir(&certificates).unwrap();
        let address = free_address().unwrap();
        process.command().args([
            "server",
            "-dev",
            "-dev-tls",
            "-dev-root-token-id=root",
            "-dev-no-store-token",
        ]);
        process.command().arg(format!("-dev-tls-cert-dir={}", certificates.display()));
        process.command().arg(format!("-dev-listen-address={address}"));
        process.start().unwrap();
        let ca = certificate_file(&certificates).await;
        let options =
            || VaultClientOptions::new(format!("https://{address}"), VaultAuth::token("root"));
        let open = async |options: VaultClientOptions| {
            let purpose = adcp_signing_core::KeyPurpose::RequestSigning;
            let key = adcp_signing_vault_transit::VaultTransitConfig::new("k", purpose);
            key.connect_with_client(VaultClient::new(options).unwrap()).await.unwrap_err().kind()
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
    }
}

/// The CA that the server made, once it has.
async fn certificate_file(dir: &Path) -> PathBuf {
    let start = Instant::now();
    loop {
        let files = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
        let complete = |path: &PathBuf| {
            path.to_string_lossy().ends_with("ca.pem")
                && fs::read_to_string(path)
                    .is_ok_and(|pem| pem.contains("-----END CERTIFICATE-----"))
        };
        if let Some(path) = files.into_iter().find(complete) {
            return path;
        }
        assert!(start.elapsed() < READY_WITHIN, "the server made no CA");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
