#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    all(feature = "axum", feature = "reqwest"),
    doc = include_str!("../README.md")
)]
#![cfg_attr(
    not(all(feature = "axum", feature = "reqwest")),
    doc = "Signs and verifies Ad Context Protocol messages inside HTTP clients and servers. The \
           guide is shown with the features `axum` and `reqwest`."
)]

/// The programs of the guides are tests.
#[cfg(all(
    doctest,
    feature = "a2a",
    feature = "a2a-server",
    feature = "actix",
    feature = "axum",
    feature = "conformance",
    feature = "metrics",
    feature = "rmcp",
    feature = "webhooks"
))]
mod guides {
    #[doc = include_str!("../../../docs/buyer.md")]
    struct Buyer;

    #[doc = include_str!("../../../docs/operations.md")]
    struct Operations;

    #[doc = include_str!("../../../docs/seller.md")]
    struct Seller;

    #[doc = include_str!("../../../docs/webhooks.md")]
    struct Webhooks;
}

/// Signing and verifying with the official Rust SDK of A2A.
///
/// A buyer signs with the feature `a2a`, a seller verifies with `a2a-server`.
#[cfg(any(feature = "a2a", feature = "a2a-server"))]
pub mod a2a {
    #[cfg(feature = "a2a-server")]
    pub use crate::inbound::a2a::{
        InMemoryTaskOwners, OwnedTasks, TaskOwner, TaskOwnerStore, TaskOwners, operation, principal,
    };
    #[cfg(feature = "a2a")]
    pub use crate::outbound::a2a::{SigningClient, SigningTransport, refusal};
}
#[cfg(any(feature = "tower", feature = "actix"))]
mod inbound;
#[cfg(any(feature = "reqwest", feature = "tower"))]
mod outbound;
#[cfg(feature = "metrics")]
pub mod telemetry;
#[cfg(feature = "webhooks")]
pub mod webhook;

#[cfg(any(feature = "tower", feature = "actix"))]
pub use self::inbound::{
    AcceptedCredential, BaseUrl, BaseUrlError, PeerAddress, TrustedProxies, TrustedProxiesError,
    Verify, VerifyLayer,
};
#[cfg(any(feature = "axum", feature = "actix"))]
pub use self::inbound::{Caller, NotVerified, Verified};
#[cfg(feature = "reqwest")]
pub use self::outbound::reqwest;
#[cfg(feature = "rmcp")]
pub use self::outbound::rmcp;
#[cfg(any(feature = "reqwest", feature = "tower"))]
pub use self::outbound::{Counterparties, FetchCapabilities, Refusal, SignedCallError};
#[cfg(feature = "tower")]
pub use self::{
    inbound::tower::VerifyService,
    outbound::tower::{SignLayer, SignService},
};
