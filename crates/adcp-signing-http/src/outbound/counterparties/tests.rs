use std::{
    pin::pin,
    sync::atomic::{AtomicUsize, Ordering},
    task::{Context, Waker},
};

use adcp_signing_core::{
    Algorithm, FieldLine, FixedClock, InMemoryProvider, KeyPurpose, Profile, profile::MessageKind,
};
use tokio::sync::Semaphore;

use super::*;

const NOW: UnixSeconds = UnixSeconds::new(1_776_520_800);
const LEGACY: &str = r#"{"adcp":{"supported_versions":["3.0","3.1"]},
    "request_signing":{"supported":true,"required_for":["create_media_buy"]}}"#;
const MODERN: &str = r#"{"adcp":{"supported_versions":["3.1","3.2"]},
    "request_signing":{"supported":true,"covers_content_digest":"required"}}"#;

/// A counterparty's side, in the hands of a test: a call waits for a permit and answers as told.
#[derive(Debug, Clone)]
struct Peers(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    answer: Mutex<Result<&'static str, &'static str>>,
    permits: Semaphore,
    begun: AtomicUsize,
    dropped: AtomicUsize,
    slow: Option<&'static str>,
}

struct Dropped<'a>(&'a AtomicUsize);

impl Drop for Dropped<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Peers {
    fn new(answer: Result<&'static str, &'static str>) -> Self {
        Self::with_slow(answer, None)
    }

    /// Only this one waits for permits.
    fn with_slow(answer: Result<&'static str, &'static str>, slow: Option<&'static str>) -> Self {
        Self(Arc::new(Inner {
            answer: Mutex::new(answer),
            permits: Semaphore::new(0),
            begun: AtomicUsize::new(0),
            dropped: AtomicUsize::new(0),
            slow,
        }))
    }

    /// One that answers at once.
    fn ready(answer: Result<&'static str, &'static str>) -> Self {
        Self::with_slow(answer, Some("nobody"))
    }

    fn set(&self, answer: Result<&'static str, &'static str>) {
        *self.0.answer.lock() = answer;
    }

    fn begun(&self) -> usize {
        self.0.begun.load(Ordering::SeqCst)
    }
}

#[async_trait::async_trait]
impl FetchCapabilities for Peers {
    async fn capabilities(&self, counterparty: &Origin) -> Result<Vec<u8>, BoxError> {
        let _dropped = Dropped(&self.0.dropped);
        self.0.begun.fetch_add(1, Ordering::SeqCst);
        if self.0.slow.is_none_or(|slow| counterparty.authority() == slow) {
            self.0.permits.acquire().await?.forget();
        }
        let answer = *self.0.answer.lock();
        match answer {
            Ok("panic") => panic!("as told"),
            answer => Ok(answer?.as_bytes().to_vec()),
        }
    }
}

fn signer() -> Signer {
    let key = InMemoryProvider::generate(Algorithm::Ed25519, KeyPurpose::RequestSigning).unwrap();
    Signer::for_requests(key).unwrap()
}

/// How a request to this host is signed: its profile, and whether it covers the digest.
async fn signed_for(
    counterparties: &Counterparties,
    signer: &Signer,
    host: &str,
) -> Result<Option<String>, SignedCallError> {
    let url = format!("https://{host}/adcp/create_media_buy");
    let fields = [FieldLine::new("content-type", "application/json")];
    let message = Message::new("POST", &url, &fields, b"{}");
    let Some(signer) = counterparties.signer_for(signer, &message).await? else { return Ok(None) };
    let signed = signer.sign(&message).await?;
    let form = if signed.signature.ends_with("=:") { "3.2" } else { "3.1" };
    let covers = signed.signature_input.contains("content-digest");
    Ok(Some(format!("{form}{}", if covers { "" } else { " without digest" })))
}

async fn form(counterparties: &Counterparties, signer: &Signer, host: &str) -> String {
    signed_for(counterparties, signer, host).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_thousand_first_requests_fetch_once() {
    let peers = Peers::new(Ok(LEGACY));
    let counterparties = Counterparties::fetched_by(peers.clone());
    let signer = signer();
    let waiting = (0..1000).map(|_| form(&counterparties, &signer, "seller.example.com"));
    let release = async {
        tokio::task::yield_now().await;
        assert_eq!(peers.begun(), 1);
        peers.0.permits.add_permits(1000);
    };
    let (forms, ()) = tokio::join!(futures_util::future::join_all(waiting), release);
    assert!(forms.iter().all(|form| form == "3.1"), "{forms:?}");
    assert_eq!(peers.begun(), 1);
    assert_eq!(form(&counterparties, &signer, "seller.example.com").await, "3.1");
    assert_eq!(peers.begun(), 1, "the answer is remembered");
}

#[tokio::test]
async fn a_failure_a_panic_and_a_broken_answer_are_shared_and_not_fetched_again_for_a_minute() {
    let signer = signer();
    for (answer, outcome) in [
        (Err("no answer"), Some("3.2")),
        (Ok("panic"), Some("3.2")),
        (Ok(r#"{"adcp_version":"3.2","adcp_version":"3.0"}"#), None),
    ] {
        let peers = Peers::new(answer);
        let clock = Arc::new(FixedClock::new(NOW));
        let counterparties =
            Counterparties::fetched_by(peers.clone()).with_clock(Arc::clone(&clock));
        let ask = async || {
            let signed = signed_for(&counterparties, &signer, "seller.example.com").await;
            signed.map_err(|error| assert!(matches!(error, SignedCallError::Capability { .. })))
        };
        let expected = outcome.map(|form| Some(form.to_owned())).ok_or(());
        let release = async {
            tokio::task::yield_now().await;
            peers.0.permits.add_permits(1000);
        };
        let (outcomes, ()) =
            tokio::join!(futures_util::future::join_all((0..50).map(|_| ask())), release);
        assert!(outcomes.iter().all(|outcome| *outcome == expected), "{outcomes:?}");
        clock.advance(NEGATIVE_TTL - 1);
        assert_eq!(ask().await, expected);
        assert_eq!(peers.begun(), 1, "{answer:?}");
        clock.advance(1);
        assert_eq!(ask().await, expected);
        assert_eq!(peers.begun(), 2, "{answer:?}");
    }
}

#[tokio::test]
async fn a_first_request_that_is_dropped_leaves_the_fetch_to_those_who_wait() {
    let peers = Peers::new(Ok(LEGACY));
    let counterparties = Counterparties::fetched_by(peers.clone());
    let signer = signer();
    let mut context = Context::from_waker(Waker::noop());
    let mut first = Box::pin(form(&counterparties, &signer, "seller.example.com"));
    assert!(first.as_mut().poll(&mut context).is_pending());
    let second = form(&counterparties, &signer, "seller.example.com");
    let drop_the_first = async {
        tokio::task::yield_now().await;
        drop(first);
        peers.0.permits.add_permits(1);
    };
    let (form, ()) = tokio::join!(second, drop_the_first);
    assert_eq!((form.as_str(), peers.begun()), ("3.1", 1));
}

#[tokio::test]
async fn a_fetch_that_nobody_waits_for_ends_and_the_next_request_starts_anew() {
    let peers = Peers::new(Ok(LEGACY));
    let counterparties = Counterparties::fetched_by(peers.clone());
    let signer = signer();
    let mut context = Context::from_waker(Waker::noop());
    for round in 1..=2 {
        let mut asking = Box::pin(form(&counterparties, &signer, "seller.example.com"));
        assert!(asking.as_mut().poll(&mut context).is_pending());
        drop(asking);
        assert_eq!(peers.0.dropped.load(Ordering::SeqCst), round);
    }
    peers.0.permits.add_permits(1);
    assert_eq!(form(&counterparties, &signer, "seller.example.com").await, "3.1");
    assert_eq!(peers.begun(), 3);
}

#[tokio::test]
async fn a_slow_counterparty_blocks_nobody_else() {
    let peers = Peers::with_slow(Ok(LEGACY), Some("slow.example.com"));
    let counterparties = Counterparties::fetched_by(peers.clone());
    let signer = signer();
    let mut slow = pin!(form(&counterparties, &signer, "slow.example.com"));
    let mut context = Context::from_waker(Waker::noop());
    assert!(slow.as_mut().poll(&mut context).is_pending());
    assert_eq!(form(&counterparties, &signer, "quick.example.com").await, "3.1");
    peers.0.permits.add_permits(1);
    assert_eq!(slow.await, "3.1");
}

#[tokio::test(start_paused = true)]
async fn a_fetch_is_given_up_after_ten_seconds() {
    let peers = Peers::new(Ok(LEGACY));
    let counterparties = Counterparties::fetched_by(peers.clone());
    let begun = tokio::time::Instant::now();
    assert_eq!(form(&counterparties, &signer(), "seller.example.com").await, "3.2");
    assert_eq!(begun.elapsed(), FETCH_TIMEOUT);
    assert_eq!(peers.0.dropped.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn the_form_is_the_counterpartys_and_the_digest_is_left_out_only_for_old_ones_that_refuse_it()
{
    let signer = signer();
    for (answer, expected) in [
        (LEGACY, "3.1"),
        (MODERN, "3.2"),
        (r#"{"adcp":{"supported_versions":["3.0"]}}"#, "3.1"),
        (r#"{"adcp":{"major_versions":[3]}}"#, "3.2"),
        (
            r#"{"adcp_version":"3.1",
                "request_signing":{"supported":true,"covers_content_digest":"forbidden"}}"#,
            "3.1 without digest",
        ),
    ] {
        let counterparties = Counterparties::fetched_by(Peers::ready(Ok(answer)));
        let form = form(&counterparties, &signer, "seller.example.com").await;
        assert_eq!(form, expected, "{answer}");
    }
}

#[tokio::test]
async fn who_served_3_2_once_is_never_signed_for_in_the_older_form_again() {
    let peers = Peers::ready(Ok(LEGACY));
    let clock = Arc::new(FixedClock::new(NOW));
    let counterparties = Counterparties::fetched_by(peers.clone()).with_clock(Arc::clone(&clock));
    let signer = signer();
    for (answer, expected) in [
        (Ok(LEGACY), "3.1"),
        // While there is no answer the form stays as it was.
        (Err("no answer"), "3.1"),
        (Ok(MODERN), "3.2"),
        (Ok(LEGACY), "3.2"),
        (Ok("{}"), "3.2"),
        (
            Ok(r#"{"adcp_version":"3.0",
                "request_signing":{"supported":true,"covers_content_digest":"forbidden"}}"#),
            "3.2",
        ),
        (Err("no answer"), "3.2"),
    ] {
        peers.set(answer);
        let form = form(&counterparties, &signer, "seller.example.com").await;
        assert_eq!(form, expected, "{answer:?}");
        clock.advance(TTL);
    }
    peers.set(Ok(LEGACY));
    assert_eq!(form(&counterparties, &signer, "other.example.com").await, "3.1");
}

#[tokio::test]
async fn a_pre_release_counts_as_the_version_that_it_leads_to() {
    let peers = Peers::ready(Ok(LEGACY));
    let clock = Arc::new(FixedClock::new(NOW));
    let counterparties = Counterparties::fetched_by(peers.clone()).with_clock(Arc::clone(&clock));
    let signer = signer();
    for (host, listed) in [
        ("beta.example.com", r#"{"adcp":{"supported_versions":["3.0","3.2-beta.1"]}}"#),
        ("candidate.example.com", r#"{"adcp":{"supported_versions":["3.1","3.3-rc.0"]}}"#),
    ] {
        peers.set(Ok(listed));
        assert_eq!(form(&counterparties, &signer, host).await, "3.2", "{listed}");
        // Nor is it signed for in the older form when it takes the pre-release back.
        clock.advance(TTL);
        peers.set(Ok(LEGACY));
        assert_eq!(form(&counterparties, &signer, host).await, "3.2", "{listed}");
    }
    peers.set(Ok(r#"{"adcp":{"supported_versions":["3.1-rc.1"]}}"#));
    assert_eq!(form(&counterparties, &signer, "older.example.com").await, "3.1");
    peers.set(Ok(r#"{"adcp":{"supported_versions":["3.1","3.2-"]}}"#));
    signed_for(&counterparties, &signer, "broken.example.com").await.unwrap_err();
}

#[tokio::test]
async fn the_configuration_of_a_counterparty_decides_alone() {
    let peers = Peers::ready(Ok(MODERN));
    let forbidden = RequestSigningCapability::supported_with(DigestPolicy::Forbidden);
    let origin = |host: &str| format!("https://{host}").parse::<Origin>().unwrap();
    let counterparties = Counterparties::fetched_by(peers.clone())
        .with(origin("old.example.com"), WireVersion::V3_0)
        .with(origin("tls.example.com").with_tls_terminated_in_front(), WireVersion::V3_0)
        .with_capability(origin("bare.example.com"), WireVersion::V3_1, forbidden.clone())
        .with_capability(origin("new.example.com"), WireVersion::V3_2, forbidden);
    let signer = signer();
    for (host, expected) in [
        ("old.example.com", "3.1"),
        ("OLD.example.com:443", "3.1"),
        ("tls.example.com", "3.1"),
        ("bare.example.com", "3.1 without digest"),
        ("new.example.com", "3.2"),
    ] {
        assert_eq!(form_of(&counterparties, &signer, host).await, expected, "{host}");
    }
    assert_eq!(peers.begun(), 0);
    // Without a fetch, the signer's own profile is that of everybody else.
    let configured = Counterparties::configured();
    let old = Signer::new(Profile::request(WireVersion::V3_0), key()).unwrap();
    assert_eq!(form(&configured, &signer, "seller.example.com").await, "3.2");
    assert_eq!(form(&configured, &old, "seller.example.com").await, "3.1");
}

/// As [`form`], for hosts that are not written canonically.
async fn form_of(counterparties: &Counterparties, signer: &Signer, host: &str) -> String {
    let signer = signer.clone().with_ambiguous_urls(adcp_signing_core::sign::AmbiguousUrls::Allow);
    form(counterparties, &signer, host).await
}

fn key() -> InMemoryProvider {
    InMemoryProvider::generate(Algorithm::Ed25519, KeyPurpose::RequestSigning).unwrap()
}

#[tokio::test]
async fn a_signer_of_webhooks_stays_one_and_asks_nobody() {
    let peers = Peers::ready(Ok(MODERN));
    let counterparties = Counterparties::fetched_by(peers.clone()).only_asked(Transport::RestPath);
    let signer = Signer::for_webhooks(key()).unwrap();
    let fields = [FieldLine::new("content-type", "application/json")];
    let message = Message::new("POST", "https://buyer.example.com/hook", &fields, b"{}");
    let chosen = counterparties.signer_for(&signer, &message).await.unwrap().unwrap();
    assert_eq!(chosen.profile().kind(), MessageKind::Webhook);
    assert_eq!(peers.begun(), 0);
}

#[tokio::test]
async fn the_memory_of_counterparties_is_bounded_and_forgets_what_is_old() {
    let clock = Arc::new(FixedClock::new(NOW));
    let counterparties =
        Counterparties::fetched_by(Peers::ready(Ok("{}"))).with_clock(Arc::clone(&clock));
    let asking = counterparties.asking.clone().unwrap();
    let ask = async |number: usize| {
        let name = format!("https://seller-{number}.example.com");
        asking.known(&name, name.parse().unwrap()).await;
        let memory = asking.memory.lock();
        assert!(memory.flights.is_empty());
        memory.answers.len()
    };
    for number in 0..MAX_ANSWERS {
        assert_eq!(ask(number).await, number + 1);
    }
    assert_eq!(ask(MAX_ANSWERS).await, MAX_ANSWERS);
    clock.advance(TTL);
    assert_eq!(ask(MAX_ANSWERS).await, 1);
}

#[test]
fn who_served_3_2_is_remembered_up_to_a_bound() {
    let mut memory = Memory::default();
    for number in 0..=MAX_MODERN {
        let served = Some(WireVersion::V3_2);
        assert_eq!(memory.never_older(&number.to_string(), served), served);
    }
    assert_eq!(memory.modern.len(), MAX_MODERN);
    let lists_older = Some(WireVersion::V3_0);
    assert_eq!(memory.never_older("0", lists_older), Some(WireVersion::NEWEST));
    assert_eq!(memory.never_older(&MAX_MODERN.to_string(), lists_older), lists_older);
}

#[tokio::test]
async fn ended_fetches_are_not_remembered_without_bound() {
    let peers = Peers::new(Ok("{}"));
    let asking = Counterparties::fetched_by(peers).asking.unwrap();
    let mut context = Context::from_waker(Waker::noop());
    for number in 0..=MAX_ANSWERS {
        let name = format!("https://seller-{number}.example.com");
        let mut asked = Box::pin(asking.known(&name, name.parse().unwrap()));
        assert!(asked.as_mut().poll(&mut context).is_pending());
    }
    assert_eq!(asking.memory.lock().flights.len(), 1);
}

#[cfg(feature = "metrics")]
#[tokio::test(start_paused = true)]
async fn fetches_are_counted_by_what_became_of_them() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let guard = metrics::set_default_local_recorder(&recorder);
    let signer = signer();
    for peers in [
        Peers::ready(Ok(MODERN)),
        Peers::ready(Ok("[]")),
        Peers::ready(Err("no answer")),
        Peers::ready(Ok("panic")),
        Peers::new(Ok(MODERN)),
    ] {
        let counterparties = Counterparties::fetched_by(peers);
        let _ = signed_for(&counterparties, &signer, "seller.example.com").await;
    }
    drop(guard);
    let shown = recorder.handle().render();
    let count = |outcome: &str| {
        let line = format!("adcp_capability_fetch_total{{outcome=\"{outcome}\"}} ");
        shown.lines().find_map(|shown| shown.strip_prefix(&line)?.parse::<u32>().ok())
    };
    let counts = ["ok", "invalid", "failed", "timeout"].map(count);
    assert_eq!(counts, [Some(1), Some(1), Some(2), Some(1)], "{shown}");
}

/// Keeps the spans of the signing of requests, and what is recorded of them.
#[derive(Debug, Clone, Default)]
struct Spans(Arc<Mutex<Vec<String>>>);

impl tracing::field::Visit for Spans {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn fmt::Debug) {
        self.0.lock().push(format!("{}={value:?}", field.name()));
    }
}

impl tracing::Subscriber for Spans {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.name() == "adcp_signing.sign_request"
    }

    fn new_span(&self, span: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        span.record(&mut self.clone());
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, values: &tracing::span::Record<'_>) {
        values.record(&mut self.clone());
    }

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, _: &tracing::Event<'_>) {}
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test]
async fn the_span_of_signing_a_request_names_the_server_and_a_stable_code() {
    let spans = Spans::default();
    let guard = tracing::subscriber::set_default(spans.clone());
    let url = "https://user:secret@seller.example.com:8443/adcp?secret=1";
    within_span(url, async { Ok(()) }).await.unwrap();
    within_span::<()>(url, async { Err(SignedCallError::StreamingBody) }).await.unwrap_err();
    drop(guard);
    let server = [r#"server.address="seller.example.com""#, "server.port=8443"];
    let expected = [&server[..], &server, &[r#"error.type="streaming_body""#]].concat();
    assert_eq!(*spans.0.lock(), expected);
    for (url, expected) in [
        ("https://seller.example.com/x", ("seller.example.com", None)),
        ("https://[2001:db8::1]:8443", ("[2001:db8::1]", Some(8443))),
        ("https://[2001:db8::1]/x", ("[2001:db8::1]", None)),
        ("seller", ("", None)),
    ] {
        assert_eq!(host_and_port(url), expected);
    }
}
