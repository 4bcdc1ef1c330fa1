//! The proxy in front of TLS, against a server of two dozen lines.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

use std::{io, net::SocketAddr, sync::Arc};

use adcp_signing_testkit::{Action, CannedReply, FaultProxy};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{
    TlsAcceptor, TlsConnector,
    rustls::{
        ClientConfig, RootCertStore, ServerConfig,
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
    },
};

const REQUEST: &str = "POST / HTTP/1.1\r\nHost: proxy.example\r\ncontent-length: 2\r\n\r\nhi";

/// Answers with the request that it got; gives its root with its address.
async fn echo() -> (SocketAddr, String) {
    let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let Ok(mut client) = acceptor.accept(client).await else { continue };
            let mut buffer = [0; 4096];
            while let Ok(len @ 1..) = client.read(&mut buffer).await {
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {len}\r\n\r\n");
                client.write_all(&[head.as_bytes(), &buffer[..len]].concat()).await.unwrap();
            }
        }
    });
    (address, own.cert.pem())
}

/// What comes back until the connection ends.
async fn ask(proxy: &FaultProxy, request: &str) -> io::Result<String> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(proxy.certificate().unwrap().as_bytes()).unwrap())
        .unwrap();
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let connection = TcpStream::connect(proxy.address()).await?;
    let name = ServerName::IpAddress(proxy.address().ip().into());
    let mut client = TlsConnector::from(Arc::new(config)).connect(name, connection).await?;
    client.write_all(request.as_bytes()).await?;
    let mut answer = vec![0; 4096];
    let len = client.read(&mut answer).await?;
    Ok(String::from_utf8(answer[..len].to_vec()).unwrap())
}

#[tokio::test]
async fn requests_pass_with_the_upstream_s_name_and_are_answered_or_cut_in_its_place() {
    let (upstream, roots) = echo().await;
    let proxy = FaultProxy::start_tls(&upstream.to_string(), roots.as_bytes()).await.unwrap();
    let passed = ask(&proxy, REQUEST).await.unwrap();
    assert!(
        passed.contains(&format!("\r\nhost: {upstream}\r\ncontent-length: 2\r\n\r\nhi")),
        "{passed}"
    );

    proxy.set(Action::Reply(CannedReply::new(503).body("down")));
    assert!(ask(&proxy, REQUEST).await.unwrap().ends_with("content-length: 4\r\n\r\ndown"));
    proxy.set(Action::TruncateBody(1));
    assert!(ask(&proxy, REQUEST).await.unwrap().ends_with("\r\n\r\nP"));
    proxy.set(Action::Cut);
    assert!(ask(&proxy, REQUEST).await.is_err());
    assert_eq!(proxy.requests(), 4);

    proxy.refuse().await.unwrap();
    assert_eq!(ask(&proxy, REQUEST).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    proxy.heal().await.unwrap();
    assert!(ask(&proxy, REQUEST).await.unwrap().starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn an_upstream_with_another_root_gets_nothing() {
    let (upstream, _) = echo().await;
    let (_, other_root) = echo().await;
    let proxy = FaultProxy::start_tls(&upstream.to_string(), other_root.as_bytes()).await.unwrap();
    assert!(ask(&proxy, REQUEST).await.is_err());
}
