//! `Refusal`: a counterparty's answer that it does not accept a signature.

use std::fmt;

use adcp_signing_core::{Recovery, profile::Challenge};
use http::{HeaderMap, StatusCode, header::WWW_AUTHENTICATE};

/// A counterparty's answer that it does not accept the signature: `WWW-Authenticate: Signature
/// error="…"` (AdCP transport error taxonomy).
///
/// ```
/// use adcp_signing_core::Recovery;
/// use adcp_signing_http::Refusal;
/// use http::{HeaderMap, StatusCode};
///
/// let mut fields = HeaderMap::new();
/// let challenge = r#"Signature error="request_signature_key_unknown""#;
/// fields.insert("www-authenticate", challenge.parse()?);
/// let refusal = Refusal::of(StatusCode::UNAUTHORIZED, &fields).ok_or("not a refusal")?;
/// assert_eq!(refusal.code(), "request_signature_key_unknown");
/// assert_eq!(refusal.recovery(), Recovery::Correctable);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    status: StatusCode,
    challenge: Challenge,
}

impl Refusal {
    /// The refusal that a response stands for, or `None` where it is about something else.
    pub fn of(status: StatusCode, fields: &HeaderMap) -> Option<Self> {
        if !(status.is_client_error() || status.is_server_error()) {
            return None;
        }
        let values = fields.get_all(WWW_AUTHENTICATE).iter();
        let challenge =
            values.filter_map(|value| value.to_str().ok()).find_map(Challenge::parse)?;
        Some(Self { status, challenge })
    }

    /// A refusal that was taken apart.
    #[cfg(feature = "a2a")]
    pub(super) fn from_parts(status: StatusCode, code: &str) -> Option<Self> {
        let challenge = Challenge::parse(&format!(r#"Signature error="{code}""#))?;
        Some(Self { status, challenge })
    }

    /// The status: 401, or 503 for what passes.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The stable code. It is safe to log.
    pub fn code(&self) -> &str {
        self.challenge.code()
    }

    /// The challenge that holds the code.
    pub fn challenge(&self) -> &Challenge {
        &self.challenge
    }

    /// What to do. A code that this version does not know is terminal.
    pub fn recovery(&self) -> Recovery {
        self.challenge.recovery().unwrap_or(Recovery::Terminal)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cure = match self.recovery() {
            Recovery::Terminal => "do not send it again; an operator has to look",
            Recovery::Correctable => "change the message, the key or what is published of it",
            Recovery::Transient => "send it again later",
        };
        let (status, code) = (self.status.as_u16(), self.code());
        write!(f, "the counterparty refused the signature with {status} {code}: {cure}")
    }
}

impl std::error::Error for Refusal {}
