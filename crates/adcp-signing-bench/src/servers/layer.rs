//! The handler behind `VerifyLayer`, as a seller has it.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use adcp_signing_core::{
    Clock, InMemoryReplayStore, InMemoryRevocation, JwkSet, RequestSigningCapability, StaticKeys,
    SystemClock, UnixSeconds, Verifier, WireVersion,
    operation::{DigestPolicy, List},
};
use adcp_signing_http::{BaseUrl, Verified, Verify};
use axum::{
    body::Bytes,
    routing::{MethodRouter, post},
};

use crate::{
    BenchError,
    message::{OPERATION, ORIGIN},
};

/// A clock that a test moves.
#[derive(Debug, Clone)]
pub(crate) struct MovedClock(Arc<AtomicI64>);

impl MovedClock {
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicI64::new(SystemClock.now().as_i64())))
    }

    pub(crate) fn move_on(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::Relaxed);
    }
}

impl Clock for MovedClock {
    fn now(&self) -> UnixSeconds {
        UnixSeconds::new(self.0.load(Ordering::Relaxed))
    }
}

/// A verifier that requires a signature of the operation.
pub(crate) fn verifier(jwks: &JwkSet, clock: impl Clock + 'static) -> Result<Verifier, BenchError> {
    let capability = RequestSigningCapability::supported_with(DigestPolicy::Required)
        .with_operations(List::Required, [OPERATION])?;
    Ok(Verifier::for_requests(WireVersion::V3_2, capability)
        .keys(StaticKeys::from_jwks_of("https://buyer.example.com/adcp", jwks)?)
        .revocation(InMemoryRevocation::new(["buyer-signing-2024", "buyer-signing-2025"]))
        .replay(InMemoryReplayStore::new())
        .clock(clock)
        .build())
}

/// The settings of the layer: its defaults.
pub(crate) fn verify(verifier: Verifier) -> Result<Verify, BenchError> {
    Ok(Verify::new(verifier, ORIGIN.parse::<BaseUrl>()?))
}

pub(super) fn route(jwks: &JwkSet) -> Result<MethodRouter, BenchError> {
    let verify = verify(verifier(jwks, SystemClock)?)?;
    let handler = |Verified(_, body): Verified<Bytes>| async move { body.len().to_string() };
    Ok(post(handler).layer(verify.operation(OPERATION)))
}
