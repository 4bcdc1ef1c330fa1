//! Why a component cannot be covered, or has no value to sign.

use crate::{
    rfc9421::structured_fields::{ParseError, WriteError},
    target_uri::TargetUriError,
};

/// A component cannot be covered, or has no value that can be signed.
///
/// Identifiers in these errors come from the message. The field grammar makes them printable
/// ASCII.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ComponentError {
    /// A covered component that is not a string.
    #[error("a covered component is a {found}, expected a quoted string")]
    NotAString {
        /// The type found.
        found: &'static str,
    },
    /// Neither a lower-case field name nor a derived component.
    #[error("'{0}' is neither a lower-case field name nor a derived component")]
    InvalidName(String),
    /// A derived component this crate does not know.
    #[error("'{0}' is not a derived component of RFC 9421 section 2.2")]
    UnknownDerived(String),
    /// `@signature-params` is the last line of every signature base and cannot be covered (RFC 9421
    /// §2.5).
    #[error("'@signature-params' cannot be a covered component")]
    CoversSignatureParams,
    /// A parameter this crate does not know. It may change the value, so it cannot be ignored.
    #[error("component '{component}' has the unknown parameter '{parameter}'")]
    UnknownParameter {
        /// The component's name.
        component: String,
        /// The parameter's name.
        parameter: String,
    },
    /// A parameter value of the wrong type.
    #[error("parameter '{parameter}' of component '{component}' must be {expected}")]
    ParameterType {
        /// The component's name.
        component: String,
        /// The parameter's name.
        parameter: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// A parameter that does not apply to this component, or that contradicts another one.
    #[error("parameter '{parameter}' cannot be used on component '{component}'{}", if *.combined { " together with the others" } else { "" })]
    ParameterNotApplicable {
        /// The component's name.
        component: String,
        /// The parameter's name.
        parameter: &'static str,
        /// Whether it is the combination that is wrong.
        combined: bool,
    },
    /// `;tr`: trailer fields are not part of the messages this crate sees.
    #[error("component '{component}' is a trailer field, which is not supported")]
    TrailersUnsupported {
        /// The component's name.
        component: String,
    },
    /// `@query-param` without `;name`.
    #[error("'@query-param' lacks its 'name' parameter")]
    QueryParamWithoutName,
    /// The same component twice (RFC 9421 §2: the order of parameters makes no difference).
    #[error("component {0} is covered twice")]
    Duplicate(String),
    /// The message has no such component.
    #[error("component {0} is not in the message")]
    Missing(String),
    /// `@status`, or a component with `;req`, in a signature over a request.
    #[error("component {0} does not exist in a request")]
    NotInRequest(String),
    /// A component of requests, without `;req`, in a signature over a response.
    #[error("component {0} does not exist in a response; with ';req' it is that of the request")]
    NotInResponse(String),
    /// `;req`, but the request was not given.
    #[error("component {0} is of the request, which was not given")]
    NoRequest(String),
    /// A query parameter that occurs more than once cannot be covered by itself (RFC 9421 §2.2.8).
    #[error("the query parameter of component {0} occurs more than once; cover '@query' instead")]
    AmbiguousQueryParam(String),
    /// A query that is not percent-encoded UTF-8.
    #[error("the query is not percent-encoded UTF-8")]
    InvalidQuery,
    /// The target URI is malformed.
    #[error("the target URI is malformed: {0}")]
    TargetUri(#[from] TargetUriError),
    /// The request target of a CONNECT request is an authority, which its target URI does not
    /// contain.
    #[error("the target URI of a CONNECT request does not contain its request target")]
    ConnectTarget,
    /// `Host`, `:authority` and target URI name different authorities.
    #[error("{field} differs from the authority of the target URI")]
    AuthorityMismatch {
        /// `Host` or `:authority`.
        field: &'static str,
    },
    /// `;sf` on a field whose structured type is not known.
    #[error("field '{0}' is not known to be a structured field, so ';sf' cannot be applied")]
    UnknownFieldType(String),
    /// `;sf` or `;key` on a field that does not parse.
    #[error("field '{field}' is not the structured field it should be: {source}")]
    MalformedField {
        /// The field's name.
        field: String,
        /// Where it breaks.
        source: ParseError,
    },
    /// A structured value that has no canonical form.
    #[error("component {component} cannot be written: {source}")]
    Unwritable {
        /// The identifier.
        component: String,
        /// Why.
        source: WriteError,
    },
    /// A value with a line break or another control character could forge a line of the signature
    /// base.
    #[error("the value of component {component} has the control character 0x{byte:02x}")]
    ControlCharacter {
        /// The identifier.
        component: String,
        /// The byte.
        byte: u8,
    },
    /// A [`ComponentSource`](super::ComponentSource) removed bytes instead of appending its value.
    #[error("the source of component {component} changed the signature base before its value")]
    SourceTruncated {
        /// The identifier.
        component: String,
    },
    /// A method that is not a token (RFC 9110 §9.1).
    #[error(
        "the HTTP method is not a token such as POST (RFC 9110 §9.1): it has another character"
    )]
    Method,
    /// A method with lower-case letters, which AdCP signs in upper case. Methods are case-sensitive,
    /// so what is signed would not be what is sent.
    #[error(
        "the HTTP method has lower-case letters, and AdCP signs it in upper case; send it in upper \
         case, such as PATCH for patch"
    )]
    MethodCase,
    /// A value outside ASCII (RFC 9421 §2.5).
    #[error(
        "the value of component {component} is not ASCII; percent-encode it in a URL, or leave the \
         field uncovered"
    )]
    NotAscii {
        /// The identifier.
        component: String,
    },
    /// The text for `@signature-params` is not an inner list on one ASCII line.
    #[error("the text of '@signature-params' is not an inner list on one line of ASCII")]
    InvalidParamsText,
}
