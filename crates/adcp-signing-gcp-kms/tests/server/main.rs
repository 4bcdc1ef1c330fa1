//! The backend against the server in `ADCP_TEST_GCP_KMS_ENDPOINT`, `ADCP_TEST_GCP_KMS_TOKEN` and
//! `ADCP_TEST_GCP_KMS_PARENT` (`projects/P/locations/L`). Without them every test says that it was
//! skipped, and fails under `CI=true`. `ADCP_TEST_GCP_KMS_LACKS` may name what the server lacks:
//! algorithms, and `checksums`. `ADCP_TEST_GCP_KMS_SIGNER_TOKEN` is of somebody who may only sign.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod conformance;
mod google_client;
mod keys;
mod name_resolution;
mod operate;
mod own_server;
