//! A server of the test's own, with its data in a folder: alone, or a node of a cluster.

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use adcp_signing_core::Algorithm;
use adcp_signing_testkit::{OwnProcess, OwnServer, Ready, free_address, named_program};
use adcp_signing_vault_transit::{VaultAuth, VaultClientOptions, VaultTransitConfig};
use async_trait::async_trait;
use serde_json::{Value, json};

use super::Server;

pub(crate) const READY_WITHIN: Duration = Duration::from_secs(30);
pub(crate) const POLL: Duration = Duration::from_millis(20);

/// The health check that only the leader passes.
const LEADS: &str = "sys/health";
/// The health check that every unsealed node passes.
const UNSEALED: &str = "sys/health?standbyok=true";

/// OpenBao's program.
pub(crate) fn openbao_program() -> Option<PathBuf> {
    named_program("ADCP_TEST_OPENBAO_BIN")
}

/// A server that can be killed and started again.
pub(crate) struct OwnNode {
    process: OwnProcess,
    address: SocketAddr,
    pub(crate) server: Server,
    unseal_key: String,
    /// The health check that it passes once it is ready.
    ready: &'static str,
}

/// A key, and a login whose policy lets it sign with the key.
pub(crate) struct SigningKey {
    pub(crate) config: VaultTransitConfig,
    pub(crate) auth: VaultAuth,
}

impl SigningKey {
    /// The options to use it through this node.
    pub(crate) fn at(&self, node: &OwnNode) -> VaultClientOptions {
        node.server.options(self.auth.clone())
    }
}

#[async_trait]
impl OwnServer for OwnNode {
    async fn kill(&mut self) -> io::Result<()> {
        self.process.kill()
    }

    async fn restart(&mut self) -> io::Result<()> {
        self.run().await?;
        self.unseal().await;
        Ok(())
    }
}

impl OwnNode {
    /// A server that stands alone, and leads.
    pub(crate) async fn start(program: &Path) -> Self {
        Self::start_with(program, "").await
    }

    /// The same, with more lines in its configuration.
    pub(crate) async fn start_with(program: &Path, config: &str) -> Self {
        let mut own = Self::new(program, "one", config).await;
        let shares = json!({ "secret_shares": 1, "secret_threshold": 1 });
        let reply = own.answer("PUT", "sys/init", &shares).await;
        own.server.token = reply["root_token"].as_str().unwrap().to_owned();
        own.unseal_key = reply["keys"][0].as_str().unwrap().to_owned();
        own.unseal().await;
        own
    }

    /// A server that joins the cluster of `leader`.
    pub(crate) async fn join(program: &Path, name: &str, config: &str, leader: &Self) -> Self {
        let mut own = Self::new(program, name, config).await;
        own.ready = UNSEALED;
        own.server.token.clone_from(&leader.server.token);
        own.unseal_key.clone_from(&leader.unseal_key);
        let to = json!({ "leader_api_addr": leader.server.addr });
        own.answer("POST", "sys/storage/raft/join", &to).await;
        own.unseal().await;
        own
    }

    /// A server that runs and holds nothing yet. By default an election may take 20 seconds, which
    /// is longer than a test should.
    async fn new(program: &Path, name: &str, more: &str) -> Self {
        let [address, cluster] = [free_address().unwrap(), free_address().unwrap()];
        let config = format!(
            "storage \"raft\" {{\n  path = \"data\"\n  node_id = \"{name}\"\n  \
             performance_multiplier = 2\n  \
             autopilot_reconcile_interval = \"1s\"\n  autopilot_update_interval = \"1s\"\n}}\n\
             listener \"tcp\" {{\n  address = \"{address}\"\n  cluster_address = \"{cluster}\"\n  \
             tls_disable = true\n}}\n\
             api_addr = \"http://{address}\"\ncluster_addr = \"https://{cluster}\"\ndisable_mlock = true\n{more}\n"
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
        let mut own = Self { process, address, server, unseal_key: String::new(), ready: LEADS };
        own.run().await.unwrap();
        own
    }

    async fn run(&mut self) -> io::Result<()> {
        let address = self.address;
        self.process.start()?;
        self.process.until_ready(|| Ready::Port.is(address)).await
    }

    /// The reply to a call, asked again until the server is there.
    async fn answer(&self, method: &str, path: &str, body: &Value) -> Value {
        let start = Instant::now();
        loop {
            let last = match self.server.reach(method, path, body).await {
                Some((200..300, reply)) => return reply,
                last => last,
            };
            assert!(start.elapsed() < READY_WITHIN, "no answer to {path}: {last:?}");
            tokio::time::sleep(POLL).await;
        }
    }

    /// Unseals, and waits until it is ready: alone it leads then.
    pub(crate) async fn unseal(&self) {
        self.answer("PUT", "sys/unseal", &json!({ "key": self.unseal_key })).await;
        self.answer("GET", self.ready, &Value::Null).await;
    }

    /// Makes [`OwnServer::restart`] wait only until it is unsealed, since another node leads then.
    pub(crate) fn in_a_cluster(mut self) -> Self {
        self.ready = UNSEALED;
        self
    }

    pub(crate) async fn signing_key(&self) -> SigningKey {
        let transit = self.server.transit().await;
        let key = transit.new_key("ed25519").await;
        let policy = self.server.signing_policy(&transit.mount, &key).await;
        let role = self.server.app_role(json!({ "token_policies": [policy, "default"] })).await;
        let config = transit.key(&key, Algorithm::Ed25519);
        SigningKey { config, auth: role.auth() }
    }
}
