//! The publisher's side of a revocation list: what it revokes, and its payload.

use std::collections::HashSet;

use super::{
    RevocationList, RevocationListError,
    policy::{MAX_INTERVAL, MIN_INTERVAL},
    timestamp::Timestamp,
};
use crate::{clock::UnixSeconds, resolver::canonical_url};

/// The longest `kid` or `jti` that is published.
const MAX_NAME_BYTES: usize = 1024;

/// Why a revocation list is not published.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RevocationIssueError {
    /// Verifiers would refuse the list.
    #[error(transparent)]
    List(#[from] RevocationListError),
    /// The issuer is not the origin of an `https` URL.
    #[error("{issuer:?} is not the origin of an https URL; write https:// and a host alone")]
    NotAnOrigin {
        /// What was given.
        issuer: String,
    },
    /// The next list is promised too soon or too late.
    #[error(
        "the next list is promised after {seconds} s; promise it after 60 to 1800 s, and publish \
         it in time"
    )]
    Interval {
        /// From `updated` to `next_update`.
        seconds: i64,
    },
    /// A time that RFC 3339 cannot express.
    #[error("{time} is not a time between the years 0 and 9999; give Unix seconds")]
    Time {
        /// What was given.
        time: UnixSeconds,
    },
    /// The list would be older than the one that it follows, and verifiers would refuse it.
    #[error("the list would be made at {updated}, not after the one that it follows ({before})")]
    NotAfter {
        /// When the list would be made.
        updated: UnixSeconds,
        /// When the list before was made.
        before: UnixSeconds,
    },
    /// A name that is empty or too long.
    #[error("a revoked kid or jti has {bytes} bytes; write 1 to {max}", max = MAX_NAME_BYTES)]
    Name {
        /// Its length.
        bytes: usize,
    },
}

impl RevocationList {
    /// A list of an issuer that revokes nothing, to be published. The issuer is the origin from
    /// which it is served.
    ///
    /// ```
    /// use adcp_signing_core::{UnixSeconds, revocation::RevocationList};
    ///
    /// let now = UnixSeconds::new(1_776_520_800);
    /// let list = RevocationList::issue("https://buyer.example.com", now, now.plus(900))?
    ///     .revoking_kids(["buyer-2025"])?;
    /// let payload = list.to_payload();
    /// assert_eq!(RevocationList::parse(&payload, "https://buyer.example.com")?, list);
    ///
    /// // What is revoked stays revoked.
    /// let next = list.renew(now.plus(900), now.plus(1800))?.revoking_kids(["buyer-2026"])?;
    /// assert!(next.revokes_kid("buyer-2025"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`RevocationIssueError::NotAnOrigin`], [`Interval`](RevocationIssueError::Interval) or
    /// [`Time`](RevocationIssueError::Time).
    pub fn issue(
        issuer: &str,
        updated: UnixSeconds,
        next_update: UnixSeconds,
    ) -> Result<Self, RevocationIssueError> {
        let origin = canonical_url(issuer)
            .ok()
            .filter(|url| url.as_str() == format!("https://{}/", url.authority()));
        let origin = origin
            .ok_or_else(|| RevocationIssueError::NotAnOrigin { issuer: issuer.to_owned() })?;
        let (updated, next_update) = times(updated, next_update)?;
        Ok(Self {
            issuer: origin.as_str().to_owned(),
            updated,
            next_update,
            revoked_kids: HashSet::new(),
            revoked_jtis: HashSet::new(),
        })
    }

    /// The list that follows this one, which revokes all that this one revokes.
    ///
    /// # Errors
    /// [`RevocationIssueError::NotAfter`], else as [`issue`](Self::issue).
    pub fn renew(
        self,
        updated: UnixSeconds,
        next_update: UnixSeconds,
    ) -> Result<Self, RevocationIssueError> {
        if updated <= self.updated() {
            return Err(RevocationIssueError::NotAfter { updated, before: self.updated() });
        }
        let (updated, next_update) = times(updated, next_update)?;
        Ok(Self { updated, next_update, ..self })
    }

    /// Revokes these keys: whatever was ever signed under their `kid`.
    ///
    /// # Errors
    /// [`RevocationIssueError::Name`] or [`RevocationListError::TooMany`].
    pub fn revoking_kids<K: Into<String>>(
        mut self,
        kids: impl IntoIterator<Item = K>,
    ) -> Result<Self, RevocationIssueError> {
        self.revoked_kids.extend(kids.into_iter().map(Into::into));
        self.check_names()
    }

    /// Revokes the tokens with these `jti`.
    ///
    /// # Errors
    /// As [`revoking_kids`](Self::revoking_kids).
    pub fn revoking_jtis<J: Into<String>>(
        mut self,
        jtis: impl IntoIterator<Item = J>,
    ) -> Result<Self, RevocationIssueError> {
        self.revoked_jtis.extend(jtis.into_iter().map(Into::into));
        self.check_names()
    }

    fn check_names(self) -> Result<Self, RevocationIssueError> {
        let names = || self.revoked_kids.iter().chain(&self.revoked_jtis);
        let is_wrong = |name: &&String| name.is_empty() || name.len() > MAX_NAME_BYTES;
        if let Some(name) = names().find(is_wrong) {
            return Err(RevocationIssueError::Name { bytes: name.len() });
        }
        let entries = names().count();
        if entries > Self::MAX_ENTRIES {
            return Err(RevocationListError::TooMany { entries }.into());
        }
        // A bound on the text: an escaped character takes six bytes.
        let bytes = names().map(|name| name.len() * 6 + 3).sum::<usize>() + 1024;
        if bytes > Self::MAX_BYTES {
            let bytes = self.to_payload().len();
            if bytes > Self::MAX_BYTES {
                return Err(RevocationListError::TooLarge { bytes }.into());
            }
        }
        Ok(self)
    }

    /// The payload, to be signed: JSON, with the names in order, so that equal lists have equal
    /// payloads.
    pub fn to_payload(&self) -> Vec<u8> {
        let sorted = |names: &HashSet<String>| {
            let mut names: Vec<_> = names.iter().cloned().collect();
            names.sort_unstable();
            names
        };
        let payload = serde_json::json!({
            "version": 1,
            // An origin has no trailing slash (RFC 6454 §6.1).
            "issuer": self.issuer.strip_suffix('/').unwrap_or(&self.issuer),
            "updated": self.updated.to_string(),
            "next_update": self.next_update.to_string(),
            "revoked_jtis": sorted(&self.revoked_jtis),
            "revoked_kids": sorted(&self.revoked_kids),
        });
        payload.to_string().into_bytes()
    }
}

/// Both times, where they are ones that a list may have.
fn times(
    updated: UnixSeconds,
    next_update: UnixSeconds,
) -> Result<(Timestamp, Timestamp), RevocationIssueError> {
    let timestamp = |time| Timestamp::of(time).ok_or(RevocationIssueError::Time { time });
    let times = (timestamp(updated)?, timestamp(next_update)?);
    let seconds = next_update.since(updated);
    if !(MIN_INTERVAL..=MAX_INTERVAL).contains(&seconds) {
        return Err(RevocationIssueError::Interval { seconds });
    }
    Ok(times)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixSeconds = UnixSeconds::new(1_776_520_800);
    const ISSUER: &str = "https://buyer.example.com";

    fn list() -> RevocationList {
        RevocationList::issue(ISSUER, NOW, NOW.plus(900)).unwrap()
    }

    #[test]
    fn what_is_published_is_read_as_it_was_meant() {
        let list = list().revoking_kids(["b", "a", "\"\u{1}é"]).unwrap();
        let list = list.revoking_jtis(["j"]).unwrap();
        let payload = String::from_utf8(list.to_payload()).unwrap();
        assert!(payload.contains(r#""issuer":"https://buyer.example.com""#), "{payload}");
        assert!(payload.contains(r#""updated":"2026-04-18T14:00:00Z""#), "{payload}");
        let read = RevocationList::parse(payload.as_bytes(), ISSUER).unwrap();
        assert_eq!(read, list);
        assert!(read.revokes_jti("j") && read.revokes_kid("\"\u{1}é"));
        // In whatever order they were revoked.
        let other = self::list().revoking_jtis(["j"]).unwrap();
        let other = other.revoking_kids(["a", "\"\u{1}é", "b"]).unwrap();
        assert_eq!(other.to_payload(), list.to_payload());
    }

    #[test]
    fn a_renewed_list_is_later_and_revokes_what_was_revoked() {
        let before = list().revoking_kids(["a"]).unwrap();
        let next = before.clone().renew(NOW.plus(1), NOW.plus(61)).unwrap();
        assert_eq!((next.updated(), next.revokes_kid("a")), (NOW.plus(1), true));
        let refused = before.renew(NOW, NOW.plus(900));
        assert_eq!(refused, Err(RevocationIssueError::NotAfter { updated: NOW, before: NOW }));
        let refused = next.renew(NOW.plus(2), NOW.plus(3));
        assert_eq!(refused, Err(RevocationIssueError::Interval { seconds: 1 }));
    }

    #[test]
    fn what_verifiers_would_refuse_is_not_published() {
        use RevocationIssueError as E;
        for issuer in [
            "http://buyer.example.com",
            "https://buyer.example.com/adcp",
            "https://buyer.example.com/?x",
            "buyer.example.com",
            "",
        ] {
            let refused = RevocationList::issue(issuer, NOW, NOW.plus(900));
            assert_eq!(refused, Err(E::NotAnOrigin { issuer: issuer.to_owned() }));
        }
        for (seconds, is_issued) in [(59, false), (60, true), (1800, true), (1801, false)] {
            let issued = RevocationList::issue(ISSUER, NOW, NOW.plus(seconds));
            assert_eq!(issued.is_ok(), is_issued, "{seconds}");
        }
        let milliseconds = UnixSeconds::new(1_776_520_800_000);
        let refused = RevocationList::issue(ISSUER, milliseconds, milliseconds.plus(900));
        assert_eq!(refused, Err(E::Time { time: milliseconds }));
        let long = "k".repeat(MAX_NAME_BYTES + 1);
        for (name, bytes) in [("", 0), (long.as_str(), MAX_NAME_BYTES + 1)] {
            assert_eq!(list().revoking_kids([name]), Err(E::Name { bytes }));
            assert_eq!(list().revoking_jtis([name]), Err(E::Name { bytes }));
        }
        let many = (0..=RevocationList::MAX_ENTRIES).map(|number| format!("{number}"));
        let entries = RevocationList::MAX_ENTRIES + 1;
        let refused = list().revoking_kids(many);
        assert_eq!(refused, Err(E::List(RevocationListError::TooMany { entries })));
        let large = (0..1100).map(|number| format!("{number:0>1000}"));
        let refused = list().revoking_kids(large);
        assert!(matches!(refused, Err(E::List(RevocationListError::TooLarge { .. }))));
        // Beyond the first bound, and not beyond the second.
        let fits = (0..900).map(|number| format!("{number:0>1000}"));
        assert!(list().revoking_kids(fits).is_ok());
    }
}
