//! The selector: a webhook registration admits exactly one kind of authentication.

use std::fmt;

use super::hmac::{SIGNATURE, TIMESTAMP};
use crate::{
    profile::{ErrorCode, Fault, MessageKind},
    rfc9421::FieldLine,
};

/// How the deliveries of one registration are authenticated ("Mode selection is a switch, not
/// both", security guide).
///
/// It follows from the registration, never from the delivery: trying one kind after the other would
/// let an attacker choose the weaker.
///
/// ```
/// use adcp_signing_core::{rfc9421::FieldLine, webhook::WebhookAuthMode};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mode = WebhookAuthMode::from_registration(None)?;
/// let hmac = [FieldLine::new("X-AdCP-Signature", "sha256=00"), FieldLine::new("X-AdCP-Timestamp", "1776520800")];
/// let mismatch = mode.check(&hmac).unwrap_err();
/// assert_eq!(mismatch.code().as_str(), "webhook_mode_mismatch");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WebhookAuthMode {
    /// RFC 9421 under the webhook profile: the registration has no `authentication`.
    Rfc9421,
    /// Legacy HMAC-SHA256, removed in AdCP 4.0: `authentication` with the scheme `HMAC-SHA256`.
    LegacyHmac,
    /// A bearer token: `authentication` with the scheme `Bearer`.
    Bearer,
}

/// Which kinds of authentication a delivery carries, well-formed or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct WebhookAuthPresent {
    /// `Signature` or `Signature-Input`.
    pub rfc9421: bool,
    /// `X-AdCP-Signature` or `X-AdCP-Timestamp`.
    pub legacy_hmac: bool,
    /// `Authorization` with the scheme `Bearer`.
    pub bearer: bool,
}

/// A delivery came with another kind of authentication than its registration selects.
///
/// The receiver answers 401 with `webhook_mode_mismatch` and alarms; it never falls back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the registration selects {expected}, the delivery carries {found}; refuse it and alarm")]
#[non_exhaustive]
pub struct ModeMismatch {
    /// What the registration selects.
    pub expected: WebhookAuthMode,
    /// What the delivery carries instead, or in addition.
    pub found: WebhookAuthMode,
}

/// `authentication` names a scheme that AdCP does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the webhook registration names an unknown scheme; use `HMAC-SHA256` or `Bearer`, or leave `authentication` out"
)]
pub struct UnknownScheme;

impl ModeMismatch {
    /// The wire code, reserved for this.
    pub const fn code(self) -> ErrorCode {
        ErrorCode::new(MessageKind::Webhook, Fault::ModeMismatch)
    }
}

impl WebhookAuthMode {
    /// The mode that a registration selects: `None` where it has no `authentication`, else the one
    /// member of `authentication.schemes`.
    ///
    /// # Errors
    /// [`UnknownScheme`]; the registration must be refused, since no mode may stand in for another.
    pub fn from_registration(scheme: Option<&str>) -> Result<Self, UnknownScheme> {
        match scheme {
            None => Ok(Self::Rfc9421),
            Some("HMAC-SHA256") => Ok(Self::LegacyHmac),
            Some("Bearer") => Ok(Self::Bearer),
            Some(_) => Err(UnknownScheme),
        }
    }

    /// Which kinds of authentication these fields carry.
    pub fn detect(fields: &[FieldLine<'_>]) -> WebhookAuthPresent {
        let any =
            |names: [&str; 2]| fields.iter().any(|field| names.iter().any(|name| field.is(name)));
        WebhookAuthPresent {
            rfc9421: any(["Signature", "Signature-Input"]),
            legacy_hmac: any([SIGNATURE, TIMESTAMP]),
            bearer: fields.iter().any(|field| field.is("Authorization") && is_bearer(field.value)),
        }
    }

    /// Refuses a delivery that carries another kind of authentication than this one.
    ///
    /// A signature of another kind is refused even beside the right one, because a webhook is never
    /// signed both ways. A bearer token beside the right kind is not: gateways add them, and
    /// nothing here relies on it. A delivery that carries nothing at all is no mismatch; the
    /// verifier of the mode then says what is missing.
    ///
    /// # Errors
    /// [`ModeMismatch`], on the wire `webhook_mode_mismatch`.
    pub fn check(self, fields: &[FieldLine<'_>]) -> Result<(), ModeMismatch> {
        let present = Self::detect(fields);
        let mismatch = |found| Err(ModeMismatch { expected: self, found });
        if present.rfc9421 && self != Self::Rfc9421 {
            return mismatch(Self::Rfc9421);
        }
        if present.legacy_hmac && self != Self::LegacyHmac {
            return mismatch(Self::LegacyHmac);
        }
        let signed = present.rfc9421 || present.legacy_hmac;
        if present.bearer && !signed && self != Self::Bearer {
            return mismatch(Self::Bearer);
        }
        Ok(())
    }
}

impl fmt::Display for WebhookAuthMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rfc9421 => "RFC 9421",
            Self::LegacyHmac => "HMAC-SHA256",
            Self::Bearer => "Bearer",
        })
    }
}

fn is_bearer(value: &[u8]) -> bool {
    let scheme = value.trim_ascii().split(|byte| byte.is_ascii_whitespace()).next();
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer"))
}

#[cfg(test)]
mod tests {
    use WebhookAuthMode::{Bearer, LegacyHmac, Rfc9421};

    use super::*;

    const RFC: FieldLine<'_> = FieldLine { name: "signature", value: b"sig1=:AA:" };
    const RFC_INPUT: FieldLine<'_> = FieldLine { name: "Signature-Input", value: b"" };
    const HMAC: FieldLine<'_> = FieldLine { name: "x-adcp-signature", value: b"sha256=00" };
    const HMAC_TIME: FieldLine<'_> = FieldLine { name: "X-ADCP-Timestamp", value: b"1" };
    const BEARER: FieldLine<'_> = FieldLine { name: "authorization", value: b"bEARER token" };
    const BASIC: FieldLine<'_> = FieldLine { name: "Authorization", value: b"Basic Bearer" };

    #[test]
    fn the_registration_selects_the_mode() {
        let cases = [(None, Rfc9421), (Some("HMAC-SHA256"), LegacyHmac), (Some("Bearer"), Bearer)];
        for (scheme, mode) in cases {
            assert_eq!(WebhookAuthMode::from_registration(scheme), Ok(mode));
        }
        for scheme in ["", "hmac-sha256", "HMAC-SHA512", "bearer", "Basic"] {
            assert_eq!(WebhookAuthMode::from_registration(Some(scheme)), Err(UnknownScheme));
        }
    }

    #[test]
    fn the_other_kind_is_a_mismatch_and_the_right_or_no_kind_is_not() {
        let cases: [(WebhookAuthMode, &[FieldLine<'_>], Option<WebhookAuthMode>); 19] = [
            (Rfc9421, &[RFC, RFC_INPUT], None),
            (Rfc9421, &[RFC_INPUT], None),
            (Rfc9421, &[], None),
            (Rfc9421, &[BASIC], None),
            (Rfc9421, &[RFC, BEARER], None),
            (Rfc9421, &[HMAC, HMAC_TIME], Some(LegacyHmac)),
            (Rfc9421, &[HMAC_TIME], Some(LegacyHmac)),
            (Rfc9421, &[RFC, RFC_INPUT, HMAC], Some(LegacyHmac)),
            (Rfc9421, &[BEARER], Some(Bearer)),
            (LegacyHmac, &[HMAC, HMAC_TIME], None),
            (LegacyHmac, &[], None),
            (LegacyHmac, &[HMAC, BEARER], None),
            (LegacyHmac, &[RFC], Some(Rfc9421)),
            (LegacyHmac, &[HMAC, RFC_INPUT], Some(Rfc9421)),
            (LegacyHmac, &[BEARER], Some(Bearer)),
            (Bearer, &[BEARER], None),
            (Bearer, &[], None),
            (Bearer, &[BEARER, RFC], Some(Rfc9421)),
            (Bearer, &[BEARER, HMAC], Some(LegacyHmac)),
        ];
        for (expected, fields, found) in cases {
            let outcome = found.map_or(Ok(()), |found| Err(ModeMismatch { expected, found }));
            assert_eq!(expected.check(fields), outcome, "{expected:?} {fields:?}");
        }
    }
}
