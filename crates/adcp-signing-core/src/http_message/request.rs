//! `HttpRequest`: what [`Request`] borrows from, of `http::request::Parts` and the body's bytes.

use ::http::request::Parts;

use crate::rfc9421::{FieldLine, Request};

/// A request of the `http` crate with its target URI, made by
/// [`Origin::request`](super::Origin::request).
#[derive(Debug, Clone)]
pub struct HttpRequest<'a> {
    method: &'a str,
    url: String,
    pseudo_authority: Option<&'a str>,
    fields: Vec<FieldLine<'a>>,
    body: &'a [u8],
}

impl<'a> HttpRequest<'a> {
    pub(super) fn new(parts: &'a Parts, url: String, body: &'a [u8]) -> Self {
        let line = |(name, value): (&'a ::http::HeaderName, &'a ::http::HeaderValue)| FieldLine {
            name: name.as_str(),
            value: value.as_bytes(),
        };
        Self {
            method: parts.method.as_str(),
            url,
            pseudo_authority: parts.uri.authority().map(|authority| authority.as_str()),
            fields: parts.headers.iter().map(line).collect(),
            body,
        }
    }

    /// The request as signers and verifiers take it.
    pub fn as_request(&self) -> Request<'_> {
        Request {
            method: self.method,
            url: &self.url,
            pseudo_authority: self.pseudo_authority,
            fields: &self.fields,
            body: self.body,
        }
    }
}
