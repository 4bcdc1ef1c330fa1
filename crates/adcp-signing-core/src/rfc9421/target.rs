//! The target URI taken apart (RFC 9110 §7.1), with no more normalization than plain RFC 9421
//! wants.

use super::ComponentError;

/// An `http` or `https` target URI.
pub(super) struct Target<'a> {
    /// In lower case.
    pub(super) scheme: &'static str,
    /// In lower case, without the default port.
    pub(super) authority: String,
    /// As received; may be empty.
    pub(super) path: &'a str,
    /// As received, without the question mark.
    pub(super) query: Option<&'a str>,
}

fn problem(problem: &'static str) -> ComponentError {
    ComponentError::TargetUri { problem }
}

impl<'a> Target<'a> {
    pub(super) fn parse(uri: &'a str) -> Result<Self, ComponentError> {
        if !uri.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
            return Err(problem("has a character that a URI cannot have"));
        }
        let (scheme, rest) = uri.split_once("://").ok_or_else(|| problem("is not absolute"))?;
        let scheme = ["https", "http"].into_iter().find(|known| scheme.eq_ignore_ascii_case(known));
        let scheme = scheme.ok_or_else(|| problem("has a scheme other than http and https"))?;
        let without_fragment = rest.split_once('#').map_or(rest, |(before, _)| before);
        let (hierarchy, query) = match without_fragment.split_once('?') {
            Some((hierarchy, query)) => (hierarchy, Some(query)),
            None => (without_fragment, None),
        };
        let authority_len = hierarchy.find('/').unwrap_or(hierarchy.len());
        let (authority, path) =
            hierarchy.split_at_checked(authority_len).ok_or_else(|| problem("has no authority"))?;
        Ok(Self { scheme, authority: normalize_authority(scheme, authority)?, path, query })
    }

    /// Another spelling of an authority, normalized as for this target's scheme.
    pub(super) fn authority_in_scheme(&self, authority: &str) -> Result<String, ComponentError> {
        normalize_authority(self.scheme, authority)
    }

    pub(super) fn path_or_root(&self) -> &'a str {
        if self.path.is_empty() { "/" } else { self.path }
    }

    pub(super) fn uri(&self) -> String {
        let (question_mark, query) = self.query.map_or(("", ""), |query| ("?", query));
        format!("{}://{}{}{question_mark}{query}", self.scheme, self.authority, self.path_or_root())
    }
}

/// RFC 9421 §2.2.3: the host in lower case, the default port of the scheme left out.
fn normalize_authority(scheme: &str, authority: &str) -> Result<String, ComponentError> {
    let host_len = if authority.starts_with('[') {
        authority
            .find(']')
            .map(|end| end + 1)
            .ok_or_else(|| problem("has an unclosed IPv6 address"))?
    } else {
        authority.find(':').unwrap_or(authority.len())
    };
    let (host, port) =
        authority.split_at_checked(host_len).ok_or_else(|| problem("has no host"))?;
    if host.is_empty() {
        return Err(problem("has no host"));
    }
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let sound = match address {
        Some(address) => {
            address.bytes().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.'))
        }
        None => host.bytes().all(is_reg_name_byte),
    };
    if !sound {
        return Err(problem("has userinfo or a character that a host cannot have"));
    }
    let port = match port.strip_prefix(':') {
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits,
        None if port.is_empty() => "",
        _ => return Err(problem("has a malformed port")),
    };
    let number = match port {
        "" => None,
        digits => Some(digits.parse::<u16>().map_err(|_| problem("has a port beyond 65535"))?),
    };
    let default = if scheme == "https" { 443 } else { 80 };
    let mut normalized = host.to_ascii_lowercase();
    if let Some(number) = number.filter(|number| *number != default) {
        normalized.push(':');
        normalized.push_str(&number.to_string());
    }
    Ok(normalized)
}

/// A character of `reg-name` (RFC 3986 §3.2.2).
const fn is_reg_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'%')
        || matches!(
            byte,
            b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'='
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_that_name_no_one_place_are_refused() {
        for (uri, expected) in [
            ("/path", "is not absolute"),
            ("ftp://example.com/", "has a scheme other than http and https"),
            ("https:///path", "has no host"),
            ("https://", "has no host"),
            ("https://user@example.com/", "has userinfo or a character that a host cannot have"),
            ("https://[[::1]/", "has userinfo or a character that a host cannot have"),
            ("https://[fe80::1%25eth0]/", "has userinfo or a character that a host cannot have"),
            ("https://a\"b/", "has userinfo or a character that a host cannot have"),
            ("https://user:pw@example.com/", "has a malformed port"),
            ("https://example.com:4a/", "has a malformed port"),
            ("https://example.com:65536/", "has a port beyond 65535"),
            ("https://[::1/", "has an unclosed IPv6 address"),
            ("https://[::1]x/", "has a malformed port"),
            ("https://2001:db8::1/", "has a malformed port"),
            ("https://example.com/a b", "has a character that a URI cannot have"),
            ("https://example.com\\@evil.example/", "has a character that a URI cannot have"),
            ("https://exämple.com/", "has a character that a URI cannot have"),
        ] {
            assert_eq!(Target::parse(uri).err(), Some(problem(expected)), "{uri}");
        }
    }
}
