//! Step 14 of the checklist, which a signer applies as well: a body means one thing to every
//! parser.

use super::content_type::{content_type, declares_json};
use crate::{
    json::{StrictJsonError, check_no_duplicate_keys},
    operation::is_identity_coded,
    rfc9421::{Request, structured_fields::join_lines},
};

/// The body of a message is not the one that its `Content-Length` announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LengthMismatch {
    /// The field is not one decimal number.
    #[error("Content-Length is not one number of bytes; send it once, or not at all")]
    Malformed,
    /// The body is longer or shorter.
    #[error(
        "Content-Length announces {announced} bytes, and the body has {actual}; read the whole body \
         first, and keep its bytes as they were sent"
    )]
    Differs {
        /// What the field announces.
        announced: u64,
        /// How many bytes the body has.
        actual: usize,
    },
}

impl LengthMismatch {
    /// Compares a body with the joined `Content-Length` lines. RFC 9110 §8.6 lets a recipient take
    /// one number that is repeated; it is refused here.
    pub(crate) fn check(content_length: Option<&[u8]>, body: &[u8]) -> Result<(), Self> {
        let Some(announced) = announced_length(content_length)? else { return Ok(()) };
        if u64::try_from(body.len()) == Ok(announced) {
            Ok(())
        } else {
            Err(Self::Differs { announced, actual: body.len() })
        }
    }
}

/// The length that the joined `Content-Length` lines announce.
pub(crate) fn announced_length(
    content_length: Option<&[u8]>,
) -> Result<Option<u64>, LengthMismatch> {
    let Some(value) = content_length else { return Ok(None) };
    let digits = std::str::from_utf8(value).map_err(|_| LengthMismatch::Malformed)?;
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(LengthMismatch::Malformed);
    }
    digits.parse().map(Some).map_err(|_| LengthMismatch::Malformed)
}

/// Refuses a body of another length than `Content-Length` announces.
pub(crate) fn check_length(request: &Request<'_>) -> Result<(), LengthMismatch> {
    LengthMismatch::check(join_lines(request.fields, "content-length").as_deref(), request.body)
}

/// Refuses a body with duplicate keys, whatever its type, and a body that is declared to be JSON
/// and is not: nobody can tell what a lenient parser makes of either. A body beyond the limits of a
/// verifier is refused as well.
pub(crate) fn check_body(request: &Request<'_>) -> Result<(), StrictJsonError> {
    if request.body.is_empty() {
        return Ok(());
    }
    match check_no_duplicate_keys(request.body) {
        Err(error @ StrictJsonError::Duplicate(_)) => Err(error),
        Err(error) if error.exceeds_limit() => Err(error),
        Err(error) if declares_json(content_type(request.fields)) => {
            let codings = join_lines(request.fields, "content-encoding");
            let plain = is_identity_coded(codings.as_deref());
            Err(if plain { error } else { error.of_encoded_body() })
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
