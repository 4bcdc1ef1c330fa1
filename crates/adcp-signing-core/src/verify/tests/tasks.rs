//! Contract 3.3: a message goes on with a task only where somebody says that the task is its own.

use std::{error::Error as _, sync::Arc};

use futures_executor::block_on;
use parking_lot::Mutex;

use super::support::{AGENT, Edges, KEYID, Keys, NONCE, NOW, key};
use crate::{
    answer::Answer,
    clock::FixedClock,
    nonce::Nonce,
    operation::{
        Continuation, DigestPolicy, List, RequestSigningCapability, TaskContinuation,
        TaskLookupError, TaskMatch, Transport,
    },
    profile::{Profile, Recovery, WireVersion},
    rfc9421::{FieldLine, Request},
    sign::{SignOptions, Signer},
    verify::{
        Context, FallbackCredential, Reason, Rejection, Step, Verified, Verifier, VerifierBuilder,
    },
};

const URL: &str = "https://seller.example.com/a2a";
const CONTINUES: &str = r#"{"jsonrpc":"2.0","id":1,"method":"message/send","params":{"message":{
    "messageId":"m-1","taskId":"t-1","role":"user","parts":[{"data":{"skill":"get_products","input":{}}}]}}}"#;

/// What a task's record answers.
#[derive(Debug, Clone, Copy)]
enum Record {
    Same,
    Different,
    Fails,
}

/// Answers the same about each task, and writes down what it is asked.
#[derive(Debug)]
struct Tasks {
    record: Record,
    asked: Mutex<Vec<String>>,
}

impl Tasks {
    fn new(record: Record) -> Arc<Self> {
        Arc::new(Self { record, asked: Mutex::default() })
    }
}

impl TaskContinuation for Tasks {
    fn check<'a>(&'a self, message: Continuation<'a>) -> Answer<'a, TaskMatch, TaskLookupError> {
        let (task, principal) = (message.task_id(), message.principal());
        self.asked.lock().push(format!("{task} {} {principal:?}", message.operation()));
        Answer::now(match self.record {
            Record::Same => Ok(TaskMatch::Same),
            Record::Different => Ok(TaskMatch::Different),
            Record::Fails => Err(TaskLookupError::new("told to fail")),
        })
    }
}

fn capability(list: Option<List>) -> RequestSigningCapability {
    let capability = RequestSigningCapability::supported_with(DigestPolicy::Required);
    match list {
        Some(list) => capability.with_operations(list, ["get_products"]).unwrap(),
        None => capability,
    }
}

/// The verifier of an endpoint at the newest contract of the version, changed by `change`.
fn endpoint(
    wire: WireVersion,
    list: Option<List>,
    change: impl FnOnce(VerifierBuilder) -> VerifierBuilder,
) -> impl Fn(&[(String, String)], &str, FallbackCredential) -> Result<Verified, Rejection> {
    let key = key();
    let edges = Edges::default();
    let keys = Keys { edges: edges.clone(), public: key.jwk().public_key().unwrap() };
    let signer = Signer::new(Profile::request(wire), key).unwrap();
    let verifier = change(Verifier::for_requests(wire, capability(list)))
        .keys(keys)
        .revocation(edges.clone())
        .replay(edges)
        .clock(FixedClock::new(NOW))
        .build();
    move |fields, body, fallback| {
        let mut fields = fields.to_vec();
        fields.push(("Content-Type".to_owned(), "application/json".to_owned()));
        if fields.iter().any(|(name, _)| name == "X-Sign") {
            let lines = lines(&fields);
            let options = SignOptions {
                created: Some(NOW),
                nonce: Some(Nonce::parse(NONCE).unwrap()),
                ..SignOptions::default()
            };
            let request = Request::new("POST", URL, &lines, body.as_bytes());
            let signed = block_on(signer.sign_with(&request, &options)).unwrap();
            let signed: Vec<_> =
                signed.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            fields.extend(signed);
        }
        let is_broken = fields.iter().any(|(_, value)| value == "break");
        let body = if is_broken { format!("{body} ") } else { body.to_owned() };
        let lines = lines(&fields);
        let request = Request::new("POST", URL, &lines, body.as_bytes());
        let context =
            Context::request(&Transport::A2a).with_fallback(fallback).with_subject("tenant-7");
        block_on(verifier.verify(&request, &context))
    }
}

fn lines(fields: &[(String, String)]) -> Vec<FieldLine<'_>> {
    fields.iter().map(|(name, value)| FieldLine::new(name, value)).collect()
}

fn signed() -> Vec<(String, String)> {
    vec![("X-Sign".to_owned(), "yes".to_owned())]
}

/// Signed, and then changed on the way.
fn broken() -> Vec<(String, String)> {
    vec![("X-Sign".to_owned(), "break".to_owned())]
}

const NEWEST: WireVersion = WireVersion::NEWEST;
const ABSENT: FallbackCredential = FallbackCredential::Absent;
const VALID: FallbackCredential = FallbackCredential::Valid;

#[test]
fn without_a_record_of_tasks_a_continuation_is_an_invalid_request_signed_or_not() {
    let verify = endpoint(NEWEST, None, |builder| builder);
    for fields in [vec![], signed()] {
        let rejection = verify(&fields, CONTINUES, VALID).unwrap_err();
        assert_eq!(rejection.reason(), Reason::InvalidRequest);
        assert_eq!(rejection.reason().as_str(), "INVALID_REQUEST");
        assert_eq!((rejection.status(), rejection.step()), (400, Step::Precheck));
        assert_eq!(rejection.recovery(), Recovery::Correctable);
        assert_eq!(rejection.operation(), Some("get_products"));
        assert_eq!((rejection.code(), rejection.www_authenticate()), (None, None));
        let begins = CONTINUES.replace(r#""taskId":"t-1","#, "");
        assert!(verify(&fields, &begins, VALID).is_ok(), "a message that begins a task");
    }
}

#[test]
fn before_contract_3_3_and_where_the_dispatcher_checks_a_continuation_passes() {
    let older = endpoint(WireVersion::V3_2, None, |builder| builder);
    let dispatcher = endpoint(NEWEST, None, VerifierBuilder::tasks_are_checked_by_the_dispatcher);
    for fields in [vec![], signed()] {
        assert!(older(&fields, CONTINUES, VALID).is_ok());
        assert!(dispatcher(&fields, CONTINUES, VALID).is_ok());
    }
}

#[test]
fn a_record_is_asked_with_the_principal_that_was_verified() {
    let signer = format!("Signer {{ agent_url: Some({AGENT:?}), keyid: {KEYID:?} }}");
    let fallback = r#"Fallback { subject: Some("tenant-7") }"#.to_owned();
    for (list, fields, credential, principal) in [
        (None, signed(), ABSENT, &signer),
        (None, signed(), VALID, &signer),
        (None, vec![], VALID, &fallback),
        (None, vec![], ABSENT, &"Anonymous".to_owned()),
        // Shadow mode lets the failed signature pass, and it names nobody.
        (Some(List::Warn), broken(), VALID, &fallback),
    ] {
        for record in [Record::Same, Record::Different, Record::Fails] {
            let tasks = Tasks::new(record);
            let verify = endpoint(NEWEST, list, |builder| builder.tasks(Arc::clone(&tasks)));
            let outcome = verify(&fields, CONTINUES, credential);
            assert_eq!(*tasks.asked.lock(), [format!("t-1 get_products {principal}")]);
            match record {
                Record::Same => assert!(outcome.is_ok(), "{outcome:?}"),
                Record::Different => {
                    let rejection = outcome.unwrap_err();
                    assert_eq!(rejection.reason(), Reason::InvalidRequest);
                    assert_eq!((rejection.status(), rejection.step()), (400, Step::Precheck));
                }
                Record::Fails => {
                    let rejection = outcome.unwrap_err();
                    assert_eq!(rejection.reason(), Reason::Unavailable);
                    assert_eq!((rejection.status(), rejection.step()), (503, Step::Precheck));
                    assert_eq!(rejection.operation(), Some("get_products"));
                    assert!(rejection.source().is_some());
                }
            }
        }
    }
}

#[test]
fn a_record_is_not_asked_about_a_message_that_is_refused_or_begins_a_task() {
    let tasks = Tasks::new(Record::Same);
    let verify =
        endpoint(NEWEST, Some(List::Required), |builder| builder.tasks(Arc::clone(&tasks)));
    assert!(verify(&[], CONTINUES, ABSENT).is_err());
    assert!(verify(&broken(), CONTINUES, VALID).is_err());
    let begins = CONTINUES.replace(r#""taskId":"t-1","#, "");
    assert!(verify(&signed(), &begins, ABSENT).is_ok());
    assert!(tasks.asked.lock().is_empty());
}
