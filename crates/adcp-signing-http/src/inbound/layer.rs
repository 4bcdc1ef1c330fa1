//! `VerifyLayer`: what a route is given, by how its requests name their operation.

use std::sync::Arc;

use adcp_signing_core::Transport;

use super::{Route, Verify};

impl Verify {
    /// A layer for a route of plain HTTP that serves this operation, such as `create_media_buy`.
    pub fn operation(&self, operation: impl Into<String>) -> VerifyLayer {
        self.layer(Some(Transport::Rest { operation: operation.into() }))
    }

    /// A layer for plain HTTP where the last segment of the path names the operation.
    pub fn rest_path(&self) -> VerifyLayer {
        self.layer(Some(Transport::RestPath))
    }

    /// A layer for an MCP server over streamable HTTP.
    pub fn mcp(&self) -> VerifyLayer {
        self.layer(Some(Transport::Mcp))
    }

    /// A layer for an A2A server.
    pub fn a2a(&self) -> VerifyLayer {
        self.layer(Some(Transport::A2a))
    }

    /// A layer for the callback of webhooks that are signed. Use a verifier
    /// [`for_webhooks`](adcp_signing_core::Verifier::for_webhooks).
    pub fn webhooks(&self) -> VerifyLayer {
        self.layer(None)
    }

    fn layer(&self, transport: Option<Transport>) -> VerifyLayer {
        VerifyLayer { route: Arc::new(Route { verify: self.clone(), transport }) }
    }
}

/// Verifies requests before they reach a service; made by [`Verify`]. It is a layer of `tower`
/// (feature `tower`) and a middleware of actix-web (feature `actix`).
///
/// The service gets the request with the body as the verified bytes, and the answer as extensions:
/// [`Verified`](adcp_signing_core::Verified), and
/// [`VerifiedSigner`](adcp_signing_core::VerifiedSigner) where somebody signed. **A request without
/// the extension `VerifiedSigner` is not signed**: nothing required it. Trailers are dropped;
/// nothing signs them.
///
/// A refused request is answered here, with its stable code in `WWW-Authenticate`. It never reaches
/// the service.
#[derive(Debug, Clone)]
pub struct VerifyLayer {
    pub(crate) route: Arc<Route>,
}
