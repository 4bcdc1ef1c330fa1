//! Keys that must not sign.

use adcp_signing_core::ProviderErrorKind::{
    AccessDenied, AlgorithmMismatch, Configuration, KeyDisabled, KeyNotFound,
};

use crate::provider::{
    KeySpec, KeyState,
    suite::{Run, Stop},
};

pub(super) async fn wrong_algorithm(run: &Run<'_>) -> Result<(), Stop> {
    run.expect_refused(&KeySpec::new(KeyState::WrongAlgorithm), &[AlgorithmMismatch, Configuration])
        .await
}

pub(super) async fn missing(run: &Run<'_>) -> Result<(), Stop> {
    run.expect_refused(&KeySpec::new(KeyState::Missing), &[KeyNotFound]).await
}

pub(super) async fn missing_version(run: &Run<'_>) -> Result<(), Stop> {
    run.expect_refused(&KeySpec::new(KeyState::MissingVersion), &[KeyNotFound]).await
}

pub(super) async fn disabled(run: &Run<'_>) -> Result<(), Stop> {
    run.expect_refused(&KeySpec::new(KeyState::Disabled), &[KeyDisabled]).await
}

pub(super) async fn access_denied(run: &Run<'_>) -> Result<(), Stop> {
    run.expect_refused(&KeySpec::new(KeyState::AccessDenied), &[AccessDenied]).await
}
