//! Every rejection is logged once, with kid, step, code and reason, and with nothing of the body.

use super::support::{Edges, KEYID, NOW, Scene, Told, key, listed};
use crate::{
    clock::FixedClock,
    operation::{DigestPolicy, List, RequestSigningCapability},
    profile::WireVersion,
    provider::captured::Captured,
    replay::InMemoryReplayStore,
    resolver::StaticKeys,
    revocation::NoRevocation,
    verify::{FallbackCredential, Step, Verified, Verifier},
};

fn lines(scene: &Scene) -> Vec<String> {
    let (captured, _guard) = Captured::start();
    let _ = scene.verify();
    captured.events()
}

#[test]
fn a_rejection_is_logged_with_kid_step_code_and_reason() {
    let rejection = Scene::with([Step::Signature]).verify().unwrap_err();
    assert_eq!(rejection.claimed_keyid(), Some(KEYID));
    assert!(rejection.detail().contains("compare the signature base"), "{}", rejection.detail());
    for step in [Step::Window, Step::Key, Step::Revocation, Step::Signature, Step::Replay] {
        let scene = Scene::with([step]);
        let rejection = scene.verify().unwrap_err();
        let lines = lines(&scene);
        assert_eq!(lines.len(), 1, "{lines:?}");
        for expected in [
            "INFO".to_owned(),
            format!("kid={KEYID:?}"),
            format!("step={:?}", step.as_str()),
            format!("code={:?}", rejection.reason().as_str()),
            format!("reason={:?}", rejection.detail()),
            "shadowed=false".to_owned(),
        ] {
            assert!(lines[0].contains(&expected), "{expected} in {lines:?}");
        }
        assert!(!lines[0].contains("budget"), "a body byte in {lines:?}");
    }
}

#[test]
fn a_failing_store_is_logged_as_an_error() {
    let edges = Edges { insert: Told::Fails, ..Edges::default() };
    let lines = lines(&Scene { edges, ..Scene::default() });
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].starts_with("ERROR"), "{lines:?}");
    assert!(lines[0].contains(r#"code="verifier_unavailable""#), "{lines:?}");
}

#[test]
fn what_shadow_mode_lets_pass_is_logged_as_well() {
    let scene = Scene {
        capability: listed(Some(List::Warn)),
        fallback: FallbackCredential::Valid,
        ..Scene::with([Step::Signature])
    };
    assert!(matches!(scene.verify(), Ok(Verified::Fallback(_))));
    let lines = lines(&scene);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("shadowed=true"), "{lines:?}");
}

#[test]
fn an_accepted_message_is_not_logged_as_refused() {
    assert!(lines(&Scene::default()).is_empty());
}

#[test]
fn asking_an_unsigned_message_for_its_signer_is_logged() {
    let (captured, _guard) = Captured::start();
    let scene = Scene { capability: listed(None), ..Scene::default() };
    let verified = scene.verify_message(&key(), &[], b"{}").unwrap();
    assert!(matches!(verified, Verified::Anonymous(_)));
    assert!(captured.events().is_empty());
    assert!(verified.signer().is_err());
    let lines = captured.events();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains(r#"code="request_signature_required""#), "{lines:?}");
}

#[cfg(feature = "http")]
#[test]
fn a_request_to_another_origin_is_logged_and_its_target_is_not() {
    use super::support::route;
    use crate::verify::Context;

    let (captured, _guard) = Captured::start();
    let verifier = Scene::default().verifier(&key());
    let origin = "https://seller.example.com".parse().unwrap();
    let request = ::http::Request::post("https://other.example.com/adcp").body(Vec::new()).unwrap();
    let route = route();
    let context = Context::request(&route);
    assert!(futures_executor::block_on(verifier.verify_http(request, &origin, &context)).is_err());
    let lines = captured.events();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains(r#"code="request_target_uri_malformed""#), "{lines:?}");
    assert!(!lines[0].contains("other.example.com"), "{lines:?}");
}

#[test]
fn an_endpoint_whose_signatures_leave_the_body_out_is_warned_of() {
    let warnings = |wire, capability| {
        let (captured, _guard) = Captured::start();
        Verifier::for_requests(wire, capability)
            .keys(StaticKeys::default())
            .revocation(NoRevocation)
            .replay(InMemoryReplayStore::default())
            .clock(FixedClock::new(NOW))
            .build();
        let lines = captured.events();
        lines.iter().filter(|line| line.contains("need not cover the body")).count()
    };
    let supported = RequestSigningCapability::supported_with;
    assert_eq!(warnings(WireVersion::V3_1, supported(DigestPolicy::Either)), 1);
    assert_eq!(warnings(WireVersion::V3_1, supported(DigestPolicy::Forbidden)), 1);
    assert_eq!(warnings(WireVersion::V3_1, supported(DigestPolicy::Required)), 0);
    assert_eq!(warnings(WireVersion::V3_2, supported(DigestPolicy::Required)), 0);
    assert_eq!(warnings(WireVersion::V3_1, RequestSigningCapability::unsupported()), 0);
}

#[test]
fn a_verification_is_a_span_that_names_no_key_before_it_is_verified() {
    let spans = |scene: &Scene| {
        let (captured, _guard) = Captured::start();
        let _ = scene.verify();
        let lines = captured.take();
        lines.into_iter().filter(|line| !line.starts_with("INFO")).collect::<Vec<_>>()
    };
    let begun = r#"span adcp_signing.verify kind="request""#;
    let kid = format!("record kid={KEYID:?}");
    assert_eq!(spans(&Scene::default()), [begun, r#"record outcome="signed""#, &kid]);
    for step in [Step::Window, Step::Key, Step::Signature, Step::Replay] {
        let scene = Scene::with([step]);
        let code = scene.verify().unwrap_err().reason().as_str();
        let ended = [
            r#"record outcome="refused""#.to_owned(),
            format!("record step={:?}", step.as_str()),
            format!("record error.type={code:?}"),
        ];
        let spans = spans(&scene);
        assert_eq!(spans[0], begun);
        assert_eq!(spans[1..], ended);
    }
    let (captured, _guard) = Captured::start();
    assert!(Scene::with([Step::Key]).signed_head().is_err());
    let lines = captured.take();
    assert_eq!(lines[0], r#"span adcp_signing.verify_head kind="request""#);
    assert!(lines[1].starts_with("INFO"), "{lines:?}");
    assert_eq!(lines[2], r#"record step="7""#);
    assert_eq!(lines[3], r#"record error.type="request_signature_key_unknown""#);
}
