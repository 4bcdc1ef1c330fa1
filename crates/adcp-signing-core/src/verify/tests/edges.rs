//! An edge that errs is never acceptance.

use std::{error::Error as _, sync::Arc};

use futures_executor::block_on;
use parking_lot::Mutex;

use super::support::{AGENT, Edges, KEYID, KeyAnswer, NOW, Scene, Told, URL, key, listed, route};
use crate::{
    answer::Answer,
    clock::FixedClock,
    operation::List,
    profile::{Recovery, WireVersion},
    replay::InsertOutcome,
    resolver::{DiscoveryFailure, KeyQuery, KeyResolver, ResolveError, VerificationKey},
    revocation::RevocationStatus,
    rfc9421::{FieldLine, Request},
    verify::{Context, FallbackCredential, Reason, Step, Verified, Verifier},
};

fn with(edges: Edges) -> Scene {
    Scene { edges, ..Scene::default() }
}

#[test]
fn a_revocation_source_that_errs_makes_the_key_stale() {
    let edges = Edges { revocation: Told::Fails, ..Edges::default() };
    let rejection = with(edges).verify().unwrap_err();
    assert_eq!(rejection.reason().as_str(), "request_signature_revocation_stale");
    assert_eq!(rejection.step(), Step::Revocation);
    let edges = Edges { revocation: Told::Is(RevocationStatus::Stale), ..Edges::default() };
    let rejection = with(edges).verify().unwrap_err();
    assert_eq!(rejection.reason().as_str(), "request_signature_revocation_stale");
}

#[test]
fn a_replay_store_that_errs_is_503_with_retry_after_and_no_code() {
    let cap = Edges { cap: Told::Fails, ..Edges::default() };
    let insert = Edges { insert: Told::Fails, ..Edges::default() };
    for (edges, step) in [(cap, Step::ReplayCap), (insert, Step::Insert)] {
        for webhook in [false, true] {
            let scene = Scene { webhook, ..with(edges.clone()) };
            let rejection = scene.verify().unwrap_err();
            assert_eq!(rejection.reason(), Reason::Unavailable);
            assert_eq!((rejection.status(), rejection.step()), (503, step));
            assert_eq!(rejection.www_authenticate(), None);
            assert_eq!(rejection.code(), None);
            assert_eq!(rejection.recovery(), Recovery::Transient);
            assert!(rejection.retry_after().is_some());
            assert!(rejection.source().is_some(), "the store's error is the cause");
        }
    }
}

/// A store that is down must not turn a signed request into one of the shadow mode.
#[test]
fn a_replay_store_that_errs_is_not_shadowed() {
    let edges = Edges { insert: Told::Fails, ..Edges::default() };
    let scene = Scene {
        capability: listed(Some(List::Warn)),
        fallback: FallbackCredential::Valid,
        ..with(edges)
    };
    assert_eq!(scene.verify().unwrap_err().reason(), Reason::Unavailable);
}

#[test]
fn a_cap_that_is_reached_between_look_and_insert_refuses() {
    for outcome in [InsertOutcome::KeyCapReached, InsertOutcome::AggregateCapReached] {
        let edges = Edges { insert: Told::Is(outcome), ..Edges::default() };
        let rejection = with(edges).verify().unwrap_err();
        assert_eq!(rejection.reason().as_str(), "request_signature_rate_abuse");
        assert_eq!(rejection.step(), Step::Insert);
    }
}

#[test]
fn each_discovery_failure_keeps_its_code_on_requests_and_is_key_unknown_on_webhooks() {
    use DiscoveryFailure as F;
    let cases = [
        (F::BrandJsonUrlMissing, "brand_json_url_missing", 401),
        (F::CapabilitiesUnreachable, "capabilities_unreachable", 503),
        (F::BrandJsonUnreachable, "brand_json_unreachable", 503),
        (F::BrandJsonMalformed, "brand_json_malformed", 401),
        (F::BrandOriginMismatch, "brand_origin_mismatch", 401),
        (F::AgentNotInBrandJson, "agent_not_in_brand_json", 401),
        (F::BrandJsonAmbiguous, "brand_json_ambiguous", 401),
        (F::KeyOriginMismatch, "key_origin_mismatch", 401),
        (F::KeyOriginMissing, "key_origin_missing", 401),
        (F::JwksUnavailable, "jwks_unavailable", 503),
        (F::JwksUntrusted, "jwks_untrusted", 401),
    ];
    for (failure, code, status) in cases {
        let edges = Edges { key: KeyAnswer::Fails(failure), ..Edges::default() };
        let rejection = with(edges.clone()).verify().unwrap_err();
        assert_eq!(rejection.reason().as_str(), format!("request_signature_{code}"));
        assert_eq!((rejection.step(), rejection.status()), (Step::Key, status));
        assert_eq!(rejection.retry_after().is_some(), status == 503);
        assert!(rejection.source().is_some(), "the resolver's error is the cause");
        let webhook = Scene { webhook: true, ..with(edges) }.verify().unwrap_err();
        assert_eq!(webhook.reason().as_str(), "webhook_signature_key_unknown");
    }
}

#[test]
fn a_resolver_that_answers_with_another_key_is_not_believed() {
    let edges = Edges { key: KeyAnswer::Other("buyer-2025"), ..Edges::default() };
    let rejection = with(edges).verify().unwrap_err();
    assert_eq!(rejection.reason().as_str(), "request_signature_key_unknown");
}

#[test]
fn without_a_failing_edge_the_same_scene_is_accepted() {
    assert!(matches!(with(Edges::default()).verify(), Ok(Verified::Signed(_))));
}

#[test]
fn an_edge_may_answer_later() {
    let late = Edges { late: true, ..Edges::default() };
    assert!(matches!(with(late.clone()).verify(), Ok(Verified::Signed(_))));
    let replayed = Edges { insert: Told::Is(InsertOutcome::Replayed), ..late };
    let rejection = with(replayed).verify().unwrap_err();
    assert_eq!(rejection.reason().as_str(), "request_signature_replayed");
}

/// Knows no key, and writes down what it is asked.
#[derive(Debug, Default)]
struct Asked(Mutex<Vec<(String, Option<String>)>>);

impl KeyResolver for Asked {
    fn resolve<'a>(
        &'a self,
        query: KeyQuery<'a>,
    ) -> Answer<'a, Option<Arc<VerificationKey>>, ResolveError> {
        let counterparty = query.counterparty().map(str::to_owned);
        self.0.lock().push((query.keyid().to_owned(), counterparty));
        Answer::now(Ok(None))
    }
}

#[test]
fn the_resolver_is_asked_for_a_key_of_the_counterparty_where_it_is_known() {
    let scene = Scene::default();
    let (fields, body) = scene.message(&key());
    let lines: Vec<_> = fields.iter().map(|(name, value)| FieldLine::new(name, value)).collect();
    let request = Request::new("POST", URL, &lines, body.as_bytes());
    let asked = Arc::new(Asked::default());
    let verifier = Verifier::for_requests(WireVersion::V3_2, scene.capability.clone())
        .keys(Arc::clone(&asked))
        .revocation(Edges::default())
        .replay(Edges::default())
        .clock(FixedClock::new(NOW))
        .build();
    let route = route();
    let context = Context::request(&route);
    for context in [context, context.with_counterparty(AGENT)] {
        let rejection = block_on(verifier.verify(&request, &context)).unwrap_err();
        assert_eq!(rejection.reason().as_str(), "request_signature_key_unknown");
    }
    let named = |agent: Option<&str>| (KEYID.to_owned(), agent.map(str::to_owned));
    assert_eq!(*asked.0.lock(), [named(None), named(Some(AGENT))]);
}
