//! Why a message was refused: a stable reason outward, a detail for the log inward.

use std::{borrow::Cow, error::Error as StdError, fmt, sync::Arc, time::Duration};

use super::Step;
use crate::profile::{ErrorCode, Fault, Profile, Recovery};

/// How long a sender waits before it tries again, where the refusal is the verifier's trouble.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// A message that must not be processed.
///
/// Answer with [`status`](Self::status), and with [`www_authenticate`](Self::www_authenticate) and
/// [`retry_after`](Self::retry_after) where there are any. [`detail`](Self::detail), `Display` and
/// the chain of sources are for the log: AdCP forbids sending anything but the reason. They hold no
/// body bytes, no key and no credential. The [`Verifier`](super::Verifier) has logged the rejection
/// already.
///
/// ```
/// use adcp_signing_core::verify::Rejection;
///
/// fn answer(rejection: &Rejection) -> (u16, Vec<(&'static str, String)>) {
///     let mut headers = Vec::new();
///     headers.extend(rejection.www_authenticate().map(|value| ("WWW-Authenticate", value)));
///     headers.extend(rejection.retry_after().map(|wait| ("Retry-After", wait.as_secs().to_string())));
///     (rejection.status(), headers)
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Rejection(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    reason: Reason,
    step: Step,
    detail: Cow<'static, str>,
    keyid: Option<String>,
    operation: Option<String>,
    unauthenticated: bool,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

/// What a rejection stands for on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// A code of the AdCP transport error taxonomy.
    Code(ErrorCode),
    /// The message exceeds a bound of this verifier (413). No signature code exists for it.
    Bound(Bound),
    /// The verifier itself could not decide: its replay store, or its record of tasks, did not
    /// answer (503).
    Unavailable,
    /// The task-level code `INVALID_REQUEST`: an A2A message continues a task that is bound to
    /// another operation or principal.
    InvalidRequest,
    /// The verifier was called in a way that its configuration rules out (500).
    Misconfigured,
}

/// The bound that a message exceeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Bound {
    /// More bytes than the endpoint reads.
    BodyBytes,
    /// JSON that nests deeper, or has more members and elements, than the endpoint reads.
    BodyComplexity,
}

impl Reason {
    /// The stable text: the AdCP code, `body_too_large`, `body_too_complex`,
    /// `verifier_unavailable`, `INVALID_REQUEST` or `verifier_misconfigured`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Code(code) => code.as_str(),
            Self::Bound(Bound::BodyBytes) => "body_too_large",
            Self::Bound(Bound::BodyComplexity) => "body_too_complex",
            Self::Unavailable => "verifier_unavailable",
            Self::InvalidRequest => "INVALID_REQUEST",
            Self::Misconfigured => "verifier_misconfigured",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Rejection {
    /// A refusal by the checklist. `#[cold]` keeps the rejection path out of the hot code.
    #[cold]
    pub(super) fn new(
        profile: &Profile,
        step: Step,
        fault: Fault,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::of(Reason::Code(profile.code(fault)), step, detail)
    }

    #[cold]
    pub(super) fn of(reason: Reason, step: Step, detail: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            reason,
            step,
            detail: detail.into(),
            keyid: None,
            operation: None,
            unauthenticated: false,
            source: None,
        }))
    }

    #[cold]
    pub(super) fn with_keyid(mut self, keyid: &str) -> Self {
        self.0.keyid = Some(keyid.to_owned());
        self
    }

    #[cold]
    pub(super) fn with_operation(mut self, operation: Option<&str>) -> Self {
        self.0.operation = operation.map(str::to_owned);
        self
    }

    #[cold]
    pub(super) fn with_source(mut self, source: Arc<dyn StdError + Send + Sync>) -> Self {
        self.0.source = Some(source);
        self
    }

    #[cold]
    pub(super) fn into_unauthenticated(mut self) -> Self {
        self.0.unauthenticated = true;
        self
    }

    /// What the rejection stands for on the wire.
    pub fn reason(&self) -> Reason {
        self.0.reason
    }

    /// The AdCP code, where the taxonomy has one for this rejection.
    pub fn code(&self) -> Option<ErrorCode> {
        match self.0.reason {
            Reason::Code(code) => Some(code),
            _ => None,
        }
    }

    /// The step that refused. The check of A2A tasks belongs to the operation, step 0, although it
    /// is made last, as it needs the signer: the nonce of a signed message is burned by then.
    pub fn step(&self) -> Step {
        self.0.step
    }

    /// The HTTP status to answer with: 401 for a code that the sender can act on, 503 for a
    /// transient one and for a verifier that cannot decide, 413 for a bound, 400 for
    /// `INVALID_REQUEST`, 500 for a misconfigured verifier.
    pub fn status(&self) -> u16 {
        match self.0.reason {
            Reason::Code(_) if self.recovery() == Recovery::Transient => 503,
            Reason::Code(_) => 401,
            Reason::Bound(_) => 413,
            Reason::Unavailable => 503,
            Reason::InvalidRequest => 400,
            Reason::Misconfigured => 500,
        }
    }

    /// The value of the `WWW-Authenticate` field: the code and nothing else. None where there is no
    /// code.
    pub fn www_authenticate(&self) -> Option<String> {
        self.code().map(ErrorCode::www_authenticate)
    }

    /// The wait to send in `Retry-After`, with a status of 503.
    pub fn retry_after(&self) -> Option<Duration> {
        (self.status() == 503).then_some(RETRY_AFTER)
    }

    /// What the sender should do.
    pub fn recovery(&self) -> Recovery {
        match self.0.reason {
            Reason::Code(code) => code.recovery(),
            Reason::Bound(_) | Reason::InvalidRequest => Recovery::Correctable,
            Reason::Unavailable => Recovery::Transient,
            Reason::Misconfigured => Recovery::Terminal,
        }
    }

    /// The `keyid` that the message names, once it was read. Nothing has verified it.
    pub fn claimed_keyid(&self) -> Option<&str> {
        self.0.keyid.as_deref()
    }

    /// The AdCP operation, where it could be told.
    pub fn operation(&self) -> Option<&str> {
        self.0.operation.as_deref()
    }

    /// Whether shadow mode (`warn_for`) would have let the message pass on another credential, and
    /// there was none.
    pub fn is_unauthenticated(&self) -> bool {
        self.0.unauthenticated
    }

    /// What was wrong and where, for the log.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at step {}: {}", self.0.reason, self.0.step, self.0.detail)
    }
}

impl StdError for Rejection {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}
