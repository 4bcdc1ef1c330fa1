//! From what Azure answered, or did not, to a [`ProviderError`].
//!
//! The service's messages name vaults and keys, the client's errors repeat them with the URL, and
//! those of TLS name the host, so none is passed on: a [`ServiceAnswer`] is the source instead.

use std::{
    borrow::Cow,
    error::Error as StdError,
    time::{Duration, SystemTime},
};

use adcp_signing_core::{
    ProviderError, ProviderErrorKind,
    provider::toolkit::{self, ClockSkew, NetworkCause, ServiceAnswer, kind_of_status},
};
use azure_core::{
    error::{Error, ErrorKind},
    http::{
        RawResponse,
        headers::{
            HeaderName, Headers, RETRY_AFTER, RETRY_AFTER_MS, WWW_AUTHENTICATE, X_MS_RETRY_AFTER_MS,
        },
    },
};

use ProviderErrorKind as Kind;

use crate::{
    answer::{self, Codes},
    credentials::NoCredentials,
    transport::ReplyTooLong,
};

const DATE: HeaderName = HeaderName::from_static("date");

/// How the client says that another call has just thrown the token away that this one was about to
/// use.
const TOKEN_RACE: &str = "The request failed due to an error while fetching the access token.";

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    GetKey,
    Sign,
    CreateKey,
}

/// Who was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    KeyVault,
    ManagedHsm,
}

impl Service {
    fn name(self) -> &'static str {
        match self {
            Self::KeyVault => "Azure Key Vault",
            Self::ManagedHsm => "Azure Managed HSM",
        }
    }

    fn allow(self) -> &'static str {
        match self {
            Self::KeyVault => {
                "the credentials may not use the key; assign the role `Key Vault Crypto User`, or a role with get and \
                 sign, on the key, and allow some minutes for it to take effect"
            }
            Self::ManagedHsm => {
                "the credentials may not use the key; assign a local role with keys/read/action and keys/sign/action on \
                 the key (`az keyvault role assignment create --hsm-name`). Roles of Azure Resource Manager do not count"
            }
        }
    }
}

type Meaning = (ProviderErrorKind, &'static str);

const DENIED: &str = "the call was refused for a reason that is not known here; check the role or access policy, the network \
                      rules, and the key itself (`az keyvault key show`)";
const ALLOW_CREATE: &str = "the credentials may make no key; assign the role `Key Vault Crypto Officer`, or in a Managed HSM \
                            `Managed HSM Crypto Officer`, to whoever makes keys, which signing does not need";
const DELETED: &str = "a deleted key of this name is still kept; recover it, purge it, or name another in the key URI";
const CREDENTIALS: &str =
    "the access token is not taken; is it of the vault's tenant, and has it expired?";
const REVOKED: &str = "the access token was revoked before its end, or its network or device changed (continuous access \
                       evaluation); log in again";
const NETWORK: &str = "the vault's firewall or private endpoint does not let this machine in; see `az keyvault network-rule`";
const STATE: &str =
    "the key version is disabled, expired or not valid yet; see `az keyvault key show`";
const OPERATION: &str = "the key does not permit signing; create one with --ops sign verify";
const FIND: &str = "no such key or version in the vault; check its name and version, and whether it was deleted. A key that \
                    was just created can take some seconds to be found";
const USAGE: &str = "the request was refused for this key; its type must be the one for the algorithm that the \
                     provider is set up for";
const BUSY: &str = "the key is being changed, deleted or recovered; try again";
const SLOW_DOWN: &str =
    "over the vault's limit of transactions; sign less, or spread keys over more vaults";
const SLOW: &str = "the service did not answer in its own time; try again";
const WAIT: &str = "the service has trouble of its own; try again";
const NOT_KEY_VAULT: &str = "the host of the key (ADCP_AZURE_KEY_VAULT_KEY, or the key URI) does not know the call; is it a key \
                             vault or managed HSM?";
const UNREADABLE: &str =
    "the reply of Azure Key Vault cannot be read; check the host and what stands before it";
const TOO_LONG: &str =
    "the reply of Azure Key Vault is longer than 256 KiB; check the host and what stands before it";
const BROKE_OFF: &str = "the connection to Azure Key Vault broke off; try again";
const NO_ANSWER: &str = "no answer from Azure Key Vault in time";
const NO_CONNECTION: &str =
    "no connection to Azure Key Vault; check the vault's name, the network, and the trusted roots";
const CHALLENGE: &str = "the host of the key (ADCP_AZURE_KEY_VAULT_KEY, or the key URI) asked for a token of another \
                         service than its own, which it does not get";
const NO_TOKEN: &str = "no access token can be had with the Azure credentials; check them (AZURE_TENANT_ID, AZURE_CLIENT_ID and its \
                        like), and what the identity may do";
const NO_TOKEN_NOW: &str = "the source of the Azure credentials failed, or cannot be reached; try again. A managed identity \
                            is had on machines of Azure only";
const NO_TOOL: &str = "the command `az` or `azd` that AZURE_TOKEN_CREDENTIALS asks for is not on the PATH; install it, or \
                       choose other credentials";
const LOG_IN: &str = "`az` or `azd` has no valid login; run `az login`, or `azd auth login`";

/// What went wrong in a call.
pub(crate) fn of_call(service: Service, operation: Operation, error: &Error) -> ProviderError {
    match error.kind() {
        ErrorKind::HttpResponse { status, raw_response, .. } => {
            of_answer(service, operation, u16::from(*status), raw_response.as_deref())
        }
        ErrorKind::Credential => of_credentials(error),
        _ if cause::<ReplyTooLong>(error).is_some() => plain((Kind::InvalidResponse, TOO_LONG)),
        ErrorKind::Connection | ErrorKind::Io => caused(of_network(error), error),
        // All else that the client says for itself is about the challenge, about what it was told,
        // or about a reply that it cannot read. A challenge for claims names no resource.
        kind => {
            let text = error.to_string();
            plain(match kind {
                _ if asks_for_claims(&text) => (Kind::AccessDenied, REVOKED),
                ErrorKind::DataConversion if !text.contains("invalid audience") => {
                    (Kind::InvalidResponse, UNREADABLE)
                }
                _ => (Kind::Configuration, CHALLENGE),
            })
        }
    }
}

/// Whether a challenge says that the token, though valid, is not enough any more (RFC 9470 has the
/// same in general):
/// <https://learn.microsoft.com/entra/identity-platform/claims-challenge>.
fn asks_for_claims(challenge: &str) -> bool {
    challenge.contains("insufficient_claims")
}

fn plain((kind, advice): Meaning) -> ProviderError {
    ProviderError::new(kind, advice)
}

/// With the cause of the system's, where there is one.
fn caused(meaning: Meaning, error: &Error) -> ProviderError {
    match NetworkCause::of(error) {
        Some(cause) => plain(meaning).with_source(cause),
        None => plain(meaning),
    }
}

fn of_answer(
    service: Service,
    operation: Operation,
    status: u16,
    response: Option<&RawResponse>,
) -> ProviderError {
    let codes = Codes::of(response);
    let challenge =
        response.and_then(|response| response.headers().get_optional_str(&WWW_AUTHENTICATE));
    let (kind, advice) = match challenge {
        Some(challenge) if status == 401 && asks_for_claims(challenge) => {
            (Kind::AccessDenied, REVOKED)
        }
        _ => meaning(service, operation, status, &codes),
    };
    let advice = with_clock(advice, response);
    let pause = response.and_then(|response| retry_after(response.headers(), SystemTime::now()));
    answer::of_key_service(service.name(), status, &codes, response).into_error(kind, advice, pause)
}

/// What to do about a token that was refused: the answer's `Date` shows a clock that is off. Where it
/// is behind, a token that has ended passes for one that has not.
fn with_clock(advice: &'static str, response: Option<&RawResponse>) -> Cow<'static, str> {
    let date = || response?.headers().get_optional_str(&DATE);
    let skew = |date| ClockSkew::of(date, SystemTime::now());
    match (advice == CREDENTIALS).then(date).flatten().and_then(skew) {
        Some(skew) => format!("the access token is not taken; {skew}, so synchronize it").into(),
        None => advice.into(),
    }
}

/// README.md has the same table.
fn meaning(service: Service, operation: Operation, status: u16, codes: &Codes) -> Meaning {
    match (codes.inner.as_deref(), codes.code.as_deref(), status) {
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
        (Some("ForbiddenByRbac" | "ForbiddenByPolicy" | "AccessDenied"), _, _)
        | (_, Some("AccessDenied"), _)
            if operation == Operation::CreateKey =>
        {
            (Kind::AccessDenied, ALLOW_CREATE)
        }
        (Some("ForbiddenByRbac" | "ForbiddenByPolicy" | "AccessDenied"), _, _)
        | (_, Some("AccessDenied"), _) => (Kind::AccessDenied, service.allow()),
        (_, Some("KeyNotFound"), _) => (Kind::KeyNotFound, FIND),
        (_, Some("BadParameter"), 400) if operation == Operation::Sign => {
            (Kind::AlgorithmMismatch, USAGE)
        }
        (_, Some("Throttled" | "TooManyRequests"), _) => (Kind::Throttled, SLOW_DOWN),
        // Whatever the code: a server that knows the call has one.
        (_, Some(_), 404) => (Kind::KeyNotFound, FIND),
        (_, _, 401) => (Kind::AccessDenied, CREDENTIALS),
        (_, _, 403) => (Kind::AccessDenied, DENIED),
        (_, _, 407) => {
            (Kind::AccessDenied, "a proxy refused the request; check its login and its rules")
        }
        (Some("ObjectIsDeletedButRecoverable"), _, 409) => (Kind::Configuration, DELETED),
        (_, _, 409) => (Kind::Unavailable, BUSY),
        _ => {
            let kind = kind_of_status(status);
            let advice = match kind {
                Kind::Timeout => SLOW,
                Kind::Throttled => SLOW_DOWN,
                Kind::Unavailable => WAIT,
                Kind::Configuration => NOT_KEY_VAULT,
                _ => UNREADABLE,
            };
            (kind, advice)
        }
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
    if let Some(none) = cause::<NoCredentials>(error) {
        let failed = plain((Kind::Configuration, NoCredentials::ADVICE));
        return match &none.refused {
            Some(answer) => failed.with_source(answer.clone()),
            None => failed,
        };
    }
    if let Some(answer) = answer_to_credentials(error) {
        let (kind, advice) = match may_pass(&answer) {
            true => (Kind::Unavailable, NO_TOKEN_NOW),
            false => (Kind::AccessDenied, NO_TOKEN),
        };
        return answer.into_error(kind, advice, None);
    }
    let unreadable = |link: &(dyn StdError + 'static)| {
        link.downcast_ref::<Error>().is_some_and(|error| *error.kind() == ErrorKind::DataConversion)
    };
    // Whoever stands in front of Entra answers with a page, and the client does not say with which
    // status.
    let for_now = cause::<reqwest::Error>(error).is_some()
        || causes(error).any(unreadable)
        || (error.get_ref().is_none() && error.to_string() == TOKEN_RACE);
    // What the client says of the tools that it calls; the texts may repeat theirs.
    let says = |part: &str| {
        error.to_string().contains(part)
            || causes(error).any(|link| link.to_string().contains(part))
    };
    let meaning = if for_now {
        (Kind::Unavailable, NO_TOKEN_NOW)
    } else if says("not found on PATH") || says("wasn't found on PATH") {
        (Kind::Configuration, NO_TOOL)
    } else if says("az login") || says("azd auth login") {
        (Kind::AccessDenied, LOG_IN)
    } else {
        (Kind::AccessDenied, NO_TOKEN)
    };
    caused(meaning, error)
}

/// Whether a refusal of whoever gives out tokens may pass.
pub(crate) fn may_pass(answer: &ServiceAnswer) -> bool {
    matches!(answer.status(), Some(408 | 429 | 500..=599))
}

/// What whoever gives out tokens answered, if anything.
pub(crate) fn answer_to_credentials(error: &Error) -> Option<ServiceAnswer> {
    let links = std::iter::once(error as &(dyn StdError + 'static)).chain(causes(error));
    links.filter_map(|link| link.downcast_ref::<Error>()).find_map(|error| match error.kind() {
        ErrorKind::HttpResponse { status, error_code, raw_response } => {
            Some(answer::of_credentials(
                u16::from(*status),
                error_code.as_deref(),
                raw_response.as_deref(),
            ))
        }
        _ => None,
    })
}

fn causes(error: &Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    std::iter::successors(error.source(), |&link| link.source())
}

/// The first cause of this type.
fn cause<T: StdError + 'static>(error: &Error) -> Option<&T> {
    causes(error).find_map(|link| link.downcast_ref::<T>())
}

/// How long the service asks to wait: in milliseconds by the fields of Azure, or `Retry-After`.
fn retry_after(headers: &Headers, now: SystemTime) -> Option<Duration> {
    let field = |name: &HeaderName| headers.get_optional_str(name).map(str::trim);
    let milliseconds = [X_MS_RETRY_AFTER_MS, RETRY_AFTER_MS];
    match milliseconds.iter().find_map(|name| field(name)?.parse().ok()) {
        Some(pause) => Some(Duration::from_millis(pause)),
        None => toolkit::retry_after(field(&RETRY_AFTER)?, now),
    }
}

#[cfg(test)]
mod tests;
