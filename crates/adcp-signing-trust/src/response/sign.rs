//! The brand agent's side: a response, signed with any provider.

use adcp_signing_core::{
    Algorithm, InvalidSignature, KeyPurpose, ProviderError, SigningProvider, UnixSeconds,
};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde_json::{Map, Value, json};

use super::{Call, ENVELOPE, PROTOCOL_MEMBERS, TYP};
use crate::{
    jcs::{CanonicalJsonError, canonical, read_object},
    jws::signing_input,
};

/// A response with its envelope, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedResponse(Map<String, Value>);

/// Why a response was not signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignResponseError {
    /// The key is for something else.
    #[error("a response is signed with a key for response-signing, not for {}", .0.as_str())]
    Purpose(KeyPurpose),
    /// The key's algorithm is not allowed.
    #[error("a response is signed with Ed25519 or ECDSA P-256, not with {0}")]
    Algorithm(Algorithm),
    /// The response has no canonical form.
    #[error("the response cannot be signed: {0}")]
    Response(#[from] CanonicalJsonError),
    /// The response has an envelope already.
    #[error("the response has a `signed_response` already; sign the response of the task alone")]
    AlreadySigned,
    /// The times are before 1970, or the response would expire before it is issued.
    #[error("a response has to be issued in 1970 or later, and to live for a second at least")]
    Lifetime,
    /// The key did not sign.
    #[error("the key did not sign the response: {0}")]
    Provider(#[from] ProviderError),
    /// What the key service returned is not a signature of its own key.
    #[error("the signature that the key service returned does not verify: {0}")]
    Invalid(#[from] InvalidSignature),
}

/// Signs the response to this call, and verifies the signature before it returns.
///
/// `response` is the JSON object that the task answers. Members of the protocol (`status`,
/// `message` and so on) stay outside the envelope. Let the response live no longer, in seconds,
/// than its `Cache-Control: max-age`. Services limit what they sign at once: AWS KMS takes 4,096 bytes
/// with Ed25519.
///
/// # Errors
/// [`SignResponseError`].
pub async fn sign_response(
    provider: &(impl SigningProvider + ?Sized),
    call: &Call,
    response: &[u8],
    issued: UnixSeconds,
    lifetime: u32,
) -> Result<SignedResponse, SignResponseError> {
    let (kid, algorithm) = (provider.key_id(), provider.algorithm());
    if *provider.purpose() != KeyPurpose::ResponseSigning {
        return Err(SignResponseError::Purpose(provider.purpose().clone()));
    }
    if !matches!(algorithm, Algorithm::Ed25519 | Algorithm::EcdsaP256Sha256) {
        return Err(SignResponseError::Algorithm(algorithm));
    }
    if lifetime == 0 || issued.as_i64() < 0 {
        return Err(SignResponseError::Lifetime);
    }
    let mut outer = read_object(response)?;
    if outer.contains_key(ENVELOPE) {
        return Err(SignResponseError::AlreadySigned);
    }
    let mut task_body = outer.clone();
    task_body.retain(|name, _| !PROTOCOL_MEMBERS.contains(&name.as_str()));
    let payload = json!({
        "typ": TYP,
        "task": call.task.as_str(),
        "brand_domain": call.brand_domain,
        "agent_url": call.agent_url,
        "request_hash": call.request_hash(&call.brand_domain)?,
        "iat": issued.as_i64(),
        "exp": issued.plus(lifetime.into()).as_i64(),
        "response": task_body,
    });
    let header = json!({ "alg": algorithm.jose_name(), "kid": kid, "typ": TYP });
    let protected = Base64UrlUnpadded::encode_string(header.to_string().as_bytes());
    let encoded = Base64UrlUnpadded::encode_string(&canonical(&payload)?);
    let input = signing_input(&protected, &encoded);
    let signed = provider.sign(&input).await?;
    provider.public_key().await?.verify(&input, &signed.signature)?;
    let signature = Base64UrlUnpadded::encode_string(signed.signature.as_bytes());
    let envelope = json!({ "protected": protected, "payload": payload, "signature": signature });
    outer.insert(ENVELOPE.to_owned(), envelope);
    Ok(SignedResponse(outer))
}

impl SignedResponse {
    /// The whole response: the members that were given, and `signed_response`.
    pub fn to_json(&self) -> String {
        Value::Object(self.0.clone()).to_string()
    }
}
