//! `Post`: how a signed webhook gets to its receiver, by reqwest or, in tests, by a script.

use std::{error::Error as StdError, sync::Arc, time::Duration};

use adcp_signing_core::provider::toolkit::retry_after;
use adcp_signing_trust::guard::{GuardedResolver, ReservedAddress, SystemResolver};
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode, header::RETRY_AFTER};
use reqwest::{Certificate, Client, Proxy, dns::Resolve};

use super::{WebhookTarget, failure::AttemptFailure};
use crate::{Refusal, outbound::reqwest::plain};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(10);
/// How much of a reply is read. No reply to a webhook has a use for more.
const MAX_REPLY_BYTES: usize = 64 * 1024;

/// A receiver's answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) fields: HeaderMap,
    /// Up to [`MAX_REPLY_BYTES`]; the rest is not read.
    pub(super) body: Bytes,
}

impl Reply {
    /// The reply, where the receiver accepted the request.
    pub(super) fn accepted(self) -> Result<Self, AttemptFailure> {
        if self.status.is_success() { Ok(self) } else { Err(refusal(self.status, &self.fields)) }
    }
}

fn refusal(status: StatusCode, fields: &HeaderMap) -> AttemptFailure {
    match status {
        StatusCode::CONFLICT => return AttemptFailure::Conflict,
        StatusCode::UNAUTHORIZED => {
            if let Some(refusal) = Refusal::of(status, fields)
                && refusal.code().starts_with("webhook_")
            {
                return AttemptFailure::Refused(refusal);
            }
        }
        _ => {}
    }
    let retry_after = fields
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| retry_after(value, std::time::SystemTime::now()));
    AttemptFailure::Status { status: status.as_u16(), retry_after }
}

/// Sends one request, once.
#[async_trait]
pub(super) trait Post: Send + Sync {
    async fn post(
        &self,
        target: &WebhookTarget,
        fields: HeaderMap,
        body: Bytes,
    ) -> Result<Reply, AttemptFailure>;
}

/// A client that sends to public addresses alone, and repeats and follows nothing.
pub(super) struct Guard(Client);

impl Guard {
    pub(super) fn new(
        resolver: Option<Arc<dyn Resolve>>,
        roots: Vec<Certificate>,
        proxy: Option<Proxy>,
    ) -> Result<Self, reqwest::Error> {
        let resolver = resolver.unwrap_or_else(|| Arc::new(SystemResolver));
        // A proxy of the environment would resolve names by itself.
        let builder = Client::builder()
            .no_proxy()
            .dns_resolver(GuardedResolver::new(resolver))
            .tls_certs_merge(roots)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT);
        let builder = match proxy {
            Some(proxy) => builder.proxy(proxy),
            None => builder,
        };
        Ok(Self(plain(builder)?))
    }
}

#[async_trait]
impl Post for Guard {
    async fn post(
        &self,
        target: &WebhookTarget,
        fields: HeaderMap,
        body: Bytes,
    ) -> Result<Reply, AttemptFailure> {
        let request = self.0.post(target.url().clone()).headers(fields).body(body);
        let mut response = request.send().await.map_err(failure)?;
        let status = response.status();
        let fields = std::mem::take(response.headers_mut());
        let mut body = BytesMut::new();
        // The status has decided already, so a reply that breaks off is as good as a whole one.
        while let Ok(Some(chunk)) = response.chunk().await {
            let room = MAX_REPLY_BYTES.saturating_sub(body.len());
            body.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
            if body.len() >= MAX_REPLY_BYTES {
                break;
            }
        }
        Ok(Reply { status, fields, body: body.freeze() })
    }
}

/// The failure without the URL, which may hold secrets of the counterparty.
fn failure(error: reqwest::Error) -> AttemptFailure {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(&error);
    while let Some(error) = cause {
        if let Some(ReservedAddress { range, .. }) = error.downcast_ref() {
            return AttemptFailure::ReservedAddress { range };
        }
        cause = error.source();
    }
    if error.is_timeout() {
        return AttemptFailure::TimedOut;
    }
    AttemptFailure::Unreachable(error.without_url().into())
}
