//! The servers that `ADCP_TEST_LOCALSTACK_BIN` and `ADCP_TEST_MINISTACK_BIN` name, killed by the
//! test while callers sign.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::{io, net::SocketAddr, sync::Arc};

use adcp_signing_aws_kms::{AwsKmsProvider, KeyIdentifier};
use adcp_signing_core::{Algorithm, KeyPurpose};
use adcp_signing_testkit::{
    DurableServer, FaultProxy, OwnProcess, OwnServer, Ready, Traffic, free_address, named_program,
    survives_a_kill,
};
use async_trait::async_trait;
use aws_sdk_kms::types::{KeySpec, KeyUsageType, Tag};

use self::support::{
    emulator::{Emulator, key_spec},
    server,
};

/// The key that LocalStack is given again after each start, in PKCS #8.
const KEY: &str = include_str!("support/p256.pkcs8.pem");
/// LocalStack, where Python is older than 3.12 and its `uuid5` takes no bytes: without this a key
/// cannot be given.
const LOCALSTACK: &str = "
import uuid
from localstack.runtime.main import main
uuid5 = uuid.uuid5
uuid.uuid5 = lambda namespace, name: uuid5(namespace, name if isinstance(name, str) else name.hex())
main()
";
const KEY_ID: &str = "6e6f7420-6120-4365-8372-65742c206e6f";

#[tokio::test(flavor = "multi_thread")]
async fn ministack_killed_under_load_costs_patient_callers_no_request() {
    let Some(program) = named_program("ADCP_TEST_MINISTACK_BIN") else { return };
    let address = free_address().unwrap();
    let mut process = OwnProcess::new(&program).unwrap();
    let state = process.folder().join("state");
    process.command().env("STATE_DIR", state).env("GATEWAY_PORT", address.port().to_string()).envs(
        [
            ("BIND_HOST", "127.0.0.1"),
            ("SERVICES", "kms"),
            ("IOT_MTLS_ENABLED", "0"),
            ("LOG_LEVEL", "WARNING"),
            ("PERSIST_STATE", "1"),
        ],
    );
    let mut own =
        DurableServer::start(process, address, Ready::Path("/_ministack/health")).await.unwrap();
    let key = Emulator::at("ministack", address).new_key(key_spec(Algorithm::Ed25519)).await;
    // It writes its keys down when it is asked to end, and not again after that.
    own.stop().unwrap();
    own.restart().await.unwrap();
    survives(&mut own, address, key, Algorithm::Ed25519).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn localstack_killed_under_load_costs_patient_callers_no_request() {
    let Some(python) = named_program("ADCP_TEST_LOCALSTACK_BIN") else { return };
    let address = free_address().unwrap();
    let mut process = OwnProcess::new(&python).unwrap();
    let root = process.folder().join("root");
    process.command().args(["-c", LOCALSTACK]).env("FILESYSTEM_ROOT", root);
    process.command().env("GATEWAY_LISTEN", address.to_string()).envs([
        ("SERVICES", "kms"),
        ("STRICT_SERVICE_LOADING", "1"),
        ("EAGER_SERVICE_LOADING", "1"),
        ("GATEWAY_SERVER", "hypercorn"),
        ("DISABLE_EVENTS", "1"),
        ("SKIP_SSL_CERT_DOWNLOAD", "1"),
        ("DNS_ADDRESS", "0"),
        ("USE_SSL", "0"),
    ]);
    let server =
        DurableServer::start(process, address, Ready::Path("/_localstack/health")).await.unwrap();
    let gate = FaultProxy::start(address, Traffic::Http).await.unwrap();
    let mut own = LocalStack { server, gate };
    let key = own.give_key().await;
    let address = own.gate.address();
    survives(&mut own, address, key, Algorithm::EcdsaP256Sha256).await;
}

async fn survives(
    own: &mut dyn OwnServer,
    address: SocketAddr,
    key: KeyIdentifier,
    algorithm: Algorithm,
) {
    let client = server::client(&format!("http://{address}"));
    let provider =
        AwsKmsProvider::new(&client, key, "own-1", algorithm, KeyPurpose::RequestSigning).unwrap();
    println!("{:?}", survives_a_kill(Arc::new(provider), own).await.unwrap());
}

/// LocalStack, which forgets its keys, behind a gate that opens once its key is back.
struct LocalStack {
    server: DurableServer,
    gate: FaultProxy,
}

impl LocalStack {
    async fn give_key(&self) -> KeyIdentifier {
        let tag = |name: &str, value: &str| {
            Tag::builder().tag_key(name).tag_value(value).build().unwrap()
        };
        let material: String = KEY.lines().filter(|line| !line.starts_with("-----")).collect();
        let made = Emulator::at("LocalStack", self.server.address())
            .admin()
            .await
            .create_key()
            .key_spec(KeySpec::EccNistP256)
            .key_usage(KeyUsageType::SignVerify)
            .tags(tag("_custom_id_", KEY_ID))
            .tags(tag("_custom_key_material_", &material))
            .send()
            .await
            .unwrap();
        made.key_metadata().unwrap().arn().unwrap().parse().unwrap()
    }
}

#[async_trait]
impl OwnServer for LocalStack {
    async fn kill(&mut self) -> io::Result<()> {
        self.server.kill().await?;
        self.gate.refuse().await
    }

    async fn restart(&mut self) -> io::Result<()> {
        self.server.restart().await?;
        self.give_key().await;
        self.gate.heal().await
    }
}
