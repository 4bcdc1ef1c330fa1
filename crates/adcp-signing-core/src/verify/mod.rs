//! Verification: the AdCP checklist as a chain of types, one file a step.
//!
//! | step | file | from → to |
//! |---|---|---|
//! | | `received.rs` | the message, looked at once → [`Received`] |
//! | 0 | `step00_operation.rs` | [`Received`] → [`Signed`] or [`Unsigned`] |
//! | 1 | `step01_fields.rs` | [`Signed`] → [`Parsed`] |
//! | 2 | `step02_params.rs` | [`Parsed`] → [`Complete`] |
//! | 3 | `step03_tag.rs` | [`Complete`] → [`Tagged`] |
//! | 4 | `step04_algorithm.rs` | [`Tagged`] → [`Announced`] |
//! | 5 | `step05_window.rs` | [`Announced`] → [`InWindow`] |
//! | 6 | `step06_components.rs` | [`InWindow`] → [`Covered`] |
//! | 7 | `step07_key.rs` | [`Covered`] → [`Keyed`] |
//! | 8 | `step08_purpose.rs` | [`Keyed`] → [`Purposed`] |
//! | 9 | `step09_revocation.rs` | [`Purposed`] → [`Unrevoked`] |
//! | 9a | `step09a_cap.rs` | [`Unrevoked`] → [`Authorized`] |
//! | 10 | `step10_signature.rs` | [`Authorized`] → [`SignatureVerified`] |
//! | 11 | `step11_digest.rs` | [`SignatureVerified`] → [`Authentic`] |
//! | 12, 13 | `step12_replay.rs` | [`Authentic`] → [`Committed`] |
//! | 14 | `step14_body.rs` | [`Committed`] → [`VerifiedSigner`] |
//!
//! Each step consumes the state before it. Cryptography is reachable only from [`Authorized`], and a
//! replay entry only from [`Authentic`], so the two orderings that the specification calls
//! load-bearing cannot be broken by an edit.
//!
//! `head.rs` makes the steps that need no body before the body is read.
//!
//! [`Verifier`] drives the chain over the edges (keys, revocation, replay, clock). Callers with
//! edges of their own can drive the types directly: none of them waits for anything.

mod context;
mod driver;
mod head;
#[cfg(feature = "http")]
mod http;
mod measured;
mod outcome;
mod posture;
mod received;
mod rejection;
mod span;
mod step;
mod step00_operation;
mod step01_fields;
mod step02_params;
mod step03_tag;
mod step04_algorithm;
mod step05_window;
mod step06_components;
mod step07_key;
mod step08_purpose;
mod step09_revocation;
mod step09a_cap;
mod step10_signature;
mod step11_digest;
mod step12_replay;
mod step14_body;
#[cfg(test)]
mod tests;
mod verifier;

#[cfg(feature = "http")]
pub use self::http::VerifiedHttp;
pub use self::{
    context::{Context, FallbackCredential},
    head::HeadVerdict,
    outcome::{Anonymous, Fallback, ShadowFinding, Verified, VerifiedSigner},
    posture::posture_of,
    received::{BodyReading, Received},
    rejection::{Bound, Reason, Rejection},
    step::Step,
    step00_operation::{Prechecked, Signed, Unsigned},
    step01_fields::{Parsed, signature_base_of},
    step02_params::Complete,
    step03_tag::Tagged,
    step04_algorithm::Announced,
    step05_window::InWindow,
    step06_components::Covered,
    step07_key::Keyed,
    step08_purpose::Purposed,
    step09_revocation::Unrevoked,
    step09a_cap::Authorized,
    step10_signature::SignatureVerified,
    step11_digest::Authentic,
    step12_replay::Committed,
    verifier::{Verifier, VerifierBuilder},
};
