//! What an error answer of Azure says about itself. Its messages name vaults, keys, tenants and
//! applications, so only status, codes and request ID are taken.

use adcp_signing_core::provider::toolkit::ServiceAnswer;
use azure_core::http::{RawResponse, headers::HeaderName};
use serde::Deserialize;

/// How deep an answer is looked into; the service nests once.
const MAX_DEPTH: usize = 8;
/// By which the service's log and Microsoft's support find a call.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-request-id");

/// The codes of an answer, as they came: what they mean is looked up, and what of them is shown is
/// decided by [`ServiceAnswer`].
#[derive(Debug, Default)]
pub(crate) struct Codes {
    pub(crate) code: Option<String>,
    /// The most precise one of the `innererror`.
    pub(crate) inner: Option<String>,
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

impl Codes {
    pub(crate) fn of(response: Option<&RawResponse>) -> Self {
        let body =
            response.and_then(|response| serde_json::from_slice::<Body>(response.body()).ok());
        let Some(Body { error }) = body else { return Self::default() };
        let inner = error.inner.as_deref();
        let innermost =
            std::iter::successors(inner, |detail| detail.inner.as_deref()).take(MAX_DEPTH).last();
        Self { inner: innermost.and_then(|detail| detail.code.clone()), code: error.code }
    }
}

/// An answer of Key Vault or Managed HSM.
pub(crate) fn of_key_service(
    service: &'static str,
    status: u16,
    codes: &Codes,
    response: Option<&RawResponse>,
) -> ServiceAnswer {
    ServiceAnswer::new(service, status)
        .with_code(codes.code.as_deref())
        .with_detail(codes.inner.as_deref())
        .with_request_id(request_id(response))
}

/// An answer of whoever gives out tokens. Entra numbers its codes.
pub(crate) fn of_credentials(
    status: u16,
    code: Option<&str>,
    response: Option<&RawResponse>,
) -> ServiceAnswer {
    let code = code.map(|code| match code.bytes().all(|byte| byte.is_ascii_digit()) {
        true => format!("AADSTS{code}"),
        false => code.to_owned(),
    });
    ServiceAnswer::new("the source of the Azure credentials", status)
        .with_code(code.as_deref())
        .with_request_id(request_id(response))
}

fn request_id(response: Option<&RawResponse>) -> Option<&str> {
    response?.headers().get_optional_str(&REQUEST_ID)
}

#[cfg(test)]
mod tests {
    use azure_core::http::{StatusCode, headers::Headers};

    use super::*;

    fn answer(body: &str) -> ServiceAnswer {
        let mut headers = Headers::new();
        headers.insert(REQUEST_ID, "b5754cbe-605c-11ed-a993-0022488d4c2b");
        let response = RawResponse::from_bytes(StatusCode::Forbidden, headers, body.to_owned());
        of_key_service("Azure Key Vault", 403, &Codes::of(Some(&response)), Some(&response))
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
                "Azure Key Vault answered HTTP 403 with a code that is not shown",
            ),
            (r#"{"error":{"code":null,"innererror":null}}"#.to_owned(), "Azure Key Vault answered HTTP 403"),
            (r#"{"error":"Forbidden"}"#.to_owned(), "Azure Key Vault answered HTTP 403"),
            (message.to_owned(), "Azure Key Vault answered HTTP 403"),
        ] {
            let answer = answer(&body);
            let expected = format!("{expected}, request b5754cbe-605c-11ed-a993-0022488d4c2b");
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
            (
                Some("tenant secret"),
                "the source of the Azure credentials answered HTTP 401 with a code that is not shown",
            ),
            (None, "the source of the Azure credentials answered HTTP 401"),
        ] {
            assert_eq!(of_credentials(401, code, None).to_string(), expected);
        }
    }
}
