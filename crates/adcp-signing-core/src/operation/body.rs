//! What the body of a request can be read as.

use super::OperationError;
use crate::json::{Document, StrictJsonError};

/// The body of a request, parsed once by the caller.
#[derive(Clone, Copy)]
pub(crate) struct BodyView<'m, 'a> {
    /// The bytes as received.
    pub(crate) bytes: &'a [u8],
    /// What the strict reader made of them.
    pub(crate) document: Result<&'m Document<'a>, &'m StrictJsonError>,
    /// The values of all `Content-Type` lines, joined.
    pub(crate) content_type: Option<&'m [u8]>,
    /// The values of all `Content-Encoding` lines, joined.
    pub(crate) content_encoding: Option<&'m [u8]>,
}

impl<'m, 'a> BodyView<'m, 'a> {
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The document, where the body is strict JSON and its fields declare it as nothing else.
    pub(super) fn json(&self) -> Option<&'m Document<'a>> {
        self.document.ok().filter(|_| self.is_declared_plain())
    }

    /// The document, whatever the fields declare.
    pub(super) fn document(&self) -> Result<&'m Document<'a>, OperationError> {
        // A batch is told by its first byte, so that a malformed one is named alike.
        let first = self.bytes.iter().find(|byte| !byte.is_ascii_whitespace());
        if first == Some(&b'[') {
            return Err(OperationError::Batch);
        }
        self.document.map_err(|error| OperationError::Json(error.clone()))
    }

    /// Whether the body is declared as plain UTF-8: not compressed, and in no other charset.
    pub(super) fn is_declared_plain(&self) -> bool {
        is_identity_coded(self.content_encoding) && self.content_type.is_none_or(declares_utf8)
    }

    /// Whether the body is form data, and no decoder of JSON finds an object or array in it.
    pub(super) fn is_form(&self) -> bool {
        let first_fits = match self.form() {
            // JSON in any encoding, with any prefix, begins with none of these, bar scalars.
            Some(Form::UrlEncoded) => self.bytes.first().is_some_and(|&first| {
                first.is_ascii_alphanumeric() || matches!(first, b'-' | b'_' | b'.' | b'*' | b'%')
            }),
            Some(Form::Multipart) => self.bytes.starts_with(b"--"),
            None => false,
        };
        first_fits && self.is_declared_plain()
    }

    /// The kind of form data that the body is declared as.
    pub(super) fn form(&self) -> Option<Form> {
        let media_type = self.content_type?.split(|&byte| byte == b';').next()?.trim_ascii();
        [
            ("application/x-www-form-urlencoded", Form::UrlEncoded),
            ("multipart/form-data", Form::Multipart),
        ]
        .into_iter()
        .find_map(|(name, form)| media_type.eq_ignore_ascii_case(name.as_bytes()).then_some(form))
    }
}

/// Whether the values of all `Content-Encoding` lines, joined, leave the body as it is.
pub(crate) fn is_identity_coded(content_encoding: Option<&[u8]>) -> bool {
    content_encoding.is_none_or(|codings| {
        let codings = codings.trim_ascii();
        codings.is_empty() || codings.eq_ignore_ascii_case(b"identity")
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    UrlEncoded,
    Multipart,
}

/// Whether every charset that `content_type` names is UTF-8 or a part of it.
fn declares_utf8(content_type: &[u8]) -> bool {
    let Ok(value) = std::str::from_utf8(content_type) else { return false };
    let value = value.to_ascii_lowercase();
    value.split("charset").skip(1).all(|after| {
        let Some(value) = after.trim_start().strip_prefix('=') else { return false };
        let value = value.trim_start();
        let value = value.strip_prefix('"').unwrap_or(value);
        let name = value.split(['"', ';', ',', ' ', '\t']).next().unwrap_or(value);
        matches!(name, "utf-8" | "utf8" | "us-ascii")
    })
}
