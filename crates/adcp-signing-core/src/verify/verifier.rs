//! `Verifier`: an endpoint's profile, capability and edges.

use std::sync::Arc;

use crate::{
    clock::{Clock, SystemClock},
    operation::{RequestSigningCapability, TaskContinuation},
    profile::{Bounds, ContractError, ContractVersion, MessageKind, Profile, WireVersion},
    replay::ReplayStore,
    resolver::KeyResolver,
    revocation::RevocationSource,
};

/// The target of the verifier's log records.
pub(super) const LOG: &str = "adcp_signing::verify";

/// Verifies the messages of one endpoint.
///
/// Keys, revocation and replay have no safe default, and neither has the capability of an endpoint
/// for requests: each has to be given.
///
/// ```
/// use adcp_signing_core::{
///     operation::{DigestPolicy, List, RequestSigningCapability},
///     profile::WireVersion,
///     replay::InMemoryReplayStore,
///     resolver::StaticKeys,
///     revocation::InMemoryRevocation,
///     verify::Verifier,
/// };
///
/// let capability = RequestSigningCapability::supported_with(DigestPolicy::Required)
///     .with_operations(List::Required, ["create_media_buy"])?;
/// let verifier = Verifier::for_requests(WireVersion::V3_2, capability)
///     .keys(StaticKeys::default())
///     .revocation(InMemoryRevocation::default())
///     .replay(InMemoryReplayStore::default())
///     .build();
/// assert_eq!(verifier.profile().tag(), "adcp/request-signing/v1");
/// # Ok::<(), adcp_signing_core::operation::CapabilityError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Verifier {
    pub(super) profile: Profile,
    pub(super) endpoint: Endpoint,
    pub(super) replay_cap: u64,
    pub(super) keys: Arc<dyn KeyResolver>,
    pub(super) revocation: Arc<dyn RevocationSource>,
    pub(super) replay: Arc<dyn ReplayStore>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) tasks: Tasks,
}

/// What becomes of an A2A message that goes on with a task.
#[derive(Debug, Clone)]
pub(super) enum Tasks {
    /// Nobody said: refused where the contract demands the check.
    Unknown,
    /// Asked about each task.
    Checked(Arc<dyn TaskContinuation>),
    /// The dispatcher asks.
    LeftToDispatcher,
}

/// What the messages of an endpoint are.
#[derive(Debug, Clone)]
pub(super) enum Endpoint {
    Requests { capability: RequestSigningCapability },
    Webhooks,
}

/// Builds a [`Verifier`]; `build` appears once keys, revocation and replay are given.
#[derive(Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct VerifierBuilder<K = (), R = (), S = ()> {
    profile: Profile,
    endpoint: Endpoint,
    replay_cap: Option<u64>,
    clock: Arc<dyn Clock>,
    tasks: Tasks,
    keys: K,
    revocation: R,
    replay: S,
}

impl<K, R, S> VerifierBuilder<K, R, S> {
    /// Where keys come from.
    pub fn keys(
        self,
        keys: impl KeyResolver + 'static,
    ) -> VerifierBuilder<Arc<dyn KeyResolver>, R, S> {
        let Self { profile, endpoint, replay_cap, clock, tasks, revocation, replay, .. } = self;
        let keys = Arc::new(keys);
        VerifierBuilder { profile, endpoint, replay_cap, clock, tasks, keys, revocation, replay }
    }

    /// Which keys are revoked.
    pub fn revocation(
        self,
        revocation: impl RevocationSource + 'static,
    ) -> VerifierBuilder<K, Arc<dyn RevocationSource>, S> {
        let Self { profile, endpoint, replay_cap, clock, tasks, keys, replay, .. } = self;
        let revocation = Arc::new(revocation);
        VerifierBuilder { profile, endpoint, replay_cap, clock, tasks, keys, revocation, replay }
    }

    /// Where nonces are remembered. Share one store (an `Arc` of it) among all endpoints that a
    /// signer can reach.
    pub fn replay(
        self,
        replay: impl ReplayStore + 'static,
    ) -> VerifierBuilder<K, R, Arc<dyn ReplayStore>> {
        let Self { profile, endpoint, replay_cap, clock, tasks, keys, revocation, .. } = self;
        let replay = Arc::new(replay);
        VerifierBuilder { profile, endpoint, replay_cap, clock, tasks, keys, revocation, replay }
    }

    /// Follows another contract than the newest of the version.
    ///
    /// # Errors
    /// [`ContractError`] where the contract does not know the version.
    pub fn contract(mut self, contract: ContractVersion) -> Result<Self, ContractError> {
        self.profile = self.profile.with_contract(contract)?;
        Ok(self)
    }

    /// The largest and most complex body that is read, in place of the profile's. A larger one is
    /// answered 413 before anything is hashed or verified.
    pub fn bounds(mut self, bounds: Bounds) -> Self {
        self.profile = self.profile.with_bounds(bounds);
        self
    }

    /// The cap on live nonces of one key, in place of the profile's.
    pub fn replay_cap(mut self, cap: u64) -> Self {
        self.replay_cap = Some(cap);
        self
    }

    /// Who knows for which operation and by whom each A2A task was made (contract 3.3, "Operation
    /// resolution over A2A"). From that contract on, a message with a `taskId` is refused with
    /// `INVALID_REQUEST` unless this says that it may go on with the task.
    pub fn tasks(mut self, tasks: impl TaskContinuation + 'static) -> Self {
        self.tasks = Tasks::Checked(Arc::new(tasks));
        self
    }

    /// Leaves that check to the dispatcher, which must call
    /// [`check_continuation`](crate::operation::check_continuation) before any handler.
    pub fn tasks_are_checked_by_the_dispatcher(mut self) -> Self {
        self.tasks = Tasks::LeftToDispatcher;
        self
    }

    /// The clock, in place of the system's.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }
}

impl VerifierBuilder<Arc<dyn KeyResolver>, Arc<dyn RevocationSource>, Arc<dyn ReplayStore>> {
    /// The verifier. What looks wrong about the capability is logged as a warning.
    pub fn build(self) -> Verifier {
        if let Endpoint::Requests { capability } = &self.endpoint {
            for advice in capability.advice() {
                tracing::warn!(target: LOG, "{advice}");
            }
            let policy = capability.covers_content_digest();
            if capability.supported() && !self.profile.requires_content_digest(true, policy) {
                tracing::warn!(
                    target: LOG,
                    "a signature need not cover the body here, so neither does it cover the \
                     operation that an MCP or A2A body names; require digests"
                );
            }
        }
        Verifier {
            replay_cap: self.replay_cap.unwrap_or(self.profile.replay_cap()),
            profile: self.profile,
            endpoint: self.endpoint,
            keys: self.keys,
            revocation: self.revocation,
            replay: self.replay,
            clock: self.clock,
            tasks: self.tasks,
        }
    }
}

impl Verifier {
    /// Starts a verifier for an endpoint that takes requests of this version, at the newest
    /// contract known, and advertises this capability.
    pub fn for_requests(
        version: WireVersion,
        capability: RequestSigningCapability,
    ) -> VerifierBuilder {
        Self::builder(Profile::request(version), capability)
    }

    /// Starts a verifier for the callback of a webhook registration without `authentication`, at
    /// the newest contract known. Everything that arrives there has to be signed.
    pub fn for_webhooks() -> VerifierBuilder {
        Self::builder(Profile::webhook(), RequestSigningCapability::unsupported())
    }

    /// Starts a verifier for an endpoint of any profile. A profile of webhooks does not look at the
    /// capability: everything has to be signed there.
    pub fn builder(profile: Profile, capability: RequestSigningCapability) -> VerifierBuilder {
        let endpoint = match profile.kind() {
            MessageKind::Request => Endpoint::Requests { capability },
            MessageKind::Webhook => Endpoint::Webhooks,
        };
        VerifierBuilder {
            profile,
            endpoint,
            replay_cap: None,
            clock: Arc::new(SystemClock),
            tasks: Tasks::Unknown,
            keys: (),
            revocation: (),
            replay: (),
        }
    }

    /// The endpoint's profile.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }
}
