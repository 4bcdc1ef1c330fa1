//! The memory of a verifier over a million requests, while old nonces are forgotten.

use adcp_signing_core::{Clock as _, JwkSet};
use serde_json::json;

use crate::{
    BenchError, cpu,
    message::{self, Key, OPERATION},
    servers::{MovedClock, verifier, verify},
};

const REQUESTS: usize = 1_000_000;
/// After so many, all tables have the size that they keep.
const WARM_UP: usize = 100_000;
/// So many requests arrive each second of the verifier's clock.
const PER_SECOND: usize = 100;

pub(crate) fn measure(key: &Key) -> Result<(), BenchError> {
    let jwks = JwkSet::parse(message::jwks(std::slice::from_ref(key)).as_bytes())?;
    let clock = MovedClock::new();
    let mut server = crate::in_process::Server::new(
        verify(verifier(&jwks, clock.clone())?)?.operation(OPERATION),
    );
    let body = message::body(1 << 10);
    let mut resident = [0; 2];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let _entered = runtime.enter();
    for done in (0..REQUESTS).step_by(PER_SECOND) {
        if done == WARM_UP {
            resident[0] = cpu::resident_bytes()?;
        }
        for signed in message::sign(key, clock.now(), &body, PER_SECOND)? {
            if !server.accepts(signed.request()?) {
                return Err("a request was refused".into());
            }
        }
        clock.move_on(1);
    }
    resident[1] = cpu::resident_bytes()?;
    let [warm, end] = resident;
    let numbers = json!({
        "kind": "memory",
        "requests": REQUESTS,
        "warm_up": WARM_UP,
        "warm_bytes": warm,
        "end_bytes": end,
    });
    println!("{numbers}");
    Ok(())
}
