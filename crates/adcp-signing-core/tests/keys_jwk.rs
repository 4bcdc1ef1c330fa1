//! JWKs and JWK sets: what one broken key may do, and what refuses the whole text.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "helpers of tests"
)]

use adcp_signing_core::{
    Algorithm, Jwk, JwkError, JwkSet, KeyError, KeyPurpose, PrivateJwk, PublicKey,
    json::StrictJsonError,
    keys::{AdcpUse, Misencoding},
    provider::InMemoryProvider,
};
use serde_json::{Value, json};

const X: &str = "gWUqzATUcUco5Q8fZZXn8aWwb7DQbYGBiqUzLiSDDJo";
const D: &str = "A_rC9vrZ2D1xJWLBXGdRW7CYLAh_f83Gqv8nhly7N2M";
const EC_X: &str = "vGSQmjzPN1txgDY-oBb108gMsRETA9J5IPxqlBczQOY";
const EC_Y: &str = "JGIbsHoOnHLL_LFqGYUW43BYDAqGYrNRZUylkE7rqSU";
const EC_D: &str = "6QL-bTWRsEbiR2NeE19KnjYUw7CiGxLqLQyBr5MMhKw";

/// The AdCP request-signing conformance keys, published for tests.
fn ed25519() -> Value {
    json!({"$comment": "ignored", "kid": "test-ed25519-2026", "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA",
        "use": "sig", "key_ops": ["verify"], "adcp_use": "request-signing", "x": X,
        "_private_d_for_test_only": D})
}

fn p256() -> Value {
    json!({"kid": "test-es256-2026", "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig",
        "key_ops": ["verify"], "adcp_use": "request-signing", "x": EC_X, "y": EC_Y,
        "_private_d_for_test_only": EC_D})
}

fn with(mut jwk: Value, member: &str, value: Value) -> Value {
    jwk[member] = value;
    jwk
}

fn without(mut jwk: Value, member: &str) -> Value {
    jwk.as_object_mut().unwrap().remove(member);
    jwk
}

fn parse(jwk: &Value) -> Result<Jwk, JwkError> {
    Jwk::parse(jwk.to_string().as_bytes())
}

fn key(jwk: &Value) -> Result<PublicKey, JwkError> {
    parse(jwk)?.public_key()
}

fn private(jwk: &Value) -> Result<PrivateJwk, JwkError> {
    PrivateJwk::parse(jwk.to_string().as_bytes())
}

#[test]
fn the_conformance_keys_parse_and_their_secret_is_dropped() {
    let text = json!({"$comment": "ignored", "keys": [ed25519(), p256()]}).to_string();
    let set = JwkSet::parse(text.as_bytes()).unwrap();
    let algorithms: Vec<_> =
        set.keys().iter().map(|jwk| jwk.public_key().unwrap().algorithm()).collect();
    assert_eq!(algorithms, [Algorithm::Ed25519, Algorithm::EcdsaP256Sha256]);
    for jwk in set.keys() {
        assert!(jwk.is_for_verifying());
        assert_eq!(jwk.purpose(), Some(&KeyPurpose::RequestSigning));
    }
    let shown = format!("{set:?}{}", serde_json::to_string(&set).unwrap());
    assert!(!shown.contains(D) && !shown.contains(EC_D));
}

#[test]
fn a_published_jwk_has_its_members_in_a_stable_order() {
    assert_eq!(
        serde_json::to_string(&parse(&p256()).unwrap()).unwrap(),
        format!(
            r#"{{"kid":"test-es256-2026","kty":"EC","crv":"P-256","alg":"ES256","use":"sig","key_ops":["verify"],"adcp_use":"request-signing","x":"{EC_X}","y":"{EC_Y}"}}"#
        )
    );
}

#[test]
fn a_jwk_survives_writing_and_reading() {
    for jwk in [parse(&ed25519()).unwrap(), parse(&p256()).unwrap(), key(&p256()).unwrap().to_jwk()]
    {
        let text = serde_json::to_string(&jwk).unwrap();
        assert_eq!(Jwk::parse(text.as_bytes()).unwrap(), jwk);
        let set: JwkSet = [jwk].into_iter().collect();
        let text = serde_json::to_string(&set).unwrap();
        assert_eq!(JwkSet::parse(text.as_bytes()).unwrap(), set);
    }
}

#[test]
fn thumbprints_are_those_of_the_rfcs() {
    // RFC 8037 §A.3, and a P-256 key hashed independently.
    let okp = json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
    assert_eq!(key(&okp).unwrap().thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    assert_eq!(key(&p256()).unwrap().thumbprint(), "kYxXVm3IzZuXqYpEcHzUfSHiaCLt1XU9tWDtwBK9YlI");
}

#[cfg(feature = "aws-lc-rs")]
#[test]
fn the_rsa_thumbprint_is_that_of_rfc_7638() {
    let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiF\
             V4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9\
             c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1\
             jF44-csFCur-kEgU8awapJzKnqDKgw";
    let jwk = json!({"kty": "RSA", "alg": "PS512", "n": n, "e": "AQAB"});
    assert_eq!(key(&jwk).unwrap().thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    // RFC 7517 §A.1 publishes this key for RS256, which is not used here.
    assert_eq!(
        key(&with(jwk.clone(), "alg", json!("RS256"))),
        Err(JwkError::AlgMismatch { expected: "PS512" })
    );
    assert_eq!(
        key(&with(jwk, "n", json!(format!("AAAA{n}")))),
        Err(KeyError::RsaModulus { bits: 2048 }.into())
    );
}

#[test]
fn a_key_that_does_not_hold_together_is_refused_with_the_reason() {
    let missing = |member| Err(JwkError::Missing { member });
    let encoding = |member, found| Err(JwkError::Encoding { member, found });
    let length = |member, actual| Err(JwkError::MemberLength { member, expected: 32, actual });
    let mismatch = |expected| Err(JwkError::AlgMismatch { expected });
    let unsupported = || Err(JwkError::UnsupportedKeyType);
    let set = |member: &str, value: &str| with(ed25519(), member, json!(value));
    let set_ec = |member: &str, value: &str| with(p256(), member, json!(value));
    let p256_error = |error| Err(JwkError::Key(error));
    let cases = [
        (without(ed25519(), "kty"), missing("kty")),
        (without(ed25519(), "alg"), missing("alg")),
        (without(ed25519(), "crv"), unsupported()),
        (without(ed25519(), "x"), missing("x")),
        (without(p256(), "y"), missing("y")),
        (set("alg", "ES256"), mismatch("EdDSA")),
        (set("alg", "eddsa"), mismatch("EdDSA")),
        (set("alg", "Ed25519"), mismatch("EdDSA")),
        (set_ec("alg", "EdDSA"), mismatch("ES256")),
        (set_ec("alg", "ES384"), mismatch("ES256")),
        (set("crv", "Ed448"), unsupported()),
        (set("crv", "X25519"), unsupported()),
        (set("crv", "P-256"), unsupported()),
        (set("kty", "EC"), unsupported()),
        (set("kty", "okp"), unsupported()),
        (set("kty", "oct"), unsupported()),
        (set_ec("crv", "P-384"), unsupported()),
        (set_ec("crv", "secp256k1"), unsupported()),
        (set("x", ""), length("x", 0)),
        (set("x", &X[..42]), length("x", 31)),
        (set("x", &format!("{X}A")), length("x", 33)),
        (set("x", &format!("{X}=")), encoding("x", Misencoding::Padded)),
        (
            set("x", &X.replace('_', "/").replacen('g', "+", 1)),
            encoding("x", Misencoding::Standard),
        ),
        (set("x", &"0f".repeat(32)), encoding("x", Misencoding::Hex)),
        (set("x", &format!(" {X}")), encoding("x", Misencoding::WhiteSpace)),
        (set("x", &X.replacen('g', "é", 1)), encoding("x", Misencoding::Other)),
        // The last character holds two bits that must be zero.
        (set("x", &X.replace("DJo", "DJp")), encoding("x", Misencoding::Other)),
        (set_ec("x", EC_Y), p256_error(KeyError::NotOnCurve(Algorithm::EcdsaP256Sha256))),
        (
            set_ec("y", &"A".repeat(43)),
            p256_error(KeyError::NotOnCurve(Algorithm::EcdsaP256Sha256)),
        ),
        (set("x", &"A".repeat(43)), p256_error(KeyError::SmallOrder)),
    ];
    for (jwk, expected) in cases {
        assert_eq!(key(&jwk), expected, "{jwk}");
    }
}

#[test]
fn a_member_of_a_wrong_type_makes_one_key_unusable_and_hides_no_other() {
    for (member, value, expected) in [
        ("kid", json!(7), "a string"),
        ("kty", json!(["OKP"]), "a string"),
        ("crv", json!(null), "a string"),
        ("alg", json!({}), "a string"),
        ("use", json!(true), "a string"),
        ("key_ops", json!("verify"), "an array of strings"),
        ("key_ops", json!(["verify", 1]), "an array of strings"),
        ("adcp_use", json!(["request-signing"]), "one string"),
        ("adcp_use", json!([]), "one string"),
        ("adcp_use", json!(null), "one string"),
        ("x", json!(1.5), "a string"),
        ("n", json!([]), "a string"),
    ] {
        let broken = with(ed25519(), member, value);
        let text = json!({"keys": [broken, p256()]}).to_string();
        let set = JwkSet::parse(text.as_bytes()).unwrap();
        assert_eq!(
            set.keys()[0].public_key(),
            Err(JwkError::MemberType {
                member,
                expected: match expected {
                    "a string" => "a string",
                    "one string" => "one string",
                    _ => "an array of strings",
                }
            }),
            "{text}"
        );
        assert!(set.keys()[1].public_key().is_ok(), "{text}");
    }
    for entry in [json!(null), json!("key"), json!([]), json!(1)] {
        let text = json!({"keys": [entry, p256()]}).to_string();
        let set = JwkSet::parse(text.as_bytes()).unwrap();
        assert!(
            matches!(set.keys()[0].public_key(), Err(JwkError::MemberType { member: "keys", .. })),
            "{text}"
        );
        assert!(set.keys()[1].public_key().is_ok(), "{text}");
    }
}

#[test]
fn adcp_use_is_absent_one_string_or_malformed() {
    let adcp_use = |jwk: &Value| parse(jwk).unwrap().adcp_use().clone();
    assert_eq!(adcp_use(&without(ed25519(), "adcp_use")), AdcpUse::Absent);
    assert_eq!(
        adcp_use(&with(ed25519(), "adcp_use", json!("other-signing"))),
        AdcpUse::Purpose(KeyPurpose::Unknown("other-signing".to_owned()))
    );
    let array = with(ed25519(), "adcp_use", json!(["request-signing"]));
    assert_eq!(adcp_use(&array), AdcpUse::Malformed);
    assert_eq!(parse(&array).unwrap().purpose(), None);
}

#[test]
fn use_and_key_ops_must_both_say_that_the_key_verifies() {
    let verifying = |jwk: &Value| parse(jwk).unwrap().is_for_verifying();
    assert!(verifying(&ed25519()));
    assert!(verifying(&with(ed25519(), "key_ops", json!(["sign", "verify"]))));
    for jwk in [
        without(ed25519(), "use"),
        with(ed25519(), "use", json!("enc")),
        with(ed25519(), "use", json!("SIG")),
        without(ed25519(), "key_ops"),
        with(ed25519(), "key_ops", json!([])),
        with(ed25519(), "key_ops", json!(["sign"])),
    ] {
        assert!(!verifying(&jwk), "{jwk}");
    }
}

#[test]
fn a_private_member_in_a_published_key_refuses_the_set() {
    for member in ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"] {
        for value in [json!(D), json!(null)] {
            let exposed = with(ed25519(), member, value);
            let error = parse(&exposed).unwrap_err();
            assert!(
                matches!(&error, JwkError::PrivateMember { member: named } if *named == member),
                "{error}"
            );
            let text = json!({"keys": [p256(), exposed]}).to_string();
            let error = JwkSet::parse(text.as_bytes()).unwrap_err();
            assert!(
                matches!(&error, JwkError::PrivateMemberInSet { index: 1, member: named } if *named == member),
                "{error}"
            );
            assert!(!format!("{error}{error:?}").contains(D));
        }
    }
}

#[test]
fn a_member_named_twice_refuses_the_text_wherever_it_stands() {
    for text in [
        r#"{"keys":[],"keys":[]}"#,
        r#"{"keys":[{"kid":"a","kid":"b"}]}"#,
        r#"{"keys":[{"kid":"a","k\u0069d":"b"}]}"#,
        r#"{"keys":[{"ignored":{"a":1,"a":1}}]}"#,
        r#"{"ignored":[{"":1,"":1}],"keys":[]}"#,
    ] {
        let error = JwkSet::parse(text.as_bytes()).unwrap_err();
        assert!(
            matches!(error, JwkError::Json(StrictJsonError::Duplicate(_))),
            "{text}: {error:?}"
        );
    }
}

#[test]
fn a_text_that_is_no_set_is_refused() {
    for text in ["[]", "null", "{}", r#"{"keys":{}}"#, r#"{"keys":null}"#, r#"{"Keys":[]}"#] {
        assert_eq!(JwkSet::parse(text.as_bytes()), Err(JwkError::NotASet), "{text}");
    }
    let deep =
        |depth| format!(r#"{{"keys":[],"deep":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
    assert!(JwkSet::parse(deep(63).as_bytes()).is_ok());
    assert_eq!(
        JwkSet::parse(deep(64).as_bytes()),
        Err(JwkError::Json(StrictJsonError::TooDeep { limit: 64, offset: 81 }))
    );
    for text in [
        "",
        "{",
        r#"{"keys":[]} x"#,
        r#"{"keys":[],}"#,
        "\u{feff}{\"keys\":[]}",
        r#"{"keys":['a']}"#,
    ] {
        assert!(
            matches!(
                JwkSet::parse(text.as_bytes()),
                Err(JwkError::Json(StrictJsonError::Invalid { .. }))
            ),
            "{text}"
        );
    }
    assert!(matches!(
        JwkSet::parse(b"{\"keys\":[{\"kid\":\"\xff\"}]}"),
        Err(JwkError::Json(StrictJsonError::Invalid { .. }))
    ));
}

#[test]
fn size_and_count_are_bounded() {
    let of_len = |len: usize| format!(r#"{{"keys":[]{}}}"#, " ".repeat(len - 11));
    assert!(JwkSet::parse(of_len(65536).as_bytes()).is_ok());
    assert_eq!(JwkSet::parse(of_len(65537).as_bytes()), Err(JwkError::TooLong { length: 65537 }));
    let of_count = |count: usize| format!(r#"{{"keys":[{}]}}"#, vec!["{}"; count].join(","));
    assert_eq!(JwkSet::parse(of_count(1000).as_bytes()).unwrap().keys().len(), 1000);
    assert_eq!(
        JwkSet::parse(of_count(1001).as_bytes()),
        Err(JwkError::TooManyKeys { count: 1001 })
    );
}

#[test]
fn a_set_keeps_order_and_duplicate_kids() {
    let text =
        json!({"keys": [p256(), with(ed25519(), "kid", json!("test-es256-2026")), ed25519()]})
            .to_string();
    let set = JwkSet::parse(text.as_bytes()).unwrap();
    let kids: Vec<_> = set.keys().iter().map(|jwk| jwk.kid().unwrap()).collect();
    assert_eq!(kids, ["test-es256-2026", "test-es256-2026", "test-ed25519-2026"]);
    assert_eq!(set.with_kid("test-es256-2026").count(), 2);
    assert_eq!(set.with_kid("TEST-ES256-2026").count(), 0);
}

#[test]
fn private_keys_are_read_checked_and_written() {
    for (jwk, d) in [(ed25519(), D), (p256(), EC_D)] {
        let plain = with(without(jwk.clone(), "_private_d_for_test_only"), "d", json!(d));
        for jwk in [&jwk, &plain, &without(plain.clone(), "alg")] {
            let private = private(jwk).unwrap();
            assert_eq!(private.kid(), jwk["kid"].as_str());
            let written = private.to_json();
            let expected = serde_json::to_value(&*written).unwrap();
            assert!(expected.as_str().unwrap().ends_with(&format!(r#","d":"{d}"}}"#)));
            let again = PrivateJwk::parse(written.as_bytes()).unwrap();
            assert_eq!(*again.to_json(), *written);
            assert_eq!(again.public_key(), &key(&jwk_with_alg(jwk)).unwrap());
        }
    }
}

/// The public part, with `alg` put back.
fn jwk_with_alg(jwk: &Value) -> Value {
    let alg = if jwk["kty"] == "EC" { "ES256" } else { "EdDSA" };
    with(without(jwk.clone(), "d"), "alg", json!(alg))
}

#[test]
fn a_private_key_that_does_not_hold_together_is_refused_with_the_reason() {
    let set = |member: &str, value: Value| with(ed25519(), member, value);
    let secret = "_private_d_for_test_only";
    let encoding = |member, found| JwkError::Encoding { member, found };
    let cases = [
        (without(ed25519(), secret), JwkError::Missing { member: "d" }),
        (without(ed25519(), "x"), JwkError::Missing { member: "x" }),
        (
            set("x", json!("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")),
            JwkError::PublicKeyMismatch,
        ),
        (set("d", json!(D)), JwkError::MemberType { member: "d", expected: "given once" }),
        (set(secret, json!(7)), JwkError::MemberType { member: "d", expected: "a string" }),
        (
            set(secret, json!(&D[..42])),
            JwkError::MemberLength { member: "d", expected: 32, actual: 31 },
        ),
        (set(secret, json!(format!("{D}="))), encoding("d", Misencoding::Padded)),
        (set(secret, json!(format!("{D}\n"))), encoding("d", Misencoding::WhiteSpace)),
        (set(secret, json!(format!("/{}", &D[1..]))), encoding("d", Misencoding::Standard)),
        (set(secret, json!("0F".repeat(32))), encoding("d", Misencoding::Hex)),
        (set(secret, json!(format!("*{}", &D[1..]))), encoding("d", Misencoding::Other)),
        (set("alg", json!("ES256")), JwkError::AlgMismatch { expected: "EdDSA" }),
        (set("crv", json!("Ed448")), JwkError::UnsupportedKeyType),
        (set("use", json!("enc")), JwkError::NotForSignatures),
        (set("key_ops", json!(["deriveKey"])), JwkError::NotForSignatures),
        (
            with(p256(), secret, json!("A".repeat(43))),
            KeyError::PrivateKey(Algorithm::EcdsaP256Sha256).into(),
        ),
        (
            with(p256(), secret, json!("_____wAAAAD__________7zm-q2nF56E87nKwvxjJVE")),
            KeyError::PrivateKey(Algorithm::EcdsaP256Sha256).into(),
        ),
        (with(p256(), secret, json!(D)), JwkError::PublicKeyMismatch),
    ];
    for (jwk, expected) in cases {
        let error = private(&jwk).unwrap_err();
        assert_eq!(error, expected, "{jwk}");
        assert!(!format!("{error}{error:?}").contains(&D[..20]), "{error:?}");
    }
}

#[test]
fn one_half_or_one_shape_in_place_of_the_other_is_named() {
    let public = without(ed25519(), "_private_d_for_test_only");
    let error = private(&public).unwrap_err().to_string();
    assert!(error.contains("is a public key, and the private one is needed"), "{error}");
    let set = json!({"keys": [public]}).to_string();
    assert_eq!(PublicKey::from_jwk_json(set.as_bytes()), Err(JwkError::IsASet));
    assert_eq!(JwkSet::parse(public.to_string().as_bytes()), Err(JwkError::NotASet));
}

#[test]
fn a_secret_written_with_escapes_is_the_same_secret() {
    let escaped = ed25519().to_string().replace(D, &format!("\\u0041{}", &D[1..]));
    assert!(escaped.contains("u0041"));
    assert_eq!(
        PrivateJwk::parse(escaped.as_bytes()).unwrap().public_key(),
        &key(&ed25519()).unwrap()
    );
}

#[test]
fn debug_and_errors_hold_no_secret() {
    for (jwk, d) in [(ed25519(), D), (p256(), EC_D)] {
        let private = private(&jwk).unwrap();
        assert!(!format!("{private:?}{private:#?}").contains(d));
        let provider = InMemoryProvider::from_jwk(private).unwrap();
        assert!(!format!("{provider:?}{provider:#?}{:?}", provider.jwk()).contains(d));
        // A text that breaks off inside the secret, or after it.
        let text = jwk.to_string();
        let at = text.find(d).unwrap();
        for end in [at + 10, at + d.len() + 1] {
            let error = PrivateJwk::parse(&text.as_bytes()[..end]).unwrap_err();
            assert!(!format!("{error}{error:?}").contains(&d[..8]), "{error:?}");
        }
    }
}
