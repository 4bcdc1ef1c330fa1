//! Which redirects are followed: those of two well-known documents, within their site.

use crate::guard::{PublicUrl, literal_address};

/// How many redirects of one document are followed.
pub(super) const MAX_HOPS: usize = 3;

/// Which redirects are followed for a document ("Webhook URL validation (SSRF)", step 4). Every
/// target is checked like a URL of its own, and compared with the URL that was asked for first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Redirects {
    /// None: whatever somebody named by URL.
    Never,
    /// From a host to the same host with or without `www.`, on the same port.
    WwwTwin,
    /// Within one registrable domain, on the same port.
    SameSite,
}

impl Redirects {
    /// Whether a document that was asked for at `asked` may be read at `target`.
    pub(super) fn allow(self, asked: &PublicUrl, target: &PublicUrl) -> bool {
        if asked.port() != target.port() {
            return false;
        }
        match self {
            Self::Never => false,
            Self::WwwTwin => {
                let bare = |url: &PublicUrl| {
                    let host = url.host();
                    host.strip_prefix("www.").unwrap_or(host).to_owned()
                };
                literal_address(asked.url()).is_none() && bare(asked) == bare(target)
            }
            Self::SameSite => asked
                .registrable_domain()
                .is_some_and(|site| target.registrable_domain() == Some(site)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(host: &str) -> PublicUrl {
        format!("https://{host}/x").parse().unwrap()
    }

    #[test]
    fn a_host_and_its_www_twin_lead_to_each_other_alone() {
        let allow = |from, to| Redirects::WwwTwin.allow(&url(from), &url(to));
        for (from, to) in [
            ("example.com", "www.example.com"),
            ("www.example.com", "example.com"),
            ("example.com", "example.com"),
            ("example.com:8443", "www.example.com:8443"),
        ] {
            assert!(allow(from, to), "{from} {to}");
        }
        for (from, to) in [
            ("example.com", "example.net"),
            ("example.com", "cdn.example.com"),
            ("example.com", "www.example.com:8443"),
            ("example.com", "www.www.example.com"),
            ("8.8.8.8", "8.8.8.8"),
            ("[2606:4700::1111]", "[2606:4700::1111]"),
        ] {
            assert!(!allow(from, to), "{from} {to}");
        }
        assert!(!Redirects::Never.allow(&url("example.com"), &url("example.com")));
    }

    #[test]
    fn a_site_is_a_registrable_domain_under_a_known_suffix() {
        let allow = |from, to| Redirects::SameSite.allow(&url(from), &url(to));
        for (from, to) in [
            ("example.com", "cdn.example.com"),
            ("a.example.co.uk", "b.example.co.uk"),
            ("Example.COM", "www.example.com"),
            ("xn--bcher-kva.example.com", "example.com"),
            ("me.github.io", "www.me.github.io"),
        ] {
            assert!(allow(from, to), "{from} {to}");
        }
        for (from, to) in [
            ("example.com", "example.net"),
            ("example.com", "example.com:8443"),
            ("me.github.io", "you.github.io"),
            ("a.co.uk", "b.co.uk"),
            ("github.io", "github.io"),
            ("8.8.8.8", "1.1.8.8"),
            ("a.unknown-suffix", "b.a.unknown-suffix"),
        ] {
            assert!(!allow(from, to), "{from} {to}");
        }
    }
}
