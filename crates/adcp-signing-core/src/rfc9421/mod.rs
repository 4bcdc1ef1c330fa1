//! Plain RFC 9421: the parts of an HTTP message that a signature covers, and the signature base.
//!
//! All types borrow from the message; nothing is copied.

mod authority;
mod base;
mod component;
pub mod digest;
mod error;
mod field;
mod params;
pub mod plain;
mod source;
#[doc(hidden)]
pub mod structured_fields;

pub use self::authority::AuthorityError;
pub(crate) use self::authority::check_authority;
pub use self::base::{ComponentSource, signature_base};
pub use self::component::{Component, ComponentName, ComponentParam, components};
pub use self::error::ComponentError;
pub(crate) use self::params::push_inner_list;
pub use self::params::{SignatureParams, SignatureParamsError, inner_list_text};
pub use self::source::ResponseInContext;
pub use self::structured_fields::{Alphabet, ParseError, ParseErrorKind, WriteError};

/// One header field line, as received and in wire order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldLine<'a> {
    /// The field name; compared without regard to ASCII case.
    pub name: &'a str,
    /// The field value as bytes, as received.
    pub value: &'a [u8],
}

impl<'a> FieldLine<'a> {
    /// A line from text.
    pub fn new(name: &'a str, value: &'a str) -> Self {
        Self { name, value: value.as_bytes() }
    }

    /// Whether this is a line of the field `name`.
    pub fn is(&self, name: &str) -> bool {
        // Compare exactly first: it is cheaper, and header names usually match.
        self.name.len() == name.len()
            && std::iter::zip(self.name.bytes(), name.bytes())
                .all(|(left, right)| left == right || left.eq_ignore_ascii_case(&right))
    }
}

/// An HTTP request, as sent or as received.
///
/// ```
/// use adcp_signing_core::rfc9421::{FieldLine, Request};
///
/// let fields = [FieldLine::new("Content-Type", "application/json")];
/// let request = Request::new("POST", "https://seller.example.com/adcp/create_media_buy", &fields, b"{}");
/// assert_eq!(request.method, "POST");
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Request<'a> {
    /// The method, upper-case as on the wire.
    pub method: &'a str,
    /// The absolute target URI, scheme and authority included.
    pub url: &'a str,
    /// The HTTP/2 or HTTP/3 `:authority` pseudo-header, if the message has one.
    pub pseudo_authority: Option<&'a str>,
    /// The header field lines in wire order.
    pub fields: &'a [FieldLine<'a>],
    /// The body, empty if there is none.
    pub body: &'a [u8],
}

impl<'a> Request<'a> {
    /// A request without an `:authority` pseudo-header.
    pub fn new(method: &'a str, url: &'a str, fields: &'a [FieldLine<'a>], body: &'a [u8]) -> Self {
        Self { method, url, pseudo_authority: None, fields, body }
    }

    /// The `:authority` pseudo-header of HTTP/2 and HTTP/3, where the message has one.
    #[must_use]
    pub fn with_pseudo_authority(mut self, authority: Option<&'a str>) -> Self {
        self.pseudo_authority = authority;
        self
    }
}

/// An HTTP response, for plain RFC 9421 use. AdCP 3.x forbids RFC 9421 response signatures.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Response<'a> {
    /// The status code.
    pub status: u16,
    /// The header field lines in wire order.
    pub fields: &'a [FieldLine<'a>],
    /// The body, empty if there is none.
    pub body: &'a [u8],
}

impl<'a> Response<'a> {
    /// A response.
    pub fn new(status: u16, fields: &'a [FieldLine<'a>], body: &'a [u8]) -> Self {
        Self { status, fields, body }
    }
}
