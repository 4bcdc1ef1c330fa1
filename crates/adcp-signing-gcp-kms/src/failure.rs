//! From what Cloud KMS answered, or did not, to a [`ProviderError`].
//!
//! The service's messages repeat resource names, and so do the texts of the client's errors, so
//! neither is passed on: a [`ServiceAnswer`] is the source instead.

mod credentials;

use std::time::{Duration, SystemTime};

use adcp_signing_core::{
    ProviderError, ProviderErrorKind,
    provider::toolkit::{self, CreatedKey, NetworkCause, ServiceAnswer, kind_of_status},
};
use google_cloud_gax::{
    client_builder,
    error::{
        Error,
        rpc::{Code, Status, StatusDetails},
    },
};
use http::header::RETRY_AFTER;

use self::credentials::{CREDENTIALS, answer_to_credentials, of_credentials, with_clock};
pub(crate) use self::credentials::{no_default_credentials, refuses_credentials};
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
mod tests;
