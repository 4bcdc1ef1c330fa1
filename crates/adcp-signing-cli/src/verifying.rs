//! From a `verify` input to the verifier's answer.

use std::sync::Arc;

use adcp_signing::{
    Clock as _, FixedClock, JwkSet, SystemClock, UnixSeconds,
    operation::{DigestPolicy, RequestSigningCapability, Transport},
    profile::{MessageKind, Profile, WireVersion},
    replay::{InMemoryReplayStore, InsertOutcome, ReplayEntry, ReplayStore, StoreError},
    resolver::StaticKeys,
    revocation::InMemoryRevocation,
    rfc9421::Request,
    verify::{Acceptance, Caller, FallbackCredential, Received, Step, Verifier, Warning},
};
use async_trait::async_trait;
use serde_json::{Value, json};

use crate::{
    failure::Failure,
    shapes::{VerifyInput, shorten},
};

/// How long a seeded nonce counts as seen, in seconds: the longest window and the skew on either
/// side.
const SEED_TTL: i64 = 420;

/// A message that may be processed, as the commands show it.
pub(crate) struct Accepted {
    pub(crate) kind: MessageKind,
    pub(crate) acceptance: Acceptance,
}

/// Verifies the message of an input, with nonces remembered in `store`.
pub(crate) async fn verify(
    input: &VerifyInput,
    store: &Arc<InMemoryReplayStore>,
) -> Result<Accepted, Failure> {
    let profile = input.selector.profile()?;
    let kind = profile.kind();
    let now = now(input);
    for seen in &input.options.replay_seed {
        store
            .preload(&seen.keyid, &seen.nonce, now.plus(SEED_TTL), now)
            .map(drop)
            .map_err(|error| Failure::invalid(format!("replay_seed: {error}")))?;
    }
    let revocation = InMemoryRevocation::new(input.options.revoked_kids.iter().cloned());
    if input.options.revocation_stale {
        revocation.stale_after(now.minus(1));
    }
    let mut builder = Verifier::builder(profile.clone())
        .keys(Arc::new(keys(input)?))
        .revocation(Arc::new(revocation))
        .replay(Arc::new(Capped {
            store: Arc::clone(store),
            keyid: input.options.cap_hit_for.clone(),
        }))
        .capability(capability(input, &profile)?)
        .clock(Arc::new(FixedClock::new(now)));
    if let Some(cap) = input.options.replay_cap {
        builder = builder.replay_cap(cap);
    }
    let body = input.message.body_bytes()?;
    let lines = input.message.lines();
    let request = request(input, &lines, &body)?;
    let caller = Caller {
        transport: transport(input)?,
        fallback: if input.options.fallback_valid {
            FallbackCredential::Valid
        } else {
            FallbackCredential::Absent
        },
    };
    let acceptance = builder.build().verify(&request, &caller).await?;
    Ok(Accepted { kind, acceptance })
}

/// The signature base of an input's message, as far as it can be built.
pub(crate) fn signature_base(input: &VerifyInput) -> Option<String> {
    let profile = input.selector.profile().ok()?;
    let body = input.message.body_bytes().ok()?;
    let lines = input.message.lines();
    let request = request(input, &lines, &body).ok()?;
    let received = Received::new(&profile, &request);
    let labelled = received.labelled().ok()?;
    let base = labelled.parse().ok()?.signature_base().ok()?;
    String::from_utf8(base).ok()
}

/// The time of the verification.
pub(crate) fn now(input: &VerifyInput) -> UnixSeconds {
    input.options.now.map_or_else(|| SystemClock.now(), UnixSeconds::new)
}

fn request<'a>(
    input: &'a VerifyInput,
    lines: &'a [adcp_signing::rfc9421::FieldLine<'a>],
    body: &'a [u8],
) -> Result<Request<'a>, Failure> {
    Ok(Request {
        pseudo_authority: input.message.pseudo_authority()?,
        ..Request::new(&input.message.method, &input.message.url, lines, body)
    })
}

fn keys(input: &VerifyInput) -> Result<StaticKeys, Failure> {
    let Some(jwks) = &input.options.jwks else {
        return Err(Failure::invalid(
            "no keys: give the signer's published JWKS as jwks, or with --jwks",
        ));
    };
    let set = JwkSet::parse(jwks.get().as_bytes())
        .map_err(|error| Failure::invalid(format!("jwks: {error}")))?;
    Ok(StaticKeys::from_jwks(&set))
}

/// Without a capability, signatures are supported and required for nothing, and the digest is as
/// the profile has it.
fn capability(input: &VerifyInput, profile: &Profile) -> Result<RequestSigningCapability, Failure> {
    match &input.options.capability {
        Some(json) => RequestSigningCapability::from_json(json.get().as_bytes())
            .map_err(|error| Failure::invalid(format!("capability: {error}"))),
        None if profile.wire() == WireVersion::V3_2 => {
            Ok(RequestSigningCapability::supported_with(DigestPolicy::Required))
        }
        None => Ok(RequestSigningCapability::supported_with(DigestPolicy::Either)),
    }
}

fn transport(input: &VerifyInput) -> Result<Transport, Failure> {
    match input.options.transport.as_deref() {
        None | Some("rest") => Ok(Transport::Rest { operation: input.options.operation.clone() }),
        Some("mcp") => Ok(Transport::Mcp),
        Some("a2a") => Ok(Transport::A2a),
        Some(other) => Err(Failure::invalid(format!(
            "transport is {:?}; write rest, mcp or a2a",
            shorten(other)
        ))),
    }
}

/// The store, with one key's share reported as full.
#[derive(Debug)]
struct Capped {
    store: Arc<InMemoryReplayStore>,
    keyid: Option<String>,
}

#[async_trait]
impl ReplayStore for Capped {
    async fn cap_reached(
        &self,
        keyid: &str,
        cap: u64,
        now: UnixSeconds,
    ) -> Result<bool, StoreError> {
        Ok(self.keyid.as_deref() == Some(keyid) || self.store.cap_reached(keyid, cap, now).await?)
    }

    async fn insert(
        &self,
        entry: ReplayEntry<'_>,
        now: UnixSeconds,
    ) -> Result<InsertOutcome, StoreError> {
        self.store.insert(entry, now).await
    }
}

impl Accepted {
    /// What the endpoint does with the message.
    pub(crate) fn action(&self) -> &'static str {
        if self.acceptance.warning.is_some() { "accept_with_warning" } else { "accept" }
    }

    /// What authenticates the message, if anything.
    pub(crate) fn source(&self) -> Option<&'static str> {
        match (&self.acceptance.signer, self.acceptance.by_fallback) {
            (Some(_), _) => Some("signature"),
            (None, true) => Some("fallback"),
            (None, false) => None,
        }
    }

    /// Where a signature failed that shadow mode let pass.
    pub(crate) fn failed_step(&self) -> Option<Step> {
        match &self.acceptance.warning {
            Some(Warning::Failed(rejection)) => Some(rejection.step()),
            Some(Warning::Unsigned) | None => None,
        }
    }

    /// What shadow mode let pass.
    pub(crate) fn warning(&self) -> Option<String> {
        self.acceptance.warning.as_ref().map(|warning| match warning {
            Warning::Failed(rejection) => rejection.to_string(),
            Warning::Unsigned => "an unsigned message".to_owned(),
        })
    }

    /// The answer to a line of `--ndjson`.
    pub(crate) fn to_json(&self) -> Value {
        let signer = self.acceptance.signer.as_ref();
        let mut answer = json!({
            "ok": true,
            "action": self.action(),
            "status": if signer.is_some() { "verified" } else { "unsigned" },
            "authentication_source": self.source(),
        });
        if let Some(members) = answer.as_object_mut() {
            if let Some(signer) = signer {
                members.insert("keyid".to_owned(), signer.keyid.clone().into());
            }
            if self.kind == MessageKind::Request {
                members.insert(
                    "resolved_operation".to_owned(),
                    self.acceptance.operation.clone().into(),
                );
            }
            if let Some(signer) = signer {
                let base = String::from_utf8_lossy(&signer.signature_base).into_owned();
                members.insert("signature_base".to_owned(), base.into());
            }
        }
        answer
    }
}
