//! Webhooks over TLS: a receiver is authentic by its certificate, whatever the mode.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "helpers of tests"
)]

mod support;

use std::{io, net::SocketAddr};

use adcp_signing_core::webhook::{BearerToken, LegacyBearer};
use adcp_signing_http::webhook::{
    AttemptFailure, Authentication, InMemoryDedup, InMemoryDeliveries, InMemoryRegistrations,
    Registration, RegistrationId, WebhookReceiver, WebhookSender, WebhookTarget,
};
use adcp_signing_testkit::LoopbackIdentity;
use axum::Router;
use reqwest::Certificate;
use support::{
    Reached, Server, key,
    webhooks::{SECRET, SELLER, buyer, event, hmac, signer, verify},
};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

const TOKEN: &str = "Xq3v-x8ZpT0wL5rB2nK7yD4hG9cF6mJ1";

/// A listener behind which TLS ends.
struct Tls(TcpListener, TlsAcceptor);

impl axum::serve::Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = self.0.accept().await.unwrap();
            // A client that does not trust the certificate ends the handshake.
            if let Ok(stream) = self.1.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.0.local_addr()
    }
}

/// `https://127.0.0.1:…` with a receiver for each mode, and the certificate of its authority.
async fn secure_buyer(
    key: &adcp_signing_core::InMemoryProvider,
    reached: &Reached,
) -> (Server, Certificate) {
    let identity = LoopbackIdentity::generate().unwrap();
    let root = Certificate::from_pem(identity.ca_pem().as_bytes()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let base = |path: &str| format!("https://{address}{path}").parse().unwrap();
    let token = LegacyBearer::new(BearerToken::new(TOKEN.to_owned()).unwrap());
    let app = [
        ("/signed", WebhookReceiver::rfc9421(&verify(key, base("")), InMemoryDedup::default())),
        ("/shared", WebhookReceiver::legacy_hmac(hmac(SECRET), SELLER, InMemoryDedup::default())),
        ("/token", WebhookReceiver::legacy_bearer(token, SELLER, InMemoryDedup::default())),
    ]
    .into_iter()
    .fold(Router::new(), |app, (path, receiver)| app.nest(path, buyer(receiver, reached.clone())));
    let tls = Tls(listener, identity.acceptor());
    let task = tokio::spawn(async move { axum::serve(tls, app).await.unwrap() });
    (Server::of(address, task), root)
}

fn target(server: &Server, path: &str) -> WebhookTarget {
    let url = format!("https://{}{path}/hooks", server.address);
    WebhookTarget::loopback_for_development(&url).unwrap()
}

#[tokio::test]
async fn a_webhook_of_each_mode_is_delivered_over_tls() {
    let (key, reached) = (key(), Reached::default());
    let (server, root) = secure_buyer(&key, &reached).await;
    let registrations = InMemoryRegistrations::default();
    let token = BearerToken::new(TOKEN.to_owned()).unwrap();
    for (path, authentication) in [
        ("/signed", Authentication::Rfc9421),
        ("/shared", Authentication::LegacyHmac(hmac(SECRET))),
        ("/token", Authentication::Bearer(token)),
    ] {
        let registration = Registration::new(target(&server, path), authentication);
        registrations.set(RegistrationId::new(path), registration);
    }
    let sender = WebhookSender::builder(signer(&key))
        .store(InMemoryDeliveries::default())
        .registrations(registrations)
        .root_certificate(root)
        .build()
        .unwrap();
    for path in ["/signed", "/shared", "/token"] {
        sender.send_once(RegistrationId::new(path), &event()).await.unwrap();
    }
    assert_eq!(reached.count(), 3);
}

#[tokio::test]
async fn nothing_is_sent_to_a_receiver_whose_certificate_nobody_vouches_for() {
    let (key, reached) = (key(), Reached::default());
    let (server, _) = secure_buyer(&key, &reached).await;
    let (_, another_root) = secure_buyer(&key, &reached).await;
    let sender = WebhookSender::builder(signer(&key))
        .store(InMemoryDeliveries::default())
        .root_certificate(another_root)
        .build()
        .unwrap();
    let failure = sender.send_once(&target(&server, "/signed"), &event()).await.unwrap_err();
    assert!(matches!(failure, AttemptFailure::Unreachable(_)), "{failure:?}");
    assert_eq!(reached.count(), 0);
}
