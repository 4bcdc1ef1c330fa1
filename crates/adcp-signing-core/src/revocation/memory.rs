//! Revocation held in memory: a set of `kid`s by hand, and one list for each issuer.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use parking_lot::{Mutex, RwLock};

use super::{
    RevocationError, RevocationList, RevocationPolicy, RevocationSource, RevocationStatus,
    policy::MAX_LEAD,
};
use crate::{answer::Answer, clock::UnixSeconds, resolver::VerificationKey};

/// Revocation held in memory: a set of `kid`s by hand, the lists of issuers, or both.
///
/// The set applies to the keys of **every** issuer. It suits one counterparty, or `kid`s that no
/// two counterparties share.
///
/// ```
/// use adcp_signing_core::revocation::InMemoryRevocation;
///
/// let revocation = InMemoryRevocation::new(["buyer-2024"]);
/// revocation.replace(["buyer-2024", "buyer-2025"]);
/// ```
///
/// A list speaks for the keys of its issuer alone
/// ([`VerificationKey::revocation_issuer`]). From the first list on, or from the start where this is
/// made by [`of_lists`](Self::of_lists), a key whose issuer has no list cannot be judged and is
/// refused.
///
/// ```
/// use adcp_signing_core::{
///     Clock as _, SystemClock,
///     revocation::{InMemoryRevocation, RevocationList, RevocationPolicy},
/// };
///
/// # fn fetch(_: &str) -> Vec<u8> {
/// #     br#"{"version":1,"issuer":"https://buyer.example.com","updated":"2026-04-18T14:00:00Z",
/// #         "next_update":"2026-04-18T14:15:00Z","revoked_kids":["buyer-2024"]}"#.to_vec()
/// # }
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let revocation = InMemoryRevocation::of_lists(RevocationPolicy::production());
/// let issuer = "https://buyer.example.com";
/// let payload = fetch(issuer); // and verify its JWS
/// revocation.load(RevocationList::parse(&payload, issuer)?, SystemClock.now())?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct InMemoryRevocation {
    policy: RevocationPolicy,
    needs_lists: bool,
    max_remembered: usize,
    state: RwLock<State>,
    /// Loads take turns, so that each sees the list before it, and checks do not wait while a list
    /// is merged.
    turn: Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    by_hand: Arc<HashSet<String>>,
    last_fresh: Option<UnixSeconds>,
    /// By canonical issuer.
    issuers: HashMap<String, Arc<Issuer>>,
}

/// What is known of one issuer.
#[derive(Debug)]
struct Issuer {
    updated: UnixSeconds,
    stale_after: UnixSeconds,
    /// By the list, and by every list before it.
    kids: HashSet<String>,
    /// So too.
    jtis: HashSet<String>,
}

/// Why a list was not taken. What is held is as it was before.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RevocationLoadError {
    /// The list is older than the one that is held: taking it would take revocations back.
    #[error(
        "the revocation list of {issuer} was made at {updated}, before the one that is held ({held}); \
         somebody serves an old list"
    )]
    RolledBack {
        /// The canonical issuer.
        issuer: String,
        /// When the list was made.
        updated: UnixSeconds,
        /// When the list that is held was made.
        held: UnixSeconds,
    },
    /// The list was made more than 60 s after now.
    #[error(
        "the revocation list of {issuer} was made at {updated}, which is after now ({now}); check both clocks"
    )]
    FromTheFuture {
        /// The canonical issuer.
        issuer: String,
        /// When the list says it was made.
        updated: UnixSeconds,
        /// When it was fetched.
        now: UnixSeconds,
    },
    /// The time of the fetch is in another unit than seconds, so that the list would never go stale.
    #[error(
        "the revocation list of {issuer} was fetched at {fetched_at}, which looks like {unit}; give \
         Unix seconds"
    )]
    Unit {
        /// The canonical issuer.
        issuer: String,
        /// The time that was given.
        fetched_at: UnixSeconds,
        /// The unit that it looks like it is in.
        unit: &'static str,
    },
    /// The issuer revoked more keys and tokens over time than are remembered.
    #[error(
        "the lists of {issuer} revoked {entries} keys and tokens over time; at most {max} are \
         remembered"
    )]
    TooMany {
        /// The canonical issuer.
        issuer: String,
        /// How many there would be.
        entries: usize,
        /// How many there may be.
        max: usize,
    },
}

impl InMemoryRevocation {
    /// The most revoked `kid`s and `jti`s together that are remembered of one issuer. A further list
    /// is then refused, so that the one that is held goes stale.
    pub const MAX_REMEMBERED: usize = 1_000_000;

    /// These `kid`s are revoked, whoever issued the key. The set never goes stale unless told to.
    pub fn new<K: Into<String>>(revoked: impl IntoIterator<Item = K>) -> Self {
        let this = Self::default();
        this.replace(revoked);
        this
    }

    /// Every key needs a list of its issuer; until one is loaded, its keys are refused.
    pub fn of_lists(policy: RevocationPolicy) -> Self {
        Self {
            policy,
            needs_lists: true,
            max_remembered: Self::MAX_REMEMBERED,
            state: RwLock::default(),
            turn: Mutex::default(),
        }
    }

    /// The policy of the lists: [`RevocationPolicy::baseline`] unless given to
    /// [`of_lists`](Self::of_lists).
    pub fn policy(&self) -> RevocationPolicy {
        self.policy
    }

    /// Puts these `kid`s in place of the set by hand, which is thereby fresh and never goes stale
    /// unless told to. What the lists revoke stays revoked.
    pub fn replace<K: Into<String>>(&self, revoked: impl IntoIterator<Item = K>) {
        let by_hand = Arc::new(revoked.into_iter().map(Into::into).collect());
        let mut state = self.state.write();
        state.by_hand = by_hand;
        state.last_fresh = None;
    }

    /// From the second after `last_fresh` on, every key that is not revoked is
    /// [`RevocationStatus::Stale`]. A `last_fresh` in a finer unit than seconds would never come: it
    /// makes the keys stale at once.
    pub fn stale_after(&self, last_fresh: UnixSeconds) {
        self.state.write().last_fresh = Some(last_fresh);
    }

    /// Takes the list of an issuer, fetched at `fetched_at`, in place of the issuer's list before.
    /// It goes stale by its own rules under the [`policy`](Self::policy).
    ///
    /// What any list of the issuer ever revoked stays revoked: a newer list that drops a `kid` or a
    /// `jti` does not make the key or the token good again. The same list again is taken, as a fetch
    /// that succeeded.
    ///
    /// # Errors
    /// [`RevocationLoadError`]; nothing changes then, so the list that is held goes on ageing.
    pub fn load(
        &self,
        list: RevocationList,
        fetched_at: UnixSeconds,
    ) -> Result<(), RevocationLoadError> {
        let issuer = list.issuer().to_owned();
        let (updated, now) = (list.updated(), fetched_at);
        if let Some(unit) = now.finer_unit() {
            return Err(RevocationLoadError::Unit { issuer, fetched_at, unit });
        }
        if updated > now.plus(MAX_LEAD) {
            return Err(RevocationLoadError::FromTheFuture { issuer, updated, now });
        }
        let stale_after = list.stale_after(self.policy, fetched_at);

        let _turn = self.turn.lock();
        let held = self.state.read().issuers.get(&issuer).map(Arc::clone);
        let (mut kids, mut jtis) = list.into_revoked();
        if let Some(held) = held {
            if updated < held.updated {
                let held = held.updated;
                return Err(RevocationLoadError::RolledBack { issuer, updated, held });
            }
            kids.extend(held.kids.iter().cloned());
            jtis.extend(held.jtis.iter().cloned());
        }
        let entries = kids.len() + jtis.len();
        if entries > self.max_remembered {
            let max = self.max_remembered;
            return Err(RevocationLoadError::TooMany { issuer, entries, max });
        }
        let known = Arc::new(Issuer { updated, stale_after, kids, jtis });
        // The list before is dropped after the lock is released.
        let before = self.state.write().issuers.insert(issuer, known);
        drop(before);
        Ok(())
    }
}

impl Default for InMemoryRevocation {
    /// Nothing is revoked, as by [`new`](Self::new) with an empty set.
    fn default() -> Self {
        Self { needs_lists: false, ..Self::of_lists(RevocationPolicy::baseline()) }
    }
}

impl RevocationSource for InMemoryRevocation {
    fn check<'a>(
        &'a self,
        key: &'a VerificationKey,
        now: UnixSeconds,
    ) -> Answer<'a, RevocationStatus, RevocationError> {
        Answer::now(self.status(key.revocation_issuer(), key.kid(), None, now))
    }
}

impl InMemoryRevocation {
    /// What is known at `now` of a token with this `jti`, signed by the key with this `kid`, of the
    /// issuer with this canonical origin (`https://gov.example.com/`): revoked first, then stale.
    ///
    /// # Errors
    /// [`RevocationError`] where the issuer has no list. Refuse the token.
    pub fn check_token(
        &self,
        issuer: &str,
        kid: &str,
        jti: &str,
        now: UnixSeconds,
    ) -> Result<RevocationStatus, RevocationError> {
        self.status(Some(issuer), kid, Some(jti), now)
    }

    fn status(
        &self,
        issuer: Option<&str>,
        kid: &str,
        jti: Option<&str>,
        now: UnixSeconds,
    ) -> Result<RevocationStatus, RevocationError> {
        let state = self.state.read();
        let of_issuer = issuer.and_then(|issuer| state.issuers.get(issuer));
        let listed = of_issuer.is_some_and(|issuer| {
            issuer.kids.contains(kid) || jti.is_some_and(|jti| issuer.jtis.contains(jti))
        });
        if listed || state.by_hand.contains(kid) {
            return Ok(RevocationStatus::Revoked);
        }
        if state.last_fresh.is_some_and(|last| now > last || last.finer_unit().is_some()) {
            return Ok(RevocationStatus::Stale);
        }
        match of_issuer {
            Some(issuer) if now > issuer.stale_after => Ok(RevocationStatus::Stale),
            Some(_) => Ok(RevocationStatus::Good),
            None if self.needs_lists || !state.issuers.is_empty() => {
                Err(RevocationError::new(match issuer {
                    Some(issuer) => format!("no revocation list of {issuer} is loaded"),
                    None => "the key has no revocation issuer whose list could be asked".to_owned(),
                }))
            }
            None => Ok(RevocationStatus::Good),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_executor::block_on;

    use super::*;
    use crate::keys::{Jwk, KeyPurpose, PublicKey};

    const NOW: UnixSeconds = UnixSeconds::new(1_776_520_800);
    const A: &str = "https://a.example";
    const B: &str = "https://b.example";

    fn key(kid: &str, issuer: Option<&str>) -> VerificationKey {
        let jwk = br#"{"kty":"OKP","crv":"Ed25519","alg":"EdDSA",
            "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
        let public: PublicKey = Jwk::parse(jwk).unwrap().public_key().unwrap();
        let key = VerificationKey::trusted(kid, public, KeyPurpose::RequestSigning);
        issuer.map_or(key.clone(), |issuer| key.with_revocation_issuer(issuer).unwrap())
    }

    /// A list that promises the next one 15 minutes after it was made.
    fn list(issuer: &str, updated: UnixSeconds, kids: &[&str]) -> RevocationList {
        let time = |at: UnixSeconds| {
            let of_day = at.as_i64().rem_euclid(86_400);
            format!("2026-04-18T{:02}:{:02}:{:02}Z", of_day / 3600, of_day / 60 % 60, of_day % 60)
        };
        let payload = serde_json::json!({
            "version": 1,
            "issuer": issuer,
            "updated": time(updated),
            "next_update": time(updated.plus(900)),
            "revoked_kids": kids,
        });
        let list = RevocationList::parse(payload.to_string().as_bytes(), issuer).unwrap();
        assert_eq!(list.updated(), updated);
        list
    }

    fn check(
        source: &dyn RevocationSource,
        key: &VerificationKey,
        now: UnixSeconds,
    ) -> Option<RevocationStatus> {
        block_on(source.check(key, now)).ok()
    }

    #[test]
    fn a_set_by_hand_is_for_every_issuer_and_replaced_as_a_whole() {
        use RevocationStatus::{Good, Revoked, Stale};
        let source = InMemoryRevocation::new(["old"]);
        for issuer in [None, Some(A), Some(B)] {
            assert_eq!(check(&source, &key("old", issuer), NOW), Some(Revoked));
            assert_eq!(check(&source, &key("new", issuer), NOW), Some(Good));
        }
        let (old, new) = (key("old", None), key("new", None));
        source.replace(["new"]);
        assert_eq!(check(&source, &old, NOW), Some(Good));
        source.stale_after(NOW);
        assert_eq!(check(&source, &old, NOW), Some(Good));
        assert_eq!(check(&source, &old, NOW.plus(1)), Some(Stale));
        assert_eq!(
            check(&source, &new, NOW.plus(1)),
            Some(Revoked),
            "revoked is said before stale"
        );
        source.replace(["new"]);
        assert_eq!(check(&source, &old, NOW.plus(1)), Some(Good));
    }

    #[test]
    fn a_list_speaks_for_the_keys_of_its_issuer_alone() {
        use RevocationStatus::{Good, Revoked};
        let source = InMemoryRevocation::of_lists(RevocationPolicy::baseline());
        source.load(list(A, NOW, &["k"]), NOW).unwrap();
        assert_eq!(check(&source, &key("k", Some(A)), NOW), Some(Revoked));
        assert_eq!(check(&source, &key("k", Some("HTTPS://A.example:443/")), NOW), Some(Revoked));
        assert_eq!(check(&source, &key("k", Some(B)), NOW), None, "no list of B");
        source.load(list(B, NOW, &["other"]), NOW).unwrap();
        assert_eq!(check(&source, &key("k", Some(B)), NOW), Some(Good));
        assert_eq!(check(&source, &key("k", Some(A)), NOW), Some(Revoked));
        assert_eq!(check(&source, &key("other", Some(A)), NOW), Some(Good));
    }

    #[test]
    fn a_key_without_a_list_is_refused_once_there_are_lists() {
        let keys = [key("k", Some(B)), key("k", None)];
        let of_lists = InMemoryRevocation::of_lists(RevocationPolicy::baseline());
        let by_hand = InMemoryRevocation::default();
        for key in &keys {
            assert_eq!(check(&of_lists, key, NOW), None);
            assert_eq!(check(&by_hand, key, NOW), Some(RevocationStatus::Good));
        }
        by_hand.load(list(A, NOW, &[]), NOW).unwrap();
        for key in &keys {
            assert_eq!(check(&by_hand, key, NOW), None);
        }
        by_hand.replace(["k"]);
        assert_eq!(check(&by_hand, &keys[0], NOW), Some(RevocationStatus::Revoked));
    }

    #[test]
    fn an_older_list_is_refused_and_changes_nothing() {
        let source = InMemoryRevocation::default();
        source.load(list(A, NOW, &["k"]), NOW).unwrap();
        let refused = source.load(list(A, NOW.minus(1), &[]), NOW.plus(10_000));
        let issuer = format!("{A}/");
        let (updated, held) = (NOW.minus(1), NOW);
        assert_eq!(refused, Err(RevocationLoadError::RolledBack { issuer, updated, held }));
        assert_eq!(check(&source, &key("k", Some(A)), NOW), Some(RevocationStatus::Revoked));
        let other = key("other", Some(A));
        let last = NOW.plus(900 + 3600);
        assert_eq!(check(&source, &other, last), Some(RevocationStatus::Good));
        assert_eq!(check(&source, &other, last.plus(1)), Some(RevocationStatus::Stale));
        // The age of one issuer's list is not compared with another's.
        source.load(list(B, NOW.minus(1), &[]), NOW).unwrap();
    }

    #[test]
    fn a_time_in_milliseconds_keeps_nothing_fresh() {
        let milliseconds = UnixSeconds::new(NOW.as_i64() * 1000);
        let source = InMemoryRevocation::default();
        let refused = source.load(list(A, NOW, &[]), milliseconds);
        let issuer = format!("{A}/");
        let (fetched_at, unit) = (milliseconds, "milliseconds");
        assert_eq!(refused, Err(RevocationLoadError::Unit { issuer, fetched_at, unit }));

        source.stale_after(milliseconds);
        assert_eq!(check(&source, &key("k", None), NOW), Some(RevocationStatus::Stale));
    }

    #[test]
    fn a_list_from_the_future_is_refused() {
        let source = InMemoryRevocation::default();
        source.load(list(A, NOW.plus(60), &[]), NOW).unwrap();
        let (issuer, updated, now) = (format!("{B}/"), NOW.plus(61), NOW);
        let refused = source.load(list(B, updated, &["k"]), now);
        assert_eq!(refused, Err(RevocationLoadError::FromTheFuture { issuer, updated, now }));
        assert_eq!(check(&source, &key("k", Some(B)), NOW), None, "nothing was loaded");
    }

    #[test]
    fn every_revocation_ever_seen_is_remembered() {
        use RevocationStatus::{Good, Revoked};
        let source = InMemoryRevocation::default();
        let kids: [&[&str]; 4] = [&["first"], &["second"], &[], &["third"]];
        for (after, kids) in kids.into_iter().enumerate() {
            let at = NOW.plus(after as i64);
            source.load(list(A, at, kids), at).unwrap();
        }
        // The same moment again, without any.
        source.load(list(A, NOW.plus(3), &[]), NOW.plus(3)).unwrap();
        for kid in ["first", "second", "third"] {
            assert_eq!(check(&source, &key(kid, Some(A)), NOW.plus(3)), Some(Revoked), "{kid}");
        }
        assert_eq!(check(&source, &key("fourth", Some(A)), NOW.plus(3)), Some(Good));
        source.replace(["by hand"]);
        assert_eq!(check(&source, &key("first", Some(A)), NOW.plus(3)), Some(Revoked));
    }

    #[test]
    fn a_token_that_was_ever_revoked_stays_revoked() {
        use RevocationStatus::{Good, Revoked, Stale};
        let source = InMemoryRevocation::of_lists(RevocationPolicy::baseline());
        let issued = RevocationList::issue(A, NOW, NOW.plus(900)).unwrap();
        source.load(issued.revoking_jtis(["j"]).unwrap(), NOW).unwrap();
        source.load(list(A, NOW.plus(1), &["k"]), NOW.plus(1)).unwrap();
        let check_token = |issuer: &str, kid, jti, now| {
            source.check_token(&format!("{issuer}/"), kid, jti, now).ok()
        };
        assert_eq!(check_token(A, "good", "j", NOW), Some(Revoked));
        assert_eq!(check_token(A, "k", "good", NOW), Some(Revoked));
        assert_eq!(check_token(A, "j", "k", NOW), Some(Good), "each revokes its own");
        assert_eq!(check_token(B, "good", "j", NOW), None, "no list of B");
        let late = NOW.plus(1 + 900 + 3601);
        assert_eq!(check_token(A, "good", "j", late), Some(Revoked));
        assert_eq!(check_token(A, "good", "good", late), Some(Stale));
        assert_eq!(check(&source, &key("j", Some(A)), NOW), Some(Good));
    }

    #[test]
    fn revoked_keys_and_tokens_are_bounded_together() {
        let source = InMemoryRevocation { max_remembered: 2, ..InMemoryRevocation::default() };
        source.load(list(A, NOW, &["1"]), NOW).unwrap();
        let jtis = |jtis: [&str; 2], kept| {
            let issued = RevocationList::issue(A, NOW, NOW.plus(900)).unwrap();
            issued.revoking_jtis(jtis.into_iter().take(kept)).unwrap()
        };
        source.load(jtis(["2", "3"], 1), NOW).unwrap();
        let (issuer, refused) = (format!("{A}/"), source.load(jtis(["2", "3"], 2), NOW));
        assert_eq!(refused, Err(RevocationLoadError::TooMany { issuer, entries: 3, max: 2 }));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let source = InMemoryRevocation { max_remembered: 2, ..InMemoryRevocation::default() };
        source.load(list(A, NOW, &["1"]), NOW).unwrap();
        source.load(list(A, NOW, &["1", "2"]), NOW).unwrap();
        let refused = source.load(list(A, NOW, &["3"]), NOW.plus(1000));
        let issuer = format!("{A}/");
        assert_eq!(refused, Err(RevocationLoadError::TooMany { issuer, entries: 3, max: 2 }));
        let last = NOW.plus(900 + 3600);
        let check = |kid| check(&source, &key(kid, Some(A)), last.plus(1));
        assert_eq!(check("1"), Some(RevocationStatus::Revoked));
        assert_eq!(check("3"), Some(RevocationStatus::Stale), "the list that is held ages");
    }

    #[test]
    fn a_list_goes_stale_by_the_policy_to_the_second() {
        use RevocationStatus::{Good, Revoked, Stale};
        let cases =
            [(RevocationPolicy::baseline(), 900 + 3600), (RevocationPolicy::production(), 900)];
        for (policy, last) in cases {
            let source = InMemoryRevocation::of_lists(policy);
            assert_eq!(source.policy(), policy);
            source.load(list(A, NOW, &["k"]), NOW).unwrap();
            let (revoked, other) = (key("k", Some(A)), key("other", Some(A)));
            assert_eq!(check(&source, &other, NOW.plus(last)), Some(Good));
            assert_eq!(check(&source, &other, NOW.plus(last + 1)), Some(Stale));
            assert_eq!(check(&source, &revoked, NOW.plus(last + 1)), Some(Revoked));
            // The same list, fetched again, is a success.
            source.load(list(A, NOW, &["k"]), NOW.plus(600)).unwrap();
            let last = if policy.max_age().is_some() { 600 + 900 } else { last };
            assert_eq!(check(&source, &other, NOW.plus(last)), Some(Good));
            assert_eq!(check(&source, &other, NOW.plus(last + 1)), Some(Stale));
        }
    }

    #[test]
    fn a_shared_source_is_a_source() {
        let source = Arc::new(InMemoryRevocation::new(["k"]));
        let shared: Arc<dyn RevocationSource> = source.clone();
        for source in [&source as &dyn RevocationSource, &shared] {
            assert_eq!(check(source, &key("k", None), NOW), Some(RevocationStatus::Revoked));
            assert_eq!(check(source, &key("other", None), NOW), Some(RevocationStatus::Good));
        }
    }
}
