//! Bearer tokens for webhooks, deprecated in AdCP 3 and removed in 4.0.

use std::fmt;

use hmac::digest::CtOutput;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::{
    ModeMismatch, WebhookAuthMode,
    secret::{MIN_SECRET_BYTES, is_weak},
};
use crate::{clock::UnixSeconds, profile::ErrorCode, rfc9421::FieldLine};

const FIELD: &str = "Authorization";
const SCHEME: &[u8] = b"bearer";

/// The token of a registration: at least 32 characters, zeroized when dropped.
#[derive(Clone)]
pub struct BearerToken(Zeroizing<String>);

/// Why a token is refused when it is configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BearerTokenError {
    /// Fewer than 32 characters.
    #[error("the bearer token has {bytes} characters; use at least 32 from a random source")]
    TooShort {
        /// The length of the token.
        bytes: usize,
    },
    /// Made of a handful of characters.
    #[error("the bearer token repeats a few characters; use at least 32 from a random source")]
    Weak,
    /// A character that a field value cannot carry, or a space.
    #[error("the bearer token has a character that is not visible ASCII; use Base64URL or hex")]
    Character,
}

/// Why a delivery is refused. AdCP has a code for the mode alone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BearerRejection {
    /// The delivery carries another kind of authentication: `webhook_mode_mismatch`.
    #[error(transparent)]
    ModeMismatch(#[from] ModeMismatch),
    /// There is no `Authorization` with a bearer token.
    #[error("`Authorization` with a bearer token is missing")]
    Missing,
    /// `Authorization` was sent more than once.
    #[error("`Authorization` was sent more than once")]
    Repeated,
    /// The token is another one than the registration's.
    #[error("the bearer token does not match; check the `credentials` of the registration")]
    TokenMismatch,
}

/// Authenticates deliveries of one registration by a bearer token ("Legacy Bearer token", webhooks
/// guide).
///
/// A token proves who sent a delivery to whoever trusts the TLS connection, and nothing about the
/// body or the time: use it for nothing that changes money or state.
///
/// ```
/// use adcp_signing_core::{rfc9421::FieldLine, webhook::{BearerToken, LegacyBearer}, UnixSeconds};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let token = BearerToken::new("Xq3v-x8ZpT0wL5rB2nK7yD4hG9cF6mJ1".to_owned())?;
/// let authorization = token.authorization();
/// let scheme = LegacyBearer::new(token);
/// let fields = [FieldLine::new("Authorization", &authorization)];
/// scheme.verify(&fields, UnixSeconds::new(1_776_520_800))?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct LegacyBearer {
    token: BearerToken,
    previous: Option<(BearerToken, UnixSeconds)>,
}

impl BearerToken {
    /// Takes the token as agreed, without the word `Bearer`.
    ///
    /// # Errors
    /// [`BearerTokenError`]; the text is zeroized then too.
    pub fn new(token: String) -> Result<Self, BearerTokenError> {
        let token = Zeroizing::new(token);
        if token.len() < MIN_SECRET_BYTES {
            return Err(BearerTokenError::TooShort { bytes: token.len() });
        }
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(BearerTokenError::Character);
        }
        if is_weak(token.as_bytes()) {
            return Err(BearerTokenError::Weak);
        }
        Ok(Self(token))
    }

    /// The value of `Authorization`. Mark it as sensitive where your HTTP client can.
    pub fn authorization(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("Bearer {}", *self.0))
    }

    /// Compares in constant time: hashes, so that not even the length is told.
    fn matches(&self, presented: &[u8]) -> bool {
        let hash = |bytes: &[u8]| CtOutput::<Sha256>::new(Sha256::digest(bytes));
        hash(self.0.as_bytes()) == hash(presented)
    }
}

impl fmt::Debug for BearerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BearerToken(..)")
    }
}

impl BearerRejection {
    /// The code of AdCP, where it has one.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::ModeMismatch(mismatch) => Some(mismatch.code()),
            Self::Missing | Self::Repeated | Self::TokenMismatch => None,
        }
    }

    /// The value of `WWW-Authenticate` for the answer, which is a 401 (RFC 6750 §3).
    pub fn www_authenticate(&self) -> String {
        match self {
            Self::ModeMismatch(mismatch) => mismatch.code().www_authenticate(),
            Self::Missing => "Bearer".to_owned(),
            Self::Repeated | Self::TokenMismatch => r#"Bearer error="invalid_token""#.to_owned(),
        }
    }
}

impl LegacyBearer {
    /// The scheme with one token.
    pub fn new(token: BearerToken) -> Self {
        Self { token, previous: None }
    }

    /// Accepts the previous token as well, up to and with `until`. An `until` in a finer unit than
    /// seconds would never come: the previous token is not accepted then.
    #[must_use]
    pub fn accepting_previous(mut self, token: BearerToken, until: UnixSeconds) -> Self {
        self.previous = Some((token, until));
        self
    }

    /// Verifies the token of a delivery, after its mode: one that carries a signature of another
    /// kind is refused as [`WebhookAuthMode::check`] refuses it. The body is not looked at: nothing
    /// protects it.
    ///
    /// # Errors
    /// [`BearerRejection`].
    pub fn verify(
        &self,
        fields: &[FieldLine<'_>],
        now: UnixSeconds,
    ) -> Result<(), BearerRejection> {
        WebhookAuthMode::Bearer.check(fields)?;
        let mut values = fields.iter().filter(|field| field.is(FIELD)).map(|field| field.value);
        let presented = match (values.next(), values.next()) {
            (Some(value), None) => token(value).ok_or(BearerRejection::Missing)?,
            (None, _) => return Err(BearerRejection::Missing),
            (Some(_), Some(_)) => return Err(BearerRejection::Repeated),
        };
        let by_current = self.token.matches(presented);
        let by_previous = self.previous.as_ref().is_some_and(|(token, until)| {
            now <= *until && until.finer_unit().is_none() && token.matches(presented)
        });
        if by_current || by_previous { Ok(()) } else { Err(BearerRejection::TokenMismatch) }
    }
}

/// The token of a value of `Authorization`, where its scheme is `Bearer`.
fn token(value: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = value.trim_ascii().split_at_checked(SCHEME.len())?;
    let token = rest.trim_ascii_start();
    let is_apart = token.len() < rest.len();
    (scheme.eq_ignore_ascii_case(SCHEME) && is_apart && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webhook::ModeMismatch;

    const NEW: &str = "Xq3v-x8ZpT0wL5rB2nK7yD4hG9cF6mJ1";
    const OLD: &str = "old!-x8ZpT0wL5rB2nK7yD4hG9cF6mJ1";
    const NOW: UnixSeconds = UnixSeconds::new(1_776_520_800);

    fn bearer(text: &str) -> BearerToken {
        BearerToken::new(text.to_owned()).unwrap()
    }

    fn authorization(value: &str) -> FieldLine<'_> {
        FieldLine::new("authorization", value)
    }

    #[test]
    fn a_token_is_long_and_not_weak_and_fits_into_a_field() {
        let refused = |text: &str| BearerToken::new(text.to_owned()).err();
        assert_eq!(refused(NEW), None);
        assert_eq!(
            refused(NEW.strip_prefix('X').unwrap()),
            Some(BearerTokenError::TooShort { bytes: 31 })
        );
        assert_eq!(refused(&"abcd".repeat(8)), Some(BearerTokenError::Weak));
        for end in [" ", "\r\n", "ü"] {
            assert_eq!(refused(&format!("{NEW}{end}")), Some(BearerTokenError::Character));
        }
    }

    #[test]
    fn the_token_of_the_registration_alone_authenticates() {
        let scheme = LegacyBearer::new(bearer(NEW));
        let right = format!("Bearer {NEW}");
        for value in [right.as_str(), &format!("bEARER   {NEW} ")] {
            assert_eq!(scheme.verify(&[authorization(value)], NOW), Ok(()), "{value}");
        }
        for (value, rejection) in [
            (String::new(), BearerRejection::Missing),
            ("Bearer".to_owned(), BearerRejection::Missing),
            (format!("Bearer{NEW}"), BearerRejection::Missing),
            (format!("Basic {NEW}"), BearerRejection::Missing),
            (format!("Bearer {OLD}"), BearerRejection::TokenMismatch),
            (format!("Bearer {NEW}x"), BearerRejection::TokenMismatch),
            (format!("Bearer {}", NEW.strip_suffix('1').unwrap()), BearerRejection::TokenMismatch),
        ] {
            assert_eq!(scheme.verify(&[authorization(&value)], NOW), Err(rejection), "{value}");
        }
        assert_eq!(scheme.verify(&[], NOW), Err(BearerRejection::Missing));
        let twice = [authorization(&right), authorization(&right)];
        assert_eq!(scheme.verify(&twice, NOW), Err(BearerRejection::Repeated));
    }

    #[test]
    fn the_previous_token_is_accepted_for_as_long_as_agreed() {
        let value = format!("Bearer {OLD}");
        let verify = |until| {
            let scheme = LegacyBearer::new(bearer(NEW)).accepting_previous(bearer(OLD), until);
            scheme.verify(&[authorization(&value)], NOW)
        };
        assert_eq!(verify(NOW), Ok(()));
        assert_eq!(verify(NOW.plus(-1)), Err(BearerRejection::TokenMismatch));
        let milliseconds = UnixSeconds::new(NOW.as_i64() * 1000);
        assert_eq!(verify(milliseconds), Err(BearerRejection::TokenMismatch));
    }

    #[test]
    fn a_signature_is_a_mismatch_and_the_answer_names_what_is_missing() {
        let scheme = LegacyBearer::new(bearer(NEW));
        let value = format!("Bearer {NEW}");
        for (field, found) in [
            (FieldLine::new("Signature", "sig1=:AA:"), WebhookAuthMode::Rfc9421),
            (FieldLine::new("X-AdCP-Timestamp", "1"), WebhookAuthMode::LegacyHmac),
        ] {
            let mismatch = ModeMismatch { expected: WebhookAuthMode::Bearer, found };
            let rejection = scheme.verify(&[authorization(&value), field], NOW).unwrap_err();
            assert_eq!(rejection, BearerRejection::ModeMismatch(mismatch));
            let code = rejection.code().map(ErrorCode::as_str);
            assert_eq!(code, Some("webhook_mode_mismatch"));
            let challenge = r#"Signature error="webhook_mode_mismatch""#;
            assert_eq!(rejection.www_authenticate(), challenge);
        }
        for (rejection, challenge) in [
            (BearerRejection::Missing, "Bearer"),
            (BearerRejection::Repeated, r#"Bearer error="invalid_token""#),
            (BearerRejection::TokenMismatch, r#"Bearer error="invalid_token""#),
        ] {
            assert_eq!(rejection.www_authenticate(), challenge);
            assert_eq!(rejection.code(), None);
        }
    }

    #[test]
    fn no_token_is_shown() {
        let scheme = LegacyBearer::new(bearer(NEW)).accepting_previous(bearer(OLD), NOW);
        let shown = format!("{scheme:?}");
        assert!(!shown.contains(NEW) && !shown.contains(OLD), "{shown}");
    }
}
