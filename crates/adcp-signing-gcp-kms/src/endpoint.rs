//! Another address than the public one of Cloud KMS: Private Service Connect, a regional endpoint, or an emulator.

use std::{fmt, net::IpAddr, str::FromStr};

use http::{Uri, uri::Authority};

const MAX_LEN: usize = 512;

/// The URL of an endpoint: `https://HOST[:PORT]`, or `http://` on a loopback address.
///
/// Every request carries an access token, which whoever answers can use elsewhere. So plain HTTP is for emulators on this
/// machine only, and a key URI takes hosts of `googleapis.com` and of this machine only.
///
/// ```
/// use adcp_signing_gcp_kms::Endpoint;
///
/// let regional: Endpoint = "https://cloudkms.europe-west3.rep.googleapis.com".parse()?;
/// assert!("http://kms.example".parse::<Endpoint>().is_err());
/// # Ok::<(), adcp_signing_gcp_kms::EndpointError>(())
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

    /// Whether an access token found in the environment may go there on the word of a URI alone.
    pub(crate) fn is_google_or_loopback(&self) -> bool {
        let authority = self.0.split_once("://").and_then(|(_, rest)| rest.parse::<Authority>().ok());
        authority.is_some_and(|authority| {
            let host = authority.host().to_ascii_lowercase();
            host.ends_with(".googleapis.com") || is_loopback(&host)
        })
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
            ("http://127.0.0.1:4588", Ok("http://127.0.0.1:4588")),
            ("http://localhost:4588/", Ok("http://localhost:4588")),
            ("http://[::1]:4588", Ok("http://[::1]:4588")),
            ("http://kms.example", Err(PlainHttp)),
            ("http://127.0.0.1.example", Err(PlainHttp)),
            ("ftp://kms.example", Err(Form)),
            ("kms.example", Err(Form)),
            ("https://user@kms.example", Err(Form)),
            ("https://kms.example/v1", Err(Form)),
            ("https://kms.example?x=y", Err(Form)),
            ("https://kms.example#x", Err(Form)),
            ("", Err(Form)),
        ] {
            let endpoint = text.parse::<Endpoint>();
            assert_eq!(endpoint.as_ref().map(Endpoint::as_str), expected.as_ref().map(|url| *url), "{text}");
        }
    }

    #[test]
    fn only_google_and_this_machine_get_a_token_on_the_word_of_a_uri() {
        for (text, expected) in [
            ("https://cloudkms-psc.p.googleapis.com", true),
            ("https://CLOUDKMS.googleapis.com:443", true),
            ("http://127.0.0.1:4588", true),
            ("https://localhost", true),
            ("https://evil-googleapis.com", false),
            ("https://googleapis.com.evil.example", false),
            ("https://evil.example", false),
        ] {
            let endpoint: Endpoint = text.parse().unwrap();
            assert_eq!(endpoint.is_google_or_loopback(), expected, "{text}");
        }
    }
}
