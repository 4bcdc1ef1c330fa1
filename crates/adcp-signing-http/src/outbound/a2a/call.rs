//! `Route`: how a method of A2A goes over JSON-RPC and over HTTP+JSON.

use a2a::{A2AError, JsonRpcId, JsonRpcRequest, methods};
use a2a_client::ServiceParams;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use reqwest::Url;
use serde_json::{Map, Value};

use super::refused::not_sent;

/// A method, and where the HTTP+JSON binding has it. `{name}` in the path is a member of the
/// message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Route {
    rpc: &'static str,
    verb: Verb,
    path: &'static str,
}

/// `http::Method` is not for constants that are matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Get,
    Post,
    Delete,
}

/// What is signed and sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Outgoing {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) body: Option<Bytes>,
}

impl Route {
    pub(super) const SEND_MESSAGE: Self =
        Self::new(methods::SEND_MESSAGE, Verb::Post, "message:send");
    pub(super) const SEND_STREAMING_MESSAGE: Self =
        Self::new(methods::SEND_STREAMING_MESSAGE, Verb::Post, "message:stream");
    pub(super) const GET_TASK: Self = Self::new(methods::GET_TASK, Verb::Get, "tasks/{id}");
    pub(super) const LIST_TASKS: Self = Self::new(methods::LIST_TASKS, Verb::Get, "tasks");
    pub(super) const CANCEL_TASK: Self =
        Self::new(methods::CANCEL_TASK, Verb::Post, "tasks/{id}:cancel");
    pub(super) const SUBSCRIBE_TO_TASK: Self =
        Self::new(methods::SUBSCRIBE_TO_TASK, Verb::Get, "tasks/{id}:subscribe");
    pub(super) const CREATE_PUSH_CONFIG: Self = Self::new(
        methods::CREATE_PUSH_CONFIG,
        Verb::Post,
        "tasks/{taskId}/pushNotificationConfigs",
    );
    pub(super) const GET_PUSH_CONFIG: Self = Self::new(
        methods::GET_PUSH_CONFIG,
        Verb::Get,
        "tasks/{taskId}/pushNotificationConfigs/{id}",
    );
    pub(super) const LIST_PUSH_CONFIGS: Self =
        Self::new(methods::LIST_PUSH_CONFIGS, Verb::Get, "tasks/{taskId}/pushNotificationConfigs");
    pub(super) const DELETE_PUSH_CONFIG: Self = Self::new(
        methods::DELETE_PUSH_CONFIG,
        Verb::Delete,
        "tasks/{taskId}/pushNotificationConfigs/{id}",
    );
    pub(super) const GET_EXTENDED_AGENT_CARD: Self =
        Self::new(methods::GET_EXTENDED_AGENT_CARD, Verb::Get, "extendedAgentCard");

    const fn new(rpc: &'static str, verb: Verb, path: &'static str) -> Self {
        Self { rpc, verb, path }
    }

    /// The call as one JSON-RPC request (A2A 1.0 §9).
    pub(super) fn over_json_rpc(
        self,
        url: &Url,
        id: i64,
        message: Value,
    ) -> Result<Outgoing, A2AError> {
        let request = JsonRpcRequest::new(JsonRpcId::Number(id), self.rpc, Some(message));
        let body = Some(json(&request)?);
        Ok(Outgoing { method: Method::POST, url: url.clone(), body })
    }

    /// The call as a request of the HTTP+JSON binding (A2A 1.0 §11): the members of the message
    /// that the path does not name go into the body, or into the query where there is none.
    pub(super) fn over_http(self, base: &Url, message: Value) -> Result<Outgoing, A2AError> {
        let Value::Object(members) = &message else {
            return Err(not_sent("the message is not an object"));
        };
        let mut url = base.clone();
        let mut in_path = Vec::new();
        {
            let mut path = url.path_segments_mut();
            let path = path.as_mut().map_err(|()| not_sent("the URL of the agent has no path"))?;
            path.pop_if_empty();
            for segment in self.path.split('/') {
                path.push(&filled(segment, members, &mut in_path)?);
            }
        }
        let method = match self.verb {
            Verb::Post => {
                return Ok(Outgoing { method: Method::POST, url, body: Some(json(&message)?) });
            }
            Verb::Get => Method::GET,
            Verb::Delete => Method::DELETE,
        };
        for (name, value) in members.iter().filter(|(name, _)| !in_path.contains(&name.as_str())) {
            let value = match value {
                Value::String(text) => text.clone(),
                Value::Number(_) | Value::Bool(_) => value.to_string(),
                _ => return Err(not_sent(format!("{name} has no form in a query"))),
            };
            url.query_pairs_mut().append_pair(name, &value);
        }
        Ok(Outgoing { method, url, body: None })
    }
}

/// A segment of a path, with the member that it names.
fn filled<'a>(
    segment: &'a str,
    members: &Map<String, Value>,
    in_path: &mut Vec<&'a str>,
) -> Result<String, A2AError> {
    let Some((name, rest)) = segment.strip_prefix('{').and_then(|rest| rest.split_once('}')) else {
        return Ok(segment.to_owned());
    };
    in_path.push(name);
    let value = members.get(name).and_then(Value::as_str).unwrap_or_default();
    // A URL leaves the last two out, and the request would be another method's.
    if matches!(value, "" | "." | "..") {
        return Err(not_sent(format!("the {name} {value:?} cannot be a segment of a path")));
    }
    Ok(format!("{value}{rest}"))
}

fn json(value: &impl serde::Serialize) -> Result<Bytes, A2AError> {
    let bytes = serde_json::to_vec(value);
    bytes.map(Bytes::from).map_err(|error| not_sent(format!("the message has no JSON: {error}")))
}

/// The service parameters as header fields.
pub(super) fn fields_of(params: &ServiceParams) -> Result<HeaderMap, A2AError> {
    let mut fields = HeaderMap::new();
    for (name, values) in params {
        let bad = || not_sent(format!("the service parameter {name:?} cannot be a header field"));
        let field = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
        for value in values {
            let value = HeaderValue::from_str(value).map_err(|_| bad())?;
            fields.try_append(&field, value).map_err(|_| bad())?;
        }
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn url() -> Url {
        "https://seller.example.com/a2a/".parse().unwrap()
    }

    #[test]
    fn each_method_has_its_path_and_what_the_path_leaves_goes_into_query_or_body() {
        let task = || json!({ "id": "t-1", "historyLength": 2, "tenant": "a b" });
        let config = || json!({ "taskId": "t-1", "id": "c-1" });
        for (route, message, method, expected) in [
            (Route::SEND_MESSAGE, json!({}), "POST", "message:send"),
            (Route::SEND_STREAMING_MESSAGE, json!({}), "POST", "message:stream"),
            (Route::GET_TASK, task(), "GET", "tasks/t-1?historyLength=2&tenant=a+b"),
            (
                Route::LIST_TASKS,
                json!({ "includeArtifacts": true, "contextId": "c" }),
                "GET",
                "tasks?contextId=c&includeArtifacts=true",
            ),
            (Route::CANCEL_TASK, task(), "POST", "tasks/t-1:cancel"),
            (Route::SUBSCRIBE_TO_TASK, json!({ "id": "t/1?" }), "GET", "tasks/t%2F1%3F:subscribe"),
            (Route::CREATE_PUSH_CONFIG, config(), "POST", "tasks/t-1/pushNotificationConfigs"),
            (Route::GET_PUSH_CONFIG, config(), "GET", "tasks/t-1/pushNotificationConfigs/c-1"),
            (
                Route::LIST_PUSH_CONFIGS,
                json!({ "taskId": "t-1", "pageSize": 5 }),
                "GET",
                "tasks/t-1/pushNotificationConfigs?pageSize=5",
            ),
            (
                Route::DELETE_PUSH_CONFIG,
                config(),
                "DELETE",
                "tasks/t-1/pushNotificationConfigs/c-1",
            ),
            (Route::GET_EXTENDED_AGENT_CARD, json!({}), "GET", "extendedAgentCard"),
        ] {
            let outgoing = route.over_http(&url(), message.clone()).unwrap();
            let expected = format!("https://seller.example.com/a2a/{expected}");
            assert_eq!((outgoing.method.as_str(), outgoing.url.as_str()), (method, &*expected));
            let body = (method == "POST").then(|| Bytes::from(message.to_string()));
            assert_eq!(outgoing.body, body, "{expected}");
        }
    }

    #[test]
    fn what_would_become_another_request_is_not_sent() {
        for (route, message) in [
            (Route::GET_TASK, json!({ "id": "" })),
            (Route::GET_TASK, json!({ "id": "." })),
            (Route::GET_TASK, json!({ "id": ".." })),
            (Route::CANCEL_TASK, json!({ "id": ".." })),
            (Route::GET_TASK, json!({})),
            (Route::LIST_TASKS, json!({ "contextId": ["a"] })),
            (Route::LIST_TASKS, json!([])),
        ] {
            let error = route.over_http(&url(), message.clone()).unwrap_err();
            assert!(error.message.contains("not sent"), "{message}: {error}");
        }
        for (name, value) in [("a b", "c"), ("a", "b\nc")] {
            let params = ServiceParams::from([(name.to_owned(), vec![value.to_owned()])]);
            let error = fields_of(&params).unwrap_err();
            assert!(error.message.contains("service parameter"), "{error}");
        }
    }
}
