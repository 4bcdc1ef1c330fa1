//! `WebhookTarget`: a URL that a counterparty registered, checked before anything is sent to it.

use std::{fmt, net::IpAddr, str::FromStr};

use adcp_signing_core::target_uri::{AmbiguousUrl, check_unambiguous};
use adcp_signing_trust::guard::reserved;
use reqwest::Url;

/// The URL of a webhook registration, as a seller may send to it ("Webhook URL validation (SSRF)",
/// security guide): HTTPS, one canonical form, and no address that is reserved. A name is resolved
/// when something is sent, and its addresses are checked then.
///
/// Path and query of such a URL are often secret, so `Debug` and `Display` show the origin alone.
///
/// ```
/// use adcp_signing_http::webhook::WebhookTarget;
///
/// let target: WebhookTarget = "https://buyer.example.com:9443/hooks/7?secret=x".parse()?;
/// assert_eq!(target.to_string(), "https://buyer.example.com:9443");
/// assert!("http://buyer.example.com/hooks".parse::<WebhookTarget>().is_err());
/// assert!("https://169.254.169.254/latest".parse::<WebhookTarget>().is_err());
/// # Ok::<(), adcp_signing_http::webhook::TargetError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct WebhookTarget {
    url: Url,
}

/// Why webhooks are not sent to a URL. Refuse the registration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// Implementations canonicalize the URL to different bytes, so some could not verify.
    #[error("not a URL for webhooks: {0}")]
    Ambiguous(#[from] AmbiguousUrl),
    /// The URL is not one.
    #[error("not a URL for webhooks: it cannot be parsed; write https://, a host and a path")]
    Malformed,
    /// The URL has a fragment, which is never sent.
    #[error("not a URL for webhooks: remove the fragment")]
    Fragment,
    /// The scheme is not `https`.
    #[error("not a URL for webhooks: the scheme is not https; register an https URL")]
    NotHttps,
    /// The host is an address that no public receiver has.
    #[error(
        "not a URL for webhooks: its address is reserved ({range}); register a name or an address \
         that the internet reaches"
    )]
    Reserved {
        /// What the address is reserved for.
        range: &'static str,
    },
    /// The host is not an address of this machine.
    #[error(
        "not a loopback URL: write http or https, and 127.0.0.1 or [::1] as the host, not a name"
    )]
    NotLoopback,
}

impl WebhookTarget {
    /// A receiver on this machine, over `http` or `https`, for development and tests: the host is a
    /// literal loopback address. Never pass what a counterparty registered.
    ///
    /// # Errors
    /// [`TargetError`].
    pub fn loopback_for_development(url: &str) -> Result<Self, TargetError> {
        let target = Self::parse_any(url)?;
        if target.address().is_some_and(|address| address.is_loopback()) {
            Ok(target)
        } else {
            Err(TargetError::NotLoopback)
        }
    }

    /// A target that [`as_str`](Self::as_str) gave, out of a store: one that was parsed, or one for
    /// development. Never pass what a counterparty registered.
    ///
    /// # Errors
    /// [`TargetError`].
    pub fn restore(stored: &str) -> Result<Self, TargetError> {
        Self::loopback_for_development(stored).or_else(|_| stored.parse())
    }

    /// The whole URL, secret parts included: to store it.
    pub fn as_str(&self) -> &str {
        self.url.as_str()
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    fn parse_any(url: &str) -> Result<Self, TargetError> {
        check_unambiguous(url)?;
        let url = Url::parse(url).map_err(|_| TargetError::Malformed)?;
        if url.fragment().is_some() {
            return Err(TargetError::Fragment);
        }
        Ok(Self { url })
    }

    /// The address, where the host is a literal.
    fn address(&self) -> Option<IpAddr> {
        let host = self.url.host_str()?;
        // An IPv6 address stands in brackets.
        host.trim_start_matches('[').trim_end_matches(']').parse().ok()
    }
}

impl FromStr for WebhookTarget {
    type Err = TargetError;

    fn from_str(url: &str) -> Result<Self, TargetError> {
        let target = Self::parse_any(url)?;
        if target.url.scheme() != "https" {
            return Err(TargetError::NotHttps);
        }
        // Resolvers are not asked about literals, so these are checked here.
        match target.address().and_then(reserved) {
            Some(range) => Err(TargetError::Reserved { range }),
            None => Ok(target),
        }
    }
}

impl fmt::Display for WebhookTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url.origin().ascii_serialization())
    }
}

impl fmt::Debug for WebhookTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebhookTarget({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_https_with_one_canonical_form_and_no_reserved_address() {
        for url in [
            "https://buyer.example.com",
            "https://buyer.example.com:9443/a/b?c=d",
            "https://8.8.8.8/hooks",
            "https://[2606:4700::1111]/hooks",
        ] {
            assert!(url.parse::<WebhookTarget>().is_ok(), "{url}");
        }
        let refused = |url: &str| url.parse::<WebhookTarget>().unwrap_err();
        for url in ["http://buyer.example.com/", "http://127.0.0.1/"] {
            assert_eq!(refused(url), TargetError::NotHttps, "{url}");
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
                matches!(error, TargetError::Reserved { range } if range.starts_with(part)),
                "{url}: {error}"
            );
        }
        assert_eq!(refused("https://buyer.example.com/#a"), TargetError::Fragment);
        for url in [
            "https://user@buyer.example.com/",
            "https://0x7f.1/",
            "https://2130706433/",
            "https://buyer.example.com/?",
            "ftp://buyer.example.com/",
            "/hooks",
            "",
        ] {
            assert!(matches!(refused(url), TargetError::Ambiguous(_)), "{url}: {}", refused(url));
        }
    }

    #[test]
    fn a_loopback_target_is_a_literal_address_of_this_machine() {
        for url in ["http://127.0.0.1:8080/x", "http://[::1]/x", "https://127.0.0.2/x"] {
            assert!(WebhookTarget::loopback_for_development(url).is_ok(), "{url}");
        }
        for url in ["http://localhost/x", "http://10.0.0.1/x", "https://buyer.example.com/"] {
            let refused = WebhookTarget::loopback_for_development(url);
            assert_eq!(refused, Err(TargetError::NotLoopback), "{url}");
        }
    }

    #[test]
    fn a_target_that_was_stored_comes_back_and_no_other_is_taken_for_one() {
        let parsed: WebhookTarget = "https://buyer.example.com/hooks?token=1".parse().unwrap();
        let loopback = WebhookTarget::loopback_for_development("http://[::1]:81/x").unwrap();
        for target in [parsed, loopback] {
            assert_eq!(WebhookTarget::restore(target.as_str()), Ok(target));
        }
        for url in ["http://buyer.example.com/", "https://10.0.0.1/", "http://localhost/"] {
            assert!(WebhookTarget::restore(url).is_err(), "{url}");
        }
    }

    #[test]
    fn only_the_origin_is_shown() {
        let target: WebhookTarget =
            "https://buyer.example.com/secret?token=secret".parse().unwrap();
        assert!(!format!("{target:?} {target}").contains("secret"));
        assert!(target.as_str().contains("token=secret"));
    }
}
