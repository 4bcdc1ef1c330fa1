//! Each refusal of the signer, by its variant and by the fault that a verifier would have named.

use std::sync::Arc;

use async_trait::async_trait;
use futures_executor::block_on;

use super::*;
use crate::{
    clock::{FixedClock, UnixSeconds},
    json::StrictJsonError,
    keys::{Algorithm, KeyPurpose},
    nonce::{FixedNonces, Nonce, NonceError},
    profile::{Fault, Profile, PurposeVerdict, WireVersion},
    provider::{
        InMemoryProvider, KeyIdentity, KeySource, ProviderError, ProviderErrorKind,
        SigningProvider,
        scripted::{Scripted, Step},
    },
    rfc9421::{
        AuthorityError, ComponentError, FieldLine, Request,
        digest::{DigestError, DigestMismatch},
    },
    target_uri::{AmbiguousUrl, TargetUriError},
};

const URL: &str = "https://seller.example.com/adcp/create_media_buy";
const BODY: &[u8] = br#"{"a":1}"#;
const NOW: UnixSeconds = UnixSeconds::new(1_776_520_800);
const JSON: FieldLine<'_> = FieldLine { name: "Content-Type", value: b"application/json" };

fn newest() -> Profile {
    Profile::request(WireVersion::NEWEST)
}

fn signer_of(profile: Profile) -> Signer {
    let key = Scripted::new("k").with_purpose(profile.purpose_to_publish());
    Signer::new(profile, key).unwrap().with_clock(FixedClock::new(NOW))
}

fn post<'a>(fields: &'a [FieldLine<'a>], body: &'a [u8]) -> Request<'a> {
    Request::new("POST", URL, fields, body)
}

/// The refusal, which comes before the key is used.
fn refusal(profile: Profile, request: &Request<'_>) -> SignError {
    let key = Scripted::new("k").with_purpose(profile.purpose_to_publish());
    let signer = Signer::new(profile, key.clone()).unwrap();
    let refused = block_on(signer.sign(request)).unwrap_err();
    assert_eq!(key.sign_calls(), 0, "{refused}");
    refused
}

/// A key that another one takes the place of for each signature.
#[derive(Debug)]
struct Replaced {
    first: Scripted,
    next: Arc<Scripted>,
}

#[async_trait]
impl KeySource for Replaced {
    fn purpose(&self) -> &KeyPurpose {
        self.first.purpose()
    }

    async fn key(&self) -> Result<Arc<dyn SigningProvider>, ProviderError> {
        Ok(Arc::<Scripted>::clone(&self.next))
    }

    fn identity(&self) -> Option<&KeyIdentity> {
        Some(self.first.identity())
    }
}

#[test]
fn signing_is_a_span_with_the_key_and_a_stable_code_where_it_fails() {
    use crate::provider::captured::Captured;

    let fields = [JSON];
    let (captured, _guard) = Captured::start();
    let begun = "span adcp_signing.sign_message profile=request 3.3 (contract 3.3.0-rc.0)";
    let kid = r#"record kid="k""#;
    let signer = signer_of(newest());
    block_on(signer.sign(&post(&fields, BODY))).unwrap();
    assert_eq!(captured.take(), [begun, kid]);
    block_on(signer.sign(&post(&fields, br#"{"a":1,"a":2}"#))).unwrap_err();
    assert_eq!(captured.take(), [begun, kid, r#"record error.type="duplicate_key_input""#]);
    let failing = Scripted::new("k")
        .with_purpose(newest().purpose_to_publish())
        .on_sign([Step::Fail(ProviderErrorKind::Throttled)]);
    let signer = Signer::new(newest(), failing).unwrap();
    block_on(signer.sign(&post(&fields, BODY))).unwrap_err();
    assert_eq!(captured.take(), [begun, kid, r#"record error.type="throttled""#]);
}

#[test]
fn for_a_peer_form_and_coverage_are_the_peers_and_the_key_stays() {
    use crate::operation::DigestPolicy::{Either, Forbidden, Required};

    let fields = [JSON];
    let own = signer_of(newest()).with_digest_coverage(DigestCoverage::Leave);
    for (wire, digest, length, covers) in [
        (WireVersion::V3_0, Either, 86, true),
        (WireVersion::V3_1, Required, 86, true),
        (WireVersion::V3_1, Forbidden, 86, false),
        (WireVersion::V3_2, Required, 88, true),
        (WireVersion::V3_3, Forbidden, 88, true),
    ] {
        let signer = own.for_peer(wire, digest);
        let signed = block_on(signer.sign(&post(&fields, BODY))).unwrap();
        assert_eq!(signed.signature.len(), "sig1=::".len() + length, "{wire} {digest:?}");
        assert_eq!(signed.signature_input.contains("\"content-digest\""), covers, "{wire}");
        assert!(signed.signature_input.contains("keyid=\"k\""));
    }
    assert_eq!(own.profile(), &newest(), "the signer itself is as it was");
}

#[test]
fn a_message_is_signed_by_every_profile_and_the_signature_is_over_the_base() {
    let webhooks = ["3.0.26", "3.1.0-rc.15", "3.3.0-rc.0"]
        .map(|contract| Profile::webhook_at(contract.parse().unwrap()));
    for profile in WireVersion::ALL.map(Profile::request).into_iter().chain(webhooks) {
        for algorithm in [Algorithm::Ed25519, Algorithm::EcdsaP256Sha256] {
            let key = InMemoryProvider::generate(algorithm, profile.purpose_to_publish()).unwrap();
            let (public, key) = (key.jwk().public_key().unwrap(), Arc::new(key));
            let signer = Signer::new(profile.clone(), Arc::clone(&key)).unwrap();
            let fields = [JSON];
            let request = post(&fields, BODY);
            let prepared = block_on(signer.prepare(&request, &SignOptions::default())).unwrap();
            let base = prepared.signature_base().to_vec();
            let signed = key.sign_now(&base).unwrap();
            public.verify(&base, &signed).unwrap();
            let fields = prepared.finalize(&signed).unwrap();
            let names: Vec<_> = fields.iter().map(|(name, _)| name).collect();
            assert_eq!(names, ["Content-Digest", "Signature-Input", "Signature"]);
            let list = fields.signature_input.strip_prefix("sig1=").unwrap();
            assert!(
                String::from_utf8(base)
                    .unwrap()
                    .ends_with(&format!("\"@signature-params\": {list}"))
            );
            assert!(fields.signature.starts_with("sig1=:"), "{profile}");
        }
    }
}

#[test]
fn a_key_signs_what_the_table_of_purposes_says_and_the_refusal_names_its_cure() {
    let profiles = [
        newest(),
        Profile::request(WireVersion::V3_0),
        Profile::webhook_at("3.0.26".parse().unwrap()),
        Profile::webhook_at("3.1.0-rc.14".parse().unwrap()),
        Profile::webhook_at("3.1.0-rc.15".parse().unwrap()),
        Profile::webhook(),
    ];
    let purposes: Vec<_> =
        KeyPurpose::KNOWN.iter().cloned().chain([KeyPurpose::from("other")]).collect();
    for profile in profiles {
        for purpose in &purposes {
            let key = Scripted::new("k").with_purpose(purpose.clone());
            let outcome = Signer::new(profile.clone(), key);
            match (profile.judge_purpose(purpose), outcome) {
                (PurposeVerdict::Accepted | PurposeVerdict::Deprecated { .. }, Ok(_)) => {}
                (PurposeVerdict::Refused { cure: expected }, Err(error)) => {
                    assert_eq!(error.fault(), Some(Fault::KeyPurposeInvalid));
                    assert!(error.to_string().ends_with(expected), "{error}");
                    let SignError::Purpose { purpose: named, cure, .. } = error else {
                        panic!("{error}");
                    };
                    assert_eq!((&named, cure), (purpose, expected));
                }
                (verdict, outcome) => panic!("{profile} {purpose}: {verdict:?} {outcome:?}"),
            }
        }
    }
    let request_key = || Scripted::new("k");
    assert!(Signer::for_requests(request_key()).is_ok());
    assert!(Signer::for_webhooks(request_key()).is_ok());
    let webhook_key = Scripted::new("k").with_purpose(KeyPurpose::WebhookSigning);
    assert!(matches!(Signer::for_requests(webhook_key), Err(SignError::Purpose { .. })));
}

#[test]
fn rsa_signs_for_no_profile() {
    let key = Scripted::new("k").with_algorithm(Algorithm::RsaPssSha512);
    let refused = Signer::for_requests(key).unwrap_err();
    assert!(matches!(refused, SignError::Algorithm(Algorithm::RsaPssSha512)));
    assert_eq!(refused.fault(), Some(Fault::AlgNotAllowed));

    let nonce = Nonce::from_bytes([7; 16]);
    let parameters = Parameters::new(NOW, &nonce, "k", Algorithm::RsaPssSha512);
    let fields = [JSON];
    let refused = prepare(&newest(), &post(&fields, BODY), &parameters).unwrap_err();
    assert!(matches!(refused, SignError::Algorithm(Algorithm::RsaPssSha512)));
}

#[test]
fn a_key_that_takes_the_place_of_another_is_judged_again() {
    let governance = Scripted::new("next").with_purpose(KeyPurpose::GovernanceSigning);
    let rsa = Scripted::new("next").with_algorithm(Algorithm::RsaPssSha512);
    for (next, fault) in [(governance, Fault::KeyPurposeInvalid), (rsa, Fault::AlgNotAllowed)] {
        let next = Arc::new(next);
        let key = Replaced { first: Scripted::new("first"), next: Arc::clone(&next) };
        let key = Arc::new(key) as Arc<dyn KeySource>;
        let signer = Signer::new(newest(), key).unwrap();
        let fields = [JSON];
        let request = post(&fields, BODY);
        let refused = [
            block_on(signer.sign(&request)).unwrap_err(),
            block_on(signer.prepare(&request, &SignOptions::default())).unwrap_err(),
        ];
        for refused in refused {
            assert_eq!(refused.fault(), Some(fault), "{refused}");
        }
        assert_eq!(next.sign_calls(), 0);
    }
}

#[test]
fn keyid_algorithm_and_signature_are_of_the_key_that_takes_the_place() {
    let next = Arc::new(Scripted::new("next"));
    let key = Replaced { first: Scripted::new("first"), next: Arc::clone(&next) };
    let key = Arc::new(key) as Arc<dyn KeySource>;
    let fields = [JSON];
    let signer = Signer::new(newest(), key).unwrap();
    let signed = block_on(signer.sign(&post(&fields, BODY))).unwrap();
    assert!(signed.signature_input.contains(";keyid=\"next\""), "{}", signed.signature_input);
    assert_eq!(next.sign_calls(), 1);
}

#[test]
fn a_host_of_another_authority_is_refused() {
    let host = |value| [JSON, FieldLine::new("Host", value)];
    for value in ["other.example.com", "seller.example.com:8443"] {
        let refused = refusal(newest(), &post(&host(value), BODY));
        assert!(
            matches!(refused, SignError::Authority(AuthorityError::Disagrees("Host"))),
            "{refused}"
        );
        assert_eq!(refused.fault(), Some(Fault::TargetUriMalformed));
    }
    let refused = refusal(newest(), &post(&host("fe80::1"), BODY));
    assert!(matches!(refused, SignError::Authority(AuthorityError::Malformed("Host", _))));
    let host = FieldLine::new("host", "seller.example.com");
    let refused = refusal(newest(), &post(&[JSON, host, host], BODY));
    assert!(matches!(refused, SignError::Authority(AuthorityError::Repeated)));
    let refused =
        refusal(newest(), &post(&[JSON, FieldLine { name: "host", value: b"\xff" }], BODY));
    assert!(matches!(refused, SignError::Authority(AuthorityError::NotText)));

    let fields = [JSON];
    let pseudo = Request { pseudo_authority: Some("other.example.com"), ..post(&fields, BODY) };
    let refused = refusal(newest(), &pseudo);
    assert!(matches!(refused, SignError::Authority(AuthorityError::Disagrees(":authority"))));

    let same = [JSON, FieldLine::new("Host", "Seller.example.com:443")];
    assert!(block_on(signer_of(newest()).sign(&post(&same, BODY))).is_ok());
}

#[test]
fn a_body_and_a_webhook_need_one_content_type() {
    for (profile, body) in [
        (newest(), BODY),
        (Profile::request(WireVersion::V3_0), BODY),
        (Profile::webhook(), BODY),
        (Profile::webhook(), b""),
    ] {
        let refused = refusal(profile, &post(&[], body));
        assert!(matches!(refused, SignError::ContentTypeMissing), "{refused}");
        assert_eq!(refused.fault(), Some(Fault::ComponentsIncomplete));
    }
    for fields in
        [&[JSON, JSON][..], &[FieldLine::new("content-type", "application/json, text/plain")]]
    {
        let refused = refusal(newest(), &post(fields, BODY));
        assert!(matches!(refused, SignError::SeveralContentTypes(_)), "{refused}");
        assert_eq!(refused.fault(), Some(Fault::HeaderMalformed));
    }
    let bare = Request::new("GET", URL, &[], b"");
    let signed = block_on(signer_of(newest()).sign(&bare)).unwrap();
    assert!(!signed.signature_input.contains("content-type"));
}

/// AdCP signs the method in upper case, so one that is sent in another case is not signed.
#[test]
fn a_method_is_signed_as_it_is_sent_and_in_upper_case() {
    let fields = [JSON];
    let request = |method| Request::new(method, URL, &fields, BODY);
    for method in ["patch", "Patch", "m-Search"] {
        let refused = refusal(newest(), &request(method));
        let is_case = matches!(refused, SignError::Component(ComponentError::MethodCase));
        assert!(is_case, "{method}: {refused}");
    }
    for method in ["", "PATCH ", "\u{feff}PATCH", "PATCH / HTTP/1.1"] {
        let refused = refusal(newest(), &request(method));
        let is_token = matches!(refused, SignError::Component(ComponentError::Method));
        assert!(is_token, "{method}: {refused}");
    }
    let prepared =
        block_on(signer_of(newest()).prepare(&request("M-SEARCH"), &SignOptions::default()))
            .unwrap();
    assert!(prepared.signature_base().starts_with(b"\"@method\": M-SEARCH\n"));
}

#[test]
fn a_time_in_another_unit_than_seconds_is_not_signed() {
    let signer = signer_of(newest());
    let fields = [JSON];
    let request = post(&fields, BODY);
    let created = UnixSeconds::new(NOW.as_i64() * 1000);
    let options = SignOptions { created: Some(created), ..SignOptions::default() };
    let refused = block_on(signer.prepare(&request, &options)).unwrap_err();
    assert!(matches!(refused, SignError::Unit { unit: "milliseconds", .. }), "{refused}");
    assert_eq!(refused.fault(), Some(Fault::WindowInvalid));
    for (expires_in, is_named) in [(300_000, true), (301_000, false), (301, false)] {
        let options = SignOptions { expires_in: Some(expires_in), ..SignOptions::default() };
        let refused = block_on(signer.prepare(&request, &options)).unwrap_err();
        assert!(matches!(refused, SignError::Validity(_)), "{refused}");
        assert_eq!(refused.to_string().contains("milliseconds"), is_named, "{refused}");
    }
}

#[test]
fn a_body_of_another_length_than_announced_is_not_signed() {
    let with = |value| [JSON, FieldLine::new("Content-Length", value)];
    assert!(block_on(signer_of(newest()).sign(&post(&with("7"), BODY))).is_ok());
    for length in ["6", "8", "0", "7, 7", "x"] {
        let refused = refusal(newest(), &post(&with(length), BODY));
        assert!(matches!(refused, SignError::Length(_)), "{length}: {refused}");
        assert_eq!(refused.fault(), Some(Fault::DigestMismatch));
    }
}

#[test]
fn a_body_that_is_encoded_is_named_as_such() {
    let gzip = [0x1f, 0x8b, 0x08, 0];
    for (coding, cause) in
        [("gzip", "as its Content-Encoding states"), ("identity", "compressed (gzip)")]
    {
        let fields = [JSON, FieldLine::new("Content-Encoding", coding)];
        let refused = refusal(newest(), &post(&fields, &gzip));
        assert!(matches!(refused, SignError::Body(StrictJsonError::Invalid { .. })), "{refused}");
        assert!(refused.to_string().contains(cause), "{refused}");
    }
}

#[test]
fn a_content_digest_that_is_there_must_be_the_bodys() {
    let with = |value| [JSON, FieldLine::new("Content-Digest", value)];
    let signer = signer_of(newest());
    let fields = [JSON];
    let digest = block_on(signer.sign(&post(&fields, BODY))).unwrap().content_digest.unwrap();

    let refused = refusal(newest(), &post(&with(&digest), br#"{"a":2}"#));
    assert!(matches!(refused, SignError::DigestMismatch(DigestMismatch::Differs)), "{refused}");
    assert_eq!(refused.fault(), Some(Fault::DigestMismatch));

    let refused = refusal(newest(), &post(&with("sha-512=:AAAA:"), BODY));
    assert!(matches!(refused, SignError::DigestMismatch(DigestMismatch::NoSha256)), "{refused}");

    for (value, is_expected) in [
        ("sha-256=", (|error| matches!(error, DigestError::Syntax(_))) as fn(&DigestError) -> bool),
        ("sha-256=token", |error| matches!(error, DigestError::Encoding(_))),
        ("sha-256=:AA:", |error| matches!(error, DigestError::Encoding(_))),
    ] {
        let refused = refusal(newest(), &post(&with(value), BODY));
        assert_eq!(refused.fault(), Some(Fault::HeaderMalformed));
        let SignError::Digest(error) = refused else { panic!("{value}: {refused}") };
        assert!(is_expected(&error), "{value}: {error}");
    }

    let right = with(&digest);
    let signed = block_on(signer.sign(&post(&right, BODY))).unwrap();
    assert_eq!(signed.content_digest, None, "the one that is there stays");
    assert!(signed.signature_input.contains("content-digest"));
}

/// The digest of no bytes.
const EMPTY: &str = "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:";

#[test]
fn without_a_body_the_digest_is_covered_where_the_endpoint_cannot_forbid_it_or_requires_it() {
    use crate::operation::DigestPolicy::{Either, Forbidden, Required};
    use DigestCoverage::{Always, Cover, Leave};

    let legacy = || Profile::request(WireVersion::V3_1);
    let get = Request::new("GET", URL, &[], b"");
    for (profile, coverage, digest) in [
        (newest(), Cover, Some(EMPTY)),
        (Profile::request(WireVersion::V3_2), Cover, Some(EMPTY)),
        (newest(), Always, Some(EMPTY)),
        (newest(), Leave, None),
        (legacy(), Cover, None),
        (legacy(), Always, Some(EMPTY)),
        (legacy(), Leave, None),
    ] {
        let signer = signer_of(profile).with_digest_coverage(coverage);
        let signed = block_on(signer.sign(&get)).unwrap();
        assert_eq!(signed.content_digest.as_deref(), digest, "{} {coverage:?}", signer.profile());
        assert_eq!(signed.signature_input.contains("content-digest"), digest.is_some());
    }
    for (peer, policy, digest) in [
        (WireVersion::V3_2, Required, Some(EMPTY)),
        (WireVersion::V3_2, Either, Some(EMPTY)),
        // No endpoint of 3.2 may forbid it, so what it says does not count.
        (WireVersion::V3_2, Forbidden, Some(EMPTY)),
        (WireVersion::V3_1, Required, Some(EMPTY)),
        (WireVersion::V3_1, Either, None),
        (WireVersion::V3_1, Forbidden, None),
    ] {
        let signer = signer_of(newest()).for_peer(peer, policy);
        let signed = block_on(signer.sign(&get)).unwrap();
        assert_eq!(signed.content_digest.as_deref(), digest, "{peer:?} {policy:?}");
    }
}

#[test]
fn a_digest_that_must_be_covered_cannot_be_left_out() {
    for (profile, body) in [
        (Profile::request(WireVersion::V3_2), BODY),
        (newest(), BODY),
        (Profile::webhook(), BODY),
        (Profile::webhook(), b""),
    ] {
        let signer = signer_of(profile).with_digest_coverage(DigestCoverage::Leave);
        let fields = [JSON];
        let refused = block_on(signer.sign(&post(&fields, body))).unwrap_err();
        assert!(matches!(refused, SignError::DigestRequired(_)), "{refused}");
        assert_eq!(refused.fault(), Some(Fault::ComponentsIncomplete));
    }
    for (profile, body) in [(Profile::request(WireVersion::V3_1), BODY), (newest(), b"")] {
        let signer = signer_of(profile).with_digest_coverage(DigestCoverage::Leave);
        let fields = [JSON];
        let signed = block_on(signer.sign(&post(&fields, body))).unwrap();
        assert_eq!(signed.content_digest, None);
        assert!(!signed.signature_input.contains("content-digest"));
    }
}

#[test]
fn a_signature_of_another_algorithm_than_announced_is_not_sent() {
    let key = Scripted::new("k").with_algorithm(Algorithm::EcdsaP256Sha256);
    let signer = Signer::new(newest(), key).unwrap();
    let fields = [JSON];
    let refused = block_on(signer.sign(&post(&fields, BODY))).unwrap_err();
    assert_eq!(refused.fault(), None);
    assert!(matches!(
        refused,
        SignError::AlgorithmChanged {
            announced: Algorithm::EcdsaP256Sha256,
            signed: Algorithm::Ed25519,
        }
    ));
}

#[test]
fn a_window_is_1_to_300_seconds_long() {
    let fields = [JSON];
    let signer = signer_of(newest());
    let sign = |expires_in| {
        let options = SignOptions { expires_in, ..SignOptions::default() };
        block_on(signer.sign_with(&post(&fields, BODY), &options))
    };
    for seconds in [0, -1, 301, i64::MAX, i64::MIN] {
        let refused = sign(Some(seconds)).unwrap_err();
        assert!(matches!(refused, SignError::Validity(_)), "{seconds}: {refused}");
        assert_eq!(refused.fault(), Some(Fault::WindowInvalid));
    }
    for (seconds, expires) in [(Some(1), 1_776_520_801), (Some(300), 1_776_521_100)] {
        let input = sign(seconds).unwrap().signature_input;
        let window = format!(";created=1776520800;expires={expires};");
        assert!(input.contains(&window), "{input}");
    }
    assert!(sign(None).unwrap().signature_input.contains(";expires=1776521100;"));
}

#[test]
fn a_nonce_is_well_formed_and_is_never_made_up() {
    for (text, expected) in [
        ("KXYnfEfJ0PBRZXQyVXfV", NonceError::TooShort { bytes: 15 }),
        ("KXYnfEfJ0PBRZXQyVXfVQA==", NonceError::Padded),
        ("", NonceError::TooShort { bytes: 0 }),
    ] {
        let refused = SignError::from(Nonce::parse(text).unwrap_err());
        assert_eq!(refused.fault(), Some(Fault::HeaderMalformed));
        assert!(matches!(refused, SignError::Nonce(error) if error == expected), "{text}");
    }
    let nonces = FixedNonces::new([Nonce::from_bytes([7; 16])]);
    let signer = signer_of(newest()).with_nonces(nonces);
    let fields = [JSON];
    let request = post(&fields, BODY);
    let signed = block_on(signer.sign(&request)).unwrap();
    assert!(signed.signature_input.contains(";nonce=\"BwcHBwcHBwcHBwcHBwcHBw\""));
    let refused = block_on(signer.sign(&request)).unwrap_err();
    assert!(matches!(refused, SignError::Nonce(NonceError::Exhausted)));
    assert_eq!(refused.fault(), None);

    let given = Nonce::parse("KXYnfEfJ0PBRZXQyVXfVQA").unwrap();
    let options = SignOptions { nonce: Some(given), ..SignOptions::default() };
    let signed = block_on(signer.sign_with(&request, &options)).unwrap();
    assert!(signed.signature_input.contains(";nonce=\"KXYnfEfJ0PBRZXQyVXfVQA\""));
}

#[test]
fn a_url_on_which_implementations_disagree_is_refused_unless_allowed() {
    let fields = [JSON];
    let ambiguous = Request { url: "https://seller.example.com/p?", ..post(&fields, BODY) };
    let refused = refusal(newest(), &ambiguous);
    assert!(matches!(refused, SignError::Ambiguous(AmbiguousUrl::EmptyQuery)), "{refused}");
    assert_eq!(refused.fault(), None);
    let allowing = signer_of(newest()).with_ambiguous_urls(AmbiguousUrls::Allow);
    assert!(block_on(allowing.sign(&ambiguous)).is_ok());

    for (url, expected) in [
        ("https://user@/p", TargetUriError::MissingHost),
        ("ftp://seller.example.com/p", TargetUriError::Scheme),
        ("/adcp", TargetUriError::Scheme),
    ] {
        let malformed = Request { url, ..post(&fields, BODY) };
        for refused in
            [refusal(newest(), &malformed), block_on(allowing.sign(&malformed)).unwrap_err()]
        {
            assert_eq!(refused.fault(), Some(Fault::TargetUriMalformed));
            let SignError::TargetUri(error) = refused else { panic!("{url}: {refused}") };
            assert_eq!(error, expected, "{url}");
        }
    }
}

#[test]
fn a_body_that_two_parsers_could_read_differently_is_refused() {
    let twice = refusal(newest(), &post(&[JSON], br#"{"a":1,"a":2}"#));
    assert!(matches!(twice, SignError::Body(StrictJsonError::Duplicate(_))), "{twice}");
    let text = FieldLine::new("content-type", "text/plain");
    let twice = refusal(newest(), &post(&[text], br#"{"a":1,"a":2}"#));
    assert!(matches!(twice, SignError::Body(StrictJsonError::Duplicate(_))), "{twice}");
    let broken = refusal(newest(), &post(&[JSON], b"{"));
    assert!(matches!(broken, SignError::Body(_)), "{broken}");
    assert_eq!((twice.fault(), broken.fault()), (None, None));
    assert!(block_on(signer_of(newest()).sign(&post(&[text], b"hello"))).is_ok());
}

/// A provider states its key id itself, and a verifier finds the key by nothing else.
#[test]
fn a_key_id_that_no_signature_can_carry_is_refused_at_once_and_for_each_message() {
    for (key_id, fault) in [
        ("", KeyIdFault::Empty),
        ("cl\u{e9}", KeyIdFault::Byte { offset: 2 }),
        ("a\nb", KeyIdFault::Byte { offset: 1 }),
        ("\u{7f}", KeyIdFault::Byte { offset: 0 }),
    ] {
        let key = InMemoryProvider::generate(Algorithm::Ed25519, KeyPurpose::RequestSigning);
        let refused = Signer::for_requests(key.unwrap().with_key_id(key_id)).unwrap_err();
        assert!(matches!(refused, SignError::KeyId(found) if found == fault), "{refused}");
        assert_eq!(refused.fault(), Some(Fault::HeaderMalformed));
        // A key that is opened later is judged when it is drawn.
        let nonce = Nonce::from_bytes([7; 16]);
        let parameters = Parameters::new(NOW, &nonce, key_id, Algorithm::Ed25519);
        let refused = prepare(&newest(), &post(&[JSON], BODY), &parameters).unwrap_err();
        assert!(matches!(refused, SignError::KeyId(found) if found == fault), "{refused}");
    }
    for key_id in ["k", "buyer 2026/11 \"a\\b\"", "~"] {
        assert!(Signer::new(newest(), Scripted::new(key_id)).is_ok(), "{key_id}");
    }
}

#[test]
fn what_no_field_can_hold_is_refused() {
    let fields = [JSON];
    let options = SignOptions { label: Some("Sig 1".to_owned()), ..SignOptions::default() };
    let signer = signer_of(newest());
    let refused = block_on(signer.sign_with(&post(&fields, BODY), &options)).unwrap_err();
    assert!(matches!(refused, SignError::Parameter { what: "the label", .. }));

    let options = SignOptions { label: Some("other".to_owned()), ..SignOptions::default() };
    let signed = block_on(signer.sign_with(&post(&fields, BODY), &options)).unwrap();
    assert!(signed.signature_input.starts_with("other=("));
    assert!(signed.signature.starts_with("other=:"));

    let split = [FieldLine { name: "content-type", value: b"text/plain\r\nx: y" }];
    let refused = refusal(newest(), &post(&split, b"hello"));
    assert!(matches!(refused, SignError::Component(_)), "{refused}");
}

#[test]
fn a_key_that_fails_is_the_error() {
    let key = Scripted::new("k").on_sign([Step::Fail(ProviderErrorKind::Throttled)]);
    let fields = [JSON];
    let refused =
        block_on(Signer::new(newest(), key).unwrap().sign(&post(&fields, BODY))).unwrap_err();
    assert_eq!(refused.fault(), None);
    let SignError::Provider(error) = refused else { panic!("{refused}") };
    assert_eq!(error.kind(), ProviderErrorKind::Throttled);
}

#[cfg(feature = "http")]
mod http {
    use ::http::{
        HeaderMap, HeaderName, HeaderValue, Request as HttpMessage, header::CONTENT_TYPE,
        request::Parts,
    };

    use super::*;
    use crate::http_message::{Origin, OriginError};

    fn origin() -> Origin {
        "https://seller.example.com".parse().unwrap()
    }

    fn parts(uri: &str) -> Parts {
        let request = HttpMessage::post(uri).header(CONTENT_TYPE, "application/json");
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn the_fields_are_set_in_place_of_any_of_the_same_name_and_nothing_else_changes() {
        let mut parts = parts("/adcp/create_media_buy");
        parts.headers.insert("x-request-id", HeaderValue::from_static("1"));
        for stale in ["sig1=:AA:", "sig2=:AA:"] {
            parts.headers.append("signature", HeaderValue::from_static(stale));
            parts.headers.append("signature-input", HeaderValue::from_static("sig1=()"));
        }
        let nonces = || FixedNonces::new([Nonce::from_bytes([7; 16])]);
        let key = Scripted::new("k");
        let signer = Signer::new(newest(), key).unwrap().with_clock(FixedClock::new(NOW));
        let fields = [JSON];
        let expected =
            block_on(signer.clone().with_nonces(nonces()).sign(&post(&fields, BODY))).unwrap();
        block_on(signer.with_nonces(nonces()).sign_http(&mut parts, BODY, &origin())).unwrap();
        for (name, value) in expected.iter() {
            let set: Vec<_> = parts.headers.get_all(name).iter().collect();
            assert_eq!(set, [value], "{name}");
        }
        assert_eq!(parts.headers.len(), 5);
        assert_eq!(parts.headers["x-request-id"], "1");
        assert_eq!(parts.uri, "/adcp/create_media_buy");
    }

    #[test]
    fn a_right_content_digest_stays_as_it_is() {
        let signer = signer_of(newest());
        let mut parts = parts("/p");
        block_on(signer.sign_http(&mut parts, BODY, &origin())).unwrap();
        let digest = parts.headers["content-digest"].clone();
        block_on(signer.sign_http(&mut parts, BODY, &origin())).unwrap();
        assert_eq!(parts.headers.get_all("content-digest").iter().collect::<Vec<_>>(), [digest]);
        assert_eq!(parts.headers.get_all("signature").iter().count(), 1);
    }

    #[test]
    fn a_refusal_changes_nothing_of_the_request() {
        let failing = || Scripted::new("k").on_sign([Step::Fail(ProviderErrorKind::Unavailable)]);
        for (uri, body, key, fault) in [
            ("/p", BODY, failing(), None),
            ("/p", b"{".as_slice(), Scripted::new("k"), None),
            (
                "https://other.example.com/p",
                BODY,
                Scripted::new("k"),
                Some(Fault::TargetUriMalformed),
            ),
            ("/p?", BODY, Scripted::new("k"), None),
        ] {
            let mut parts = parts(uri);
            parts.headers.insert("signature", HeaderValue::from_static("sig1=:AA:"));
            let before = parts.headers.clone();
            let signer = Signer::new(newest(), key).unwrap();
            let refused = block_on(signer.sign_http(&mut parts, body, &origin())).unwrap_err();
            assert_eq!(refused.fault(), fault, "{refused}");
            assert_eq!(parts.headers, before, "{refused}");
        }
        let mut foreign = parts("https://other.example.com/p");
        let refused =
            block_on(signer_of(newest()).sign_http(&mut foreign, BODY, &origin())).unwrap_err();
        assert!(matches!(refused, SignError::Origin(OriginError::Disagrees(_))));
    }

    #[test]
    fn a_request_that_has_no_room_for_the_fields_is_left_alone() {
        let mut parts = parts("/p");
        let mut full = HeaderMap::new();
        std::mem::swap(&mut full, &mut parts.headers);
        for number in 0.. {
            let name = HeaderName::from_bytes(format!("x-{number}").as_bytes()).unwrap();
            if full.try_insert(name, HeaderValue::from_static("")).is_err() {
                break;
            }
        }
        let count = full.len();
        parts.headers = full;
        let refused =
            block_on(signer_of(newest()).sign_http(&mut parts, BODY, &origin())).unwrap_err();
        assert!(matches!(refused, SignError::TooManyFields), "{refused}");
        assert_eq!(parts.headers.len(), count);
    }
}
