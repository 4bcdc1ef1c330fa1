//! Which lines of the message the steps read, and the edges of what they compare.

use super::support::{KEYID, NONCE, NOW, Scene, URL, key, listed, required, route};
use crate::{
    operation::List,
    profile::{Profile, WireVersion},
    rfc9421::{FieldLine, Request},
    verify::{BodyReading, Prechecked, Received, Rejection, Step, Verified, signature_base_of},
};

/// The scene's message, changed on the way.
fn changed(
    scene: &Scene,
    change: impl FnOnce(&mut Vec<(String, String)>),
) -> Result<Verified, Rejection> {
    let key = key();
    let (mut fields, body) = scene.message(&key);
    change(&mut fields);
    scene.verify_message(&key, &fields, body.as_bytes())
}

fn field(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// Half a signature is a claim to be signed, also where the operation needs none.
#[test]
fn one_signature_field_without_the_other_is_malformed() {
    for list in [None, Some(List::Supported), Some(List::Required)] {
        for lost in ["Signature", "Signature-Input"] {
            let scene = Scene { capability: listed(list), ..Scene::default() };
            let outcome = changed(&scene, |fields| fields.retain(|(name, _)| name != lost));
            let rejection = outcome.unwrap_err();
            assert_eq!(rejection.reason().as_str(), "request_signature_header_malformed");
            assert_eq!(rejection.step(), Step::Parse);
        }
    }
}

#[test]
fn a_covered_content_type_has_one_value() {
    let second = |fields: &mut Vec<_>| fields.push(field("content-type", "text/plain"));
    let comma = |fields: &mut Vec<(String, String)>| {
        fields.retain(|(name, _)| name != "Content-Type");
        fields.push(field("Content-Type", "application/json, text/plain"));
    };
    for outcome in [changed(&Scene::default(), second), changed(&Scene::default(), comma)] {
        let rejection = outcome.unwrap_err();
        assert_eq!(rejection.reason().as_str(), "request_signature_header_malformed");
        assert_eq!(rejection.step(), Step::Parse);
    }
}

#[test]
fn a_component_with_parameters_or_escapes_an_unknown_and_a_repeated_one_are_malformed() {
    for written in [
        r#""@method";req"#,
        r#""@method";name="x""#,
        r#""@meth\\od""#,
        r#""@path""#,
        r#""@method" "@method""#,
        r#""content-type";sf "@method""#,
        r#""Content-Length" "@method""#,
        "method",
        "1",
    ] {
        let outcome = changed(&Scene::default(), |fields| {
            for (name, value) in fields.iter_mut() {
                if name == "Signature-Input" {
                    *value = value.replace(r#""@method""#, written);
                }
            }
        });
        let rejection = outcome.unwrap_err();
        assert_eq!(rejection.reason().as_str(), "request_signature_header_malformed", "{written}");
        assert_eq!(rejection.step(), Step::Parse);
    }
}

#[test]
fn a_body_declared_as_json_is_json_and_no_body_has_a_key_twice() {
    let twice = r#"{"budget":1,"budget":1000}"#;
    for (content_type, body, is_accepted) in [
        ("application/json", "budget=1", false),
        ("application/adcp+json", "budget=1", false),
        ("text/plain", "budget=1", true),
        ("text/plain", "{}", true),
        ("application/json", twice, false),
        ("text/plain", twice, false),
    ] {
        let scene = Scene { content_type, body: body.to_owned(), ..Scene::default() };
        match scene.verify() {
            Ok(verified) => {
                assert!(is_accepted, "{content_type} {body}");
                assert!(matches!(verified, Verified::Signed(_)));
            }
            Err(rejection) => {
                assert!(!is_accepted, "{content_type} {body}: {rejection}");
                assert_eq!(rejection.reason().as_str(), "request_body_malformed");
                assert_eq!(rejection.step(), Step::Body);
            }
        }
    }
}

/// Steps 1 to 5, with this window, at `NOW`.
fn window(created: i64, expires: i64) -> Result<(), Step> {
    let key = key();
    let (mut fields, body) = Scene::default().message(&key);
    for (name, value) in &mut fields {
        if name == "Signature-Input" {
            let (list, _) = value.split_once(";created").unwrap();
            *value = format!(
                r#"{list};created={created};expires={expires};nonce="{NONCE}";keyid="{KEYID}";alg="ed25519";tag="adcp/request-signing/v1""#
            );
        }
    }
    let lines: Vec<_> = fields.iter().map(|(name, value)| FieldLine::new(name, value)).collect();
    let request = Request::new("POST", URL, &lines, body.as_bytes());
    let profile = Profile::request(WireVersion::V3_2);
    let received = Received::new(&profile, &request, BodyReading::Scan).unwrap();
    let prechecked = received.check_operation(&route(), &required(), false).unwrap();
    let Prechecked::Signed(signed) = prechecked else { panic!("{prechecked:?}") };
    let announced = signed.parse_fields().unwrap().check_params().unwrap().check_tag().unwrap();
    let outcome = announced.check_algorithm().unwrap().check_window(NOW);
    outcome.map(drop).map_err(|rejection| rejection.step())
}

#[test]
fn the_window_is_open_to_the_second() {
    let now = NOW.as_i64();
    for (created, expires) in [
        (now, now + 1),
        (now, now + 300),
        (now + 60, now + 61),
        (now + 60, now + 360),
        (now - 61, now - 60),
        (now - 360, now - 60),
    ] {
        assert_eq!(window(created, expires), Ok(()), "{} {}", created - now, expires - now);
    }
    for (created, expires) in [
        (now, now),
        (now, now - 1),
        (now, now + 301),
        (now + 61, now + 62),
        (now + 61, now + 361),
        (now - 62, now - 61),
        (now - 361, now - 61),
        (i64::MIN / 10_000, now),
    ] {
        let outcome = window(created, expires);
        assert_eq!(outcome, Err(Step::Window), "{} {}", created - now, expires - now);
    }
}

#[test]
fn a_base_for_comparison_is_the_one_that_was_signed() {
    let key = key();
    let scene = Scene::default();
    let (fields, body) = scene.message(&key);
    let lines: Vec<_> = fields.iter().map(|(name, value)| FieldLine::new(name, value)).collect();
    let request = Request::new("POST", &scene.url, &lines, body.as_bytes());
    let profile = Profile::request(WireVersion::V3_2);
    let base = signature_base_of(&profile, &request).unwrap();
    let signer = scene.verify_message(&key, &fields, body.as_bytes()).unwrap().signer().unwrap();
    assert_eq!(base, signer.signature_base());
}
