//! From what AWS KMS answered, or did not, to a [`ProviderError`].
//!
//! AWS says what went wrong in a code, and the HTTP status is no guide: being throttled is a 400.
//! Its messages repeat ARNs, and so do the texts of the SDK's errors, so neither is passed on: a
//! [`ServiceAnswer`] is the source instead.

use std::{
    borrow::Cow,
    error::Error as StdError,
    io,
    time::{Duration, SystemTime},
};

use adcp_signing_core::{
    ProviderError, ProviderErrorKind,
    provider::toolkit::{ClockSkew, NetworkCause, ServiceAnswer, kind_of_status, retry_after},
};
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_kms::{
    config::http::HttpResponse,
    error::{ConnectorError, ProvideErrorMetadata, SdkError},
};

use ProviderErrorKind as Kind;

use crate::{credentials, reply_limit::ReplyTooLong};

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
const ALLOW_CREATE: &str = "allow kms:DescribeKey, kms:CreateKey, kms:CreateAlias, kms:GetPublicKey and kms:ScheduleKeyDeletion to \
                            whoever makes keys, which signing does not need";
const ALLOW_INSPECT: &str = "allow kms:DescribeKey and kms:GetKeyPolicy on the key";
const TOO_MANY: &str =
    "over the account's quota of keys or aliases; delete some, or ask AWS for a higher quota";
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
const REFUSED: &str = "AWS KMS refused the request as malformed; check the key (ADCP_AWS_KMS_KEY, or the key URI) and the Region (`region=`, \
     AWS_REGION)";

/// Every code that `Sign` and `GetPublicKey` are known to answer with, and those that every AWS
/// service has. README.md has the same table.
const CODES: [Code; 47] = [
    code("AccessDeniedException", Kind::AccessDenied, ALLOW),
    code("AccessDenied", Kind::AccessDenied, ALLOW),
    code("NotAuthorized", Kind::AccessDenied, ALLOW),
    code(
        "OptInRequired",
        Kind::AccessDenied,
        "the account is not subscribed to AWS KMS in this Region; subscribe it, or use a key in another Region",
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
    code("RequestTimeTooSkewed", Kind::AccessDenied, CLOCK),
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
        "the key is not the one that the request was made for; find out which of the two is right",
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
        "the endpoint is not one of AWS KMS; check AWS_ENDPOINT_URL_KMS, `endpoint_url` of the profile, or `endpoint=`",
    ),
];

const NO_REQUEST: &str = "no request to AWS KMS could be made; check Region, endpoint and credentials. A FIPS endpoint \
                          (AWS_USE_FIPS_ENDPOINT) and an endpoint that is named exclude each other";
const TOO_LONG: &str =
    "the reply of AWS KMS is longer than 256 KiB; check the endpoint and what stands before it";
const NOT_KMS: &str = "not an answer of AWS KMS; check the endpoint and what stands before it";

/// What was called for, where the cure depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Advice {
    Sign,
    Create,
    Inspect,
}

impl Advice {
    fn instead_of(self, advice: &'static str) -> &'static str {
        match (self, advice) {
            (Self::Create, ALLOW) => ALLOW_CREATE,
            (Self::Create, SLOW_DOWN) => TOO_MANY,
            (Self::Inspect, ALLOW) => ALLOW_INSPECT,
            _ => advice,
        }
    }
}

/// The error of `Sign` or `GetPublicKey`.
pub(crate) fn of_call<E>(error: &SdkError<E, HttpResponse>) -> ProviderError
where
    E: ProvideErrorMetadata + StdError + 'static,
{
    of(error, Advice::Sign)
}

/// The error of a call, told by the service's code, and by the HTTP status only where there is no
/// code.
pub(crate) fn of<E>(error: &SdkError<E, HttpResponse>, advice: Advice) -> ProviderError
where
    E: ProvideErrorMetadata + StdError + 'static,
{
    if Chain::of(error).any(|link| link.is::<ReplyTooLong>()) {
        return ProviderError::new(Kind::InvalidResponse, TOO_LONG);
    }
    match error {
        SdkError::ServiceError(answered) => {
            of_answer(answered.err().code(), answered.raw(), advice)
        }
        SdkError::TimeoutError(_) => ProviderError::new(
            Kind::Timeout,
            "no answer from AWS KMS within the client's time limit; check the network path to its endpoint",
        ),
        SdkError::DispatchFailure(failure) => of_dispatch(failure.as_connector_error()),
        SdkError::ResponseError(cut) => ProviderError::new(
            Kind::Unavailable,
            "the connection to AWS KMS broke off within its answer; try again",
        )
        .with_source(answer(KMS, None, cut.raw())),
        // Everything before the request is sent: no Region, an endpoint that is no URL.
        _ => ProviderError::new(Kind::Configuration, NO_REQUEST),
    }
}

const KMS: &str = "AWS KMS";

fn of_answer(code: Option<&str>, response: &HttpResponse, asked: Advice) -> ProviderError {
    let status = response.status().as_u16();
    let (kind, advice) = meaning(code, status);
    // Other codes that share the advice are about the rate, and their kind says so.
    let advice = match code {
        Some("LimitExceededException") | None => asked.instead_of(advice),
        _ if advice == ALLOW => asked.instead_of(advice),
        _ => advice,
    };
    let advice = with_clock(advice, response);
    let answer = answer(KMS, code, response);
    let known = code.is_some_and(|code| CODES.iter().any(|known| known.name == code));
    let message = match answer.code() {
        Some(code) if known => format!("{code}: {advice}"),
        Some(code) => format!("{code} (HTTP {status}), a code that is not known here: {advice}"),
        None => format!("an answer without a known code (HTTP {status}): {advice}"),
    };
    answer.into_error(kind, message, pause_of(response))
}

/// What a code means, and the HTTP status where the code is not known: an answer of a proxy or
/// gateway, or a code that is yet to come.
pub(crate) fn meaning(code: Option<&str>, status: u16) -> (ProviderErrorKind, &'static str) {
    if let Some(known) = code.and_then(|code| CODES.iter().find(|known| known.name == code)) {
        return (known.kind, known.advice);
    }
    let kind = kind_of_status(status);
    let advice = match kind {
        Kind::AccessDenied => "refused, by AWS or by something before it",
        Kind::Throttled => SLOW_DOWN,
        Kind::Timeout | Kind::Unavailable => WAIT,
        Kind::Configuration => REFUSED,
        _ => NOT_KMS,
    };
    (kind, advice)
}

/// Whether the advice holds for every service of AWS: it is about the caller's keys and session.
pub(crate) fn is_about_credentials(advice: &str) -> bool {
    [CREDENTIALS, RENEW, CLOCK].contains(&advice)
}

/// What to do about a signature that was refused: the answer's `Date` shows a clock that is off.
pub(crate) fn with_clock(advice: &'static str, response: &HttpResponse) -> Cow<'static, str> {
    let date = || response.headers().get("date");
    let skew = |date| ClockSkew::of(date, SystemTime::now());
    match (advice == CLOCK).then(date).flatten().and_then(skew) {
        Some(skew) => {
            format!("the request's signature was refused; {skew}, so synchronize it").into()
        }
        None => advice.into(),
    }
}

fn of_dispatch(failure: Option<&ConnectorError>) -> ProviderError {
    let chain = || Chain(failure.map(|error| error as &(dyn StdError + 'static)));
    if let Some(error) = chain().find_map(|error| error.downcast_ref::<CredentialsError>()) {
        return credentials::failure(error);
    }
    if chain().any(|error| error.to_string().starts_with("identity resolver timed out")) {
        return ProviderError::new(Kind::Timeout, credentials::SLOW);
    }
    match failure.and_then(network_fault) {
        Some(fault) => {
            let message = match fault {
                NetworkFault::TimedOut => {
                    "no connection to AWS KMS within the client's time limit; check the network path"
                }
                NetworkFault::NotHttp(_) => {
                    "the answer is not HTTP; check the endpoint and what stands before it"
                }
                NetworkFault::Tls(_) => {
                    "no TLS connection to AWS KMS; check the endpoint, and the root certificates here"
                }
                NetworkFault::Unreachable(_) => {
                    "AWS KMS could not be reached; check the network path to its endpoint"
                }
            };
            fault.into_error(message)
        }
        None => ProviderError::new(Kind::Configuration, NO_REQUEST),
    }
}

/// How a connection failed, and why.
#[derive(Debug, Clone)]
pub(crate) enum NetworkFault {
    TimedOut,
    NotHttp(Option<NetworkCause>),
    Tls(Option<NetworkCause>),
    Unreachable(Option<NetworkCause>),
}

pub(crate) fn network_fault(failure: &ConnectorError) -> Option<NetworkFault> {
    let cause = NetworkCause::of(failure);
    let io = cause.as_ref().map(NetworkCause::io_kind);
    let http = Chain::of(failure).find_map(|error| error.downcast_ref::<hyper::Error>());
    if failure.is_timeout() || io == Some(io::ErrorKind::TimedOut) {
        Some(NetworkFault::TimedOut)
    } else if http.is_some_and(hyper::Error::is_parse) {
        Some(NetworkFault::NotHttp(cause))
    } else if io == Some(io::ErrorKind::InvalidData) {
        Some(NetworkFault::Tls(cause))
    } else if failure.is_io() || http.is_some() {
        Some(NetworkFault::Unreachable(cause))
    } else {
        None
    }
}

impl NetworkFault {
    pub(crate) fn into_error(self, message: &'static str) -> ProviderError {
        let (kind, cause) = match self {
            Self::TimedOut => (Kind::Timeout, None),
            Self::NotHttp(cause) => (Kind::InvalidResponse, cause),
            Self::Tls(cause) | Self::Unreachable(cause) => (Kind::Unavailable, cause),
        };
        let error = ProviderError::new(kind, message);
        match cause {
            Some(cause) => error.with_source(cause),
            None => error,
        }
    }
}

pub(crate) fn answer(
    service: &'static str,
    code: Option<&str>,
    response: &HttpResponse,
) -> ServiceAnswer {
    ServiceAnswer::new(service, response.status().as_u16())
        .with_code(code)
        .with_request_id(response.headers().get("x-amzn-requestid"))
}

/// `Retry-After`, and AWS' own field in milliseconds.
pub(crate) fn pause_of(response: &HttpResponse) -> Option<Duration> {
    let headers = response.headers();
    let milliseconds = headers.get("x-amz-retry-after").and_then(|field| field.trim().parse().ok());
    milliseconds
        .map(Duration::from_millis)
        .or_else(|| retry_after(headers.get("retry-after")?, SystemTime::now()))
}

/// An error and what caused it, outermost first.
pub(crate) struct Chain<'a>(Option<&'a (dyn StdError + 'static)>);

impl<'a> Chain<'a> {
    pub(crate) fn of(error: &'a (dyn StdError + 'static)) -> Self {
        Self(Some(error))
    }
}

impl<'a> Iterator for Chain<'a> {
    type Item = &'a (dyn StdError + 'static);

    fn next(&mut self) -> Option<Self::Item> {
        let error = self.0?;
        // The source of a wrapping I/O error is that of what it wraps.
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        self.0 = match wrapped {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
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

    /// The test of the table provokes each code that README.md has.
    #[test]
    fn every_code_is_in_the_readme() {
        let readme = include_str!("../README.md");
        for code in CODES {
            assert!(readme.contains(&format!("`{}`", code.name)), "{}", code.name);
        }
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
