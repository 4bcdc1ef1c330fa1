//! How often a revocation list is fetched, and how old a copy of it may be.

/// The shortest and the longest polling interval, in seconds.
pub(super) const MIN_INTERVAL: i64 = 60;
pub(super) const MAX_INTERVAL: i64 = 1800;
/// The grace, in polling intervals.
pub(super) const GRACE_INTERVALS: i64 = 4;
/// How far ahead of the clock `updated` may lie, in seconds.
pub(super) const MAX_LEAD: i64 = 60;
/// T of the production profile, in seconds.
const PRODUCTION_MAX_AGE: i64 = 15 * 60;

/// How often a revocation list is fetched, and how old a copy of it may be.
///
/// Under both policies a list never goes back in time, is not made more than 60 s ahead of the
/// clock, and every revocation that was ever seen is remembered
/// ([`InMemoryRevocation::load`](super::InMemoryRevocation::load)).
///
/// ```
/// use adcp_signing_core::revocation::RevocationPolicy;
///
/// assert_eq!(RevocationPolicy::production().max_age(), Some(15 * 60));
/// assert_eq!(RevocationPolicy::production().max_poll_interval(), 5 * 60);
/// assert_eq!(RevocationPolicy::baseline().max_age(), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RevocationPolicy {
    max_age: Option<i64>,
}

impl RevocationPolicy {
    /// What every verifier has to do ("Revocation" in the security guide): poll as the list says,
    /// within 1 and 30 minutes; after a missed update rely on the list for four intervals more.
    pub const fn baseline() -> Self {
        Self { max_age: None }
    }

    /// The production security profile of contract 3.3 (`adcp-prod-security-3.3`): refuse once the
    /// last fetch that succeeded is older than T = 15 minutes, without the grace, and poll every
    /// T/3 at least. Where the baseline is stricter, it holds as well.
    ///
    /// A list that was fetched after its `next_update` counts as fetched at that time, since
    /// whoever holds the current list back can serve an old one for ever.
    pub const fn production() -> Self {
        Self { max_age: Some(PRODUCTION_MAX_AGE) }
    }

    /// How old the last successful fetch may be, in seconds, where the policy limits it.
    pub const fn max_age(self) -> Option<i64> {
        self.max_age
    }

    /// The longest time between two fetches, in seconds.
    pub const fn max_poll_interval(self) -> i64 {
        match self.max_age {
            None => MAX_INTERVAL,
            Some(age) => age / 3,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{MAX_SKEW, MAX_VALIDITY};

    /// A JWKS is kept for as long as verifiers let pass between two looks at the revocation list.
    #[test]
    fn the_timeline_of_the_docs_has_the_times_that_verifiers_take() {
        const TIMELINE: &str =
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/diagrams/rotation.svg"));
        let alive = (MAX_VALIDITY + MAX_SKEW) / 60;
        for text in [
            format!(">≥ {alive} minutes: {MAX_VALIDITY} s + {MAX_SKEW} s of skew<"),
            format!(">3. wait ≥ {} minutes, or max-age<", MAX_INTERVAL / 60),
        ] {
            assert!(TIMELINE.contains(&text), "{text}");
        }
    }
}
