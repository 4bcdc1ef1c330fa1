//! One entry of `authorized_operators[]`.

use adcp_signing_core::{UnixSeconds, json::Value, revocation::rfc3339_seconds};

use super::{
    error::BrandJsonError,
    reader::{Path, optional_text, required_text},
};

/// One entry of `authorized_operators[]`: a domain that the house lets act for it. Its brands,
/// countries and scopes authorize accounts and do not bear on keys, so they are not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizedOperator {
    domain: String,
    valid_from: Bound,
    valid_until: Bound,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bound {
    None,
    At(UnixSeconds),
    /// Nobody knows when that is, so the entry is never valid.
    Unreadable,
}

impl AuthorizedOperator {
    pub(super) fn read(value: Value<'_, '_>, path: &Path<'_>) -> Result<Self, BrandJsonError> {
        let bound = |name| {
            let text = optional_text(value, path, name)?;
            Ok::<_, BrandJsonError>(text.map_or(Bound::None, |text| {
                rfc3339_seconds(&text).map_or(Bound::Unreadable, Bound::At)
            }))
        };
        Ok(Self {
            domain: required_text(value, path, "domain")?,
            valid_from: bound("valid_from")?,
            valid_until: bound("valid_until")?,
        })
    }

    /// The domain as the document has it. The schema wants lower case and A-labels; any other
    /// spelling equals no domain.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// Whether the entry holds at this time: from `valid_from` on, and before `valid_until`. An
    /// entry with a time that cannot be read never does.
    pub fn is_valid_at(&self, now: UnixSeconds) -> bool {
        let has_begun = match self.valid_from {
            Bound::None => true,
            Bound::At(from) => from <= now,
            Bound::Unreadable => false,
        };
        let has_not_ended = match self.valid_until {
            Bound::None => true,
            Bound::At(until) => now < until,
            Bound::Unreadable => false,
        };
        has_begun && has_not_ended
    }
}
