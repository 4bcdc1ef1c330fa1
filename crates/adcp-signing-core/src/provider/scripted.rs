//! A provider that plays a script, for the tests of the wrappers: each call takes the next step,
//! and with none left answers as a key in memory does.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use ed25519_dalek::{Signer as _, SigningKey};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::{
    Capability, Custody, KeyIdentity, KeyVersion, ProviderError, ProviderErrorKind, Signed,
    SigningProvider,
};
use crate::keys::{Algorithm, KeyPurpose, KeyRef, PublicKey, Signature};

const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What one call does.
#[derive(Debug)]
pub(crate) enum Step {
    /// Answers truly.
    Answer,
    /// Fails with an error of this kind.
    Fail(ProviderErrorKind),
    /// Fails with this error.
    FailWith(ProviderError),
    /// Answers a signature that does not verify, or another public key.
    Forge,
    /// Answers a signature said to be made with this key version.
    Version(&'static str),
    /// Answers a forged signature said to be made with this key version.
    ForgeVersion(&'static str),
    /// Does not answer within a day of tokio's time, which is more than any wrapper waits. On
    /// paused time a test that waits for it fails at once.
    Hang,
    /// Takes the step when told to.
    When(oneshot::Receiver<()>, Box<Step>),
}

impl Step {
    /// A step that waits for a word, and the end to give it from.
    pub(crate) fn gated(step: Step) -> (oneshot::Sender<()>, Step) {
        let (open, gate) = oneshot::channel();
        (open, Step::When(gate, Box::new(step)))
    }
}

/// The scripted provider. A clone shares the script and the counts.
#[derive(Debug, Clone)]
pub(crate) struct Scripted {
    key: SigningKey,
    identity: KeyIdentity,
    capability: Capability,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    signs: Mutex<VecDeque<Step>>,
    public_keys: Mutex<VecDeque<Step>>,
    sign_calls: AtomicUsize,
    public_key_calls: AtomicUsize,
    under_way: AtomicUsize,
}

impl Scripted {
    /// A fresh Ed25519 key called `key_id`, for request signing.
    pub(crate) fn new(key_id: &str) -> Self {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).unwrap();
        Self {
            key: SigningKey::from_bytes(&secret),
            identity: identity(key_id, key_id, Algorithm::Ed25519, KeyPurpose::RequestSigning),
            capability: Capability::new(Custody::External, [Algorithm::Ed25519])
                .with_max_message_len(4096),
            state: Arc::default(),
        }
    }

    /// Another provider of the same key material, with a script of its own.
    pub(crate) fn replica(&self, resource: &str) -> Self {
        let identity = identity(resource, self.key_id(), self.algorithm(), self.purpose().clone());
        Self { identity, state: Arc::default(), ..self.clone() }
    }

    pub(crate) fn with_algorithm(self, algorithm: Algorithm) -> Self {
        let identity = identity(self.key_id(), self.key_id(), algorithm, self.purpose().clone());
        Self { identity, ..self }
    }

    pub(crate) fn with_purpose(self, purpose: KeyPurpose) -> Self {
        let identity = identity(self.key_id(), self.key_id(), self.algorithm(), purpose);
        Self { identity, ..self }
    }

    /// The same key of the service under another `keyid`.
    pub(crate) fn with_key_id(self, key_id: &str) -> Self {
        let identity = identity(self.key_id(), key_id, self.algorithm(), self.purpose().clone());
        Self { identity, ..self }
    }

    #[cfg(feature = "tokio")]
    pub(crate) fn with_capability(self, capability: Capability) -> Self {
        Self { capability, ..self }
    }

    /// Adds steps for the next calls of `sign`.
    pub(crate) fn on_sign(self, steps: impl IntoIterator<Item = Step>) -> Self {
        self.state.signs.lock().extend(steps);
        self
    }

    /// Adds steps for the next calls of `public_key`.
    pub(crate) fn on_public_key(self, steps: impl IntoIterator<Item = Step>) -> Self {
        self.state.public_keys.lock().extend(steps);
        self
    }

    /// Forgets the steps that were not taken: from now on the service answers.
    #[cfg(feature = "tokio")]
    pub(crate) fn forget_steps(&self) {
        self.state.signs.lock().clear();
        self.state.public_keys.lock().clear();
    }

    pub(crate) fn sign_calls(&self) -> usize {
        self.state.sign_calls.load(Ordering::SeqCst)
    }

    pub(crate) fn public_key_calls(&self) -> usize {
        self.state.public_key_calls.load(Ordering::SeqCst)
    }

    /// How many calls have begun and neither ended nor been dropped.
    pub(crate) fn under_way(&self) -> usize {
        self.state.under_way.load(Ordering::SeqCst)
    }

    /// The true public key, without a call being counted.
    pub(crate) fn true_public_key(&self) -> PublicKey {
        PublicKey::from_ed25519_bytes(self.key.verifying_key().as_bytes()).unwrap()
    }
}

fn identity(
    resource: &str,
    key_id: &str,
    algorithm: Algorithm,
    purpose: KeyPurpose,
) -> KeyIdentity {
    KeyIdentity::new(KeyRef::new("scripted", resource), key_id, algorithm, purpose).unwrap()
}

struct UnderWay<'a>(&'a AtomicUsize);

impl<'a> UnderWay<'a> {
    fn begin(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Waits as the script says, and gives the step that follows.
async fn resolve(mut step: Step) -> Result<Step, ProviderError> {
    loop {
        match step {
            Step::When(gate, then) => {
                let opened = tokio::time::timeout(A_DAY, gate).await;
                opened.expect("nobody opened the gate").expect("the test keeps the sender");
                step = *then;
            }
            Step::Hang => {
                tokio::time::sleep(A_DAY).await;
                panic!("the caller waited for a call that hangs");
            }
            Step::Fail(kind) => return Err(ProviderError::new(kind, "scripted")),
            Step::FailWith(error) => return Err(error),
            other => return Ok(other),
        }
    }
}

#[async_trait]
impl SigningProvider for Scripted {
    fn identity(&self) -> &KeyIdentity {
        &self.identity
    }

    fn capability(&self) -> Capability {
        self.capability.clone()
    }

    async fn public_key(&self) -> Result<PublicKey, ProviderError> {
        let _under_way = UnderWay::begin(&self.state.under_way);
        self.state.public_key_calls.fetch_add(1, Ordering::SeqCst);
        let step = self.state.public_keys.lock().pop_front().unwrap_or(Step::Answer);
        match resolve(step).await? {
            Step::Forge => Ok(Scripted::new("another").true_public_key()),
            _ => Ok(self.true_public_key()),
        }
    }

    async fn sign(&self, signature_base: &[u8]) -> Result<Signed, ProviderError> {
        let _under_way = UnderWay::begin(&self.state.under_way);
        self.state.sign_calls.fetch_add(1, Ordering::SeqCst);
        let step = self.state.signs.lock().pop_front().unwrap_or(Step::Answer);
        let step = resolve(step).await?;
        let mut bytes = self.key.sign(signature_base).to_bytes();
        if matches!(step, Step::Forge | Step::ForgeVersion(_)) {
            bytes[0] ^= 1;
        }
        let signature = Signature::from_raw(Algorithm::Ed25519, &bytes).unwrap();
        let key_version = match step {
            Step::Version(version) | Step::ForgeVersion(version) => Some(KeyVersion::new(version)),
            _ => None,
        };
        Ok(Signed { signature, key_version })
    }
}
