//! What the head alone rules out, and that it remembers nothing.

use std::sync::atomic::Ordering;

use futures_executor::block_on;

use super::support::{Scene, key, listed, required, route};
use crate::{
    operation::{List, RequestSigningCapability, Transport},
    rfc9421::{FieldLine, Request},
    verify::{Context, FallbackCredential, HeadVerdict, Rejection, Step},
};

const LAST: Step = Step::Purpose;

impl Scene {
    /// The verdict on the head of the scene's message over a transport, after `edit`.
    fn head(
        &self,
        transport: &Transport,
        edit: impl FnOnce(&mut Vec<(String, String)>),
    ) -> Result<HeadVerdict, Rejection> {
        let key = key();
        let (mut fields, _) = self.message(&key);
        edit(&mut fields);
        let lines: Vec<_> =
            fields.iter().map(|(name, value)| FieldLine::new(name, value)).collect();
        let head = Request::new("POST", &self.url, &lines, b"");
        let context = if self.webhook {
            Context::webhook()
        } else {
            Context::request(transport).with_fallback(self.fallback)
        };
        block_on(self.verifier(&key).check_head(&head, &context))
    }

    pub(super) fn signed_head(&self) -> Result<HeadVerdict, Rejection> {
        self.head(&route(), announce("16"))
    }

    fn unsigned_head(&self, transport: &Transport) -> Result<HeadVerdict, Rejection> {
        self.head(transport, |fields| {
            fields.retain(|(name, _)| !matches!(&**name, "Signature" | "Signature-Input"));
        })
    }
}

fn announce(length: &str) -> impl FnOnce(&mut Vec<(String, String)>) {
    let length = length.to_owned();
    move |fields| fields.push(("Content-Length".to_owned(), length))
}

#[test]
fn a_head_is_refused_for_the_faults_of_steps_1_to_8_as_the_message_is() {
    for webhook in [false, true] {
        for step in Step::ALL.into_iter().filter(|step| *step != Step::Precheck) {
            let scene = Scene { webhook, ..Scene::with([step]) };
            let by_head = scene.signed_head();
            assert_eq!(scene.edges.asked.load(Ordering::SeqCst), 0);
            if step <= LAST {
                let whole = scene.verify().unwrap_err();
                let by_head = by_head.unwrap_err();
                assert_eq!((by_head.reason(), by_head.step()), (whole.reason(), whole.step()));
                assert_eq!(by_head.operation(), whole.operation());
            } else {
                assert_eq!(by_head.unwrap(), HeadVerdict::ClaimsSignature, "step {step}");
            }
            let Scene { edges, .. } = scene;
            assert_eq!(edges.inserted.load(Ordering::SeqCst), 0);
        }
    }
}

#[test]
fn an_unsigned_head_is_refused_where_its_route_requires_a_signature() {
    let refused = Scene::default().unsigned_head(&route()).unwrap_err();
    assert_eq!(refused.reason().as_str(), "request_signature_required");
    assert_eq!((refused.step(), refused.operation()), (Step::Precheck, Some("create_media_buy")));
    let shadowed = Scene { capability: listed(Some(List::Warn)), ..Scene::default() };
    assert!(shadowed.unsigned_head(&route()).unwrap_err().is_unauthenticated());
    for fallback in [required(), listed(Some(List::Warn))] {
        let scene =
            Scene { capability: fallback, fallback: FallbackCredential::Valid, ..Scene::default() };
        assert_eq!(scene.unsigned_head(&route()).unwrap(), HeadVerdict::Unsigned);
    }
    for capability in [listed(Some(List::Supported)), RequestSigningCapability::unsupported()] {
        let scene = Scene { capability, ..Scene::default() };
        assert_eq!(scene.unsigned_head(&route()).unwrap(), HeadVerdict::Unsigned);
    }
}

#[test]
fn a_route_whose_name_no_list_can_hold_is_refused_with_any_credential() {
    let scene = Scene { fallback: FallbackCredential::Valid, ..Scene::default() };
    let odd = Transport::Rest { operation: "Create Media Buy".to_owned() };
    let refused = scene.unsigned_head(&odd).unwrap_err();
    assert_eq!(refused.reason().as_str(), "request_signature_required");
}

#[test]
fn an_unsigned_head_waits_for_its_body_where_the_body_names_the_operation() {
    for transport in [Transport::Mcp, Transport::A2a, Transport::RestPath] {
        let verdict = Scene::default().unsigned_head(&transport);
        assert_eq!(verdict.unwrap(), HeadVerdict::Unsigned, "{transport:?}");
    }
}

#[test]
fn an_unsigned_head_with_a_malformed_target_is_refused() {
    let scene = Scene { url: "https://seller.example.com:x/".to_owned(), ..Scene::default() };
    for transport in [route(), Transport::Mcp] {
        let refused = scene.unsigned_head(&transport).unwrap_err();
        assert_eq!(refused.reason().as_str(), "request_target_uri_malformed");
    }
}

#[test]
fn an_unsigned_webhook_is_refused_by_its_head() {
    let refused = Scene::webhook().unsigned_head(&route()).unwrap_err();
    assert_eq!(refused.reason().as_str(), "webhook_signature_header_malformed");
    let other = Scene::webhook().head(&route(), |fields| {
        fields.push(("X-AdCP-Signature".to_owned(), "sha256=00".to_owned()));
    });
    assert_eq!(other.unwrap_err().reason().as_str(), "webhook_mode_mismatch");
}

#[test]
fn a_body_that_is_announced_as_larger_than_the_bound_is_refused_unread() {
    let scene = Scene::default();
    let bound = scene.verifier(&key()).profile().bounds().max_body_bytes();
    for transport in [route(), Transport::Mcp] {
        scene.head(&transport, announce(&bound.to_string())).unwrap();
        for length in [(bound + 1).to_string(), u64::MAX.to_string()] {
            let refused = scene.head(&transport, announce(&length)).unwrap_err();
            assert_eq!((refused.status(), refused.reason().as_str()), (413, "body_too_large"));
        }
    }
}

#[test]
fn what_an_announced_body_demands_is_demanded_of_the_head() {
    let scene = Scene::default();
    let uncovered = |fields: &mut Vec<(String, String)>| {
        for (name, value) in fields {
            if name == "Signature-Input" {
                *value = value.replace(" \"content-digest\"", "");
            }
        }
    };
    let announced = scene.head(&route(), |fields| {
        uncovered(fields);
        announce("16")(fields);
    });
    assert_eq!(announced.unwrap_err().reason().as_str(), "request_signature_components_incomplete");
    for length in [None, Some("0")] {
        let verdict = scene.head(&route(), |fields| {
            uncovered(fields);
            if let Some(length) = length {
                announce(length)(fields);
            }
        });
        assert_eq!(verdict.unwrap(), HeadVerdict::ClaimsSignature);
    }
}

#[test]
fn a_signature_that_fails_waits_for_a_body_that_names_the_operation() {
    for transport in [Transport::Mcp, Transport::A2a, Transport::RestPath] {
        for step in [Step::Parse, Step::Window, Step::Key] {
            let verdict = Scene::with([step]).head(&transport, |_| ());
            assert_eq!(verdict.unwrap(), HeadVerdict::FailsClaim, "{transport:?} {step}");
        }
        let verdict = Scene::default().head(&transport, |_| ());
        assert_eq!(verdict.unwrap(), HeadVerdict::ClaimsSignature, "{transport:?}");
    }
}

#[test]
fn shadow_mode_with_another_credential_waits_for_the_body() {
    let scene = |fallback| Scene {
        capability: listed(Some(List::Warn)),
        fallback,
        ..Scene::with([Step::Window])
    };
    let waits = scene(FallbackCredential::Valid).signed_head();
    assert_eq!(waits.unwrap(), HeadVerdict::FailsClaim);
    assert!(scene(FallbackCredential::Valid).verify().is_ok());
    let refused = scene(FallbackCredential::Absent).signed_head().unwrap_err();
    assert_eq!(refused.reason().as_str(), "request_signature_window_invalid");
}

#[test]
fn a_context_of_the_other_kind_is_a_misconfiguration() {
    let head = Request::new("POST", super::support::URL, &[], b"");
    let verifier = Scene::webhook().verifier(&key());
    let refused = block_on(verifier.check_head(&head, &Context::request(&route()))).unwrap_err();
    assert_eq!((refused.status(), refused.reason().as_str()), (500, "verifier_misconfigured"));
}
