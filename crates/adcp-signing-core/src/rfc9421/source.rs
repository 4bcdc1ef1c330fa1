//! The values of components in plain RFC 9421: from a request, or from a response and its request.

use super::component::is_token;
use super::field::append_field;
use super::{
    Component, ComponentError, ComponentName, ComponentParam, ComponentSource, Request, Response,
    check_authority,
};
use crate::{target_uri::PlainTarget, text::percent};

/// The values of plain RFC 9421 §2, for a signature over the request itself.
///
/// `@target-uri`, `@authority` and `@scheme` have scheme and host in lower case and no default
/// port; an empty path is `/`. If the message has a `Host` field or an `:authority`, it must agree
/// with the target URI. `@request-target` is the origin form, or `*` for `OPTIONS` without a
/// path: what a client sends to an origin server, not to a proxy.
impl ComponentSource for Request<'_> {
    fn append_value(
        &self,
        component: &Component<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), ComponentError> {
        if component.of_request() {
            return Err(ComponentError::NotInRequest(component.to_string()));
        }
        append_of_request(self, component, out)
    }
}

/// A response, and the request it answers if its signature covers parts of that (RFC 9421 §2.4).
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct ResponseInContext<'a> {
    /// The response.
    pub response: Response<'a>,
    /// The request, for components with `;req`.
    pub request: Option<Request<'a>>,
}

impl<'a> ResponseInContext<'a> {
    /// A response whose signature covers nothing of a request.
    pub fn new(response: Response<'a>) -> Self {
        Self { response, request: None }
    }

    /// The request that it answers.
    #[must_use]
    pub fn with_request(mut self, request: Request<'a>) -> Self {
        self.request = Some(request);
        self
    }
}

/// The values of plain RFC 9421 §2, for a signature over a response.
impl ComponentSource for ResponseInContext<'_> {
    fn append_value(
        &self,
        component: &Component<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), ComponentError> {
        if component.of_request() {
            let request = self.request.as_ref();
            let request =
                request.ok_or_else(|| ComponentError::NoRequest(component.to_string()))?;
            return append_of_request(request, component, out);
        }
        match component.name() {
            ComponentName::Status => {
                out.extend_from_slice(self.response.status.to_string().as_bytes());
                Ok(())
            }
            ComponentName::Field(name) => append_field(name, component, self.response.fields, out),
            _ => Err(ComponentError::NotInResponse(component.to_string())),
        }
    }
}

fn append_of_request(
    request: &Request<'_>,
    component: &Component<'_>,
    out: &mut Vec<u8>,
) -> Result<(), ComponentError> {
    let target = || PlainTarget::parse(request.url);
    match component.name() {
        ComponentName::Method if is_token(request.method) => {
            out.extend_from_slice(request.method.as_bytes())
        }
        ComponentName::Method => return Err(ComponentError::Method),
        ComponentName::TargetUri => {
            out.extend_from_slice(agreed(target()?, request)?.uri().as_bytes())
        }
        ComponentName::Authority => {
            out.extend_from_slice(agreed(target()?, request)?.authority.as_bytes())
        }
        ComponentName::Scheme => out.extend_from_slice(target()?.scheme.as_bytes()),
        ComponentName::RequestTarget => append_request_target(&target()?, request.method, out)?,
        ComponentName::Path => out.extend_from_slice(target()?.path_or_root().as_bytes()),
        ComponentName::Query => {
            out.push(b'?');
            out.extend_from_slice(target()?.query.unwrap_or_default().as_bytes());
        }
        ComponentName::QueryParam => {
            append_query_param(component, target()?.query.unwrap_or_default(), out)?
        }
        ComponentName::Status => return Err(ComponentError::NotInRequest(component.to_string())),
        ComponentName::Field(name) => append_field(name, component, request.fields, out)?,
    }
    Ok(())
}

/// The target, after the check that `Host` and `:authority` name the same authority. A recipient
/// that routes by one of them must reach the place that the signature names.
fn agreed<'a>(
    target: PlainTarget<'a>,
    request: &Request<'_>,
) -> Result<PlainTarget<'a>, ComponentError> {
    check_authority(request, target.scheme, &target.authority, PlainTarget::RULES)
        .map_err(|error| ComponentError::AuthorityMismatch { field: error.field() })?;
    Ok(target)
}

fn append_request_target(
    target: &PlainTarget<'_>,
    method: &str,
    out: &mut Vec<u8>,
) -> Result<(), ComponentError> {
    match (method, target.path, target.query) {
        ("CONNECT", _, _) => return Err(ComponentError::ConnectTarget),
        ("OPTIONS", "", None) => out.push(b'*'),
        (_, _, query) => {
            out.extend_from_slice(target.path_or_root().as_bytes());
            if let Some(query) = query {
                out.push(b'?');
                out.extend_from_slice(query.as_bytes());
            }
        }
    }
    Ok(())
}

/// RFC 9421 §2.2.8: the query is form data; the parameter's only value is percent-encoded again.
fn append_query_param(
    component: &Component<'_>,
    query: &str,
    out: &mut Vec<u8>,
) -> Result<(), ComponentError> {
    let name = component.param(|param| match param {
        ComponentParam::Name(name) => Some(*name),
        _ => None,
    });
    let name = name.ok_or(ComponentError::QueryParamWithoutName)?;
    let mut found = None;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (key, value) = (reencode(key)?, reencode(value)?);
        if key == name && found.replace(value).is_some() {
            return Err(ComponentError::AmbiguousQueryParam(component.to_string()));
        }
    }
    let value = found.ok_or_else(|| ComponentError::Missing(component.to_string()))?;
    out.extend_from_slice(value.as_bytes());
    Ok(())
}

/// Decodes as `application/x-www-form-urlencoded` does, which keeps a malformed escape as text, and
/// encodes with its percent-encode set, a space as `%20`.
fn reencode(text: &str) -> Result<String, ComponentError> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    loop {
        let (plain, tail) = rest.split_once('%').map_or((rest, None), |(a, b)| (a, Some(b)));
        decoded.extend(plain.bytes().map(|byte| if byte == b'+' { b' ' } else { byte }));
        let Some(tail) = tail else { break };
        let (octet, after) = percent::escape(tail).unwrap_or((b'%', tail));
        decoded.push(octet);
        rest = after;
    }
    // A form decoder replaces invalid UTF-8 with U+FFFD, which would give two queries one value.
    let decoded = String::from_utf8(decoded).map_err(|_| ComponentError::InvalidQuery)?;
    let mut encoded = String::with_capacity(text.len());
    for byte in decoded.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'*' | b'-' | b'.' | b'_') {
            encoded.push(char::from(byte));
        } else {
            percent::push_escape(&mut encoded, byte);
        }
    }
    Ok(encoded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{rfc9421::FieldLine, target_uri::TargetUriError};

    fn value(
        source: &dyn ComponentSource,
        component: &Component<'_>,
    ) -> Result<String, ComponentError> {
        let mut out = Vec::new();
        source.append_value(component, &mut out).map(|()| String::from_utf8(out).unwrap())
    }

    fn derived(method: &str, url: &str, name: &str) -> Result<String, ComponentError> {
        value(&Request::new(method, url, &[], b""), &Component::new(name, &[]).unwrap())
    }

    #[test]
    fn derived_components_are_those_of_section_2_2() {
        let url = "https://www.example.com/path?param=value";
        let cases = [
            ("POST", url, "@method", "POST"),
            ("POST", url, "@target-uri", url),
            ("POST", url, "@authority", "www.example.com"),
            ("POST", "http://www.example.com/path?param=value", "@scheme", "http"),
            ("POST", url, "@request-target", "/path?param=value"),
            ("GET", "https://www.example.com", "@request-target", "/"),
            ("OPTIONS", "https://www.example.com", "@request-target", "*"),
            ("OPTIONS", "https://www.example.com/", "@request-target", "/"),
            ("GET", "https://www.example.com/path", "@path", "/path"),
            ("GET", "https://www.example.com", "@path", "/"),
            (
                "GET",
                "https://www.example.com/path?param=value&foo=bar&baz=bat%2Dman",
                "@query",
                "?param=value&foo=bar&baz=bat%2Dman",
            ),
            ("POST", "https://www.example.com/path?queryString", "@query", "?queryString"),
            ("GET", "https://www.example.com/path", "@query", "?"),
            ("GET", "https://www.example.com/path?", "@query", "?"),
            ("GET", "HTTPS://WWW.Example.com:443?a#b", "@target-uri", "https://www.example.com/?a"),
            ("GET", "http://[2001:DB8::1]:80/", "@authority", "[2001:db8::1]"),
            ("GET", "http://example.com:443/", "@authority", "example.com:443"),
        ];
        for (method, url, name, expected) in cases {
            assert_eq!(derived(method, url, name).unwrap(), expected, "{method} {url} {name}");
        }
        assert_eq!(
            derived("CONNECT", "http://www.example.com:80", "@request-target"),
            Err(ComponentError::ConnectTarget)
        );
        for (url, error) in [
            ("/path", TargetUriError::Scheme),
            ("https://user@example.com/", TargetUriError::Userinfo),
            ("https://example.com/\\", TargetUriError::Character { offset: 20 }),
        ] {
            for name in ["@target-uri", "@authority", "@path"] {
                assert_eq!(derived("GET", url, name), Err(error.into()), "{url} {name}");
            }
        }
    }

    #[test]
    fn the_method_is_a_token_in_the_case_of_the_wire() {
        let url = "https://www.example.com/";
        for method in ["patch", "M-SEARCH", "Get"] {
            assert_eq!(derived(method, url, "@method").unwrap(), method);
        }
        for method in
            ["", " GET", "GET ", "GET /", "G\u{e9}T", "\u{feff}GET", "GET\n", "A:B", "(x)"]
        {
            assert_eq!(derived(method, url, "@method"), Err(ComponentError::Method), "{method:?}");
        }
    }

    #[test]
    fn query_parameters_are_those_of_section_2_2_8() {
        let param = |query: &str, name: &str| {
            let url = format!("https://www.example.com/path?{query}");
            let component = Component::new("@query-param", &[ComponentParam::Name(name)]).unwrap();
            value(&Request::new("GET", &url, &[], b""), &component)
        };
        let first = "param=value&foo=bar&baz=batman&qux=";
        assert_eq!(param(first, "baz").unwrap(), "batman");
        assert_eq!(param(first, "qux").unwrap(), "");
        assert_eq!(param(first, "param").unwrap(), "value");
        let second = "var=this%20is%20a%20big%0Amultiline%20value&bar=with+plus+whitespace&fa%C3%A7ade%22%3A%20=something";
        assert_eq!(param(second, "var").unwrap(), "this%20is%20a%20big%0Amultiline%20value");
        assert_eq!(param(second, "bar").unwrap(), "with%20plus%20whitespace");
        assert_eq!(param(second, "fa%C3%A7ade%22%3A%20").unwrap(), "something");

        assert_eq!(param("a=%zz%4&b=~", "a").unwrap(), "%25zz%254");
        assert_eq!(param("a=%zz%4&b=~", "b").unwrap(), "%7E");
        let identifier = |name: &str| format!("\"@query-param\";name=\"{name}\"");
        assert_eq!(
            param("a=1&%61=2", "a"),
            Err(ComponentError::AmbiguousQueryParam(identifier("a")))
        );
        assert_eq!(param("a=1", "b"), Err(ComponentError::Missing(identifier("b"))));
        assert_eq!(param("a=1&b=%ff", "a"), Err(ComponentError::InvalidQuery));
    }

    #[test]
    fn host_and_pseudo_authority_must_agree_with_the_target_uri() {
        let check = |pseudo_authority: Option<&str>, hosts: &[&str], component: &str| {
            let fields: Vec<_> = hosts.iter().map(|host| FieldLine::new("Host", host)).collect();
            let url = "https://example.com/a";
            let request = Request { pseudo_authority, ..Request::new("GET", url, &fields, b"") };
            value(&request, &Component::new(component, &[]).unwrap())
        };
        let mismatch = |field| Err(ComponentError::AuthorityMismatch { field });
        for component in ["@authority", "@target-uri"] {
            assert!(check(Some("EXAMPLE.com:443"), &[" Example.COM\t"], component).is_ok());
            assert_eq!(
                check(Some("example.org"), &["example.com"], component),
                mismatch(":authority")
            );
            for hosts in [
                &["example.com:80"][..],
                &["example.org"],
                &["example.com", "example.com"],
                &[""],
                &["é"],
            ] {
                assert_eq!(check(None, hosts, component), mismatch("Host"), "{hosts:?}");
            }
        }
    }

    #[test]
    fn a_response_has_its_status_its_fields_and_what_it_takes_from_the_request() {
        let request_fields = [FieldLine::new("Digest", "of the request")];
        let response_fields = [FieldLine::new("Digest", "of the response")];
        let request = Request::new("POST", "https://example.com/", &request_fields, b"");
        let response = Response { status: 503, fields: &response_fields, body: b"" };
        let both = ResponseInContext { response, request: Some(request) };
        let alone = ResponseInContext { response, request: None };
        let plain = |name: &'static str| Component::new(name, &[]).unwrap();
        let of_request = |name: &'static str| Component::new(name, &[ComponentParam::Req]).unwrap();

        assert_eq!(value(&both, &plain("@status")).unwrap(), "503");
        assert_eq!(value(&both, &plain("digest")).unwrap(), "of the response");
        assert_eq!(value(&both, &of_request("digest")).unwrap(), "of the request");
        assert_eq!(value(&both, &of_request("@method")).unwrap(), "POST");
        assert_eq!(
            value(&both, &plain("@method")),
            Err(ComponentError::NotInResponse("\"@method\"".into()))
        );
        assert_eq!(
            value(&alone, &of_request("@method")),
            Err(ComponentError::NoRequest("\"@method\";req".into()))
        );
        assert_eq!(
            value(&request, &plain("@status")),
            Err(ComponentError::NotInRequest("\"@status\"".into()))
        );
        assert_eq!(
            value(&request, &of_request("@method")),
            Err(ComponentError::NotInRequest("\"@method\";req".into()))
        );
    }
}
