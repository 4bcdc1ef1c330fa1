//! Governance tokens: the signed `governance_context` with which a buyer's governance agent
//! authorizes one action at one service ("Signed Governance Context", security guide).
//!
//! A service verifies the buyer's intent token with [`GovernanceVerifier::verify_intent`]. Where it
//! advertises `online_execution_check`, the [`Gate`] that this opens leads no further than to its own
//! governance call, whose token [`GovernanceVerifier::verify_execution`] verifies.

mod amount;
mod claims;
mod edges;
mod hash;
mod issue;
mod refusal;
mod verifier;

pub use self::{
    amount::{Amount, Commitment, CommitmentError, Cost, Currency},
    claims::Phase,
    edges::{GovernanceKeys, GovernanceRevocation, HeldRevocationLists, PinnedGovernanceKeys},
    hash::JsonHash,
    issue::{Decision, GovernanceToken, SignTokenError, TokenParties},
    refusal::{GovernanceCode, Refusal},
    verifier::{
        Authorized, Buyer, Enforcement, ExecutionAction, Gate, GovernanceVerifier, IntentAction,
        Prepared,
    },
};
pub use crate::jcs::CanonicalJsonError;
