//! The extractors for axum.

use std::net::SocketAddr;

use adcp_signing_core::Verified as Verdict;
use axum::{
    extract::{ConnectInfo, FromRequest, FromRequestParts, OriginalUri, Request},
    http::request::Parts,
    response::{IntoResponse, Response},
};

use super::{Caller, NotVerified, PeerAddress, Verified, tower::respond};

impl<S, T> FromRequest<S> for Verified<T>
where
    S: Send + Sync,
    T: FromRequest<S>,
{
    /// The answer of [`NotVerified`], or of the other extractor.
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let caller = Caller::of(request.extensions().get());
        let signer = caller.and_then(Caller::signer).map_err(IntoResponse::into_response)?;
        let read = T::from_request(request, state).await.map_err(IntoResponse::into_response)?;
        Ok(Self(signer, read))
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = NotVerified;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, NotVerified> {
        Self::of(parts.extensions.get::<Verdict>())
    }
}

impl IntoResponse for NotVerified {
    fn into_response(self) -> Response {
        self.0.log();
        respond(&self.0).into_response()
    }
}

/// Path and query before nested routers took a part off.
pub(super) fn original_path(parts: &Parts) -> Option<&str> {
    let OriginalUri(uri) = parts.extensions.get::<OriginalUri>()?;
    uri.path_and_query().map(|path| path.as_str())
}

/// The other end of the connection, where the server was made to keep it.
pub(super) fn peer(parts: &Parts) -> Option<PeerAddress> {
    let ConnectInfo(address) = parts.extensions.get::<ConnectInfo<SocketAddr>>()?;
    Some((*address).into())
}
