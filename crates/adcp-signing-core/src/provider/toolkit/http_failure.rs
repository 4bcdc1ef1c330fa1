//! From the HTTP answer of a key service to a [`ProviderError`]: what holds for every service.
//!
//! A backend says what the codes of its service mean. The status without a known code, the pause
//! that the service asks for, and what of the answer may be shown are decided here.

use std::{
    error::Error as StdError,
    fmt,
    time::{Duration, SystemTime},
};

use crate::provider::{ProviderError, ProviderErrorKind};

/// The longest pause that an answer can ask for; more than that is not an answer to wait for.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// The longest code or request ID that is shown.
const MAX_SHOWN_LEN: usize = 64;

/// The kind of an answer that says nothing more than its HTTP status: of a proxy or gateway, or
/// with a code that the backend does not know.
///
/// | status | kind |
/// |---|---|
/// | 401, 403, 407 | [`AccessDenied`](ProviderErrorKind::AccessDenied) |
/// | 408, 504 | [`Timeout`](ProviderErrorKind::Timeout) |
/// | 429 | [`Throttled`](ProviderErrorKind::Throttled) |
/// | other 5xx | [`Unavailable`](ProviderErrorKind::Unavailable) |
/// | other 4xx | [`Configuration`](ProviderErrorKind::Configuration) |
/// | all else | [`InvalidResponse`](ProviderErrorKind::InvalidResponse) |
pub const fn kind_of_status(status: u16) -> ProviderErrorKind {
    match status {
        401 | 403 | 407 => ProviderErrorKind::AccessDenied,
        408 | 504 => ProviderErrorKind::Timeout,
        429 => ProviderErrorKind::Throttled,
        500..=599 => ProviderErrorKind::Unavailable,
        400..=499 => ProviderErrorKind::Configuration,
        _ => ProviderErrorKind::InvalidResponse,
    }
}

/// The pause of a `Retry-After` field (RFC 9110 §10.2.3), in seconds or as a date. A date that is
/// over asks for none.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use adcp_signing_core::provider::toolkit::retry_after;
///
/// assert_eq!(retry_after("7", SystemTime::now()), Some(Duration::from_secs(7)));
/// assert_eq!(retry_after("Thu, 01 Jan 1970 00:00:00 GMT", SystemTime::now()), None);
/// ```
pub fn retry_after(field: &str, now: SystemTime) -> Option<Duration> {
    let field = field.trim();
    match field.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => httpdate::parse_http_date(field).ok()?.duration_since(now).ok(),
    }
}

/// The error answer of a service, as the source of a [`ProviderError`]: status, codes and request
/// ID. The text of an answer names keys, accounts and vaults, so it is not part of it.
///
/// That there is a code, and that it is fit to be shown, are two things: a code that is not one
/// word of ASCII letters, digits and underscores of at most 64 bytes counts, and is not shown.
///
/// ```
/// use adcp_signing_core::{ProviderErrorKind, provider::toolkit::ServiceAnswer};
///
/// let answer = ServiceAnswer::new("Example KMS", 429).with_code(Some("Throttled"));
/// let error = answer.into_error(ProviderErrorKind::Throttled, "sign less", None);
/// let source = std::error::Error::source(&error).unwrap();
/// assert_eq!(source.to_string(), "Example KMS answered HTTP 429 Throttled");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceAnswer {
    service: &'static str,
    status: Option<u16>,
    code: Code,
    detail: Code,
    request_id: Option<String>,
}

/// A code of an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Code {
    #[default]
    None,
    /// There is one, which could hold anything.
    NotShown,
    Shown(String),
}

impl ServiceAnswer {
    /// An answer of the service that `service` names, with an HTTP status where there is one.
    pub fn new(service: &'static str, status: impl Into<Option<u16>>) -> Self {
        let (code, detail) = (Code::None, Code::None);
        Self { service, status: status.into(), code, detail, request_id: None }
    }

    /// Adds the service's code, as it came.
    #[must_use]
    pub fn with_code(mut self, code: Option<&str>) -> Self {
        self.code = Code::of(code);
        self
    }

    /// Adds the service's more precise code, as it came.
    #[must_use]
    pub fn with_detail(mut self, detail: Option<&str>) -> Self {
        self.detail = Code::of(detail);
        self
    }

    /// Adds the ID by which the service's log and support find the call. Anything but hexadecimal
    /// digits and dashes is dropped.
    #[must_use]
    pub fn with_request_id(mut self, id: Option<&str>) -> Self {
        self.request_id = id.map(str::trim).filter(|id| is_request_id(id)).map(str::to_owned);
        self
    }

    /// The HTTP status.
    pub fn status(&self) -> Option<u16> {
        self.status
    }

    /// Whether the answer has a code, shown or not.
    pub fn has_code(&self) -> bool {
        self.code != Code::None
    }

    /// The service's code, such as `ThrottlingException`, where it is fit to be shown.
    pub fn code(&self) -> Option<&str> {
        self.code.shown()
    }

    /// The more precise code that some services add, where it is fit to be shown: Azure's innermost
    /// `innererror`, Google's reason.
    pub fn detail(&self) -> Option<&str> {
        self.detail.shown()
    }

    /// The request ID.
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// An error of this kind with the answer as its source. The pause that the service asked for is
    /// passed on where a retry makes sense, up to [`MAX_RETRY_AFTER`].
    pub fn into_error(
        self,
        kind: ProviderErrorKind,
        message: impl Into<std::borrow::Cow<'static, str>>,
        pause: Option<Duration>,
    ) -> ProviderError {
        let error = ProviderError::new(kind, message).with_source(self);
        match pause {
            Some(pause) if kind.is_retryable() => {
                error.with_retry_after(pause.min(MAX_RETRY_AFTER))
            }
            _ => error,
        }
    }
}

impl Code {
    fn of(code: Option<&str>) -> Self {
        match code {
            None | Some("") => Self::None,
            Some(code) if is_word(code) => Self::Shown(code.to_owned()),
            Some(_) => Self::NotShown,
        }
    }

    fn shown(&self) -> Option<&str> {
        match self {
            Self::Shown(code) => Some(code),
            Self::None | Self::NotShown => None,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "",
            Self::NotShown => "with a code that is not shown",
            Self::Shown(code) => code,
        })
    }
}

impl fmt::Display for ServiceAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} answered", self.service)?;
        if let Some(status) = self.status {
            write!(f, " HTTP {status}")?;
        }
        if self.has_code() {
            write!(f, " {}", self.code)?;
        }
        if let Code::Shown(detail) = &self.detail {
            write!(f, " ({detail})")?;
        }
        match &self.request_id {
            Some(id) => write!(f, ", request {id}"),
            None => Ok(()),
        }
    }
}

impl StdError for ServiceAnswer {}

/// Names of hosts, resources and accounts are not words: they have dots, slashes or colons, or
/// begin with a digit.
fn is_word(text: &str) -> bool {
    text.len() <= MAX_SHOWN_LEN
        && text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn is_request_id(text: &str) -> bool {
    (1..=MAX_SHOWN_LEN).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_alone_gives_a_kind() {
        use ProviderErrorKind as Kind;

        for (statuses, expected) in [
            (&[401, 403, 407][..], Kind::AccessDenied),
            (&[408, 504], Kind::Timeout),
            (&[429], Kind::Throttled),
            (&[500, 501, 502, 503, 599], Kind::Unavailable),
            (&[400, 404, 405, 409, 413, 499], Kind::Configuration),
            (&[100, 200, 204, 302, 399, 600, 0], Kind::InvalidResponse),
        ] {
            for status in statuses {
                assert_eq!(kind_of_status(*status), expected, "{status}");
            }
        }
    }

    #[test]
    fn a_pause_is_seconds_or_a_date_to_come() {
        let now = httpdate::parse_http_date("Wed, 25 Nov 2026 12:00:00 GMT").unwrap();
        for (field, expected) in [
            ("7", Some(7)),
            (" 7 ", Some(7)),
            ("0", Some(0)),
            ("Wed, 25 Nov 2026 12:00:30 GMT", Some(30)),
            ("Wednesday, 25-Nov-26 12:00:30 GMT", Some(30)),
            ("Wed, 25 Nov 2026 11:59:30 GMT", None),
            ("Thu, 01 Jan 1970 00:00:00 GMT", None),
            ("Wed, 99 Nov 2026 00:00:00 GMT", None),
            ("-7", None),
            ("7.5", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(retry_after(field, now), expected.map(Duration::from_secs), "{field}");
        }
    }

    #[test]
    fn the_pause_is_bounded_and_kept_for_what_may_be_repeated() {
        let error = |kind, seconds| {
            let pause = Some(Duration::from_secs(seconds));
            ServiceAnswer::new("X", 503).into_error(kind, "", pause).retry_after()
        };
        use ProviderErrorKind as Kind;
        assert_eq!(error(Kind::Throttled, 7), Some(Duration::from_secs(7)));
        assert_eq!(error(Kind::Unavailable, u64::MAX), Some(MAX_RETRY_AFTER));
        assert_eq!(error(Kind::KeyDisabled, 7), None);
    }

    #[test]
    fn a_code_counts_though_it_is_not_shown() {
        let long = "a".repeat(65);
        for (code, has, shown) in [
            (None, false, None),
            (Some(""), false, None),
            (Some("KeyNotFound"), true, Some("KeyNotFound")),
            (Some("RATE_LIMIT_EXCEEDED"), true, Some("RATE_LIMIT_EXCEEDED")),
            (Some("AADSTS7000215"), true, Some("AADSTS7000215")),
            (Some("com.example.vault.NotFoundException"), true, None),
            (Some("arn:aws:kms"), true, None),
            (Some("111122223333"), true, None),
            (Some("<html>"), true, None),
            (Some("no\u{1b}[2K"), true, None),
            (Some("a b"), true, None),
            (Some(&long), true, None),
        ] {
            let answer = ServiceAnswer::new("X", 404).with_code(code).with_detail(code);
            assert_eq!((answer.has_code(), answer.code()), (has, shown), "{code:?}");
            assert_eq!(answer.detail(), shown);
            let text = match (has, shown) {
                (_, Some(code)) => format!("X answered HTTP 404 {code} ({code})"),
                (true, None) => "X answered HTTP 404 with a code that is not shown".to_owned(),
                (false, None) => "X answered HTTP 404".to_owned(),
            };
            assert_eq!(answer.to_string(), text);
            let hidden = code.filter(|code| !code.is_empty() && shown.is_none());
            assert!(!hidden.is_some_and(|code| format!("{answer:?}").contains(code)));
        }
    }

    #[test]
    fn a_request_id_is_hexadecimal() {
        for (id, expected) in [
            ("2b1a39f8-5a3c-4d0e-9f43-0c2f9a7e6d11", true),
            ("", false),
            ("my-vault", false),
            ("1\n2", false),
            (&"a".repeat(65), false),
        ] {
            let answer = ServiceAnswer::new("X", None).with_request_id(Some(id));
            assert_eq!(answer.request_id(), Some(id).filter(|_| expected), "{id}");
            let text =
                if expected { format!("X answered, request {id}") } else { "X answered".into() };
            assert_eq!(answer.to_string(), text);
        }
    }
}
