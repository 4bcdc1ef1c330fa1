use super::*;

const BASE: &str = "https://seller.example.com";

fn attest(proxies: &TrustedProxies, peer: &str, fields: &[(&str, &str)]) -> Result<bool, Attested> {
    let base: Origin = BASE.parse().unwrap();
    let peer = PeerAddress(peer.parse().unwrap());
    let fields = fields.iter().map(|(name, value)| FieldLine::new(name, value));
    proxies.attest(&base, Some(peer), fields)
}

fn standard() -> TrustedProxies {
    TrustedProxies::forwarded(["10.0.0.0/8", "fd00::/8", "192.0.2.7"]).unwrap()
}

fn x() -> TrustedProxies {
    TrustedProxies::x_forwarded(["10.0.0.0/8"]).unwrap()
}

fn fault(outcome: Result<bool, Attested>) -> ForwardedFault {
    match outcome {
        Err(Attested::Fault(fault)) => fault,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_network_is_written_as_one() {
    for (text, error) in [
        ("10.0.0.0", None),
        ("10.0.0.0/8", None),
        ("::1", None),
        ("2001:db8::/32", None),
        ("10.0.0.1/8", Some("write 10.0.0.0/8")),
        ("2001:db8::1/32", Some("write 2001:db8::/32")),
        ("10.0.0.0/33", Some("neither")),
        ("10.0.0/8", Some("neither")),
        ("proxy.example.com", Some("neither")),
        ("10.0.0.1:80", Some("neither")),
        ("", Some("neither")),
    ] {
        let outcome = TrustedProxies::forwarded([text]).map_err(|error| error.to_string());
        match (outcome, error) {
            (Ok(_), None) => {}
            (Err(shown), Some(part)) => assert!(shown.contains(part), "{shown}"),
            other => panic!("{text}: {other:?}"),
        }
    }
    let none = TrustedProxies::forwarded(Vec::<&str>::new());
    assert_eq!(none, Err(TrustedProxiesError::NoNetwork));
    assert_eq!(standard().with_hops(0), Err(TrustedProxiesError::NoHop));
}

#[test]
fn only_a_named_address_is_believed() {
    let forwarded = [("forwarded", "host=seller.example.com;proto=https")];
    for (peer, believed) in [
        ("10.1.2.3", true),
        ("::ffff:10.1.2.3", true),
        ("fd12::1", true),
        ("192.0.2.7", true),
        ("192.0.2.8", false),
        ("11.0.0.1", false),
        ("::1", false),
        ("fe00::1", false),
    ] {
        assert_eq!(attest(&standard(), peer, &forwarded), Ok(believed), "{peer}");
    }
    // What strangers send is not even looked at.
    let broken = [("forwarded", "host=\"evil"), ("forwarded", "x"), ("x-forwarded-host", "")];
    assert_eq!(attest(&standard(), "192.0.2.8", &broken), Ok(false));
    let base: Origin = BASE.parse().unwrap();
    let unknown = standard().attest(&base, None, std::iter::empty());
    assert_eq!(unknown, Err(Attested::Misconfigured(NO_PEER)));
}

#[test]
fn the_value_that_the_proxy_wrote_counts() {
    for (hops, value, believed) in [
        (1, "host=seller.example.com;proto=https", true),
        (
            1,
            "for=192.0.2.1;HOST=\"Seller.Example.com:443\";Proto=HTTPS;by=_x;ext=\"a,\\\"b\"",
            true,
        ),
        (1, "host=evil.example.com;proto=https, host=seller.example.com;proto=https", true),
        (1, "host=seller.example.com;proto=https , host=evil.example.com;proto=https", false),
        (2, "host=seller.example.com;proto=https,for=10.0.0.9", true),
        (2, "host=evil.example.com;proto=https,host=seller.example.com;proto=https", false),
        (1, "host=seller.example.com;proto=http", false),
        (1, "host=\"seller.example.com:8443\";proto=https", false),
        (1, "host=\"seller.example.com:80\";proto=https", false),
    ] {
        let proxies = standard().with_hops(hops).unwrap();
        let outcome = attest(&proxies, "10.0.0.1", &[("Forwarded", value)]);
        if believed {
            assert_eq!(outcome, Ok(true), "{value}");
        } else {
            assert!(matches!(fault(outcome), ForwardedFault::Elsewhere { .. }), "{value}");
        }
    }
    let v6: Origin = "https://[2001:db8::1]:8443".parse().unwrap();
    let line = FieldLine::new("forwarded", "host=\"[2001:DB8::1]:8443\";proto=https");
    let peer = Some(PeerAddress("10.0.0.1".parse().unwrap()));
    assert_eq!(standard().attest(&v6, peer, [line].into_iter()), Ok(true));
}

#[test]
fn what_could_be_read_in_two_ways_is_refused() {
    use Malformed::{Byte, Empty, Pair, Twice, Unterminated};

    for (value, malformed) in [
        ("", Empty),
        ("host=seller.example.com;proto=https,", Empty),
        (",host=seller.example.com;proto=https", Empty),
        ("host=;proto=https", Empty),
        ("host=seller.example.com;;proto=https", Empty),
        ("host=seller.example.com;proto=https;", Empty),
        ("host", Pair),
        ("host seller.example.com", Pair),
        ("host=\"evil, host=seller.example.com;proto=https", Unterminated),
        ("host=\"evil\\", Unterminated),
        ("host=\"a\u{1}\"", Byte),
        ("host=\"\\\u{e9}\"", Byte),
        ("host=seller.example.com:443;proto=https", Byte),
        ("host=[::1];proto=https", Byte),
        ("host=seller.example.com; proto=https", Byte),
        ("host=seller.example.com;proto=https host=x", Byte),
        ("host=\"seller.example.com\"x;proto=https", Byte),
        ("host=evil.example.com;proto=https;Host=seller.example.com", Twice),
        ("for=a;for=b;host=seller.example.com;proto=https", Twice),
    ] {
        let outcome = attest(&standard(), "10.0.0.1", &[("forwarded", value)]);
        assert_eq!(fault(outcome), ForwardedFault::Malformed(FORWARDED, malformed), "{value}");
    }
    for (value, expected) in [
        ("host=seller.example.com", ForwardedFault::Without("proto")),
        ("proto=https", ForwardedFault::Without("host")),
        ("host=seller.example.com;proto=wss", ForwardedFault::Scheme),
    ] {
        assert_eq!(fault(attest(&standard(), "10.0.0.1", &[("forwarded", value)])), expected);
    }
    for host in ["\"user@seller.example.com\"", "\"seller.example.com/x\"", "\"a b\"", "\"[::1\""] {
        let value = format!("host={host};proto=https");
        let outcome = fault(attest(&standard(), "10.0.0.1", &[("forwarded", &value)]));
        assert!(matches!(outcome, ForwardedFault::Host(_)), "{host}: {outcome:?}");
    }
    let one = "host=seller.example.com;proto=https";
    let twice = [("forwarded", one), ("Forwarded", one)];
    let outcome = attest(&standard(), "10.0.0.1", &twice);
    assert_eq!(fault(outcome), ForwardedFault::Twice(FORWARDED));
    let outcome = attest(&standard().with_hops(2).unwrap(), "10.0.0.1", &[("forwarded", one)]);
    assert!(matches!(fault(outcome), ForwardedFault::TooFew { values: 1, hops: 2, .. }));
    for other in ["x-forwarded-host", "x-forwarded-proto"] {
        for proxies in [standard(), x()] {
            let both = [("forwarded", one), (other, "seller.example.com")];
            assert_eq!(fault(attest(&proxies, "10.0.0.1", &both)), ForwardedFault::BothStyles);
        }
    }
    // A proxy that is not set up as it has to be.
    for (proxies, fields) in [
        (standard(), &[][..]),
        (x(), &[][..]),
        (x(), &[("forwarded", one)][..]),
        (
            standard(),
            &[("x-forwarded-host", "seller.example.com"), ("x-forwarded-proto", "https")][..],
        ),
    ] {
        let outcome = attest(&proxies, "10.0.0.1", fields);
        assert_eq!(outcome, Err(Attested::Misconfigured(NO_FIELD)), "{fields:?}");
    }
}

#[test]
fn the_x_fields_are_read_as_pairs() {
    let read = |host: &str, proto: &str| {
        attest(&x(), "10.0.0.1", &[("X-Forwarded-Host", host), ("X-Forwarded-Proto", proto)])
    };
    assert_eq!(read("seller.example.com", "https"), Ok(true));
    assert_eq!(read("evil.example.com, seller.example.com:443", "http, https"), Ok(true));
    assert!(matches!(
        fault(read("seller.example.com, evil.example.com", "https,https")),
        ForwardedFault::Elsewhere { .. }
    ));
    for (host, proto) in
        [("evil.example.com, seller.example.com", "https"), ("seller.example.com", "http,https")]
    {
        assert_eq!(fault(read(host, proto)), ForwardedFault::Uneven);
    }
    for (host, malformed) in [
        ("", Malformed::Empty),
        ("seller.example.com,", Malformed::Empty),
        ("\"seller.example.com\"", Malformed::Byte),
        ("seller.example.com x", Malformed::Byte),
        ("s\u{e9}ller.example.com", Malformed::Byte),
    ] {
        let expected = ForwardedFault::Malformed(X_HOST, malformed);
        assert_eq!(fault(read(host, "https")), expected, "{host}");
    }
    for lone in ["x-forwarded-host", "x-forwarded-proto"] {
        let outcome = attest(&x(), "10.0.0.1", &[(lone, "https")]);
        assert_eq!(fault(outcome), ForwardedFault::Half);
    }
    let twice = [
        ("x-forwarded-host", "seller.example.com"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-proto", "https"),
    ];
    assert_eq!(fault(attest(&x(), "10.0.0.1", &twice)), ForwardedFault::Twice(X_PROTO));
}
