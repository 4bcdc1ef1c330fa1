//! A TCP proxy on loopback that does to the traffic what a test tells it to.

use std::{
    borrow::Cow,
    collections::VecDeque,
    fmt, io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{mpsc, oneshot},
    task::{JoinHandle, JoinSet},
};

use crate::{
    CannedReply,
    http_framing::{Message, Reader, closes, is_head},
};
#[cfg(feature = "tls")]
use crate::{http_framing::with_host, tls::Tls};

/// A connection, with TLS or without.
pub(crate) type Connection = Box<dyn Stream>;

pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

const BACKLOG: u32 = 1024;
const READ_LEN: usize = 16 * 1024;
const MAX_EXCHANGES: usize = 1_000;

/// A proxy between a client and one upstream. It listens on a loopback port of the system's choice,
/// forwards everything, and does to each request what it was told last. Dropping it closes
/// everything.
///
/// Over [`Traffic::Http`] a request is an HTTP/1.1 request, so that exactly the next one can be
/// answered in the upstream's place. Over [`Traffic::Bytes`], such as TLS, a request is what
/// arrives from the client in one read, and [`Action::Reply`] and [`Action::TruncateBody`] make no
/// sense to the other side.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    commands: mpsc::Sender<Command>,
    accepting: JoinHandle<()>,
}

/// What the proxy takes the bytes for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Traffic {
    /// HTTP/1.1 without TLS.
    Http,
    /// Anything, not understood.
    Bytes,
}

/// What is done to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// It goes to the upstream, and the answer back.
    Forward,
    /// As `Forward`, after so long.
    Delay(Duration),
    /// It is taken and never answered.
    Hang,
    /// The connection is closed in place of an answer. The upstream does not see the request.
    Cut,
    /// The upstream answers, and after so many bytes of its answer the connection is closed.
    CutAfter(usize),
    /// As `CutAfter`, counted from the start of the answer's body.
    TruncateBody(usize),
    /// It is answered in the upstream's place.
    Reply(CannedReply),
    /// It is answered with a success whose JSON has no end, for as long as the client reads.
    Endless,
    /// As `Endless`, one byte after each pause.
    Drip(Duration),
}

/// A request that the upstream answered, over [`Traffic::Http`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// The request line and header of the request.
    pub head: String,
    /// From the request's last byte to the answer's.
    pub took: Duration,
}

enum Command {
    Refuse(oneshot::Sender<io::Result<()>>),
    Accept(oneshot::Sender<io::Result<()>>),
}

struct Shared {
    upstream: SocketAddr,
    traffic: Traffic,
    #[cfg(feature = "tls")]
    tls: Option<Tls>,
    plan: Mutex<Plan>,
    exchanges: Mutex<Vec<Exchange>>,
    connections: AtomicU64,
    requests: AtomicU64,
    bytes_up: AtomicU64,
    bytes_down: AtomicU64,
}

struct Plan {
    next: VecDeque<Action>,
    standing: Action,
}

impl FaultProxy {
    /// Listens, and forwards to `upstream`.
    ///
    /// # Errors
    /// When no loopback port can be had.
    pub async fn start(upstream: SocketAddr, traffic: Traffic) -> io::Result<Self> {
        Self::listen(Shared::new(upstream, traffic)).await
    }

    /// As [`start`](Self::start), for an upstream `HOST:PORT` that speaks HTTP/1.1 over TLS, whose
    /// PEM roots are `upstream_roots`. The proxy ends TLS with a [certificate](Self::certificate)
    /// of its own, and names the upstream in `Host`.
    ///
    /// # Errors
    /// When no loopback port can be had, the host has no address, or the roots are not PEM.
    #[cfg(feature = "tls")]
    pub async fn start_tls(upstream: &str, upstream_roots: &[u8]) -> io::Result<Self> {
        let tls = Some(Tls::new(upstream, upstream_roots)?);
        let address = tokio::net::lookup_host(upstream).await?.next();
        let address = address.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        Self::listen(Shared { tls, ..Shared::new(address, Traffic::Http) }).await
    }

    /// The root that clients must trust, PEM, where the proxy ends TLS.
    #[cfg(feature = "tls")]
    pub fn certificate(&self) -> Option<&str> {
        self.shared.tls.as_ref().map(Tls::certificate)
    }

    async fn listen(shared: Shared) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(shared);
        let (commands, received) = mpsc::channel(1);
        let accepting = tokio::spawn(accept(address, listener, Arc::clone(&shared), received));
        Ok(Self { address, shared, commands, accepting })
    }

    /// Where to connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on, every request for which [`next`](Self::next) has no other plan meets this
    /// action.
    pub fn set(&self, action: Action) {
        self.shared.plan().standing = action;
    }

    /// The next `count` requests meet this action, after those that were planned before.
    pub fn next(&self, count: usize, action: &Action) {
        self.shared.plan().next.extend(std::iter::repeat_n(action, count).cloned());
    }

    /// Cuts every connection and listens no more: clients are refused. The port stays taken.
    ///
    /// # Errors
    /// When the port is lost.
    pub async fn refuse(&self) -> io::Result<()> {
        self.command(Command::Refuse).await
    }

    /// Listens again, and forwards with no fault.
    ///
    /// # Errors
    /// When the port is lost.
    pub async fn heal(&self) -> io::Result<()> {
        *self.shared.plan() = Plan { next: VecDeque::new(), standing: Action::Forward };
        self.command(Command::Accept).await
    }

    /// How many connections were accepted.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// How many requests arrived, those that met a fault included.
    pub fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::SeqCst)
    }

    /// The first thousand requests that the upstream answered.
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.shared.exchanges().clone()
    }

    /// How many bytes clients sent.
    pub fn bytes_up(&self) -> u64 {
        self.shared.bytes_up.load(Ordering::SeqCst)
    }

    /// How many bytes clients were sent.
    pub fn bytes_down(&self) -> u64 {
        self.shared.bytes_down.load(Ordering::SeqCst)
    }

    async fn command(
        &self,
        command: impl FnOnce(oneshot::Sender<io::Result<()>>) -> Command,
    ) -> io::Result<()> {
        let gone = || io::Error::other("the fault proxy has ended");
        let (done, outcome) = oneshot::channel();
        self.commands.send(command(done)).await.map_err(|_| gone())?;
        outcome.await.map_err(|_| gone())?
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("upstream", &self.upstream)
            .field("traffic", &self.traffic)
            .field("standing", &self.plan().standing)
            .finish_non_exhaustive()
    }
}

impl Shared {
    fn new(upstream: SocketAddr, traffic: Traffic) -> Self {
        Self {
            upstream,
            traffic,
            #[cfg(feature = "tls")]
            tls: None,
            plan: Mutex::new(Plan { next: VecDeque::new(), standing: Action::Forward }),
            exchanges: Mutex::default(),
            connections: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            bytes_up: AtomicU64::new(0),
            bytes_down: AtomicU64::new(0),
        }
    }

    fn plan(&self) -> std::sync::MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn exchanges(&self) -> std::sync::MutexGuard<'_, Vec<Exchange>> {
        self.exchanges.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, request: &Message, took: Duration) {
        let head = request.bytes.get(..request.head_len).unwrap_or_default();
        let mut exchanges = self.exchanges();
        if exchanges.len() < MAX_EXCHANGES {
            exchanges.push(Exchange { head: String::from_utf8_lossy(head).into_owned(), took });
        }
    }

    /// Counts a request, and says what to do with it.
    fn request(&self, len: usize) -> Action {
        self.requests.fetch_add(1, Ordering::SeqCst);
        count(&self.bytes_up, len);
        let mut plan = self.plan();
        plan.next.pop_front().unwrap_or_else(|| plan.standing.clone())
    }

    async fn send_down(&self, client: &mut impl Stream, bytes: &[u8]) -> io::Result<()> {
        client.write_all(bytes).await?;
        client.flush().await?;
        count(&self.bytes_down, bytes.len());
        Ok(())
    }

    /// A JSON text that goes on. Its end would be that of the connection.
    async fn send_for_ever(
        &self,
        client: &mut impl Stream,
        bytes: &[u8],
        pause: Option<Duration>,
    ) -> io::Result<()> {
        let head = "HTTP/1.1 200 Canned\r\ncontent-type: application/json\r\n\
                    connection: close\r\n\r\n{";
        self.send_down(client, head.as_bytes()).await?;
        loop {
            self.send_down(client, bytes).await?;
            match pause {
                Some(pause) => tokio::time::sleep(pause).await,
                None => tokio::task::yield_now().await,
            }
        }
    }

    async fn serve(&self, client: TcpStream) -> io::Result<()> {
        client.set_nodelay(true)?;
        match self.traffic {
            Traffic::Http => self.serve_http(self.accept(client).await?).await,
            Traffic::Bytes => self.serve_bytes(client).await,
        }
    }

    async fn accept(&self, client: TcpStream) -> io::Result<Connection> {
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            return tls.accept(client).await;
        }
        Ok(Box::new(client))
    }

    async fn connect(&self) -> io::Result<Connection> {
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            return tls.connect(self.upstream).await;
        }
        Ok(Box::new(TcpStream::connect(self.upstream).await?))
    }

    /// The request as the upstream is to see it.
    fn outgoing<'a>(&self, request: &'a Message) -> Cow<'a, [u8]> {
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            return with_host(request, tls.authority()).into();
        }
        Cow::Borrowed(&request.bytes)
    }

    async fn serve_http(&self, mut client: Connection) -> io::Result<()> {
        let mut requests = Reader::default();
        let mut upstream: Option<(Connection, Reader)> = None;
        while let Some(request) = requests.request(&mut client).await? {
            let action = self.request(request.bytes.len());
            let keep = match action {
                Action::Cut => return Ok(()),
                Action::Hang => return swallow(&mut client).await,
                Action::Reply(reply) => {
                    self.send_down(&mut client, &reply.to_bytes()).await?;
                    continue;
                }
                Action::Endless => {
                    return self.send_for_ever(&mut client, &[b' '; 4096], None).await;
                }
                Action::Drip(pause) => {
                    return self.send_for_ever(&mut client, b" ", Some(pause)).await;
                }
                Action::Delay(pause) => {
                    tokio::time::sleep(pause).await;
                    None
                }
                Action::Forward => None,
                Action::CutAfter(len) => Some((false, len)),
                Action::TruncateBody(len) => Some((true, len)),
            };
            let (mut connection, mut answers) = match upstream.take() {
                Some(open) => open,
                None => (self.connect().await?, Reader::default()),
            };
            let sent = Instant::now();
            let to_head = is_head(&request.bytes);
            connection.write_all(&self.outgoing(&request)).await?;
            connection.flush().await?;
            let answer = answers.answer(&mut connection, to_head).await?;
            self.keep(&request, sent.elapsed());
            if let Some((body_only, len)) = keep {
                let len = if body_only { answer.head_len.saturating_add(len) } else { len };
                let kept = answer.bytes.get(..len).unwrap_or(&answer.bytes);
                self.send_down(&mut client, kept).await?;
                return client.shutdown().await;
            }
            self.send_down(&mut client, &answer.bytes).await?;
            let head = answer.bytes.get(..answer.head_len).unwrap_or_default();
            if closes(head) {
                return client.shutdown().await;
            }
            upstream = Some((connection, answers));
        }
        Ok(())
    }

    async fn serve_bytes(&self, mut client: TcpStream) -> io::Result<()> {
        let mut upstream = TcpStream::connect(self.upstream).await?;
        upstream.set_nodelay(true)?;
        let (mut up, mut down) = (vec![0; READ_LEN], vec![0; READ_LEN]);
        let mut left: Option<usize> = None;
        loop {
            tokio::select! {
                read = client.read(&mut up) => {
                    let bytes = up.get(..read?).unwrap_or_default();
                    if bytes.is_empty() {
                        upstream.shutdown().await?;
                        break;
                    }
                    match self.request(bytes.len()) {
                        // There is no answer to give in traffic that is not understood.
                        Action::Cut | Action::Endless | Action::Drip(_) => return Ok(()),
                        Action::Hang => return swallow(&mut client).await,
                        Action::Reply(reply) => {
                            self.send_down(&mut client, &reply.to_bytes()).await?;
                            return client.shutdown().await;
                        }
                        Action::Delay(pause) => tokio::time::sleep(pause).await,
                        Action::Forward => left = None,
                        Action::CutAfter(len) | Action::TruncateBody(len) => left = Some(len),
                    }
                    upstream.write_all(bytes).await?;
                }
                read = upstream.read(&mut down) => {
                    let bytes = down.get(..read?).unwrap_or_default();
                    let kept = bytes.get(..left.unwrap_or(usize::MAX)).unwrap_or(bytes);
                    self.send_down(&mut client, kept).await?;
                    left = left.map(|left| left.saturating_sub(kept.len()));
                    if bytes.is_empty() || left == Some(0) {
                        return client.shutdown().await;
                    }
                }
            }
        }
        // The client has said all; what the upstream still says is the rest.
        loop {
            let read = upstream.read(&mut down).await?;
            match down.get(..read) {
                None | Some([]) => return client.shutdown().await,
                Some(bytes) => self.send_down(&mut client, bytes).await?,
            }
        }
    }
}

/// Reads until the client gives up.
async fn swallow(client: &mut impl Stream) -> io::Result<()> {
    let mut ignored = vec![0; READ_LEN];
    while client.read(&mut ignored).await? > 0 {}
    Ok(())
}

fn count(counter: &AtomicU64, len: usize) {
    counter.fetch_add(u64::try_from(len).unwrap_or(u64::MAX), Ordering::SeqCst);
}

/// The port: listened on, or only held.
enum Port {
    Open(TcpListener),
    Held(TcpSocket),
}

async fn accept(
    address: SocketAddr,
    listener: TcpListener,
    shared: Arc<Shared>,
    mut commands: mpsc::Receiver<Command>,
) {
    let mut port = Port::Open(listener);
    // Dropped with this task, and every connection with it.
    let mut connections = JoinSet::new();
    loop {
        let accepted = async {
            match &port {
                Port::Open(listener) => listener.accept().await,
                Port::Held(_) => std::future::pending().await,
            }
        };
        let command = tokio::select! {
            biased;
            command = commands.recv() => command,
            accepted = accepted => {
                if let Ok((client, _)) = accepted {
                    shared.connections.fetch_add(1, Ordering::SeqCst);
                    let shared = Arc::clone(&shared);
                    connections.spawn(async move { shared.serve(client).await });
                }
                continue;
            }
            Some(_) = connections.join_next() => continue,
        };
        let (changed, done) = match (command, port) {
            (None, _) => return,
            (Some(Command::Refuse(done)), Port::Open(listener)) => {
                connections.shutdown().await;
                drop(listener);
                (hold(address).map(Port::Held), done)
            }
            (Some(Command::Accept(done)), Port::Held(socket)) => {
                (socket.listen(BACKLOG).map(Port::Open), done)
            }
            (Some(Command::Refuse(done) | Command::Accept(done)), unchanged) => {
                (Ok(unchanged), done)
            }
        };
        let outcome = match changed {
            Ok(changed) => {
                port = changed;
                Ok(())
            }
            Err(error) => {
                let _ = done.send(Err(error));
                return;
            }
        };
        let _ = done.send(outcome);
    }
}

/// Takes the port without listening, so that clients are refused and nobody else gets it.
fn hold(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}
