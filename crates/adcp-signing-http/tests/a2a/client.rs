//! What the client signs, sends and reads.

use super::*;

#[tokio::test]
async fn every_method_is_signed_and_an_executor_sees_who_signed() {
    let market = Market::strict().await;
    for binding in BINDINGS {
        let buyer = market.buyer(0, binding);
        let task = task_of(&buyer, &message(OPERATION, false)).await;
        assert_eq!(said(&task), format!("{BUYER} {OPERATION}"), "{binding}");
        let id = task.id.as_str();
        assert_eq!(buyer.get_task(&get(id)).await.unwrap().id, id);
        assert_eq!(task_of(&buyer, &going_on(id, OPERATION)).await.id, id);
        assert!(buyer.list_tasks(&list()).await.unwrap().tasks.iter().any(|task| task.id == id));
        assert_eq!(buyer.create_push_config(&config(id)).await.unwrap().task_id, id);
        assert_eq!(buyer.get_push_config(&get_config(id)).await.unwrap().task_id, id);
        let configs = buyer.list_push_configs(&list_configs(id)).await.unwrap().configs;
        assert_eq!(configs.len(), 1);
        buyer.delete_push_config(&delete_config(id)).await.unwrap();
        assert!(buyer.list_push_configs(&list_configs(id)).await.unwrap().configs.is_empty());
        let canceled = buyer.cancel_task(&cancel(id)).await.unwrap();
        assert_eq!(canceled.status.state, TaskState::Canceled);
        let card = GetExtendedAgentCardRequest { tenant: None };
        assert_eq!(buyer.get_extended_agent_card(&card).await.unwrap().name, "seller");
    }
}

#[tokio::test]
async fn a_stream_is_read_to_its_end_and_its_task_has_an_owner_from_its_first_event_on() {
    let market = Market::strict().await;
    for binding in BINDINGS {
        let buyer = market.buyer(0, binding);
        let mut events =
            buyer.send_streaming_message(&message(OPERATION, true)).await.unwrap().boxed();
        let first = events.next().await.unwrap().unwrap();
        let StreamResponse::StatusUpdate(first) = first else { panic!("{first:?}") };
        assert_eq!(first.status.state, TaskState::Working);
        assert_eq!(buyer.get_task(&get(&first.task_id)).await.unwrap().id, first.task_id);
        let rest: Vec<_> = events.collect().await;
        assert_eq!(rest.len(), 1, "{rest:?}");
        assert!(rest[0].is_ok(), "{rest:?}");
        // The task has come to its end, which only its owner is told.
        let ended = |error: A2AError| error.code == error_code::UNSUPPORTED_OPERATION;
        let error = buyer.subscribe_to_task(&subscribe(&first.task_id)).await.err().unwrap();
        assert!(ended(error));
        let other = market.buyer(1, binding);
        let error = other.subscribe_to_task(&subscribe(&first.task_id)).await.err().unwrap();
        assert_eq!(error.code, error_code::TASK_NOT_FOUND);
    }
}

#[tokio::test]
async fn a_refused_signature_is_a_refusal_with_its_recovery() {
    let market = Market::strict().await;
    for binding in BINDINGS {
        let client = SigningClient::new(signer(&key())).unwrap();
        let stranger = A2AClient::new(market.transport(&client, binding));
        for error in [
            stranger.send_message(&message(OPERATION, true)).await.err().unwrap(),
            stranger.send_streaming_message(&message(OPERATION, true)).await.err().unwrap(),
            stranger.get_task(&get("t")).await.unwrap_err(),
        ] {
            let refusal = refusal(&error).unwrap_or_else(|| panic!("{binding}: {error:?}"));
            assert_eq!(refusal.code(), "request_signature_key_unknown");
            assert_eq!(refusal.status(), 401);
            assert_eq!(refusal.recovery(), Recovery::Correctable);
            assert!(error.message.contains("request_signature_key_unknown"), "{error}");
        }
    }
    assert_eq!(market.reached.count(), 0);
}

#[tokio::test]
async fn what_cannot_be_signed_is_not_sent_and_says_why() {
    let client = SigningClient::new(signer(&key())).unwrap();
    let transport = client.json_rpc("https://seller.example.com./a2a").unwrap();
    let error = A2AClient::new(transport).get_task(&get("t")).await.unwrap_err();
    assert!(error.message.starts_with("the request was not sent"), "{error}");
    assert_eq!(refusal(&error), None);
    for url in ["seller", "mailto:seller@example.com"] {
        let error = client.json_rpc(url).unwrap_err();
        assert!(error.message.contains("the URL of the agent"), "{url}: {error}");
    }
    let nobody = client.json_rpc("http://127.0.0.1:9/").unwrap();
    let error = A2AClient::new(nobody).get_task(&get("t")).await.unwrap_err();
    assert!(error.message.starts_with("the agent did not answer"), "{error}");
}

#[tokio::test]
async fn a_client_from_an_agent_card_signs_over_either_binding() {
    let market = Market::strict().await;
    let client = SigningClient::new(signer(&market.keys[0])).unwrap();
    let mut card = card(&market.server.url(""));
    for _ in 0..card.supported_interfaces.len() {
        let buyer = client.factory().create_from_card(&card).await.unwrap();
        let task = task_of(&buyer, &message(OPERATION, true)).await;
        assert_eq!(said(&task), format!("{BUYER} {OPERATION}"));
        card.supported_interfaces.rotate_left(1);
        card.supported_interfaces.truncate(1);
    }
    card.supported_interfaces[0].protocol_binding = "GRPC".to_owned();
    assert!(client.factory().create_from_card(&card).await.is_err());
}

/// A server that answers each request with this.
async fn answering(fields: &'static [(&'static str, &'static str)], body: &'static str) -> Server {
    Server::start(|_| {
        let answer = async move || {
            let mut response = axum::response::Response::new(axum::body::Body::from(body));
            for (name, value) in fields {
                response.headers_mut().insert(*name, value.parse().unwrap());
            }
            response
        };
        Router::new().fallback(answer)
    })
    .await
}

const EVENTS: &[(&str, &str)] = &[("content-type", "text/event-stream; charset=utf-8")];
const JSON: &[(&str, &str)] = &[("content-type", "application/json")];

#[tokio::test]
async fn an_answer_that_is_too_large_or_of_another_call_is_an_error() {
    let client = SigningClient::new(signer(&key())).unwrap().with_max_answer(100);
    for (fields, body, binding, expected) in [
        (JSON, include_str!("main.rs"), "json-rpc", "more than 100 bytes"),
        (JSON, include_str!("main.rs"), "http+json", "more than 100 bytes"),
        (JSON, r#"{"jsonrpc":"2.0","id":77,"result":{}}"#, "json-rpc", "another call"),
        (JSON, r#"{"jsonrpc":"2.0","id":1}"#, "json-rpc", "no result"),
        (JSON, "[]", "json-rpc", "invalid"),
        (JSON, "<html>", "http+json", "invalid"),
    ] {
        let server = answering(fields, body).await;
        let url = server.url("/");
        let transport = if binding == "json-rpc" {
            // Its first call has the identifier 1.
            SigningClient::new(signer(&key())).unwrap().with_max_answer(100).json_rpc(&url)
        } else {
            client.http_json(&url)
        };
        let error = A2AClient::new(transport.unwrap()).get_task(&get("t")).await.unwrap_err();
        assert!(error.message.contains(expected), "{body:.40}: {error}");
    }
}

#[tokio::test]
async fn a_stream_ends_at_its_first_error() {
    for (fields, body, expected) in [
        (EVENTS, include_str!("main.rs"), "more than 100 bytes"),
        (
            EVENTS,
            "data: {\"jsonrpc\":\"2.0\",\"id\":77,\"result\":{}}\n\ndata: 1\n\n",
            "another call",
        ),
        (
            EVENTS,
            "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":7,\"message\":\"full\"}}\n\n",
            "full",
        ),
        (EVENTS, "data: {\"jsonrpc\":\"2.0\",\"id\":1}\n\n", "no result"),
        (EVENTS, "data: 1\n\ndata: 1\n\n", "invalid"),
        (EVENTS, "data: {\"jsonrpc\"", "within an event"),
    ] {
        let server = answering(fields, body).await;
        let client = SigningClient::new(signer(&key())).unwrap().with_max_answer(100);
        let client = A2AClient::new(client.json_rpc(&server.url("/")).unwrap());
        let events = client.send_streaming_message(&message(OPERATION, true)).await.unwrap();
        let events = tokio::time::timeout(PATIENCE, events.collect::<Vec<_>>()).await.unwrap();
        assert_eq!(events.len(), 1, "{body:.40}: {events:?}");
        let error = events[0].as_ref().unwrap_err();
        assert!(error.message.contains(expected), "{body:.40}: {error}");
    }
    // An error in the envelope of an answer, where a stream was asked for.
    for (body, expected) in [
        (
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32004,"message":"no streams"}}"#,
            "no streams",
        ),
        (r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, "not a stream"),
    ] {
        let server = answering(JSON, body).await;
        let client = SigningClient::new(signer(&key())).unwrap();
        let client = A2AClient::new(client.json_rpc(&server.url("/")).unwrap());
        let error = client.send_streaming_message(&message(OPERATION, true)).await.err().unwrap();
        assert!(error.message.contains(expected), "{error}");
    }
    // Over HTTP+JSON an error comes as it is.
    let server = answering(EVENTS, "data: {\"code\":-32001,\"message\":\"gone\"}\n\n").await;
    let client = SigningClient::new(signer(&key())).unwrap();
    let client = A2AClient::new(client.http_json(&server.url("")).unwrap());
    let events = client.send_streaming_message(&message(OPERATION, true)).await.unwrap();
    let events: Vec<_> = events.collect().await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].as_ref().unwrap_err().code, error_code::TASK_NOT_FOUND);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let server = Server::start(|_| {
        Router::new().fallback(async || axum::response::Redirect::temporary("/elsewhere"))
    })
    .await;
    let client = SigningClient::new(signer(&key())).unwrap();
    let client = A2AClient::new(client.json_rpc(&server.url("/")).unwrap());
    let error = client.get_task(&get("t")).await.unwrap_err();
    assert!(error.message.contains("307"), "{error}");
}
