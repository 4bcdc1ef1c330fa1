//! One issuer: where its list is, when it is fetched again, and who may have signed it.

use std::{error::Error as StdError, sync::Arc};

use adcp_signing_core::{
    ResolveError, RevocationSource as _, RevocationStatus, Signature, UnixSeconds, VerificationKey,
    resolver::canonical_url,
    revocation::{
        RevocationError, RevocationList, RevocationListError, RevocationLoadError, RevocationPolicy,
    },
};
use futures_util::FutureExt as _;
use parking_lot::RwLock;
use tokio::sync::Mutex;

use super::{Shared, TYP, WELL_KNOWN_LIST, may_sign_lists};
use crate::{
    fetch::{Document, EntityTag, FetchError, Fetched},
    guard::{PublicUrl, PublicUrlError},
    jwks::{JwksSource, Owner, WELL_KNOWN_JWKS},
    jws::{Jws, JwsError},
};

/// The least time between two fetches of one list, in seconds.
const FLOOR: i64 = 60;

/// An issuer of a revocation list: the origin that it is served from, and where the keys are that
/// sign it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevocationIssuer {
    issuer: String,
    list: PublicUrl,
    jwks_uri: PublicUrl,
}

/// Why a list was not taken. The one that is held, if any, goes on ageing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListError {
    /// The list could not be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The list is not signed as it has to be.
    #[error("the revocation list is not signed as it has to be: {0}")]
    Jws(#[from] JwsError),
    /// The keys of the issuer could not be had.
    #[error("the key that signed the revocation list could not be had: {0}")]
    Keys(#[from] ResolveError),
    /// No key that the issuer publishes signed the list.
    #[error(
        "none of the keys in the issuer's JWKS signed the revocation list; its owner has to sign \
         it with a published key"
    )]
    UnknownKey,
    /// A key that may not sign lists signed it.
    #[error("the key {kid:?} signed the revocation list, and may not: {reason}")]
    WrongKey {
        /// The key's name.
        kid: String,
        /// Why it may not.
        reason: String,
    },
    /// A key that is revoked signed the list, by this list or by one before it.
    #[error(
        "the key {kid:?} signed the revocation list, and is revoked; its owner has to sign with \
         another one"
    )]
    RevokedKey {
        /// The key's name.
        kid: String,
    },
    /// A signature does not verify.
    #[error("the signature of the key {kid:?} on the revocation list does not verify")]
    Signature {
        /// The key's name.
        kid: String,
    },
    /// The payload is not a list of this issuer.
    #[error(transparent)]
    List(#[from] RevocationListError),
    /// The list is older than the one that is held, or cannot be held.
    #[error(transparent)]
    Load(#[from] RevocationLoadError),
}

impl RevocationIssuer {
    /// The issuer at this origin, such as `https://buyer.example.com`, with its JWKS at
    /// `/.well-known/jwks.json`.
    ///
    /// # Errors
    /// [`PublicUrlError`].
    pub fn new(issuer: &str) -> Result<Self, PublicUrlError> {
        let url: PublicUrl = issuer.parse()?;
        let issuer = url.at_origin("/")?;
        // The list of an origin speaks for the origin alone, whatever path was written.
        let issuer = canonical_url(issuer.as_str()).map_err(|_| PublicUrlError::Malformed)?;
        Ok(Self {
            issuer: issuer.as_str().to_owned(),
            list: url.at_origin(WELL_KNOWN_LIST)?,
            jwks_uri: url.at_origin(WELL_KNOWN_JWKS)?,
        })
    }

    /// The keys that sign the list are here.
    ///
    /// # Errors
    /// [`PublicUrlError`].
    pub fn with_jwks_uri(self, jwks_uri: &str) -> Result<Self, PublicUrlError> {
        Ok(Self { jwks_uri: jwks_uri.parse()?, ..self })
    }

    /// The canonical issuer.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    pub(super) fn into_polling(self) -> Polling {
        let owner = Owner::RevocationIssuer { issuer: self.issuer.clone() };
        Polling {
            issuer: self.issuer,
            list: self.list,
            keys: Arc::new(JwksSource::new(self.jwks_uri, owner)),
            state: RwLock::default(),
            flight: Mutex::default(),
        }
    }
}

/// An issuer whose list is polled.
pub(super) struct Polling {
    issuer: String,
    list: PublicUrl,
    keys: Arc<JwksSource>,
    state: RwLock<State>,
    /// Held by whoever fetches; the state is never locked meanwhile.
    flight: Mutex<()>,
}

#[derive(Default)]
struct State {
    /// How many polls have ended.
    polls: u64,
    /// When the last one ended, and from when on the next one is due.
    times: Option<(UnixSeconds, UnixSeconds)>,
    held: Option<Held>,
    failure: Option<Arc<str>>,
}

/// What is known of the list that is held. The list itself is in the memory of all lists.
struct Held {
    tag: Option<EntityTag>,
    interval: i64,
    stale_after: UnixSeconds,
}

/// When the list is fetched again.
pub(super) enum Outlook {
    /// Now. So many polls have ended before.
    Due(u64),
    /// Later.
    NotYet,
}

/// What came of a poll.
pub(super) enum Polled {
    /// The list was taken, or did not change.
    Taken,
    /// Nothing was done: a poll has ended since the question.
    BySomebodyElse,
    /// The list was not taken.
    Failed(ListError),
}

/// What a fetch brought.
enum Fresh {
    List(RevocationList, Option<EntityTag>),
    NotModified,
}

impl Polling {
    pub(super) fn issuer(&self) -> &str {
        &self.issuer
    }

    pub(super) fn outlook(&self, now: UnixSeconds) -> Outlook {
        let state = self.state.read();
        match state.times {
            // A clock that went back does not put the next poll off.
            Some((last, next)) if (last..next).contains(&now) => Outlook::NotYet,
            _ => Outlook::Due(state.polls),
        }
    }

    pub(super) fn is_being_polled(&self) -> bool {
        self.flight.try_lock().is_err()
    }

    /// Names the cause where there is no list to answer from.
    pub(super) fn explain(
        &self,
        held: Result<RevocationStatus, RevocationError>,
    ) -> Result<RevocationStatus, RevocationError> {
        held.map_err(|error| match &self.state.read().failure {
            Some(failure) => RevocationError::new(format!(
                "the revocation list of {} is not to be had: {failure}",
                self.issuer
            )),
            None => error,
        })
    }

    /// Fetches the list, unless somebody has since `polls` polls had ended.
    pub(super) async fn poll(&self, polls: u64, shared: &Shared) -> Polled {
        let _flight = self.flight.lock().await;
        if self.state.read().polls != polls {
            return Polled::BySomebodyElse;
        }
        let policy = shared.memory.policy();
        let begun = shared.keys.clock.now();
        let tag = self.state.read().held.as_ref().and_then(|held| held.condition(begun, policy));
        let fetched = self.fetch(tag.as_ref(), shared).await;
        let now = shared.keys.clock.now();
        let taken = fetched.and_then(|fresh| self.take(fresh, now, shared));
        let mut state = self.state.write();
        state.polls += 1;
        match taken {
            Ok((next, held)) => {
                state.failure = None;
                state.times = Some((now, next));
                if let Some(held) = held {
                    state.held = Some(held);
                }
                Polled::Taken
            }
            Err(error) => {
                let reason: Arc<str> = shown(&error).into();
                state.failure = Some(Arc::clone(&reason));
                state.times = Some((now, now.plus(FLOOR)));
                drop(state);
                let issuer = &self.issuer;
                tracing::warn!(target: "adcp_signing::trust", %issuer, %reason, "revocation list");
                Polled::Failed(error)
            }
        }
    }

    async fn fetch(&self, tag: Option<&EntityTag>, shared: &Shared) -> Result<Fresh, ListError> {
        match shared.keys.fetcher.get(&self.list, &Document::REVOCATION_LIST, tag).await? {
            Fetched::NotModified { .. } => Ok(Fresh::NotModified),
            Fetched::Document(reply) => {
                let list = self.verified(reply.body(), shared).await?;
                Ok(Fresh::List(list, reply.tag().cloned()))
            }
        }
    }

    /// The list, if each of its signatures whose key is published is good, and one at least is.
    async fn verified(
        &self,
        document: &[u8],
        shared: &Shared,
    ) -> Result<RevocationList, ListError> {
        let jws = Jws::parse(document, TYP)?;
        let mut signers = Vec::new();
        for signature in jws.signatures() {
            let Some(key) = self.key(&signature.kid, shared).await? else { continue };
            let wrong = |reason: String| ListError::WrongKey { kid: key.kid().to_owned(), reason };
            let (Some(public), Some(purpose)) = (key.public_key(), key.purpose()) else {
                let reason = key.unusable().map(ToString::to_string);
                return Err(wrong(reason.unwrap_or_default()));
            };
            if !may_sign_lists(purpose) {
                return Err(wrong(format!("its `adcp_use` is {:?}", purpose.as_str())));
            }
            if public.algorithm() != signature.algorithm {
                return Err(wrong("its algorithm is not the one of the signature".to_owned()));
            }
            let now = shared.keys.clock.now();
            let held = shared.memory.check(&key, now).now_or_never();
            if matches!(held, Some(Ok(RevocationStatus::Revoked))) {
                return Err(ListError::RevokedKey { kid: key.kid().to_owned() });
            }
            let raw = Signature::from_raw(signature.algorithm, &signature.bytes).ok();
            let input = jws.signing_input(signature);
            if raw.is_none_or(|raw| public.verify(&input, &raw).is_err()) {
                return Err(ListError::Signature { kid: key.kid().to_owned() });
            }
            signers.push(key);
        }
        if signers.is_empty() {
            return Err(ListError::UnknownKey);
        }
        let list = RevocationList::parse(jws.payload(), &self.issuer)?;
        match signers.iter().find(|key| list.revokes_kid(key.kid())) {
            Some(key) => Err(ListError::RevokedKey { kid: key.kid().to_owned() }),
            None => Ok(list),
        }
    }

    async fn key(
        &self,
        kid: &str,
        shared: &Shared,
    ) -> Result<Option<Arc<VerificationKey>>, ResolveError> {
        match self.keys.look(kid, &shared.keys) {
            Ok(known) => known,
            Err(needed) => self.keys.fetch_and_look(kid, needed, &shared.keys).await,
        }
    }

    /// Puts what was fetched in place, and returns when to fetch the next.
    fn take(
        &self,
        fresh: Fresh,
        now: UnixSeconds,
        shared: &Shared,
    ) -> Result<(UnixSeconds, Option<Held>), ListError> {
        let policy = shared.memory.policy();
        match fresh {
            Fresh::List(list, tag) => {
                let next = list.poll_at(policy, now);
                let held = Held {
                    tag,
                    interval: list.interval(),
                    stale_after: list.stale_after(policy, now),
                };
                shared.memory.load(list, now)?;
                Ok((next, Some(held)))
            }
            // Nobody signed that, so the list goes on ageing.
            Fresh::NotModified => {
                let interval = self.state.read().held.as_ref().map(|held| held.interval);
                let wait = interval.unwrap_or(FLOOR).min(policy.max_poll_interval()).max(FLOOR);
                Ok((now.plus(wait), None))
            }
        }
    }
}

impl Held {
    /// What to ask with, as long as an answer that nothing changed leaves time for a whole list
    /// after it.
    fn condition(&self, now: UnixSeconds, policy: RevocationPolicy) -> Option<EntityTag> {
        let next = now.plus(self.interval.min(policy.max_poll_interval()).max(FLOOR));
        self.tag.clone().filter(|_| next.plus(FLOOR) <= self.stale_after)
    }
}

/// The error and its causes.
fn shown(error: &ListError) -> String {
    let mut text = error.to_string();
    let mut cause = StdError::source(error);
    while let Some(error) = cause {
        let shown = error.to_string();
        // A message may have its cause in it already.
        if !text.contains(&shown) {
            text = format!("{text}: {shown}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_an_origin() {
        for url in ["https://op.example.com", "https://Op.example.com:443/any/path"] {
            let issuer = RevocationIssuer::new(url).unwrap();
            assert_eq!(issuer.issuer(), "https://op.example.com/");
            let list = "https://op.example.com/.well-known/governance-revocations.json";
            assert_eq!(issuer.list.as_str(), list);
            assert_eq!(issuer.jwks_uri.as_str(), "https://op.example.com/.well-known/jwks.json");
        }
        let elsewhere = RevocationIssuer::new("https://op.example.com").unwrap();
        let elsewhere = elsewhere.with_jwks_uri("https://keys.example.com/a").unwrap();
        assert_eq!(elsewhere.jwks_uri.as_str(), "https://keys.example.com/a");
        assert!(elsewhere.with_jwks_uri("http://keys.example.com/a").is_err());
        assert!(RevocationIssuer::new("https://127.0.0.1").is_err());
    }

    #[test]
    fn a_condition_is_sent_while_a_whole_list_can_still_follow() {
        let now = UnixSeconds::new(1_776_520_800);
        let tag = crate::fetch::EntityTag::for_tests("\"1\"");
        let held = |interval, stale_after: i64| Held {
            tag: Some(tag.clone()),
            interval,
            stale_after: now.plus(stale_after),
        };
        let production = RevocationPolicy::production();
        for (held, policy, is_sent) in [
            (held(900, 960), RevocationPolicy::baseline(), true),
            (held(900, 959), RevocationPolicy::baseline(), false),
            (held(900, 360), production, true),
            (held(900, 359), production, false),
            (held(60, 120), production, true),
            (held(60, 119), production, false),
        ] {
            assert_eq!(held.condition(now, policy).is_some(), is_sent, "{}", held.interval);
        }
    }
}
