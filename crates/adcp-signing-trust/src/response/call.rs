//! `Call`: what a signed response answers, which both sides derive for themselves.

use adcp_signing_core::{resolver::canonical_url, target_uri::TargetUriError};
use serde_json::{Map, Value, json};

use crate::jcs::{CanonicalJsonError, canonical, read_object, sha256};

/// A task whose responses are signed. The list is closed in AdCP 3.x.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DesignatedTask {
    /// `verify_brand_claim`.
    VerifyBrandClaim,
    /// `verify_brand_claims`.
    VerifyBrandClaims,
}

/// Who calls, as the transport or the credential proved it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallerIdentity {
    /// The caller signed its request: the URL of its agent.
    SignedAgentUrl(String),
    /// The caller has a client id that the brand agent issued.
    ApiClientId(String),
    /// The caller has a TLS certificate with this subject alternative name.
    MtlsSan(String),
    /// Nobody proved who calls. Such a response is bound to no caller, so anybody's identical
    /// request has the same answer.
    Unauthenticated,
}

/// The call that a response answers: the task, the brand, the agent, the caller and the request.
///
/// Both sides make it from what they know themselves. The brand agent takes the brand from its own
/// tenant resolution, and the caller never takes it from the response.
#[derive(Clone)]
pub struct Call {
    pub(super) task: DesignatedTask,
    pub(super) brand_domain: String,
    pub(super) agent_url: String,
    pub(super) caller: CallerIdentity,
    caller_identity: Value,
    request: Map<String, Value>,
}

/// Why there is no such call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The brand domain is not a lower-case host name.
    #[error("the brand domain is not a lower-case host name of letters, digits and hyphens")]
    BrandDomain,
    /// The URL of the brand agent, or of the caller, has no canonical form.
    #[error("the URL of an agent has no canonical form: {0}")]
    AgentUrl(#[from] TargetUriError),
    /// The identity of the caller is empty or has a character that is not visible ASCII.
    #[error("the identity of the caller has to be visible ASCII, and not empty")]
    Caller,
    /// The request has no canonical form.
    #[error("the request cannot be bound to a response: {0}")]
    Request(#[from] CanonicalJsonError),
}

impl DesignatedTask {
    /// The name of the task.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::VerifyBrandClaim => "verify_brand_claim",
            Self::VerifyBrandClaims => "verify_brand_claims",
        }
    }
}

impl CallerIdentity {
    /// The typed canonical text that is hashed.
    fn canonical(&self) -> Result<Value, CallError> {
        let typed = |kind: &str, text: &str| {
            let is_visible = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
            is_visible.then(|| json!(format!("{kind}:{text}"))).ok_or(CallError::Caller)
        };
        match self {
            Self::SignedAgentUrl(url) => typed("signed-agent-url", canonical_url(url)?.as_str()),
            Self::ApiClientId(id) => typed("api-client-id", id),
            Self::MtlsSan(name) => typed("mtls-san", &name.to_ascii_lowercase()),
            Self::Unauthenticated => Ok(Value::Null),
        }
    }
}

impl Call {
    /// A call of this task: `request` is the JSON object of its arguments, as it was sent.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn new(
        task: DesignatedTask,
        brand_domain: &str,
        agent_url: &str,
        caller: CallerIdentity,
        request: &[u8],
    ) -> Result<Self, CallError> {
        if !is_host_name(brand_domain) {
            return Err(CallError::BrandDomain);
        }
        Ok(Self {
            task,
            brand_domain: brand_domain.to_owned(),
            agent_url: canonical_url(agent_url)?.as_str().to_owned(),
            caller_identity: caller.canonical()?,
            caller,
            request: read_object(request)?,
        })
    }

    /// `sha256:` and the digest of the canonical binding object.
    pub(super) fn request_hash(&self, brand_domain: &str) -> Result<String, CanonicalJsonError> {
        let binding = json!({
            "task": self.task.as_str(),
            "brand_domain": brand_domain,
            "agent_url": self.agent_url,
            "caller_identity": self.caller_identity,
            "request": self.request,
        });
        Ok(format!("sha256:{}", sha256(&canonical(&binding)?)))
    }
}

/// The pattern of `brand_domain` in the schema of the envelope.
fn is_host_name(text: &str) -> bool {
    text.len() <= 253
        && text.split('.').all(|label| {
            let inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
            !label.is_empty()
                && label.bytes().all(|byte| inside(byte) || byte == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        })
}

impl std::fmt::Debug for Call {
    /// Without the request.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Call")
            .field("task", &self.task)
            .field("brand_domain", &self.brand_domain)
            .field("agent_url", &self.agent_url)
            .finish_non_exhaustive()
    }
}
