//! `PublicUrl`: a URL of a counterparty, checked before anything is fetched from it or sent to it.

use std::{fmt, net::IpAddr, str::FromStr};

use adcp_signing_core::target_uri::{AmbiguousUrl, check_unambiguous};
use reqwest::Url;

use super::address::reserved;

/// The HTTPS URL of a counterparty, of one canonical form, whose host is not an address that is
/// reserved. Names are resolved when something is fetched, and their addresses are checked then.
///
/// `Debug` shows the origin alone.
///
/// ```
/// use adcp_signing_trust::guard::PublicUrl;
///
/// let url: PublicUrl = "https://buyer.example.com/.well-known/jwks.json".parse()?;
/// assert_eq!(url.origin(), "https://buyer.example.com");
/// assert!("http://buyer.example.com/jwks.json".parse::<PublicUrl>().is_err());
/// assert!("https://169.254.169.254/latest".parse::<PublicUrl>().is_err());
/// # Ok::<(), adcp_signing_trust::guard::PublicUrlError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PublicUrl(Url);

/// Why a URL is not public. Nothing is fetched from it, or sent to it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublicUrlError {
    /// Implementations read the URL in different ways.
    #[error("not a public URL: {0}")]
    Ambiguous(#[from] AmbiguousUrl),
    /// The URL is not one.
    #[error("not a public URL: it cannot be parsed; write https://, a host and a path")]
    Malformed,
    /// The URL has a fragment, which is never sent.
    #[error("not a public URL: remove the fragment")]
    Fragment,
    /// The scheme is not `https`.
    #[error("not a public URL: the scheme is not https; name an https URL")]
    NotHttps,
    /// The host is an address that no public server has.
    #[error(
        "not a public URL: its address is reserved ({range}); name a host that the internet reaches"
    )]
    Reserved {
        /// What the address is reserved for.
        range: &'static str,
    },
}

/// Parses a URL of one canonical form, without a fragment. Scheme and host are still to be judged.
///
/// # Errors
/// [`PublicUrlError::Ambiguous`], [`PublicUrlError::Malformed`], [`PublicUrlError::Fragment`].
pub fn parse_url(url: &str) -> Result<Url, PublicUrlError> {
    check_unambiguous(url)?;
    let url = Url::parse(url).map_err(|_| PublicUrlError::Malformed)?;
    if url.fragment().is_some() {
        return Err(PublicUrlError::Fragment);
    }
    Ok(url)
}

/// The address, where the host of a URL is one. No resolver is asked about it.
pub fn literal_address(url: &Url) -> Option<IpAddr> {
    // An IPv6 address stands in brackets.
    url.host_str()?.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

impl PublicUrl {
    /// The whole URL.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Scheme, host and port.
    pub fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }

    /// The URL of this path at the same origin.
    ///
    /// # Errors
    /// [`PublicUrlError`] where the path makes the URL one that nothing is fetched from.
    pub fn at_origin(&self, path: &str) -> Result<Self, PublicUrlError> {
        format!("{}{path}", self.origin()).parse()
    }
}

impl From<PublicUrl> for Url {
    fn from(url: PublicUrl) -> Self {
        url.0
    }
}

#[cfg(feature = "fetch")]
impl PublicUrl {
    /// The host, in lower case and A-labels; an IPv6 address in brackets.
    pub(crate) fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// The URL that a `Location` stands for.
    pub(crate) fn join(&self, location: &str) -> Result<Self, PublicUrlError> {
        let url = self.0.join(location).map_err(|_| PublicUrlError::Malformed)?;
        url.as_str().parse()
    }

    pub(crate) fn port(&self) -> Option<u16> {
        self.0.port_or_known_default()
    }

    pub(crate) fn url(&self) -> &Url {
        &self.0
    }
}

impl FromStr for PublicUrl {
    type Err = PublicUrlError;

    fn from_str(url: &str) -> Result<Self, PublicUrlError> {
        let url = parse_url(url)?;
        if url.scheme() != "https" {
            return Err(PublicUrlError::NotHttps);
        }
        match literal_address(&url).and_then(reserved) {
            Some(range) => Err(PublicUrlError::Reserved { range }),
            None => Ok(Self(url)),
        }
    }
}

impl fmt::Debug for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicUrl({})", self.origin())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_https_with_one_canonical_form_and_no_reserved_address() {
        for url in [
            "https://buyer.example.com",
            "https://buyer.example.com:9443/a/b?c=d",
            "https://8.8.8.8/jwks.json",
            "https://[2606:4700::1111]/jwks.json",
        ] {
            assert!(url.parse::<PublicUrl>().is_ok(), "{url}");
        }
        let refused = |url: &str| url.parse::<PublicUrl>().unwrap_err();
        for url in ["http://buyer.example.com/", "http://127.0.0.1/"] {
            assert_eq!(refused(url), PublicUrlError::NotHttps, "{url}");
        }
        for (url, part) in [
            ("https://127.0.0.1/", "loopback"),
            ("https://10.1.2.3/", "private use"),
            ("https://169.254.169.254/latest", "link-local"),
            ("https://[::1]/", "loopback"),
            ("https://[::ffff:7f00:1]/", "IPv4 mapped"),
            ("https://[64:ff9b::a9fe:a9fe]/", "link-local"),
            ("https://[fd00:ec2::254]/", "unique local"),
        ] {
            let error = refused(url);
            assert!(
                matches!(error, PublicUrlError::Reserved { range } if range.starts_with(part)),
                "{url}: {error}"
            );
        }
        assert_eq!(refused("https://buyer.example.com/#a"), PublicUrlError::Fragment);
        for url in [
            "https://user@buyer.example.com/",
            "https://0x7f.1/",
            "https://2130706433/",
            "https://buyer.example.com./",
            "https://buyer.example.com/?",
            "ftp://buyer.example.com/",
            "/jwks.json",
            "",
        ] {
            assert!(
                matches!(refused(url), PublicUrlError::Ambiguous(_)),
                "{url}: {}",
                refused(url)
            );
        }
    }

    #[test]
    fn another_path_of_the_origin_keeps_the_port() {
        let url: PublicUrl = "https://buyer.example.com:9443/adcp?x=1".parse().unwrap();
        let other = url.at_origin("/.well-known/jwks.json").unwrap();
        assert_eq!(other.as_str(), "https://buyer.example.com:9443/.well-known/jwks.json");
        assert!(url.at_origin("/#a").is_err());
        #[cfg(feature = "fetch")]
        assert!(matches!(url.join("//10.0.0.1/x"), Err(PublicUrlError::Reserved { .. })));
    }

    #[test]
    fn only_the_origin_is_shown() {
        let url: PublicUrl = "https://buyer.example.com/a?token=secret".parse().unwrap();
        assert_eq!(format!("{url:?}"), "PublicUrl(https://buyer.example.com)");
    }
}
