//! What went wrong, as a line of JSON, as a sentence and as an exit code.

use std::process::ExitCode;

use adcp_signing::{
    OpenError, ProviderError,
    profile::{MessageKind, Profile},
    sign::SignError,
    verify::{Bound, Reason, Rejection, Step},
};
use serde_json::{Value, json};

/// Everything that keeps a command from its result.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A file, an option, a key or a line cannot be used.
    Invalid(String),
    /// A message was refused, by the verifier's rules or by the signer's.
    Refused(Box<Refused>),
    /// The endpoint would process the message, and no verified signature says who sent it.
    Unsigned { message: String, operation: Option<String> },
    /// A key could not be used, or a store did not answer.
    Unavailable { code: &'static str, message: String },
}

/// A refused message.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) action: &'static str,
    pub(crate) code: String,
    pub(crate) step: Option<Step>,
    pub(crate) message: String,
    pub(crate) operation: Option<String>,
}

impl Failure {
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid(message.into())
    }

    /// 1 a message was refused, 2 the input cannot be used, 3 a key or a store could not.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Refused(_) | Self::Unsigned { .. } => 1,
            Self::Invalid(_) => 2,
            Self::Unavailable { .. } => 3,
        })
    }

    /// The answer to a line of `--ndjson`.
    pub(crate) fn to_json(&self) -> Value {
        match self {
            Self::Invalid(message) => {
                json!({"ok": false, "error_code": "invalid_input", "message": message})
            }
            Self::Unavailable { code, message } => {
                json!({"ok": false, "error_code": code, "message": message})
            }
            Self::Unsigned { message, operation } => json!({
                "ok": false,
                "error_code": "unsigned",
                "message": message,
                "resolved_operation": operation,
            }),
            Self::Refused(refused) => json!({
                "ok": false,
                "action": refused.action,
                "error_code": refused.code,
                "failed_step": refused.step.map(step_json),
                "message": refused.message,
                "resolved_operation": refused.operation,
            }),
        }
    }

    /// A signer's refusal has the code that a verifier would have answered with.
    pub(crate) fn from_sign(error: &SignError, profile: &Profile) -> Self {
        let message = error.to_string();
        match (error, error.fault()) {
            (SignError::Provider(error), _) => {
                Self::Unavailable { code: error.kind().as_str(), message }
            }
            (SignError::Body(error), _) if error.exceeds_limit() => {
                Self::refused(Reason::Bound(Bound::BodyComplexity).as_str(), message)
            }
            (SignError::Body(_), _) => Self::refused("duplicate_key_input", message),
            (SignError::Ambiguous(_), _) => Self::refused("ambiguous_target_uri", message),
            (_, Some(fault)) => Self::refused(profile.code(fault).as_str(), message),
            (_, None) => Self::Invalid(message),
        }
    }

    /// A refusal outside of the verifier's checklist.
    pub(crate) fn refused(code: &str, message: String) -> Self {
        let code = code.to_owned();
        Self::Refused(Box::new(Refused {
            action: "reject",
            code,
            step: None,
            message,
            operation: None,
        }))
    }
}

/// A number as the published vectors have it, and `9a`.
pub(crate) fn step_json(step: Step) -> Value {
    step.as_str().parse::<u8>().map_or_else(|_| step.as_str().into(), Value::from)
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Invalid(message) => write!(f, "invalid input: {message}"),
            Self::Unsigned { message, .. } => write!(f, "unsigned: {message}"),
            Self::Unavailable { code, message } => match message.strip_prefix(code) {
                Some(_) => f.write_str(message),
                None => write!(f, "{code}: {message}"),
            },
            Self::Refused(refused) => match refused.step {
                Some(step) => {
                    write!(
                        f,
                        "{} at step {step} ({}): {}",
                        refused.code,
                        step.title(),
                        refused.message
                    )
                }
                None => write!(f, "{}: {}", refused.code, refused.message),
            },
        }
    }
}

impl From<Rejection> for Failure {
    fn from(rejection: Rejection) -> Self {
        match rejection.reason() {
            Reason::Unavailable => {
                Self::Unavailable { code: "store_unavailable", message: rejection.to_string() }
            }
            Reason::Misconfigured => Self::Invalid(rejection.detail().to_owned()),
            reason => Self::Refused(Box::new(Refused {
                action: if rejection.is_unauthenticated() {
                    "reject_unauthenticated"
                } else {
                    "reject"
                },
                code: reason.as_str().to_owned(),
                step: Some(rejection.step()),
                message: rejection.detail().to_owned(),
                operation: rejection.operation().map(str::to_owned),
            })),
        }
    }
}

impl From<ProviderError> for Failure {
    fn from(error: ProviderError) -> Self {
        Self::Unavailable { code: error.kind().as_str(), message: error.to_string() }
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Provider(error) => error.into(),
            other => Self::Invalid(other.to_string()),
        }
    }
}

/// The words of the command line for a kind of message.
pub(crate) fn kind_name(kind: MessageKind) -> &'static str {
    match kind {
        MessageKind::Request => "request",
        MessageKind::Webhook => "webhook",
    }
}
