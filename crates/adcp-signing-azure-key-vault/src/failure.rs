//! From what Azure answered, or did not, to a [`ProviderError`].
//!
//! The service's messages name vaults and keys, the client's errors repeat them with the URL, and
//! those of TLS name the host, so none is passed on: an [`AzureAnswer`] is the source instead.

use std::{error::Error as StdError, time::Duration};

use adcp_signing_core::{ProviderError, ProviderErrorKind};
use azure_core::{
    error::{Error, ErrorKind},
    http::{
        RawResponse,
        headers::{HeaderName, Headers, RETRY_AFTER, RETRY_AFTER_MS, X_MS_RETRY_AFTER_MS},
    },
    time::{OffsetDateTime, parse_rfc7231},
};

use ProviderErrorKind as Kind;

use crate::{AzureAnswer, credentials::NoCredentials};

/// The longest pause that an answer can ask for; more than that is not an answer to wait for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);
/// How the client says that another call has just thrown the token away that this one was about to
/// use.
const TOKEN_RACE: &str = "The request failed due to an error while fetching the access token.";

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    GetKey,
    Sign,
}

type Meaning = (ProviderErrorKind, &'static str);

const ALLOW: &str = "the credentials may not use the key; assign the role `Key Vault Crypto User`, or a role with get and sign, \
                     on the key, and allow some minutes for it to take effect";
const CREDENTIALS: &str = "Azure Key Vault does not take the access token; is it of the vault's tenant, and has it expired?";
const NETWORK: &str = "the vault's firewall or private endpoint does not let this machine in; see `az keyvault network-rule`";
const STATE: &str =
    "the key version is disabled, expired or not valid yet; see `az keyvault key show`";
const OPERATION: &str = "the key does not permit signing; create one with --ops sign verify";
const FIND: &str = "no such key or version in the vault; check its name and version, and whether it was deleted. A key that \
                    was just created can take some seconds to be found";
const USAGE: &str = "Azure Key Vault refused the request for this key; its type must be the one for the algorithm that the \
                     provider is set up for";
const BUSY: &str = "the key is being changed, deleted or recovered; try again";
const SLOW_DOWN: &str =
    "over the vault's limit of transactions; sign less, or spread keys over more vaults";
const SLOW: &str = "Azure Key Vault did not answer in its own time; try again";
const WAIT: &str = "Azure Key Vault has trouble of its own; try again";
const NOT_KEY_VAULT: &str = "the host does not know the call; is it a key vault or managed HSM?";
const UNREADABLE: &str = "the reply of Azure Key Vault cannot be read";
const BROKE_OFF: &str = "the connection to Azure Key Vault broke off";
const NO_ANSWER: &str = "no answer from Azure Key Vault in time";
const NO_CONNECTION: &str =
    "no connection to Azure Key Vault; check the vault's name, the network, and the trusted roots";
const CHALLENGE: &str =
    "Azure Key Vault asked for a token of another service than its own, which it does not get";
const NO_TOKEN: &str = "no access token can be had with the Azure credentials; check them, and what the identity may do";
const NO_TOKEN_NOW: &str = "the source of the Azure credentials failed; try again";

/// What went wrong in a call.
pub(crate) fn of_call(operation: Operation, error: &Error) -> ProviderError {
    match error.kind() {
        ErrorKind::HttpResponse { status, raw_response, .. } => {
            of_answer(operation, u16::from(*status), raw_response.as_deref())
        }
        ErrorKind::Credential => of_credentials(error),
        ErrorKind::DataConversion => plain((Kind::InvalidResponse, UNREADABLE)),
        ErrorKind::Connection | ErrorKind::Io => plain(of_network(error)),
        // All else that the client says for itself is about the challenge, or about what it was
        // told.
        _ => plain((Kind::Configuration, CHALLENGE)),
    }
}

fn plain((kind, advice): Meaning) -> ProviderError {
    ProviderError::new(kind, advice)
}

fn of_answer(operation: Operation, status: u16, response: Option<&RawResponse>) -> ProviderError {
    let answer = AzureAnswer::of_key_vault(status, response);
    let error = plain(meaning(operation, &answer)).with_source(answer);
    let pause =
        response.and_then(|response| retry_after(response.headers(), OffsetDateTime::now_utc()));
    match pause {
        Some(pause) if error.is_retryable() => error.with_retry_after(pause.min(MAX_RETRY_AFTER)),
        _ => error,
    }
}

/// README.md has the same table.
fn meaning(operation: Operation, answer: &AzureAnswer) -> Meaning {
    match (answer.inner_code(), answer.code(), answer.status()) {
        (
            Some("KeyDisabled" | "KeyNotYetValidOrExpired" | "KeyExpired" | "KeyNotYetValid"),
            _,
            _,
        ) => (Kind::KeyDisabled, STATE),
        (Some("KeyOperationForbidden" | "OperationNotAllowed"), _, _) => {
            (Kind::AlgorithmMismatch, OPERATION)
        }
        (Some("ForbiddenByFirewall" | "ForbiddenByConnection"), _, _) => {
            (Kind::AccessDenied, NETWORK)
        }
        (_, Some("KeyNotFound"), _) => (Kind::KeyNotFound, FIND),
        (_, Some("BadParameter"), 400) if operation == Operation::Sign => {
            (Kind::AlgorithmMismatch, USAGE)
        }
        (_, Some("Throttled" | "TooManyRequests"), _) => (Kind::Throttled, SLOW_DOWN),
        (_, _, 401) => (Kind::AccessDenied, CREDENTIALS),
        (_, _, 403) => (Kind::AccessDenied, ALLOW),
        (_, Some(_), 404) => (Kind::KeyNotFound, FIND),
        (_, _, 407) => (Kind::AccessDenied, "a proxy refused the request"),
        (_, _, 408 | 504) => (Kind::Timeout, SLOW),
        (_, _, 409) => (Kind::Unavailable, BUSY),
        (_, _, 429) => (Kind::Throttled, SLOW_DOWN),
        (_, _, 500..=599) => (Kind::Unavailable, WAIT),
        (_, _, 400..=499) => (Kind::Configuration, NOT_KEY_VAULT),
        _ => (Kind::InvalidResponse, UNREADABLE),
    }
}

fn of_network(error: &Error) -> Meaning {
    match cause::<reqwest::Error>(error) {
        Some(error) if error.is_timeout() => (Kind::Timeout, NO_ANSWER),
        Some(error) if error.is_connect() => (Kind::Unavailable, NO_CONNECTION),
        _ if cause::<hyper::Error>(error).is_some_and(hyper::Error::is_parse) => {
            (Kind::InvalidResponse, UNREADABLE)
        }
        _ if *error.kind() == ErrorKind::Connection => (Kind::Unavailable, NO_CONNECTION),
        _ => (Kind::Unavailable, BROKE_OFF),
    }
}

fn of_credentials(error: &Error) -> ProviderError {
    if cause::<NoCredentials>(error).is_some() {
        return plain((Kind::Configuration, NoCredentials::ADVICE));
    }
    if let Some(answer) = answer_to_credentials(error) {
        let (kind, advice) = match answer.status() {
            408 | 429 | 500..=599 => (Kind::Unavailable, NO_TOKEN_NOW),
            _ => (Kind::AccessDenied, NO_TOKEN),
        };
        return plain((kind, advice)).with_source(answer);
    }
    let unreadable = |link: &(dyn StdError + 'static)| {
        link.downcast_ref::<Error>().is_some_and(|error| *error.kind() == ErrorKind::DataConversion)
    };
    // Whoever stands in front of Entra answers with a page, and the client does not say with which
    // status.
    let for_now = cause::<reqwest::Error>(error).is_some()
        || causes(error).any(unreadable)
        || (error.get_ref().is_none() && error.to_string() == TOKEN_RACE);
    plain(if for_now { (Kind::Unavailable, NO_TOKEN_NOW) } else { (Kind::AccessDenied, NO_TOKEN) })
}

/// What whoever gives out tokens answered, if anything.
pub(crate) fn answer_to_credentials(error: &Error) -> Option<AzureAnswer> {
    causes(error).filter_map(|link| link.downcast_ref::<Error>()).find_map(|error| {
        match error.kind() {
            ErrorKind::HttpResponse { status, error_code, .. } => {
                Some(AzureAnswer::of_credentials(u16::from(*status), error_code.as_deref()))
            }
            _ => None,
        }
    })
}

fn causes(error: &Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    std::iter::successors(error.source(), |&link| link.source())
}

/// The first cause of this type.
fn cause<T: StdError + 'static>(error: &Error) -> Option<&T> {
    causes(error).find_map(|link| link.downcast_ref::<T>())
}

/// How long the service asks to wait: in milliseconds by the fields of Azure, or `Retry-After` in
/// seconds or as a date (RFC 9110 §10.2.3).
fn retry_after(headers: &Headers, now: OffsetDateTime) -> Option<Duration> {
    let field = |name: &HeaderName| headers.get_optional_str(name).map(str::trim);
    let milliseconds = [X_MS_RETRY_AFTER_MS, RETRY_AFTER_MS];
    if let Some(pause) = milliseconds.iter().find_map(|name| field(name)?.parse().ok()) {
        return Some(Duration::from_millis(pause));
    }
    let text = field(&RETRY_AFTER)?;
    match text.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        // A date that is over is no pause at all.
        Err(_) => Some((parse_rfc7231(text).ok()? - now).try_into().unwrap_or(Duration::ZERO)),
    }
}

#[cfg(test)]
mod tests {
    use azure_core::{
        http::{StatusCode, headers::HeaderValue},
        time::to_rfc7231,
    };

    use super::*;

    const VAULT: &str = "https://secret-vault.vault.azure.net/keys/buyer";

    fn answered(status: u16, body: &str, fields: &[(HeaderName, &str)]) -> ProviderError {
        of_call(Operation::Sign, &answer(status, body, fields))
    }

    fn answer(status: u16, body: &str, fields: &[(HeaderName, &str)]) -> Error {
        let mut headers = Headers::new();
        for (name, value) in fields {
            headers.insert(name.clone(), HeaderValue::from((*value).to_owned()));
        }
        let status = StatusCode::from(status);
        let response = RawResponse::from_bytes(status, headers, body.to_owned());
        let kind = ErrorKind::HttpResponse {
            status,
            error_code: Some("of the client".to_owned()),
            raw_response: Some(Box::new(response)),
        };
        Error::with_message(kind, VAULT)
    }

    fn service(status: u16, code: &str, inner: &str) -> ProviderError {
        let inner = match inner {
            "" => String::new(),
            inner => format!(r#","innererror":{{"code":"{inner}"}}"#),
        };
        answered(
            status,
            &format!(r#"{{"error":{{"code":"{code}","message":"about {VAULT}"{inner}}}}}"#),
            &[],
        )
    }

    #[test]
    fn the_code_of_the_service_decides() {
        for (status, code, inner, expected) in [
            (401, "Unauthorized", "", Kind::AccessDenied),
            (403, "Forbidden", "KeyDisabled", Kind::KeyDisabled),
            (403, "Forbidden", "KeyNotYetValidOrExpired", Kind::KeyDisabled),
            (403, "Forbidden", "KeyExpired", Kind::KeyDisabled),
            (403, "Forbidden", "KeyNotYetValid", Kind::KeyDisabled),
            (403, "Forbidden", "ForbiddenByRbac", Kind::AccessDenied),
            (403, "Forbidden", "AccessDenied", Kind::AccessDenied),
            (403, "Forbidden", "ForbiddenByFirewall", Kind::AccessDenied),
            (403, "Forbidden", "KeyOperationForbidden", Kind::AlgorithmMismatch),
            (403, "Forbidden", "ALaterCode", Kind::AccessDenied),
            (404, "KeyNotFound", "", Kind::KeyNotFound),
            (404, "ALaterCode", "", Kind::KeyNotFound),
            (400, "BadParameter", "", Kind::AlgorithmMismatch),
            (400, "ALaterCode", "", Kind::Configuration),
            (409, "Conflict", "ObjectIsBeingRecovered", Kind::Unavailable),
            (429, "Throttled", "", Kind::Throttled),
            (500, "InternalServerError", "", Kind::Unavailable),
            (503, "Throttled", "", Kind::Throttled),
            (503, "ServiceUnavailable", "", Kind::Unavailable),
        ] {
            assert_eq!(service(status, code, inner).kind(), expected, "{status} {code} {inner}");
        }
    }

    #[test]
    fn a_bad_parameter_is_the_algorithm_s_only_where_one_was_given() {
        let error = answer(400, r#"{"error":{"code":"BadParameter"}}"#, &[]);
        assert_eq!(of_call(Operation::Sign, &error).kind(), Kind::AlgorithmMismatch);
        assert_eq!(of_call(Operation::GetKey, &error).kind(), Kind::Configuration);
    }

    #[test]
    fn without_a_code_the_http_status_decides() {
        for (status, expected) in [
            (201, Kind::InvalidResponse),
            (302, Kind::InvalidResponse),
            (400, Kind::Configuration),
            (401, Kind::AccessDenied),
            (403, Kind::AccessDenied),
            (404, Kind::Configuration),
            (407, Kind::AccessDenied),
            (408, Kind::Timeout),
            (409, Kind::Unavailable),
            (429, Kind::Throttled),
            (502, Kind::Unavailable),
            (503, Kind::Unavailable),
            (504, Kind::Timeout),
        ] {
            assert_eq!(answered(status, "<html>", &[]).kind(), expected, "{status}");
        }
    }

    #[test]
    fn the_pause_is_taken_from_every_form_that_azure_has() {
        let pause =
            |status, fields: &[(HeaderName, &str)]| answered(status, "", fields).retry_after();
        let (seconds, milliseconds) =
            (Some(Duration::from_secs(7)), Some(Duration::from_millis(1500)));
        assert_eq!(pause(429, &[(RETRY_AFTER, "7")]), seconds);
        assert_eq!(pause(503, &[(RETRY_AFTER, " 7 ")]), seconds);
        assert_eq!(pause(429, &[(RETRY_AFTER_MS, "1500"), (RETRY_AFTER, "7")]), milliseconds);
        assert_eq!(
            pause(429, &[(X_MS_RETRY_AFTER_MS, "1500"), (RETRY_AFTER_MS, "9")]),
            milliseconds
        );
        assert_eq!(pause(429, &[(RETRY_AFTER_MS, "soon"), (RETRY_AFTER, "7")]), seconds);
        assert_eq!(pause(429, &[(RETRY_AFTER, "99999")]), Some(MAX_RETRY_AFTER));
        for none in ["", "-7", "soon", "Wed, 99 Nov 2026 00:00:00 GMT"] {
            assert_eq!(pause(429, &[(RETRY_AFTER, none)]), None, "{none}");
        }
        assert_eq!(pause(404, &[(RETRY_AFTER, "7")]), None);
    }

    #[test]
    fn a_pause_until_a_date_ends_at_that_date() {
        let now = parse_rfc7231("Wed, 25 Nov 2026 12:00:00 GMT").unwrap();
        for (until, expected) in [(30, 30), (0, 0), (-30, 0)] {
            let mut headers = Headers::new();
            headers.insert(
                RETRY_AFTER,
                to_rfc7231(&(now + azure_core::time::Duration::seconds(until))),
            );
            assert_eq!(retry_after(&headers, now), Some(Duration::from_secs(expected)), "{until}");
        }
    }

    #[test]
    fn failures_without_an_answer_are_told_apart() {
        let entra = |status: u16, code: Option<&str>| {
            let kind = ErrorKind::HttpResponse {
                status: StatusCode::from(status),
                error_code: code.map(str::to_owned),
                raw_response: None,
            };
            Error::with_error(ErrorKind::Credential, Error::with_message(kind, VAULT), VAULT)
        };
        for (error, expected) in [
            (Error::with_message(ErrorKind::Connection, VAULT), Kind::Unavailable),
            (Error::with_message(ErrorKind::Io, VAULT), Kind::Unavailable),
            (Error::with_message(ErrorKind::DataConversion, VAULT), Kind::InvalidResponse),
            (Error::with_message(ErrorKind::Other, VAULT), Kind::Configuration),
            (Error::with_message(ErrorKind::Credential, VAULT), Kind::AccessDenied),
            (Error::with_message(ErrorKind::Credential, TOKEN_RACE), Kind::Unavailable),
            (Error::new(ErrorKind::Credential, NoCredentials), Kind::Configuration),
            (entra(401, Some("7000215")), Kind::AccessDenied),
            (entra(400, None), Kind::AccessDenied),
            (entra(429, None), Kind::Unavailable),
            (entra(503, None), Kind::Unavailable),
        ] {
            let failure = of_call(Operation::Sign, &error);
            assert_eq!(failure.kind(), expected, "{error}");
            assert!(!format!("{failure:?} {failure}").contains("secret-vault"), "{failure:?}");
        }
        let refused = of_call(Operation::Sign, &entra(401, Some("7000215")));
        assert_eq!(
            refused.source().map(ToString::to_string).as_deref(),
            Some("the source of the Azure credentials answered HTTP 401 AADSTS7000215")
        );
    }

    #[test]
    fn the_texts_of_the_service_are_not_repeated() {
        let error = service(403, "Forbidden", "KeyDisabled");
        let source = error.source().unwrap();
        assert_eq!(source.to_string(), "Azure Key Vault answered HTTP 403 Forbidden (KeyDisabled)");
        for text in [format!("{error:?}"), error.to_string(), format!("{source:?}")] {
            assert!(!text.contains("secret-vault"), "{text}");
        }
    }
}
