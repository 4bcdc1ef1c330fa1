use proptest::prelude::*;

use super::*;

const SIGNER: Rules = Rules { root_dot: RootDot::Strip, raw_host: RawHost::Convert };
const VERIFIER: Rules = Rules { root_dot: RootDot::Strip, raw_host: RawHost::Refuse };
const LEGACY: Rules = Rules { root_dot: RootDot::Keep, raw_host: RawHost::Convert };

#[test]
fn each_step_gives_the_specified_bytes() {
    for (url, uri, authority) in [
        ("HTTPS://h.example/p", "https://h.example/p", "h.example"),
        ("https://Seller.Example.COM/p", "https://seller.example.com/p", "seller.example.com"),
        ("https://example.com.:8443/p", "https://example.com:8443/p", "example.com:8443"),
        ("https://BÜCHER.Example/p", "https://xn--bcher-kva.example/p", "xn--bcher-kva.example"),
        ("https://bücher.example./p", "https://xn--bcher-kva.example/p", "xn--bcher-kva.example"),
        (
            "https://XN--bcher-kva.example./p",
            "https://xn--bcher-kva.example/p",
            "xn--bcher-kva.example",
        ),
        ("https://faß.example/p", "https://xn--fa-hia.example/p", "xn--fa-hia.example"),
        ("https://a。b/p", "https://a.b/p", "a.b"),
        ("https://ü．b｡c/p", "https://xn--tda.b.c/p", "xn--tda.b.c"),
        ("https://[2001:DB8::1]/p", "https://[2001:db8::1]/p", "[2001:db8::1]"),
        ("https://[::1]:8443/p", "https://[::1]:8443/p", "[::1]:8443"),
        ("https://[::1]:443/p", "https://[::1]/p", "[::1]"),
        ("https://[2001:db8:0:0::1]/p", "https://[2001:db8:0:0::1]/p", "[2001:db8:0:0::1]"),
        ("https://user:pass@h.example/p", "https://h.example/p", "h.example"),
        ("http://h.example:80/p", "http://h.example/p", "h.example"),
        ("http://h.example:443/p", "http://h.example:443/p", "h.example:443"),
        ("https://127.1/p", "https://127.1/p", "127.1"),
        ("https://h.example/a/./b", "https://h.example/a/b", "h.example"),
        ("https://h.example/a/b/../c", "https://h.example/a/c", "h.example"),
        ("https://h.example/a/..", "https://h.example/", "h.example"),
        ("https://h.example/a/.", "https://h.example/a/", "h.example"),
        ("https://h.example/../../a", "https://h.example/a", "h.example"),
        ("https://h.example/..//a", "https://h.example//a", "h.example"),
        ("https://h.example/a//b", "https://h.example/a//b", "h.example"),
        ("https://h.example/a/.//b", "https://h.example/a//b", "h.example"),
        ("https://h.example/a//../b", "https://h.example/a/b", "h.example"),
        ("https://h.example/.../.a", "https://h.example/.../.a", "h.example"),
        ("https://h.example/%2e%2e/x", "https://h.example/../x", "h.example"),
        ("https://h.example?x=1", "https://h.example/?x=1", "h.example"),
        ("https://h.example", "https://h.example/", "h.example"),
        ("https://h.example:8443", "https://h.example:8443/", "h.example:8443"),
        ("https://h.example?", "https://h.example/?", "h.example"),
        ("https://h.example#f", "https://h.example/", "h.example"),
        ("https://h.example/a%2fb%3A%7E%41", "https://h.example/a%2Fb%3A~A", "h.example"),
        ("https://h.example/%2541", "https://h.example/%2541", "h.example"),
        ("https://h.example/é%c3%a9", "https://h.example/é%C3%A9", "h.example"),
        (
            "https://h.example/p?b=%7e%2f&a=+\"'%zz",
            "https://h.example/p?b=%7e%2f&a=+\"'%zz",
            "h.example",
        ),
        ("https://h.example/p?/../x?", "https://h.example/p?/../x?", "h.example"),
        ("https://h.example/p#frag?x", "https://h.example/p", "h.example"),
    ] {
        let canonical = TargetUri::canonicalize(url, SIGNER).unwrap();
        assert_eq!(canonical.as_str(), uri, "{url}");
        assert_eq!(canonical.authority(), authority, "{url}");
    }
}

#[test]
fn malformed_urls_are_refused_by_name() {
    use TargetUriError::*;
    for (url, why) in [
        ("https://example.com../p", EmptyLabel),
        ("https://example..com/p", EmptyLabel),
        ("https://.example.com/p", EmptyLabel),
        ("https://../p", EmptyLabel),
        ("https://bücher..example/p", EmptyLabel),
        ("https://./p", MissingHost),
        ("https://。/p", MissingHost),
        ("https://\u{ad}/p", MissingHost),
        ("https://:443/p", MissingHost),
        ("https://user@/p", MissingHost),
        ("https:///p", MissingAuthority),
        ("https://", MissingAuthority),
        ("https:/h.example/p", MissingAuthority),
        ("https:h.example", MissingAuthority),
        ("/p", Scheme),
        ("ftp://h.example/", Scheme),
        ("https://[::1/p", MissingClosingBracket),
        ("https://fe80::1/p", UnbracketedIpv6),
        ("https://h.example:80:80/p", UnbracketedIpv6),
        ("https://[fe80::1%25eth0]/p", ZoneIdentifier),
        ("https://[fe80::1%eth0]/p", ZoneIdentifier),
        ("https://[]/p", InvalidIpv6),
        ("https://[v1.x]/p", InvalidIpv6),
        ("https://[::1]x/p", HostCharacter { offset: 5 }),
        ("https://h.example:/p", Port),
        ("https://h.example:0443/p", Port),
        ("https://h.example:65536/p", Port),
        ("https://h.example:+1/p", Port),
        ("https://h.example:8a/p", Port),
        ("https://a@b@h.example/p", Userinfo),
        ("https://good.example\\@evil.example/p", Userinfo),
        ("https://h.example\\p", HostCharacter { offset: 9 }),
        ("https://h%2Eexample/p", HostCharacter { offset: 1 }),
        ("https://xn--a\u{fc}.example/p", Idna),
        ("https://xn--zzzzzzzzzz99999.example/p", Idna),
        ("https://xn--abc-.example/p", Idna),
        ("https://-ü.example/p", Idna),
        ("https://h.example/a b", ControlOrSpace { offset: 19 }),
        ("https://h.example/\r\nX: y", ControlOrSpace { offset: 18 }),
        ("https://h.example/p?\u{0}", ControlOrSpace { offset: 20 }),
        (" https://h.example/", ControlOrSpace { offset: 0 }),
        ("https://h.example/a/%zz", PercentEncoding { offset: 3 }),
        ("https://h.example/a%41b%4", PercentEncoding { offset: 6 }),
        ("https://h.example/%%41B", PercentEncoding { offset: 1 }),
        ("https://h.example/%+1", PercentEncoding { offset: 1 }),
    ] {
        assert_eq!(TargetUri::canonicalize(url, SIGNER), Err(why), "{url}");
    }
}

/// Hosts such as `r2---sn-huoa.example` are in use. A label is ASCII, or it is converted.
#[test]
fn a_label_is_judged_the_same_whatever_its_neighbors() {
    let with = |label: &str, neighbor: &str| {
        let url = format!("https://{label}.{neighbor}/p");
        let canonical = TargetUri::canonicalize(&url, SIGNER)?;
        let host = canonical.authority().to_owned();
        Ok::<_, TargetUriError>(host.split('.').next().unwrap().to_owned())
    };
    for (label, canonical) in [
        ("r2---sn-huoa", "r2---sn-huoa"),
        ("AB--cd", "ab--cd"),
        ("-a", "-a"),
        ("a-", "a-"),
        ("_dmarc", "_dmarc"),
        ("0", "0"),
        ("ü", "xn--tda"),
        ("XN--tda", "xn--tda"),
    ] {
        for neighbor in ["example", "bücher.example", "xn--bcher-kva.example", "\u{5d0}.example"] {
            let found = with(label, neighbor);
            assert_eq!(found.as_deref(), Ok(canonical), "{label} {neighbor}");
        }
    }
    for (label, error) in [
        ("xn--abc-", TargetUriError::Idna),
        ("-ü", TargetUriError::Idna),
        ("a%", TargetUriError::HostCharacter { offset: 1 }),
    ] {
        for neighbor in ["example", "bücher.example", "xn--bcher-kva.example"] {
            assert_eq!(with(label, neighbor), Err(error), "{label} {neighbor}");
        }
    }
}

#[test]
fn the_same_uri_under_the_other_scheme_has_its_default_port() {
    for (url, other) in [
        ("https://h.example/p?q", "http://h.example/p?q"),
        ("http://h.example/p", "https://h.example/p"),
        ("http://h.example:443/", "https://h.example/"),
        ("https://[::1]:8443/", "http://[::1]:8443/"),
    ] {
        let uri = TargetUri::canonicalize(url, VERIFIER).unwrap();
        let swapped = uri.with_other_scheme(VERIFIER).unwrap();
        assert_eq!(Ok(swapped), TargetUri::canonicalize(other, VERIFIER), "{url}");
    }
}

#[test]
fn a_verifier_refuses_a_raw_non_ascii_host_and_says_so() {
    let error = TargetUri::canonicalize("https://bücher.example/p", VERIFIER).unwrap_err();
    assert_eq!(error, TargetUriError::RawNonAsciiHost);
    assert!(error.is_raw_non_ascii_host());
    assert!(!TargetUriError::Idna.is_raw_non_ascii_host());
}

#[test]
fn contracts_without_a_root_dot_rule_leave_dots_alone() {
    for url in ["https://example.com./p", "https://example.com../p", "https://a..b/p"] {
        assert_eq!(TargetUri::canonicalize(url, LEGACY).unwrap().as_str(), url);
    }
}

#[test]
fn a_url_over_the_bound_is_refused() {
    let url = format!("https://h.example/{}", "a".repeat(MAX_URL_BYTES));
    let length = url.len();
    assert_eq!(TargetUri::canonicalize(&url, SIGNER), Err(TargetUriError::TooLong { length }));
}

#[test]
fn host_and_authority_values_are_canonicalized_alike() {
    for (host, scheme, canonical) in [
        ("Seller.Example.COM", "https", "seller.example.com"),
        ("h.example:443", "https", "h.example"),
        ("h.example:443", "http", "h.example:443"),
        ("h.example.:8443", "HTTPS", "h.example:8443"),
        ("[::A]:80", "http", "[::a]"),
    ] {
        assert_eq!(
            canonicalize_authority(host, scheme, VERIFIER).as_deref(),
            Ok(canonical),
            "{host}"
        );
    }
    use TargetUriError::*;
    for (host, why) in [
        ("", MissingHost),
        (":443", MissingHost),
        ("::1", UnbracketedIpv6),
        ("user@h.example", HostCharacter { offset: 4 }),
        ("h.example/p", HostCharacter { offset: 9 }),
        ("h.example, evil.example", ControlOrSpace { offset: 10 }),
        ("h.example,evil.example", HostCharacter { offset: 9 }),
        ("h.example?x", HostCharacter { offset: 9 }),
        ("bücher.example", RawNonAsciiHost),
    ] {
        assert_eq!(canonicalize_authority(host, "https", VERIFIER), Err(why), "{host}");
    }
}

fn url_like() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "/",
        "//",
        ".",
        "..",
        "%2e",
        "%2F",
        "%7e",
        "%",
        "a",
        "B",
        "é",
        "?",
        "#",
        ":",
        "@",
        "[::1]",
        "[",
        "]",
        "443",
        "8443",
        "xn--",
        "bcher-kva",
        "\\",
        "ß",
        "。",
        "\u{ad}",
        "-",
    ]);
    prop::collection::vec(piece, 0..12).prop_map(|pieces| format!("https://{}", pieces.concat()))
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in any::<String>()) {
        for rules in [SIGNER, VERIFIER, LEGACY] {
            let _ = TargetUri::canonicalize(&text, rules);
            let _ = TargetUri::canonicalize(&format!("https://{text}"), rules);
            let _ = canonicalize_authority(&text, "http", rules);
        }
        let _ = check_unambiguous(&format!("https://{text}"));
    }

    /// Only a percent-encoded dot segment, which decodes into a live one, has no fixed point.
    #[test]
    fn canonicalizing_twice_changes_nothing(url in url_like()) {
        for rules in [SIGNER, LEGACY] {
            let Ok(once) = TargetUri::canonicalize(&url, rules) else { continue };
            prop_assert!(once.as_str().contains(once.authority()));
            prop_assert_eq!(
                format!("{}://{}{}", once.scheme(), once.authority(), once.path_and_query()),
                once.as_str()
            );
            if !once.path().split('/').any(|segment| matches!(segment, "." | "..")) {
                prop_assert_eq!(TargetUri::canonicalize(once.as_str(), rules), Ok(once));
            }
        }
    }

    /// The strict check passes nothing that a WHATWG-like second pass, or a verifier, would see
    /// differently.
    #[test]
    fn an_unambiguous_url_is_canonical_after_one_pass_for_every_contract(url in url_like()) {
        if check_unambiguous(&url).is_ok() {
            let once = TargetUri::canonicalize(&url, SIGNER).unwrap();
            prop_assert_eq!(TargetUri::canonicalize(&url, LEGACY), Ok(once.clone()));
            prop_assert_eq!(TargetUri::canonicalize(once.as_str(), VERIFIER), Ok(once.clone()));
            prop_assert_eq!(check_unambiguous(once.as_str()), Ok(()));
        }
    }
}
