//! The revocation list of an operator: its payload, and how long a copy of it may be relied on.

use std::{borrow::Cow, collections::HashSet, fmt};

use super::{
    RevocationPolicy,
    policy::{GRACE_INTERVALS, MAX_INTERVAL, MIN_INTERVAL},
    timestamp::Timestamp,
};
use crate::{
    clock::UnixSeconds,
    json::{Document, JsonLimits, Kind, StrictJsonError, Value},
    resolver::canonical_url,
    target_uri::TargetUriError,
};

/// The payload of `{origin}/.well-known/governance-revocations.json`, after its JWS signature was
/// verified.
///
/// One list covers every signing key of an operator ("Revocation" and "Transport revocation" in the
/// security guide).
///
/// ```
/// use adcp_signing_core::{
///     UnixSeconds,
///     revocation::{Freshness, RevocationList, RevocationPolicy},
/// };
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let payload = br#"{
///     "version": 1,
///     "issuer": "https://gov.example.com",
///     "updated": "2026-04-18T14:00:00Z",
///     "next_update": "2026-04-18T14:15:00Z",
///     "revoked_jtis": [],
///     "revoked_kids": ["gov-2026-03"]
/// }"#;
/// let list = RevocationList::parse(payload, "https://gov.example.com")?;
/// assert!(list.revokes_kid("gov-2026-03"));
///
/// let fetched = UnixSeconds::new(1_776_520_800);
/// let baseline = RevocationPolicy::baseline();
/// assert_eq!(list.freshness(baseline, fetched, fetched.plus(900)), Freshness::Fresh);
/// assert_eq!(list.stale_after(baseline, fetched), fetched.plus(900 + 4 * 900));
/// assert_eq!(list.stale_after(RevocationPolicy::production(), fetched), fetched.plus(900));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct RevocationList {
    pub(super) issuer: String,
    pub(super) updated: Timestamp,
    pub(super) next_update: Timestamp,
    pub(super) revoked_kids: HashSet<String>,
    pub(super) revoked_jtis: HashSet<String>,
}

/// Whether a copy of the list may be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Freshness {
    /// The list is current.
    Fresh,
    /// A new list should have been fetched; within the grace this one still holds.
    Due,
    /// The grace is over: new signatures are refused with `*_revocation_stale`.
    Stale,
}

/// Why a payload is not a revocation list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RevocationListError {
    /// Larger than [`RevocationList::MAX_BYTES`].
    #[error("the revocation list has {bytes} bytes; at most {max} are read", max = RevocationList::MAX_BYTES)]
    TooLarge {
        /// The payload's size.
        bytes: usize,
    },
    /// More entries than [`RevocationList::MAX_ENTRIES`].
    #[error("the revocation list has {entries} entries; at most {max} are read", max = RevocationList::MAX_ENTRIES)]
    TooMany {
        /// Revoked kids and jtis together.
        entries: usize,
    },
    /// Not strict JSON.
    #[error("the revocation list is not strict JSON: {0}")]
    Json(#[from] StrictJsonError),
    /// A member is missing or has the wrong type.
    #[error("`{member}` of the revocation list is missing or has the wrong type")]
    Member {
        /// The member.
        member: &'static str,
    },
    /// A `version` other than 1.
    #[error("the revocation list is of version {version}; only version 1 is known")]
    Version {
        /// The version found.
        version: u64,
    },
    /// `issuer`, or the issuer that was expected, is not a URL with a canonical form.
    #[error("the issuer of the revocation list is not a URL: {0}")]
    Issuer(#[from] TargetUriError),
    /// The list is another issuer's.
    #[error("the revocation list was issued by {found}, not by {expected}")]
    OtherIssuer {
        /// The canonical issuer that the list names.
        found: String,
        /// The canonical issuer whose list it should be.
        expected: String,
    },
    /// A timestamp is not RFC 3339 in UTC, but a number of seconds or milliseconds or another text.
    #[error(
        "`{member}` of the revocation list is not an RFC 3339 timestamp in UTC, such as \
         \"2026-04-18T14:00:00Z\"; numbers of seconds or milliseconds are not read"
    )]
    Timestamp {
        /// `updated` or `next_update`.
        member: &'static str,
    },
    /// `next_update` is not after `updated`.
    #[error("`next_update` of the revocation list is not after `updated`")]
    NextUpdateNotAfter,
}

/// The members of the payload, still unchecked.
struct Payload<'a> {
    version: u64,
    issuer: Cow<'a, str>,
    updated: Cow<'a, str>,
    next_update: Cow<'a, str>,
    revoked_jtis: HashSet<String>,
    revoked_kids: HashSet<String>,
    entries: usize,
}

impl<'a> Payload<'a> {
    fn read(payload: &'a [u8]) -> Result<Self, RevocationListError> {
        // The bytes bound the members: entries and the members around them.
        let limits = JsonLimits::default().with_max_members(RevocationList::MAX_BYTES);
        let document = Document::without_duplicates(payload, &limits)?;
        let root = document.root();
        let wrong = |member| RevocationListError::Member { member };
        let text =
            |member| root.member(member).and_then(|value| value.as_str()).ok_or(wrong(member));
        let time = |member| match root.member(member).map(Value::kind) {
            Some(Kind::Number) => Err(RevocationListError::Timestamp { member }),
            _ => text(member),
        };
        let strings = |member| {
            let value = root.member(member).filter(|value| value.kind() == Kind::Array);
            let entries = value.ok_or(wrong(member))?.elements();
            entries
                .map(|entry| entry.as_str().map(Cow::into_owned).ok_or(wrong(member)))
                .collect::<Result<Vec<String>, _>>()
        };
        let kids = strings("revoked_kids")?;
        let jtis = match root.member("revoked_jtis") {
            Some(_) => strings("revoked_jtis")?,
            None => Vec::new(),
        };
        Ok(Self {
            version: root
                .member("version")
                .and_then(|value| value.as_u64())
                .ok_or(wrong("version"))?,
            issuer: text("issuer")?,
            updated: time("updated")?,
            next_update: time("next_update")?,
            entries: kids.len() + jtis.len(),
            revoked_jtis: jtis.into_iter().collect(),
            revoked_kids: kids.into_iter().collect(),
        })
    }
}

impl RevocationList {
    /// The largest payload that is read: 1 MiB.
    pub const MAX_BYTES: usize = 1 << 20;
    /// The most entries that are read, kids and jtis together.
    pub const MAX_ENTRIES: usize = 100_000;

    /// Reads the payload. `revoked_kids` is required, so that a misspelt member cannot pass for an
    /// empty list; `revoked_jtis`, which signature verification does not use, may be absent.
    /// Unknown members are ignored.
    ///
    /// `issuer` is whom the caller asked: the origin that the list was fetched from and whose key
    /// signed it. A list that names somebody else is refused, so no operator can revoke another's
    /// keys, or keep them from going stale. The two are compared in their canonical form.
    ///
    /// # Errors
    /// [`RevocationListError`] names the first rule that is broken.
    pub fn parse(payload: &[u8], issuer: &str) -> Result<Self, RevocationListError> {
        if payload.len() > Self::MAX_BYTES {
            return Err(RevocationListError::TooLarge { bytes: payload.len() });
        }
        let payload = Payload::read(payload)?;
        if payload.version != 1 {
            return Err(RevocationListError::Version { version: payload.version });
        }
        if payload.entries > Self::MAX_ENTRIES {
            return Err(RevocationListError::TooMany { entries: payload.entries });
        }
        let [found, expected] = [&*payload.issuer, issuer].map(canonical_url);
        let (found, expected) = (found?, expected?);
        if found != expected {
            let [found, expected] = [found, expected].map(|url| url.as_str().to_owned());
            return Err(RevocationListError::OtherIssuer { found, expected });
        }
        let time = |member, text: &str| {
            Timestamp::parse(text).ok_or(RevocationListError::Timestamp { member })
        };
        let updated = time("updated", &payload.updated)?;
        let next_update = time("next_update", &payload.next_update)?;
        if next_update <= updated {
            return Err(RevocationListError::NextUpdateNotAfter);
        }
        Ok(Self {
            issuer: found.as_str().to_owned(),
            updated,
            next_update,
            revoked_kids: payload.revoked_kids,
            revoked_jtis: payload.revoked_jtis,
        })
    }

    /// Who issued the list, in canonical form.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// When the list was made.
    pub fn updated(&self) -> UnixSeconds {
        self.updated.unix()
    }

    /// When the next list is promised.
    pub fn next_update(&self) -> UnixSeconds {
        self.next_update.unix()
    }

    /// The revoked key ids.
    pub fn revoked_kids(&self) -> impl Iterator<Item = &str> {
        self.revoked_kids.iter().map(String::as_str)
    }

    /// Whether everything ever signed under this key id is revoked.
    pub fn revokes_kid(&self, kid: &str) -> bool {
        self.revoked_kids.contains(kid)
    }

    /// Whether the one token with this `jti` is revoked.
    pub fn revokes_jti(&self, jti: &str) -> bool {
        self.revoked_jtis.contains(jti)
    }

    /// The polling interval in seconds: what the list declares, within 60 s and 1800 s.
    pub fn interval(&self) -> i64 {
        self.next_update().since(self.updated()).clamp(MIN_INTERVAL, MAX_INTERVAL)
    }

    /// When to fetch the next list, having fetched this one at `fetched_at`: at `next_update`, but
    /// not sooner than 60 s after the last fetch, and not later than the policy's longest interval.
    pub fn poll_at(&self, policy: RevocationPolicy, fetched_at: UnixSeconds) -> UnixSeconds {
        let (floor, ceiling) = (MIN_INTERVAL, policy.max_poll_interval());
        self.next_update().clamp(fetched_at.plus(floor), fetched_at.plus(ceiling))
    }

    /// The last second at which this copy, fetched at `fetched_at`, may be relied on.
    ///
    /// - Under every policy: `next_update`, or 1800 s after the last fetch where that is sooner,
    ///   plus a grace of four intervals.
    /// - Under a policy with a longest age: no later than that age after the last fetch, or after
    ///   `next_update` where that is sooner.
    ///
    /// Fetching the same old list again moves neither beyond what its `next_update` allows.
    pub fn stale_after(&self, policy: RevocationPolicy, fetched_at: UnixSeconds) -> UnixSeconds {
        let with_grace = self
            .next_update()
            .min(fetched_at.plus(MAX_INTERVAL))
            .plus(GRACE_INTERVALS * self.interval());
        match policy.max_age() {
            None => with_grace,
            Some(age) => with_grace.min(self.next_update().min(fetched_at).plus(age)),
        }
    }

    /// Whether this copy, fetched at `fetched_at`, may be relied on at `now`.
    pub fn freshness(
        &self,
        policy: RevocationPolicy,
        fetched_at: UnixSeconds,
        now: UnixSeconds,
    ) -> Freshness {
        if now > self.stale_after(policy, fetched_at) {
            Freshness::Stale
        } else if now > self.poll_at(policy, fetched_at) {
            Freshness::Due
        } else {
            Freshness::Fresh
        }
    }

    pub(super) fn into_revoked(self) -> (HashSet<String>, HashSet<String>) {
        (self.revoked_kids, self.revoked_jtis)
    }
}

impl fmt::Debug for RevocationList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RevocationList")
            .field("issuer", &self.issuer)
            .field("updated", &self.updated())
            .field("next_update", &self.next_update())
            .field("revoked_kids", &self.revoked_kids.len())
            .field("revoked_jtis", &self.revoked_jtis.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UPDATED: UnixSeconds = UnixSeconds::new(1_776_520_800);
    const ISSUER: &str = "https://gov.example.com";
    const BASELINE: RevocationPolicy = RevocationPolicy::baseline();
    const PRODUCTION: RevocationPolicy = RevocationPolicy::production();

    fn payload(next_update: &str, kids: &[String]) -> Vec<u8> {
        serde_json::json!({
            "version": 1,
            "issuer": ISSUER,
            "updated": "2026-04-18T14:00:00Z",
            "next_update": next_update,
            "revoked_kids": kids,
        })
        .to_string()
        .into_bytes()
    }

    fn list(next_update: &str) -> RevocationList {
        RevocationList::parse(&payload(next_update, &["revoked".to_owned()]), ISSUER).unwrap()
    }

    #[test]
    fn malformed_lists_are_refused_by_rule() {
        use RevocationListError as E;
        let good = String::from_utf8(payload("2026-04-18T14:15:00Z", &[])).unwrap();
        let cases = [
            (good.replace("\"version\":1", "\"version\":2"), E::Version { version: 2 }),
            (good.replace(ISSUER, ""), E::Issuer(TargetUriError::Scheme)),
            (
                good.replace(ISSUER, "https://other.example.com"),
                E::OtherIssuer {
                    found: "https://other.example.com/".to_owned(),
                    expected: "https://gov.example.com/".to_owned(),
                },
            ),
            (good.replace("14:00:00Z", "14:00:00"), E::Timestamp { member: "updated" }),
            (good.replace("14:15:00Z", "soon"), E::Timestamp { member: "next_update" }),
            (
                good.replace("\"2026-04-18T14:15:00Z\"", "1776521700"),
                E::Timestamp { member: "next_update" },
            ),
            (
                good.replace("2026-04-18T14:00:00Z", "1776520800000"),
                E::Timestamp { member: "updated" },
            ),
            (good.replace("14:15:00Z", "14:00:00Z"), E::NextUpdateNotAfter),
            (
                "x".repeat(RevocationList::MAX_BYTES + 1),
                E::TooLarge { bytes: RevocationList::MAX_BYTES + 1 },
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(RevocationList::parse(text.as_bytes(), ISSUER), Err(expected));
        }
        let misspelt = good.replace("revoked_kids", "revoked_kid");
        assert!(matches!(
            RevocationList::parse(misspelt.as_bytes(), ISSUER),
            Err(E::Member { .. })
        ));
        let mistyped = good.replace("\"revoked_kids\":[]", "\"revoked_kids\":\"all\"");
        assert!(matches!(
            RevocationList::parse(mistyped.as_bytes(), ISSUER),
            Err(E::Member { .. })
        ));
        let twice = good.replace("\"version\":1", "\"version\":1,\"revoked_kids\":[\"k\"]");
        assert!(matches!(
            RevocationList::parse(twice.as_bytes(), ISSUER),
            Err(E::Json(StrictJsonError::Duplicate(_)))
        ));
        assert!(matches!(
            RevocationList::parse(b"{", ISSUER),
            Err(E::Json(StrictJsonError::Invalid { .. }))
        ));
    }

    #[test]
    fn the_number_of_entries_is_bounded() {
        let kids = |count: usize| vec!["k".to_owned(); count];
        let next_update = "2026-04-18T14:15:00Z";
        assert!(RevocationList::parse(&payload(next_update, &kids(100_000)), ISSUER).is_ok());
        assert_eq!(
            RevocationList::parse(&payload(next_update, &kids(100_001)), ISSUER),
            Err(RevocationListError::TooMany { entries: 100_001 })
        );
    }

    #[test]
    fn kids_and_jtis_count_together_and_each_revokes_its_own() {
        let with_jtis = |kids: usize, jtis: &str| {
            let kids: Vec<_> = (0..kids).map(|kid| format!("k-{kid}")).collect();
            let text = String::from_utf8(payload("2026-04-18T14:15:00Z", &kids)).unwrap();
            let jtis = format!("\"version\":1,\"revoked_jtis\":{jtis}");
            RevocationList::parse(text.replace("\"version\":1", &jtis).as_bytes(), ISSUER)
        };
        let list = with_jtis(2, r#"["j-0"]"#).unwrap();
        assert!(list.revokes_kid("k-0") && list.revokes_kid("k-1"));
        assert!(list.revokes_jti("j-0"));
        assert!(!list.revokes_kid("j-0") && !list.revokes_jti("k-0"));
        assert!(with_jtis(99_999, r#"["j-0"]"#).is_ok());
        assert_eq!(
            with_jtis(99_999, r#"["j-0","j-1"]"#),
            Err(RevocationListError::TooMany { entries: 100_001 })
        );
    }

    #[test]
    fn the_number_of_bytes_is_bounded() {
        let mut text = payload("2026-04-18T14:15:00Z", &[]);
        text.resize(RevocationList::MAX_BYTES, b' ');
        assert!(RevocationList::parse(&text, ISSUER).is_ok());
        text.push(b' ');
        assert_eq!(
            RevocationList::parse(&text, ISSUER),
            Err(RevocationListError::TooLarge { bytes: RevocationList::MAX_BYTES + 1 })
        );
    }

    #[test]
    fn the_interval_has_a_floor_and_a_ceiling() {
        let cases = [
            ("2026-04-18T14:00:10Z", 60),
            ("2026-04-18T14:15:00Z", 900),
            ("2027-04-18T14:00:00Z", 1800),
        ];
        for (next_update, interval) in cases {
            assert_eq!(list(next_update).interval(), interval);
        }
    }

    #[test]
    fn the_issuer_is_compared_in_canonical_form() {
        let good = payload("2026-04-18T14:15:00Z", &[]);
        let list = RevocationList::parse(&good, "HTTPS://Gov.example.com:443/").unwrap();
        assert_eq!(list.issuer(), "https://gov.example.com/");
        for other in ["https://gov.example.com/x", "http://gov.example.com", "https://example.com"]
        {
            let refused = RevocationList::parse(&good, other);
            assert!(
                matches!(refused, Err(RevocationListError::OtherIssuer { .. })),
                "{other}: {refused:?}"
            );
        }
        let refused = RevocationList::parse(&good, "gov.example.com");
        assert!(matches!(refused, Err(RevocationListError::Issuer(_))), "{refused:?}");
    }

    #[test]
    fn a_list_goes_from_fresh_to_due_to_stale() {
        use Freshness::{Due, Fresh, Stale};
        let quarter = "2026-04-18T14:15:00Z";
        let seconds_10 = "2026-04-18T14:00:10Z";
        let year = "2027-04-18T14:00:00Z";
        // (policy, next_update, seconds from `updated`, freshness), fetched when it was made.
        let cases = [
            (BASELINE, quarter, 900, Fresh),
            (BASELINE, quarter, 901, Due),
            (BASELINE, quarter, 900 + 3600, Due),
            (BASELINE, quarter, 900 + 3601, Stale),
            (BASELINE, seconds_10, 60, Fresh),
            (BASELINE, seconds_10, 10 + 240, Due),
            (BASELINE, seconds_10, 10 + 241, Stale),
            // A promise beyond the ceiling counts as the ceiling.
            (BASELINE, year, 1800, Fresh),
            (BASELINE, year, 1801, Due),
            (BASELINE, year, 1800 + 7200, Due),
            (BASELINE, year, 1800 + 7201, Stale),
            (PRODUCTION, quarter, 300, Fresh),
            (PRODUCTION, quarter, 301, Due),
            (PRODUCTION, quarter, 900, Due),
            (PRODUCTION, quarter, 901, Stale),
            (PRODUCTION, year, 300, Fresh),
            (PRODUCTION, year, 301, Due),
            (PRODUCTION, year, 900, Due),
            (PRODUCTION, year, 901, Stale),
            // The baseline holds under the stricter policy too.
            (PRODUCTION, seconds_10, 60, Fresh),
            (PRODUCTION, seconds_10, 10 + 240, Due),
            (PRODUCTION, seconds_10, 10 + 241, Stale),
        ];
        for (policy, next_update, seconds, freshness) in cases {
            let found = list(next_update).freshness(policy, UPDATED, UPDATED.plus(seconds));
            assert_eq!(found, freshness, "{policy:?} {next_update} {seconds}");
        }
    }

    #[test]
    fn an_old_list_served_again_goes_stale_all_the_same() {
        let list = list("2026-04-18T14:15:00Z");
        let cases = [(BASELINE, 900 + 3600), (PRODUCTION, 900 + 900)];
        for (policy, last) in cases {
            for (seconds, freshness) in [(last, Freshness::Fresh), (last + 1, Freshness::Stale)] {
                let now = UPDATED.plus(seconds);
                assert_eq!(list.freshness(policy, now, now), freshness, "{policy:?} {seconds}");
            }
        }
    }
}
