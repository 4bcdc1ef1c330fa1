//! Steps 2, 3 and 4: userinfo, host and port.

use std::borrow::Cow;
use std::net::Ipv6Addr;

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

use super::{RawHost, RootDot, Rules, Scheme, TargetUriError, cut};
use crate::text::{all_bytes, class::Class};

/// The full stops that separate the labels of a domain name (UTS 46 §4, step 2 after its mapping).
const LABEL_SEPARATORS: [char; 4] = ['.', '\u{3002}', '\u{ff0e}', '\u{ff61}'];

/// The parts of an authority, as written.
pub(super) struct Authority<'a> {
    pub(super) userinfo: Option<&'a str>,
    /// With the brackets of an IPv6 address.
    pub(super) host: &'a str,
    pub(super) port: Option<&'a str>,
}

impl<'a> Authority<'a> {
    /// The authority of a URL.
    pub(super) fn of_url(text: &'a str) -> Result<Self, TargetUriError> {
        let (userinfo, host_port) = split_userinfo(text)?;
        Ok(Self { userinfo, ..Self::of_host_port(host_port)? })
    }

    /// An authority that has no userinfo, as in `Host`.
    pub(super) fn of_host_port(text: &'a str) -> Result<Self, TargetUriError> {
        let (host, port) = split_port(text)?;
        Ok(Self { userinfo: None, host, port })
    }

    /// The canonical `host[:port]`.
    pub(super) fn canonical(&self, scheme: Scheme, rules: Rules) -> Result<String, TargetUriError> {
        let mut out = String::with_capacity(self.length());
        self.push_canonical(&mut out, scheme, rules)?;
        Ok(out)
    }

    /// Appends the canonical `host[:port]`.
    pub(super) fn push_canonical(
        &self,
        out: &mut String,
        scheme: Scheme,
        rules: Rules,
    ) -> Result<(), TargetUriError> {
        push_host(out, self.host, rules)?;
        if let Some(text) = self.port
            && parse_port(text).ok_or(TargetUriError::Port)? != scheme.default_port()
        {
            out.push(':');
            out.push_str(text);
        }
        Ok(())
    }

    /// The length of host and port as written.
    pub(super) fn length(&self) -> usize {
        self.host.len() + self.port.map_or(0, |port| port.len() + 1)
    }
}

/// The userinfo, if there is one, and the host and port after it.
fn split_userinfo(authority: &str) -> Result<(Option<&str>, &str), TargetUriError> {
    let (userinfo, Some(host_port)) = cut(authority, '@') else {
        return Ok((None, authority));
    };
    // A second `@` or a backslash moves the host for some parsers (`good.example\@evil.example`).
    if host_port.contains('@') || !userinfo.bytes().all(is_userinfo) {
        return Err(TargetUriError::Userinfo);
    }
    Ok((Some(userinfo), host_port))
}

fn is_userinfo(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:%".contains(&byte)
}

/// The host as written (brackets included) and the port as written.
fn split_port(host_port: &str) -> Result<(&str, Option<&str>), TargetUriError> {
    if host_port.starts_with('[') {
        let end = host_port.find(']').ok_or(TargetUriError::MissingClosingBracket)?;
        let (host, rest) =
            host_port.split_at_checked(end + 1).ok_or(TargetUriError::InvalidIpv6)?;
        return match rest.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if rest.is_empty() => Ok((host, None)),
            None => Err(TargetUriError::HostCharacter { offset: end + 1 }),
        };
    }
    match cut(host_port, ':') {
        (_, Some(port)) if port.contains(':') => Err(TargetUriError::UnbracketedIpv6),
        host_and_port => Ok(host_and_port),
    }
}

/// RFC 3986 admits an empty port and leading zeros as other spellings of a port. Parsers disagree on
/// both, so neither has a canonical form here.
fn parse_port(text: &str) -> Option<u16> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit())
        && (text.len() == 1 || !text.starts_with('0'));
    plain.then(|| text.parse().ok()).flatten()
}

fn push_host(out: &mut String, host: &str, rules: Rules) -> Result<(), TargetUriError> {
    if let Some(literal) = host.strip_prefix('[') {
        let literal = literal.strip_suffix(']').ok_or(TargetUriError::MissingClosingBracket)?;
        return push_ipv6(out, host, literal);
    }
    if !host.is_ascii() {
        return match rules.raw_host {
            RawHost::Refuse => Err(TargetUriError::RawNonAsciiHost),
            RawHost::Convert => {
                check_ascii(host)?;
                push_labels(out, &converted(host)?, rules.root_dot)
            }
        };
    }
    check_ascii(host)?;
    // An A-label may be invalid Punycode, or decode to characters that UTS-46 forbids.
    if has_pair(host, *b"--") && host.split('.').any(is_a_label) {
        return push_labels(out, &converted(host)?, rules.root_dot);
    }
    push_labels(out, host, rules.root_dot)
}

/// Refuses a host with an ASCII character that no host name can have.
fn check_ascii(host: &str) -> Result<(), TargetUriError> {
    let refused = |byte: u8| byte.is_ascii() && !Class::HOST.has(byte);
    match host.bytes().position(refused) {
        Some(offset) => Err(TargetUriError::HostCharacter { offset }),
        None => Ok(()),
    }
}

/// The host with each label converted that is internationalized. The others are ASCII already, and
/// are judged as in a host that has no such label: hyphens in third and fourth place are in use.
fn converted(host: &str) -> Result<String, TargetUriError> {
    let mut out = String::with_capacity(host.len() * 2);
    for (index, label) in host.split(LABEL_SEPARATORS).enumerate() {
        if index > 0 {
            out.push('.');
        }
        if label.is_ascii() && !is_a_label(label) {
            out.push_str(label);
        } else {
            out.push_str(&to_ascii(label)?);
        }
    }
    Ok(out)
}

fn has_pair(host: &str, [left, right]: [u8; 2]) -> bool {
    let seconds = host.bytes().skip(1);
    // Without an early end, so that the compiler may compare many at once.
    host.bytes()
        .zip(seconds)
        .fold(false, |found, (first, second)| found | ((first == left) & (second == right)))
}

fn is_a_label(label: &str) -> bool {
    label.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("xn--"))
}

/// UTS-46 nontransitional ToASCII of a label, with CheckHyphens, CheckBidi and UseSTD3ASCIIRules. The
/// root-dot rule decides about empty labels.
fn to_ascii(label: &str) -> Result<Cow<'_, str>, TargetUriError> {
    Uts46::new()
        .to_ascii(label.as_bytes(), AsciiDenyList::STD3, Hyphens::Check, DnsLength::Ignore)
        .map_err(|_| TargetUriError::Idna)
}

fn push_labels(out: &mut String, host: &str, root_dot: RootDot) -> Result<(), TargetUriError> {
    if host.bytes().all(|byte| byte == b'.') {
        return Err(if host.len() > 1 {
            TargetUriError::EmptyLabel
        } else {
            TargetUriError::MissingHost
        });
    }
    let host = match root_dot {
        RootDot::Keep => host,
        RootDot::Strip => {
            let host = host.strip_suffix('.').unwrap_or(host);
            if host.starts_with('.') || host.ends_with('.') || has_pair(host, *b"..") {
                return Err(TargetUriError::EmptyLabel);
            }
            host
        }
    };
    push_lowercase(out, host);
    Ok(())
}

fn push_ipv6(out: &mut String, host: &str, literal: &str) -> Result<(), TargetUriError> {
    if literal.contains('%') {
        return Err(TargetUriError::ZoneIdentifier);
    }
    literal.parse::<Ipv6Addr>().map_err(|_| TargetUriError::InvalidIpv6)?;
    push_lowercase(out, host);
    Ok(())
}

fn push_lowercase(out: &mut String, text: &str) {
    if all_bytes(text, |byte| !byte.is_ascii_uppercase()) {
        out.push_str(text);
    } else {
        out.push_str(&text.to_ascii_lowercase());
    }
}
