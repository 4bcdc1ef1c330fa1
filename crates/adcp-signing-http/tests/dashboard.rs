//! The dashboard and the page for operators, held to what a server and a client really export.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "helpers of tests"
)]

mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use adcp_signing_core::{
    InMemoryProvider, InMemoryReplayStore, InMemoryRevocation, JwkSet, Origin, Signer, StaticKeys,
    Verifier, WireVersion,
    provider::layers::SigningProviderExt as _,
    replay::{AdmissionThresholds, AdmissionTracked},
};
use adcp_signing_http::{
    Counterparties, FetchCapabilities, Verify,
    reqwest::{SignMiddleware, client},
    telemetry::{describe_metrics, every_metric},
    webhook::{InMemoryDeliveries, WebhookSender},
};
use axum::{
    Router,
    routing::{get, post},
};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use serde_json::{Value, json};
use support::{
    BUYER, OPERATION, Reached, Server, key, required,
    webhooks::{self, event, signed_buyer, target},
};
use tokio::sync::mpsc;

const DASHBOARD: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/dashboard/adcp-signing.json"));
const PAGE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operations.md"));

/// Names of metrics, and the labels of each.
type Metrics = BTreeMap<String, BTreeSet<String>>;

/// Installs the exporter as the documentation has it.
fn install() -> PrometheusHandle {
    let mut builder = PrometheusBuilder::new();
    for metric in every_metric() {
        if let Some(buckets) = metric.buckets() {
            let name = Matcher::Full(metric.name().to_owned());
            builder = builder.set_buckets_for_metric(name, buckets).unwrap();
        }
    }
    let handle = builder.install_recorder().unwrap();
    describe_metrics();
    handle
}

#[derive(Debug)]
struct Capabilities;

#[async_trait::async_trait]
impl FetchCapabilities for Capabilities {
    async fn capabilities(
        &self,
        _: &Origin,
    ) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
        Ok(br#"{"adcp":{"supported_versions":["3.2"]}}"#.to_vec())
    }
}

/// A seller that also serves what is scraped.
async fn seller(buyers: &[Arc<InMemoryProvider>], handle: PrometheusHandle) -> Server {
    let jwks: Vec<_> = buyers.iter().map(|buyer| buyer.jwk()).collect();
    let jwks = json!({ "keys": jwks }).to_string();
    let keys = StaticKeys::from_jwks_of(BUYER, &JwkSet::parse(jwks.as_bytes()).unwrap()).unwrap();
    // The second key that is seen is an alarm.
    let thresholds =
        AdmissionThresholds::default().with_ceiling_floor(1.0).with_ceiling_fraction(0.0);
    let replay = InMemoryReplayStore::new().named("requests");
    let verifier = Verifier::for_requests(WireVersion::V3_2, required())
        .keys(keys)
        .revocation(InMemoryRevocation::default())
        .replay(AdmissionTracked::new(replay, thresholds, |_| {}))
        .build();
    Server::start(|base| {
        let verify = Verify::new(verifier, base).max_unsigned_body(8);
        let buy = post(async || "done").layer(verify.operation(OPERATION));
        let browse = post(async || "prices").layer(verify.operation("get_products"));
        Router::new()
            .route("/adcp/create_media_buy", buy)
            .route("/adcp/get_products", browse)
            .route("/metrics", get(async move || handle.render()))
    })
    .await
}

/// Delivers one webhook to a receiver.
async fn deliver() {
    let key = key();
    let receiver = signed_buyer(&key, &Reached::default()).await;
    let (events_in, mut events) = mpsc::unbounded_channel();
    let sender = WebhookSender::builder(webhooks::signer(&key))
        .store(InMemoryDeliveries::default())
        .observer(move |event| events_in.send(event).unwrap())
        .build()
        .unwrap();
    sender.enqueue(&target(&receiver, "/hooks"), event()).await.unwrap();
    tokio::select! {
        () = sender.run() => panic!("the sender ended"),
        event = events.recv() => drop(event.unwrap()),
    }
}

/// What is scraped of programs that sign, and of one that verifies and refuses.
async fn scraped() -> String {
    let handle = install();
    let buyers = [key(), key()];
    let server = seller(&buyers, handle).await;
    let order = server.url("/adcp/create_media_buy");
    for buyer in &buyers {
        let signer = Signer::for_requests(Arc::clone(buyer).instrumented()).unwrap();
        let sellers = Counterparties::fetched_by(Capabilities);
        let signing = client(SignMiddleware::new(signer).counterparties(sellers)).unwrap();
        let answer = signing.post(&order).json(&json!({})).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }
    let plain = reqwest::Client::new();
    let unsigned = plain.post(&order).json(&json!({})).send().await.unwrap();
    assert_eq!(unsigned.status(), 401);

    let request = http::Request::post(&order).header("content-type", "application/json");
    let (mut parts, ()) = request.body(()).unwrap().into_parts();
    let signer = support::signer(&buyers[0]);
    signer.sign_http(&mut parts, b"{}", &server.url("").parse().unwrap()).await.unwrap();
    for status in [200, 401] {
        let replayed = plain.post(&order).headers(parts.headers.clone()).body("{}");
        assert_eq!(replayed.send().await.unwrap().status(), status);
    }
    let long = plain.post(server.url("/adcp/get_products")).body("more than eight bytes");
    assert_eq!(long.send().await.unwrap().status(), 413);
    deliver().await;
    plain.get(server.url("/metrics")).send().await.unwrap().text().await.unwrap()
}

/// The metrics of a scrape, histograms by their own names.
fn read(scrape: &str) -> Metrics {
    let mut histograms = BTreeSet::new();
    let mut metrics = Metrics::new();
    for line in scrape.lines() {
        if let Some(histogram) = line.strip_prefix("# TYPE ") {
            let (name, kind) = histogram.split_once(' ').unwrap();
            assert!(matches!(kind, "counter" | "gauge" | "histogram"), "{line}: set its buckets");
            if kind == "histogram" {
                histograms.insert(name.to_owned());
            }
        }
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, rest) = line.split_once('{').unwrap_or((line, ""));
        let name = name.split(' ').next().unwrap();
        let own = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix));
        let name = own.filter(|own| histograms.contains(*own)).unwrap_or(name);
        let labels = rest.split_once('}').map_or("", |(labels, _)| labels);
        let labels = labels.split("\",").filter_map(|label| label.split_once('='));
        let labels = labels.map(|(label, _)| label.to_owned()).filter(|label| label != "le");
        metrics.entry(name.to_owned()).or_default().extend(labels);
    }
    metrics
}

/// The tables of metrics of the page for operators.
fn documented() -> Metrics {
    let rows = PAGE.lines().filter_map(|line| line.strip_prefix("| `adcp_"));
    rows.filter_map(|row| {
        let cells: Vec<_> = row.split(" | ").map(|cell| cell.replace('`', "")).collect();
        let [name, kind, labels, ..] = cells.as_slice() else { return None };
        matches!(kind.as_str(), "counter" | "gauge" | "histogram")
            .then(|| (format!("adcp_{name}"), labels.split(", ").map(str::to_owned).collect()))
    })
    .collect()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|char: char| !(char.is_ascii_alphanumeric() || char == '_'))
        .filter(|word| !word.is_empty())
}

/// Each expression of the dashboard with its legend.
fn expressions() -> Vec<(String, String)> {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    targets.map(|target| (text(&target["expr"]), text(&target["legendFormat"]))).collect()
}

/// The labels that an expression names, in `by (…)`, in `{…}`, and in its legend.
fn labels_of(expression: &str, legend: &str) -> BTreeSet<String> {
    let mut labels = BTreeSet::new();
    for grouped in expression.split("by (").skip(1) {
        labels.extend(words(grouped.split_once(')').unwrap().0).map(str::to_owned));
    }
    for matched in expression.split('{').skip(1) {
        let matchers = matched.split_once('}').unwrap().0.split("\",");
        labels.extend(matchers.map(|matcher| words(matcher).next().unwrap().to_owned()));
    }
    for shown in legend.split("{{").skip(1) {
        labels.insert(shown.split_once("}}").unwrap().0.to_owned());
    }
    labels
}

#[tokio::test]
async fn the_dashboard_and_the_page_name_what_is_scraped_and_nothing_else() {
    let scrape = scraped().await;
    let scraped = read(&scrape);
    assert_eq!(scraped, documented(), "what is scraped, and docs/operations.md");
    let listed: Metrics = every_metric()
        .map(|metric| {
            let labels = metric.labels().iter().map(|label| (*label).to_owned());
            (metric.name().to_owned(), labels.collect())
        })
        .collect();
    assert_eq!(scraped, listed, "what is scraped, and `every_metric`");

    let expressions = expressions();
    let mut shown = BTreeSet::new();
    for (expression, legend) in &expressions {
        let mut labels = BTreeSet::from(["le".to_owned()]);
        for name in words(expression).filter(|word| word.starts_with("adcp_")) {
            let own = name.strip_suffix("_bucket").unwrap_or(name);
            let known = scraped.get(own).unwrap_or_else(|| panic!("{name} was not scraped"));
            assert!(scrape.contains(&format!("{name}{{")), "{name} was not scraped");
            labels.extend(known.iter().cloned());
            shown.insert(own.to_owned());
        }
        for label in labels_of(expression, legend) {
            assert!(labels.contains(&label), "{label} of {expression} was not scraped");
        }
    }
    assert_eq!(shown.len(), scraped.len(), "the dashboard shows every metric: {shown:?}");
    for metric in every_metric() {
        assert!(scrape.contains(&format!("# HELP {} ", metric.name())), "{}", metric.name());
    }
}
