//! Pre-check 0: which AdCP operation a request carries, and what the verifier's capability asks of
//! it.
//!
//! Nothing here parses JSON or canonicalizes a URL: the caller looks at a message once and passes
//! the results on. Where two routers or two decoders could read a message differently, the answer
//! is [`Resolved::is_undetermined`], never a guess.

mod a2a;
mod body;
mod capability;
mod continuation;
mod fold;
mod json_rpc;
mod mcp;
mod path;
mod resolved;
mod rest;
mod webhook;

pub(crate) use body::{BodyView, is_identity_coded};
pub use capability::{
    Advice, CapabilityError, DigestPolicy, List, OperationSource, Posture,
    RequestSigningCapability, SigningProfile,
};
pub(crate) use capability::{Wire as CapabilityWire, present, present_object, read_object};
pub use continuation::{
    Continuation, Principal, TaskContinuation, TaskLookupError, TaskMatch, TaskRefusal,
    check_continuation, check_dispatch,
};
pub(crate) use path::{METHOD_OVERRIDE_FIELDS, Target};
pub use resolved::{ProtocolMethod, Resolved};
use thiserror::Error;
pub(crate) use webhook::registers_webhook_credentials;

use crate::json::StrictJsonError;

/// How the requests of an endpoint name their operation.
///
/// It comes from the endpoint's configuration, never from the message. There is no default: a
/// transport that does not fit the endpoint decides whether a signature is needed by the wrong
/// part of the message.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Transport {
    /// Plain HTTP behind a router.
    Rest {
        /// The operation of the route that the router matched. The message is not looked at.
        ///
        /// A name that no list of a capability can hold, and a name in `PascalCase` that A2A does
        /// not have, leave the request undetermined.
        operation: String,
    },
    /// Plain HTTP, where the last segment of the path names the operation.
    ///
    /// The segment is folded as routers fold it: letter case, empty segments and matrix parameters
    /// do not count. A JSON-RPC envelope in the body counts as well. A request whose path names no
    /// operation, or could be read in two ways, is undetermined.
    RestPath,
    /// MCP over streamable HTTP.
    Mcp,
    /// A2A 0.3 or 1.0, over JSON-RPC or HTTP+JSON.
    A2a,
}

impl Transport {
    /// Whether the operation, or a part of it, is read from the body.
    pub(crate) fn reads_body(&self) -> bool {
        !matches!(self, Self::Rest { .. })
    }

    /// What the request asks for, where the route alone says so.
    pub(crate) fn routed(&self) -> Option<Resolved> {
        match self {
            Self::Rest { operation } => Some(rest::routed(operation)),
            Self::RestPath | Self::Mcp | Self::A2a => None,
        }
    }
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
    /// Any member of an object on the way to an A2A operation occurs twice, after unescaping.
    #[error("a member of {object} occurs more than once")]
    DuplicateMember {
        /// The object.
        object: &'static str,
    },
    /// A member is another spelling of one on the way to the operation, and some decoders take
    /// either.
    #[error("a member is another spelling of {member}: rename or remove it")]
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
/// Duplicate members off the way to the operation are left to step 14.
///
/// # Errors
///
/// [`OperationError`], `request_body_malformed` on the wire. A caller refuses such a request before
/// it looks at any signature header, and never treats it as one that asks for nothing.
pub(crate) fn resolve(
    transport: &Transport,
    target: &Target<'_>,
    body: &BodyView<'_, '_>,
) -> Result<Resolved, OperationError> {
    match transport {
        Transport::Rest { operation } => Ok(rest::routed(operation)),
        Transport::RestPath => rest::from_path(target, body),
        Transport::Mcp => mcp::resolve(target, body),
        Transport::A2a => a2a::resolve(target, body),
    }
}

#[cfg(test)]
mod tests;
