//! `Origin`: the scheme and the external authority of an endpoint, from its configuration.

use std::{borrow::Cow, fmt, str::FromStr};

use super::{HttpRequest, RequestHead};
use crate::target_uri::{
    AmbiguousUrl, RawHost, RootDot, Rules, TargetUriError, canonicalize_authority,
    unambiguous_target,
};

const RULES: Rules = Rules { root_dot: RootDot::Strip, raw_host: RawHost::Refuse };

/// Scheme and external authority of an endpoint, as its clients write them, such as
/// `https://seller.example.com`.
///
/// Neither can be taken from a received message: the request line of HTTP/1.1 has no scheme, and
/// `Host` is the sender's word. So both come from the configuration, are checked once, and complete
/// the path of each message to its target URI.
///
/// ```
/// use adcp_signing_core::http_message::Origin;
///
/// let origin: Origin = "https://Seller.example.com:443".parse()?;
/// assert_eq!(origin.to_string(), "https://seller.example.com");
/// assert!("https://seller.example.com/adcp".parse::<Origin>().is_err());
/// # Ok::<(), adcp_signing_core::http_message::OriginError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    scheme: &'static str,
    authority: String,
    terminated: bool,
}

/// Why a text is not an origin, or a request is not one to this origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OriginError {
    /// The configured text is not an unambiguous URL.
    #[error("not an origin: {0}")]
    Url(#[from] AmbiguousUrl),
    /// The configured text has a path, a query or a fragment.
    #[error("an origin is a scheme and an authority, such as https://seller.example.com")]
    MoreThanOrigin,
    /// The request has no path that starts with `/`: `OPTIONS *`, `CONNECT`.
    #[error("the request target has no path, so no target URI can be made of it")]
    NoPath,
    /// The authority of the request's URI is malformed.
    #[error("the authority of the request's URI is malformed: {0}")]
    Authority(TargetUriError),
    /// The request's URI names another scheme or authority than the configuration.
    #[error("the request's URI is not one of the configured origin, {0}")]
    Disagrees(Origin),
}

impl Origin {
    /// Accepts `http` in a received absolute URI as this origin's `https`: HTTP/2 from a proxy that
    /// terminated TLS in front of this server carries the scheme of the inner connection. Set it
    /// only where nothing but that proxy can connect.
    #[must_use]
    pub fn with_tls_terminated_in_front(mut self) -> Self {
        self.terminated = true;
        self
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> &'static str {
        self.scheme
    }

    /// The canonical `host[:port]`.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// A request as signers and verifiers look at it: the target URI under this origin, the field
    /// lines, and the authority of an absolute URI as `:authority`.
    ///
    /// ```
    /// use adcp_signing_core::http_message::Origin;
    ///
    /// let origin: Origin = "https://seller.example.com".parse()?;
    /// let (parts, ()) = http::Request::post("/adcp?page=2").body(())?.into_parts();
    /// let request = origin.request(&parts, b"{}")?;
    /// assert_eq!(request.as_request().url, "https://seller.example.com/adcp?page=2");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`OriginError`] when the URI has no path, or names another origin. A verifier answers
    /// `*_target_uri_malformed`.
    pub fn request<'a>(
        &self,
        head: &'a impl RequestHead,
        body: &'a [u8],
    ) -> Result<HttpRequest<'a>, OriginError> {
        self.agrees(head)?;
        Ok(HttpRequest::new(head, self.target(head)?, body))
    }

    /// The absolute URI, as written but for the origin.
    fn target(&self, head: &impl RequestHead) -> Result<String, OriginError> {
        let path = match head.path_and_query() {
            Some(path) if path.starts_with('/') => Cow::Borrowed(path),
            // `https://host?query` in absolute form.
            Some(query) if query.starts_with('?') => Cow::Owned(format!("/{query}")),
            _ => return Err(OriginError::NoPath),
        };
        Ok(format!("{self}{path}"))
    }

    fn agrees(&self, head: &impl RequestHead) -> Result<(), OriginError> {
        if let Some(scheme) = head.scheme() {
            let same = scheme.eq_ignore_ascii_case(self.scheme)
                || (self.terminated && scheme.eq_ignore_ascii_case("http"));
            if !same {
                return Err(OriginError::Disagrees(self.clone()));
            }
        }
        if let Some(authority) = head.authority() {
            let canonical = canonicalize_authority(authority, self.scheme, RULES)
                .map_err(OriginError::Authority)?;
            if canonical != self.authority {
                return Err(OriginError::Disagrees(self.clone()));
            }
        }
        Ok(())
    }
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let target = unambiguous_target(text)?;
        let (_, rest) = text.split_once("://").ok_or(OriginError::MoreThanOrigin)?;
        if rest.strip_suffix('/').unwrap_or(rest).contains(['/', '?', '#']) {
            return Err(OriginError::MoreThanOrigin);
        }
        Ok(Self {
            scheme: target.scheme(),
            authority: target.authority().to_owned(),
            terminated: false,
        })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority)
    }
}
