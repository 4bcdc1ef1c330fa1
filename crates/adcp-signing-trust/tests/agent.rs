//! From an agent's URL to its keys against a real server: every step's failure with its code and
//! details, what is held, and the verifier's key query.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::{sync::Arc, time::Duration};

use adcp_signing_core::{
    FixedClock, KeyQuery, KeyResolver, Profile, UnixSeconds, WireVersion,
    resolver::DiscoveryFailure,
};
use adcp_signing_testkit::CannedReply;
use adcp_signing_trust::{
    agent::{
        AgentDiscovery, AgentDiscoveryBuilder, AgentResolver, Binding, DiscoveryError,
        KeyOriginPurpose, Resolution, Step,
    },
    brand::{AgentType, AgentUrl, BrandJson, Candidates},
};
use futures_util::future::join_all;
use serde_json::{Value, json};
use support::{
    Answer, Names, Server,
    operator::{BRAND, BUYER, JWKS, MCP, Operator, SELLER, capabilities, ok, published, status},
};

const NOW: UnixSeconds = UnixSeconds::new(1_776_520_800);

/// An operator, and a discovery on a clock that stands still.
struct Stage {
    operator: Operator,
    clock: Arc<FixedClock>,
    discovery: AgentDiscovery,
    agent: AgentUrl,
}

impl Stage {
    async fn new() -> Self {
        Self::with(|builder| builder).await
    }

    async fn with(change: impl FnOnce(AgentDiscoveryBuilder) -> AgentDiscoveryBuilder) -> Self {
        let operator = Operator::new().await;
        let clock = Arc::new(FixedClock::new(NOW));
        let fetcher = operator.server.fetcher().build().unwrap();
        let discovery = change(AgentDiscovery::builder(fetcher).clock(Arc::clone(&clock))).build();
        let agent = operator.agent_url().parse().unwrap();
        Self { operator, clock, discovery, agent }
    }

    async fn resolve(&self) -> Result<Resolution, Arc<DiscoveryError>> {
        self.discovery.resolve(&self.agent).await
    }

    async fn refused(&self) -> Arc<DiscoveryError> {
        self.resolve().await.unwrap_err()
    }

    fn url(&self, path: &str) -> String {
        self.operator.server.url(BUYER, path)
    }
}

fn detail(error: &DiscoveryError, name: &str) -> Option<String> {
    let found = error.details().into_iter().find(|(found, _)| *found == name);
    found.map(|(_, value)| value.into_owned())
}

#[tokio::test]
async fn an_agent_is_found_by_its_url_alone() {
    let stage = Stage::new().await;
    let found = stage.resolve().await.unwrap();
    assert_eq!(found.agent().as_str(), stage.url(MCP));
    assert_eq!((found.kind(), found.id()), (&AgentType::Buying, Some("buyer")));
    assert_eq!(found.jwks_uri().as_str(), stage.url(JWKS));
    assert_eq!(found.brand_json_url().unwrap().as_str(), stage.url(BRAND));
    assert_eq!(found.binding(), Binding::SameDomain);
    assert_eq!(stage.operator.asked(MCP), 1, "a server without sessions is asked once");
}

#[tokio::test]
async fn step_1_an_agent_that_does_not_answer_is_unreachable() {
    for (answer, http_status) in [
        (status(500), Some("500")),
        (status(401), Some("401")),
        (Answer::Reply(CannedReply::new(302).header("location", "https://x.example/")), None),
        (Answer::Reply(CannedReply::new(200).body("{}")), None),
        (ok(&json!({})), None),
        (capabilities(&json!([])), None),
    ] {
        let stage = Stage::new().await;
        stage.operator.serve(MCP, answer.clone());
        let error = stage.refused().await;
        assert_eq!(error.code(), "request_signature_capabilities_unreachable", "{answer:?}");
        assert_eq!(detail(&error, "agent_url").unwrap(), stage.url(MCP));
        assert_eq!(detail(&error, "http_status").as_deref(), http_status, "{answer:?}");
        assert_eq!(detail(&error, "last_attempt_at").unwrap(), "1776520800");
        assert_eq!(error.governance_code(), "governance_jwks_unavailable");
        assert_eq!(stage.operator.asked(BRAND), 0, "nothing else is looked for");
    }
}

#[tokio::test]
async fn step_1_a_name_that_is_not_there_is_named_as_the_cause() {
    let stage = Stage::new().await;
    let agent = stage.operator.server.url("nobody.example.com", MCP).parse().unwrap();
    let error = stage.discovery.resolve(&agent).await.unwrap_err();
    assert_eq!(error.failure(), DiscoveryFailure::CapabilitiesUnreachable);
    assert!(detail(&error, "dns_error").is_some(), "{error}");
}

#[tokio::test]
async fn step_1_no_agent_is_asked_at_a_reserved_address() {
    let operator = Operator::new().await;
    let names = Names::of_this_machine();
    names.set(BUYER, &[&["10.0.0.1"]]);
    let fetcher = operator.server.fetcher().resolver(Arc::new(names)).build().unwrap();
    let discovery = AgentDiscovery::builder(fetcher).build();
    let agent = operator.agent_url().parse().unwrap();
    let error = discovery.resolve(&agent).await.unwrap_err();
    assert_eq!(error.failure(), DiscoveryFailure::CapabilitiesUnreachable);
    assert!(error.to_string().contains("reserved address"), "{error}");
    assert!(operator.server.asked().is_empty());
}

#[tokio::test]
async fn step_2_an_agent_has_to_name_an_https_document_and_no_other_is_looked_for() {
    for identity in [
        json!({}),
        json!({ "brand_json_url": "" }),
        json!({ "brand_json_url": "http://buyer.example.com/.well-known/brand.json" }),
        json!({ "brand_json_url": "https://10.0.0.1/brand.json" }),
        json!({ "brand_json_url": "https://user:pass@buyer.example.com/brand.json" }),
    ] {
        let stage = Stage::new().await;
        let payload = json!({
            "identity": identity,
            "sponsored_intelligence": { "brand_url": stage.url(BRAND) },
        });
        stage.operator.serve(MCP, capabilities(&payload));
        let error = stage.refused().await;
        assert_eq!(error.code(), "request_signature_brand_json_url_missing", "{identity}");
        assert_eq!(detail(&error, "agent_url").unwrap(), stage.url(MCP));
        assert_eq!(stage.operator.asked(BRAND), 0, "{identity}");
    }
}

/// A House Portfolio that lists the agent, and these operators.
fn house(stage: &Stage, operators: Value) -> Value {
    json!({
        "house": { "domain": "example.net", "name": "House", "agents": [
            { "type": "buying", "id": "buyer", "url": stage.url(MCP) }
        ] },
        "brand_refs": [],
        "authorized_operators": operators,
    })
}

#[tokio::test]
async fn step_3_another_domain_has_to_list_that_of_the_agent() {
    const ELSEWHERE: &str = "brand.example.net";
    let stage = async |brand: fn(&Stage) -> Value| {
        let stage = Stage::new().await;
        let payload = stage.operator.names(ELSEWHERE);
        stage.operator.serve(MCP, capabilities(&payload));
        stage.operator.serve(BRAND, ok(&brand(&stage)));
        stage
    };
    let refused: [fn(&Stage) -> Value; 4] = [
        |stage| stage.operator.lists(json!({})),
        |stage| house(stage, json!([])),
        |stage| house(stage, json!([{ "domain": "buyer.example.com", "brands": ["*"] }])),
        |stage| {
            let until = "2026-04-18T14:00:00Z";
            house(stage, json!([{ "domain": "example.com", "valid_until": until }]))
        },
    ];
    for brand in refused {
        let error = stage(brand).await.refused().await;
        assert_eq!(error.code(), "request_signature_brand_origin_mismatch", "{error}");
        assert_eq!(detail(&error, "agent_etld1").as_deref(), Some("example.com"));
        assert_eq!(detail(&error, "brand_json_url_etld1").as_deref(), Some("example.net"));
        assert_eq!(error.governance_code(), "governance_issuer_not_authorized");
    }
    let listed: fn(&Stage) -> Value =
        |stage| house(stage, json!([{ "domain": "example.com", "brands": ["other"] }]));
    let found = stage(listed).await.resolve().await.unwrap();
    assert_eq!(found.binding(), Binding::AuthorizedOperator);
}

#[tokio::test]
async fn step_4_brand_json_has_to_be_there_without_a_redirect() {
    let twin = format!("https://www.{BUYER}{BRAND}");
    for (answer, http_status) in [
        (status(404), Some("404")),
        (status(503), Some("503")),
        (Answer::Reply(CannedReply::new(301).header("location", twin)), None),
        (Answer::Reply(CannedReply::new(200).header("content-encoding", "gzip").body("x")), None),
    ] {
        let stage = Stage::new().await;
        stage.operator.serve(BRAND, answer.clone());
        let error = stage.refused().await;
        assert_eq!(error.code(), "request_signature_brand_json_unreachable", "{answer:?}");
        assert_eq!(detail(&error, "brand_json_url").unwrap(), stage.url(BRAND));
        assert_eq!(detail(&error, "http_status").as_deref(), http_status, "{answer:?}");
    }
}

#[tokio::test]
async fn step_4_brand_json_has_to_be_strict_json_within_its_bounds() {
    let nested = format!(r#"{{"agents":[],"x":{}{}}}"#, "[".repeat(32), "]".repeat(32));
    for body in [
        "<html>",
        "[]",
        "{}",
        r#"{"agents":[],"agents":[]}"#,
        r#"{"agents":[{"type":"buying","url":7}]}"#,
        &nested,
    ] {
        let stage = Stage::new().await;
        stage.operator.serve(BRAND, Answer::Reply(CannedReply::new(200).body(body)));
        let error = stage.refused().await;
        assert_eq!(error.code(), "request_signature_brand_json_malformed", "{body}");
        assert!(detail(&error, "parse_error").is_some(), "{body}");
    }
}

#[tokio::test]
async fn step_4_brand_json_has_2_mib_and_256_kib_before_3_3() {
    let contracts = [("3.3.0", BrandJson::MAX_BYTES), ("3.2.4", 256 * 1024)];
    for (contract, max) in contracts {
        let stage = Stage::with(|builder| builder.contract(contract.parse().unwrap())).await;
        let brand = stage.operator.lists(json!({})).to_string();
        let padded = |bytes: usize| {
            let body = brand.clone() + &" ".repeat(bytes - brand.len());
            Answer::Reply(CannedReply::new(200).body(body))
        };
        stage.operator.serve(BRAND, padded(max));
        assert!(stage.resolve().await.is_ok(), "{contract}");
        stage.clock.advance(301);
        stage.operator.serve(BRAND, padded(max + 1));
        let error = stage.refused().await;
        assert_eq!(error.code(), "request_signature_brand_json_malformed", "{contract}");
    }
    // Nothing waits for the end of what has none.
    let stage = Stage::new().await;
    stage.operator.serve(BRAND, Answer::Endless(vec![b' '; 4096]));
    let error = stage.refused().await;
    assert_eq!(error.code(), "request_signature_brand_json_malformed");
}

#[tokio::test]
async fn step_5_brand_json_has_to_list_the_agent_once() {
    let stage = Stage::new().await;
    for brand in [
        json!({ "agents": [] }),
        stage.operator.lists(json!({ "url": stage.url("/mcp/") })),
        json!({ "authoritative_location": stage.url("/other.json") }),
        json!({ "house": "example.com" }),
    ] {
        let stage = Stage::new().await;
        stage.operator.serve(BRAND, ok(&brand));
        let error = stage.refused().await;
        assert_eq!(error.code(), "request_signature_agent_not_in_brand_json", "{brand}");
        assert_eq!(detail(&error, "agent_url").unwrap(), stage.url(MCP));
        assert_eq!(detail(&error, "brand_json_url").unwrap(), stage.url(BRAND));
    }
    let mut twice = stage.operator.lists(json!({}));
    let other = stage.operator.lists(json!({ "jwks_uri": stage.url("/other.json"), "id": "b" }));
    twice["agents"].as_array_mut().unwrap().push(other["agents"][0].clone());
    stage.operator.serve(BRAND, ok(&twice));
    let error = stage.refused().await;
    assert_eq!(error.code(), "request_signature_brand_json_ambiguous");
    assert_eq!(detail(&error, "matched_count").as_deref(), Some("2"));
    let entries = detail(&error, "matched_entries").unwrap();
    assert!(entries.contains("buyer (buying") && entries.contains("b (buying"), "{entries}");
}

#[tokio::test]
async fn step_5_agents_are_compared_canonically_and_byte_for_byte_before_3_3() {
    for (contract, is_found) in [("3.3.0", true), ("3.2.4", false)] {
        let stage = Stage::with(|builder| builder.contract(contract.parse().unwrap())).await;
        let shouted = stage.url(MCP).replace("https://buyer", "HTTPS://BUYER");
        stage.operator.serve(BRAND, ok(&stage.operator.lists(json!({ "url": shouted }))));
        let found = stage.resolve().await;
        assert_eq!(found.is_ok(), is_found, "{contract}");
    }
}

#[tokio::test]
async fn step_6_the_keys_are_where_the_entry_says_and_nowhere_else() {
    let stage = Stage::new().await;
    let keys = stage.url("/keys.json");
    stage.operator.serve(BRAND, ok(&stage.operator.lists(json!({ "jwks_uri": keys }))));
    assert_eq!(stage.resolve().await.unwrap().jwks_uri().as_str(), keys);
    for jwks_uri in ["http://buyer.example.com/keys.json", "https://127.0.0.1/keys.json", ""] {
        let stage = Stage::new().await;
        stage.operator.serve(BRAND, ok(&stage.operator.lists(json!({ "jwks_uri": jwks_uri }))));
        let error = stage.refused().await;
        assert_eq!(error.code(), "request_signature_jwks_untrusted", "{jwks_uri}");
        assert_eq!(error.governance_code(), "governance_jwks_untrusted");
    }
}

#[tokio::test]
async fn step_7_the_key_origin_of_the_purpose_in_hand_is_compared_and_no_other() {
    use KeyOriginPurpose::{RequestSigning, WebhookSigning};
    let requests = json!({ "supported_for": ["create_media_buy"] });
    let cases: [(Value, Value, KeyOriginPurpose, Option<&str>); 10] = [
        (json!({}), json!({}), RequestSigning, None),
        (json!({}), requests.clone(), RequestSigning, Some("missing")),
        (json!({}), requests.clone(), WebhookSigning, None),
        (
            json!({ "request_signing": "https://BUYER.example.com" }),
            requests.clone(),
            RequestSigning,
            None,
        ),
        (json!({ "request_signing": "buyer.example.com" }), json!({}), RequestSigning, None),
        (
            json!({ "request_signing": "https://keys.example.com" }),
            json!({}),
            RequestSigning,
            Some("mismatch"),
        ),
        (
            json!({ "request_signing": "https://buyer.example.com:1" }),
            json!({}),
            RequestSigning,
            Some("mismatch"),
        ),
        (json!({ "request_signing": "" }), json!({}), RequestSigning, Some("mismatch")),
        // Governance keys are at an origin of their own.
        (
            json!({ "governance_signing": "https://gov.example.com" }),
            json!({}),
            RequestSigning,
            None,
        ),
        (json!({ "webhook_signing": "https://keys.example.com" }), json!({}), RequestSigning, None),
    ];
    for (key_origins, request_signing, purpose, refused) in cases {
        let stage = Stage::new().await;
        let mut payload = stage.operator.names(BUYER);
        payload["identity"]["key_origins"] = key_origins.clone();
        payload["request_signing"] = request_signing;
        stage.operator.serve(MCP, capabilities(&payload));
        let checked = stage.resolve().await.unwrap().check_key_origin(purpose);
        let expected = refused.map(|what| format!("request_signature_key_origin_{what}"));
        let found = checked.as_ref().err().map(|error| error.code().to_owned());
        assert_eq!(found, expected, "{key_origins} {purpose}");
        let Err(error) = checked else { continue };
        assert_eq!(detail(&error, "purpose").as_deref(), Some("request_signing"));
        match refused {
            Some("missing") => assert!(detail(&error, "posture").is_some()),
            _ => {
                let declared = key_origins["request_signing"].as_str().unwrap();
                assert_eq!(detail(&error, "expected_origin").unwrap(), declared);
                let actual = stage.operator.server.url(BUYER, "");
                assert_eq!(detail(&error, "actual_origin").unwrap(), actual);
            }
        }
    }
}

#[tokio::test]
async fn a_trace_has_each_step_up_to_the_one_that_fails() {
    let stage = Stage::new().await;
    let trace = stage.discovery.trace(&stage.agent, KeyOriginPurpose::RequestSigning).await;
    let steps: Vec<_> = trace.steps().iter().map(|step| step.step.number()).collect();
    assert_eq!((steps, trace.error()), ((1..=8).collect(), None));
    let shown = trace.to_string();
    assert!(shown.contains("8 JWKS") && shown.contains("1 keys: k"), "{shown}");
    assert!(trace.steps()[3].fetched.unwrap().millis.is_some());
    let again = stage.discovery.trace(&stage.agent, KeyOriginPurpose::RequestSigning).await;
    assert_eq!(again.steps()[3].fetched.unwrap().millis, None, "brand.json was held");

    type Wrong = fn(&Stage) -> (&'static str, Answer);
    let cases: [(Wrong, Step); 9] = [
        (|_| (MCP, status(500)), Step::Capabilities),
        (|_| (MCP, capabilities(&json!({}))), Step::BrandJsonUrl),
        (
            |stage| (MCP, capabilities(&stage.operator.names("brand.example.net"))),
            Step::OriginBinding,
        ),
        (|_| (BRAND, status(500)), Step::BrandJson),
        (|_| (BRAND, ok(&json!({ "agents": [] }))), Step::AgentEntry),
        (|stage| (BRAND, ok(&stage.operator.lists(json!({ "jwks_uri": "" })))), Step::JwksSource),
        (|_| (JWKS, status(500)), Step::Jwks),
        (|_| (JWKS, Answer::Reply(CannedReply::new(302).header("location", "/x"))), Step::Jwks),
        (|_| (JWKS, ok(&json!({ "keys": [{ "kty": "OKP", "d": "AA" }] }))), Step::Jwks),
    ];
    for (wrong, last) in cases {
        let stage = Stage::new().await;
        let (path, answer) = wrong(&stage);
        stage.operator.serve(path, answer);
        let trace = stage.discovery.trace(&stage.agent, KeyOriginPurpose::RequestSigning).await;
        let failed = trace.steps().last().unwrap();
        assert_eq!((failed.step, failed.result.is_err()), (last, true), "{trace}");
        let error = trace.error().unwrap();
        assert!(trace.to_string().contains(error.code()), "{trace}");
        if last == Step::Jwks {
            let is_late = trace.to_string().contains("HTTP 500");
            let (late, untrusted) =
                (DiscoveryFailure::JwksUnavailable, DiscoveryFailure::JwksUntrusted);
            assert_eq!(error.failure(), if is_late { late } else { untrusted }, "{trace}");
        }
    }
}

#[tokio::test]
async fn documents_are_confirmed_within_their_bound_and_by_their_tag() {
    let stage = Stage::new().await;
    let brand = stage.operator.lists(json!({})).to_string();
    let tagged = CannedReply::new(200)
        .header("etag", "\"1\"")
        .header("cache-control", "max-age=86400")
        .body(brand);
    stage.operator.serve(BRAND, Answer::Reply(tagged));
    for _ in 0..3 {
        stage.resolve().await.unwrap();
    }
    assert_eq!((stage.operator.asked(MCP), stage.operator.asked(BRAND)), (1, 1));
    // The capabilities have no lifetime of their own: 300 seconds.
    stage.clock.advance(301);
    stage.resolve().await.unwrap();
    assert_eq!((stage.operator.asked(MCP), stage.operator.asked(BRAND)), (2, 1));
    // No lifetime is longer than the revocation list's polling interval.
    stage.clock.advance(1500);
    stage.operator.serve(BRAND, status(304));
    stage.resolve().await.unwrap();
    assert_eq!(stage.operator.asked(BRAND), 2);
    let asked = stage.operator.server.asked();
    let last = asked.iter().rfind(|asked| asked.path == BRAND).unwrap();
    assert_eq!(last.field("if-none-match").as_deref(), Some("\"1\""));
}

#[tokio::test]
async fn a_mapping_that_the_agent_takes_back_is_gone_at_its_next_confirmation() {
    let stage = Stage::new().await;
    stage.resolve().await.unwrap();
    stage.operator.serve(MCP, capabilities(&json!({})));
    stage.resolve().await.unwrap();
    stage.clock.advance(301);
    assert_eq!(stage.refused().await.code(), "request_signature_brand_json_url_missing");
}

#[tokio::test]
async fn a_failure_is_remembered_for_half_a_minute_and_no_longer() {
    let stage = Stage::new().await;
    stage.operator.serve(BRAND, status(404));
    for _ in 0..3 {
        stage.refused().await;
    }
    assert_eq!(stage.operator.asked(BRAND), 1);
    stage.operator.serve(BRAND, ok(&stage.operator.lists(json!({}))));
    stage.clock.advance(31);
    stage.resolve().await.unwrap();
}

#[tokio::test]
async fn one_fetch_serves_all_who_wait() {
    let stage = Stage::new().await;
    let late = CannedReply::new(200).body(stage.operator.lists(json!({})).to_string());
    stage.operator.serve(BRAND, Answer::Late(Duration::from_millis(50), late));
    let all = join_all((0..50).map(|_| stage.resolve())).await;
    assert!(all.iter().all(Result::is_ok));
    assert_eq!((stage.operator.asked(MCP), stage.operator.asked(BRAND)), (1, 1));
}

#[tokio::test]
async fn a_relying_party_record_needs_no_answer_of_the_agent() {
    let stage = Stage::new().await;
    let url = stage.url(BRAND).parse().unwrap();
    let record = stage.discovery.record(&url).await.unwrap();
    let find = |agent: &str, kind| {
        let agent = agent.parse().unwrap();
        Resolution::by_relying_party(&agent, &record, Candidates::TopLevel, Some(&kind))
    };
    let found = find(&stage.url(MCP), AgentType::Buying).unwrap();
    assert_eq!(found.binding(), Binding::RelyingParty);
    assert_eq!(found.check_key_origin(KeyOriginPurpose::RequestSigning), Ok(()));
    let wrong = find(&stage.url(MCP), AgentType::Governance).unwrap_err();
    assert_eq!(wrong.governance_code(), "governance_issuer_not_authorized");
    assert_eq!(stage.operator.asked(MCP), 0);
}

#[tokio::test]
async fn a_redirect_of_a_domains_record_is_none_of_a_record_that_an_agent_names() {
    let stage = Stage::new().await;
    let brand = stage.operator.lists(json!({}));
    let answers = stage.operator.server.url("www.buyer.example.com", "/there.json");
    let redirect = CannedReply::new(302).header("location", answers);
    stage.operator.serve(BRAND, Answer::Reply(redirect));
    stage.operator.serve("/there.json", ok(&brand));
    let domain = stage.url("/").parse().unwrap();
    let record = stage.discovery.record_of(&domain).await.unwrap();
    assert_eq!(record.agents().len(), 1);
    let error = stage.refused().await;
    assert_eq!(error.code(), "request_signature_brand_json_unreachable");
}

// The verifier's key query.

struct Keys {
    stage: Stage,
    keys: AgentResolver,
}

impl Keys {
    async fn new() -> Self {
        let stage = Stage::new().await;
        let fetcher = stage.operator.server.fetcher().build().unwrap();
        let keys = AgentResolver::builder(fetcher)
            .clock(Arc::clone(&stage.clock))
            .discovery(stage.discovery.clone())
            .build();
        keys.add(stage.agent.clone()).unwrap();
        Self { stage, keys }
    }

    async fn find(
        &self,
        keyid: &str,
        counterparty: Option<&str>,
    ) -> Result<Option<String>, DiscoveryFailure> {
        self.find_under(&Profile::request(WireVersion::V3_3), keyid, counterparty).await
    }

    async fn find_under(
        &self,
        profile: &Profile,
        keyid: &str,
        counterparty: Option<&str>,
    ) -> Result<Option<String>, DiscoveryFailure> {
        let query = KeyQuery::new(keyid, profile);
        let query = match counterparty {
            Some(counterparty) => query.with_counterparty(counterparty),
            None => query,
        };
        let found = self.keys.resolve(query).await.map_err(|error| error.failure())?;
        Ok(found.map(|key| {
            let issuer = key.revocation_issuer().unwrap().to_owned();
            assert_eq!(issuer, self.stage.url("/"), "the origin of brand.json");
            key.agent_url().unwrap().to_owned()
        }))
    }
}

#[tokio::test]
async fn a_key_has_the_canonical_url_of_its_agent() {
    let keys = Keys::new().await;
    let agent = keys.stage.url(MCP);
    let spelled = agent.replace("https://buyer", "HTTPS://BUYER");
    for counterparty in [None, Some(agent.as_str()), Some(spelled.as_str())] {
        assert_eq!(keys.find("k", counterparty).await, Ok(Some(agent.clone())));
    }
    assert_eq!(keys.find("other", Some(&agent)).await, Ok(None));
    assert_eq!(keys.find("k", Some("https://seller.example.com/")).await, Ok(None));
    assert_eq!(keys.find("k", Some("seller")).await, Err(DiscoveryFailure::AgentNotInBrandJson));
    assert_eq!(keys.stage.operator.asked(MCP), 1);
}

#[tokio::test]
async fn keys_of_a_place_that_the_operator_has_left_are_forgotten() {
    let keys = Keys::new().await;
    let agent = keys.stage.url(MCP);
    assert!(keys.find("k", Some(&agent)).await.unwrap().is_some());
    let moved = keys.stage.operator.lists(json!({ "jwks_uri": keys.stage.url("/new.json") }));
    keys.stage.operator.serve(BRAND, ok(&moved));
    keys.stage.operator.serve("/new.json", ok(&json!({ "keys": [published("new")] })));
    keys.stage.clock.advance(301);
    assert_eq!(keys.find("k", Some(&agent)).await, Ok(None));
    assert_eq!(keys.find("new", Some(&agent)).await, Ok(Some(agent)));
}

#[tokio::test]
async fn keys_of_an_agent_that_is_not_listed_any_more_are_nobodys() {
    let keys = Keys::new().await;
    let agent = keys.stage.url(MCP);
    assert!(keys.find("k", None).await.unwrap().is_some());
    keys.stage.operator.serve(BRAND, ok(&json!({ "agents": [] })));
    keys.stage.clock.advance(301);
    for counterparty in [None, Some(agent.as_str())] {
        let found = keys.find("k", counterparty).await;
        assert_eq!(found, Err(DiscoveryFailure::AgentNotInBrandJson));
    }
}

#[tokio::test]
async fn the_key_origin_of_the_messages_kind_is_compared() {
    let keys = Keys::new().await;
    let mut payload = keys.stage.operator.names(BUYER);
    payload["identity"]["key_origins"]["webhook_signing"] = json!("https://keys.example.com");
    keys.stage.operator.serve(MCP, capabilities(&payload));
    let agent = keys.stage.url(MCP);
    assert_eq!(keys.find("k", Some(&agent)).await, Ok(Some(agent.clone())));
    // First with a fetch and then without one.
    for _ in 0..2 {
        let found = keys.find_under(&Profile::webhook(), "k", Some(&agent)).await;
        assert_eq!(found, Err(DiscoveryFailure::KeyOriginMismatch));
    }
}

#[tokio::test]
async fn without_a_counterparty_one_agent_has_the_key_or_nobody_is_named() {
    let keys = Keys::new().await;
    let other = keys.stage.url("/other");
    let mut brand = keys.stage.operator.lists(json!({}));
    let entry = json!({ "type": "buying", "url": other, "jwks_uri": keys.stage.url("/o.json") });
    brand["agents"].as_array_mut().unwrap().push(entry);
    keys.stage.operator.serve(BRAND, ok(&brand));
    keys.stage.operator.serve("/other", capabilities(&keys.stage.operator.names(BUYER)));
    keys.stage.operator.serve("/o.json", ok(&json!({ "keys": [published("o")] })));
    keys.keys.add(other.parse().unwrap()).unwrap();
    assert_eq!(keys.find("k", None).await, Ok(Some(keys.stage.url(MCP))));
    assert_eq!(keys.find("o", None).await, Ok(Some(other.clone())));
    assert_eq!(keys.find("nobody's", None).await, Ok(None));
    // Both have it.
    keys.stage.operator.serve("/o.json", ok(&json!({ "keys": [published("k")] })));
    keys.stage.clock.advance(301);
    keys.keys.refresh().await;
    assert_eq!(keys.find("k", None).await, Err(DiscoveryFailure::BrandJsonAmbiguous));
    // One that has no keys by its own documents has not this one either.
    keys.stage.operator.serve("/other", capabilities(&json!({})));
    keys.stage.clock.advance(301);
    assert_eq!(keys.find("k", None).await, Ok(Some(keys.stage.url(MCP))));
    // One that has not been reached for so long that nothing is known of it may have it.
    keys.stage.operator.serve("/other", status(500));
    keys.stage.clock.advance(301);
    assert_eq!(keys.find("k", None).await, Ok(Some(keys.stage.url(MCP))));
    keys.stage.clock.advance(1800);
    let found = keys.find("k", None).await;
    assert_eq!(found, Err(DiscoveryFailure::CapabilitiesUnreachable));
    assert!(keys.keys.remove(&other.parse().unwrap()));
    assert_eq!(keys.find("k", None).await, Ok(Some(keys.stage.url(MCP))));
}

#[tokio::test]
async fn no_more_agents_are_known_than_there_may_be() {
    let server = Server::of("").await;
    let keys = AgentResolver::builder(server.fetcher().build().unwrap()).max_agents(1).build();
    keys.add("https://a.example/".parse().unwrap()).unwrap();
    assert!(keys.add("https://A.example:443/".parse().unwrap()).is_err(), "known already");
    assert!(keys.add(format!("https://{SELLER}/").parse().unwrap()).is_err(), "full");
    assert_eq!(keys.agents(), 1);
}
