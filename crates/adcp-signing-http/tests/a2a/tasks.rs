//! Who reaches a task: its maker.

use super::*;

/// Every way in which a task can be reached, with the error that each answers.
async fn errors_of<T: Transport>(client: &A2AClient<T>, id: &str) -> Vec<(&'static str, A2AError)> {
    let mut refers = message(OPERATION, false);
    refers.message.reference_task_ids = Some(vec![id.to_owned()]);
    vec![
        ("get", client.get_task(&get(id)).await.unwrap_err()),
        ("cancel", client.cancel_task(&cancel(id)).await.unwrap_err()),
        ("subscribe", client.subscribe_to_task(&subscribe(id)).await.err().unwrap()),
        ("create push", client.create_push_config(&config(id)).await.unwrap_err()),
        ("get push", client.get_push_config(&get_config(id)).await.unwrap_err()),
        ("list push", client.list_push_configs(&list_configs(id)).await.unwrap_err()),
        ("delete push", client.delete_push_config(&delete_config(id)).await.unwrap_err()),
        ("go on", client.send_message(&going_on(id, OPERATION)).await.unwrap_err()),
        (
            "go on, stream",
            client.send_streaming_message(&going_on(id, OPERATION)).await.err().unwrap(),
        ),
        ("refer", client.send_message(&refers).await.unwrap_err()),
        ("refer, stream", client.send_streaming_message(&refers).await.err().unwrap()),
    ]
}

#[tokio::test]
async fn nobody_but_its_maker_reaches_a_task_and_to_others_it_does_not_exist() {
    let market = Market::of(open(), TaskOwners::default()).await;
    for binding in BINDINGS {
        let (maker, other) = (market.buyer(0, binding), market.buyer(1, binding));
        let task = task_of(&maker, &message(OPERATION, false)).await;
        maker.create_push_config(&config(&task.id)).await.unwrap();
        let reached = market.reached.count();

        let of_another = errors_of(&other, &task.id).await;
        let unknown = errors_of(&other, "0199-unknown").await;
        for ((way, error), (_, unknown)) in of_another.iter().zip(&unknown) {
            assert_eq!(error.code, unknown.code, "{binding} {way}");
            let same = error.message.replace(&task.id, "0199-unknown");
            assert_eq!(same, unknown.message, "{binding} {way}");
        }
        for (way, error) in errors_of(&market.unsigned(), &task.id).await {
            let is_not_found = error.code == error_code::TASK_NOT_FOUND;
            assert!(is_not_found || way.starts_with("go on"), "{binding} {way}: {error:?}");
        }
        assert_eq!(market.reached.count(), reached, "no executor saw any of them");
        assert!(other.list_tasks(&list()).await.unwrap().tasks.is_empty());
        let page = market.unsigned().list_tasks(&list()).await.unwrap();
        assert_eq!((page.tasks.len(), page.total_size), (0, 0));

        assert_eq!(maker.get_task(&get(&task.id)).await.unwrap().id, task.id);
        assert_eq!(
            maker.list_push_configs(&list_configs(&task.id)).await.unwrap().configs.len(),
            1
        );
        maker.cancel_task(&cancel(&task.id)).await.unwrap();
    }
}

#[tokio::test]
async fn where_signatures_are_required_an_unsigned_caller_reaches_nothing() {
    let market = Market::strict().await;
    let task = task_of(&market.buyer(0, "json-rpc"), &message(OPERATION, false)).await;
    let reached = market.reached.count();
    let anybody = reqwest::Client::new();
    for (method, params) in [
        (methods::GET_TASK, json!({ "id": task.id })),
        (methods::CANCEL_TASK, json!({ "id": task.id })),
        (methods::SUBSCRIBE_TO_TASK, json!({ "id": task.id })),
        (methods::LIST_TASKS, json!({})),
        (methods::SEND_MESSAGE, json!(going_on(&task.id, OPERATION))),
    ] {
        let call = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let call = anybody.post(market.server.url("/")).header("a2a-version", "1.0").json(&call);
        let answer = call.send().await.unwrap();
        assert_eq!(answer.status(), 401, "{method}");
        let challenge = answer.headers()["www-authenticate"].to_str().unwrap();
        assert_eq!(challenge, r#"Signature error="request_signature_required""#, "{method}");
    }
    assert_eq!(market.reached.count(), reached);
}

#[tokio::test]
async fn a_task_is_gone_on_with_for_its_own_operation_alone() {
    let market = Market::strict().await;
    for binding in BINDINGS {
        let buyer = market.buyer(0, binding);
        let task = task_of(&buyer, &message(OPERATION, false)).await;
        let reached = market.reached.count();
        let error = buyer.send_message(&going_on(&task.id, "get_products")).await.unwrap_err();
        assert!(error.message.ends_with("400 Bad Request: INVALID_REQUEST"), "{error}");
        assert_eq!(market.reached.count(), reached);
        task_of(&buyer, &going_on(&task.id, OPERATION)).await;
    }
}

#[tokio::test]
async fn the_handler_checks_a_continuation_where_the_verifier_does_not() {
    let (keys, reached, owners) = ([key(), key()], Reached::default(), TaskOwners::default());
    let handler = handler(&reached, &owners);
    let verifier = verifier(&keys, strict()).tasks_are_checked_by_the_dispatcher().build();
    let server =
        Server::start(|base| jsonrpc_router(handler).layer(Verify::new(verifier, base).a2a()))
            .await;
    let market = Market { keys, reached, server };
    let (maker, other) = (market.buyer(0, "json-rpc"), market.buyer(1, "json-rpc"));
    let task = task_of(&maker, &message(OPERATION, false)).await;
    let reached = market.reached.count();
    for (buyer, operation) in [(&other, OPERATION), (&maker, "get_products")] {
        let error = buyer.send_message(&going_on(&task.id, operation)).await.unwrap_err();
        assert_eq!(error.code, error_code::TASK_NOT_FOUND, "{operation}");
    }
    assert_eq!(market.reached.count(), reached);
    task_of(&maker, &going_on(&task.id, OPERATION)).await;
}

#[tokio::test]
async fn the_owner_of_an_accepted_credential_has_tasks_of_its_own() {
    let market = Market::of(open(), TaskOwners::default()).await;
    let account = |name: &'static str| {
        let mut fields = http::HeaderMap::new();
        fields.insert("x-account", name.parse().unwrap());
        let http = reqwest::Client::builder().default_headers(fields).build().unwrap();
        A2AClient::new(a2a_client::jsonrpc::JsonRpcTransport::new(http, market.server.url("/")))
    };
    let task = task_of(&account("a"), &message(OPERATION, false)).await;
    assert_eq!(said(&task), format!("a {OPERATION}"));
    assert_eq!(account("a").get_task(&get(&task.id)).await.unwrap().id, task.id);
    task_of(&account("a"), &going_on(&task.id, OPERATION)).await;
    let error = account("b").get_task(&get(&task.id)).await.unwrap_err();
    assert_eq!(error.code, error_code::TASK_NOT_FOUND);
    let error = market.buyer(0, "json-rpc").get_task(&get(&task.id)).await.unwrap_err();
    assert_eq!(error.code, error_code::TASK_NOT_FOUND);
}

#[tokio::test]
async fn unsigned_callers_share_their_tasks_only_where_the_server_wants_it() {
    for (owners, shared) in [
        (TaskOwners::default(), false),
        (TaskOwners::default().with_anonymous_tasks_shared(), true),
    ] {
        let market = Market::of(open(), owners).await;
        let task = task_of(&market.unsigned(), &message(OPERATION, false)).await;
        assert_eq!(said(&task), format!("Some(Anonymous) {OPERATION}"));
        assert_eq!(market.unsigned().get_task(&get(&task.id)).await.is_ok(), shared);
        assert!(market.buyer(0, "json-rpc").get_task(&get(&task.id)).await.is_err());
        let going_on = going_on(&task.id, OPERATION);
        assert!(market.unsigned().send_message(&going_on).await.is_err());
    }
}

/// Fails when it is asked, or when it is told.
#[derive(Debug)]
struct Failing {
    inner: InMemoryTaskOwners,
    asked: bool,
}

impl TaskOwnerStore for Failing {
    fn record<'a>(
        &'a self,
        task: &'a str,
        owner: &'a TaskOwner,
    ) -> Answer<'a, (), TaskLookupError> {
        if self.asked {
            self.inner.record(task, owner)
        } else {
            Answer::now(Err(TaskLookupError::new("told to fail")))
        }
    }

    fn owner<'a>(&'a self, task: &'a str) -> Answer<'a, Option<TaskOwner>, TaskLookupError> {
        if self.asked {
            Answer::now(Err(TaskLookupError::new("told to fail")))
        } else {
            self.inner.owner(task)
        }
    }
}

#[tokio::test]
async fn a_task_whose_owner_cannot_be_stored_or_looked_up_is_nobodys() {
    for asked in [true, false] {
        let owners = TaskOwners::new(Failing { inner: InMemoryTaskOwners::default(), asked });
        let market = Market::of(strict(), owners).await;
        let buyer = market.buyer(0, "json-rpc");
        // The answer is the buyer's all the same.
        let task = task_of(&buyer, &message(OPERATION, false)).await;
        let error = buyer.get_task(&get(&task.id)).await.unwrap_err();
        let list = buyer.list_tasks(&list()).await;
        let going_on = buyer.send_message(&going_on(&task.id, OPERATION)).await.unwrap_err();
        if asked {
            assert!(error.message.contains("could not be looked up"), "{error}");
            assert!(list.unwrap_err().message.contains("could not be looked up"));
            assert!(going_on.message.contains("503"), "{going_on}");
        } else {
            assert_eq!(error.code, error_code::TASK_NOT_FOUND);
            assert!(list.unwrap().tasks.is_empty());
            assert!(going_on.message.contains("INVALID_REQUEST"), "{going_on}");
        }
    }
}

#[tokio::test]
async fn a_handler_without_the_layer_serves_nobody() {
    let reached = Reached::default();
    let handler = handler(&reached, &TaskOwners::default());
    let params = a2a_server::ServiceParams::new();
    let error = handler.send_message(&params, message(OPERATION, true)).await.err().unwrap();
    assert_eq!(error.message, "the server is misconfigured");
    assert!(handler.get_task(&params, get("t")).await.is_err());
    assert!(handler.list_tasks(&params, list()).await.is_err());
    let card = GetExtendedAgentCardRequest { tenant: None };
    assert!(handler.get_extended_agent_card(&params, card).await.is_err());
    assert_eq!(reached.count(), 0);
}
