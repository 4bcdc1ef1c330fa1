//! Signing with rmcp, the official Rust SDK of MCP, over streamable HTTP.

use std::{collections::HashMap, io, sync::Arc};

use adcp_signing_core::{FieldLine, Request as Message, SignError, Signer, profile::Challenge};
use futures_util::stream::BoxStream;
use http::{HeaderName, HeaderValue};
use rmcp::{
    model::ClientJsonRpcMessage,
    service::ClientInitializeError,
    transport::streamable_http_client::{
        SseError, StreamableHttpClient, StreamableHttpError, StreamableHttpPostResponse,
        StreamableHttpResponseLimits,
    },
};
use sse_stream::Sse;

use super::{
    Counterparties, SignedCallError,
    counterparties::{signer_for, within_span},
};

type Fields = HashMap<HeaderName, HeaderValue>;
type Outcome<T> = Result<T, StreamableHttpError<reqwest::Error>>;

/// A client for the streamable HTTP transport of `rmcp` that signs each of its requests: messages,
/// the stream, and the end of the session.
///
/// It follows no redirects and repeats nothing by itself. Header fields that the transport is
/// configured with are sent, and are not covered by the signature, as the AdCP profile has it.
///
/// ```
/// use adcp_signing_core::Signer;
/// use adcp_signing_http::rmcp::SigningClient;
/// use rmcp::{
///     ServiceExt as _,
///     transport::{StreamableHttpClientTransport, streamable_http_client::StreamableHttpClientTransportConfig},
/// };
///
/// async fn tools(signer: Signer) -> Result<usize, Box<dyn std::error::Error>> {
///     let seller = StreamableHttpClientTransportConfig::with_uri("https://seller.example.com/mcp");
///     let transport = StreamableHttpClientTransport::with_client(SigningClient::new(signer)?, seller);
///     let client = ().serve(transport).await?;
///     Ok(client.list_all_tools().await?.len())
/// }
/// ```
#[derive(Debug, Clone)]
pub struct SigningClient {
    http: reqwest::Client,
    signer: Signer,
    counterparties: Option<Arc<Counterparties>>,
}

impl SigningClient {
    /// A client of its own.
    ///
    /// # Errors
    /// [`reqwest::Error`] where the client cannot be built: the TLS library does not start.
    pub fn new(signer: Signer) -> Result<Self, reqwest::Error> {
        Self::from_builder(reqwest::Client::builder(), signer)
    }

    /// [`new`](Self::new), with timeouts, proxies and certificates of your own. Redirects and
    /// retries that were set on the builder are switched off.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn from_builder(
        builder: reqwest::ClientBuilder,
        signer: Signer,
    ) -> Result<Self, reqwest::Error> {
        Ok(Self { http: super::reqwest::plain(builder)?, signer, counterparties: None })
    }

    /// Signs for each counterparty as it wants it.
    #[must_use]
    pub fn counterparties(mut self, counterparties: impl Into<Arc<Counterparties>>) -> Self {
        self.counterparties = Some(counterparties.into());
        self
    }

    async fn signed(
        &self,
        method: &str,
        url: &str,
        body: &[u8],
        fields: Fields,
    ) -> Result<Fields, SignedCallError> {
        within_span(url, self.sign(method, url, body, fields)).await
    }

    /// The fields with those of a signature over method, URL and body.
    async fn sign(
        &self,
        method: &str,
        url: &str,
        body: &[u8],
        mut fields: Fields,
    ) -> Result<Fields, SignedCallError> {
        // Of what is sent, only this field is covered.
        let content_type = FieldLine::new("content-type", "application/json");
        let covered = if body.is_empty() { &[][..] } else { &[content_type][..] };
        // The URL as the client sends it.
        let url = url.parse::<reqwest::Url>().map_err(|_| SignedCallError::MalformedUrl)?;
        let message = Message::new(method, url.as_str(), covered, body);
        let signer = signer_for(self.counterparties.as_deref(), &self.signer, &message).await?;
        let Some(signer) = signer else { return Ok(fields) };
        let signed = signer.sign(&message).await?;
        for (name, value) in signed.iter() {
            let name =
                HeaderName::from_bytes(name.as_bytes()).map_err(|_| SignError::TooManyFields)?;
            fields.insert(name, HeaderValue::from_str(value).map_err(SignError::from)?);
        }
        Ok(fields)
    }
}

impl StreamableHttpClient for SigningClient {
    type Error = reqwest::Error;

    async fn post_message(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session: Option<Arc<str>>,
        auth: Option<String>,
        fields: Fields,
    ) -> Outcome<StreamableHttpPostResponse> {
        let limits = StreamableHttpResponseLimits::default();
        self.post_message_with_response_limits(uri, message, session, auth, fields, limits).await
    }

    async fn post_message_with_response_limits(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session: Option<Arc<str>>,
        auth: Option<String>,
        fields: Fields,
        limits: StreamableHttpResponseLimits,
    ) -> Outcome<StreamableHttpPostResponse> {
        // `reqwest` makes the same bytes of the same message. If a version did not, the peer would
        // refuse the digest.
        let body = serde_json::to_vec(&message)?;
        let fields = self.signed("POST", &uri, &body, fields).await.map_err(unsent)?;
        let http = &self.http;
        http.post_message_with_response_limits(uri, message, session, auth, fields, limits).await
    }

    async fn delete_session(
        &self,
        uri: Arc<str>,
        session: Arc<str>,
        auth: Option<String>,
        fields: Fields,
    ) -> Outcome<()> {
        let fields = self.signed("DELETE", &uri, b"", fields).await.map_err(unsent)?;
        self.http.delete_session(uri, session, auth, fields).await
    }

    async fn get_stream(
        &self,
        uri: Arc<str>,
        session: Option<Arc<str>>,
        last_event: Option<String>,
        auth: Option<String>,
        fields: Fields,
    ) -> Outcome<BoxStream<'static, Result<Sse, SseError>>> {
        let fields = self.signed("GET", &uri, b"", fields).await.map_err(unsent)?;
        self.http.get_stream(uri, session, last_event, auth, fields).await
    }

    async fn get_stream_with_max_sse_event_size(
        &self,
        uri: Arc<str>,
        session: Option<Arc<str>>,
        last_event: Option<String>,
        auth: Option<String>,
        fields: Fields,
        max: usize,
    ) -> Outcome<BoxStream<'static, Result<Sse, SseError>>> {
        let fields = self.signed("GET", &uri, b"", fields).await.map_err(unsent)?;
        let http = &self.http;
        http.get_stream_with_max_sse_event_size(uri, session, last_event, auth, fields, max).await
    }
}

/// A request that was not signed and so not sent. The cause is in the chain of sources.
fn unsent(error: SignedCallError) -> StreamableHttpError<reqwest::Error> {
    StreamableHttpError::Io(io::Error::other(error))
}

/// The challenge with which a peer refused a signature, where that is why a call of `rmcp` failed.
/// The SDK's own message is only "Auth required".
///
/// ```
/// use adcp_signing_http::rmcp::challenge;
///
/// fn report(error: &(dyn std::error::Error + 'static)) {
///     match challenge(error) {
///         Some(challenge) => eprintln!("refused: {} ({:?})", challenge.code(), challenge.recovery()),
///         None => eprintln!("{error}"),
///     }
/// }
/// ```
pub fn challenge(error: &(dyn std::error::Error + 'static)) -> Option<Challenge> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(StreamableHttpError::AuthRequired(refused)) =
            error.downcast_ref::<StreamableHttpError<reqwest::Error>>()
        {
            return Challenge::parse(&refused.www_authenticate_header);
        }
        cause = match error.downcast_ref() {
            // Names its cause, and does not give it as its source.
            Some(ClientInitializeError::TransportError { error, .. }) => Some(error),
            Some(ClientInitializeError::LegacyFallbackFailed { discover, fallback }) => {
                return challenge(&**discover).or_else(|| challenge(&**fallback));
            }
            _ => error.source(),
        };
    }
    None
}
