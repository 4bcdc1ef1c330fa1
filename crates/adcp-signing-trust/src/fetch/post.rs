//! A POST with the guards of every fetch: for protocols that ask an agent a question.

use http::{HeaderValue, StatusCode, header::CONTENT_TYPE};
use tokio::time::timeout;

use super::{FetchError, Fetcher, is_plain, is_redirect};
use crate::guard::PublicUrl;

/// A JSON document that is posted.
pub(crate) struct Posted<'a> {
    pub(crate) url: &'a PublicUrl,
    pub(crate) body: String,
    pub(crate) accept: &'static str,
    /// Further fields.
    pub(crate) fields: Vec<(&'static str, HeaderValue)>,
    pub(crate) max_bytes: usize,
}

/// What came back, with any status but a redirect.
pub(crate) struct PostReply {
    pub(crate) status: StatusCode,
    pub(crate) fields: http::HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl PostReply {
    /// The media type, without its parameters.
    pub(crate) fn media_type(&self) -> Option<&str> {
        let value = self.fields.get(CONTENT_TYPE)?.to_str().ok()?;
        Some(value.split(';').next().unwrap_or_default().trim())
    }
}

impl Fetcher {
    /// Posts a document, and reads the reply until it ends or `is_whole` says that what was read
    /// will do. No redirects.
    pub(crate) async fn post(
        &self,
        posted: Posted<'_>,
        is_whole: impl Fn(&http::HeaderMap, &[u8]) -> bool,
    ) -> Result<PostReply, FetchError> {
        let all = self.post_now(posted, is_whole);
        timeout(self.0.timeout, all).await.unwrap_or(Err(FetchError::TimedOut))
    }

    /// Gives a question of several posts the time of one fetch.
    pub(crate) async fn within_the_time_of_one<T, E: From<FetchError>>(
        &self,
        all: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        timeout(self.0.timeout, all).await.unwrap_or(Err(FetchError::TimedOut.into()))
    }

    async fn post_now(
        &self,
        posted: Posted<'_>,
        is_whole: impl Fn(&http::HeaderMap, &[u8]) -> bool,
    ) -> Result<PostReply, FetchError> {
        let _turn = self.0.permits.acquire().await;
        let mut request = self
            .0
            .client
            .post(posted.url.url().clone())
            .header(http::header::ACCEPT, posted.accept)
            .header(http::header::ACCEPT_ENCODING, "identity")
            .header(CONTENT_TYPE, "application/json");
        for (name, value) in posted.fields {
            request = request.header(name, value);
        }
        let mut response = request.body(posted.body).send().await.map_err(FetchError::of_client)?;
        let status = response.status();
        if is_redirect(status) {
            return Err(FetchError::Redirected);
        }
        if !is_plain(response.headers()) {
            return Err(FetchError::Encoded);
        }
        let fields = std::mem::take(response.headers_mut());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(FetchError::of_client)? {
            if chunk.len() > posted.max_bytes.saturating_sub(body.len()) {
                return Err(FetchError::TooLarge { max: posted.max_bytes });
            }
            body.extend_from_slice(&chunk);
            if is_whole(&fields, &body) {
                break;
            }
        }
        Ok(PostReply { status, fields, body })
    }
}
