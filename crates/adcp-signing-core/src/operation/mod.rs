//! Pre-check 0: which AdCP operation a request carries, and what the verifier's capability asks of
//! it.

mod a2a;
mod capability;
mod json_rpc;
mod mcp;
mod rest;
mod webhook;

pub use capability::{CapabilityError, DigestPolicy, Posture, RequestSigningCapability};
pub use webhook::registers_webhook_authentication;

use thiserror::Error;

use crate::json::StrictJsonError;

/// How requests arrive at an endpoint. It comes from the endpoint's configuration, never from the
/// message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transport {
    /// Plain HTTP: one route per operation.
    Rest {
        /// The operation that the router matched. Without one, the last segment of the path is
        /// taken, and a JSON-RPC envelope in the body counts as well.
        operation: Option<String>,
    },
    /// MCP over streamable HTTP.
    Mcp,
    /// A2A 0.3 or 1.0, over JSON-RPC or HTTP+JSON.
    A2a,
}

impl Transport {
    /// Whether [`resolve`] looks at the path.
    pub(crate) fn names_operation_in_path(&self) -> bool {
        match self {
            Self::Rest { operation: None } | Self::A2a => true,
            Self::Rest { operation: Some(_) } | Self::Mcp => false,
        }
    }
}

/// What a request asks for, in the two namespaces of the capability. Matching is exact and
/// case-sensitive.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Resolved {
    /// The AdCP operation, such as `create_media_buy`.
    pub operation: Option<String>,
    /// The JSON-RPC method that is no `tools/call`, such as `tasks/cancel` or `SendMessage`.
    pub protocol_method: Option<String>,
    /// A second operation, named by a JSON-RPC envelope that a REST path guess does not rule out.
    /// It must meet the capability as well.
    pub envelope_operation: Option<String>,
}

/// A body from which no single operation can be read: `request_body_malformed`, at step 0, signed
/// or not.
///
/// `member` is the path of the offending member, such as `params.message`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OperationError {
    /// The body is not strict JSON.
    #[error("the operation cannot be read: {0}")]
    Json(#[from] StrictJsonError),
    /// A JSON-RPC batch.
    #[error("the body is a JSON-RPC batch: send one request at a time")]
    Batch,
    /// A value of the wrong type.
    #[error("{member} must be {expected}")]
    Type {
        /// The member.
        member: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// A member that must be there.
    #[error("{member} is missing")]
    Missing {
        /// The member.
        member: &'static str,
    },
    /// A member on the way to the operation occurs twice, after unescaping.
    #[error("{member} occurs more than once")]
    Duplicate {
        /// The member.
        member: &'static str,
    },
    /// A member differs from one on the way to the operation by letter case alone, and some
    /// decoders take either.
    #[error("a member differs from {member} by letter case alone: rename or remove it")]
    CaseVariant {
        /// The member.
        member: &'static str,
    },
    /// An A2A message without exactly one DataPart.
    #[error("the message must have exactly one DataPart, it has {count}")]
    DataParts {
        /// How many there are.
        count: usize,
    },
    /// An A2A message with a FilePart (`file`, `url` or `raw`), which the invocation profile does
    /// not have.
    #[error("the message has a FilePart: send files by reference, inside the DataPart")]
    FilePart,
    /// An A2A part with no content member or with several.
    #[error("a part must have exactly one of text and data, it has {count} content members")]
    PartContent {
        /// How many it has.
        count: usize,
    },
    /// An A2A 0.3 part whose `kind` does not name its content member.
    #[error("the kind of a part does not name the content that the part has")]
    PartKind,
}

/// Reads from a request what it asks for.
///
/// `target_path` is the path of the target URI, without the query. JSON-RPC responses, and MCP and
/// A2A requests other than POST without a body, ask for nothing: both names are `None`. Duplicate
/// keys off the way to the operation are left to step 14.
///
/// # Errors
///
/// [`OperationError`], `request_body_malformed` on the wire. A caller refuses such a request before it looks at any
/// signature header, and never treats it as one that asks for nothing.
///
/// ```
/// use adcp_signing_core::operation::{Transport, resolve};
///
/// let body = br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"create_media_buy"}}"#;
/// let resolved = resolve(&Transport::Mcp, "POST", "/mcp", body)?;
/// assert_eq!(resolved.operation.as_deref(), Some("create_media_buy"));
/// # Ok::<(), adcp_signing_core::operation::OperationError>(())
/// ```
pub fn resolve(
    transport: &Transport,
    method: &str,
    target_path: &str,
    body: &[u8],
) -> Result<Resolved, OperationError> {
    match transport {
        Transport::Rest { operation: Some(name) } => Ok(rest::given(name)),
        Transport::Rest { operation: None } => rest::guess(target_path, body),
        Transport::Mcp => mcp::resolve(method, body),
        Transport::A2a => a2a::resolve(method, target_path, body),
    }
}

/// The segments of `path`, last first, as a router may see them: decoded, without matrix parameters
/// and trailing slashes.
fn last_segments(path: &str) -> impl Iterator<Item = String> {
    path.trim_end_matches('/')
        .rsplit('/')
        .map(|segment| percent_decode(segment.split(';').next().unwrap_or(segment)))
}

fn percent_decode(segment: &str) -> String {
    let mut pieces = segment.split('%');
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        let decoded = piece
            .split_at_checked(2)
            .and_then(|(digits, rest)| Some((u8::from_str_radix(digits, 16).ok()?, rest)));
        match decoded {
            Some((octet, rest)) => {
                bytes.push(octet);
                bytes.extend_from_slice(rest.as_bytes());
            }
            None => {
                bytes.push(b'%');
                bytes.extend_from_slice(piece.as_bytes());
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests;
