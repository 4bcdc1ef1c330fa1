//! A certificate for this machine, made at every start.

use std::{io, net::Ipv4Addr, sync::Arc};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto, pki_types::PrivatePkcs8KeyDer},
};

/// A certificate for `localhost` and 127.0.0.1, and its authority, whose key is forgotten once it
/// has signed.
#[derive(Clone)]
pub struct LoopbackIdentity {
    ca_pem: Arc<str>,
    config: Arc<ServerConfig>,
}

impl LoopbackIdentity {
    /// A new authority and a new certificate.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn generate() -> io::Result<Self> {
        Self::with_names(&[])
    }

    /// As [`generate`](Self::generate), and the certificate is for these names too.
    ///
    /// # Errors
    /// As there, and where a name is not one.
    pub fn with_names(names: &[&str]) -> io::Result<Self> {
        let mut ca = CertificateParams::default();
        ca.distinguished_name.push(DnType::CommonName, "adcp-signing test CA");
        ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let ca_key = KeyPair::generate().map_err(io::Error::other)?;
        let ca_pem = ca.self_signed(&ca_key).map_err(io::Error::other)?.pem();

        let names = names.iter().copied().map(str::to_owned);
        let own = ["localhost".to_owned(), Ipv4Addr::LOCALHOST.to_string()];
        let names: Vec<_> = own.into_iter().chain(names).collect();
        let mut server = CertificateParams::new(names).map_err(io::Error::other)?;
        server.distinguished_name.push(DnType::CommonName, "adcp-signing test server");
        server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        server.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let certificate =
            server.signed_by(&key, &Issuer::from_params(&ca, &ca_key)).map_err(io::Error::other)?;

        let provider = Arc::new(crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            )
            .map_err(io::Error::other)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { ca_pem: ca_pem.into(), config: Arc::new(config) })
    }

    /// The authority's certificate, which clients must trust.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// What ends TLS with the certificate.
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }
}
