//! TLS on loopback.

use std::{io, time::Duration};

use adcp_signing_testkit::LoopbackIdentity;
use tokio::{net::TcpListener, time::timeout};

use super::{Service, accept, serve_connection};

/// How long a client may take over its handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Answers every connection that comes with TLS, until dropped.
pub(crate) async fn serve_tls(
    service: impl Service,
    identity: &LoopbackIdentity,
    listener: TcpListener,
) -> io::Result<()> {
    let acceptor = identity.acceptor();
    accept(listener, move |connection| {
        let (acceptor, service) = (acceptor.clone(), service.clone());
        async move {
            // Whoever speaks no TLS is not answered.
            if let Ok(Ok(connection)) = timeout(HANDSHAKE, acceptor.accept(connection)).await {
                serve_connection(service, connection).await;
            }
        }
    })
    .await
}
