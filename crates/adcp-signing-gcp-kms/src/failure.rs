//! From what Cloud KMS answered, or did not, to a [`ProviderError`].
//!
//! The service's messages repeat resource names, and so do the texts of the client's errors, so
//! neither is passed on: a [`ServiceAnswer`] is the source instead.

use std::{
    borrow::Cow,
    error::Error as StdError,
    time::{Duration, SystemTime},
};

use adcp_signing_core::{
    ProviderError, ProviderErrorKind,
    provider::toolkit::{self, ClockSkew, CreatedKey, NetworkCause, ServiceAnswer, kind_of_status},
};
use google_cloud_gax::{
    client_builder,
    error::{
        CredentialsError, Error,
        rpc::{Code, Status, StatusDetails},
    },
};
use http::header::{DATE, RETRY_AFTER};

use crate::{KeyVersionName, config::configuration};

use ProviderErrorKind as Kind;

const KMS: &str = "Cloud KMS";

const ALLOW: &str = "the credentials may not use the key version, or it does not exist; grant \
                     roles/cloudkms.signerVerifier on the key, and check the name";
const ALLOW_CREATE: &str = "the credentials may make no key in the key ring, or it does not exist; grant roles/cloudkms.admin \
                            and roles/cloudkms.publicKeyViewer on it to whoever makes keys, which signing does not need";
const ALLOW_INSPECT: &str =
    "the credentials may not look at the key; grant roles/cloudkms.viewer on it";
const FIND_RING: &str =
    "no such key ring; make it (`gcloud kms keyrings create`), or check project, location and name";
const REFUSED: &str = "Cloud KMS refused to make the key; check its name in the key URI, and whether the location has \
                       keys of this kind";
const CREDENTIALS: &str = "Cloud KMS does not take the credentials; has the access token expired, or was the account disabled?";
const FIND: &str = "no such key version; check project, location, key ring, key and version";
const DENIED: &str = "the call was refused for a reason that is not known here; see the reason in the error's source, and \
                      the audit log of Cloud KMS";
const PERIMETER: &str = "a perimeter of VPC Service Controls keeps the call out; add this network, project or identity to \
                         its access level or ingress rules";
const QUOTA_PROJECT: &str = "the credentials may not use the project that the call is billed to; grant \
                             roles/serviceusage.serviceUsageConsumer there, or change the quota project";
const SCOPE: &str =
    "the access token lacks the scope of Cloud KMS; ask for `cloud-platform` or `cloudkms`";
const POLICY: &str = "a policy of the organization refuses the call, for its location or for its origin; ask who sets the policies";
const STATE: &str =
    "the key version cannot be used in its state; see `gcloud kms keys versions describe`";
const DISABLED: &str = "the key version is disabled; `gcloud kms keys versions enable`";
const PENDING: &str =
    "the key version is not generated or imported yet; wait some seconds, or minutes in an HSM";
const DESTROYED: &str = "the key version is destroyed, or about to be: before its time is up `gcloud kms keys versions \
                         restore` brings it back, disabled";
const NEVER_MADE: &str =
    "the key version could not be generated or imported and never can be used; create another";
const EXTERNAL: &str =
    "the key version's external key was destroyed, or could not be; create another";
const DAMAGED: &str = "the request reached Cloud KMS damaged: its checksum did not fit, twice; see what changes traffic on the way";
const USAGE: &str = "Cloud KMS refused the request for this key version; its purpose must be ASYMMETRIC_SIGN and \
                     its algorithm the one that the provider is set up for";
const SLOW_DOWN: &str = "over the project's quota of cryptographic or read requests; sign less, or ask for a higher quota";
const SLOW: &str = "Cloud KMS did not answer in its own time; try again";
const WAIT: &str = "Cloud KMS has trouble of its own; try again";
const NOT_KMS: &str = "the endpoint (ADCP_GCP_KMS_ENDPOINT, `endpoint=`) does not know the call; is it one of Cloud KMS?";
const UNREADABLE: &str =
    "the reply of Cloud KMS cannot be read; check the endpoint and what stands before it";
const TOO_LATE: &str = "no answer from Cloud KMS in time; check the network path to it, and to the source of the credentials";
const API: &str = "Cloud KMS cannot be used in the project of the key, or in the quota project (GOOGLE_CLOUD_QUOTA_PROJECT): enable the \
     API cloudkms.googleapis.com and billing there";

const NO_CREDENTIALS: &str = "no Google credentials can be used; run `gcloud auth application-default login`, or set \
                              GOOGLE_APPLICATION_CREDENTIALS to a file that can be read";

/// What was called for, where the cure depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    Sign,
    Create,
    Inspect,
}

impl Asked {
    fn instead_of(self, (kind, advice): Meaning) -> Meaning {
        match (self, advice) {
            (Self::Create, ALLOW) => (kind, ALLOW_CREATE),
            (Self::Create, FIND) => (kind, FIND_RING),
            (Self::Create, USAGE) => (Kind::Configuration, REFUSED),
            (Self::Inspect, ALLOW) => (kind, ALLOW_INSPECT),
            _ => (kind, advice),
        }
    }
}

type Meaning = (ProviderErrorKind, &'static str);

/// The answer of a call that must come within a time limit.
pub(crate) async fn in_time<T>(
    limit: Duration,
    asked: Asked,
    call: impl Future<Output = Result<T, Error>>,
) -> Result<T, ProviderError> {
    match tokio::time::timeout(limit, call).await {
        Ok(answer) => answer.map_err(|error| of(&error, asked)),
        Err(_) => Err(too_late()),
    }
}

/// What went wrong in `AsymmetricSign` or `GetPublicKey`.
pub(crate) fn of_call(error: &Error) -> ProviderError {
    of(error, Asked::Sign)
}

/// What went wrong in a call.
fn of(error: &Error, asked: Asked) -> ProviderError {
    let status = error.http_status_code();
    // The service's code decides, and the HTTP status only where there is none.
    if let Some(service) = error.status().filter(|service| service.code != Code::Unknown) {
        let told = Told::by(service);
        let answer = ServiceAnswer::new(KMS, status)
            .with_code(Some(service.code.name()))
            .with_detail(told.reason.or(told.violation))
            .with_request_id(told.request_id);
        if asked == Asked::Create && service.code == Code::AlreadyExists {
            return CreatedKey::<KeyVersionName>::exists().with_source(answer);
        }
        let (kind, advice) = asked.instead_of(of_code(service.code, &told));
        return answer.into_error(kind, with_clock(advice, error), pause(error));
    }
    if let Some(status) = status {
        let kind = kind_of_status(status);
        let answer = ServiceAnswer::new(KMS, status);
        let advice = with_clock(advice_of(kind, status), error);
        return answer.into_error(kind, advice, pause(error));
    }
    let (kind, advice) = if error.is_timeout() {
        (Kind::Timeout, TOO_LATE)
    } else if error.is_authentication() {
        of_credentials(error)
    } else if error.is_deserialization() {
        (Kind::InvalidResponse, UNREADABLE)
    } else if error.is_binding() || error.is_serialization() {
        (
            Kind::Configuration,
            "the request to Cloud KMS could not be built; check the key version (ADCP_GCP_KMS_KEY_VERSION, or the key URI) and \
             the endpoint (ADCP_GCP_KMS_ENDPOINT, `endpoint=`)",
        )
    } else if error.is_connect() {
        (
            Kind::Unavailable,
            "no connection to Cloud KMS; check the network, the endpoint, and the trusted roots",
        )
    } else {
        (Kind::Unavailable, "the connection to Cloud KMS broke off; try again")
    };
    if let Some(answer) = answer_to_credentials(error) {
        return answer.into_error(kind, advice, None);
    }
    let failed = ProviderError::new(kind, advice);
    match NetworkCause::of(error) {
        Some(cause) => failed.with_source(cause),
        None => failed,
    }
}

/// Nothing came in the provider's own time limit.
pub(crate) fn too_late() -> ProviderError {
    ProviderError::new(Kind::Timeout, TOO_LATE)
}

/// Whether the service says that the request reached it damaged: it refuses one whose CRC32C does
/// not fit as an invalid argument.
pub(crate) fn is_damage(error: &Error) -> bool {
    error.status().is_some_and(|service| {
        service.code == Code::InvalidArgument && Told::by(service).names_checksum(service)
    })
}

/// The error of a request that reached the service damaged.
pub(crate) fn damaged(error: &Error) -> ProviderError {
    let code = error.status().map(|service| service.code.name());
    ServiceAnswer::new(KMS, error.http_status_code()).with_code(code).into_error(
        Kind::InvalidResponse,
        DAMAGED,
        None,
    )
}

/// What the details of an answer tell (AIP-193).
#[derive(Default)]
struct Told<'a> {
    /// Of `ErrorInfo`: <https://github.com/googleapis/googleapis/blob/master/google/api/error_reason.proto>.
    reason: Option<&'a str>,
    /// The type of the first violation of `PreconditionFailure`.
    violation: Option<&'a str>,
    /// The state in the text of an answer, which older ones have alone.
    state: Option<&'a str>,
    /// The fields of `BadRequest`.
    fields: Vec<&'a str>,
    request_id: Option<&'a str>,
}

impl<'a> Told<'a> {
    fn by(service: &'a Status) -> Self {
        let mut told = Self::default();
        for detail in &service.details {
            match detail {
                StatusDetails::ErrorInfo(info) => told.reason = filled(&info.reason),
                StatusDetails::PreconditionFailure(failure) => {
                    told.violation =
                        failure.violations.first().and_then(|first| filled(&first.r#type));
                }
                StatusDetails::BadRequest(request) => {
                    told.fields
                        .extend(request.field_violations.iter().map(|field| field.field.as_str()));
                }
                StatusDetails::RequestInfo(info) => told.request_id = filled(&info.request_id),
                _ => {}
            }
        }
        let state = service.message.rsplit_once("current state is: ").map(|(_, state)| state);
        told.state = state.map(|state| state.trim_end_matches(['.', '"', ' ']));
        told
    }

    fn names_checksum(&self, service: &Status) -> bool {
        let is_checksum = |text: &str| {
            let text = text.to_ascii_lowercase();
            text.contains("crc32c") || text.contains("checksum")
        };
        self.fields.iter().any(|field| is_checksum(field)) || is_checksum(&service.message)
    }

    /// The state of the key version, as the violation or the text names it.
    fn state_of_key(&self) -> Option<&str> {
        self.violation.and_then(|kind| kind.strip_prefix("KEY_")).or(self.state)
    }
}

fn filled(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

/// No Application Default Credentials can be used.
pub(crate) fn no_default_credentials() -> ProviderError {
    configuration(NO_CREDENTIALS)
}

/// Whether Cloud KMS did not take the credentials.
pub(crate) fn refuses_credentials(error: &Error) -> bool {
    match error.status() {
        Some(service) if service.code != Code::Unknown => service.code == Code::Unauthenticated,
        _ => error.http_status_code() == Some(401),
    }
}

/// Why no client could be built.
pub(crate) fn of_client(error: &client_builder::Error) -> ProviderError {
    if error.is_default_credentials() {
        no_default_credentials()
    } else if error.is_universe_domain_mismatch() {
        configuration(
            "the credentials (GOOGLE_APPLICATION_CREDENTIALS) are for another universe domain than the endpoint \
             (ADCP_GCP_KMS_ENDPOINT, `endpoint=`)",
        )
    } else {
        configuration(
            "the client of Cloud KMS could not be built; check the endpoint (ADCP_GCP_KMS_ENDPOINT, `endpoint=`)",
        )
    }
}

/// README.md has the same table.
fn of_code(code: Code, told: &Told<'_>) -> Meaning {
    let (reason, violation) = (told.reason, told.violation);
    match code {
        Code::PermissionDenied | Code::FailedPrecondition
            if matches!(
                reason,
                Some(
                    "SERVICE_DISABLED"
                        | "BILLING_DISABLED"
                        | "CONSUMER_INVALID"
                        | "CONSUMER_SUSPENDED"
                )
            ) =>
        {
            (Kind::Configuration, API)
        }
        Code::PermissionDenied => {
            let perimeter = violation == Some("VPC_SERVICE_CONTROLS");
            let advice = match reason {
                _ if perimeter => PERIMETER,
                Some("SECURITY_POLICY_VIOLATED") => PERIMETER,
                Some("USER_PROJECT_DENIED") => QUOTA_PROJECT,
                Some("ACCESS_TOKEN_SCOPE_INSUFFICIENT") => SCOPE,
                Some("LOCATION_POLICY_VIOLATED" | "ORG_RESTRICTION_VIOLATION") => POLICY,
                None | Some("IAM_PERMISSION_DENIED") => ALLOW,
                Some(_) => DENIED,
            };
            (Kind::AccessDenied, advice)
        }
        Code::Unauthenticated => (Kind::AccessDenied, CREDENTIALS),
        Code::NotFound => (Kind::KeyNotFound, FIND),
        Code::FailedPrecondition => (Kind::KeyDisabled, of_state(told.state_of_key())),
        Code::InvalidArgument => (Kind::AlgorithmMismatch, USAGE),
        Code::ResourceExhausted => (Kind::Throttled, SLOW_DOWN),
        Code::DeadlineExceeded => (Kind::Timeout, SLOW),
        Code::Unimplemented | Code::OutOfRange | Code::AlreadyExists => {
            (Kind::Configuration, NOT_KMS)
        }
        // UNAVAILABLE, INTERNAL, ABORTED, CANCELLED, DATA_LOSS, and what may come.
        _ => (Kind::Unavailable, WAIT),
    }
}

/// The states of `CryptoKeyVersionState` that are not `ENABLED`.
fn of_state(state: Option<&str>) -> &'static str {
    match state {
        Some("DISABLED") => DISABLED,
        Some("PENDING_GENERATION" | "PENDING_IMPORT") => PENDING,
        Some("DESTROYED" | "DESTROY_SCHEDULED") => DESTROYED,
        Some("GENERATION_FAILED" | "IMPORT_FAILED") => NEVER_MADE,
        Some("PENDING_EXTERNAL_DESTRUCTION" | "EXTERNAL_DESTRUCTION_FAILED") => EXTERNAL,
        _ => STATE,
    }
}

/// What to do about an answer without a code.
fn advice_of(kind: ProviderErrorKind, status: u16) -> &'static str {
    match kind {
        Kind::AccessDenied if status == 401 => CREDENTIALS,
        Kind::AccessDenied => {
            "a proxy or the service refused the request; check the proxy, and the role of the credentials"
        }
        Kind::Timeout => SLOW,
        Kind::Throttled => SLOW_DOWN,
        Kind::Unavailable => WAIT,
        Kind::Configuration => NOT_KMS,
        _ => UNREADABLE,
    }
}

fn of_credentials(error: &Error) -> (ProviderErrorKind, &'static str) {
    let chain = || std::iter::successors(error.source(), |&cause| cause.source());
    // The client takes it for something that may pass that no metadata server is there.
    if chain().any(|cause| cause.to_string().contains("application-default login")) {
        return (Kind::Configuration, NO_CREDENTIALS);
    }
    let transient =
        chain().find_map(|cause| cause.downcast_ref()).is_some_and(CredentialsError::is_transient);
    match transient {
        true => (Kind::Unavailable, "the source of the Google credentials failed; try again"),
        false => (
            Kind::AccessDenied,
            "no access token can be had with the Google credentials (GOOGLE_APPLICATION_CREDENTIALS, or the login of gcloud); renew \
             them",
        ),
    }
}

/// What to do about credentials that were refused: the answer's `Date` shows a clock that is off.
/// A service account signs its tokens with the time of this machine.
fn with_clock(advice: &'static str, error: &Error) -> Cow<'static, str> {
    let date = || error.http_headers()?.get(DATE)?.to_str().ok();
    let skew = |date| ClockSkew::of(date, SystemTime::now());
    match (advice == CREDENTIALS).then(date).flatten().and_then(skew) {
        Some(skew) => {
            format!("Cloud KMS does not take the credentials; {skew}, so synchronize it").into()
        }
        None => advice.into(),
    }
}

/// What the source of the credentials answered. The client has it as texts, with the whole body,
/// of which the code alone is passed on.
fn answer_to_credentials(error: &Error) -> Option<ServiceAnswer> {
    let texts = || {
        let chain = std::iter::successors(error.source(), |&cause| cause.source());
        chain.map(ToString::to_string)
    };
    let status = texts().find_map(|text| {
        let (_, status) = text.split_once("HTTP status ")?.1.split_once(" error (")?;
        status.get(..3)?.parse::<u16>().ok()
    })?;
    let code = texts().find_map(|text| oauth_code(&text).map(str::to_owned));
    Some(
        ServiceAnswer::new("the source of the Google credentials", status)
            .with_code(code.as_deref()),
    )
}

/// The code of RFC 6749 §5.2 in a body: `{"error": "invalid_grant", …}`.
fn oauth_code(text: &str) -> Option<&str> {
    let (_, body) = text.split_once("body=<")?;
    let (_, value) = body.split_once(r#""error""#)?;
    let value = value.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?;
    value.split_once('"').map(|(code, _)| code)
}

/// How long the service asks to wait: by `google.rpc.RetryInfo`, its own way to say it, or by
/// `Retry-After`.
fn pause(error: &Error) -> Option<Duration> {
    let field = || error.http_headers()?.get(RETRY_AFTER)?.to_str().ok();
    error
        .status()
        .and_then(retry_info)
        .or_else(|| toolkit::retry_after(field()?, SystemTime::now()))
}

fn retry_info(status: &Status) -> Option<Duration> {
    status.details.iter().find_map(|detail| match detail {
        StatusDetails::RetryInfo(info) => Duration::try_from(info.retry_delay?).ok(),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use adcp_signing_core::provider::toolkit::MAX_RETRY_AFTER;
    use http::HeaderMap;

    use super::*;

    const PROJECT: &str = "projects/secret-project";

    fn answer(status: u16, body: &str, headers: HeaderMap) -> Error {
        let body = body.as_bytes().to_vec().into();
        match Status::try_from(&body) {
            Ok(service) => Error::service_with_http_metadata(service, Some(status), Some(headers)),
            Err(_) => Error::http(status, headers, body),
        }
    }

    fn answered(status: u16, body: &str, headers: HeaderMap) -> ProviderError {
        of_call(&answer(status, body, headers))
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

    fn detail(kind: &str, rest: &str) -> String {
        format!(r#"{{"@type":"type.googleapis.com/google.rpc.{kind}",{rest}}}"#)
    }

    /// The reasons of <https://github.com/googleapis/googleapis/blob/master/google/api/error_reason.proto>,
    /// and the violation that VPC Service Controls adds:
    /// <https://github.com/GoogleCloudPlatform/terraform-google-cloud-functions/issues/109>.
    #[test]
    fn a_denial_is_told_by_its_reason_and_only_iam_s_advises_a_role() {
        let info = |reason: &str| detail("ErrorInfo", &format!(r#""reason":"{reason}""#));
        let perimeter = detail(
            "PreconditionFailure",
            r#""violations":[{"type":"VPC_SERVICE_CONTROLS","description":"VQQn"}]"#,
        );
        for (details, kind, says) in [
            (String::new(), Kind::AccessDenied, "roles/cloudkms.signerVerifier"),
            (info("IAM_PERMISSION_DENIED"), Kind::AccessDenied, "roles/cloudkms.signerVerifier"),
            (info("SECURITY_POLICY_VIOLATED"), Kind::AccessDenied, "VPC Service Controls"),
            (perimeter, Kind::AccessDenied, "VPC Service Controls"),
            (info("USER_PROJECT_DENIED"), Kind::AccessDenied, "serviceUsageConsumer"),
            (info("ACCESS_TOKEN_SCOPE_INSUFFICIENT"), Kind::AccessDenied, "scope"),
            (info("LOCATION_POLICY_VIOLATED"), Kind::AccessDenied, "organization"),
            (info("CONSUMER_SUSPENDED"), Kind::Configuration, "billing"),
            (info("A_LATER_REASON"), Kind::AccessDenied, "not known here"),
        ] {
            let error = service(403, "PERMISSION_DENIED", &details);
            assert_eq!(error.kind(), kind, "{details}");
            let text = error.to_string();
            assert!(text.contains(says), "{details}: {text}");
            assert_eq!(text.contains("signerVerifier"), says.contains("signerVerifier"), "{text}");
        }
    }

    /// The type of the violation is that of the service, `KEY_` and the state, as clients of it
    /// compare it (`KEY_PENDING_GENERATION`); older answers have the state in their text alone.
    #[test]
    fn a_key_version_that_is_not_enabled_is_told_by_its_state() {
        for (state, says) in [
            ("DISABLED", "versions enable"),
            ("PENDING_GENERATION", "wait some seconds"),
            ("PENDING_IMPORT", "wait some seconds"),
            ("DESTROYED", "destroyed"),
            ("DESTROY_SCHEDULED", "restore"),
            ("GENERATION_FAILED", "create another"),
            ("IMPORT_FAILED", "create another"),
            ("EXTERNAL_DESTRUCTION_FAILED", "external key"),
            ("PENDING_EXTERNAL_DESTRUCTION", "external key"),
            ("A_LATER_STATE", "versions describe"),
        ] {
            let violation = format!(
                r#""violations":[{{"type":"KEY_{state}","subject":"{PROJECT}","description":"{PROJECT}"}}]"#
            );
            let by_violation =
                service(400, "FAILED_PRECONDITION", &detail("PreconditionFailure", &violation));
            let text = format!(
                r#"{{"error":{{"code":400,"message":"{PROJECT} is not enabled, current state is: {state}.","status":"FAILED_PRECONDITION"}}}}"#
            );
            for error in [by_violation, answered(400, &text, HeaderMap::new())] {
                assert_eq!(error.kind(), Kind::KeyDisabled, "{state}");
                assert!(error.to_string().contains(says), "{state}: {error}");
                assert!(!format!("{error:?}").contains(PROJECT), "{error:?}");
            }
        }
    }

    /// The form of a refused checksum is not documented: the field that AIP-193 asks for, and the
    /// words that the service's own reference has for it.
    #[test]
    fn a_checksum_that_the_service_refuses_is_damage_and_not_the_algorithm() {
        let field = detail("BadRequest", r#""fieldViolations":[{"field":"data_crc32c"}]"#);
        let other = detail("BadRequest", r#""fieldViolations":[{"field":"digest"}]"#);
        let status = |details: &str, message: &str| {
            let body = format!(
                r#"{{"error":{{"code":400,"message":"{message}","status":"INVALID_ARGUMENT","details":[{details}]}}}}"#
            );
            answer(400, &body, HeaderMap::new())
        };
        for (details, message, damage) in [
            (&*field, "", true),
            ("", "The checksum in field digest_crc32c did not match the data.", true),
            ("", "Digest CRC32C mismatch", true),
            (&other, "The digest has the wrong length.", false),
            ("", "", false),
        ] {
            assert_eq!(is_damage(&status(details, message)), damage, "{details} {message}");
        }
    }

    #[test]
    fn the_request_id_is_in_the_source() {
        let id = "2b1a39f8-5a3c-4d0e-9f43-0c2f9a7e6d11";
        let info = detail("RequestInfo", &format!(r#""requestId":"{id}""#));
        let error = service(503, "UNAVAILABLE", &info);
        let expected = format!("Cloud KMS answered HTTP 503 UNAVAILABLE, request {id}");
        assert_eq!(error.source().unwrap().to_string(), expected);
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
            (
                Error::authentication(CredentialsError::from_msg(
                    true,
                    "To setup local credentials, run `gcloud auth application-default login`. ",
                )),
                Kind::Configuration,
            ),
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
        let expected = "Cloud KMS answered HTTP 403 PERMISSION_DENIED";
        assert_eq!(source.to_string(), expected);
        for text in [format!("{error:?}"), error.to_string(), format!("{source:?}")] {
            assert!(!text.contains(PROJECT), "{text}");
        }
    }
}
