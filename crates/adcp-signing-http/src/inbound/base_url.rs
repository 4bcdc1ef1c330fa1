//! `BaseUrl`: under which URL the clients of a server reach it.

use std::{fmt, str::FromStr};

use adcp_signing_core::{
    http_message::{Origin, OriginError},
    target_uri::{AmbiguousUrl, check_unambiguous},
};

/// The URL under which clients reach a server: scheme, authority, and the path that a proxy in front
/// takes off before it forwards a request.
///
/// It comes from the configuration. A received request proves none of it.
///
/// ```
/// use adcp_signing_http::BaseUrl;
///
/// let base: BaseUrl = "https://api.example.com/agents/7".parse()?;
/// assert_eq!(base.to_string(), "https://api.example.com/agents/7");
/// assert!("https://api.example.com/agents?id=7".parse::<BaseUrl>().is_err());
/// # Ok::<(), adcp_signing_http::BaseUrlError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BaseUrl {
    pub(super) origin: Origin,
    /// Empty, or `/` and segments, without a slash at the end.
    pub(super) prefix: String,
}

/// Why a text is not a base URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BaseUrlError {
    /// The URL can be read in two ways.
    #[error("not a base URL: {0}")]
    Ambiguous(#[from] AmbiguousUrl),
    /// Scheme or authority is not one.
    #[error("not a base URL: {0}")]
    Origin(#[from] OriginError),
    /// There is a query or a fragment.
    #[error("a base URL ends with its path; remove the query and the fragment")]
    MoreThanPath,
    /// The path has two slashes in a row.
    #[error("the path of a base URL has an empty segment; write single slashes")]
    EmptySegment,
    /// The path has a segment `.` or `..`.
    #[error("the path of a base URL has a dot segment; write the path that it stands for")]
    DotSegment,
}

impl BaseUrl {
    /// Accepts `http` in a received absolute URI as this server's `https`, for a proxy that
    /// terminates TLS: see [`Origin::with_tls_terminated_in_front`].
    #[must_use]
    pub fn with_tls_terminated_in_front(mut self) -> Self {
        self.origin = self.origin.with_tls_terminated_in_front();
        self
    }
}

impl FromStr for BaseUrl {
    type Err = BaseUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        check_unambiguous(text)?;
        if text.contains(['?', '#']) {
            return Err(BaseUrlError::MoreThanPath);
        }
        let after_scheme = text.find("://").map_or(0, |at| at.saturating_add(3));
        let path = text.get(after_scheme..).and_then(|rest| rest.find('/'));
        let (origin, prefix) = match path.and_then(|at| text.split_at_checked(after_scheme + at)) {
            Some((origin, path)) => (origin, path.strip_suffix('/').unwrap_or(path)),
            None => (text, ""),
        };
        if prefix.contains("//") || prefix.ends_with('/') {
            return Err(BaseUrlError::EmptySegment);
        }
        if prefix.split('/').any(|segment| matches!(segment, "." | "..")) {
            return Err(BaseUrlError::DotSegment);
        }
        Ok(Self { origin: origin.parse()?, prefix: prefix.to_owned() })
    }
}

impl From<Origin> for BaseUrl {
    fn from(origin: Origin) -> Self {
        Self { origin, prefix: String::new() }
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_is_an_origin_and_a_plain_path() {
        for (text, origin, prefix) in [
            ("https://seller.example.com", "https://seller.example.com", ""),
            ("https://seller.example.com/", "https://seller.example.com", ""),
            ("https://Seller.example.com:443/a/b/", "https://seller.example.com", "/a/b"),
            ("http://127.0.0.1:8080/x", "http://127.0.0.1:8080", "/x"),
            ("https://[2001:db8::1]:8443/x", "https://[2001:db8::1]:8443", "/x"),
        ] {
            let base: BaseUrl = text.parse().unwrap();
            assert_eq!((base.origin.to_string().as_str(), base.prefix.as_str()), (origin, prefix));
        }
        for (text, part) in [
            ("https://seller.example.com?x", "query"),
            ("https://seller.example.com/a?x", "query"),
            ("https://seller.example.com/a#x", "fragment"),
            ("https://seller.example.com/a//b", "empty segment"),
            ("https://seller.example.com//", "empty segment"),
            ("https://seller.example.com/a/../b", "dot"),
            ("https://user@seller.example.com/a", "user"),
            ("seller.example.com", "scheme"),
            ("/a", "scheme"),
            ("", "scheme"),
        ] {
            let error = text.parse::<BaseUrl>().unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
