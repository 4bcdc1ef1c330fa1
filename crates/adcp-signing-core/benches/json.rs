//! The check for duplicate keys (step 14), over bodies as they come and over hostile ones.
//!
//! The throughput is what to compare: the check has to stay linear, so no hostile body may cost
//! many times more a byte than the others.

#![allow(missing_docs, clippy::expect_used, reason = "a benchmark")]

use std::{fmt::Write as _, hint::black_box, iter::repeat_n, time::Duration};

use adcp_signing_core::json::check_no_duplicate_keys;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde_json::{Value, json};

/// The length of each body, about.
const BYTES: usize = 64 << 10;

/// A product, as `get_products` answers with.
fn product(nth: usize) -> Value {
    json!({
        "product_id": format!("homepage_{nth}"),
        "name": format!("Homepage takeover {nth}"),
        "description": "Reach readers on the front page, with seventy percent viewability, a cap \
            of three impressions a day, and reports for every hour.",
        "publisher_properties": [{
            "publisher_domain": "news.example",
            "selection_type": "by_tag",
            "property_tags": ["sports", "premium"],
        }],
        "format_ids": [
            { "agent_url": "https://creative.example.com", "id": "display_300x250" },
            { "agent_url": "https://creative.example.com", "id": "video_standard_30s" },
        ],
        "delivery_type": "guaranteed",
        "pricing_options": [{
            "pricing_option_id": "cpm_usd_fixed",
            "pricing_model": "cpm",
            "rate": 12.5,
            "currency": "USD",
            "min_spend_per_package": 5_000,
        }],
        "forecast": { "points": [{ "budget": 1_000, "impressions": { "low": 80, "high": 120 } }] },
    })
}

/// As many of `part` as fill a body, with commas between them.
fn filled(open: &str, part: impl Fn(usize) -> String, close: &str) -> String {
    let mut body = open.to_owned();
    let mut count = 0;
    while body.len() < BYTES {
        let comma = if count == 0 { "" } else { "," };
        write!(body, "{comma}{}", part(count)).expect("memory");
        count += 1;
    }
    body + close
}

fn bodies() -> Vec<(&'static str, String)> {
    let compact = filled("[", |nth| product(nth).to_string(), "]");
    let pretty: Value = serde_json::from_str(&compact).expect("JSON");
    let accents = "Größe, déjà vu, 広告キャンペーン ".repeat(8);
    let nested = "[".repeat(60) + &"]".repeat(60);
    vec![
        ("products", compact),
        ("products_pretty", serde_json::to_string_pretty(&pretty).expect("JSON")),
        ("long_strings", filled("[", |_| format!(r#""{}""#, "lorem ipsum ".repeat(300)), "]")),
        ("beyond_ascii", filled("[", |_| format!(r#""{accents}""#), "]")),
        ("numbers", filled("[", |nth| (nth as f64 * 1.37).to_string(), "]")),
        ("hostile_escapes", filled("[", |_| format!(r#""{}""#, r"\u0041\n\\".repeat(99)), "]")),
        ("hostile_members", filled("{", |nth| format!(r#""k{nth:06}":0"#), "}")),
        // The ends of the names, by which the check tells names apart at first, are all alike.
        ("hostile_names", filled("{", |nth| format!(r#""same{nth:06}same":0"#), "}")),
        ("hostile_escaped_names", filled("{", |nth| format!(r#""\u006b{nth:06}":0"#), "}")),
        ("hostile_nesting", filled("[", |_| nested.clone(), "]")),
        ("hostile_white_space", format!("[0{}]", repeat_n(' ', BYTES).collect::<String>())),
    ]
}

fn duplicate_keys(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("json/duplicate_keys");
    group.warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    for (name, body) in bodies() {
        assert_eq!(check_no_duplicate_keys(body.as_bytes()), Ok(()), "{name}");
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| check_no_duplicate_keys(black_box(body.as_bytes())).is_ok());
        });
    }
    group.finish();
}

criterion_group!(benches, duplicate_keys);
criterion_main!(benches);
