//! What the head alone rules out, and that it remembers nothing.

use std::{
    future::ready,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use futures_executor::block_on;

use super::support::{NOW, Scene, key, listed, required, route};
use crate::{
    clock::{Clock, UnixSeconds},
    operation::{List, RequestSigningCapability, Transport},
    provider::InMemoryProvider,
    rfc9421::{FieldLine, Request},
    verify::{Context, FallbackCredential, HeadVerdict, Rejection, Step, Verified},
};

/// The last step that the head decides, where the signature covers the digest of the body.
const LAST: Step = Step::Signature;

/// What keeps a test from the answer: a refusal, or the end of the head.
#[derive(Debug)]
enum Stopped {
    Refused(Rejection),
    After(HeadVerdict),
}

impl From<Rejection> for Stopped {
    fn from(rejection: Rejection) -> Self {
        Self::Refused(rejection)
    }
}

impl Scene {
    fn context<'a>(&self, transport: &'a Transport) -> Context<'a> {
        if self.webhook {
            Context::webhook()
        } else {
            Context::request(transport).with_fallback(self.fallback)
        }
    }

    /// The verdict on the head of the scene's message over a transport, after `edit`.
    fn head(
        &self,
        transport: &Transport,
        edit: impl FnOnce(&mut Vec<(String, String)>),
    ) -> Result<HeadVerdict, Rejection> {
        let key = key();
        let (mut fields, _) = self.message(&key);
        edit(&mut fields);
        let read = |verdict| Err::<Vec<u8>, _>(Stopped::After(verdict));
        match self.head_first(&key, &fields, transport, read) {
            Err(Stopped::After(verdict)) => Ok(verdict),
            Err(Stopped::Refused(rejection)) => Err(rejection),
            Ok(_) => panic!("there was no body"),
        }
    }

    fn head_first<B: AsRef<[u8]>>(
        &self,
        key: &InMemoryProvider,
        fields: &[(String, String)],
        transport: &Transport,
        read: impl FnOnce(HeadVerdict) -> Result<B, Stopped>,
    ) -> Result<(Verified, B), Stopped> {
        let lines: Vec<_> =
            fields.iter().map(|(name, value)| FieldLine::new(name, value)).collect();
        let head = Request::new("POST", &self.url, &lines, b"");
        let verifier = self.verifier(key);
        let context = self.context(transport);
        let read = |verdict| ready(read(verdict));
        block_on(verifier.verify_head_first(&head, &context, read))
    }

    /// The answer to the whole message, when its head is judged first, and when it is not.
    fn both_ways(&self, transport: &Transport) -> [Result<Verified, Rejection>; 2] {
        let key = key();
        let (mut fields, body) = self.message(&key);
        announce(&body.len().to_string())(&mut fields);
        let read = |_| Ok(body.as_bytes());
        let head_first = match self.head_first(&key, &fields, transport, read) {
            Ok((verified, given_back)) => {
                assert_eq!(given_back, body.as_bytes());
                Ok(verified)
            }
            Err(Stopped::Refused(rejection)) => Err(rejection),
            Err(Stopped::After(_)) => panic!("the body was read"),
        };
        let lines: Vec<_> =
            fields.iter().map(|(name, value)| FieldLine::new(name, value)).collect();
        let request = Request::new("POST", &self.url, &lines, body.as_bytes());
        let whole = block_on(self.verifier(&key).verify(&request, &self.context(transport)));
        [head_first, whole]
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
fn a_head_is_refused_for_the_faults_of_steps_1_to_10_as_the_message_is() {
    for webhook in [false, true] {
        for step in Step::ALL.into_iter().filter(|step| *step != Step::Precheck) {
            let scene = Scene { webhook, ..Scene::with([step]) };
            let by_head = scene.signed_head();
            let asked = scene.edges.asked.load(Ordering::SeqCst);
            assert_eq!(asked, usize::from(step >= Step::ReplayCap), "step {step}");
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
    let transport = route();
    let context = Context::request(&transport);
    let read = async |_| Ok::<_, Rejection>(b"");
    let refused = block_on(verifier.verify_head_first(&head, &context, read)).unwrap_err();
    assert_eq!((refused.status(), refused.reason().as_str()), (500, "verifier_misconfigured"));
}

#[test]
fn the_answer_is_the_same_whether_the_head_is_judged_first_or_not() {
    let steps = || Step::ALL.into_iter().filter(|step| *step != Step::Precheck).map(Some);
    let faults = steps().flat_map(|first| steps().chain([None]).map(move |second| (first, second)));
    for faults in faults.chain([(None, None)]) {
        let scene = || Scene::with([faults.0, faults.1].into_iter().flatten());
        let shadowed = Scene {
            capability: listed(Some(List::Warn)),
            fallback: FallbackCredential::Valid,
            ..scene()
        };
        for (scene, transport) in [
            (scene(), route()),
            (scene(), Transport::RestPath),
            // The body names no operation.
            (scene(), Transport::Mcp),
            (shadowed.clone(), route()),
            (shadowed, Transport::RestPath),
            (Scene { webhook: true, ..scene() }, route()),
        ] {
            let [head_first, whole] = scene.both_ways(&transport);
            match (head_first, whole) {
                (Err(head_first), Err(whole)) => {
                    let shown = format!("{faults:?} {transport:?}: {head_first}");
                    assert_eq!(head_first.reason(), whole.reason(), "{shown}");
                    assert_eq!(head_first.step(), whole.step(), "{shown}");
                    assert_eq!(head_first.operation(), whole.operation(), "{shown}");
                    let unauthenticated = whole.is_unauthenticated();
                    assert_eq!(head_first.is_unauthenticated(), unauthenticated, "{shown}");
                }
                (Ok(head_first), Ok(whole)) => {
                    assert_eq!(format!("{head_first:?}").len(), format!("{whole:?}").len());
                }
                (head_first, whole) => {
                    panic!("{faults:?} {transport:?}: {head_first:?}, and whole: {whole:?}")
                }
            }
        }
    }
}

#[test]
fn the_body_of_a_refused_head_is_not_read() {
    let key = key();
    for step in [Step::Window, Step::Key, Step::Revocation, Step::Signature] {
        let scene = Scene::with([step]);
        let (fields, _) = scene.message(&key);
        let read = |_| -> Result<&[u8], Stopped> { panic!("read after {step}") };
        let refused = scene.head_first(&key, &fields, &route(), read);
        assert!(matches!(refused, Err(Stopped::Refused(refused)) if refused.step() == step));
    }
}

#[test]
fn each_edge_is_asked_once() {
    let key = key();
    for transport in [route(), Transport::RestPath] {
        let scene = Scene::default();
        let (fields, body) = scene.message(&key);
        let (verified, _) = scene.head_first(&key, &fields, &transport, |_| Ok(body)).unwrap();
        assert!(matches!(verified, Verified::Signed(_)));
        assert_eq!(scene.edges.asked.load(Ordering::SeqCst), 1);
        assert_eq!(scene.edges.inserted.load(Ordering::SeqCst), 1);
    }
}

/// Time passes while a body arrives.
#[derive(Debug, Clone)]
struct Passing(Arc<AtomicI64>);

impl Clock for Passing {
    fn now(&self) -> UnixSeconds {
        NOW.plus(self.0.load(Ordering::SeqCst))
    }
}

#[test]
fn a_window_that_closes_while_the_body_arrives_is_closed() {
    let key = key();
    // The window is open for 300 s, and 60 s more for the clocks.
    for (took, expected) in [(360, None), (361, Some(Step::Window))] {
        let scene = Scene::default();
        let (fields, body) = scene.message(&key);
        let lines: Vec<_> =
            fields.iter().map(|(name, value)| FieldLine::new(name, value)).collect();
        let head = Request::new("POST", &scene.url, &lines, b"");
        let clock = Passing(Arc::default());
        let mut verifier = scene.verifier(&key);
        verifier.clock = Arc::new(clock.clone());
        let read = async |_| {
            clock.0.store(took, Ordering::SeqCst);
            Ok::<_, Rejection>(body)
        };
        let transport = route();
        let context = Context::request(&transport);
        let outcome = block_on(verifier.verify_head_first(&head, &context, read));
        assert_eq!(outcome.err().map(|refused| refused.step()), expected, "{took} s");
        let inserted = scene.edges.inserted.load(Ordering::SeqCst);
        assert_eq!(inserted, usize::from(expected.is_none()));
    }
}
