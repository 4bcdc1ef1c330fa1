//! From a `verify` input to the verifier's answer.

use std::sync::Arc;

use adcp_signing::{
    Answer, Clock as _, FixedClock, JwkSet, SystemClock, UnixSeconds,
    operation::{DigestPolicy, RequestSigningCapability, Transport},
    profile::{DigestRule, MessageKind, Profile},
    replay::{InMemoryReplayStore, InsertOutcome, ReplayEntry, ReplayKey, ReplayStore, StoreError},
    resolver::{StaticKeys, VerificationKey},
    revocation::InMemoryRevocation,
    rfc9421::Request,
    verify::{
        Context, Fallback, FallbackCredential, Rejection, ShadowFinding, Step, Verified,
        VerifiedSigner, Verifier, signature_base_of,
    },
};
use serde_json::{Value, json};

use crate::{
    failure::Failure,
    mix_up,
    shapes::{VerifyInput, shorten},
};

/// How long a seeded nonce counts as seen, in seconds: the longest window and the skew on either
/// side.
const SEED_TTL: i64 = 420;

/// A message that may be processed, as the commands show it.
pub(crate) struct Accepted {
    pub(crate) verified: Verified,
    /// The time of the verification.
    pub(crate) now: UnixSeconds,
    kind: MessageKind,
    claims_a_signature: bool,
}

/// Verifies the message of an input, with nonces remembered in `store`.
pub(crate) async fn verify(
    input: &VerifyInput,
    store: &Arc<InMemoryReplayStore>,
) -> Result<Accepted, Failure> {
    let profile = input.selector.profile()?;
    let kind = profile.kind();
    let now = now(input)?;
    let keys = keys(input)?;
    for seen in &input.options.replay_seed {
        // A nonce of a `keyid` that no key has cannot matter.
        for thumbprint in keys.named(&seen.keyid).filter_map(VerificationKey::thumbprint) {
            let key = ReplayKey::new(&seen.keyid, thumbprint);
            store
                .preload(key, &seen.nonce, now.plus(SEED_TTL), now)
                .map(drop)
                .map_err(|error| Failure::invalid(format!("replay_seed: {error}")))?;
        }
    }
    let revocation = InMemoryRevocation::new(input.options.revoked_kids.iter().cloned());
    if input.options.revocation_stale {
        revocation.stale_after(now.minus(1));
    }
    let mut builder = Verifier::builder(profile.clone(), capability(input, &profile)?)
        .keys(keys)
        .revocation(revocation)
        .replay(Capped { store: Arc::clone(store), keyid: input.options.cap_hit_for.clone() })
        .clock(FixedClock::new(now));
    if let Some(cap) = input.options.replay_cap {
        builder = builder.replay_cap(cap);
    }
    let body = input.message.body_bytes()?;
    let lines = input.message.lines();
    let request = request(input, &lines, &body)?;
    let transport = transport(input)?;
    let fallback = if input.options.fallback_valid == Some(true) {
        FallbackCredential::Valid
    } else {
        FallbackCredential::Absent
    };
    let context = match kind {
        MessageKind::Request => Context::request(&transport).with_fallback(fallback),
        MessageKind::Webhook => Context::webhook(),
    };
    let verified = builder
        .build()
        .verify(&request, &context)
        .await
        .map_err(|rejection| Failure::from(rejection).with_hint(mix_up::suspected(input)))?;
    Ok(Accepted { verified, now, kind, claims_a_signature: input.message.claims_a_signature() })
}

/// The signature base of an input's message, as far as it can be built.
pub(crate) fn signature_base(input: &VerifyInput) -> Option<String> {
    let profile = input.selector.profile().ok()?;
    let body = input.message.body_bytes().ok()?;
    let lines = input.message.lines();
    let request = request(input, &lines, &body).ok()?;
    String::from_utf8(signature_base_of(&profile, &request).ok()?).ok()
}

/// The time of the verification.
pub(crate) fn now(input: &VerifyInput) -> Result<UnixSeconds, Failure> {
    let Some(now) = input.options.now.map(UnixSeconds::new) else { return Ok(SystemClock.now()) };
    match now.finer_unit() {
        Some(unit) => Err(Failure::invalid(format!(
            "now {now} looks like {unit}: write the time in Unix seconds"
        ))),
        None => Ok(now),
    }
}

fn request<'a>(
    input: &'a VerifyInput,
    lines: &'a [adcp_signing::rfc9421::FieldLine<'a>],
    body: &'a [u8],
) -> Result<Request<'a>, Failure> {
    Ok(Request::new(&input.message.method, &input.message.url, lines, body)
        .with_pseudo_authority(input.message.pseudo_authority()?))
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
        None if profile.digest_rule(DigestPolicy::Either) == DigestRule::Either => {
            Ok(RequestSigningCapability::supported_with(DigestPolicy::Either))
        }
        None => Ok(RequestSigningCapability::supported_with(DigestPolicy::Required)),
    }
}

fn transport(input: &VerifyInput) -> Result<Transport, Failure> {
    match input.options.transport.as_deref() {
        None | Some("rest") => Ok(match &input.options.operation {
            Some(operation) => Transport::Rest { operation: operation.clone() },
            None => Transport::RestPath,
        }),
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

impl ReplayStore for Capped {
    fn cap_reached<'a>(
        &'a self,
        key: ReplayKey<'a>,
        cap: u64,
        now: UnixSeconds,
    ) -> Answer<'a, bool, StoreError> {
        if self.keyid.as_deref() == Some(key.keyid()) {
            return Answer::now(Ok(true));
        }
        self.store.cap_reached(key, cap, now)
    }

    fn insert<'a>(
        &'a self,
        entry: ReplayEntry<'a>,
        now: UnixSeconds,
    ) -> Answer<'a, InsertOutcome, StoreError> {
        self.store.insert(entry, now)
    }
}

impl Accepted {
    /// Fails where no signature says who sent the message, unless that is allowed.
    pub(crate) fn require_signer(&self, allow_unsigned: bool) -> Result<(), Failure> {
        let why = match &self.verified {
            _ if allow_unsigned => return Ok(()),
            Verified::Signed(_) => return Ok(()),
            Verified::Fallback(_) => "another credential authenticates the message, no signature",
            Verified::Anonymous(_) if self.claims_a_signature => {
                "the endpoint does not verify the message's signature"
            }
            Verified::Anonymous(_) => "the message carries no signature",
        };
        let message = format!("{why}; --allow-unsigned accepts it");
        let operation = self.verified.operation().map(str::to_owned);
        Err(Failure::Unsigned { message, operation })
    }

    pub(crate) fn is_signed(&self) -> bool {
        self.signer().is_some()
    }

    fn signer(&self) -> Option<&VerifiedSigner> {
        match &self.verified {
            Verified::Signed(signer) => Some(signer),
            Verified::Fallback(_) | Verified::Anonymous(_) => None,
        }
    }

    fn shadow(&self) -> Option<&ShadowFinding> {
        match &self.verified {
            Verified::Fallback(fallback) => Fallback::shadow(fallback),
            Verified::Signed(_) | Verified::Anonymous(_) => None,
        }
    }

    /// What the endpoint does with the message.
    pub(crate) fn action(&self) -> &'static str {
        if self.shadow().is_some() { "accept_with_warning" } else { "accept" }
    }

    /// What authenticates the message, if anything.
    pub(crate) fn source(&self) -> Option<&'static str> {
        match &self.verified {
            Verified::Signed(_) => Some("signature"),
            Verified::Fallback(_) => Some("fallback"),
            Verified::Anonymous(_) => None,
        }
    }

    /// Where a signature failed that shadow mode let pass.
    pub(crate) fn failed_step(&self) -> Option<Step> {
        match self.shadow()? {
            ShadowFinding::Failed(rejection) => Some(rejection.step()),
            ShadowFinding::Unsigned => None,
        }
    }

    /// What shadow mode let pass.
    pub(crate) fn warning(&self) -> Option<String> {
        self.shadow().map(|finding| match finding {
            ShadowFinding::Failed(rejection) => Rejection::to_string(rejection),
            ShadowFinding::Unsigned => "an unsigned message".to_owned(),
        })
    }

    /// The answer to a line of `--ndjson`.
    pub(crate) fn to_json(&self) -> Value {
        let signer = self.signer();
        let mut answer = json!({
            "ok": true,
            "action": self.action(),
            "status": if signer.is_some() { "verified" } else { "unsigned" },
            "authentication_source": self.source(),
        });
        if let Some(members) = answer.as_object_mut() {
            if let Some(signer) = signer {
                members.insert("keyid".to_owned(), signer.keyid().into());
            }
            if self.kind == MessageKind::Request {
                members.insert("resolved_operation".to_owned(), self.verified.operation().into());
            }
            if let Some(signer) = signer {
                let base = String::from_utf8_lossy(signer.signature_base()).into_owned();
                members.insert("signature_base".to_owned(), base.into());
            }
        }
        answer
    }
}
