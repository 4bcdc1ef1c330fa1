//! What handlers ask for: who signed, and what.

use std::fmt;

use adcp_signing_core::{Rejection, Verified as Verdict, VerifiedSigner};
use bytes::Bytes;

use super::refused::{NO_LAYER, Refused};

/// The signer of a request, and the request as another extractor reads it: `Bytes`, `Json<T>`,
/// `Request`. An extractor of axum and of actix-web.
///
/// The route must have a [`VerifyLayer`](crate::VerifyLayer). An unsigned request is refused with
/// `request_signature_required`, whatever the endpoint's capability requires.
///
#[cfg_attr(feature = "axum", doc = "```")]
#[cfg_attr(not(feature = "axum"), doc = "```ignore")]
/// use adcp_signing_http::Verified;
/// use axum::Json;
/// use serde_json::Value;
///
/// async fn create_media_buy(Verified(signer, Json(order)): Verified<Json<Value>>) -> String {
///     format!("{:?} ordered {}", signer.agent_url(), order["budget"])
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Verified<T = Bytes>(
    /// Who signed.
    pub VerifiedSigner,
    /// The request, as the extractor reads it.
    pub T,
);

/// On whose authority a request came, for handlers that serve unsigned requests as well. An
/// extractor of axum and of actix-web.
///
/// ```
/// use adcp_signing_core::Verified;
/// use adcp_signing_http::Caller;
///
/// async fn get_products(Caller(caller): Caller) -> String {
///     match caller {
///         Verified::Signed(signer) => format!("prices for {:?}", signer.agent_url()),
///         Verified::Fallback(_) | Verified::Anonymous(_) => "list prices".to_owned(),
///     }
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Caller(
    /// The verifier's answer.
    pub Verdict,
);

/// Why [`Verified`] or [`Caller`] has no answer: nobody signed, or the route has no layer that
/// verifies.
#[derive(Debug, Clone)]
pub struct NotVerified(pub(super) Refused);

impl Caller {
    /// The answer that the layer has set.
    pub(super) fn of(verdict: Option<&Verdict>) -> Result<Self, NotVerified> {
        let cure = NO_LAYER;
        verdict.cloned().map(Self).ok_or(NotVerified(Refused::Misconfigured { cure }))
    }

    /// Who signed.
    pub(super) fn signer(self) -> Result<VerifiedSigner, NotVerified> {
        self.0.signer().map_err(|rejection| NotVerified(rejection.into()))
    }
}

impl NotVerified {
    /// The verifier's rejection, where it is not the route that lacks a layer.
    pub fn rejection(&self) -> Option<&Rejection> {
        match &self.0 {
            Refused::Rejection(rejection) => Some(rejection),
            _ => None,
        }
    }
}

impl fmt::Display for NotVerified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Refused::Rejection(rejection) => rejection.fmt(f),
            Refused::Misconfigured { cure } => f.write_str(cure),
            other => write!(f, "{other:?}"),
        }
    }
}

impl std::error::Error for NotVerified {}
