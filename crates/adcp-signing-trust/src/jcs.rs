//! Canonical JSON (RFC 8785), of documents that have one meaning only.

use adcp_signing_core::{
    StrictJsonError,
    json::{Document, JsonLimits, Kind, Value},
};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use sha2::{Digest as _, Sha256};

/// The largest integer that every reader of JSON keeps (RFC 7493 §2.2).
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// Why a document has no canonical form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CanonicalJsonError {
    /// It is not strict JSON.
    #[error("it is not strict JSON: {0}")]
    Json(#[from] StrictJsonError),
    /// It is not an object.
    #[error("it is not a JSON object")]
    NotAnObject,
    /// Readers disagree on a larger integer, so two documents would have one canonical form.
    #[error("it has an integer beyond 2^53 - 1; send it as a string")]
    Integer,
    /// A number is beyond what a double holds.
    #[error("it has a number that no double holds; send it as a string")]
    Number,
}

/// An object, which has a canonical form.
pub(crate) type Object = serde_json::Map<String, serde_json::Value>;

/// Reads an object that has a canonical form.
pub(crate) fn read_object(json: &[u8]) -> Result<Object, CanonicalJsonError> {
    read_object_without(json, &[])
}

/// Reads an object without these members of its top level. What is left has a canonical form.
pub(crate) fn read_object_without(
    json: &[u8],
    excluded: &[&str],
) -> Result<Object, CanonicalJsonError> {
    let document = Document::without_duplicates(json, &JsonLimits::default())?;
    let root = document.root();
    if root.kind() != Kind::Object {
        return Err(CanonicalJsonError::NotAnObject);
    }
    let mut kept = root.members().filter(|(name, _)| !excluded.contains(&&**name));
    kept.try_for_each(|(_, value)| check_integers(value))?;
    let mut object: Object =
        serde_json::from_slice(json).map_err(|_| CanonicalJsonError::Number)?;
    object.retain(|name, _| !excluded.contains(&name.as_str()));
    Ok(object)
}

/// The canonical form of what [`read_object`] read, or of a value made of such.
pub(crate) fn canonical(value: &serde_json::Value) -> Result<Vec<u8>, CanonicalJsonError> {
    serde_json_canonicalizer::to_vec(value).map_err(|_| CanonicalJsonError::Number)
}

/// The SHA-256 digest as Base64url without padding.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(&Sha256::digest(bytes))
}

/// The limit on the depth of the document bounds the recursion.
fn check_integers(value: Value<'_, '_>) -> Result<(), CanonicalJsonError> {
    if let Some(number) = value.as_number()
        && !number.contains(['.', 'e', 'E'])
    {
        return match number.trim_start_matches('-').parse::<u64>() {
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
    use std::{fs, path::Path};

    use super::*;

    fn canonical_text(json: &str) -> Result<String, CanonicalJsonError> {
        Ok(String::from_utf8(canonical(&read_object(json.as_bytes())?.into())?).unwrap())
    }

    fn number(text: &str) -> Result<String, CanonicalJsonError> {
        let canonical = canonical_text(&format!(r#"{{"a":[{{"b":{text}}}]}}"#))?;
        let inside = canonical.strip_prefix(r#"{"a":[{"b":"#);
        Ok(inside.unwrap().strip_suffix("}]}").unwrap().to_owned())
    }

    #[test]
    fn numbers_are_written_as_rfc_8785_appendix_b_has_them() {
        for (bits, expected) in [
            (0x0000_0000_0000_0000, "0"),
            (0x8000_0000_0000_0000, "0"),
            (0x0000_0000_0000_0001, "5e-324"),
            (0x8000_0000_0000_0001, "-5e-324"),
            (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
            (0xffef_ffff_ffff_ffff, "-1.7976931348623157e+308"),
            (0x4340_0000_0000_0000, "9007199254740992"),
            (0xc340_0000_0000_0000, "-9007199254740992"),
            (0x4430_0000_0000_0000, "295147905179352830000"),
            (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
            (0x44b5_2d02_c7e1_4af6, "1e+23"),
            (0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23"),
            (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
            (0x444b_1ae4_d6e2_ef4f, "999999999999999900000"),
            (0x444b_1ae4_d6e2_ef50, "1e+21"),
            (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
            (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
            (0x41b3_de43_5555_5553, "333333333.3333332"),
            (0x41b3_de43_5555_5554, "333333333.33333325"),
            (0x41b3_de43_5555_5555, "333333333.3333333"),
            (0x41b3_de43_5555_5556, "333333333.3333334"),
            (0x41b3_de43_5555_5557, "333333333.33333343"),
            (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
            (0x4314_3ff3_c1cb_0959, "1424953923781206.2"),
        ] {
            // With an exponent, so that none is an integer that is refused.
            let text = format!("{:e}", f64::from_bits(bits));
            assert_eq!(number(&text).as_deref(), Ok(expected), "{text}");
        }
        for text in ["-0", "-0.0", "0e5"] {
            assert_eq!(number(text).as_deref(), Ok("0"), "{text}");
        }
    }

    #[test]
    fn members_that_are_left_out_need_no_canonical_form() {
        let json = r#"{"b":1.0,"context":9007199254740993,"a":{"context":-0}}"#;
        let kept = read_object_without(json.as_bytes(), &["context"]).unwrap();
        assert_eq!(canonical(&kept.into()).unwrap(), br#"{"a":{"context":0},"b":1}"#);
        assert_eq!(canonical_text(json), Err(CanonicalJsonError::Integer));
        let twice = r#"{"context":1,"context":2}"#;
        assert!(read_object_without(twice.as_bytes(), &["context"]).is_err());
    }

    #[test]
    fn members_are_sorted_by_utf_16_and_texts_escaped_as_rfc_8785_has_it() {
        let json = "{\"\u{fb33}\":1,\"\u{1f600}\":2,\"\\u20ac\":3,\"\\r\":4,\"1\":5,\"\\u00f6\":6}";
        let expected =
            "{\"\\r\":4,\"1\":5,\"\u{f6}\":6,\"\u{20ac}\":3,\"\u{1f600}\":2,\"\u{fb33}\":1}";
        assert_eq!(canonical_text(json).as_deref(), Ok(expected));
        let json = r#"{ "a" : "\u0041\/\u000f\u0008\u000a\"\\\u007f" }"#;
        assert_eq!(
            canonical_text(json).as_deref(),
            Ok("{\"a\":\"A/\\u000f\\b\\n\\\"\\\\\u{7f}\"}")
        );
    }

    #[test]
    fn what_readers_take_for_different_values_has_no_canonical_form() {
        for good in ["9007199254740991", "-9007199254740991"] {
            assert_eq!(number(good).as_deref(), Ok(good));
        }
        for bad in ["9007199254740992", "-9007199254740992", "18446744073709551616"] {
            assert_eq!(number(bad), Err(CanonicalJsonError::Integer), "{bad}");
        }
        assert_eq!(number("1e999"), Err(CanonicalJsonError::Number));
        assert_eq!(canonical_text("[]"), Err(CanonicalJsonError::NotAnObject));
        let twice = canonical_text(r#"{"a":{"b":1,"\u0062":2}}"#);
        assert!(matches!(twice, Err(CanonicalJsonError::Json(StrictJsonError::Duplicate(_)))));
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(64), "]".repeat(64));
        let deep = canonical_text(&deep);
        assert!(matches!(deep, Err(CanonicalJsonError::Json(StrictJsonError::TooDeep { .. }))));
        for lone in [r#"{"a":"\ud800"}"#, r#"{"\udc00":1}"#] {
            assert!(matches!(canonical_text(lone), Err(CanonicalJsonError::Json(_))), "{lone}");
        }
    }

    #[test]
    fn the_published_plans_have_the_bytes_and_hashes_that_are_published() {
        let folder =
            concat!(env!("CARGO_MANIFEST_DIR"), "/../../test-vectors/adcp/3.2.4/plan-hash");
        let mut read = 0;
        for file in fs::read_dir(Path::new(folder)).unwrap() {
            let vector = read_object(&fs::read(file.unwrap().path()).unwrap()).unwrap();
            let expected = &vector["expected"];
            let bytes = canonical(&expected["preimage"]).unwrap();
            assert_eq!(std::str::from_utf8(&bytes).ok(), expected["jcs_bytes"].as_str());
            assert_eq!(Some(&*sha256(&bytes)), expected["plan_hash"].as_str());
            read += 1;
        }
        assert_eq!(read, 11);
    }
}
