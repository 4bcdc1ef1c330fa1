//! Signing and verifying one `create_media_buy` of 1 KiB under the 3.2 profile, beside the bare primitive and beside
//! `httpsig`.
//!
//! Both sides do all that the checklist asks for: nonces, clock, digest, duplicate keys, and when verifying a cached key,
//! revocation, replay and the capability of the endpoint. `sign/null` has a key that answers at once. Verifying cannot
//! leave the cryptography out. What a pipeline costs beside its primitive is `*_beyond_primitive`: the two run in turn, and
//! the difference counts.
//!
//! `httpsig` signs and verifies the same components. It has no canonicalization, digest, nonce cache, revocation or body
//! check, so it does less.

#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, reason = "a benchmark")]

use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use adcp_signing_core::{
    Algorithm, Clock as _, Fingerprint, InMemoryProvider, KeyPurpose, Nonces as _, ProviderError, PublicKey,
    RandomNonces, Signature, SigningProvider, SystemClock,
    message::{FieldLine, Request},
    operation::{DigestPolicy, Posture, RequestSigningCapability, Transport},
    profile::{Profile, WireVersion},
    provider::{Capability, Custody, Signed},
    replay::InMemoryReplayStore,
    resolver::{StaticKeys, VerificationKey},
    revocation::InMemoryRevocation,
    sign::{SignedFields, Signer},
    verify::{Caller, FallbackCredential, Verifier},
};
use async_trait::async_trait;
use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, ParsedPublicKey},
};
use criterion::{
    BenchmarkGroup, Criterion, SamplingMode, criterion_group, criterion_main, measurement::WallTime,
};
use ed25519_dalek::Signer as _;
use futures_util::FutureExt as _;
use httpsig::prelude::{
    AlgorithmName, HttpSignatureBase, HttpSignatureHeaders, HttpSignatureParams, PublicKey as PeerPublicKey,
    SecretKey as PeerSecretKey,
    message_component::{HttpMessageComponent, HttpMessageComponentId},
};

const URL: &str = "https://seller.example.com/adcp/create_media_buy";
const OPERATION: &str = "create_media_buy";
const KEYID: &str = "buyer-signing-2026";
const BODY: &[u8] = br#"{"idempotency_key":"7f2a9c34-5b1e-4d0a-9a3e-6c1f0b8d2e57","account":{"brand":{"domain":"nova-athletics.example"},"operator":"pinnacle-media.example"},"brand":{"domain":"nova-athletics.example"},"name":"Nova spring launch","po_number":"PO-2027-0117","start_time":"2027-03-01T00:00:00Z","end_time":"2027-03-31T23:59:59Z","budget_allocation":{"mode":"fixed"},"packages":[{"product_id":"prod_premium_video_nl","pricing_option_id":"cpm_eur_fixed","budget":25000,"pacing":"even","targeting_overlay":{"geo_countries":["NL"],"frequency_cap":{"max_impressions":3,"per":"day"}},"creative_assignments":[{"creative_id":"cr_nova_15s","weight":60},{"creative_id":"cr_nova_30s","weight":40}]},{"product_id":"prod_sports_display_nl","pricing_option_id":"cpm_eur_fixed","budget":10000,"pacing":"even"}],"push_notification_config":{"url":"https://buyer.example.com/webhooks/adcp/media-buys","operation_id":"op_nova_spring_001"},"context":{"campaign":"nova-spring-2027","note":"Flight dates are confirmed by the brand; budget is in net euro"}}"#;

const SEED: [u8; 32] = [7; 32];
/// What precedes the seed in a DER `PrivateKeyInfo` (RFC 8410 §7).
const ED25519_PKCS8: [u8; 16] = *b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
const COMPONENTS: [&str; 5] = ["@method", "@target-uri", "@authority", "content-type", "content-digest"];

/// Distinct signed messages that are verified in turn. Then the replay store is replaced by a fresh one.
const MESSAGES: usize = 1_024;
/// Nonces of others in a fresh replay store, so that its tables have the size they have in use: five minutes of a verifier
/// with thirty requests a second.
const OTHER_NONCES: usize = 10_000;
const PAGE: usize = 4_096;

fn fields() -> [FieldLine<'static>; 5] {
    [
        FieldLine::new("Host", "seller.example.com"),
        FieldLine::new("User-Agent", "buyer-agent/4.2"),
        FieldLine::new("Accept", "application/json"),
        FieldLine::new("Content-Type", "application/json"),
        FieldLine::new("Content-Length", "1024"),
    ]
}

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

// Keys.

fn profile() -> Profile {
    Profile::request(WireVersion::V3_2)
}

/// A key that signs at once, with the same bytes every time.
#[derive(Debug)]
struct NullKey {
    purpose: KeyPurpose,
    fingerprint: Fingerprint,
    signature: Signature,
}

impl NullKey {
    fn new() -> Self {
        Self {
            purpose: KeyPurpose::RequestSigning,
            fingerprint: Fingerprint::new("null", "null"),
            signature: Signature::from_raw(Algorithm::Ed25519, &[7; 64]).expect("64 bytes"),
        }
    }
}

#[async_trait]
impl SigningProvider for NullKey {
    fn key_id(&self) -> &str {
        KEYID
    }

    fn algorithm(&self) -> Algorithm {
        Algorithm::Ed25519
    }

    fn purpose(&self) -> &KeyPurpose {
        &self.purpose
    }

    fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    fn capability(&self) -> Capability {
        Capability::new(Custody::InProcess, [Algorithm::Ed25519])
    }

    async fn public_key(&self) -> Result<PublicKey, ProviderError> {
        PublicKey::from_ed25519_bytes(ed25519_dalek::SigningKey::from_bytes(&SEED).verifying_key().as_bytes())
            .map_err(|_| {
                ProviderError::new(adcp_signing_core::ProviderErrorKind::InvalidResponse, "not a key")
            })
    }

    async fn sign(&self, _signature_base: &[u8]) -> Result<Signed, ProviderError> {
        Ok(Signed { signature: self.signature.clone(), key_version: None })
    }
}

/// One key pair, as this crate, as the bare primitive and as `httpsig` hold it.
struct Keys {
    provider: Arc<InMemoryProvider>,
    primitive: Primitive,
    peer: PeerSecretKey,
    peer_public: PeerPublicKey,
    peer_algorithm: AlgorithmName,
}

enum Primitive {
    Ed25519 { signing: Box<ed25519_dalek::SigningKey>, verifying: Box<ed25519_dalek::VerifyingKey> },
    P256 { signing: EcdsaKeyPair, verifying: ParsedPublicKey },
}

impl Keys {
    fn ed25519() -> Self {
        let signing = ed25519_dalek::SigningKey::from_bytes(&SEED);
        let verifying = signing.verifying_key();
        let der = [ED25519_PKCS8.as_slice(), &SEED].concat();
        Self::new(
            &der,
            Primitive::Ed25519 { signing: Box::new(signing), verifying: Box::new(verifying) },
            AlgorithmName::Ed25519,
        )
    }

    fn p256() -> Self {
        let secret = p256::SecretKey::from_slice(&SEED).expect("in range");
        let der = p256::pkcs8::EncodePrivateKey::to_pkcs8_der(&secret).expect("a sound key");
        let signing =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.as_bytes()).expect("a sound key");
        let public = aws_lc_rs::signature::KeyPair::public_key(&signing);
        let verifying = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public).expect("a sound key");
        Self::new(der.as_bytes(), Primitive::P256 { signing, verifying }, AlgorithmName::EcdsaP256Sha256)
    }

    fn new(pkcs8: &[u8], primitive: Primitive, peer_algorithm: AlgorithmName) -> Self {
        let provider =
            InMemoryProvider::from_pkcs8_der(pkcs8, KeyPurpose::RequestSigning).expect("a sound key");
        let peer = PeerSecretKey::from_bytes(&peer_algorithm, &SEED).expect("a sound key");
        let peer_public = peer.public_key();
        Self { provider: Arc::new(provider.with_key_id(KEYID)), primitive, peer, peer_public, peer_algorithm }
    }

    fn signer(&self) -> Signer {
        Signer::new(profile(), self.provider.clone()).expect("a request-signing key")
    }
}

impl Primitive {
    fn sign(&self, base: &[u8]) -> [u8; 64] {
        match self {
            Self::Ed25519 { signing, .. } => signing.sign(base).to_bytes(),
            Self::P256 { signing, .. } => {
                let signature = signing.sign(&SystemRandom::new(), base).expect("entropy");
                signature.as_ref().try_into().expect("64 bytes")
            }
        }
    }

    fn verify(&self, base: &[u8], signature: &[u8; 64]) -> bool {
        match self {
            Self::Ed25519 { verifying, .. } => {
                verifying.verify_strict(base, &ed25519_dalek::Signature::from_bytes(signature)).is_ok()
            }
            Self::P256 { verifying, .. } => verifying.verify_sig(base, signature).is_ok(),
        }
    }
}

fn sign_once(signer: &Signer, request: &Request<'_>) -> SignedFields {
    signer.sign(request).now_or_never().expect("no key waits").expect("the request can be signed")
}

// Messages that are verified.

/// Signed messages, each with its own nonce, and what the primitive alone has to check of each.
struct Traffic {
    messages: Vec<SignedFields>,
    bases: Vec<(Vec<u8>, [u8; 64])>,
}

impl Traffic {
    fn by(keys: &Keys) -> Self {
        let signer = keys.signer();
        let fields = fields();
        let request = Request::new("POST", URL, &fields, BODY);
        let messages: Vec<_> = (0..MESSAGES).map(|_| sign_once(&signer, &request)).collect();
        let verifier = verifier(keys);
        let bases = messages.iter().map(|message| {
            let fields = received(message);
            let request = Request::new("POST", URL, &fields, BODY);
            let acceptance = verify_once(&verifier, &request);
            let base = acceptance.signer.expect("signed").signature_base;
            let signature = keys.primitive.sign(&base);
            (base, signature)
        });
        let bases = bases.collect();
        Self { messages, bases }
    }
}

fn received(message: &SignedFields) -> [FieldLine<'_>; 8] {
    let [host, agent, accept, content_type, length] = fields();
    [
        host,
        agent,
        accept,
        content_type,
        length,
        FieldLine::new("Content-Digest", message.content_digest.as_deref().unwrap_or_default()),
        FieldLine::new("Signature-Input", &message.signature_input),
        FieldLine::new("Signature", &message.signature),
    ]
}

/// A verifier with the key in its cache and a replay store that knows none of the messages.
fn verifier(keys: &Keys) -> Verifier {
    let mut known = StaticKeys::default();
    known.insert(VerificationKey::trusted(
        KEYID,
        keys.provider.verifying_key().clone(),
        KeyPurpose::RequestSigning,
    ));
    let replay = InMemoryReplayStore::new();
    let now = SystemClock.now();
    for _ in 0..OTHER_NONCES {
        let nonce = RandomNonces.next().expect("entropy");
        let _ = replay.preload(KEYID, nonce.as_str(), now.plus(360), now).expect("in range");
    }
    Verifier::builder(profile())
        .keys(Arc::new(known))
        .revocation(Arc::new(InMemoryRevocation::new(["buyer-signing-2024", "buyer-signing-2025"])))
        .replay(Arc::new(replay))
        .capability(
            RequestSigningCapability::supported_with(DigestPolicy::Required)
                .with_operations(Posture::Required, [OPERATION])
                .expect("an operation"),
        )
        .build()
}

fn caller() -> Caller {
    Caller {
        transport: Transport::Rest { operation: Some(OPERATION.to_owned()) },
        fallback: FallbackCredential::Absent,
    }
}

fn verify_once(verifier: &Verifier, request: &Request<'_>) -> adcp_signing_core::verify::Acceptance {
    verifier.verify(request, &caller()).now_or_never().expect("no edge waits").expect("the request verifies")
}

/// Calls `each` with `iterations` messages, none of them twice under one verifier, and adds up what it measures.
fn over_messages(
    keys: &Keys,
    signed: &Traffic,
    iterations: u64,
    mut each: impl FnMut(&Verifier, &Request<'_>, &(Vec<u8>, [u8; 64])) -> Duration,
) -> Duration {
    let mut left = iterations;
    let mut total = Duration::ZERO;
    while left > 0 {
        let verifier = verifier(keys);
        for (message, base) in signed.messages.iter().zip(&signed.bases).take(left as usize) {
            // A message that came in was just written to memory.
            let (message, base) = (message.clone(), base.clone());
            let fields = received(&message);
            let request = Request::new("POST", URL, &fields, BODY);
            total += each(&verifier, &request, &base);
            left -= 1;
        }
    }
    total
}

/// Calls `run` from further down the stack, `levels` times about 64 bytes.
///
/// A primitive's vector code takes up to a fifth longer at some places of the stack within a page than at others. A pipeline
/// calls its primitive from another place than a bare call does, and would be charged for the difference, or credited with
/// it. So both are run from all over a page: from [`depths`] different levels.
#[inline(never)]
fn deeper(levels: usize, run: &mut dyn FnMut() -> Duration) -> Duration {
    if levels == 0 {
        return run();
    }
    let pad = black_box([0_u8; 32]);
    let result = deeper(levels - 1, run);
    black_box(&pad);
    result
}

/// How many levels lead over whole pages, so that no part of a page counts more than another. How long a level is, is up to
/// the compiler.
fn depths() -> usize {
    let [upper, lower] = [0, 1].map(|levels| {
        let mut address = 0;
        deeper(levels, &mut || {
            let here = 0_u8;
            address = std::ptr::from_ref(black_box(&here)).addr();
            Duration::ZERO
        });
        address
    });
    let level = upper - lower;
    PAGE >> level.trailing_zeros().min(PAGE.trailing_zeros())
}

/// What one call of `whole` takes beside one of `part`, in means over the depths of the stack without the slowest tenth,
/// where interruptions are. The two run in turn, so that a drift of the machine meets both.
struct Beyond {
    depths: usize,
    whole: Vec<Duration>,
    part: Vec<Duration>,
}

impl Beyond {
    fn new() -> Self {
        Self { depths: depths(), whole: Vec::new(), part: Vec::new() }
    }

    fn add(&mut self, mut whole: impl FnMut() -> Duration, mut part: impl FnMut() -> Duration) {
        let levels = self.whole.len() % self.depths;
        self.whole.push(deeper(levels, &mut whole));
        self.part.push(deeper(levels, &mut part));
    }

    /// How many pairs make a sample of so many iterations: whole rounds over the depths.
    fn pairs(&self, iterations: u64) -> u64 {
        iterations.next_multiple_of(self.depths as u64)
    }

    /// The difference, times `iterations`.
    fn total(self, iterations: u64) -> Duration {
        let [whole, part] = [self.whole, self.part].map(|mut times| {
            times.sort_unstable();
            times.truncate(times.len().div_ceil(10) * 9);
            times.iter().sum::<Duration>().div_f64(times.len() as f64)
        });
        // Criterion stops at a sample of no time, which a great disturbance of `part` looks like.
        whole.saturating_sub(part).max(Duration::from_nanos(1)).mul_f64(iterations as f64)
    }
}

/// The time that `run` takes, which includes dropping its result. `run` says whether it succeeded.
fn timed(run: impl FnOnce() -> bool) -> Duration {
    let start = Instant::now();
    let succeeded = run();
    let elapsed = start.elapsed();
    assert!(succeeded, "what is measured is a success");
    elapsed
}

// The peer.

/// The request's component values, as `httpsig` takes them.
fn peer_components(ids: &[HttpMessageComponentId], digest: &str) -> Vec<HttpMessageComponent> {
    let values = ["POST", URL, "seller.example.com", "application/json", digest];
    let component = |(id, value): (&HttpMessageComponentId, &str)| {
        HttpMessageComponent::try_from((id, [value.to_owned()].as_slice())).expect("a component")
    };
    ids.iter().zip(values).map(component).collect()
}

fn peer_sign(keys: &Keys, ids: &[HttpMessageComponentId], digest: &str) -> [String; 2] {
    let mut params = HttpSignatureParams::try_new(ids).expect("distinct components");
    params.set_random_nonce().set_expires_with_duration(Some(300));
    params.set_keyid(KEYID).set_alg(&keys.peer_algorithm).set_tag("adcp/request-signing/v1");
    let base = HttpSignatureBase::try_new(&peer_components(ids, digest), &params).expect("a base");
    let headers = base.build_signature_headers(&keys.peer, Some("sig1")).expect("a signature");
    [headers.signature_input_header_value(), headers.signature_header_value()]
}

fn peer_verify(keys: &Keys, [input, signature]: &[String; 2], digest: &str) {
    let labels = HttpSignatureHeaders::try_parse(signature, input).expect("both fields parse");
    let headers = labels.get("sig1").expect("the label");
    let params = headers.signature_params();
    let components = peer_components(&params.covered_components, digest);
    let base = HttpSignatureBase::try_new(&components, params).expect("a base");
    base.verify_signature_headers(&keys.peer_public, headers).expect("the request verifies");
}

// Benchmarks.

fn sign(criterion: &mut Criterion) {
    assert_eq!(BODY.len(), 1_024);
    let mut group = group(criterion, "sign");
    let fields = fields();
    let request = Request::new("POST", URL, &fields, BODY);
    let signer = Signer::new(profile(), Arc::new(NullKey::new())).expect("a request-signing key");
    group.bench_function("null", |bencher| bencher.iter(|| sign_once(&signer, black_box(&request))));
    let ids = COMPONENTS.map(|name| HttpMessageComponentId::try_from(name).expect("a component"));
    for (name, keys) in [("ed25519", Keys::ed25519()), ("p256", Keys::p256())] {
        let signer = keys.signer();
        let signed = Traffic::by(&keys);
        let (base, _) = &signed.bases[0];
        let digest = signed.messages[0].content_digest.as_deref().expect("a digest");
        group.bench_function(name, |bencher| bencher.iter(|| sign_once(&signer, black_box(&request))));
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
            bencher.iter(|| peer_sign(&keys, black_box(&ids), digest));
        });
    }
    group.finish();
}

fn verify(criterion: &mut Criterion) {
    let mut group = group(criterion, "verify");
    let caller = caller();
    let full = |verifier: &Verifier, request: &Request<'_>| {
        timed(|| verifier.verify(black_box(request), &caller).now_or_never().expect("no edge waits").is_ok())
    };
    for (name, keys) in [("ed25519", Keys::ed25519()), ("p256", Keys::p256())] {
        let signed = Traffic::by(&keys);
        let primitive = |(base, signature): &(Vec<u8>, [u8; 64])| {
            timed(|| keys.primitive.verify(black_box(base), black_box(signature)))
        };
        paired(&mut group);
        group.bench_function(format!("{name}_beyond_primitive"), |bencher| {
            bencher.iter_custom(|iterations| {
                let mut beyond = Beyond::new();
                over_messages(&keys, &signed, beyond.pairs(iterations), |verifier, request, base| {
                    beyond.add(|| full(verifier, request), || primitive(base));
                    Duration::ZERO
                });
                beyond.total(iterations)
            });
        });
        plain(&mut group);
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|iterations| {
                over_messages(&keys, &signed, iterations, |verifier, request, _| full(verifier, request))
            });
        });
        group.bench_function(format!("{name}_primitive"), |bencher| {
            bencher.iter_custom(|iterations| {
                over_messages(&keys, &signed, iterations, |_, _, base| primitive(base))
            });
        });
        let ids = COMPONENTS.map(|name| HttpMessageComponentId::try_from(name).expect("a component"));
        let digest = signed.messages[0].content_digest.as_deref().expect("a digest");
        let fields = peer_sign(&keys, &ids, digest);
        group.bench_function(format!("{name}_httpsig"), |bencher| {
            bencher.iter(|| peer_verify(&keys, black_box(&fields), digest));
        });
    }
    group.finish();
}

criterion_group!(benches, sign, verify);
criterion_main!(benches);
