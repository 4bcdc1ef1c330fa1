//! The registrable domain (eTLD+1) of a host, by the public suffix list of the `psl` crate.

use crate::guard::PublicUrl;

/// Names that nobody can register (RFC 6761). They are in no list, and stand in examples and tests.
const RESERVED: [&str; 2] = ["example", "test"];

impl PublicUrl {
    /// The registrable domain (eTLD+1) of the host, in lower case and A-labels, by the public suffix
    /// list that this build has (the version of the `psl` crate dates it), private suffixes
    /// included.
    ///
    /// None of an address, of a public suffix, and of a host under a suffix that the list does not
    /// know: where a suffix ends there cannot be told. `.example` and `.test`, which are nobody's,
    /// count as suffixes.
    pub fn registrable_domain(&self) -> Option<&str> {
        let host = self.host();
        // The crate takes every unknown top-level domain for a suffix, the end of an address too.
        let domain = psl::domain(host.as_bytes())?;
        let is_reserved = RESERVED.iter().any(|name| domain.suffix().as_bytes() == name.as_bytes());
        (domain.suffix().is_known() || is_reserved).then_some(())?;
        std::str::from_utf8(domain.as_bytes()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registrable_domain_is_one_label_under_a_known_suffix() {
        for (host, expected) in [
            ("a.b.example.com", Some("example.com")),
            ("Example.COM", Some("example.com")),
            ("a.example.co.uk", Some("example.co.uk")),
            ("me.github.io", Some("me.github.io")),
            ("a.me.github.io", Some("me.github.io")),
            ("a.b.vercel.app", Some("b.vercel.app")),
            ("b\u{fc}cher.example.com", Some("example.com")),
            ("a.buyer.example", Some("buyer.example")),
            ("a.buyer.test", Some("buyer.test")),
            ("github.io", None),
            ("co.uk", None),
            ("a.b.unknown-suffix", None),
            ("8.8.8.8", None),
            ("[2606:4700::1111]", None),
        ] {
            let Ok(url) = format!("https://{host}/x").parse::<PublicUrl>() else {
                // Only what is ASCII is a public URL.
                assert!(!host.is_ascii(), "{host}");
                continue;
            };
            assert_eq!(url.registrable_domain(), expected, "{host}");
        }
    }
}
