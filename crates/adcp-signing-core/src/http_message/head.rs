//! `RequestHead`: what is read of a request before its body, whatever library holds it.

use crate::rfc9421::FieldLine;

/// The head of a request, as an HTTP library holds it. `http::request::Parts` has it; implement it
/// for the request of another library, or of another version of the `http` crate.
///
/// Answer with what was received, unchanged: a path that is decoded or normalized is not the one
/// that was signed.
///
/// ```
/// use adcp_signing_core::{FieldLine, http_message::RequestHead};
///
/// struct Mine {
///     path: String,
///     fields: Vec<(String, Vec<u8>)>,
/// }
///
/// impl RequestHead for Mine {
///     fn method(&self) -> &str {
///         "POST"
///     }
///     fn path_and_query(&self) -> Option<&str> {
///         Some(&self.path)
///     }
///     fn fields(&self) -> impl Iterator<Item = FieldLine<'_>> {
///         self.fields.iter().map(|(name, value)| FieldLine { name, value })
///     }
/// }
/// ```
pub trait RequestHead {
    /// The method, as received.
    fn method(&self) -> &str;

    /// The scheme of an absolute request target, or `:scheme`. HTTP/1.1 has none in most requests.
    fn scheme(&self) -> Option<&str> {
        None
    }

    /// The authority of an absolute request target, or `:authority`; not the field `Host`.
    fn authority(&self) -> Option<&str> {
        None
    }

    /// Path and query of the request target, as received. None for `*` and for `CONNECT`.
    fn path_and_query(&self) -> Option<&str>;

    /// All field lines, in the order of each name's lines.
    fn fields(&self) -> impl Iterator<Item = FieldLine<'_>>;
}

impl<H: RequestHead> RequestHead for &H {
    fn method(&self) -> &str {
        H::method(self)
    }

    fn scheme(&self) -> Option<&str> {
        H::scheme(self)
    }

    fn authority(&self) -> Option<&str> {
        H::authority(self)
    }

    fn path_and_query(&self) -> Option<&str> {
        H::path_and_query(self)
    }

    fn fields(&self) -> impl Iterator<Item = FieldLine<'_>> {
        H::fields(self)
    }
}

impl RequestHead for ::http::request::Parts {
    fn method(&self) -> &str {
        self.method.as_str()
    }

    fn scheme(&self) -> Option<&str> {
        self.uri.scheme_str()
    }

    fn authority(&self) -> Option<&str> {
        self.uri.authority().map(|authority| authority.as_str())
    }

    fn path_and_query(&self) -> Option<&str> {
        self.uri.path_and_query().map(|path| path.as_str())
    }

    fn fields(&self) -> impl Iterator<Item = FieldLine<'_>> {
        self.headers
            .iter()
            .map(|(name, value)| FieldLine { name: name.as_str(), value: value.as_bytes() })
    }
}
