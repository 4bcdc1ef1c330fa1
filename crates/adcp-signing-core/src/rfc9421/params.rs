//! Signature parameters (RFC 9421 §2.3).

use std::borrow::Cow;

use super::Component;
use crate::rfc9421::structured_fields::{BareItem, Params, WriteError, push_integer, push_string};

/// The signature parameters of RFC 9421 §2.3, each with its type.
///
/// ```
/// use adcp_signing_core::rfc9421::{inner_list_text, Component, SignatureParams};
///
/// let components = [Component::new("@method", &[])?, Component::new("content-type", &[])?];
/// let mut params = SignatureParams::default();
/// params.created = Some(1618884473);
/// params.keyid = Some("k1".into());
/// let text = inner_list_text(&components, &params)?;
/// assert_eq!(text, r#"("@method" "content-type");created=1618884473;keyid="k1""#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SignatureParams<'a> {
    /// When the signature was made, in seconds since the Unix epoch.
    pub created: Option<i64>,
    /// When it stops being valid, in seconds since the Unix epoch.
    pub expires: Option<i64>,
    /// A value that is never used twice.
    pub nonce: Option<Cow<'a, str>>,
    /// Which key made it.
    pub keyid: Option<Cow<'a, str>>,
    /// The algorithm by its RFC 9421 name.
    pub alg: Option<Cow<'a, str>>,
    /// Which application the signature is for.
    pub tag: Option<Cow<'a, str>>,
}

/// A signature parameter of the wrong type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("signature parameter '{name}' is a {found}, expected {expected}")]
#[non_exhaustive]
pub struct SignatureParamsError {
    /// The parameter.
    pub name: &'static str,
    /// The type found.
    pub found: &'static str,
    /// The type wanted.
    pub expected: &'static str,
}

impl<'a> SignatureParams<'a> {
    /// The parameters of a member of `Signature-Input`. Parameters beyond those of RFC 9421 §2.3
    /// are legal and are ignored here; the signature covers them nevertheless.
    ///
    /// # Errors
    /// [`SignatureParamsError`] if a parameter has the wrong type: the times are integers, the rest
    /// quoted strings.
    pub fn from_params(params: &Params<'a>) -> Result<Self, SignatureParamsError> {
        Ok(Self {
            created: integer(params, "created")?,
            expires: integer(params, "expires")?,
            nonce: string(params, "nonce")?,
            keyid: string(params, "keyid")?,
            alg: string(params, "alg")?,
            tag: string(params, "tag")?,
        })
    }

    /// The same parameters, borrowing nothing.
    pub fn into_owned(self) -> SignatureParams<'static> {
        let owned = |text: Option<Cow<'_, str>>| text.map(|text| Cow::Owned(text.into_owned()));
        SignatureParams {
            created: self.created,
            expires: self.expires,
            nonce: owned(self.nonce),
            keyid: owned(self.keyid),
            alg: owned(self.alg),
            tag: owned(self.tag),
        }
    }
}

/// The member of `Signature-Input` that covers `components` with `params`: the text for
/// [`signature_base`](super::signature_base) and, after the label and `=`, for the field.
///
/// The parameters come in the order created, expires, nonce, keyid, alg, tag.
///
/// # Errors
/// [`WriteError`] for a string that is not printable ASCII and a time of more than 15 digits.
pub fn inner_list_text(
    components: &[Component<'_>],
    params: &SignatureParams<'_>,
) -> Result<String, WriteError> {
    let mut text = String::with_capacity(256);
    push_inner_list(&mut text, components, params)?;
    Ok(text)
}

/// [`inner_list_text`], appended.
pub(crate) fn push_inner_list(
    text: &mut String,
    components: &[Component<'_>],
    params: &SignatureParams<'_>,
) -> Result<(), WriteError> {
    text.push('(');
    for (index, component) in components.iter().enumerate() {
        if index > 0 {
            text.push(' ');
        }
        component.write_identifier(text);
    }
    text.push(')');
    for (name, value) in [("created", params.created), ("expires", params.expires)] {
        if let Some(value) = value {
            push_name(text, name);
            push_integer(text, value)?;
        }
    }
    let strings = [
        ("nonce", &params.nonce),
        ("keyid", &params.keyid),
        ("alg", &params.alg),
        ("tag", &params.tag),
    ];
    for (name, value) in strings {
        if let Some(value) = value {
            push_name(text, name);
            push_string(text, value)?;
        }
    }
    Ok(())
}

fn push_name(text: &mut String, name: &str) {
    text.push(';');
    text.push_str(name);
    text.push('=');
}

fn integer(params: &Params<'_>, name: &'static str) -> Result<Option<i64>, SignatureParamsError> {
    match params.get(name) {
        None => Ok(None),
        Some(BareItem::Integer(value)) => Ok(Some(*value)),
        Some(other) => Err(SignatureParamsError {
            name,
            found: other.type_name(),
            expected: "an integer of Unix seconds",
        }),
    }
}

fn string<'a>(
    params: &Params<'a>,
    name: &'static str,
) -> Result<Option<Cow<'a, str>>, SignatureParamsError> {
    match params.get(name) {
        None => Ok(None),
        Some(BareItem::String(value)) => Ok(Some(value.clone())),
        Some(other) => Err(SignatureParamsError {
            name,
            found: other.type_name(),
            expected: "a quoted string",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rfc9421::structured_fields::{Dictionary, MemberValue};

    fn with_params<T>(text: &str, check: impl FnOnce(&Params<'_>) -> T) -> T {
        let text = format!("s=(){text}");
        let dictionary = Dictionary::parse(text.as_bytes()).unwrap();
        let MemberValue::InnerList(list) = &dictionary.get("s").unwrap().value else {
            panic!("{text}")
        };
        check(&list.params)
    }

    #[test]
    fn what_is_written_is_read_back() {
        let params = SignatureParams {
            created: Some(1),
            expires: Some(-2),
            nonce: Some("n\"\\".into()),
            keyid: Some("k".into()),
            alg: Some("ed25519".into()),
            tag: Some("t".into()),
        };
        let text = inner_list_text(&[], &params).unwrap();
        assert_eq!(
            text,
            r#"();created=1;expires=-2;nonce="n\"\\";keyid="k";alg="ed25519";tag="t""#
        );
        with_params(text.strip_prefix("()").unwrap(), |read| {
            assert_eq!(SignatureParams::from_params(read).unwrap(), params);
        });
    }

    #[test]
    fn unknown_parameters_are_passed_over_and_wrong_types_are_named() {
        const SECONDS: &str = "an integer of Unix seconds";

        with_params(";other=1;created=5", |params| {
            let expected = SignatureParams { created: Some(5), ..Default::default() };
            assert_eq!(SignatureParams::from_params(params), Ok(expected));
        });
        for (text, name, found, expected) in [
            (";created=\"1\"", "created", "string", SECONDS),
            (";created=1.0", "created", "decimal", SECONDS),
            (";expires", "expires", "boolean", SECONDS),
            (";nonce=abc", "nonce", "token", "a quoted string"),
            (";keyid=:AA==:", "keyid", "byte sequence", "a quoted string"),
            (";alg=ed25519", "alg", "token", "a quoted string"),
            (";tag=1", "tag", "integer", "a quoted string"),
        ] {
            let error = Err(SignatureParamsError { name, found, expected });
            with_params(text, |params| {
                assert_eq!(SignatureParams::from_params(params), error, "{text}")
            });
        }
    }

    #[test]
    fn what_no_field_can_hold_is_not_written() {
        let newline = SignatureParams { nonce: Some("a\nb".into()), ..Default::default() };
        assert_eq!(inner_list_text(&[], &newline), Err(WriteError::String { offset: 1 }));
        let late = SignatureParams { created: Some(i64::MAX), ..Default::default() };
        assert_eq!(inner_list_text(&[], &late), Err(WriteError::Integer(i64::MAX)));
    }
}
