//! `get_adcp_capabilities` over MCP against a real server: JSON, events, sessions, hostile replies.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::time::Duration;

use adcp_signing_testkit::CannedReply;
use adcp_signing_trust::{
    agent::{AgentCapabilities, CapabilitiesError, FetchCapabilities, McpCapabilities},
    brand::AgentUrl,
    fetch::FetchError,
};
use serde_json::{Value, json};
use support::{
    Answer, Asked, Server,
    operator::{BUYER, MCP},
};

fn message(asked: &Asked) -> Value {
    serde_json::from_slice(&asked.body).unwrap()
}

fn json_reply(body: &Value) -> CannedReply {
    CannedReply::new(200).header("content-type", "application/json").body(body.to_string())
}

fn result(id: &Value, result: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "result": result })
}

fn payload() -> Value {
    json!({ "structuredContent": { "identity": { "brand_json_url": "https://b.example/b.json" } } })
}

async fn ask(server: &Server) -> Result<AgentCapabilities, CapabilitiesError> {
    ask_within(server, Duration::from_secs(10)).await
}

async fn ask_within(
    server: &Server,
    time: Duration,
) -> Result<AgentCapabilities, CapabilitiesError> {
    let fetcher = server.fetcher().timeouts(time, time).build().unwrap();
    let agent: AgentUrl = server.url(BUYER, MCP).parse().unwrap();
    McpCapabilities::new(fetcher).capabilities(&agent).await
}

#[tokio::test]
async fn the_tool_is_called_at_once() {
    let server =
        Server::start(|asked| Answer::Reply(json_reply(&result(&message(asked)["id"], payload()))))
            .await;
    let found = ask(&server).await.unwrap();
    assert_eq!(found.brand_json_url(), Some("https://b.example/b.json"));
    let asked = server.asked();
    assert_eq!(asked.len(), 1);
    assert!(asked[0].head.starts_with("POST /mcp "), "{}", asked[0].head);
    assert_eq!(message(&asked[0])["method"], "tools/call");
    assert_eq!(message(&asked[0])["params"]["name"], "get_adcp_capabilities");
    let accept = asked[0].field("accept").unwrap();
    assert!(accept.contains("application/json") && accept.contains("text/event-stream"));
    assert_eq!(asked[0].field("accept-encoding").as_deref(), Some("identity"));
    assert!(asked[0].field("mcp-protocol-version").is_some());
}

#[tokio::test]
async fn a_reply_among_events_is_read_though_the_stream_stays_open() {
    let server = Server::start(|asked| {
        let reply = result(&message(asked)["id"], payload());
        let progress = json!({ "jsonrpc": "2.0", "method": "notifications/progress" });
        let body = format!("event: message\ndata: {progress}\n\nevent: message\ndata: {reply}\n\n");
        let head = CannedReply::new(200).header("content-type", "text/event-stream");
        Answer::Open(head.header("content-length", "100000").body(body))
    })
    .await;
    let found = ask(&server).await.unwrap();
    assert_eq!(found.brand_json_url(), Some("https://b.example/b.json"));
}

/// A server that answers nothing without a session.
async fn with_sessions(refusal: fn(&Value) -> CannedReply) -> Server {
    Server::start(move |asked| {
        let message = message(asked);
        let has_session = asked.field("mcp-session-id").as_deref() == Some("s-1");
        let reply = match message["method"].as_str().unwrap() {
            "initialize" => {
                let result = result(&message["id"], json!({ "protocolVersion": "2025-06-18" }));
                json_reply(&result).header("mcp-session-id", "s-1")
            }
            "notifications/initialized" if has_session => CannedReply::new(202),
            "tools/call" if has_session => json_reply(&result(&message["id"], payload())),
            _ => refusal(&message["id"]),
        };
        Answer::Reply(reply)
    })
    .await
}

#[tokio::test]
async fn a_server_that_wants_a_session_is_initialized() {
    let refusals: [fn(&Value) -> CannedReply; 3] = [
        |_| CannedReply::new(400),
        |_| CannedReply::new(404),
        |id| {
            let error = json!({ "code": -32000, "message": "not initialized" });
            json_reply(&json!({ "jsonrpc": "2.0", "id": id, "error": error }))
        },
    ];
    for refusal in refusals {
        let server = with_sessions(refusal).await;
        let found = ask(&server).await.unwrap();
        assert_eq!(found.brand_json_url(), Some("https://b.example/b.json"));
        let methods: Vec<_> =
            server.asked().iter().map(|asked| message(asked)["method"].clone()).collect();
        let expected = ["tools/call", "initialize", "notifications/initialized", "tools/call"];
        assert_eq!(methods, expected);
    }
}

#[tokio::test]
async fn a_server_that_does_not_take_the_session_is_not_asked_on() {
    let server = Server::start(|asked| {
        let message = message(asked);
        let has_session = asked.field("mcp-session-id").is_some();
        let reply = match message["method"].as_str().unwrap() {
            "initialize" => {
                json_reply(&result(&message["id"], json!({}))).header("mcp-session-id", "s-1")
            }
            "tools/call" if has_session => json_reply(&result(&message["id"], payload())),
            "tools/call" => CannedReply::new(400),
            _ => CannedReply::new(503),
        };
        Answer::Reply(reply)
    })
    .await;
    let found = ask(&server).await;
    let status = FetchError::Status { status: 503 };
    assert_eq!(found.unwrap_err().to_string(), CapabilitiesError::Fetch(status).to_string());
}

#[tokio::test]
async fn what_is_no_reply_to_the_question_is_refused() {
    let content = json!({ "content": [{ "type": "text", "text": payload().to_string() }] });
    let replies: [fn(&Value, &Value) -> Value; 9] = [
        |_, _| json!({ "jsonrpc": "2.0", "id": 7, "result": payload() }),
        |_, _| json!({ "jsonrpc": "2.0", "id": "1", "result": payload() }),
        |id, _| json!({ "jsonrpc": "1.0", "id": id, "result": payload() }),
        |id, _| json!({ "jsonrpc": "2.0", "id": id, "result": "x" }),
        |id, _| json!({ "jsonrpc": "2.0", "id": id }),
        |id, content| result(id, content.clone()),
        |id, _| {
            let mut refused = result(id, payload());
            refused["result"]["isError"] = json!(true);
            refused
        },
        |id, _| result(id, json!({ "structuredContent": [] })),
        |_, _| json!([]),
    ];
    for reply in replies {
        let served = content.clone();
        let server = Server::start(move |asked| {
            Answer::Reply(json_reply(&reply(&message(asked)["id"], &served)))
        })
        .await;
        let found = ask(&server).await;
        let reason = match &found {
            Err(CapabilitiesError::Answer(_) | CapabilitiesError::Refused) => continue,
            other => format!("{other:?}"),
        };
        panic!("{reason}: {}", reply(&json!(1), &content));
    }
    let twice = r#"{"jsonrpc":"2.0","id":1,"id":1,"result":{"structuredContent":{}}}"#;
    let server = Server::start(move |_| {
        let head = CannedReply::new(200).header("content-type", "application/json");
        Answer::Reply(head.body(twice))
    })
    .await;
    assert!(matches!(ask(&server).await, Err(CapabilitiesError::Json(_))));
}

#[tokio::test]
async fn the_guards_of_every_fetch_hold() {
    let json = |bytes: usize| {
        let body = result(&json!(1), payload()).to_string();
        let body = body.clone() + &" ".repeat(bytes - body.len());
        CannedReply::new(200).header("content-type", "application/json").body(body)
    };
    let of = async |answer: Answer| {
        let server = Server::start(move |_| answer.clone()).await;
        ask_within(&server, Duration::from_millis(500)).await
    };
    assert!(of(Answer::Reply(json(65_536))).await.is_ok());
    let fetch = async |answer| match of(answer).await {
        Err(CapabilitiesError::Fetch(error)) => error,
        other => panic!("{other:?}"),
    };
    assert!(matches!(
        fetch(Answer::Reply(json(65_537))).await,
        FetchError::TooLarge { max: 65_536 }
    ));
    assert!(matches!(
        fetch(Answer::Endless(vec![b' '; 1024])).await,
        FetchError::TooLarge { max: 65_536 }
    ));
    assert!(matches!(fetch(Answer::Never).await, FetchError::TimedOut));
    let redirect = CannedReply::new(307).header("location", "/elsewhere");
    assert!(matches!(fetch(Answer::Reply(redirect)).await, FetchError::Redirected));
    let gzip = json(1000).header("content-encoding", "gzip");
    assert!(matches!(fetch(Answer::Reply(gzip)).await, FetchError::Encoded));
    let status = fetch(Answer::Reply(CannedReply::new(403))).await;
    assert!(matches!(status, FetchError::Status { status: 403 }));
}

#[tokio::test]
async fn a_question_of_several_posts_has_the_time_of_one() {
    let server = Server::start(|asked| {
        let message = message(asked);
        let reply = match message["method"].as_str().unwrap() {
            "initialize" => json_reply(&result(&message["id"], json!({}))),
            _ => CannedReply::new(400),
        };
        Answer::Late(Duration::from_millis(300), reply)
    })
    .await;
    let found = ask_within(&server, Duration::from_millis(500)).await;
    assert!(matches!(found, Err(CapabilitiesError::Fetch(FetchError::TimedOut))), "{found:?}");
}
