//! What went wrong, as a line of JSON, as a sentence and as an exit code.

use std::{error::Error, process::ExitCode};

use adcp_signing::{
    OpenError, ProviderError, StrictJsonError,
    profile::{MessageKind, Profile},
    sign::SignError,
    verify::{Bound, Reason, Rejection, Step},
};
use serde_json::{Value, json};

use crate::keys;

/// Everything that keeps a command from its result.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A file, an option, a key or a line cannot be used.
    Invalid(String),
    /// A message was refused, by the verifier's rules or by the signer's.
    Refused(Box<Refused>),
    /// The endpoint would process the message, and no verified signature says who sent it.
    Unsigned { message: String, operation: Option<String> },
    /// A key could not be opened or used.
    Key(Box<KeyFailure>),
    /// A store did not answer.
    Unavailable { code: &'static str, message: String },
}

/// Why a key could not be opened or used.
#[derive(Debug)]
pub(crate) struct KeyFailure {
    /// The kind of the library's error, or `invalid_input` for a key URI that cannot be used.
    pub(crate) code: &'static str,
    pub(crate) message: String,
    /// What caused it, the nearest cause first.
    pub(crate) causes: Vec<String>,
    /// Which key it was, and what was done with it.
    place: Option<Place>,
}

/// Which key failed.
#[derive(Debug)]
struct Place {
    doing: &'static str,
    /// The key URI, as it may be shown.
    uri: String,
    /// The variables of the environment that lead to the key.
    settings: Vec<String>,
}

/// What is done with a key that is made in its service.
pub(crate) const MAKING: &str = "making";

/// The code of what cannot be used as it was given.
pub(crate) const INVALID: &str = "invalid_input";

/// A refused message.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) action: &'static str,
    pub(crate) code: String,
    pub(crate) step: Option<Step>,
    pub(crate) message: String,
    pub(crate) operation: Option<String>,
    /// The option to try, where the message seems to be of another kind or profile.
    pub(crate) hint: Option<&'static str>,
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
            Self::Key(failure) if failure.code == INVALID => 2,
            Self::Key(_) | Self::Unavailable { .. } => 3,
        })
    }

    /// The answer to a line of `--ndjson`.
    pub(crate) fn to_json(&self) -> Value {
        match self {
            Self::Invalid(message) => {
                json!({"ok": false, "error_code": INVALID, "message": message})
            }
            Self::Key(failure) => json!({
                "ok": false,
                "error_code": failure.code,
                "message": failure.message,
                "causes": failure.causes,
                "key": failure.place.as_ref().map(|place| &place.uri),
            }),
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
                "hint": refused.hint,
            }),
        }
    }

    /// Adds to a refused message the option to try.
    pub(crate) fn with_hint(mut self, hint: Option<&'static str>) -> Self {
        if let Self::Refused(refused) = &mut self {
            refused.hint = hint;
        }
        self
    }

    /// Says of a failure of a key which one it was, and what was done with it.
    pub(crate) fn while_doing(self, doing: &'static str, uri: &str) -> Self {
        match self {
            Self::Key(mut failure) if failure.place.is_none() => {
                let (uri, settings) = (keys::shown_uri(uri), keys::settings(uri));
                failure.place = Some(Place { doing, uri, settings });
                Self::Key(failure)
            }
            other => other,
        }
    }

    /// The lines below the failure itself, for people.
    pub(crate) fn notes(&self) -> Vec<String> {
        let Self::Key(failure) = self else { return Vec::new() };
        let place = failure.place.as_ref().map(|place| match place.settings.as_slice() {
            [] => format!("while {} {}", place.doing, place.uri),
            settings => format!("while {} {} ({})", place.doing, place.uri, settings.join(", ")),
        });
        let causes = failure.causes.iter().map(|cause| format!("caused by: {cause}"));
        let is_in_doubt = ["timeout", "unavailable"].contains(&failure.code)
            && failure.place.as_ref().is_some_and(|place| place.doing == MAKING);
        let doubt = "the key may have been made all the same: probe it before you try again";
        let doubt = is_in_doubt.then(|| doubt.to_owned());
        place.into_iter().chain(causes).chain(doubt).collect()
    }

    /// A signer's refusal has the code that a verifier would have answered with.
    pub(crate) fn from_sign(error: &SignError, profile: &Profile) -> Self {
        let message = chain(error);
        match (error, error.fault()) {
            (SignError::Provider(error), _) => error.into(),
            (SignError::Body(error), _) if error.exceeds_limit() => {
                Self::refused(Reason::Bound(Bound::BodyComplexity).as_str(), message)
            }
            // The specification's code for this and nothing else.
            (SignError::Body(StrictJsonError::Duplicate(_)), _) => {
                Self::refused("duplicate_key_input", message)
            }
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
            hint: None,
        }))
    }
}

impl KeyFailure {
    fn new(code: &'static str, error: &dyn Error) -> Box<Self> {
        let text = error.to_string();
        let message = text.strip_prefix(code).and_then(|text| text.strip_prefix(": "));
        let message = message.unwrap_or(&text).to_owned();
        Box::new(Self { code, message, causes: causes(error), place: None })
    }

    /// The failure and its causes on one line, without the code.
    pub(crate) fn line(&self) -> String {
        match self.causes.as_slice() {
            [] => self.message.clone(),
            causes => format!("{}; caused by: {}", self.message, causes.join(": ")),
        }
    }
}

/// What caused an error, without what an error above already says.
fn causes(error: &dyn Error) -> Vec<String> {
    let (mut causes, mut said, mut cause) = (Vec::new(), error.to_string(), error.source());
    while let Some(error) = cause {
        let part = error.to_string();
        if !said.ends_with(&part) {
            causes.push(part.clone());
            said = part;
        }
        cause = error.source();
    }
    causes
}

/// An error and what caused it: the last part is often the one that helps.
pub(crate) fn chain(error: &dyn Error) -> String {
    std::iter::once(error.to_string()).chain(causes(error)).collect::<Vec<_>>().join(": ")
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
            Self::Key(failure) if failure.code == INVALID => {
                write!(f, "invalid input: {}", failure.message)
            }
            Self::Key(failure) => write!(f, "{}: {}", failure.code, failure.message),
            Self::Unavailable { code, message } => write!(f, "{code}: {message}"),
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
                Self::Unavailable { code: "store_unavailable", message: chain(&rejection) }
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
                hint: None,
            })),
        }
    }
}

impl From<&ProviderError> for Failure {
    fn from(error: &ProviderError) -> Self {
        Self::Key(KeyFailure::new(error.kind().as_str(), error))
    }
}

impl From<ProviderError> for Failure {
    fn from(error: ProviderError) -> Self {
        Self::from(&error)
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Provider(error) => error.into(),
            other => Self::Key(KeyFailure::new(INVALID, &other)),
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

#[cfg(test)]
mod tests {
    use adcp_signing::ProviderErrorKind;

    use super::*;

    #[test]
    fn a_failure_of_a_key_shows_every_cause_once() {
        let root = ProviderError::new(ProviderErrorKind::Unavailable, "no route");
        let middle = ProviderError::new(ProviderErrorKind::Timeout, "no answer").with_source(root);
        let top = ProviderError::new(ProviderErrorKind::Configuration, "refused");
        let failure = Failure::from(top.with_source(middle));
        assert_eq!(failure.to_string(), "configuration: refused");
        let causes = ["timeout: no answer", "unavailable: no route"];
        let json = failure.to_json();
        assert_eq!((&json["message"], &json["causes"]), (&json!("refused"), &json!(causes)));
        let failure = failure.while_doing("opening", "memory:");
        let notes = causes.map(|cause| format!("caused by: {cause}"));
        assert_eq!(failure.notes(), [&["while opening memory:".to_owned()], &notes[..]].concat());
        // A call that got no answer may have made a key.
        for (kind, is_in_doubt) in
            [(ProviderErrorKind::Timeout, true), (ProviderErrorKind::AccessDenied, false)]
        {
            let failure =
                Failure::from(ProviderError::new(kind, "x")).while_doing(MAKING, "memory:");
            let notes = failure.notes().join("\n");
            assert_eq!(notes.contains("may have been made"), is_in_doubt, "{notes}");
        }
        // Some errors repeat their cause in their own text.
        let said = SignError::Provider(ProviderError::new(ProviderErrorKind::Timeout, "no answer"));
        assert_eq!(chain(&said), "timeout: no answer");
    }
}
