//! `Counterparties`: in which form, and whether at all, a request to whom is signed.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    fmt,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::Duration,
};

use adcp_signing_core::{
    CapabilityError, Clock, Origin, Request as Message, RequestSigningCapability, Signer,
    SystemClock, Transport, UnixSeconds, WireVersion,
    operation::{DigestPolicy, Posture},
    profile::{Advertised, MessageKind},
    verify::posture_of,
};
use futures_util::{
    FutureExt as _,
    future::{BoxFuture, Shared, WeakShared},
};
use parking_lot::Mutex;
use tracing::{Instrument as _, field::Empty};

use super::SignedCallError;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// How long an answer of a counterparty counts, in seconds.
const TTL: i64 = 300;
/// How long it counts that a counterparty gave no usable answer, in seconds.
const NEGATIVE_TTL: i64 = 60;
/// How many answers are remembered.
const MAX_ANSWERS: usize = 10_000;
/// How many counterparties are remembered as serving 3.2 or later.
const MAX_MODERN: usize = 100_000;
/// How long a fetch may take (AdCP security, discovery budgets).
const FETCH_TIMEOUT: Duration = Duration::from_secs(10);

/// Fetches what counterparties advertise. Implement it over your `get_adcp_capabilities` client.
///
/// ```
/// use adcp_signing_core::{Origin, profile::Advertised};
/// use adcp_signing_http::FetchCapabilities;
///
/// #[derive(Debug)]
/// struct OverHttp(reqwest::Client);
///
/// #[async_trait::async_trait]
/// impl FetchCapabilities for OverHttp {
///     async fn capabilities(
///         &self,
///         counterparty: &Origin,
///     ) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
///         let url = format!("{counterparty}/adcp/get_adcp_capabilities");
///         let mut response = self.0.get(url).send().await?.error_for_status()?;
///         let mut json = Vec::new();
///         while json.len() <= Advertised::MAX_BYTES
///             && let Some(chunk) = response.chunk().await?
///         {
///             json.extend_from_slice(&chunk);
///         }
///         Ok(json) // what is longer is refused
///     }
/// }
/// ```
#[async_trait::async_trait]
pub trait FetchCapabilities: Send + Sync + fmt::Debug {
    /// The payload of the counterparty's `get_adcp_capabilities` response, as JSON: the object with
    /// the members `adcp` and `request_signing`. Over MCP it is `structuredContent`.
    ///
    /// Ask over HTTPS, and follow no redirects: the answer decides in which form is signed. Read no
    /// more than [`Advertised::MAX_BYTES`] and one chunk: what is longer is refused. At most one
    /// call for each counterparty is under way, and it is given up after 10 seconds.
    ///
    /// # Errors
    /// Anything that kept the question from being answered. Requests are signed meanwhile: a
    /// signature that nobody asked for does no harm.
    async fn capabilities(&self, counterparty: &Origin) -> Result<Vec<u8>, BoxError>;
}

/// The agents that a client calls, and how each wants its requests signed: in the form of AdCP
/// 3.0 and 3.1, or in that of 3.2 and later; all of them, or those that it lists.
///
/// Your configuration of a counterparty decides alone. Where there is none, the counterparty's own
/// capabilities decide: the newest version that it serves says in which form is signed. What it does
/// not say is left to the signer, which [`Signer::for_requests`] makes one of the newest version. A
/// message decides nothing.
///
/// An answer counts for 300 seconds. Where there is none, the form stays as it was, everything is
/// signed, and the counterparty is asked again after 60 seconds.
///
/// **A counterparty that has served 3.2 or later is not signed for in the older form again**, which
/// allows bodies that nothing binds. If it lists older versions alone from some time on, requests
/// stay signed as 3.2, and a warning is logged. Configure it if it really went back. This memory
/// lasts as long as this value.
///
/// ```
/// use adcp_signing_core::{Signer, WireVersion};
/// use adcp_signing_http::{Counterparties, FetchCapabilities, reqwest::SignMiddleware};
///
/// fn buyer(
///     signer: Signer,
///     capabilities: impl FetchCapabilities + 'static,
/// ) -> Result<SignMiddleware, Box<dyn std::error::Error>> {
///     let sellers = Counterparties::fetched_by(capabilities)
///         .with("https://old.example.com".parse()?, WireVersion::V3_0);
///     Ok(SignMiddleware::new(signer).counterparties(sellers))
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Counterparties {
    configured: HashMap<String, Agreed>,
    /// By what requests name their operation, where only some are signed.
    only_asked: Option<Transport>,
    asking: Option<Arc<Asking>>,
}

/// What is configured of a counterparty.
#[derive(Debug, Clone)]
struct Agreed {
    wire: WireVersion,
    capability: Option<RequestSigningCapability>,
}

/// What is asked of counterparties, and what they answered.
#[derive(Debug)]
struct Asking {
    fetch: Arc<dyn FetchCapabilities>,
    clock: Arc<dyn Clock>,
    timeout: Duration,
    memory: Mutex<Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    answers: HashMap<String, Known>,
    /// Those that were seen to serve 3.2 or later.
    modern: HashSet<String>,
    /// Fetches under way. Whoever waits for one keeps it alive, so that one that nobody waits for
    /// any more ends.
    flights: HashMap<String, WeakShared<BoxFuture<'static, Known>>>,
}

#[derive(Debug, Clone)]
struct Known {
    answer: Answer,
    /// The form to sign in, where it is known.
    wire: Option<WireVersion>,
    until: UnixSeconds,
}

#[derive(Debug, Clone)]
enum Answer {
    Advertised(Arc<Advertised>),
    Invalid(CapabilityError),
    Unknown,
}

impl Counterparties {
    /// Counterparties that are asked what they advertise.
    pub fn fetched_by(fetch: impl FetchCapabilities + 'static) -> Self {
        let asking = Asking {
            fetch: Arc::new(fetch),
            clock: Arc::new(SystemClock),
            timeout: FETCH_TIMEOUT,
            memory: Mutex::default(),
        };
        Self { asking: Some(Arc::new(asking)), ..Self::configured() }
    }

    /// Counterparties of which nothing is known but what is configured. Nobody is asked: requests to
    /// others are signed as the signer does it.
    pub fn configured() -> Self {
        Self { configured: HashMap::new(), only_asked: None, asking: None }
    }

    /// Signs all requests to this counterparty as one of this version, whatever it advertises.
    #[must_use]
    pub fn with(self, counterparty: Origin, wire: WireVersion) -> Self {
        self.agree(&counterparty, Agreed { wire, capability: None })
    }

    /// Signs requests to this counterparty as one of this version that advertises this capability,
    /// whatever it advertises.
    #[must_use]
    pub fn with_capability(
        self,
        counterparty: Origin,
        wire: WireVersion,
        capability: RequestSigningCapability,
    ) -> Self {
        self.agree(&counterparty, Agreed { wire, capability: Some(capability) })
    }

    /// Signs only what a counterparty asks for: operations and protocol methods in any list of its
    /// `request_signing`, requests whose operation cannot be told, and those that register webhook
    /// credentials. Everything is signed for a counterparty whose capability is not known.
    ///
    /// `transport` says how requests name their operation: [`Transport::RestPath`],
    /// [`Transport::Mcp`] or [`Transport::A2a`].
    #[must_use]
    pub fn only_asked(mut self, transport: Transport) -> Self {
        self.only_asked = Some(transport);
        self
    }

    /// The clock, in place of the system's. Nothing is remembered of earlier answers.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock + 'static) -> Self {
        if let Some(asking) = &self.asking {
            self.asking = Some(Arc::new(Asking {
                fetch: Arc::clone(&asking.fetch),
                clock: Arc::new(clock),
                timeout: asking.timeout,
                memory: Mutex::default(),
            }));
        }
        self
    }

    fn agree(mut self, counterparty: &Origin, agreed: Agreed) -> Self {
        self.configured.insert(counterparty.to_string(), agreed);
        self
    }

    /// The signer of this request, or `None` where nobody asks for a signature.
    async fn signer_for<'s>(
        &self,
        signer: &'s Signer,
        message: &Message<'_>,
    ) -> Result<Option<Cow<'s, Signer>>, SignedCallError> {
        if signer.profile().kind() == MessageKind::Webhook {
            return Ok(Some(Cow::Borrowed(signer)));
        }
        // Whom a malformed URL is for cannot be told; signing it names the fault.
        let Ok(counterparty) = origin_of(message.url).parse::<Origin>() else {
            return Ok(Some(Cow::Borrowed(signer)));
        };
        let name = counterparty.to_string();
        let known;
        let (wire, capability) = match (self.configured.get(&name), &self.asking) {
            (Some(agreed), _) => (Some(agreed.wire), agreed.capability.as_ref()),
            (None, None) => return Ok(Some(Cow::Borrowed(signer))),
            (None, Some(asking)) => {
                known = asking.known(&name, counterparty).await;
                let capability = match &known.answer {
                    Answer::Advertised(advertised) => Some(advertised.request_signing()),
                    Answer::Unknown => None,
                    Answer::Invalid(error) => {
                        let error = error.clone();
                        return Err(SignedCallError::Capability { counterparty: name, error });
                    }
                };
                (known.wire, capability)
            }
        };
        let digest = capability
            .map_or(DigestPolicy::Either, RequestSigningCapability::covers_content_digest);
        let signer = match wire {
            Some(wire) => Cow::Owned(signer.for_peer(wire, digest)),
            None => Cow::Borrowed(signer),
        };
        if let (Some(transport), Some(capability)) = (&self.only_asked, capability) {
            let posture = posture_of(signer.profile(), message, transport, capability);
            if posture == Posture::Unlisted {
                return Ok(None);
            }
        }
        Ok(Some(signer))
    }
}

impl Asking {
    /// What is known of a counterparty: remembered, or fetched by one call for all who ask.
    async fn known(self: &Arc<Self>, name: &str, counterparty: Origin) -> Known {
        let flight = {
            let mut memory = self.memory.lock();
            let now = self.clock.now();
            if let Some(known) = memory.answers.get(name).filter(|known| now < known.until) {
                return known.clone();
            }
            memory.flight(name, || {
                Arc::clone(self).fetch(name.to_owned(), counterparty).boxed().shared()
            })
        };
        flight.await
    }

    async fn fetch(self: Arc<Self>, name: String, counterparty: Origin) -> Known {
        // A panic must not reach those who only wait.
        let call = AssertUnwindSafe(self.fetch.capabilities(&counterparty)).catch_unwind();
        let (outcome, answer) = match tokio::time::timeout(self.timeout, call).await {
            Ok(Ok(Ok(json))) => match Advertised::from_json(&json) {
                Ok(advertised) => ("ok", Answer::Advertised(Arc::new(advertised))),
                Err(error) => ("invalid", Answer::Invalid(error)),
            },
            Ok(Ok(Err(error))) => ("failed", unknown(&name, &*error)),
            Ok(Err(_)) => ("failed", unknown(&name, &Failed("the fetch panicked"))),
            Err(_) => ("timeout", unknown(&name, &Failed("no answer in time"))),
        };
        #[cfg(feature = "metrics")]
        metrics::counter!("adcp_capability_fetch_total", "outcome" => outcome).increment(1);
        #[cfg(not(feature = "metrics"))]
        let _ = outcome;
        let now = self.clock.now();
        self.memory.lock().learn(name, answer, now)
    }
}

impl Memory {
    /// The flight under way, or the one that is started.
    fn flight(
        &mut self,
        name: &str,
        start: impl FnOnce() -> Shared<BoxFuture<'static, Known>>,
    ) -> Shared<BoxFuture<'static, Known>> {
        if let Some(flight) = self.flights.get(name).and_then(WeakShared::upgrade) {
            return flight;
        }
        if self.flights.len() >= MAX_ANSWERS {
            self.flights.retain(|_, flight| flight.upgrade().is_some());
        }
        let flight = start();
        if let Some(weak) = flight.downgrade() {
            self.flights.insert(name.to_owned(), weak);
        }
        flight
    }

    /// Ends a flight with its answer.
    fn learn(&mut self, name: String, answer: Answer, now: UnixSeconds) -> Known {
        self.flights.remove(&name);
        let before = self.answers.get(&name).and_then(|known| known.wire);
        let (stated, ttl) = match &answer {
            Answer::Advertised(advertised) => (advertised.wire(), TTL),
            Answer::Invalid(_) | Answer::Unknown => (before, NEGATIVE_TTL),
        };
        let known = Known { wire: self.never_older(&name, stated), answer, until: now.plus(ttl) };
        if self.answers.len() >= MAX_ANSWERS {
            self.answers.retain(|_, known| now < known.until);
        }
        if self.answers.len() < MAX_ANSWERS {
            self.answers.insert(name, known.clone());
        }
        known
    }

    /// The stated form, or that of 3.2 for whoever was once seen to serve it.
    fn never_older(&mut self, name: &str, stated: Option<WireVersion>) -> Option<WireVersion> {
        match stated {
            Some(wire) if !wire.is_legacy() => {
                if self.modern.len() < MAX_MODERN {
                    self.modern.insert(name.to_owned());
                } else if !self.modern.contains(name) {
                    tracing::warn!(
                        target: LOG, counterparty = name,
                        "100,000 counterparties are remembered as serving AdCP 3.2 or later, and no \
                         more; a step down of this one will not be noticed unless it is configured"
                    );
                }
                Some(wire)
            }
            _ if self.modern.contains(name) => {
                if let Some(wire) = stated {
                    tracing::warn!(
                        target: LOG, counterparty = name, advertised = wire.as_str(),
                        "the counterparty served AdCP 3.2 or later and lists older versions alone \
                         now; its requests stay signed as 3.2 unless it is configured"
                    );
                }
                Some(WireVersion::NEWEST)
            }
            stated => stated,
        }
    }
}

const LOG: &str = "adcp_signing::http";

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Failed(&'static str);

fn unknown(counterparty: &str, error: &(dyn std::error::Error + 'static)) -> Answer {
    tracing::warn!(
        target: LOG, counterparty, error,
        "the counterparty's capabilities are not known; its requests are signed"
    );
    Answer::Unknown
}

/// The signer of a request as a client is set up: its own, unless counterparties are told apart.
pub(super) async fn signer_for<'s>(
    counterparties: Option<&Counterparties>,
    signer: &'s Signer,
    message: &Message<'_>,
) -> Result<Option<Cow<'s, Signer>>, SignedCallError> {
    match counterparties {
        Some(counterparties) => counterparties.signer_for(signer, message).await,
        None => Ok(Some(Cow::Borrowed(signer))),
    }
}

/// Runs what signs a request within its span.
pub(super) async fn within_span<T>(
    url: &str,
    signing: impl Future<Output = Result<T, SignedCallError>>,
) -> Result<T, SignedCallError> {
    let (host, port) = host_and_port(url);
    let span = tracing::info_span!(
        target: LOG,
        "adcp_signing.sign_request",
        "server.address" = host,
        "server.port" = port,
        "error.type" = Empty,
    );
    let outcome = signing.instrument(span.clone()).await;
    if let Err(error) = &outcome {
        span.record("error.type", error.code());
    }
    outcome
}

/// Host and port of a URL, without the name and password that it may hold.
fn host_and_port(url: &str) -> (&str, Option<u16>) {
    let authority = origin_of(url).split_once("://").map_or("", |(_, authority)| authority);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    match host.rsplit_once(':').map(|(host, port)| (host, port.parse())) {
        Some((host, Ok(port))) => (host, Some(port)),
        _ => (host, None),
    }
}

/// Scheme and authority of a URL.
fn origin_of(url: &str) -> &str {
    let start = url.find("://").map_or(0, |at| at.saturating_add(3));
    let end = url.get(start..).and_then(|rest| rest.find(['/', '?', '#']));
    end.and_then(|end| url.get(..start.saturating_add(end))).unwrap_or(url)
}

#[cfg(test)]
mod tests;
