//! Another address than the Region's for AWS KMS: a VPC endpoint, or an emulator.

use std::{fmt, net::IpAddr, str::FromStr};

use http::Uri;

const MAX_LEN: usize = 512;

/// The URL of an endpoint: `https://HOST[:PORT]`, or `http://` on a loopback address.
///
/// Over plain HTTP nothing says that an answer is AWS', and a session token would be readable; so it is for emulators on
/// this machine only. A ready client can be built for any address.
///
/// ```
/// use adcp_signing_aws_kms::Endpoint;
///
/// let vpc: Endpoint = "https://vpce-0123-abcd.kms.eu-west-1.vpce.amazonaws.com".parse()?;
/// assert!("http://kms.example".parse::<Endpoint>().is_err());
/// # Ok::<(), adcp_signing_aws_kms::EndpointError>(())
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

    /// The host, and the port where one is given, of an `https://` endpoint.
    pub(crate) fn https_authority(&self) -> Option<&str> {
        self.0.strip_prefix("https://")
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > MAX_LEN {
            return Err(EndpointError::Form);
        }
        let uri: Uri = text.parse().map_err(|_| EndpointError::Form)?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(EndpointError::Form);
        };
        let nothing_else = uri.path() == "/" && uri.query().is_none() && !text.contains('#');
        if authority.host().is_empty() || authority.as_str().contains('@') || !nothing_else {
            return Err(EndpointError::Form);
        }
        match scheme {
            "https" => {}
            "http" if is_loopback(authority.host()) => {}
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

fn is_loopback(host: &str) -> bool {
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
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
            ("http://127.0.0.1:4566", Ok("http://127.0.0.1:4566")),
            ("http://localhost:4566/", Ok("http://localhost:4566")),
            ("http://[::1]:4566", Ok("http://[::1]:4566")),
            ("http://kms.example", Err(PlainHttp)),
            ("http://127.0.0.1.example", Err(PlainHttp)),
            ("http://localhost.example", Err(PlainHttp)),
            ("ftp://kms.example", Err(Form)),
            ("kms.example", Err(Form)),
            ("https://user@kms.example", Err(Form)),
            ("https://kms.example/path", Err(Form)),
            ("https://kms.example?x=y", Err(Form)),
            ("https://kms.example#x", Err(Form)),
            ("https://", Err(Form)),
            ("", Err(Form)),
        ] {
            let endpoint = text.parse::<Endpoint>();
            assert_eq!(endpoint.as_ref().map(Endpoint::as_str), expected.as_ref().map(|url| *url), "{text}");
        }
    }
}
