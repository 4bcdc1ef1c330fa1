//! `get_adcp_capabilities` over MCP: one JSON-RPC call over streamable HTTP.

use std::fmt;

use adcp_signing_core::{
    Answer,
    json::{Kind, Value},
};
use http::{HeaderMap, HeaderValue, StatusCode, header::CONTENT_TYPE};

use super::capabilities::{
    AgentCapabilities, CapabilitiesError, FetchCapabilities, MAX_BYTES, document,
};
use crate::{
    brand::AgentUrl,
    fetch::{FetchError, Fetcher, PostReply, Posted},
};

const PROTOCOL_VERSION: &str = "2025-06-18";
const SESSION: &str = "mcp-session-id";
const EVENT_STREAM: &str = "text/event-stream";
/// The longest name of a session that is sent back.
const MAX_SESSION_BYTES: usize = 256;

/// Asks an agent that speaks MCP for its capabilities: `tools/call` of `get_adcp_capabilities`,
/// posted to the agent's URL over a [`Fetcher`], whose guards and limits hold.
///
/// The tool is called at once. A server that wants a session first answers 400, 404 or a JSON-RPC
/// error; then it is initialized, and called again. All of it has the time of one fetch. The reply
/// may be JSON or a stream of events, 64 KiB in all, and the capabilities are its
/// `structuredContent`; text is not read in its place.
#[derive(Clone)]
pub struct McpCapabilities(Fetcher);

impl McpCapabilities {
    /// Asks over this fetcher.
    pub fn new(fetcher: Fetcher) -> Self {
        Self(fetcher)
    }

    async fn ask(&self, agent: &AgentUrl) -> Result<AgentCapabilities, CapabilitiesError> {
        let reply = self.call(agent, 1, None).await?;
        if !wants_a_session(&reply) {
            return read_call(&reply, 1);
        }
        let reply = self.post(agent, initialize(), Some(2), None).await?;
        result_of(&reply, 2, |_| Ok(()))?;
        let session = reply.fields.get(SESSION).filter(|name| name.len() <= MAX_SESSION_BYTES);
        let session = session.cloned();
        let initialized = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
        let reply = self.post(agent, initialized.to_owned(), None, session.as_ref()).await?;
        if !reply.status.is_success() {
            return Err(status(reply.status));
        }
        let reply = self.call(agent, 3, session.as_ref()).await?;
        read_call(&reply, 3)
    }

    async fn call(
        &self,
        agent: &AgentUrl,
        id: u64,
        session: Option<&HeaderValue>,
    ) -> Result<PostReply, FetchError> {
        let call = format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"get_adcp_capabilities","arguments":{{}}}}}}"#
        );
        self.post(agent, call, Some(id), session).await
    }

    async fn post(
        &self,
        agent: &AgentUrl,
        body: String,
        id: Option<u64>,
        session: Option<&HeaderValue>,
    ) -> Result<PostReply, FetchError> {
        let version = ("mcp-protocol-version", HeaderValue::from_static(PROTOCOL_VERSION));
        let session = session.map(|session| (SESSION, session.clone()));
        let posted = Posted {
            url: agent.public(),
            body,
            accept: "application/json, text/event-stream",
            fields: [version].into_iter().chain(session).collect(),
            max_bytes: MAX_BYTES,
        };
        // A server may keep a stream open after the reply.
        self.0
            .post(posted, |fields, body| {
                id.is_none_or(|id| is_event_stream(fields) && event_with(body, id).is_some())
            })
            .await
    }
}

impl FetchCapabilities for McpCapabilities {
    fn capabilities<'a>(
        &'a self,
        agent: &'a AgentUrl,
    ) -> Answer<'a, AgentCapabilities, CapabilitiesError> {
        Answer::later(self.0.within_the_time_of_one(self.ask(agent)))
    }
}

impl fmt::Debug for McpCapabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("McpCapabilities").finish_non_exhaustive()
    }
}

fn initialize() -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":2,"method":"initialize","params":{{"protocolVersion":"{PROTOCOL_VERSION}","capabilities":{{}},"clientInfo":{{"name":"adcp-signing","version":"{}"}}}}}}"#,
        env!("CARGO_PKG_VERSION")
    )
}

/// Whether the server may answer once it is initialized.
fn wants_a_session(reply: &PostReply) -> bool {
    match reply.status {
        StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND => true,
        StatusCode::OK => message_of(reply, 1)
            .and_then(|json| {
                let document = document(json).ok()?;
                Some(document.root().member("error").is_some())
            })
            .unwrap_or(false),
        _ => false,
    }
}

fn status(status: StatusCode) -> CapabilitiesError {
    FetchError::Status { status: status.as_u16() }.into()
}

fn read_call(reply: &PostReply, id: u64) -> Result<AgentCapabilities, CapabilitiesError> {
    result_of(reply, id, |result| {
        if result.member("isError").is_some_and(|flag| flag.as_bool() != Some(false)) {
            return Err(CapabilitiesError::Refused);
        }
        let payload = result.member("structuredContent");
        let payload =
            payload.ok_or(CapabilitiesError::Answer("the result has no `structuredContent`"))?;
        AgentCapabilities::read(payload)
    })
}

/// Reads the `result` of the reply to the request with this id.
fn result_of<T>(
    reply: &PostReply,
    id: u64,
    read: impl FnOnce(Value<'_, '_>) -> Result<T, CapabilitiesError>,
) -> Result<T, CapabilitiesError> {
    if reply.status != StatusCode::OK {
        return Err(status(reply.status));
    }
    let json = message_of(reply, id)
        .ok_or(CapabilitiesError::Answer("it is neither JSON nor a stream with the reply in it"))?;
    let document = document(json)?;
    let root = document.root();
    let is_reply = root.member("jsonrpc").and_then(Value::as_str).as_deref() == Some("2.0")
        && root.member("id").and_then(Value::as_u64) == Some(id);
    if !is_reply {
        return Err(CapabilitiesError::Answer("it is not the JSON-RPC reply to the question"));
    }
    match (root.member("result"), root.member("error")) {
        (Some(result), None) if result.kind() == Kind::Object => read(result),
        (None, Some(_)) => Err(CapabilitiesError::Refused),
        _ => Err(CapabilitiesError::Answer("it has no result")),
    }
}

/// The JSON-RPC message of a reply.
fn message_of(reply: &PostReply, id: u64) -> Option<&[u8]> {
    if is_event_stream(&reply.fields) {
        return event_with(&reply.body, id);
    }
    (reply.media_type()? == "application/json").then_some(reply.body.as_slice())
}

fn is_event_stream(fields: &HeaderMap) -> bool {
    fields.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(|value| {
        value.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(EVENT_STREAM)
    })
}

/// The data of the first whole event that is the reply to a request. Servers of MCP send a message
/// as one `data` line; an event with several is not one.
fn event_with(stream: &[u8], id: u64) -> Option<&[u8]> {
    let text = std::str::from_utf8(stream).ok().or_else(|| {
        // The last character may still be under way.
        let error = std::str::from_utf8(stream).err()?;
        std::str::from_utf8(stream.get(..error.valid_up_to())?).ok()
    })?;
    let mut data = None;
    let mut lines = 0;
    for line in text.split_inclusive('\n') {
        let Some(line) = line.strip_suffix('\n') else { break };
        let line = line.strip_suffix('\r').unwrap_or(line);
        if let Some(value) = line.strip_prefix("data:") {
            data = Some(value.strip_prefix(' ').unwrap_or(value));
            lines += 1;
        } else if line.is_empty() {
            if let (Some(found), 1) = (data, lines)
                && is_reply(found.as_bytes(), id)
            {
                return Some(found.as_bytes());
            }
            (data, lines) = (None, 0);
        }
    }
    None
}

fn is_reply(json: &[u8], id: u64) -> bool {
    document(json).is_ok_and(|document| {
        document.root().member("id").and_then(Value::as_u64) == Some(id)
            && document.root().member("method").is_none()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reply_is_found_among_the_events_of_a_stream() {
        let reply = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
        let progress = r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{}}"#;
        let question = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
        for stream in [
            format!("event: message\ndata: {reply}\n\n"),
            format!("data:{reply}\r\n\r\n"),
            format!(": hello\n\ndata: {progress}\n\ndata: {question}\n\ndata: {reply}\n\n\u{e9}"),
        ] {
            assert_eq!(event_with(stream.as_bytes(), 1), Some(reply.as_bytes()), "{stream}");
            assert_eq!(event_with(stream.as_bytes(), 2), None, "{stream}");
        }
        for stream in [
            format!("data: {reply}\n"),
            format!("data: {reply}"),
            format!("data: x\ndata: {reply}\n\n"),
            format!("id: {reply}\n\n"),
        ] {
            assert_eq!(event_with(stream.as_bytes(), 1), None, "{stream}");
        }
    }
}
