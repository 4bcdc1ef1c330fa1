//! Step 14 of the checklist, which a signer applies as well: a body means one thing to every
//! parser.

use super::content_type::{content_type, declares_json};
use crate::{
    json::{StrictJsonError, check_no_duplicate_keys},
    rfc9421::Request,
};

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
        Err(error) if declares_json(content_type(request.fields)) => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}
