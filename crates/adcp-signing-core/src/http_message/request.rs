//! `HttpRequest`: what [`Request`] borrows from, of a request's head and the body's bytes.

use super::RequestHead;
use crate::rfc9421::{FieldLine, Request};

/// A request of an HTTP library with its target URI, made by
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
    pub(super) fn new(head: &'a impl RequestHead, url: String, body: &'a [u8]) -> Self {
        Self {
            method: head.method(),
            url,
            pseudo_authority: head.authority(),
            fields: head.fields().collect(),
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
