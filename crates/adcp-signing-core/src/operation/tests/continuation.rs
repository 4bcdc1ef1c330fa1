use std::sync::Arc;

use futures_executor::block_on;

use super::*;
use crate::answer::Answer;

/// Knows one task, or fails.
#[derive(Debug)]
struct Tasks {
    fails: bool,
}

impl TaskContinuation for Tasks {
    fn check<'a>(&'a self, message: Continuation<'a>) -> Answer<'a, TaskMatch, TaskLookupError> {
        if self.fails {
            return Answer::now(Err(TaskLookupError::new("connection refused")));
        }
        let is_owner = matches!(
            message.principal(),
            Principal::Signer { agent_url: Some("https://buyer.example.com/mcp"), .. }
        );
        let is_same = message.task_id() == "t-1" && message.operation() == "get_products";
        Answer::now(Ok(if is_same && is_owner { TaskMatch::Same } else { TaskMatch::Different }))
    }
}

const BUYER: Principal<'_> =
    Principal::Signer { agent_url: Some("https://buyer.example.com/mcp"), keyid: "k" };

fn continuing(task: &str, part: &str) -> Resolved {
    let body = parts(part).replace(r#""messageId""#, &format!(r#""taskId":"{task}","messageId""#));
    a2a(&body).unwrap()
}

fn check(resolved: &Resolved, principal: Principal<'_>) -> Result<(), TaskRefusal> {
    block_on(check_continuation(&Arc::new(Tasks { fails: false }), resolved, principal))
}

#[test]
fn a_task_is_continued_by_its_own_principal_with_its_own_operation() {
    assert!(check(&continuing("t-1", GET), BUYER).is_ok());
    assert!(check(&a2a(&parts(BUY)).unwrap(), Principal::Anonymous).is_ok());
}

#[test]
fn any_other_continuation_is_an_invalid_request() {
    let other = Principal::Signer { agent_url: Some("https://other.example.com"), keyid: "k" };
    for (task, part, principal) in [
        ("t-1", BUY, BUYER),
        ("t-2", GET, BUYER),
        ("t-1", GET, other),
        ("t-1", GET, Principal::Signer { agent_url: None, keyid: "k" }),
        ("t-1", GET, Principal::Fallback { subject: Some("https://buyer.example.com/mcp") }),
        ("t-1", GET, Principal::Anonymous),
    ] {
        let refusal = check(&continuing(task, part), principal).unwrap_err();
        assert!(matches!(refusal, TaskRefusal::Continuation), "{task} {principal:?}");
        assert_eq!(refusal.code(), "INVALID_REQUEST");
    }
}

#[test]
fn a_continuation_without_exactly_one_operation_is_an_invalid_request() {
    let mut two = continuing("t-1", GET);
    two.add_operation("create_media_buy");
    let unclear = doubtful(continuing("t-1", GET));
    for resolved in [two, unclear] {
        let refusal = check(&resolved, BUYER).unwrap_err();
        assert!(matches!(refusal, TaskRefusal::Operation));
        assert_eq!(refusal.code(), "INVALID_REQUEST");
        assert!(check_dispatch(&resolved, "get_products").is_err());
    }
}

#[test]
fn every_task_of_a_message_is_asked_about() {
    let mut resolved = continuing("t-1", GET);
    resolved.add_task("t-2".to_owned());
    assert!(matches!(check(&resolved, BUYER), Err(TaskRefusal::Continuation)));
}

#[test]
fn a_lookup_that_fails_refuses_and_says_so() {
    let tasks = Tasks { fails: true };
    let refusal = block_on(check_continuation(&tasks, &continuing("t-1", GET), BUYER)).unwrap_err();
    assert_eq!(refusal.code(), "SERVICE_UNAVAILABLE");
    assert!(!refusal.to_string().contains("connection"));
}

#[test]
fn a_dispatcher_that_reads_another_operation_is_stopped() {
    let resolved = a2a(&parts(GET)).unwrap();
    assert!(check_dispatch(&resolved, "get_products").is_ok());
    for dispatched in ["create_media_buy", "Get_Products", ""] {
        let refusal = check_dispatch(&resolved, dispatched).unwrap_err();
        assert!(matches!(refusal, TaskRefusal::Dispatch), "{dispatched}");
        assert_eq!(refusal.code(), "INVALID_REQUEST");
    }
    assert!(check_dispatch(&names(None, Some("CancelTask")), "CancelTask").is_err());
}
