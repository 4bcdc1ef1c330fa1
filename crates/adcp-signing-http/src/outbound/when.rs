//! Signing what a counterparty asks to be signed, and no more.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use adcp_signing_core::{
    CapabilityError, Clock, Origin, Profile, Request as Message, RequestSigningCapability,
    SystemClock, Transport, UnixSeconds, operation::Posture, verify::posture_of,
};

use super::SignedCallError;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// How long an answer of a counterparty counts, in seconds.
const TTL: i64 = 300;
/// How long it counts that a counterparty did not answer, in seconds.
const NEGATIVE_TTL: i64 = 60;
/// How many counterparties are remembered.
const MAX_COUNTERPARTIES: usize = 10_000;

/// Fetches what counterparties advertise. Implement it over your `get_adcp_capabilities` client.
///
/// ```
/// use adcp_signing_core::Origin;
/// use adcp_signing_http::FetchCapability;
///
/// #[derive(Debug)]
/// struct Capabilities(reqwest::Client);
///
/// #[async_trait::async_trait]
/// impl FetchCapability for Capabilities {
///     async fn request_signing(
///         &self,
///         counterparty: &Origin,
///     ) -> Result<Option<Vec<u8>>, Box<dyn std::error::Error + Send + Sync>> {
///         let url = format!("{counterparty}/adcp/get_adcp_capabilities");
///         let reply: serde_json::Value =
///             serde_json::from_slice(&self.0.get(url).send().await?.bytes().await?)?;
///         Ok(reply.get("request_signing").map(|block| block.to_string().into_bytes()))
///     }
/// }
/// ```
#[async_trait::async_trait]
pub trait FetchCapability: Send + Sync + fmt::Debug {
    /// The `request_signing` object of the counterparty's `get_adcp_capabilities` response, as
    /// JSON; `None` where it has none, and so verifies nothing.
    ///
    /// # Errors
    /// Anything that kept the question from being answered. Requests are signed meanwhile: a
    /// signature that nobody asked for does no harm.
    async fn request_signing(&self, counterparty: &Origin) -> Result<Option<Vec<u8>>, BoxError>;
}

/// Which requests are signed.
#[derive(Debug, Clone, Default)]
pub(super) enum When {
    #[default]
    Always,
    Asked(Arc<Asked>),
}

/// The rule by which only what is asked for is signed.
///
/// A request is signed if the counterparty lists its operation or protocol method in any list of
/// `request_signing`, if the operation cannot be told, and if it registers webhook credentials. It
/// is also signed while the counterparty's capability cannot be fetched. An answer counts for 300
/// seconds, a failure for 60.
#[derive(Debug)]
pub struct Asked {
    fetch: Arc<dyn FetchCapability>,
    transport: Transport,
    clock: Arc<dyn Clock>,
    known: Mutex<HashMap<Origin, Known>>,
}

#[derive(Debug, Clone)]
struct Known {
    /// None where it could not be fetched.
    capability: Option<Arc<RequestSigningCapability>>,
    until: UnixSeconds,
}

impl Asked {
    /// Signs what counterparties ask for. `transport` says how requests name their operation:
    /// [`Transport::RestPath`], [`Transport::Mcp`] or [`Transport::A2a`].
    pub fn of(fetch: impl FetchCapability + 'static, transport: Transport) -> Self {
        Self {
            fetch: Arc::new(fetch),
            transport,
            clock: Arc::new(SystemClock),
            known: Mutex::default(),
        }
    }

    /// The clock, in place of the system's.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    async fn capability(
        &self,
        counterparty: &Origin,
    ) -> Result<Option<Arc<RequestSigningCapability>>, CapabilityError> {
        let now = self.clock.now();
        if let Some(known) = self.known(counterparty, now) {
            return Ok(known.capability);
        }
        let fetched = match self.fetch.request_signing(counterparty).await {
            Ok(Some(json)) => Ok(RequestSigningCapability::from_json(&json)?),
            Ok(None) => Ok(RequestSigningCapability::unsupported()),
            Err(error) => Err(error),
        };
        let known = match fetched {
            Ok(capability) => {
                Known { capability: Some(Arc::new(capability)), until: now.plus(TTL) }
            }
            Err(error) => {
                tracing::warn!(
                    target: "adcp_signing::http", %counterparty, error = &*error as &dyn std::error::Error,
                    "the counterparty's capability is not known; its requests are signed"
                );
                Known { capability: None, until: now.plus(NEGATIVE_TTL) }
            }
        };
        let capability = known.capability.clone();
        self.remember(counterparty.clone(), known, now);
        Ok(capability)
    }

    fn known(&self, counterparty: &Origin, now: UnixSeconds) -> Option<Known> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(counterparty).filter(|known| now < known.until).cloned()
    }

    fn remember(&self, counterparty: Origin, answer: Known, now: UnixSeconds) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_COUNTERPARTIES {
            known.retain(|_, known| now < known.until);
        }
        if known.len() < MAX_COUNTERPARTIES {
            known.insert(counterparty, answer);
        }
    }
}

impl When {
    /// Whether this request has to be signed.
    pub(super) async fn signs(
        &self,
        profile: &Profile,
        message: &Message<'_>,
    ) -> Result<bool, SignedCallError> {
        let Self::Asked(asked) = self else { return Ok(true) };
        // Whom a malformed URL is for cannot be told; signing it names the fault.
        let Ok(counterparty) = origin_of(message.url).parse::<Origin>() else { return Ok(true) };
        let capability = asked.capability(&counterparty).await;
        let capability = capability.map_err(|error| SignedCallError::Capability {
            counterparty: counterparty.to_string(),
            error,
        })?;
        let Some(capability) = capability else { return Ok(true) };
        let posture = posture_of(profile, message, &asked.transport, &capability);
        Ok(posture != Posture::Unlisted)
    }
}

/// Scheme and authority of a URL.
fn origin_of(url: &str) -> &str {
    let start = url.find("://").map_or(0, |at| at.saturating_add(3));
    let end = url.get(start..).and_then(|rest| rest.find(['/', '?', '#']));
    end.and_then(|end| url.get(..start.saturating_add(end))).unwrap_or(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Nobody;

    #[async_trait::async_trait]
    impl FetchCapability for Nobody {
        async fn request_signing(&self, _: &Origin) -> Result<Option<Vec<u8>>, BoxError> {
            Ok(None)
        }
    }

    #[tokio::test]
    async fn the_memory_of_counterparties_is_bounded_and_forgets_what_is_old() {
        let clock = Arc::new(adcp_signing_core::FixedClock::new(UnixSeconds::new(1_776_520_800)));
        let asked = Asked::of(Nobody, Transport::Mcp).with_clock(Arc::clone(&clock));
        let ask = async |number: usize| {
            let origin = format!("https://seller-{number}.example.com").parse().unwrap();
            asked.capability(&origin).await.unwrap();
            asked.known.lock().unwrap().len()
        };
        for number in 0..MAX_COUNTERPARTIES {
            assert_eq!(ask(number).await, number + 1);
        }
        assert_eq!(ask(MAX_COUNTERPARTIES).await, MAX_COUNTERPARTIES);
        clock.advance(TTL);
        assert_eq!(ask(MAX_COUNTERPARTIES).await, 1);
    }
}
