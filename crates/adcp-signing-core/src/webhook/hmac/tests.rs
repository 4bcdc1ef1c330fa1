use serde_json::Value;

use super::*;

const NOW: UnixSeconds = UnixSeconds::new(1_700_000_000);
const SECRET: &[u8] = b"k1J8#qWz0Lr7vBn3Yx5Tm9Pc2Hd6Gs4F";

fn vectors() -> Value {
    let text = include_str!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../test-vectors/adcp/webhook-hmac-sha256.json"
    ));
    serde_json::from_str(text).unwrap()
}

fn vectors_scheme(vectors: &Value) -> LegacyHmac {
    LegacyHmac::new(HmacSecret::new(vectors["secret"].as_str().unwrap().into()).unwrap())
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn delivery<'a>(signature: &'a str, timestamp: &'a str) -> [FieldLine<'a>; 2] {
    [FieldLine::new("X-ADCP-Signature", signature), FieldLine::new("X-ADCP-Timestamp", timestamp)]
}

#[test]
fn every_published_signature_is_made_and_accepted() {
    let vectors = vectors();
    let scheme = vectors_scheme(&vectors);
    let cases = vectors["vectors"].as_array().unwrap();
    assert_eq!(cases.len(), 15);
    for case in cases {
        let id = text(&case["id"]);
        let (timestamp, signature) = (text(&case["timestamp"]), text(&case["expected_signature"]));
        let body = case["raw_body"].as_str().unwrap().as_bytes();
        assert_eq!(scheme.secret.bare_signature(&timestamp, body), signature, "{id}");

        let now = UnixSeconds::new(case["timestamp"].as_i64().unwrap());
        let fields = delivery(&signature, &timestamp);
        assert_eq!(scheme.verify_signature(&fields, body, now), Ok(()), "{id}");
        let verified = scheme.verify(&fields, body, now);
        match id.as_str() {
            "duplicate-keys-conflicting-values" => {
                let rejection = verified.unwrap_err();
                assert!(
                    matches!(
                        &rejection,
                        HmacRejection::BodyMalformed(StrictJsonError::Duplicate(_))
                    ),
                    "{rejection}"
                );
                assert_eq!(rejection.code().as_str(), text(&case["rfc9421_error_code"]));
                assert_eq!(case["expected_verifier_action"], "reject-malformed");
            }
            // A raw NUL in a string is no JSON: the vector pins the signature, not that a consumer
            // could read the body.
            "null-bytes" => {
                assert!(matches!(
                    verified,
                    Err(HmacRejection::BodyMalformed(StrictJsonError::Invalid { .. }))
                ));
            }
            _ => {
                assert_eq!(verified, Ok(()), "{id}");
                assert_eq!(
                    scheme.sign(body, now).unwrap(),
                    HmacHeaders { signature, timestamp },
                    "{id}"
                );
            }
        }
    }
}

#[test]
fn every_published_rejection_is_refused_for_its_reason() {
    let vectors = vectors();
    let scheme = vectors_scheme(&vectors);
    let cases = vectors["rejection_vectors"].as_array().unwrap();
    assert_eq!(cases.len(), 10);
    for case in cases {
        let id = text(&case["id"]);
        let expected = match id.as_str() {
            "truncated-signature" | "wrong-algorithm-prefix" | "double-prefix" => {
                HmacRejection::SignatureMalformed
            }
            "empty-signature" | "missing-signature" => HmacRejection::Missing(SIGNATURE),
            "timestamp-too-old" => {
                HmacRejection::OutsideWindow { distance: 601, timestamp: NOW.minus(601) }
            }
            "timestamp-too-future" => {
                HmacRejection::OutsideWindow { distance: 401, timestamp: NOW.plus(401) }
            }
            "non-numeric-timestamp" => HmacRejection::TimestampNotNumeric,
            "body-tampered" | "signer-spaced-wire-compact" => HmacRejection::SignatureMismatch,
            other => panic!("no expectation for {other}"),
        };
        let now = case["current_time"]
            .as_i64()
            .or(case["timestamp"].as_i64())
            .map_or(NOW, UnixSeconds::new);
        let (signature, timestamp) = (text(&case["signature"]), text(&case["timestamp"]));
        let fields = delivery(&signature, &timestamp);
        let fields = if case["signature"].is_null() { &fields[1..] } else { &fields };
        let body = case["raw_body"].as_str().unwrap().as_bytes();
        assert_eq!(scheme.verify(fields, body, now), Err(expected), "{id}");
    }
}

#[test]
fn every_published_weak_secret_is_refused() {
    let expected = [
        HmacSecretError::TooShort { bytes: 31 },
        HmacSecretError::TooShort { bytes: 0 },
        HmacSecretError::Weak,
        HmacSecretError::Weak,
    ];
    let vectors = vectors();
    let cases = vectors["secret_rejection_vectors"].as_array().unwrap();
    assert_eq!(cases.len(), expected.len());
    for (case, expected) in cases.iter().zip(expected) {
        assert_eq!(
            HmacSecret::new(text(&case["secret"]).into_bytes()).unwrap_err(),
            expected,
            "{case}"
        );
    }
}

#[test]
fn the_signer_refuses_every_published_duplicate_and_signs_the_clean_input() {
    let vectors = vectors();
    let scheme = vectors_scheme(&vectors);
    let side = &vectors["signer_side"];
    let refused = side["rejection_vectors"].as_array().unwrap();
    assert_eq!(refused.len(), 4);
    for case in refused {
        let error =
            scheme.sign(case["signer_input_body"].as_str().unwrap().as_bytes(), NOW).unwrap_err();
        assert_eq!(error.code(), "duplicate_key_input", "{}", case["id"]);
    }
    let signed = side["positive_vectors"].as_array().unwrap();
    assert_eq!(signed.len(), 1);
    for case in signed {
        let body = case["signer_input_body"].as_str().unwrap().as_bytes();
        let headers = scheme.sign(body, NOW).unwrap();
        let fields = delivery(&headers.signature, &headers.timestamp);
        assert_eq!(scheme.verify(&fields, body, NOW), Ok(()));
    }
}

#[test]
fn what_cannot_be_checked_is_not_signed() {
    let scheme = LegacyHmac::new(HmacSecret::new(SECRET.into()).unwrap());
    assert!(matches!(scheme.sign(b"{", NOW), Err(HmacSignError::NotJson(_))));
    for wrong in [-1, NOW.as_i64() * 1000].map(UnixSeconds::new) {
        assert_eq!(scheme.sign(b"{}", wrong), Err(HmacSignError::Time(wrong)));
    }
    let milliseconds = HmacSignError::Time(UnixSeconds::new(NOW.as_i64() * 1000)).to_string();
    assert!(milliseconds.contains("looks like milliseconds"), "{milliseconds}");
}

#[test]
fn the_window_is_300_seconds_either_way() {
    let scheme = LegacyHmac::new(HmacSecret::new(SECRET.into()).unwrap());
    let headers = scheme.sign(b"{}", NOW).unwrap();
    let fields = delivery(&headers.signature, &headers.timestamp);
    let outside = || Err(HmacRejection::OutsideWindow { distance: 301, timestamp: NOW });
    for (offset, expected) in [(-301, outside()), (-300, Ok(())), (300, Ok(())), (301, outside())] {
        assert_eq!(scheme.verify(&fields, b"{}", NOW.plus(offset)), expected, "{offset}");
    }
}

#[test]
fn a_time_in_milliseconds_is_named_and_never_extends_a_secret() {
    let [old, new] =
        [[SECRET, b"old"].concat(), SECRET.to_vec()].map(|secret| HmacSecret::new(secret).unwrap());
    let milliseconds = UnixSeconds::new(NOW.as_i64() * 1000);
    let headers = LegacyHmac::new(old.clone()).sign(b"{}", NOW).unwrap();
    let fields = delivery(&headers.signature, &headers.timestamp);
    let rotated = |until| LegacyHmac::new(new.clone()).accepting_previous(old.clone(), until);
    assert_eq!(rotated(NOW).verify(&fields, b"{}", NOW), Ok(()));
    let refused = rotated(milliseconds).verify(&fields, b"{}", NOW);
    assert_eq!(refused, Err(HmacRejection::SignatureMismatch));

    let timestamp = milliseconds.to_string();
    let fields = delivery(&headers.signature, &timestamp);
    let refused = rotated(NOW).verify(&fields, b"{}", NOW).unwrap_err();
    assert_eq!(refused.fault(), Fault::WindowInvalid);
    assert!(refused.to_string().contains("looks like milliseconds"), "{refused}");
}

#[test]
fn only_plain_digits_are_a_timestamp() {
    let scheme = LegacyHmac::new(HmacSecret::new(SECRET.into()).unwrap());
    for timestamp in
        ["+1700000000", "-1", "1_700_000_000", " 1700000000", "1.7e9", "99999999999999999999"]
    {
        let signature = scheme.secret.bare_signature(timestamp, b"{}");
        let verified = scheme.verify(&delivery(&signature, timestamp), b"{}", NOW);
        assert_eq!(verified, Err(HmacRejection::TimestampNotNumeric), "{timestamp}");
    }
}

#[test]
fn a_header_sent_twice_or_not_at_all_is_refused() {
    let scheme = LegacyHmac::new(HmacSecret::new(SECRET.into()).unwrap());
    let headers = scheme.sign(b"{}", NOW).unwrap();
    let [signature, timestamp] = delivery(&headers.signature, &headers.timestamp);
    let cases: [(&[FieldLine<'_>], HmacRejection); 4] = [
        (&[signature], HmacRejection::Missing(TIMESTAMP)),
        (&[timestamp], HmacRejection::Missing(SIGNATURE)),
        (&[signature, timestamp, signature], HmacRejection::Repeated(SIGNATURE)),
        (&[timestamp, signature, timestamp], HmacRejection::Repeated(TIMESTAMP)),
    ];
    for (fields, expected) in cases {
        assert_eq!(scheme.verify(fields, b"{}", NOW), Err(expected));
    }
}

#[test]
fn a_delivery_of_another_kind_is_a_mode_mismatch_even_with_a_right_hmac() {
    let scheme = LegacyHmac::new(HmacSecret::new(SECRET.into()).unwrap());
    let headers = scheme.sign(b"{}", NOW).unwrap();
    let [signature, timestamp] = delivery(&headers.signature, &headers.timestamp);
    let rfc9421 = FieldLine::new("Signature", "sig1=:AA:");
    let input = FieldLine::new("Signature-Input", "sig1=()");
    let bearer = FieldLine::new("Authorization", "Bearer token");
    let cases: [(&[FieldLine<'_>], WebhookAuthMode); 4] = [
        (&[signature, timestamp, rfc9421], WebhookAuthMode::Rfc9421),
        (&[signature, timestamp, input], WebhookAuthMode::Rfc9421),
        (&[rfc9421, input], WebhookAuthMode::Rfc9421),
        (&[bearer], WebhookAuthMode::Bearer),
    ];
    for (fields, found) in cases {
        let mismatch = ModeMismatch { expected: WebhookAuthMode::LegacyHmac, found };
        let refused = scheme.verify(fields, b"{}", NOW).unwrap_err();
        assert_eq!(refused, HmacRejection::ModeMismatch(mismatch));
        assert_eq!(refused.code().as_str(), "webhook_mode_mismatch");
    }
}

#[test]
fn secrets_of_every_length_are_keys_as_rfc_2104_has_it() {
    for len in [32, 63, 64, 65, 200] {
        let secret: Vec<u8> = (0..len).map(|byte| byte as u8).collect();
        let expected = Hmac::<Sha256>::new_from_slice(&secret)
            .unwrap()
            .chain_update("1700000000.{}")
            .finalize()
            .into_bytes();
        let secret = HmacSecret::new(secret).unwrap();
        assert!(secret.matches(b"1700000000", b"{}", &expected.into()), "{len}");
        assert!(!secret.matches(b"1700000001", b"{}", &expected.into()), "{len}");
    }
}

#[test]
fn the_previous_secret_is_accepted_only_until_its_end() {
    let old = || HmacSecret::new(SECRET.iter().rev().copied().collect()).unwrap();
    let scheme = LegacyHmac::new(HmacSecret::new(SECRET.into()).unwrap())
        .accepting_previous(old(), NOW.plus(10));
    let by_old = LegacyHmac::new(old()).sign(b"{}", NOW).unwrap();
    let fields = delivery(&by_old.signature, &by_old.timestamp);
    assert_eq!(scheme.verify(&fields, b"{}", NOW.plus(10)), Ok(()));
    assert_eq!(scheme.verify(&fields, b"{}", NOW.plus(11)), Err(HmacRejection::SignatureMismatch));
    assert_ne!(scheme.sign(b"{}", NOW).unwrap(), by_old, "signing uses the current secret");
}

#[test]
fn debug_shows_no_secret() {
    let scheme = LegacyHmac::new(HmacSecret::new(SECRET.into()).unwrap());
    let shown = format!("{scheme:?}");
    assert!(shown.contains("HmacSecret(..)"), "{shown}");
    assert!(!shown.contains("k1J8") && !shown.contains(&format!("{:?}", &SECRET[..4])), "{shown}");
}
