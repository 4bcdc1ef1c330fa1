//! `Refused`: why a request did not reach its handler, and the answer to it.

use std::time::Duration;

use adcp_signing_core::{ErrorCode, Rejection};

use super::forwarded::ForwardedFault;

/// Two layers on one request.
pub(crate) const TWO_LAYERS: &str = "a request passed two layers that verify, and the second would \
                                     call it a replay; put one on each route";
/// An extractor without a layer.
#[cfg(any(feature = "axum", feature = "actix"))]
pub(super) const NO_LAYER: &str = "a handler asks who signed, and its route has no layer that \
                                   verifies; add one of `Verify` to the route";

/// Why a request did not reach its handler.
#[derive(Debug, Clone)]
pub(crate) enum Refused {
    /// The verifier refused it, and has logged why.
    Rejection(Rejection),
    /// The body has more bytes than are read for a request like this.
    BodyTooLarge { limit: usize },
    /// The body did not arrive in time.
    BodyTooSlow { limit: Duration },
    /// Bodies of other requests hold what the body would need. At the latest, they end `until` then.
    BudgetUsedUp { until: Duration },
    /// The connection failed while the body was read.
    BodyUnreadable { error: String },
    /// The server is not set up as it has to be. The cure is for its operator.
    Misconfigured { cure: &'static str },
    /// It cannot be told for which URL a proxy forwards the request.
    Forwarded { fault: ForwardedFault, code: ErrorCode },
    /// A webhook is not handled, for another reason than its RFC 9421 signature.
    #[cfg(feature = "webhooks")]
    Webhook(RefusedWebhook),
}

/// Why a webhook is not handled, and how that is answered.
#[cfg(feature = "webhooks")]
#[derive(Debug, Clone)]
pub(crate) struct RefusedWebhook {
    pub(crate) status: u16,
    /// The stable reason.
    pub(crate) reason: &'static str,
    /// The value of `WWW-Authenticate`, where the webhook is not authentic.
    pub(crate) challenge: Option<String>,
    pub(crate) retry_after: Option<Duration>,
    /// For the log alone.
    pub(crate) detail: String,
}

impl From<Rejection> for Refused {
    fn from(rejection: Rejection) -> Self {
        Self::Rejection(rejection)
    }
}

/// What every answer to a refused request has: nothing but the stable reason.
pub(crate) struct Answer {
    pub(crate) status: http::StatusCode,
    pub(crate) fields: Vec<(http::HeaderName, String)>,
    /// `{"error":"…"}`
    pub(crate) body: String,
}

impl Refused {
    /// The answer, as the AdCP transport error taxonomy has it: the code goes into
    /// `WWW-Authenticate`, and the body repeats it for those who cannot read fields.
    pub(crate) fn answer(&self) -> Answer {
        let (status, reason) = self.status_and_reason();
        let mut fields = vec![
            (http::header::CONTENT_TYPE, "application/json".to_owned()),
            (http::header::CACHE_CONTROL, "no-store".to_owned()),
        ];
        let (challenge, wait) = match self {
            Self::Rejection(rejection) => (rejection.www_authenticate(), rejection.retry_after()),
            Self::Forwarded { code, .. } => (Some(code.www_authenticate()), None),
            Self::BudgetUsedUp { until } => (None, Some(whole_seconds(*until))),
            #[cfg(feature = "webhooks")]
            Self::Webhook(refused) => (refused.challenge.clone(), refused.retry_after),
            _ => (None, None),
        };
        fields.extend(challenge.map(|value| (http::header::WWW_AUTHENTICATE, value)));
        fields.extend(wait.map(|wait| (http::header::RETRY_AFTER, wait.as_secs().to_string())));
        Answer {
            status: http::StatusCode::from_u16(status)
                .unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR),
            fields,
            body: format!(r#"{{"error":"{reason}"}}"#),
        }
    }

    /// The stable reason.
    pub(crate) fn reason(&self) -> &'static str {
        self.status_and_reason().1
    }

    fn status_and_reason(&self) -> (u16, &'static str) {
        match self {
            Self::Rejection(rejection) => (rejection.status(), rejection.reason().as_str()),
            Self::BodyTooLarge { .. } => (413, "body_too_large"),
            Self::BodyTooSlow { .. } => (408, "body_too_slow"),
            Self::BudgetUsedUp { .. } => (503, "body_budget_used_up"),
            Self::BodyUnreadable { .. } => (400, "body_unreadable"),
            Self::Misconfigured { .. } => (500, "verifier_misconfigured"),
            Self::Forwarded { code, .. } => (401, code.as_str()),
            #[cfg(feature = "webhooks")]
            Self::Webhook(refused) => (refused.status, refused.reason),
        }
    }

    /// Counts what neither the verifier nor the receiver of webhooks has counted.
    #[cfg(feature = "metrics")]
    fn count(&self) {
        let reason = match self {
            Self::Rejection(_) => return,
            #[cfg(feature = "webhooks")]
            Self::Webhook(_) => return,
            Self::Forwarded { .. } => "forwarded",
            other => other.reason(),
        };
        metrics::counter!("adcp_http_refused_total", "reason" => reason).increment(1);
    }

    /// Writes to the log what the verifier has not, and counts it.
    pub(crate) fn log(&self) {
        #[cfg(feature = "metrics")]
        self.count();
        const LOG: &str = "adcp_signing::http";
        match self {
            Self::Rejection(_) => {}
            Self::BodyTooLarge { limit } => {
                tracing::info!(target: LOG, limit, "refused: the body is larger than the limit");
            }
            Self::BodyTooSlow { limit } => {
                tracing::info!(target: LOG, ?limit, "refused: the body did not arrive in time");
            }
            Self::BudgetUsedUp { .. } => {
                tracing::warn!(target: LOG, "refused: other bodies use up the budget of bytes");
            }
            Self::BodyUnreadable { error } => {
                tracing::info!(target: LOG, error, "refused: the body could not be read");
            }
            Self::Misconfigured { cure } => tracing::error!(target: LOG, cure, "misconfigured"),
            Self::Forwarded { fault, code } => {
                let (code, reason) = (code.as_str(), fault.to_string());
                tracing::warn!(target: LOG, code, reason, "refused what a trusted proxy forwarded");
            }
            // The webhook is forged or misdirected: an alarm may stand on its code.
            #[cfg(feature = "webhooks")]
            Self::Webhook(RefusedWebhook { challenge: Some(_), reason, detail, .. }) => {
                tracing::warn!(target: LOG, code = reason, detail, "refused a webhook");
            }
            #[cfg(feature = "webhooks")]
            Self::Webhook(RefusedWebhook { reason, detail, .. }) => {
                tracing::info!(target: LOG, reason, detail, "refused a webhook");
            }
        }
    }
}

/// A time to wait in whole seconds, at least one.
fn whole_seconds(wait: Duration) -> Duration {
    Duration::from_secs(wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
        .max(Duration::from_secs(1))
}
