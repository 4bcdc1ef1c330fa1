//! An address on which connections come about no more.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    time::timeout,
};

/// How long a connection on loopback may take that does come about.
const CONNECTS_IN: Duration = Duration::from_millis(200);
const MAX_WAITING: usize = 64;

/// A listener that accepts nothing and whose queue is full: who connects waits for ever.
#[derive(Debug)]
pub struct FullListener {
    address: SocketAddr,
    _listener: TcpListener,
    _waiting: Vec<TcpStream>,
}

impl FullListener {
    /// Listens, and fills the queue.
    ///
    /// # Errors
    /// When no loopback port can be had, or the queue does not fill.
    pub async fn start() -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
        let listener = socket.listen(1)?;
        let address = listener.local_addr()?;
        let mut waiting = Vec::new();
        while let Ok(connected) = timeout(CONNECTS_IN, TcpStream::connect(address)).await {
            waiting.push(connected?);
            if waiting.len() > MAX_WAITING {
                return Err(io::Error::other("the queue of the listener does not fill"));
            }
        }
        Ok(Self { address, _listener: listener, _waiting: waiting })
    }

    /// Where to connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}
