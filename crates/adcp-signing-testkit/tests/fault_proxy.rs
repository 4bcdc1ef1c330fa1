//! The proxy against servers of a dozen lines.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "helpers of tests"
)]

use std::{io, net::SocketAddr, time::Duration};

use adcp_signing_conformance::provider::{Fault, Faults as _, HarnessError};
use adcp_signing_testkit::{Action, CannedReply, FaultProxy, ProxyFaults, Replies, Traffic};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::Instant,
};

const ANSWER: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
const REQUEST: &str = "POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\nhi";

/// Sends back what it gets.
async fn echo() -> SocketAddr {
    serve(|bytes| bytes.to_vec()).await
}

/// Answers every request alike; a request of the tests arrives in one piece.
async fn hello() -> SocketAddr {
    serve(|_| ANSWER.into()).await
}

async fn serve(answer: fn(&[u8]) -> Vec<u8>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                while let Ok(len @ 1..) = client.read(&mut buffer).await {
                    client.write_all(&answer(&buffer[..len])).await.unwrap();
                }
            });
        }
    });
    address
}

/// What comes back on a connection of its own until it is closed or `len` bytes are there.
async fn ask(proxy: SocketAddr, request: &str, len: usize) -> io::Result<String> {
    let mut client = TcpStream::connect(proxy).await?;
    ask_over(&mut client, request, len).await
}

async fn ask_over(client: &mut TcpStream, request: &str, len: usize) -> io::Result<String> {
    client.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    client.take(u64::try_from(len).unwrap()).read_to_end(&mut answer).await?;
    Ok(String::from_utf8(answer).unwrap())
}

#[tokio::test]
async fn bytes_pass_both_ways_and_are_counted() {
    let proxy = FaultProxy::start(echo().await, Traffic::Bytes).await.unwrap();
    assert!(proxy.address().ip().is_loopback());
    for _ in 0..2 {
        assert_eq!(ask(proxy.address(), "abc", 3).await.unwrap(), "abc");
    }
    assert_eq!(
        (proxy.connections(), proxy.requests(), proxy.bytes_up(), proxy.bytes_down()),
        (2, 2, 6, 6)
    );
}

#[tokio::test]
async fn bytes_are_cut_before_and_within_the_answer() {
    let proxy = FaultProxy::start(echo().await, Traffic::Bytes).await.unwrap();
    for (action, expected) in
        [(Action::Cut, ""), (Action::CutAfter(2), "ab"), (Action::CutAfter(99), "abcd")]
    {
        proxy.set(action.clone());
        assert_eq!(
            ask(proxy.address(), "abcd", expected.len().max(1)).await.unwrap(),
            expected,
            "{action:?}"
        );
    }
}

#[tokio::test]
async fn requests_on_one_connection_meet_the_plan_in_its_order() {
    let proxy = FaultProxy::start(hello().await, Traffic::Http).await.unwrap();
    let busy = CannedReply::new(429).header("retry-after", "7").body("slow down");
    proxy.next(2, &Action::Reply(busy.clone()));
    proxy.next(1, &Action::Delay(Duration::from_millis(1)));
    let mut client = TcpStream::connect(proxy.address()).await.unwrap();
    let busy = String::from_utf8(busy.to_bytes()).unwrap();
    for expected in [&busy, &busy, ANSWER, ANSWER] {
        assert_eq!(ask_over(&mut client, REQUEST, expected.len()).await.unwrap(), *expected);
    }
    assert_eq!((proxy.connections(), proxy.requests()), (1, 4));
}

#[tokio::test]
async fn answers_are_cut_where_told() {
    let proxy = FaultProxy::start(hello().await, Traffic::Http).await.unwrap();
    let head = ANSWER.len() - "hello".len();
    let cases = [
        (Action::Cut, 0),
        (Action::CutAfter(10), 10),
        (Action::TruncateBody(2), head + 2),
        (Action::TruncateBody(99), head + 5),
    ];
    for (action, len) in cases {
        proxy.next(1, &action);
        // The connection ends there: everything is asked for, and no more comes.
        assert_eq!(ask(proxy.address(), REQUEST, 4096).await.unwrap(), ANSWER[..len], "{action:?}");
    }
    assert_eq!(
        ask(proxy.address(), REQUEST, ANSWER.len()).await.unwrap(),
        ANSWER,
        "the plan is used up"
    );
}

#[tokio::test]
async fn a_delayed_answer_comes_late() {
    let proxy = FaultProxy::start(hello().await, Traffic::Http).await.unwrap();
    let pause = Duration::from_millis(50);
    proxy.next(1, &Action::Delay(pause));
    let begun = Instant::now();
    assert_eq!(ask(proxy.address(), REQUEST, ANSWER.len()).await.unwrap(), ANSWER);
    assert!(begun.elapsed() >= pause);
}

#[tokio::test]
async fn a_hanging_request_is_never_answered_and_other_connections_go_on() {
    for traffic in [Traffic::Http, Traffic::Bytes] {
        let proxy = FaultProxy::start(hello().await, traffic).await.unwrap();
        proxy.next(1, &Action::Hang);
        let hanging =
            tokio::time::timeout(Duration::from_millis(50), ask(proxy.address(), REQUEST, 1));
        assert!(hanging.await.is_err(), "{traffic:?}");
        assert_eq!(
            ask(proxy.address(), REQUEST, ANSWER.len()).await.unwrap(),
            ANSWER,
            "{traffic:?}"
        );
    }
}

#[tokio::test]
async fn refusing_ends_open_connections_and_healing_opens_the_same_port() {
    for traffic in [Traffic::Http, Traffic::Bytes] {
        let proxy = FaultProxy::start(hello().await, traffic).await.unwrap();
        let mut open = TcpStream::connect(proxy.address()).await.unwrap();
        assert_eq!(ask_over(&mut open, REQUEST, ANSWER.len()).await.unwrap(), ANSWER);
        for _ in 0..3 {
            proxy.refuse().await.unwrap();
            let refused = TcpStream::connect(proxy.address()).await.unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
            proxy.heal().await.unwrap();
            assert_eq!(ask(proxy.address(), REQUEST, ANSWER.len()).await.unwrap(), ANSWER);
        }
        assert!(
            !matches!(open.read(&mut [0; 1]).await, Ok(1)),
            "the connection from before is gone"
        );
    }
}

#[tokio::test]
async fn a_dropped_proxy_listens_no_more() {
    let proxy = FaultProxy::start(hello().await, Traffic::Http).await.unwrap();
    let address = proxy.address();
    let mut open = TcpStream::connect(address).await.unwrap();
    assert_eq!(ask_over(&mut open, REQUEST, ANSWER.len()).await.unwrap(), ANSWER);
    drop(proxy);
    assert!(!matches!(open.read(&mut [0; 1]).await, Ok(1)));
    let refused = TcpStream::connect(address).await.unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn every_fault_of_the_suite_is_brought_about_over_http() {
    let replies = Replies::new(CannedReply::new(503)).throttled_by(|wait| {
        Some(match wait {
            Some(wait) => CannedReply::new(429).header("retry-after", wait.as_secs().to_string()),
            None => CannedReply::new(400),
        })
    });
    let faults = ProxyFaults::http(hello().await, replies).await.unwrap();
    let wait = Some(Duration::from_secs(7));
    for (fault, begins) in [
        (Fault::Throttled { retry_after: wait }, "HTTP/1.1 429 Canned\r\nretry-after: 7\r\n"),
        (Fault::Throttled { retry_after: None }, "HTTP/1.1 400 "),
        (Fault::Unavailable, "HTTP/1.1 503 "),
        (Fault::Garbage, "HTTP/1.1 200 Canned\r\n"),
        (Fault::Truncate, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nh"),
        (Fault::CutMidCall, ""),
    ] {
        faults.inject(fault).await.unwrap();
        let answer = ask(faults.address(), REQUEST, begins.len().max(1)).await.unwrap();
        assert_eq!(answer, begins, "{fault:?}");
    }
    faults.inject(Fault::Refuse).await.unwrap();
    assert_eq!(
        ask(faults.address(), REQUEST, 1).await.unwrap_err().kind(),
        io::ErrorKind::ConnectionRefused
    );
    // From one fault to the next, with nothing between them.
    faults.inject(Fault::Hang).await.unwrap();
    let hanging =
        tokio::time::timeout(Duration::from_millis(50), ask(faults.address(), REQUEST, 1));
    assert!(hanging.await.is_err());
    faults.heal().await.unwrap();
    assert_eq!(ask(faults.address(), REQUEST, ANSWER.len()).await.unwrap(), ANSWER);
    assert_eq!(faults.requests(), Some(8));
}

#[tokio::test]
async fn a_reply_goes_on_for_as_long_as_it_is_read_or_a_byte_at_a_time() {
    let proxy = FaultProxy::start(hello().await, Traffic::Http).await.unwrap();
    proxy.set(Action::Endless);
    let endless = ask(proxy.address(), REQUEST, 300_000).await.unwrap();
    assert!(endless.starts_with("HTTP/1.1 200 ") && endless.ends_with("    "), "{}", endless.len());
    proxy.set(Action::Drip(Duration::from_millis(20)));
    let head = ask(proxy.address(), REQUEST, 20).await.unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let whole =
        tokio::time::timeout(Duration::from_millis(100), ask(proxy.address(), REQUEST, 300));
    assert!(whole.await.is_err(), "300 bytes came at once");
}

#[tokio::test]
async fn what_cannot_be_brought_about_is_not_applicable() {
    let silent =
        ProxyFaults::http(hello().await, Replies::new(CannedReply::new(503))).await.unwrap();
    let encrypted = ProxyFaults::bytes(echo().await).await.unwrap();
    let throttled = Fault::Throttled { retry_after: None };
    for (faults, fault) in [
        (&silent, throttled),
        (&encrypted, throttled),
        (&encrypted, Fault::Unavailable),
        (&encrypted, Fault::Garbage),
        (&encrypted, Fault::Endless),
        (&encrypted, Fault::Drip),
    ] {
        let refused = faults.inject(fault).await;
        assert!(matches!(refused, Err(HarnessError::NotApplicable(_))), "{fault:?}: {refused:?}");
    }
    assert_eq!(encrypted.requests(), None);
    for fault in [Fault::Hang, Fault::CutMidCall, Fault::Truncate, Fault::Refuse] {
        encrypted.inject(fault).await.unwrap();
    }
}
