//! Where a server is, and which names may stand in a path on it.

use std::{borrow::Cow, net::IpAddr};

use adcp_signing_core::{ProviderError, ProviderErrorKind};
use reqwest::Url;

use crate::settings::Settings;

/// The longest mount path, namespace or key name.
const MAX_NAME_LEN: usize = 256;

/// The base URL of a server, without a slash at its end.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Address {
    base: String,
    plaintext: bool,
}

impl Address {
    /// Reads `https://HOST[:PORT][/PATH]`, or `http://` to this machine.
    pub(crate) fn parse(
        text: &str,
        allow_plaintext: bool,
        settings: Settings,
    ) -> Result<Self, ProviderError> {
        let setting = settings.address();
        let url = Url::parse(text).map_err(|_| {
            configuration(format!(
                "the server address ({setting}) is not a URL; write it as https://vault.example:8200"
            ))
        })?;
        let bare = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        if !bare {
            return Err(configuration(format!(
                "the server address ({setting}) may hold no user, password, query or fragment",
            )));
        }
        let plaintext = match url.scheme() {
            "https" => false,
            "http" => true,
            _ => {
                return Err(configuration(format!(
                    "the server address ({setting}) must start with https:// (or http:// to this machine)",
                )));
            }
        };
        if plaintext && !allow_plaintext && !is_this_machine(&url) {
            return Err(configuration(format!(
                "the server address ({setting}) is http:// to another machine, which would show the token on the network; \
                 use https://, or allow plaintext in code (allow_plaintext)",
            )));
        }
        Ok(Self { base: url.as_str().trim_end_matches('/').to_owned(), plaintext })
    }

    /// The URL of an API path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}/v1/{path}", self.base)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.base
    }

    pub(crate) fn is_plaintext(&self) -> bool {
        self.plaintext
    }
}

fn is_this_machine(url: &Url) -> bool {
    url.host_str().is_some_and(|host| {
        let ip = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
    })
}

/// Whether the server takes this as the name of a key: word characters, with `-` and `.` inside.
pub(crate) fn is_key_name(text: &str) -> bool {
    is_segment(text) && text.len() <= MAX_NAME_LEN && !text.ends_with(['-', '.'])
}

/// Whether this is a mount path or a namespace: names joined by slashes, none at either end.
pub(crate) fn is_path(text: &str) -> bool {
    text.len() <= MAX_NAME_LEN && text.split('/').all(is_segment)
}

/// A name that cannot leave its place in a URL path.
fn is_segment(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    !text.is_empty() && !text.starts_with(['-', '.']) && text.bytes().all(plain)
}

pub(crate) fn configuration(message: impl Into<Cow<'static, str>>) -> ProviderError {
    ProviderError::new(ProviderErrorKind::Configuration, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_https_or_this_machine() {
        for (text, url) in [
            ("https://vault.example:8200", "https://vault.example:8200/v1/x"),
            ("https://vault.example/prefix/", "https://vault.example/prefix/v1/x"),
            ("http://127.0.0.1:8200/", "http://127.0.0.1:8200/v1/x"),
            ("http://[::1]:8200", "http://[::1]:8200/v1/x"),
            ("http://localhost:8200", "http://localhost:8200/v1/x"),
        ] {
            assert_eq!(Address::parse(text, false, Settings::Options).unwrap().url("x"), url);
        }
        for (text, says) in [
            ("vault.example:8200", "must start with"),
            ("vault", "not a URL"),
            ("unix:///run/agent.sock", "must start with"),
            ("http://vault.example:8200", "show the token"),
            ("http://127.0.0.1.example", "show the token"),
            ("https://u:p@vault.example", "no user"),
            ("https://vault.example/?x=y", "no user"),
        ] {
            let error = Address::parse(text, false, Settings::Family("BAO")).err().unwrap();
            assert_eq!(error.kind(), ProviderErrorKind::Configuration);
            let shown = error.to_string();
            assert!(shown.contains(says) && shown.contains("BAO_ADDR"), "{text}: {error}");
        }
        assert!(
            Address::parse("http://vault.example:8200", true, Settings::Options)
                .unwrap()
                .is_plaintext()
        );
    }

    #[test]
    fn names_cannot_leave_their_place_in_a_path() {
        for name in ["k", "buyer-2026.a_b", "A1"] {
            assert!(is_key_name(name), "{name}");
        }
        for name in ["", ".", "..", "-a", "a.", "a/b", "a?b", "a%2fb", "a b", "é"] {
            assert!(!is_key_name(name), "{name}");
        }
        for (path, ok) in [
            ("transit", true),
            ("team/transit", true),
            ("/a", false),
            ("a/", false),
            ("a/../b", false),
        ] {
            assert_eq!(is_path(path), ok, "{path}");
        }
    }
}
