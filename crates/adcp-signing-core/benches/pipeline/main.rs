//! Signing and verifying one `create_media_buy` of 1 KiB under the 3.2 profile, beside the bare
//! primitive and beside `httpsig`.
//!
//! Both sides do all that the checklist asks for: nonces, clock, digest, duplicate keys, and when
//! verifying a cached key, revocation, replay and the capability of the endpoint. `sign/null` has a
//! key that answers at once. Verifying cannot leave the cryptography out. What a pipeline costs
//! on top of its primitive is `*_beyond_primitive`, and on top of the check of the signature that it
//! makes `*_beyond_own_check`: the two run in turn, and the difference counts. `*_by_path_*` reads the
//! operation from path and body.
//!
//! `httpsig` signs and verifies the same components. It has no canonicalization, digest, nonce
//! cache, revocation or body check, so it does less.

#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, reason = "a benchmark")]

mod beyond;
mod keys;
mod message;
mod peer;
mod traffic;

use std::{hint::black_box, sync::Arc, time::Duration};

use adcp_signing_core::{Context, Request, Signer, Transport, Verifier};
use criterion::{
    BenchmarkGroup, Criterion, SamplingMode, criterion_group, criterion_main, measurement::WallTime,
};
use futures_util::FutureExt as _;

use self::{
    beyond::{Beyond, timed},
    keys::{Keys, NullKey, profile, sign_once},
    message::{BODY, create_media_buy, fields},
    traffic::{SignedBase, Traffic, over_messages, route},
};

fn group<'c>(criterion: &'c mut Criterion, name: &str) -> BenchmarkGroup<'c, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group.sampling_mode(SamplingMode::Flat).nresamples(1_000);
    group.warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(4));
    plain(&mut group);
    group
}

/// Many short samples, so that on a busy machine most of them run undisturbed.
fn plain(group: &mut BenchmarkGroup<'_, WallTime>) {
    group.sample_size(1_000);
}

/// Fewer and longer samples, as each has to see all depths of the stack.
fn paired(group: &mut BenchmarkGroup<'_, WallTime>) {
    group.sample_size(100);
}

fn sign(criterion: &mut Criterion) {
    assert_eq!(BODY.len(), 1_024);
    let mut group = group(criterion, "sign");
    let fields = fields();
    let request = create_media_buy(&fields);
    let signer = Signer::new(profile(), Arc::new(NullKey::new())).expect("a request-signing key");
    group
        .bench_function("null", |bencher| bencher.iter(|| sign_once(&signer, black_box(&request))));
    let ids = peer::covered();
    for (name, keys) in [("ed25519", Keys::ed25519()), ("p256", Keys::p256())] {
        let signer = keys.signer();
        let signed = Traffic::by(&keys);
        let (base, _) = &signed.bases[0];
        let digest = signed.messages[0].content_digest.as_deref().expect("a digest");
        group.bench_function(name, |bencher| {
            bencher.iter(|| sign_once(&signer, black_box(&request)))
        });
        group.bench_function(format!("{name}_primitive"), |bencher| {
            bencher.iter(|| keys.primitive.sign(black_box(base)));
        });
        paired(&mut group);
        group.bench_function(format!("{name}_beyond_primitive"), |bencher| {
            bencher.iter_custom(|iterations| {
                let mut beyond = Beyond::new();
                for _ in 0..beyond.pairs(iterations) {
                    beyond.add(
                        || timed(|| !sign_once(&signer, black_box(&request)).signature.is_empty()),
                        || timed(|| black_box(keys.primitive.sign(black_box(base))).len() == 64),
                    );
                }
                beyond.total(iterations)
            });
        });
        plain(&mut group);
        group.bench_function(format!("{name}_httpsig"), |bencher| {
            bencher.iter(|| keys.peer.sign(black_box(&ids), digest));
        });
    }
    group.finish();
}

/// The time that a bare check of one signature takes.
type Check<'a> = &'a dyn Fn(&SignedBase) -> Duration;

fn verify(criterion: &mut Criterion) {
    let mut group = group(criterion, "verify");
    let (route, path) = (route(), Transport::RestPath);
    let (by_route, by_path) = (Context::request(&route), Context::request(&path));
    let full = |verifier: &Verifier, request: &Request<'_>, context: &Context<'_>| {
        timed(|| {
            verifier
                .verify(black_box(request), context)
                .now_or_never()
                .expect("no edge waits")
                .is_ok()
        })
    };
    for (name, keys) in [("ed25519", Keys::ed25519()), ("p256", Keys::p256())] {
        let signed = Traffic::by(&keys);
        let primitive = |(base, signature): &SignedBase| {
            timed(|| keys.primitive.verify(black_box(base), black_box(signature)))
        };
        let key = keys.provider.verifying_key();
        let own_check = |(base, signature): &SignedBase| {
            timed(|| key.verify_bytes(black_box(base), black_box(signature)).is_ok())
        };
        let parts: [(&str, &Context<'_>, Check<'_>); 3] = [
            ("beyond_primitive", &by_route, &primitive),
            ("beyond_own_check", &by_route, &own_check),
            ("by_path_beyond_own_check", &by_path, &own_check),
        ];
        paired(&mut group);
        for (part, context, check) in parts {
            group.bench_function(format!("{name}_{part}"), |bencher| {
                bencher.iter_custom(|iterations| {
                    let mut beyond = Beyond::new();
                    over_messages(
                        &keys,
                        &signed,
                        beyond.pairs(iterations),
                        |verifier, request, base| {
                            beyond.add(|| full(verifier, request, context), || check(base));
                            Duration::ZERO
                        },
                    );
                    beyond.total(iterations)
                });
            });
        }
        plain(&mut group);
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|iterations| {
                over_messages(&keys, &signed, iterations, |verifier, request, _| {
                    full(verifier, request, &by_route)
                })
            });
        });
        group.bench_function(format!("{name}_primitive"), |bencher| {
            bencher.iter_custom(|iterations| {
                over_messages(&keys, &signed, iterations, |_, _, base| primitive(base))
            });
        });
        let ids = peer::covered();
        let digest = signed.messages[0].content_digest.as_deref().expect("a digest");
        let fields = keys.peer.sign(&ids, digest);
        group.bench_function(format!("{name}_httpsig"), |bencher| {
            bencher.iter(|| keys.peer.verify(black_box(&fields), digest));
        });
    }
    group.finish();
}

criterion_group!(benches, sign, verify);
criterion_main!(benches);
