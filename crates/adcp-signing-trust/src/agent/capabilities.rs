//! What an agent's capabilities say of its identity (steps 1 and 2 of the discovery).

use std::fmt;

use adcp_signing_core::{
    Answer,
    json::{Document, JsonLimits, Kind, StrictJsonError, Value},
};

use super::purpose::KeyOriginPurpose;
use crate::{brand::AgentUrl, fetch::FetchError};

/// How much is read of a capabilities response: 64 KiB.
pub(super) const MAX_BYTES: usize = 64 * 1024;
const MAX_DEPTH: usize = 32;

/// Asks an agent for its `get_adcp_capabilities` (step 1): over MCP by
/// [`McpCapabilities`](super::McpCapabilities); over another protocol by an implementation of yours.
///
/// An implementation has to ask over HTTPS, to public addresses alone and without following
/// redirects, and reads 64 KiB at most: [`Fetcher`](crate::fetch::Fetcher) does. At most one call for
/// each agent is under way.
pub trait FetchCapabilities: Send + Sync + fmt::Debug {
    /// What the agent answers now.
    ///
    /// # Errors
    /// [`CapabilitiesError`].
    fn capabilities<'a>(
        &'a self,
        agent: &'a AgentUrl,
    ) -> Answer<'a, AgentCapabilities, CapabilitiesError>;
}

/// Why an agent's capabilities are not known (`request_signature_capabilities_unreachable`). For
/// the log, never for the counterparty.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CapabilitiesError {
    /// The agent could not be reached, or answered with an error.
    #[error("the agent did not answer: {0}")]
    Fetch(#[from] FetchError),
    /// The answer is not strict JSON.
    #[error("the answer is not strict JSON: {0}")]
    Json(#[from] StrictJsonError),
    /// The answer is not what the protocol wants there.
    #[error("the answer is not a capabilities response: {0}")]
    Answer(&'static str),
    /// The agent answered with an error of its protocol.
    #[error("the agent answered with an error of its protocol")]
    Refused,
}

/// The members of a capabilities response that lead to the agent's keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AgentCapabilities {
    pub(super) brand_json_url: Option<String>,
    pub(super) key_origins: Vec<(KeyOriginPurpose, String)>,
    pub(super) signs_requests: bool,
    pub(super) signs_webhooks: bool,
}

impl AgentCapabilities {
    /// Reads the payload of a `get_adcp_capabilities` response: over MCP `structuredContent`.
    ///
    /// # Errors
    /// [`CapabilitiesError`].
    pub fn from_json(json: &[u8]) -> Result<Self, CapabilitiesError> {
        if json.len() > MAX_BYTES {
            return Err(FetchError::TooLarge { max: MAX_BYTES }.into());
        }
        Self::read(document(json)?.root())
    }

    /// The `identity.brand_json_url`, as the agent wrote it.
    pub fn brand_json_url(&self) -> Option<&str> {
        self.brand_json_url.as_deref()
    }

    pub(super) fn read(payload: Value<'_, '_>) -> Result<Self, CapabilitiesError> {
        if payload.kind() != Kind::Object {
            return Err(CapabilitiesError::Answer("its payload is not an object"));
        }
        let mut read = Self::default();
        if let Some(identity) = object(payload, "identity", "`identity` is not an object")? {
            if let Some(url) = identity.member("brand_json_url") {
                let text = url.as_str();
                let text = text.ok_or(CapabilitiesError::Answer(
                    "`identity.brand_json_url` is not a string",
                ))?;
                read.brand_json_url = Some(text.into_owned());
            }
            let what = "`identity.key_origins` is not an object";
            if let Some(origins) = object(identity, "key_origins", what)? {
                for (name, origin) in origins.members() {
                    // Purposes that are not verified here are nobody's here.
                    let Some(purpose) = KeyOriginPurpose::of_name(&name) else { continue };
                    let origin = origin.as_str().ok_or(CapabilitiesError::Answer(
                        "a member of `identity.key_origins` is not a string",
                    ))?;
                    read.key_origins.push((purpose, origin.into_owned()));
                }
            }
        }
        let what = "`request_signing` is not an object";
        if let Some(requests) = object(payload, "request_signing", what)? {
            read.signs_requests = [
                "supported_for",
                "required_for",
                "protocol_methods_supported_for",
                "protocol_methods_required_for",
            ]
            .iter()
            .any(|list| requests.member(list).is_some_and(|list| list.elements().next().is_some()));
        }
        let what = "`webhook_signing` is not an object";
        if let Some(webhooks) = object(payload, "webhook_signing", what)? {
            let supported = webhooks.member("supported");
            read.signs_webhooks = supported.is_some_and(is_true);
        }
        Ok(read)
    }

    /// The origin that is declared for a purpose.
    pub(super) fn key_origin(&self, purpose: KeyOriginPurpose) -> Option<&str> {
        let mut declared = self.key_origins.iter().filter(|(of, _)| *of == purpose);
        declared.next().map(|(_, origin)| origin.as_str())
    }

    /// Whether the agent declares that it signs for a purpose.
    pub(super) fn signs(&self, purpose: KeyOriginPurpose) -> bool {
        match purpose {
            KeyOriginPurpose::RequestSigning => self.signs_requests,
            KeyOriginPurpose::WebhookSigning => self.signs_webhooks,
        }
    }
}

/// A document within the bounds of capabilities.
pub(super) fn document(json: &[u8]) -> Result<Document<'_>, StrictJsonError> {
    let limits = JsonLimits::default().with_max_depth(MAX_DEPTH);
    Document::without_duplicates(json, &limits)
}

fn object<'d, 'a>(
    value: Value<'d, 'a>,
    name: &str,
    what: &'static str,
) -> Result<Option<Value<'d, 'a>>, CapabilitiesError> {
    match value.member(name) {
        Some(member) if member.kind() != Kind::Object => Err(CapabilitiesError::Answer(what)),
        member => Ok(member),
    }
}

fn is_true(value: Value<'_, '_>) -> bool {
    value.as_bool() == Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<AgentCapabilities, CapabilitiesError> {
        AgentCapabilities::from_json(json.as_bytes())
    }

    #[test]
    fn the_identity_and_the_postures_are_read() {
        let read = read(
            r#"{"identity":{"brand_json_url":"https://b.example/brand.json",
                "key_origins":{"request_signing":"https://keys.b.example",
                               "governance_signing":"https://gov.b.example"}},
               "request_signing":{"supported_for":[],"required_for":["create_media_buy"]},
               "webhook_signing":{"supported":false}}"#,
        )
        .unwrap();
        assert_eq!(read.brand_json_url(), Some("https://b.example/brand.json"));
        let (requests, webhooks) =
            (KeyOriginPurpose::RequestSigning, KeyOriginPurpose::WebhookSigning);
        assert_eq!(read.key_origin(requests), Some("https://keys.b.example"));
        assert_eq!(read.key_origin(webhooks), None);
        assert!(read.signs(requests) && !read.signs(webhooks));
        let webhooks_only =
            AgentCapabilities::from_json(br#"{"webhook_signing":{"supported":true}}"#).unwrap();
        assert!(webhooks_only.signs(webhooks) && !webhooks_only.signs(requests));
        assert_eq!(AgentCapabilities::from_json(b"{}").unwrap(), AgentCapabilities::default());
    }

    #[test]
    fn what_is_no_capabilities_response_is_refused() {
        for json in [
            "[]",
            r#"{"identity":[]}"#,
            r#"{"identity":{"brand_json_url":7}}"#,
            r#"{"identity":{"key_origins":"x"}}"#,
            r#"{"identity":{"key_origins":{"request_signing":7}}}"#,
            r#"{"request_signing":true}"#,
            r#"{"webhook_signing":null}"#,
        ] {
            assert!(matches!(read(json), Err(CapabilitiesError::Answer(_))), "{json}");
        }
        let twice = r#"{"identity":{},"identity":{"brand_json_url":"https://x.example"}}"#;
        assert!(matches!(read(twice), Err(CapabilitiesError::Json(_))));
        let of_bytes = |bytes: usize| "{}".to_owned() + &" ".repeat(bytes - 2);
        let long = of_bytes(MAX_BYTES + 1);
        assert!(matches!(
            read(&long),
            Err(CapabilitiesError::Fetch(FetchError::TooLarge { max: MAX_BYTES }))
        ));
        assert!(read(&of_bytes(MAX_BYTES)).is_ok());
    }
}
