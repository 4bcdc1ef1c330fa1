//! Google's own Python client signs with keys of the server under test and verifies; what it signed also verifies here,
//! under the public key that the provider fetches.
//!
//! It is what keeps a server of this project honest. `ADCP_TEST_GCP_KMS_PYTHON` can name a Python that has
//! `tests/python/requirements.txt` installed; without it a virtual environment is made beside the build.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use adcp_signing_core::{Algorithm, KeyPurpose, Signature, SigningProvider as _};
use adcp_signing_gcp_kms::GcpKmsConfig;
use base64ct::{Base64, Encoding as _};
use serde_json::Value;

use crate::keys::Server;

const TESTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python");

#[tokio::test]
async fn google_s_own_client_signs_and_verifies_and_so_do_we() {
    let ready = Server::from_env().and_then(|server| Ok((server, python()?)));
    let (server, python) = match ready {
        Ok(ready) => ready,
        Err(reason) => {
            let in_ci = env::var_os("CI").is_some_and(|value| value == "true");
            assert!(!in_ci, "skipped under CI, where everything must run: {reason}");
            println!("skipped: {reason}");
            return;
        }
    };
    let run = Command::new(python).arg(format!("{TESTS}/google_client.py")).output().unwrap();
    assert!(run.status.success(), "Google's client failed:\n{}", errors(&run));

    let mut verified = Vec::new();
    for line in String::from_utf8(run.stdout).unwrap().lines() {
        let signed: Value = serde_json::from_str(line).unwrap();
        verified.push(verify(&server, &signed).await);
    }
    assert_eq!(verified, Algorithm::ALL);
}

/// Verifies one signature under the key that the provider fetches, and has the provider sign with it too.
async fn verify(server: &Server, signed: &Value) -> Algorithm {
    let bytes = |name: &str| Base64::decode_vec(signed[name].as_str().unwrap()).unwrap();
    let provider =
        GcpKmsConfig::new(signed["name"].as_str().unwrap().parse().unwrap(), KeyPurpose::RequestSigning)
            .with_endpoint(server.endpoint.parse().unwrap())
            .with_access_token(&server.token)
            .unwrap()
            .connect()
            .await
            .unwrap();
    let (algorithm, key) = (provider.algorithm(), provider.public_key().await.unwrap());
    let by_google = match algorithm {
        Algorithm::EcdsaP256Sha256 => Signature::from_ecdsa_der(algorithm, &bytes("signature")),
        _ => Signature::from_raw(algorithm, &bytes("signature")),
    };
    key.verify(&bytes("message"), &by_google.unwrap()).unwrap();
    let by_us = provider.sign(&bytes("message")).await.unwrap();
    key.verify(&bytes("message"), &by_us.signature).unwrap();
    algorithm
}

/// A Python with Google's client, or why there is none.
fn python() -> Result<PathBuf, String> {
    if let Some(python) = env::var_os("ADCP_TEST_GCP_KMS_PYTHON") {
        return Ok(python.into());
    }
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("google-cloud-kms");
    let python = place.join("bin/python");
    let works = || {
        let tried = Command::new(&python).args(["-c", "import google.cloud.kms_v1, cryptography"]).output();
        tried.is_ok_and(|run| run.status.success())
    };
    if !works() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&place))?;
        let requirements = format!("{TESTS}/requirements.txt");
        run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "-r", &requirements]))?;
    }
    Ok(python)
}

fn run(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    match command.output() {
        Ok(run) if run.status.success() => Ok(()),
        Ok(run) => Err(format!("{program} failed: {}", errors(&run))),
        Err(error) => Err(format!("{program} cannot be run: {error}")),
    }
}

fn errors(run: &Output) -> String {
    String::from_utf8_lossy(&run.stderr).into_owned()
}
