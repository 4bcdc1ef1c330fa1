//! What an operator needs around any backend: wrappers that are themselves a [`SigningProvider`].
//!
//! The wrappers behind the Cargo feature `tokio` need a tokio runtime with its timer enabled around the calls that go
//! through them: without one, tokio panics.
//!
//! [`SigningProvider`]: crate::provider::SigningProvider

#[cfg(feature = "tokio")]
mod concurrency_limit;
#[cfg(feature = "tokio")]
mod deadline;
mod ext;
#[cfg(feature = "tokio")]
mod failover;
mod instrumented;
mod pinned;
#[cfg(feature = "tokio")]
mod rate_limit;
#[cfg(feature = "tokio")]
mod retrying;
mod rotating;
mod self_checking;
#[cfg(feature = "tokio")]
mod stack;
#[cfg(test)]
#[cfg(feature = "tokio")]
mod wrapper_tests;

#[cfg(feature = "tokio")]
pub use self::{
    concurrency_limit::ConcurrencyLimit,
    deadline::Deadline,
    failover::Failover,
    rate_limit::{RateLimit, RateLimitPolicy},
    retrying::{RetryPolicy, Retrying},
    stack::{LazyKey, Stack},
};
pub use self::{
    ext::SigningProviderExt,
    instrumented::Instrumented,
    pinned::{Pin, Pinned},
    rotating::{Rotating, Rotation, RotationPhase},
    self_checking::SelfChecking,
};
