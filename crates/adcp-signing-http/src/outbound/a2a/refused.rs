//! The errors of calls: [`refusal`], and how the SDK's error carries it.

use std::{collections::HashMap, error::Error, fmt};

use a2a::{A2AError, JsonRpcError, TypedDetail, error_code, errordetails, reason_to_error_code};
use http::StatusCode;
use serde_json::Value;

use crate::{Refusal, SignedCallError, reqwest::signed_call_error};

/// Marks the detail that holds a refusal.
const REFUSAL: &str = "urn:adcp-signing:refusal";

/// The refusal of a signature, where that is why a call failed.
///
/// ```
/// use a2a::A2AError;
/// use adcp_signing_core::Recovery;
/// use adcp_signing_http::a2a::refusal;
///
/// fn next_step(error: &A2AError) -> &'static str {
///     match refusal(error).map(|refusal| refusal.recovery()) {
///         Some(Recovery::Transient) => "send it again later",
///         Some(Recovery::Correctable) => "publish the key, or mend the message",
///         Some(Recovery::Terminal) => "tell an operator",
///         None => "look at the error",
///     }
/// }
/// ```
pub fn refusal(error: &A2AError) -> Option<Refusal> {
    let mut details = error.details.iter().flatten();
    let detail = details.find(|detail| detail.type_url == REFUSAL)?;
    let status = detail.value.get("status").and_then(Value::as_u64)?;
    let code = detail.value.get("code").and_then(Value::as_str)?;
    let status = StatusCode::from_u16(status.try_into().ok()?).ok()?;
    Refusal::from_parts(status, code)
}

/// The error that holds a refusal.
pub(super) fn refused(refusal: &Refusal) -> A2AError {
    let detail = HashMap::from([
        ("status".to_owned(), refusal.status().as_u16().into()),
        ("code".to_owned(), refusal.code().into()),
    ]);
    A2AError::invalid_request(refusal.to_string())
        .with_details(vec![TypedDetail::new(REFUSAL, detail)])
}

/// A call that was not sent.
pub(super) fn not_sent(reason: impl fmt::Display) -> A2AError {
    A2AError::invalid_params(format!("the request was not sent: {reason}"))
}

/// An answer that cannot be used.
pub(super) fn invalid(reason: &(impl fmt::Display + ?Sized)) -> A2AError {
    A2AError::internal(format!("the answer of the agent is invalid: {reason}"))
}

/// A call that the HTTP client did not carry out.
pub(super) fn failed(error: reqwest_middleware::Error) -> A2AError {
    match signed_call_error(&error) {
        Some(SignedCallError::Refused(refusal)) => refused(refusal),
        Some(error) => A2AError::invalid_request(error.to_string()),
        None => {
            let mut text = format!("the agent did not answer: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                text += &format!(": {error}");
                cause = error.source();
            }
            A2AError::internal(text)
        }
    }
}

/// An error that the agent reports over JSON-RPC. It cannot say that a signature was refused.
pub(super) fn of_peer(error: JsonRpcError) -> A2AError {
    let details = match error.data {
        Some(Value::Array(details)) => details,
        _ => Vec::new(),
    };
    let details = details.into_iter().filter_map(|detail| serde_json::from_value(detail).ok());
    with_details(error.code, error.message, details)
}

/// An error that the agent reports by the status of its answer, and in the body of HTTP+JSON.
pub(super) fn rest_error(status: StatusCode, body: &[u8]) -> A2AError {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let error = body.get("error");
    let text = error.and_then(|error| error.get("message").unwrap_or(error).as_str());
    let message = match text {
        Some(text) => format!("the agent answered {status}: {text}"),
        None => format!("the agent answered {status}"),
    };
    let details = error.and_then(|error| error.get("details")).and_then(Value::as_array);
    let details: Vec<TypedDetail> = details
        .into_iter()
        .flatten()
        .filter_map(|detail| serde_json::from_value(detail.clone()).ok())
        .collect();
    let code = details.iter().find_map(code_of).unwrap_or(match status.as_u16() {
        400..=499 => error_code::INVALID_REQUEST,
        _ => error_code::INTERNAL_ERROR,
    });
    with_details(code, message, details.into_iter())
}

fn with_details(
    code: i32,
    message: String,
    details: impl Iterator<Item = TypedDetail>,
) -> A2AError {
    let details: Vec<_> = details.filter(|detail| detail.type_url != REFUSAL).collect();
    A2AError { code, message, details: (!details.is_empty()).then_some(details) }
}

/// The code of A2A that a detail gives the reason of.
fn code_of(detail: &TypedDetail) -> Option<i32> {
    let text = |name| detail.value.get(name).and_then(Value::as_str);
    let is_protocols = detail.type_url == errordetails::ERROR_INFO_TYPE
        && text("domain") == Some(errordetails::PROTOCOL_DOMAIN);
    reason_to_error_code(text("reason")?).filter(|_| is_protocols)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_refusal_comes_back_from_the_error_and_no_agent_can_put_it_there() {
        let of = Refusal::from_parts(StatusCode::UNAUTHORIZED, "request_signature_key_unknown");
        let of = of.unwrap();
        let error = refused(&of);
        assert_eq!(refusal(&error), Some(of));
        let details = serde_json::to_value(&error.details).unwrap();
        let forged = JsonRpcError { code: 1, message: String::new(), data: Some(details.clone()) };
        assert_eq!(refusal(&of_peer(forged)), None);
        let body = json!({ "error": { "message": "no", "details": details } }).to_string();
        assert_eq!(refusal(&rest_error(StatusCode::FORBIDDEN, body.as_bytes())), None);
        assert_eq!(refusal(&A2AError::internal("no")), None);
    }

    #[test]
    fn an_error_by_status_has_the_code_of_its_reason() {
        let of = |domain: &str| {
            json!({ "error": { "message": "gone", "details": [{
                "@type": errordetails::ERROR_INFO_TYPE,
                "reason": "TASK_NOT_FOUND",
                "domain": domain,
            }] } })
            .to_string()
        };
        let error = rest_error(StatusCode::NOT_FOUND, of("a2a-protocol.org").as_bytes());
        assert_eq!(error.code, error_code::TASK_NOT_FOUND);
        assert_eq!(error.message, "the agent answered 404 Not Found: gone");
        let error = rest_error(StatusCode::NOT_FOUND, of("elsewhere.example").as_bytes());
        assert_eq!(error.code, error_code::INVALID_REQUEST);
        let error = rest_error(StatusCode::BAD_GATEWAY, b"<html>");
        assert_eq!(error.code, error_code::INTERNAL_ERROR);
        assert_eq!(error.message, "the agent answered 502 Bad Gateway");
        let error = rest_error(StatusCode::BAD_REQUEST, br#"{"error":"INVALID_REQUEST"}"#);
        assert_eq!(error.message, "the agent answered 400 Bad Request: INVALID_REQUEST");
    }
}
