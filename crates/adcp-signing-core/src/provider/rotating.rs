//! A provider over the current and the next key, that changes from one to the other at a time or on command.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_trait::async_trait;

use super::{Capability, ProviderError, ProviderErrorKind, Signed, SigningProvider};
use crate::{Algorithm, Clock, Fingerprint, KeyPurpose, PublicKey, UnixSeconds};

/// One rotation: signs with the current key, from some moment on with the next one, and says which of the two are to
/// be published.
///
/// The moment is [`Rotation::at`] a time, or when an operator calls [`promote`](Self::promote), whichever comes first.
/// The change is final: neither a clock set back nor another call undoes it. Both keys are to be published from the
/// start, so that verifiers know the next one before its first signature, and until the overlap after the change is
/// over, so that signatures on their way still verify. For the rotation after this one, build another `Rotating` with
/// this one's next key as its current one.
///
/// **A signer takes a [`snapshot`](SigningProvider::snapshot) first** (or [`current`](Self::current), the same) and
/// uses it for one whole signature, so that the `keyid` it writes is that of the key that signs. Wrappers of this crate
/// forward it, so limits and retries may sit around a rotation; `Pinned` and `Failover` speak of one key and refuse:
/// they belong inside.
///
/// ```
/// use std::sync::Arc;
///
/// use adcp_signing_core::{
///     SystemClock, UnixSeconds,
///     provider::{ProviderError, Rotating, Rotation, SigningProvider},
/// };
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
    /// An hour: longer than signatures live (six minutes with skew) and than JWKS are cached (at most half an hour).
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
    /// fingerprint. The algorithms may differ.
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
            return Err(misconfigured("the current and the next key have the same key id; give the next one its own"));
        }
        if current.fingerprint() == next.fingerprint() {
            return Err(misconfigured("the current and the next key are the same key of the same service"));
        }
        Ok(Self { first: current, second: next, rotation, clock, changed_at: OnceLock::new() })
    }

    /// The provider of the key that signs now. Its identity stays as it is when the rotation goes on.
    pub fn current(&self) -> Arc<dyn SigningProvider> {
        let active = self.active();
        active.snapshot().unwrap_or_else(|| active.clone())
    }

    /// Changes to the next key now. False when that had happened before.
    ///
    /// A verifier that has not seen the next key in the JWKS yet will have to fetch it again: publish first.
    pub fn promote(&self) -> bool {
        self.changed_at().is_none() && self.changed_at.set(self.clock.now()).is_ok()
    }

    /// How far the rotation is.
    pub fn phase(&self) -> RotationPhase {
        let Some(changed_at) = self.changed_at() else { return RotationPhase::Announced };
        let overlap = i64::try_from(self.rotation.overlap.as_secs()).unwrap_or(i64::MAX);
        if self.clock.now() < changed_at.plus(overlap) { RotationPhase::Overlap } else { RotationPhase::Complete }
    }

    /// The providers whose keys are to be in the published JWKS now, the signing one first.
    pub fn published(&self) -> Vec<Arc<dyn SigningProvider>> {
        match self.phase() {
            RotationPhase::Announced => vec![self.first.clone(), self.second.clone()],
            RotationPhase::Overlap => vec![self.second.clone(), self.first.clone()],
            RotationPhase::Complete => vec![self.second.clone()],
        }
    }

    fn active(&self) -> &Arc<dyn SigningProvider> {
        if self.changed_at().is_some() { &self.second } else { &self.first }
    }

    /// When the next key took over, if it has. Once answered it stays, wherever the clock goes.
    fn changed_at(&self) -> Option<UnixSeconds> {
        if let Some(changed_at) = self.changed_at.get() {
            return Some(*changed_at);
        }
        let activate_at = self.rotation.activate_at.filter(|&activate_at| activate_at <= self.clock.now())?;
        Some(*self.changed_at.get_or_init(|| activate_at))
    }
}

fn misconfigured(message: &'static str) -> ProviderError {
    ProviderError::new(ProviderErrorKind::Configuration, message)
}

#[async_trait]
impl SigningProvider for Rotating {
    fn key_id(&self) -> &str {
        self.active().key_id()
    }

    fn algorithm(&self) -> Algorithm {
        self.active().algorithm()
    }

    fn purpose(&self) -> &KeyPurpose {
        self.active().purpose()
    }

    fn fingerprint(&self) -> &Fingerprint {
        self.active().fingerprint()
    }

    fn capability(&self) -> Capability {
        self.active().capability()
    }

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
