//! The suites that stores of webhooks have to pass, yours as well as those of this workspace.
//!
//! Give a suite your store as a [`DeliveriesUnderTest`] or a [`ClaimsUnderTest`], in a test that runs
//! on more than one thread:
//!
//! ```
//! use std::sync::Arc;
//!
//! use adcp_signing_http::webhook::{
//!     InMemoryDeliveries,
//!     conformance::{DeliveriesUnderTest, Violation, check_deliveries},
//! };
//! use async_trait::async_trait;
//!
//! /// A database has one handle for each connection; memory is one.
//! struct InMemory;
//!
//! #[async_trait]
//! impl DeliveriesUnderTest for InMemory {
//!     type Store = Arc<InMemoryDeliveries>;
//!
//!     async fn empty(&self, handles: usize) -> Vec<Self::Store> {
//!         vec![Arc::default(); handles]
//!     }
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Violation> {
//!     check_deliveries(&InMemory).await
//! }
//! ```

mod claims;
mod deliveries;

use std::fmt;

pub use self::{
    claims::{ClaimsUnderTest, check_claims},
    deliveries::{DeliveriesUnderTest, check_deliveries},
};

/// What a store does otherwise than it has to.
#[derive(Debug)]
pub struct Violation {
    rule: &'static str,
    found: String,
}

impl Violation {
    /// The rule that the store breaks.
    pub fn rule(&self) -> &'static str {
        self.rule
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the store breaks the rule `{}`: {}", self.rule, self.found)
    }
}

impl std::error::Error for Violation {}

/// What one check answers: nothing, or what it found in place of what it expected.
type Checked = Result<(), String>;

/// Whether two values are equal.
fn same<T: PartialEq + fmt::Debug>(what: &str, found: T, expected: T) -> Checked {
    if found == expected {
        Ok(())
    } else {
        Err(format!("{what}: expected {expected:?}, found {found:?}"))
    }
}

/// The text of a failure of the store itself.
fn failed(error: impl std::error::Error) -> String {
    let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
    format!("{error}{cause}")
}
