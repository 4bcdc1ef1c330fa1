//! The one fetcher: HTTPS from public addresses alone, within bounds.

mod caching;
mod document;
mod error;
mod post;
mod redirect;

use std::{fmt, sync::Arc, time::Duration};

use http::{
    HeaderMap, StatusCode,
    header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, IF_NONE_MATCH, LOCATION},
};
use reqwest::{Certificate, Client, Proxy, Response, dns::Resolve, redirect::Policy, retry};
use tokio::{sync::Semaphore, time::timeout};

pub use self::{
    caching::EntityTag,
    document::Document,
    error::{FetchError, Unreached},
};
use crate::guard::{GuardedResolver, PublicUrl, SystemResolver};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(10);
const MAX_CONCURRENT: usize = 64;

/// Fetches documents that counterparties publish, and nothing that they point it at instead
/// ("Webhook URL validation (SSRF)" and the fetch budgets, security guide):
///
/// - HTTPS with the roots of the system, to public addresses alone: the connection goes to the
///   address that was checked.
/// - No redirects, but for two documents within their site (see [`Document`]).
/// - No proxy, no cookies, no repetition, no connection that is kept.
/// - 5 seconds to connect and 10 in all, the bytes of the [`Document`], and strict JSON where it is
///   JSON. Compressed replies are refused unread.
/// - At most 64 at once; others wait, and their time runs.
///
/// A clone shares all of it.
///
/// ```no_run
/// use adcp_signing_trust::fetch::{Document, Fetched, Fetcher};
///
/// # async fn fetch() -> Result<(), Box<dyn std::error::Error>> {
/// let fetcher = Fetcher::new()?;
/// let url = "https://buyer.example.com/.well-known/jwks.json".parse()?;
/// if let Fetched::Document(reply) = fetcher.get(&url, &Document::JWKS, None).await? {
///     println!("{} bytes", reply.body().len());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Fetcher(Arc<Inner>);

struct Inner {
    client: Client,
    timeout: Duration,
    permits: Semaphore,
}

/// Settings of a [`Fetcher`].
pub struct FetcherBuilder {
    resolver: Arc<dyn Resolve>,
    loopback: bool,
    proxy: Option<Proxy>,
    roots: Vec<Certificate>,
    connect_timeout: Duration,
    timeout: Duration,
    max_concurrent: usize,
}

/// The answer to a request that named what is held already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetched {
    /// The document.
    Document(Reply),
    /// The document is still the one with the [`EntityTag`] of the request (304).
    NotModified {
        /// For how many seconds that may be relied on, where the server says so.
        max_age: Option<i64>,
    },
}

/// A document as it was fetched. `Debug` shows its length.
#[derive(Clone, PartialEq, Eq)]
pub struct Reply {
    body: Vec<u8>,
    max_age: Option<i64>,
    tag: Option<EntityTag>,
    url: PublicUrl,
}

pub(crate) use self::post::{PostReply, Posted};

/// The client could not be made: TLS does not start, or a root is not a certificate.
#[derive(Debug, thiserror::Error)]
#[error("the client that fetches could not be made; check the roots and the proxy")]
pub struct FetcherError(#[source] reqwest::Error);

impl Reply {
    /// The bytes.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The bytes, taken out.
    pub(crate) fn into_body(self) -> Vec<u8> {
        self.body
    }

    /// For how many seconds the document may be reused, where the server says so.
    pub fn max_age(&self) -> Option<i64> {
        self.max_age
    }

    /// What to ask with the next time.
    pub fn tag(&self) -> Option<&EntityTag> {
        self.tag.as_ref()
    }

    /// Where the document was, at the end of the redirects.
    pub fn url(&self) -> &PublicUrl {
        &self.url
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("bytes", &self.body.len())
            .field("max_age", &self.max_age)
            .finish_non_exhaustive()
    }
}

impl Fetcher {
    /// A fetcher with the settings above.
    ///
    /// # Errors
    /// [`FetcherError`] where TLS does not start.
    pub fn new() -> Result<Self, FetcherError> {
        Self::builder().build()
    }

    /// The settings above, to be changed.
    pub fn builder() -> FetcherBuilder {
        FetcherBuilder {
            resolver: Arc::new(SystemResolver),
            loopback: false,
            proxy: None,
            roots: Vec::new(),
            connect_timeout: CONNECT_TIMEOUT,
            timeout: TIMEOUT,
            max_concurrent: MAX_CONCURRENT,
        }
    }

    /// Fetches a document. With a tag the answer may be that it is still the same.
    ///
    /// # Errors
    /// [`FetchError`].
    pub async fn get(
        &self,
        url: &PublicUrl,
        document: &Document,
        held: Option<&EntityTag>,
    ) -> Result<Fetched, FetchError> {
        // Around all of it: waiting for a turn, the name, every hop and the body.
        match timeout(self.0.timeout, self.0.get(url, document, held)).await {
            Ok(fetched) => fetched,
            Err(_) => Err(FetchError::TimedOut),
        }
    }
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetcher").field("timeout", &self.0.timeout).finish_non_exhaustive()
    }
}

impl Inner {
    async fn get(
        &self,
        url: &PublicUrl,
        document: &Document,
        held: Option<&EntityTag>,
    ) -> Result<Fetched, FetchError> {
        let _turn = self.permits.acquire().await;
        let mut at = url.clone();
        for _ in 0..=redirect::MAX_HOPS {
            let response = self.send(&at, document, held).await?;
            match response.status() {
                StatusCode::OK => return read(response, document, at).await,
                StatusCode::NOT_MODIFIED if held.is_some() => {
                    let max_age = caching::max_age(response.headers());
                    return Ok(Fetched::NotModified { max_age });
                }
                status if is_redirect(status) => {
                    at = target(&at, response.headers())
                        .filter(|target| document.redirects.allow(url, target))
                        .ok_or(FetchError::Redirected)?;
                }
                status => return Err(FetchError::Status { status: status.as_u16() }),
            }
        }
        Err(FetchError::TooManyRedirects { max: redirect::MAX_HOPS })
    }

    async fn send(
        &self,
        url: &PublicUrl,
        document: &Document,
        held: Option<&EntityTag>,
    ) -> Result<Response, FetchError> {
        let request = self.client.get(url.url().clone());
        let request = request.header(ACCEPT, document.accept).header(ACCEPT_ENCODING, "identity");
        let request = match held {
            Some(tag) => request.header(IF_NONE_MATCH, tag.value()),
            None => request,
        };
        request.send().await.map_err(FetchError::of_client)
    }
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

fn target(at: &PublicUrl, fields: &HeaderMap) -> Option<PublicUrl> {
    at.join(fields.get(LOCATION)?.to_str().ok()?).ok()
}

/// Whether the body came as it is.
fn is_plain(fields: &HeaderMap) -> bool {
    let mut encodings = fields.get_all(CONTENT_ENCODING).iter();
    encodings.all(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// Reads the body within the bounds.
async fn read(
    mut response: Response,
    document: &Document,
    url: PublicUrl,
) -> Result<Fetched, FetchError> {
    let fields = response.headers();
    if !is_plain(fields) {
        return Err(FetchError::Encoded);
    }
    let (max_age, tag) = (caching::max_age(fields), EntityTag::of(fields));
    let max = document.max_bytes;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(FetchError::of_client)? {
        if chunk.len() > max.saturating_sub(body.len()) {
            return Err(FetchError::TooLarge { max });
        }
        body.extend_from_slice(&chunk);
    }
    document.check(&body)?;
    Ok(Fetched::Document(Reply { body, max_age, tag, url }))
}

impl FetcherBuilder {
    /// Resolves names with this resolver instead of the system's. Its answers are checked too.
    #[must_use]
    pub fn resolver(self, resolver: Arc<dyn Resolve>) -> Self {
        Self { resolver, ..self }
    }

    /// Sends everything through this proxy, which then resolves the names, and has to refuse
    /// reserved addresses by itself. Proxies of the environment are never used.
    #[must_use]
    pub fn proxy(self, proxy: Proxy) -> Self {
        Self { proxy: Some(proxy), ..self }
    }

    /// Trusts this root as well as the system's.
    #[must_use]
    pub fn root(mut self, root: Certificate) -> Self {
        self.roots.push(root);
        self
    }

    /// Sets how long a connection may take, and all of a fetch: 5 and 10 seconds.
    #[must_use]
    pub fn timeouts(self, connect: Duration, total: Duration) -> Self {
        Self { connect_timeout: connect, timeout: total, ..self }
    }

    /// Sets how many documents are fetched at once: 64. Zero means one.
    #[must_use]
    pub fn max_concurrent(self, max: usize) -> Self {
        Self { max_concurrent: max, ..self }
    }

    /// Lets names lead to this machine, for development and tests. All else stays refused.
    #[must_use]
    pub fn loopback_for_development(self) -> Self {
        Self { loopback: true, ..self }
    }

    /// The fetcher.
    ///
    /// # Errors
    /// [`FetcherError`].
    pub fn build(self) -> Result<Fetcher, FetcherError> {
        let resolver = GuardedResolver::new(self.resolver);
        let resolver =
            if self.loopback { resolver.with_loopback_for_development() } else { resolver };
        let client = Client::builder()
            // Other crates of the program may turn features of reqwest on.
            .no_proxy()
            .no_gzip()
            .no_brotli()
            .no_deflate()
            .no_zstd()
            .http1_only()
            .dns_resolver(resolver)
            .redirect(Policy::none())
            .retry(retry::never())
            .referer(false)
            .pool_max_idle_per_host(0)
            .connect_timeout(self.connect_timeout)
            .user_agent(concat!("adcp-signing/", env!("CARGO_PKG_VERSION")))
            .tls_certs_merge(self.roots);
        let client = match self.proxy {
            Some(proxy) => client.proxy(proxy),
            None => client,
        };
        Ok(Fetcher(Arc::new(Inner {
            client: client.build().map_err(FetcherError)?,
            timeout: self.timeout,
            permits: Semaphore::new(self.max_concurrent.clamp(1, Semaphore::MAX_PERMITS)),
        })))
    }
}

impl fmt::Debug for FetcherBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FetcherBuilder")
            .field("loopback", &self.loopback)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
