use adcp_signing_core::provider::toolkit::MAX_RETRY_AFTER;
use azure_core::http::{StatusCode, headers::HeaderValue};

use super::*;

const VAULT: &str = "https://secret-vault.vault.azure.net/keys/buyer";

fn answered(status: u16, body: &str, fields: &[(HeaderName, &str)]) -> ProviderError {
    of_call(Service::KeyVault, Operation::Sign, &answer(status, body, fields))
}

fn answer(status: u16, body: &str, fields: &[(HeaderName, &str)]) -> Error {
    let mut headers = Headers::new();
    for (name, value) in fields {
        headers.insert(name.clone(), HeaderValue::from((*value).to_owned()));
    }
    let status = StatusCode::from(status);
    let response = RawResponse::from_bytes(status, headers, body.to_owned());
    let kind = ErrorKind::HttpResponse {
        status,
        error_code: Some("of the client".to_owned()),
        raw_response: Some(Box::new(response)),
    };
    Error::with_message(kind, VAULT)
}

fn service(status: u16, code: &str, inner: &str) -> ProviderError {
    let inner = match inner {
        "" => String::new(),
        inner => format!(r#","innererror":{{"code":"{inner}"}}"#),
    };
    answered(
        status,
        &format!(r#"{{"error":{{"code":"{code}","message":"about {VAULT}"{inner}}}}}"#),
        &[],
    )
}

#[test]
fn the_code_of_the_service_decides() {
    for (status, code, inner, expected) in [
        (401, "Unauthorized", "", Kind::AccessDenied),
        (403, "Forbidden", "KeyDisabled", Kind::KeyDisabled),
        (403, "Forbidden", "KeyNotYetValidOrExpired", Kind::KeyDisabled),
        (403, "Forbidden", "KeyExpired", Kind::KeyDisabled),
        (403, "Forbidden", "KeyNotYetValid", Kind::KeyDisabled),
        (403, "Forbidden", "ForbiddenByRbac", Kind::AccessDenied),
        (403, "Forbidden", "AccessDenied", Kind::AccessDenied),
        (403, "Forbidden", "ForbiddenByFirewall", Kind::AccessDenied),
        (403, "Forbidden", "KeyOperationForbidden", Kind::AlgorithmMismatch),
        (403, "Forbidden", "ALaterCode", Kind::AccessDenied),
        (404, "KeyNotFound", "", Kind::KeyNotFound),
        (404, "ALaterCode", "", Kind::KeyNotFound),
        // What a server of another make has for a code: it counts, and is not shown.
        (
            404,
            "com.github.nagyesta.lowkeyvault.service.exception.NotFoundException",
            "",
            Kind::KeyNotFound,
        ),
        (403, "AccessDenied", "", Kind::AccessDenied),
        (400, "BadParameter", "", Kind::AlgorithmMismatch),
        (400, "ALaterCode", "", Kind::Configuration),
        (409, "Conflict", "ObjectIsBeingRecovered", Kind::Unavailable),
        (409, "Conflict", "ObjectIsDeletedButRecoverable", Kind::Configuration),
        (429, "Throttled", "", Kind::Throttled),
        (500, "InternalServerError", "", Kind::Unavailable),
        (503, "Throttled", "", Kind::Throttled),
        (503, "ServiceUnavailable", "", Kind::Unavailable),
    ] {
        assert_eq!(service(status, code, inner).kind(), expected, "{status} {code} {inner}");
    }
}

#[test]
fn a_bad_parameter_is_the_algorithm_s_only_where_one_was_given() {
    let error = answer(400, r#"{"error":{"code":"BadParameter"}}"#, &[]);
    assert_eq!(of_call(Service::KeyVault, Operation::Sign, &error).kind(), Kind::AlgorithmMismatch);
    assert_eq!(of_call(Service::KeyVault, Operation::GetKey, &error).kind(), Kind::Configuration);
}

/// A refusal whose reason is not known is not told as a missing role.
#[test]
fn only_a_refusal_for_want_of_a_role_advises_to_assign_one() {
    for (code, inner, role) in [
        ("Forbidden", "ForbiddenByRbac", true),
        ("Forbidden", "ForbiddenByPolicy", true),
        ("Forbidden", "AccessDenied", true),
        ("AccessDenied", "", true),
        ("Forbidden", "ALaterCode", false),
        ("Forbidden", "", false),
        ("Forbidden", "ForbiddenByFirewall", false),
    ] {
        let text = service(403, code, inner).to_string();
        assert_eq!(text.contains("assign the role"), role, "{code} {inner}: {text}");
    }
}

/// `AccessDenied` and the request ID are as
/// <https://github.com/Azure/azure-cli/issues/32719> and the recordings of
/// <https://github.com/Azure/azure-sdk-for-js> have them.
#[test]
fn a_managed_hsm_is_named_and_has_roles_of_its_own() {
    let id = "b5754cbe-605c-11ed-a993-0022488d4c2b";
    let body = format!(
        r#"{{"error":{{"code":"AccessDenied","message":"Not authorized to access {VAULT}"}}}}"#
    );
    let answered = answer(403, &body, &[(HeaderName::from_static("x-ms-request-id"), id)]);
    let error = of_call(Service::ManagedHsm, Operation::Sign, &answered);
    assert_eq!(error.kind(), Kind::AccessDenied);
    let text = error.to_string();
    assert!(text.contains("--hsm-name") && !text.contains("Key Vault Crypto User"), "{text}");
    let source = error.source().unwrap().to_string();
    let expected = format!("Azure Managed HSM answered HTTP 403 AccessDenied, request {id}");
    assert_eq!(source, expected);
}

/// The forms of <https://learn.microsoft.com/entra/identity-platform/claims-challenge>: the
/// client takes the first for none of its own, and asks again after the second.
#[test]
fn a_claims_challenge_is_a_revoked_token() {
    let challenge = r#"Bearer realm="", authorization_uri="https://login.example/secret-vault", error="insufficient_claims", claims="eyJ""#;
    let text = format!("no scope or resource in authentication challenge: {challenge}");
    for error in [
        Error::with_message(ErrorKind::DataConversion, text),
        answer(401, "", &[(WWW_AUTHENTICATE, challenge)]),
    ] {
        let failure = of_call(Service::KeyVault, Operation::Sign, &error);
        assert_eq!(failure.kind(), Kind::AccessDenied, "{failure}");
        assert!(failure.to_string().contains("log in again"), "{failure}");
        assert!(!format!("{failure:?}").contains("secret-vault"), "{failure:?}");
    }
}

#[test]
fn without_a_code_the_http_status_decides() {
    for (status, expected) in [
        (201, Kind::InvalidResponse),
        (302, Kind::InvalidResponse),
        (400, Kind::Configuration),
        (401, Kind::AccessDenied),
        (403, Kind::AccessDenied),
        (404, Kind::Configuration),
        (407, Kind::AccessDenied),
        (408, Kind::Timeout),
        (409, Kind::Unavailable),
        (429, Kind::Throttled),
        (502, Kind::Unavailable),
        (503, Kind::Unavailable),
        (504, Kind::Timeout),
    ] {
        assert_eq!(answered(status, "<html>", &[]).kind(), expected, "{status}");
    }
}

#[test]
fn the_pause_is_taken_from_every_form_that_azure_has() {
    let pause = |status, fields: &[(HeaderName, &str)]| answered(status, "", fields).retry_after();
    let far = "Fri, 31 Dec 9999 23:59:59 GMT";
    assert_eq!(pause(429, &[(RETRY_AFTER, far)]), Some(MAX_RETRY_AFTER));
    let (seconds, milliseconds) = (Some(Duration::from_secs(7)), Some(Duration::from_millis(1500)));
    assert_eq!(pause(429, &[(RETRY_AFTER, "7")]), seconds);
    assert_eq!(pause(503, &[(RETRY_AFTER, " 7 ")]), seconds);
    assert_eq!(pause(429, &[(RETRY_AFTER_MS, "1500"), (RETRY_AFTER, "7")]), milliseconds);
    assert_eq!(pause(429, &[(X_MS_RETRY_AFTER_MS, "1500"), (RETRY_AFTER_MS, "9")]), milliseconds);
    assert_eq!(pause(429, &[(RETRY_AFTER_MS, "soon"), (RETRY_AFTER, "7")]), seconds);
    assert_eq!(pause(429, &[(RETRY_AFTER, "99999")]), Some(MAX_RETRY_AFTER));
    for none in ["", "-7", "soon", "Wed, 99 Nov 2026 00:00:00 GMT"] {
        assert_eq!(pause(429, &[(RETRY_AFTER, none)]), None, "{none}");
    }
    assert_eq!(pause(404, &[(RETRY_AFTER, "7")]), None);
}

#[test]
fn failures_without_an_answer_are_told_apart() {
    let entra = |status: u16, code: Option<&str>| {
        let kind = ErrorKind::HttpResponse {
            status: StatusCode::from(status),
            error_code: code.map(str::to_owned),
            raw_response: None,
        };
        Error::with_error(ErrorKind::Credential, Error::with_message(kind, VAULT), VAULT)
    };
    for (error, expected) in [
        (Error::with_message(ErrorKind::Connection, VAULT), Kind::Unavailable),
        (Error::with_message(ErrorKind::Io, VAULT), Kind::Unavailable),
        (Error::with_message(ErrorKind::DataConversion, VAULT), Kind::InvalidResponse),
        (Error::with_message(ErrorKind::Other, VAULT), Kind::Configuration),
        (Error::with_message(ErrorKind::Credential, VAULT), Kind::AccessDenied),
        (Error::with_message(ErrorKind::Credential, TOKEN_RACE), Kind::Unavailable),
        (Error::new(ErrorKind::Credential, NoCredentials { refused: None }), Kind::Configuration),
        (Error::with_message(ErrorKind::Credential, "az not found on PATH"), Kind::Configuration),
        (
            Error::with_message(ErrorKind::Credential, "please run 'az login' for secret-vault"),
            Kind::AccessDenied,
        ),
        (
            Error::with_message(ErrorKind::DataConversion, "invalid audience in challenge: x"),
            Kind::Configuration,
        ),
        (entra(401, Some("7000215")), Kind::AccessDenied),
        (entra(400, None), Kind::AccessDenied),
        (entra(429, None), Kind::Unavailable),
        (entra(503, None), Kind::Unavailable),
    ] {
        let failure = of_call(Service::KeyVault, Operation::Sign, &error);
        assert_eq!(failure.kind(), expected, "{error}");
        assert!(!format!("{failure:?} {failure}").contains("secret-vault"), "{failure:?}");
    }
    let refused = of_call(Service::KeyVault, Operation::Sign, &entra(401, Some("7000215")));
    assert_eq!(
        refused.source().map(ToString::to_string).as_deref(),
        Some("the source of the Azure credentials answered HTTP 401 AADSTS7000215")
    );
}

#[test]
fn the_texts_of_the_service_are_not_repeated() {
    let error = service(403, "Forbidden", "KeyDisabled");
    let source = error.source().unwrap();
    assert_eq!(source.to_string(), "Azure Key Vault answered HTTP 403 Forbidden (KeyDisabled)");
    for text in [format!("{error:?}"), error.to_string(), format!("{source:?}")] {
        assert!(!text.contains("secret-vault"), "{text}");
    }
}
