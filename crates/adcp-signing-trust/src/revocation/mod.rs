//! Signed revocation lists: polled, verified and held for the verifier, and signed to be published.

mod issuer;
mod publish;

use std::{
    collections::{HashMap, hash_map::Entry},
    convert::Infallible,
    fmt,
    sync::Arc,
    time::Duration,
};

use adcp_signing_core::{
    Answer, Clock, KeyPurpose, RevocationSource, RevocationStatus, SystemClock, UnixSeconds,
    VerificationKey,
    revocation::{InMemoryRevocation, RevocationError, RevocationPolicy},
};
use futures_util::{FutureExt as _, StreamExt as _, stream};
use parking_lot::RwLock;

pub use self::{
    issuer::{ListError, RevocationIssuer},
    publish::{SignListError, SignedRevocationList, sign_list},
};
pub use crate::jws::JwsError;
use crate::{
    fetch::Fetcher,
    jwks::{Budget, Context},
};
use issuer::{Outlook, Polled};

/// Where an issuer publishes its list.
pub const WELL_KNOWN_LIST: &str = "/.well-known/governance-revocations.json";

/// The `typ` of a signed list.
const TYP: &str = "adcp-gov-revocation+jws";
/// How many lists are fetched at once.
const CONCURRENT: usize = 16;

/// Whether a key may sign revocation lists. The standard says "a key in the same JWKS" and no more;
/// an operator without governance agents has request-signing keys alone.
fn may_sign_lists(purpose: &KeyPurpose) -> bool {
    matches!(purpose, KeyPurpose::GovernanceSigning | KeyPurpose::RequestSigning)
}

/// The revocation lists of the issuers that it was told of, for a verifier ("Revocation" and
/// "Transport revocation", security guide):
///
/// - A list is fetched from `/.well-known/governance-revocations.json` of its issuer, has to be
///   signed with a governance-signing or request-signing key of the issuer's JWKS, and speaks for
///   the keys of that issuer alone.
/// - It is fetched again when it promises the next one: within 1 and 30 minutes, or 5 under
///   [`RevocationPolicy::production`]. It is relied on as that policy says, and then refused.
/// - It never goes back in time, is not made more than 60 seconds ahead of the clock, and what it
///   ever revoked stays revoked, up to a million keys for each issuer; a list beyond that is refused,
///   so that the one that is held goes stale.
/// - An answer that nothing changed (304) is not signed, so it never makes a list fresh.
/// - A revoked key signs no list.
///
/// A key whose issuer is not among them, or has no list yet, cannot be judged and is refused.
///
/// Spawn [`keep_polling`](Self::keep_polling), so that no message waits for a list. Without it the
/// first message that finds a list due fetches it, and the others are answered from the list that is
/// held. A clone shares all of it.
///
/// What was revoked is remembered by the process: after a restart the lists have to say it again.
///
/// ```no_run
/// use std::time::Duration;
///
/// use adcp_signing_core::revocation::RevocationPolicy;
/// use adcp_signing_trust::{
///     fetch::Fetcher,
///     revocation::{RevocationIssuer, RevocationLists},
/// };
///
/// # async fn start() -> Result<(), Box<dyn std::error::Error>> {
/// let lists = RevocationLists::builder(Fetcher::new()?)
///     .policy(RevocationPolicy::production())
///     .build();
/// lists.add(RevocationIssuer::new("https://buyer.example.com")?)?;
/// let polled = lists.clone();
/// tokio::spawn(async move { polled.keep_polling(Duration::from_secs(10)).await });
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RevocationLists(Arc<Inner>);

struct Inner {
    shared: Shared,
    max_issuers: usize,
    /// By canonical issuer.
    issuers: RwLock<HashMap<String, Arc<issuer::Polling>>>,
}

/// What all lists share.
struct Shared {
    keys: Context,
    memory: InMemoryRevocation,
}

/// Settings of a [`RevocationLists`].
pub struct RevocationListsBuilder {
    fetcher: Fetcher,
    policy: RevocationPolicy,
    clock: Arc<dyn Clock>,
    max_issuers: usize,
    accept_published_test_keys: bool,
}

/// Why an issuer was not added.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddIssuerError {
    /// The issuer is known already.
    #[error("the list of {issuer} is polled already")]
    AlreadyKnown {
        /// The canonical issuer.
        issuer: String,
    },
    /// There are as many issuers as there may be.
    #[error("the lists of {max} issuers are polled, and no more may be; raise `max_issuers`")]
    Full {
        /// How many there may be.
        max: usize,
    },
}

impl RevocationLists {
    /// No lists, with the settings above.
    pub fn builder(fetcher: Fetcher) -> RevocationListsBuilder {
        RevocationListsBuilder {
            fetcher,
            policy: RevocationPolicy::baseline(),
            clock: Arc::new(SystemClock),
            max_issuers: 10_000,
            accept_published_test_keys: false,
        }
    }

    /// Polls the list of this issuer as well. An issuer is not removed: what it revoked stays
    /// revoked.
    ///
    /// # Errors
    /// [`AddIssuerError`].
    pub fn add(&self, issuer: RevocationIssuer) -> Result<(), AddIssuerError> {
        let name = issuer.issuer().to_owned();
        let mut issuers = self.0.issuers.write();
        let (len, max) = (issuers.len(), self.0.max_issuers);
        match issuers.entry(name) {
            Entry::Occupied(known) => {
                Err(AddIssuerError::AlreadyKnown { issuer: known.key().clone() })
            }
            Entry::Vacant(_) if len >= max => Err(AddIssuerError::Full { max }),
            Entry::Vacant(entry) => {
                entry.insert(Arc::new(issuer.into_polling()));
                Ok(())
            }
        }
    }

    /// Revokes these `kid`s at once, whoever issued the keys, in place of those that were revoked
    /// so before: for an emergency that no list covers yet.
    pub fn revoke_by_hand<K: Into<String>>(&self, kids: impl IntoIterator<Item = K>) {
        self.0.shared.memory.replace(kids);
    }

    /// Fetches each list that is due now, and returns those that could not be had, each with the
    /// reason. The lists that are held stay as they are.
    pub async fn poll(&self) -> Vec<(String, ListError)> {
        let now = self.0.shared.keys.clock.now();
        let issuers: Vec<_> = self.0.issuers.read().values().map(Arc::clone).collect();
        let polled = issuers.into_iter().map(async |issuer| {
            let Outlook::Due(polls) = issuer.outlook(now) else { return None };
            match issuer.poll(polls, &self.0.shared).await {
                Polled::Failed(error) => Some((issuer.issuer().to_owned(), error)),
                Polled::Taken | Polled::BySomebodyElse => None,
            }
        });
        stream::iter(polled)
            .buffer_unordered(CONCURRENT)
            .filter_map(std::future::ready)
            .collect()
            .await
    }

    /// Looks each `tick` whether a list is due, and fetches it, for ever. What could not be had is a
    /// warning of the `tracing` target `adcp_signing::trust`. A tick of about 10 seconds suits: no
    /// list is due more often than once a minute.
    pub async fn keep_polling(&self, tick: Duration) -> Infallible {
        loop {
            self.poll().await;
            tokio::time::sleep(tick).await;
        }
    }

    /// What the lists that are held say, without a look at the network.
    fn held(
        &self,
        key: &VerificationKey,
        now: UnixSeconds,
    ) -> Result<RevocationStatus, RevocationError> {
        // Memory answers at once.
        self.0
            .shared
            .memory
            .check(key, now)
            .now_or_never()
            .unwrap_or_else(|| Err(RevocationError::new("the lists that are held did not answer")))
    }
}

impl RevocationSource for RevocationLists {
    fn check<'a>(
        &'a self,
        key: &'a VerificationKey,
        now: UnixSeconds,
    ) -> Answer<'a, RevocationStatus, RevocationError> {
        let held = self.held(key, now);
        // A revocation is never taken back.
        if matches!(held, Ok(RevocationStatus::Revoked)) {
            return Answer::now(held);
        }
        let issuer = key.revocation_issuer();
        let issuer = issuer.and_then(|issuer| self.0.issuers.read().get(issuer).map(Arc::clone));
        let Some(issuer) = issuer else {
            return Answer::now(Err(RevocationError::new(match key.revocation_issuer() {
                Some(issuer) => {
                    format!("the revocation list of {issuer} is not polled; add the issuer")
                }
                None => "the key has no revocation issuer whose list could be asked".to_owned(),
            })));
        };
        let is_good = matches!(held, Ok(RevocationStatus::Good));
        match issuer.outlook(now) {
            Outlook::Due(polls) if !(is_good && issuer.is_being_polled()) => {
                Answer::later(async move {
                    issuer.poll(polls, &self.0.shared).await;
                    issuer.explain(self.held(key, now))
                })
            }
            Outlook::Due(_) | Outlook::NotYet => Answer::now(issuer.explain(held)),
        }
    }
}

impl fmt::Debug for RevocationLists {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RevocationLists")
            .field("issuers", &self.0.issuers.read().len())
            .field("policy", &self.0.shared.memory.policy())
            .finish_non_exhaustive()
    }
}

impl RevocationListsBuilder {
    /// Sets how often lists are fetched, and how long they are relied on:
    /// [`RevocationPolicy::baseline`] unless set.
    #[must_use]
    pub fn policy(self, policy: RevocationPolicy) -> Self {
        Self { policy, ..self }
    }

    /// Sets the clock: the system's.
    #[must_use]
    pub fn clock(self, clock: impl Clock + 'static) -> Self {
        Self { clock: Arc::new(clock), ..self }
    }

    /// Sets how many issuers may be known: 10,000.
    #[must_use]
    pub fn max_issuers(self, max: usize) -> Self {
        Self { max_issuers: max, ..self }
    }

    /// Accepts lists that a published test key signs. Never do so where the answer to a request
    /// matters.
    #[must_use]
    pub fn accept_published_test_keys_in_tests(self) -> Self {
        Self { accept_published_test_keys: true, ..self }
    }

    /// The lists.
    pub fn build(self) -> RevocationLists {
        let keys = Context {
            fetcher: self.fetcher,
            clock: self.clock,
            max_age: self.policy.max_poll_interval(),
            accept_published_test_keys: self.accept_published_test_keys,
            budget: Arc::new(Budget::new(Budget::MAX_KEYS)),
        };
        let memory = InMemoryRevocation::of_lists(self.policy);
        RevocationLists(Arc::new(Inner {
            shared: Shared { keys, memory },
            max_issuers: self.max_issuers,
            issuers: RwLock::default(),
        }))
    }
}

impl fmt::Debug for RevocationListsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RevocationListsBuilder")
            .field("policy", &self.policy)
            .field("max_issuers", &self.max_issuers)
            .finish_non_exhaustive()
    }
}
