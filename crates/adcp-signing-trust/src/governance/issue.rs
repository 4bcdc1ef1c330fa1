//! The governance agent's side: a token, signed with any provider.

use adcp_signing_core::{
    Algorithm, InvalidSignature, KeyPurpose, ProviderError, SigningProvider, UnixSeconds,
};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde_json::{Map, Value, json};

use super::{
    Commitment, JsonHash, Phase, Refusal,
    claims::{COMMITMENT, CRITICAL, Claims, PAYLOAD_HASH, TASK},
    verifier::{MAX_TOKEN_BYTES, TYP},
};
use crate::jws::signing_input;

/// What a governance agent decided, to be signed with [`sign`](Self::sign).
///
/// What has to be there is asked for at once; the rest is added by name.
#[derive(Debug, Clone)]
pub struct GovernanceToken {
    claims: Map<String, Value>,
}

/// Who issues a token, for whom.
#[derive(Debug, Clone, Copy)]
pub struct TokenParties<'a> {
    /// The governance agent's URL, as the buyer's brand.json lists it.
    pub issuer: &'a str,
    /// The service's URL, as its `adagents.json` lists it.
    pub audience: &'a str,
    /// Who asked for the check.
    pub caller: &'a str,
}

/// What names a decision.
#[derive(Debug, Clone, Copy)]
pub struct Decision<'a> {
    /// The opaque name of the action, one for each action and service.
    pub subject: &'a str,
    /// The token's identifier, never used before.
    pub jti: &'a str,
    /// The governance agent's name of its decision.
    pub check_id: &'a str,
    /// The hash of the plan that was evaluated.
    pub plan_hash: JsonHash,
}

/// Why a token was not signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignTokenError {
    /// The key is for something else.
    #[error(
        "a governance token is signed with a key for governance-signing, not for {}", .0.as_str()
    )]
    Purpose(KeyPurpose),
    /// The key's algorithm is not allowed.
    #[error("a governance token is signed with Ed25519 or ECDSA P-256, not with {0}")]
    Algorithm(Algorithm),
    /// A verifier would refuse the token.
    #[error("every verifier would refuse the token: {0}")]
    Claims(#[source] Refusal),
    /// The token would be too long for the envelope of a task.
    #[error("the token has {length} characters; a task carries {max}", max = MAX_TOKEN_BYTES)]
    TooLong {
        /// How long it would be.
        length: usize,
    },
    /// The key did not sign.
    #[error("the key did not sign the governance token: {0}")]
    Provider(#[from] ProviderError),
    /// What the key service returned is not a signature of its own key.
    #[error("the signature that the key service returned does not verify: {0}")]
    Invalid(#[from] InvalidSignature),
}

impl GovernanceToken {
    /// A buyer's token for one task with one request.
    pub fn intent(
        parties: TokenParties<'_>,
        decision: Decision<'_>,
        issued_at: UnixSeconds,
        expires_at: UnixSeconds,
        (task, request): (&str, JsonHash),
    ) -> Self {
        let mut token = Self::new(Phase::Intent, parties, decision, issued_at, expires_at);
        token.set(TASK, json!(task));
        token.set(PAYLOAD_HASH, json!(request.to_claim()));
        token
    }

    /// A service's token before it acts.
    pub fn execution(
        phase: Phase,
        parties: TokenParties<'_>,
        decision: Decision<'_>,
        issued_at: UnixSeconds,
        expires_at: UnixSeconds,
    ) -> Self {
        Self::new(phase, parties, decision, issued_at, expires_at)
    }

    fn new(
        phase: Phase,
        parties: TokenParties<'_>,
        decision: Decision<'_>,
        issued_at: UnixSeconds,
        expires_at: UnixSeconds,
    ) -> Self {
        let mut token = Self { claims: Map::new() };
        for (name, value) in [
            ("iss", json!(parties.issuer)),
            ("sub", json!(decision.subject)),
            ("plan_hash", json!(decision.plan_hash.to_claim())),
            ("aud", json!(parties.audience)),
            ("iat", json!(issued_at.as_i64())),
            ("exp", json!(expires_at.as_i64())),
            ("jti", json!(decision.jti)),
            ("phase", json!(phase.as_str())),
            ("caller", json!(parties.caller)),
            ("check_id", json!(decision.check_id)),
        ] {
            token.set(name, value);
        }
        token
    }

    /// Allows to commit this much.
    #[must_use]
    pub fn with_ceiling(mut self, ceiling: &Commitment) -> Self {
        // The amount is a JSON number as it was written, which `Commitment` has checked.
        let amount: Value = serde_json::from_str(&ceiling.amount().to_string()).unwrap_or_default();
        let currency = ceiling.currency().as_str();
        self.set(COMMITMENT, json!({"amount": amount, "currency": currency}));
        self
    }

    /// Names the media buy.
    #[must_use]
    pub fn with_media_buy_id(mut self, media_buy_id: &str) -> Self {
        self.set("media_buy_id", json!(media_buy_id));
        self
    }

    /// States the hash of the log of the policies that were evaluated.
    #[must_use]
    pub fn with_policy_decision_hash(mut self, hash: &str) -> Self {
        self.set("policy_decision_hash", json!(hash));
        self
    }

    /// Signs the token, and verifies the signature before it returns. The key has to be in the JWKS
    /// of the governance agent under its `kid`.
    ///
    /// # Errors
    /// [`SignTokenError`].
    pub async fn sign(
        &self,
        provider: &(impl SigningProvider + ?Sized),
    ) -> Result<String, SignTokenError> {
        let (kid, algorithm) = (provider.key_id(), provider.algorithm());
        if *provider.purpose() != KeyPurpose::GovernanceSigning {
            return Err(SignTokenError::Purpose(provider.purpose().clone()));
        }
        if !matches!(algorithm, Algorithm::Ed25519 | Algorithm::EcdsaP256Sha256) {
            return Err(SignTokenError::Algorithm(algorithm));
        }
        let critical: Vec<_> =
            CRITICAL.into_iter().filter(|name| self.claims.contains_key(*name)).collect();
        let claims = Value::Object(self.claims.clone()).to_string();
        let parsed = Claims::parse(claims.as_bytes(), &critical).map_err(SignTokenError::Claims)?;
        parsed.check_life().map_err(SignTokenError::Claims)?;
        let mut header = json!({ "alg": algorithm.jose_name(), "kid": kid, "typ": TYP });
        if let Some(header) = header.as_object_mut().filter(|_| !critical.is_empty()) {
            header.insert("crit".to_owned(), json!(critical));
            header.extend(critical.iter().map(|name| ((*name).to_owned(), json!(true))));
        }
        let encode = |bytes: &[u8]| Base64UrlUnpadded::encode_string(bytes);
        let (header, claims) = (encode(header.to_string().as_bytes()), encode(claims.as_bytes()));
        let input = signing_input(&header, &claims);
        let signed = provider.sign(&input).await?;
        provider.public_key().await?.verify(&input, &signed.signature)?;
        let token = [header, claims, encode(signed.signature.as_bytes())].join(".");
        if token.len() > MAX_TOKEN_BYTES {
            return Err(SignTokenError::TooLong { length: token.len() });
        }
        Ok(token)
    }

    fn set(&mut self, name: &str, value: Value) {
        self.claims.insert(name.to_owned(), value);
    }
}
