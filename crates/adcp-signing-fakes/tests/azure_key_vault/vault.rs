//! The fake behind TLS, and the requests that are made of it.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use adcp_signing_fakes::azure_key_vault::FakeAzureKeyVault;
use aws_lc_rs::digest::{SHA256, SHA512, digest};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        pki_types::{CertificateDer, ServerName, pem::PemObject as _},
    },
};

use crate::support::{Reply, exchange};

/// May do everything.
pub(crate) const TOKEN: &str = "the-token";
/// May do nothing.
pub(crate) const DENIED: &str = "the-denied-token";
const HOST: &str = "vault.example:8444";
/// What is signed.
pub(crate) const MESSAGE: &[u8] = b"a signature base";

pub(crate) struct Vault {
    pub(crate) address: SocketAddr,
    tls: TlsConnector,
}

impl Vault {
    pub(crate) async fn start() -> Self {
        Self::of(FakeAzureKeyVault::new(TOKEN).unwrap().with_denied_token(DENIED)).await
    }

    pub(crate) async fn of(server: FakeAzureKeyVault) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(server.ca_pem().as_bytes()).unwrap()).unwrap();
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        tokio::spawn(server.serve(listener));
        Self { address, tls: TlsConnector::from(Arc::new(config)) }
    }

    /// With the newest API version, and the token that may do everything.
    pub(crate) async fn call(&self, method: &str, path: &str, body: Value) -> Reply {
        let separator = if path.contains('?') { '&' } else { '?' };
        let path = format!("{path}{separator}api-version=2025-07-01");
        self.request(method, &path, Some(TOKEN), &body).await
    }

    pub(crate) async fn request(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: &Value,
    ) -> Reply {
        let connection = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::IpAddress(self.address.ip().into());
        let connection = self.tls.connect(name, connection).await.unwrap();
        exchange(connection, [method, path, HOST], token, body).await
    }

    pub(crate) async fn outage(&self, method: &str, plan: Value) -> Reply {
        self.request(method, "/_fake/outage", Some(TOKEN), &plan).await
    }

    /// A new key; its version.
    pub(crate) async fn create(&self, name: &str, body: Value) -> String {
        let made = self.call("POST", &format!("/keys/{name}/create"), body).await;
        assert_eq!(made.status, 200, "{}", made.body);
        version(&made.body)
    }

    pub(crate) async fn sign(&self, key: &str, algorithm: &str, digest: &[u8]) -> Reply {
        let body = json!({"alg": algorithm, "value": base64(digest)});
        self.call("POST", &format!("/keys/{key}/sign"), body).await
    }

    pub(crate) async fn verify(
        &self,
        key: &str,
        algorithm: &str,
        digest: &[u8],
        signature: &str,
    ) -> Reply {
        let body = json!({"alg": algorithm, "digest": base64(digest), "value": signature});
        self.call("POST", &format!("/keys/{key}/verify"), body).await
    }
}

impl Reply {
    /// Status, `code` and `innererror.code`.
    pub(crate) fn refusal(&self) -> (u16, &str, Option<&str>) {
        let error = &self.body["error"];
        (self.status, error["code"].as_str().unwrap(), error["innererror"]["code"].as_str())
    }
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}

pub(crate) fn bytes(text: &Value) -> Vec<u8> {
    Base64UrlUnpadded::decode_vec(text.as_str().unwrap()).unwrap()
}

pub(crate) fn sha256() -> Vec<u8> {
    digest(&SHA256, MESSAGE).as_ref().to_vec()
}

pub(crate) fn sha512() -> Vec<u8> {
    digest(&SHA512, MESSAGE).as_ref().to_vec()
}

/// The version in a key bundle's URL.
pub(crate) fn version(bundle: &Value) -> String {
    bundle["key"]["kid"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()
}

pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}
