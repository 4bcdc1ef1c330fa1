//! `WebhookTarget`: a URL that a counterparty registered, checked before anything is sent to it.

use std::{fmt, str::FromStr};

use adcp_signing_trust::guard::{PublicUrl, PublicUrlError, literal_address, parse_url};
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
    /// The URL is not one that a public receiver has.
    #[error(transparent)]
    NotPublic(#[from] PublicUrlError),
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
        let url = parse_url(url)?;
        if literal_address(&url).is_some_and(|address| address.is_loopback()) {
            Ok(Self { url })
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
}

impl FromStr for WebhookTarget {
    type Err = TargetError;

    fn from_str(url: &str) -> Result<Self, TargetError> {
        let url: PublicUrl = url.parse()?;
        Ok(Self { url: url.into() })
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
    fn a_target_is_public() {
        assert!("https://buyer.example.com:9443/a/b?c=d".parse::<WebhookTarget>().is_ok());
        for url in [
            "http://buyer.example.com/",
            "http://127.0.0.1/",
            "https://169.254.169.254/latest",
            "https://buyer.example.com/#a",
            "https://user@buyer.example.com/",
        ] {
            let error = url.parse::<PublicUrl>().unwrap_err();
            assert_eq!(url.parse::<WebhookTarget>(), Err(TargetError::NotPublic(error)), "{url}");
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
