//! Canonical JSON (RFC 8785), of documents that have one meaning only.

use adcp_signing_core::{
    StrictJsonError,
    json::{Document, JsonLimits, Kind, Value},
};

/// The largest integer that every reader of JSON keeps (RFC 7493 §2.2).
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// Why a document has no canonical form.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CanonicalJsonError {
    /// It is not strict JSON.
    #[error("it is not strict JSON: {0}")]
    Json(#[from] StrictJsonError),
    /// It is not an object.
    #[error("it is not a JSON object")]
    NotAnObject,
    /// An integer is too large to be kept by every reader, so two documents would have one form.
    #[error("it has an integer beyond 2^53 - 1; send it as a string")]
    Integer,
    /// A number is beyond what a double holds.
    #[error("it has a number that no double holds; send it as a string")]
    Number,
}

/// The canonical form of an object without these members of its top level.
pub(crate) fn canonical_object_without(
    json: &[u8],
    excluded: &[&str],
) -> Result<Vec<u8>, CanonicalJsonError> {
    let document = Document::without_duplicates(json, &JsonLimits::default())?;
    let root = document.root();
    if root.kind() != Kind::Object {
        return Err(CanonicalJsonError::NotAnObject);
    }
    let kept = root.members().filter(|(name, _)| !excluded.contains(&&**name));
    for (_, value) in kept {
        check_integers(value)?;
    }
    let mut value: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(json).map_err(|_| CanonicalJsonError::Number)?;
    value.retain(|name, _| !excluded.contains(&name.as_str()));
    serde_json_canonicalizer::to_vec(&value).map_err(|_| CanonicalJsonError::Number)
}

/// The limit on the depth of the document bounds the recursion.
fn check_integers(value: Value<'_, '_>) -> Result<(), CanonicalJsonError> {
    if let Some(number) = value.as_number()
        && !number.contains(['.', 'e', 'E'])
    {
        let digits = number.trim_start_matches('-');
        return match digits.parse::<u64>() {
            Ok(integer) if integer <= MAX_SAFE_INTEGER => Ok(()),
            _ => Err(CanonicalJsonError::Integer),
        };
    }
    for (_, member) in value.members() {
        check_integers(member)?;
    }
    value.elements().try_for_each(check_integers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(json: &str) -> Result<String, CanonicalJsonError> {
        let bytes = canonical_object_without(json.as_bytes(), &["context"])?;
        Ok(String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn members_are_sorted_and_numbers_are_those_of_rfc_8785() {
        let json = r#"{"b":1.0,"a":{"context":-0,"x":333333333.33333329},"context":9e999999}"#;
        assert!(matches!(canonical(json), Err(CanonicalJsonError::Number)));
        let json = r#"{"b":1.0,"a":{"context":-0,"x":333333333.33333329},"context":1}"#;
        assert_eq!(canonical(json).unwrap(), r#"{"a":{"context":0,"x":333333333.3333333},"b":1}"#);
    }

    #[test]
    fn what_readers_take_for_different_values_has_no_canonical_form() {
        let at = |number: &str| canonical(&format!(r#"{{"a":[{{"b":{number}}}]}}"#));
        for good in ["9007199254740991", "-9007199254740991", "1e30"] {
            assert!(at(good).is_ok(), "{good}");
        }
        for bad in ["9007199254740992", "-9007199254740992", "18446744073709551616"] {
            assert!(matches!(at(bad), Err(CanonicalJsonError::Integer)), "{bad}");
        }
        assert!(matches!(at("1e999"), Err(CanonicalJsonError::Number)));
        assert!(matches!(canonical("[]"), Err(CanonicalJsonError::NotAnObject)));
        let twice = canonical(r#"{"a":1,"\u0061":2}"#);
        assert!(matches!(twice, Err(CanonicalJsonError::Json(StrictJsonError::Duplicate(_)))));
    }
}
