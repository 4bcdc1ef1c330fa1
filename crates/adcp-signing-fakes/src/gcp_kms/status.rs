//! Error answers in the service's form: `google.rpc.Status` as JSON (AIP-193).

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use crate::service::{Failure, Refusal, Reply};

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Status {
    http: u16,
    code: &'static str,
    message: String,
    reason: Option<&'static str>,
    /// More details, as they go on the wire.
    detail: Option<Box<Value>>,
    retry_after: Option<Duration>,
}

/// The result of a call.
pub(super) type Answer = Result<Value, Status>;

impl Status {
    fn new(http: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { http, code, message: message.into(), reason: None, detail: None, retry_after: None }
    }

    pub(super) fn invalid_argument(message: impl Into<String>) -> Self {
        Self::new(400, "INVALID_ARGUMENT", message)
    }

    /// A field that is refused.
    pub(super) fn invalid_field(field: &str, message: &str) -> Self {
        let detail = json!({
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "fieldViolations": [{"field": field, "description": message}],
        });
        Self { detail: Some(Box::new(detail)), ..Self::invalid_argument(message) }
    }

    /// A precondition that fails: its type, such as `KEY_DISABLED`, and what it fails for.
    pub(super) fn failed_precondition(
        kind: &str,
        subject: &str,
        message: impl Into<String>,
    ) -> Self {
        let message = message.into();
        let detail = json!({
            "@type": "type.googleapis.com/google.rpc.PreconditionFailure",
            "violations": [{"type": kind, "subject": subject, "description": &message}],
        });
        Self { detail: Some(Box::new(detail)), ..Self::new(400, "FAILED_PRECONDITION", message) }
    }

    pub(super) fn unauthenticated() -> Self {
        let message = "Request had invalid authentication credentials.";
        Self {
            reason: Some("ACCESS_TOKEN_TYPE_UNSUPPORTED"),
            ..Self::new(401, "UNAUTHENTICATED", message)
        }
    }

    pub(super) fn permission_denied(resource: &str) -> Self {
        let message = format!("Permission denied on resource '{resource}' (or it may not exist).");
        Self {
            reason: Some("IAM_PERMISSION_DENIED"),
            ..Self::new(403, "PERMISSION_DENIED", message)
        }
    }

    pub(super) fn not_found(resource: &str) -> Self {
        Self::new(404, "NOT_FOUND", format!("{resource} not found."))
    }

    pub(super) fn already_exists(resource: &str) -> Self {
        Self::new(409, "ALREADY_EXISTS", format!("{resource} already exists."))
    }

    fn resource_exhausted(retry_after: Option<Duration>) -> Self {
        let message = "Quota exceeded for quota metric 'Cryptographic requests'.";
        Self {
            reason: Some("RATE_LIMIT_EXCEEDED"),
            retry_after,
            ..Self::new(429, "RESOURCE_EXHAUSTED", message)
        }
    }

    fn unavailable(retry_after: Option<Duration>) -> Self {
        Self {
            retry_after,
            ..Self::new(503, "UNAVAILABLE", "The service is currently unavailable.")
        }
    }

    pub(super) fn internal() -> Self {
        Self::new(500, "INTERNAL", "Internal error encountered.")
    }

    fn to_json(&self) -> Value {
        let mut details = Vec::new();
        if let Some(reason) = self.reason {
            details.push(json!({
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": reason,
                "domain": "googleapis.com",
            }));
        }
        details.extend(self.detail.as_deref().cloned());
        if let Some(wait) = self.retry_after {
            details.push(json!({
                "@type": "type.googleapis.com/google.rpc.RetryInfo",
                "retryDelay": format!("{}s", wait.as_secs()),
            }));
        }
        json!({"error": {
            "code": self.http,
            "message": self.message,
            "status": self.code,
            "details": details,
        }})
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        match refusal.failure {
            Failure::TooManyRequests => Self::resource_exhausted(refusal.retry_after),
            Failure::Unavailable => Self::unavailable(refusal.retry_after),
        }
    }
}

impl From<Status> for Reply {
    fn from(status: Status) -> Self {
        let code = StatusCode::from_u16(status.http).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self::json(code, status.to_json()).with_retry_after(status.retry_after)
    }
}
