//! `Host` and `:authority` must agree with the target URI.

use super::{Request, structured_fields::trim_ows};
use crate::target_uri::{Rules, TargetUriError, canonicalize_authority};

/// Why the authority of a message is refused (AdCP security, "`@authority` canonicalization").
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorityError {
    /// `Host` or `:authority`, whichever is named, is not a host and optional port.
    #[error("{0} is not an authority: {1}")]
    Malformed(&'static str, TargetUriError),
    /// `Host` or `:authority`, whichever is named, is another host than the URL's.
    #[error(
        "{0} is not the authority of the target URI: the message was sent to, or replayed at, another host"
    )]
    Disagrees(&'static str),
    /// Several `Host` lines.
    #[error("the Host field occurs more than once")]
    Repeated,
    /// A `Host` value that is not UTF-8.
    #[error("the Host field is not text")]
    NotText,
}

impl AuthorityError {
    /// `Host` or `:authority`.
    pub(crate) fn field(&self) -> &'static str {
        match self {
            Self::Malformed(field, _) | Self::Disagrees(field) => field,
            Self::Repeated | Self::NotText => HOST,
        }
    }
}

const HOST: &str = "Host";

/// Checks `:authority` and `Host`, as received, against the canonical authority of the target URI.
/// If both are present, both must match it, and so each other: a recipient may route by either. A
/// message with neither was addressed by its URL alone.
pub(crate) fn check_authority(
    request: &Request<'_>,
    scheme: &str,
    authority: &str,
    rules: Rules,
) -> Result<(), AuthorityError> {
    let check = |field: &'static str, received: &[u8]| {
        // A canonical authority is its own canonical form, and nearly every host is written so.
        if received == authority.as_bytes() {
            return Ok(());
        }
        let received = std::str::from_utf8(received).map_err(|_| AuthorityError::NotText)?;
        let canonical = canonicalize_authority(received, scheme, rules)
            .map_err(|error| AuthorityError::Malformed(field, error))?;
        if canonical == authority { Ok(()) } else { Err(AuthorityError::Disagrees(field)) }
    };
    if let Some(authority) = request.pseudo_authority {
        check(":authority", authority.as_bytes())?;
    }
    let mut hosts = request.fields.iter().filter(|line| line.is("host"));
    match (hosts.next(), hosts.next()) {
        (Some(_), Some(_)) => Err(AuthorityError::Repeated),
        (Some(line), None) => check(HOST, trim_ows(line.value)),
        (None, _) => Ok(()),
    }
}
