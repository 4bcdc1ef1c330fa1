//! From what Azure answered, or did not, to a [`ProviderError`].
//!
//! The service's messages name vaults and keys, the client's errors repeat them with the URL, and
//! those of TLS name the host, so none is passed on: a [`ServiceAnswer`] is the source instead.

use std::{
    error::Error as StdError,
    time::{Duration, SystemTime},
};

use adcp_signing_core::{
    ProviderError, ProviderErrorKind,
    provider::toolkit::{self, ServiceAnswer, kind_of_status},
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
};

/// How the client says that another call has just thrown the token away that this one was about to
/// use.
const TOKEN_RACE: &str = "The request failed due to an error while fetching the access token.";

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    GetKey,
    Sign,
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
const NOT_KEY_VAULT: &str = "the host does not know the call; is it a key vault or managed HSM?";
const UNREADABLE: &str = "the reply of Azure Key Vault cannot be read";
const BROKE_OFF: &str = "the connection to Azure Key Vault broke off";
const NO_ANSWER: &str = "no answer from Azure Key Vault in time";
const NO_CONNECTION: &str =
    "no connection to Azure Key Vault; check the vault's name, the network, and the trusted roots";
const CHALLENGE: &str =
    "the host asked for a token of another service than its own, which it does not get";
const NO_TOKEN: &str = "no access token can be had with the Azure credentials; check them, and what the identity may do";
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
        ErrorKind::Connection | ErrorKind::Io => plain(of_network(error)),
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
    let pause = response.and_then(|response| retry_after(response.headers(), SystemTime::now()));
    answer::of_key_service(service.name(), status, &codes, response).into_error(kind, advice, pause)
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
        (_, _, 407) => (Kind::AccessDenied, "a proxy refused the request"),
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
    plain(if for_now {
        (Kind::Unavailable, NO_TOKEN_NOW)
    } else if says("not found on PATH") || says("wasn't found on PATH") {
        (Kind::Configuration, NO_TOOL)
    } else if says("az login") || says("azd auth login") {
        (Kind::AccessDenied, LOG_IN)
    } else {
        (Kind::AccessDenied, NO_TOKEN)
    })
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
mod tests {
    use adcp_signing_core::provider::toolkit::MAX_RETRY_AFTER;
    use azure_core::http::{StatusCode, headers::HeaderValue};

    use super::*;

    const VAULT: &str = "https://secret-vault.vault.azure.net/keys/buyer";

    fn answered(status: u16, body: &str, fields: &[(HeaderName, &str)]) -> ProviderError {
        of_call(Service::KeyVault, Operation::Sign, &answer(status, body, fields))
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
            // What a server of another make has for a code: it counts, and is not shown.
            (
                404,
                "com.github.nagyesta.lowkeyvault.service.exception.NotFoundException",
                "",
                Kind::KeyNotFound,
            ),
            (403, "AccessDenied", "", Kind::AccessDenied),
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
        assert_eq!(
            of_call(Service::KeyVault, Operation::Sign, &error).kind(),
            Kind::AlgorithmMismatch
        );
        assert_eq!(
            of_call(Service::KeyVault, Operation::GetKey, &error).kind(),
            Kind::Configuration
        );
    }

    /// A refusal whose reason is not known is not told as a missing role.
    #[test]
    fn only_a_refusal_for_want_of_a_role_advises_to_assign_one() {
        for (code, inner, role) in [
            ("Forbidden", "ForbiddenByRbac", true),
            ("Forbidden", "ForbiddenByPolicy", true),
            ("Forbidden", "AccessDenied", true),
            ("AccessDenied", "", true),
            ("Forbidden", "ALaterCode", false),
            ("Forbidden", "", false),
            ("Forbidden", "ForbiddenByFirewall", false),
        ] {
            let text = service(403, code, inner).to_string();
            assert_eq!(text.contains("assign the role"), role, "{code} {inner}: {text}");
        }
    }

    /// `AccessDenied` and the request ID are as
    /// <https://github.com/Azure/azure-cli/issues/32719> and the recordings of
    /// <https://github.com/Azure/azure-sdk-for-js> have them.
    #[test]
    fn a_managed_hsm_is_named_and_has_roles_of_its_own() {
        let id = "b5754cbe-605c-11ed-a993-0022488d4c2b";
        let body = format!(
            r#"{{"error":{{"code":"AccessDenied","message":"Not authorized to access {VAULT}"}}}}"#
        );
        let answered = answer(403, &body, &[(HeaderName::from_static("x-ms-request-id"), id)]);
        let error = of_call(Service::ManagedHsm, Operation::Sign, &answered);
        assert_eq!(error.kind(), Kind::AccessDenied);
        let text = error.to_string();
        assert!(text.contains("--hsm-name") && !text.contains("Key Vault Crypto User"), "{text}");
        let source = error.source().unwrap().to_string();
        let expected = format!("Azure Managed HSM answered HTTP 403 AccessDenied, request {id}");
        assert_eq!(source, expected);
    }

    /// The forms of <https://learn.microsoft.com/entra/identity-platform/claims-challenge>: the
    /// client takes the first for none of its own, and asks again after the second.
    #[test]
    fn a_claims_challenge_is_a_revoked_token() {
        let challenge = r#"Bearer realm="", authorization_uri="https://login.example/secret-vault", error="insufficient_claims", claims="eyJ""#;
        let text = format!("no scope or resource in authentication challenge: {challenge}");
        for error in [
            Error::with_message(ErrorKind::DataConversion, text),
            answer(401, "", &[(WWW_AUTHENTICATE, challenge)]),
        ] {
            let failure = of_call(Service::KeyVault, Operation::Sign, &error);
            assert_eq!(failure.kind(), Kind::AccessDenied, "{failure}");
            assert!(failure.to_string().contains("log in again"), "{failure}");
            assert!(!format!("{failure:?}").contains("secret-vault"), "{failure:?}");
        }
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
        let far = "Fri, 31 Dec 9999 23:59:59 GMT";
        assert_eq!(pause(429, &[(RETRY_AFTER, far)]), Some(MAX_RETRY_AFTER));
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
            (
                Error::new(ErrorKind::Credential, NoCredentials { refused: None }),
                Kind::Configuration,
            ),
            (
                Error::with_message(ErrorKind::Credential, "az not found on PATH"),
                Kind::Configuration,
            ),
            (
                Error::with_message(
                    ErrorKind::Credential,
                    "please run 'az login' for secret-vault",
                ),
                Kind::AccessDenied,
            ),
            (
                Error::with_message(ErrorKind::DataConversion, "invalid audience in challenge: x"),
                Kind::Configuration,
            ),
            (entra(401, Some("7000215")), Kind::AccessDenied),
            (entra(400, None), Kind::AccessDenied),
            (entra(429, None), Kind::Unavailable),
            (entra(503, None), Kind::Unavailable),
        ] {
            let failure = of_call(Service::KeyVault, Operation::Sign, &error);
            assert_eq!(failure.kind(), expected, "{error}");
            assert!(!format!("{failure:?} {failure}").contains("secret-vault"), "{failure:?}");
        }
        let refused = of_call(Service::KeyVault, Operation::Sign, &entra(401, Some("7000215")));
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
