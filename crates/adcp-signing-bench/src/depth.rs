//! Calls from different depths of the stack.
//!
//! The vector code of `ed25519-dalek` takes up to a fifth longer at some places of the stack within
//! a page than at others. A server calls it from one place, which another server does not share. So
//! what is compared here runs from places all over a page.

use std::{
    future::Future,
    hint::black_box,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use tower_layer::Layer;
use tower_service::Service;

/// How many depths there are. Each is at least 64 bytes below the one before it, so that they lead
/// over a page.
pub(crate) const DEPTHS: usize = 64;

/// Calls `run` from so many levels further down.
pub(crate) fn at_depth<T>(levels: usize, run: impl FnOnce() -> T) -> T {
    let (mut run, mut result) = (Some(run), None);
    descend(levels, &mut || result = run.take().map(|run| run()));
    #[allow(clippy::unwrap_used, reason = "`descend` has called it")]
    result.unwrap()
}

#[inline(never)]
fn descend(levels: usize, run: &mut dyn FnMut()) {
    if levels == 0 {
        return run();
    }
    let pad = black_box([0_u8; 32]);
    descend(levels - 1, run);
    black_box(&pad);
}

/// A layer that polls what is inside it from another depth for each request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Depths {
    next: Arc<AtomicUsize>,
}

/// The service of [`Depths`].
#[derive(Debug, Clone)]
pub(crate) struct AtDepths<S> {
    inner: S,
    depths: Depths,
}

impl<S> Layer<S> for Depths {
    type Service = AtDepths<S>;

    fn layer(&self, inner: S) -> AtDepths<S> {
        AtDepths { inner, depths: self.clone() }
    }
}

impl<S: Service<R>, R> Service<R> for AtDepths<S>
where
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Polled<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let levels = self.depths.next.fetch_add(1, Ordering::Relaxed) % DEPTHS;
        Polled { inner: Box::pin(self.inner.call(request)), levels }
    }
}

/// A future that is polled from a depth of its own.
pub(crate) struct Polled<F> {
    inner: Pin<Box<F>>,
    levels: usize,
}

impl<F: Future> Future for Polled<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let levels = self.levels;
        let inner = self.inner.as_mut();
        at_depth(levels, || inner.poll(context))
    }
}
