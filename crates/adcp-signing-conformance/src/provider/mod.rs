//! The conformance suite for signing providers: what every backend, of this project or a third party's, must do.
//!
//! A backend implements [`Harness`] and calls [`run`] from a test. The smallest one:
//!
//! ```
//! use std::sync::Arc;
//!
//! use adcp_signing_conformance::provider::{Harness, HarnessError, KeySpec, KeyState, run};
//! use adcp_signing_core::{InMemoryProvider, PrivateJwk, SigningProvider};
//! use async_trait::async_trait;
//!
//! struct InMemory;
//!
//! // The key of RFC 8037 Appendix A.
//! const D: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
//! const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
//!
//! #[async_trait]
//! impl Harness for InMemory {
//!     fn name(&self) -> String {
//!         "in-memory, Ed25519".to_owned()
//!     }
//!
//!     fn secrets(&self) -> Vec<String> {
//!         vec![D.to_owned()]
//!     }
//!
//!     async fn provider(&self, spec: &KeySpec) -> Result<Arc<dyn SigningProvider>, HarnessError> {
//!         if spec.state != KeyState::Ready {
//!             return Err(HarnessError::not_applicable("a key in memory is always ready"));
//!         }
//!         let jwk = format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{X}","d":"{D}"}}"#);
//!         let key = PrivateJwk::parse(jwk.as_bytes()).map_err(HarnessError::setup)?;
//!         Ok(Arc::new(InMemoryProvider::from_jwk_for(key, spec.purpose.clone())?))
//!     }
//! }
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
//! # runtime.block_on(async {
//! run(&InMemory).await.assert(); // in a `#[tokio::test]`
//! # });
//! # Ok::<(), std::io::Error>(())
//! ```

mod case;
mod cases;
mod harness;
mod independent;
mod leaks;
mod report;
mod suite;
mod wrapper;

pub use self::{
    case::Case,
    harness::{Fault, Faults, Harness, HarnessError, KeySpec, KeyState},
    report::{CaseReport, Outcome, SuiteReport, Unsatisfied},
    suite::{Suite, run},
    wrapper::run_wrapper,
};
