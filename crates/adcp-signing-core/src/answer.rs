//! `Answer`: what an edge of the verifier is asked for, given at once or later.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

/// What a [`KeyResolver`](crate::KeyResolver), a [`RevocationSource`](crate::RevocationSource), a
/// [`ReplayStore`](crate::ReplayStore) or a
/// [`TaskContinuation`](crate::operation::TaskContinuation) answers: a `Result`, now or later.
///
/// Memory answers with [`Answer::now`], which allocates nothing; whatever has to wait answers with
/// [`Answer::later`]. Whoever asks awaits the answer.
///
/// ```
/// use adcp_signing_core::{
///     Answer, RevocationSource, RevocationStatus, UnixSeconds, VerificationKey,
///     revocation::RevocationError,
/// };
///
/// #[derive(Debug)]
/// struct Remote;
///
/// impl Remote {
///     async fn is_revoked(&self, kid: &str) -> Result<bool, std::io::Error> {
///         # let _ = kid;
///         // Ask the service.
///         Ok(false)
///     }
/// }
///
/// impl RevocationSource for Remote {
///     fn check<'a>(
///         &'a self,
///         key: &'a VerificationKey,
///         _now: UnixSeconds,
///     ) -> Answer<'a, RevocationStatus, RevocationError> {
///         Answer::later(async move {
///             match self.is_revoked(key.kid()).await {
///                 Ok(true) => Ok(RevocationStatus::Revoked),
///                 Ok(false) => Ok(RevocationStatus::Good),
///                 Err(error) => Err(RevocationError::new("no answer").with_source(error)),
///             }
///         })
///     }
/// }
/// ```
#[must_use = "an answer has to be awaited"]
pub struct Answer<'a, T, E>(State<'a, T, E>);

enum State<'a, T, E> {
    /// `None` once it was taken.
    Now(Option<Result<T, E>>),
    Later(Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'a>>),
}

impl<'a, T, E> Answer<'a, T, E> {
    /// An answer that is known.
    pub fn now(result: Result<T, E>) -> Self {
        Self(State::Now(Some(result)))
    }

    /// An answer that has to be waited for.
    pub fn later(future: impl Future<Output = Result<T, E>> + Send + 'a) -> Self {
        Self(State::Later(Box::pin(future)))
    }

    /// Another answer made from this one, as soon as this one is known: for an edge around an edge.
    pub fn map<U, F>(
        self,
        change: impl FnOnce(Result<T, E>) -> Result<U, F> + Send + 'a,
    ) -> Answer<'a, U, F>
    where
        T: 'a,
        E: 'a,
    {
        match self.0 {
            State::Now(Some(result)) => Answer::now(change(result)),
            State::Now(None) => Answer(State::Now(None)),
            State::Later(future) => Answer::later(async move { change(future.await) }),
        }
    }
}

/// No result is pinned where it lies: a known one is moved out, the other is in a box.
impl<T, E> Unpin for Answer<'_, T, E> {}

impl<T, E> Future for Answer<'_, T, E> {
    type Output = Result<T, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.get_mut().0 {
            // An answer that was taken is not given twice. Only a caller that polls after the end,
            // which `await` never does, gets to see that.
            State::Now(result) => result.take().map_or(Poll::Pending, Poll::Ready),
            State::Later(future) => future.as_mut().poll(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_executor::block_on;
    use futures_util::FutureExt as _;

    use super::*;
    use crate::{
        clock::UnixSeconds,
        keys::{Algorithm, KeyPurpose},
        profile::Profile,
        provider::InMemoryProvider,
        replay::{
            AdmissionThresholds, AdmissionTracked, InMemoryReplayStore, ReplayEntry, ReplayKey,
            ReplayStore,
        },
        resolver::{KeyQuery, KeyResolver, StaticKeys, VerificationKey},
        revocation::{InMemoryRevocation, NoRevocation, RevocationSource},
    };

    #[test]
    fn an_answer_is_given_once_now_or_later() {
        let mut known = Answer::<_, ()>::now(Ok(1));
        assert_eq!((&mut known).now_or_never(), Some(Ok(1)));
        assert_eq!((&mut known).now_or_never(), None);
        assert_eq!(known.map(|_| Ok::<_, ()>(2)).now_or_never(), None);
        let later = Answer::<(), _>::later(async {
            tokio::task::yield_now().await;
            Err("late")
        });
        assert_eq!(block_on(later), Err("late"));
    }

    #[test]
    fn a_mapped_answer_is_as_prompt_as_the_one_it_was_made_from() {
        let change = |result: Result<i32, ()>| result.map(|number| number + 1).map_err(|()| "none");
        let mapped = Answer::now(Ok(1)).map(change);
        assert!(matches!(mapped.0, State::Now(Some(Ok(2)))));
        let mapped = Answer::later(async { Err(()) }).map(change);
        assert!(matches!(mapped.0, State::Later(_)), "nothing runs before it is awaited");
        assert_eq!(block_on(mapped), Err("none"));
    }

    #[test]
    fn memory_answers_at_once_also_when_it_is_shared() {
        fn is_known<T, E>(answer: &Answer<'_, T, E>) -> bool {
            matches!(answer.0, State::Now(Some(_)))
        }
        let now = UnixSeconds::new(1_776_520_800);
        let profile = Profile::webhook();
        let public = InMemoryProvider::generate(Algorithm::Ed25519, KeyPurpose::WebhookSigning);
        let public = public.unwrap().verifying_key().clone();
        let key = VerificationKey::trusted("k", public, KeyPurpose::WebhookSigning);
        let replay_key = ReplayKey::new("k", &[0; 32]);
        let entry = ReplayEntry::restore(replay_key, "nonce", now.plus(360), 1);

        let keys: Arc<dyn KeyResolver> = Arc::new(StaticKeys::default());
        assert!(is_known(&keys.resolve(KeyQuery::new("k", &profile))));
        let sources: [Arc<dyn RevocationSource>; 2] =
            [Arc::new(InMemoryRevocation::default()), Arc::new(NoRevocation)];
        for revocation in sources {
            assert!(is_known(&Arc::new(revocation).check(&key, now)));
        }
        let store = InMemoryReplayStore::default();
        let tracked = AdmissionTracked::new(store, AdmissionThresholds::default(), drop);
        let store: Arc<dyn ReplayStore> = Arc::new(tracked);
        assert!(is_known(&store.cap_reached(replay_key, 1, now)));
        assert!(is_known(&store.insert(entry, now)));
    }
}
