//! The HTTP under the client: a bounded reply, no redirects, no retries, and roots that can be
//! given.

use std::{fmt, sync::Arc, time::Duration};

use adcp_signing_core::{ProviderError, provider::toolkit::certificates_from_pem};
use async_trait::async_trait;
use azure_core::{
    Bytes,
    error::{Error, ErrorKind},
    http::{
        AsyncRawResponse, Body, ClientOptions, Context, Request, RetryOptions, Transport,
        headers::{HeaderName, HeaderValue, Headers},
        policies::{Policy, PolicyResult},
    },
};
use reqwest::{Certificate, Client, ClientBuilder, Method, redirect, retry};

use crate::config::configuration;

/// The longest reply read: a key with 4096 bits, its attributes and its tags come to a few KiB.
const MAX_REPLY_LEN: usize = 256 * 1024;
/// Long enough for a slow network; an address that does not exist is noticed.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The metadata service is on the machine itself, or there is none.
const METADATA_CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Root certificates of the caller's own.
#[derive(Clone)]
pub(crate) struct Roots(Vec<Certificate>);

impl Roots {
    /// # Errors
    /// [`Configuration`](adcp_signing_core::ProviderErrorKind::Configuration) when `pem` holds no certificate.
    pub(crate) fn from_pem(pem: &[u8]) -> Result<Self, ProviderError> {
        let refused = |why: &dyn fmt::Display| {
            configuration(format!(
                "the root certificates (ADCP_AZURE_KEY_VAULT_CA_FILE, with_root_certificates) are refused: {why}"
            ))
        };
        let certificates = certificates_from_pem(pem).map_err(|error| refused(&error))?;
        let roots = certificates.iter().map(|der| Certificate::from_der(der));
        let roots = roots.collect::<Result<_, _>>().map_err(|error| {
            refused(&"one of them is no certificate").with_source(error.without_url())
        })?;
        Ok(Self(roots))
    }
}

/// A reply that is longer than any of Azure's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the reply is longer than 256 KiB")]
pub(crate) struct ReplyTooLong;

/// The last of the client's policies: sends with `reqwest`, and reads at most so much.
#[derive(Debug)]
struct BoundedHttp {
    client: Client,
    /// What asks the metadata service of this machine, where tokens are fetched: over plain HTTP,
    /// and past any proxy, which would see the token.
    metadata: Option<Client>,
}

/// How Key Vault is reached: over TLS only, by these roots alone where there are any.
pub(crate) fn to_key_vault(roots: Option<&Roots>) -> Result<ClientOptions, ProviderError> {
    let mut builder = client(CONNECT_TIMEOUT).https_only(true);
    if let Some(Roots(roots)) = roots {
        builder = builder.tls_certs_only(roots.clone());
    }
    Ok(options(Arc::new(BoundedHttp { client: build(builder)?, metadata: None })))
}

/// How tokens are fetched: from Microsoft Entra ID over TLS, by these roots beside the system's, or
/// from the metadata service of the machine.
pub(crate) fn to_credentials(roots: Option<&Roots>) -> Result<ClientOptions, ProviderError> {
    let mut builder = client(CONNECT_TIMEOUT).https_only(true);
    if let Some(Roots(roots)) = roots {
        builder = builder.tls_certs_merge(roots.clone());
    }
    // No certificate is looked at, so the system's need not be there.
    let metadata = client(METADATA_CONNECT_TIMEOUT).tls_certs_only([]).no_proxy();
    let http = BoundedHttp { client: build(builder)?, metadata: Some(build(metadata)?) };
    Ok(options(Arc::new(http)))
}

fn client(connect_timeout: Duration) -> ClientBuilder {
    Client::builder()
        .connect_timeout(connect_timeout)
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .referer(false)
}

fn build(builder: ClientBuilder) -> Result<Client, ProviderError> {
    builder.build().map_err(|error| {
        configuration(
            "the TLS client could not be set up; install root certificates on this machine, or name their file in SSL_CERT_FILE",
        )
        .with_source(error.without_url())
    })
}

pub(crate) fn options(http: Arc<dyn Policy>) -> ClientOptions {
    ClientOptions {
        retry: RetryOptions::none(),
        // Where it comes before the client's own log, which tells vault and key of every failed
        // call at `INFO`.
        per_try_policies: vec![Arc::clone(&http)],
        transport: Some(Transport::with_policy(http)),
        ..ClientOptions::default()
    }
}

impl BoundedHttp {
    fn failure(&self, error: reqwest::Error) -> Error {
        let kind = match self.metadata {
            // The client of the metadata service would repeat the call for a minute if it were one
            // of the network.
            Some(_) => ErrorKind::Credential,
            None if error.is_connect() => ErrorKind::Connection,
            None => ErrorKind::Io,
        };
        Error::new(kind, error.without_url())
    }
}

#[async_trait]
#[allow(
    elided_lifetimes_in_paths,
    reason = "with a lifetime written it is another method than the trait's"
)]
impl Policy for BoundedHttp {
    async fn send(
        &self,
        _: &Context,
        request: &mut Request,
        _: &[Arc<dyn Policy>],
    ) -> PolicyResult {
        let method = Method::from_bytes(request.method().as_str().as_bytes())
            .map_err(|error| Error::new(ErrorKind::Other, error))?;
        let client = match &self.metadata {
            Some(metadata) if request.url().scheme() == "http" => metadata,
            _ => &self.client,
        };
        let mut outgoing = client.request(method, request.url().clone());
        for (name, value) in request.headers().iter() {
            outgoing = outgoing.header(name.as_str(), value.as_str());
        }
        match request.body() {
            Body::Bytes(bytes) => outgoing = outgoing.body(bytes.clone()),
            Body::SeekableStream(_) => {
                return Err(Error::with_message(
                    ErrorKind::Other,
                    "a request with a stream is not sent here",
                ));
            }
        }
        let mut reply = outgoing.send().await.map_err(|error| self.failure(error))?;
        let status = reply.status().as_u16();
        let mut headers = Headers::new();
        for (name, value) in reply.headers() {
            // What is not text is nothing that the client looks for.
            if let Ok(value) = value.to_str() {
                headers.insert(
                    HeaderName::from(name.as_str().to_owned()),
                    HeaderValue::from(value.to_owned()),
                );
            }
        }
        let mut body = Vec::new();
        while let Some(chunk) = reply.chunk().await.map_err(|error| self.failure(error))? {
            if body.len().saturating_add(chunk.len()) > MAX_REPLY_LEN {
                return Err(Error::new(ErrorKind::DataConversion, ReplyTooLong));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(AsyncRawResponse::from_bytes(status.into(), headers, Bytes::from(body)))
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use adcp_signing_core::ProviderErrorKind;
    use adcp_signing_testkit::{Action, CannedReply, FaultProxy, Traffic};
    use azure_core::http::{Method, Url};

    use super::*;

    #[tokio::test]
    async fn plain_http_is_for_the_metadata_service_alone() {
        let nobody = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
        let server = FaultProxy::start(nobody, Traffic::Http).await.unwrap();
        server.set(Action::Reply(CannedReply::new(200)));
        let url: Url = format!("http://{}/", server.address()).parse().unwrap();
        for (options, requests) in [(to_key_vault(None), 0), (to_credentials(None), 1)] {
            let http = Arc::clone(&options.unwrap().per_try_policies[0]);
            let reply =
                http.send(&Context::new(), &mut Request::new(url.clone(), Method::Get), &[]).await;
            assert_eq!((reply.is_ok(), server.requests()), (requests == 1, requests), "{reply:?}");
        }
    }

    #[test]
    fn what_is_no_certificate_is_refused() {
        for pem in ["", "no PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
        {
            let roots = Roots::from_pem(pem.as_bytes());
            let options = roots.and_then(|roots| to_key_vault(Some(&roots)));
            assert_eq!(
                options.err().map(|error| error.kind()),
                Some(ProviderErrorKind::Configuration),
                "{pem}"
            );
        }
    }
}
