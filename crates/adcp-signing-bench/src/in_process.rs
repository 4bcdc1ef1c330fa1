//! The layer, the verifier and the raw verification in one process, without sockets.
//!
//! All get each request, in turn and from the same depth of the stack. The difference of the means
//! is what one costs beyond another. The check for duplicate keys (step 14) is timed alone as well:
//! it grows with the body, and the raw verification does not make it.

use std::{
    convert::Infallible,
    future::Future,
    hint::black_box,
    pin::pin,
    task::{Context, Poll, Waker},
    time::Instant,
};

use adcp_signing_core::{
    Clock as _, Context as Received, JwkSet, Origin, SystemClock, Transport,
    json::check_no_duplicate_keys,
};
use adcp_signing_http::{VerifyLayer, VerifyService};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use serde_json::json;
use tower_layer::Layer as _;
use tower_service::Service;

use crate::{
    BODIES, BenchError,
    depth::{DEPTHS, at_depth},
    message::{self, Key, OPERATION, ORIGIN},
    sample::undisturbed_mean,
    servers::{Keys, verifier, verify},
};

/// How many requests each gets, for each depth and for each body.
const ROUNDS: [usize; 2] = [160, 32];

/// A handler that answers at once.
#[derive(Debug, Clone)]
struct Handler;

impl Service<Request<Full<Bytes>>> for Handler {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        black_box(request);
        std::future::ready(Ok(Response::new(Full::default())))
    }
}

/// The layer around a handler that answers at once.
pub(crate) struct Server(VerifyService<Handler>);

impl Server {
    pub(crate) fn new(layer: VerifyLayer) -> Self {
        Self(layer.layer(Handler))
    }

    /// Whether a request reaches the handler.
    pub(crate) fn accepts(&mut self, request: Request<Full<Bytes>>) -> bool {
        let answer = at_once(self.0.call(request));
        answer.is_some_and(|answer| answer.is_ok_and(|answer| answer.status() == 200))
    }
}

pub(crate) fn measure(keys: &[Key]) -> Result<(), BenchError> {
    measure_rounds(keys, ROUNDS)
}

fn measure_rounds(keys: &[Key], rounds: [usize; 2]) -> Result<(), BenchError> {
    let jwks = JwkSet::parse(message::jwks(keys).as_bytes())?;
    // The layer sets a time limit for the body.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let _entered = runtime.enter();
    for key in keys {
        for (length, rounds) in BODIES.into_iter().zip(rounds) {
            let body = message::body(length);
            let by_hand = Keys::of(&jwks)?;
            let (of_layer, bare) = (verifier(&jwks, SystemClock)?, verifier(&jwks, SystemClock)?);
            let mut layer = Server::new(verify(of_layer)?.operation(OPERATION));
            let origin: Origin = ORIGIN.parse()?;
            let route = Transport::Rest { operation: OPERATION.to_owned() };
            let context = Received::request(&route);
            let mut times = [const { Vec::new() }; 4];
            for round in 0..rounds {
                let signed = message::sign(key, SystemClock.now(), &body, DEPTHS)?;
                for (levels, signed) in signed.iter().enumerate() {
                    let (parts, _) = signed.request::<Full<Bytes>>()?.into_parts();
                    let mut request = Some(signed.request::<Full<Bytes>>()?);
                    // None always comes first, into caches that are cold.
                    for nth in 0..4 {
                        let which = (nth + round) % 4;
                        let succeeded = timed(&mut times[which], levels, || match which {
                            0 => by_hand.check(&parts.headers, &signed.body).is_some(),
                            1 => check_no_duplicate_keys(&signed.body).is_ok(),
                            2 => {
                                let body = &signed.body;
                                let verified = bare.verify_parts(&parts, body, &origin, &context);
                                at_once(verified).is_some_and(|outcome| outcome.is_ok())
                            }
                            _ => request.take().is_some_and(|request| layer.accepts(request)),
                        });
                        if !succeeded {
                            return Err("what is measured is a success".into());
                        }
                    }
                }
            }
            let [by_hand, json, verifier, layer] =
                times.map(|mut times| undisturbed_mean(&mut times));
            let numbers = json!({
                "kind": "in_process",
                "algorithm": key.algorithm().rfc9421_name(),
                "body": length,
                "by_hand_ns": by_hand,
                "json_ns": json,
                "verifier_ns": verifier,
                "layer_ns": layer,
            });
            println!("{numbers}");
        }
    }
    Ok(())
}

fn timed(times: &mut Vec<f64>, levels: usize, run: impl FnOnce() -> bool) -> bool {
    at_depth(levels, || {
        let started = Instant::now();
        let succeeded = run();
        times.push(started.elapsed().as_nanos() as f64);
        succeeded
    })
}

/// What a future comes to that waits for nothing.
fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

#[cfg(test)]
mod tests {
    use adcp_signing_core::Algorithm;

    use super::*;

    #[test]
    fn everything_that_is_measured_verifies() {
        let keys = [Algorithm::Ed25519, Algorithm::EcdsaP256Sha256].map(Key::generate);
        let keys = keys.map(Result::unwrap);
        measure_rounds(&keys, [1, 1]).unwrap();
    }

    #[test]
    fn the_raw_verification_refuses_what_was_changed() {
        let key = Key::generate(Algorithm::Ed25519).unwrap();
        let jwks = message::jwks(std::slice::from_ref(&key));
        let by_hand = Keys::of(&JwkSet::parse(jwks.as_bytes()).unwrap()).unwrap();
        let body = message::body(1 << 10);
        let signed = message::sign(&key, SystemClock.now(), &body, 1).unwrap().remove(0);
        let (parts, _) = signed.request::<Full<Bytes>>().unwrap().into_parts();
        assert!(by_hand.check(&parts.headers, &body).is_some());
        assert!(by_hand.check(&parts.headers, &body[1..]).is_none());
        let mut changed = parts.headers;
        let input = changed["signature-input"].to_str().unwrap().replace("nonce=\"", "nonce=\"x");
        changed.insert("signature-input", input.parse().unwrap());
        assert!(by_hand.check(&changed, &body).is_none());
    }
}
