//! The commands with a key of each service: published, probed, signed with, and verified by what
//! was published.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::{
    env,
    path::Path,
    process::{Command, Output, Stdio},
    thread::sleep,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use reqwest::{
    Certificate, Method,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use serde_json::{Value, json};

/// A key that was made for a test: its URI without `alg` and `kid`, and the variables that it
/// needs.
struct Key {
    uri: String,
    variables: Vec<(&'static str, String)>,
}

/// The values of variables that lead to a server, or what is missing.
fn server<const N: usize>(names: [&'static str; N]) -> Result<[String; N], String> {
    let mut values = names.map(|_| String::new());
    for (value, name) in values.iter_mut().zip(names) {
        *value = env::var(name).map_err(|_| format!("{name} is not set"))?;
    }
    Ok(values)
}

/// Where a key can be made: its URI, the variables that lead to the service, and what a probe of the
/// made key warns of or does not see.
struct Place {
    key: Key,
    seen: [&'static str; 3],
}

/// A name that no other test has.
fn unique() -> String {
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    format!("adcp-cli-{nanos:x}-{}", std::process::id())
}

/// A call that must succeed.
fn post(url: &str, headers: &[(&str, &str)], body: &Value) -> Value {
    call(Vec::new(), Method::POST, url, headers, Some(body))
}

/// A call, over TLS with these roots where there are any, that must succeed.
fn call(
    roots: Vec<Certificate>,
    method: Method,
    url: &str,
    headers: &[(&str, &str)],
    body: Option<&Value>,
) -> Value {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = reqwest::Client::builder().tls_certs_only(roots).no_proxy().build().unwrap();
        let call = client.request(method, url);
        let call = headers.iter().fold(call, |call, (name, value)| call.header(*name, *value));
        let call = body.into_iter().fold(call, |call, body| call.body(body.to_string()));
        let reply = call.send().await.unwrap();
        let (status, text) = (reply.status(), reply.text().await.unwrap());
        assert!(status.is_success(), "{url}: {status} {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    })
}

fn aws_kms() -> Result<Key, String> {
    let [endpoint] = server(["ADCP_TEST_MINISTACK_ENDPOINT"])?;
    let headers = [
        ("x-amz-target", "TrentService.CreateKey"),
        (CONTENT_TYPE.as_str(), "application/x-amz-json-1.1"),
        (
            AUTHORIZATION.as_str(),
            "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/kms/aws4_request",
        ),
    ];
    let body = json!({"KeySpec": "ECC_NIST_EDWARDS25519", "KeyUsage": "SIGN_VERIFY"});
    let made = post(&endpoint, &headers, &body);
    let arn = made["KeyMetadata"]["Arn"].as_str().unwrap();
    Ok(Key { uri: format!("awskms:///{arn}?endpoint={endpoint}"), variables: Vec::new() })
}

/// A Transit engine: address of the server, token and mount.
fn transit_engine() -> Result<[String; 3], String> {
    let [address, token] = server(["ADCP_TEST_OPENBAO_ADDR", "ADCP_TEST_OPENBAO_TOKEN"])?;
    let (name, headers) = (unique(), [("x-vault-token", token.as_str())]);
    post(&format!("{address}/v1/sys/mounts/{name}"), &headers, &json!({"type": "transit"}));
    Ok([address, token, name])
}

fn vault_transit() -> Result<Key, String> {
    let [address, token, name] = transit_engine()?;
    let headers = [("x-vault-token", token.as_str())];
    post(&format!("{address}/v1/{name}/keys/buyer"), &headers, &json!({"type": "ed25519"}));
    let uri = format!("openbao://buyer?mount={name}&version=1");
    Ok(Key { uri, variables: vec![("BAO_ADDR", address), ("BAO_TOKEN", token)] })
}

/// URL, token and file of CA certificates of a key vault.
fn key_vault() -> Result<[String; 3], String> {
    server([
        "ADCP_TEST_AZURE_KEY_VAULT_URL",
        "ADCP_TEST_AZURE_KEY_VAULT_TOKEN",
        "ADCP_TEST_AZURE_KEY_VAULT_CA",
    ])
}

fn azure_key_vault() -> Result<Key, String> {
    let [url, token, ca] = key_vault()?;
    let (name, bearer) = (unique(), format!("Bearer {token}"));
    let headers =
        [(AUTHORIZATION.as_str(), bearer.as_str()), (CONTENT_TYPE.as_str(), "application/json")];
    let roots = Certificate::from_pem_bundle(&std::fs::read(&ca).unwrap()).unwrap();
    let key = json!({"kty": "EC", "crv": "P-256", "key_ops": ["sign", "verify"]});
    let made = call(
        roots,
        Method::POST,
        &format!("{url}/keys/{name}/create?api-version=7.4"),
        &headers,
        Some(&key),
    );
    let kid = made["key"]["kid"].as_str().unwrap();
    let variables =
        vec![("ADCP_AZURE_KEY_VAULT_ACCESS_TOKEN", token), ("ADCP_AZURE_KEY_VAULT_CA_FILE", ca)];
    // The journey appends members to a query.
    let uri = format!("{}?purpose=request-signing", kid.replace("https://", "azurekeyvault://"));
    Ok(Key { uri, variables })
}

/// A key ring: endpoint of the server, token and the ring's name.
fn key_ring() -> Result<[String; 3], String> {
    let [endpoint, token, parent] = server([
        "ADCP_TEST_GCP_KMS_ENDPOINT",
        "ADCP_TEST_GCP_KMS_TOKEN",
        "ADCP_TEST_GCP_KMS_PARENT",
    ])?;
    let (name, bearer) = (unique(), format!("Bearer {token}"));
    let headers =
        [(AUTHORIZATION.as_str(), bearer.as_str()), (CONTENT_TYPE.as_str(), "application/json")];
    post(&format!("{endpoint}/v1/{parent}/keyRings?keyRingId={name}"), &headers, &json!({}));
    Ok([endpoint, token, format!("{parent}/keyRings/{name}")])
}

fn gcp_kms() -> Result<Key, String> {
    let [endpoint, token, ring] = key_ring()?;
    let bearer = format!("Bearer {token}");
    let headers =
        [(AUTHORIZATION.as_str(), bearer.as_str()), (CONTENT_TYPE.as_str(), "application/json")];
    let template = json!({"algorithm": "EC_SIGN_P256_SHA256"});
    let key = json!({"purpose": "ASYMMETRIC_SIGN", "versionTemplate": template});
    post(&format!("{endpoint}/v1/{ring}/cryptoKeys?cryptoKeyId=buyer"), &headers, &key);
    let version = format!("{ring}/cryptoKeys/buyer/cryptoKeyVersions/1");
    // As the service does, the fake takes a while to generate a key, and its state is all there is
    // to wait for.
    let url = format!("{endpoint}/v1/{version}");
    let mut polls = 0;
    while call(Vec::new(), Method::GET, &url, &headers, None)["state"] != "ENABLED" {
        polls += 1;
        assert!(polls < 600, "the key was not generated in time");
        sleep(Duration::from_millis(50));
    }
    let uri = format!("gcpkms://{version}?endpoint={endpoint}");
    Ok(Key { uri, variables: vec![("ADCP_GCP_KMS_ACCESS_TOKEN", token)] })
}

/// Module, label and PIN of a PKCS#11 token.
fn token() -> Result<[String; 3], String> {
    server(["ADCP_TEST_PKCS11_MODULE", "ADCP_TEST_PKCS11_TOKEN", "ADCP_TEST_PKCS11_PIN"])
}

fn pkcs11() -> Result<Key, String> {
    let [module, token, pin] = token()?;
    let (name, folder) = (unique(), tempfile::tempdir().unwrap());
    let pem = folder.path().join("key.pem");
    std::fs::write(&pem, rcgen::KeyPair::generate().unwrap().serialize_pem()).unwrap();
    let id: String = name.bytes().map(|byte| format!("{byte:02x}")).collect();
    let mut import = Command::new("softhsm2-util");
    import
        .args(["--token", &token, "--pin", &pin, "--label", &name, "--id", &id, "--import"])
        .arg(&pem);
    let imported = import.output().map_err(|error| format!("softhsm2-util: {error}"))?;
    assert!(imported.status.success(), "{imported:?}");
    let uri = format!(
        "pkcs11:token={token};object={name}?module-path={module}&pin-source=env:ADCP_CLI_PIN"
    );
    Ok(Key { uri, variables: vec![("ADCP_CLI_PIN", pin)] })
}

impl Key {
    fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_adcp-signing"));
        command.args(args).envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
            .stdin(Stdio::null());
        command.output().unwrap()
    }
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What an operator does with a key, from the first look to a message that a receiver accepts.
fn journey(key: Result<Key, String>) {
    let key = match key {
        Ok(key) => key,
        Err(reason) => {
            assert!(env::var("CI").as_deref() != Ok("true"), "under CI this must run: {reason}");
            return println!("skipped: {reason}");
        }
    };
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();

    // Without `kid` it is the thumbprint, and the service is asked what the key is for.
    let exported = key.run(&["jwks", "--key", &key.uri]);
    let jwks: Value =
        serde_json::from_str(&text(&exported)).unwrap_or_else(|_| panic!("{exported:?}"));
    let jwk = &jwks["keys"][0];
    let algorithm = if jwk["alg"] == "EdDSA" { "ed25519" } else { "ecdsa-p256-sha256" };
    std::fs::write(path("jwks.json"), text(&exported)).unwrap();
    std::fs::write(path("pin.json"), jwk.to_string()).unwrap();

    let (jwks, pin) = (path("jwks.json"), path("pin.json"));
    let probe =
        ["probe", "--json", "--count", "20", "--concurrency", "4", "--jwks", &jwks, "--pin", &pin];
    let ready = key.run(&[&probe[..], &["--key", &key.uri]].concat());
    let answer: Value = serde_json::from_str(&text(&ready)).unwrap_or_else(|_| panic!("{ready:?}"));
    assert_eq!((ready.status.code(), &answer["signed"]), (Some(0), &json!(20)), "{answer}");

    let named = format!("{}&alg={algorithm}&kid={}", key.uri, jwk["kid"].as_str().unwrap());
    let signed = key.run(&["sign", "--key", &named, "examples/create_media_buy.http"]);
    assert!(signed.status.success(), "{signed:?}");
    std::fs::write(path("signed.http"), &signed.stdout).unwrap();
    let verified = key.run(&["verify", "--json", "--jwks", &jwks, &path("signed.http")]);
    let answer: Value =
        serde_json::from_str(&text(&verified)).unwrap_or_else(|_| panic!("{verified:?}"));
    assert_eq!(answer["keyid"], jwk["kid"], "{answer}");

    let other = format!("{}&alg={algorithm}&kid=not-published", key.uri);
    let early = key.run(&[&probe[..], &["--key", &other]].concat());
    assert_eq!(early.status.code(), Some(3), "{early:?}");
    assert!(text(&early).contains("no key named not-published"), "{early:?}");
}

#[test]
fn a_key_in_aws_kms_goes_from_probe_to_verified_message() {
    journey(aws_kms());
}

#[test]
fn a_key_in_azure_key_vault_goes_from_probe_to_verified_message() {
    journey(azure_key_vault());
}

#[test]
fn a_key_in_google_cloud_kms_goes_from_probe_to_verified_message() {
    journey(gcp_kms());
}

#[test]
fn a_key_in_vault_transit_goes_from_probe_to_verified_message() {
    journey(vault_transit());
}

#[test]
fn a_key_in_a_pkcs11_token_goes_from_probe_to_verified_message() {
    journey(pkcs11());
}

fn aws_kms_place() -> Result<Place, String> {
    let [endpoint] = server(["ADCP_TEST_MINISTACK_ENDPOINT"])?;
    let uri = format!("awskms:///alias/{}?region=us-east-1&endpoint={endpoint}", unique());
    // The default policy of a key leaves it to IAM.
    Ok(Place { key: Key { uri, variables: Vec::new() }, seen: ["ok", "ok", "not_shown"] })
}

fn vault_transit_place() -> Result<Place, String> {
    let [address, token, name] = transit_engine()?;
    let uri = format!("openbao://buyer?mount={name}");
    let variables = vec![("BAO_ADDR", address), ("BAO_TOKEN", token)];
    Ok(Place { key: Key { uri, variables }, seen: ["ok", "ok", "permissions_wide"] })
}

fn azure_key_vault_place() -> Result<Place, String> {
    let [url, token, ca] = key_vault()?;
    let uri = format!("{}/keys/{}", url.replace("https://", "azurekeyvault://"), unique());
    let variables =
        vec![("ADCP_AZURE_KEY_VAULT_ACCESS_TOKEN", token), ("ADCP_AZURE_KEY_VAULT_CA_FILE", ca)];
    Ok(Place { key: Key { uri, variables }, seen: ["ok", "ok", "not_shown"] })
}

fn gcp_kms_place() -> Result<Place, String> {
    let [endpoint, token, ring] = key_ring()?;
    let uri = format!("gcpkms://{ring}/cryptoKeys/buyer/cryptoKeyVersions/1?endpoint={endpoint}");
    let variables = vec![("ADCP_GCP_KMS_ACCESS_TOKEN", token)];
    Ok(Place { key: Key { uri, variables }, seen: ["ok", "ok", "permissions_wide"] })
}

fn pkcs11_place() -> Result<Place, String> {
    let [module, token, pin] = token()?;
    let uri = format!(
        "pkcs11:token={token};object={}?module-path={module}&pin-source=env:ADCP_CLI_PIN",
        unique()
    );
    let variables = vec![("ADCP_CLI_PIN", pin)];
    Ok(Place { key: Key { uri, variables }, seen: ["ok", "ok", "not_shown"] })
}

/// A key is made once, its public half written, and what a probe says of it.
fn making(place: Result<Place, String>) {
    let Place { key, seen } = match place {
        Ok(place) => place,
        Err(reason) => {
            assert!(env::var("CI").as_deref() != Ok("true"), "under CI this must run: {reason}");
            return println!("skipped: {reason}");
        }
    };
    let folder = tempfile::tempdir().unwrap();
    let jwks = folder.path().join("jwks.json").to_str().unwrap().to_owned();
    let make = ["keygen", "--key", &key.uri, "--jwks", &jwks];
    let made = key.run(&make);
    assert!(made.status.success(), "{made:?}");
    let uri = text(&made).trim_end().to_owned();
    assert!(uri.contains("spki-sha256=") && !uri.contains('\n'), "{made:?}");
    let published: Value = serde_json::from_slice(&std::fs::read(&jwks).unwrap()).unwrap();
    assert_eq!(published["keys"].as_array().unwrap().len(), 1, "{published}");

    let probed = key.run(&["probe", "--json", "--count", "3", "--jwks", &jwks, "--key", &uri]);
    let answer: Value =
        serde_json::from_str(&text(&probed)).unwrap_or_else(|_| panic!("{probed:?}"));
    assert_eq!((probed.status.code(), &answer["ok"]), (Some(0), &json!(true)), "{answer}");
    let code = |name: &str| {
        let checks = answer["checks"].as_array().unwrap();
        checks.iter().find(|check| check["name"] == name).unwrap()["code"].clone()
    };
    assert_eq!(code("key_uri"), "ok", "the made key is named for good: {answer}");
    assert_eq!(["export", "rotation", "permissions"].map(code), seen.map(Value::from), "{answer}");

    let again = key.run(&make);
    assert_eq!((again.status.code(), text(&again)), (Some(3), String::new()), "{again:?}");
    let said = String::from_utf8(again.stderr.clone()).unwrap();
    assert!(said.contains("already") && said.contains("while making"), "{said}");
}

#[test]
fn a_key_is_made_in_aws_kms() {
    making(aws_kms_place());
}

#[test]
fn a_key_is_made_in_azure_key_vault() {
    making(azure_key_vault_place());
}

#[test]
fn a_key_is_made_in_google_cloud_kms() {
    making(gcp_kms_place());
}

#[test]
fn a_key_is_made_in_vault_transit() {
    making(vault_transit_place());
}

#[test]
fn a_key_is_made_in_a_pkcs11_token() {
    making(pkcs11_place());
}

/// Vault signs at any time of day, and the message has the time of whoever signs.
#[test]
fn a_clock_that_is_an_hour_off_shows_in_the_window_on_either_side() {
    let made = server(["ADCP_TEST_FAKETIME"]).and_then(|library| Ok((library, vault_transit()?)));
    let ([library], key) = match made {
        Ok(made) => made,
        Err(reason) => {
            assert!(env::var("CI").as_deref() != Ok("true"), "under CI this must run: {reason}");
            return println!("skipped: {reason}");
        }
    };
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let at = |offset: &str| {
        let mut variables = key.variables.clone();
        variables.extend([("LD_PRELOAD", library.clone()), ("FAKETIME", offset.to_owned())]);
        variables.push(("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()));
        Key { uri: key.uri.clone(), variables }
    };
    let exported = key.run(&["jwks", "--key", &key.uri]);
    std::fs::write(path("jwks.json"), &exported.stdout).unwrap();
    let jwk: Value = serde_json::from_slice(&exported.stdout).unwrap();
    let kid = jwk["keys"][0]["kid"].as_str().unwrap();
    let uri = format!("{}&alg=ed25519&kid={kid}", key.uri);
    for (signer, verifier, says) in [
        ("+0", "+0", None),
        ("+3660", "+3660", None),
        ("+3660", "+0", Some("after now")),
        ("-3660", "+0", Some("before now")),
        ("+0", "+3660", Some("before now")),
        ("+0", "-3660", Some("after now")),
    ] {
        let signed = at(signer).run(&["sign", "--key", &uri, "examples/create_media_buy.http"]);
        assert!(signed.status.success(), "{signed:?}");
        std::fs::write(path("signed.http"), &signed.stdout).unwrap();
        let verify = ["verify", "--json", "--jwks", &path("jwks.json"), &path("signed.http")];
        let verified = at(verifier).run(&verify);
        let answer: Value =
            serde_json::from_str(&text(&verified)).unwrap_or_else(|_| panic!("{verified:?}"));
        let expected = says.map_or(Value::Null, |_| json!("request_signature_window_invalid"));
        assert_eq!(answer["error_code"], expected, "{signer} {verifier}: {answer}");
        let message = answer["message"].as_str().unwrap_or_default();
        assert!(message.contains(says.unwrap_or_default()), "{signer} {verifier}: {answer}");
    }
}
