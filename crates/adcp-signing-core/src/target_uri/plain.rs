//! The target URI of plain RFC 9421, which is normalized less than AdCP's.

use super::{Parts, RawHost, RootDot, Rules, TargetUriError, check_text};

/// A target URI taken apart: scheme and host in lower case, the default port left out (RFC 9421
/// §2.2.3), path and query as written. The fragment, which is never sent, is left out.
pub(crate) struct PlainTarget<'a> {
    pub(crate) scheme: &'static str,
    pub(crate) authority: String,
    pub(crate) path: &'a str,
    pub(crate) query: Option<&'a str>,
}

impl<'a> PlainTarget<'a> {
    /// RFC 9421 has no rule for a root dot, and non-ASCII hosts are refused.
    pub(crate) const RULES: Rules = Rules { root_dot: RootDot::Keep, raw_host: RawHost::Refuse };

    pub(crate) fn parse(url: &'a str) -> Result<Self, TargetUriError> {
        check_text(url)?;
        if let Some(offset) = url.bytes().position(|byte| !byte.is_ascii() || byte == b'\\') {
            return Err(TargetUriError::Character { offset });
        }
        let Parts { scheme, authority, path, query } = Parts::of(url)?;
        if authority.userinfo.is_some() {
            return Err(TargetUriError::Userinfo);
        }
        let authority = authority.canonical(scheme, Self::RULES)?;
        Ok(Self { scheme: scheme.as_str(), authority, path, query })
    }

    pub(crate) fn path_or_root(&self) -> &'a str {
        if self.path.is_empty() { "/" } else { self.path }
    }

    pub(crate) fn uri(&self) -> String {
        let (question_mark, query) = self.query.map_or(("", ""), |query| ("?", query));
        format!("{}://{}{}{question_mark}{query}", self.scheme, self.authority, self.path_or_root())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_that_do_not_name_one_place_are_refused() {
        use TargetUriError::*;
        for (url, expected) in [
            ("/path", Scheme),
            ("ftp://example.com/", Scheme),
            ("https:///path", MissingAuthority),
            ("https://", MissingAuthority),
            ("https://:443/", MissingHost),
            ("https://user@example.com/", Userinfo),
            ("https://user:pw@example.com/", Userinfo),
            ("https://[[::1]/", InvalidIpv6),
            ("https://[fe80::1%25eth0]/", ZoneIdentifier),
            ("https://a\"b/", HostCharacter { offset: 1 }),
            ("https://example.com:4a/", Port),
            ("https://example.com:/", Port),
            ("https://example.com:0443/", Port),
            ("https://example.com:65536/", Port),
            ("https://[::1/", MissingClosingBracket),
            ("https://[::1]x/", HostCharacter { offset: 5 }),
            ("https://2001:db8::1/", UnbracketedIpv6),
            ("https://example.com/a b", ControlOrSpace { offset: 21 }),
            ("https://example.com\\@evil.example/", Character { offset: 19 }),
            ("https://ex\u{e4}mple.com/", Character { offset: 10 }),
            ("https://example.com/\u{e4}", Character { offset: 20 }),
        ] {
            assert_eq!(PlainTarget::parse(url).err(), Some(expected), "{url}");
        }
    }

    #[test]
    fn path_and_query_stay_as_written() {
        let target = PlainTarget::parse("HTTP://EXAMPLE.com.:80/a/../%7e/%zz?q=%zz?#f").unwrap();
        assert_eq!(target.uri(), "http://example.com./a/../%7e/%zz?q=%zz?");
    }
}
