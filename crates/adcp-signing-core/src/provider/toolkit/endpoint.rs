//! Where a key service is reached, other than at its public address.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
};

const MAX_LEN: usize = 512;

/// The URL of an endpoint: `https://HOST[:PORT]`, or `http://` on a loopback address.
///
/// Over plain HTTP nothing says whose an answer is, and credentials would be readable; so it is for
/// emulators on this machine only. The host is a name, or an IP address, in ASCII.
///
/// ```
/// use adcp_signing_core::provider::toolkit::Endpoint;
///
/// let endpoint: Endpoint = "https://kms.example:8443/".parse()?;
/// assert_eq!((endpoint.as_str(), endpoint.host()), ("https://kms.example:8443", "kms.example"));
/// assert!("http://kms.example".parse::<Endpoint>().is_err());
/// # Ok::<(), adcp_signing_core::provider::toolkit::EndpointError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(String);

/// Why a text is not an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// Not `https://HOST[:PORT]`: another scheme, credentials, a path, or a query.
    #[error("an endpoint is https://HOST or https://HOST:PORT, without path, query or credentials")]
    Form,
    /// Plain HTTP to another machine.
    #[error("an endpoint with http:// must be a loopback address; use https://")]
    PlainHttp,
}

impl Endpoint {
    /// The URL, without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The host, in lower case, and an IPv6 address in brackets.
    pub fn host(&self) -> &str {
        split_port(self.authority()).map_or("", |(host, _)| host)
    }

    /// The host, and the port where one is given, of an `https://` endpoint.
    pub fn https_authority(&self) -> Option<&str> {
        self.0.strip_prefix("https://")
    }

    /// Whether it is on this machine.
    pub fn is_loopback(&self) -> bool {
        is_loopback(self.host())
    }

    fn authority(&self) -> &str {
        self.0.split_once("://").map_or("", |(_, authority)| authority)
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > MAX_LEN {
            return Err(EndpointError::Form);
        }
        let (scheme, rest) = text.split_once("://").ok_or(EndpointError::Form)?;
        let (scheme, rest) = (scheme.to_ascii_lowercase(), rest.to_ascii_lowercase());
        let authority = rest.strip_suffix('/').unwrap_or(&rest);
        let (host, port) = split_port(authority).ok_or(EndpointError::Form)?;
        if !is_host(host) || !port.is_none_or(is_port) {
            return Err(EndpointError::Form);
        }
        match scheme.as_str() {
            "https" => {}
            "http" if is_loopback(host) => {}
            "http" => return Err(EndpointError::PlainHttp),
            _ => return Err(EndpointError::Form),
        }
        Ok(Self(format!("{scheme}://{authority}")))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Splits off the port. The colons of an IPv6 address are in its brackets.
fn split_port(authority: &str) -> Option<(&str, Option<&str>)> {
    let end_of_host = match authority.starts_with('[') {
        true => authority.find(']')? + 1,
        false => authority.find(':').unwrap_or(authority.len()),
    };
    match authority.split_at_checked(end_of_host)? {
        (host, "") => Some((host, None)),
        (host, rest) => Some((host, Some(rest.strip_prefix(':')?))),
    }
}

fn is_host(host: &str) -> bool {
    match in_brackets(host) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
            !host.is_empty() && host.bytes().all(plain)
        }
    }
}

fn is_port(port: &str) -> bool {
    port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok()
}

fn is_loopback(host: &str) -> bool {
    let address = in_brackets(host).unwrap_or(host);
    host == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn in_brackets(host: &str) -> Option<&str> {
    host.strip_prefix('[')?.strip_suffix(']')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_https_or_on_this_machine() {
        use EndpointError::{Form, PlainHttp};

        for (text, expected) in [
            ("https://kms.example", Ok("https://kms.example")),
            ("https://kms.example:8443/", Ok("https://kms.example:8443")),
            ("HTTPS://KMS.example", Ok("https://kms.example")),
            ("https://192.0.2.1", Ok("https://192.0.2.1")),
            ("https://[2001:db8::1]:443", Ok("https://[2001:db8::1]:443")),
            ("http://127.0.0.1:4566", Ok("http://127.0.0.1:4566")),
            ("http://localhost:4566/", Ok("http://localhost:4566")),
            ("http://[::1]:4566", Ok("http://[::1]:4566")),
            ("http://kms.example", Err(PlainHttp)),
            ("http://127.0.0.1.example", Err(PlainHttp)),
            ("http://localhost.example", Err(PlainHttp)),
            ("http://[::2]", Err(PlainHttp)),
            ("ftp://kms.example", Err(Form)),
            ("kms.example", Err(Form)),
            ("https://user@kms.example", Err(Form)),
            ("https://user:80@kms.example", Err(Form)),
            ("https://kms.example/path", Err(Form)),
            ("https://kms.example//", Err(Form)),
            ("https://kms.example?x=y", Err(Form)),
            ("https://kms.example#x", Err(Form)),
            ("https://kms.example\\@evil.example", Err(Form)),
            ("https://kms.example:", Err(Form)),
            ("https://kms.example:+1", Err(Form)),
            ("https://kms.example:65536", Err(Form)),
            ("https://[::1", Err(Form)),
            ("https://[::1]x", Err(Form)),
            ("https://::1", Err(Form)),
            ("https://kms.exämple", Err(Form)),
            ("https://kms example", Err(Form)),
            ("https://:443", Err(Form)),
            ("https://", Err(Form)),
            ("", Err(Form)),
        ] {
            let endpoint = text.parse::<Endpoint>();
            assert_eq!(
                endpoint.as_ref().map(Endpoint::as_str),
                expected.as_ref().map(|url| *url),
                "{text}"
            );
        }
    }

    #[test]
    fn the_host_stands_without_its_port() {
        for (text, host, loopback) in [
            ("https://kms.example:8443", "kms.example", false),
            ("https://[::1]:8443", "[::1]", true),
            ("http://127.0.0.2", "127.0.0.2", true),
            ("https://LOCALHOST", "localhost", true),
        ] {
            let endpoint: Endpoint = text.parse().unwrap();
            assert_eq!((endpoint.host(), endpoint.is_loopback()), (host, loopback), "{text}");
        }
    }
}
