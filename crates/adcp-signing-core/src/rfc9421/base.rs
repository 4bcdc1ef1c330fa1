//! The signature base (RFC 9421 §2.5): the bytes that are signed.

use super::{Component, ComponentError};
use crate::text::all_bytes;

/// Provides the values of components.
///
/// [`Request`](super::Request) and [`ResponseInContext`](super::ResponseInContext) provide the values of plain
/// RFC 9421. A profile that canonicalizes more, as AdCP does for `@target-uri`, has its own source.
pub trait ComponentSource {
    /// Appends the value of `component` to `out`: no identifier, no line break.
    ///
    /// # Errors
    /// [`ComponentError`] if the message has no such component or the value cannot be made. The bytes appended before
    /// an error are discarded.
    fn append_value(
        &self,
        component: &Component<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), ComponentError>;
}

/// The signature base: one line for each component, then `@signature-params`, separated by LF.
///
/// `params_text` is the member of `Signature-Input` as received, from its opening parenthesis on,
/// and is used as it is: a signer may have chosen another order or spacing than this crate would.
/// `components` are those of that same text.
///
/// # Errors
/// [`ComponentError`] where a value cannot be had, or could not stand on one line of ASCII: a value with a control
/// character could forge a line.
///
/// ```
/// use adcp_signing_core::rfc9421::{signature_base, Component, Request};
///
/// let request = Request::new("POST", "https://seller.example.com/adcp", &[], b"");
/// let components = [Component::new("@method", &[])?, Component::new("@authority", &[])?];
/// let base = signature_base(&components, r#"("@method" "@authority");created=1618884473"#, &request)?;
/// let expected = r#""@method": POST
/// "@authority": seller.example.com
/// "@signature-params": ("@method" "@authority");created=1618884473"#;
/// assert_eq!(base, expected.as_bytes());
/// # Ok::<(), adcp_signing_core::rfc9421::ComponentError>(())
/// ```
pub fn signature_base(
    components: &[Component<'_>],
    params_text: &str,
    source: &dyn ComponentSource,
) -> Result<Vec<u8>, ComponentError> {
    let printable = |byte: u8| matches!(byte, b' '..=b'~');
    if !params_text.starts_with('(') || !all_bytes(params_text, printable) {
        return Err(ComponentError::InvalidParamsText);
    }
    let mut base = Vec::with_capacity(64 * components.len() + 32 + params_text.len());
    for component in components {
        component.identifier(|piece| base.extend_from_slice(piece.as_bytes()));
        base.extend_from_slice(b": ");
        let start = base.len();
        source.append_value(component, &mut base)?;
        let value = base
            .get(start..)
            .ok_or_else(|| ComponentError::SourceTruncated { component: component.to_string() })?;
        check_value(component, value)?;
        base.push(b'\n');
    }
    base.extend_from_slice(b"\"@signature-params\": ");
    base.extend_from_slice(params_text.as_bytes());
    Ok(base)
}

/// Whether a value can stand on one line of ASCII.
fn check_value(component: &Component<'_>, value: &[u8]) -> Result<(), ComponentError> {
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~' | b'\t');
    if all_bytes(value, is_plain) {
        return Ok(());
    }
    match value.iter().find(|byte| !is_plain(**byte)) {
        None => Ok(()),
        Some(byte) if byte.is_ascii() => {
            Err(ComponentError::ControlCharacter { component: component.to_string(), byte: *byte })
        }
        Some(_) => Err(ComponentError::NotAscii { component: component.to_string() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rfc9421::{ComponentParam, FieldLine, Request};

    fn base_over(value: &[u8]) -> Result<Vec<u8>, ComponentError> {
        let fields = [FieldLine { name: "x", value }];
        let request = Request::new("GET", "https://example.com/", &fields, b"");
        signature_base(&[Component::new("x", &[]).unwrap()], "(\"x\")", &request)
    }

    #[test]
    fn no_value_can_forge_a_line() {
        let component = || "\"x\"".to_owned();
        let control = |byte| Err(ComponentError::ControlCharacter { component: component(), byte });
        for (value, byte) in [
            (&b"a\n\"@method\": GET"[..], b'\n'),
            (b"a\r\"@method\": GET", b'\r'),
            (b"a\r\nb", b'\r'),
            (b"a\n b", b'\n'),
            (b"a\0b", 0),
            (b"a\x7f", 0x7f),
        ] {
            assert_eq!(base_over(value), control(byte), "{value:?}");
        }
        assert_eq!(
            base_over("é".as_bytes()),
            Err(ComponentError::NotAscii { component: component() })
        );
        assert_eq!(base_over(b"a\tb").unwrap(), b"\"x\": a\tb\n\"@signature-params\": (\"x\")");
    }

    proptest::proptest! {
        #[test]
        fn a_base_has_one_line_for_each_component_whatever_the_values(
            value in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..24),
            fold in 0_usize..24,
        ) {
            let mut value = value;
            if fold < value.len() {
                value.splice(fold..fold, *b"\r\n ");
            }
            if let Ok(base) = base_over(&value) {
                proptest::prop_assert_eq!(base.iter().filter(|byte| **byte == b'\n').count(), 1);
                proptest::prop_assert!(base.is_ascii() && !base.contains(&b'\r'));
            }
            let fields = [FieldLine { name: "x", value: &value }];
            let request = Request::new("GET", "https://example.com/", &fields, b"");
            let wrapped = [Component::new("x", &[ComponentParam::Bs]).unwrap()];
            let base = signature_base(&wrapped, "(\"x\";bs)", &request).unwrap();
            proptest::prop_assert_eq!(base.iter().filter(|byte| **byte == b'\n').count(), 1);
        }
    }

    #[test]
    fn a_source_that_removes_what_stands_before_its_value_is_refused() {
        struct Clearing;

        impl ComponentSource for Clearing {
            fn append_value(
                &self,
                _: &Component<'_>,
                out: &mut Vec<u8>,
            ) -> Result<(), ComponentError> {
                out.clear();
                Ok(())
            }
        }

        let component = "\"x\"".to_owned();
        assert_eq!(
            signature_base(&[Component::new("x", &[]).unwrap()], "(\"x\")", &Clearing),
            Err(ComponentError::SourceTruncated { component })
        );
    }

    #[test]
    fn the_parameters_text_is_one_line_and_a_list() {
        let request = Request::new("GET", "https://example.com/", &[], b"");
        for text in ["", "sig1=()", " ()", "()\n", "();a=\"é\"", "()\t"] {
            let refused = Err(ComponentError::InvalidParamsText);
            assert_eq!(signature_base(&[], text, &request), refused, "{text:?}");
        }
        assert_eq!(signature_base(&[], "()", &request).unwrap(), b"\"@signature-params\": ()");
    }
}
