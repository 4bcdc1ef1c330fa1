//! `Answer`: what came back for a call, read within bounds.

use std::collections::VecDeque;

use a2a::{A2AError, JsonRpcError, JsonRpcId, JsonRpcResponse, StreamResponse};
use a2a_pb::protojson_conv::{self, ProtoJsonPayload};
use futures_util::{Stream, stream};
use http::header::CONTENT_TYPE;
use reqwest::Response;
use serde_json::Value;

use super::{
    Outcome,
    events::Events,
    refused::{invalid, of_peer, refused, rest_error},
};
use crate::Refusal;

/// What came back for a call. Its status says that the agent answers in the terms of A2A.
#[derive(Debug)]
pub(super) struct Answer {
    response: Response,
    /// The identifier of the call, over JSON-RPC.
    id: Option<JsonRpcId>,
    limit: usize,
}

impl Answer {
    pub(super) async fn of(
        response: Response,
        id: Option<JsonRpcId>,
        limit: usize,
    ) -> Outcome<Self> {
        let status = response.status();
        if let Some(refusal) = Refusal::of(status, response.headers()) {
            return Err(refused(&refusal));
        }
        let answer = Self { response, id, limit };
        if status.is_success() {
            return Ok(answer);
        }
        let body = answer.body().await?;
        Err(rest_error(status, &body))
    }

    /// The only message of the answer.
    pub(super) async fn message<A: ProtoJsonPayload>(self) -> Outcome<A> {
        let id = self.id.clone();
        let body = self.body().await?;
        let value = serde_json::from_slice(&body).map_err(|error| invalid(&error))?;
        let value = match id {
            Some(id) => result_of(value, &id)?.ok_or_else(|| invalid("it has no result"))?,
            None => value,
        };
        protojson_conv::from_value(value).map_err(|error| invalid(&error))
    }

    /// Whether the call was carried out. Its answer holds nothing.
    pub(super) async fn done(self) -> Outcome<()> {
        let Some(id) = self.id.clone() else { return Ok(()) };
        let body = self.body().await?;
        let value = serde_json::from_slice(&body).map_err(|error| invalid(&error))?;
        result_of(value, &id).map(|_| ())
    }

    /// The messages of a stream. It ends after the first error.
    pub(super) async fn events(
        self,
    ) -> Outcome<impl Stream<Item = Outcome<StreamResponse>> + Send + 'static> {
        let kind = self.response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("text/event-stream") {
            // An error comes in an envelope of its own, with the status 200.
            let id = self.id.clone();
            let body = self.body().await?;
            if let (Some(id), Ok(value)) = (id, serde_json::from_slice(&body)) {
                result_of(value, &id)?;
            }
            return Err(invalid("it is not a stream of events"));
        }
        let Self { response, id, limit } = self;
        let state = Reading { response, id, events: Events::new(limit), ready: VecDeque::new() };
        Ok(stream::try_unfold(state, Reading::next))
    }

    async fn body(self) -> Outcome<Vec<u8>> {
        let Self { mut response, limit, .. } = self;
        let mut whole = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| invalid(&error))? {
            if chunk.len() > limit.saturating_sub(whole.len()) {
                return Err(invalid(&format!("it has more than {limit} bytes; raise the limit")));
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(whole)
    }
}

/// A stream that is being read.
struct Reading {
    response: Response,
    id: Option<JsonRpcId>,
    events: Events,
    ready: VecDeque<String>,
}

impl Reading {
    async fn next(mut self) -> Outcome<Option<(StreamResponse, Self)>> {
        loop {
            if let Some(data) = self.ready.pop_front() {
                return Ok(Some((event_of(&data, self.id.as_ref())?, self)));
            }
            match self.response.chunk().await.map_err(|error| invalid(&error))? {
                Some(chunk) => self.events.read(&chunk, &mut self.ready)?,
                None => return self.events.end().map(|()| None),
            }
        }
    }
}

/// The message that an event holds.
fn event_of(data: &str, id: Option<&JsonRpcId>) -> Outcome<StreamResponse> {
    let value: Value = serde_json::from_str(data).map_err(|error| invalid(&error))?;
    let value = match id {
        Some(id) => result_of(value, id)?.ok_or_else(|| invalid("an event has no result"))?,
        // Over HTTP+JSON an error has the form of JSON-RPC's, without its envelope.
        None if value.get("code").is_some() => {
            let error = serde_json::from_value::<JsonRpcError>(value);
            return Err(error.map_or_else(|error| invalid(&error), of_peer));
        }
        None => value,
    };
    protojson_conv::from_value(value).map_err(|error| invalid(&error))
}

/// The result in an envelope of JSON-RPC.
fn result_of(envelope: Value, id: &JsonRpcId) -> Result<Option<Value>, A2AError> {
    let envelope: JsonRpcResponse =
        serde_json::from_value(envelope).map_err(|error| invalid(&error))?;
    if let Some(error) = envelope.error {
        return Err(of_peer(error));
    }
    if envelope.id != *id {
        return Err(invalid("it is the answer to another call"));
    }
    Ok(envelope.result)
}
