//! A provider over the current and the next key, that changes from one to the other at a time or on
//! command.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_trait::async_trait;

use super::SigningProviderExt as _;
use crate::{
    clock::{Clock, UnixSeconds},
    forward_identity,
    keys::{PublicKey, jwk::Jwk},
    provider::{ProviderError, ProviderErrorKind, Signed, SigningProvider},
};

/// One rotation: signs with the current key, from some moment on with the next one, and says which
/// of the two are to be published.
///
/// The moment is [`Rotation::at`] a time, or when an operator calls [`promote`](Self::promote),
/// whichever comes first. The change is final: neither a clock set back nor another call undoes it.
/// Both keys are to be published from the start, so that verifiers know the next one before its
/// first signature, and until the overlap after the change is over, so that signatures on their way
/// still verify. For the rotation after this one, build another `Rotating` with this one's next key
/// as its current one.
///
/// **A signer takes a [`snapshot`](SigningProvider::snapshot) first** (or [`current`](Self::current), the same) and
/// uses it for one whole signature, so that the `keyid` it writes is that of the key that signs.
/// Wrappers of this crate forward it, so limits and retries may sit around a rotation; `Pinned` and
/// `Failover` speak of one key and refuse: they belong inside.
///
/// ```
/// use std::sync::Arc;
///
/// use adcp_signing_core::{provider::{layers::{Rotating, Rotation}, ProviderError, SigningProvider}, SystemClock, UnixSeconds};
///
/// fn in_the_new_year(
///     old: Arc<dyn SigningProvider>,
///     new: Arc<dyn SigningProvider>,
/// ) -> Result<Rotating, ProviderError> {
///     Rotating::new(old, new, Rotation::at(UnixSeconds::new(1_798_761_600)), Arc::new(SystemClock))
/// }
/// ```
#[derive(Debug)]
pub struct Rotating {
    first: Arc<dyn SigningProvider>,
    second: Arc<dyn SigningProvider>,
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
    /// [`ProviderErrorKind::Configuration`] unless both keys have the same purpose and each its own key id and
    /// resource. The algorithms may differ.
    pub fn new(
        current: Arc<dyn SigningProvider>,
        next: Arc<dyn SigningProvider>,
        rotation: Rotation,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ProviderError> {
        if current.purpose() != next.purpose() {
            return Err(misconfigured("the current and the next key have different purposes"));
        }
        if current.key_id() == next.key_id() {
            return Err(misconfigured(
                "the current and the next key have the same key id; give the next one its own",
            ));
        }
        if current.key_ref() == next.key_ref() {
            return Err(misconfigured(
                "the current and the next key are the same key of the same service",
            ));
        }
        Ok(Self { first: current, second: next, rotation, clock, changed_at: OnceLock::new() })
    }

    /// The provider of the key that signs now. Its identity stays as it is when the rotation goes
    /// on.
    pub fn current(&self) -> Arc<dyn SigningProvider> {
        let active = self.active();
        active.snapshot().unwrap_or_else(|| active.clone())
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

    /// The providers whose keys are to be in the published JWKS now, the signing one first.
    pub fn published(&self) -> Vec<Arc<dyn SigningProvider>> {
        match self.phase() {
            RotationPhase::Announced => vec![self.first.clone(), self.second.clone()],
            RotationPhase::Overlap => vec![self.second.clone(), self.first.clone()],
            RotationPhase::Complete => vec![self.second.clone()],
        }
    }

    /// The keys that are to be in the published JWKS now, the signing one first: both until the
    /// overlap ends.
    ///
    /// # Errors
    /// As [`SigningProvider::public_key`] of any of them. A set that lacks a key is not answered: a
    /// verifier would refuse that key's signatures.
    pub async fn public_keys(&self) -> Result<Vec<Jwk>, ProviderError> {
        let published = self.published();
        futures_util::future::try_join_all(published.iter().map(|provider| provider.public_jwk()))
            .await
    }

    fn active(&self) -> &Arc<dyn SigningProvider> {
        if self.changed_at().is_some() { &self.second } else { &self.first }
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
impl SigningProvider for Rotating {
    forward_identity!(active());

    async fn public_key(&self) -> Result<PublicKey, ProviderError> {
        self.active().public_key().await
    }

    async fn sign(&self, signature_base: &[u8]) -> Result<Signed, ProviderError> {
        self.active().sign(signature_base).await
    }

    fn snapshot(&self) -> Option<Arc<dyn SigningProvider>> {
        Some(self.current())
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
        let [current, next] = ["old", "new"].map(|kid| Arc::new(Scripted::new(kid)));
        (Rotating::new(current, next, rotation, clock.clone()).unwrap(), clock)
    }

    fn published(rotating: &Rotating) -> Vec<String> {
        rotating.published().iter().map(|key| key.key_id().to_owned()).collect()
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
            assert_eq!(rotating.key_id(), signs, "at {now}");
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
            assert_eq!(rotating.key_id(), "old");
            assert!(rotating.promote());
            assert!(!rotating.promote());
            assert_eq!((rotating.key_id(), rotating.phase()), ("new", RotationPhase::Overlap));
            clock.advance(60);
            assert_eq!(rotating.phase(), RotationPhase::Complete);
        }
    }

    #[test]
    fn a_clock_set_back_does_not_bring_the_old_key_back() {
        let (rotating, clock) = rotating(Rotation::at(SWITCH));
        clock.set(SWITCH);
        assert_eq!(rotating.key_id(), "new");
        clock.set(START);
        assert_eq!(rotating.key_id(), "new");
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
        let rotating = Rotating::new(
            Arc::new(old.clone()),
            Arc::new(new.clone()),
            Rotation::by_operator(),
            clock,
        )
        .unwrap();

        // A rotation after the snapshot, and one during the call.
        let snapshot = rotating.snapshot().unwrap();
        let key_id = snapshot.key_id().to_owned();
        let signing = snapshot.sign(b"base");
        rotating.promote();
        open.send(()).unwrap();
        let signed = signing.now_or_never().unwrap().unwrap();
        assert_eq!(key_id, "old");
        assert!(old.true_public_key().verify(b"base", &signed.signature).is_ok());
        assert_eq!(snapshot.key_id(), "old");
        assert!(snapshot.snapshot().is_none());

        let next = rotating.snapshot().unwrap();
        let signed = next.sign(b"base").await.unwrap();
        assert_eq!(next.key_id(), "new");
        assert!(new.true_public_key().verify(b"base", &signed.signature).is_ok());
    }

    #[test]
    fn a_snapshot_of_nested_rotations_is_the_one_key() {
        let (inner, _) = rotating(Rotation::by_operator());
        let inner = Arc::new(inner);
        let clock = Arc::new(FixedClock::new(START));
        let outer = Rotating::new(
            inner.clone(),
            Arc::new(Scripted::new("newer")),
            Rotation::by_operator(),
            clock,
        )
        .unwrap();
        let snapshot = outer.snapshot().unwrap();
        inner.promote();
        assert_eq!((snapshot.key_id(), outer.key_id()), ("old", "new"));
        outer.promote();
        assert_eq!(outer.key_id(), "newer");
    }

    #[tokio::test]
    async fn both_jwks_are_published_during_the_overlap_or_none() {
        let old = Scripted::new("old");
        let new = Scripted::new("new").on_public_key([Step::Fail(ProviderErrorKind::Unavailable)]);
        let clock = Arc::new(FixedClock::new(START));
        let rotating = Rotating::new(
            Arc::new(old.clone()),
            Arc::new(new.clone()),
            Rotation::at(SWITCH),
            clock,
        )
        .unwrap();
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

    #[test]
    fn keys_that_cannot_follow_each_other_are_refused() {
        let current = Scripted::new("k");
        let cases = [
            (
                Scripted::new("n").with_purpose(KeyPurpose::WebhookSigning),
                "configuration: the current and the next key have different purposes",
            ),
            (
                current.replica("other"),
                "configuration: the current and the next key have the same key id; give the next one its own",
            ),
            (
                current.clone().with_key_id("n"),
                "configuration: the current and the next key are the same key of the same service",
            ),
        ];
        for (next, expected) in cases {
            let clock = Arc::new(FixedClock::new(START));
            let refused = Rotating::new(
                Arc::new(current.clone()),
                Arc::new(next),
                Rotation::by_operator(),
                clock,
            );
            assert_eq!(refused.unwrap_err().to_string(), expected);
        }
    }
}
