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
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use adcp_signing_core::{ProviderErrorKind as Kind, SigningProvider as _};
use adcp_signing_testkit::{OwnProcess, free_address, survives_a_kill};
use adcp_signing_vault_transit::{
    VaultAuth, VaultClient, VaultClientOptions, VaultTransitProvider,
};
use serde_json::Value;
use support::own_node::{OwnNode, POLL, READY_WITHIN, SigningKey, openbao_program};

const BASE: &[u8] = b"signature base";

/// The programs there are: OpenBao's always, HashiCorp's where it was asked for.
fn programs() -> Vec<PathBuf> {
    let vault =
        std::env::var_os("ADCP_TEST_VAULT_BIN").filter(|path| !path.is_empty()).map(PathBuf::from);
    openbao_program().into_iter().chain(vault).collect()
}

/// A key of the server, and a provider that logs in by AppRole.
async fn provider(own: &OwnNode) -> VaultTransitProvider {
    let SigningKey { config, auth, .. } = own.signing_key().await;
    VaultTransitProvider::new(own.server.client(auth), config).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_server_is_unavailable_until_it_is_unsealed() {
    for program in programs() {
        let own = OwnNode::start(&program).await;
        let (used, unused) = (provider(&own).await, provider(&own).await);
        let key = used.public_key().await.unwrap();
        own.server.call("PUT", "sys/seal", Value::Null).await;
        for provider in [&used, &unused] {
            let error = provider.sign(BASE).await.unwrap_err();
            assert_eq!(error.kind(), Kind::Unavailable);
            assert!(error.to_string().contains("sealed"), "{error}");
        }
        own.unseal().await;
        key.verify(BASE, &used.sign(BASE).await.unwrap().signature).unwrap();
        unused.sign(BASE).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_under_load_costs_patient_callers_no_request() {
    for program in programs() {
        let mut own = OwnNode::start(&program).await;
        let provider = provider(&own).await;
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
            tokio::time::sleep(POLL).await;
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
        tokio::time::sleep(POLL).await;
    }
}
