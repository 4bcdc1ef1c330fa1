//! The server that `ADCP_TEST_GCP_KMS_BIN` names, killed by the test while callers sign.

use std::sync::Arc;

use adcp_signing_core::KeyPurpose;
use adcp_signing_gcp_kms::GcpKmsConfig;
use adcp_signing_testkit::{
    DurableServer, OwnProcess, Ready, free_address, named_program, survives_a_kill,
};
use google_cloud_kms_v1::model::crypto_key_version::CryptoKeyVersionAlgorithm;

use crate::keys::Server;

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_under_load_costs_patient_callers_no_request() {
    let Some(program) = named_program("ADCP_TEST_GCP_KMS_BIN") else { return };
    let address = free_address().unwrap();
    let mut process = OwnProcess::new(&program).unwrap();
    let port = address.port().to_string();
    process.command().args([
        "--port",
        &port,
        "--keys",
        "keys.json",
        "--token",
        "t",
        "--project",
        "p",
    ]);
    let mut own =
        DurableServer::start(process, address, Ready::Path("/_fake/health")).await.unwrap();
    let server = Server {
        name: "a server of the test's own".to_owned(),
        endpoint: format!("http://{address}"),
        token: "t".to_owned(),
        parent: "projects/p/locations/global".to_owned(),
        lacks: String::new(),
    };
    let key = server.create_key("key", CryptoKeyVersionAlgorithm::EcSignEd25519).await.unwrap();
    let version = format!("{key}/cryptoKeyVersions/1").parse().unwrap();
    let provider = GcpKmsConfig::new(version, KeyPurpose::RequestSigning)
        .with_endpoint(server.endpoint.parse().unwrap())
        .with_access_token(&server.token)
        .unwrap()
        .connect()
        .await
        .unwrap();
    println!("{:?}", survives_a_kill(Arc::new(provider), &mut own).await.unwrap());
}
