//! Microsoft's own Python client signs with keys of the server under test and verifies; what it
//! signed also verifies here, under the public key that the provider fetches.
//!
//! It is what keeps a server of this project honest. `ADCP_TEST_AZURE_KEY_VAULT_PYTHON` can name a
//! Python that has `tests/python/requirements.txt` installed; without it a virtual environment is
//! made beside the build.

use std::path::Path;

use adcp_signing_core::{Algorithm, KeyPurpose, Signature, SigningProvider as _};
use adcp_signing_testkit::{PythonClient, skip};
use base64ct::{Base64, Encoding as _};
use serde_json::Value;

use crate::keys::Server;

const VARIABLE: &str = "ADCP_TEST_AZURE_KEY_VAULT_PYTHON";

#[tokio::test]
async fn microsoft_s_own_client_signs_and_verifies_and_so_do_we() -> Result<(), String> {
    let server = match Server::from_env() {
        Ok(server) => server,
        Err(reason) => return skip(&reason),
    };
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python");
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("azure-keyvault-keys");
    let microsoft = match PythonClient::find(VARIABLE, &place, &tests.join("requirements.txt")) {
        Ok(microsoft) => microsoft,
        Err(reason) => return skip(&reason),
    };

    let printed = microsoft.run(&tests.join("microsoft_client.py"));
    let printed = printed.unwrap_or_else(|error| panic!("{error}"));

    let mut verified = Vec::new();
    for line in printed.lines() {
        let signed: Value = serde_json::from_str(line).unwrap();
        verified.push(verify(&server, &signed).await);
    }
    assert_eq!(verified, [Algorithm::EcdsaP256Sha256, Algorithm::RsaPssSha512]);
    Ok(())
}

/// Verifies one signature under the key that the provider fetches, and has the provider sign with
/// it too.
async fn verify(server: &Server, signed: &Value) -> Algorithm {
    let bytes = |name: &str| Base64::decode_vec(signed[name].as_str().unwrap()).unwrap();
    let key = signed["kid"].as_str().unwrap().parse().unwrap();
    let config = server.config(key, KeyPurpose::RequestSigning, &server.token).unwrap();
    let provider = config.connect().await.unwrap();
    let (algorithm, key) = (provider.algorithm(), provider.public_key().await.unwrap());
    let by_microsoft = Signature::from_raw(algorithm, &bytes("signature")).unwrap();
    key.verify(&bytes("message"), &by_microsoft).unwrap();
    let by_us = provider.sign(&bytes("message")).await.unwrap();
    key.verify(&bytes("message"), &by_us.signature).unwrap();
    algorithm
}
