//! The memory of a verifier is flat while nonces come and are forgotten.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::{
    convert::Infallible,
    env,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use adcp_signing_core::{
    Clock, FieldLine, InMemoryReplayStore, InMemoryRevocation, JwkSet, Request, StaticKeys,
    SystemClock, UnixSeconds, Verifier, WireVersion,
};
use adcp_signing_http::{BaseUrl, Verify};
use bytes::Bytes;
use http_body_util::Full;
use support::{BUYER, OPERATION, key, required, resident_bytes, signer};
use tower::{Layer as _, ServiceExt as _, service_fn};

/// How many requests, in place of the default.
const VARIABLE: &str = "ADCP_TEST_MEMORY_REQUESTS";
const REQUESTS: usize = 100_000;
/// So many requests arrive each second of the verifier's clock, and a nonce is remembered for 360.
const PER_SECOND: usize = 50;
/// What is remembered has its full size by then.
const WARM_UP: usize = 20_000;
/// What an allocator may keep more. A leak of 16 bytes a request exceeds it.
const MORE_BYTES: u64 = 1 << 20;

#[derive(Debug, Clone)]
struct Passing(Arc<AtomicI64>);

impl Clock for Passing {
    fn now(&self) -> UnixSeconds {
        UnixSeconds::new(self.0.load(Ordering::Relaxed))
    }
}

#[tokio::test]
async fn memory_is_flat_over_many_requests() {
    if resident_bytes().is_none() {
        return;
    }
    let requests: usize = env::var(VARIABLE).map_or(REQUESTS, |text| text.parse().unwrap());
    assert!(requests > WARM_UP, "{VARIABLE} is more than {WARM_UP}");
    let key = key();
    let clock = Passing(Arc::new(AtomicI64::new(SystemClock.now().as_i64())));
    let jwks = serde_json::json!({ "keys": [key.jwk()] }).to_string();
    let jwks = JwkSet::parse(jwks.as_bytes()).unwrap();
    let verifier = Verifier::for_requests(WireVersion::V3_2, required())
        .keys(StaticKeys::from_jwks_of(BUYER, &jwks).unwrap())
        .revocation(InMemoryRevocation::default())
        .replay(InMemoryReplayStore::default())
        .clock(clock.clone())
        .build();
    let base: BaseUrl = "https://seller.example.com".parse().unwrap();
    let layer = Verify::new(verifier, base).operation(OPERATION);
    let server = layer.layer(service_fn(|_: http::Request<Full<Bytes>>| async {
        Ok::<_, Infallible>(http::Response::new(Full::<Bytes>::default()))
    }));
    let signer = signer(&key).with_clock(clock.clone());
    let fields = [FieldLine::new("content-type", "application/json")];
    let body = br#"{"budget":1000}"#;
    let url = "https://seller.example.com/adcp/create_media_buy";
    let mut warm = 0;
    for nth in 0..requests {
        let signed = signer.sign(&Request::new("POST", url, &fields, body)).await.unwrap();
        let mut request = http::Request::post("/adcp/create_media_buy")
            .header("content-type", "application/json");
        for (name, value) in signed.iter() {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(Bytes::from_static(body))).unwrap();
        let answer = server.clone().oneshot(request).await.unwrap();
        assert_eq!(answer.status(), 200, "request {nth}");
        if nth % PER_SECOND == 0 {
            clock.0.fetch_add(1, Ordering::Relaxed);
        }
        if nth == WARM_UP {
            warm = resident_bytes().unwrap();
        }
    }
    let end = resident_bytes().unwrap();
    let more = end.saturating_sub(warm);
    assert!(more <= MORE_BYTES, "{more} bytes more after {requests} requests than after {WARM_UP}");
}
