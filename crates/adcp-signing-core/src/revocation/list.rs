//! The revocation list of an operator: its payload, and how long a copy of it may be relied on.

use std::{collections::HashSet, fmt};

use serde::Deserialize;

use super::{RevocationStatus, timestamp};
use crate::{
    clock::UnixSeconds,
    json::{StrictJsonError, check_no_duplicate_keys},
};

/// The shortest and the longest polling interval, in seconds.
const MIN_INTERVAL: i64 = 60;
const MAX_INTERVAL: i64 = 1800;
/// The grace, in polling intervals.
const GRACE_INTERVALS: i64 = 4;

/// The payload of `{origin}/.well-known/governance-revocations.json`, after its JWS signature was
/// verified.
///
/// One list covers every signing key of an operator ("Revocation" and "Transport revocation" in the
/// security guide).
///
/// ```
/// use adcp_signing_core::{UnixSeconds, revocation::{Freshness, RevocationList}};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let list = RevocationList::parse(br#"{
///     "version": 1,
///     "issuer": "https://gov.example.com",
///     "updated": "2026-04-18T14:00:00Z",
///     "next_update": "2026-04-18T14:15:00Z",
///     "revoked_jtis": [],
///     "revoked_kids": ["gov-2026-03"]
/// }"#)?;
/// assert!(list.revokes_kid("gov-2026-03"));
/// let refreshed = UnixSeconds::new(1_776_520_800);
/// assert_eq!(list.freshness(refreshed.plus(900), refreshed), Freshness::Fresh);
/// assert_eq!(list.freshness(refreshed.plus(900 + 4 * 900 + 1), refreshed), Freshness::Stale);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct RevocationList {
    issuer: String,
    updated: UnixSeconds,
    next_update: UnixSeconds,
    revoked_kids: HashSet<String>,
    revoked_jtis: HashSet<String>,
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
    #[error("the revocation list has a missing or mistyped member at line {line} column {column}")]
    Shape {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// A `version` other than 1.
    #[error("the revocation list is of version {version}; only version 1 is known")]
    Version {
        /// The version found.
        version: u64,
    },
    /// `issuer` is empty.
    #[error("the revocation list names no issuer")]
    NoIssuer,
    /// A timestamp is not RFC 3339 in UTC.
    #[error("`{member}` of the revocation list is not an RFC 3339 timestamp in UTC")]
    Timestamp {
        /// `updated` or `next_update`.
        member: &'static str,
    },
    /// `next_update` is not after `updated`.
    #[error("`next_update` of the revocation list is not after `updated`")]
    NextUpdateNotAfter,
}

#[derive(Deserialize)]
struct Payload {
    version: u64,
    issuer: String,
    updated: String,
    next_update: String,
    #[serde(default)]
    revoked_jtis: Vec<String>,
    revoked_kids: Vec<String>,
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
    /// # Errors
    /// [`RevocationListError`] names the first rule that is broken.
    pub fn parse(payload: &[u8]) -> Result<Self, RevocationListError> {
        if payload.len() > Self::MAX_BYTES {
            return Err(RevocationListError::TooLarge { bytes: payload.len() });
        }
        check_no_duplicate_keys(payload)?;
        let payload: Payload = serde_json::from_slice(payload).map_err(|error| {
            RevocationListError::Shape { line: error.line(), column: error.column() }
        })?;
        if payload.version != 1 {
            return Err(RevocationListError::Version { version: payload.version });
        }
        let entries = payload.revoked_kids.len() + payload.revoked_jtis.len();
        if entries > Self::MAX_ENTRIES {
            return Err(RevocationListError::TooMany { entries });
        }
        if payload.issuer.is_empty() {
            return Err(RevocationListError::NoIssuer);
        }
        let time = |member, text: &str| {
            timestamp::parse(text).ok_or(RevocationListError::Timestamp { member })
        };
        let updated = time("updated", &payload.updated)?;
        let next_update = time("next_update", &payload.next_update)?;
        if next_update <= updated {
            return Err(RevocationListError::NextUpdateNotAfter);
        }
        Ok(Self {
            issuer: payload.issuer,
            updated,
            next_update,
            revoked_kids: payload.revoked_kids.into_iter().collect(),
            revoked_jtis: payload.revoked_jtis.into_iter().collect(),
        })
    }

    /// Who issued the list. The caller compares it with the origin the list was fetched from.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// When the list was made.
    pub fn updated(&self) -> UnixSeconds {
        self.updated
    }

    /// When the next list is promised.
    pub fn next_update(&self) -> UnixSeconds {
        self.next_update
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

    /// Whether this list may take the place of `older`: same issuer, and not made before it. A
    /// validly signed but older list would take revocations back.
    pub fn may_replace(&self, older: &Self) -> bool {
        self.issuer == older.issuer && self.updated >= older.updated
    }

    /// The polling interval in seconds: what the list declares, within 60 s and 1800 s.
    pub fn interval(&self) -> i64 {
        self.next_update.since(self.updated).clamp(MIN_INTERVAL, MAX_INTERVAL)
    }

    /// When to fetch the next list, having fetched this one at `last_refreshed`: at `next_update`,
    /// but not sooner than 60 s and not later than 1800 s after the last fetch.
    pub fn poll_at(&self, last_refreshed: UnixSeconds) -> UnixSeconds {
        self.next_update.clamp(last_refreshed.plus(MIN_INTERVAL), last_refreshed.plus(MAX_INTERVAL))
    }

    /// The last second at which the list may be relied on: `next_update`, or 1800 s after the last
    /// fetch where that is sooner, plus a grace of four intervals. Fetching the same old list again
    /// does not move `next_update`.
    pub fn stale_after(&self, last_refreshed: UnixSeconds) -> UnixSeconds {
        self.next_update
            .min(last_refreshed.plus(MAX_INTERVAL))
            .plus(GRACE_INTERVALS * self.interval())
    }

    /// Whether this copy, fetched at `last_refreshed`, may be relied on at `now`.
    pub fn freshness(&self, now: UnixSeconds, last_refreshed: UnixSeconds) -> Freshness {
        if now > self.stale_after(last_refreshed) {
            Freshness::Stale
        } else if now > self.poll_at(last_refreshed) {
            Freshness::Due
        } else {
            Freshness::Fresh
        }
    }

    /// Step 9 for one key: revoked first, then stale.
    pub fn status(
        &self,
        kid: &str,
        now: UnixSeconds,
        last_refreshed: UnixSeconds,
    ) -> RevocationStatus {
        if self.revokes_kid(kid) {
            RevocationStatus::Revoked
        } else if self.freshness(now, last_refreshed) == Freshness::Stale {
            RevocationStatus::Stale
        } else {
            RevocationStatus::Good
        }
    }
}

impl fmt::Debug for RevocationList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RevocationList")
            .field("issuer", &self.issuer)
            .field("updated", &self.updated)
            .field("next_update", &self.next_update)
            .field("revoked_kids", &self.revoked_kids.len())
            .field("revoked_jtis", &self.revoked_jtis.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UPDATED: UnixSeconds = UnixSeconds::new(1_776_520_800);

    fn payload(next_update: &str, kids: &[String]) -> Vec<u8> {
        serde_json::json!({
            "version": 1,
            "issuer": "https://gov.example.com",
            "updated": "2026-04-18T14:00:00Z",
            "next_update": next_update,
            "revoked_kids": kids,
        })
        .to_string()
        .into_bytes()
    }

    fn list(next_update: &str) -> RevocationList {
        RevocationList::parse(&payload(next_update, &["revoked".to_owned()])).unwrap()
    }

    #[test]
    fn malformed_lists_are_refused_by_rule() {
        use RevocationListError as E;
        let good = String::from_utf8(payload("2026-04-18T14:15:00Z", &[])).unwrap();
        let cases = [
            (good.replace("\"version\":1", "\"version\":2"), E::Version { version: 2 }),
            (good.replace("https://gov.example.com", ""), E::NoIssuer),
            (good.replace("14:00:00Z", "14:00:00"), E::Timestamp { member: "updated" }),
            (good.replace("14:15:00Z", "soon"), E::Timestamp { member: "next_update" }),
            (good.replace("14:15:00Z", "14:00:00Z"), E::NextUpdateNotAfter),
            (
                "x".repeat(RevocationList::MAX_BYTES + 1),
                E::TooLarge { bytes: RevocationList::MAX_BYTES + 1 },
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(RevocationList::parse(text.as_bytes()), Err(expected));
        }
        let misspelt = good.replace("revoked_kids", "revoked_kid");
        assert!(matches!(RevocationList::parse(misspelt.as_bytes()), Err(E::Shape { .. })));
        let mistyped = good.replace("\"revoked_kids\":[]", "\"revoked_kids\":\"all\"");
        assert!(matches!(RevocationList::parse(mistyped.as_bytes()), Err(E::Shape { .. })));
        let twice = good.replace("\"version\":1", "\"version\":1,\"revoked_kids\":[\"k\"]");
        assert!(matches!(
            RevocationList::parse(twice.as_bytes()),
            Err(E::Json(StrictJsonError::Duplicate(_)))
        ));
        assert!(matches!(
            RevocationList::parse(b"{"),
            Err(E::Json(StrictJsonError::Invalid { .. }))
        ));
    }

    #[test]
    fn the_number_of_entries_is_bounded() {
        let kids = |count: usize| vec!["k".to_owned(); count];
        let next_update = "2026-04-18T14:15:00Z";
        assert!(RevocationList::parse(&payload(next_update, &kids(100_000))).is_ok());
        assert_eq!(
            RevocationList::parse(&payload(next_update, &kids(100_001))),
            Err(RevocationListError::TooMany { entries: 100_001 })
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
    fn a_list_goes_from_fresh_to_due_to_stale() {
        use Freshness::{Due, Fresh, Stale};
        // (next_update, seconds from `updated`, freshness), fetched when it was made.
        let cases = [
            ("2026-04-18T14:15:00Z", 900, Fresh),
            ("2026-04-18T14:15:00Z", 901, Due),
            ("2026-04-18T14:15:00Z", 900 + 3600, Due),
            ("2026-04-18T14:15:00Z", 900 + 3601, Stale),
            ("2026-04-18T14:00:10Z", 60, Fresh),
            ("2026-04-18T14:00:10Z", 10 + 240, Due),
            ("2026-04-18T14:00:10Z", 10 + 241, Stale),
            // A promise beyond the ceiling counts as the ceiling.
            ("2027-04-18T14:00:00Z", 1800, Fresh),
            ("2027-04-18T14:00:00Z", 1801, Due),
            ("2027-04-18T14:00:00Z", 1800 + 7200, Due),
            ("2027-04-18T14:00:00Z", 1800 + 7201, Stale),
        ];
        for (next_update, seconds, freshness) in cases {
            let found = list(next_update).freshness(UPDATED.plus(seconds), UPDATED);
            assert_eq!(found, freshness, "{next_update} {seconds}");
        }
    }

    #[test]
    fn an_old_list_served_again_goes_stale_all_the_same() {
        let list = list("2026-04-18T14:15:00Z");
        let now = UPDATED.plus(900 + 3601);
        assert_eq!(list.freshness(now, now), Freshness::Stale);
    }

    #[test]
    fn revoked_is_said_before_stale() {
        let list = list("2026-04-18T14:15:00Z");
        let late = UPDATED.plus(100_000);
        assert_eq!(list.status("revoked", late, UPDATED), RevocationStatus::Revoked);
        assert_eq!(list.status("other", late, UPDATED), RevocationStatus::Stale);
        assert_eq!(list.status("other", UPDATED, UPDATED), RevocationStatus::Good);
    }

    #[test]
    fn only_a_list_of_the_same_issuer_and_not_older_replaces_another() {
        let current = list("2026-04-18T14:15:00Z");
        let parse = |from, to| {
            let text = String::from_utf8(payload("2026-04-18T14:15:00Z", &[])).unwrap();
            RevocationList::parse(text.replace(from, to).as_bytes()).unwrap()
        };
        assert!(current.may_replace(&current));
        assert!(parse("14:00:00Z", "14:00:01Z").may_replace(&current));
        assert!(!parse("14:00:00Z", "13:59:59Z").may_replace(&current));
        assert!(!parse("gov.example.com", "other.example.com").may_replace(&current));
    }
}
