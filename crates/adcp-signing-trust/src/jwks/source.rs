//! One JWKS: where it is, what is held of it, and when it is fetched again.

use std::{
    collections::HashMap,
    error::Error as StdError,
    sync::{Arc, atomic::AtomicU64},
};

use adcp_signing_core::{
    Clock, JwkError, JwkSet, ResolveError, StaticKeys, UnixSeconds, VerificationKey,
    resolver::DiscoveryFailure,
};
use parking_lot::RwLock;
use tokio::sync::Mutex;

use super::{Agent, Found, budget::Budget};
use crate::{
    fetch::{Document, EntityTag, FetchError, Fetched, Fetcher},
    guard::PublicUrl,
    published_test_keys::is_published_test_key,
};

/// The least time between two fetches of one set, and how long a failure is remembered, in seconds.
pub(super) const COOLDOWN: i64 = 30;
/// How long a set is held whose server names no time, in seconds.
const DEFAULT_FRESH: i64 = 300;

/// What all sets share.
pub(crate) struct Context {
    pub(crate) fetcher: Fetcher,
    pub(crate) clock: Arc<dyn Clock>,
    /// How long keys are held at most, in seconds.
    pub(crate) max_age: i64,
    pub(crate) accept_published_test_keys: bool,
    pub(crate) budget: Arc<Budget>,
}

/// Whose keys they are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// An agent's, identified by its canonical URL.
    Agent { url: String, revocation_issuer: Option<String> },
    /// The issuer's of a revocation list.
    RevocationIssuer { issuer: String },
}

pub(crate) struct JwksSource {
    url: PublicUrl,
    owner: Owner,
    state: RwLock<State>,
    /// Held by whoever fetches. Whoever waits for it has no answer yet; the state is never locked
    /// meanwhile.
    flight: Mutex<()>,
    /// The place in the order of the budget, which alone uses it.
    ticket: AtomicU64,
}

#[derive(Default)]
struct State {
    held: Option<Held>,
    failed: Option<Failed>,
    /// How many fetches have ended.
    fetches: u64,
    last_refetch: Option<UnixSeconds>,
}

#[derive(Clone)]
struct Held {
    keys: Arc<HashMap<Box<str>, Published>>,
    tag: Option<EntityTag>,
    fetched_at: UnixSeconds,
    /// In seconds.
    fresh_for: i64,
}

enum Published {
    Key(Arc<VerificationKey>),
    /// Its private half is published too.
    TestKey,
}

/// The last fetch failed.
#[derive(Clone)]
struct Failed {
    at: UnixSeconds,
    failure: DiscoveryFailure,
    message: Arc<str>,
}

/// What has to be fetched before there is an answer.
pub(crate) struct Needed {
    /// How many fetches had ended then.
    fetches: u64,
    /// The answer while somebody else fetches.
    meanwhile: Option<Arc<VerificationKey>>,
}

impl JwksSource {
    pub(crate) fn new(url: PublicUrl, owner: Owner) -> Self {
        Self {
            url,
            owner,
            state: RwLock::default(),
            flight: Mutex::default(),
            ticket: AtomicU64::new(Budget::NO_TICKET),
        }
    }

    /// The answer, where it is known without a fetch.
    pub(crate) fn look(&self, keyid: &str, context: &Context) -> Result<Found, Needed> {
        self.state.read().look(keyid, context.clock.now(), context.max_age, false)
    }

    /// The answer after a fetch, which may be somebody else's.
    pub(crate) async fn fetch_and_look(
        self: &Arc<Self>,
        keyid: &str,
        needed: Needed,
        context: &Context,
    ) -> Found {
        let flight = match (self.flight.try_lock(), needed.meanwhile) {
            (Ok(flight), _) => flight,
            (Err(_), Some(key)) => return Ok(Some(key)),
            (Err(_), None) => self.flight.lock().await,
        };
        if self.state.read().fetches == needed.fetches {
            self.fetch(context).await;
        }
        drop(flight);
        let now = context.clock.now();
        self.state.read().look(keyid, now, context.max_age, true).unwrap_or_else(|_| {
            Err(ResolveError::new(
                DiscoveryFailure::JwksUnavailable,
                "the keys were dropped at once for those of others; raise `max_keys`",
            ))
        })
    }

    /// Fetches, and holds what came of it. A fetch that is dropped leaves no trace.
    async fn fetch(self: &Arc<Self>, context: &Context) {
        let before = self.state.read().held.clone();
        let tag = before.as_ref().and_then(|held| held.tag.as_ref());
        let fetched = context.fetcher.get(&self.url, &Document::JWKS, tag).await;
        let now = context.clock.now();
        let outcome = match (fetched, before) {
            (Ok(Fetched::Document(reply)), _) => {
                JwkSet::parse(reply.body()).map_err(failure_of_set).and_then(|set| {
                    Ok(Held {
                        keys: Arc::new(self.keys(&set, context)?),
                        tag: reply.tag().cloned(),
                        fetched_at: now,
                        fresh_for: fresh_for(reply.max_age(), context.max_age),
                    })
                })
            }
            (Ok(Fetched::NotModified { max_age }), Some(before)) => Ok(Held {
                fetched_at: now,
                fresh_for: fresh_for(max_age, context.max_age),
                ..before
            }),
            // A condition was sent for what is held alone.
            (Ok(Fetched::NotModified { .. }), None) => {
                Err(failure_of_fetch(&FetchError::Status { status: 304 }))
            }
            (Err(error), _) => Err(failure_of_fetch(&error)),
        };
        match outcome {
            Ok(held) => context.budget.hold(self, held.keys.len(), || {
                self.state.write().settle(Ok(held), now);
            }),
            Err((failure, reason)) => {
                let owner = self.owner.name();
                tracing::warn!(target: "adcp_signing::trust", %owner, %reason, "no JWKS");
                let message = format!("the JWKS of {owner} is not to be had: {reason}").into();
                self.state.write().settle(Err(Failed { at: now, failure, message }), now);
            }
        }
    }

    fn keys(
        &self,
        set: &JwkSet,
        context: &Context,
    ) -> Result<HashMap<Box<str>, Published>, (DiscoveryFailure, String)> {
        let keys = self.owner.keys(set).map_err(|error| {
            (DiscoveryFailure::JwksUntrusted, format!("its keys cannot be named: {error}"))
        })?;
        let published = keys.into_iter().map(|key| {
            let is_test_key = key.public_key().is_some_and(is_published_test_key);
            let kid = key.kid().into();
            if is_test_key && !context.accept_published_test_keys {
                (kid, Published::TestKey)
            } else {
                (kid, Published::Key(Arc::new(key)))
            }
        });
        Ok(published.collect())
    }

    /// Fetches the set where it is not fresh, and no failure is remembered.
    pub(super) async fn refresh(self: &Arc<Self>, context: &Context) {
        let is_due = |source: &Self| {
            let state = source.state.read();
            state.is_due(context.clock.now()).then_some(state.fetches)
        };
        let Some(fetches) = is_due(self) else { return };
        let _flight = self.flight.lock().await;
        if is_due(self) == Some(fetches) {
            self.fetch(context).await;
        }
    }

    /// Why no keys are held, where a fetch has failed.
    pub(super) fn failure_without_keys(&self) -> Option<ResolveError> {
        let state = self.state.read();
        state.failed.as_ref().filter(|_| state.held.is_none()).map(Failed::error)
    }

    /// Whether these are the keys of this agent, from the same place and with the same issuer of
    /// revocations.
    pub(super) fn is_of(&self, agent: &Agent) -> bool {
        self.url == *agent.jwks_uri() && self.owner == agent.owner()
    }

    /// Whether the set, as it was seen last, has a key of this name.
    pub(super) fn has(&self, kid: &str) -> bool {
        self.state.read().held.as_ref().is_some_and(|held| held.keys.contains_key(kid))
    }

    /// Calls this with each `kid` of the set, as it was seen last.
    pub(super) fn for_each_kid(&self, call: impl FnMut(&str)) {
        let state = self.state.read();
        state.held.iter().flat_map(|held| held.keys.keys()).map(|kid| &**kid).for_each(call);
    }

    /// Gives the keys up. They are dropped with what is returned.
    pub(super) fn take_keys(&self) -> Option<impl Sized + use<>> {
        self.state.write().held.take()
    }

    pub(super) fn ticket(&self) -> &AtomicU64 {
        &self.ticket
    }
}

impl State {
    /// The answer, or what is needed for one. `is_fetched`: a fetch has ended since the question.
    fn look(
        &self,
        keyid: &str,
        now: UnixSeconds,
        max_age: i64,
        is_fetched: bool,
    ) -> Result<Found, Needed> {
        let failed = self.failed.as_ref().filter(|failed| within(failed.at, COOLDOWN, now));
        let needed = |meanwhile| Needed { fetches: self.fetches, meanwhile };
        // Beyond this bound nothing is relied on, whatever the server's state.
        let Some(held) = self.held.as_ref().filter(|held| within(held.fetched_at, max_age, now))
        else {
            return failed.map(|failed| Err(failed.error())).ok_or(needed(None));
        };
        let is_fresh = is_fetched || within(held.fetched_at, held.fresh_for, now);
        match held.keys.get(keyid) {
            Some(published) if is_fresh || failed.is_some() => Ok(published.answer()),
            Some(Published::Key(key)) => Err(needed(Some(Arc::clone(key)))),
            Some(Published::TestKey) => Err(needed(None)),
            None => match failed {
                Some(failed) => Ok(Err(failed.error())),
                None if is_fetched || self.is_cooling(now) => Ok(Ok(None)),
                None => Err(needed(None)),
            },
        }
    }

    fn is_due(&self, now: UnixSeconds) -> bool {
        let is_fresh =
            self.held.as_ref().is_some_and(|held| within(held.fetched_at, held.fresh_for, now));
        let is_failed = self.failed.as_ref().is_some_and(|failed| within(failed.at, COOLDOWN, now));
        !is_fresh && !is_failed
    }

    fn is_cooling(&self, now: UnixSeconds) -> bool {
        self.last_refetch.is_some_and(|last| within(last, COOLDOWN, now))
    }

    /// Takes what came of a fetch.
    fn settle(&mut self, outcome: Result<Held, Failed>, now: UnixSeconds) {
        if self.fetches > 0 {
            self.last_refetch = Some(now);
        }
        self.fetches += 1;
        match outcome {
            Ok(held) => {
                self.failed = None;
                self.held = Some(held);
            }
            Err(failed) => self.failed = Some(failed),
        }
    }
}

impl Published {
    fn answer(&self) -> Found {
        match self {
            Self::Key(key) => Ok(Some(Arc::clone(key))),
            Self::TestKey => Err(ResolveError::new(
                DiscoveryFailure::JwksUntrusted,
                "the key is a published test key, with which anybody can sign; its owner has to \
                 publish one of its own",
            )),
        }
    }
}

impl Failed {
    fn error(&self) -> ResolveError {
        ResolveError::new(self.failure, &*self.message)
    }
}

impl Owner {
    fn name(&self) -> &str {
        match self {
            Self::Agent { url, .. } => url,
            Self::RevocationIssuer { issuer } => issuer,
        }
    }

    /// The keys of the set, each with its owner's name.
    fn keys(&self, set: &JwkSet) -> Result<Vec<VerificationKey>, Box<dyn StdError + Send + Sync>> {
        match self {
            Self::Agent { url, revocation_issuer } => {
                let keys = StaticKeys::from_jwks_of(url, set)?;
                let named = keys.keys().cloned().map(|key| match revocation_issuer {
                    Some(issuer) => key.with_revocation_issuer(issuer),
                    None => Ok(key),
                });
                Ok(named.collect::<Result<_, _>>()?)
            }
            Self::RevocationIssuer { issuer } => {
                let keys = StaticKeys::from_jwks(set);
                let named = keys.keys().cloned().map(|key| key.with_revocation_issuer(issuer));
                Ok(named.collect::<Result<_, _>>()?)
            }
        }
    }
}

/// Whether no more than `seconds` have passed. A moment that is still to come is not within.
pub(crate) fn within(since: UnixSeconds, seconds: i64, now: UnixSeconds) -> bool {
    (0..=seconds).contains(&now.since(since))
}

/// What the server says, within the bounds.
pub(crate) fn fresh_for(max_age: Option<i64>, longest: i64) -> i64 {
    max_age.unwrap_or(DEFAULT_FRESH).max(COOLDOWN).min(longest)
}

fn failure_of_fetch(error: &FetchError) -> (DiscoveryFailure, String) {
    let failure = if error.is_untrusted() {
        DiscoveryFailure::JwksUntrusted
    } else {
        DiscoveryFailure::JwksUnavailable
    };
    let message = match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    };
    (failure, message)
}

fn failure_of_set(error: JwkError) -> (DiscoveryFailure, String) {
    let failure = match error {
        JwkError::PrivateMemberInSet { .. } => DiscoveryFailure::JwksUntrusted,
        _ => DiscoveryFailure::JwksUnavailable,
    };
    (failure, error.to_string())
}
