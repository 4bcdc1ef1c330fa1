//! Other code of the process finalizes the module. In a process of its own: it does so to every
//! user.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use adcp_signing_core::{Algorithm, SigningProvider as _};
use support::TestToken;

#[tokio::test]
async fn a_provider_outlives_a_finalized_module() {
    let Ok(token) = TestToken::from_env() else { return };
    let key = token.key(Algorithm::Ed25519);
    let provider = token.config(&key.label).connect().await.unwrap();
    token.context().clone().finalize().unwrap();
    let signed = provider.sign(b"signature base").await.unwrap();
    provider.public_key().await.unwrap().verify(b"signature base", &signed.signature).unwrap();
}
