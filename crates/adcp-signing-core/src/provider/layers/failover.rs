//! A wrapper over replicas of one key, that uses the next where one cannot be reached.

use std::{collections::VecDeque, iter, sync::OnceLock, time::Duration};

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::{
    keys::PublicKey,
    provider::{
        Capability, Custody, KeyIdentity, ProviderError, ProviderErrorKind, Signed,
        SigningProvider, toolkit::FetchOnce,
    },
};

/// The most replicas that one key may have, the primary included.
const MAX_REPLICAS: usize = 16;
/// The longest cool-down: far from where adding to an instant overflows.
const MAX_COOL_DOWN: Duration = Duration::from_secs(24 * 60 * 60);

/// Signs with the first of several replicas of the same key material that can be reached, such as a
/// multi-Region key.
///
/// The order is the order of preference. A replica that fails with
/// [`Unavailable`](ProviderErrorKind::Unavailable) or [`Timeout`](ProviderErrorKind::Timeout) rests
/// for the cool-down while the next ones sign; after it, one call tries the replica again and the
/// others stay away until that call succeeds. Resting replicas are tried only when all others have
/// failed. Every other error is the answer: a replica that says access denied or key disabled was
/// reached, and another Region is not the way around its operator.
///
/// Before a replica signs for the first time its public key is fetched and compared with the
/// expected one: the key given to [`expecting`](Self::expecting), otherwise the first that a
/// replica answered with. A replica with another key fails with
/// [`PublicKeyMismatch`](ProviderErrorKind::PublicKeyMismatch).
///
/// Put [`Deadline`](super::Deadline) around each replica, so that a dead one does not hold up the
/// next, and [`Pinned`](super::Pinned) too where used: replicas name key versions differently.
///
/// ```
/// use std::{sync::Arc, time::Duration};
///
/// use adcp_signing_core::provider::{layers::Failover, ProviderError, SigningProvider};
///
/// fn two_regions(
///     frankfurt: Arc<dyn SigningProvider>,
///     dublin: Arc<dyn SigningProvider>,
/// ) -> Result<impl SigningProvider, ProviderError> {
///     Failover::new(frankfurt, [dublin], Duration::from_secs(30))
/// }
/// ```
#[derive(Debug)]
pub struct Failover<P> {
    primary: Replica<P>,
    others: Vec<Replica<P>>,
    cool_down: Duration,
    expected_key: OnceLock<PublicKey>,
}

#[derive(Debug)]
struct Replica<P> {
    provider: P,
    confirmed: FetchOnce<PublicKey>,
    rests_until: Mutex<Option<Instant>>,
}

impl<P: SigningProvider> Failover<P> {
    /// Signs with `primary`, and with `others` in their order where it cannot be reached. Calls no
    /// service. A cool-down of more than a day counts as a day.
    ///
    /// # Errors
    /// [`ProviderErrorKind::Configuration`] unless there are 1 to 15 others, all with the key id, algorithm and purpose
    /// of the primary.
    pub fn new(
        primary: P,
        others: impl IntoIterator<Item = P>,
        cool_down: Duration,
    ) -> Result<Self, ProviderError> {
        let primary = Replica::new(primary);
        let others: Vec<_> = others.into_iter().take(MAX_REPLICAS).map(Replica::new).collect();
        if !(1..MAX_REPLICAS).contains(&others.len()) {
            return Err(misconfigured("a failover needs 1 to 15 replicas beside its primary"));
        }
        for replica in iter::once(&primary).chain(&others) {
            replica.check_agrees_with(&primary.provider)?;
        }
        Ok(Self { primary, others, cool_down, expected_key: OnceLock::new() })
    }

    /// Holds every replica, the primary included, to this public key.
    #[must_use]
    pub fn expecting(self, key: PublicKey) -> Self {
        Self { expected_key: OnceLock::from(key), ..self }
    }

    fn replicas(&self) -> impl Iterator<Item = &Replica<P>> {
        iter::once(&self.primary).chain(&self.others)
    }

    async fn confirmed_key<'a>(
        &'a self,
        replica: &'a Replica<P>,
    ) -> Result<&'a PublicKey, ProviderError> {
        let fetch = || async {
            let key = replica.provider.public_key().await?;
            if self.expected_key.get_or_init(|| key.clone()) == &key {
                Ok(key)
            } else {
                Err(ProviderError::new(
                    ProviderErrorKind::PublicKeyMismatch,
                    "a replica has another public key than the others; replicas must share the key material",
                ))
            }
        };
        replica.confirmed.get_or_fetch(fetch).await
    }

    /// The answer of the first replica that can be reached, the resting ones last.
    async fn first_reachable<'a, T, F>(
        &'a self,
        call: impl Fn(&'a Replica<P>) -> F + Send,
    ) -> Result<T, ProviderError>
    where
        F: Future<Output = Result<T, ProviderError>> + Send,
    {
        let mut waiting: VecDeque<_> =
            self.replicas().map(|replica| (replica, Turn::First)).collect();
        let mut failure = None;
        while let Some((replica, turn)) = waiting.pop_front() {
            if turn == Turn::First && !replica.claim(self.cool_down) {
                waiting.push_back((replica, Turn::LastResort));
                continue;
            }
            match call(replica).await {
                Err(error) if is_unreachable(error.kind()) => {
                    replica.rest(self.cool_down);
                    tracing::warn!(
                        kid = replica.provider.key_id(),
                        replica = %replica.provider.key_ref(),
                        kind = error.kind().as_str(),
                        "a replica of the key could not be reached"
                    );
                    failure = Some(error);
                }
                answer => {
                    replica.wake();
                    return answer;
                }
            }
        }
        Err(none_reachable(failure))
    }
}

/// When a call comes to a replica: in the order of preference, or after all others because it
/// rests.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    First,
    LastResort,
}

fn is_unreachable(kind: ProviderErrorKind) -> bool {
    matches!(kind, ProviderErrorKind::Unavailable | ProviderErrorKind::Timeout)
}

fn none_reachable(last: Option<ProviderError>) -> ProviderError {
    let kind = last.as_ref().map_or(ProviderErrorKind::Unavailable, ProviderError::kind);
    let retry_after = last.as_ref().and_then(ProviderError::retry_after);
    let mut error = ProviderError::new(
        kind,
        "no replica of the key could be reached; the last one's error follows",
    );
    if let Some(wait) = retry_after {
        error = error.with_retry_after(wait);
    }
    match last {
        Some(last) => error.with_source(last),
        None => error,
    }
}

fn misconfigured(message: &'static str) -> ProviderError {
    ProviderError::new(ProviderErrorKind::Configuration, message)
}

impl<P: SigningProvider> Replica<P> {
    fn new(provider: P) -> Self {
        Self { provider, confirmed: FetchOnce::new(), rests_until: Mutex::new(None) }
    }

    fn check_agrees_with(&self, primary: &P) -> Result<(), ProviderError> {
        if self.provider.key_id() != primary.key_id() {
            return Err(misconfigured(
                "the replicas have different key ids (`kid`); give them the same",
            ));
        }
        if self.provider.algorithm() != primary.algorithm() {
            return Err(misconfigured(
                "the replicas have different algorithms (`alg`); they must be the same key",
            ));
        }
        if self.provider.purpose() != primary.purpose() {
            return Err(misconfigured(
                "the replicas have different purposes (`purpose`); give them the same",
            ));
        }
        Ok(())
    }

    /// Whether a call may try this replica now. The call that finds a rest over is the one that
    /// probes: until it succeeds, the rest goes on for all others.
    fn claim(&self, cool_down: Duration) -> bool {
        let mut rests_until = self.rests_until.lock();
        match *rests_until {
            None => true,
            Some(until) if Instant::now() < until => false,
            Some(_) => {
                *rests_until = Some(after(cool_down));
                true
            }
        }
    }

    fn rest(&self, cool_down: Duration) {
        *self.rests_until.lock() = Some(after(cool_down));
    }

    fn wake(&self) {
        *self.rests_until.lock() = None;
    }
}

fn after(cool_down: Duration) -> Instant {
    Instant::now() + cool_down.min(MAX_COOL_DOWN)
}

#[async_trait]
impl<P: SigningProvider> SigningProvider for Failover<P> {
    fn identity(&self) -> &KeyIdentity {
        self.primary.provider.identity()
    }

    /// What every replica can do.
    fn capability(&self) -> Capability {
        let mut common = self.primary.provider.capability();
        for replica in &self.others {
            let other = replica.provider.capability();
            common.algorithms.retain(|algorithm| other.algorithms.contains(algorithm));
            common.max_message_len =
                common.max_message_len.into_iter().chain(other.max_message_len).min();
            if other.custody == Custody::InProcess {
                common.custody = Custody::InProcess;
            }
        }
        common
    }

    async fn public_key(&self) -> Result<PublicKey, ProviderError> {
        self.first_reachable(|replica| async move { self.confirmed_key(replica).await.cloned() })
            .await
    }

    async fn sign(&self, message: &[u8]) -> Result<Signed, ProviderError> {
        self.first_reachable(|replica| async move {
            self.confirmed_key(replica).await?;
            replica.provider.sign(message).await
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::poll;

    use super::*;
    use crate::{
        keys::{Algorithm, KeyPurpose},
        provider::{
            layers::SigningProviderExt as _,
            scripted::{Scripted, Step},
        },
    };

    const COOL_DOWN: Duration = Duration::from_secs(30);

    fn two(primary: &Scripted, other: &Scripted) -> Failover<Scripted> {
        primary.clone().with_failover([other.clone()], COOL_DOWN).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn only_an_unreachable_replica_is_passed_over() {
        for kind in ProviderErrorKind::ALL {
            let primary = Scripted::new("k").on_sign([Step::Fail(kind)]);
            let other = primary.replica("other");
            let outcome = two(&primary, &other).sign(b"base").await;
            let switched =
                matches!(kind, ProviderErrorKind::Unavailable | ProviderErrorKind::Timeout);
            assert_eq!(outcome.is_ok(), switched, "{kind}");
            assert_eq!(other.sign_calls(), usize::from(switched), "{kind}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn after_the_cool_down_one_call_probes_the_primary_and_its_success_brings_the_others_back()
     {
        let (open, probe) = Step::gated(Step::Answer);
        let primary = Scripted::new("k").on_sign([Step::Fail(ProviderErrorKind::Timeout), probe]);
        let other = primary.replica("other");
        let failover = two(&primary, &other);
        failover.sign(b"base").await.unwrap();
        failover.sign(b"base").await.unwrap();
        assert_eq!((primary.sign_calls(), other.sign_calls()), (1, 2), "the primary rests");

        tokio::time::advance(COOL_DOWN).await;
        let mut probing = failover.sign(b"base");
        assert!(poll!(&mut probing).is_pending());
        failover.sign(b"base").await.unwrap();
        assert_eq!((primary.sign_calls(), other.sign_calls()), (2, 3), "one probe only");

        open.send(()).unwrap();
        probing.await.unwrap();
        failover.sign(b"base").await.unwrap();
        assert_eq!((primary.sign_calls(), other.sign_calls()), (3, 3), "back at the primary");
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_probe_leaves_the_primary_resting_for_another_cool_down() {
        let primary =
            Scripted::new("k").on_sign([Step::Fail(ProviderErrorKind::Unavailable), Step::Hang]);
        let other = primary.replica("other");
        let failover = two(&primary, &other);
        failover.sign(b"base").await.unwrap();
        tokio::time::advance(COOL_DOWN).await;
        let mut probing = failover.sign(b"base");
        assert!(poll!(&mut probing).is_pending());
        drop(probing);
        assert_eq!(primary.under_way(), 0);
        failover.sign(b"base").await.unwrap();
        assert_eq!(primary.sign_calls(), 2);
        tokio::time::advance(COOL_DOWN).await;
        failover.sign(b"base").await.unwrap();
        assert_eq!(primary.sign_calls(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn resting_replicas_are_the_last_resort_and_all_down_is_the_last_ones_error() {
        let down = || Step::Fail(ProviderErrorKind::Unavailable);
        let primary = Scripted::new("k").on_sign([down(), Step::Answer, down()]);
        let other = primary.replica("other").on_sign([Step::Answer, down(), down()]);
        let failover = two(&primary, &other);
        failover.sign(b"base").await.unwrap();
        failover.sign(b"base").await.unwrap();
        assert_eq!(
            (primary.sign_calls(), other.sign_calls()),
            (2, 2),
            "the resting primary saved the second call"
        );
        let error = failover.sign(b"base").await.unwrap_err();
        assert_eq!(error.kind(), ProviderErrorKind::Unavailable);
        assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "unavailable: scripted");
    }

    #[tokio::test(start_paused = true)]
    async fn a_replica_with_another_key_never_signs() {
        let primary = Scripted::new("k").on_sign([Step::Fail(ProviderErrorKind::Unavailable)]);
        let stranger = Scripted::new("k");
        let failover = two(&primary, &stranger);
        let error = failover.sign(b"base").await.unwrap_err();
        assert_eq!(error.kind(), ProviderErrorKind::PublicKeyMismatch);
        assert_eq!(stranger.sign_calls(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn an_expected_key_holds_for_the_primary_and_while_it_is_down() {
        let primary =
            Scripted::new("k").on_public_key([Step::Fail(ProviderErrorKind::Unavailable)]);
        let stranger = Scripted::new("k");
        let failover = two(&primary, &stranger).expecting(primary.true_public_key());
        let error = failover.sign(b"base").await.unwrap_err();
        assert_eq!(error.kind(), ProviderErrorKind::PublicKeyMismatch);
        assert_eq!(stranger.sign_calls(), 0);

        let failover = two(&stranger, &primary).expecting(primary.true_public_key());
        assert_eq!(
            failover.sign(b"base").await.unwrap_err().kind(),
            ProviderErrorKind::PublicKeyMismatch
        );
    }

    #[test]
    fn replicas_that_do_not_agree_are_refused() {
        let primary = Scripted::new("k");
        let replica = primary.replica("other");
        let cases: [(Vec<Arc<dyn SigningProvider>>, &str); 5] = [
            (vec![], "configuration: a failover needs 1 to 15 replicas beside its primary"),
            (
                (0..16).map(|_| Arc::new(replica.clone()) as _).collect(),
                "configuration: a failover needs 1 to 15 replicas beside its primary",
            ),
            (
                vec![Arc::new(replica.clone().with_key_id("other"))],
                "configuration: the replicas have different key ids (`kid`)",
            ),
            (
                vec![Arc::new(replica.clone().with_algorithm(Algorithm::EcdsaP256Sha256))],
                "configuration: the replicas have different algorithms (`alg`)",
            ),
            (
                vec![Arc::new(replica.clone().with_purpose(KeyPurpose::WebhookSigning))],
                "configuration: the replicas have different purposes (`purpose`)",
            ),
        ];
        for (others, expected) in cases {
            let error = Failover::new(
                Arc::new(primary.clone()) as Arc<dyn SigningProvider>,
                others,
                COOL_DOWN,
            );
            let text = error.unwrap_err().to_string();
            assert!(text.starts_with(expected), "{text}");
        }
    }

    #[test]
    fn the_capability_is_what_every_replica_can_do() {
        let primary = Scripted::new("k");
        let narrow = Capability::new(Custody::InProcess, Algorithm::ALL).with_max_message_len(100);
        let failover = two(&primary, &primary.replica("other").with_capability(narrow));
        let expected =
            Capability::new(Custody::InProcess, [Algorithm::Ed25519]).with_max_message_len(100);
        assert_eq!(failover.capability(), expected);
    }
}
