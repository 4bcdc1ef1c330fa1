//! Refusals in the service's form.

use std::time::Duration;

use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use crate::service::{Failure, Refusal, Reply};

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    http: StatusCode,
    code: &'static str,
    message: String,
    /// What tells one 403 or 409 from another.
    inner: Option<&'static str>,
    challenge: Option<&'static str>,
    retry_after: Option<Duration>,
}

/// The result of a call; some have no body.
pub(super) type Answer = Result<Option<Value>, Refused>;

impl Refused {
    fn new(http: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            http,
            code,
            message: message.into(),
            inner: None,
            challenge: None,
            retry_after: None,
        }
    }

    pub(super) fn unauthorized(challenge: &'static str, message: &'static str) -> Self {
        Self {
            challenge: Some(challenge),
            ..Self::new(StatusCode::UNAUTHORIZED, "Unauthorized", message)
        }
    }

    pub(super) fn forbidden(inner: &'static str, message: impl Into<String>) -> Self {
        Self { inner: Some(inner), ..Self::new(StatusCode::FORBIDDEN, "Forbidden", message) }
    }

    pub(super) fn bad_parameter(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BadParameter", message)
    }

    /// The service names no property, and has two spaces.
    pub(super) fn invalid_property() -> Self {
        Self::bad_parameter("Property  has invalid value\r\n")
    }

    pub(super) fn key_not_found(name: &str) -> Self {
        let message = format!(
            "A key with (name/id) {name} was not found in this key vault. If you recently deleted this key you may be able to \
             recover it using the correct recovery command. For help resolving this issue, please see \
             https://go.microsoft.com/fwlink/?linkid=2125182"
        );
        Self::new(StatusCode::NOT_FOUND, "KeyNotFound", message)
    }

    pub(super) fn deleted_key_not_found(name: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "KeyNotFound", format!("Deleted Key not found: {name}"))
    }

    pub(super) fn deleted_but_recoverable(name: &str) -> Self {
        let message = format!(
            "Key {name} is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the key \
             can only be recovered or purged."
        );
        Self {
            inner: Some("ObjectIsDeletedButRecoverable"),
            ..Self::new(StatusCode::CONFLICT, "Conflict", message)
        }
    }

    pub(super) fn no_such_operation() -> Self {
        Self::new(StatusCode::NOT_FOUND, "NotFound", "This fake has no such operation.")
    }

    pub(super) fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "InternalServerError",
            "An internal error occurred.",
        )
    }

    fn to_json(&self) -> Value {
        match self.inner {
            Some(inner) => json!({"error": {
                "code": self.code,
                "message": self.message,
                "innererror": {"code": inner},
            }}),
            None => json!({"error": {"code": self.code, "message": self.message}}),
        }
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        let refused = match refusal.failure {
            Failure::TooManyRequests => Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "Throttled",
                "Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached",
            ),
            Failure::Unavailable => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "ServiceUnavailable",
                "The service is temporarily unavailable.",
            ),
        };
        Self { retry_after: refusal.retry_after, ..refused }
    }
}

impl From<Refused> for Reply {
    fn from(refused: Refused) -> Self {
        let reply =
            Self::json(refused.http, refused.to_json()).with_retry_after(refused.retry_after);
        match refused.challenge {
            Some(challenge) => {
                reply.with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
            }
            None => reply,
        }
    }
}
