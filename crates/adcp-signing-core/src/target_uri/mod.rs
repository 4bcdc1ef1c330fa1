//! AdCP URL canonicalization: `@target-uri` and `@authority` in the eight steps of the
//! specification.
//!
//! The steps work on the string. A WHATWG parser rewrites more than they allow (backslashes, IPv4
//! shorthand, the query), so none is used.

mod ambiguous;
mod authority;
mod error;
mod path;
mod plain;

pub(crate) use ambiguous::unambiguous_target;
pub use ambiguous::{AmbiguousUrl, check_unambiguous};
use authority::Authority;
pub use error::TargetUriError;
pub(crate) use plain::PlainTarget;

use crate::text::all_bytes;

/// The longest URL that is looked at, in bytes.
pub const MAX_URL_BYTES: usize = 8 * 1024;

/// The contract version's rule for the trailing root dot of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RootDot {
    /// Since contract 3.2.0-beta.0: one trailing dot is stripped, two or more and empty inner
    /// labels are refused.
    Strip,
    /// Contracts 3.0 and 3.1 have no rule: dots and empty labels are left as they are.
    Keep,
}

/// The treatment of a host with raw non-ASCII characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RawHost {
    /// The signer's side: U-labels become A-labels.
    Convert,
    /// The verifier's side: refused, a receiver never re-normalizes.
    Refuse,
}

/// How to canonicalize: the contract version's rule and the side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rules {
    /// The trailing root dot.
    pub root_dot: RootDot,
    /// Raw non-ASCII hosts.
    pub raw_host: RawHost,
}

/// A canonical target URI: the value of `@target-uri`, and of `@authority` as a part of it.
///
/// ```
/// use adcp_signing_core::target_uri::{RawHost, RootDot, Rules, TargetUri};
///
/// let rules = Rules { root_dot: RootDot::Strip, raw_host: RawHost::Refuse };
/// let uri = TargetUri::canonicalize("HTTPS://Seller.Example.COM:443/a/../adcp%7e?x=%7e#top", rules)?;
/// assert_eq!(uri.as_str(), "https://seller.example.com/adcp~?x=%7e");
/// assert_eq!(uri.authority(), "seller.example.com");
/// # Ok::<(), adcp_signing_core::target_uri::TargetUriError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TargetUri {
    uri: String,
    scheme: Scheme,
    /// Where the authority ends and the path starts.
    path_at: usize,
}

impl TargetUri {
    /// The canonical form of an absolute `http` or `https` URL.
    ///
    /// The eight steps run in their literal order, so a percent-encoded dot segment is
    /// decoded after dot segments were removed and stays (`/%2e%2e/x` becomes `/../x`), and the
    /// query is untouched. Where the specification is silent, an empty port, leading zeros in a
    /// port, a port over 65535 and a `%` in the path without two hex digits are refused; other
    /// bytes of path and query that RFC 3986 does not allow are kept as they are.
    ///
    /// # Errors
    ///
    /// [`TargetUriError`], `request_target_uri_malformed` on the wire.
    pub fn canonicalize(url: &str, rules: Rules) -> Result<Self, TargetUriError> {
        check_text(url)?;
        Self::of_parts(&Parts::of(url)?, rules)
    }

    fn of_parts(parts: &Parts<'_>, rules: Rules) -> Result<Self, TargetUriError> {
        let &Parts { scheme, ref authority, path, query } = parts;
        let mut uri = String::with_capacity(parts.length());
        uri.push_str(scheme.prefix());
        authority.push_canonical(&mut uri, scheme, rules)?;
        let path_at = uri.len();
        path::push(&mut uri, path)?;
        if let Some(query) = query {
            uri.push('?');
            uri.push_str(query);
        }
        Ok(Self { uri, scheme, path_at })
    }

    /// The same URI with `http` in place of `https`, or the reverse.
    pub(crate) fn with_other_scheme(&self, rules: Rules) -> Result<Self, TargetUriError> {
        let other = match self.scheme {
            Scheme::Http => Scheme::Https,
            Scheme::Https => Scheme::Http,
        };
        let (authority, path_and_query) = self.split();
        let authority = Authority::of_host_port(authority)?.canonical(other, rules)?;
        let uri = [other.prefix(), &authority, path_and_query].concat();
        let path_at = other.prefix().len() + authority.len();
        Ok(Self { uri, scheme: other, path_at })
    }

    /// The whole canonical URI, without a fragment.
    pub fn as_str(&self) -> &str {
        &self.uri
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> &'static str {
        self.scheme.as_str()
    }

    /// The canonical `host[:port]`.
    pub fn authority(&self) -> &str {
        self.split().0
    }

    /// The canonical path, with `?` and the query if there is one.
    pub fn path_and_query(&self) -> &str {
        self.split().1
    }

    /// The canonical path alone.
    pub fn path(&self) -> &str {
        cut(self.path_and_query(), '?').0
    }

    /// Authority, and path with query. Both places are between characters, since the constructor
    /// took them from the end of what it had written; if they were not, an empty authority would
    /// agree with no `Host`.
    fn split(&self) -> (&str, &str) {
        let rest = self.uri.get(self.scheme.prefix().len()..).unwrap_or_default();
        let length = self.path_at.saturating_sub(self.scheme.prefix().len());
        rest.split_at_checked(length).unwrap_or_default()
    }
}

/// The canonical form of a `Host` field value or `:authority` pseudo-header: host and optional
/// port, no userinfo.
///
/// # Errors
///
/// [`TargetUriError`], `request_target_uri_malformed` on the wire.
///
/// ```
/// use adcp_signing_core::target_uri::{RawHost, RootDot, Rules, TargetUriError, canonicalize_authority};
///
/// let rules = Rules { root_dot: RootDot::Strip, raw_host: RawHost::Refuse };
/// assert_eq!(canonicalize_authority("Seller.Example.COM:443", "https", rules)?, "seller.example.com");
/// assert_eq!(canonicalize_authority("fe80::1", "https", rules), Err(TargetUriError::UnbracketedIpv6));
/// # Ok::<(), TargetUriError>(())
/// ```
///
/// This serves the crates of this workspace and may change in any release.
#[doc(hidden)]
pub fn canonicalize_authority(
    authority: &str,
    scheme: &str,
    rules: Rules,
) -> Result<String, TargetUriError> {
    check_text(authority)?;
    Authority::of_host_port(authority)?.canonical(Scheme::parse(scheme)?, rules)
}

fn check_text(text: &str) -> Result<(), TargetUriError> {
    if text.len() > MAX_URL_BYTES {
        return Err(TargetUriError::TooLong { length: text.len() });
    }
    match control_or_space(text) {
        Some(offset) => Err(TargetUriError::ControlOrSpace { offset }),
        None => Ok(()),
    }
}

/// Where the first space or control character is.
fn control_or_space(text: &str) -> Option<usize> {
    let found = |byte: u8| (byte <= b' ') | (byte == 0x7f);
    // Nearly every URL has none.
    if all_bytes(text, |byte| !found(byte)) { None } else { text.bytes().position(found) }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Scheme {
    Http,
    Https,
}

impl Scheme {
    fn parse(text: &str) -> Result<Self, TargetUriError> {
        [Self::Https, Self::Http]
            .into_iter()
            .find(|scheme| scheme.as_str().eq_ignore_ascii_case(text))
            .ok_or(TargetUriError::Scheme)
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// All of a URL before its authority.
    fn prefix(self) -> &'static str {
        match self {
            Self::Http => "http://",
            Self::Https => "https://",
        }
    }

    fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// A URL cut into its components, each as written. The fragment is gone.
struct Parts<'a> {
    scheme: Scheme,
    authority: Authority<'a>,
    path: &'a str,
    query: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn of(url: &'a str) -> Result<Self, TargetUriError> {
        let (scheme, rest) = cut(url, ':');
        let (scheme, rest) = (Scheme::parse(scheme)?, rest.ok_or(TargetUriError::Scheme)?);
        let rest = rest.strip_prefix("//").ok_or(TargetUriError::MissingAuthority)?;
        let ends = |byte: u8| matches!(byte, b'/' | b'?' | b'#');
        let end = rest.bytes().position(ends).unwrap_or(rest.len());
        let (authority, rest) =
            rest.split_at_checked(end).ok_or(TargetUriError::MissingAuthority)?;
        if authority.is_empty() {
            return Err(TargetUriError::MissingAuthority);
        }
        let authority = Authority::of_url(authority)?;
        let (rest, _fragment) = cut(rest, '#');
        let (path, query) = cut(rest, '?');
        Ok(Self { scheme, authority, path, query })
    }

    /// As many bytes as most canonical forms have at the most: one more for the slash that an empty
    /// path becomes.
    fn length(&self) -> usize {
        let Self { scheme, authority, path, query } = self;
        let query = query.map_or(0, |query| query.len() + 1);
        scheme.prefix().len() + authority.length() + path.len() + query + 1
    }
}

/// The text before the first delimiter, which is ASCII, and the text after it if there is one.
pub(crate) fn cut(text: &str, delimiter: char) -> (&str, Option<&str>) {
    // Byte by byte: texts this short are over before `split_once` has set up its search.
    let at = text.bytes().position(|byte| char::from(byte) == delimiter);
    match at.and_then(|at| Some((text.get(..at)?, text.get(at + 1..)?))) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

#[cfg(test)]
mod tests;
