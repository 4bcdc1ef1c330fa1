//! The times that a rotation waits for.

use crate::{
    profile::{MAX_SKEW, MAX_VALIDITY},
    revocation::RevocationPolicy,
};

/// How long a verifier that failed to find a key may refuse without looking again, in seconds.
const NEGATIVE_CACHE: i64 = 60;
/// How long after the switch the old key may still sign: calls under way, retries included.
const LAST_SIGNATURE: i64 = 60;
/// The longest time that is taken, in seconds: ten years.
const LONGEST: i64 = 10 * 366 * 86_400;

/// For how long others rely on what you publish and sign. All times are in seconds.
///
/// The defaults are the bounds of the standard, not what servers are asked to do: a verifier may
/// hold a JWKS for as long as it lets pass between two looks at the revocation list, which is 30
/// minutes at most, whatever `max-age` says.
///
/// ```
/// use adcp_signing_core::rotation::RotationTimes;
///
/// let times = RotationTimes::of_http_signatures();
/// assert_eq!((times.wait(), times.overlap()), (1920, 480));
/// // Behind a CDN that keeps the JWKS for an hour, verifiers may get an hour old copy.
/// assert_eq!(times.with_shared_cache(3600)?.wait(), 5520);
/// # Ok::<(), adcp_signing_core::rotation::RotationTimesError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RotationTimes {
    /// How long a verifier holds the JWKS.
    verifier_cache: i64,
    /// How long a cache between verifiers and your server keeps the JWKS.
    shared_cache: i64,
    /// How long what was signed last may still be verified.
    lifetime: i64,
}

/// Why times were refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`{setting}` is {seconds} s; give {least} to {most} s")]
pub struct RotationTimesError {
    setting: &'static str,
    seconds: i64,
    least: i64,
    most: i64,
}

impl RotationTimes {
    /// For keys that sign HTTP messages: requests and webhooks. A retried message is signed anew,
    /// so nothing outlives the 300 seconds of a signature.
    pub const fn of_http_signatures() -> Self {
        Self {
            verifier_cache: RevocationPolicy::baseline().max_poll_interval(),
            shared_cache: 0,
            lifetime: MAX_VALIDITY,
        }
    }

    /// For keys that sign governance tokens, response envelopes or attestations, which are verified
    /// until their `exp`: the longest time from signing to `exp`, such as 30 days of execution
    /// tokens.
    ///
    /// # Errors
    /// [`RotationTimesError`] unless it is 1 s to ten years.
    pub fn of_tokens(lifetime: i64) -> Result<Self, RotationTimesError> {
        let lifetime = within("lifetime", lifetime, 1)?;
        Ok(Self { lifetime, ..Self::of_http_signatures() })
    }

    /// The `max-age` that the JWKS is served with. Below 30 minutes it changes nothing, since a
    /// verifier may hold the set for that long anyway.
    ///
    /// # Errors
    /// [`RotationTimesError`] unless it is 0 s to ten years.
    pub fn with_jwks_max_age(self, max_age: i64) -> Result<Self, RotationTimesError> {
        let max_age = within("jwks_max_age", max_age, 0)?;
        Ok(Self { verifier_cache: self.verifier_cache.max(max_age), ..self })
    }

    /// How long a CDN keeps the JWKS at most. A verifier can fetch a copy of that age and hold it
    /// for its own time after that.
    ///
    /// # Errors
    /// [`RotationTimesError`] unless it is 0 s to ten years.
    pub fn with_shared_cache(self, seconds: i64) -> Result<Self, RotationTimesError> {
        Ok(Self { shared_cache: within("shared_cache", seconds, 0)?, ..self })
    }

    /// From the publication of a key to its first signature: until every copy of the JWKS is
    /// renewed, a failed look for the key is forgotten, and clocks differ.
    pub const fn wait(self) -> i64 {
        self.shared_cache + self.verifier_cache + NEGATIVE_CACHE + MAX_SKEW
    }

    /// From the switch to the removal of the old key: until the last signature is no longer valid
    /// anywhere. The signers' clocks may differ by 60 s and so may the verifiers'.
    pub const fn overlap(self) -> i64 {
        LAST_SIGNATURE + MAX_SKEW + self.lifetime + MAX_SKEW
    }
}

fn within(setting: &'static str, seconds: i64, least: i64) -> Result<i64, RotationTimesError> {
    if (least..=LONGEST).contains(&seconds) {
        Ok(seconds)
    } else {
        Err(RotationTimesError { setting, seconds, least, most: LONGEST })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_that_no_server_has_are_refused() {
        let http = RotationTimes::of_http_signatures();
        for (refused, setting) in [
            (RotationTimes::of_tokens(0), "`lifetime` is 0 s; give 1 to"),
            (RotationTimes::of_tokens(LONGEST + 1), "`lifetime`"),
            (http.with_jwks_max_age(-1), "`jwks_max_age` is -1 s; give 0 to"),
            (http.with_shared_cache(i64::MAX), "`shared_cache`"),
        ] {
            let text = refused.unwrap_err().to_string();
            assert!(text.starts_with(setting), "{text}");
        }
    }

    #[test]
    fn caches_lengthen_the_wait_and_a_short_max_age_shortens_it_by_nothing() {
        let http = RotationTimes::of_http_signatures();
        assert_eq!(http.with_jwks_max_age(60).unwrap().wait(), http.wait());
        assert_eq!(http.with_jwks_max_age(7200).unwrap().wait(), http.wait() + 5400);
        assert_eq!(http.with_shared_cache(300).unwrap().wait(), http.wait() + 300);
        assert_eq!(RotationTimes::of_tokens(86_400).unwrap().overlap(), 86_580);
    }
}
