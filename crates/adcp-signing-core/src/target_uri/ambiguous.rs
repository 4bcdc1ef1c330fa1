//! The signer's check for URLs that two correct-looking implementations canonicalize to different
//! bytes.

use std::net::{Ipv4Addr, Ipv6Addr};

use thiserror::Error;

use super::authority::Authority;
use super::{
    MAX_URL_BYTES, Parts, RawHost, RootDot, Rules, TargetUri, TargetUriError, control_or_space, cut,
};
use crate::text::{all_bytes, class::Class, percent::escape};

/// A URL that signers and verifiers in use canonicalize to different bytes, so that its signature
/// may not verify.
///
/// Offsets are in bytes from the start of the named component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AmbiguousUrl {
    /// Userinfo before the host: refused by some, stripped by others.
    #[error("the URL has userinfo: remove it and send credentials in a header")]
    Userinfo,
    /// A host with U-labels: refused by some, converted by others.
    #[error("the host has non-ASCII characters: write it in A-labels (xn--)")]
    UnicodeHost,
    /// A trailing root dot: kept by some, stripped by others.
    #[error("the host ends in a dot: remove it")]
    RootDot,
    /// An IPv4 address in shorthand, octal or hex, or a host ending in a number: rewritten or
    /// refused by some.
    #[error(
        "the host ends in a number but is not a dotted-decimal IPv4 address: write all four decimal parts"
    )]
    Ipv4Spelling,
    /// An IPv6 address not in its shortest hexadecimal form: rewritten by some.
    #[error(
        "the IPv6 address is not in its compressed form: write it as RFC 5952 does, in hexadecimal only"
    )]
    Ipv6Spelling,
    /// An empty port, one over 65535 or one with leading zeros: kept, rewritten or refused.
    #[error(
        "the port is empty, over 65535, has leading zeros or is not a number: write it plainly or leave it out"
    )]
    Port,
    /// A backslash: a slash to some.
    #[error("the URL has a backslash: write '/' or %5C")]
    Backslash,
    /// A space or control character: dropped, encoded or refused.
    #[error("space or control character at byte {offset} of the URL: percent-encode it")]
    ControlOrSpace {
        /// Byte offset into the URL.
        offset: usize,
    },
    /// A percent-encoded dot segment (`%2e`, `.%2E`): removed by some, decoded into a live `..` by
    /// others.
    #[error("the path has a percent-encoded dot segment: resolve it before signing")]
    EncodedDotSegment,
    /// A path byte outside RFC 3986 `pchar`: percent-encoded by some, kept by others.
    #[error("byte {offset} of the path must be percent-encoded")]
    PathCharacter {
        /// Byte offset into the path.
        offset: usize,
    },
    /// `?` with nothing after it: dropped by some, kept by others.
    #[error("the query is empty: remove the '?'")]
    EmptyQuery,
    /// A query byte that is encoded by some and kept by others.
    #[error("byte {offset} of the query must be percent-encoded")]
    QueryCharacter {
        /// Byte offset into the query.
        offset: usize,
    },
    /// A query escape that is malformed, in lower-case hex or of an unreserved character: rewritten
    /// by some.
    #[error(
        "the escape at byte {offset} of the query is not in normal form: write upper-case hex, and letters, digits \
         and '-._~' plainly"
    )]
    QueryEscape {
        /// Byte offset into the query.
        offset: usize,
    },
    /// The URL has no canonical form at all.
    #[error(transparent)]
    Malformed(#[from] TargetUriError),
}

/// Whether every implementation in use canonicalizes `url` to the same bytes.
///
/// Shapes on which all agree pass: letter case of scheme and host, default ports, plain dot
/// segments, escapes in the path, the fragment.
///
/// # Errors
///
/// [`AmbiguousUrl`], which says what to change.
///
/// ```
/// use adcp_signing_core::target_uri::{AmbiguousUrl, check_unambiguous};
///
/// assert_eq!(check_unambiguous("https://seller.example.com/adcp?page=2"), Ok(()));
/// assert_eq!(check_unambiguous("https://seller.example.com/adcp?"), Err(AmbiguousUrl::EmptyQuery));
/// ```
pub fn check_unambiguous(url: &str) -> Result<(), AmbiguousUrl> {
    unambiguous_target(url).map(drop)
}

/// The canonical form of a URL that every implementation in use canonicalizes alike, and so the
/// same by all [`Rules`].
pub(crate) fn unambiguous_target(url: &str) -> Result<TargetUri, AmbiguousUrl> {
    if url.len() > MAX_URL_BYTES {
        return Err(TargetUriError::TooLong { length: url.len() }.into());
    }
    if let Some(offset) = control_or_space(url) {
        return Err(AmbiguousUrl::ControlOrSpace { offset });
    }
    let has_backslash = |text: &str| !all_bytes(text, |byte| byte != b'\\');
    if has_backslash(url) && has_backslash(cut(url, '#').0) {
        return Err(AmbiguousUrl::Backslash);
    }
    let parts = Parts::of(url)?;
    check_spelling(&parts.authority)?;
    check_path(parts.path)?;
    parts.query.map_or(Ok(()), check_query)?;
    Ok(TargetUri::of_parts(&parts, Rules { root_dot: RootDot::Strip, raw_host: RawHost::Refuse })?)
}

/// Whether all implementations canonicalize the authority alike.
fn check_spelling(&Authority { userinfo, host, port }: &Authority<'_>) -> Result<(), AmbiguousUrl> {
    if userinfo.is_some() {
        return Err(AmbiguousUrl::Userinfo);
    }
    if port.is_some_and(|port| {
        port.parse::<u16>().map(|number| number.to_string()).as_deref() != Ok(port)
    }) {
        return Err(AmbiguousUrl::Port);
    }
    if !host.is_ascii() {
        return Err(AmbiguousUrl::UnicodeHost);
    }
    if let Some(literal) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return check_ipv6(literal);
    }
    if host.ends_with('.') && host.len() > 1 && !host.contains("..") {
        return Err(AmbiguousUrl::RootDot);
    }
    if ends_in_number(host) && host.parse::<Ipv4Addr>().is_err() {
        return Err(AmbiguousUrl::Ipv4Spelling);
    }
    Ok(())
}

fn check_ipv6(literal: &str) -> Result<(), AmbiguousUrl> {
    // The canonicalizer refuses a literal that is not an address.
    let Ok(address) = literal.parse::<Ipv6Addr>() else { return Ok(()) };
    let shortest = match (address.to_ipv4_mapped(), address.segments()) {
        (Some(_), [.., high, low]) => format!("::ffff:{high:x}:{low:x}"),
        (None, _) => address.to_string(),
    };
    if shortest.eq_ignore_ascii_case(literal) { Ok(()) } else { Err(AmbiguousUrl::Ipv6Spelling) }
}

/// The WHATWG test for a host that is parsed as an IPv4 address: the last label is decimal or `0x`
/// hex.
fn ends_in_number(host: &str) -> bool {
    if !host.ends_with(|last: char| last.is_ascii_hexdigit() || matches!(last, 'x' | 'X')) {
        return false;
    }
    let last = host.rsplit_once('.').map_or(host, |(_, last)| last);
    let hex = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    (!last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit()))
        || hex.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn check_path(path: &str) -> Result<(), AmbiguousUrl> {
    if path.contains('%') && path.split('/').any(is_encoded_dot_segment) {
        return Err(AmbiguousUrl::EncodedDotSegment);
    }
    match path.bytes().position(|byte| !Class::PCHAR.has(byte) && byte != b'/') {
        Some(offset) => Err(AmbiguousUrl::PathCharacter { offset }),
        None => Ok(()),
    }
}

fn is_encoded_dot_segment(segment: &str) -> bool {
    segment.contains('%')
        && matches!(segment.to_ascii_lowercase().as_str(), "%2e" | "%2e." | ".%2e" | "%2e%2e")
}

fn check_query(query: &str) -> Result<(), AmbiguousUrl> {
    if query.is_empty() {
        return Err(AmbiguousUrl::EmptyQuery);
    }
    // A single quote is legal in a query, and yet WHATWG parsers encode it.
    let changes =
        |byte: u8| byte == b'\'' || !(Class::PCHAR.has(byte) || matches!(byte, b'/' | b'?'));
    if let Some(offset) = query.bytes().position(changes) {
        return Err(AmbiguousUrl::QueryCharacter { offset });
    }
    let mut rest = query;
    while let Some((_, tail)) = rest.split_once('%') {
        let is_normal = escape(tail).is_some_and(|(octet, _)| !Class::UNRESERVED.has(octet))
            && !tail.bytes().take(2).any(|digit| digit.is_ascii_lowercase());
        if !is_normal {
            return Err(AmbiguousUrl::QueryEscape { offset: query.len() - tail.len() - 1 });
        }
        rest = tail;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_that_every_implementation_canonicalizes_alike_pass() {
        for url in [
            "https://seller.example.com/adcp/create_media_buy",
            "HTTPS://Seller.Example.COM:443/a/../b/./c//d",
            "https://xn--bcher-kva.example/p",
            "https://127.0.0.1:8080/p",
            "https://[2001:DB8::1]/p",
            "https://[::ffff:7f00:1]/p",
            "https://seller.example.com",
            "https://h.example/%2F%41%7e'x'?a=1&b=%2F%20+&c=/?:@",
            "https://my_host:8443/p#fragment",
            "https://h.example/...?x",
        ] {
            assert_eq!(check_unambiguous(url), Ok(()), "{url}");
        }
    }

    #[test]
    fn each_shape_on_which_implementations_disagree_is_named() {
        use AmbiguousUrl::*;
        for (url, why) in [
            ("https://h.example/p?", EmptyQuery),
            ("https://h.example?", EmptyQuery),
            ("https://h.example./p", RootDot),
            ("https://user@h.example/p", Userinfo),
            ("https://@h.example/p", Userinfo),
            ("https://h.example/p?x=%7e", QueryEscape { offset: 2 }),
            ("https://h.example/p?x=%7E", QueryEscape { offset: 2 }),
            ("https://h.example/p?x=%2f", QueryEscape { offset: 2 }),
            ("https://h.example/p?x=%zz", QueryEscape { offset: 2 }),
            ("https://h.example/p?x=%2", QueryEscape { offset: 2 }),
            ("https://h.example/p?é", QueryCharacter { offset: 0 }),
            ("https://h.example/p?a\"", QueryCharacter { offset: 1 }),
            ("https://h.example/p?a'", QueryCharacter { offset: 1 }),
            ("https://h.example/p?<", QueryCharacter { offset: 0 }),
            ("https://h.example/p?>", QueryCharacter { offset: 0 }),
            ("https://h.example/p?a[]=1", QueryCharacter { offset: 1 }),
            ("https://bücher.example/p", UnicodeHost),
            ("https://h.example/%2e%2e/x", EncodedDotSegment),
            ("https://h.example/a/.%2E/x", EncodedDotSegment),
            ("https://h.example/a/%2e", EncodedDotSegment),
            ("https://h.example\\@evil.example/p", Backslash),
            ("https://h.example/a\\b", Backslash),
            ("https://h.example/a b", ControlOrSpace { offset: 19 }),
            ("https://h.example/a\tb", ControlOrSpace { offset: 19 }),
            ("https://h.example/{id}", PathCharacter { offset: 1 }),
            ("https://h.example/a^", PathCharacter { offset: 2 }),
            ("https://h.example/|", PathCharacter { offset: 1 }),
            ("https://h.example/`", PathCharacter { offset: 1 }),
            ("https://h.example/<", PathCharacter { offset: 1 }),
            ("https://h.example/\"", PathCharacter { offset: 1 }),
            ("https://h.example/é", PathCharacter { offset: 1 }),
            ("https://127.1/p", Ipv4Spelling),
            ("https://0x7f.1/p", Ipv4Spelling),
            ("https://0x7f000001/p", Ipv4Spelling),
            ("https://0177.0.0.1/p", Ipv4Spelling),
            ("https://a.b.0x/p", Ipv4Spelling),
            ("https://2130706433/p", Ipv4Spelling),
            ("https://[2001:db8:0:0::1]/p", Ipv6Spelling),
            ("https://[0:0:0:0:0:0:0:1]/p", Ipv6Spelling),
            ("https://[::ffff:127.0.0.1]/p", Ipv6Spelling),
            ("https://h.example:99999/p", Port),
            ("https://h.example:0443/p", Port),
            ("https://h.example:/p", Port),
            ("https://h.example:+443/p", Port),
            ("https://h.example/%zz", Malformed(TargetUriError::PercentEncoding { offset: 1 })),
            ("https://h..example/p", Malformed(TargetUriError::EmptyLabel)),
            ("https:///p", Malformed(TargetUriError::MissingAuthority)),
            ("https:h.example/p", Malformed(TargetUriError::MissingAuthority)),
            ("ftp://h.example/p", Malformed(TargetUriError::Scheme)),
            ("https://h%2eexample/p", Malformed(TargetUriError::HostCharacter { offset: 1 })),
        ] {
            assert_eq!(check_unambiguous(url), Err(why), "{url}");
        }
    }

    #[test]
    fn no_message_repeats_the_url() {
        let error = check_unambiguous("https://user:hunter2@h.example/p").unwrap_err();
        assert!(!error.to_string().contains("hunter2"));
    }
}
