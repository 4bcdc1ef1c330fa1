//! The worked examples of RFC 9421: signature bases to the byte, and the published signatures under
//! the published keys.
//!
//! Keys, messages, signature bases and signatures are those of RFC 9421, HTTP Message Signatures
//! (February 2024), sections 2.4, 2.5, 3.2 and 4.3 and appendices B.1 to B.4, with line wrapping
//! removed. Copyright (c) 2024 IETF Trust and the persons identified as the document authors. Code
//! components are under the Revised BSD License (Trust Legal Provisions, section 4.e). The private
//! key of B.1.4 is public and signs nothing of value.

use adcp_signing_core::rfc9421::plain::{
    SignOptions, VerifiedSignature, VerifyError, VerifyOptions, prepare, verify_request,
    verify_response,
};
use adcp_signing_core::rfc9421::structured_fields::{
    Alphabet, Dictionary, MemberValue, push_byte_sequence,
};
use adcp_signing_core::rfc9421::{
    Component, FieldLine, Request, Response, ResponseInContext, SignatureParams, components,
    signature_base,
};
use adcp_signing_core::{Algorithm, PublicKey, Signature};
use ed25519_dalek::Signer as _;

/// B.1.2.
#[cfg(feature = "aws-lc-rs")]
const RSA_PSS: &str = "-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAr4tmm3r20Wd/PbqvP1s2
+QEtvpuRaV8Yq40gjUR8y2Rjxa6dpG2GXHbPfvMs8ct+Lh1GH45x28Rw3Ry53mm+
oAXjyQ86OnDkZ5N8lYbggD4O3w6M6pAvLkhk95AndTrifbIFPNU8PPMO7OyrFAHq
gDsznjPFmTOtCEcN2Z1FpWgchwuYLPL+Wokqltd11nqqzi+bJ9cvSKADYdUAAN5W
Utzdpiy6LbTgSxP7ociU4Tn0g5I6aDZJ7A8Lzo0KSyZYoA485mqcO0GVAdVw9lq4
aOT9v6d+nb4bnNkQVklLQ3fVAvJm+xdDOp9LCNCN48V2pnDOkFV6+U9nV5oyc6XI
2wIDAQAB
-----END PUBLIC KEY-----
";

/// B.1.3.
const ECC_P256: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqIVYZVLCrPZHGHjP17CTW0/+D9Lf
w0EkjqF7xB4FivAxzic30tMM4GF+hR6Dxh71Z50VGGdldkkDXZCnTNnoXQ==
-----END PUBLIC KEY-----
";

/// B.1.4.
const ED25519: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=
-----END PUBLIC KEY-----
";

/// The `d` member of B.1.4's JWK, decoded.
const ED25519_SEED: [u8; 32] = [
    0x9f, 0x83, 0x62, 0xf8, 0x7a, 0x48, 0x4a, 0x95, 0x4e, 0x6e, 0x74, 0x0c, 0x5b, 0x4c, 0x0e, 0x84,
    0x22, 0x91, 0x39, 0xa2, 0x0a, 0xa8, 0xab, 0x56, 0xff, 0x66, 0x58, 0x6f, 0x6a, 0x7d, 0x29, 0xc5,
];

const URL: &str = "https://example.com/foo?param=Value&Pet=dog";
const REQUEST_BODY: &[u8] = b"{\"hello\": \"world\"}";

/// The test request of appendix B.2.
const REQUEST: [(&str, &str); 5] = [
    ("Host", "example.com"),
    ("Date", "Tue, 20 Apr 2021 02:07:55 GMT"),
    ("Content-Type", "application/json"),
    (
        "Content-Digest",
        "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:",
    ),
    ("Content-Length", "18"),
];

/// The test response of appendix B.2.
const RESPONSE: [(&str, &str); 4] = [
    ("Date", "Tue, 20 Apr 2021 02:07:56 GMT"),
    ("Content-Type", "application/json"),
    (
        "Content-Digest",
        "sha-512=:mEWXIS7MaLRuGgxOBdODa3xqM1XdEvxoYhvlCFJ41QJgJc4GTsPp29l5oGX69wWdXymyU0rjJuahq4l5aGgfLQ==:",
    ),
    ("Content-Length", "23"),
];

struct Example {
    name: &'static str,
    key: &'static str,
    algorithm: Algorithm,
    input: &'static str,
    signature: &'static str,
    base: &'static str,
}

/// The examples over the test request of appendix B.2.
fn requests() -> Vec<Example> {
    #[cfg_attr(not(feature = "aws-lc-rs"), expect(unused_mut, reason = "RSA needs aws-lc-rs"))]
    let mut examples = vec![Example {
        name: "B.2.6",
        key: ED25519,
        algorithm: Algorithm::Ed25519,
        input: r#"sig-b26=("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519""#,
        signature: "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:",
        base: r#""date": Tue, 20 Apr 2021 02:07:55 GMT
"@method": POST
"@path": /foo
"@authority": example.com
"content-type": application/json
"content-length": 18
"@signature-params": ("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519""#,
    }];
    #[cfg(feature = "aws-lc-rs")]
    examples.extend([
        Example {
            name: "B.2.1",
            key: RSA_PSS,
            algorithm: Algorithm::RsaPssSha512,
            input: r#"sig-b21=();created=1618884473;keyid="test-key-rsa-pss";nonce="b3k2pp5k7z-50gnwp.yemd""#,
            signature: "sig-b21=:d2pmTvmbncD3xQm8E9ZV2828BjQWGgiwAaw5bAkgibUopemLJcWDy/lkbbHAve4cRAtx31Iq786U7it++wgGxbtRxf8Udx7zFZsckzXaJMkA7ChG52eSkFxykJeNqsrWH5S+oxNFlD4dzVuwe8DhTSja8xxbR/Z2cOGdCbzR72rgFWhzx2VjBqJzsPLMIQKhO4DGezXehhWwE56YCE+O6c0mKZsfxVrogUvA4HELjVKWmAvtl6UnCh8jYzuVG5WSb/QEVPnP5TmcAnLH1g+s++v6d4s8m0gCw1fV5/SITLq9mhho8K3+7EPYTU8IU1bLhdxO5Nyt8C8ssinQ98Xw9Q==:",
            base: r#""@signature-params": ();created=1618884473;keyid="test-key-rsa-pss";nonce="b3k2pp5k7z-50gnwp.yemd""#,
        },
        Example {
            name: "B.2.2",
            key: RSA_PSS,
            algorithm: Algorithm::RsaPssSha512,
            input: r#"sig-b22=("@authority" "content-digest" "@query-param";name="Pet");created=1618884473;keyid="test-key-rsa-pss";tag="header-example""#,
            signature: "sig-b22=:LjbtqUbfmvjj5C5kr1Ugj4PmLYvx9wVjZvD9GsTT4F7GrcQEdJzgI9qHxICagShLRiLMlAJjtq6N4CDfKtjvuJyE5qH7KT8UCMkSowOB4+ECxCmT8rtAmj/0PIXxi0A0nxKyB09RNrCQibbUjsLS/2YyFYXEu4TRJQzRw1rLEuEfY17SARYhpTlaqwZVtR8NV7+4UKkjqpcAoFqWFQh62s7Cl+H2fjBSpqfZUJcsIk4N6wiKYd4je2U/lankenQ99PZfB4jY3I5rSV2DSBVkSFsURIjYErOs0tFTQosMTAoxk//0RoKUqiYY8Bh0aaUEb0rQl3/XaVe4bXTugEjHSw==:",
            base: r#""@authority": example.com
"content-digest": sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:
"@query-param";name="Pet": dog
"@signature-params": ("@authority" "content-digest" "@query-param";name="Pet");created=1618884473;keyid="test-key-rsa-pss";tag="header-example""#,
        },
        Example {
            name: "B.2.3",
            key: RSA_PSS,
            algorithm: Algorithm::RsaPssSha512,
            input: r#"sig-b23=("date" "@method" "@path" "@query" "@authority" "content-type" "content-digest" "content-length");created=1618884473;keyid="test-key-rsa-pss""#,
            signature: "sig-b23=:bbN8oArOxYoyylQQUU6QYwrTuaxLwjAC9fbY2F6SVWvh0yBiMIRGOnMYwZ/5MR6fb0Kh1rIRASVxFkeGt683+qRpRRU5p2voTp768ZrCUb38K0fUxN0O0iC59DzYx8DFll5GmydPxSmme9v6ULbMFkl+V5B1TP/yPViV7KsLNmvKiLJH1pFkh/aYA2HXXZzNBXmIkoQoLd7YfW91kE9o/CCoC1xMy7JA1ipwvKvfrs65ldmlu9bpG6A9BmzhuzF8Eim5f8ui9eH8LZH896+QIF61ka39VBrohr9iyMUJpvRX2Zbhl5ZJzSRxpJyoEZAFL2FUo5fTIztsDZKEgM4cUA==:",
            base: r#""date": Tue, 20 Apr 2021 02:07:55 GMT
"@method": POST
"@path": /foo
"@query": ?param=Value&Pet=dog
"@authority": example.com
"content-type": application/json
"content-digest": sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:
"content-length": 18
"@signature-params": ("date" "@method" "@path" "@query" "@authority" "content-type" "content-digest" "content-length");created=1618884473;keyid="test-key-rsa-pss""#,
        },
        Example {
            name: "2.5 and 3.2",
            key: RSA_PSS,
            algorithm: Algorithm::RsaPssSha512,
            input: r#"sig1=("@method" "@authority" "@path" "content-digest" "content-length" "content-type");created=1618884473;keyid="test-key-rsa-pss""#,
            signature: "sig1=:HIbjHC5rS0BYaa9v4QfD4193TORw7u9edguPh0AW3dMq9WImrlFrCGUDih47vAxi4L2YRZ3XMJc1uOKk/J0ZmZ+wcta4nKIgBkKq0rM9hs3CQyxXGxHLMCy8uqK488o+9jrptQ+xFPHK7a9sRL1IXNaagCNN3ZxJsYapFj+JXbmaI5rtAdSfSvzPuBCh+ARHBmWuNo1UzVVdHXrl8ePL4cccqlazIJdC4QEjrF+Sn4IxBQzTZsL9y9TP5FsZYzHvDqbInkTNigBcE9cKOYNFCn4D/WM7F6TNuZO9EgtzepLWcjTymlHzK7aXq6Am6sfOrpIC49yXjj3ae6HRalVc/g==:",
            base: r#""@method": POST
"@authority": example.com
"@path": /foo
"content-digest": sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:
"content-length": 18
"content-type": application/json
"@signature-params": ("@method" "@authority" "@path" "content-digest" "content-length" "content-type");created=1618884473;keyid="test-key-rsa-pss""#,
        },
    ]);
    examples
}

fn lines<'a>(
    fields: &[(&'a str, &'a str)],
    input: &'a str,
    signature: &'a str,
) -> Vec<FieldLine<'a>> {
    let signed = [("Signature-Input", input), ("Signature", signature)];
    fields.iter().chain(&signed).map(|(name, value)| FieldLine::new(name, value)).collect()
}

fn label(input: &str) -> &str {
    input.split_once('=').map_or(input, |(label, _)| label)
}

fn check(
    request: &Request<'_>,
    input: &str,
    key: &PublicKey,
) -> Result<VerifiedSignature, VerifyError> {
    verify_request(request, &VerifyOptions::new(label(input), &[], 1618884500), |_| Some(key))
}

#[test]
fn published_request_signatures_verify_over_the_published_bases() {
    for example in requests() {
        let fields = lines(&REQUEST, example.input, example.signature);
        let request = Request::new("POST", URL, &fields, REQUEST_BODY);
        let dictionary = Dictionary::parse(example.input.as_bytes()).unwrap();
        let member = dictionary.get(label(example.input)).unwrap();
        let MemberValue::InnerList(list) = &member.value else { panic!("{}", example.name) };
        let base = signature_base(&components(list).unwrap(), member.raw, &request).unwrap();
        assert_eq!(String::from_utf8(base).unwrap(), example.base, "{}", example.name);

        let key = PublicKey::from_spki_pem(example.key).unwrap();
        let verified = check(&request, example.input, &key).unwrap();
        assert_eq!(verified.algorithm, example.algorithm, "{}", example.name);
        assert_eq!(verified.params.created, Some(1618884473), "{}", example.name);
        assert_eq!(verified.components.len(), list.items.len(), "{}", example.name);
    }
}

#[test]
fn a_change_of_any_covered_component_breaks_the_signature() {
    for example in requests() {
        let key = PublicKey::from_spki_pem(example.key).unwrap();
        let fields = lines(&REQUEST, example.input, example.signature);
        let request = Request::new("POST", URL, &fields, REQUEST_BODY);
        let covered = check(&request, example.input, &key).unwrap().components;
        let covers = |name: &str| covered.iter().any(|identifier| identifier.starts_with(name));

        let mut changed = fields.clone();
        changed[0] = FieldLine::new("Host", "example.org");
        changed[1] = FieldLine::new("Date", "Tue, 20 Apr 2021 02:07:56 GMT");
        changed[3] = FieldLine::new("Content-Digest", "sha-512=:AA==:");
        let method = request.method;
        let at = |url| Request::new(method, url, &fields, REQUEST_BODY);
        let date = |fields| Request::new(method, URL, fields, REQUEST_BODY);
        let other = "https://example.org/foo?param=Value&Pet=dog";
        let elsewhere = Request::new(method, other, &changed, REQUEST_BODY);
        let mut with_date = fields.clone();
        with_date[1] = changed[1];
        let mut with_digest = fields.clone();
        with_digest[3] = changed[3];
        let cases = [
            ("\"@authority\"", elsewhere),
            ("\"@method\"", Request::new("PUT", URL, &fields, REQUEST_BODY)),
            ("\"@path\"", at("https://example.com/bar?param=Value&Pet=dog")),
            ("\"@query\"", at("https://example.com/foo?param=Value&Pet=dog&x")),
            ("\"@query-param\"", at("https://example.com/foo?param=Value&Pet=cat")),
            ("\"date\"", date(&with_date)),
            ("\"content-digest\"", date(&with_digest)),
        ];
        for (component, changed) in cases.into_iter().filter(|(component, _)| covers(component)) {
            let refused = check(&changed, example.input, &key);
            assert_eq!(refused, Err(VerifyError::Invalid), "{} {component}", example.name);
        }
    }
}

#[test]
fn b_2_4_a_response_signed_with_ecdsa() {
    let input = r#"sig-b24=("@status" "content-type" "content-digest" "content-length");created=1618884473;keyid="test-key-ecc-p256""#;
    let signature = "sig-b24=:wNmSUAhwb5LxtOtOpNa6W5xj067m5hFrj0XQ4fvpaCLx0NKocgPquLgyahnzDnDAUy5eCdlYUEkLIj+32oiasw==:";
    let base = r#""@status": 200
"content-type": application/json
"content-digest": sha-512=:mEWXIS7MaLRuGgxOBdODa3xqM1XdEvxoYhvlCFJ41QJgJc4GTsPp29l5oGX69wWdXymyU0rjJuahq4l5aGgfLQ==:
"content-length": 23
"@signature-params": ("@status" "content-type" "content-digest" "content-length");created=1618884473;keyid="test-key-ecc-p256""#;
    let fields = lines(&RESPONSE, input, signature);
    let response = Response::new(200, &fields, b"{\"message\": \"good dog\"}");
    let source = ResponseInContext::new(response);
    let covered = ["@status", "content-type", "content-digest", "content-length"];
    let covered = covered.map(|name| Component::new(name, &[]).unwrap());
    let mut params = SignatureParams::default();
    params.created = Some(1618884473);
    params.keyid = Some("test-key-ecc-p256".into());
    let prepared = prepare(&source, &SignOptions::new("sig-b24", &covered, params)).unwrap();
    assert_eq!(prepared.base(), base.as_bytes());
    assert_eq!(prepared.signature_input_member(), input);

    let key = PublicKey::from_spki_pem(ECC_P256).unwrap();
    let options = VerifyOptions::new("sig-b24", &covered, 1618884473);
    assert!(verify_response(&source, &options, |_| Some(&key)).is_ok());
    let not_found = ResponseInContext::new(Response::new(404, &fields, response.body));
    let refused = verify_response(&not_found, &options, |_| Some(&key));
    assert_eq!(refused, Err(VerifyError::Invalid));
}

#[test]
fn section_2_4_a_response_bound_to_its_request() {
    let request_fields = REQUEST.map(|(name, value)| FieldLine::new(name, value));
    let request = Request::new("POST", URL, &request_fields, REQUEST_BODY);
    let input = r#"reqres=("@status" "content-digest" "content-type" "@authority";req "@method";req "@path";req "content-digest";req);created=1618884479;keyid="test-key-ecc-p256""#;
    let fields = lines(
        &[
            ("Date", "Tue, 20 Apr 2021 02:07:56 GMT"),
            ("Content-Type", "application/json"),
            (
                "Content-Digest",
                "sha-512=:0Y6iCBzGg5rZtoXS95Ijz03mslf6KAMCloESHObfwnHJDbkkWWQz6PhhU9kxsTbARtY2PTBOzq24uJFpHsMuAg==:",
            ),
            ("Content-Length", "62"),
        ],
        input,
        "reqres=:dMT/A/76ehrdBTD/2Xx8QuKV6FoyzEP/I9hdzKN8LQJLNgzU4W767HK05rx1i8meNQQgQPgQp8wq2ive3tV5Ag==:",
    );
    let response = Response::new(503, &fields, b"");
    let key = PublicKey::from_spki_pem(ECC_P256).unwrap();
    let options = VerifyOptions::new("reqres", &[], 1618884479);
    let alone = ResponseInContext::new(response);
    let check = |source| verify_response(&source, &options, |_| Some(&key)).map(|_| ());
    assert_eq!(check(alone.with_request(request)), Ok(()));
    let put = Request::new("PUT", URL, &request_fields, REQUEST_BODY);
    assert_eq!(check(alone.with_request(put)), Err(VerifyError::Invalid));
    assert!(matches!(check(alone), Err(VerifyError::Component(_))));
}

#[test]
fn section_4_3_one_of_several_signatures() {
    let input = concat!(
        r#"sig1=("@method" "@authority" "@path" "content-digest" "content-type" "content-length")"#,
        r#";created=1618884475;keyid="test-key-ecc-p256", proxy_sig=("@method" "forwarded");created=1618884480"#,
    );
    let signature = "sig1=:X5spyd6CFnAG5QnDyHfqoSNICd+BUP4LYMz2Q0JXlb//4Ijpzp+kve2w4NIyqeAuM7jTDX+sNalzA8ESSaHD3A==:, proxy_sig=:AA==:";
    let fields = lines(&REQUEST, input, signature);
    let key = PublicKey::from_spki_pem(ECC_P256).unwrap();
    let request = Request::new("POST", URL, &fields, REQUEST_BODY);
    let verified = check(&request, "sig1=", &key).unwrap();
    assert_eq!(verified.params.created, Some(1618884475));
}

#[test]
fn b_3_a_signature_over_a_client_certificate_field() {
    let certificate = ":MIIBqDCCAU6gAwIBAgIBBzAKBggqhkjOPQQDAjA6MRswGQYDVQQKDBJMZXQncyBBdXRoZW50aWNhdGUxGzAZBgNVBAMMEkxBIEludGVybWVkaWF0ZSBDQTAeFw0yMDAxMTQyMjU1MzNaFw0yMTAxMjMyMjU1MzNaMA0xCzAJBgNVBAMMAkJDMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE8YnXXfaUgmnMtOXU/IncWalRhebrXmckC8vdgJ1p5Be5F/3YC8OthxM4+k1M6aEAEFcGzkJiNy6J84y7uzo9M6NyMHAwCQYDVR0TBAIwADAfBgNVHSMEGDAWgBRm3WjLa38lbEYCuiCPct0ZaSED2DAOBgNVHQ8BAf8EBAMCBsAwEwYDVR0lBAwwCgYIKwYBBQUHAwIwHQYDVR0RAQH/BBMwEYEPYmRjQGV4YW1wbGUuY29tMAoGCCqGSM49BAMCA0gAMEUCIBHda/r1vaL6G3VliL4/Di6YK0Q6bMjeSkC3dFCOOB8TAiEAx/kHSB4urmiZ0NX5r5XarmPk0wmuydBVoU4hBVZ1yhk=:";
    let input = r#"ttrp=("@path" "@query" "@method" "@authority" "client-cert");created=1618884473;keyid="test-key-ecc-p256""#;
    let signature = "ttrp=:xVMHVpawaAC/0SbHrKRs9i8I3eOs5RtTMGCWXm/9nvZzoHsIg6Mce9315T6xoklyy0yzhD9ah4JHRwMLOgmizw==:";
    let fields = lines(
        &[("Host", "service.internal.example"), ("Client-Cert", certificate)],
        input,
        signature,
    );
    let url = "https://service.internal.example/foo?param=Value&Pet=dog";
    let key = PublicKey::from_spki_pem(ECC_P256).unwrap();
    assert!(check(&Request::new("POST", url, &fields, b""), input, &key).is_ok());
}

#[test]
fn b_4_what_a_signature_survives() {
    let input = r#"transform=("@method" "@path" "@authority" "accept");created=1618884473;keyid="test-key-ed25519""#;
    let signature = "transform=:ZT1kooQsEHpZ0I1IjCqtQppOmIqlJPeo7DHR3SoMn0s5JZ1eRGS0A+vyYP9t/LXlh5QMFFQ6cpLt2m0pmj3NDA==:";
    let org = ("Host", "example.org");
    let plain = "https://example.org/demo?name1=Value1&Name2=value2";
    let more = "https://example.org/demo?name1=Value1&Name2=value2&param=added";
    let (json, any) = (("Accept", "application/json"), ("Accept", "*/*"));
    let language = ("Accept-Language", "en-US,en;q=0.5");
    let joined = ("Accept", "application/json, */*");
    let com = "https://example.com/demo?name1=Value1&Name2=value2";
    type Case<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], Result<(), VerifyError>);
    let cases: [Case<'_>; 5] = [
        ("GET", plain, &[org, json, any], Ok(())),
        ("GET", more, &[org, json, any, language], Ok(())),
        ("GET", plain, &[org, joined], Ok(())),
        ("POST", com, &[("Host", "example.com"), json, any], Err(VerifyError::Invalid)),
        ("GET", plain, &[org, any, json], Err(VerifyError::Invalid)),
    ];
    let key = PublicKey::from_spki_pem(ED25519).unwrap();
    for (method, url, fields, expected) in cases {
        let fields = lines(fields, input, signature);
        let checked = check(&Request::new(method, url, &fields, b""), input, &key);
        assert_eq!(checked.map(|_| ()), expected, "{method} {url} {fields:?}");
    }
}

fn sign_with_ed25519(base: &[u8]) -> [u8; 64] {
    ed25519_dalek::SigningKey::from_bytes(&ED25519_SEED).sign(base).to_bytes()
}

#[test]
fn b_2_6_signing_gives_the_published_fields() {
    let fields = REQUEST.map(|(name, value)| FieldLine::new(name, value));
    let request = Request::new("POST", URL, &fields, REQUEST_BODY);
    let covered = ["date", "@method", "@path", "@authority", "content-type", "content-length"];
    let covered = covered.map(|name| Component::new(name, &[]).unwrap());
    let mut params = SignatureParams::default();
    params.created = Some(1618884473);
    params.keyid = Some("test-key-ed25519".into());
    let prepared = prepare(&request, &SignOptions::new("sig-b26", &covered, params)).unwrap();
    let signature =
        Signature::from_raw(Algorithm::Ed25519, &sign_with_ed25519(prepared.base())).unwrap();
    let signed = prepared.finish(&signature);
    let published = requests().into_iter().find(|example| example.name == "B.2.6").unwrap();
    assert_eq!(signed.signature_input, published.input);
    assert_eq!(signed.signature, published.signature);
}

#[test]
fn the_received_spelling_of_the_parameters_is_what_was_signed() {
    // Another order and spacing than this crate writes, and a parameter it does not know.
    let spelling = r#"( "@method"   "@path" );keyid="k";other=?1; created=1618884473"#;
    let covered = ["@method", "@path"].map(|name| Component::new(name, &[]).unwrap());
    let unsigned = Request::new("POST", URL, &[], b"");
    let signature = sign_with_ed25519(&signature_base(&covered, spelling, &unsigned).unwrap());
    let mut member = String::from("s=");
    push_byte_sequence(&mut member, &signature, Alphabet::Standard);
    let key = PublicKey::from_spki_pem(ED25519).unwrap();
    let verdict = |spelling: &str| {
        let input = format!("s={spelling}");
        let fields = lines(&[], &input, &member);
        check(&Request::new("POST", URL, &fields, b""), "s=", &key).map(|_| ())
    };
    assert_eq!(verdict(spelling), Ok(()));
    let canonical = r#"("@method" "@path");keyid="k";other;created=1618884473"#;
    assert_eq!(verdict(canonical), Err(VerifyError::Invalid));
}
