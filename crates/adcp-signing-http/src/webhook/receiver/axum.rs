//! The extractor for axum.

use axum::{
    extract::{FromRequest, Request},
    response::{IntoResponse, Response},
};

use super::{Webhook, WebhookOrigin, extract::NO_RECEIVER};
use crate::inbound::{Refused, tower::respond};

impl<S, T> FromRequest<S> for Webhook<T>
where
    S: Send + Sync,
    T: FromRequest<S>,
{
    /// 500 where the route has no receiver, or the answer of the other extractor.
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let Some(origin) = request.extensions().get::<WebhookOrigin>().cloned() else {
            let refused = Refused::Misconfigured { cure: NO_RECEIVER };
            refused.log();
            return Err(respond(&refused).into_response());
        };
        let read = T::from_request(request, state).await;
        Ok(Self(origin, read.map_err(IntoResponse::into_response)?))
    }
}
