//! Signed response payloads of designated tasks ("Designated-task payload-envelope response
//! signing", security guide): signed by a brand agent, verified by whoever asked it.
//!
//! A valid envelope proves which key signed. It does not prove that the key may answer for the
//! brand: that is the brand-authorization cross-check, which this module does not do.

mod call;
mod refusal;
mod sign;
#[cfg(test)]
mod tests;
mod verify;

pub use self::{
    call::{Call, CallError, CallerIdentity, DesignatedTask},
    refusal::{ResponseRefusal, ResponseStep},
    sign::{SignResponseError, SignedResponse, sign_response},
    verify::{ResponseVerifier, VerifiedResponse},
};
pub use crate::jcs::CanonicalJsonError;

/// The `typ` of the protected header and of the payload.
const TYP: &str = "adcp-response-payload+jws";
/// The member of a response that holds its envelope.
const ENVELOPE: &str = "signed_response";

/// Members of a response that belong to the protocol and not to the task, so nothing signs them.
const PROTOCOL_MEMBERS: [&str; 8] = [
    "status",
    "context_id",
    "task_id",
    "message",
    "timestamp",
    "replayed",
    "adcp_version",
    "adcp_major_version",
];
