//! TLS on both sides of the fault proxy: it answers clients with a certificate of its own, and
//! trusts the upstream's.

use std::{fmt, io, net::SocketAddr, sync::Arc};

use tokio::net::TcpStream;
use tokio_rustls::{
    TlsAcceptor, TlsConnector,
    rustls::{
        ClientConfig, RootCertStore, crypto,
        pki_types::{CertificateDer, ServerName, pem::PemObject as _},
    },
};

use crate::{fault_proxy::Connection, loopback_identity::LoopbackIdentity};

/// What the proxy needs to end TLS and to begin it again.
pub(crate) struct Tls {
    acceptor: TlsAcceptor,
    connector: TlsConnector,
    certificate: String,
    /// The upstream's host and port, which it is told as `Host`.
    authority: String,
    name: ServerName<'static>,
}

impl Tls {
    /// A new certificate for the loopback address, and these PEM roots for the upstream,
    /// `HOST:PORT`.
    pub(crate) fn new(authority: &str, upstream_roots: &[u8]) -> io::Result<Self> {
        let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let own = LoopbackIdentity::generate()?;
        let mut roots = RootCertStore::empty();
        for root in CertificateDer::pem_slice_iter(upstream_roots) {
            roots.add(root.map_err(io::Error::other)?).map_err(io::Error::other)?;
        }
        let client =
            ClientConfig::builder_with_provider(Arc::new(crypto::aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(io::Error::other)?
                .with_root_certificates(roots)
                .with_no_client_auth();
        Ok(Self {
            acceptor: own.acceptor(),
            connector: TlsConnector::from(Arc::new(client)),
            certificate: own.ca_pem().to_owned(),
            authority: authority.to_owned(),
            name,
        })
    }

    /// The root that clients of the proxy must trust, PEM.
    pub(crate) fn certificate(&self) -> &str {
        &self.certificate
    }

    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    pub(crate) async fn accept(&self, client: TcpStream) -> io::Result<Connection> {
        Ok(Box::new(self.acceptor.accept(client).await?))
    }

    pub(crate) async fn connect(&self, upstream: SocketAddr) -> io::Result<Connection> {
        let connection = TcpStream::connect(upstream).await?;
        Ok(Box::new(self.connector.connect(self.name.clone(), connection).await?))
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}
