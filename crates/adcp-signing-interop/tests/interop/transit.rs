//! What happens to a message between signer and verifier, in both directions the same.

use adcp_signing_interop::Change;
use axum::body::Bytes;
use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};

/// Changes headers and body; the target is for the caller.
pub(crate) fn alter(change: Change, headers: &mut HeaderMap, body: &mut Bytes) {
    match change {
        Change::Unsigned => {
            headers.remove("signature");
            headers.remove("signature-input");
        }
        Change::Body => {
            // The digit at the end of the first name, so that the body stays the JSON of an object.
            let mut bytes = body.to_vec();
            let end = bytes.windows(2).position(|pair| pair == b"\":").expect("a name");
            bytes[end - 1] ^= 1;
            *body = bytes.into();
        }
        Change::Signature => {
            let old = headers["signature"].to_str().unwrap();
            let middle = old.len() / 2;
            let letter = if &old[middle..=middle] == "A" { "B" } else { "A" };
            let new = format!("{}{letter}{}", &old[..middle], &old[middle + 1..]);
            headers.insert("signature", new.parse().unwrap());
        }
        Change::ContentType => {
            let old = headers[CONTENT_TYPE].to_str().unwrap();
            let new = HeaderValue::from_str(&format!("{old};v=2")).unwrap();
            headers.insert(CONTENT_TYPE, new);
        }
        Change::None
        | Change::Target
        | Change::Replay
        | Change::Age
        | Change::UnknownKey
        | Change::NonceElsewhere => {}
    }
}

/// Path and query with another member.
pub(crate) fn other_target(target: &str) -> String {
    let separator = if target.contains('?') { '&' } else { '?' };
    format!("{target}{separator}added=1")
}
