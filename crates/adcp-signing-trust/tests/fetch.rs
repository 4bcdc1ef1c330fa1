//! The fetcher against servers that mean harm: real sockets and real TLS.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::{
    error::Error as StdError,
    sync::Arc,
    time::{Duration, Instant},
};

use adcp_signing_core::StrictJsonError;
use adcp_signing_testkit::{CannedReply, LoopbackIdentity};
use adcp_signing_trust::{
    fetch::{Document, EntityTag, FetchError, Fetched, Fetcher, Reply},
    guard::PublicUrl,
};
use support::{Answer, Names, Server};

const BUYER: &str = "buyer.example.com";
const PATH: &str = "/.well-known/jwks.json";
const JWKS: &str = r#"{"keys":[]}"#;

async fn get(fetcher: &Fetcher, url: &str, document: &Document) -> Result<Reply, FetchError> {
    match fetcher.get(&url.parse().unwrap(), document, None).await? {
        Fetched::Document(reply) => Ok(reply),
        Fetched::NotModified { .. } => panic!("304"),
    }
}

async fn jwks_of(server: &Server) -> Result<Reply, FetchError> {
    let fetcher = server.fetcher().build().unwrap();
    get(&fetcher, &server.url(BUYER, PATH), &Document::JWKS).await
}

/// The message and those of its causes.
fn whole(error: &FetchError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

fn reply(status: u16) -> CannedReply {
    CannedReply::new(status)
}

#[tokio::test]
async fn a_document_comes_with_its_age_and_tag() {
    let jwks = reply(200).header("etag", "\"1\"").header("cache-control", "max-age=300").body(JWKS);
    let server = Server::start(move |_| Answer::Reply(jwks.clone())).await;
    let reply = jwks_of(&server).await.unwrap();
    assert_eq!((reply.body(), reply.max_age()), (JWKS.as_bytes(), Some(300)));
    assert_eq!(reply.url().as_str(), server.url(BUYER, PATH));
    assert!(reply.tag().is_some());
    let asked = &server.asked()[0];
    assert_eq!(asked.path, PATH);
    assert_eq!(asked.field("accept-encoding").as_deref(), Some("identity"));
    assert!(asked.field("accept").unwrap().contains("application/jwk-set+json"));
    for absent in ["cookie", "authorization", "referer", "if-none-match"] {
        assert_eq!(asked.field(absent), None, "{absent}");
    }
}

#[tokio::test]
async fn a_document_that_is_held_is_not_sent_again() {
    let server = Server::start(|asked| match asked.field("if-none-match").as_deref() {
        Some("\"1\"") => Answer::Reply(reply(304).header("cache-control", "max-age=60")),
        _ => Answer::Reply(reply(200).header("etag", "\"1\"").body(JWKS)),
    })
    .await;
    let tag = jwks_of(&server).await.unwrap().tag().cloned();
    let fetcher = server.fetcher().build().unwrap();
    let url: PublicUrl = server.url(BUYER, PATH).parse().unwrap();
    let fetch = async |tag: Option<&EntityTag>| fetcher.get(&url, &Document::JWKS, tag).await;
    let again = fetch(tag.as_ref()).await.unwrap();
    assert_eq!(again, Fetched::NotModified { max_age: Some(60) });
}

#[tokio::test]
async fn a_304_to_a_request_without_a_condition_is_no_document() {
    let server = Server::start(|_| Answer::Reply(reply(304))).await;
    assert!(matches!(jwks_of(&server).await, Err(FetchError::Status { status: 304 })));
}

#[tokio::test]
async fn a_name_that_leads_to_a_reserved_address_gets_no_connection() {
    let server = Server::of(JWKS).await;
    let port = server.address.port();
    for (addresses, range) in [
        (&["169.254.169.254"][..], "link-local"),
        (&["10.0.0.1"], "private use"),
        (&["8.8.8.8", "192.168.0.1"], "private use"),
        (&["::ffff:127.0.0.1"], "IPv4 mapped"),
        (&["64:ff9b::a9fe:a9fe"], "link-local"),
        (&["fd00:ec2::254"], "unique local"),
    ] {
        let names = Names::default();
        names.set("evil.example.com", &[addresses]);
        let fetcher = server.fetcher().resolver(Arc::new(names)).build().unwrap();
        let url = format!("https://evil.example.com:{port}{PATH}");
        let error = get(&fetcher, &url, &Document::JWKS).await.unwrap_err();
        let found = matches!(error, FetchError::ReservedAddress { range: found } if found.starts_with(range));
        assert!(found && error.is_untrusted(), "{addresses:?}: {error:?}");
    }
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn without_the_setting_for_development_this_machine_is_reserved() {
    let server = Server::of(JWKS).await;
    let names = Names::default();
    names.set(BUYER, &[&["127.0.0.1"]]);
    let fetcher = Fetcher::builder().resolver(Arc::new(names)).build().unwrap();
    let error = get(&fetcher, &server.url(BUYER, PATH), &Document::JWKS).await.unwrap_err();
    assert!(matches!(error, FetchError::ReservedAddress { range: "loopback" }), "{error:?}");
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn a_name_is_resolved_once_for_each_fetch_and_the_checked_address_is_dialed() {
    let server = Server::start(|_| Answer::Open(reply(200).body(JWKS))).await;
    let names = Arc::new(Names::default());
    // A resolver that is asked twice would get the address of the metadata service.
    names.set(BUYER, &[&["127.0.0.1"], &["169.254.169.254"]]);
    let fetcher = server.fetcher().resolver(Arc::clone(&names) as _).build().unwrap();
    let url = server.url(BUYER, PATH);
    assert!(get(&fetcher, &url, &Document::JWKS).await.is_ok());
    assert_eq!(names.asked(), 1);
    // The next fetch makes a connection of its own, so it is told of the change.
    let error = get(&fetcher, &url, &Document::JWKS).await.unwrap_err();
    assert!(matches!(error, FetchError::ReservedAddress { .. }), "{error:?}");
    assert_eq!((names.asked(), server.asked().len()), (2, 1));
}

#[tokio::test]
async fn redirects_of_a_named_document_are_refused() {
    for (status, location) in [
        (301, "https://169.254.169.254/latest/meta-data/"),
        (302, "/elsewhere.json"),
        (303, "http://buyer.example.com/"),
        (307, "https://www.buyer.example.com/"),
        (308, ""),
    ] {
        let redirect = reply(status).header("location", location);
        let server = Server::start(move |_| Answer::Reply(redirect.clone())).await;
        for document in [Document::JWKS, Document::BRAND_JSON, Document::ADAGENTS_JSON] {
            let fetcher = server.fetcher().build().unwrap();
            let error = get(&fetcher, &server.url(BUYER, PATH), &document).await.unwrap_err();
            assert!(matches!(error, FetchError::Redirected), "{location}: {error:?}");
            assert!(error.is_untrusted());
        }
        assert_eq!(server.asked().len(), 3, "{location}");
    }
}

/// Redirects `/0` to `/1` of the host that stands first, and so on.
async fn redirecting(hosts: &'static [&'static str]) -> Server {
    Server::start(move |asked| {
        let at: usize = asked.path.trim_start_matches('/').parse().unwrap();
        let port = asked.host.rsplit_once(':').unwrap().1;
        match hosts.get(at) {
            Some(host) if host.contains('/') => Answer::Reply(reply(302).header("location", *host)),
            Some(host) => {
                let location = format!("https://{host}:{port}/{}", at + 1);
                Answer::Reply(reply(302).header("location", location))
            }
            None => Answer::Reply(reply(200).body("{}")),
        }
    })
    .await
}

#[tokio::test]
async fn a_well_known_document_is_followed_within_its_site() {
    const WWW: &str = "www.buyer.example.com";
    const CDN: &str = "cdn.buyer.example.com";
    let (brand, adagents) = (Document::WELL_KNOWN_BRAND_JSON, Document::WELL_KNOWN_ADAGENTS_JSON);
    let table: [(Document, &'static [&'static str], Option<&str>); 9] = [
        (brand, &[WWW], Some(WWW)),
        (brand, &[WWW, BUYER, WWW], Some(WWW)),
        (brand, &[CDN], None),
        (brand, &["seller.example.org"], None),
        (adagents, &[CDN], Some(CDN)),
        (adagents, &["seller.example.com", CDN], Some(CDN)),
        (adagents, &["buyer.example.org"], None),
        (adagents, &["https://169.254.169.254/1"], None),
        (adagents, &["http://buyer.example.com/1"], None),
    ];
    for (document, hosts, end) in table {
        let server = redirecting(hosts).await;
        let fetcher = server.fetcher().build().unwrap();
        let found = get(&fetcher, &server.url(BUYER, "/0"), &document).await;
        match (found, end) {
            (Ok(reply), Some(end)) => {
                assert!(reply.url().as_str().contains(end), "{hosts:?}: {reply:?}");
            }
            (Err(FetchError::Redirected), None) => {}
            (found, _) => panic!("{hosts:?}: {found:?}"),
        }
    }
    let server = redirecting(&[WWW, BUYER, WWW, BUYER]).await;
    let fetcher = server.fetcher().build().unwrap();
    let error = get(&fetcher, &server.url(BUYER, "/0"), &brand).await.unwrap_err();
    assert!(matches!(error, FetchError::TooManyRedirects { max: 3 }), "{error:?}");
    assert!(error.is_untrusted());
    assert_eq!(server.asked().len(), 4);
}

#[tokio::test]
async fn each_hop_is_resolved_and_checked_of_its_own() {
    let server = redirecting(&["www.buyer.example.com"]).await;
    let names = Names::of_this_machine();
    names.set("www.buyer.example.com", &[&["169.254.169.254"]]);
    let fetcher = server.fetcher().resolver(Arc::new(names)).build().unwrap();
    let url = server.url(BUYER, "/0");
    let error = get(&fetcher, &url, &Document::WELL_KNOWN_BRAND_JSON).await.unwrap_err();
    assert!(matches!(error, FetchError::ReservedAddress { .. }), "{error:?}");
}

#[tokio::test]
async fn a_slow_or_silent_server_costs_the_time_limit_and_no_more() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{\"keys\":[]}".to_vec();
    for answer in [
        Answer::Never,
        Answer::Slowly(head, Duration::from_millis(50)),
        Answer::Slowly(
            [b"HTTP/1.1 200 OK\r\n", &[b'a'; 100][..]].concat(),
            Duration::from_millis(50),
        ),
    ] {
        let served = answer.clone();
        let server = Server::start(move |_| served.clone()).await;
        let limit = Duration::from_millis(400);
        let fetcher = server.fetcher().timeouts(limit, limit).build().unwrap();
        let begun = Instant::now();
        let error = get(&fetcher, &server.url(BUYER, PATH), &Document::JWKS).await.unwrap_err();
        assert!(matches!(error, FetchError::TimedOut), "{answer:?}: {error:?}");
        assert!(begun.elapsed() < Duration::from_secs(20), "{answer:?}");
    }
}

#[tokio::test]
async fn no_more_than_so_many_are_fetched_at_once() {
    let server = Server::start(|asked| match asked.path.as_str() {
        "/never" => Answer::Never,
        _ => Answer::Reply(reply(200).body(JWKS)),
    })
    .await;
    let limit = Duration::from_millis(500);
    let fetcher = server.fetcher().timeouts(limit, limit).max_concurrent(1).build().unwrap();
    let first = server.url(BUYER, "/never");
    let held = tokio::spawn({
        let fetcher = fetcher.clone();
        async move { get(&fetcher, &first, &Document::JWKS).await }
    });
    while server.asked().is_empty() {
        tokio::task::yield_now().await;
    }
    let url = server.url(BUYER, PATH);
    let second = tokio::spawn({
        let (fetcher, url) = (fetcher.clone(), url.clone());
        async move { get(&fetcher, &url, &Document::JWKS).await }
    });
    assert!(matches!(held.await.unwrap(), Err(FetchError::TimedOut)));
    assert_eq!(server.asked().len(), 1, "the second waited");
    // It had what was left of its own time.
    assert!(matches!(second.await.unwrap(), Ok(_) | Err(FetchError::TimedOut)));
    assert!(get(&fetcher, &url, &Document::JWKS).await.is_ok(), "the turn was given back");
}

#[tokio::test]
async fn a_body_is_read_to_its_limit_and_no_further() {
    let server = Server::start(|_| Answer::Endless(vec![b' '; 4096])).await;
    let error = jwks_of(&server).await.unwrap_err();
    assert!(matches!(error, FetchError::TooLarge { max: 65_536 }), "{error:?}");

    let exact = |length: usize| format!("{{\"keys\":[]}}{}", " ".repeat(length - 11));
    for (length, is_read) in [(65_536, true), (65_537, false)] {
        let server = Server::of(exact(length)).await;
        assert_eq!(jwks_of(&server).await.is_ok(), is_read, "{length}");
    }
    let small = Document::BRAND_JSON.with_max_bytes(20);
    assert_eq!(small.max_bytes(), 20);
    let server = Server::of(exact(21)).await;
    let fetcher = server.fetcher().build().unwrap();
    let error = get(&fetcher, &server.url(BUYER, PATH), &small).await.unwrap_err();
    assert!(matches!(error, FetchError::TooLarge { max: 20 }), "{error:?}");
}

#[tokio::test]
async fn a_compressed_reply_is_refused_unread() {
    for encoding in ["gzip", "br", "identity, gzip"] {
        // A bomb that is never opened: the head is enough to refuse it.
        let server = Server::start(move |_| {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-encoding: {encoding}\r\n\r\n");
            Answer::Slowly(head.into_bytes(), Duration::ZERO)
        })
        .await;
        let error = jwks_of(&server).await.unwrap_err();
        assert!(matches!(error, FetchError::Encoded), "{encoding}: {error:?}");
    }
    let plain = reply(200).header("content-encoding", "Identity").body(JWKS);
    let server = Server::start(move |_| Answer::Reply(plain.clone())).await;
    assert!(jwks_of(&server).await.is_ok());
}

#[tokio::test]
async fn what_is_not_strict_json_is_refused() {
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    for (body, is_expected) in [
        (
            "<!doctype html><title>JWKS</title>".to_owned(),
            (|error| matches!(error, StrictJsonError::Invalid { what, .. } if what.contains("HTML")))
                as fn(&StrictJsonError) -> bool,
        ),
        (String::new(), |error| matches!(error, StrictJsonError::Invalid { .. })),
        (r#"{"keys":[],"keys":[]}"#.to_owned(), |error| {
            matches!(error, StrictJsonError::Duplicate(_))
        }),
        (deep(33), |error| matches!(error, StrictJsonError::TooDeep { limit: 32, .. })),
    ] {
        let server = Server::of(body.clone()).await;
        let error = jwks_of(&server).await.unwrap_err();
        assert!(!error.is_untrusted());
        assert!(matches!(&error, FetchError::Json(json) if is_expected(json)), "{body}: {error:?}");
    }
    let server = Server::of(deep(32)).await;
    assert!(jwks_of(&server).await.is_ok());
}

#[tokio::test]
async fn another_status_is_no_document() {
    for status in [201, 204, 206, 300, 400, 401, 404, 500, 503] {
        let server = Server::start(move |_| Answer::Reply(reply(status).body(JWKS))).await;
        let error = jwks_of(&server).await.unwrap_err();
        assert!(
            matches!(error, FetchError::Status { status: found } if found == status),
            "{status}: {error:?}"
        );
    }
}

#[tokio::test]
async fn a_certificate_for_somebody_else_or_of_a_stranger_is_refused() {
    let server = Server::of(JWKS).await;
    let names = Names::default();
    names.set("other.example.com", &[&["127.0.0.1"]]);
    let fetcher = server.fetcher().resolver(Arc::new(names)).build().unwrap();
    let url = server.url("other.example.com", PATH);
    let error = get(&fetcher, &url, &Document::JWKS).await.unwrap_err();
    assert!(whole(&error).ends_with("certificate not valid for name"), "{}", whole(&error));
    assert!(matches!(error, FetchError::Unreachable(_)) && !error.is_untrusted(), "{error:?}");

    let stranger = LoopbackIdentity::with_names(&support::NAMES).unwrap();
    let other = Server::with_identity(stranger, |_| Answer::Reply(reply(200).body(JWKS))).await;
    let fetcher = server.fetcher().build().unwrap();
    let error = get(&fetcher, &other.url(BUYER, PATH), &Document::JWKS).await.unwrap_err();
    assert!(whole(&error).contains("invalid peer certificate"), "{}", whole(&error));
    assert!(server.asked().is_empty() && other.asked().is_empty());
}

#[tokio::test]
async fn no_error_holds_the_url_or_an_address() {
    let server = Server::of("<html>secret</html>").await;
    let names = Arc::new(Names::of_this_machine());
    names.set("www.buyer.example.com", &[&["10.9.8.7"]]);
    names.set("seller.example.com", &[&[]]);
    let fetcher = server.fetcher().resolver(Arc::clone(&names) as _).build().unwrap();
    let path = "/tenant-secret/jwks.json?token=secret";
    let mut urls: Vec<_> = ["www.buyer.example.com", "seller.example.com", BUYER]
        .map(|name| server.url(name, path))
        .into();
    // Nobody listens there.
    urls.push(format!("https://{BUYER}:1{path}"));
    for url in urls {
        let error = get(&fetcher, &url, &Document::JWKS).await.unwrap_err();
        for text in [whole(&error), format!("{error:?}")] {
            for part in ["secret", "10.9.8.7", "127.0.0.1", "example.com"] {
                assert!(!text.contains(part), "{url}: {text}");
            }
        }
    }
}

#[tokio::test]
async fn no_proxy_is_used_unless_it_is_named() {
    let server = Server::of(JWKS).await;
    let proxy = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", proxy.local_addr().unwrap());
    let proxy = reqwest::Proxy::all(&address).unwrap();
    let limit = Duration::from_millis(300);
    let fetcher = server.fetcher().proxy(proxy).timeouts(limit, limit).build().unwrap();
    let error = get(&fetcher, &server.url(BUYER, PATH), &Document::JWKS).await.unwrap_err();
    assert!(matches!(error, FetchError::TimedOut), "the named one is used: {error:?}");
    assert!(server.asked().is_empty());
    // Variables of the environment are read when the client is made, so that has to be a process
    // of its own.
    let here = std::env::current_exe().unwrap();
    let status = tokio::process::Command::new(here)
        .args(["--ignored", "--exact", "child_with_a_proxy_in_its_environment"])
        .envs([("HTTPS_PROXY", &address), ("https_proxy", &address), ("ALL_PROXY", &address)])
        .stdout(std::process::Stdio::null())
        .status();
    assert!(status.await.unwrap().success());
}

#[tokio::test]
#[ignore = "a process of the test before it"]
async fn child_with_a_proxy_in_its_environment() {
    assert!(jwks_of(&Server::of(JWKS).await).await.is_ok());
}
