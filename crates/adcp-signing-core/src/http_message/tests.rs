use ::http::{HeaderValue, Request as HttpMessage, Uri, request::Parts};

use super::*;
use crate::{
    rfc9421::FieldLine,
    target_uri::{AmbiguousUrl, TargetUriError},
};

fn origin() -> Origin {
    "https://seller.example.com".parse().unwrap()
}

fn parts(uri: &str) -> Parts {
    HttpMessage::post(uri).body(()).unwrap().into_parts().0
}

#[test]
fn an_origin_is_a_scheme_and_an_authority_and_nothing_else() {
    for (text, canonical) in [
        ("https://seller.example.com", "https://seller.example.com"),
        ("https://seller.example.com/", "https://seller.example.com"),
        ("HTTPS://Seller.Example.COM:443", "https://seller.example.com"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
    ] {
        let parsed: Origin = text.parse().unwrap();
        assert_eq!(parsed.to_string(), canonical);
        assert_eq!(parsed, canonical.parse().unwrap());
    }
    for (text, expected) in [
        ("https://seller.example.com/adcp", OriginError::MoreThanOrigin),
        ("https://seller.example.com//", OriginError::MoreThanOrigin),
        ("https://seller.example.com/a/..", OriginError::MoreThanOrigin),
        ("https://seller.example.com#top", OriginError::MoreThanOrigin),
        ("https://seller.example.com?a", OriginError::MoreThanOrigin),
        ("https://user@seller.example.com", OriginError::Url(AmbiguousUrl::Userinfo)),
        ("https://seller.example.com.", OriginError::Url(AmbiguousUrl::RootDot)),
        ("seller.example.com", OriginError::Url(AmbiguousUrl::Malformed(TargetUriError::Scheme))),
        ("", OriginError::Url(AmbiguousUrl::Malformed(TargetUriError::Scheme))),
    ] {
        assert_eq!(text.parse::<Origin>(), Err(expected), "{text}");
    }
}

#[test]
fn the_target_uri_is_the_path_under_the_origin() {
    for (uri, url, authority) in [
        ("/adcp?a=%7e&b", "https://seller.example.com/adcp?a=%7e&b", None),
        ("/", "https://seller.example.com/", None),
        ("//evil.example/p", "https://seller.example.com//evil.example/p", None),
        (
            "https://Seller.example.com:443/p?",
            "https://seller.example.com/p?",
            Some("Seller.example.com:443"),
        ),
        ("https://seller.example.com", "https://seller.example.com/", Some("seller.example.com")),
        (
            "https://seller.example.com?q",
            "https://seller.example.com/?q",
            Some("seller.example.com"),
        ),
    ] {
        let parts = parts(uri);
        let message = origin().request(&parts, b"").unwrap();
        assert_eq!(message.as_request().url, url);
        assert_eq!(message.as_request().pseudo_authority, authority, "{uri}");
    }
}

#[test]
fn a_uri_of_another_origin_or_without_a_path_is_refused() {
    let disagrees = || OriginError::Disagrees(origin());
    for (uri, expected) in [
        ("https://other.example.com/p", disagrees()),
        ("https://seller.example.com:8443/p", disagrees()),
        ("http://seller.example.com/p", disagrees()),
        ("http://seller.example.com:443/p", disagrees()),
        ("*", OriginError::NoPath),
        ("seller.example.com:443", OriginError::NoPath),
        (
            "https://user@seller.example.com/p",
            OriginError::Authority(TargetUriError::HostCharacter { offset: 4 }),
        ),
    ] {
        let mut parts = parts("/");
        parts.uri = uri.parse::<Uri>().unwrap();
        let refused = origin().request(&parts, b"").unwrap_err();
        if matches!(expected, OriginError::Authority(_)) {
            assert!(matches!(refused, OriginError::Authority(_)), "{uri}: {refused}");
        } else {
            assert_eq!(refused, expected, "{uri}");
        }
    }
}

#[test]
fn the_scheme_of_an_inner_connection_counts_only_where_tls_ends_in_front() {
    let inner = parts("http://seller.example.com/p");
    assert!(origin().request(&inner, b"").is_err());
    let terminated = origin().with_tls_terminated_in_front();
    let message = terminated.request(&inner, b"").unwrap();
    assert_eq!(message.as_request().url, "https://seller.example.com/p");
    assert!(terminated.request(&parts("http://other.example.com/p"), b"").is_err());
    assert!(terminated.request(&parts("ftp://seller.example.com/p"), b"").is_err());
}

#[test]
fn fields_keep_their_order_and_their_bytes() {
    let mut parts = parts("/");
    parts.headers.append("x-a", HeaderValue::from_static("1"));
    parts.headers.append("x-a", HeaderValue::from_bytes(b"caf\xe9").unwrap());
    parts.headers.append("host", HeaderValue::from_static("seller.example.com"));
    let message = origin().request(&parts, b"body").unwrap();
    let request = message.as_request();
    assert_eq!((request.method, request.body), ("POST", &b"body"[..]));
    let expected = [
        FieldLine::new("x-a", "1"),
        FieldLine { name: "x-a", value: b"caf\xe9" },
        FieldLine::new("host", "seller.example.com"),
    ];
    assert_eq!(request.fields, expected);
}
