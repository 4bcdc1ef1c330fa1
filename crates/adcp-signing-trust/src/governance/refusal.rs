//! Why a governance token was refused: the stable code, the step, and a detail for the log.

use std::{error::Error as StdError, fmt};

type Source = Box<dyn StdError + Send + Sync + 'static>;

/// The codes of the standard ("Verification error taxonomy", security guide).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GovernanceCode {
    /// `governance_jwks_unavailable`: try again later.
    JwksUnavailable,
    /// `governance_jwks_untrusted`
    JwksUntrusted,
    /// `governance_key_unknown`
    KeyUnknown,
    /// `governance_token_invalid`
    TokenInvalid,
    /// `governance_token_expired`
    TokenExpired,
    /// `governance_token_not_yet_valid`
    TokenNotYetValid,
    /// `governance_token_replayed`
    TokenReplayed,
    /// `governance_token_revoked`
    TokenRevoked,
    /// `governance_token_not_applicable`
    TokenNotApplicable,
    /// `governance_issuer_not_authorized`
    IssuerNotAuthorized,
    /// `governance_revocation_stale`
    RevocationStale,
}

impl GovernanceCode {
    /// As the standard writes it. Answer with this, and with nothing else of a [`Refusal`].
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::JwksUnavailable => "governance_jwks_unavailable",
            Self::JwksUntrusted => "governance_jwks_untrusted",
            Self::KeyUnknown => "governance_key_unknown",
            Self::TokenInvalid => "governance_token_invalid",
            Self::TokenExpired => "governance_token_expired",
            Self::TokenNotYetValid => "governance_token_not_yet_valid",
            Self::TokenReplayed => "governance_token_replayed",
            Self::TokenRevoked => "governance_token_revoked",
            Self::TokenNotApplicable => "governance_token_not_applicable",
            Self::IssuerNotAuthorized => "governance_issuer_not_authorized",
            Self::RevocationStale => "governance_revocation_stale",
        }
    }
}

impl fmt::Display for GovernanceCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A token was refused. Answer with the [code](Self::code) alone, and log the rest.
#[derive(Debug)]
pub struct Refusal {
    code: GovernanceCode,
    step: u8,
    detail: &'static str,
    is_transient: bool,
    source: Option<Source>,
}

impl Refusal {
    pub(super) fn new(code: GovernanceCode, step: u8, detail: &'static str) -> Self {
        let is_transient = matches!(code, GovernanceCode::JwksUnavailable);
        Self { code, step, detail, is_transient, source: None }
    }

    /// Something on this side failed, and not the token.
    pub(super) fn transient(self) -> Self {
        Self { is_transient: true, ..self }
    }

    pub(super) fn because(self, source: impl Into<Source>) -> Self {
        Self { source: Some(source.into()), ..self }
    }

    /// The stable code.
    pub fn code(&self) -> GovernanceCode {
        self.code
    }

    /// Whether the same token can pass later: what the token is held against could not be asked. The
    /// standard has no code for a replay store or a source of revocations that fails, so their
    /// codes read as if the token were at fault; alert on this, and answer 503.
    pub fn is_transient(&self) -> bool {
        self.is_transient
    }

    /// The step of the seller verification checklist, from 1 to 15.
    pub fn step(&self) -> u8 {
        self.step
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (step {}): {}", self.code, self.step, self.detail)
    }
}

impl StdError for Refusal {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
