//! What each answer comes to.

use std::error::Error as _;

use adcp_signing_core::provider::toolkit::MAX_RETRY_AFTER;
use google_cloud_gax::error::CredentialsError;
use http::HeaderMap;

use super::*;

const PROJECT: &str = "projects/secret-project";

fn answer(status: u16, body: &str, headers: HeaderMap) -> Error {
    let body = body.as_bytes().to_vec().into();
    match Status::try_from(&body) {
        Ok(service) => Error::service_with_http_metadata(service, Some(status), Some(headers)),
        Err(_) => Error::http(status, headers, body),
    }
}

fn answered(status: u16, body: &str, headers: HeaderMap) -> ProviderError {
    of_call(&answer(status, body, headers))
}

fn service(status: u16, code: &str, details: &str) -> ProviderError {
    let body = format!(
        r#"{{"error":{{"code":{status},"message":"about {PROJECT}","status":"{code}","details":[{details}]}}}}"#
    );
    answered(status, &body, HeaderMap::new())
}

#[test]
fn the_code_of_the_service_decides() {
    let disabled =
        r#"{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"SERVICE_DISABLED"}"#;
    for (status, code, details, expected) in [
        (400, "FAILED_PRECONDITION", "", Kind::KeyDisabled),
        (400, "INVALID_ARGUMENT", "", Kind::AlgorithmMismatch),
        (400, "OUT_OF_RANGE", "", Kind::Configuration),
        (401, "UNAUTHENTICATED", "", Kind::AccessDenied),
        (403, "PERMISSION_DENIED", "", Kind::AccessDenied),
        (403, "PERMISSION_DENIED", disabled, Kind::Configuration),
        (404, "NOT_FOUND", "", Kind::KeyNotFound),
        (409, "ABORTED", "", Kind::Unavailable),
        (429, "RESOURCE_EXHAUSTED", "", Kind::Throttled),
        (499, "CANCELLED", "", Kind::Unavailable),
        (500, "INTERNAL", "", Kind::Unavailable),
        (500, "DATA_LOSS", "", Kind::Unavailable),
        (501, "UNIMPLEMENTED", "", Kind::Configuration),
        (503, "UNAVAILABLE", "", Kind::Unavailable),
        (504, "DEADLINE_EXCEEDED", "", Kind::Timeout),
        // Where the two disagree, and where the code is none.
        (200, "NOT_FOUND", "", Kind::KeyNotFound),
        (429, "A_LATER_CODE", "", Kind::Throttled),
    ] {
        assert_eq!(service(status, code, details).kind(), expected, "{status} {code} {details}");
    }
}

fn detail(kind: &str, rest: &str) -> String {
    format!(r#"{{"@type":"type.googleapis.com/google.rpc.{kind}",{rest}}}"#)
}

/// The reasons of <https://github.com/googleapis/googleapis/blob/master/google/api/error_reason.proto>,
/// and the violation that VPC Service Controls adds:
/// <https://github.com/GoogleCloudPlatform/terraform-google-cloud-functions/issues/109>.
#[test]
fn a_denial_is_told_by_its_reason_and_only_iam_s_advises_a_role() {
    let info = |reason: &str| detail("ErrorInfo", &format!(r#""reason":"{reason}""#));
    let perimeter = detail(
        "PreconditionFailure",
        r#""violations":[{"type":"VPC_SERVICE_CONTROLS","description":"VQQn"}]"#,
    );
    for (details, kind, says) in [
        (String::new(), Kind::AccessDenied, "roles/cloudkms.signerVerifier"),
        (info("IAM_PERMISSION_DENIED"), Kind::AccessDenied, "roles/cloudkms.signerVerifier"),
        (info("SECURITY_POLICY_VIOLATED"), Kind::AccessDenied, "VPC Service Controls"),
        (perimeter, Kind::AccessDenied, "VPC Service Controls"),
        (info("USER_PROJECT_DENIED"), Kind::AccessDenied, "serviceUsageConsumer"),
        (info("ACCESS_TOKEN_SCOPE_INSUFFICIENT"), Kind::AccessDenied, "scope"),
        (info("LOCATION_POLICY_VIOLATED"), Kind::AccessDenied, "organization"),
        (info("CONSUMER_SUSPENDED"), Kind::Configuration, "billing"),
        (info("A_LATER_REASON"), Kind::AccessDenied, "not known here"),
    ] {
        let error = service(403, "PERMISSION_DENIED", &details);
        assert_eq!(error.kind(), kind, "{details}");
        let text = error.to_string();
        assert!(text.contains(says), "{details}: {text}");
        assert_eq!(text.contains("signerVerifier"), says.contains("signerVerifier"), "{text}");
    }
}

/// The type of the violation is that of the service, `KEY_` and the state, as clients of it
/// compare it (`KEY_PENDING_GENERATION`); older answers have the state in their text alone.
#[test]
fn a_key_version_that_is_not_enabled_is_told_by_its_state() {
    for (state, says) in [
        ("DISABLED", "versions enable"),
        ("PENDING_GENERATION", "wait some seconds"),
        ("PENDING_IMPORT", "wait some seconds"),
        ("DESTROYED", "destroyed"),
        ("DESTROY_SCHEDULED", "restore"),
        ("GENERATION_FAILED", "create another"),
        ("IMPORT_FAILED", "create another"),
        ("EXTERNAL_DESTRUCTION_FAILED", "external key"),
        ("PENDING_EXTERNAL_DESTRUCTION", "external key"),
        ("A_LATER_STATE", "versions describe"),
    ] {
        let violation = format!(
            r#""violations":[{{"type":"KEY_{state}","subject":"{PROJECT}","description":"{PROJECT}"}}]"#
        );
        let by_violation =
            service(400, "FAILED_PRECONDITION", &detail("PreconditionFailure", &violation));
        let text = format!(
            r#"{{"error":{{"code":400,"message":"{PROJECT} is not enabled, current state is: {state}.","status":"FAILED_PRECONDITION"}}}}"#
        );
        for error in [by_violation, answered(400, &text, HeaderMap::new())] {
            assert_eq!(error.kind(), Kind::KeyDisabled, "{state}");
            assert!(error.to_string().contains(says), "{state}: {error}");
            assert!(!format!("{error:?}").contains(PROJECT), "{error:?}");
        }
    }
}

/// The form of a refused checksum is not documented: the field that AIP-193 asks for, and the
/// words that the service's own reference has for it.
#[test]
fn a_checksum_that_the_service_refuses_is_damage_and_not_the_algorithm() {
    let field = detail("BadRequest", r#""fieldViolations":[{"field":"data_crc32c"}]"#);
    let other = detail("BadRequest", r#""fieldViolations":[{"field":"digest"}]"#);
    let status = |details: &str, message: &str| {
        let body = format!(
            r#"{{"error":{{"code":400,"message":"{message}","status":"INVALID_ARGUMENT","details":[{details}]}}}}"#
        );
        answer(400, &body, HeaderMap::new())
    };
    for (details, message, damage) in [
        (&*field, "", true),
        ("", "The checksum in field digest_crc32c did not match the data.", true),
        ("", "Digest CRC32C mismatch", true),
        (&other, "The digest has the wrong length.", false),
        ("", "", false),
    ] {
        assert_eq!(is_damage(&status(details, message)), damage, "{details} {message}");
    }
}

#[test]
fn the_request_id_is_in_the_source() {
    let id = "2b1a39f8-5a3c-4d0e-9f43-0c2f9a7e6d11";
    let info = detail("RequestInfo", &format!(r#""requestId":"{id}""#));
    let error = service(503, "UNAVAILABLE", &info);
    let expected = format!("Cloud KMS answered HTTP 503 UNAVAILABLE, request {id}");
    assert_eq!(error.source().unwrap().to_string(), expected);
}

#[test]
fn without_a_code_the_http_status_decides() {
    for (status, expected) in [
        (400, Kind::Configuration),
        (401, Kind::AccessDenied),
        (403, Kind::AccessDenied),
        (404, Kind::Configuration),
        (408, Kind::Timeout),
        (429, Kind::Throttled),
        (502, Kind::Unavailable),
        (503, Kind::Unavailable),
        (504, Kind::Timeout),
        (302, Kind::InvalidResponse),
    ] {
        assert_eq!(answered(status, "<html>", HeaderMap::new()).kind(), expected, "{status}");
    }
}

#[test]
fn the_pause_is_taken_from_the_details_or_from_the_header() {
    let info = r#"{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"7s"}"#;
    let endless = r#"{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"99999s"}"#;
    let pause = |error: ProviderError| error.retry_after();
    assert_eq!(pause(service(429, "RESOURCE_EXHAUSTED", info)), Some(Duration::from_secs(7)));
    assert_eq!(pause(service(429, "RESOURCE_EXHAUSTED", endless)), Some(MAX_RETRY_AFTER));
    assert_eq!(pause(service(429, "RESOURCE_EXHAUSTED", "")), None);
    assert_eq!(pause(service(404, "NOT_FOUND", info)), None);

    let with = |value: &'static str| {
        HeaderMap::from_iter([(RETRY_AFTER, http::HeaderValue::from_static(value))])
    };
    assert_eq!(pause(answered(503, "", with("3"))), Some(Duration::from_secs(3)));
    assert_eq!(pause(answered(503, "", with("-3"))), None);
}

#[test]
fn failures_without_an_answer_are_told_apart() {
    for (error, expected) in [
        (Error::timeout(PROJECT), Kind::Timeout),
        (Error::connect(PROJECT), Kind::Unavailable),
        (Error::io(PROJECT), Kind::Unavailable),
        (Error::deser(PROJECT), Kind::InvalidResponse),
        (Error::binding(PROJECT), Kind::Configuration),
        (Error::ser(PROJECT), Kind::Configuration),
        (Error::authentication(CredentialsError::from_msg(true, PROJECT)), Kind::Unavailable),
        (Error::authentication(CredentialsError::from_msg(false, PROJECT)), Kind::AccessDenied),
        (
            Error::authentication(CredentialsError::from_msg(
                true,
                "To setup local credentials, run `gcloud auth application-default login`. ",
            )),
            Kind::Configuration,
        ),
    ] {
        let failure = of_call(&error);
        assert_eq!(failure.kind(), expected, "{error}");
        assert!(!format!("{failure:?} {failure}").contains(PROJECT), "{failure:?}");
    }
}

#[test]
fn the_texts_of_the_service_are_not_repeated() {
    let odd =
        format!(r#"{{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"{PROJECT}"}}"#);
    let error = service(403, "PERMISSION_DENIED", &odd);
    let source = error.source().unwrap();
    let expected = "Cloud KMS answered HTTP 403 PERMISSION_DENIED";
    assert_eq!(source.to_string(), expected);
    for text in [format!("{error:?}"), error.to_string(), format!("{source:?}")] {
        assert!(!text.contains(PROJECT), "{text}");
    }
}
