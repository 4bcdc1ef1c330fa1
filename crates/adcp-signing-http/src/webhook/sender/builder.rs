//! `WebhookSenderBuilder`: what a sender is made of.

use std::{fmt, sync::Arc};

use adcp_signing_core::{Clock, Signer, SystemClock, profile::MessageKind};
use reqwest::{Certificate, Proxy, dns::Resolve};
use tokio::sync::Notify;

use super::{Inner, WebhookSender};
use crate::webhook::{
    Backoff, DeliveryObserver, DeliveryStore, Registrations,
    post::{Guard, Post},
};

/// How many attempts are made at a time.
const CONCURRENCY: usize = 64;

/// Builds a [`WebhookSender`]; `build` appears once a store is given.
#[must_use = "a builder does nothing until it is built"]
pub struct WebhookSenderBuilder<S = ()> {
    store: S,
    settings: Settings,
}

/// Everything but the store, whose type changes.
struct Settings {
    signer: Signer,
    registrations: Option<Box<dyn Registrations>>,
    observer: Box<dyn DeliveryObserver>,
    clock: Arc<dyn Clock>,
    backoff: Backoff,
    concurrency: usize,
    resolver: Option<Arc<dyn Resolve>>,
    roots: Vec<Certificate>,
    proxy: Option<Proxy>,
}

/// Why a sender cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SenderError {
    /// The signer signs requests.
    #[error("the signer is for requests; make one by `Signer::for_webhooks`")]
    NotForWebhooks,
    /// The HTTP client cannot be built.
    #[error(
        "the HTTP client cannot be built: the TLS library does not start, or a root certificate is \
         none"
    )]
    Client(#[source] reqwest::Error),
}

impl WebhookSenderBuilder {
    pub(super) fn new(signer: Signer) -> Self {
        let settings = Settings {
            signer,
            registrations: None,
            observer: Box::new(|_| {}),
            clock: Arc::new(SystemClock),
            backoff: Backoff::default(),
            concurrency: CONCURRENCY,
            resolver: None,
            roots: Vec::new(),
            proxy: None,
        };
        Self { store: (), settings }
    }
}

impl<S> fmt::Debug for WebhookSenderBuilder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookSenderBuilder")
            .field("signer", &self.settings.signer)
            .finish_non_exhaustive()
    }
}

impl<S> WebhookSenderBuilder<S> {
    /// Where deliveries wait.
    pub fn store<T: DeliveryStore + 'static>(self, store: T) -> WebhookSenderBuilder<T> {
        WebhookSenderBuilder { store, settings: self.settings }
    }

    /// Where the registrations are found that deliveries refer to. Without it deliveries go to URLs
    /// alone, signed by RFC 9421.
    pub fn registrations(mut self, registrations: impl Registrations + 'static) -> Self {
        self.settings.registrations = Some(Box::new(registrations));
        self
    }

    /// Who hears what becomes of deliveries.
    pub fn observer(mut self, observer: impl DeliveryObserver + 'static) -> Self {
        self.settings.observer = Box::new(observer);
        self
    }

    /// The pauses and the horizon, in place of 10 seconds to an hour, for a day.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.settings.backoff = backoff;
        self
    }

    /// How many attempts are made at a time, in place of 64.
    pub fn concurrency(mut self, attempts: std::num::NonZeroUsize) -> Self {
        self.settings.concurrency = attempts.get();
        self
    }

    /// The clock of deliveries, in place of the system's. That of signatures is the signer's.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.settings.clock = Arc::new(clock);
        self
    }

    /// Resolves names, in place of the system's resolver. Its answers are checked in the same way.
    pub fn resolver(mut self, resolver: impl Resolve + 'static) -> Self {
        self.settings.resolver = Some(Arc::new(resolver));
        self
    }

    /// Trusts the certificates that this root signed as well as those that the system trusts: for
    /// receivers of a private PKI, and for tests.
    pub fn root_certificate(mut self, root: Certificate) -> Self {
        self.settings.roots.push(root);
        self
    }

    /// Sends through this proxy. A proxy resolves the names of receivers by itself, so it has to
    /// refuse reserved addresses: this sender cannot. Without it no proxy is used, not even one of
    /// the environment.
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.settings.proxy = Some(proxy);
        self
    }
}

impl<S: DeliveryStore + 'static> WebhookSenderBuilder<S> {
    /// The sender.
    ///
    /// # Errors
    /// [`SenderError`].
    pub fn build(mut self) -> Result<WebhookSender, SenderError> {
        let Settings { resolver, roots, proxy, .. } = &mut self.settings;
        let post = Guard::new(resolver.take(), std::mem::take(roots), proxy.take());
        self.build_on(post.map_err(SenderError::Client)?)
    }

    pub(super) fn build_on(self, post: impl Post + 'static) -> Result<WebhookSender, SenderError> {
        let Self { store, settings } = self;
        if settings.signer.profile().kind() != MessageKind::Webhook {
            return Err(SenderError::NotForWebhooks);
        }
        Ok(WebhookSender(Arc::new(Inner {
            signer: settings.signer,
            post: Box::new(post),
            store: Box::new(store),
            registrations: settings.registrations,
            observer: settings.observer,
            clock: settings.clock,
            backoff: settings.backoff,
            concurrency: settings.concurrency,
            enqueued: Notify::new(),
        })))
    }
}
