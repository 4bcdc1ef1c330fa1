//! The caller's side: the ten steps, each from what the step before it established.

use std::{fmt, sync::Arc};

use adcp_signing_core::{
    Clock, KeyPurpose, KeyQuery, KeyResolver, Profile, RevocationSource, RevocationStatus,
    Signature, SystemClock, UnixSeconds, VerificationKey, WireVersion,
};
use serde_json::{Map, Value};

use super::{Call, CallerIdentity, ENVELOPE, PROTOCOL_MEMBERS, ResponseRefusal, TYP};
use crate::{
    jcs::{canonical, read_object},
    jws::Jws,
    published_test_keys::is_published_test_key,
};

/// How far the clocks of both sides may differ, in seconds.
const SKEW: i64 = 60;

/// Verifies signed responses.
///
/// Keys come from a resolver that is asked for the agent of the call, and revocation lists say
/// whether they still hold: a key that no fresh list speaks for is refused.
#[derive(Clone)]
pub struct ResponseVerifier {
    keys: Arc<dyn KeyResolver>,
    revocation: Arc<dyn RevocationSource>,
    clock: Arc<dyn Clock>,
    accept_published_test_keys: bool,
}

/// A response that passed all ten steps.
///
/// It proves that the key signed this answer to this call. Whether the key may speak for the brand
/// is not decided, so the answer alone never extends or revokes trust in a relationship.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct VerifiedResponse {
    response: String,
    key: Arc<VerificationKey>,
    brand_domain: String,
    agent_url: String,
    is_bound_to_caller: bool,
    expires: UnixSeconds,
}

impl ResponseVerifier {
    /// Verifies with these keys and these revocation lists, at the system's time.
    pub fn new(
        keys: impl KeyResolver + 'static,
        revocation: impl RevocationSource + 'static,
    ) -> Self {
        Self {
            keys: Arc::new(keys),
            revocation: Arc::new(revocation),
            clock: Arc::new(SystemClock),
            accept_published_test_keys: false,
        }
    }

    /// Sets the clock: the system's.
    #[must_use]
    pub fn clock(self, clock: impl Clock + 'static) -> Self {
        Self { clock: Arc::new(clock), ..self }
    }

    /// Accepts the test keys of the AdCP vectors and of the RFCs, whose private halves everybody
    /// has. For tests alone.
    #[must_use]
    pub fn accept_published_test_keys_in_tests(self) -> Self {
        Self { accept_published_test_keys: true, ..self }
    }

    /// Verifies the response to this call: `response` is the JSON object that the task answered.
    ///
    /// # Errors
    /// [`ResponseRefusal`], which names the step and, where the standard has one, the code.
    pub async fn verify(
        &self,
        call: &Call,
        response: &[u8],
    ) -> Result<VerifiedResponse, ResponseRefusal> {
        let received = Received::read(response)?;
        let jws = received.jws()?;
        let [signature] = jws.signatures() else {
            return Err(ResponseRefusal::Envelope { member: "signature" });
        };
        let key = self.key(&signature.kid, call).await?;
        let wrong =
            |reason: String| ResponseRefusal::WrongKey { kid: key.kid().to_owned(), reason };
        let (Some(public), Some(purpose)) = (key.public_key(), key.purpose()) else {
            let reason = key.unusable().map(ToString::to_string);
            return Err(wrong(reason.unwrap_or_default()));
        };
        if is_published_test_key(public) && !self.accept_published_test_keys {
            return Err(wrong(
                "it is a published test key, with which anybody can sign".to_owned(),
            ));
        }
        if *purpose != KeyPurpose::ResponseSigning {
            return Err(wrong(format!("its `adcp_use` is {:?}", purpose.as_str())));
        }
        if public.algorithm() != signature.algorithm {
            return Err(wrong("its algorithm is not the one of the signature".to_owned()));
        }
        self.check_revocation(&key).await?;
        let raw = Signature::from_raw(signature.algorithm, &signature.bytes).ok();
        if raw.is_none_or(|raw| public.verify(&jws.signing_input(signature), &raw).is_err()) {
            return Err(ResponseRefusal::Signature { kid: key.kid().to_owned() });
        }
        Authentic { received, key }.bind(call, self.clock.now())
    }

    async fn key(&self, kid: &str, call: &Call) -> Result<Arc<VerificationKey>, ResponseRefusal> {
        // A query is made under a profile of requests; its purposes are not those of responses, so
        // the purpose is checked here, on the key.
        let profile = Profile::request(WireVersion::V3_2);
        let query = KeyQuery::new(kid, &profile).with_counterparty(&call.agent_url);
        let key = self.keys.resolve(query).await?;
        key.ok_or_else(|| ResponseRefusal::UnknownKey { kid: kid.to_owned() })
    }

    async fn check_revocation(&self, key: &VerificationKey) -> Result<(), ResponseRefusal> {
        let reason = match self.revocation.check(key, self.clock.now()).await {
            Ok(RevocationStatus::Good) => return Ok(()),
            Ok(RevocationStatus::Revoked) => "is revoked".to_owned(),
            Ok(RevocationStatus::Stale) => "its revocation list is out of date".to_owned(),
            Err(error) => format!("whether it is revoked is not known: {error}"),
        };
        Err(ResponseRefusal::Revocation { kid: key.kid().to_owned(), reason })
    }
}

impl fmt::Debug for ResponseVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseVerifier").field("keys", &self.keys).finish_non_exhaustive()
    }
}

/// Step 1: a response whose envelope has its three members, of their types.
struct Received {
    outer: Map<String, Value>,
    protected: String,
    payload: Map<String, Value>,
    signature: String,
}

impl Received {
    fn read(response: &[u8]) -> Result<Self, ResponseRefusal> {
        let mut outer = read_object(response)?;
        let missing = |member| ResponseRefusal::Envelope { member };
        let Some(Value::Object(mut envelope)) = outer.remove(ENVELOPE) else {
            return Err(missing(ENVELOPE));
        };
        let Some(Value::String(protected)) = envelope.remove("protected") else {
            return Err(missing("protected"));
        };
        let Some(Value::Object(payload)) = envelope.remove("payload") else {
            return Err(missing("payload"));
        };
        let Some(Value::String(signature)) = envelope.remove("signature") else {
            return Err(missing("signature"));
        };
        if !envelope.is_empty() {
            return Err(missing(ENVELOPE));
        }
        Ok(Self { outer, protected, payload, signature })
    }

    /// Step 2, and the signing input of step 4.
    fn jws(&self) -> Result<Jws<'_>, ResponseRefusal> {
        let payload = canonical(&Value::Object(self.payload.clone()))?;
        Ok(Jws::of_parts(&self.protected, payload, &self.signature, TYP)?)
    }
}

/// Steps 1 to 4: the key signed the payload.
struct Authentic {
    received: Received,
    key: Arc<VerificationKey>,
}

impl Authentic {
    /// Steps 5 to 10: the payload answers this call, now.
    fn bind(mut self, call: &Call, now: UnixSeconds) -> Result<VerifiedResponse, ResponseRefusal> {
        let text = |member| self.received.payload.get(member).and_then(Value::as_str);
        let time = |member| {
            let seconds = self.received.payload.get(member).and_then(Value::as_u64);
            let seconds = seconds.and_then(|seconds| i64::try_from(seconds).ok());
            seconds.map(UnixSeconds::new).ok_or(ResponseRefusal::Envelope { member })
        };
        if text("typ") != Some(TYP) {
            return Err(ResponseRefusal::Type);
        }
        if text("task") != Some(call.task.as_str()) {
            return Err(ResponseRefusal::Task);
        }
        let (issued, expires) = (time("iat")?, time("exp")?);
        if expires <= now.minus(SKEW) {
            return Err(ResponseRefusal::Expired);
        }
        if issued > now.plus(SKEW) {
            return Err(ResponseRefusal::NotYetIssued);
        }
        if expires <= issued {
            return Err(ResponseRefusal::Envelope { member: "exp" });
        }
        // The agent is part of what is hashed, and the payload has to name the same one. The brand
        // is hashed as the payload has it: step 9 compares it, under a code of its own.
        let brand_domain =
            text("brand_domain").ok_or(ResponseRefusal::Envelope { member: "brand_domain" })?;
        let request_hash = call.request_hash(brand_domain)?;
        if text("request_hash") != Some(&*request_hash)
            || text("agent_url") != Some(&*call.agent_url)
        {
            return Err(ResponseRefusal::RequestHash);
        }
        if brand_domain != call.brand_domain {
            return Err(ResponseRefusal::Tenant);
        }
        let Some(Value::Object(signed)) = self.received.payload.remove("response") else {
            return Err(ResponseRefusal::Envelope { member: "response" });
        };
        for (name, value) in &self.received.outer {
            if PROTOCOL_MEMBERS.contains(&name.as_str()) {
                continue;
            }
            // Compared in their canonical form: 1 and 1.0 are one number.
            let signed = signed.get(name).ok_or(ResponseRefusal::Inconsistent)?;
            if canonical(signed)? != canonical(value)? {
                return Err(ResponseRefusal::Inconsistent);
            }
        }
        Ok(VerifiedResponse {
            response: Value::Object(signed).to_string(),
            key: self.key,
            brand_domain: call.brand_domain.clone(),
            agent_url: call.agent_url.clone(),
            is_bound_to_caller: call.caller != CallerIdentity::Unauthenticated,
            expires,
        })
    }
}

impl VerifiedResponse {
    /// The response as it was signed, as JSON. Use this one, and not the fields around it.
    pub fn response(&self) -> &str {
        &self.response
    }

    /// The key that signed.
    pub fn key(&self) -> &VerificationKey {
        &self.key
    }

    /// The brand that the agent claims to answer for.
    pub fn claimed_brand_domain(&self) -> &str {
        &self.brand_domain
    }

    /// The canonical URL of the agent whose key signed.
    pub fn agent_url(&self) -> &str {
        &self.agent_url
    }

    /// Whether the response is bound to an authenticated caller. One that is not is weaker
    /// evidence.
    pub fn is_bound_to_caller(&self) -> bool {
        self.is_bound_to_caller
    }

    /// From when on the response is evidence of the past alone.
    pub fn expires(&self) -> UnixSeconds {
        self.expires
    }
}
