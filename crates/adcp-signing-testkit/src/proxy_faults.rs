//! The faults of the provider conformance suite, brought about by the fault proxy.

use std::{fmt, io, net::SocketAddr, time::Duration};

use adcp_signing_conformance::provider::{Fault, Faults, HarnessError};
use async_trait::async_trait;

use crate::{Action, CannedReply, FaultProxy, Traffic};

/// [`Faults`] by a [`FaultProxy`] in front of a service that speaks HTTP/1.1 without TLS, or, with fewer of them, in
/// front of one that speaks anything.
///
/// ```no_run
/// use std::{net::SocketAddr, sync::Arc};
///
/// use adcp_signing_conformance::provider::{Faults, HarnessError};
/// use adcp_signing_core::SigningProvider;
/// use adcp_signing_testkit::{CannedReply, ProxyFaults, Replies};
///
/// # fn provider_at(address: SocketAddr) -> Arc<dyn SigningProvider> { unimplemented!() }
/// // The body of `Harness::through_faults`.
/// async fn through_faults(
///     service: SocketAddr,
/// ) -> Result<(Arc<dyn SigningProvider>, Box<dyn Faults>), HarnessError> {
///     let replies = Replies::new(CannedReply::new(503).body(r#"{"errors":["sealed"]}"#))
///         .throttled(CannedReply::new(429).body(r#"{"errors":["rate limit"]}"#));
///     let faults = ProxyFaults::http(service, replies).await.map_err(HarnessError::setup)?;
///     Ok((provider_at(faults.address()), Box::new(faults)))
/// }
/// ```
#[derive(Debug)]
pub struct ProxyFaults {
    proxy: FaultProxy,
    replies: Option<Replies>,
}

type Throttled = Box<dyn Fn(Option<Duration>) -> Option<CannedReply> + Send + Sync>;

/// What the service would answer.
pub struct Replies {
    unavailable: CannedReply,
    garbage: CannedReply,
    throttled: Throttled,
}

impl Replies {
    /// The service's own answer when it is down. Garbage is a JSON text that no service would give,
    /// until said otherwise; no answer for throttling is known.
    pub fn new(unavailable: CannedReply) -> Self {
        let garbage = CannedReply::new(200)
            .header("content-type", "application/json")
            .body(r#"{"garbage":[null,{"signature":7}]}"#);
        Self { unavailable, garbage, throttled: Box::new(|_| None) }
    }

    /// The service's own answer to too many requests. Where there is a time to wait, its
    /// `retry-after` says the seconds.
    #[must_use]
    pub fn throttled(self, reply: CannedReply) -> Self {
        self.throttled_by(move |wait| {
            let reply = reply.clone();
            Some(match wait {
                Some(wait) => reply.header("retry-after", wait.as_secs().to_string()),
                None => reply,
            })
        })
    }

    /// The service's own answer to too many requests by the time to wait, where the service says
    /// that in a way of its own; `None` where it never says it that way.
    #[must_use]
    pub fn throttled_by(
        mut self,
        reply: impl Fn(Option<Duration>) -> Option<CannedReply> + Send + Sync + 'static,
    ) -> Self {
        self.throttled = Box::new(reply);
        self
    }

    /// A successful answer that the service would never give.
    #[must_use]
    pub fn garbage(mut self, reply: CannedReply) -> Self {
        self.garbage = reply;
        self
    }
}

impl fmt::Debug for Replies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replies").finish_non_exhaustive()
    }
}

impl ProxyFaults {
    /// Stands in front of a service that speaks HTTP/1.1 without TLS.
    ///
    /// # Errors
    /// When no loopback port can be had.
    pub async fn http(service: SocketAddr, replies: Replies) -> io::Result<Self> {
        Ok(Self { proxy: FaultProxy::start(service, Traffic::Http).await?, replies: Some(replies) })
    }

    /// Stands in front of a service `HOST:PORT` that speaks HTTP/1.1 over TLS, whose PEM roots are
    /// `roots`. The provider must trust the [certificate](FaultProxy::certificate) of the
    /// [proxy](Self::proxy).
    ///
    /// # Errors
    /// As [`FaultProxy::start_tls`].
    #[cfg(feature = "tls")]
    pub async fn https(service: &str, roots: &[u8], replies: Replies) -> io::Result<Self> {
        Ok(Self { proxy: FaultProxy::start_tls(service, roots).await?, replies: Some(replies) })
    }

    /// Stands in front of a service that speaks TLS or anything else. Nothing can be answered in
    /// its place.
    ///
    /// # Errors
    /// When no loopback port can be had.
    pub async fn bytes(service: SocketAddr) -> io::Result<Self> {
        Ok(Self { proxy: FaultProxy::start(service, Traffic::Bytes).await?, replies: None })
    }

    /// Where the provider is to connect to.
    pub fn address(&self) -> SocketAddr {
        self.proxy.address()
    }

    /// The proxy, for faults that the suite does not know.
    pub fn proxy(&self) -> &FaultProxy {
        &self.proxy
    }

    fn action(&self, fault: Fault) -> Result<Action, HarnessError> {
        match fault {
            Fault::Hang => return Ok(Action::Hang),
            Fault::CutMidCall => return Ok(Action::Cut),
            Fault::Endless if self.replies.is_some() => return Ok(Action::Endless),
            Fault::Drip if self.replies.is_some() => return Ok(Action::Drip(DRIP)),
            _ => {}
        }
        let Some(replies) = &self.replies else {
            return match fault {
                Fault::Truncate => Ok(Action::CutAfter(1)),
                _ => Err(HarnessError::not_applicable(
                    "the proxy cannot speak in traffic that it does not understand",
                )),
            };
        };
        let reply = match fault {
            Fault::Throttled { retry_after } => {
                (replies.throttled)(retry_after).ok_or_else(|| {
                    HarnessError::not_applicable(match retry_after {
                        Some(_) => "the service never says how long to wait",
                        None => "the service does not throttle without saying how long to wait",
                    })
                })?
            }
            Fault::Unavailable => replies.unavailable.clone(),
            Fault::Garbage => replies.garbage.clone(),
            // One byte of JSON is no JSON, and less than any length that was promised.
            Fault::Truncate => return Ok(Action::TruncateBody(1)),
            _ => {
                return Err(HarnessError::not_applicable(
                    "the fault proxy does not know this fault",
                ));
            }
        };
        Ok(Action::Reply(reply))
    }
}

/// Ten bytes in a second.
const DRIP: Duration = Duration::from_millis(100);

#[async_trait]
impl Faults for ProxyFaults {
    async fn inject(&self, fault: Fault) -> Result<(), HarnessError> {
        if fault == Fault::Refuse {
            return self.proxy.refuse().await.map_err(HarnessError::setup);
        }
        let action = self.action(fault)?;
        self.proxy.heal().await.map_err(HarnessError::setup)?;
        self.proxy.set(action);
        Ok(())
    }

    async fn heal(&self) -> Result<(), HarnessError> {
        self.proxy.heal().await.map_err(HarnessError::setup)
    }

    fn requests(&self) -> Option<u64> {
        self.replies.as_ref().map(|_| self.proxy.requests())
    }
}
