//! The driver: awaits the edges between the steps, and has no rule of its own.

use std::{pin::pin, sync::Arc};

use tracing::Instrument as _;

use super::{
    Anonymous, BodyReading, Context, Fallback, FallbackCredential, Prechecked, Purposed, Reason,
    Received, Rejection, ShadowFinding, SignatureVerified, Signed, Step, Unsigned, Verified,
    VerifiedSigner, Verifier,
    measured::{self, Measured},
    span,
    verifier::{Endpoint, LOG, Tasks},
};
use crate::{
    clock::UnixSeconds,
    operation::{
        Principal, RequestSigningCapability, Resolved, TaskRefusal, Transport, check_continuation,
    },
    replay::StoreError,
    revocation::RevocationStatus,
    rfc9421::Request,
};

/// What a message came to, and how.
pub(super) enum Endpoints<'v> {
    Request { transport: &'v Transport, capability: &'v RequestSigningCapability },
    Webhook,
}

impl Verifier {
    /// Verifies one message and answers whether it may be processed, and on whose authority.
    ///
    /// # Errors
    /// [`Rejection`]: answer with its status and fields. It has been logged.
    pub async fn verify(
        &self,
        request: &Request<'_>,
        context: &Context<'_>,
    ) -> Result<Verified, Rejection> {
        let span = self.span();
        let verified = async {
            let measured = Measured::begin();
            let outcome = self.verify_whole(request, context).await;
            self.log(&outcome);
            measured.end(&outcome);
            outcome
        };
        let outcome = pin!(verified).instrument(span.clone()).await;
        span::end(&span, &outcome);
        outcome
    }

    /// The whole checklist, over a message whose body is there.
    pub(super) async fn verify_whole(
        &self,
        request: &Request<'_>,
        context: &Context<'_>,
    ) -> Result<Verified, Rejection> {
        match self.endpoint_of(context)? {
            Endpoints::Request { transport, capability } => {
                self.verify_request(request, context, transport, capability).await
            }
            Endpoints::Webhook => self.verify_webhook(request, context).await,
        }
    }

    /// The endpoint and the context, which must be of one kind.
    pub(super) fn endpoint_of<'v>(
        &'v self,
        context: &Context<'v>,
    ) -> Result<Endpoints<'v>, Rejection> {
        match (&self.endpoint, context.transport) {
            (Endpoint::Requests { capability }, Some(transport)) => {
                Ok(Endpoints::Request { transport, capability })
            }
            (Endpoint::Webhooks, None) => Ok(Endpoints::Webhook),
            (Endpoint::Requests { .. }, None) => Err(misused(
                "a verifier of requests was given the context of a webhook; say how the request \
                 arrived with Context::request",
            )),
            (Endpoint::Webhooks, Some(_)) => Err(misused(
                "a verifier of webhooks was given the context of a request; use Context::webhook",
            )),
        }
    }

    async fn verify_webhook(
        &self,
        request: &Request<'_>,
        context: &Context<'_>,
    ) -> Result<Verified, Rejection> {
        let received = Received::new(&self.profile, request, BodyReading::Scan)?;
        let signed = received.check_webhook_mode()?;
        self.checklist(&signed, context).await.map(Verified::Signed)
    }

    async fn verify_request(
        &self,
        request: &Request<'_>,
        context: &Context<'_>,
        transport: &Transport,
        capability: &RequestSigningCapability,
    ) -> Result<Verified, Rejection> {
        let has_fallback = context.fallback == FallbackCredential::Valid;
        let reading = self.body_reading(transport, capability);
        let received = Received::new(&self.profile, request, reading)?;
        match received.check_operation(transport, capability, has_fallback)? {
            Prechecked::Signed(signed) => {
                let outcome = self.checklist(&signed, context).await;
                self.settle(&signed, outcome, context).await
            }
            Prechecked::Unsigned(unsigned) => {
                let Unsigned { resolved, .. } = &unsigned;
                let principal = unsigned_principal(context);
                self.check_tasks(resolved, principal).await?;
                Ok(self.unsigned(unsigned, has_fallback))
            }
        }
    }

    /// What the outcome of the checklist means for a request: its tasks, and shadow mode.
    pub(super) async fn settle(
        &self,
        signed: &Signed<'_>,
        outcome: Result<VerifiedSigner, Rejection>,
        context: &Context<'_>,
    ) -> Result<Verified, Rejection> {
        let has_fallback = context.fallback == FallbackCredential::Valid;
        let operation = signed.resolved().operation();
        match outcome {
            Ok(signer) => {
                let principal =
                    Principal::Signer { agent_url: signer.agent_url(), keyid: signer.keyid() };
                self.check_tasks(signed.resolved(), principal).await?;
                Ok(Verified::Signed(signer))
            }
            Err(rejection) if signed.is_shadowed(&rejection) && has_fallback => {
                self.check_tasks(signed.resolved(), unsigned_principal(context)).await?;
                Ok(Verified::Fallback(Fallback {
                    operation: operation.map(str::to_owned),
                    shadow: Some(ShadowFinding::Failed(rejection)),
                    profile: self.profile.clone(),
                }))
            }
            Err(rejection) if signed.is_shadowed(&rejection) => {
                Err(rejection.with_operation(operation).into_unauthenticated())
            }
            Err(rejection) => Err(rejection.with_operation(operation)),
        }
    }

    /// Contract 3.3: a message goes on with a task only of its own operation and principal.
    async fn check_tasks(
        &self,
        resolved: &Resolved,
        principal: Principal<'_>,
    ) -> Result<(), Rejection> {
        let refused = match &self.tasks {
            Tasks::Checked(tasks) => check_continuation(&**tasks, resolved, principal).await,
            Tasks::LeftToDispatcher => Ok(()),
            Tasks::Unknown if !self.profile.requires_a2a_hardening() => Ok(()),
            Tasks::Unknown if resolved.task_ids().next().is_none() => Ok(()),
            Tasks::Unknown => {
                return Err(Rejection::of(
                    Reason::InvalidRequest,
                    Step::Precheck,
                    "the message goes on with a task, and nothing here knows whose it is: give the \
                     verifier a TaskContinuation, or say that the dispatcher checks",
                )
                .with_operation(resolved.operation()));
            }
        };
        refused.map_err(|refusal| {
            let reason = match refusal {
                TaskRefusal::Lookup(_) => Reason::Unavailable,
                _ => Reason::InvalidRequest,
            };
            Rejection::of(reason, Step::Precheck, refusal.to_string())
                .with_operation(resolved.operation())
                .with_source(Arc::new(refusal))
        })
    }

    /// Whether the members of the body may have to be looked at.
    pub(super) fn body_reading(
        &self,
        transport: &Transport,
        capability: &RequestSigningCapability,
    ) -> BodyReading {
        let may_leave_body_unsigned =
            !self.profile.requires_content_digest(true, capability.covers_content_digest());
        if transport.reads_body() || capability.warns_for_anything() || may_leave_body_unsigned {
            BodyReading::Document
        } else {
            BodyReading::Scan
        }
    }

    fn unsigned(&self, unsigned: Unsigned, has_fallback: bool) -> Verified {
        let Unsigned { resolved, is_shadowed, registers_credentials } = unsigned;
        let operation = resolved.operation().map(str::to_owned);
        if registers_credentials {
            tracing::warn!(
                target: LOG,
                operation,
                "an unsigned request registers webhook credentials at an endpoint that does not \
                 verify signatures"
            );
        }
        let profile = self.profile.clone();
        if has_fallback {
            let shadow = is_shadowed.then_some(ShadowFinding::Unsigned);
            Verified::Fallback(Fallback { operation, shadow, profile })
        } else {
            Verified::Anonymous(Anonymous { operation, profile })
        }
    }

    /// Steps 1 to 8.
    pub(super) async fn purposed<'r>(
        &self,
        signed: &'r Signed<'r>,
        context: &Context<'_>,
        now: UnixSeconds,
    ) -> Result<Purposed<'r>, Rejection> {
        let covered = signed
            .parse_fields()?
            .check_params()?
            .check_tag()?
            .check_algorithm()?
            .check_window(now)?
            .check_components()?;
        let query = covered.query();
        let query = match context.counterparty {
            Some(agent_url) => query.with_counterparty(agent_url),
            None => query,
        };
        let answer = self.keys.resolve(query).await;
        covered.with_key(answer)?.check_purpose()
    }

    /// Steps 1 to 14.
    async fn checklist(
        &self,
        signed: &Signed<'_>,
        context: &Context<'_>,
    ) -> Result<VerifiedSigner, Rejection> {
        let now = self.clock.now();
        let purposed = self.purposed(signed, context, now).await?;
        let verified = self.signature_verified(purposed, now).await?;
        self.committed(verified, now).await
    }

    /// Steps 9 to 10.
    pub(super) async fn signature_verified<'r>(
        &self,
        purposed: Purposed<'r>,
        now: UnixSeconds,
    ) -> Result<SignatureVerified<'r>, Rejection> {
        // A source that cannot answer is as good as a list that was not refreshed.
        let status = match self.revocation.check(purposed.key(), now).await {
            Ok(status) => status,
            Err(error) => {
                tracing::warn!(target: LOG, error = &error as &dyn std::error::Error,
                    "the revocation source did not answer, so the key counts as stale");
                RevocationStatus::Stale
            }
        };
        let unrevoked = purposed.check_revocation(status)?;
        let key = unrevoked.replay_key()?;
        let reached = self.replay.cap_reached(key, self.replay_cap, now).await;
        let reached = reached.map_err(|error| store_failed(Step::ReplayCap, error))?;
        unrevoked.check_cap(reached)?.verify_signature()
    }

    /// Steps 11 to 14.
    pub(super) async fn committed(
        &self,
        verified: SignatureVerified<'_>,
        now: UnixSeconds,
    ) -> Result<VerifiedSigner, Rejection> {
        let authentic = verified.check_digest()?;
        let outcome = self.replay.insert(authentic.replay_entry(self.replay_cap)?, now).await;
        let outcome = outcome.map_err(|error| store_failed(Step::Insert, error))?;
        authentic.commit(outcome)?.check_body(now)
    }

    pub(super) fn log(&self, outcome: &Result<Verified, Rejection>) {
        let rejection = match outcome {
            Ok(Verified::Fallback(Fallback {
                shadow: Some(ShadowFinding::Failed(failed)),
                ..
            })) => failed,
            Ok(_) => return,
            Err(rejection) => rejection,
        };
        record(rejection, outcome.is_ok());
    }
}

/// Writes a rejection to the log. A refused message is the sender's trouble; a verifier that cannot
/// decide is ours.
pub(super) fn record(rejection: &Rejection, shadowed: bool) {
    macro_rules! record {
        ($level:ident) => {
            tracing::$level!(
                target: LOG,
                kid = rejection.claimed_keyid().map(shown),
                step = rejection.step().as_str(),
                code = rejection.reason().as_str(),
                operation = rejection.operation().map(shown),
                reason = rejection.detail(),
                shadowed,
                "refused"
            )
        };
    }
    if !shadowed {
        measured::refused(rejection);
    }
    match rejection.reason() {
        Reason::Unavailable | Reason::Misconfigured => record!(error),
        Reason::Code(_) | Reason::Bound(_) | Reason::InvalidRequest => record!(info),
    }
}

/// Whose an unsigned message is.
fn unsigned_principal<'c>(context: &Context<'c>) -> Principal<'c> {
    match context.fallback {
        FallbackCredential::Valid => Principal::Fallback { subject: context.subject },
        FallbackCredential::Absent => Principal::Anonymous,
    }
}

/// A sender's text, fit for a log line by the rules of step 14b.
fn shown(text: &str) -> String {
    crate::json::sanitize_key_name(text)
}

#[cold]
fn store_failed(step: Step, error: StoreError) -> Rejection {
    let detail =
        format!("the replay store did not answer, so the message cannot be accepted: {error}");
    Rejection::of(Reason::Unavailable, step, detail).with_source(Arc::new(error))
}

#[cold]
fn misused(detail: &'static str) -> Rejection {
    Rejection::of(Reason::Misconfigured, Step::Precheck, detail)
}
