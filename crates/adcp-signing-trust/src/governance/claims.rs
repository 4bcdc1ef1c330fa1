//! The claims of a governance token, parsed once.

use adcp_signing_core::{
    UnixSeconds,
    json::{Document, JsonLimits, Kind, Value},
};

use super::{
    Commitment, JsonHash,
    refusal::{GovernanceCode::TokenInvalid, Refusal},
};

pub(super) const COMMITMENT: &str = "authorized_commitment";
pub(super) const TASK: &str = "authorized_task";
pub(super) const PAYLOAD_HASH: &str = "authorized_payload_hash";
/// The claims that change what is authorized: each stands in `crit`, is `true` in the header, and
/// is a claim.
pub(super) const CRITICAL: [&str; 3] = [COMMITMENT, TASK, PAYLOAD_HASH];
/// The longest life of a token: 30 days.
const MAX_LIFE: i64 = 30 * 24 * 60 * 60;

/// The gate that a token opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// A buyer's token on a governed request.
    Intent,
    /// The service's own check before it creates.
    Purchase,
    /// The service's own check before it changes.
    Modification,
    /// The service's own check of a delivery.
    Delivery,
}

impl Phase {
    /// As the claim states it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Intent => "intent",
            Self::Purchase => "purchase",
            Self::Modification => "modification",
            Self::Delivery => "delivery",
        }
    }

    fn from_claim(text: &str) -> Option<Self> {
        [Self::Intent, Self::Purchase, Self::Modification, Self::Delivery]
            .into_iter()
            .find(|phase| phase.as_str() == text)
    }
}

/// Which task, with which request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TaskBinding {
    pub(super) task: String,
    pub(super) request: JsonHash,
}

/// What the issuer signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claims {
    pub(super) iss: String,
    pub(super) sub: String,
    pub(super) aud: String,
    pub(super) plan_hash: JsonHash,
    pub(super) iat: UnixSeconds,
    pub(super) nbf: Option<UnixSeconds>,
    pub(super) exp: UnixSeconds,
    pub(super) jti: String,
    pub(super) phase: Phase,
    pub(super) caller: String,
    pub(super) check_id: String,
    pub(super) media_buy_id: Option<String>,
    pub(super) commitment: Option<Commitment>,
    pub(super) binding: Option<TaskBinding>,
    pub(super) runtime_attestations: Option<String>,
}

impl Claims {
    /// Reads the payload, and holds the three critical claims against those that `crit` lists.
    pub(super) fn parse(payload: &[u8], critical: &[&str]) -> Result<Self, Refusal> {
        let document = Document::without_duplicates(payload, &JsonLimits::default())
            .map_err(|error| invalid(1, "the claims are not strict JSON").because(error))?;
        let root = document.root();
        if root.kind() != Kind::Object {
            return Err(invalid(1, "the claims are not a JSON object"));
        }
        for name in CRITICAL {
            if root.member(name).is_some() != critical.contains(&name) {
                return Err(invalid(
                    4,
                    "a claim that changes what is authorized stands without its marker in the \
                     header and in `crit`, or they stand without the claim",
                ));
            }
        }
        let claims = Reader(root);
        let plan_hash = JsonHash::from_claim(&claims.text("plan_hash")?)
            .ok_or_else(|| invalid(1, "`plan_hash` is not 32 bytes in Base64url"))?;
        let iat = claims.time("iat")?.ok_or_else(|| invalid(9, "`iat` is missing"))?;
        let exp = claims.time("exp")?.ok_or_else(|| invalid(9, "`exp` is missing"))?;
        let phase = Phase::from_claim(&claims.text("phase")?)
            .ok_or_else(|| invalid(11, "`phase` is not one that the standard has"))?;
        let media_buy_id = claims.optional_text("media_buy_id")?;
        match (phase, &media_buy_id) {
            (Phase::Intent, Some(_)) => {
                return Err(invalid(12, "an intent token names a media buy"));
            }
            (Phase::Modification | Phase::Delivery, None) => {
                return Err(invalid(12, "`media_buy_id` is missing"));
            }
            _ => {}
        }
        let binding = claims.binding()?;
        if phase == Phase::Intent && binding.is_none() {
            return Err(invalid(12, "an intent token names no task and no request"));
        }
        Ok(Self {
            iss: claims.text("iss")?,
            sub: claims.text("sub")?,
            aud: claims.text("aud")?,
            plan_hash,
            iat,
            nbf: claims.time("nbf")?,
            exp,
            jti: claims.text("jti")?,
            phase,
            caller: claims.text("caller")?,
            check_id: claims.text("check_id")?,
            media_buy_id,
            commitment: claims.commitment()?,
            binding,
            runtime_attestations: claims.optional_text("runtime_attestation_binding_digest")?,
        })
    }

    /// Step 9: the life of a token bounds how long its `jti` is remembered.
    pub(super) fn check_life(&self) -> Result<(), Refusal> {
        if (1..=MAX_LIFE).contains(&self.exp.since(self.iat)) {
            Ok(())
        } else {
            Err(invalid(9, "`exp` is not within 30 days after `iat`"))
        }
    }
}

struct Reader<'d, 'a>(Value<'d, 'a>);

impl Reader<'_, '_> {
    fn text(&self, name: &'static str) -> Result<String, Refusal> {
        self.optional_text(name)?.ok_or_else(|| invalid(1, missing(name)))
    }

    fn optional_text(&self, name: &'static str) -> Result<Option<String>, Refusal> {
        let Some(value) = self.0.member(name) else { return Ok(None) };
        let text = value.as_str().filter(|text| !text.is_empty());
        Ok(Some(text.ok_or_else(|| invalid(1, "a claim is empty or is not a text"))?.into_owned()))
    }

    fn time(&self, name: &'static str) -> Result<Option<UnixSeconds>, Refusal> {
        let Some(value) = self.0.member(name) else { return Ok(None) };
        // The largest is in the year 9999, so that no sum overflows.
        let seconds = value.as_u64().filter(|seconds| *seconds < 253_402_300_800);
        let seconds = seconds.and_then(|seconds| i64::try_from(seconds).ok());
        let seconds = seconds.ok_or_else(|| invalid(9, "a time is not in whole Unix seconds"))?;
        Ok(Some(UnixSeconds::new(seconds)))
    }

    fn binding(&self) -> Result<Option<TaskBinding>, Refusal> {
        match (self.optional_text(TASK)?, self.optional_text(PAYLOAD_HASH)?) {
            (None, None) => Ok(None),
            (Some(task), Some(hash)) => {
                let request = JsonHash::from_claim(&hash).ok_or_else(|| {
                    invalid(12, "`authorized_payload_hash` is not 32 bytes in Base64url")
                })?;
                Ok(Some(TaskBinding { task, request }))
            }
            _ => Err(invalid(4, "a task and the hash of its request do not stand together")),
        }
    }

    fn commitment(&self) -> Result<Option<Commitment>, Refusal> {
        let Some(value) = self.0.member(COMMITMENT) else { return Ok(None) };
        let amount = value.member("amount").and_then(|amount| amount.as_number());
        let currency = value.member("currency").and_then(|currency| currency.as_str());
        let (Some(amount), Some(currency)) = (amount, currency) else {
            return Err(invalid(12, "`authorized_commitment` lacks its amount or its currency"));
        };
        let commitment = Commitment::new(amount, &currency)
            .map_err(|error| invalid(12, "`authorized_commitment` is malformed").because(error))?;
        Ok(Some(commitment))
    }
}

fn missing(name: &'static str) -> &'static str {
    match name {
        "iss" => "`iss` is missing",
        "sub" => "`sub` is missing",
        "aud" => "`aud` is missing",
        "jti" => "`jti` is missing",
        "caller" => "`caller` is missing",
        "phase" => "`phase` is missing",
        "plan_hash" => "`plan_hash` is missing",
        _ => "a required claim is missing",
    }
}

fn invalid(step: u8, detail: &'static str) -> Refusal {
    Refusal::new(TokenInvalid, step, detail)
}
