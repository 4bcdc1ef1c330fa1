//! From what Cloud KMS answered, or did not, to a [`ProviderError`].
//!
//! The service's messages repeat resource names, and so do the texts of the client's errors, so
//! neither is passed on: a [`KmsAnswer`] is the source instead.

use std::{error::Error as StdError, fmt, time::Duration};

use adcp_signing_core::{ProviderError, ProviderErrorKind};
use google_cloud_gax::{
    client_builder,
    error::{
        CredentialsError, Error,
        rpc::{Code, Status, StatusDetails},
    },
};
use http::{HeaderMap, header::RETRY_AFTER};

use ProviderErrorKind as Kind;

/// The longest reason that is shown.
const MAX_REASON_LEN: usize = 64;
/// The longest pause that an answer can ask for; more than that is not an answer to wait for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// The error answer behind a [`ProviderError`], without the text that repeats resource names.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KmsAnswer {
    code: Option<&'static str>,
    reason: Option<String>,
    status: Option<u16>,
}

impl KmsAnswer {
    /// The `google.rpc.Code`, such as `RESOURCE_EXHAUSTED`.
    pub fn code(&self) -> Option<&'static str> {
        self.code
    }

    /// The reason of the answer's `google.rpc.ErrorInfo`, such as `RATE_LIMIT_EXCEEDED`.
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// The HTTP status.
    pub fn status(&self) -> Option<u16> {
        self.status
    }
}

impl fmt::Display for KmsAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cloud KMS answered")?;
        if let Some(status) = self.status {
            write!(f, " HTTP {status}")?;
        }
        if let Some(code) = self.code {
            write!(f, " {code}")?;
        }
        if let Some(reason) = &self.reason {
            write!(f, " ({reason})")?;
        }
        Ok(())
    }
}

impl StdError for KmsAnswer {}

const ALLOW: &str = "the credentials may not use the key version, or it does not exist; grant \
                     roles/cloudkms.signerVerifier on the key, and check the name";
const CREDENTIALS: &str = "Cloud KMS does not take the credentials; has the access token expired, or was the account disabled?";
const FIND: &str = "no such key version; check project, location, key ring, key and version";
const STATE: &str = "the key version is not enabled: it is disabled, destroyed, or not generated yet; see \
                     `gcloud kms keys versions describe`";
const USAGE: &str = "Cloud KMS refused the request for this key version; its purpose must be ASYMMETRIC_SIGN and \
                     its algorithm the one that the provider is set up for";
const SLOW_DOWN: &str = "over the project's quota of cryptographic or read requests; sign less, or ask for a higher quota";
const SLOW: &str = "Cloud KMS did not answer in its own time; try again";
const WAIT: &str = "Cloud KMS has trouble of its own; try again";
const NOT_KMS: &str = "the endpoint does not know the call; is it one of Cloud KMS?";
const API: &str =
    "Cloud KMS cannot be used in the project: enable the API cloudkms.googleapis.com and billing";

/// What went wrong in a call.
pub(crate) fn of_call(error: &Error) -> ProviderError {
    let status = error.http_status_code();
    // The service's code decides, and the HTTP status only where there is none.
    if let Some(service) = error.status().filter(|service| service.code != Code::Unknown) {
        let reason = reason(service);
        let (kind, advice) = of_code(service.code, reason.as_deref());
        let answer = KmsAnswer { code: Some(service.code.name()), reason, status };
        return with_pause(ProviderError::new(kind, advice).with_source(answer), error);
    }
    if let Some(status) = status {
        let (kind, advice) = of_http_status(status);
        let answer = KmsAnswer { code: None, reason: None, status: Some(status) };
        return with_pause(ProviderError::new(kind, advice).with_source(answer), error);
    }
    let (kind, advice) = if error.is_timeout() {
        (Kind::Timeout, "no answer from Cloud KMS in time")
    } else if error.is_authentication() {
        of_credentials(error)
    } else if error.is_deserialization() {
        (Kind::InvalidResponse, "the reply of Cloud KMS cannot be read")
    } else if error.is_binding() || error.is_serialization() {
        (Kind::Configuration, "the request to Cloud KMS could not be built")
    } else if error.is_connect() {
        (
            Kind::Unavailable,
            "no connection to Cloud KMS; check the network, the endpoint, and the trusted roots",
        )
    } else {
        (Kind::Unavailable, "the connection to Cloud KMS broke off")
    };
    ProviderError::new(kind, advice)
}

/// Why no client could be built.
pub(crate) fn of_client(error: &client_builder::Error) -> ProviderError {
    let message = if error.is_default_credentials() {
        "no Google credentials can be used; run `gcloud auth application-default login`, or set \
         GOOGLE_APPLICATION_CREDENTIALS to a file that can be read"
    } else if error.is_universe_domain_mismatch() {
        "the credentials are for another universe domain than the endpoint"
    } else {
        "the client of Cloud KMS could not be built; check the endpoint"
    };
    ProviderError::new(Kind::Configuration, message)
}

/// README.md has the same table.
fn of_code(code: Code, reason: Option<&str>) -> (ProviderErrorKind, &'static str) {
    match (code, reason) {
        (
            Code::PermissionDenied,
            Some("SERVICE_DISABLED" | "BILLING_DISABLED" | "CONSUMER_INVALID"),
        ) => (Kind::Configuration, API),
        (Code::PermissionDenied, _) => (Kind::AccessDenied, ALLOW),
        (Code::Unauthenticated, _) => (Kind::AccessDenied, CREDENTIALS),
        (Code::NotFound, _) => (Kind::KeyNotFound, FIND),
        (Code::FailedPrecondition, _) => (Kind::KeyDisabled, STATE),
        (Code::InvalidArgument, _) => (Kind::AlgorithmMismatch, USAGE),
        (Code::ResourceExhausted, _) => (Kind::Throttled, SLOW_DOWN),
        (Code::DeadlineExceeded, _) => (Kind::Timeout, SLOW),
        (Code::Unimplemented | Code::OutOfRange | Code::AlreadyExists, _) => {
            (Kind::Configuration, NOT_KMS)
        }
        // UNAVAILABLE, INTERNAL, ABORTED, CANCELLED, DATA_LOSS, and what may come.
        _ => (Kind::Unavailable, WAIT),
    }
}

fn of_http_status(status: u16) -> (ProviderErrorKind, &'static str) {
    match status {
        401 => (Kind::AccessDenied, CREDENTIALS),
        403 | 407 => (Kind::AccessDenied, "a proxy or the service refused the request"),
        408 | 504 => (Kind::Timeout, SLOW),
        429 => (Kind::Throttled, SLOW_DOWN),
        500..=599 => (Kind::Unavailable, WAIT),
        400..=499 => (Kind::Configuration, NOT_KMS),
        _ => (Kind::InvalidResponse, "the reply of Cloud KMS cannot be read"),
    }
}

fn of_credentials(error: &Error) -> (ProviderErrorKind, &'static str) {
    let mut cause: Option<&(dyn StdError + 'static)> = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<CredentialsError>() {
            return if error.is_transient() {
                (Kind::Unavailable, "the source of the Google credentials failed; try again")
            } else {
                (
                    Kind::AccessDenied,
                    "no access token can be had with the Google credentials; renew them",
                )
            };
        }
        cause = error.source();
    }
    (Kind::AccessDenied, "no access token can be had with the Google credentials; renew them")
}

/// The reason of the answer, where it looks like one: an upper-case constant (AIP-193).
fn reason(status: &Status) -> Option<String> {
    let constant = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    status.details.iter().find_map(|detail| match detail {
        StatusDetails::ErrorInfo(info) => Some(info.reason.as_str())
            .filter(|reason| !reason.is_empty() && reason.len() <= MAX_REASON_LEN)
            .filter(|reason| reason.bytes().all(constant))
            .map(str::to_owned),
        _ => None,
    })
}

fn with_pause(error: ProviderError, answer: &Error) -> ProviderError {
    let pause = answer
        .status()
        .and_then(retry_info)
        .or_else(|| answer.http_headers().and_then(retry_after));
    match pause {
        Some(pause) if error.is_retryable() => error.with_retry_after(pause.min(MAX_RETRY_AFTER)),
        _ => error,
    }
}

/// `google.rpc.RetryInfo`, the service's own way to say it.
fn retry_info(status: &Status) -> Option<Duration> {
    status.details.iter().find_map(|detail| match detail {
        StatusDetails::RetryInfo(info) => Duration::try_from(info.retry_delay?).ok(),
        _ => None,
    })
}

/// `Retry-After` in seconds (RFC 9110 §10.2.3); the front ends of Google send no dates.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROJECT: &str = "projects/secret-project";

    fn answered(status: u16, body: &str, headers: HeaderMap) -> ProviderError {
        let body = body.as_bytes().to_vec().into();
        let error = match Status::try_from(&body) {
            Ok(service) => Error::service_with_http_metadata(service, Some(status), Some(headers)),
            Err(_) => Error::http(status, headers, body),
        };
        of_call(&error)
    }

    fn service(status: u16, code: &str, details: &str) -> ProviderError {
        let body = format!(
            r#"{{"error":{{"code":{status},"message":"about {PROJECT}","status":"{code}","details":[{details}]}}}}"#
        );
        answered(status, &body, HeaderMap::new())
    }

    #[test]
    fn the_code_of_the_service_decides() {
        let disabled =
            r#"{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"SERVICE_DISABLED"}"#;
        for (status, code, details, expected) in [
            (400, "FAILED_PRECONDITION", "", Kind::KeyDisabled),
            (400, "INVALID_ARGUMENT", "", Kind::AlgorithmMismatch),
            (400, "OUT_OF_RANGE", "", Kind::Configuration),
            (401, "UNAUTHENTICATED", "", Kind::AccessDenied),
            (403, "PERMISSION_DENIED", "", Kind::AccessDenied),
            (403, "PERMISSION_DENIED", disabled, Kind::Configuration),
            (404, "NOT_FOUND", "", Kind::KeyNotFound),
            (409, "ABORTED", "", Kind::Unavailable),
            (429, "RESOURCE_EXHAUSTED", "", Kind::Throttled),
            (499, "CANCELLED", "", Kind::Unavailable),
            (500, "INTERNAL", "", Kind::Unavailable),
            (500, "DATA_LOSS", "", Kind::Unavailable),
            (501, "UNIMPLEMENTED", "", Kind::Configuration),
            (503, "UNAVAILABLE", "", Kind::Unavailable),
            (504, "DEADLINE_EXCEEDED", "", Kind::Timeout),
            // Where the two disagree, and where the code is none.
            (200, "NOT_FOUND", "", Kind::KeyNotFound),
            (429, "A_LATER_CODE", "", Kind::Throttled),
        ] {
            assert_eq!(
                service(status, code, details).kind(),
                expected,
                "{status} {code} {details}"
            );
        }
    }

    #[test]
    fn without_a_code_the_http_status_decides() {
        for (status, expected) in [
            (400, Kind::Configuration),
            (401, Kind::AccessDenied),
            (403, Kind::AccessDenied),
            (404, Kind::Configuration),
            (408, Kind::Timeout),
            (429, Kind::Throttled),
            (502, Kind::Unavailable),
            (503, Kind::Unavailable),
            (504, Kind::Timeout),
            (302, Kind::InvalidResponse),
        ] {
            assert_eq!(answered(status, "<html>", HeaderMap::new()).kind(), expected, "{status}");
        }
    }

    #[test]
    fn the_pause_is_taken_from_the_details_or_from_the_header() {
        let info = r#"{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"7s"}"#;
        let endless =
            r#"{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"99999s"}"#;
        let pause = |error: ProviderError| error.retry_after();
        assert_eq!(pause(service(429, "RESOURCE_EXHAUSTED", info)), Some(Duration::from_secs(7)));
        assert_eq!(pause(service(429, "RESOURCE_EXHAUSTED", endless)), Some(MAX_RETRY_AFTER));
        assert_eq!(pause(service(429, "RESOURCE_EXHAUSTED", "")), None);
        assert_eq!(pause(service(404, "NOT_FOUND", info)), None);

        let with = |value: &'static str| {
            HeaderMap::from_iter([(RETRY_AFTER, http::HeaderValue::from_static(value))])
        };
        assert_eq!(pause(answered(503, "", with("3"))), Some(Duration::from_secs(3)));
        assert_eq!(pause(answered(503, "", with("-3"))), None);
    }

    #[test]
    fn failures_without_an_answer_are_told_apart() {
        for (error, expected) in [
            (Error::timeout(PROJECT), Kind::Timeout),
            (Error::connect(PROJECT), Kind::Unavailable),
            (Error::io(PROJECT), Kind::Unavailable),
            (Error::deser(PROJECT), Kind::InvalidResponse),
            (Error::binding(PROJECT), Kind::Configuration),
            (Error::ser(PROJECT), Kind::Configuration),
            (Error::authentication(CredentialsError::from_msg(true, PROJECT)), Kind::Unavailable),
            (Error::authentication(CredentialsError::from_msg(false, PROJECT)), Kind::AccessDenied),
        ] {
            let failure = of_call(&error);
            assert_eq!(failure.kind(), expected, "{error}");
            assert!(!format!("{failure:?} {failure}").contains(PROJECT), "{failure:?}");
        }
    }

    #[test]
    fn the_texts_of_the_service_are_not_repeated() {
        let odd = format!(
            r#"{{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"{PROJECT}"}}"#
        );
        let error = service(403, "PERMISSION_DENIED", &odd);
        let source = error.source().unwrap();
        assert_eq!(source.to_string(), "Cloud KMS answered HTTP 403 PERMISSION_DENIED");
        for text in [format!("{error:?}"), error.to_string(), format!("{source:?}")] {
            assert!(!text.contains(PROJECT), "{text}");
        }
    }
}
