//! The span around the verifying of a request: its name, its fields, and what it keeps to itself.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests")]

mod support;

use std::{
    convert::Infallible,
    fmt::Debug,
    mem,
    sync::{Arc, Mutex},
};

use adcp_signing_http::{SignLayer, Verify};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use support::{OPERATION, key, required, signer, verifier};
use tower::{Layer as _, Service as _, ServiceExt as _, service_fn};
use tracing::{Event, Metadata, Subscriber, field, span};

const ORIGIN: &str = "https://seller.example.com";
const SPAN: &str = "adcp_signing.verify_request";

/// Keeps the spans of this library and what is recorded of each.
#[derive(Debug, Clone, Default)]
struct Spans(Arc<Mutex<Vec<Seen>>>);

/// The name of a span, and its fields.
type Seen = (&'static str, Vec<String>);

struct Fields<'a>(&'a mut Vec<String>);

impl field::Visit for Fields<'_> {
    fn record_debug(&mut self, field: &field::Field, value: &dyn Debug) {
        self.0.push(format!("{}={value:?}", field.name()));
    }
}

impl Subscriber for Spans {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span() && metadata.target().starts_with("adcp_signing::")
    }

    fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
        let mut spans = self.0.lock().unwrap();
        let mut fields = Vec::new();
        attributes.record(&mut Fields(&mut fields));
        spans.push((attributes.metadata().name(), fields));
        span::Id::from_u64(spans.len() as u64)
    }

    fn record(&self, id: &span::Id, values: &span::Record<'_>) {
        let at = usize::try_from(id.into_u64()).unwrap() - 1;
        let mut spans = self.0.lock().unwrap();
        values.record(&mut Fields(&mut spans.get_mut(at).unwrap().1));
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, _: &Event<'_>) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

impl Spans {
    /// All spans since the last call.
    fn take(&self) -> Vec<Seen> {
        mem::take(&mut *self.0.lock().unwrap())
    }
}

/// A signed request, as a seller receives it.
async fn signed(key: &Arc<adcp_signing_core::InMemoryProvider>) -> Request<Full<Bytes>> {
    let (sent, mut received) = tokio::sync::mpsc::unbounded_channel();
    let seller = service_fn(move |request: Request<Full<Bytes>>| {
        sent.send(request).unwrap();
        async { Ok::<_, Infallible>(Response::<Full<Bytes>>::default()) }
    });
    let request = Request::post(format!("{ORIGIN}/adcp/{OPERATION}"))
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from_static(br#"{"budget":1}"#)))
        .unwrap();
    SignLayer::new(signer(key)).layer(seller).oneshot(request).await.unwrap();
    received.recv().await.unwrap()
}

#[tokio::test]
async fn the_span_of_a_verified_request_has_a_stable_code_and_nothing_of_the_sender() {
    const HOSTILE: &str = "keyid-of-nobody";

    let key = key();
    let base: adcp_signing_http::BaseUrl = ORIGIN.parse().unwrap();
    let handler = service_fn(async |_: Request<Full<Bytes>>| {
        Ok::<_, Infallible>(Response::<Full<Bytes>>::default())
    });
    let verify = Verify::new(verifier(&key, required()), base);
    let mut seller = verify.operation(OPERATION).layer(handler);
    let mut too_large = verify.body_budget(1).operation(OPERATION).layer(handler);

    let (good, mut unknown, large) = (signed(&key).await, signed(&key).await, signed(&key).await);
    let input = unknown.headers()["signature-input"].to_str().unwrap().to_owned();
    let (before, after) = input.split_once(r#"keyid=""#).unwrap();
    let (kid, after) = after.split_once('"').unwrap();
    let input = format!(r#"{before}keyid="{HOSTILE}"{after}"#);
    unknown.headers_mut().insert("signature-input", input.parse().unwrap());

    let spans = Spans::default();
    let _guard = tracing::subscriber::set_default(spans.clone());
    let fields_of = |spans: &[Seen]| {
        let mut found = spans.iter().filter(|(name, _)| *name == SPAN);
        let (_, fields) = found.next().expect("a span").clone();
        assert!(found.next().is_none(), "one span for each request");
        fields
    };

    assert_eq!(seller.call(good).await.unwrap().status(), 200);
    let seen = spans.take();
    assert_eq!(fields_of(&seen), [""; 0]);
    // Verified, the key is named, in the span of the verifier.
    let names_key =
        |field: &String| *field == format!("kid={kid:?}") || *field == format!("kid={kid}");
    assert!(seen.iter().any(|(_, fields)| fields.iter().any(names_key)), "{seen:?}");

    assert_eq!(seller.call(unknown).await.unwrap().status(), 401);
    let seen = spans.take();
    assert_eq!(fields_of(&seen), [r#"error.type="request_signature_key_unknown""#]);
    assert!(!format!("{seen:?}").contains(HOSTILE), "{seen:?}");

    assert_eq!(too_large.call(large).await.unwrap().status(), 413);
    let seen = spans.take();
    assert_eq!(fields_of(&seen), [r#"error.type="body_too_large""#]);
    assert!(!format!("{seen:?}").contains(kid), "{seen:?}");
}
