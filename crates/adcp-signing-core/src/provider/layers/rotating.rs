//! A source of keys over the current and the next key, which changes from one to the other at a time
//! or on command.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_trait::async_trait;

use super::SigningProviderExt as _;
use crate::{
    clock::{Clock, UnixSeconds},
    keys::{KeyPurpose, jwk::Jwk},
    provider::{KeySource, ProviderError, ProviderErrorKind, SignerKey, SigningProvider},
};

/// One rotation: signs with the current key, from some moment on with the next one, and knows which
/// of the two are to be published.
///
/// The moment is [`Rotation::at`] a time, or when an operator calls [`promote`](Self::promote),
/// whichever comes first. The change is final: neither a clock set back nor another call undoes it.
/// Both keys are to be published from the start, so that verifiers know the next one before its
/// first signature, and until the overlap after the change is over, so that signatures on their way
/// still verify. For the rotation after this one, build another `Rotating` with this one's next key
/// as its current one.
///
/// A signer draws its key from here, once for each signature, so that the `keyid` that it writes is
/// that of the key that signs. Limits, retries and pins go around each key. Two keys share one limit
/// by `ConcurrencyLimit::around`.
///
/// ```
/// use adcp_signing_core::{
///     ProviderError, SystemClock, UnixSeconds,
///     provider::{SignerKey, layers::{Rotating, Rotation}},
///     sign::{SignError, Signer},
/// };
///
/// fn in_the_new_year(old: SignerKey, new: SignerKey) -> Result<Rotating, ProviderError> {
///     Rotating::new(old, new, Rotation::at(UnixSeconds::new(1_798_761_600)), SystemClock)
/// }
///
/// fn signer(rotation: Rotating) -> Result<Signer, SignError> {
///     Signer::for_requests(rotation)
/// }
/// ```
#[derive(Debug)]
pub struct Rotating {
    first: SignerKey,
    second: SignerKey,
    rotation: Rotation,
    clock: Arc<dyn Clock>,
    changed_at: OnceLock<UnixSeconds>,
}

/// When a [`Rotating`] changes keys, and for how long it publishes the old one afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    activate_at: Option<UnixSeconds>,
    overlap: Duration,
}

/// How far a rotation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RotationPhase {
    /// The old key signs; the next one is published.
    Announced,
    /// The next key signs; the old one is still published.
    Overlap,
    /// The next key signs and is the only one published.
    Complete,
}

impl Rotation {
    /// An hour: longer than signatures live (six minutes with skew) and than JWKS are cached (at
    /// most half an hour).
    const DEFAULT_OVERLAP: Duration = Duration::from_secs(60 * 60);

    /// Changes keys at `activate_at`, with an overlap of one hour.
    pub const fn at(activate_at: UnixSeconds) -> Self {
        Self { activate_at: Some(activate_at), overlap: Self::DEFAULT_OVERLAP }
    }

    /// Changes keys only when [`Rotating::promote`] is called, with an overlap of one hour.
    pub const fn by_operator() -> Self {
        Self { activate_at: None, overlap: Self::DEFAULT_OVERLAP }
    }

    /// How long the old key stays published after the change, in whole seconds.
    #[must_use]
    pub const fn with_overlap(mut self, overlap: Duration) -> Self {
        self.overlap = overlap;
        self
    }
}

impl Rotating {
    /// Rotates from `current` to `next`. Calls no service.
    ///
    /// # Errors
    /// [`ProviderErrorKind::Configuration`] unless both keys have the same purpose and each its own
    /// key id and resource. The algorithms may differ. Where a key is opened at its first use and
    /// its URI does not state `alg` and `kid`, key ids and resources are compared when it is open.
    pub fn new(
        current: impl Into<SignerKey>,
        next: impl Into<SignerKey>,
        rotation: Rotation,
        clock: impl Clock + 'static,
    ) -> Result<Self, ProviderError> {
        let (first, second) = (current.into(), next.into());
        if first.purpose() != second.purpose() {
            return Err(misconfigured(
                "the current and the next key have different purposes (`purpose`); give them the same",
            ));
        }
        let rotating =
            Self { first, second, rotation, clock: Arc::new(clock), changed_at: OnceLock::new() };
        rotating.check_distinct()?;
        Ok(rotating)
    }

    /// Changes to the next key now. False when that had happened before.
    ///
    /// A verifier that has not seen the next key in the JWKS yet will have to fetch it again:
    /// publish first.
    pub fn promote(&self) -> bool {
        self.changed_at().is_none() && self.changed_at.set(self.clock.now()).is_ok()
    }

    /// How far the rotation is.
    pub fn phase(&self) -> RotationPhase {
        let Some(changed_at) = self.changed_at() else { return RotationPhase::Announced };
        let overlap = i64::try_from(self.rotation.overlap.as_secs()).unwrap_or(i64::MAX);
        if self.clock.now() < changed_at.plus(overlap) {
            RotationPhase::Overlap
        } else {
            RotationPhase::Complete
        }
    }

    /// The keys that are to be in the published JWKS now, the signing one first.
    pub fn published(&self) -> Vec<&SignerKey> {
        match self.phase() {
            RotationPhase::Announced => vec![&self.first, &self.second],
            RotationPhase::Overlap => vec![&self.second, &self.first],
            RotationPhase::Complete => vec![&self.second],
        }
    }

    /// The JWKs that are to be in the published JWKS now, the signing key's first: both until the
    /// overlap ends.
    ///
    /// # Errors
    /// As [`SigningProvider::public_key`] of any of them. A set that lacks a key is not answered: a
    /// verifier would refuse that key's signatures. [`ProviderErrorKind::Configuration`] as of
    /// [`new`](Self::new).
    pub async fn public_keys(&self) -> Result<Vec<Jwk>, ProviderError> {
        let published = self.published();
        let jwks = published.into_iter().map(|key| async { key.key().await?.public_jwk().await });
        let jwks = futures_util::future::try_join_all(jwks).await?;
        self.check_distinct()?;
        Ok(jwks)
    }

    fn active(&self) -> &SignerKey {
        if self.changed_at().is_some() { &self.second } else { &self.first }
    }

    /// Refuses two keys of one `keyid` or one resource, as far as both are known by now.
    fn check_distinct(&self) -> Result<(), ProviderError> {
        let (Some(first), Some(second)) = (self.first.identity(), self.second.identity()) else {
            return Ok(());
        };
        if first.key_id() == second.key_id() {
            return Err(misconfigured(
                "the current and the next key have the same key id (`kid`); give the next one its own",
            ));
        }
        if first.key_ref() == second.key_ref() {
            return Err(misconfigured(
                "the current and the next key are the same key of the same service; name another one in the next key URI",
            ));
        }
        Ok(())
    }

    /// When the next key took over, if it has. Once answered it stays, wherever the clock goes.
    fn changed_at(&self) -> Option<UnixSeconds> {
        if let Some(changed_at) = self.changed_at.get() {
            return Some(*changed_at);
        }
        let activate_at =
            self.rotation.activate_at.filter(|&activate_at| activate_at <= self.clock.now())?;
        Some(*self.changed_at.get_or_init(|| activate_at))
    }
}

fn misconfigured(message: &'static str) -> ProviderError {
    ProviderError::new(ProviderErrorKind::Configuration, message)
}

#[async_trait]
impl KeySource for Rotating {
    fn purpose(&self) -> &KeyPurpose {
        self.first.purpose()
    }

    async fn key(&self) -> Result<Arc<dyn SigningProvider>, ProviderError> {
        let key = self.active().key().await?;
        self.check_distinct()?;
        Ok(key)
    }
}

impl From<Rotating> for SignerKey {
    fn from(rotating: Rotating) -> Self {
        Arc::new(rotating).into()
    }
}

impl From<Arc<Rotating>> for SignerKey {
    fn from(rotating: Arc<Rotating>) -> Self {
        Self::from(rotating as Arc<dyn KeySource>)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;
    use crate::{
        clock::FixedClock,
        keys::KeyPurpose,
        provider::scripted::{Scripted, Step},
    };

    const START: UnixSeconds = UnixSeconds::new(1_000);
    const SWITCH: UnixSeconds = UnixSeconds::new(2_000);

    fn rotating(rotation: Rotation) -> (Rotating, Arc<FixedClock>) {
        let clock = Arc::new(FixedClock::new(START));
        let [current, next] = ["old", "new"].map(Scripted::new);
        (Rotating::new(current, next, rotation, clock.clone()).unwrap(), clock)
    }

    fn published(rotating: &Rotating) -> Vec<String> {
        rotating.published().iter().map(|key| key.identity().unwrap().key_id().to_owned()).collect()
    }

    /// The provider of the key that signs now.
    fn signing(rotating: &Rotating) -> Arc<dyn SigningProvider> {
        rotating.key().now_or_never().unwrap().unwrap()
    }

    #[test]
    fn the_timeline_of_the_docs_has_the_default_overlap() {
        const TIMELINE: &str =
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/diagrams/rotation.svg"));
        let text = format!(">Rotating: {} minutes<", Rotation::DEFAULT_OVERLAP.as_secs() / 60);
        assert!(TIMELINE.contains(&text), "{text}");
    }

    #[test]
    fn the_key_changes_at_its_time_and_both_are_published_until_the_overlap_ends() {
        let (rotating, clock) =
            rotating(Rotation::at(SWITCH).with_overlap(Duration::from_secs(600)));
        let steps: [(i64, &str, RotationPhase, &[&str]); 5] = [
            (1_000, "old", RotationPhase::Announced, &["old", "new"]),
            (1_999, "old", RotationPhase::Announced, &["old", "new"]),
            (2_000, "new", RotationPhase::Overlap, &["new", "old"]),
            (2_599, "new", RotationPhase::Overlap, &["new", "old"]),
            (2_600, "new", RotationPhase::Complete, &["new"]),
        ];
        for (now, signs, phase, keys) in steps {
            clock.set(UnixSeconds::new(now));
            assert_eq!(signing(&rotating).key_id(), signs, "at {now}");
            assert_eq!(rotating.phase(), phase, "at {now}");
            assert_eq!(published(&rotating), keys, "at {now}");
        }
        assert!(!rotating.promote(), "it has happened");
    }

    #[test]
    fn the_overlap_starts_at_the_switch_even_if_nobody_looked_then() {
        let (rotating, clock) =
            rotating(Rotation::at(SWITCH).with_overlap(Duration::from_secs(600)));
        clock.set(SWITCH.plus(600));
        assert_eq!(rotating.phase(), RotationPhase::Complete);
    }

    #[test]
    fn an_operator_changes_the_key_once() {
        for rotation in [Rotation::by_operator(), Rotation::at(SWITCH)] {
            let (rotating, clock) = rotating(rotation.with_overlap(Duration::from_secs(60)));
            assert_eq!(signing(&rotating).key_id(), "old");
            assert!(rotating.promote());
            assert!(!rotating.promote());
            assert_eq!(
                (signing(&rotating).key_id(), rotating.phase()),
                ("new", RotationPhase::Overlap)
            );
            clock.advance(60);
            assert_eq!(rotating.phase(), RotationPhase::Complete);
        }
    }

    #[test]
    fn a_clock_set_back_does_not_bring_the_old_key_back() {
        let (rotating, clock) = rotating(Rotation::at(SWITCH));
        clock.set(SWITCH);
        assert_eq!(signing(&rotating).key_id(), "new");
        clock.set(START);
        assert_eq!(signing(&rotating).key_id(), "new");
    }

    #[test]
    fn an_overlap_without_end_saturates() {
        let (rotating, clock) = rotating(Rotation::at(SWITCH).with_overlap(Duration::MAX));
        clock.set(UnixSeconds::new(i64::MAX - 1));
        assert_eq!(rotating.phase(), RotationPhase::Overlap);
    }

    #[tokio::test]
    async fn a_rotation_between_reading_the_key_id_and_signing_does_not_mix_the_keys() {
        let (open, gate) = Step::gated(Step::Answer);
        let old = Scripted::new("old").on_sign([gate]);
        let new = Scripted::new("new");
        let clock = Arc::new(FixedClock::new(START));
        let rotating =
            Rotating::new(old.clone(), new.clone(), Rotation::by_operator(), clock).unwrap();

        // A rotation after the key was drawn, and one during the call.
        let drawn = signing(&rotating);
        let key_id = drawn.key_id().to_owned();
        let call = drawn.sign(b"base");
        rotating.promote();
        open.send(()).unwrap();
        let signed = call.now_or_never().unwrap().unwrap();
        assert_eq!(key_id, "old");
        assert!(old.true_public_key().verify(b"base", &signed.signature).is_ok());
        assert_eq!(drawn.key_id(), "old");

        let next = signing(&rotating);
        let signed = next.sign(b"base").await.unwrap();
        assert_eq!(next.key_id(), "new");
        assert!(new.true_public_key().verify(b"base", &signed.signature).is_ok());
    }

    #[test]
    fn rotations_may_be_nested() {
        let (inner, _) = rotating(Rotation::by_operator());
        let inner = Arc::new(inner);
        let clock = Arc::new(FixedClock::new(START));
        let outer =
            Rotating::new(inner.clone(), Scripted::new("newer"), Rotation::by_operator(), clock)
                .unwrap();
        let drawn = signing(&outer);
        inner.promote();
        assert_eq!((drawn.key_id(), signing(&outer).key_id()), ("old", "new"));
        outer.promote();
        assert_eq!(signing(&outer).key_id(), "newer");
    }

    #[tokio::test]
    async fn both_jwks_are_published_during_the_overlap_or_none() {
        let old = Scripted::new("old");
        let new = Scripted::new("new").on_public_key([Step::Fail(ProviderErrorKind::Unavailable)]);
        let clock = Arc::new(FixedClock::new(START));
        let rotating =
            Rotating::new(old.clone(), new.clone(), Rotation::at(SWITCH), clock).unwrap();
        assert_eq!(
            rotating.public_keys().await.unwrap_err().kind(),
            ProviderErrorKind::Unavailable
        );
        let jwks = rotating.public_keys().await.unwrap();
        let kids: Vec<_> = jwks.iter().map(|jwk| jwk.kid().unwrap()).collect();
        assert_eq!(kids, ["old", "new"]);
        assert_eq!(jwks[1].public_key().unwrap(), new.true_public_key());
        assert_eq!(jwks[1].purpose(), Some(&KeyPurpose::RequestSigning));
    }

    #[tokio::test]
    async fn keys_that_are_opened_later_are_compared_once_they_are_open() {
        /// A key whose identity is known once it was asked for.
        #[derive(Debug)]
        struct Opened(Scripted, OnceLock<()>);

        #[async_trait]
        impl KeySource for Opened {
            fn purpose(&self) -> &KeyPurpose {
                self.0.purpose()
            }
            async fn key(&self) -> Result<Arc<dyn SigningProvider>, ProviderError> {
                self.1.get_or_init(|| ());
                Ok(Arc::new(self.0.clone()))
            }
            fn identity(&self) -> Option<&crate::provider::KeyIdentity> {
                self.1.get().map(|()| self.0.identity())
            }
        }

        let same = Arc::new(Opened(Scripted::new("k"), OnceLock::new())) as Arc<dyn KeySource>;
        let clock = FixedClock::new(START);
        let rotating =
            Rotating::new(Scripted::new("k"), same, Rotation::by_operator(), clock).unwrap();
        assert!(rotating.key().await.is_ok(), "the next key is not open yet");
        let error = rotating.public_keys().await.unwrap_err();
        assert_eq!(error.kind(), ProviderErrorKind::Configuration);
        let error = rotating.key().await.unwrap_err();
        assert_eq!(error.kind(), ProviderErrorKind::Configuration);
    }

    #[test]
    fn keys_that_cannot_follow_each_other_are_refused() {
        let current = Scripted::new("k");
        let cases = [
            (
                Scripted::new("n").with_purpose(KeyPurpose::WebhookSigning),
                "configuration: the current and the next key have different purposes (`purpose`)",
            ),
            (
                current.replica("other"),
                "configuration: the current and the next key have the same key id (`kid`)",
            ),
            (
                current.clone().with_key_id("n"),
                "configuration: the current and the next key are the same key of the same service",
            ),
        ];
        for (next, expected) in cases {
            let clock = Arc::new(FixedClock::new(START));
            let refused = Rotating::new(current.clone(), next, Rotation::by_operator(), clock);
            let text = refused.unwrap_err().to_string();
            assert!(text.starts_with(expected), "{text}");
        }
    }
}
