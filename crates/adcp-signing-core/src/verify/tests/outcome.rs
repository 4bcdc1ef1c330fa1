//! What the answer carries, and what it refuses to carry.

use super::support::{AGENT, KEYID, NOW, OPERATION, Scene, listed};
use crate::{
    keys::{Algorithm, KeyPurpose},
    operation::{DigestPolicy, List, RequestSigningCapability},
    verify::{FallbackCredential, Reason, ShadowFinding, Step, Verified},
};

#[test]
fn a_verified_signer_carries_whose_key_signed_what_and_when() {
    let signer = Scene::default().verify().unwrap().signer().unwrap();
    assert_eq!(signer.keyid(), KEYID);
    assert_eq!(signer.agent_url(), Some(AGENT));
    assert_eq!(signer.algorithm(), Algorithm::Ed25519);
    assert_eq!(signer.purpose(), &KeyPurpose::RequestSigning);
    assert_eq!(signer.created(), NOW);
    assert_eq!(signer.expires(), NOW.plus(300));
    assert_eq!(signer.verified_at(), NOW);
    assert_eq!(signer.operation(), Some(OPERATION));
    assert!(signer.covers_body());
    let base = String::from_utf8(signer.signature_base().to_vec()).unwrap();
    assert!(base.starts_with("\"@method\": POST\n\"@target-uri\": https://seller."), "{base}");
}

#[test]
fn a_webhook_has_a_signer_and_no_operation() {
    let signer = Scene::webhook().verify().unwrap().signer().unwrap();
    assert_eq!((signer.agent_url(), signer.operation()), (Some(AGENT), None));
}

/// The route of a webhook takes signatures and nothing else, not even beside one that verifies.
#[test]
fn a_webhook_with_another_kind_of_authentication_is_refused() {
    let hmac = ("X-AdCP-Signature", "sha256=00");
    let bearer = ("Authorization", "Bearer token");
    for (credential, is_signed) in [(hmac, true), (hmac, false), (bearer, false)] {
        let scene = Scene::webhook();
        let key = super::support::key();
        let (mut fields, body) = scene.message(&key);
        fields.retain(|(name, _)| is_signed || !name.starts_with("Signature"));
        fields.push((credential.0.to_owned(), credential.1.to_owned()));
        let refused = scene.verify_message(&key, &fields, body.as_bytes()).unwrap_err();
        let answer = (refused.reason().as_str(), refused.step(), refused.status());
        assert_eq!(answer, ("webhook_mode_mismatch", Step::Precheck, 401), "{credential:?}");
    }
}

/// A signature outranks the other credential, so that the audit trail names the signer.
#[test]
fn a_signed_message_with_another_credential_is_signed() {
    let scene = Scene { fallback: FallbackCredential::Valid, ..Scene::default() };
    assert!(matches!(scene.verify(), Ok(Verified::Signed(_))));
}

/// The message of a scene without its signature fields.
fn unsigned(scene: &Scene) -> Result<Verified, crate::verify::Rejection> {
    let key = super::support::key();
    let (mut fields, body) = scene.message(&key);
    fields.retain(|(name, _)| !name.starts_with("Signature"));
    scene.verify_message(&key, &fields, body.as_bytes())
}

#[test]
fn an_unsigned_message_never_has_a_signer() {
    let nothing = RequestSigningCapability::supported_with(DigestPolicy::Required);
    for (fallback, is_fallback) in
        [(FallbackCredential::Absent, false), (FallbackCredential::Valid, true)]
    {
        let scene = Scene { capability: nothing.clone(), fallback, ..Scene::default() };
        let verified = unsigned(&scene).unwrap();
        assert_eq!(verified.operation(), Some(OPERATION));
        assert_eq!(matches!(&verified, Verified::Fallback(_)), is_fallback);
        assert_eq!(matches!(&verified, Verified::Anonymous(_)), !is_fallback);
        let rejection = verified.signer().unwrap_err();
        assert_eq!(rejection.reason().as_str(), "request_signature_required");
        assert_eq!((rejection.status(), rejection.step()), (401, Step::Precheck));
        assert_eq!(rejection.operation(), Some(OPERATION));
    }
}

#[test]
fn a_required_operation_takes_a_signature_or_another_credential() {
    let rejection = unsigned(&Scene::default()).unwrap_err();
    assert_eq!(rejection.reason().as_str(), "request_signature_required");
    assert!(!rejection.is_unauthenticated());
    assert_eq!(
        rejection.www_authenticate().as_deref(),
        Some(r#"Signature error="request_signature_required""#)
    );
    let scene = Scene { fallback: FallbackCredential::Valid, ..Scene::default() };
    let Ok(Verified::Fallback(fallback)) = unsigned(&scene) else { panic!() };
    assert!(fallback.shadow().is_none());
}

#[test]
fn shadow_mode_passes_on_another_credential_and_says_what_it_let_pass() {
    let shadow = |faults: &[Step], fallback| Scene {
        capability: listed(Some(List::Warn)),
        fallback,
        ..Scene::with(faults.iter().copied())
    };
    let valid = FallbackCredential::Valid;
    let Ok(Verified::Fallback(found)) = unsigned(&shadow(&[], valid)) else { panic!() };
    assert!(matches!(found.shadow(), Some(ShadowFinding::Unsigned)));
    let Ok(Verified::Fallback(found)) = shadow(&[Step::Signature], valid).verify() else {
        panic!()
    };
    let Some(ShadowFinding::Failed(rejection)) = found.shadow() else { panic!() };
    assert_eq!(rejection.step(), Step::Signature);

    let absent = FallbackCredential::Absent;
    for rejection in [
        unsigned(&shadow(&[], absent)).unwrap_err(),
        shadow(&[Step::Signature], absent).verify().unwrap_err(),
    ] {
        assert!(rejection.is_unauthenticated(), "{rejection}");
    }
    for hard in [Step::Parse, Step::Body] {
        let rejection = shadow(&[hard], valid).verify().unwrap_err();
        assert_eq!(rejection.step(), hard);
        assert!(!rejection.is_unauthenticated(), "{rejection}");
    }
    assert!(matches!(shadow(&[], valid).verify(), Ok(Verified::Signed(_))));
}

/// Were it shadowed, a signature would raise what an unsigned message with the same URL may do.
#[test]
fn a_malformed_target_uri_is_not_shadowed() {
    let scene = Scene {
        capability: listed(Some(List::Warn)),
        fallback: FallbackCredential::Valid,
        host: Some("other.example.com".to_owned()),
        ..Scene::default()
    };
    let rejection = scene.verify().unwrap_err();
    assert_eq!(rejection.reason().as_str(), "request_target_uri_malformed");
    assert_eq!(rejection.step(), Step::Signature);
}

#[test]
fn a_failing_signature_is_refused_whatever_else_authenticates() {
    for list in [Some(List::Required), Some(List::Supported), None] {
        let scene = Scene {
            capability: listed(list),
            fallback: FallbackCredential::Valid,
            ..Scene::with([Step::Signature])
        };
        assert_eq!(scene.verify().unwrap_err().step(), Step::Signature, "{list:?}");
    }
}

#[test]
fn bounds_are_413_before_anything_else_and_no_signature_code() {
    let deep = format!("{}1{}", "[".repeat(65), "]".repeat(65));
    let wide = format!("[{}0]", "0,".repeat(100_000));
    let large = format!("\"{}\"", "x".repeat(4 << 20));
    for (body, reason) in
        [(deep, "body_too_complex"), (wide, "body_too_complex"), (large, "body_too_large")]
    {
        for faults in [vec![], vec![Step::Parse], vec![Step::Digest]] {
            let scene = Scene { body: body.clone(), ..Scene::with(faults) };
            let rejection = scene.verify().unwrap_err();
            assert!(matches!(rejection.reason(), Reason::Bound(_)), "{rejection}");
            assert_eq!((rejection.reason().as_str(), rejection.status()), (reason, 413));
            assert_eq!(rejection.www_authenticate(), None);
        }
        let scene = Scene { body, ..Scene::default() };
        assert_eq!(unsigned(&scene).unwrap_err().status(), 413);
    }
}

#[test]
fn a_verifier_refuses_the_context_of_another_kind_of_message() {
    use crate::{rfc9421::Request, verify::Context};
    let key = super::support::key();
    let request = Request::new("POST", super::support::URL, &[], b"");
    let route = super::support::route();
    for (scene, context) in
        [(Scene::default(), Context::webhook()), (Scene::webhook(), Context::request(&route))]
    {
        let verifier = scene.verifier(&key);
        let rejection =
            futures_executor::block_on(verifier.verify(&request, &context)).unwrap_err();
        assert_eq!((rejection.reason(), rejection.status()), (Reason::Misconfigured, 500));
    }
}
