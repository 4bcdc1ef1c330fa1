//! The backend against the server in `ADCP_TEST_AZURE_KEY_VAULT_URL`, with
//! `ADCP_TEST_AZURE_KEY_VAULT_TOKEN` and, where the system does not trust the server's certificate,
//! the roots in the file `ADCP_TEST_AZURE_KEY_VAULT_CA`. `ADCP_TEST_AZURE_KEY_VAULT_DENIED_TOKEN`
//! may be a token that may do nothing, and `ADCP_TEST_AZURE_KEY_VAULT_LACKS` may name what the
//! server lacks: `refusals`, `validity`, `tokens`. Without them every test says that it was
//! skipped, and fails under `CI=true`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod conformance;
mod keys;
mod microsoft_client;
mod name_resolution;
mod operate;
mod own_server;
mod ready_client;
