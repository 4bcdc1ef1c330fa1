//! From what AWS KMS answered, or did not, to a [`ProviderError`].
//!
//! AWS says what went wrong in a code, and the HTTP status is no guide: being throttled is a 400.
//! Its messages repeat ARNs, and so do the texts of the SDK's errors, so neither is passed on: a
//! [`KmsAnswer`] is the source instead.

use std::{
    error::Error as StdError,
    fmt, io,
    time::{Duration, SystemTime},
};

use adcp_signing_core::{ProviderError, ProviderErrorKind};
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_kms::{
    config::http::HttpResponse,
    error::{ConnectorError, ProvideErrorMetadata, SdkError},
    primitives::{DateTime, DateTimeFormat},
};

use ProviderErrorKind as Kind;

/// The longest code or request ID that is shown.
const MAX_SHOWN_LEN: usize = 64;
/// The longest pause that a `Retry-After` can ask for; more than that is not an answer to wait for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// The error answer of AWS KMS behind a [`ProviderError`], without the text that repeats ARNs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KmsAnswer {
    code: Option<String>,
    status: u16,
    request_id: Option<String>,
}

impl KmsAnswer {
    /// The service's error code, such as `ThrottlingException`.
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The request ID, by which CloudTrail and AWS support find the call.
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }
}

impl fmt::Display for KmsAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AWS KMS answered HTTP {}", self.status)?;
        if let Some(code) = &self.code {
            write!(f, " {code}")?;
        }
        if let Some(id) = &self.request_id {
            write!(f, ", request {id}")?;
        }
        Ok(())
    }
}

impl StdError for KmsAnswer {}

/// What a code of the service stands for, and what to do about it.
struct Code {
    name: &'static str,
    kind: ProviderErrorKind,
    advice: &'static str,
}

const fn code(name: &'static str, kind: ProviderErrorKind, advice: &'static str) -> Code {
    Code { name, kind, advice }
}

const ALLOW: &str = "allow kms:Sign and kms:GetPublicKey on the key, in the key policy and in the caller's IAM policy";
const CREDENTIALS: &str =
    "AWS does not know these credentials; check the access key and whether it is active";
const RENEW: &str =
    "the session credentials have expired; renew them, or use a source that the SDK renews itself";
const CLOCK: &str =
    "the request's signature was refused; check the secret access key and this machine's clock";
const GRANT: &str = "the grant is not valid; create it again";
const FIND: &str =
    "no such key or alias in this account and Region; check the key, the Region and the account";
const ENABLE: &str = "enable the key: aws kms enable-key";
const STATE: &str = "the key is not usable; is its deletion pending, or its material not imported?";
const USAGE: &str =
    "the key cannot sign with this algorithm; its usage must be SIGN_VERIFY and its key spec match";
const SLOW_DOWN: &str =
    "over the request quota of the account and Region; sign less, or ask AWS for a higher quota";
const WAIT: &str = "AWS KMS has trouble of its own; try again";
const REFUSED: &str =
    "AWS KMS refused the request as malformed; check the key identifier and the Region";

/// Every code that `Sign` and `GetPublicKey` are known to answer with, and those that every AWS
/// service has. README.md has the same table.
const CODES: [Code; 46] = [
    code("AccessDeniedException", Kind::AccessDenied, ALLOW),
    code("AccessDenied", Kind::AccessDenied, ALLOW),
    code("NotAuthorized", Kind::AccessDenied, ALLOW),
    code(
        "OptInRequired",
        Kind::AccessDenied,
        "the account is not subscribed to AWS KMS in this Region",
    ),
    code("UnrecognizedClientException", Kind::AccessDenied, CREDENTIALS),
    code("InvalidClientTokenId", Kind::AccessDenied, CREDENTIALS),
    code("MissingAuthenticationToken", Kind::AccessDenied, CREDENTIALS),
    code("MissingAuthenticationTokenException", Kind::AccessDenied, CREDENTIALS),
    code("ExpiredTokenException", Kind::AccessDenied, RENEW),
    code("ExpiredToken", Kind::AccessDenied, RENEW),
    code("InvalidSignatureException", Kind::AccessDenied, CLOCK),
    code("SignatureDoesNotMatch", Kind::AccessDenied, CLOCK),
    code("IncompleteSignature", Kind::AccessDenied, CLOCK),
    code("IncompleteSignatureException", Kind::AccessDenied, CLOCK),
    code("RequestExpired", Kind::AccessDenied, CLOCK),
    code("InvalidGrantTokenException", Kind::AccessDenied, GRANT),
    code("InvalidGrantIdException", Kind::AccessDenied, GRANT),
    code("NotFoundException", Kind::KeyNotFound, FIND),
    code("DisabledException", Kind::KeyDisabled, ENABLE),
    code("KMSInvalidStateException", Kind::KeyDisabled, STATE),
    code("InvalidKeyUsageException", Kind::AlgorithmMismatch, USAGE),
    code("UnsupportedOperationException", Kind::AlgorithmMismatch, USAGE),
    code(
        "IncorrectKeyException",
        Kind::PublicKeyMismatch,
        "the key is not the one the request was made for",
    ),
    code("ThrottlingException", Kind::Throttled, SLOW_DOWN),
    code("Throttling", Kind::Throttled, SLOW_DOWN),
    code("ThrottledException", Kind::Throttled, SLOW_DOWN),
    code("RequestThrottled", Kind::Throttled, SLOW_DOWN),
    code("RequestThrottledException", Kind::Throttled, SLOW_DOWN),
    code("RequestLimitExceeded", Kind::Throttled, SLOW_DOWN),
    code("TooManyRequestsException", Kind::Throttled, SLOW_DOWN),
    code("LimitExceededException", Kind::Throttled, SLOW_DOWN),
    code("SlowDown", Kind::Throttled, SLOW_DOWN),
    code("DependencyTimeoutException", Kind::Timeout, WAIT),
    code("RequestTimeout", Kind::Timeout, WAIT),
    code("RequestTimeoutException", Kind::Timeout, WAIT),
    code("KeyUnavailableException", Kind::Unavailable, WAIT),
    code("KMSInternalException", Kind::Unavailable, WAIT),
    code("InternalFailure", Kind::Unavailable, WAIT),
    code("InternalError", Kind::Unavailable, WAIT),
    code("ServiceUnavailable", Kind::Unavailable, WAIT),
    code("ServiceUnavailableException", Kind::Unavailable, WAIT),
    code("ValidationException", Kind::Configuration, REFUSED),
    code("ValidationError", Kind::Configuration, REFUSED),
    code("InvalidArnException", Kind::Configuration, REFUSED),
    code("SerializationException", Kind::Configuration, REFUSED),
    code(
        "UnknownOperationException",
        Kind::Configuration,
        "the endpoint is not one of AWS KMS; check it",
    ),
];

/// The error of a call, told by the service's code, and by the HTTP status only where there is no
/// code.
pub(crate) fn of_call<E>(error: &SdkError<E, HttpResponse>) -> ProviderError
where
    E: ProvideErrorMetadata + StdError + 'static,
{
    match error {
        SdkError::ServiceError(answered) => of_answer(answered.err().code(), answered.raw()),
        SdkError::TimeoutError(_) => ProviderError::new(
            Kind::Timeout,
            "no answer from AWS KMS within the client's time limit; check the network path to its endpoint",
        ),
        SdkError::DispatchFailure(failure) => of_dispatch(failure.as_connector_error()),
        SdkError::ResponseError(cut) => ProviderError::new(
            Kind::Unavailable,
            "the connection to AWS KMS broke off within its answer; try again",
        )
        .with_source(answer(None, cut.raw())),
        // Everything before the request is sent: no Region, an endpoint that is no URL.
        _ => ProviderError::new(
            Kind::Configuration,
            "no request to AWS KMS could be made; check Region and endpoint",
        ),
    }
}

fn of_answer(code: Option<&str>, response: &HttpResponse) -> ProviderError {
    let status = response.status().as_u16();
    let known = code.and_then(|code| CODES.iter().find(|known| known.name == code));
    let (kind, message) = match (known, code.and_then(shown_code)) {
        (Some(known), _) => (known.kind, format!("{}: {}", known.name, known.advice)),
        (None, shown) => {
            let (kind, advice) = by_status(status);
            let code =
                shown.map_or_else(|| "an answer without a known code".to_owned(), str::to_owned);
            (kind, format!("{code} (HTTP {status}): {advice}"))
        }
    };
    let error = ProviderError::new(kind, message).with_source(answer(code, response));
    match retry_after(response, SystemTime::now()) {
        Some(pause) if kind.is_retryable() => error.with_retry_after(pause),
        _ => error,
    }
}

/// For answers of proxies and gateways, and for codes that are yet to come.
fn by_status(status: u16) -> (ProviderErrorKind, &'static str) {
    match status {
        200..=299 => (
            Kind::InvalidResponse,
            "not a reply of AWS KMS; check the endpoint and what stands before it",
        ),
        401 | 403 | 407 => (Kind::AccessDenied, "refused, by AWS KMS or something before it"),
        408 | 504 => (Kind::Timeout, WAIT),
        429 => (Kind::Throttled, SLOW_DOWN),
        500..=599 => (Kind::Unavailable, WAIT),
        400..=499 => (Kind::Configuration, REFUSED),
        _ => (
            Kind::InvalidResponse,
            "not an answer of AWS KMS; check the endpoint and what stands before it",
        ),
    }
}

fn of_dispatch(failure: Option<&ConnectorError>) -> ProviderError {
    let chain = || Chain(failure.map(|error| error as &(dyn StdError + 'static)));
    if let Some(error) = chain().find_map(|error| error.downcast_ref::<CredentialsError>()) {
        return of_credentials(error);
    }
    let io = chain().find_map(|error| error.downcast_ref::<io::Error>()).map(io::Error::kind);
    let http = chain().find_map(|error| error.downcast_ref::<hyper::Error>());
    let (kind, message) = if failure.is_some_and(ConnectorError::is_timeout)
        || io == Some(io::ErrorKind::TimedOut)
    {
        (
            Kind::Timeout,
            "no connection to AWS KMS within the client's time limit; check the network path",
        )
    } else if http.is_some_and(hyper::Error::is_parse) {
        (
            Kind::InvalidResponse,
            "the answer is not HTTP; check the endpoint and what stands before it",
        )
    } else if io == Some(io::ErrorKind::InvalidData) {
        (
            Kind::Unavailable,
            "no TLS connection to AWS KMS; check the endpoint, and the root certificates here",
        )
    } else if failure.is_some_and(ConnectorError::is_io) || http.is_some() {
        (Kind::Unavailable, "AWS KMS could not be reached; check the network path to its endpoint")
    } else {
        (
            Kind::Configuration,
            "no request to AWS KMS could be made; check Region, endpoint and credentials",
        )
    };
    let error = ProviderError::new(kind, message);
    match io {
        // The kind alone: the text of a connection error can hold host names.
        Some(io) => error.with_source(io::Error::from(io)),
        None => error,
    }
}

fn of_credentials(error: &CredentialsError) -> ProviderError {
    let (kind, message) = match error {
        CredentialsError::CredentialsNotLoaded(_) => (
            Kind::Configuration,
            "no AWS credentials were found; set a role, a profile or the AWS_ variables for this process",
        ),
        CredentialsError::InvalidConfiguration(_) => (
            Kind::Configuration,
            "the AWS credentials are configured wrong; check the profile and the AWS_ variables",
        ),
        CredentialsError::ProviderTimedOut(_) => {
            (Kind::Timeout, "the source of the AWS credentials did not answer in time")
        }
        _ => (
            Kind::Unavailable,
            "the source of the AWS credentials failed; check the role and who may assume it",
        ),
    };
    ProviderError::new(kind, message)
}

fn answer(code: Option<&str>, response: &HttpResponse) -> KmsAnswer {
    let request_id = response.headers().get("x-amzn-requestid").filter(|id| is_request_id(id));
    KmsAnswer {
        code: code.and_then(shown_code).map(str::to_owned),
        status: response.status().as_u16(),
        request_id: request_id.map(str::to_owned),
    }
}

/// A code as it may be shown: what answers in KMS' place could put anything there.
fn shown_code(code: &str) -> Option<&str> {
    let plain = (1..=MAX_SHOWN_LEN).contains(&code.len())
        && code.bytes().all(|byte| byte.is_ascii_alphabetic());
    plain.then_some(code)
}

fn is_request_id(text: &str) -> bool {
    (1..=MAX_SHOWN_LEN).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

/// RFC 9110 §10.2.3, and AWS' own field in milliseconds.
fn retry_after(response: &HttpResponse, now: SystemTime) -> Option<Duration> {
    let headers = response.headers();
    let milliseconds =
        || headers.get("x-amz-retry-after")?.trim().parse().ok().map(Duration::from_millis);
    let standard = || {
        let value = headers.get("retry-after")?.trim();
        match value.parse() {
            Ok(seconds) => Some(Duration::from_secs(seconds)),
            Err(_) => {
                let date = DateTime::from_str(value, DateTimeFormat::HttpDate).ok()?;
                SystemTime::try_from(date).ok()?.duration_since(now).ok()
            }
        }
    };
    milliseconds().or_else(standard).map(|pause| pause.min(MAX_RETRY_AFTER))
}

/// An error and what caused it, outermost first.
struct Chain<'a>(Option<&'a (dyn StdError + 'static)>);

impl<'a> Iterator for Chain<'a> {
    type Item = &'a (dyn StdError + 'static);

    fn next(&mut self) -> Option<Self::Item> {
        let error = self.0?;
        self.0 = error.source();
        Some(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows of the table in README.md: codes, kind, whether it is retried.
    fn table() -> Vec<(Vec<&'static str>, &'static str, &'static str)> {
        let row = |line: &'static str| {
            let mut cells = line.trim_matches('|').split(" | ").map(str::trim);
            let codes = cells.next()?.split(", ").map(|code| code.trim_matches('`')).collect();
            Some((codes, cells.next()?.trim_matches('`'), cells.next()?))
        };
        include_str!("../README.md")
            .lines()
            .filter(|line| line.starts_with("| `"))
            .filter_map(row)
            .collect()
    }

    #[test]
    fn the_table_of_the_readme_is_the_one_of_the_code() {
        let mut documented: Vec<_> = table()
            .into_iter()
            .flat_map(|(codes, kind, retried)| {
                codes.into_iter().map(move |code| (code, kind, retried))
            })
            .collect();
        let yes_no = |retried| if retried { "yes" } else { "no" };
        let mut coded: Vec<_> = CODES
            .iter()
            .map(|code| (code.name, code.kind.as_str(), yes_no(code.kind.is_retryable())))
            .collect();
        documented.sort_unstable();
        coded.sort_unstable();
        assert_eq!(documented, coded);
    }

    #[test]
    fn no_code_is_listed_twice() {
        for (index, code) in CODES.iter().enumerate() {
            assert!(
                !CODES[..index].iter().any(|earlier| earlier.name == code.name),
                "{}",
                code.name
            );
        }
    }
}
