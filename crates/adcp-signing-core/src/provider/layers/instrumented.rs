//! A wrapper that reports each call to `tracing` and, with the feature `metrics`, its latency and
//! outcome.

use std::time::Instant;

use async_trait::async_trait;
use tracing::Instrument as _;

use crate::{
    keys::{Algorithm, PublicKey},
    provider::{Capability, KeyIdentity, ProviderError, Signed, SigningProvider},
};

/// Reports each call: a span around it, and an event at its end with outcome and duration.
///
/// The span is `adcp_signing.sign` or `adcp_signing.public_key` with the fields `kid`, `algorithm`
/// and `backend`. The event has those and `outcome` (`ok`, the [name of the error
/// kind](crate::provider::ProviderErrorKind::as_str), or `cancelled` for a call that was dropped) and
/// `duration_seconds`; it is a warning for errors, debug otherwise. A key is named only by its
/// `kid`; messages, signatures, error texts and resource names are never recorded.
///
/// With the Cargo feature `metrics`, each `sign` also records, through the `metrics` facade:
///
/// - histogram `adcp_signing_sign_duration_seconds` with `backend` and `algorithm`,
/// - counter `adcp_signing_sign_total` with `outcome`, `backend` and `algorithm`.
///
/// Outermost it sees what callers see; inside `Retrying` it sees each attempt.
///
/// ```
/// use adcp_signing_core::provider::{layers::{Instrumented, SigningProviderExt as _}, SigningProvider};
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
            backend: self.inner.key_ref().backend(),
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
            Operation::PublicKey => {
                tracing::info_span!("adcp_signing.public_key", kid, algorithm, backend)
            }
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
            metrics::histogram!("adcp_signing_sign_duration_seconds", &labels)
                .record(duration_seconds);
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
    fn identity(&self) -> &KeyIdentity {
        self.inner.identity()
    }

    fn capability(&self) -> Capability {
        self.inner.capability()
    }

    async fn public_key(&self) -> Result<PublicKey, ProviderError> {
        let call = self.begin(Operation::PublicKey);
        let result = self.inner.public_key().instrument(call.span()).await;
        call.finish(result)
    }

    async fn sign(&self, message: &[u8]) -> Result<Signed, ProviderError> {
        let call = self.begin(Operation::Sign);
        let result = self.inner.sign(message).instrument(call.span()).await;
        call.finish(result)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::poll;

    use super::*;
    use crate::provider::{
        ProviderErrorKind,
        captured::Captured,
        layers::SigningProviderExt as _,
        scripted::{Scripted, Step},
    };

    #[tokio::test]
    async fn each_call_is_reported_with_its_outcome() {
        let (captured, _guard) = Captured::start();
        let throttled =
            Step::FailWith(ProviderError::new(ProviderErrorKind::Throttled, "never recorded"));
        let kms =
            Scripted::new("key-1").on_sign([Step::Answer, throttled, Step::Hang]).instrumented();
        kms.sign(b"base").await.unwrap();
        let key = r#"kid="key-1" algorithm="ed25519" backend="scripted""#;
        let span = format!("span adcp_signing.sign {key}");
        let event = format!(
            r#"DEBUG message=key service call ended call="sign" {key} outcome="ok" duration_seconds=_"#
        );
        assert_eq!(captured.take(), [span.clone(), event]);

        assert_eq!(kms.sign(b"base").await.unwrap_err().kind(), ProviderErrorKind::Throttled);
        let event = format!(
            r#"WARN message=key service call failed call="sign" {key} outcome="throttled" duration_seconds=_"#
        );
        assert_eq!(captured.take(), [span.clone(), event]);

        let mut dropped = kms.sign(b"base");
        assert!(poll!(&mut dropped).is_pending());
        drop(dropped);
        let event = format!(
            r#"DEBUG message=key service call ended call="sign" {key} outcome="cancelled" duration_seconds=_"#
        );
        assert_eq!(captured.take(), [span, event]);

        kms.public_key().await.unwrap();
        let span = format!("span adcp_signing.public_key {key}");
        let event = format!(
            r#"DEBUG message=key service call ended call="public_key" {key} outcome="ok" duration_seconds=_"#
        );
        assert_eq!(captured.take(), [span, event]);
    }

    #[cfg(feature = "metrics")]
    mod metered {
        use super::*;
        use crate::provider::metered::{Meter, PAGE, documented};

        /// Of this crate and of `adcp-signing-http`.
        const SPANS: [&str; 7] = [
            "adcp_signing.sign",
            "adcp_signing.public_key",
            "adcp_signing.sign_message",
            "adcp_signing.sign_request",
            "adcp_signing.verify",
            "adcp_signing.verify_head",
            "adcp_signing.verify_request",
        ];
        const CRATES: [&str; 2] = ["adcp_signing_core::", "adcp_signing_http::"];
        const TARGETS: [&str; 6] = [
            "adcp_signing::http",
            "adcp_signing::operator",
            "adcp_signing::sign",
            "adcp_signing::trust",
            "adcp_signing::verify",
            "adcp_signing::webhook",
        ];

        #[tokio::test]
        async fn signatures_are_counted_by_outcome_and_timed() {
            let meter = Meter::default();
            let _guard = metrics::set_default_local_recorder(&meter);
            let kms = Scripted::new("key-1")
                .on_sign([Step::Answer, Step::Fail(ProviderErrorKind::Timeout), Step::Answer])
                .instrumented();
            for _ in 0..3 {
                let _ = kms.sign(b"base").await;
            }
            kms.public_key().await.unwrap();
            let counts = meter.counts();
            let expected = [
                ("adcp_signing_sign_duration_seconds backend=scripted algorithm=ed25519", 3),
                ("adcp_signing_sign_total outcome=ok backend=scripted algorithm=ed25519", 2),
                ("adcp_signing_sign_total outcome=timeout backend=scripted algorithm=ed25519", 1),
            ];
            assert_eq!(counts, expected.map(|(name, count)| (name.to_owned(), count)));
        }

        /// An alarm on a metric that is not there never rings.
        #[tokio::test]
        async fn the_metrics_and_spans_are_those_of_the_operations_page() {
            let meter = Meter::default();
            let _guard = metrics::set_default_local_recorder(&meter);
            let _ = Scripted::new("key-1").on_sign([Step::Answer]).instrumented().sign(b"x").await;
            let recorded = meter.names_and_labels();
            assert_eq!(documented("adcp_signing_"), recorded);
            // Everything else that is called so: in alarms, spans and targets.
            let known = |name: &str| {
                let name = name.trim_end_matches("_bucket");
                recorded.iter().any(|(metric, _)| metric == name)
                    || SPANS.contains(&name)
                    || TARGETS.contains(&name)
                    || CRATES.iter().any(|of_crate| name.starts_with(of_crate))
            };
            let is_of_a_name = |char: char| char.is_ascii_alphanumeric() || "_.:".contains(char);
            let words = PAGE.split(|char| !is_of_a_name(char));
            for name in words.filter(|word| word.starts_with("adcp_signing")) {
                assert!(known(name), "{name}");
            }
            assert_eq!(crate::provider::toolkit::OPERATOR, "adcp_signing::operator");
        }
    }
}
