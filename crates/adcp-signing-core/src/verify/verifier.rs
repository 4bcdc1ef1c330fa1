//! `Verifier`: drives the checklist over its edges and composes the result with the endpoint's
//! capability.

use std::sync::Arc;

use super::{
    Acceptance, Caller, FallbackCredential, Received, Refusal, RefusalKind, Rejection, Step,
    Verified, Warning,
};
use crate::{
    clock::{Clock, SystemClock},
    operation::{
        DigestPolicy, OperationError, Posture, RequestSigningCapability, Resolved, Transport,
        registers_webhook_authentication, resolve,
    },
    profile::{Fault, MessageKind, Profile},
    replay::{ReplayStore, StoreError},
    resolver::KeyResolver,
    revocation::{RevocationSource, RevocationStatus},
    rfc9421::Request,
    target_uri::TargetUri,
    webhook::WebhookAuthMode,
};

/// Verifies messages at one endpoint.
///
/// ```
/// use std::sync::Arc;
///
/// use adcp_signing_core::{
///     profile::{Profile, WireVersion},
///     replay::InMemoryReplayStore,
///     resolver::StaticKeys,
///     revocation::InMemoryRevocation,
///     verify::Verifier,
/// };
///
/// let verifier = Verifier::builder(Profile::request(WireVersion::V3_2))
///     .keys(Arc::new(StaticKeys::default()))
///     .revocation(Arc::new(InMemoryRevocation::default()))
///     .replay(Arc::new(InMemoryReplayStore::default()))
///     .build();
/// assert_eq!(verifier.profile().tag(), "adcp/request-signing/v1");
/// ```
#[derive(Debug, Clone)]
pub struct Verifier {
    profile: Profile,
    capability: RequestSigningCapability,
    replay_cap: u64,
    keys: Arc<dyn KeyResolver>,
    revocation: Arc<dyn RevocationSource>,
    replay: Arc<dyn ReplayStore>,
    clock: Arc<dyn Clock>,
}

/// Why a message has no verified signer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The message is refused: answer 401 with the code.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The replay store could not answer, so nothing can be accepted: answer 503.
    #[error("the replay store did not answer, so the message cannot be accepted: {0}")]
    Store(#[from] StoreError),
}

/// Builds a [`Verifier`]; each method adds one edge, and all three edges without a safe default are
/// asked for.
#[derive(Debug)]
pub struct VerifierBuilder<K = (), R = (), S = ()> {
    profile: Profile,
    capability: RequestSigningCapability,
    replay_cap: Option<u64>,
    clock: Arc<dyn Clock>,
    keys: K,
    revocation: R,
    replay: S,
}

impl<K, R, S> VerifierBuilder<K, R, S> {
    /// Where keys come from.
    pub fn keys(self, keys: Arc<dyn KeyResolver>) -> VerifierBuilder<Arc<dyn KeyResolver>, R, S> {
        let Self { profile, capability, replay_cap, clock, revocation, replay, .. } = self;
        VerifierBuilder { profile, capability, replay_cap, clock, keys, revocation, replay }
    }

    /// Which keys are revoked.
    pub fn revocation(
        self,
        revocation: Arc<dyn RevocationSource>,
    ) -> VerifierBuilder<K, Arc<dyn RevocationSource>, S> {
        let Self { profile, capability, replay_cap, clock, keys, replay, .. } = self;
        VerifierBuilder { profile, capability, replay_cap, clock, keys, revocation, replay }
    }

    /// Where nonces are remembered. Share one store among all endpoints that a signer can reach.
    pub fn replay(
        self,
        replay: Arc<dyn ReplayStore>,
    ) -> VerifierBuilder<K, R, Arc<dyn ReplayStore>> {
        let Self { profile, capability, replay_cap, clock, keys, revocation, .. } = self;
        VerifierBuilder { profile, capability, replay_cap, clock, keys, revocation, replay }
    }

    /// The `request_signing` block the endpoint advertises. Without it, signatures are supported
    /// and required for nothing.
    #[must_use]
    pub fn capability(mut self, capability: RequestSigningCapability) -> Self {
        self.capability = capability;
        self
    }

    /// The cap on live nonces of one key, in place of the profile's.
    #[must_use]
    pub fn replay_cap(mut self, cap: u64) -> Self {
        self.replay_cap = Some(cap);
        self
    }

    /// The clock, in place of the system's.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }
}

impl VerifierBuilder<Arc<dyn KeyResolver>, Arc<dyn RevocationSource>, Arc<dyn ReplayStore>> {
    /// The verifier.
    pub fn build(self) -> Verifier {
        Verifier {
            replay_cap: self.replay_cap.unwrap_or(self.profile.replay_cap()),
            profile: self.profile,
            capability: self.capability,
            keys: self.keys,
            revocation: self.revocation,
            replay: self.replay,
            clock: self.clock,
        }
    }
}

impl Verifier {
    /// Starts a verifier for an endpoint of this profile.
    pub fn builder(profile: Profile) -> VerifierBuilder {
        VerifierBuilder {
            profile,
            capability: RequestSigningCapability::supported_with(DigestPolicy::Required),
            replay_cap: None,
            clock: Arc::new(SystemClock),
            keys: (),
            revocation: (),
            replay: (),
        }
    }

    /// The endpoint's profile.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Verifies one message and says whether it may be processed, and as whose.
    ///
    /// # Errors
    /// [`VerifyError::Refused`] with the stable code, or [`VerifyError::Store`] when the replay store fails.
    pub async fn verify(
        &self,
        request: &Request<'_>,
        caller: &Caller,
    ) -> Result<Acceptance, VerifyError> {
        match self.profile.kind() {
            MessageKind::Webhook => self.webhook(request).await,
            MessageKind::Request => self.request(request, caller).await,
        }
    }

    /// A webhook route takes RFC 9421 signatures and nothing else.
    async fn webhook(&self, request: &Request<'_>) -> Result<Acceptance, VerifyError> {
        WebhookAuthMode::Rfc9421.check(request.fields).map_err(|mismatch| {
            self.reject(None, self.precheck(Fault::ModeMismatch, mismatch.to_string()))
        })?;
        let verified = self.checklist(&Received::new(&self.profile, request)).await?;
        Ok(Acceptance {
            signer: Some(verified.map_err(|rejection| self.reject(None, rejection))?),
            by_fallback: false,
            warning: None,
            operation: None,
        })
    }

    async fn request(
        &self,
        request: &Request<'_>,
        caller: &Caller,
    ) -> Result<Acceptance, VerifyError> {
        let by_fallback = caller.fallback == FallbackCredential::Valid;
        let resolved = self.resolve(request, &caller.transport);
        if !self.capability.supported() {
            let operation = resolved.ok().and_then(|resolved| resolved.operation);
            return Ok(Acceptance { signer: None, by_fallback, warning: None, operation });
        }
        let resolved = resolved.map_err(|error| {
            self.reject(None, self.precheck(Fault::BodyMalformed, error.to_string()))
        })?;
        let received = Received::new(&self.profile, request);
        let posture = self.capability.posture(&resolved);
        if received.is_unsigned() {
            let warning = self.unsigned(request, &resolved, posture, by_fallback)?;
            return Ok(Acceptance {
                signer: None,
                by_fallback,
                warning,
                operation: resolved.operation,
            });
        }
        let checked = self.checklist(&received).await?;
        let operation = resolved.operation;
        match checked {
            Ok(verified) => Ok(Acceptance {
                signer: Some(verified),
                by_fallback: false,
                warning: None,
                operation,
            }),
            Err(rejection) if is_shadowed(&rejection, request, posture) => {
                if by_fallback {
                    let warning = Some(Warning::Failed(rejection));
                    Ok(Acceptance { signer: None, by_fallback, warning, operation })
                } else {
                    Err(Refusal { kind: RefusalKind::Unauthenticated, rejection, operation }.into())
                }
            }
            Err(rejection) => Err(self.reject(operation, rejection).into()),
        }
    }

    /// What the request asks for. The path is made canonical only for transports that look at it.
    fn resolve(
        &self,
        request: &Request<'_>,
        transport: &Transport,
    ) -> Result<Resolved, OperationError> {
        let rules = self.profile.signer_uri_rules();
        let target = transport
            .names_operation_in_path()
            .then(|| TargetUri::canonicalize(request.url, rules).ok());
        let path = target.as_ref().and_then(Option::as_ref).map_or(request.url, TargetUri::path);
        resolve(transport, request.method, path, request.body)
    }

    /// The rules for a message that makes no claim to be signed.
    fn unsigned(
        &self,
        request: &Request<'_>,
        resolved: &Resolved,
        posture: Posture,
        by_fallback: bool,
    ) -> Result<Option<Warning>, Refusal> {
        let required = |kind, detail: &'static str| {
            let rejection = self.precheck(Fault::SignatureRequired, detail.to_owned());
            Err(Refusal { kind, rejection, operation: resolved.operation.clone() })
        };
        if registers_webhook_authentication(request.body) {
            return required(
                RefusalKind::Reject,
                "the body registers a webhook with an `authentication` block, which only a signed request may do",
            );
        }
        match (posture, by_fallback) {
            (Posture::Required, false) => required(
                RefusalKind::Reject,
                "the operation requires a signature or another accepted credential, and the request has neither",
            ),
            (Posture::Warn, false) => required(
                RefusalKind::Unauthenticated,
                "the operation is in shadow mode, and the request has neither a signature nor another credential",
            ),
            (Posture::Warn, true) => Ok(Some(Warning::Unsigned)),
            (Posture::Required, true) | (Posture::Supported | Posture::Unlisted, _) => Ok(None),
        }
    }

    /// The checklist, steps 1 to 14. The outer error is the replay store's.
    async fn checklist(
        &self,
        received: &Received<'_>,
    ) -> Result<Result<Verified, Rejection>, StoreError> {
        macro_rules! step {
            ($result:expr) => {
                match $result {
                    Ok(next) => next,
                    Err(rejection) => return Ok(Err(rejection)),
                }
            };
        }
        let now = self.clock.now();
        let labelled = step!(received.labelled());
        let parsed = step!(labelled.parse());
        let in_window = step!(parsed.check_window(now));
        let covered = step!(in_window.check_components(self.capability.covers_content_digest()));
        let answer = self.keys.resolve(covered.keyid()).await;
        let resolved = step!(covered.with_key(answer));
        let purposed = step!(resolved.check_purpose());
        let status = self.revocation.check(purposed.keyid(), now).await;
        // A source that cannot answer is as good as a list that was not refreshed.
        let status = status.unwrap_or(RevocationStatus::Stale);
        let unrevoked = step!(purposed.check_revocation(status));
        let reached = self.replay.cap_reached(unrevoked.keyid(), self.replay_cap, now).await?;
        let authorized = step!(unrevoked.check_cap(reached));
        let authentic = step!(authorized.authenticate());
        let outcome = self.replay.insert(authentic.replay_entry(self.replay_cap), now).await?;
        let committed = step!(authentic.commit(outcome));
        Ok(committed.check_body(now))
    }

    #[cold]
    fn precheck(&self, fault: Fault, detail: String) -> Rejection {
        Rejection::new(&self.profile, Step::Precheck, fault, detail)
    }

    #[cold]
    fn reject(&self, operation: Option<String>, rejection: Rejection) -> Refusal {
        Refusal { kind: RefusalKind::Reject, rejection, operation }
    }
}

/// Whether shadow mode turns a refusal into a warning. A malformed header pair and an ambiguous
/// body never are: neither can be told from an attack on the parser. Nor is a webhook registration
/// that has to be signed.
fn is_shadowed(rejection: &Rejection, request: &Request<'_>, posture: Posture) -> bool {
    posture == Posture::Warn
        && !matches!(rejection.step(), Step::Precheck | Step::Parse | Step::Body)
        && !registers_webhook_authentication(request.body)
}
