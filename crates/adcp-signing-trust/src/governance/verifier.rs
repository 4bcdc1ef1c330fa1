//! The 15 steps of the seller verification checklist.

use std::{fmt, sync::Arc};

use adcp_signing_core::{
    Clock, KeyPurpose, ReplayStore, RevocationStatus, SystemClock, UnixSeconds,
    replay::{InsertOutcome, ReplayEntry, ReplayKey},
    resolver::{DiscoveryFailure, canonical_url},
};
use sha2::{Digest as _, Sha256};

use super::{
    CanonicalJsonError, Commitment, Cost, GovernanceCode as Code, GovernanceKeys,
    GovernanceRevocation, JsonHash, Phase, Refusal,
    claims::{CRITICAL, Claims},
};
use crate::{
    brand::{AgentType, AgentUrl, BrandJson, Candidates, FindError},
    jws::{Jws, JwsError, JwsSignature},
    published_test_keys::is_published_test_key,
};

pub(super) const TYP: &str = "adcp-gov+jws";
/// The longest token that the envelope of a task carries.
pub(super) const MAX_TOKEN_BYTES: usize = 4096;
/// By how much clocks may differ, in seconds.
const SKEW: i64 = 60;
/// What tokens are counted under in a replay store that other keys share.
const REPLAY_KEYID: &str = "governance";

/// Verifies the governance tokens of requests to one service.
pub struct GovernanceVerifier {
    service: String,
    keys: Arc<dyn GovernanceKeys>,
    revocation: Arc<dyn GovernanceRevocation>,
    replay: Arc<dyn ReplayStore>,
    clock: Arc<dyn Clock>,
    accept_published_test_keys: bool,
}

/// Whose governance agents are believed: the record that the authenticated agent was resolved to,
/// and that agent.
///
/// Neither may come from the token.
#[derive(Debug, Clone, Copy)]
pub struct Buyer<'a> {
    record: &'a BrandJson,
    candidates: Candidates<'a>,
    caller: &'a AgentUrl,
}

/// How the service enforces governance of a task, as its capabilities state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Enforcement {
    /// `signed_context`: the intent token authorizes the task.
    SignedContext,
    /// `online_execution_check`: the intent token authorizes preparing; committing takes the token of
    /// the service's own governance call.
    OnlineExecutionCheck,
}

/// A governed request, before the service acts on it.
#[derive(Debug, Clone)]
pub struct IntentAction {
    task: String,
    request: JsonHash,
    cost: Cost,
    enforcement: Enforcement,
    subject: Option<String>,
}

/// What the service is about to do after its own governance call.
#[derive(Debug, Clone)]
pub struct ExecutionAction {
    phase: Phase,
    media_buy_id: Option<String>,
    cost: Cost,
}

/// What a verified intent token leads to.
#[derive(Debug)]
#[must_use = "a token that only prepares must not be taken for an authorization"]
pub enum Gate {
    /// The service may commit.
    Authorized(Authorized),
    /// The service may prepare, and has to ask governance again before it commits.
    ExecutionCheckNeeded(Prepared),
}

/// A verified intent token that authorizes nothing but preparing.
#[derive(Debug)]
pub struct Prepared(Authorized);

/// Exactly what governance authorized, by a token that passed all 15 steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorized {
    phase: Phase,
    issuer: String,
    claims: Claims,
    task: String,
    request: JsonHash,
}

impl GovernanceVerifier {
    /// A verifier for the service with this URL, written as in the `adagents.json` that authorizes
    /// it: `aud` is compared byte for byte.
    pub fn new(
        service: impl Into<String>,
        keys: impl GovernanceKeys + 'static,
        revocation: impl GovernanceRevocation + 'static,
        replay: impl ReplayStore + 'static,
    ) -> Self {
        Self {
            service: service.into(),
            keys: Arc::new(keys),
            revocation: Arc::new(revocation),
            replay: Arc::new(replay),
            clock: Arc::new(SystemClock),
            accept_published_test_keys: false,
        }
    }

    /// Sets the clock: the system's.
    #[must_use]
    pub fn with_clock(self, clock: impl Clock + 'static) -> Self {
        Self { clock: Arc::new(clock), ..self }
    }

    /// Accepts the test keys of the AdCP vectors and of the RFCs, whose private halves everybody
    /// has. For tests alone.
    #[must_use]
    pub fn accept_published_test_keys_in_tests(self) -> Self {
        Self { accept_published_test_keys: true, ..self }
    }

    /// Verifies the `governance_context` that a buyer sent with a governed request.
    ///
    /// # Errors
    /// [`Refusal`]. Answer with its code alone.
    pub async fn verify_intent(
        &self,
        token: &str,
        buyer: &Buyer<'_>,
        action: IntentAction,
    ) -> Result<Gate, Refusal> {
        let now = self.clock.now();
        let token = self.authentic(token, buyer).await?;
        let claims = &token.claims;
        self.check_audience_and_times(claims, now)?;
        if action.subject.as_ref().is_some_and(|subject| *subject != claims.sub) {
            return Err(not_applicable(10, "`sub` is another action than the one that goes on"));
        }
        if claims.phase != Phase::Intent {
            return Err(not_applicable(11, "the token is not an intent token"));
        }
        if agent_url(&claims.caller)? != *buyer.caller {
            return Err(not_applicable(12, "`caller` is not the authenticated caller"));
        }
        match &claims.binding {
            Some(binding) if binding.task != action.task => {
                return Err(not_applicable(12, "the token authorizes another task"));
            }
            Some(binding) if binding.request != action.request => {
                return Err(not_applicable(12, "the token authorizes another request"));
            }
            Some(_) => {}
            None => return Err(not_applicable(12, "the token authorizes no request")),
        }
        check_commitment(claims, &action.cost)?;
        self.check_revocation(&token, now).await?;
        self.use_once(claims, now).await?;
        let authorized = token.into_authorized(action.task, action.request);
        Ok(match action.enforcement {
            Enforcement::SignedContext => Gate::Authorized(authorized),
            Enforcement::OnlineExecutionCheck => Gate::ExecutionCheckNeeded(Prepared(authorized)),
        })
    }

    /// Verifies the token that the service's own governance call returned, for the action that the
    /// buyer's intent token let it prepare.
    ///
    /// # Errors
    /// [`Refusal`]. The service must not commit then.
    pub async fn verify_execution(
        &self,
        token: &str,
        buyer: &Buyer<'_>,
        prepared: &Prepared,
        action: ExecutionAction,
    ) -> Result<Authorized, Refusal> {
        let now = self.clock.now();
        let token = self.authentic(token, buyer).await?;
        let (claims, intent) = (&token.claims, &prepared.0);
        self.check_audience_and_times(claims, now)?;
        if claims.sub != intent.claims.sub {
            return Err(not_applicable(10, "`sub` is another action than the one prepared"));
        }
        if claims.phase != action.phase {
            return Err(not_applicable(11, "`phase` is not that of the action"));
        }
        if token.issuer != intent.issuer {
            return Err(not_applicable(12, "another governance agent issued the intent token"));
        }
        if agent_url(&claims.caller)? != agent_url(&self.service)? {
            return Err(not_applicable(12, "`caller` is not this service"));
        }
        if let Some(binding) = &claims.binding
            && (binding.task != intent.task || binding.request != intent.request)
        {
            return Err(not_applicable(12, "the token authorizes another request"));
        }
        // Before a purchase the buy may have no name yet; a name that is there has to be the same.
        if let Some(named) = &claims.media_buy_id
            && action.media_buy_id.as_ref() != Some(named)
        {
            return Err(not_applicable(12, "the token is for another media buy"));
        }
        check_commitment(claims, &action.cost)?;
        if let (Some(ceiling), Cost::Monetary(actual)) = (&intent.claims.commitment, &action.cost)
            && !ceiling.covers(actual)
        {
            return Err(not_applicable(12, "the commitment exceeds what the intent allows"));
        }
        self.check_revocation(&token, now).await?;
        self.use_once(claims, now).await?;
        Ok(token.into_authorized(intent.task.clone(), intent.request))
    }

    /// Steps 1 to 7 and 13: the record is asked first, since it is what names the JWKS.
    async fn authentic(&self, token: &str, buyer: &Buyer<'_>) -> Result<Authentic, Refusal> {
        let is_compact = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if token.len() > MAX_TOKEN_BYTES || !token.bytes().all(is_compact) {
            return Err(invalid(1, "it is not a compact JWS of at most 4,096 characters"));
        }
        let jws = Jws::parse_extended(token.as_bytes(), TYP, &CRITICAL).map_err(|error| {
            let step = match error {
                JwsError::Algorithm => 2,
                JwsError::Type { .. } => 3,
                JwsError::Critical | JwsError::Extension { .. } => 4,
                _ => 1,
            };
            invalid(step, "the JWS is malformed").because(error)
        })?;
        let [signature] = jws.signatures() else {
            return Err(invalid(1, "it has not one signature"));
        };
        let claims = Claims::parse(jws.payload(), &signature.critical)?;
        let issuer = agent_url(&claims.iss)?;
        let entry = buyer
            .record
            .find(&issuer, buyer.candidates, Some(&AgentType::Governance))
            .map_err(|error| match error {
                FindError::UnusableJwks => {
                    Refusal::new(Code::JwksUntrusted, 5, "the record's JWKS cannot be fetched")
                        .because(error)
                }
                _ => Refusal::new(
                    Code::IssuerNotAuthorized,
                    13,
                    "the buyer's record does not list `iss` as one governance agent",
                )
                .because(error),
            })?;
        let jwks = entry.jwks().ok_or_else(|| {
            Refusal::new(Code::JwksUntrusted, 5, "the record names no JWKS to fetch")
        })?;
        self.verify_signature(&jws, signature, jwks).await?;
        let kid = signature.kid.clone();
        Ok(Authentic { claims, kid, issuer: issuer.as_str().to_owned() })
    }

    async fn verify_signature(
        &self,
        jws: &Jws<'_>,
        signature: &JwsSignature<'_>,
        jwks: &crate::guard::PublicUrl,
    ) -> Result<(), Refusal> {
        let key = self.keys.key(jwks, &signature.kid).await.map_err(|error| {
            let code = match error.failure() {
                DiscoveryFailure::JwksUntrusted => Code::JwksUntrusted,
                _ => Code::JwksUnavailable,
            };
            Refusal::new(code, 5, "the issuer's JWKS could not be had").because(error)
        })?;
        let key = key.ok_or_else(|| {
            Refusal::new(Code::KeyUnknown, 5, "the issuer's JWKS has no single key of this `kid`")
        })?;
        if let Some(unusable) = key.unusable() {
            return Err(invalid(6, "the issuer's key cannot verify").because(unusable.clone()));
        }
        if key.purpose() != Some(&KeyPurpose::GovernanceSigning) {
            return Err(invalid(6, "the issuer's key is not for governance-signing"));
        }
        if key.algorithm() != Some(signature.algorithm) {
            return Err(invalid(6, "`alg` is not that of the issuer's key"));
        }
        let public = key.public_key().ok_or_else(|| invalid(6, "the key cannot verify"))?;
        if is_published_test_key(public) && !self.accept_published_test_keys {
            let detail = "the issuer's key is a published test key, with which anybody can sign";
            return Err(Refusal::new(Code::JwksUntrusted, 5, detail));
        }
        public
            .verify_bytes(&jws.signing_input(signature), &signature.bytes)
            .map_err(|error| invalid(7, "the signature does not verify").because(error))
    }

    /// Steps 8 and 9.
    fn check_audience_and_times(&self, claims: &Claims, now: UnixSeconds) -> Result<(), Refusal> {
        if claims.aud != self.service {
            return Err(not_applicable(8, "`aud` is not this service"));
        }
        if now.minus(SKEW) > claims.exp {
            return Err(Refusal::new(Code::TokenExpired, 9, "`exp` is in the past"));
        }
        let latest = now.plus(SKEW);
        if claims.iat > latest || claims.nbf.is_some_and(|nbf| nbf > latest) {
            return Err(Refusal::new(
                Code::TokenNotYetValid,
                9,
                "`iat` or `nbf` is in the future; compare the clocks",
            ));
        }
        claims.check_life()
    }

    /// Step 14. An intent token is held against the list as well, though the standard lets a service
    /// leave that out.
    async fn check_revocation(&self, token: &Authentic, now: UnixSeconds) -> Result<(), Refusal> {
        let issuer = canonical_url(&token.issuer)
            .map_err(|error| invalid(14, "`iss` has no canonical form").because(error))?;
        let origin = format!("{}://{}/", issuer.scheme(), issuer.authority());
        let status = self.revocation.check(&origin, &token.kid, &token.claims.jti, now).await;
        let stale = |detail| Refusal::new(Code::RevocationStale, 14, detail);
        match status {
            Ok(RevocationStatus::Good) => Ok(()),
            Ok(RevocationStatus::Revoked) => {
                Err(Refusal::new(Code::TokenRevoked, 14, "the token or its key was revoked"))
            }
            Ok(RevocationStatus::Stale) => Err(stale("the issuer's revocation list is too old")),
            Err(error) => {
                Err(stale("the issuer's revocations cannot be checked").because(error).transient())
            }
        }
    }

    /// Step 15: a `jti` of this issuer for this service passes once.
    async fn use_once(&self, claims: &Claims, now: UnixSeconds) -> Result<(), Refusal> {
        let issued_for = Sha256::new()
            .chain_update((claims.iss.len() as u64).to_be_bytes())
            .chain_update(&claims.iss)
            .chain_update(&claims.aud)
            .finalize()
            .into();
        let key = ReplayKey::new(REPLAY_KEYID, &issued_for);
        // The second in which the token may still pass is the last.
        let entry = ReplayEntry::restore(key, &claims.jti, claims.exp.plus(SKEW + 1), u64::MAX);
        let replayed = |detail| Refusal::new(Code::TokenReplayed, 15, detail);
        match self.replay.insert(entry, now).await {
            Ok(InsertOutcome::Inserted) => Ok(()),
            Ok(InsertOutcome::Replayed) => Err(replayed("`jti` was used before")),
            Ok(InsertOutcome::KeyCapReached | InsertOutcome::AggregateCapReached) => {
                let detail = "the replay store is full, so that `jti` cannot be remembered";
                Err(replayed(detail).transient())
            }
            Err(error) => {
                let detail = "the replay store failed, so `jti` may be used";
                Err(replayed(detail).because(error).transient())
            }
        }
    }
}

impl fmt::Debug for GovernanceVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GovernanceVerifier").field("service", &self.service).finish_non_exhaustive()
    }
}

/// A token whose signature is the issuer's, whom the buyer's record lists.
struct Authentic {
    claims: Claims,
    kid: String,
    /// Canonical.
    issuer: String,
}

impl Authentic {
    fn into_authorized(self, task: String, request: JsonHash) -> Authorized {
        let Self { claims, issuer, .. } = self;
        Authorized { phase: claims.phase, issuer, claims, task, request }
    }
}

/// Step 12: an action that costs something needs a ceiling, in its currency. A ceiling for an action
/// that states no cost is no harm.
fn check_commitment(claims: &Claims, cost: &Cost) -> Result<(), Refusal> {
    match (&claims.commitment, cost) {
        (_, Cost::NotMonetary) => Ok(()),
        (Some(ceiling), Cost::Monetary(actual)) if ceiling.covers(actual) => Ok(()),
        (Some(_), Cost::Monetary(_)) => {
            Err(not_applicable(12, "the commitment exceeds the ceiling or its currency differs"))
        }
        (None, Cost::Monetary(_)) => Err(not_applicable(12, "the token authorizes no commitment")),
    }
}

fn agent_url(url: &str) -> Result<AgentUrl, Refusal> {
    url.parse().map_err(|error| {
        invalid(1, "`iss`, `caller` or the service is not an agent's URL").because(error)
    })
}

fn invalid(step: u8, detail: &'static str) -> Refusal {
    Refusal::new(Code::TokenInvalid, step, detail)
}

fn not_applicable(step: u8, detail: &'static str) -> Refusal {
    Refusal::new(Code::TokenNotApplicable, step, detail)
}

impl<'a> Buyer<'a> {
    /// The authenticated caller, and the record that it was resolved to.
    pub fn new(caller: &'a AgentUrl, record: &'a BrandJson) -> Self {
        Self { record, candidates: Candidates::OperatorRecord, caller }
    }

    /// Believes the governance agents of one part of the record alone.
    #[must_use]
    pub fn with_candidates(self, candidates: Candidates<'a>) -> Self {
        Self { candidates, ..self }
    }
}

impl IntentAction {
    /// A request for this task, with the bytes of its arguments, and with what the service computed
    /// that it will cost.
    ///
    /// # Errors
    /// [`CanonicalJsonError`] where the request has more than one meaning. Refuse the request.
    pub fn new(
        task: impl Into<String>,
        request: &[u8],
        cost: Cost,
        enforcement: Enforcement,
    ) -> Result<Self, CanonicalJsonError> {
        let request = JsonHash::of_request(request)?;
        Ok(Self { task: task.into(), request, cost, enforcement, subject: None })
    }

    /// Goes on with an action for which a token with this `sub` was accepted before.
    #[must_use]
    pub fn continuing(self, subject: impl Into<String>) -> Self {
        Self { subject: Some(subject.into()), ..self }
    }
}

impl ExecutionAction {
    /// Creates a media buy, which may have an identifier already.
    pub fn purchase(media_buy_id: Option<String>, cost: Cost) -> Self {
        Self { phase: Phase::Purchase, media_buy_id, cost }
    }

    /// Changes a media buy.
    pub fn modification(media_buy_id: impl Into<String>, cost: Cost) -> Self {
        Self { phase: Phase::Modification, media_buy_id: Some(media_buy_id.into()), cost }
    }

    /// Checks the delivery of a media buy.
    pub fn delivery(media_buy_id: impl Into<String>, cost: Cost) -> Self {
        Self { phase: Phase::Delivery, media_buy_id: Some(media_buy_id.into()), cost }
    }
}

impl Prepared {
    /// What a later token has to continue: retain it with the action.
    pub fn subject(&self) -> &str {
        self.0.subject()
    }

    /// The governance agent's name of its decision.
    pub fn check_id(&self) -> &str {
        self.0.check_id()
    }
}

impl Authorized {
    /// The gate that the token opened.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// The governance agent, in canonical form.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The task that is authorized.
    pub fn task(&self) -> &str {
        &self.task
    }

    /// The request that is authorized.
    pub fn request(&self) -> JsonHash {
        self.request
    }

    /// The most that may be committed. `None` authorizes no commitment of money.
    pub fn ceiling(&self) -> Option<&Commitment> {
        self.claims.commitment.as_ref()
    }

    /// The opaque name of the action: retain it, and compare it when the action goes on.
    pub fn subject(&self) -> &str {
        &self.claims.sub
    }

    /// The governance agent's name of its decision.
    pub fn check_id(&self) -> &str {
        &self.claims.check_id
    }

    /// The token's identifier.
    pub fn jti(&self) -> &str {
        &self.claims.jti
    }

    /// The media buy, where the token names one.
    pub fn media_buy_id(&self) -> Option<&str> {
        self.claims.media_buy_id.as_deref()
    }

    /// The end of the token.
    pub fn expires_at(&self) -> UnixSeconds {
        self.claims.exp
    }

    /// The hash of the plan, for auditors. A service does not look into it.
    pub fn plan_hash(&self) -> JsonHash {
        self.claims.plan_hash
    }

    /// `runtime_attestation_binding_digest`, for auditors. A service does not look into it.
    pub fn runtime_attestation_binding_digest(&self) -> Option<&str> {
        self.claims.runtime_attestations.as_deref()
    }
}
