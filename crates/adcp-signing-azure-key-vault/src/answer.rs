//! What an error answer of Azure says about itself, without the text that repeats names and
//! identifiers.

use std::{error::Error as StdError, fmt};

use azure_core::http::RawResponse;
use serde::Deserialize;

/// The longest code that is shown.
const MAX_CODE_LEN: usize = 64;
/// How deep an answer is looked into; the service nests once.
const MAX_DEPTH: usize = 8;

/// The error answer behind a [`ProviderError`](adcp_signing_core::ProviderError). The messages of
/// Azure name vaults, keys, tenants and applications, so only the codes are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AzureAnswer {
    service: &'static str,
    status: u16,
    code: Option<String>,
    inner_code: Option<String>,
}

#[derive(Deserialize)]
struct Body {
    error: Detail,
}

#[derive(Deserialize)]
struct Detail {
    code: Option<String>,
    #[serde(rename = "innererror", alias = "innerError")]
    inner: Option<Box<Detail>>,
}

impl AzureAnswer {
    /// An answer of Key Vault or Managed HSM.
    pub(crate) fn of_key_vault(status: u16, response: Option<&RawResponse>) -> Self {
        let body =
            response.and_then(|response| serde_json::from_slice::<Body>(response.body()).ok());
        let detail = body.map(|body| body.error);
        let inner = detail.as_ref().and_then(|detail| detail.inner.as_deref());
        let innermost =
            std::iter::successors(inner, |detail| detail.inner.as_deref()).take(MAX_DEPTH).last();
        Self {
            service: "Azure Key Vault",
            status,
            code: detail.as_ref().and_then(Detail::shown),
            inner_code: innermost.and_then(Detail::shown),
        }
    }

    /// An answer of whoever gives out tokens.
    pub(crate) fn of_credentials(status: u16, code: Option<&str>) -> Self {
        let code =
            code.and_then(shown).map(|code| match code.bytes().all(|byte| byte.is_ascii_digit()) {
                true => format!("AADSTS{code}"),
                false => code,
            });
        Self { service: "the source of the Azure credentials", status, code, inner_code: None }
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The code, such as `Forbidden`.
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// The most precise code of the `innererror`, such as `KeyDisabled`.
    pub fn inner_code(&self) -> Option<&str> {
        self.inner_code.as_deref()
    }
}

impl Detail {
    fn shown(&self) -> Option<String> {
        self.code.as_deref().and_then(shown)
    }
}

/// A code, where it looks like one.
fn shown(code: &str) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    ((1..=MAX_CODE_LEN).contains(&code.len()) && code.bytes().all(plain)).then(|| code.to_owned())
}

impl fmt::Display for AzureAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} answered HTTP {}", self.service, self.status)?;
        if let Some(code) = &self.code {
            write!(f, " {code}")?;
        }
        if let Some(inner) = &self.inner_code {
            write!(f, " ({inner})")?;
        }
        Ok(())
    }
}

impl StdError for AzureAnswer {}

#[cfg(test)]
mod tests {
    use azure_core::http::{StatusCode, headers::Headers};

    use super::*;

    fn answer(body: &str) -> AzureAnswer {
        let response =
            RawResponse::from_bytes(StatusCode::Forbidden, Headers::new(), body.to_owned());
        AzureAnswer::of_key_vault(403, Some(&response))
    }

    #[test]
    fn the_codes_are_kept_and_the_message_is_not() {
        let message = "about https://secret-vault.vault.azure.net";
        for (body, expected) in [
            (
                format!(
                    r#"{{"error":{{"code":"Forbidden","message":"{message}","innererror":{{"code":"KeyDisabled"}}}}}}"#
                ),
                "Azure Key Vault answered HTTP 403 Forbidden (KeyDisabled)",
            ),
            (
                r#"{"error":{"code":"Forbidden","innerError":{"code":"A","innererror":{"code":"ForbiddenByRbac"}}}}"#
                    .to_owned(),
                "Azure Key Vault answered HTTP 403 Forbidden (ForbiddenByRbac)",
            ),
            (
                format!(r#"{{"error":{{"code":"{message}","innererror":{{"code":"{message}"}}}}}}"#),
                "Azure Key Vault answered HTTP 403",
            ),
            (r#"{"error":{"code":null,"innererror":null}}"#.to_owned(), "Azure Key Vault answered HTTP 403"),
            (r#"{"error":"Forbidden"}"#.to_owned(), "Azure Key Vault answered HTTP 403"),
            (message.to_owned(), "Azure Key Vault answered HTTP 403"),
        ] {
            let answer = answer(&body);
            assert_eq!(answer.to_string(), expected, "{body}");
            assert!(!format!("{answer:?}").contains("secret-vault"));
        }
    }

    #[test]
    fn a_refusal_of_credentials_is_named_as_entra_names_it() {
        for (code, expected) in [
            (
                Some("7000215"),
                "the source of the Azure credentials answered HTTP 401 AADSTS7000215",
            ),
            (
                Some("invalid_request"),
                "the source of the Azure credentials answered HTTP 401 invalid_request",
            ),
            (Some("tenant secret"), "the source of the Azure credentials answered HTTP 401"),
            (None, "the source of the Azure credentials answered HTTP 401"),
        ] {
            assert_eq!(AzureAnswer::of_credentials(401, code).to_string(), expected);
        }
    }
}
