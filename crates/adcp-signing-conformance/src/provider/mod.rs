//! The conformance suite for signing providers: what every backend, of this project or a third party's, must do.
//!
//! A backend implements [`Harness`] and calls [`run`] from a test. The smallest one:
//!
//! ```
//! use std::sync::Arc;
//!
//! use adcp_signing_conformance::provider::{Harness, HarnessError, KeySpec, KeyState, run};
//! use adcp_signing_core::{Algorithm, InMemoryProvider, KeyPurpose, SigningProvider};
//! use async_trait::async_trait;
//!
//! struct InMemory(InMemoryProvider);
//!
//! #[async_trait]
//! impl Harness for InMemory {
//!     fn name(&self) -> String {
//!         "in-memory, Ed25519".to_owned()
//!     }
//!
//!     fn secrets(&self) -> Vec<String> {
//!         let json: serde_json::Value = serde_json::from_str(&self.0.to_private_jwk().to_json()).unwrap();
//!         vec![json["d"].as_str().unwrap().to_owned()]
//!     }
//!
//!     async fn provider(&self, spec: &KeySpec) -> Result<Arc<dyn SigningProvider>, HarnessError> {
//!         match spec.state {
//!             KeyState::Ready => {
//!                 let key = self.0.to_private_jwk();
//!                 Ok(Arc::new(InMemoryProvider::from_jwk_for(key, spec.purpose.clone())?))
//!             }
//!             _ => Err(HarnessError::not_applicable("a key in memory is always ready")),
//!         }
//!     }
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
//! // In a `#[tokio::test]`, once for each algorithm:
//! let key = InMemoryProvider::generate(Algorithm::Ed25519, KeyPurpose::RequestSigning)?;
//! run(&InMemory(key)).await.assert();
//! # Ok::<(), adcp_signing_core::ProviderError>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod case;
mod cases;
mod harness;
mod independent;
mod leaks;
mod report;
mod suite;

pub use self::{
    case::Case,
    harness::{Fault, Faults, Harness, HarnessError, KeySpec, KeyState},
    report::{CaseReport, Outcome, SuiteReport, Unsatisfied},
    suite::{Suite, run},
};
