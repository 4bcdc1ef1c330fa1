//! Component identifiers (RFC 9421 §2): the part of a message that a line of the signature base
//! covers.

use super::ComponentError;
use crate::rfc9421::structured_fields::{BareItem, InnerList, Item, push_string};

/// A component identifier: a name and parameters that apply to it.
///
/// ```
/// use adcp_signing_core::rfc9421::{Component, ComponentParam};
///
/// let digest = Component::new("content-digest", &[ComponentParam::Key("sha-256"), ComponentParam::Req])?;
/// assert_eq!(digest.to_string(), r#""content-digest";key="sha-256";req"#);
/// assert!(Component::new("Content-Digest", &[]).is_err());
/// # Ok::<(), adcp_signing_core::rfc9421::ComponentError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Component<'a> {
    name: ComponentName<'a>,
    params: Vec<ComponentParam<'a>>,
}

/// The name in a component identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ComponentName<'a> {
    /// `@method` (RFC 9421 §2.2.1).
    Method,
    /// `@target-uri` (§2.2.2).
    TargetUri,
    /// `@authority` (§2.2.3).
    Authority,
    /// `@scheme` (§2.2.4).
    Scheme,
    /// `@request-target` (§2.2.5).
    RequestTarget,
    /// `@path` (§2.2.6).
    Path,
    /// `@query` (§2.2.7).
    Query,
    /// `@query-param` (§2.2.8).
    QueryParam,
    /// `@status` (§2.2.9).
    Status,
    /// A field, by its lower-case name (§2.1).
    Field(&'a str),
}

/// A component parameter (RFC 9421 §6.5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ComponentParam<'a> {
    /// `;req`: taken from the request that led to this response (§2.4).
    Req,
    /// `;sf`: parsed and serialized as a structured field (§2.1.1).
    Sf,
    /// `;bs`: each line as a byte sequence (§2.1.3).
    Bs,
    /// `;key="…"`: one member of a dictionary (§2.1.2).
    Key(&'a str),
    /// `;name="…"`: the percent-encoded name of the query parameter, for `@query-param` (§2.2.8).
    Name(&'a str),
}

impl<'a> Component<'a> {
    /// A component with these parameters, in the order in which they will be written.
    ///
    /// # Errors
    /// [`ComponentError`] for a name that is neither a lower-case field name nor a derived component, and for
    /// parameters that the component cannot have.
    pub fn new(name: &'a str, params: &[ComponentParam<'a>]) -> Result<Self, ComponentError> {
        let name = ComponentName::new(name)?;
        check_params(name, params)?;
        Ok(Self { name, params: params.to_vec() })
    }

    /// A component without parameters. The caller vouches for the name.
    pub(crate) const fn bare(name: ComponentName<'a>) -> Self {
        Self { name, params: Vec::new() }
    }

    /// The component that an item of a covered-components list identifies.
    ///
    /// # Errors
    /// [`ComponentError`] as for [`new`](Self::new), and for an item that is not a string, an unknown parameter and a
    /// parameter of the wrong type.
    pub fn from_item(item: &'a Item<'_>) -> Result<Self, ComponentError> {
        let BareItem::String(name) = &item.bare else {
            return Err(ComponentError::NotAString { found: item.bare.type_name() });
        };
        let mut params = Vec::new();
        for (parameter, value) in item.params.iter() {
            let flag = |parameter: &'static str, param: ComponentParam<'a>| match value {
                BareItem::Boolean(true) => Ok(param),
                _ => Err(ComponentError::ParameterType {
                    component: name.to_string(),
                    parameter,
                    expected: "present without a value",
                }),
            };
            let text =
                |parameter: &'static str, param: fn(&'a str) -> ComponentParam<'a>| match value {
                    BareItem::String(text) => Ok(param(text)),
                    _ => Err(ComponentError::ParameterType {
                        component: name.to_string(),
                        parameter,
                        expected: "a quoted string",
                    }),
                };
            params.push(match parameter {
                "req" => flag("req", ComponentParam::Req)?,
                "sf" => flag("sf", ComponentParam::Sf)?,
                "bs" => flag("bs", ComponentParam::Bs)?,
                "key" => text("key", ComponentParam::Key)?,
                "name" => text("name", ComponentParam::Name)?,
                "tr" => {
                    return Err(ComponentError::TrailersUnsupported {
                        component: name.to_string(),
                    });
                }
                _ => {
                    return Err(ComponentError::UnknownParameter {
                        component: name.to_string(),
                        parameter: parameter.to_owned(),
                    });
                }
            });
        }
        let name = ComponentName::new(name)?;
        check_params(name, &params)?;
        Ok(Self { name, params })
    }

    /// The name in the identifier.
    pub fn name(&self) -> ComponentName<'a> {
        self.name
    }

    /// The parameters in the order received or given.
    pub fn params(&self) -> &[ComponentParam<'a>] {
        &self.params
    }

    /// Whether the component is of the request that led to the response (`;req`).
    pub fn of_request(&self) -> bool {
        self.params.contains(&ComponentParam::Req)
    }

    /// Appends the identifier in the form of the signature base (RFC 9421 §2.5): the quoted name
    /// and the parameters.
    pub fn write_identifier(&self, out: &mut String) {
        self.identifier(|piece| out.push_str(piece));
    }

    /// Passes the identifier to `piece`, one part after the other.
    pub(super) fn identifier(&self, mut push: impl FnMut(&str)) {
        push("\"");
        push(self.name.as_str());
        push("\"");
        for param in &self.params {
            push(";");
            push(param.name());
            if let ComponentParam::Key(value) | ComponentParam::Name(value) = param {
                push("=");
                let mut quoted = String::new();
                // The constructors admit only text that fits in a structured field string.
                let _ = push_string(&mut quoted, value);
                push(&quoted);
            }
        }
    }

    pub(super) fn param<T>(&self, pick: impl Fn(&ComponentParam<'a>) -> Option<T>) -> Option<T> {
        self.params.iter().find_map(pick)
    }

    fn is_same_as(&self, other: &Self) -> bool {
        // Parameter names are unique, so equal sets need equal counts and inclusion one way.
        self.name == other.name
            && self.params.len() == other.params.len()
            && self.params.iter().all(|param| other.params.contains(param))
    }
}

/// Equality of RFC 9421 §2: the order of parameters makes no difference.
impl PartialEq for Component<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.is_same_as(other)
    }
}

impl Eq for Component<'_> {}

/// The identifier, quotes and parameters included.
impl std::fmt::Display for Component<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut identifier = String::new();
        self.write_identifier(&mut identifier);
        f.write_str(&identifier)
    }
}

impl<'a> ComponentName<'a> {
    fn new(name: &'a str) -> Result<Self, ComponentError> {
        Ok(match name {
            "@method" => Self::Method,
            "@target-uri" => Self::TargetUri,
            "@authority" => Self::Authority,
            "@scheme" => Self::Scheme,
            "@request-target" => Self::RequestTarget,
            "@path" => Self::Path,
            "@query" => Self::Query,
            "@query-param" => Self::QueryParam,
            "@status" => Self::Status,
            "@signature-params" => return Err(ComponentError::CoversSignatureParams),
            _ if name.starts_with('@') => {
                return Err(ComponentError::UnknownDerived(name.escape_default().to_string()));
            }
            _ if name.is_empty() || !name.bytes().all(is_field_name_byte) => {
                return Err(ComponentError::InvalidName(name.escape_default().to_string()));
            }
            _ => Self::Field(name),
        })
    }

    /// The name as in the identifier, without quotes.
    pub const fn as_str(self) -> &'a str {
        match self {
            Self::Method => "@method",
            Self::TargetUri => "@target-uri",
            Self::Authority => "@authority",
            Self::Scheme => "@scheme",
            Self::RequestTarget => "@request-target",
            Self::Path => "@path",
            Self::Query => "@query",
            Self::QueryParam => "@query-param",
            Self::Status => "@status",
            Self::Field(name) => name,
        }
    }
}

impl ComponentParam<'_> {
    /// The parameter's name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Req => "req",
            Self::Sf => "sf",
            Self::Bs => "bs",
            Self::Key(_) => "key",
            Self::Name(_) => "name",
        }
    }
}

/// The components that a covered-components list identifies.
///
/// # Errors
/// [`ComponentError`] as for [`Component::from_item`], and [`Duplicate`](ComponentError::Duplicate) where two are equal.
pub fn components<'a>(list: &'a InnerList<'_>) -> Result<Vec<Component<'a>>, ComponentError> {
    let mut components: Vec<Component<'a>> = Vec::with_capacity(list.items.len());
    for item in &list.items {
        let component = Component::from_item(item)?;
        if components.contains(&component) {
            return Err(ComponentError::Duplicate(component.to_string()));
        }
        components.push(component);
    }
    Ok(components)
}

fn check_params(
    name: ComponentName<'_>,
    params: &[ComponentParam<'_>],
) -> Result<(), ComponentError> {
    let refuse = |parameter: &'static str, combined: bool| {
        Err(ComponentError::ParameterNotApplicable {
            component: name.as_str().to_owned(),
            parameter,
            combined,
        })
    };
    let has = |wanted: &str| params.iter().any(|param| param.name() == wanted);
    for (index, param) in params.iter().enumerate() {
        let applies = match param {
            ComponentParam::Req => name != ComponentName::Status,
            ComponentParam::Sf | ComponentParam::Bs | ComponentParam::Key(_) => {
                matches!(name, ComponentName::Field(_))
            }
            ComponentParam::Name(_) => name == ComponentName::QueryParam,
        };
        if !applies {
            return refuse(param.name(), false);
        }
        if params.iter().skip(index + 1).any(|later| later.name() == param.name()) {
            return refuse(param.name(), true);
        }
        if let ComponentParam::Key(text) | ComponentParam::Name(text) = param
            && !text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
        {
            let expected = "printable ASCII";
            return Err(ComponentError::ParameterType {
                component: name.as_str().to_owned(),
                parameter: param.name(),
                expected,
            });
        }
    }
    if has("bs") && (has("sf") || has("key")) {
        return refuse("bs", true);
    }
    if name == ComponentName::QueryParam && !has("name") {
        return Err(ComponentError::QueryParamWithoutName);
    }
    Ok(())
}

/// Whether a text is a token (RFC 9110 §5.6.2), as the name of a method is.
pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| is_field_name_byte(byte.to_ascii_lowercase()))
}

/// A `tchar` of RFC 9110 §5.6.2 that is not upper-case.
const fn is_field_name_byte(byte: u8) -> bool {
    matches!(
        byte,
        b'a'..=b'z' | b'0'..=b'9' | b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_'
            | b'`' | b'|' | b'~'
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rfc9421::structured_fields::{Dictionary, MemberValue};

    fn parse(list: &str) -> Result<Vec<String>, ComponentError> {
        let text = format!("s={list}");
        let dictionary = Dictionary::parse(text.as_bytes()).unwrap();
        let MemberValue::InnerList(list) = &dictionary.get("s").unwrap().value else {
            panic!("{list}")
        };
        components(list).map(|components| components.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn identifiers_keep_their_parameters_in_order() {
        let list = r#"("@method";req "a";key="x\"y";sf "a";sf "@query-param";name="q";req "b";bs)"#;
        let expected = [
            r#""@method";req"#,
            r#""a";key="x\"y";sf"#,
            r#""a";sf"#,
            r#""@query-param";name="q";req"#,
            r#""b";bs"#,
        ];
        assert_eq!(parse(list).unwrap(), expected);
    }

    #[test]
    fn what_cannot_be_covered_is_refused() {
        use ComponentError as E;

        let not_applicable = |component: &str, parameter, combined| E::ParameterNotApplicable {
            component: component.to_owned(),
            parameter,
            combined,
        };
        let parameter_type = |component: &str, parameter, expected| E::ParameterType {
            component: component.to_owned(),
            parameter,
            expected,
        };
        let cases = [
            (r"(a)", E::NotAString { found: "token" }),
            (r"(1)", E::NotAString { found: "integer" }),
            (r#"("")"#, E::InvalidName(String::new())),
            (r#"("Date")"#, E::InvalidName("Date".into())),
            (r#"("a b")"#, E::InvalidName("a b".into())),
            (r#"("a\"b")"#, E::InvalidName("a\\\"b".into())),
            (r#"("a:")"#, E::InvalidName("a:".into())),
            (r#"("@signature-params")"#, E::CoversSignatureParams),
            (r#"("@Method")"#, E::UnknownDerived("@Method".into())),
            (r#"("@request-response")"#, E::UnknownDerived("@request-response".into())),
            (r#"("a";x)"#, E::UnknownParameter { component: "a".into(), parameter: "x".into() }),
            (r#"("a";tr)"#, E::TrailersUnsupported { component: "a".into() }),
            (r#"("a";sf=?0)"#, parameter_type("a", "sf", "present without a value")),
            (r#"("a";req=1)"#, parameter_type("a", "req", "present without a value")),
            (r#"("a";key=b)"#, parameter_type("a", "key", "a quoted string")),
            (r#"("@method";sf)"#, not_applicable("@method", "sf", false)),
            (r#"("@method";name="x")"#, not_applicable("@method", "name", false)),
            (r#"("@status";req)"#, not_applicable("@status", "req", false)),
            (r#"("a";bs;sf)"#, not_applicable("a", "bs", true)),
            (r#"("a";key="b";bs)"#, not_applicable("a", "bs", true)),
            (r#"("@query-param")"#, E::QueryParamWithoutName),
            (r#"("a" "b" "a")"#, E::Duplicate(r#""a""#.into())),
            (r#"("a";sf;key="x" "a";key="x";sf)"#, E::Duplicate(r#""a";key="x";sf"#.into())),
        ];
        for (list, expected) in cases {
            assert_eq!(parse(list), Err(expected), "{list}");
        }
    }

    #[test]
    fn parameters_given_in_code_are_checked_too() {
        assert!(Component::new("a", &[ComponentParam::Key("é")]).is_err());
        assert!(Component::new("a", &[ComponentParam::Key("b\n")]).is_err());
        assert!(Component::new("a", &[ComponentParam::Sf, ComponentParam::Sf]).is_err());
        assert!(
            Component::new("a", &[ComponentParam::Key("x"), ComponentParam::Key("y")]).is_err()
        );
    }
}
