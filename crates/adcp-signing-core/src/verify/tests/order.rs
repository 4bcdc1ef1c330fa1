//! The order of the steps is part of the protocol: of several faults, the first step's is answered.

use std::sync::atomic::Ordering;

use super::support::Scene;
use crate::verify::{Step, Verified};

/// The steps at which one message can fail, in the order of the checklist.
const LADDER: [Step; 15] = [
    Step::Parse,
    Step::Params,
    Step::Tag,
    Step::Algorithm,
    Step::Window,
    Step::Components,
    Step::Key,
    Step::Purpose,
    Step::Revocation,
    Step::ReplayCap,
    Step::Signature,
    Step::Digest,
    Step::Replay,
    Step::Insert,
    Step::Body,
];

#[test]
fn without_a_fault_the_message_is_signed() {
    assert!(matches!(Scene::default().verify(), Ok(Verified::Signed(_))));
    assert!(matches!(Scene::webhook().verify(), Ok(Verified::Signed(_))));
}

#[test]
fn each_fault_alone_is_found_at_its_step() {
    for webhook in [false, true] {
        for step in LADDER {
            let scene = Scene { webhook, ..Scene::with([step]) };
            let rejection = scene.verify().unwrap_err();
            assert_eq!(rejection.step(), step, "{rejection}");
        }
    }
}

#[test]
fn of_all_faults_from_a_step_on_the_first_is_answered() {
    for webhook in [false, true] {
        for first in 0..LADDER.len() {
            let scene = Scene { webhook, ..Scene::with(LADDER[first..].iter().copied()) };
            let rejection = scene.verify().unwrap_err();
            assert_eq!(rejection.step(), LADDER[first], "{rejection}");
        }
    }
}

#[test]
fn of_any_two_faults_the_earlier_step_is_answered() {
    for (index, first) in LADDER.iter().enumerate() {
        for second in &LADDER[index + 1..] {
            let rejection = Scene::with([*first, *second]).verify().unwrap_err();
            assert_eq!(rejection.step(), *first, "with {second}: {rejection}");
        }
    }
}

#[test]
fn a_nonce_is_inserted_only_after_signature_and_digest_and_before_the_body() {
    for step in LADDER {
        let scene = Scene::with([step]);
        assert!(scene.verify().is_err());
        let inserted = scene.edges.inserted.load(Ordering::SeqCst);
        let expected = usize::from(step >= Step::Replay);
        assert_eq!(inserted, expected, "step {step}");
        let asked = scene.edges.asked.load(Ordering::SeqCst);
        assert_eq!(asked, usize::from(step >= Step::ReplayCap), "step {step}");
    }
}

#[test]
fn every_code_is_the_one_of_its_step() {
    let cases = [
        (Step::Parse, "header_malformed"),
        (Step::Params, "params_incomplete"),
        (Step::Tag, "tag_invalid"),
        (Step::Algorithm, "alg_not_allowed"),
        (Step::Window, "window_invalid"),
        (Step::Components, "components_incomplete"),
        (Step::Key, "key_unknown"),
        (Step::Purpose, "key_purpose_invalid"),
        (Step::Revocation, "key_revoked"),
        (Step::ReplayCap, "rate_abuse"),
        (Step::Signature, "invalid"),
        (Step::Digest, "digest_mismatch"),
        (Step::Replay, "replayed"),
        (Step::Insert, "rate_abuse"),
    ];
    for (step, code) in cases {
        for (webhook, prefix) in [(false, "request"), (true, "webhook")] {
            let rejection = Scene { webhook, ..Scene::with([step]) }.verify().unwrap_err();
            assert_eq!(rejection.reason().as_str(), format!("{prefix}_signature_{code}"));
            assert_eq!(rejection.status(), 401);
        }
    }
    let body = |webhook| Scene { webhook, ..Scene::with([Step::Body]) }.verify().unwrap_err();
    assert_eq!(body(false).reason().as_str(), "request_body_malformed");
    assert_eq!(body(true).reason().as_str(), "webhook_body_malformed");
}

#[test]
fn the_steps_are_written_as_the_vectors_write_them() {
    let texts = Step::ALL.map(Step::as_str);
    let expected =
        ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "9a", "10", "11", "12", "13", "14"];
    assert_eq!(texts, expected);
    assert_eq!(Step::ReplayCap.to_string(), "9a");
    assert_eq!(Step::Precheck.title(), "operation and signature requirement");
    assert_eq!(Step::Body.title(), "body has no duplicate keys");
}
