//! Verification: the AdCP checklist as a chain of types, each step consuming the state before it.
//!
//! `Received → Labelled → Parsed → InWindow → Covered → KeyResolved → Purposed → Unrevoked →
//! Authorized → Authentic → Committed → Verified`. Cryptography is reachable only from
//! [`Authorized`], and a replay entry only from [`Authentic`], so the two orderings that the
//! specification calls load-bearing cannot be broken by an edit.
//!
//! [`Verifier`] drives the chain over the edges (keys, revocation, replay, clock). Callers with edges of their own can
//! drive the types directly: no type here waits for anything.

mod authentic;
mod authorized;
mod key_resolved;
mod outcome;
mod parsed;
mod received;
mod rejection;
mod verifier;

pub use self::{
    authentic::{Authentic, Committed, Verified},
    authorized::Authorized,
    key_resolved::{KeyResolved, Purposed, Unrevoked},
    outcome::{Acceptance, Caller, FallbackCredential, Refusal, RefusalKind, Warning},
    parsed::{Covered, InWindow, Parsed},
    received::{Labelled, Received},
    rejection::{Rejection, Step},
    verifier::{Verifier, VerifierBuilder, VerifyError},
};
