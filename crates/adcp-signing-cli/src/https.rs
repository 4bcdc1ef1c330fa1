//! One GET over HTTPS, bounded in size and time.

use std::time::{Duration, SystemTime};

use reqwest::{
    Client, StatusCode,
    header::{AGE, CACHE_CONTROL, DATE, HeaderMap, HeaderName},
    redirect, retry,
};

use crate::{failure::chain, published::Served};

/// The longest JWKS that a verifier reads, in bytes.
const MAX_LEN: usize = 64 * 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const TOTAL_TIMEOUT: Duration = Duration::from_secs(10);

/// An `https://` URL without a user in it.
#[derive(Debug)]
pub(crate) struct Url(reqwest::Url);

impl Url {
    /// Reads a URL, or says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let url =
            reqwest::Url::parse(text).map_err(|error| format!("the URL of the JWKS: {error}"))?;
        if url.scheme() != "https" {
            return Err(
                "the URL of the JWKS is not https://, and verifiers take no other".to_owned()
            );
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(
                "the URL of the JWKS has a user in it; what is published needs none".to_owned()
            );
        }
        Ok(Self(url))
    }
}

/// Fetches a document as a verifier would: no redirects, 64 KiB, five seconds to connect and ten in
/// all. Proxies are not used, so that what is seen is the server itself.
pub(crate) async fn get(url: Url) -> Result<Served, String> {
    let failed = |error: reqwest::Error| {
        let what = if error.is_timeout() {
            format!("did not come within {} s", TOTAL_TIMEOUT.as_secs())
        } else if error.is_connect() {
            "cannot be fetched".to_owned()
        } else {
            "broke off".to_owned()
        };
        format!("the published JWKS {what}: {}", chain(&error.without_url()))
    };
    let client = Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(TOTAL_TIMEOUT)
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .referer(false)
        .no_proxy()
        .user_agent(concat!("adcp-signing/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(failed)?;
    let asked = SystemTime::now();
    let mut reply = client.get(url.0).send().await.map_err(failed)?;
    let answered = SystemTime::now();
    match reply.status() {
        StatusCode::OK => {}
        status if status.is_redirection() => {
            return Err(format!(
                "the URL of the JWKS answers with a redirect ({status}), which verifiers do not \
                 follow: publish the final URL"
            ));
        }
        status => {
            return Err(format!("the URL of the JWKS answers {status}: publish the JWKS there"));
        }
    }
    let (clock, max_age) = (clock(reply.headers()), max_age(reply.headers()));
    let mut body = Vec::new();
    while let Some(chunk) = reply.chunk().await.map_err(failed)? {
        if body.len() + chunk.len() > MAX_LEN {
            return Err(format!(
                "the published JWKS is longer than {MAX_LEN} bytes, which verifiers do not read"
            ));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Served { body, clock, max_age, asked, answered })
}

/// `Date`, which is the origin's, and how long ago that was where a cache says so (RFC 9111 §5.1).
fn clock(headers: &HeaderMap) -> Option<SystemTime> {
    let date = httpdate::parse_http_date(text(headers, &DATE)?).ok()?;
    let age = text(headers, &AGE).and_then(|age| age.parse().ok()).unwrap_or_default();
    date.checked_add(Duration::from_secs(age))
}

fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let directives = text(headers, &CACHE_CONTROL)?.split(',');
    let seconds =
        directives.filter_map(|directive| directive.trim().strip_prefix("max-age=")).next()?;
    seconds.parse().ok().map(Duration::from_secs)
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}
