//! `ExternalHead`: the head of a request as its client sent it, in front of proxies and routers.

use adcp_signing_core::{
    FieldLine,
    http_message::{Origin, RequestHead},
};

/// A received head with the path that was received first, before a proxy or a router took a part
/// off it.
pub(super) struct ExternalHead<'a, H> {
    received: &'a H,
    path_and_query: Option<String>,
    /// For whom a proxy says the request was made, in place of what the proxy itself sent.
    attested: Option<&'a Origin>,
}

impl<'a, H: RequestHead> ExternalHead<'a, H> {
    /// `original` is path and query before routers changed them, where they say so.
    pub(super) fn new(received: &'a H, prefix: &str, original: Option<&str>) -> Self {
        let path = original.or_else(|| received.path_and_query());
        // `OPTIONS *` and `CONNECT` have no path to put a prefix before.
        let path_and_query = match path {
            Some(path) if path.starts_with('/') => Some(format!("{prefix}{path}")),
            other => other.map(str::to_owned),
        };
        Self { received, path_and_query, attested: None }
    }

    /// The head of a request that was made for this origin by the word of a trusted proxy.
    pub(super) fn attested(self, origin: &'a Origin) -> Self {
        Self { attested: Some(origin), ..self }
    }
}

impl<H: RequestHead> RequestHead for ExternalHead<'_, H> {
    fn method(&self) -> &str {
        self.received.method()
    }

    fn scheme(&self) -> Option<&str> {
        match self.attested {
            Some(origin) => Some(origin.scheme()),
            None => self.received.scheme(),
        }
    }

    fn authority(&self) -> Option<&str> {
        match self.attested {
            Some(origin) => Some(origin.authority()),
            None => self.received.authority(),
        }
    }

    fn path_and_query(&self) -> Option<&str> {
        self.path_and_query.as_deref()
    }

    fn fields(&self) -> impl Iterator<Item = FieldLine<'_>> {
        let is_replaced = self.attested.is_some();
        let fields = self.received.fields();
        fields.filter(move |line| !(is_replaced && line.name.eq_ignore_ascii_case("host")))
    }
}
