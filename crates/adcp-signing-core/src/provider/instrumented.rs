//! A wrapper that reports each call to `tracing` and, with the feature `metrics`, its latency and outcome.

use std::{sync::Arc, time::Instant};

use async_trait::async_trait;
use tracing::Instrument as _;

use super::{ProviderError, Signed, SigningProvider, forward_identity};
use crate::{Algorithm, PublicKey};

/// Reports each call: a span around it, and an event at its end with outcome and duration.
///
/// The span is `adcp_signing.sign` or `adcp_signing.public_key` with the fields `kid`, `algorithm` and `backend`. The
/// event has those and `outcome` (`ok`, the [name of the error kind](super::ProviderErrorKind::as_str), or `cancelled`
/// for a call that was dropped) and `duration_seconds`; it is a warning for errors, debug otherwise. A key is named only
/// by its `kid`; messages, signatures, error texts and resource names are never recorded.
///
/// With the Cargo feature `metrics`, each `sign` also records, through the `metrics` facade:
///
/// - histogram `adcp_signing_sign_duration_seconds` with `backend` and `algorithm`,
/// - counter `adcp_signing_sign_total` with `outcome`, `backend` and `algorithm`.
///
/// Outermost it sees what callers see; inside [`Retrying`](super::Retrying) it sees each attempt.
///
/// ```
/// use adcp_signing_core::provider::{Instrumented, SigningProvider, SigningProviderExt as _};
///
/// fn observed<P: SigningProvider>(kms: P) -> Instrumented<P> {
///     kms.instrumented()
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Instrumented<P> {
    inner: P,
}

impl<P: SigningProvider> Instrumented<P> {
    /// Reports the calls to `inner`.
    pub fn new(inner: P) -> Self {
        Self { inner }
    }

    fn begin(&self, operation: Operation) -> Call<'_> {
        Call {
            operation,
            kid: self.inner.key_id(),
            algorithm: self.inner.algorithm(),
            backend: self.inner.fingerprint().backend(),
            started: Instant::now(),
            outcome: "cancelled",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    PublicKey,
    Sign,
}

/// A call under way. Its drop reports it, so one that is cancelled is reported too.
struct Call<'a> {
    operation: Operation,
    kid: &'a str,
    algorithm: Algorithm,
    backend: &'static str,
    started: Instant,
    outcome: &'static str,
}

impl Call<'_> {
    fn span(&self) -> tracing::Span {
        let (kid, algorithm, backend) = (self.kid, self.algorithm.rfc9421_name(), self.backend);
        match self.operation {
            Operation::Sign => tracing::info_span!("adcp_signing.sign", kid, algorithm, backend),
            Operation::PublicKey => tracing::info_span!("adcp_signing.public_key", kid, algorithm, backend),
        }
    }

    fn finish<T>(mut self, result: Result<T, ProviderError>) -> Result<T, ProviderError> {
        self.outcome = match &result {
            Ok(_) => "ok",
            Err(error) => error.kind().as_str(),
        };
        result
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        let duration_seconds = self.started.elapsed().as_secs_f64();
        let (kid, algorithm, backend, outcome) =
            (self.kid, self.algorithm.rfc9421_name(), self.backend, self.outcome);
        let call = match self.operation {
            Operation::Sign => "sign",
            Operation::PublicKey => "public_key",
        };
        if matches!(outcome, "ok" | "cancelled") {
            tracing::debug!(
                call,
                kid,
                algorithm,
                backend,
                outcome,
                duration_seconds,
                "key service call ended"
            );
        } else {
            tracing::warn!(
                call,
                kid,
                algorithm,
                backend,
                outcome,
                duration_seconds,
                "key service call failed"
            );
        }
        #[cfg(feature = "metrics")]
        if self.operation == Operation::Sign {
            let labels = [("backend", backend), ("algorithm", algorithm)];
            metrics::histogram!("adcp_signing_sign_duration_seconds", &labels).record(duration_seconds);
            metrics::counter!(
                "adcp_signing_sign_total",
                "outcome" => outcome, "backend" => backend, "algorithm" => algorithm
            )
            .increment(1);
        }
    }
}

#[async_trait]
impl<P: SigningProvider> SigningProvider for Instrumented<P> {
    forward_identity!(inner);

    async fn public_key(&self) -> Result<PublicKey, ProviderError> {
        let call = self.begin(Operation::PublicKey);
        let result = self.inner.public_key().instrument(call.span()).await;
        call.finish(result)
    }

    async fn sign(&self, signature_base: &[u8]) -> Result<Signed, ProviderError> {
        let call = self.begin(Operation::Sign);
        let result = self.inner.sign(signature_base).instrument(call.span()).await;
        call.finish(result)
    }

    fn snapshot(&self) -> Option<Arc<dyn SigningProvider>> {
        let inner = self.inner.snapshot()?;
        Some(Arc::new(Instrumented { inner }))
    }
}
